# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An rtnetlink that answers what a test made up: messages as in linux/rtnetlink.h, and a look that reads them."""

from __future__ import annotations

import errno
import os
import struct
import time
from typing import Callable, Iterator

from hypothesis import strategies as st

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.netlink import NLMSG_DONE, attribute
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.netlink_dump import NLM_F_MULTI, Message, Netlink
from ansible_collections.nsfleet.linux.plugins.module_utils._network.look import Look

# What the kernel answers to a request of a type and its payload: messages, each a type and a body.
Answer = Callable[[int, bytes], "list[tuple[int, bytes]]"]


class Canned(Netlink):
    """Asks nobody: what is read from it is what C(answer) gives."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def close(self) -> None:
        """There is no socket."""

    def stream(self, kind: int, payload: bytes, flags: int = 0) -> Iterator[Message]:
        for number, body in self.answer(kind, payload):
            yield Message(number, NLM_F_MULTI, body)
        yield Message(NLMSG_DONE, NLM_F_MULTI, struct.pack("=i", 0))


def look(answer: Answer, most: int = 100) -> Look:
    """A look at what C(answer) gives; the links 1 and 2 are lo and eth0."""
    found = Look(most, time.monotonic() + 10)
    found._route = Canned(answer)
    found.names = {1: "lo", 2: "eth0"}
    return found


def always(kind: int, *bodies: bytes) -> Answer:
    """The same messages to every request."""
    return lambda dummy, payload: [(kind, body) for body in bodies]


def refused(number: int) -> Answer:
    """The kernel refuses."""

    def answer(kind: int, payload: bytes) -> list[tuple[int, bytes]]:
        raise OSError(number, os.strerror(number))

    return answer


UNSUPPORTED = (errno.EAFNOSUPPORT, errno.EOPNOTSUPP)


def u32(kind: int, value: int) -> bytes:
    """An attribute that is a number."""
    return attribute(kind, struct.pack("=I", value))


def strange(header: bytes, known: int, rest: bytes = b"") -> st.SearchStrategy[bytes]:
    """Bodies with attributes of any number up to a bit more than C(known), of any length, also cut off or oversized.

    C(header) and C(rest) are of a message which would be understood; each byte of the header may be another one.
    """
    value = st.one_of(
        st.binary(max_size=40), st.binary(max_size=7), st.builds(lambda size: b"\xc3" * size, st.integers(100, 5000)),
        st.sampled_from([b"\0" * 4, b"\xff" * 4, b"\x7f\0\0\1", b"\xfe\x80" + b"\0" * 14]),
        # Nested: hops, metrics.
        st.lists(st.builds(attribute, st.integers(0, 20), st.binary(max_size=12)), max_size=4).map(b"".join),
        st.builds(lambda size, more: struct.pack("=HBBI", size, 255, 255, 2) + more, st.integers(0, 40),
                  st.binary(max_size=40)),
    )
    whole = st.builds(attribute, st.integers(0, known + 8), value)
    lying = st.builds(lambda length, kind, more: struct.pack("=HH", length, kind) + more,
                      st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.binary(max_size=12))
    heads = st.builds(lambda at, byte: header[:at] + byte + header[at + 1:], st.integers(0, len(header) - 1),
                      st.binary(min_size=1, max_size=1))
    bodies = st.builds(lambda head, more, last: head + rest + b"".join(more) + last, st.just(header) | heads,
                       st.lists(whole, max_size=8), st.just(b"") | lying)
    return bodies | st.builds(lambda body, size: body[:size], bodies, st.integers(0, 80)) | st.binary(max_size=64)

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps that are changed, cut, refused, or answered by somebody else than the kernel."""

from __future__ import annotations

import errno
import socket
import struct
import time
from typing import Callable, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import netlink_dump
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.netlink_dump import (
    NLM_F_DUMP_INTR,
    NLM_F_MULTI,
    Netlink,
)
from ansible_collections.nsfleet.linux.plugins.module_utils._network.look import Look

DONE, ERROR, ROW = 3, 2, 16


def message(kind: int, flags: int, sequence: int, body: bytes = b"") -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, sequence, 0) + body


class Kernel:
    """Stands for the kernel behind one netlink socket: each request is answered with the next of its dumps."""

    def __init__(self, *dumps: list[bytes]) -> None:
        self.dumps = list(dumps)
        self.requests = 0
        self.closed = 0
        self._waiting: list[bytes] = []
        self._senders: list[int] = []

    def send(self, data: bytes) -> None:
        sequence = struct.unpack_from("=I", data, 8)[0]
        self.requests += 1
        # The number of a request is put where the answers have a placeholder.
        self._waiting = [
            piece.replace(b"SEQ!", struct.pack("=I", sequence)) for piece in (self.dumps.pop(0) if self.dumps else [])
        ]

    def recvmsg(self, dummy: int) -> tuple[bytes, list[object], int, tuple[int, int]]:
        if not self._waiting:
            raise socket.timeout
        data = self._waiting.pop(0)
        if data.startswith(b"FROM7"):
            return data[5:], [], 0, (7, 0)
        return data, [], 0, (0, 0)

    def settimeout(self, dummy: float) -> None:
        pass

    def close(self) -> None:
        self.closed += 1


def rows(*values: int, flags: int = 0) -> list[bytes]:
    found = [message(ROW, NLM_F_MULTI | flags, 0x21514553, struct.pack("=i", value)) for value in values]
    return found + [message(DONE, NLM_F_MULTI, 0x21514553, struct.pack("=i", 0))]


Run = Callable[..., Tuple[netlink_dump.Dump[int], Kernel]]


@pytest.fixture
def dump(monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(*dumps: list[bytes], most: int = 100) -> tuple[netlink_dump.Dump[int], Kernel]:
        kernel = Kernel(*dumps)
        monkeypatch.setattr(Netlink, "_open", lambda self: kernel)
        netlink = Netlink(0, time.monotonic() + 5)
        return netlink.dump(18, b"", lambda dummy, body: int(struct.unpack("=i", body)[0]), most), kernel

    return run


def test_a_dump_that_was_changed_is_read_again(dump: Run) -> None:
    found, kernel = dump(rows(1, flags=NLM_F_DUMP_INTR), rows(1, 2))
    assert (found.rows, found.changed, kernel.requests) == ([1, 2], False, 2)


def test_a_dump_that_is_always_changed_is_given_up_and_said(dump: Run) -> None:
    found, kernel = dump(*[rows(at, flags=NLM_F_DUMP_INTR) for at in range(20)])
    assert (found.rows, found.changed, kernel.requests) == ([3], True, 4)
    look = Look(10, time.monotonic() + 1)
    assert look.rows("routes", found) == [3]
    assert look.problems.as_list() == [{"what": "routes", "reason": "changed while it was read", "count": 1}]


def test_what_is_too_many_is_counted_and_said(dump: Run) -> None:
    found, dummy = dump(rows(*range(10)), most=4)
    assert (found.rows, found.left_out) == ([0, 1, 2, 3], 6)
    look = Look(4, time.monotonic() + 1)
    look.rows("routes", found)
    assert look.problems.as_list() == [{"what": "routes", "reason": "truncated", "count": 6}]


@pytest.mark.parametrize("failure, reason", [
    (message(ERROR, 0, 0x21514553, struct.pack("=i", -errno.ENOBUFS)), "ENOBUFS"),
    (message(DONE, NLM_F_MULTI, 0x21514553, struct.pack("=i", -errno.EPERM)), "refused: EPERM"),
])
def test_rows_outlive_an_error_that_comes_after_them(
    dump: Run, failure: bytes, reason: str,
) -> None:
    found, dummy = dump(rows(1, 2)[:-1] + [failure])
    assert found.rows == [1, 2]
    look = Look(10, time.monotonic() + 1)
    look.rows("routes", found)
    assert look.problems.as_list() == [{"what": "routes", "reason": reason, "count": 1}]


def test_an_error_without_rows_is_raised(dump: Run) -> None:
    with pytest.raises(OSError) as caught:
        dump([message(ERROR, 0, 0x21514553, struct.pack("=i", -errno.EOPNOTSUPP))])
    assert caught.value.errno == errno.EOPNOTSUPP


def test_a_kernel_that_does_not_answer_is_a_timeout(dump: Run) -> None:
    with pytest.raises(TimeoutError):
        dump([])


def test_a_table_without_end_is_left(
    dump: Run, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(netlink_dump, "_MOST", 50)
    found, kernel = dump(rows(*range(1000)), most=4)
    assert found.rows == [0, 1, 2, 3]
    assert found.error is not None and found.error.errno == errno.EOVERFLOW
    # Else the rest of it would answer the next request.
    assert kernel.closed == 1


def test_answers_of_others_are_not_taken(dump: Run) -> None:
    forged = b"FROM7" + message(ROW, NLM_F_MULTI, 0x21514553, struct.pack("=i", 666))
    late = message(ROW, NLM_F_MULTI, 4711, struct.pack("=i", 667))
    found, dummy = dump([forged, late, *rows(1)])
    assert found.rows == [1]


@given(st.binary(max_size=200))
def test_no_datagram_breaks_the_walk(data: bytes) -> None:
    assert all(len(one.body) <= len(data) for one in netlink_dump._messages(data, 0))


def test_the_real_kernel_s_links() -> None:
    with Netlink(netlink_dump.NETLINK_ROUTE, time.monotonic() + 5) as netlink:
        names = [name for dummy, name in socket.if_nameindex()]
        asked = b"\0" * 16
        assert len(netlink.dump(18, asked, lambda kind, body: body, 1000).rows) == len(names)
        stopped = netlink.stream(18, asked)
        next(stopped)
        stopped.close()
        assert len(netlink.dump(18, asked, lambda kind, body: body, 1000).rows) == len(names)

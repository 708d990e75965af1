# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Netlink messages and attributes, whole, cut off and made up; and whose answers are believed."""

from __future__ import annotations

import errno
import socket
import struct
from typing import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.netlink import (
    NLMSG_DONE,
    NLMSG_ERROR,
    RTM_NEWNSID,
    Route,
    attribute,
    attributes,
    messages,
)

KERNEL, SOMEBODY = (0, 0), (4711, 0)
ATTRIBUTES = st.dictionaries(st.integers(0, 0x3FFF), st.binary(max_size=20), max_size=5)


def message(kind: int, sequence: int, payload: bytes) -> bytes:
    header = struct.pack("=IHHII", 16 + len(payload), kind, 0, sequence, 0)
    return header + payload + b"\0" * (-len(payload) % 4)


def nsid_answer(value: int, sequence: int = 1) -> bytes:
    return message(RTM_NEWNSID, sequence, b"\0\0\0\0" + attribute(1, struct.pack("=i", value)))


@given(ATTRIBUTES)
def test_attributes_come_back_as_they_were_put_in(wanted: dict[int, bytes]) -> None:
    data = b"".join(attribute(kind, value) for kind, value in wanted.items())
    assert len(data) % 4 == 0
    assert attributes(data) == wanted


def test_the_flags_in_an_attribute_s_type_are_no_part_of_it() -> None:
    assert attributes(attribute(0x8001, b"a") + attribute(0x4002, b"b")) == {1: b"a", 2: b"b"}


def test_the_last_attribute_may_lack_its_padding() -> None:
    assert attributes(attribute(1, b"abcde")[:-3]) == {1: b"abcde"}


@given(ATTRIBUTES, st.data())
def test_attributes_that_are_cut_off_keep_the_whole_ones(wanted: dict[int, bytes], data: st.DataObject) -> None:
    pieces = [attribute(kind, value) for kind, value in wanted.items()]
    whole = b"".join(pieces)
    size = data.draw(st.integers(0, len(whole)))
    found = attributes(whole[:size])
    assert found.items() <= wanted.items()
    before = [kind for position, kind in enumerate(wanted) if len(b"".join(pieces[:position + 1])) <= size]
    assert set(before) <= set(found)


@given(st.binary(max_size=200))
@example(b"\0\0\1\0")
@example(b"\3\0\1\0\4\0\1\0")
@example(b"\xff\xff\1\0")
def test_any_bytes_as_attributes_end_and_give_no_more_than_there_was(data: bytes) -> None:
    assert sum(4 + len(value) for value in attributes(data).values()) <= len(data)


@given(st.lists(st.tuples(st.integers(0, 65535), st.integers(0, 2**32 - 1), st.binary(max_size=20)), max_size=4))
def test_messages_come_back_as_they_were_put_in(wanted: list[tuple[int, int, bytes]]) -> None:
    assert list(messages(b"".join(message(*one) for one in wanted))) == wanted


@given(st.binary(max_size=200))
@example(16 * b"\0")
@example(struct.pack("=IHHII", 15, 2, 0, 1, 0) + nsid_answer(1))
@example(struct.pack("=IHHII", 0xFFFFFFFF, 2, 0, 1, 0))
def test_any_bytes_as_messages_end_and_give_no_more_than_there_was(data: bytes) -> None:
    assert sum(16 + len(payload) for dummy, dummy2, payload in messages(data)) <= len(data)


@given(st.integers(0, 2 * len(nsid_answer(7)) - 1))
def test_a_datagram_that_is_cut_off_keeps_its_whole_messages(size: int) -> None:
    whole = nsid_answer(7) + nsid_answer(8, 2)
    found = list(messages(whole[:size]))
    assert found == list(messages(whole))[:len(found)]
    assert len(found) == size // len(nsid_answer(7))


class Wire:
    """In place of the socket: says what it was told to, one datagram after the other."""

    def __init__(self, *datagrams: tuple[bytes, tuple[int, int]]) -> None:
        self.sent = b""
        self._datagrams = list(datagrams)

    def send(self, data: bytes) -> None:
        self.sent = data

    def recvfrom(self, dummy: int) -> tuple[bytes, tuple[int, int]]:
        if not self._datagrams:
            raise socket.timeout("timed out")
        return self._datagrams.pop(0)


@pytest.fixture
def route(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Route]:
    def build(*datagrams: tuple[bytes, tuple[int, int]]) -> Route:
        made = Route.__new__(Route)
        monkeypatch.setattr(made, "_socket", Wire(*datagrams), raising=False)
        monkeypatch.setattr(made, "_sequence", 0, raising=False)
        return made

    return build


def test_an_nsid_is_told(route: Callable[..., Route]) -> None:
    assert route((nsid_answer(7), KERNEL)).nsid(3) == 7


def test_a_network_namespace_without_an_nsid_has_none(route: Callable[..., Route]) -> None:
    assert route((nsid_answer(-1), KERNEL)).nsid(3) is None


def test_what_another_process_sends_is_not_believed(route: Callable[..., Route]) -> None:
    assert route((nsid_answer(666), SOMEBODY), (nsid_answer(7), KERNEL)).nsid(3) == 7


def test_a_late_answer_to_an_earlier_request_is_not_taken_for_this_one_s(route: Callable[..., Route]) -> None:
    assert route((nsid_answer(666, 0) + nsid_answer(7), KERNEL)).nsid(3) == 7


def test_the_kernel_s_error_is_raised_with_its_errno(route: Callable[..., Route]) -> None:
    refused = message(NLMSG_ERROR, 1, struct.pack("=i", -errno.EBADF) + 16 * b"\0")
    with pytest.raises(OSError) as caught:
        route((refused, KERNEL)).nsid(3)
    assert caught.value.errno == errno.EBADF


def test_no_answer_is_a_timeout_with_an_errno_on_every_python(route: Callable[..., Route]) -> None:
    with pytest.raises(TimeoutError) as caught:
        route().nsid(3)
    assert caught.value.errno == errno.ETIMEDOUT


@pytest.mark.parametrize(
    "answer",
    [
        message(NLMSG_DONE, 1, b""),
        message(NLMSG_ERROR, 1, b"\0\0"),
        message(NLMSG_ERROR, 1, 20 * b"\0"),
        message(RTM_NEWNSID, 1, b""),
        message(RTM_NEWNSID, 1, b"\0\0\0\0" + attribute(1, b"\0\0")),
    ],
)
def test_an_answer_without_the_nsid_is_a_protocol_error(route: Callable[..., Route], answer: bytes) -> None:
    with pytest.raises(OSError) as caught:
        route((answer, KERNEL)).nsid(3)
    assert caught.value.errno == errno.EPROTO


@given(st.binary(max_size=100), st.booleans())
def test_any_answer_is_a_number_or_an_os_error(data: bytes, in_a_message: bool) -> None:
    made = Route.__new__(Route)
    made._sequence = 0
    answer = message(RTM_NEWNSID, 1, data) if in_a_message else data
    setattr(made, "_socket", Wire((answer, KERNEL)))  # noqa: B010 - a stand-in of another type
    try:
        assert isinstance(made.nsid(3), (int, type(None)))
    except OSError:
        pass


def test_each_request_has_a_sequence_number_of_its_own(route: Callable[..., Route]) -> None:
    asked = route((nsid_answer(7, 1), KERNEL), (nsid_answer(8, 2), KERNEL))
    assert (asked.nsid(3), asked.nsid(3)) == (7, 8)

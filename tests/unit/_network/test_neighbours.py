# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Neighbours and forwarding entries out of messages that the running kernel does not send, or that no kernel should."""

from __future__ import annotations

import errno
import json
import socket
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from recorded.rtnetlink import always, look, refused, strange, u32

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.netlink import attribute
from ansible_collections.nsfleet.linux.plugins.module_utils._network import neighbours

RTM_NEWNEIGH = 28
MAC, GROUP = attribute(2, b"\2\0\0\0\0\1"), attribute(2, b"\x33\x33\0\0\0\1")
AF_BRIDGE, SELF, MASTER, PROXY = 7, 2, 4, 8


def header(family: int = 2, state: int = 2, flags: int = 0) -> bytes:
    return struct.pack("=BxxxIHBB", family, 2, state, flags, 0)


def one(body: bytes) -> Any:
    (row,) = neighbours.take(look(always(RTM_NEWNEIGH, body)))
    return row


def test_a_forwarding_entry_may_have_a_vlan_and_a_remote() -> None:
    # This machine's bridges know no VLANs.
    to = attribute(1, socket.inet_pton(socket.AF_INET6, "2001:db8::5"))
    row = one(header(AF_BRIDGE, 0x80, SELF) + MAC + to + attribute(5, struct.pack("=H", 4094)))
    assert row == {"family": "bridge", "address": "2001:db8::5", "mac": "02:00:00:00:00:01", "link": "eth0",
                   "state": "permanent", "flags": ["self"], "vlan": 4094}


def test_a_group_that_a_link_listens_to_is_no_forwarding_entry() -> None:
    assert neighbours.take(look(always(RTM_NEWNEIGH, header(AF_BRIDGE, 0x80, SELF) + GROUP))) == []


@pytest.mark.parametrize("body", [
    header(AF_BRIDGE, 0x80, MASTER) + GROUP, header(AF_BRIDGE, 0x80, SELF) + MAC,
    header(AF_BRIDGE, 0x80, SELF) + GROUP + attribute(1, b"\n\0\0\1"),
])
def test_a_group_that_is_forwarded_is(body: bytes) -> None:
    assert one(body)["family"] == "bridge"


@pytest.mark.parametrize(("number", "state"), [
    (0, "none"), (1, "incomplete"), (2, "reachable"), (4, "stale"), (8, "delay"), (0x10, "probe"), (0x20, "failed"),
    (0x40, "noarp"), (0x80, "permanent"), (0xC0, "permanent"), (0x82, "permanent"), (0x8000, "none"),
])
def test_each_state_has_ip_s_name_in_lower_case(number: int, state: str) -> None:
    assert one(header(AF_BRIDGE, number) + MAC)["state"] == state


@pytest.mark.parametrize(("bit", "name"), [
    (1, "use"), (2, "self"), (4, "master"), (8, "proxy"), (0x10, "extern_learn"), (0x20, "offload"), (0x40, "sticky"),
    (0x80, "router"),
])
def test_each_flag_has_a_name(bit: int, name: str) -> None:
    assert one(header(AF_BRIDGE, flags=bit) + MAC)["flags"] == [name]


def test_flags_that_came_later_are_in_an_attribute() -> None:
    assert one(header(AF_BRIDGE, flags=4) + MAC + u32(15, 7))["flags"] == ["master", "managed", "locked", "extern_valid"]


def test_a_link_layer_address_has_whatever_length_the_link_gives_it() -> None:
    assert one(header(AF_BRIDGE) + attribute(2, b"\n\0\0\1"))["mac"] == "0a:00:00:01"
    assert one(header(AF_BRIDGE) + attribute(2, b""))["mac"] is None
    assert len(one(header(AF_BRIDGE) + attribute(2, b"\n" * 4000))["mac"]) == 32 * 3 - 1


def test_what_is_left_out_of_a_forwarding_database_is_counted_without_the_groups() -> None:
    def answer(kind: int, payload: bytes) -> list[tuple[int, bytes]]:
        bodies = [header(AF_BRIDGE, 0x80, SELF) + mac for mac in (MAC, GROUP, MAC, GROUP, MAC, GROUP, MAC)]
        return [(RTM_NEWNEIGH, body) for body in bodies] if payload[0] == AF_BRIDGE else []

    at = look(answer, 2)
    assert len(neighbours.take(at)) == 2
    assert at.problems.as_list() == [{"what": "forwarding entries", "reason": "truncated", "count": 2}]


def test_what_is_refused_after_the_neighbours_is_a_problem_and_they_are_there() -> None:
    def answer(kind: int, payload: bytes) -> list[tuple[int, bytes]]:
        if payload[0] == AF_BRIDGE or payload[10] == PROXY:
            raise OSError(errno.ENOBUFS, "no")
        return [(RTM_NEWNEIGH, header() + MAC)]

    at = look(answer)
    assert len(neighbours.take(at)) == 1
    assert at.problems.as_list() == [{"what": "neighbours", "reason": "ENOBUFS", "count": 2}]


def test_neighbours_that_are_refused_are_an_error() -> None:
    with pytest.raises(PermissionError):
        neighbours.take(look(refused(1)))


def test_what_is_no_neighbour_gives_no_row() -> None:
    for body in (b"", header()[:11], header(family=12) + MAC):
        assert neighbours.take(look(always(RTM_NEWNEIGH, body))) == []
    assert neighbours.take(look(always(RTM_NEWNEIGH + 1, header() + MAC))) == []


@settings(max_examples=300)
@given(strange(header(), 17), strange(header(AF_BRIDGE), 17))
def test_whatever_comes_gives_rows_or_none(body: bytes, entry: bytes) -> None:
    rows = neighbours.take(look(always(RTM_NEWNEIGH, body, entry)))
    assert len(json.dumps(rows).encode("utf-8")) < 6000

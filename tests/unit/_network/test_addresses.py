# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses out of messages that the running kernel does not send, or that no kernel should."""

from __future__ import annotations

import json
import socket
import struct

import pytest
from hypothesis import given, settings
from recorded.rtnetlink import always, look, strange, u32

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.netlink import attribute
from ansible_collections.nsfleet.linux.plugins.module_utils._network import addresses

RTM_NEWADDR = 20
HEADER = struct.pack("=BBBBI", 2, 24, 0x80, 0, 2)
LOCAL = attribute(2, socket.inet_aton("192.0.2.1"))
PEER = attribute(1, socket.inet_aton("192.0.2.2"))


def test_flags_of_32_bits_win_over_the_eight_of_the_header() -> None:
    found = addresses.take(look(always(RTM_NEWADDR, HEADER + PEER + LOCAL + u32(8, 0x201))))
    assert found == [{"family": "inet", "address": "192.0.2.1", "prefix": 24, "link": "eth0", "scope": "global",
                      "flags": ["secondary", "noprefixroute"]}]


def test_the_flags_of_the_header_are_those_of_a_kernel_without_more() -> None:
    (row,) = addresses.take(look(always(RTM_NEWADDR, HEADER + LOCAL)))
    assert row["flags"] == ["permanent"]


@pytest.mark.parametrize(("bit", "name"), [
    (0x01, "temporary"), (0x02, "nodad"), (0x04, "optimistic"), (0x08, "dadfailed"), (0x10, "home"),
    (0x20, "deprecated"), (0x40, "tentative"), (0x80, "permanent"), (0x100, "mngtmpaddr"), (0x200, "noprefixroute"),
    (0x400, "autojoin"), (0x800, "stable-privacy"),
])
def test_each_flag_has_ip_s_name(bit: int, name: str) -> None:
    header = struct.pack("=BBBBI", 10, 64, 0, 253, 2)
    (row,) = addresses.take(look(always(RTM_NEWADDR, header + attribute(1, b"\xfe\x80" + b"\0" * 14) + u32(8, bit))))
    assert (row["family"], row["address"], row["scope"], row["flags"]) == ("inet6", "fe80::", "link", [name])


def test_a_link_that_came_meanwhile_is_known_by_its_number() -> None:
    (row,) = addresses.take(look(always(RTM_NEWADDR, struct.pack("=BBBBI", 2, 24, 0, 0, 77) + LOCAL)))
    assert row["link"] == "if77"


def test_an_answer_of_another_family_is_no_row_of_this_one() -> None:
    # A kernel without IPv6 answers a request for its addresses with those of all families.
    assert len(addresses.take(look(always(RTM_NEWADDR, HEADER + LOCAL)))) == 1


def test_what_is_no_address_gives_no_row() -> None:
    for body in (b"", HEADER[:7], HEADER, HEADER + attribute(2, b"\x7f\0\0"), b"\x1d" + HEADER[1:] + LOCAL):
        assert addresses.take(look(always(RTM_NEWADDR, body))) == []
    assert addresses.take(look(always(RTM_NEWADDR + 1, HEADER + LOCAL))) == []


@settings(max_examples=300)
@given(strange(HEADER, 11, LOCAL))
def test_whatever_comes_gives_rows_or_none(body: bytes) -> None:
    rows = addresses.take(look(always(RTM_NEWADDR, body)))
    assert len(json.dumps(rows).encode("utf-8")) < 2000

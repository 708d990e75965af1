# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules out of messages that the running kernel does not send, or that no kernel should."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from recorded.rtnetlink import UNSUPPORTED, always, look, refused, strange, u32

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.netlink import attribute
from ansible_collections.nsfleet.linux.plugins.module_utils._network import rules

RTM_NEWRULE = 32


def header(family: int = 2, action: int = 1, flags: int = 0, size: int = 0, tos: int = 0, table: int = 5) -> bytes:
    return struct.pack("=BBBBBBBBI", family, size, 0, tos, table, 0, 0, action, flags)


def one(body: bytes) -> Any:
    (row,) = rules.take(look(always(RTM_NEWRULE, body)))
    return row


def details(body: bytes) -> Any:
    return one(body)["details"]


def test_a_rule_is_its_attributes() -> None:
    body = header(size=8) + attribute(1, b"\n\0\0\0") + u32(6, 9) + u32(15, 70000) + attribute(17, b"eth0\0")
    assert one(body) == {
        "family": "inet", "priority": 9, "from": None, "to": "10.0.0.0/8", "iif": None, "oif": "eth0", "fwmark": None,
        "table": "70000", "action": "lookup", "details": {},
    }


def test_ports_may_have_a_mask() -> None:
    # Linux 6.15; one that covers all is as none.
    masked = attribute(23, struct.pack("=HH", 80, 80)) + attribute(28, struct.pack("=H", 0xFFF0))
    whole = attribute(24, struct.pack("=HH", 53, 53)) + attribute(29, struct.pack("=H", 0xFFFF))
    assert details(header() + masked + whole) == {"sport": "0x50/0xfff0", "dport": "53"}


def test_users_are_a_range_and_a_tunnel_s_number_is_in_network_order() -> None:
    found = attribute(20, struct.pack("=II", 1, 70000)) + attribute(12, struct.pack(">Q", 1 << 33))
    assert details(header() + found) == {"uidrange": "1-70000", "tun_id": 1 << 33}


def test_a_code_point_and_a_flow_label_are_conditions() -> None:
    # Linux 6.13 and 6.14; the label is in network order.
    found = attribute(25, b"\x05") + attribute(26, struct.pack(">I", 0x12345)) + attribute(27, struct.pack(">I", 0xFFF00))
    assert details(header(family=10) + found) == {"dscp": "0x5", "flowlabel": "0x12345/0xfff00"}


def test_a_condition_newer_than_this_is_not_passed_over() -> None:
    assert details(header() + u32(31, 1) + u32(40, 1)) == {"unknown": [31, 40]}


@pytest.mark.parametrize(("bit", "name"), [(2, "not"), (4, "unresolved"), (8, "iif_detached"), (16, "oif_detached")])
def test_each_flag_says_what_it_does_to_the_rule(bit: int, name: str) -> None:
    assert details(header(flags=bit)) == {name: True}


@pytest.mark.parametrize(("number", "action"), [
    (1, "lookup"), (2, "goto"), (3, "nop"), (6, "blackhole"), (7, "unreachable"), (8, "prohibit"), (77, "77"),
])
def test_only_a_lookup_has_a_table(number: int, action: str) -> None:
    row = one(header(action=number))
    assert (row["action"], row["table"]) == (action, "5" if number == 1 else None)


def test_a_link_s_name_may_be_any_bytes() -> None:
    assert one(header() + attribute(3, b"\xff\n\0rest"))["iif"] == "\ufffd\n"


@pytest.mark.parametrize("number", UNSUPPORTED)
def test_a_kernel_without_rules_has_none_and_no_problem(number: int) -> None:
    at = look(refused(number))
    assert rules.take(at) == []
    assert at.problems.complete


def test_a_refusal_is_not_taken_for_none() -> None:
    with pytest.raises(PermissionError):
        rules.take(look(refused(1)))


def test_what_is_no_rule_gives_no_row() -> None:
    for body in (b"", header()[:11], header(family=128)):
        assert rules.take(look(always(RTM_NEWRULE, body))) == []
    assert rules.take(look(always(RTM_NEWRULE + 1, header()))) == []


@settings(max_examples=300)
@given(strange(header(), 40))
def test_whatever_comes_gives_rows_or_none(body: bytes) -> None:
    rows = rules.take(look(always(RTM_NEWRULE, body)))
    assert len(json.dumps(rows).encode("utf-8")) < 4000

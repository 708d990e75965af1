# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RTM_NEWLINK messages as no kernel sends them, or only older ones do; tests/kernel has those that are sent."""

from __future__ import annotations

import json
import struct
import time
from typing import Any, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import rtnetlink_link as kernel
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.netlink import attribute
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.netlink_dump import Dump, Netlink
from ansible_collections.nsfleet.linux.plugins.module_utils._network import links
from ansible_collections.nsfleet.linux.plugins.module_utils._network.look import CHANGED, Look

RTM_NEWLINK, RTM_DELLINK = 16, 17
ADDRESS, IFNAME, MTU, LINK, MASTER, OPERSTATE, LINKINFO, NETNSID, PROPERTIES = 1, 3, 4, 5, 10, 16, 18, 37, 52
KEYS = {"name", "index", "kind", "state", "flags", "mtu", "mac", "master", "altnames", "details", "peer"}
U32 = struct.Struct("=I").pack


def body(index: int = 7, *pairs: tuple[int, bytes], name: bytes = b"eth7\0", hardware: int = 1, flags: int = 1) -> bytes:
    header = struct.pack("=BxHiII", 0, hardware, index, flags, 0)
    return header + attribute(IFNAME, name) + b"".join(attribute(*pair) for pair in pairs)


def of_kind(kind: str, data: bytes = b"") -> tuple[int, bytes]:
    return LINKINFO | 0x8000, attribute(1, kind.encode() + b"\0") + attribute(2 | 0x8000, data)


class Answers(Netlink):
    """In place of an rtnetlink socket: what each attempt at a dump gives, one after another."""

    def __init__(self, *attempts: list[tuple[int, bytes]], changed: bool = False) -> None:
        self._attempts = attempts
        self._changed = changed

    def dump(self, kind: int, payload: bytes, parse: Callable[[int, bytes], Any], most: int) -> Dump[Any]:
        found: Dump[Any] = Dump()
        for attempt in self._attempts:
            found = Dump()
            found.rows = [row for row in (parse(*message) for message in attempt) if row is not None]
        found.changed = self._changed
        return found

    def close(self) -> None:
        pass


def look_at(answers: Answers, most: int = 500) -> tuple[list[Any], Look]:
    look = Look(most, time.monotonic() + 5)
    look._route = answers
    return links.take(look), look


def row(*pairs: tuple[int, bytes], **others: Any) -> Any:
    return look_at(Answers([(RTM_NEWLINK, body(7, *pairs, **others))]))[0][0]


def test_the_request_asks_for_all_links_without_their_counters() -> None:
    # ifinfomsg of zeros, as strict checking wants it; IFLA_EXT_MASK (29) with RTEXT_FILTER_SKIP_STATS (8).
    wanted = b"\0" * 16 + struct.pack("=HHI", 8, 29, 8)
    assert wanted == kernel.REQUEST


def test_a_link_of_which_little_is_told() -> None:
    assert row() == {"name": "eth7", "index": 7, "kind": "physical", "state": "unknown", "flags": ["UP"], "mtu": 0,
                     "mac": None, "master": None, "altnames": [], "details": {}, "peer": None}


def test_what_is_no_link_is_left_out() -> None:
    rows, look = look_at(Answers([(RTM_DELLINK, body(6)), (RTM_NEWLINK, b"short"), (RTM_NEWLINK, body(8)),
                                  (RTM_NEWLINK, struct.pack("=BxHiII", 0, 1, 9, 0, 0))]))
    assert [row["index"] for row in rows] == [8]
    assert look.names == {8: "eth7"}


def test_rows_come_by_index() -> None:
    # Older kernels give them in the order of a hash.
    rows, dummy = look_at(Answers([(RTM_NEWLINK, body(index)) for index in (256, 1, 7)]))
    assert [row["index"] for row in rows] == [1, 7, 256]


def test_what_a_repeated_dump_says_replaces_what_the_first_said() -> None:
    first = [(RTM_NEWLINK, body(index, name=b"old%d" % index)) for index in (1, 2, 3)]
    second = [(RTM_NEWLINK, body(index, name=b"new%d" % index)) for index in (1, 3, 4)]
    rows, look = look_at(Answers(first, second))
    assert [row["name"] for row in rows] == ["new1", "new3", "new4"]
    assert look.names == {1: "new1", 3: "new3", 4: "new4"}
    assert look.problems.complete


def test_a_repeated_dump_replaces_the_rows_also_when_they_are_the_most() -> None:
    first, second = ([(RTM_NEWLINK, body(index, name=name)) for index in (1, 2)] for name in (b"old", b"new"))
    rows, look = look_at(Answers(first, second), 1)
    assert [row["name"] for row in rows] == ["new"]
    assert [problem["count"] for problem in look.problems.as_list()] == [1]


def test_a_dump_that_never_came_whole_is_a_problem() -> None:
    dummy, look = look_at(Answers([(RTM_NEWLINK, body())], changed=True))
    assert [(problem["what"], problem["reason"]) for problem in look.problems.as_list()] == [("links", CHANGED)]


def test_a_master_beyond_the_most_has_its_name() -> None:
    rows, look = look_at(Answers([(RTM_NEWLINK, body(1, (MASTER, U32(2)))), (RTM_NEWLINK, body(2, name=b"br0\0"))]), 1)
    assert [(row["index"], row["master"]) for row in rows] == [(1, "br0")]
    assert [problem["count"] for problem in look.problems.as_list()] == [1]


def test_a_master_that_is_not_there_is_its_number() -> None:
    assert row((MASTER, U32(99)))["master"] == "if99"


@pytest.mark.parametrize("number,state", list(enumerate(
    ["unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up", "unknown"])))
def test_the_states_of_rfc_2863(number: int, state: str) -> None:
    assert row((OPERSTATE, bytes([number])))["state"] == state


def test_every_flag_has_its_name() -> None:
    assert row(flags=0xFFFFFFFF)["flags"] == [
        "LOOPBACK", "BROADCAST", "POINTOPOINT", "MULTICAST", "NOARP", "ALLMULTI", "PROMISC", "MASTER", "SLAVE", "DEBUG",
        "DYNAMIC", "AUTOMEDIA", "PORTSEL", "NOTRAILERS", "UP", "RUNNING", "LOWER_UP", "DORMANT", "ECHO"]


@pytest.mark.parametrize("raw,mac", [
    (bytes.fromhex("02AABBCCDDEE"), "02:aa:bb:cc:dd:ee"),
    (bytes(range(20)), ":".join("%02x" % byte for byte in range(20))),  # InfiniBand
    (b"\x0a\0\0\1", None), (b"\xfe\x80" + bytes(14), None), (b"", None)])
def test_addresses_of_the_hardware(raw: bytes, mac: str | None) -> None:
    assert row((ADDRESS, raw))["mac"] == mac


def test_names_of_any_bytes() -> None:
    assert row(name=b"\xff\xc3\xa4\0garbage")["name"] == "\ufffd\u00e4"


def test_altnames_of_any_bytes() -> None:
    properties = attribute(53, b"one\0") + attribute(99, b"?") + attribute(53, b"\xff\0") + attribute(53, b"two\0")
    assert row((PROPERTIES | 0x8000, properties))["altnames"] == ["one", "\ufffd", "two"]


# What the kernel tells of the other link: IFLA_LINK and IFLA_LINK_NETNSID; our index is 7.
@pytest.mark.parametrize("kind,lower,nsid,details", [
    ("veth", 8, None, {"lower_index": 8}),
    ("veth", 8, 0, {"lower_index": 8, "lower_nsid": 0}),
    ("veth", 7, 3, {"lower_index": 7, "lower_nsid": 3}),
    ("veth", None, 3, {"lower_index": 7, "lower_nsid": 3}),  # older kernels, same index at both ends
    ("veth", 0, None, {}),
    ("veth", 8, -1, {"lower_index": 8, "lower_nsid": -1}),   # NETNSA_NSID_NOT_ASSIGNED
    ("vlan", 7, 3, {"flags": [], "lower_index": 7, "lower_nsid": 3}),
    ("ipip", 0, 3, {"lower_nsid": 3}),
    ("wireguard", 7, 3, {"lower_nsid": 3}),
    ("wireguard", None, 3, {"lower_nsid": 3}),
    ("vxlan", 7, 3, {"lower_nsid": 3}),
    ("dsa", 7, None, {}),
    ("dsa", 8, None, {"lower_index": 8}),
])
def test_the_other_link(kind: str, lower: int | None, nsid: int | None, details: dict[str, Any]) -> None:
    pairs = [of_kind(kind)]
    pairs += [] if lower is None else [(LINK, U32(lower))]
    pairs += [] if nsid is None else [(NETNSID, struct.pack("=i", nsid))]
    assert row(*pairs)["details"] == details


def test_the_lower_link_of_a_vxlan_is_in_its_data() -> None:
    details = row(of_kind("vxlan", attribute(3, U32(3000))), (NETNSID, U32(1)))["details"]
    assert details == {"lower_index": 3000, "lower_nsid": 1}


@pytest.mark.parametrize("kind,key,raw,found", [
    ("vxlan", 2, bytes([239, 1, 2, 3]), {"group": "239.1.2.3"}),
    ("vxlan", 2, bytes([224, 0, 0, 1]), {"group": "224.0.0.1"}),
    ("vxlan", 2, bytes([223, 255, 255, 255]), {"remote": "223.255.255.255"}),
    ("vxlan", 2, bytes([240, 0, 0, 1]), {"remote": "240.0.0.1"}),
    ("vxlan", 2, bytes(4), {}),
    ("vxlan", 16, b"\xff\x05" + bytes(13) + b"\1", {"group": "ff05::1"}),
    ("vxlan", 16, b"\xfe\x80" + bytes(13) + b"\1", {"remote": "fe80::1"}),
    ("vxlan", 16, b"\x00\xff" + bytes(13) + b"\1", {"remote": "ff::1"}),
    ("gre", 7, bytes(4), {"remote": "any"}),
])
def test_addresses_of_tunnels(kind: str, key: int, raw: bytes, found: dict[str, Any]) -> None:
    assert row(of_kind(kind, attribute(key, raw)))["details"] == found


def test_an_attribute_that_is_cut_off_is_as_good_as_absent() -> None:
    whole = body(7, (ADDRESS, bytes(8)))
    assert look_at(Answers([(RTM_NEWLINK, whole)]))[0][0]["mac"] == "00:00:00:00:00:00:00:00"
    assert look_at(Answers([(RTM_NEWLINK, whole[:-1])]))[0][0]["mac"] is None


@pytest.mark.parametrize("kind,number,raw", [
    ("bridge", 10, bytes(7)), ("bridge", 11, bytes(9)), ("gre", 7, bytes(5)), ("vxlan", 2, b"\1" * 3), ("vti", 2, b"\1"),
    ("vrf", 1, b"\1\1\1"), ("tun", 4, b"")])
def test_a_value_of_a_wrong_size_is_as_good_as_absent(kind: str, number: int, raw: bytes) -> None:
    assert row(of_kind(kind, attribute(number, raw)))["details"] == {}


# From if_link.h: iproute2 of Debian 12, which judges the others in tests/kernel, does not print them.
@pytest.mark.parametrize("kind,number,raw,found", [
    ("vxlan", 27, b"", {"gpe": True}), ("vxlan", 30, b"\1", {"vnifilter": True}), ("vxlan", 30, b"\0", {}),
    ("vxlan", 9, U32(900), {"limit": 900}), ("geneve", 8, b"\0", {"udp_csum": False}),
    ("hsr", 8, U32(300), {"interlink": "if300"}), ("hsr", 8, U32(0), {}), ("xfrm", 3, b"", {"external": True}),
    ("macsec", 7, b"\0", {"encrypt": False}),
    ("macsec", 8, b"\0", {"protect": False}), ("macsec", 12, b"\0", {"replay_protect": False}),
    ("geneve", 17, b"\x0a\0\0\1", {"local": "10.0.0.1"}), ("geneve", 18, bytes(15) + b"\1", {"local": "::1"})])
def test_a_single_detail(kind: str, number: int, raw: bytes, found: dict[str, Any]) -> None:
    assert row(of_kind(kind, attribute(number, raw)))["details"] == found


KINDS = st.sampled_from(sorted(kernel.DATA) + ["veth", "what", "\udcff"])
SMALL = st.integers(0, 60) | st.integers(0, 0xFFFF)
VALUES = st.binary(max_size=40) | st.sampled_from([bytes(size) for size in (0, 1, 2, 3, 4, 6, 8, 16)])
NESTED = st.lists(st.tuples(SMALL, VALUES), max_size=8).map(lambda pairs: b"".join(attribute(*pair) for pair in pairs))


@st.composite
def infos(draw: Any) -> bytes:
    """A linkinfo of a kind that we know, with anything in it."""
    kind, master = draw(KINDS), draw(st.sampled_from(["bridge", "bond", "vrf", "what"]))
    pairs = [(1, kind.encode("utf-8", "surrogateescape")), (2, draw(NESTED)), (4, master.encode()), (5, draw(NESTED))]
    return b"".join(attribute(*pair) for pair in pairs)


@st.composite
def bodies(draw: Any) -> bytes:
    """A message that begins well."""
    pairs = draw(st.lists(st.tuples(SMALL, VALUES | NESTED) | st.tuples(st.just(LINKINFO), infos()), max_size=8))
    whole = body(draw(st.integers(-2**31, 2**31 - 1)), *pairs, name=draw(st.binary(max_size=20)))
    return whole


def fine(found: list[Any]) -> None:
    for row in found:
        assert set(row) == KEYS
        json.dumps(row).encode()
        assert isinstance(row["name"], str) and row["mtu"] >= 0


@settings(max_examples=400)
@given(bodies(), st.data())
def test_any_attributes_cut_off_anywhere_give_a_row_or_none(whole: bytes, data: Any) -> None:
    cut = whole[:data.draw(st.integers(0, len(whole)))]
    fine(look_at(Answers([(RTM_NEWLINK, whole), (RTM_NEWLINK, cut)]))[0])


@settings(max_examples=400)
@given(bodies(), st.data())
def test_any_byte_may_be_another(whole: bytes, data: Any) -> None:
    changed = bytearray(whole)
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=6)):
        changed[place] = data.draw(st.integers(0, 255))
    fine(look_at(Answers([(RTM_NEWLINK, bytes(changed))]))[0])


@given(st.binary(max_size=400))
def test_any_bytes_give_a_row_or_none(raw: bytes) -> None:
    fine(look_at(Answers([(RTM_NEWLINK, raw)]))[0])


@given(st.binary(max_size=200), st.integers(0, 10))
def test_attributes_without_end_do_not_loop(raw: bytes, length: int) -> None:
    # A length of less than its own header would never move on.
    fine(look_at(Answers([(RTM_NEWLINK, body() + struct.pack("=HH", length, LINKINFO) + raw)]))[0])


@pytest.mark.parametrize("kind", sorted(kernel.DATA))
@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 8, 16, 32])
def test_values_of_any_size_for_every_kind(kind: str, size: int) -> None:
    for number in range(60):
        fine([row(of_kind(kind, attribute(number, b"\xff" * size)))])

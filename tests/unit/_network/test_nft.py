# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of nf_tables that this kernel or these tools cannot make, and any bytes at all; tests/kernel has real ones.

Expressions are made by hand after linux/netfilter/nf_tables.h, structs of xtables after linux/netfilter/xt_*.h.
"""

from __future__ import annotations

import socket
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import nfnetlink, xtables
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.netlink import attribute
from ansible_collections.nsfleet.linux.plugins.module_utils._network.nft_expressions import decode
from ansible_collections.nsfleet.linux.plugins.module_utils._network.nft_ways import Action, Place

NESTED = 0x8000
IP, IP6, INET = 2, 10, 1
NAMES = ["immediate", "cmp", "range", "lookup", "payload", "meta", "ct", "fib", "bitwise", "byteorder", "nat", "masq",
         "redir", "tproxy", "reject", "queue", "limit", "objref", "numgen", "hash", "match", "target", "exthdr", "osf"]
TCP = struct.pack("=4H4B", 0, 65535, 80, 80, 0, 0, 0, 0)


def u32(value: int) -> bytes:
    return struct.pack(">I", value & 0xFFFFFFFF)


def value(raw: bytes) -> bytes:
    return attribute(1, raw)


def verdict(code: int, chain: str = "") -> bytes:
    return attribute(2 | NESTED, attribute(1, u32(code)) + (attribute(2, chain.encode() + b"\0") if chain else b""))


def expression(name: str, *pairs: tuple[int, bytes]) -> bytes:
    data = b"".join(attribute(kind, raw) for kind, raw in pairs)
    return attribute(1 | NESTED, attribute(1, name.encode() + b"\0") + attribute(2 | NESTED, data))


def xt(kind: str, name: str, revision: int, info: bytes) -> bytes:
    return expression(kind, (1, name.encode() + b"\0"), (2, u32(revision)), (3, info))


def immediate(register: int, raw: bytes) -> bytes:
    return expression("immediate", (1, u32(register)), (2 | NESTED, value(raw)))


def cmp(register: int, raw: bytes, how: int = 0) -> bytes:
    return expression("cmp", (1, u32(register)), (2, u32(how)), (3 | NESTED, value(raw)))


def meta(register: int, key: int) -> bytes:
    return expression("meta", (1, u32(register)), (2, u32(key)))


def payload(register: int, base: int, offset: int, length: int) -> bytes:
    return expression("payload", (1, u32(register)), (2, u32(base)), (3, u32(offset)), (4, u32(length)))


def lookup(name: str, source: int = 1, destination: int | None = None, flags: int = 0) -> bytes:
    pairs = [(1, name.encode() + b"\0"), (2, u32(source))]
    pairs += [(3, u32(destination))] if destination is not None else []
    return expression("lookup", *pairs, (5, u32(flags)))


def told(*expressions: bytes, family: int = IP, sets: Any = None) -> list[Action]:
    return decode(b"".join(expressions), Place(family, lambda index: "link%d" % index,
                                               lambda name: (sets or {}).get(name.rstrip(b"\0").decode())))


DROP = expression("immediate", (1, u32(0)), (2 | NESTED, verdict(0)))
TO_PORT = {"address": "10.0.0.1", "address_max": None, "port": 80, "port_max": None}


@pytest.mark.parametrize("family", [IP, IP6])
def test_queue_is_an_action(family: int) -> None:
    """nft(8) writes it as an expression, and as a verdict with the number of the queue above it."""
    by_verdict = expression("immediate", (1, u32(0)), (2 | NESTED, verdict(7 << 16 | 3)))
    for doer in (expression("queue", (1, b"\0\1")), by_verdict, xt("target", "NFQUEUE", 0, b"\0\1")):
        assert told(doer, family=family) == [Action("queue", {}, None, True)]


@pytest.mark.parametrize("code", [1, -1, -2, -5, 2, 4])
def test_what_lets_pass_is_no_action(code: int) -> None:
    assert told(expression("immediate", (1, u32(0)), (2 | NESTED, verdict(code)))) == []


@pytest.mark.parametrize(("code", "name"), [(-3, "jump"), (-4, "jump")])
def test_jump_and_goto_lead_to_a_chain(code: int, name: str) -> None:
    doer = expression("immediate", (1, u32(0)), (2 | NESTED, verdict(code, "there")))
    assert told(doer) == [Action(name, {}, "there", True)]


def test_registers_of_32_bits_are_quarters_of_those_of_128() -> None:
    """nft(8) of 2024 numbers them from 8 on, older ones from 1 to 4."""
    for address, port in ((8, 9), (1, 9), (1, 2), (12, 3)):
        found = told(immediate(address, socket.inet_aton("10.0.0.1")), immediate(port, b"\0\x50"), expression(
            "nat", (1, u32(1)), (2, u32(IP)), (3, u32(address)), (5, u32(port))))
        assert found == [Action("dnat", {}, TO_PORT, True)]


def test_an_address_of_128_bits_takes_four_registers_of_32() -> None:
    address = socket.inet_pton(socket.AF_INET6, "fd00::7")
    found = told(immediate(8, address), expression("nat", (1, u32(1)), (2, u32(IP6)), (3, u32(8))), family=IP6)
    assert found[0].to["address"] == "fd00::7"


def test_a_target_taken_from_the_packet_is_not_known() -> None:
    found = told(payload(1, 1, 12, 4), expression("nat", (1, u32(1)), (2, u32(IP)), (3, u32(1))))
    assert found == [Action("dnat", {}, None, False)]


def test_an_old_iptables_compares_the_protocol_in_the_header() -> None:
    assert told(payload(1, 1, 9, 1), cmp(1, b"\x06"), DROP) == [Action("drop", {"protocol": "tcp"}, None, True)]
    assert told(payload(1, 1, 6, 1), cmp(1, b"\x3a"), DROP, family=IP6)[0].match == {"protocol": "icmpv6"}


def test_neighbours_in_a_header_are_loaded_at_once() -> None:
    """nft(8) merges them since 2019; saddr 10.0.0.1, daddr 10.2.0.0/16."""
    found = told(payload(1, 1, 12, 6), cmp(1, b"\x0a\0\0\1\x0a\2"), DROP)
    assert found == [Action("drop", {"source": "10.0.0.1", "destination": "10.2.0.0/16"}, None, True)]


@pytest.mark.parametrize(("mask", "expected"), [
    (b"\xff\0\xff\0", "10.0.7.0/255.0.255.0"), (b"\xff\xff\xff\x80", "10.0.7.0/25"), (b"\xff" * 4, "10.0.7.0/32"),
    (b"\0" * 4, "10.0.7.0/0"),
])
def test_a_masked_address_is_a_prefix_where_it_is_one(mask: bytes, expected: str) -> None:
    bitwise = expression("bitwise", (1, u32(1)), (2, u32(1)), (3, u32(4)), (4 | NESTED, value(mask)), (
        5 | NESTED, value(b"\0" * 4)))
    assert told(payload(1, 1, 12, 4), bitwise, cmp(1, b"\x0a\0\7\0"), DROP)[0].match == {"source": expected}


def test_negated_neighbours_are_negated_together() -> None:
    found = told(payload(1, 2, 0, 4), cmp(1, b"\0\1\0\2", 1), DROP)
    assert found == [Action("drop", {"none": [{"source_port": 1, "port": 2}]}, None, True)]


@pytest.mark.parametrize(("how", "expected"), [
    (2, {"port": 0, "port_max": 99}), (3, {"port": 0, "port_max": 100}), (4, {"port": 101, "port_max": 65535}),
    (5, {"port": 100, "port_max": 65535}),
])
def test_less_and_greater_are_ranges(how: int, expected: dict[str, int]) -> None:
    assert told(payload(1, 2, 2, 2), cmp(1, b"\0\x64", how), DROP)[0].match == expected


@pytest.mark.parametrize("unknown", [
    payload(1, 3, 2, 2) + cmp(1, b"\0\1"), payload(1, 2, 4, 4) + cmp(1, b"\0\0\0\1"), meta(1, 99) + cmp(1, b"\1"),
    cmp(2, b"\1"), expression("exthdr", (1, u32(1))) + cmp(1, b"\1"), expression("unheard-of"),
    meta(1, 16) + cmp(1, b"\0\6"), payload(1, 2, 2, 2) + cmp(1, b"\xff\xff", 4), meta(1, 6) + cmp(1, b"a", 2),
    expression("payload", (1, u32(1)), (2, u32(1)), (3, u32(12)), (4, u32(4))) + cmp(1, b""),
    xt("match", "recent", 1, b"\0" * 99), xt("match", "tcp", 0, b"\0"), xt("match", "multiport", 0, b"\0" * 40),
    xt("match", "conntrack", 1, b"\0" * 200), xt("match", "mark", 0, b"\0" * 40), xt("match", "addrtype", 1, b"\0"),
])
def test_what_is_not_understood_is_said_and_the_rest_is_told(unknown: bytes) -> None:
    found = told(meta(1, 16), cmp(1, b"\x06"), unknown, DROP)
    assert [(row.name, row.match.get("protocol"), row.complete) for row in found] == [("drop", "tcp", False)]


@pytest.mark.parametrize("harmless", [
    expression("counter"), expression("log", (1, b"x\0")), expression("notrack"), expression("last"),
    expression("meta", (2, u32(3)), (3, u32(1))), expression("ct", (2, u32(3)), (4, u32(1))),
    expression("payload", (2, u32(1)), (3, u32(1)), (4, u32(1)), (5, u32(1))), expression("objref", (1, u32(1))),
    xt("match", "comment", 0, b"drop\0"), xt("target", "MARK", 2, b"\0" * 8),
])
def test_what_narrows_nothing_leaves_a_rule_complete(harmless: bytes) -> None:
    assert told(harmless, DROP) == [Action("drop", {}, None, True)]


@pytest.mark.parametrize("limit", [
    expression("limit"), expression("quota"), expression("connlimit"), expression("objref", (1, u32(4))),
    xt("match", "limit", 0, b"\0" * 40),
])
def test_a_limit_is_told(limit: bytes) -> None:
    assert told(limit, DROP) == [Action("drop", {"limit": True}, None, True)]


def nat_target(name: str, revision: int, family: int) -> dict[str, Any]:
    """What is told of a target that leads to 10.0.0.1 or fd00::1, port 80."""
    if family == IP and revision == 0:
        address = socket.inet_aton("10.0.0.1")
        info = struct.pack("=II", 1, 3) + address * 2 + b"\0\x50" * 2
    else:
        address = socket.inet_pton(socket.AF_INET6, "fd00::1") if family == IP6 else socket.inet_aton("10.0.0.1")
        info = struct.pack("=I", 3) + address.ljust(16, b"\0") * 2 + b"\0\x50" * 2 + (b"\0\0" if revision == 2 else b"")
    (found,) = told(xt("target", name, revision, info.ljust(len(info) + -len(info) % 8, b"\0")), family=family)
    assert found.complete
    assert found.name == name.lower()
    to: dict[str, Any] = found.to
    return to


@pytest.mark.parametrize(("name", "revision", "family"), [
    ("DNAT", 0, IP), ("DNAT", 1, IP6), ("DNAT", 2, IP), ("DNAT", 2, IP6), ("SNAT", 0, IP), ("SNAT", 1, IP6),
    ("REDIRECT", 0, IP), ("REDIRECT", 0, IP6), ("MASQUERADE", 0, IP), ("MASQUERADE", 0, IP6),
])
def test_every_revision_of_a_target_has_its_struct(name: str, revision: int, family: int) -> None:
    assert nat_target(name, revision, family) == {**TO_PORT, "address": "fd00::1" if family == IP6 else "10.0.0.1"}


@pytest.mark.parametrize(("name", "revision", "family", "size"), [
    ("DNAT", 0, IP, 19), ("DNAT", 1, IP6, 39), ("DNAT", 2, IP, 41), ("DNAT", 3, IP, 99), ("SNAT", 2, IP6, 99),
    ("TPROXY", 0, IP, 13), ("TPROXY", 1, IP6, 25), ("TPROXY", 2, IP6, 99),
])
def test_a_target_that_is_cut_off_or_unknown_is_there_without_where_to(
    name: str, revision: int, family: int, size: int
) -> None:
    assert told(xt("target", name, revision, b"\xff" * size), family=family) == [Action(name.lower(), {}, None, False)]


def test_version_0_of_addrtype_has_a_number_for_each_inversion() -> None:
    info = struct.pack("=HHII", 0, 4, 0, 1)
    assert told(xt("match", "addrtype", 0, info), DROP)[0].match == {"addrtype": "local", "addrtype_negated": True}


def element(key: bytes, end: bytes | None = None, data: bytes | None = None, act: Any = None) -> nfnetlink.Element:
    return nfnetlink.Element(key, key if end is None else end, data, act)


def test_a_set_of_one_is_as_good_as_a_comparison() -> None:
    found = told(payload(1, 2, 2, 2), lookup("s"), DROP, sets={"s": [element(b"\0\x50")]})
    assert found == [Action("drop", {"port": 80}, None, True)]


def test_an_empty_set_matches_nothing() -> None:
    assert told(payload(1, 2, 2, 2), lookup("s"), DROP, sets={"s": []})[0].match == {"any": [[]]}


def test_an_empty_map_leads_nowhere() -> None:
    nat = expression("nat", (1, u32(1)), (2, u32(IP)), (3, u32(1)))
    assert told(payload(1, 2, 2, 2), lookup("m", 1, 1), nat, sets={"m": []}) == []
    assert told(payload(1, 2, 2, 2), lookup("m", 1, 0), DROP, sets={"m": []}) == [Action("drop", {}, None, True)]


def test_a_map_s_default_asks_for_nothing() -> None:
    elements = [element(b"\0\x50", act=(-3, "web")), element(b"", act=(0, ""))]
    assert told(payload(1, 2, 2, 2), lookup("m", 1, 0), sets={"m": elements}) == [
        Action("jump", {"port": 80}, "web", True), Action("drop", {}, None, True)]


def test_a_map_that_is_not_to_be_had_leaves_where_to_open() -> None:
    nat = expression("nat", (1, u32(1)), (2, u32(IP)), (3, u32(1)))
    assert told(payload(1, 2, 2, 2), lookup("m", 1, 1), nat) == [Action("dnat", {"sets": ["m"]}, None, False)]


def test_a_map_s_key_that_is_not_known_is_said() -> None:
    elements = [element(b"\0\x50", data=socket.inet_aton("10.0.0.1"))]
    nat = expression("nat", (1, u32(1)), (2, u32(IP)), (3, u32(1)))
    (found,) = told(meta(1, 99), lookup("m", 1, 1), nat, sets={"m": elements})
    assert (found.match, found.to["address"], found.complete) == ({}, "10.0.0.1", False)


def test_maps_of_maps_are_bounded() -> None:
    many = [element(struct.pack(">H", port), data=socket.inet_aton("10.0.0.1")) for port in range(1, 201)]
    nat = expression("nat", (1, u32(1)), (2, u32(IP)), (3, u32(1)))
    found = told(payload(1, 2, 2, 2), lookup("m", 1, 2), lookup("m", 1, 1), nat, sets={"m": many})
    assert len(found) <= 1024
    assert not all(row.complete for row in found)


def raw_element(key: bytes, flags: int = 0, end: bytes | None = None) -> dict[int, bytes]:
    found = {1: value(key), 3: u32(flags)}
    return found if end is None else {**found, 10: value(end)}


@pytest.mark.parametrize(("raw", "expected"), [
    # As the kernel gives them: in any order, the end is the first that is not in it any more.
    ([raw_element(b"\0\x07", 1), raw_element(b"\0\x05")], [(b"\0\5", b"\0\6")]),
    ([raw_element(b"\0\0", 1), raw_element(b"\0\x05"), raw_element(b"\0\x06", 1), raw_element(b"\0\x06")],
     [(b"\0\5", b"\0\5"), (b"\0\6", b"\xff\xff")]),
    ([raw_element(b"\0\0")], [(b"\0\0", b"\xff\xff")]),
    ([raw_element(b"", 2), raw_element(b"\0\1"), raw_element(b"\0\2", 1)], [(b"", b""), (b"\0\1", b"\0\1")]),
    ([raw_element(b"\0\1\0\0", 0, b"\0\5\0\0")], [(b"\0\1\0\0", b"\0\5\0\0")]),
    ([], []), ([raw_element(b"\0\1", 1)], []), ([raw_element(b""), raw_element(b"", 1)], [(b"", b"")]),
])
def test_ranges_of_a_set(raw: Any, expected: Any) -> None:
    assert [(found.key, found.end) for found in nfnetlink._intervals(raw)] == expected


BYTES = st.binary(max_size=48)
PAIR = st.tuples(st.integers(0, 12) | st.integers(0x8000, 0x800C), BYTES | st.integers(0, 20).map(u32) | BYTES.map(value)
                 | st.integers(-6, 9).map(verdict))
XT = st.builds(xt, st.sampled_from(["match", "target"]), st.sampled_from(
    ["tcp", "udp", "sctp", "multiport", "addrtype", "conntrack", "mark", "DNAT", "SNAT", "REDIRECT", "TPROXY"]),
    st.integers(0, 4), st.binary(max_size=300))
ANY = st.builds(lambda name, pairs: expression(name, *pairs), st.sampled_from(NAMES), st.lists(PAIR, max_size=6)) | XT
ELEMENTS = st.none() | st.lists(st.builds(nfnetlink.Element, BYTES, BYTES, st.none() | BYTES, st.none() | st.tuples(
    st.integers(-6, 9), st.text(max_size=3))), max_size=4)


@settings(max_examples=1500, deadline=None)
@given(st.lists(ANY, max_size=8), ELEMENTS, st.sampled_from([0, INET, IP, IP6, 3, 5, 7, 99]))
def test_any_expressions_are_told_without_an_error(expressions: Any, elements: Any, family: int) -> None:
    found = decode(b"".join(expressions), Place(family, lambda index: None, lambda name: elements))
    assert all(isinstance(row, Action) for row in found)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 500))
def test_any_bytes_and_cut_off_rules_raise_nothing(raw: bytes, cut: int) -> None:
    place = Place(IP, lambda index: None, lambda name: None)
    decode(raw, place)
    whole = meta(1, 16) + cmp(1, b"\x06") + xt("match", "tcp", 0, TCP) + lookup("s") + DROP
    for row in decode(whole[:cut], place):
        # What was cut off is not there, so that nothing of it is told.
        assert row.name == "drop"
        assert cut >= len(whole)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=400))
def test_any_struct_of_xtables_is_read_or_refused(info: bytes) -> None:
    for revision in range(4):
        xtables.multiport(revision, info)
        xtables.addrtype(revision, info)
        xtables.conntrack(revision, info)
        xtables.mark(revision, info)
        for family in (IP, IP6):
            xtables.tproxy(revision, family, info)
            for name in ("DNAT", "SNAT", "MASQUERADE", "REDIRECT"):
                xtables.nat_range(name, revision, family, info)
    for name in ("tcp", "udp", "sctp", "dccp"):
        xtables.transport(name, info)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from([1, 2, 3, 10]), BYTES, max_size=4), max_size=6))
def test_any_elements_are_ranges_without_an_error(raw: Any) -> None:
    nfnetlink._intervals(raw)

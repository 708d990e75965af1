# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes out of messages that the running kernel does not send, or that no kernel should."""

from __future__ import annotations

import errno
import json
import socket
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from recorded.rtnetlink import UNSUPPORTED, always, look, refused, strange, u32

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.netlink import attribute
from ansible_collections.nsfleet.linux.plugins.module_utils._network import routes

RTM_NEWROUTE = 24
CLONED, REDIRECTED = 0x200, 0x40000
TO = attribute(1, socket.inet_aton("192.0.2.0"))


def header(family: int = 2, size: int = 24, table: int = 254, kind: int = 1, flags: int = 0, protocol: int = 3) -> bytes:
    return struct.pack("=BBBBBBBBI", family, size, 0, 0, table, protocol, 0, kind, flags)


def one(body: bytes) -> Any:
    (row,) = routes.take(look(always(RTM_NEWROUTE, body)))
    return row


def test_a_route_is_its_attributes() -> None:
    body = header() + TO + u32(4, 2) + u32(6, 9) + u32(15, 70000) + attribute(5, b"\n\0\0\1") + attribute(7, b"\n\0\0\2")
    assert one(body) == {
        "family": "inet", "type": "unicast", "destination": "192.0.2.0/24", "from": None, "gateway": "10.0.0.1",
        "link": "eth0", "table": "70000", "protocol": "boot", "scope": "global", "metric": 9, "source": "10.0.0.2",
        "mtu": None, "metrics": {}, "flags": [], "nexthop_id": None, "nexthops": [], "expires": None,
    }


@pytest.mark.parametrize(("bit", "name"), [
    (1, "dead"), (2, "pervasive"), (4, "onlink"), (8, "offload"), (16, "linkdown"), (32, "unresolved"), (64, "trap"),
    (0x100, "notify"), (0x4000, "rt_offload"), (0x8000, "rt_trap"), (0x20000000, "rt_offload_failed"),
])
def test_each_flag_has_ip_s_name(bit: int, name: str) -> None:
    assert one(header(flags=bit) + TO)["flags"] == [name]


def test_what_has_no_name_is_its_number() -> None:
    row = one(header(table=7, kind=99, protocol=98) + TO)
    assert (row["table"], row["type"], row["protocol"]) == ("7", "99", "98")


def test_a_redirect_s_exception_says_so_and_when_it_ends() -> None:
    cache = attribute(12, struct.pack("=IIiIIII", 0, 0, 29950, 0, 0, 0, 0))
    body = header(size=32, flags=CLONED | REDIRECTED) + TO + cache
    (row,) = [row for row in routes.take(look(always(RTM_NEWROUTE, body))) if row["family"] == "inet"]
    assert (row["flags"], row["expires"]) == (["cache", "redirected"], 299)


def test_routes_and_exceptions_that_come_together_are_told_apart() -> None:
    # Linux before 4.20 does not filter: both dumps have all.
    rows = routes.take(look(always(RTM_NEWROUTE, header() + TO, header(flags=CLONED) + TO)))
    assert [row["flags"] for row in rows] == [[], ["cache"]]


def test_a_cut_list_of_hops_has_those_that_are_whole() -> None:
    hop = struct.pack("=HBBI", 16, 4, 2, 2) + attribute(5, b"\n\0\0\1")
    assert one(header() + TO + attribute(9, hop + hop[:-1]))["nexthops"] == [
        {"gateway": "10.0.0.1", "link": "eth0", "weight": 3, "flags": ["onlink"]},
    ]


@pytest.mark.parametrize("length", range(8))
def test_a_hop_that_is_shorter_than_its_header_ends_the_list(length: int) -> None:
    hop = struct.pack("=HBBI", 8, 0, 0, 2)
    assert len(one(header() + TO + attribute(9, hop + struct.pack("=HBBI", length, 0, 0, 2)))["nexthops"]) == 1


@pytest.mark.parametrize("kind", [4, 6, 15, 30])
@pytest.mark.parametrize("raw", [b"", b"\1", b"\1\2\3"])
def test_a_number_that_is_cut_off_is_none(kind: int, raw: bytes) -> None:
    assert one(header() + TO + attribute(kind, raw)) == one(header() + TO)


def test_metrics_without_a_name_are_numbered_and_what_is_no_number_is_left_out() -> None:
    metrics = u32(2, 1400) + u32(14, 7) + u32(99, 5) + attribute(16, b"reno\0") + attribute(11, b"\1")
    row = one(header() + TO + attribute(8, metrics))
    assert (row["mtu"], row["metrics"]) == (1400, {"initrwnd": 7, "99": 5})


@pytest.mark.parametrize("number", UNSUPPORTED)
def test_a_kernel_without_a_family_has_no_routes_and_no_problem(number: int) -> None:
    at = look(refused(number))
    assert routes.take(at) == []
    assert at.problems.complete


def test_exceptions_that_are_refused_are_a_problem_and_the_routes_are_there() -> None:
    def answer(kind: int, payload: bytes) -> list[tuple[int, bytes]]:
        if struct.unpack_from("=I", payload, 8)[0] & CLONED:
            raise OSError(errno.ENOBUFS, "no")
        return [(RTM_NEWROUTE, header() + TO)]

    at = look(answer)
    assert len(routes.take(at)) == 1
    assert at.problems.as_list() == [{"what": "route exceptions", "reason": "ENOBUFS", "count": 1}]


def test_what_is_no_route_gives_no_row() -> None:
    for body in (b"", header()[:11], header() + attribute(1, b"\n\0\0"), header(family=28) + TO):
        assert routes.take(look(always(RTM_NEWROUTE, body))) == []
    assert routes.take(look(always(RTM_NEWROUTE + 1, header() + TO))) == []


@settings(max_examples=300)
@given(strange(header(), 30, TO))
def test_whatever_comes_gives_rows_or_none(body: bytes) -> None:
    rows = routes.take(look(always(RTM_NEWROUTE, body), 1))
    assert len(json.dumps(rows).encode("utf-8")) < 20 * len(body) + 4000

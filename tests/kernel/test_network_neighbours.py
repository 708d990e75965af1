# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Neighbours and forwarding entries beside what ip(8), bridge(8) and pyroute2 say of the same network namespace."""

from __future__ import annotations

import socket
import time
from typing import Any, Callable

from pyroute2 import IPRoute

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.namespaces import CLONE_NEWNET
from ansible_collections.nsfleet.linux.plugins.module_utils._network import neighbours
from ansible_collections.nsfleet.linux.tests.kernel.routing_lab import ask, batch, link, look, run, sysctl

Row = dict[str, Any]
FLAGS = ("router", "extern_learn", "offload", "managed", "use")

ODD = """
ip neighbour add proxy 10.0.0.9 dev near
ip -6 neighbour add proxy 2001:db8::9 dev near router
ip neighbour add 10.0.0.10 lladdr 02:00:00:00:00:0a dev near router extern_learn nud reachable
ip neighbour add 10.0.0.11 lladdr 02:00:00:00:00:0b dev near nud noarp
ip neighbour add 10.0.0.12 lladdr 02:00:00:00:00:0c dev near nud stale
ip neighbour add 10.0.0.13 dev near nud failed
ip neighbour add 10.0.0.14 dev near nud none
ip neighbour add 10.0.0.15 lladdr 02:00:00:00:00:0f dev near nud permanent
ip -6 neighbour add 2001:db8::a lladdr 02:00:00:00:00:0a dev near nud permanent router
ip -6 neighbour add 2001:db8::c lladdr 02:00:00:00:00:0c dev near nud stale
ip -6 neighbour add fe80::1 lladdr 02:00:00:00:00:0c dev far nud permanent
"""
BRIDGED = """
ip link add bridge0 type bridge
ip link add remote0 type vxlan id 9 dstport 4789 local 10.0.0.1 dev near nolearning
ip link add remote6 type vxlan id 10 dstport 4789 local 2001:db8::1 dev near nolearning
ip link set remote0 master bridge0
ip link set bridge0 up
ip link set remote0 up
ip link set remote6 up
bridge fdb append 00:00:00:00:00:00 dev remote0 dst 10.0.0.77 self
bridge fdb append 00:00:00:00:00:00 dev remote0 dst 10.0.0.78 self
bridge fdb add 02:00:00:00:00:01 dev remote0 dst 10.0.0.77 self dynamic
bridge fdb add 02:00:00:00:00:05 dev remote0 dst 10.0.0.78 self extern_learn
bridge fdb add 02:00:00:00:00:06 dev remote6 dst 2001:db8::6 self
bridge fdb add 02:00:00:00:00:02 dev remote0 master static
bridge fdb add 02:00:00:00:00:03 dev remote0 master static sticky
bridge fdb add 02:00:00:00:00:04 dev remote0 master dynamic extern_learn
"""


def ours(family: str, most: int = 10_000) -> list[Row]:
    """Our rows: of "inet", "inet6", "bridge" or (flag) "proxy"."""
    rows = [dict(row) for row in neighbours.take(look(most))]
    if family == "proxy":
        return [row for row in rows if "proxy" in row["flags"]]
    return [row for row in rows if row["family"] == family and "proxy" not in row["flags"]]


def told(family: str) -> list[Row]:
    """ip's rows in our words."""
    option = {"inet": "-4", "inet6": "-6"}[family]
    return [
        {"family": family, "address": row["dst"], "mac": row.get("lladdr"), "link": row["dev"], "vlan": None,
         "state": row.get("state", ["none"])[0].lower(), "flags": sorted(name for name in FLAGS if name in row)}
        for row in ask("ip -j -d %s neighbour show nud all" % option)
    ]


def in_order(rows: list[Row]) -> list[Row]:
    """Rows, and their flags, in one order: the kernel keeps neighbours by hash, in a table that may grow meanwhile."""
    rows = [{**row, "flags": sorted(row["flags"])} for row in rows]
    return sorted(rows, key=lambda row: (row["link"], row["address"] or "", row["mac"] or ""))


def odd() -> None:
    """Neighbours of every kind that ip can make."""
    link("10.0.0.1/24", "2001:db8::1/64")
    run(ODD)


def test_every_kind_of_neighbour_is_as_ip_says(in_child: Callable[..., Any]) -> None:
    def compare() -> list[list[Row]]:
        odd()
        return [ours("inet"), told("inet"), ours("inet6"), told("inet6")]

    mine, theirs, mine6, theirs6 = in_child(compare, CLONE_NEWNET)
    assert {row["state"] for row in mine} >= {"reachable", "noarp", "stale", "failed", "none", "permanent"}
    assert len(mine6) >= 3
    assert in_order(mine) == in_order(theirs)
    assert in_order(mine6) == in_order(theirs6)


def test_neighbours_are_those_that_pyroute2_sees(in_child: Callable[..., Any]) -> None:
    def compare() -> tuple[list[Any], list[Any]]:
        odd()
        with IPRoute() as route:
            theirs = [
                (row.get_attr("NDA_DST"), row.get_attr("NDA_LLADDR"), row["ifindex"])
                for family in (socket.AF_INET, socket.AF_INET6) for row in route.get_neighbours(family)
            ]
        indexes = {name: index for index, name in look().names.items()}
        return [(row["address"], row["mac"], indexes[row["link"]]) for row in ours("inet") + ours("inet6")], theirs

    mine, theirs = in_child(compare, CLONE_NEWNET)
    assert len(mine) >= 9
    assert sorted(mine, key=str) == sorted(theirs, key=str)


def test_proxies_are_those_of_ip_and_say_so(in_child: Callable[..., Any]) -> None:
    def compare() -> tuple[list[Row], list[Row]]:
        odd()
        return ours("proxy"), ask("ip -j -4 neighbour show proxy") + ask("ip -j -6 neighbour show proxy")

    mine, theirs = in_child(compare, CLONE_NEWNET)
    assert [(row["family"], row["address"], row["state"]) for row in mine] == [
        ("inet", "10.0.0.9", "none"), ("inet6", "2001:db8::9", "none"),
    ]
    assert [(row["address"], row["link"], "router" in row["flags"]) for row in mine] == [
        (row["dst"], row["dev"], "router" in row) for row in theirs
    ]


def test_who_does_not_answer_is_incomplete_then_failed(in_child: Callable[..., Any]) -> None:
    def seen() -> list[str]:
        link("10.0.0.1/24")
        sysctl("ipv4/neigh/near/mcast_solicit", 2)
        sysctl("ipv4/neigh/near/retrans_time_ms", 300)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"x", ("10.0.0.200", 9))
        states: list[str] = []
        until = time.monotonic() + 10
        while states[-1:] != ["failed"] and time.monotonic() < until:
            states += [row["state"] for row in ours("inet") if row["address"] == "10.0.0.200"]
            time.sleep(0.05)
        return list(dict.fromkeys(states))

    assert in_child(seen, CLONE_NEWNET) == ["incomplete", "failed"]


def test_forwarding_entries_are_those_of_bridge_without_what_links_listen_to(in_child: Callable[..., Any]) -> None:
    def compare() -> tuple[list[Row], list[Row], list[Row]]:
        link("10.0.0.1/24", "2001:db8::1/64")
        run(BRIDGED)
        return ours("bridge"), ask("bridge -j -d fdb show"), ask("ip -j maddress show")

    mine, theirs, groups = in_child(compare, CLONE_NEWNET)
    listened = {(row["ifname"], group["link"]) for row in groups for group in row["maddr"] if "link" in group}
    wanted = [row for row in theirs if "dst" in row or (row["ifname"], row["mac"]) not in listened]
    assert len(theirs) > len(wanted) >= 8
    states = {"permanent": "permanent", "static": "noarp", "": "reachable", "stale": "stale"}
    assert [
        (row["mac"], row["link"], row["address"], row["state"], [name for name in row["flags"] if name != "master"])
        for row in mine
    ] == [
        (row["mac"], row["ifname"], row.get("dst"), states[row["state"]], row["flags"]) for row in wanted
    ]


def test_a_tunnel_s_entry_has_every_remote_of_either_family(in_child: Callable[..., Any]) -> None:
    def seen() -> list[Row]:
        link("10.0.0.1/24", "2001:db8::1/64")
        run(BRIDGED)
        return ours("bridge")

    rows = in_child(seen, CLONE_NEWNET)
    assert sorted(row["address"] for row in rows if row["mac"] == "00:00:00:00:00:00") == ["10.0.0.77", "10.0.0.78"]
    assert [row["address"] for row in rows if row["mac"] == "02:00:00:00:00:06"] == ["2001:db8::6"]


def test_only_so_many_of_each_list_are_kept_and_the_rest_is_counted(in_child: Callable[..., Any]) -> None:
    def seen() -> tuple[dict[str, int], list[Row], int]:
        # More are asked for than a machine has by default; the limit is that of all namespaces together.
        link("10.0.0.1/16", "2001:db8::1/64")
        run(BRIDGED)
        batch(["neighbour add 10.0.1.%d lladdr 02:00:00:00:00:01 dev near" % index for index in range(200)])
        batch(["neighbour add proxy 10.0.2.%d dev near" % index for index in range(200)])
        for index in range(40):
            run("bridge fdb add 02:00:00:00:01:%02x dev remote0 dst 10.0.0.77 self" % index)
        everything = len(ours("bridge"))
        at = look(20)
        kept = [("proxy" if "proxy" in row["flags"] else row["family"]) for row in neighbours.take(at)]
        return {name: kept.count(name) for name in set(kept)}, at.problems.as_list(), everything

    kept, problems, everything = in_child(seen, CLONE_NEWNET)
    assert everything > 40
    assert kept["proxy"] == kept["bridge"] == kept["inet"] + kept.get("inet6", 0) == 20
    counted = {problem["what"]: problem["count"] for problem in problems}
    assert counted["proxy neighbours"] == 180
    assert counted["forwarding entries"] == everything - 20
    assert counted["neighbours"] >= 180

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses beside what ip(8) and pyroute2 say of the same network namespace."""

from __future__ import annotations

import socket
import time
from typing import Any, Callable

from pyroute2 import IPRoute

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.namespaces import CLONE_NEWNET
from ansible_collections.nsfleet.linux.plugins.module_utils._network import addresses
from ansible_collections.nsfleet.linux.tests.kernel.routing_lab import ask, batch, link, look, run, sysctl

NAMED = ("secondary", "temporary", "nodad", "optimistic", "dadfailed", "home", "deprecated", "tentative", "mngtmpaddr",
         "noprefixroute", "autojoin", "stable-privacy")
Key = tuple[Any, ...]


def ours(most: int = 10_000) -> list[Key]:
    """Our rows, as tuples."""
    return [
        (row["family"], row["address"], row["prefix"], row["link"], row["scope"], sorted(row["flags"]))
        for row in addresses.take(look(most))
    ]


def told() -> list[Key]:
    """ip's rows; it says "dynamic" of those that are not permanent."""
    return [
        (row["family"], row["local"], row["prefixlen"], every["ifname"], row["scope"],
         sorted([name for name in NAMED if row.get(name)] + ([] if row.get("dynamic") else ["permanent"])))
        for every in ask("ip -j -d address show") for row in every["addr_info"]
    ]


def odd() -> None:
    """Addresses of every kind that ip can make."""
    link("10.0.0.1/24", "10.0.0.7/24", "10.3.0.1 peer 10.3.0.2/32 noprefixroute", "10.5.0.1/24 scope 77 label near:x",
         "10.6.0.1/32 scope link", "10.7.0.1/32 scope host", "10.8.0.1/24 valid_lft 1000 preferred_lft 500",
         "2001:db8::1/64 preferred_lft 0 home nodad", "2001:db8::9/64 valid_lft 1000 preferred_lft 500 mngtmpaddr",
         "2001:db8:9::1 peer 2001:db8:9::2/128", "::ffff:192.0.2.1/128")


def test_every_kind_of_address_is_as_ip_says(in_child: Callable[..., Any]) -> None:
    def compare() -> tuple[list[Key], list[Key]]:
        odd()
        return ours(), told()

    mine, theirs = in_child(compare, CLONE_NEWNET)
    assert len(mine) == 13  # eleven, and two of the loopback
    assert sorted(mine) == sorted(theirs)


def test_the_addresses_are_those_that_pyroute2_sees_in_the_same_order(in_child: Callable[..., Any]) -> None:
    def compare() -> tuple[list[Key], list[Key]]:
        odd()
        with IPRoute() as route:
            seen = [
                ({socket.AF_INET: "inet", socket.AF_INET6: "inet6"}[row["family"]],
                 row.get_attr("IFA_LOCAL") or row.get_attr("IFA_ADDRESS"), row["prefixlen"])
                for row in route.get_addr()
            ]
        return [row[:3] for row in ours()], seen

    mine, theirs = in_child(compare, CLONE_NEWNET)
    assert len(mine) == 13
    assert mine == theirs


def test_of_a_point_to_point_link_our_end_is_given(in_child: Callable[..., Any]) -> None:
    def seen() -> list[Key]:
        link("10.3.0.1 peer 10.3.0.2/32", "2001:db8:9::1 peer 2001:db8:9::2/128")
        return [row[1:4] for row in ours() if row[3] == "near"]

    assert in_child(seen, CLONE_NEWNET) == [("10.3.0.1", 32, "near"), ("2001:db8:9::1", 128, "near")]


def test_a_duplicate_is_tentative_then_failed(in_child: Callable[..., Any]) -> None:
    def flags() -> list[str]:
        return next(row[5] for row in ours() if row[3] == "near")

    def seen() -> tuple[list[str], list[str], list[Key], list[Key]]:
        link()
        run("ip address add 2001:db8::a/64 dev far nodad")
        sysctl("ipv6/conf/near/accept_dad", 1)
        run("ip address add 2001:db8::a/64 dev near")
        at_first, until = flags(), time.monotonic() + 10
        while "dadfailed" not in flags() and time.monotonic() < until:
            time.sleep(0.05)
        return at_first, flags(), ours(), told()

    at_first, at_last, mine, theirs = in_child(seen, CLONE_NEWNET)
    assert at_first == ["permanent", "tentative"]
    assert at_last == ["dadfailed", "permanent", "tentative"]
    assert sorted(mine) == sorted(theirs)


def test_a_namespace_without_ipv6_has_addresses_of_ipv4_only(in_child: Callable[..., Any]) -> None:
    def seen() -> list[Key]:
        sysctl("ipv6/conf/all/disable_ipv6", 1)
        sysctl("ipv6/conf/default/disable_ipv6", 1)
        run("ip link set lo up")
        return ours()

    assert in_child(seen, CLONE_NEWNET) == [("inet", "127.0.0.1", 8, "lo", "host", ["permanent"])]


def test_only_so_many_are_kept_and_the_rest_is_counted(in_child: Callable[..., Any]) -> None:
    def seen() -> tuple[int, list[dict[str, Any]]]:
        link()
        batch(["address add 10.%d.%d.1/32 dev near" % (index >> 8, index & 255) for index in range(1000)])
        at = look(100)
        return len(addresses.take(at)), at.problems.as_list()

    problem = {"what": "addresses", "reason": "truncated", "count": 902}
    assert in_child(seen, CLONE_NEWNET) == (100, [problem])

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both ends of each link find each other across network namespaces, whoever has a number for whom."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._network.wiring import connect

HOST, WEB, DB, LAB = "net:[1]", "net:[2]", "net:[3]", "net:[4]"


def link(name: str, index: int, kind: str = "physical", master: str | None = None, **details: Any) -> dict[str, Any]:
    return {"name": name, "index": index, "kind": kind, "master": master, "details": details, "peer": None}


def network(*links: dict[str, Any]) -> Any:
    return {"links": list(links)}


class Kernel:
    """Answers as RTM_GETNSID does, and notes what it was asked."""

    def __init__(self, numbers: dict[tuple[str, str], int]) -> None:
        self.numbers = numbers
        self.asked: list[tuple[str, str]] = []

    def __call__(self, where: str, other: str) -> int | None:
        self.asked.append((where, other))
        return self.numbers.get((where, other))


def connected(
    networks: dict[str, Any], nsids: dict[int, str], numbers: dict[tuple[str, str], int] | None = None,
) -> tuple[dict[tuple[str, str], dict[str, Any]], Kernel]:
    kernel = Kernel(numbers or {})
    names = {WEB: "web-id", DB: "db-id"}
    connect(networks, HOST, nsids, kernel, names.get)
    return {(name, one["name"]): one for name, found in networks.items() for one in found["links"]}, kernel


def container(host_index: int) -> Any:
    return network(link("eth0", 2, "veth", lower_index=host_index, lower_nsid=0))


def host(*links: dict[str, Any]) -> Any:
    return network(link("lo", 1, "loopback"), *links)


def test_the_ends_of_a_veth_name_each_other_without_a_question() -> None:
    found, kernel = connected(
        {HOST: host(link("veth5", 5, "veth", "br0", lower_index=2, lower_nsid=7)), WEB: container(5)}, {7: WEB}
    )
    assert found[HOST, "veth5"]["peer"] == {"network": WEB, "name": "eth0", "container": "web-id"}
    assert found[WEB, "eth0"]["peer"] == {"network": HOST, "name": "veth5", "container": None}
    assert kernel.asked == []


def test_containers_whose_links_have_equal_numbers_are_told_apart() -> None:
    found, dummy = connected({
        HOST: host(link("veth5", 5, "veth", lower_index=2, lower_nsid=7),
                   link("veth6", 6, "veth", lower_index=2, lower_nsid=8)),
        WEB: container(5), DB: container(6),
    }, {7: WEB, 8: DB})
    assert found[WEB, "eth0"]["peer"]["name"] == "veth5"
    assert found[DB, "eth0"]["peer"]["name"] == "veth6"
    assert found[HOST, "veth6"]["peer"]["container"] == "db-id"


def test_a_veth_between_two_networks_that_the_host_is_not_part_of_is_asked_for() -> None:
    found, kernel = connected({
        HOST: host(),
        WEB: network(link("a", 2, "veth", lower_index=3, lower_nsid=0)),
        DB: network(link("b", 3, "veth", lower_index=2, lower_nsid=4)),
        # Its numbers would fit as well.
        LAB: network(link("c", 3, "veth", lower_index=2, lower_nsid=1)),
    }, {}, {(WEB, DB): 0, (DB, WEB): 4, (LAB, WEB): 9})
    assert found[WEB, "a"]["peer"] == {"network": DB, "name": "b", "container": "db-id"}
    assert found[DB, "b"]["peer"] == {"network": WEB, "name": "a", "container": "web-id"}
    assert found[LAB, "c"]["peer"] == {"network": None, "name": None, "container": None}
    assert {where for where, dummy in kernel.asked} <= {WEB, DB, LAB}


def test_both_ends_in_one_network() -> None:
    found, dummy = connected({HOST: host(link("a", 2, "veth", lower_index=3), link("b", 3, "veth", lower_index=2))}, {})
    assert found[HOST, "a"]["peer"] == {"network": HOST, "name": "b", "container": None}
    assert found[HOST, "b"]["peer"]["name"] == "a"


def test_a_link_that_names_no_other_has_none() -> None:
    # A tunnel that is bound to no link may have an nsid all the same.
    found, dummy = connected({HOST: host(link("wg0", 2, "wireguard", lower_nsid=7)), WEB: container(5)}, {7: WEB})
    assert found[HOST, "wg0"]["details"] == {} and found[HOST, "wg0"]["peer"] is None


def test_what_lies_upon_another_link_has_it_as_lower_link() -> None:
    found, dummy = connected({
        HOST: host(link("eth0", 2), link("eth0.7", 3, "vlan", lower_index=2)),
        WEB: network(link("mv", 9, "macvlan", lower_index=2, lower_nsid=0)),
    }, {7: WEB}, {(WEB, HOST): 0})
    assert found[HOST, "eth0.7"]["details"] == {"lower": {"network": HOST, "name": "eth0", "container": None}}
    assert found[WEB, "mv"]["details"] == {"lower": {"network": HOST, "name": "eth0", "container": None}}
    assert found[WEB, "mv"]["peer"] is None


def test_an_end_that_was_not_seen_is_told_as_unknown() -> None:
    found, dummy = connected({HOST: host(link("veth5", 5, "veth", lower_index=2, lower_nsid=7))}, {})
    assert found[HOST, "veth5"]["peer"] == {"network": None, "name": None, "container": None}


def test_a_network_that_cannot_be_asked_leaves_its_ends_unknown() -> None:
    networks = {HOST: host(), WEB: network(link("a", 2, "veth", lower_index=3, lower_nsid=0)),
                DB: network(link("b", 3, "veth", lower_index=2, lower_nsid=4))}

    def refuse(where: str, other: str) -> int | None:
        raise PermissionError(errno.EPERM, "no")

    connect(networks, HOST, {}, refuse, lambda name: None)
    assert networks[WEB]["links"][0]["peer"]["network"] is None


def test_the_kernel_s_numbers_are_not_told() -> None:
    found, dummy = connected(
        {HOST: host(link("veth5", 5, "veth", lower_index=2, lower_nsid=7)), WEB: container(5)}, {7: WEB}
    )
    assert all(not {"lower_index", "lower_nsid"} & set(one["details"]) for one in found.values())


@pytest.mark.parametrize("kind", ["bridge", "bond", "team", "vrf"])
def test_a_master_lists_its_ports_in_order(kind: str) -> None:
    found, dummy = connected({HOST: host(
        link("m0", 2, kind), link("p2", 3, "veth", "m0"), link("p1", 4, "veth", "m0"), link("m1", 5, kind),
    )}, {})
    assert found[HOST, "m0"]["details"]["ports"] == ["p1", "p2"]
    assert found[HOST, "m1"]["details"]["ports"] == []
    assert "ports" not in found[HOST, "lo"]["details"]


def test_many_networks_are_connected_without_asking_each_about_each_other() -> None:
    count = 500
    networks: dict[str, Any] = {HOST: host(*(
        link("veth%d" % at, at, "veth", lower_index=2, lower_nsid=at) for at in range(10, 10 + count)
    ))}
    for at in range(10, 10 + count):
        networks["net:[%d]" % (1000 + at)] = container(at)
    dummy, kernel = connected(networks, {at: "net:[%d]" % (1000 + at) for at in range(10, 10 + count)})
    assert kernel.asked == []
    assert all(found["links"][-1]["peer"]["network"] for found in networks.values())

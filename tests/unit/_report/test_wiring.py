# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The graph of a host's wiring: what is drawn, what hangs on what, what is grouped, what is marked."""

from __future__ import annotations

import itertools

from canned import HOST
from canned_network import Wired, crowded, docker_host, fault
from reporting import drawing

from ansible_collections.nsfleet.linux.plugins.module_utils._report.containers import Choice
from ansible_collections.nsfleet.linux.plugins.module_utils._report.wiring import Wiring


def called(found: Wiring) -> dict[str, str]:
    """What a node is called, by its key."""
    return {node.key: node.lines[0] for node in found.nodes}


def wires(found: Wiring) -> set[tuple[str, str]]:
    """What leads to what."""
    names = called(found)
    return {(names[edge.source], names[edge.target]) for edge in found.edges}


def test_uplink_host_bridge_veth_and_container_are_a_chain() -> None:
    host = Wired()
    host.uplink()
    host.bridge("docker0", "172.17.0.1/16")
    end = host.wire(host.add("web"), "docker0", "172.17.0.2/16")["name"]
    found = drawing(host.facts())
    assert wires(found) == {
        ("eth0", "node"), ("node", "docker0 (bridge)"), ("docker0 (bridge)", end), (end, "web"),
    }  # fmt: skip
    assert [edge.routed for edge in found.edges] == [True, True, False, False]
    assert next(node.lines for node in found.nodes if node.key.startswith("in ")) == ["web", "eth0 172.17.0.2/16"]


def test_a_container_with_two_links_hangs_on_both_bridges() -> None:
    found = drawing(docker_host().facts())
    assert {("veth75cce", "shop-front-1"), ("veth85cce", "shop-front-1"), ("docker0 (bridge)", "veth85cce"),
            ("br-5f1d2c3b4a59 (bridge)", "veth75cce")} < wires(found)


def test_a_macvlan_hangs_on_the_link_below_it() -> None:
    assert ("eth0", "lan-dns") in wires(drawing(docker_host().facts()))


def test_a_pod_is_one_box_in_which_infra_comes_last() -> None:
    assert "pay/app, pay/3f2a-infra" in called(drawing(docker_host().facts())).values()


def test_who_is_in_the_host_s_network_stands_in_the_host() -> None:
    host = next(node for node in drawing(docker_host().facts()).nodes if node.key == "host")
    assert "in its network: node-exporter" in host.lines


def test_a_namespace_without_a_container_is_drawn_by_its_name_unless_containers_were_chosen() -> None:
    facts = docker_host().facts()
    assert ("vethblue", "blue") in wires(drawing(facts))
    assert "blue" not in called(drawing(facts, choice=Choice(["web"]))).values()


def test_containers_of_others_do_not_change_the_drawing_of_chosen_ones() -> None:
    few, many = crowded(3), crowded(9)
    choice = Choice(["web-frontend-0001"])
    assert drawing(few.facts(), choice=choice) == drawing(many.facts(), choice=choice)


def test_a_veth_that_is_no_port_is_routed_by_the_host() -> None:
    host = Wired()
    end = host.wire(host.add("calico"), None, "10.1.0.2/32")["name"]
    assert wires(drawing(host.facts())) == {("node", end), (end, "calico")}


def test_what_a_bridge_has_of_the_outside_leads_to_it_with_all_below() -> None:
    host = Wired()
    host.uplink()
    host.host["links"].append(host.link("bond0", "bond", master=None))
    host.host["links"][1]["master"] = "bond0"
    host.host["links"].append(host.link("bond0.5", "vlan", master="br0", details={
        "id": 5, "lower": {"network": HOST["net"], "name": "bond0"}}))  # fmt: skip
    host.host["links"].append(host.link("vx7", "vxlan", master="br0", details={"id": 7}))
    host.bridge("br0")
    host.wire(host.add("web"), "br0", "10.0.0.2/24")
    assert {("eth0", "bond0 (bond)"), ("bond0 (bond)", "bond0.5 (vlan 5)"), ("bond0.5 (vlan 5)", "br0 (bridge)"),
            ("vx7 (vxlan 7)", "br0 (bridge)")} < wires(drawing(host.facts()))


def test_a_pair_between_two_containers_is_one_wire() -> None:
    host = Wired()
    one, other = host.add("one"), host.add("other")
    for here, there, name in ((one, other, "a"), (other, one, "b")):
        host.of(here)["links"].append(host.link(name, "veth", peer={
            "network": there["namespaces"]["net"], "name": "b" if name == "a" else "a"}))  # fmt: skip
    assert len(drawing(host.facts()).edges) == 1


def test_of_links_upon_links_without_end_some_are_drawn() -> None:
    host = Wired()
    for number in range(900):
        below = {"network": HOST["net"], "name": f"v{number - 1}"}
        host.host["links"].append(host.link(f"v{number}", "vlan", details={"id": 1, "lower": below} if number else {}))
    host.default(host.host, "192.0.2.1", "v899")
    found = drawing(host.facts())
    assert ("v898 (vlan 1)", "v899 (vlan 1)") in wires(found)
    assert len(found.nodes) == 10


def test_forwarding_that_is_off_is_said_where_somebody_needs_it() -> None:
    host = Wired()
    host.bridge("docker0", "172.17.0.1/16")
    host.host["sysctls"]["net.ipv4.ip_forward"] = 0
    node = next(node for node in drawing(host.facts()).nodes if node.key == "host")
    assert node.lines == ["node", "does not forward IPv4"]


def test_a_host_in_a_circle_is_drawn() -> None:
    host = Wired()
    for name, below in (("a", "b"), ("b", "a")):
        host.host["links"].append(host.link(name, "vlan", master="br0", details={
            "lower": {"network": HOST["net"], "name": below}}))  # fmt: skip
    host.bridge("br0", "10.0.0.1/24", master="br0")
    host.wire(host.add("web"), "br0")
    assert drawing(host.facts()).nodes


def test_few_containers_are_drawn_one_by_one_and_many_that_are_alike_as_one() -> None:
    assert sum(name.startswith("web") for name in called(drawing(crowded(12).facts())).values()) == 12
    found = drawing(crowded(100).facts())
    assert sorted(called(found).values()) == [
        "50 veth", "50 veth", "br-shop (bridge)", "docker0 (bridge)", "eth0", "node", "web-frontend x 50",
        "web-frontend x 50",
    ]  # fmt: skip
    assert "web-frontend-0098" in next(node.title for node in found.nodes if node.kind == "network")


def test_one_that_is_other_than_its_kind_stands_alone() -> None:
    host = crowded(100)
    host.of(host.containers[6])["links"][1]["mtu"] = 1400
    bad = host.containers[8]
    names = called(drawing(host.facts(), [fault("RT-001", "high", "no default route", bad)]))
    assert {"web-frontend-0006", "web-frontend-0008", "web-frontend x 48"} < set(names.values())


def test_a_thousand_with_names_of_their_own_are_grouped_by_what_they_hang_on() -> None:
    found = drawing(crowded(1000, alike=False).facts())
    assert sorted(name for name in called(found).values() if "containers" in name) == ["500 containers", "500 containers"]


def test_what_finds_no_room_is_counted() -> None:
    host = Wired()
    for number in range(500):
        host.bridge(f"br{number}", "10.0.0.1/24")
        host.wire(host.add("".join(map(chr, (97 + number % 26, 97 + number // 26))) * 3), f"br{number}")
    found = drawing(host.facts())
    assert sum(node.kind == "network" for node in found.nodes) == 200
    assert found.said == ["Not drawn for want of room: 300 more network namespaces."]


def test_a_fault_marks_the_container_its_wire_and_the_host_s_link() -> None:
    host = docker_host()
    found = drawing(host.facts(), [
        fault("LNK-003", "high", "eth1 is down", host.containers[2], object="eth1"),
        fault("LNK-006", "medium", "docker0 is down", object="docker0"),
    ])  # fmt: skip
    marked = {node.lines[0]: node.fault for node in found.nodes if node.fault}
    assert marked == {"shop-front-1": "high", "docker0 (bridge)": "medium"}
    names = called(found)
    assert [(names[edge.source], edge.fault) for edge in found.edges if edge.fault] == [("veth85cce", "high")]
    assert "LNK-003: eth1 is down" in next(node.title for node in found.nodes if node.lines[0] == "shop-front-1")


def test_what_was_not_seen_is_said() -> None:
    host = crowded(2)
    del host.networks[host.containers[0]["namespaces"]["net"]]
    assert drawing(host.facts()).said == ["Not seen, and not drawn: the network of web-frontend-0000."]


def test_every_edge_has_both_its_ends() -> None:
    for host in (docker_host(), crowded(1), crowded(100), crowded(300, alike=False), Wired()):
        found = drawing(host.facts())
        keys = {node.key for node in found.nodes}
        assert set(itertools.chain(*((edge.source, edge.target) for edge in found.edges))) <= keys

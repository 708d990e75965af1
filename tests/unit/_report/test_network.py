# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the report has as the network of a container, drawn from the facts."""

from __future__ import annotations

from typing import Any

from canned import HOST
from canned_network import Wired, docker_host
from reporting import network, report

from ansible_collections.nsfleet.linux.plugins.module_utils._report.network import ports


def test_a_veth_s_link_names_its_other_end_and_the_bridge_that_one_is_a_port_of() -> None:
    (link,) = [link for link in network(docker_host().facts(), "web")["links"] if link["name"] == "eth0"]
    assert link["peer"]["network"] == HOST["net"]
    assert link["attached"] == {"network": HOST["net"], "to": "docker0", "kind": "bridge", "mtu": 1500, "state": "up"}


def test_a_macvlan_names_what_it_lies_upon() -> None:
    (link,) = [link for link in network(docker_host().facts(), "lan-dns")["links"] if link["name"] == "eth0"]
    assert (link["attached"]["to"], link["attached"]["kind"]) == ("eth0", "physical")


def test_addresses_have_their_prefix_and_both_families() -> None:
    found = network(docker_host().facts(), "shop-db-1")["addresses"]
    assert [(row["address"], row["prefix"]) for row in found] == [("172.18.0.2", 16), ("fd00:18::2", 64)]


def test_a_default_route_is_said_for_each_family() -> None:
    ways = network(docker_host().facts(), "shop-db-1")["default_routes"]
    assert [(way["family"], way["gateway"], way["link"]) for way in ways] == [
        ("inet", "172.18.0.1", "eth0"), ("inet6", "fd00:18::1", "eth0"),
    ]  # fmt: skip


def test_each_way_of_a_route_with_several_is_one_and_those_of_other_tables_come_last() -> None:
    host = docker_host()
    routes = host.networks[host.containers[0]["namespaces"]["net"]]["routes"]
    routes[:] = [route for route in routes if route["destination"] == "default"]
    other = {**routes[0], "table": "100", "gateway": "172.17.0.9"}
    several = {**routes[0], "gateway": None, "nexthops": [
        {"gateway": gateway, "link": "eth0", "weight": 1, "flags": []} for gateway in ("172.17.0.1", "172.17.0.2")
    ]}  # fmt: skip
    routes[:] = [other, several, {**routes[0], "type": "unreachable"}, {**routes[0], "flags": ["cache"]}]
    ways = network(host.facts(), "web")["default_routes"]
    assert [(way["table"], way["gateway"]) for way in ways] == [
        ("main", "172.17.0.1"), ("main", "172.17.0.2"), ("100", "172.17.0.9"),
    ]  # fmt: skip


def test_a_published_port_is_the_container_s_whose_network_it_leads_to_also_when_the_engine_names_another() -> None:
    facts = docker_host().facts()
    infra, app = network(facts, "3f2a-infra"), network(facts, "app")
    assert infra["published"] == app["published"]
    assert [(row["host_port"], row["port"]) for row in app["published"]] == [(80, 8000), (80, 8000)]


def test_a_port_that_leads_to_the_container_in_its_own_network_only_is_not_published() -> None:
    host = docker_host()
    # What a proxy of a service mesh makes.
    host.of(host.containers[0])["published"] = [{**host.host["published"][0], "host_port": 15001}]
    assert 15001 not in [row["host_port"] for row in network(host.facts(), "web")["published"]]


def test_of_the_host_s_network_a_container_has_its_own_sockets_only() -> None:
    facts = docker_host().facts()
    host = facts["networks"][HOST["net"]]
    host["listening"].append({**host["listening"][0], "port": 22, "processes": [{"pid": 1, "comm": "sshd", "container": None}]})
    found = network(facts, "node-exporter")
    assert found["host"] is True
    assert [row["port"] for row in found["listening"]] == [9100]
    assert "links" not in found


def test_udp_sockets_that_wait_for_an_answer_only_are_left_out() -> None:
    host = docker_host()
    assert [row["port"] for row in network(host.facts(), "shop-front-1")["listening"]] == [3000, 53]
    host.of(host.containers[2])["sysctls"]["net.ipv4.ip_local_port_range"] = "50000 60000"
    assert [row["port"] for row in network(host.facts(), "shop-front-1")["listening"]] == [3000, 53, 41000]


def test_no_counter_and_no_queue_is_in_it() -> None:
    host = docker_host()
    before = report(host.facts())
    for row in host.of(host.containers[0])["listening"]:
        row.update(queue=5, inode=4711)
    assert report(host.facts()) == before


def test_workers_that_share_a_port_are_one_row() -> None:
    host = docker_host()
    host.listen(host.containers[0], "80", "80")
    assert [row["port"] for row in network(host.facts(), "web")["listening"]].count(80) == 2
    host.of(host.containers[0])["listening"] = []
    host.listen(host.containers[0], "80", "80", comm="worker")
    assert [row["port"] for row in network(host.facts(), "web")["listening"]] == [80]


def test_a_network_that_was_not_seen_is_said_and_nothing_else() -> None:
    host = docker_host()
    del host.networks[host.containers[0]["namespaces"]["net"]]
    assert network(host.facts(), "web") == {
        "network": host.containers[0]["namespaces"]["net"], "host": False, "seen": False,
    }  # fmt: skip


def test_without_the_subset_there_is_no_network_in_the_report() -> None:
    facts = docker_host().facts()
    del facts["networks"]
    found = report(facts)
    assert "network" not in found
    assert not any("network" in one for one in found["containers"])


def words(host: Wired, one: dict[str, Any]) -> list[str]:
    return ports(network(host.facts(), one["name"]))


def web() -> tuple[Wired, dict[str, Any]]:
    host = Wired()
    host.bridge("docker0", "172.17.0.1/16")
    one = host.add("web")
    host.wire(one, "docker0", "172.17.0.2/16")
    return host, one


def test_a_port_that_listens_everywhere_is_its_number_and_elsewhere_its_address() -> None:
    host, one = web()
    host.listen(one, "443", "[::]:443", "127.0.0.1:9000", "[::1]:9001", "53/udp")
    assert words(host, one) == ["53/udp", "443", "127.0.0.1:9000", "[::1]:9001"]


def test_a_published_port_is_an_arrow_and_its_address_is_said_where_not_all() -> None:
    host, one = web()
    host.listen(one, "80", "81", "82", "83/udp")
    host.publish(one, 8080, 80)
    host.publish(one, 8081, 81, "127.0.0.1", "::1")
    host.publish(one, 8082, 82, "::")
    host.publish(one, 8083, 83, protocol="udp")
    assert words(host, one) == [
        "8080->80", "127.0.0.1:8081->81", "[::1]:8081->81", "[::]:8082->82", "8083->83/udp",
    ]  # fmt: skip


def test_a_published_port_that_nobody_can_answer_is_marked() -> None:
    host, one = web()
    host.listen(one, "127.0.0.1:81", "82/udp")
    for port in (80, 81, 82):
        host.publish(one, 8000 + port, port)
    assert words(host, one) == ["8080->80!", "127.0.0.1:81", "8081->81!", "8082->82!", "82/udp"]


def test_docker_s_own_name_server_is_no_port_of_the_container() -> None:
    host, one = web()
    host.listen(one, "127.0.0.11:40875", "80")
    assert words(host, one) == ["80"]

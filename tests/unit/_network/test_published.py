# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Published ports from what is known of rules, proxies and engines; tests/engines has real ones."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.nsfleet.linux.plugins.module_utils._model.inventory import Container, Problems
from ansible_collections.nsfleet.linux.plugins.module_utils._network.proxies import Forward, Proxy, docker_proxy, pasta
from ansible_collections.nsfleet.linux.plugins.module_utils._network.published import engine_ports, published

HOST = "net:[1]"
OWNERS = {"172.17.0.2": "web", "fd00::2": "web", "10.88.0.5": "pod"}


def container(name: str = "web", engine: str = "docker", ports: Any = None, **more: Any) -> Container:
    return Container(name, engine, name, 7, 7, namespaces={"net": "net:[%s]" % name}, ports=ports, **more)


def rule(match: dict[str, Any], address: str = "172.17.0.2", port: Any = 80, chain: str = "pre", **more: Any) -> Any:
    to = {"address": address, "address_max": None, "port": port, "port_max": None, **more}
    return {"family": "ip", "table": "nat", "chain": chain, "handle": 1, "action": "dnat", "match": match, "to": to,
            "complete": True}


def chain(name: str = "pre", *jumps: tuple[str, dict[str, Any]], kind: Any = "nat", hook: Any = "prerouting") -> Any:
    return {"name": name, "type": kind, "hook": hook, "jumps": [
        {"chain": there, "match": match, "complete": True} for there, match in jumps]}


def network(rules: list[Any] | None = None, chains: list[Any] | None = None, flags: Any = (), **more: Any) -> Any:
    table = {"family": "ip", "name": "nat", "flags": list(flags), "chains": chains or [chain()]}
    firewall = {"tables": [table], "decoded": rules or []}
    return {"addresses": [], "listening": [], "firewall": firewall, **more}


def rows(seen: Any, containers: Any = (), proxies: Any = (), engines: bool = True, most: int = 500) -> list[Any]:
    problems = Problems()
    found = published(HOST, seen, list(containers), OWNERS.get, proxies, engines, problems, most)
    assert problems.complete, problems.as_list()
    return list(found)


def short(found: list[Any]) -> list[tuple[Any, ...]]:
    return [(row["protocol"], row["host_address"], row["host_port"], row["container"], row["port"]) for row in found]


def listening(pid: int, port: int, comm: str, address: str = "0.0.0.0", owner: Any = None) -> dict[str, Any]:
    return {"protocol": "tcp", "address": address, "port": port,
            "processes": [{"pid": pid, "comm": comm, "container": owner}]}


def test_the_same_port_by_three_ways_is_one_row_with_three_proofs() -> None:
    seen = network([rule({"protocol": "tcp", "port": 8080})])
    proxy = Proxy(123, "docker-proxy", 0, HOST, (Forward("tcp", "0.0.0.0", 8080, "172.17.0.2", 80),))
    ports = {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}
    assert rows(seen, [container(ports=ports)], [proxy]) == [{
        "protocol": "tcp", "host_address": "0.0.0.0", "host_port": 8080, "container": "web", "address": "172.17.0.2",
        "port": 80, "proved_by": ["nftables", "docker-proxy (pid 123)", "docker"],
    }]


def test_another_port_inside_is_another_row() -> None:
    seen = network([rule({"protocol": "tcp", "port": 8080}, port=81)])
    ports = {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}
    assert [(row["port"], row["proved_by"]) for row in rows(seen, [container(ports=ports)])] == [
        (81, ["nftables"]), (80, ["docker"])]


def test_containers_of_one_pod_are_one_target() -> None:
    seen = network([rule({"protocol": "tcp", "port": 8080}, "10.88.0.5")])
    pod = container("pod")
    infra = container("infra", "podman", [{"container_port": 80, "host_port": 8080, "protocol": "tcp", "host_ip": ""}])
    infra.namespaces = pod.namespaces
    assert [row["proved_by"] for row in rows(seen, [pod, infra])] == [["nftables", "podman"]]


def test_all_addresses_of_both_families_are_two_rows() -> None:
    ports = {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8080"}]}
    assert [row["host_address"] for row in rows(network(), [container(ports=ports)])] == ["0.0.0.0", "::"]


@pytest.mark.parametrize(("match", "address", "expected"), [
    ({"port": 80}, "172.17.0.2", "0.0.0.0"), ({"port": 80}, "fd00::2", "::"),
    ({"port": 80, "iif": "docker0", "iif_negated": True}, "172.17.0.2", "0.0.0.0"),
    ({"port": 80, "destination": "127.0.0.1"}, "172.17.0.2", "127.0.0.1"),
    ({"port": 80, "destination": "192.0.2.1"}, "172.17.0.2", "192.0.2.1"),
    ({"port": 80, "destination": "192.0.2.0/24"}, "172.17.0.2", "192.0.2.1"),
    ({"port": 80, "destination": "192.0.2.0", "destination_max": "192.0.2.9"}, "172.17.0.2", "192.0.2.1"),
    ({"port": 80, "destination": "127.0.0.0/8", "destination_negated": True}, "172.17.0.2", "0.0.0.0"),
])
def test_the_host_address_is_the_destination_or_all(match: Any, address: str, expected: str) -> None:
    seen = network([rule({"protocol": "tcp", **match}, address)], addresses=[{"address": "192.0.2.1"}])
    assert short(rows(seen)) == [("tcp", expected, 80, "web", 80)]


def test_what_is_for_an_address_of_others_is_not_published_here() -> None:
    seen = network([rule({"protocol": "tcp", "port": 80, "destination": "198.51.100.7"})],
                   addresses=[{"address": "192.0.2.1"}])
    assert rows(seen) == []


def test_without_a_protocol_it_is_both() -> None:
    assert [row["protocol"] for row in rows(network([rule({"port": 80})]))] == ["tcp", "udp"]


@pytest.mark.parametrize("row", [
    rule({"protocol": "udp", "port": 53, "destination": "127.0.0.11"}, "127.0.0.11", 34567),
    rule({"protocol": "udp", "port": 53}, "::1", 34567), rule({"protocol": "tcp"}),
    {**rule({"protocol": "tcp", "port": 80}), "action": "snat"}, rule({"port": 80, "port_negated": True}),
])
def test_what_leads_to_no_container_s_port_is_not_published(row: Any) -> None:
    assert rows(network([row])) == []


def test_a_rule_that_nothing_leads_to_proves_nothing() -> None:
    chains = [chain("pre"), chain("docker", kind=None, hook=None)]
    row = rule({"protocol": "tcp", "port": 80}, chain="docker")
    assert rows(network([row], chains)) == []
    chains[0]["jumps"] = [{"chain": "docker", "match": {"addrtype": "local"}, "complete": True}]
    assert len(rows(network([row], chains))) == 1


@pytest.mark.parametrize(("kind", "hook", "count"), [
    ("nat", "output", 1), ("nat", "postrouting", 0), ("nat", "input", 0), ("filter", "prerouting", 0), (None, None, 0),
])
def test_only_where_addresses_are_translated(kind: Any, hook: Any, count: int) -> None:
    assert len(rows(network([rule({"protocol": "tcp", "port": 80})], [chain(kind=kind, hook=hook)]))) == count


def test_a_dormant_table_proves_nothing() -> None:
    assert rows(network([rule({"protocol": "tcp", "port": 80})], flags=["dormant"])) == []


def test_what_the_jumps_ask_for_counts() -> None:
    """As kube-proxy and CNI have it: the port is in a jump, and the rule has only where to."""
    chains = [
        chain("pre", ("services", {}), ("ports", {"addrtype": "local"})),
        chain("services", ("one", {"destination": "10.96.0.1", "protocol": "tcp", "port": 443}), kind=None),
        chain("ports", ("one", {"protocol": "tcp", "any": [[{"port": 30080}, {"port": 30090}]]}), kind=None),
        chain("one", ("end", {}), kind=None), chain("end", kind=None),
    ]
    seen = network([rule({"protocol": "tcp"}, chain="end")], chains, addresses=[{"address": "192.0.2.1"}])
    assert short(rows(seen)) == [("tcp", "0.0.0.0", 30080, "web", 80), ("tcp", "0.0.0.0", 30090, "web", 80)]


def test_ways_that_exclude_each_other_are_none() -> None:
    chains = [chain("pre", ("one", {"protocol": "tcp", "port": 1, "port_max": 5})), chain("one", kind=None)]
    told = [rule(match, chain="one") for match in (
        {"protocol": "udp", "port": 3}, {"port": 7}, {"port": 4, "port_max": 9})]
    assert [row["host_port"] for row in rows(network(told, chains))] == [4, 5]


def test_chains_that_lead_in_a_circle_end() -> None:
    chains = [chain("pre", ("one", {})), chain("one", ("two", {}), kind=None), chain("two", ("one", {}), kind=None)]
    assert len(rows(network([rule({"protocol": "tcp", "port": 80}, chain="two")], chains))) == 1


def test_too_many_ways_are_said() -> None:
    chains = [chain("pre", *(("one", {"port": port}) for port in range(1, 400))), chain("one", kind=None)]
    problems = Problems()
    found = published(HOST, network([rule({"protocol": "tcp"}, chain="one")], chains), [], OWNERS.get, [], True,
                      problems, 1000)
    assert len(found) == 256
    assert problems.as_list() == [{"what": "published ports", "reason": "truncated", "count": 399 - 256}]


@pytest.mark.parametrize(("to", "expected"), [
    ({"port": None}, [80, 81, 82]), ({"port": 90}, [90, 90, 90]),
    ({"port": 90, "port_max": 92, "port_base": 80}, [90, 91, 92]),
    ({"port": 81, "port_max": 85}, [None, 81, 82]),
])
def test_the_port_inside_of_a_range(to: Any, expected: list[Any]) -> None:
    seen = network([rule({"protocol": "tcp", "port": 80, "port_max": 82}, **to)])
    assert [row["port"] for row in rows(seen)] == expected


def test_a_range_that_is_too_long_is_one_row_and_said() -> None:
    problems = Problems()
    seen = network([rule({"protocol": "tcp", "port": 1, "port_max": 1025})])
    assert len(published(HOST, seen, [], OWNERS.get, [], True, problems)) == 1
    assert problems.as_list() == [{"what": "published ports", "reason": "truncated", "count": 1024}]
    assert len(rows(network([rule({"protocol": "tcp", "port": 1, "port_max": 1024})]), most=2000)) == 1024


def test_rows_that_are_too_many_are_counted() -> None:
    problems = Problems()
    seen = network([rule({"protocol": "tcp", "port": 1, "port_max": 1000})])
    assert len(published(HOST, seen, [], OWNERS.get, [], True, problems)) == 500
    assert problems.as_list() == [{"what": "published ports", "reason": "truncated", "count": 500}]


def test_an_address_without_owner_is_a_row_without_container() -> None:
    assert short(rows(network([rule({"protocol": "tcp", "port": 80}, "10.9.9.9")]))) == [
        ("tcp", "0.0.0.0", 80, None, 80)]


def test_an_address_of_our_own_is_no_container_s() -> None:
    seen = network([rule({"protocol": "tcp", "port": 80}, "192.0.2.1")], addresses=[{"address": "192.0.2.1"}])
    assert rows(seen) == []


def test_without_a_firewall_the_others_speak() -> None:
    ports = {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}], "81/tcp": None, "82/tcp": []}
    assert short(rows(network(firewall=None), [container(ports=ports)])) == [("tcp", "127.0.0.1", 8080, "web", 80)]


def test_engines_publish_in_their_own_network_only() -> None:
    ports = {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}
    assert rows(network(), [container(ports=ports)], engines=False) == []


def test_a_proxy_of_another_network_does_not_count() -> None:
    proxy = Proxy(123, "docker-proxy", 0, "net:[2]", (Forward("tcp", "0.0.0.0", 8080, "172.17.0.2", 80),))
    assert rows(network(), proxies=[proxy]) == []


@pytest.mark.parametrize(("pid", "port", "count"), [(123, 8080, 1), (124, 8080, 0), (123, 8081, 0)])
def test_a_user_s_proxy_must_hold_the_socket(pid: int, port: int, count: int) -> None:
    proxy = Proxy(123, "docker-proxy", 1000, HOST, (Forward("tcp", "0.0.0.0", 8080, "172.17.0.2", 80),))
    seen = network(listening=[listening(pid, port, "docker-proxy")])
    assert len(rows(seen, proxies=[proxy])) == count


@pytest.mark.parametrize(("row", "proofs"), [
    (listening(9, 8080, "rootlessport"), ["podman", "rootlessport (pid 9)"]),
    (listening(9, 8080, "rootlessport", "::"), ["podman", "rootlessport (pid 9)"]),
    (listening(9, 8080, "rootlessport", "127.0.0.1"), ["podman"]),
    (listening(9, 8080, "nginx"), ["podman"]), (listening(9, 8081, "rootlessport"), ["podman"]),
    (listening(9, 8080, "rootlessport", owner="evil"), ["podman"]),
])
def test_who_holds_the_socket_of_an_engine_s_port_is_said(row: Any, proofs: list[str]) -> None:
    ports = [{"container_port": 80, "host_port": 8080, "protocol": "tcp", "host_ip": ""}]
    (found,) = rows(network(listening=[row]), [container(engine="podman", ports=ports)])
    assert found["proved_by"] == proofs


def test_pasta_leads_to_the_container_whose_engine_says_so_else_to_nobody_known() -> None:
    forwards = (Forward("tcp", "0.0.0.0", 8080, None, 80), Forward("tcp", "0.0.0.0", 8081, None, 81))
    proxy = Proxy(9, "pasta", 0, HOST, forwards)
    seen = network(listening=[listening(9, 8080, "pasta"), listening(9, 8081, "pasta")])
    ports = [{"container_port": 80, "host_port": 8080, "protocol": "tcp", "host_ip": ""}]
    found = rows(seen, [container(engine="podman", ports=ports)], [proxy])
    assert [(row["host_port"], row["container"], row["proved_by"]) for row in found] == [
        (8080, "web", ["podman", "pasta (pid 9)"]), (8081, None, ["pasta (pid 9)"])]


@pytest.mark.parametrize(("engine", "ports", "expected"), [
    ("docker", {"53/udp": [{"HostIp": "", "HostPort": "53"}]}, [("udp", "0.0.0.0", 53, 53)]),
    ("docker", {"80": [{"HostIp": "0:0::1", "HostPort": "8080"}]}, [("tcp", "::1", 8080, 80)]),
    ("podman", [{"host_ip": "127.0.0.1", "container_port": 80, "host_port": 90, "range": 2, "protocol": "tcp,udp"}],
     [("tcp", "127.0.0.1", 90, 80), ("tcp", "127.0.0.1", 91, 81), ("udp", "127.0.0.1", 90, 80),
      ("udp", "127.0.0.1", 91, 81)]),
    # Podman before 4.0, and CNI's own form.
    ("podman", [{"hostPort": 90, "containerPort": 80, "protocol": "tcp", "hostIP": "::"}], [("tcp", "::", 90, 80)]),
    ("podman", [{"hostPort": 65535, "containerPort": 80, "range": 9}], [("tcp", "0.0.0.0", 65535, 80)]),
])
def test_what_engines_write(engine: str, ports: Any, expected: list[Any]) -> None:
    problems = Problems()
    assert list(engine_ports(container(engine=engine, ports=ports), problems)) == expected
    assert problems.complete


def test_nerdctl_writes_a_label() -> None:
    label = '[{"HostPort":8080,"ContainerPort":80,"Protocol":"tcp","HostIP":"127.0.0.1"}]'
    found = container(engine="containerd", labels={"nerdctl/ports": label})
    assert list(engine_ports(found, Problems())) == [("tcp", "127.0.0.1", 8080, 80)]
    # Whoever else may write labels is not believed.
    assert not list(engine_ports(container(engine="docker", labels={"nerdctl/ports": label}), Problems()))


@pytest.mark.parametrize("ports", [
    7, "x", [], {}, [7], {"80/tcp": 7}, {"80/tcp": [7]}, {"80/tcp": [{"HostPort": "0"}]},
    {"80/tcp": [{"HostPort": "70000"}]}, {"x/tcp": [{"HostPort": "80"}]}, {"80/tcp": [{"HostPort": "\u0668"}]},
    {"80/tcp": [{"HostPort": True}]}, {"80/tcp": [{"HostIp": "localhost", "HostPort": "80"}]},
    [{"host_port": 80, "container_port": 80, "range": -1}], {"80/tcp": [{"HostIp": "1.1.1.1\0", "HostPort": "80"}]},
])
def test_what_no_engine_writes_is_nothing(ports: Any) -> None:
    assert not list(engine_ports(container(ports=ports), Problems()))


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=9), lambda inner: st.lists(
    inner, max_size=3) | st.dictionaries(st.sampled_from(["80/tcp", "HostPort", "HostIp", "host_port", "range"]), inner,
                                         max_size=3), max_leaves=9)


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_whatever_is_in_a_state_file_raises_nothing(ports: Any) -> None:
    for protocol, address, host_port, port in engine_ports(container(ports=ports), Problems()):
        assert 0 < host_port < 65536
        assert 0 < port < 65536


@pytest.mark.parametrize(("line", "expected"), [
    ("docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 8080 -container-ip 172.17.0.2 -container-port 80",
     [Forward("tcp", "0.0.0.0", 8080, "172.17.0.2", 80)]),
    ("docker-proxy -proto udp -host-ip :: -host-port 53 -container-ip fd00::2 -container-port 53 -use-listen-fd",
     [Forward("udp", "::", 53, "fd00::2", 53)]),
    ("docker-proxy -proto=tcp --host-ip=127.0.0.1 -host-port=1 -container-ip=10.0.0.1 -container-port=2",
     [Forward("tcp", "127.0.0.1", 1, "10.0.0.1", 2)]),
    ("docker-proxy -proto tcp -host-ip x -host-port 8080 -container-ip 172.17.0.2 -container-port 80", []),
    ("docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 0 -container-ip 172.17.0.2 -container-port 80", []),
    ("docker-proxy -proto tcp -host-port", []), ("docker-proxy", []), ("", []),
])
def test_the_arguments_of_docker_proxy(line: str, expected: list[Forward]) -> None:
    assert list(docker_proxy(line.split(" "))) == expected


def both(protocol: str, here: int, there: int) -> list[Forward]:
    return [Forward(protocol, address, here, None, there) for address in ("0.0.0.0", "::")]


@pytest.mark.parametrize(("line", "expected"), [
    ("pasta --config-net -t 127.0.0.1/8080-8081:80-81 -u none -T none -U none --netns /run/netns/x", [
        Forward("tcp", "127.0.0.1", 8080, None, 80), Forward("tcp", "127.0.0.1", 8081, None, 81)]),
    ("pasta -t 8080:80,22", both("tcp", 8080, 80) + both("tcp", 22, 22)),
    ("pasta --udp-ports=::1/53", [Forward("udp", "::1", 53, None, 53)]),
    ("pasta -t %eth0/80", both("tcp", 80, 80)), ("pasta -t 127.0.0.1%lo/80", [Forward("tcp", "127.0.0.1", 80, None, 80)]),
    ("pasta -t auto -u all", []), ("pasta -t nonsense/80", []), ("pasta -t", []), ("pasta -t ~80,5-1", []),
])
def test_the_arguments_of_pasta(line: str, expected: list[Forward]) -> None:
    assert list(pasta(line.split(" "))) == expected


def test_a_range_of_pasta_s_is_bounded() -> None:
    assert len(list(pasta(["pasta", "-t", "1-65535"]))) == 2 * 1024

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks of real containers: what we say beside what the engine says, and what ip and ss say inside."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rig.fleet import CONTAINERS, RESOLVER, Container, Fleet
from rig.supervisor import Supervisor

# One program and nothing else.
SCRATCH = "scratch"
NAMES = [*CONTAINERS, SCRATCH]
# Whose network is somebody else's.
GUESTS = {"sidecar": "web"}


class Seen:
    """What we say."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.facts = facts
        self.host: str = facts["host"]["net"]
        self._containers = {one["id"]: one for one in facts["containers"]}

    def name(self, identity: str) -> str:
        """The network of a container."""
        return str(self._containers[identity]["namespaces"]["net"])

    def network(self, identity: str) -> dict[str, Any]:
        found: dict[str, Any] = self.facts["networks"][self.name(identity)]
        return found

    def link(self, network: str, name: str) -> dict[str, Any]:
        (found,) = [one for one in self.facts["networks"][network]["links"] if one["name"] == name]
        return dict(found)


class Scene:
    """The fleet, one container more, and one look at them."""

    def __init__(self, fleet: Fleet, scratch: Container) -> None:
        self.fleet = fleet
        self.containers = {**fleet.containers, SCRATCH: scratch}
        fleet.machine.settle(0, *(one.pid for one in self.containers.values()))
        self.seen = Seen(fleet.look())

    def ip(self, name: str, *arguments: str) -> list[dict[str, Any]]:
        """What ip says in there."""
        rows = self.fleet.machine.rows(*arguments, inside=self.containers[name].pid)
        return [row for row in rows if row]

    def network(self, name: str) -> dict[str, Any]:
        return self.seen.network(self.containers[name].id)


@pytest.fixture(scope="module")
def scene(supervisor: Supervisor, rootfs: Path, archive: Path) -> Iterator[Scene]:
    fleet = Fleet(supervisor, rootfs, archive, "n")
    try:
        layer = supervisor.root / "scratch.tar"
        with tarfile.open(layer, "w") as tar:
            tar.add(rootfs / "bin/busybox", "busybox")
        fleet.docker("import", str(layer), "nsft-scratch:1.0")
        fleet.docker("run", "--detach", "--name", SCRATCH, "--network", "front", "nsft-scratch:1.0",
                     "/busybox", "httpd", "-f", "-p", "85")
        yield Scene(fleet, Container(fleet.machine, fleet.docker.inspect(SCRATCH)[0]))
    finally:
        fleet.close()


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """Each container in turn."""
    return str(request.param)


def test_everything_was_seen(scene: Scene) -> None:
    assert scene.seen.facts["problems"] == []
    assert scene.seen.facts["complete"]


def test_the_links_are_ip_s(scene: Scene, name: str) -> None:
    said = {
        (row["ifname"], row["ifindex"], row["mtu"], row["address"], row["operstate"].lower(),
         flags(row["flags"]), row.get("master"),
         row.get("linkinfo", {}).get("info_kind", "loopback"))
        for row in scene.ip(name, "link")
    }
    assert said == {
        (row["name"], row["index"], row["mtu"], row["mac"], row["state"], frozenset(row["flags"]), row["master"],
         row["kind"])
        for row in scene.network(name)["links"]
    }


def flags(said: list[str]) -> frozenset[str]:
    """ip does not show RUNNING, but where it is missing."""
    found = frozenset(said)
    return found - {"NO-CARRIER"} if "NO-CARRIER" in found or "UP" not in found else found | {"RUNNING"}


def test_the_addresses_are_ip_s(scene: Scene, name: str) -> None:
    said = {
        (one["family"], one["local"], one["prefixlen"], row["ifname"], one["scope"])
        for row in scene.ip(name, "address") for one in row["addr_info"]
    }
    assert said == {
        (one["family"], one["address"], one["prefix"], one["link"], one["scope"])
        for one in scene.network(name)["addresses"]
    }


@pytest.mark.parametrize("family", ["inet", "inet6"])
def test_the_routes_are_ip_s(scene: Scene, name: str, family: str) -> None:
    bits = {"inet": "32", "inet6": "128"}[family]
    said = {
        (row.get("type", "unicast"), row["dst"] if "/" in row["dst"] or row["dst"] == "default"
         else f"{row['dst']}/{bits}", row.get("gateway"), row.get("dev"), row.get("table", "main"), row.get("prefsrc"))
        for row in scene.ip(name, "-family", family, "route", "show", "table", "all")
    }
    assert said == {
        (one["type"], one["destination"], one["gateway"], one["link"], one["table"], one["source"])
        for one in scene.network(name)["routes"] if one["family"] == family
    }


def test_addresses_and_gateways_are_docker_s(scene: Scene, name: str) -> None:
    network, host = scene.network(name), scene.seen.facts["networks"][scene.seen.host]
    macs = {one["mac"]: one["name"] for one in network["links"]}
    default = {one["gateway"] for one in network["routes"] if one["destination"] == "default"}
    endpoints = scene.containers[name].endpoints
    assert bool(endpoints) == (name not in ("at-host", "alone", "sidecar"))
    for endpoint in endpoints.values():
        link = macs[endpoint["MacAddress"]]
        of_link = {(one["address"], one["prefix"]) for one in network["addresses"] if one["link"] == link}
        assert (endpoint["IPAddress"], endpoint["IPPrefixLen"]) in of_link
        if endpoint["GlobalIPv6Address"]:
            assert (endpoint["GlobalIPv6Address"], endpoint["GlobalIPv6PrefixLen"]) in of_link
            assert endpoint["IPv6Gateway"] in default
        assert endpoint["Gateway"] in {one["address"] for one in host["addresses"]}
    # Of two networks, one leads out.
    assert len(default & {endpoint["Gateway"] for endpoint in endpoints.values()}) == bool(endpoints)


def test_both_ends_of_a_veth_name_each_other(scene: Scene, name: str) -> None:
    container, seen = scene.containers[name], scene.seen
    here = seen.name(container.id)
    pairs = [] if name == "at-host" else [row["ifname"] for row in scene.ip(name, "link") if row["ifname"] != "lo"]
    assert len(pairs) == {"alone": 0, "at-host": 0, "two": 2}.get(name, 1)
    for link in pairs:
        far = container.far(link) if name not in GUESTS else scene.containers[GUESTS[name]].far(link)
        assert seen.link(here, link)["peer"] == {"network": seen.host, "name": far["ifname"], "container": None}
        # Who joins somebody's network is not whom it is told by.
        owner = scene.containers[GUESTS.get(name, name)].id
        assert seen.link(seen.host, far["ifname"])["peer"] == {"network": here, "name": link, "container": owner}
        assert seen.link(seen.host, far["ifname"])["master"] == far["master"]


def test_a_bridge_s_ports_are_ip_s_and_lead_to_docker_s_containers(scene: Scene) -> None:
    docker, seen, machine = scene.fleet.docker, scene.seen, scene.fleet.machine
    for network in json.loads(docker("network", "inspect", "front", "back", "both", "bridge").stdout):
        bridge = network["Options"].get("com.docker.network.bridge.name", f"br-{network['Id'][:12]}")
        row = seen.link(seen.host, bridge)
        assert row["kind"] == "bridge"
        ports = machine.rows("link", "show", "master", bridge)
        assert row["details"]["ports"] == sorted(one["ifname"] for one in ports)
        led = {seen.link(seen.host, port)["peer"]["container"] for port in row["details"]["ports"]}
        assert led == set(network["Containers"]) != set()


def test_the_uplink_leads_to_the_router(scene: Scene) -> None:
    router = scene.fleet.at("host", f"readlink /proc/{scene.fleet.machine.router}/ns/net").strip()
    assert scene.seen.link(scene.seen.host, "uplink")["peer"] == {"network": router, "name": "cable", "container": None}
    assert scene.seen.link(router, "cable")["peer"]["network"] == scene.seen.host


@pytest.mark.parametrize("name", [name for name in NAMES if name != "at-host"])
def test_names_are_those_of_docker_s_files(scene: Scene, name: str) -> None:
    said = scene.containers[name].said
    dns = scene.network(name)["dns"]
    owner = scene.containers[GUESTS.get(name, name)].said
    for path, key, word in ((owner["ResolvConfPath"], "nameservers", "nameserver"),
                            (owner["ResolvConfPath"], "search", "search")):
        lines = [line.split() for line in Path(path).read_text().splitlines()]
        assert dns[key] == [one for line in lines if line[:1] == [word] for one in line[1:]]
    hosts = [line.split() for line in Path(owner["HostsPath"]).read_text().splitlines() if line.strip()]
    assert dns["hosts"] == [{"address": one[0], "names": one[1:]} for one in hosts]
    assert dns["hostname"] == owner["Config"]["Hostname"] == Path(said["HostnamePath"]).read_text().strip()


def test_the_nameserver_is_docker_s_in_networks_of_users_only(scene: Scene) -> None:
    assert scene.network("web")["dns"]["nameservers"] == ["127.0.0.11"]
    assert scene.network("plain")["dns"]["nameservers"] == [RESOLVER]
    assert scene.network("plain")["dns"]["search"] == ["example.org"]


LISTEN = r"(\S+)\s+(?:LISTEN|UNCONN)\s+(\d+)\s+(\d+)\s+(\S+):(\d+)\s+\S+\s*(?:users:\((.*)\))?"


def test_what_listens_is_what_ss_says(scene: Scene, name: str) -> None:
    listed = scene.fleet.machine.inside(
        scene.containers[name].pid, "ss", "--no-header", "--listening", "--tcp", "--udp", "--numeric", "--processes")
    said = set()
    for line in listed.stdout.splitlines():
        found = re.match(LISTEN, line)
        assert found, line
        protocol, queue, limit, address, port, users = found.groups()
        # ss has * for a socket of both families, a limit for what has none, and brackets.
        pids = frozenset(int(pid) for pid in re.findall(r"pid=(\d+)", users or ""))
        said.add((protocol, address.strip("[]"), int(port), int(queue), int(limit) if protocol == "tcp" else None,
                  pids))
    assert said == {
        (one["protocol"], "*" if one["address"] == "::" and not one["details"].get("v6only") else one["address"],
         one["port"], one["queue"], one["limit"], frozenset(holder["pid"] for holder in one["processes"]))
        for one in scene.network(name)["listening"] if one["protocol"] in ("tcp", "udp")
    }


@pytest.mark.parametrize(("name", "address", "port"), [
    ("web", "::", 80), ("plain", "::", 82), ("six", "0.0.0.0", 83), ("app", "::", 84), (SCRATCH, "::", 85),
    ("at-host", "127.0.0.1", 18090),
])
def test_the_listener_is_the_container_s_program(scene: Scene, name: str, address: str, port: int) -> None:
    (found,) = [one for one in scene.network(name)["listening"] if (one["protocol"], one["port"]) == ("tcp", port)]
    assert found["address"] == address
    (holder,) = found["processes"]
    assert (holder["comm"], holder["container"]) == ("busybox", scene.containers[name].id)
    if name != "app":
        assert holder["pid"] == scene.containers[name].pid


def test_docker_s_own_nameserver_is_the_daemon_s_and_no_container_s(scene: Scene) -> None:
    served = [one for one in scene.network("db")["listening"] if one["address"] == "127.0.0.11"]
    assert {one["protocol"] for one in served} == {"tcp", "udp"}
    assert {(holder["comm"], holder["container"]) for one in served for holder in one["processes"]} == {
        ("dockerd", None)}


def test_who_shares_a_network_has_the_same_one(scene: Scene) -> None:
    seen, ids = scene.seen, {name: one.id for name, one in scene.containers.items()}
    assert seen.name(ids["sidecar"]) == seen.name(ids["web"])
    assert seen.name(ids["at-host"]) == seen.host
    others = [seen.name(ids[name]) for name in NAMES if name not in ("sidecar", "at-host")]
    assert len(set(others)) == len(others)


def test_no_network_has_lo_alone(scene: Scene) -> None:
    assert [one["name"] for one in scene.network("alone")["links"]] == ["lo"]


def test_an_internal_network_translates_nothing_and_drops_what_leaves(scene: Scene) -> None:
    bridge = scene.fleet["inner"].bridge
    rules = scene.seen.facts["networks"][scene.seen.host]["firewall"]["decoded"]
    assert not [one for one in rules if one["action"] == "masquerade" and "172.29.2." in str(one["match"])]
    drops = [one["match"] for one in rules if one["action"] == "drop" and one["match"].get("iif") == bridge]
    assert {"iif": bridge, "destination": "172.29.2.0/24", "destination_negated": True} in drops


def test_the_host_s_network_is_told_with_the_host_s_own_files(scene: Scene) -> None:
    lines = [line.split() for line in scene.fleet.at("host", "cat /etc/resolv.conf").splitlines()]
    assert scene.network("at-host")["dns"]["nameservers"] == [
        one for line in lines if line[:1] == ["nameserver"] for one in line[1:]]


def test_sysctls_are_each_network_s_own(scene: Scene, name: str) -> None:
    for key in ("net.ipv4.ip_forward", "net.core.somaxconn", "net.ipv6.conf.all.disable_ipv6"):
        path = "/proc/sys/" + key.replace(".", "/")
        said = scene.fleet.machine.inside(scene.containers[name].pid, "cat", path).stdout
        assert scene.network(name)["sysctls"][key] == int(said)

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports that real engines publish, beside `docker port` and `podman port`; each engine in a network of its own."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rig.bridge import Bridge
from rig.docker import Docker
from rig.podman import Podman
from rig.programs import program
from rig.supervisor import Supervisor
from rig.within import Within

from ansible_collections.nsfleet.linux.plugins.module_utils._discover.scan import SOURCES
from ansible_collections.nsfleet.linux.plugins.module_utils._facts import Facts, Request, gather
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.reader import FileReader
from ansible_collections.nsfleet.linux.plugins.module_utils._model.inventory import Problems
from ansible_collections.nsfleet.linux.plugins.module_utils._network.networks import Survey
from ansible_collections.nsfleet.linux.plugins.module_utils._network.proxies import proxies
from ansible_collections.nsfleet.linux.plugins.module_utils._network.published import published

WITH_RULES = ("--iptables=true", "--ip-forward=true")
# What `docker run` is told to publish.
MATRIX: dict[str, list[str]] = {
    "everywhere": ["18080:80"],
    "any-v4": ["0.0.0.0:18084:84"],
    "any-v6": ["[::]:18082:82"],
    "loopback": ["127.0.0.1:18081:81"],
    "loopback6": ["[::1]:18083:83"],
    "udp": ["18085:85/udp", "18085:85/tcp"],
    "range": ["18090-18094:90-94"],
    "chosen": ["86"],
    "one-address": ["{address}:18087:87"],
    "nothing": [],
}
Row = tuple[str, str, int, int]


class Seen:
    """What we say of an engine's network."""

    def __init__(self, name: str, engines: bool = True) -> None:
        self.rows: list[Any] = []
        self.problems = Problems()

        def survey(facts: Facts, most: int) -> dict[str, Any]:
            networks = Survey(facts.scan, facts.containers, facts.own, facts.host, most).take()
            inside = {container.namespaces.get("net"): container.id for container in facts.containers}
            owners = {
                address["address"]: inside.get(where)
                for where, network in networks.items()
                if where in inside
                for address in network["addresses"]
            }
            with FileReader() as files:
                known = proxies(facts.scan, files, facts.containers)
            self.rows = list(
                published(name, networks[name], facts.containers, owners.get, known, engines, self.problems)
            )
            self.firewall = networks[name]["firewall"]
            return dict(networks)

        request = Request(
            gather_subset=["containers"],
            types=[],
            containers=[],
            scan=list(SOURCES),
            cmdline=False,
            labels=False,
            processes=False,
            max_entries=500,
            timeout=60,
        )
        gather(request, survey=survey)

    def of(self, identity: str) -> set[Row]:
        return {
            (row["protocol"], row["host_address"], row["host_port"], row["port"])
            for row in self.rows
            if row["container"] == identity
        }

    def proofs(self, identity: str) -> dict[tuple[str, str, int], list[str]]:
        return {
            (row["protocol"], row["host_address"], row["host_port"]): row["proved_by"]
            for row in self.rows
            if row["container"] == identity
        }


def ports(text: str) -> set[Row]:
    """The lines of `docker port` and `podman port`: C(80/tcp -> 0.0.0.0:18080)."""
    found = set()
    for line in text.splitlines():
        parts = re.fullmatch(r"(\d+)/(\w+) -> \[?([0-9a-f.:]+?)\]?:(\d+)", line.strip())
        assert parts, line
        found.add((parts[2], parts[3], int(parts[4]), int(parts[1])))
    return found


class Fleet:
    """The matrix, running."""

    def __init__(self, within: Within, docker: Docker, address: str) -> None:
        self.within = within
        self.ids = {
            name: docker.run(name, *(part for port in told for part in ("--publish", port.format(address=address))))
            for name, told in MATRIX.items()
        }
        self.said = {name: ports(docker("port", identity).stdout) for name, identity in self.ids.items()}
        self.seen = Seen(within.name)
        self.by_kernel = Seen(within.name, engines=False)


def docker_in(supervisor: Supervisor, archive: Path, letter: str, *options: str) -> Iterator[Fleet]:
    within = Within(supervisor, supervisor.root / f"net-{letter}.log")
    bridge = Bridge(within, letter).make()
    engine = Docker(within, supervisor.root / f"docker-{letter}", archive, bridge, network=WITH_RULES + options)
    engine.start()
    yield Fleet(within, engine, str(bridge.network[1]))
    engine.stop()
    within.close_network()


@pytest.fixture(scope="module")
def fleet(supervisor: Supervisor, archive: Path) -> Iterator[Fleet]:
    yield from docker_in(supervisor, archive, "p")


@pytest.fixture(scope="module")
def without_proxy(supervisor: Supervisor, archive: Path) -> Iterator[Fleet]:
    yield from docker_in(supervisor, archive, "q", "--userland-proxy=false")


@pytest.mark.parametrize("name", MATRIX)
def test_the_ports_are_those_of_docker_port(fleet: Fleet, name: str) -> None:
    assert fleet.seen.of(fleet.ids[name]) == fleet.said[name]
    assert bool(fleet.said[name]) == (name != "nothing")


@pytest.mark.parametrize("name", MATRIX)
def test_the_ports_without_proxies_are_those_of_docker_port(without_proxy: Fleet, name: str) -> None:
    assert without_proxy.seen.of(without_proxy.ids[name]) == without_proxy.said[name]


def test_nothing_else_is_published(fleet: Fleet) -> None:
    # Other daemons of the machine write down what they publish too, in their networks.
    assert {row["container"] for row in fleet.by_kernel.rows} == {
        fleet.ids[name] for name in MATRIX if name != "nothing"
    }
    assert fleet.seen.problems.as_list() == []


def test_what_proves_a_port_is_said(fleet: Fleet) -> None:
    for name, told in fleet.said.items():
        proofs = fleet.seen.proofs(fleet.ids[name])
        for protocol, address, port, inside in told:
            pid = proxy(fleet.within.name, protocol, address, port, inside)
            expected = ["docker-proxy (pid %d)" % pid, "docker"]
            # Docker 20.10 has no rules for IPv6 unless told to.
            assert proofs[protocol, address, port] == (expected if ":" in address else ["nftables", *expected])


def test_without_proxies_rules_and_docker_prove(without_proxy: Fleet) -> None:
    proofs = without_proxy.seen.proofs(without_proxy.ids["everywhere"])
    # Docker 20.10 publishes nothing on :: then, as it has neither rules nor proxies for it.
    assert proofs == {("tcp", "0.0.0.0", 18080): ["nftables", "docker"]}


def test_without_docker_s_word_the_kernel_s_is_enough(fleet: Fleet) -> None:
    for name, identity in fleet.ids.items():
        assert fleet.by_kernel.of(identity) == fleet.said[name]


def test_flushed_rules_prove_nothing(without_proxy: Fleet) -> None:
    save, restore = program("iptables-save", "iptables"), program("iptables-restore", "iptables")
    kept = without_proxy.within.root / "rules"
    kept.write_text(without_proxy.within.run(save).stdout)
    without_proxy.within.run(
        program("iptables", "iptables"),
        "-t",
        "nat",
        "-D",
        "PREROUTING",
        "-m",
        "addrtype",
        "--dst-type",
        "LOCAL",
        "-j",
        "DOCKER",
    )
    without_proxy.within.run(program("iptables", "iptables"), "-t", "nat", "-F", "OUTPUT")
    try:
        seen = Seen(without_proxy.within.name)
    finally:
        without_proxy.within.run(restore, str(kept))
    # The chain with the rules is there, and nothing leads to it.
    assert [row for row in (seen.firewall or {})["decoded"] if row["action"] == "dnat"]
    assert "nftables" not in {proof for row in seen.rows for proof in row["proved_by"]}


def proxy(network: str, protocol: str, address: str, port: int, inside: int) -> int:
    """The docker-proxy of a port, by its command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if os.readlink(entry / "ns/net") != network:
                continue
        except OSError:
            continue
        if (
            os.path.basename(words[0]) == "docker-proxy"
            and f"-proto {protocol} -host-ip {address} -host-port {port} " in " ".join(words)
            and f"-container-port {inside}" in " ".join(words)
        ):
            found.append(int(entry.name))
    assert len(found) == 1, found
    return found[0]


PUBLISHED_BY_PODMAN: dict[str, list[str]] = {
    "everywhere": ["19080:80"],
    "loopback": ["127.0.0.1:19081:81"],
    "udp": ["19085:85/udp", "19085:85/tcp"],
    "range": ["19090-19094:90-94"],
    "nothing": [],
}


class Pods:
    """Podman's containers, running."""

    def __init__(self, within: Within, podman: Podman) -> None:
        self.ids = {
            name: podman.run(name, "--network", "nsft", *(part for port in told for part in ("--publish", port)))
            for name, told in PUBLISHED_BY_PODMAN.items()
        }
        self.said = {name: ports(podman("port", identity).stdout) for name, identity in self.ids.items()}
        self.seen = Seen(within.name)
        self.by_rules = Seen(within.name, engines=False)


@pytest.fixture(scope="module")
def pods(supervisor: Supervisor, archive: Path) -> Iterator[Pods]:
    within = Within(supervisor, supervisor.root / "net-r.log")
    folder = supervisor.root / "podman-ports"
    engine = Podman(within, folder, archive)
    engine.start()
    # A network of its own: the machine's allocator and bridge stay as they are.
    bridge = Bridge(within, "r")
    networks = folder / "networks"
    networks.mkdir()
    (networks / "nsft.conflist").write_text(
        json.dumps(
            {
                "cniVersion": "0.4.0",
                "name": "nsft",
                "plugins": [
                    {
                        "type": "bridge",
                        "bridge": bridge.name,
                        "isGateway": True,
                        "ipMasq": True,
                        "ipam": {
                            "type": "host-local",
                            "dataDir": str(folder / "allocated"),
                            "routes": [{"dst": "0.0.0.0/0"}],
                            "ranges": [[{"subnet": str(bridge.network)}]],
                        },
                    },
                    {"type": "portmap", "capabilities": {"portMappings": True}},
                ],
            }
        )
    )
    with (folder / "containers.conf").open("a") as settings:
        settings.write(f'\n[network]\nnetwork_backend = "cni"\nnetwork_config_dir = "{networks}"\n')
    yield Pods(within, engine)
    engine.stop()
    within.close_network()


@pytest.mark.parametrize("name", PUBLISHED_BY_PODMAN)
def test_the_ports_are_those_of_podman_port(pods: Pods, name: str) -> None:
    assert pods.seen.of(pods.ids[name]) == pods.said[name]
    assert bool(pods.said[name]) == (name != "nothing")


@pytest.mark.parametrize("name", PUBLISHED_BY_PODMAN)
def test_cni_s_rules_alone_tell_the_ports(pods: Pods, name: str) -> None:
    assert pods.by_rules.of(pods.ids[name]) == pods.said[name]


def test_rules_and_podman_prove(pods: Pods) -> None:
    (proofs,) = pods.seen.proofs(pods.ids["loopback"]).values()
    assert [re.sub(r"\d+", "N", proof) for proof in proofs] == ["nftables", "podman", "conmon (pid N)"]

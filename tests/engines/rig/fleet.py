# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's containers in all kinds of networks, on a machine of their own, and ways to reach into each."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from rig.bridge import Bridge
from rig.docker import Docker
from rig.look import Look
from rig.machine import Machine
from rig.supervisor import Supervisor

# RFC 5737: a resolver that is asked by nobody here, and no address of Docker's.
RESOLVER = "198.51.100.53"
NETWORKS: dict[str, list[str]] = {
    "front": ["--subnet", "172.29.1.0/24"],
    "back": ["--subnet", "172.29.2.0/24", "--internal"],
    "both": ["--subnet", "172.29.3.0/24", "--ipv6", "--subnet", "2001:db8:3::/64"],
}
SLEEP = "sleep 3600"
# Name: options, and what of busybox runs. A name that another one's options mention comes before it.
CONTAINERS: dict[str, tuple[str, str]] = {
    "web": ("--hostname www --network front --publish 18080:80 --publish 127.0.0.1:18081:80", "httpd -f -p 80"),
    "db": ("--network front", SLEEP),
    "plain": (f"--dns {RESOLVER} --dns-search example.org --publish [::]:18082:82", "httpd -f -p 82"),
    "six": ("--network both", "httpd -f -p 0.0.0.0:83"),
    "six-too": ("--network both", SLEEP),
    "inner": ("--network back", SLEEP),
    # Leaves its network and comes back, and what it has there gets another name.
    "mover": ("--network back", SLEEP),
    "two": ("--network front", SLEEP),
    "sidecar": ("--network container:web", SLEEP),
    "at-host": ("--network host", "httpd -f -p 127.0.0.1:18090"),
    "alone": ("--network none", SLEEP),
    # Its program can be ended and started again.
    "app": ("--network front --publish 18084:84", SLEEP),
}
APP = "exec app /bin/busybox httpd -p 84"


class Container:
    """A running container; what its network is called and has is asked for each time."""

    def __init__(self, machine: Machine, said: dict[str, Any]) -> None:
        self._machine = machine
        self.said = said
        self.name: str = said["Name"].lstrip("/")
        self.id: str = said["Id"]
        self.pid: int = said["State"]["Pid"]
        # By the network's name; the others have none of their own.
        self.endpoints = {
            name: one for name, one in said["NetworkSettings"]["Networks"].items() if one.get("MacAddress")
        }

    @property
    def address(self) -> str:
        return str(self._endpoint["IPAddress"])

    @property
    def address6(self) -> str:
        return str(self._endpoint["GlobalIPv6Address"])

    @property
    def prefix(self) -> int:
        return int(self._endpoint["IPPrefixLen"])

    @property
    def gateway(self) -> str:
        return str(self._endpoint["Gateway"])

    @property
    def mac(self) -> str:
        return str(self._endpoint["MacAddress"])

    @property
    def veth(self) -> str:
        """The host's end of eth0."""
        return str(self.far()["ifname"])

    @property
    def bridge(self) -> str:
        """What that is a port of."""
        return str(self.far()["master"])

    def far(self, link: str = "eth0") -> dict[str, Any]:
        """The host's end of a link, as ip says: it names it by its index."""
        index = self._machine.rows("link", "show", "dev", link, inside=self.pid)[0]["link_index"]
        return next(row for row in self._machine.rows("link") if row["ifindex"] == index)

    @property
    def _endpoint(self) -> dict[str, Any]:
        (endpoint,) = self.endpoints.values()
        found: dict[str, Any] = endpoint
        return found


class Fleet:
    """All of them, running."""

    def __init__(self, supervisor: Supervisor, rootfs: Path, archive: Path, letter: str) -> None:
        self.machine = Machine(supervisor, supervisor.root / f"machine-{letter}.log")
        self.look = Look(self.machine)
        self.bridge = Bridge(self.machine, letter).make()
        self.docker = Docker(self.machine, supervisor.root / f"docker-{letter}", archive, self.bridge,
                             network=("--iptables=true", "--ip-forward=true"))
        self.docker.start()
        self._busybox = str(rootfs / "bin/busybox")
        for name, subnets in NETWORKS.items():
            self.docker("network", "create", *subnets, name)
        for name, (options, program) in CONTAINERS.items():
            self.docker("run", "--detach", "--name", name, *options.split(), self.docker.image,
                        "/bin/busybox", *program.split())
        self.docker("network", "connect", "back", "two")
        self.docker(*APP.split())
        said = self.docker.inspect(*CONTAINERS)
        self.containers = {name: Container(self.machine, one) for name, one in zip(CONTAINERS, said)}

    def __getitem__(self, name: str) -> Container:
        return self.containers[name]

    def pid(self, where: str) -> int:
        """Whose network that is: C(host), C(router), or a container's."""
        others = {"host": 0, "router": self.machine.router}
        return others[where] if where in others else self.containers[where].pid

    def do(self, lines: str) -> None:
        """Run commands, each in the network before its C(>): C(web> ip link show). C(docker>) is Docker's client."""
        for line in lines.strip().splitlines():
            where, dummy, command = line.strip().partition("> ")
            self.at(where, command)

    def at(self, where: str, command: str) -> str:
        """One of them; returns what it prints."""
        words = shlex.split(self.filled(command))
        if where == "docker":
            return self.docker(*words).stdout
        return self.machine.inside(self.pid(where), *words).stdout

    def filled(self, text: str) -> str:
        """A text with what C({web.address}) and the like mean now."""
        names: dict[str, Any] = {name.replace("-", "_"): one for name, one in self.containers.items()}
        return text.format(busybox=self._busybox, fleet=self, **names)

    def close(self) -> None:
        """End and remove all."""
        self.look.close()
        self.docker.stop()
        self.machine.close_machine()

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network namespaces wired as container engines do it: a bridge, and for each a veth, addresses, routes and a listener.

All of it is in a network namespace of its own, which stands for the host and ends with this process.
"""
from __future__ import annotations

import os
import socket
import subprocess
from typing import Iterable, Sequence

from population import TYPES, Population, _libc, check

_RULES = """
table ip nat {
  chain DOCKER {
    %s
  }
  chain PREROUTING {
    type nat hook prerouting priority -100
    fib daddr type local jump DOCKER
  }
  chain POSTROUTING {
    type nat hook postrouting priority 100
    ip saddr 10.9.0.0/16 oifname != "br0" masquerade
  }
}
table ip filter {
  chain FORWARD {
    type filter hook forward priority 0
    policy drop
    oifname "br0" accept
  }
}
"""


class Wired:
    """C(with Wired(100) as pids:): so many processes, each in a wired network namespace. Needs root.

    With more C(types) of namespaces of their own they are containers.
    """

    def __init__(self, count: int, types: Sequence[str] = ("net",)) -> None:
        self._count = count
        self._types = types
        self._population: Population | None = None
        self._listeners: list[socket.socket] = []
        self._home = -1

    def __enter__(self) -> list[int]:
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY)
        check(_libc.unshare(TYPES["net"]), "unshare")
        self._population = Population(self._count + 2, self._count * len(self._types), self._types)
        try:
            self._population.__enter__()
            pids = _in_other_networks(self._count)
            self._wire(pids)
        except BaseException:
            self.__exit__()
            raise
        return pids

    def __exit__(self, *unused: object) -> None:
        for listener in self._listeners:
            listener.close()
        if self._population is not None:
            self._population.__exit__()
        check(_libc.setns(self._home, TYPES["net"]), "setns")
        os.close(self._home)

    def _wire(self, pids: list[int]) -> None:
        _batch(["link set lo up", "link add br0 type bridge", "addr add 10.9.0.1/16 dev br0", "link set br0 up"])
        _batch(f"link add v{at} type veth peer name eth0 netns {pid}" for at, pid in enumerate(pids))
        _batch(f"link set v{at} master br0 up" for at in range(len(pids)))
        rules = "\n".join(f"tcp dport {10000 + at} dnat to {_address(at)}:80" for at in range(len(pids)))
        subprocess.run(["nft", "-f", "-"], input=(_RULES % rules).encode(), check=True)
        here = os.open("/proc/self/ns/net", os.O_RDONLY)
        try:
            for at, pid in enumerate(pids):
                self._furnish(pid, _address(at))
        finally:
            check(_libc.setns(here, TYPES["net"]), "setns")
            os.close(here)

    def _furnish(self, pid: int, address: str) -> None:
        there = os.open("/proc/%d/ns/net" % pid, os.O_RDONLY)
        check(_libc.setns(there, TYPES["net"]), "setns")
        os.close(there)
        _batch([
            "link set lo up", f"addr add {address}/16 dev eth0", "link set eth0 up", "route add default via 10.9.0.1",
        ])
        listener = socket.socket()
        listener.bind(("0.0.0.0", 80))
        listener.listen(16)
        self._listeners.append(listener)


def _address(at: int) -> str:
    return "10.9.%d.%d" % (1 + at // 250, 1 + at % 250)


def _batch(lines: Iterable[str]) -> None:
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines).encode(), check=True)


def _in_other_networks(count: int) -> list[int]:
    """The processes of the population that have a network of their own."""
    own = os.readlink("/proc/self/ns/net")
    members = subprocess.run(["ps", "-eo", "pid,args"], stdout=subprocess.PIPE, check=True).stdout.decode()
    pids = [int(line.split()[0]) for line in members.splitlines() if "population.py" in line]
    found = [pid for pid in pids if os.readlink("/proc/%d/ns/net" % pid) != own]
    if len(found) != count:
        raise RuntimeError(f"{len(found)} networks instead of {count}")
    return found

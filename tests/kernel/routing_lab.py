# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of addresses, routes, rules and neighbours build with iproute2, and what it then says of it.

To be called in a child of the test that has a network namespace of its own (fixture ``in_child``).
"""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from typing import Any

from ansible_collections.nsfleet.linux.plugins.module_utils._network.look import Look

SECONDS = 20


def run(lines: str) -> None:
    """Run commands, one a line, until one fails."""
    for line in lines.strip().splitlines():
        subprocess.run(shlex.split(line), check=True, timeout=SECONDS)


def batch(lines: list[str], *options: str) -> None:
    """Many commands in one ip(8)."""
    subprocess.run(["ip", *options, "-batch", "-"], input="\n".join(lines), encoding="ascii", check=True,
                   timeout=SECONDS)


def ask(line: str) -> list[dict[str, Any]]:
    """The rows of a command that prints JSON."""
    told = subprocess.run(shlex.split(line), stdout=subprocess.PIPE, check=True, timeout=SECONDS).stdout
    return [row for row in json.loads(told or b"[]") if row]


def sysctl(name: str, value: object) -> None:
    """Set net/NAME of the namespace that we are in."""
    with open("/proc/sys/net/" + name, "w", encoding="ascii") as stream:
        stream.write(str(value))


def look(most: int = 10_000) -> Look:
    """A look into the namespace that we are in, which knows its links' names."""
    found = Look(most, time.monotonic() + SECONDS)
    found.names = {row["ifindex"]: row["ifname"] for row in ask("ip -j link show")}
    return found


def link(*addresses: str) -> None:
    """The veth pair near and far, up, both ends here; near has the addresses, and IPv6 no random state in it."""
    run("ip link set lo up\nip link add near type veth peer name far")
    for name in ("near", "far"):
        # No autoconfiguration: what appears by itself would appear between two looks.
        sysctl("ipv6/conf/%s/accept_dad" % name, 0)
        sysctl("ipv6/conf/%s/addr_gen_mode" % name, 1)
        run("ip link set %s up" % name)
    for address in addresses:
        run("ip address add %s dev near" % address)


def whole(address: str) -> str:
    """An address as the network that has only it."""
    return address if "/" in address else "%s/%d" % (address, 128 if ":" in address else 32)

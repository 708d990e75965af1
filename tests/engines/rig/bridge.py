# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bridge of our own on a network that nobody here uses."""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess

from rig.programs import program
from rig.supervisor import Supervisor

# RFC 2544: for tests, and nobody's real network.
RANGE = ipaddress.IPv4Network("198.18.0.0/15")


class Bridge:
    """A bridge link with an address, gone when the supervisor is. ``letter`` tells several of one run apart."""

    def __init__(self, supervisor: Supervisor, letter: str) -> None:
        # A link's name has 15 bytes.
        self.name = f"nsft{supervisor.token[-8:]}{letter}"
        self.network = free_network()
        self._supervisor = supervisor

    def claim(self) -> Bridge:
        """Have the link removed at the end, whoever makes it."""
        self._supervisor.at_the_end(program("ip", "iproute2"), "link", "delete", self.name)
        return self

    def make(self) -> Bridge:
        """Make the link."""
        self.claim()
        ip = program("ip", "iproute2")
        self._supervisor.run(ip, "link", "add", self.name, "type", "bridge")
        self._supervisor.run(ip, "address", "add", f"{self.network[1]}/{self.network.prefixlen}", "dev", self.name)
        self._supervisor.run(ip, "link", "set", self.name, "up")
        return self


def free_network() -> ipaddress.IPv4Network:
    """A /24 to which there is no route yet."""
    used = _routes()
    networks = list(RANGE.subnets(new_prefix=24))
    first = int.from_bytes(os.urandom(2), "big") % len(networks)
    return next(
        network for network in networks[first:] + networks[:first] if not any(network.overlaps(other) for other in used)
    )


def _routes() -> list[ipaddress.IPv4Network]:
    listed = subprocess.run(
        [program("ip", "iproute2"), "-json", "-4", "route", "show", "table", "all"],
        capture_output=True,
        check=True,
        timeout=20,
    ).stdout
    return [ipaddress.IPv4Network(route["dst"]) for route in json.loads(listed) if route["dst"] != "default"]

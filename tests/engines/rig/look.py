# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts of a machine's networks, gathered inside of it again and again by one process."""

from __future__ import annotations

import json
import sys
from typing import Any

from rig.machine import Machine

from ansible_collections.nsfleet.linux.plugins.module_utils._facts import Request
from ansible_collections.nsfleet.linux.plugins.module_utils._facts_network import gather_networks

SUBSETS = ("namespaces", "containers", "network")


class Look:
    """Ask it for the facts of now."""

    def __init__(self, machine: Machine) -> None:
        self._process = machine.process("-m", "rig.look")

    def __call__(self) -> dict[str, Any]:
        """What ns_facts returns."""
        if self._process.stdin is None or self._process.stdout is None:
            raise ValueError("not connected")
        self._process.stdin.write("look\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=20)


def main() -> None:
    """Gather once for each line that comes."""
    for dummy in sys.stdin:
        print(json.dumps(gather_networks(Request(gather_subset=SUBSETS))), flush=True)


if __name__ == "__main__":
    main()

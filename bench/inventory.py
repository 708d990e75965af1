# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory beside C(lsns -J), in one run, in turns.

    python3 bench/inventory.py                              # about three minutes; needs root
    python3 bench/inventory.py --write docs/performance.md

The lsns that is measured is the one in PATH; C(LSNS=/path/to/lsns) names another one.
"""
from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

import page
from population import Population

PROCESSES = (200, 1000, 5000)
NAMESPACES = (10, 100, 600)
LSNS = os.environ.get("LSNS", "lsns")
LOOKS: dict[str, dict[str, Any]] = {
    "one": {"gather_subset": ["namespaces"], "scan": ["processes"]},
    "all": {"gather_subset": ["namespaces"]},
    "default": {},
}
_ONE_LOOK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "one_look.py")


def lsns() -> tuple[float, int]:
    """Seconds of one run, and how many namespaces it found.

    It prints nothing when a process ends while it looks (util-linux issue 2799): then it is run again.
    """
    for _attempt in range(200):
        before = time.perf_counter()
        done = subprocess.run([LSNS, "-J"], capture_output=True, check=False)
        seconds = time.perf_counter() - before
        try:
            return seconds, len(json.loads(done.stdout)["namespaces"])
        except ValueError:
            continue
    raise SystemExit(f"{LSNS} printed no list in 200 attempts: {done.stderr!r}")


def look(options: dict[str, Any]) -> dict[str, Any]:
    """One look in an interpreter of its own."""
    command = [sys.executable, "-I", _ONE_LOOK, json.dumps(options)]
    answer: dict[str, Any] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return answer


def compare(rounds: int) -> dict[str, list[float]]:
    """lsns before each of our looks: A B A C A D, so that each ratio is of neighbours."""
    found: dict[str, list[float]] = {}

    def note(key: str, value: float) -> None:
        found.setdefault(key, []).append(value)

    # The first look at a process makes the kernel's records of its files in /proc, for whoever comes first.
    lsns()
    look(LOOKS["all"])
    for _round in range(rounds):
        for name, options in LOOKS.items():
            seconds, count = lsns()
            mine = look(options)
            note("lsns", seconds)
            note("lsns found", count)
            note(name, mine["inside"])
            note(name + " ratio", seconds / mine["inside"])
            note(name + " found", mine["namespaces"])
            note(name + " peak", mine["peak"])
    return found


def measure(quick: bool) -> str:
    """The table."""
    version = subprocess.run([LSNS, "--version"], stdout=subprocess.PIPE, check=True).stdout.decode().split()[-1]
    rows = []
    for processes in PROCESSES:
        for namespaces in NAMESPACES:
            with Population(processes, namespaces):
                found = compare(1 if quick else 9 if processes > 1000 else 15)
            rows.append([
                "%d / %d" % (processes, namespaces),
                page.milliseconds(found["lsns"]),
                *[cell for name in LOOKS for cell in
                  (page.milliseconds(found[name]), "{:.1f}x".format(page.median(found[name + " ratio"])))],
                "%d / %d" % (page.median(found["lsns found"]), page.median(found["all found"])),
                "%.0f MB" % (max(found["default peak"]) / 1024),
            ])
            print(" ".join(rows[-1]), file=sys.stderr, flush=True)
    head = ["processes / namespaces added", "`lsns -J` " + version, "`scan: [processes]`", "faster",
            "all sources", "faster", "and containers (default)", "faster", "found by lsns / us", "peak"]
    return page.table(head, rows)


if __name__ == "__main__":
    page.command_line("The inventory beside lsns -J.", "inventory", measure)

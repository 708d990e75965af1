# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts of network namespaces beside nsenter with ip, bridge, ss, nft and sysctl in each of them, in turns.

    python3 bench/network.py

Of ours two things are told, each divided by the number of networks: what the subset C(network) adds to a look, and the
whole look, which has to find the namespaces and the containers first, and writes JSON.
"""
from __future__ import annotations

import os
import subprocess
import time

import page
from page import median
from wired import Wired

from inventory import look

COUNTS = (10, 100, 500)
_OPTIONS = {"gather_subset": ["network"], "timeout": 300}
_WITHOUT = {"gather_subset": ["containers"], "timeout": 300}
_SAMPLE = 10  # namespaces that the tools look at in a round
# What we tell, asked of the tools that tell it.
_TOOLS = """
ip -j -d link; ip -j address
ip -4 -j -d route show table all; ip -6 -j -d route show table all
ip -4 -j -d rule; ip -6 -j -d rule
ip -j neighbour; bridge -j fdb
ss -Hanpe -t -u -w -0; ss -Hlxpe; ss -s
nft -j list ruleset
sysctl -a --pattern '^net\\.(ipv4|ipv6|core|netfilter)\\.'
"""


def tools(pids: list[int]) -> tuple[float, float]:
    """Seconds, and seconds of CPU, for each namespace."""
    before, used = time.perf_counter(), os.times()
    for pid in pids:
        subprocess.run(["nsenter", "--net=/proc/%d/ns/net" % pid, "sh", "-c", _TOOLS], check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds, after = time.perf_counter() - before, os.times()
    return seconds / len(pids), (after[2] + after[3] - used[2] - used[3]) / len(pids)


def compare(pids: list[int], rounds: int) -> dict[str, list[float]]:
    """Seconds for each network: the tools, ours before and after, and ours without the subset."""
    found: dict[str, list[float]] = {}

    def note(key: str, value: float) -> None:
        found.setdefault(key, []).append(value)

    look(_OPTIONS)
    for turn in range(rounds):
        theirs, theirs_cpu = tools([pids[(turn * _SAMPLE + at) % len(pids)] for at in range(_SAMPLE)])
        mine, without = look(_OPTIONS), look(_WITHOUT)
        count = mine["networks"]
        if count < len(pids):
            raise SystemExit(f"only {count} of {len(pids)} networks were seen: {mine['problems']}")
        note("tools", theirs)
        note("tools cpu", theirs_cpu)
        note("all", mine["inside"] / count)
        note("cpu", mine["cpu"] / count)
        note("part", (mine["inside"] - without["inside"]) / count)
        note("ratio of all", theirs * count / mine["inside"])
        note("ratio", theirs * count / (mine["inside"] - without["inside"]))
        note("peak", mine["peak"])
    return found


def measure(quick: bool) -> str:
    """The table."""
    rows = []
    for count in COUNTS:
        with Wired(count) as pids:
            found = compare(pids, 1 if quick else 9)
        rows.append([
            str(count), "%.0f ms" % (median(found["tools"]) * 1000),
            "%.2f ms" % (median(found["part"]) * 1000), "%.0fx" % median(found["ratio"]),
            "%.2f ms" % (median(found["all"]) * 1000), "%.0fx" % median(found["ratio of all"]),
            "%.0f ms" % (median(found["tools cpu"]) * 1000), "%.2f ms" % (median(found["cpu"]) * 1000),
            "%.0f MB" % (max(found["peak"]) / 1024),
        ])
    head = [
        "network namespaces", "nsenter and tools", "`network`", "faster", "with finding them", "faster", "CPU of tools",
        "CPU of ours", "peak",
    ]
    return page.table(head, rows)


if __name__ == "__main__":
    page.command_line("Facts of networks beside nsenter and tools.", "network", measure)

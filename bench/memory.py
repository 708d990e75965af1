# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The most memory that ns_facts takes on a managed host, as it is shipped and run there, everything included.

    python3 bench/memory.py
"""
from __future__ import annotations

import subprocess
import sys
import tempfile
from typing import Sequence

import page
from ansible_here import shipped
from population import Population

# What is asked for in DESIGN.md is the second one.
CASES: tuple[tuple[str, int, int, Sequence[str]], ...] = (
    ("this machine as it is", 0, 0, ()),
    ("500 network namespaces, a process each", 600, 500, ("net",)),
    ("5,000 processes, 600 namespaces", 5000, 600, ()),
)
# The shipped file in the same interpreter, then the kernel's note of the most it had.
_RUN = """
import runpy, sys
path = sys.argv.pop()  # an argument would make the shipped file unpack itself only
try:
    runpy.run_path(path, run_name="__main__")
except SystemExit as end:
    if end.code:
        raise
for line in open("/proc/self/status"):
    if line.startswith("VmHWM:"):
        print(line.split()[1], file=sys.stderr)
"""


def peak(path: str) -> int:
    """KiB."""
    command = [sys.executable, "-c", _RUN, path]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)
    return int(done.stderr.split()[-1])


def measure(quick: bool) -> str:
    """The table."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        files = [shipped(module, folder) for module in ("ansible.builtin.ping", "nsfleet.linux.ns_facts")]
        for what, processes, namespaces, types in CASES:
            if processes:
                with Population(processes, namespaces, types):
                    peaks = [peak(path) for path in files]
            else:
                peaks = [peak(path) for path in files]
            rows.append([what, *["%.1f MB" % (value / 1024) for value in peaks]])
    return page.table(["peak memory", "`ping`", "`ns_facts`"], rows)


if __name__ == "__main__":
    page.command_line("The most memory that ns_facts takes.", "memory", measure)

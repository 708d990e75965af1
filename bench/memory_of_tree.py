# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The most memory that a command has, by itself and together with its descendants, looked at fifty times a second."""
from __future__ import annotations

import glob
import subprocess
import time
from typing import Sequence

_PAUSE = 0.02  # seconds


def peak(command: Sequence[str]) -> tuple[int, int]:
    """KiB: the most that its own process had, and the most that all had at one time, what they share counted once."""
    alone = together = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            alone = max(alone, _of(process.pid, "status", "VmHWM:"))
            together = max(together, sum(_of(pid, "smaps_rollup", "Pss:") for pid in _tree(process.pid)))
            time.sleep(_PAUSE)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return alone, together


def _tree(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        for path in glob.glob(f"/proc/{one}/task/*/children"):
            try:
                with open(path, encoding="ascii") as file:
                    found += [int(child) for child in file.read().split()]
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


def _of(pid: int, name: str, key: str) -> int:
    try:
        with open(f"/proc/{pid}/{name}", encoding="ascii", errors="replace") as file:
            return next((int(line.split()[1]) for line in file if line.startswith(key)), 0)
    except (FileNotFoundError, ProcessLookupError):
        return 0

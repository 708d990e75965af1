# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel itself says of a process: read here without any of the collection's code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Mapping

from rig.waiting import until

TYPES = ("mnt", "uts", "ipc", "pid", "net", "user", "cgroup", "time")
CAP_NET_ADMIN = 12


def namespaces(pid: int) -> dict[str, str]:
    """The namespaces of a process as its links in /proc name them."""
    return {
        type_: os.readlink(f"/proc/{pid}/ns/{type_}") for type_ in TYPES if os.path.lexists(f"/proc/{pid}/ns/{type_}")
    }


def host_namespaces() -> dict[str, str]:
    """Those of process 1, or of kthreadd where process 1's are refused even to root."""
    try:
        return namespaces(1)
    except PermissionError:
        if Path("/proc/2/comm").read_text().strip() != "kthreadd":
            raise
        return namespaces(2)


def shared_with_host(pid: int) -> set[str]:
    """The types in which a process is where the host is."""
    host = host_namespaces()
    return {type_ for type_, name in namespaces(pid).items() if host[type_] == name}


def shared_among(pids: Mapping[str, int], identity: str) -> dict[str, set[str]]:
    """For one of these processes: with which others it shares a namespace that is not the host's."""
    host = host_namespaces()
    links = {other: namespaces(pid) for other, pid in pids.items()}
    found: dict[str, set[str]] = {}
    for type_, name in links[identity].items():
        others = {other for other, theirs in links.items() if other != identity and theirs[type_] == name}
        if others and name != host[type_]:
            found[type_] = others
    return found


def start_time(pid: int) -> int:
    """When a process started, in clock ticks since boot (proc(5), field 22 of stat)."""
    stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    return int(stat[stat.rindex(")") + 2 :].split(" ")[19])


def status(pid: int) -> dict[str, str]:
    """/proc/PID/status as a mapping."""
    return dict(
        line.split(":\t", 1)
        for line in Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
        if ":\t" in line
    )


def cgroups(pid: int) -> set[str]:
    """The cgroups of a process, of all hierarchies, each as a path in its hierarchy."""
    return {line.split(":", 2)[2] for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()}


def children(pid: int) -> list[int]:
    """The children of a process."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def running(command: str, below: int) -> int:
    """The process that executes this command line, this one or one below it; waits until it is there."""

    def look() -> int:
        tree = [below]
        for pid in tree:
            try:
                if runs(pid, command):
                    return pid
                tree += children(pid)
            except OSError:
                continue
        return 0

    return until(look, f"nothing below {below} runs {command}")


def runs(pid: int, command: str) -> bool:
    """Whether a process executes this command line."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0") == command.split(
        " "
    )


def parent(pid: int) -> int:
    """The parent of a process."""
    return int(status(pid)["PPid"])


def own_capabilities() -> int:
    """The capabilities that we could hand on, as a mask."""
    return int(status(os.getpid())["CapBnd"], 16) & int(status(os.getpid())["CapPrm"], 16)

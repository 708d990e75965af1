# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removes what engines leave behind when they are killed: processes, cgroups, mounts, state outside of their folder."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

SECONDS = 20.0
# Cgroups that an engine makes for one container or pod, or that have the tests' name: never one that others share.
OURS = re.compile(r"(libpod-)?(conmon-)?[0-9a-f]{64}(\.scope)?|.*nsft-.*")


def end_descendants() -> list[str]:
    """Kill all processes below this one, remove their cgroups, and return their command names."""
    names: dict[int, str] = {}
    cgroups: set[Path] = set()
    sockets: set[Path] = set()
    own = _cgroups_of("self")
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        living = _descendants(os.getpid())
        if not living:
            break
        for pid in living:
            if pid not in names:
                names[pid] = living[pid]
                sockets |= _sockets_of_shim(pid)
            theirs = _cgroups_of(str(pid)) - own
            cgroups |= theirs
            for cgroup in theirs:
                _thaw(cgroup)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.01)
        _reap()
    for cgroup in cgroups:
        remove_cgroup(cgroup)
    for path in sockets:
        path.unlink(missing_ok=True)
    return sorted(names.values())


def remove_cgroup(cgroup: Path) -> None:
    """Remove an empty cgroup with what is below it and with the parents that are ours alone."""
    deadline = time.monotonic() + 2
    # The kernel lets the last process go a moment after it was reaped.
    while cgroup.exists() and time.monotonic() < deadline:
        for folder, _dummy_folders, _dummy_files in os.walk(cgroup, topdown=False):
            _rmdir(Path(folder))
        time.sleep(0.01)
    while OURS.fullmatch(cgroup.parent.name) and _rmdir(cgroup.parent):
        cgroup = cgroup.parent


def remove_files(root: Path) -> None:
    """Remove the engines' folder, what is mounted below it, and what belongs to it in folders that engines share."""
    for hierarchy in set(hierarchies().values()):
        for cgroup in hierarchy.glob(f"{root.name}*"):
            remove_cgroup(cgroup)
    for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
        where = line.split(" ")[4]
        if where.startswith(f"{root}/"):
            subprocess.run(["umount", "-l", where], check=False, stderr=subprocess.DEVNULL)
    # runc's own root is neither podman's to choose nor containerd's.
    for state in [*Path("/run/runc").glob("*/state.json"), *Path("/run/containerd/runc").glob("*/*/state.json")]:
        try:
            if f"{root}/" in state.read_text():
                shutil.rmtree(state.parent, ignore_errors=True)
        except OSError:
            continue
    for namespace in Path("/run/containerd/runc").glob(f"{root.name}*"):
        _rmdir(namespace)
    shutil.rmtree(f"/run/lxc/lock{root}", ignore_errors=True)
    shutil.rmtree(root, ignore_errors=True)


def hierarchies() -> dict[str, Path]:
    """Where each cgroup hierarchy is mounted; the key of version 2 is ''."""
    found: dict[str, Path] = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, rest = (part.split(" ") for part in line.split(" - ", 1))
        if rest[0] == "cgroup2":
            found.setdefault("", Path(fields[4]))
        elif rest[0] == "cgroup":
            for option in rest[2].split(","):
                found.setdefault(option, Path(fields[4]))
    return found


def _cgroups_of(pid: str) -> set[Path]:
    mounted = hierarchies()
    found = set()
    try:
        lines = Path("/proc", pid, "cgroup").read_text().splitlines()
    except OSError:
        return set()
    for line in lines:
        dummy_number, controllers, path = line.split(":", 2)
        mount = mounted.get(controllers.split(",")[0])
        if mount and any(OURS.fullmatch(part) for part in path.split("/")):
            found.add(mount / path.strip("/"))
    return found


def _sockets_of_shim(pid: int) -> set[Path]:
    """Where a shim of containerd's listens: in a folder of all containerds, under a name made of its arguments."""
    try:
        arguments = Path("/proc", str(pid), "cmdline").read_text().split("\0")
    except OSError:
        return set()
    if "containerd-shim" not in arguments[0]:
        return set()
    given = dict(zip(arguments, arguments[1:]))
    address = "/".join(given.get(option, "") for option in ("-address", "-namespace", "-id"))
    return {Path("/run/containerd/s", hashlib.sha256(address.encode()).hexdigest())}


def _thaw(cgroup: Path) -> None:
    # A process that is frozen by version 1 does not die before it is thawed.
    try:
        if (cgroup / "freezer.state").read_text().strip() != "THAWED":
            (cgroup / "freezer.state").write_text("THAWED")
    except OSError:
        pass


def _descendants(pid: int) -> dict[int, str]:
    parents: dict[int, int] = {}
    names: dict[int, str] = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            stat = Path("/proc", entry, "stat").read_text(errors="replace")
        except OSError:
            continue
        state, parent = stat[stat.rindex(")") + 2 :].split(" ")[:2]
        if state not in "ZX":
            parents[int(entry)] = int(parent)
            names[int(entry)] = stat[stat.index("(") + 1 : stat.rindex(")")]
    below: set[int] = {pid}
    while True:
        more = {child for child, parent in parents.items() if parent in below} - below
        if not more:
            break
        below |= more
    return {child: names[child] for child in below - {pid} if child in names}


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _rmdir(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:
        return False
    return True

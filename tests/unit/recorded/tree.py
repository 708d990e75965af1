# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A recorded /proc below one folder, made of what the discovery reads: links of namespaces, stat, tables, mounts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.nsfleet.linux.plugins.module_utils._discover import inventory
from ansible_collections.nsfleet.linux.plugins.module_utils._discover.scan import (
    SOURCES,
    Clock,
    Scan,
    mark_initial,
    own_names,
)
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.proc import Proc
from ansible_collections.nsfleet.linux.plugins.module_utils._model.inventory import TYPES, Problems

# include/uapi/linux/nsfs.h; the numbers of net and mnt are fixed since Linux 6.18.
FIXED = {
    "ipc": 0xEFFFFFFF, "uts": 0xEFFFFFFE, "user": 0xEFFFFFFD, "pid": 0xEFFFFFFC,
    "cgroup": 0xEFFFFFFB, "time": 0xEFFFFFFA, "net": 0xEFFFFFF9, "mnt": 0xEFFFFFF8,
}
# Before, both got the first number that was free.
OLDER = {**FIXED, "net": 4026531840, "mnt": 4026531841}


class Tree:
    """Processes of a host; each is in the namespaces of ``initial`` but for what is said of it."""

    def __init__(self, root: Path, initial: dict[str, int]) -> None:
        self.root = root
        self.initial = initial
        root.mkdir()

    def process(
        self, pid: int, comm: str = "sleep", start: int | None = None, *, threads: int = 1, kernel: bool = False,
        state: str = "S", **inodes: int | None,
    ) -> Path:
        """A process. ``inodes``: of the namespaces that are its own, by link; None for a link that is not there."""
        folder = self.root / str(pid)
        self.links(folder, inodes)
        flags = 0x200000 if kernel else 0x400100
        tail = f"{state} 1 1 1 0 -1 {flags} 0 0 0 0 0 0 0 0 20 0 {threads} 0 {pid if start is None else start} 0 0"
        (folder / "stat").write_text(f"{pid} ({comm}) {tail}\n")
        (folder / "cgroup").write_text("0::/\n")
        (folder / "status").write_text(f"Name:\t{comm}\nUid:\t0\t1000\t0\t0\n")
        (folder / "mountinfo").write_text("27 1 8:1 / / rw - ext4 /dev/sda1 rw\n")
        (folder / "cmdline").write_bytes(comm.encode() + b"\0--flag\0")
        (folder / "fd").mkdir()
        return folder

    def thread(self, pid: int, tid: int, **inodes: int | None) -> None:
        """A thread; the process must have been told how many it has."""
        self.links(self.root / str(pid) / "task" / str(tid), inodes)

    def descriptor(self, pid: int, number: int, target: str) -> None:
        """An open descriptor."""
        (self.root / str(pid) / "fd" / str(number)).symlink_to(target)

    def mount(self, pid: int, namespace: str, path: str) -> None:
        """A bind mount of a namespace, seen by a process."""
        with open(self.root / str(pid) / "mountinfo", "a") as stream:
            stream.write(f"430 27 0:4 {namespace} {path} rw shared:9 - nsfs nsfs rw\n")

    def caller(self, pid: int) -> None:
        """The process that reads this /proc."""
        (self.root / "self").symlink_to(str(pid))

    def links(self, folder: Path, inodes: dict[str, int | None]) -> None:
        """The folder ns of a task, with the two links for children as Linux writes them for one that has none yet."""
        (folder / "ns").mkdir(parents=True)
        shown: dict[str, int | None] = {**self.initial, **inodes}
        for link in ("pid_for_children", "time_for_children"):
            shown.setdefault(link, shown[link.split("_", maxsplit=1)[0]])
        for link, inode in shown.items():
            if inode is not None:
                (folder / "ns" / link).symlink_to(f"{link.split('_')[0]}:[{inode}]")

    def scan(self, sources: Any = SOURCES, max_entries: int = 500, timeout: float = 30.0) -> Scan:
        """What the discovery makes of it."""
        scan = Scan(Proc(str(self.root)), Problems(), Clock(timeout), max_entries, live=False)
        own = self.own()
        inventory.take(scan, sources, own.get("mnt", ""), True, True)
        mark_initial(scan, own)
        return scan

    def own(self) -> dict[str, str]:
        """The caller's namespaces."""
        return own_names(Proc(str(self.root)))

    def name(self, kind: str) -> str:
        """The initial namespace of a type."""
        assert kind in TYPES
        return f"{kind}:[{self.initial[kind]}]"

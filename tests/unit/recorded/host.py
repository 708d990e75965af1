# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A recorded host: a /proc and the files of a disk below one folder, written as the kernel and the engines write them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible_collections.nsfleet.linux.plugins.module_utils._engines import attribute
from ansible_collections.nsfleet.linux.plugins.module_utils._engines.view import View
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.proc import Proc
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.reader import FileReader
from ansible_collections.nsfleet.linux.plugins.module_utils._model.inventory import TYPES, Container, Problems, Process

HOST = dict(zip(TYPES, range(4026531832, 4026531840)))
ROOT_MOUNT = "27 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
CONTROLLERS = "name=systemd pids blkio freezer devices memory cpuset cpuacct cpu".split()
HYBRID_MOUNTS = (
    "38 31 0:33 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
)
UNIFIED_MOUNTS = "41 31 0:38 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime - cgroup2 cgroup2 rw,nsdelegate\n"
STATUS = """Name:\t%(comm)s
Umask:\t0022
State:\tS (sleeping)
Pid:\t%(pid)d
PPid:\t%(ppid)d
Uid:\t%(uid)d\t%(uid)d\t%(uid)d\t%(uid)d
Gid:\t%(gid)d\t%(gid)d\t%(gid)d\t%(gid)d
CapInh:\t0000000000000000
CapPrm:\t%(capabilities)s
CapEff:\t%(capabilities)s
CapBnd:\t%(capabilities)s
CapAmb:\t0000000000000000
NoNewPrivs:\t0
Seccomp:\t%(seccomp)d
Seccomp_filters:\t%(seccomp)d
"""
# Somebody who is not root, and to whom the tests can give files.
USER = os.getuid() or 1000
DOCKER_CAPABILITIES = "00000000a80425fb"


def unified(path: str) -> str:
    """/proc/PID/cgroup of a host with version 2 only."""
    return f"0::{path}\n"


def hybrid(path: str, unified_path: str | None = None) -> str:
    """/proc/PID/cgroup of a host with version 1, and version 2 beside it."""
    rows = [f"{9 - number}:{name}:{path}" for number, name in enumerate(CONTROLLERS)]
    return "\n".join([*rows, f"0::{path if unified_path is None else unified_path}"]) + "\n"


def legacy(path: str) -> str:
    """/proc/PID/cgroup of a host with version 1 only, controllers mounted together as systemd does."""
    names = ("name=systemd", "cpu,cpuacct", "memory", "freezer", "net_cls,net_prio", "pids")
    return "".join(f"{12 - number}:{name}:{path}\n" for number, name in enumerate(names))


class Host:
    """Processes and files, and what the engines' layer makes of them."""

    def __init__(self, root: Path, mounts: str = HYBRID_MOUNTS) -> None:
        self.root = root
        self.problems = Problems()
        self.pid_parents: dict[str, str] = {}
        self._next = 4026532000
        self.process(1, 0, "systemd", cgroup=unified("/init.scope"), start=1)
        self.file("/proc/self/mountinfo", ROOT_MOUNT + mounts)

    def file(self, path: str, content: str | bytes | dict[str, Any] | list[Any]) -> Path:
        """Write a file; data is written as JSON as Go does, without blanks."""
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, (dict, list)):
            content = json.dumps(content, separators=(",", ":"))
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
        return target

    def namespaces(self, *types: str) -> dict[str, int]:
        """New namespaces of these types."""
        found = {}
        for kind in types:
            self._next += 1
            found[kind] = self._next
        return found

    def process(
        self,
        pid: int,
        ppid: int,
        comm: str = "sleep",
        cgroup: str = "0::/\n",
        own: dict[str, int] | None = None,
        *,
        start: int | None = None,
        arguments: list[str] | None = None,
        uid: int = 0,
        gid: int | None = None,
        cwd: str = "/",
        root_mount: str | None = None,
        seccomp: int = 0,
        capabilities: str = "000001ffffffffff",
        label: str | None = None,
        kernel: bool = False,
    ) -> int:
        """A process; ``own``: the inodes of the namespaces in which it is not on the host."""
        folder = self.root / "proc" / str(pid)
        (folder / "ns").mkdir(parents=True)
        (folder / "attr").mkdir()
        flags = 0x200000 if kernel else 0x400100
        started = pid * 10 if start is None else start
        fields = f"S {ppid} {pid} {pid} 0 -1 {flags} 0 0 0 0 0 0 0 0 20 0 1 0 {started} 0 0"
        (folder / "stat").write_bytes(f"{pid} ({comm}) {fields}\n".encode())
        values = dict(comm=comm, pid=pid, ppid=ppid, uid=uid, gid=uid if gid is None else gid, seccomp=seccomp,
                      capabilities=capabilities)
        (folder / "status").write_bytes((STATUS % values).encode())
        (folder / "cgroup").write_bytes(cgroup.encode("utf-8", "surrogateescape"))
        words = [comm] if arguments is None else arguments
        (folder / "cmdline").write_bytes("".join(word + "\0" for word in words).encode("utf-8", "surrogateescape"))
        inside = own is not None and "mnt" in own
        default = "72 48 0:39 / / rw,relatime - overlay overlay rw\n" if inside else ROOT_MOUNT
        (folder / "mountinfo").write_text(default if root_mount is None else root_mount)
        (folder / "cwd").symlink_to(cwd)
        if label is not None:
            (folder / "attr" / "current").write_text(label)
        for kind, inode in {**HOST, **(own or {})}.items():
            (folder / "ns" / kind).symlink_to(f"{kind}:[{inode}]")
        return pid

    def give(self, path: str, uid: int) -> None:
        """All below a folder is that user's. Only root can give away: else choose C(USER)."""
        if os.getuid() == 0:
            for folder, dummy, names in os.walk(self.root / path.lstrip("/")):
                for name in names:
                    os.chown(os.path.join(folder, name), uid, uid)

    def end(self, pid: int) -> None:
        """The process is gone: after the scan and before anybody reads more of it."""
        (self.root / "proc" / str(pid)).rename(self.root / f"gone-{pid}")

    def scan(self) -> dict[int, Process]:
        """The processes as _discover reads them."""
        proc, found = Proc(str(self.root / "proc")), {}
        for pid in proc.pids():
            stat, names = proc.stat(pid), proc.namespaces(pid)[0]
            found[pid] = Process(pid, stat.ppid, stat.start_time, stat.comm, stat.state, stat.threads,
                                 bool(stat.flags & 0x200000), names[:8], proc.cgroup_text(pid))
        return found

    def containers(self, processes: dict[int, Process] | None = None) -> list[Container]:
        """What the layer finds; problems are in ``problems`` afterwards."""
        self.problems = Problems()
        host = tuple(f"{kind}:[{inode}]" for kind, inode in HOST.items())
        with FileReader(str(self.root), timeout=1.0) as files:
            view = View(self.scan() if processes is None else processes, Proc(str(self.root / "proc")), files, host,
                        self.pid_parents, self.problems)
            return attribute.containers(view)

    def container(self) -> Container:
        """The one container there is."""
        found = self.containers()
        assert len(found) == 1, [(entry.engine, entry.id, entry.members) for entry in found]
        return found[0]

    def told(self) -> set[tuple[str, str]]:
        """The problems as (what, reason)."""
        return {(entry["what"], entry["reason"]) for entry in self.problems.as_list()}

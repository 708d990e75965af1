"""Control groups, cgroups(7): where those of a process are, who is in them, freezing and killing them."""

from __future__ import annotations

import errno
import os
from typing import FrozenSet, List, NamedTuple, Optional

from .libc import KernelLacks
from .proc import Cgroup, Proc, text, unescape
from .whole_file import write_whole

_MOST_FOLDERS = 1000  # cgroups below one that are looked at
_MOST_BYTES = 4 << 20


class Hierarchy(NamedTuple):
    """A mounted hierarchy. C(names): controllers or C(name=systemd), none for version 2. C(root): what is mounted."""

    names: FrozenSet[str]
    path: str
    root: str


def hierarchies(proc: Proc) -> List[Hierarchy]:
    """Those that we have mounted, version 2 (also of hybrid hosts) first. Raises OSError."""
    found = []
    for line in proc.mount_lines("self", "mountinfo"):
        head, separator, tail = line.partition(b" - cgroup")
        fields, rest = head.split(b" "), tail.split(b" ")
        if separator and len(fields) > 5 and len(rest) > 2 and rest[0] in (b"", b"2"):
            # No controller is called rw, and whatever else stands there does no harm.
            names = frozenset() if rest[0] else frozenset(text(rest[2]).split(","))
            found.append(Hierarchy(names, text(unescape(fields[4])), text(unescape(fields[3]))))
    return sorted(found, key=lambda each: (bool(each.names), not each.path.startswith("/sys/fs/cgroup")))


def folder_of(cgroup: Cgroup, mounted: List[Hierarchy]) -> Optional[str]:
    """The folder of a cgroup that /proc/PID/cgroup names; None where that is not mounted here or out of our sight."""
    wanted = frozenset(cgroup.controllers.split(",")) if cgroup.controllers else frozenset()
    for each in mounted:
        same = not each.names if not wanted else wanted <= each.names
        # "/..": outside of our cgroup namespace, where there are no names for us.
        if not same or "/.." in each.root or "/.." in cgroup.path:
            continue
        above = each.root.rstrip("/")
        if cgroup.path == each.root or cgroup.path.startswith(above + "/"):
            folder = (each.path + cgroup.path[len(above):]).rstrip("/")
            if os.path.isdir(folder):
                return folder
    return None


def frozen(folder: str, top: str) -> bool:
    """Whether a cgroup of either version, or one above it up to the folder C(top), is frozen or about to be."""
    while folder.startswith(top):
        # Version 1 tells what comes from above too.
        if _read(folder, "freezer.state").strip() in (b"FROZEN", b"FREEZING"):
            return True
        if _read(folder, "cgroup.freeze").strip() == b"1":
            return True
        folder = folder.rpartition("/")[0]
    return False


def top_of(folder: str, mounted: List[Hierarchy]) -> str:
    """Where the hierarchy of a folder is mounted."""
    paths = [each.path for each in mounted if folder == each.path or folder.startswith(each.path + "/")]
    return max(paths, key=len, default=folder)


def add(folder: str, pid: int) -> None:
    """Move a process into a cgroup (0: ourselves). Raises OSError: ESRCH gone, EOPNOTSUPP threaded, EBUSY, EACCES."""
    write_whole(folder + "/cgroup.procs", b"%d" % pid)


def members(folder: str) -> List[int]:
    """The processes in a cgroup and below it, without zombies; none where it is gone.

    One that is outside of our pid namespace (0) is left out.
    """
    found: set[int] = set()
    for each in below(folder):
        found.update(int(pid) for pid in _read(each, "cgroup.procs").split())
    return sorted(found - {0})


def below(folder: str) -> List[str]:
    """A cgroup and those in it, from the outside to the inside; at most 1,000."""
    found = [folder]
    for each in found:
        try:
            with os.scandir(each) as entries:
                found.extend(entry.path for entry in entries if entry.is_dir(follow_symlinks=False))
        except OSError:
            continue
        if len(found) > _MOST_FOLDERS:
            break
    return found


def populated(folder: str) -> bool:
    """Whether there are processes in it or below it (version 2)."""
    return b"populated 0" not in _read(folder, "cgroup.events").split(b"\n")


def kill(folder: str) -> None:
    """SIGKILL to all in it and below, also those that are being made; 5.14. KernelLacks: older."""
    try:
        write_whole(folder + "/cgroup.kill", b"1")
    except FileNotFoundError as error:
        raise KernelLacks("cgroup.kill", "5.14", errno.ENOENT) from error


def freeze(folder: str, stop: bool) -> None:
    """Stop all in it and below, or let them go on; 5.2. It takes a while: see C(is_frozen). KernelLacks: older."""
    try:
        write_whole(folder + "/cgroup.freeze", b"1" if stop else b"0")
    except FileNotFoundError as error:
        raise KernelLacks("cgroup.freeze", "5.2", errno.ENOENT) from error


def is_frozen(folder: str) -> bool:
    """Whether all in it are stopped by now (version 2)."""
    return b"frozen 1" in _read(folder, "cgroup.events").split(b"\n")


def _read(folder: str, name: str) -> bytes:
    try:
        descriptor = os.open(folder + "/" + name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    chunks: List[bytes] = []
    try:
        while sum(map(len, chunks)) < _MOST_BYTES:
            chunk = os.read(descriptor, 65536)
            if not chunk:
                break
            chunks.append(chunk)
    except OSError:  # ENODEV: removed meanwhile
        pass
    finally:
        os.close(descriptor)
    return b"".join(chunks)

"""A namespace that is mounted on our file, but in another mount namespace only: who made it was not where we are."""
from __future__ import annotations

import os
from typing import List, Set, Tuple

from .._kernel import nsfs
from .._kernel.proc import Proc
from .mount_table import Row, mount_id, rows

_MOST = 1000  # mount namespaces that are looked at


def find(path: str, kind: str) -> Tuple[int, int] | None:
    """A descriptor of it, and a process that sees it there; None where nobody does. Processes may come and go."""
    proc = Proc()
    place = _place(os.path.dirname(path))
    known: Set[str] = {os.readlink("/proc/self/ns/mnt")}
    for pid in proc.pids() if place is not None else ():
        try:
            name = os.readlink(proc.path(pid, "ns", "mnt"))
            if name in known:
                continue
            known.add(name)
            if _is_there(rows(proc, pid), path, kind, place):
                return _open(proc.path(pid, "root") + path, kind), pid
        except OSError:
            continue
        if len(known) > _MOST:
            break
    return None


def _place(folder: str) -> Tuple[str, str] | None:
    """Device and directory of the mount by which a folder is reached, and so who else has the same one."""
    try:
        handle = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        number = mount_id(handle)
    finally:
        os.close(handle)
    row = next((each for each in rows(Proc()) if each.number == number), None)
    return None if row is None else (row.device, _within(row, folder))


def _within(row: Row, path: str) -> str:
    """What a path is in the file system that is mounted there."""
    return os.path.normpath("%s/%s" % (row.root, os.path.relpath(path, row.point)))


def _is_there(table: List[Row], path: str, kind: str, place: Tuple[str, str] | None) -> bool:
    """Nothing of theirs is touched before it is known that their folder is ours."""
    numbers = {row.number: row for row in table}
    for row in table:
        if row.point == path and row.fstype == "nsfs" and row.root.startswith(kind + ":["):
            below = numbers.get(row.parent)
            if below is not None and (below.device, _within(below, os.path.dirname(path))) == place:
                return True
    return False


def _open(path: str, kind: str) -> int:
    handle = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(handle).st_dev != os.stat("/proc/self/ns/mnt").st_dev:
            raise FileNotFoundError(path)
        descriptor = os.open("/proc/self/fd/%d" % handle, os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(handle)
    try:
        if nsfs.ns_type(descriptor) == kind:
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    raise FileNotFoundError(path)

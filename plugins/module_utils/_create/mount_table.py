"""The lines of mountinfo that tell what is mounted at a name, and with whom a folder shares what is mounted there."""
from __future__ import annotations

import os
from typing import List, NamedTuple, Sequence

from .._kernel.proc import Proc, text, unescape


class Row(NamedTuple):
    """C(group): the peer group that it belongs to, None where it is not shared. C(root): for a namespace its name."""

    number: int
    parent: int
    device: str
    root: str
    point: str
    group: int | None
    fstype: str


def rows(proc: Proc, pid: object = "self") -> List[Row]:
    """All that a process sees. Raises OSError."""
    found = []
    for line in proc.mount_lines(pid, "mountinfo"):
        fields = line.split(b" ")
        try:
            end = fields.index(b"-", 6)
            groups = [int(each[7:]) for each in fields[6:end] if each.startswith(b"shared:")]
            found.append(Row(
                int(fields[0]), int(fields[1]), text(fields[2]), text(unescape(fields[3])), text(unescape(fields[4])),
                groups[0] if groups else None, text(fields[end + 1])))
        except (ValueError, IndexError):
            continue
    return found


def top(table: Sequence[Row], path: str) -> Row | None:
    """What is mounted at a path, where one finds it; None where nothing is. Others may be below it, or out of reach."""
    try:
        handle = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        number = mount_id(handle)
    finally:
        os.close(handle)
    return next((row for row in table if row.number == number and row.point == path), None)


def mount_id(descriptor: int) -> int | None:
    """The number of the mount by which something was opened; proc(5), fdinfo, Linux 3.15."""
    for line in Proc().read("self", "fdinfo", descriptor).split(b"\n"):
        if line.startswith(b"mnt_id:"):
            return int(line[7:])
    return None


def stacked(table: Sequence[Row], number: int | None) -> int:
    """How many mounts are on one another where the one of that number is in front."""
    numbers = {row.number: row for row in table}
    row = numbers.get(number or 0)
    point, count = row.point if row is not None else "", 0
    while row is not None and row.point == point and count < len(table):
        count += 1
        row = numbers.get(row.parent)
    return count

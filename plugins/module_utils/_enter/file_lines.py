"""What became of each file that was written, as lines."""
from __future__ import annotations

import os
import stat

from .._kernel.fanotify import (
    FAN_ATTRIB,
    FAN_CLOSE_WRITE,
    FAN_CREATE,
    FAN_DELETE,
    FAN_MODIFY,
    FAN_MOVED_FROM,
    FAN_MOVED_TO,
    FAN_ONDIR,
)
from .file_paths import Where
from .plain import plain

_APPEARED = FAN_CREATE | FAN_MOVED_TO
_VANISHED = FAN_DELETE | FAN_MOVED_FROM
_WORDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link", stat.S_IFSOCK: "socket",
          stat.S_IFIFO: "FIFO", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}
_KEEP_CONTENT = (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)
_SET = ", owner, mode, times or attributes set"
_MOST_NAMED = 5  # in a reason


class FileLines:
    """Collects lines of what is gone and what is new, at most C(most) each. C(start): when it began, in ns."""

    def __init__(self, start: int, most: int) -> None:
        self._start = start
        self._most = most
        self._before: dict[str, None] = {}
        self._after: dict[str, None] = {}
        # An overlay marks the directories above what it copies up or hides: as if attributes were set.
        self._marked: dict[str, str] = {}  # lines by path
        self._above: set[str] = set()
        self._unknown: list[str] = []
        self._mapped: list[str] = []

    def judge(self, where: Where, first: int, mask: int, ours: bool) -> int:
        """One name: the first event on it, all of them, and whether it was the command for sure.

        Returns 1 for a file that the command made and that is gone again, else 0.
        """
        status = where.status
        if where.outside and not ours:
            return 0  # somebody else's, elsewhere in a file system that is watched as a whole
        kind = stat.S_IFMT(status.st_mode) if status else stat.S_IFDIR if mask & FAN_ONDIR else stat.S_IFREG
        if where.upper and not (mask & FAN_ATTRIB and where.as_lower):
            self._climb(where.path)
        line = plain("%s %s%s" % (
            _WORDS.get(kind, "file"), where.path, " (outside the target's mounts)" if where.outside else ""
        ))
        before = after = ""
        if status is None:
            # An overlay hides what a lower layer has by a node of its own; whatever comes last, the name is gone.
            if where.copied or (mask & _VANISHED and not first & _APPEARED):
                before = line
            elif first & FAN_CREATE:
                return 1 if not mask & FAN_ONDIR else 0
        elif mask & _APPEARED:
            if where.copied and kind == stat.S_IFDIR:
                return 0  # copied up, as something below it changes
            after = line
            if where.copied or not first & _APPEARED:
                before, after = line, line + ", written"
        elif mask & (_VANISHED | FAN_MODIFY) and (mask & _VANISHED or kind in _KEEP_CONTENT):
            before, after = line, line + ", written"
        elif mask & FAN_ATTRIB:
            before, after = line, line + _SET
            if where.as_lower:
                self._marked[where.path] = line
                return 0
        elif mask & FAN_CLOSE_WRITE and kind == stat.S_IFREG:
            # Opened for writing. What is written through a mapping is no event, but sets the times.
            if max(status.st_mtime_ns, status.st_ctime_ns) >= self._start:
                before, after = line, line + ", written"
            elif where.in_memory and status.st_size:
                self._mapped.append(line)
        if before and len(self._before) <= self._most:
            self._before[before] = None
        if after and len(self._after) <= self._most:
            self._after[after] = None
        if (before or after) and not ours:
            self._unknown.append(line)
        return 0

    def _climb(self, path: str) -> None:
        while path != "/":
            path = os.path.dirname(path)
            if path in self._above:
                return
            self._above.add(path)

    def lines(self) -> tuple[list[str], list[str]]:
        """What is gone and what is new."""
        before, after = list(self._before), list(self._after)
        for path, line in self._marked.items():
            if path not in self._above:
                before.append(line)
                after.append(line + _SET)
        return _cut(before, self._most), _cut(after, self._most)

    def unproven(self, untracked: str | None) -> list[str]:
        """Why some of it may not be so."""
        reasons = []
        if self._unknown:
            reasons.append("written by processes that may not be the command's (%s): %s" % (
                untracked or "", some(self._unknown)))
        if self._mapped:
            reasons.append("opened for writing, and in memory, where no trace shows whether it was written: %s" %
                           some(self._mapped))
        return reasons


def some(lines: list[str]) -> str:
    """The first few of them, in one line."""
    return ", ".join(lines[:_MOST_NAMED]) + (" and %d more" % (len(lines) - _MOST_NAMED)
                                             if len(lines) > _MOST_NAMED else "")


def _cut(lines: list[str], most: int) -> list[str]:
    return lines if len(lines) <= most else lines[:most] + ["and more"]

"""The files written since a time, by their times: for what cannot be watched. By whom they were written is not told.

A file that was removed shows in the times of its directory. Times of status changes (ctime) cannot be set.
"""
from __future__ import annotations

import os
import stat
import time

from .file_places import Place, Single
from .plain import plain

_MOST_LEVELS = 128
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_LINGER = 64  # entries between two looks at the clock


class Walk:
    """Looks at up to C(most) entries of all places until C(until) (of time.monotonic()).

    C(lines) are those changed since C(start) (ns since 1970); C(unproven) says what was not looked at.
    """

    def __init__(self, start: int, most: int, until: float) -> None:
        self.lines: list[str] = []
        self.unproven: list[str] = []
        self._start = start
        self._left = most
        self._most = most
        self._until = until
        self._in_memory = False

    def take(self, place: Place | Single) -> None:
        """Look at one place."""
        try:
            status = os.fstat(place.descriptor)
            self._look(place.point, status)
            if isinstance(place, Place):
                self._in_memory = place.in_memory
                self._descend(place.descriptor, place.point, status.st_dev, 0)
        except TimeoutError as error:
            self._say(str(error.strerror))
        except OSError as error:
            self._say("%s could not be read: %s" % (plain(place.point), error.strerror))

    def _descend(self, folder: int, path: str, device: int, level: int) -> None:
        if level > _MOST_LEVELS:
            self._say("directories more than %d deep" % _MOST_LEVELS)
            return
        with os.scandir(folder) as entries:
            for entry in entries:
                self._left -= 1
                if self._left < 0:
                    raise TimeoutError(0, "more than %d files to look at" % self._most)
                if self._left % _LINGER == 0 and time.monotonic() > self._until:
                    raise TimeoutError(0, "no time was left to look at all files")
                try:
                    status = entry.stat(follow_symlinks=False)
                    if status.st_dev != device:
                        continue  # a mount, which is a place of its own
                    self._look(os.path.join(path, entry.name), status)
                    if stat.S_ISDIR(status.st_mode):
                        below = os.open(entry.name, _DIRECTORY, dir_fd=folder)
                        try:
                            self._descend(below, os.path.join(path, entry.name), device, level + 1)
                        finally:
                            os.close(below)
                except (FileNotFoundError, NotADirectoryError):
                    continue  # removed meanwhile, which its directory shows
                except PermissionError as error:
                    self._say("%s could not be read: %s" % (plain(path), error.strerror))

    def _look(self, path: str, status: os.stat_result) -> None:
        word = {stat.S_IFDIR: "directory", stat.S_IFREG: "file"}.get(stat.S_IFMT(status.st_mode))
        if max(status.st_ctime_ns, status.st_mtime_ns if word == "file" else 0) >= self._start:
            # A device, FIFO or socket has its times set by mere use of it.
            if word or stat.S_ISLNK(status.st_mode):
                self.lines.append(plain("%s %s, written" % (word or "link", path)))
        elif self._in_memory and word == "file" and status.st_size:
            self._say("files in memory may be written through a mapping without a trace")

    def _say(self, reason: str) -> None:
        if reason not in self.unproven:
            self.unproven.append(reason)

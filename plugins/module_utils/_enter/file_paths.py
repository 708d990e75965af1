"""From what the kernel tells of a file to the name that the target has for it."""
from __future__ import annotations

import os
import stat
import time
from typing import Iterable, Iterator, NamedTuple, Optional

from .._kernel.fanotify import open_handle
from .file_marks import FileMarks
from .file_places import Place


class Where(NamedTuple):
    """A name and what is there now. C(copied): an overlay has it from a lower layer, so that it was there before.

    C(upper): it lies in the upper directory of an overlay; C(as_lower): a directory there with the mode and owner that
    it has in the lower layers. C(outside): none of the target's mounts has it; the path is not the target's then.
    """

    path: str
    status: Optional[os.stat_result]
    copied: bool
    in_memory: bool
    outside: bool = False
    upper: bool = False
    as_lower: bool = False


class Paths:
    """Looks names up until C(until) (of time.monotonic()), then no more; C(unproven) says so."""

    def __init__(self, marks: FileMarks, until: float) -> None:
        self._marks = marks
        self._until = until
        self.unproven: list[str] = []
        self._folder = -1
        self._base = ""
        self._outside = self._outside_folder = False
        self._place: Place | None = None

    def folders(self, keys: Iterable[tuple[bytes, bytes | None, bytes]]) \
            -> Iterator[tuple[bytes, bytes | None, list[bytes], bool]]:
        """The keys by folder, which is the current one meanwhile; false for one that is gone."""
        grouped: dict[tuple[bytes, bytes | None], list[bytes]] = {}
        for fsid, folder, name in keys:
            grouped.setdefault((fsid, folder), []).append(name)
        for (fsid, folder), names in grouped.items():
            if time.monotonic() > self._until:
                self.unproven.append("no time was left to look at all that was written")
                return
            if folder is None:
                yield fsid, folder, names, True
            elif self._open(fsid, folder):
                try:
                    yield fsid, folder, names, True
                finally:
                    os.close(self._folder)
            else:
                yield fsid, folder, names, False

    def is_single(self, fsid: bytes, handle: bytes | None) -> bool:
        """Whether a file is a mount itself."""
        return (fsid, handle or b"") in self._marks.singles

    def is_gone(self, fsid: bytes, handle: bytes) -> bool:
        """Whether the file has no name any more."""
        descriptor = self._resolve(fsid, handle)[0]
        if descriptor is None:
            return True
        try:
            return os.fstat(descriptor).st_nlink == 0
        finally:
            os.close(descriptor)

    def look(self, fsid: bytes, folder: bytes | None, name: bytes, file: bytes | None) -> Where | None:
        """None: nothing that the target could see."""
        single = self._marks.singles.get((fsid, file or b""))
        if single is not None:
            return Where(single.point, os.fstat(single.descriptor), True, False)
        if folder is None:
            return self._look_at_file(fsid, file)
        place, text, outside = self._place, os.fsdecode(name), self._outside_folder
        if place is None:
            return None
        path = self._base if name == b"." else os.path.join(self._base, text)
        try:
            status: os.stat_result | None = os.stat(name, dir_fd=self._folder, follow_symlinks=False)
        except OSError:
            status = None
        copied = False
        if place.upper and status is not None and not outside:
            if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
                return Where(path, None, True, False, upper=True)  # a whiteout: what a lower layer has there is hidden
            copied = self._below(place, path) is not None
        same = name == b"." and place.upper and not outside and self._is_as_lower(place, path, status)
        return Where(path, status, copied, place.in_memory, outside, place.upper, same)

    def _below(self, place: Place, path: str) -> os.stat_result | None:
        """What the lower layers of an overlay have at a path."""
        inner = os.path.relpath(path, place.point)
        for lower in place.lowers:
            try:
                found = os.stat(os.path.join(lower, inner), follow_symlinks=False)
            except OSError:
                continue
            return None if stat.S_ISCHR(found.st_mode) and found.st_rdev == 0 else found
        return None

    def _is_as_lower(self, place: Place, path: str, status: os.stat_result | None) -> bool:
        below = self._below(place, path)
        return status is not None and below is not None and (below.st_mode, below.st_uid, below.st_gid) == (
            status.st_mode, status.st_uid, status.st_gid)

    def _look_at_file(self, fsid: bytes, file: bytes | None) -> Where | None:
        if file is None:
            return None
        descriptor, place, path = self._resolve(fsid, file)
        if descriptor is None:
            return None
        try:
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        if not status.st_nlink or place is None:
            return None
        return Where(path, status, True, place.in_memory, self._outside)

    def _resolve(self, fsid: bytes, handle: bytes) -> tuple[int | None, Place | None, str]:
        """Open what the handle means, O_PATH, and say where the target has it. No place: nowhere, or it is gone."""
        other: tuple[int | None, Place | None, str] = (None, None, "")
        self._outside = False
        for place in self._marks.places.get(fsid, []):
            try:
                descriptor = open_handle(place.descriptor, handle)
            except OSError:
                continue
            path = os.readlink("/proc/self/fd/%d" % descriptor)
            inside: Place | None = place
            if place.upper and place.work and _lies_in(path, place.work):
                inside = None  # what an overlay prepares before it renames it into place
            elif _lies_in(path, place.top):
                path = os.path.join(place.point, path[len(place.top):].lstrip("/")).rstrip("/") or "/"
            else:
                # Another place may have it; else it is told as the first one has it.
                if other[0] is None:
                    other = descriptor, place, path
                    self._outside = True
                else:
                    os.close(descriptor)
                continue
            if other[0] is not None:
                os.close(other[0])
            self._outside = False
            return descriptor, inside, path
        return other

    def _open(self, fsid: bytes, handle: bytes) -> bool:
        """Make a folder the current one. Of one that is gone nothing is to be told: that is its own folder's line."""
        descriptor, self._place, self._base = self._resolve(fsid, handle)
        self._outside_folder = self._outside
        if descriptor is None:
            return False
        if not os.fstat(descriptor).st_nlink:
            os.close(descriptor)
            return False
        self._folder = descriptor
        return True


def _lies_in(path: str, top: str) -> bool:
    return path == top or path.startswith(top.rstrip("/") + "/")

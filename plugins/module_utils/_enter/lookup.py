"""What a path leads to, for a process that stands where a command will: files are looked at, not opened.

What is looked at may belong to an enemy. Links are followed as the kernel follows them, but for the magic ones of
/proc, which lead to what a *process* has open: ours, for who comes by /proc/self. Only regular files are ever read.
"""
from __future__ import annotations

import errno
import fnmatch
import os
import re
import stat
from typing import Callable

from .._kernel.files import read_up_to
from .._kernel.in_root import is_stored, open_in_root

MOST_ENTRIES = 50000  # names of folders that one pattern may have us read

_MAGIC = re.compile("[*?[]")
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ENAMETOOLONG)


class Lookup:
    """Looks below C(root), a descriptor of our own root directory; None: as open(2) does, magic links and all.

    C(own) is a descriptor of our /proc/self/fd, from a /proc that is the host's: what O_PATH has found is opened
    through it. Paths are absolute, or relative to a C(folder) that is.
    """

    def __init__(self, root: int | None, own: int) -> None:
        self._root = root
        self._own = own

    def read(self, path: str, most: int) -> bytes:
        """The first C(most) bytes of a regular file. OSError: EINVAL when it is none, or one of the kernel's."""
        handle = self._find(path)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode) or self._root is not None and not is_stored(handle):
                raise OSError(errno.EINVAL, "not a regular file", path)
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
            descriptor = os.open("%d" % handle, flags, dir_fd=self._own)
        finally:
            os.close(handle)
        try:
            return read_up_to(descriptor, most)
        finally:
            os.close(descriptor)

    def folder(self, path: str) -> None:
        """Whether one may chdir(2) there. OSError: ENOENT, ENOTDIR, EACCES."""
        handle = self._find(path)
        try:
            if not stat.S_ISDIR(os.fstat(handle).st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
            self._may_execute(handle, path)
        finally:
            os.close(handle)

    def program(self, name: str, search: str, folder: str) -> str:
        """The path that execvpe(3) would execute, with C(search) as PATH. OSError: its errno.

        As Python's subprocess: the first refusal counts, if nothing is found afterwards that may be executed.
        """
        candidates = [name] if "/" in name else [os.path.join(place, name) for place in search.split(":")]
        refusal = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        refused: OSError | None = None
        for candidate in candidates:
            path = os.path.join(folder, candidate)
            try:
                handle = self._find(path)
                try:
                    if not stat.S_ISREG(os.fstat(handle).st_mode):
                        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
                    self._may_execute(handle, path)
                finally:
                    os.close(handle)
                return path
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ENOTDIR) and refused is None:
                    refused = error
        raise refused or refusal

    def exists(self, pattern: str, folder: str) -> bool:
        """Whether glob.glob() would find anything: a link that leads nowhere, too.

        OSError where that cannot be told: ELOOP for a magic link, E2BIG after MOST_ENTRIES names, what a file system
        fails with.
        """
        left = [MOST_ENTRIES]
        if pattern.startswith("/"):
            return self._match("/", pattern.lstrip("/").split("/"), left)
        return self._match(folder, pattern.split("/"), left)

    def _match(self, place: str, parts: list[str], left: list[int]) -> bool:
        """C(place) is taken as it is, C(parts) are patterns, C(left) how many names may still be read."""
        literal = 0
        while literal < len(parts) and not _MAGIC.search(parts[literal]):
            literal += 1
        place = os.path.join(place, "/".join(parts[:literal])) if literal else place
        try:
            if literal == len(parts):
                return self._there(place)
            names = self._names(place, parts[literal], left)
        except OSError as error:
            if error.errno in _NOT_THERE:
                return False
            raise
        rest = parts[literal + 1:]
        return any(not rest or self._match(os.path.join(place, name), list(rest), left) for name in names)

    def _there(self, path: str) -> bool:
        parent, dummy, name = path.rpartition("/")
        handle = self._find((parent or "/") if name else path)
        try:
            if name:
                os.stat(name, dir_fd=handle, follow_symlinks=False)
                return True
            return stat.S_ISDIR(os.fstat(handle).st_mode)
        finally:
            os.close(handle)

    def _names(self, path: str, pattern: str, left: list[int]) -> list[str]:
        matches: Callable[[str], object] = re.compile(fnmatch.translate(pattern)).match
        handle = self._find(path)
        try:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NONBLOCK
            listed = os.open(".", flags, dir_fd=handle)
        finally:
            os.close(handle)
        found = []
        try:
            with os.scandir(listed) as entries:
                for entry in entries:
                    left[0] -= 1
                    if left[0] < 0:
                        raise OSError(errno.E2BIG, "more than %d names" % MOST_ENTRIES, path)
                    if (pattern.startswith(".") or not entry.name.startswith(".")) and matches(entry.name):
                        found.append(entry.name)
        finally:
            os.close(listed)
        return found

    def _find(self, path: str) -> int:
        if self._root is None:
            return os.open(path, os.O_PATH | os.O_CLOEXEC)
        return open_in_root(self._root, path)

    def _may_execute(self, handle: int, path: str) -> None:
        # By its descriptor: nobody can put something else in its place. Says no for mounts that are noexec, too.
        if not os.access("%d" % handle, os.X_OK, dir_fd=self._own, effective_ids=True):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

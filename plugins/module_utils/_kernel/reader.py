"""Reading files of the disk that may hang, lie or never end.

State files lie on file systems that may be dead (NFS, FUSE), and some lie where a user or a container may write.
So they are read in a forked child with a deadline for each request; a child that hangs is killed and replaced,
and costs its own request only. The child opens with O_PATH first: a FIFO is not waited for, and a device's open()
never happens.
"""
from __future__ import annotations

import errno
import json
import math
import os
import stat
from typing import Any

from .child import Child

_READ, _LIST = b"R", b"L"


def _open_regular(path: str, owner: int | None) -> int:
    """A readable descriptor of a regular file, which must be C(owner)'s (a uid) where one is given; else OSError."""
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            # EFTYPE is no errno of Linux; EINVAL says "not a file one can read" as read(2) has it.
            raise OSError(errno.EINVAL, "not a regular file", path)
        if owner is not None and found.st_uid != owner:
            raise OSError(errno.EPERM, "belongs to uid %d, not %d" % (found.st_uid, owner), path)
        return os.open("/proc/self/fd/%d" % handle, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    finally:
        os.close(handle)


def read_regular(path: str, limit: int, owner: int | None = None) -> bytes:
    """The content of a regular file of at most C(limit) bytes, without the protection of a child.

    Raises OSError: EINVAL when it is no regular file, EFBIG when it is larger, EPERM when it is not C(owner)'s.
    """
    descriptor = _open_regular(path, owner)
    try:
        chunks: list[bytes] = []
        size = 0
        while size <= limit:
            chunk = os.read(descriptor, min(1 << 20, limit + 1 - size))
            if not chunk:
                return b"".join(chunks)
            chunks.append(chunk)
            size += len(chunk)
        raise OSError(errno.EFBIG, "larger than %d bytes" % limit, path)
    finally:
        os.close(descriptor)


def _list_folder(path: str, limit: int) -> bytes:
    names: list[str] = []
    with os.scandir(path) as entries:
        for entry in entries:
            names.append(entry.name)
            if len(names) >= limit:
                break
    return json.dumps(sorted(names)).encode("ascii")


def _answer(what: bytes, body: bytes, dummy: int | None) -> tuple[bytes, int | None]:
    try:
        request: dict[str, Any] = json.loads(body)
        if what == _LIST:
            return _list_folder(request["path"], request["limit"]), None
        return read_regular(request["path"], request["limit"], request["owner"]), None
    except (ValueError, RecursionError, MemoryError):  # a path that is no Unicode, say
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL)) from None


class FileReader:
    """Reads files below C(root) in a child, each within C(timeout) seconds, all before C(until); a context manager."""

    def __init__(self, root: str = "/", timeout: float = 2.0, until: float = math.inf) -> None:
        self._root = root.rstrip("/")
        self._child = Child(lambda: self.answer, until, timeout)

    answer = staticmethod(_answer)

    def __enter__(self) -> FileReader:
        return self

    def __exit__(self, *dummy: object) -> None:
        self.close()

    def read(self, path: str, limit: int = 4 << 20, owner: int | None = None) -> bytes:
        """The content of a regular file, of that C(owner) if one is given. Raises OSError, TimeoutError: no answer."""
        return self._ask(_READ, path, limit=limit, owner=owner)

    def read_here(self, path: str, limit: int = 1 << 16) -> bytes:
        """The same, without the child: for what cannot hang."""
        return read_regular(self._root + path, limit)

    def listdir(self, path: str, limit: int = 10000) -> list[str]:
        """At most C(limit) names of a folder, in order."""
        names: list[str] = json.loads(self._ask(_LIST, path, limit=limit))
        return names

    def close(self) -> None:
        """End the child."""
        self._child.close()

    def _ask(self, what: bytes, path: str, **details: int | None) -> bytes:
        if "\0" in path:
            raise OSError(errno.EINVAL, "path with a NUL byte", path)
        try:
            return self._child.ask(what, json.dumps({"path": self._root + path, **details}).encode("ascii"))[0]
        except OSError as error:
            raise type(error)(error.errno, error.strerror, path) from None

"""A child process that joins mount namespaces and reads or opens there what we ask for.

Paths of another mount namespace cannot be resolved from ours without trusting its /proc/PID/root, and resolving them
may hang (a FUSE server of the container's). So a child does it, whose hanging costs one request. It executes
nothing, imports nothing after joining, and is not dumpable while it is in there.
"""
from __future__ import annotations

import errno
import os

from .._kernel.child import Answer, Child
from .._kernel.namespaces import TYPES, setns
from .._kernel.prctl import set_dumpable

_MOST = 16 << 20  # bytes of mountinfo lines one namespace may cost
_JOIN, _MOUNTS, _OPEN = b"J", b"M", b"O"


class Visitor:
    """Goes to mount namespaces on our behalf; no request takes longer than C(until). Close it when done."""

    def __init__(self, nsfs_device: int, until: float) -> None:
        self._child = Child(lambda: _prepare(nsfs_device), until)

    def join(self, descriptor: int) -> None:
        """Enter a mount namespace. Raises OSError: EPERM without CAP_SYS_ADMIN over it and CAP_SYS_CHROOT."""
        self._child.ask(_JOIN, b"", descriptor)

    def namespace_mounts(self) -> tuple[list[bytes], bool]:
        """The lines of mountinfo, as seen from inside, that are mounts of namespaces, and whether these are all."""
        reply = self._child.ask(_MOUNTS)[0]
        return reply[1:].split(b"\n"), reply[:1] == b"*"

    def open(self, path: bytes) -> int:
        """A descriptor of the namespace that is mounted at C(path) inside. Raises OSError: ENOTTY where it is none."""
        descriptor = self._child.ask(_OPEN, path)[1]
        if descriptor is None:
            raise OSError(errno.EPROTO, "no descriptor came back", path)
        return descriptor

    def close(self) -> None:
        """End the child."""
        self._child.close()


def _prepare(device: int) -> Answer:
    set_dumpable(False)
    # Opened before anything is joined: afterwards /proc is whatever the namespace has there.
    procfs = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def answer(what: bytes, body: bytes, descriptor: int | None) -> tuple[bytes, int | None]:
        if what == _JOIN:
            if descriptor is None:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            setns(descriptor, TYPES["mnt"])
            return b"", None
        if what == _MOUNTS:
            return _namespace_lines(procfs), None
        return b"", _open_namespace(procfs, body, device)

    return answer


def _namespace_lines(procfs: int) -> bytes:
    descriptor = os.open("self/mountinfo", os.O_RDONLY | os.O_CLOEXEC, dir_fd=procfs)
    try:
        kept: list[bytes] = []
        rest, size = b"", 0
        while size < _MOST:
            chunk = os.read(descriptor, 1 << 16)
            if not chunk:
                return b"*" + b"\n".join(kept)
            size += len(chunk)
            lines = (rest + chunk).split(b"\n")
            rest = lines.pop()
            kept.extend(line for line in lines if b" - nsfs " in line)
        return b"-" + b"\n".join(kept)
    finally:
        os.close(descriptor)


def _open_namespace(procfs: int, path: bytes, device: int) -> int:
    # O_PATH opens nothing yet: a FIFO is not waited for, a device not started, only then is it known to be nsfs.
    handle = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(handle).st_dev != device:
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
        return os.open("self/fd/%d" % handle, os.O_RDONLY | os.O_CLOEXEC, dir_fd=procfs)
    finally:
        os.close(handle)

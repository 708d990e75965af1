"""The mounts that a target's processes see, held open: also when those processes have ended meanwhile."""
from __future__ import annotations

import errno
import os
import time
from typing import NamedTuple

from .._kernel.child import Answer, Child
from .._kernel.namespaces import setns
from .._kernel.proc import text, unescape
from .._model.entry import Target

_LONGEST = 1.0  # seconds: the kernel's work for mounts stacked on each other grows with the square of their number
_LIMIT = 8 << 20
_CHUNK = 1 << 16


class MountLine(NamedTuple):
    """A line of mountinfo. C(propagation): C(shared), C(master), C(unbindable), without the groups' numbers."""

    device: str
    root: str
    path: str
    options: str
    propagation: str
    fstype: str
    source: str
    super_options: str


class MountView:
    """C(root): an O_PATH descriptor of the root directory. OSError when the namespace cannot be looked into."""

    def __init__(self, target: Target, until: float) -> None:
        self._table = self.root = -1
        try:
            if target.pid is not None and target.root is not None:
                # What is opened stays with the namespace and the root of now, whatever becomes of the process.
                self._table = os.open("/proc/%d/mountinfo" % target.pid, os.O_RDONLY | os.O_CLOEXEC)
                self.root = os.dup(target.root)
            else:
                self._join(target, until)
        except OSError:
            self.close()
            raise

    def read(self) -> list[MountLine]:
        """The mounts of now. EFBIG: more than 8 MB of them; TimeoutError: more than 1 s."""
        until = time.monotonic() + _LONGEST
        os.lseek(self._table, 0, os.SEEK_SET)
        chunks: list[bytes] = []
        size = 0
        while True:
            chunk = os.read(self._table, _CHUNK)
            if not chunk:
                break
            size += len(chunk)
            chunks.append(chunk)
            if size > _LIMIT:
                raise OSError(errno.EFBIG, "more than %d bytes of mounts" % _LIMIT)
            if time.monotonic() > until:
                raise TimeoutError(errno.ETIMEDOUT, "too many mounts to read in time")
        return [_parse(line) for line in b"".join(chunks).split(b"\n") if line]

    def close(self) -> None:
        """Let go of it."""
        for descriptor in (self._table, self.root):
            if descriptor >= 0:
                os.close(descriptor)
        self._table = self.root = -1

    def _join(self, target: Target, until: float) -> None:
        # Only a namespace, no process: a child joins it and hands out what it then sees.
        def prepare() -> Answer:
            here = os.open("/proc/self", os.O_PATH | os.O_CLOEXEC)
            for kind in ("user", "mnt"):
                if kind in target.descriptors:
                    setns(target.descriptors[kind])

            def answer(what: bytes, dummy: bytes, dummy2: int | None) -> tuple[bytes, int | None]:
                if what == b"M":
                    return b"", os.open("mountinfo", os.O_RDONLY | os.O_CLOEXEC, dir_fd=here)
                return b"", os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

            return answer

        child = Child(prepare, until)
        try:
            for what in (b"M", b"R"):
                descriptor = child.ask(what)[1]
                if descriptor is None:
                    raise OSError(errno.EPROTO, "no descriptor from a child")
                if what == b"M":
                    self._table = descriptor
                else:
                    self.root = descriptor
        finally:
            child.close()


def _parse(line: bytes) -> MountLine:
    fields = line.split(b" ")
    try:
        end = fields.index(b"-", 6)
        kinds = " ".join(text(field.partition(b":")[0]) for field in fields[6:end])
        return MountLine(
            text(fields[2]), text(unescape(fields[3])), os.fsdecode(unescape(fields[4])), text(fields[5]), kinds,
            text(fields[end + 1]), text(unescape(fields[end + 2])), os.fsdecode(unescape(fields[end + 3])),
        )
    except (IndexError, ValueError):
        raise OSError(errno.EPROTO, "a line of mountinfo that is not of its form") from None

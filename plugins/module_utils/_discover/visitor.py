# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection
"""A child process that joins mount namespaces and reads or opens there what we ask for.

Paths of another mount namespace cannot be resolved from ours without trusting its /proc/PID/root, and resolving them
may hang (a FUSE server of the container's). So a child does it, whose hanging costs one request. It executes
nothing, imports nothing after joining, and is not dumpable while it is in there.
"""
from __future__ import annotations

import array
import errno
import os
import select
import signal
import socket
import struct
import time
from typing import List, Optional, Tuple

from .._kernel.namespaces import TYPES, setns
from .._kernel.privileges import set_dumpable, set_pdeathsig

_REQUEST = struct.Struct("=cI")  # what, bytes that follow
_REPLY = struct.Struct("=iI")    # errno, bytes that follow
_MOST = 16 << 20                 # bytes of mountinfo lines one namespace may cost
_JOIN, _MOUNTS, _OPEN = b"J", b"M", b"O"


class Visitor:
    """Goes to mount namespaces on our behalf; C(timeout) seconds a request. Close it when done."""

    def __init__(self, nsfs_device: int, timeout: float = 2.0) -> None:
        self._device = nsfs_device
        self._timeout = timeout
        self._child = 0
        self._line: Optional[socket.socket] = None

    def join(self, descriptor: int) -> None:
        """Enter a mount namespace. Raises OSError: EPERM without CAP_SYS_ADMIN over it and CAP_SYS_CHROOT."""
        self._ask(_JOIN, b"", descriptor)

    def namespace_mounts(self) -> List[bytes]:
        """The lines of mountinfo, as seen from inside, that are bind mounts of namespaces."""
        return self._ask(_MOUNTS, b"")[0].split(b"\n")

    def open(self, path: str) -> int:
        """A descriptor of the namespace that is mounted at C(path) inside. Raises OSError: ENOTTY where it is none."""
        descriptor = self._ask(_OPEN, path.encode("utf-8", "surrogateescape"))[1]
        if descriptor is None:
            raise OSError(errno.EPROTO, "no descriptor came back", path)
        return descriptor

    def close(self) -> None:
        """End the child."""
        if self._line is not None:
            self._line.close()
            self._line = None
        if self._child:
            os.kill(self._child, signal.SIGKILL)
            # In uninterruptible sleep it does not die: then its parent's end reaps it, we do not wait.
            for dummy in range(100):
                if os.waitpid(self._child, os.WNOHANG)[0]:
                    break
                time.sleep(0.001)
            self._child = 0

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._child = os.fork()
        if self._child == 0:
            try:
                ours.close()
                set_pdeathsig(signal.SIGKILL)
                set_dumpable(False)
                _serve(theirs, self._device)
            finally:
                os._exit(0)
        theirs.close()
        self._line = ours
        return ours

    def _ask(self, what: bytes, body: bytes, descriptor: Optional[int] = None) -> Tuple[bytes, Optional[int]]:
        line = self._line or self._start()
        deadline = time.monotonic() + self._timeout
        try:
            _send(line, _REQUEST.pack(what, len(body)) + body, descriptor)
            head, received = _receive(line, _REPLY.size, deadline)
            number, size = _REPLY.unpack(head)
            reply = _receive(line, size, deadline)[0]
        except (OSError, EOFError) as error:
            self.close()
            raise TimeoutError(errno.ETIMEDOUT, "no answer from inside the mount namespace") from error
        if number:
            if received is not None:
                os.close(received)
            raise OSError(number, os.strerror(number))
        return reply, received


def _send(line: socket.socket, data: bytes, descriptor: Optional[int]) -> None:
    ancillary = []
    if descriptor is not None:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
    sent = line.sendmsg([data], ancillary)
    if sent < len(data):
        line.sendall(data[sent:])


def _receive(line: socket.socket, size: int, deadline: Optional[float]) -> Tuple[bytes, Optional[int]]:
    chunks: List[bytes] = []
    descriptor: Optional[int] = None
    while size:
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([line], [], [], left)[0]:
                raise TimeoutError
        wanted = min(size, 1 << 16)
        chunk, ancillary, dummy, dummy2 = line.recvmsg(wanted, socket.CMSG_SPACE(4), socket.MSG_CMSG_CLOEXEC)
        if not chunk:
            raise EOFError
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptor = struct.unpack("=i", data[:4])[0]
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks), descriptor


def _serve(line: socket.socket, device: int) -> None:
    # Opened before anything is joined: afterwards /proc is whatever the namespace has there.
    procfs = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    while True:
        try:
            head, descriptor = _receive(line, _REQUEST.size, None)
            what, size = _REQUEST.unpack(head)
            body = _receive(line, size, None)[0]
        except EOFError:
            return
        reply, opened, number = b"", None, 0
        try:
            if what == _JOIN and descriptor is not None:
                setns(descriptor, TYPES["mnt"])
            elif what == _MOUNTS:
                reply = _namespace_lines(procfs)
            else:
                opened = _open_namespace(procfs, body, device)
        except OSError as error:
            number = error.errno or errno.EIO
        _send(line, _REPLY.pack(number, len(reply)) + reply, opened)
        for used in (descriptor, opened):
            if used is not None:
                os.close(used)


def _namespace_lines(procfs: int) -> bytes:
    descriptor = os.open("self/mountinfo", os.O_RDONLY | os.O_CLOEXEC, dir_fd=procfs)
    try:
        kept: List[bytes] = []
        rest, size = b"", 0
        while size < _MOST:
            chunk = os.read(descriptor, 1 << 16)
            if not chunk:
                break
            size += len(chunk)
            lines = (rest + chunk).split(b"\n")
            rest = lines.pop()
            kept.extend(line for line in lines if b" - nsfs " in line)
        return b"\n".join(kept)
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

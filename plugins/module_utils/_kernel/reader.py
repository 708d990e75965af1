"""Reading files of the disk that may hang, lie or never end.

State files lie on file systems that may be dead (NFS, FUSE), and some lie where a user or a container may write.
So they are read in a forked child with a deadline for each request; a child that hangs is killed and replaced,
and costs its own request only. The child opens with O_PATH first: a FIFO is not waited for, and a device's open()
never happens.

A child may hang for good: the kernel waits for the answer to a request that a FUSE server has taken, SIGKILL or
not. So nobody waits for a child to end, and it has none of our streams, whose end somebody may wait for.
"""
from __future__ import annotations

import errno
import gc
import json
import os
import select
import signal
import stat
import struct
import time
from typing import Any, Collection

_HEADER = struct.Struct("=iI")  # errno (0: fine), bytes that follow
_LEAST_TIMEOUT = 0.1             # seconds


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


def leave_streams(keep: Collection[int]) -> None:
    """In a child: let go of standard input, output and error, but for descriptors in C(keep).

    Ansible waits until everybody has closed the module's output.
    """
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for stream in (0, 1, 2):
        if stream not in keep:
            os.dup2(null, stream)


def reap(child: int) -> None:
    """End a child. One in uninterruptible sleep does not die: it is not waited for, our own end reaps it."""
    try:
        os.kill(child, signal.SIGKILL)
        for dummy in range(50):
            if os.waitpid(child, os.WNOHANG)[0]:
                return
            time.sleep(0.002)
    except (ProcessLookupError, ChildProcessError):
        return


def readable(descriptor: int, deadline: float) -> bool:
    """Wait until there is something to read; false at the deadline."""
    # Not select(): a process with many descriptors may get numbers beyond its 1,024.
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    left = deadline - time.monotonic()
    return left > 0 and bool(waiting.poll(left * 1000))


def _list_folder(path: str, limit: int) -> bytes:
    names: list[str] = []
    with os.scandir(path) as entries:
        for entry in entries:
            names.append(entry.name)
            if len(names) >= limit:
                break
    return json.dumps(sorted(names)).encode("ascii")


def _exactly(descriptor: int, size: int) -> bytes:
    found = b""
    while len(found) < size:
        chunk = os.read(descriptor, size - len(found))
        if not chunk:
            raise EOFError
        found += chunk
    return found


def _serve(requests: int, replies: int) -> None:
    while True:
        try:
            request: dict[str, Any] = json.loads(_exactly(requests, struct.unpack("=I", _exactly(requests, 4))[0]))
        except (EOFError, OSError):
            return
        try:
            if request["kind"] == "list":
                body = _list_folder(request["path"], request["limit"])
            elif request["kind"] == "link":
                body = os.fsencode(os.readlink(request["path"]))
            else:
                body = read_regular(request["path"], request["limit"], request["owner"])
            reply = _HEADER.pack(0, len(body)) + body
        except OSError as error:
            body = (error.strerror or "").encode("utf-8", "replace")
            reply = _HEADER.pack(error.errno or errno.EIO, len(body)) + body
        except Exception as error:  # whatever a hostile tree provokes is this request's failure only
            body = repr(error).encode("utf-8", "replace")[:200]
            reply = _HEADER.pack(errno.EIO, len(body)) + body
        view = memoryview(reply)
        while view:
            view = view[os.write(replies, view):]


class FileReader:
    """Reads files below C(root) in a child process, each request within C(timeout) seconds, all before C(until).

    Each request that gets no answer halves the time that later ones are given: many files on one dead file system
    must not use up the time of all others. Use as a context manager; the child is made at the first request.
    """

    def __init__(self, root: str = "/", timeout: float = 2.0, until: float | None = None) -> None:
        self._root = root.rstrip("/")
        self._timeout = timeout
        self._until = until
        self._child = 0
        self._requests = -1
        self._replies = -1

    def __enter__(self) -> FileReader:
        return self

    def __exit__(self, *dummy: object) -> None:
        self.close()

    def read(self, path: str, limit: int = 4 << 20, owner: int | None = None) -> bytes:
        """The content of a regular file.

        With C(owner) the file must belong to that uid (for folders a user may write to).
        Raises OSError; TimeoutError when the file system did not answer.
        """
        return self._ask({"kind": "read", "path": self._root + path, "limit": limit, "owner": owner})

    def json(self, path: str, limit: int = 4 << 20, owner: int | None = None) -> Any:
        """The content of a JSON file. Raises OSError, with EBADMSG where it is no JSON (cut off, say)."""
        try:
            return json.loads(self.read(path, limit, owner))
        except (ValueError, RecursionError):
            raise OSError(errno.EBADMSG, "no valid JSON", path) from None

    def listdir(self, path: str, limit: int = 10000) -> list[str]:
        """At most C(limit) names of a folder, in order."""
        names: list[str] = json.loads(self._ask({"kind": "list", "path": self._root + path, "limit": limit}))
        return names

    def readlink(self, path: str) -> str:
        """The target of a symbolic link."""
        return self._ask({"kind": "link", "path": self._root + path}).decode("utf-8", "replace")

    def close(self) -> None:
        """End the child."""
        if self._child:
            os.close(self._requests)
            os.close(self._replies)
            reap(self._child)
            self._child = 0

    def _start(self) -> None:
        request_in, request_out = os.pipe()
        reply_in, reply_out = os.pipe()
        # A collection in the child would write to, and so copy, every page it shares with us.
        gc.freeze()
        self._child = os.fork()
        if self._child == 0:
            status = 1
            try:
                os.close(request_out)
                os.close(reply_in)
                leave_streams((request_in, reply_out))
                _serve(request_in, reply_out)
                status = 0
            finally:
                os._exit(status)
        os.close(request_in)
        os.close(reply_out)
        self._requests, self._replies = request_out, reply_in

    def _ask(self, request: dict[str, Any]) -> bytes:
        if "\0" in request["path"]:
            raise OSError(errno.EINVAL, "path with a NUL byte", request["path"])
        now = time.monotonic()
        deadline = now + self._timeout
        if self._until is not None:
            deadline = min(deadline, self._until)
        if now >= deadline:
            raise TimeoutError(errno.ETIMEDOUT, "no time left", request["path"])
        if not self._child:
            self._start()
        raw = json.dumps(request).encode("ascii")
        try:
            os.write(self._requests, struct.pack("=I", len(raw)) + raw)
            number, size = _HEADER.unpack(self._receive(_HEADER.size, deadline))
            body = self._receive(size, deadline)
        except (TimeoutError, EOFError, BrokenPipeError):
            self.close()
            self._timeout = max(_LEAST_TIMEOUT, self._timeout / 2)
            raise TimeoutError(errno.ETIMEDOUT, "no answer from the file system", request["path"]) from None
        if number:
            raise OSError(number, body.decode("utf-8", "replace"), request["path"])
        return body

    def _receive(self, size: int, deadline: float) -> bytes:
        chunks = []
        while size:
            if not readable(self._replies, deadline):
                raise TimeoutError
            chunk = os.read(self._replies, min(size, 1 << 16))
            if not chunk:
                raise EOFError
            chunks.append(chunk)
            size -= len(chunk)
        return b"".join(chunks)

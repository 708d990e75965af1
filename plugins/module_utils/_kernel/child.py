"""A forked child for what may hang: files of the disk, paths of foreign mount namespaces, and descriptors of foreign
processes, behind which there may be a server that never answers. A child that hangs costs one request.

It may hang for good: the kernel waits for the answer to a request that a FUSE server has taken, SIGKILL or not. So
nobody waits for a child to end, and it has none of our streams, whose end somebody may wait for.
"""
from __future__ import annotations

import array
import errno
import gc
import os
import select
import signal
import socket
import struct
import time
from typing import Any, Callable, Collection, Optional, Tuple

from .prctl import set_pdeathsig

# What a request wants, its body, its descriptor -> the answer's body and descriptor. Raises OSError.
Answer = Callable[[bytes, bytes, Optional[int]], Tuple[bytes, Optional[int]]]

_REQUEST = struct.Struct("=cI")  # what, bytes that follow
_REPLY = struct.Struct("=iI")    # errno, bytes that follow
_ROOM = socket.CMSG_SPACE(4)     # bytes, for one descriptor
_LEAST_TIMEOUT = 0.1             # seconds
_MOST_DEATHS = 3                 # for want of memory or descriptors, say


def readable(descriptor: int, deadline: float) -> bool:
    """Wait until there is something to read; false at the deadline."""
    # Not select(): a process with many descriptors may get numbers beyond its 1,024.
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    left = deadline - time.monotonic()
    return left > 0 and bool(waiting.poll(left * 1000))


def leave_streams(keep: Collection[int]) -> None:
    """In a child: let go of standard input, output and error, but for descriptors in C(keep).

    Ansible waits until everybody has closed the module's output.
    """
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for stream in (0, 1, 2):
        if stream not in keep:
            os.dup2(null, stream)


def reap(child: int, seconds: float = 0.1) -> None:
    """End a child. One in uninterruptible sleep is not waited for longer than that: our own end reaps it."""
    try:
        os.kill(child, signal.SIGKILL)
        for turn in range(int(seconds * 500)):
            if os.waitpid(child, os.WNOHANG)[0]:
                return
            time.sleep(0.0005 if turn < 9 else 0.002)
    except (ProcessLookupError, ChildProcessError):
        return


class Child:
    """Answers requests, each within C(timeout) seconds and all before C(until); close it when done.

    C(prepare) runs in the child and returns what answers there. C(start) makes it, or the first request. Each that
    gets no answer halves the time that later ones are given, so that many hangs do not use up the time of all.
    """

    def __init__(self, prepare: Callable[[], Answer], until: float, timeout: float = 2.0) -> None:
        self._prepare = prepare
        self._until = until
        self._timeout = timeout
        self._child = 0
        self._deaths = 0
        self._line: socket.socket | None = None

    def patience(self) -> float:
        """How many seconds the next request has."""
        return max(0.0, min(self._timeout, self._until - time.monotonic()))

    def line(self) -> int:
        """The descriptor that C(prepare) must leave open."""
        return -1 if self._line is None else self._line.fileno()

    def ask(self, what: bytes, body: bytes = b"", descriptor: int | None = None) -> tuple[bytes, int | None]:
        """One request and its answer. Raises OSError (the child's, or none can be had), TimeoutError: no answer."""
        return self.answer(self.request(what, body, descriptor))

    def request(self, what: bytes, body: bytes = b"", descriptor: int | None = None) -> float:
        """The first half of C(ask): until when C(answer) waits. The child works meanwhile."""
        now = time.monotonic()
        deadline = min(now + self._timeout, self._until)
        if now >= deadline:
            raise TimeoutError(errno.ETIMEDOUT, "no time left")
        if self._deaths >= _MOST_DEATHS:
            raise OSError(errno.ECHILD, "children end as soon as they are started")
        line = self._line or self.start()
        try:
            _send(line, _REQUEST.pack(what, len(body)) + body, descriptor)
        except OSError:
            line.close()
            self._line = None  # it has ended: there is no answer
        return deadline

    def answer(self, deadline: float) -> tuple[bytes, int | None]:
        """The second half."""
        try:
            if self._line is None:
                raise EOFError
            number, reply, received = _receive(self._line, _REPLY, deadline)
        except (OSError, EOFError) as error:
            self.close()
            if isinstance(error, TimeoutError):
                self._timeout = max(_LEAST_TIMEOUT, self._timeout / 2)
            else:
                self._deaths += 1
            raise TimeoutError(errno.ETIMEDOUT, "no answer from a child") from error
        if number:
            raise OSError(number, os.strerror(number))
        return reply, received

    def close(self) -> None:
        """End the child."""
        if self._line is not None:
            self._line.close()
            self._line = None
        if self._child:
            reap(self._child)
            self._child = 0

    def start(self) -> socket.socket:
        """Make the child. Raises OSError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        # A collection in the child would write to, and so copy, every page it shares with us.
        gc.freeze()
        self._child = os.fork()
        if self._child == 0:
            try:
                ours.close()
                set_pdeathsig(signal.SIGKILL)
                leave_streams((theirs.fileno(),))
                self._line = theirs
                _serve(theirs, self._prepare())
            finally:
                os._exit(0)
        theirs.close()
        self._line = ours
        return ours


def _send(line: socket.socket, data: bytes, descriptor: int | None) -> None:
    ancillary = []
    if descriptor is not None:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
    sent = line.sendmsg([data], ancillary)
    if sent < len(data):
        line.sendall(data[sent:])


def _receive(line: socket.socket, head: struct.Struct, deadline: float | None) -> tuple[Any, bytes, int | None]:
    """The head's first field, the body, a descriptor."""
    data, size, descriptor = bytearray(), head.size, None
    try:
        while len(data) < size:
            if deadline is not None and not readable(line.fileno(), deadline):
                raise TimeoutError
            chunk, ancillary, dummy, dummy2 = line.recvmsg(1 << 16, _ROOM, socket.MSG_CMSG_CLOEXEC)
            if not chunk:
                raise EOFError
            for level, kind, sent in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    descriptor = struct.unpack("=i", sent[:4])[0]
            data += chunk
            if len(data) >= head.size:
                size = head.size + head.unpack_from(data)[1]
    except BaseException:
        if descriptor is not None:
            os.close(descriptor)
        raise
    return head.unpack_from(data)[0], bytes(data[head.size:size]), descriptor


def _serve(line: socket.socket, answer: Answer) -> None:
    while True:
        try:
            what, body, descriptor = _receive(line, _REQUEST, None)
        except EOFError:
            return
        reply, opened, number = b"", None, 0
        try:
            reply, opened = answer(what, body, descriptor)
        except OSError as error:
            number = error.errno or errno.EIO
        except Exception:  # whatever a hostile tree provokes is this request's failure only
            number = errno.EIO
        _send(line, _REPLY.pack(number, len(reply)) + reply, opened)
        for used in (descriptor, opened):
            if used is not None:
                os.close(used)

"""Network namespaces held by a socket only: pidfd_getfd(2) and the ioctl SIOCGSKNS.

A socket keeps the namespace it was made in, whatever its process joins later. The copy of the descriptor that is
held for some microseconds takes nothing from the socket; only its last close may come that much later.

A hostile process can have a file of its own FUSE server under the number where a socket was seen, and then our
ioctl, even our close, never returns. So a child takes the copies.
"""
from __future__ import annotations

import errno
import json
import os
from typing import Any, Iterator, Tuple

from .._kernel import nsfs, pidfd
from .._kernel.child import Answer, Child
from .._kernel.libc import KernelLacks
from .._model.inventory import NET, TIMED_OUT, UNSUPPORTED
from .ancestors import describe
from .scan import TUN, Holder, Scan

# Closed, or gone, while we looked: no loss.
_LOST = (errno.EBADF, errno.ESRCH, errno.ENOENT, errno.ENOTSOCK)
_BATCH = 256       # sockets a request; the child keeps as many descriptors at most
_SHARED = 4        # of the holders of one socket so many are tried
_ASK, _OPEN = b"A", b"O"

Asked = Tuple[str, Holder]


def find(scan: Scan) -> None:
    """Pin each network namespace through the sockets that are not in their process's own."""
    child = Child(_prepare, scan.clock.until)
    search = _Search(scan, child)
    try:
        for turn in range(_SHARED):
            asked = [
                (socket, holders[turn]) for socket, holders in scan.sockets.items()
                if turn < len(holders) and socket not in search.told
            ]
            for start in range(0, len(asked), _BATCH):
                if scan.late("sockets", len(asked) - start):
                    return
                search.ask(asked[start:start + _BATCH])
    except KernelLacks as lack:
        scan.problems.add("sockets", "%s: %s" % (UNSUPPORTED, lack.call))
    finally:
        child.close()
        search.pin()


class _Search:
    """The network namespace of each socket that was asked for."""

    def __init__(self, scan: Scan, child: Child) -> None:
        self._scan = scan
        self._child = child
        self.told: dict[str, str] = {}

    def ask(self, asked: list[Asked]) -> None:
        """Ask for some sockets at once; when that hangs, process by process: only the culprit's are lost."""
        try:
            self._ask(asked)
        except TimeoutError:
            for alone in _by_process(asked):
                try:
                    self._ask(alone)
                except TimeoutError:
                    self._scan.problems.add("sockets", TIMED_OUT, len(alone))

    def _ask(self, asked: list[Asked]) -> None:
        body = json.dumps([holder[:3] for dummy, holder in asked]).encode("ascii")
        results: list[Any] = json.loads(self._child.ask(_ASK, body)[0])
        for (socket, holder), result in zip(asked, results):
            if isinstance(result, str):
                if holder.tid is None:
                    raise KernelLacks(result)
                self._scan.problems.add("sockets of threads", "%s: %s" % (UNSUPPORTED, result))
            elif result >= 0:
                self.told[socket] = self._known(result)
            elif -result not in _LOST:
                self._scan.problems.error("sockets", OSError(-result, os.strerror(-result)))

    def _known(self, inode: int) -> str:
        """The name of a namespace; a new one is described while the child has a descriptor of it."""
        name = "net:[%d]" % inode
        if name not in self._scan.namespaces:
            netns = self._child.ask(_OPEN, b"%d" % inode)[1]
            if netns is not None:
                try:
                    self._scan.namespace(name)
                    describe(self._scan, name, netns)
                finally:
                    os.close(netns)
        return name

    def pin(self) -> None:
        """Enter what was told."""
        scan = self._scan
        for socket, name in self.told.items():
            for holder in scan.sockets[socket]:
                if name != scan.names_of(holder.pid)[NET]:
                    details: dict[str, object] = {
                        "pid": holder.pid, "comm": scan.processes[holder.pid].comm, "descriptor": holder.descriptor
                    }
                    if holder.tid is not None:
                        details["tid"] = holder.tid
                    scan.pin(name, "socket", (holder.pid, holder.tid), **details)


def _by_process(asked: list[Asked]) -> Iterator[list[Asked]]:
    for pid in sorted({holder.pid for dummy, holder in asked}):
        yield [(socket, holder) for socket, holder in asked if holder.pid == pid]


def _prepare() -> Answer:
    kept: dict[int, int] = {}

    def answer(what: bytes, body: bytes, dummy: int | None) -> tuple[bytes, int | None]:
        if what == _OPEN:
            return b"", kept.pop(int(body))
        for netns in kept.values():
            os.close(netns)
        kept.clear()
        return json.dumps(list(_netns_of_each(json.loads(body), kept))).encode("ascii"), None

    return answer


def _netns_of_each(asked: list[tuple[int, int | None, int]], kept: dict[int, int]) -> Iterator[Any]:
    """For each socket the inode of its namespace, an errno below zero, or the call that this kernel lacks."""
    opened: dict[int, int] = {}
    try:
        for pid, tid, descriptor in asked:
            # A thread with a table of its own is named by its tid (PIDFD_THREAD, Linux 6.9).
            task = pid if tid is None else tid
            try:
                if task not in opened:
                    opened[task] = pidfd.pidfd_open(task, thread=tid is not None)
                yield _netns_of(opened[task], descriptor, kept)
            except KernelLacks as lack:
                yield lack.call
            except OSError as error:
                yield -(error.errno or errno.EIO)
    finally:
        for handle in opened.values():
            os.close(handle)


def _netns_of(process: int, descriptor: int, kept: dict[int, int]) -> int:
    copy = pidfd.pidfd_getfd(process, descriptor)
    try:
        if not _is_socket(copy):
            raise OSError(errno.ENOTSOCK, os.strerror(errno.ENOTSOCK))
        netns = nsfs.socket_netns(copy)
    finally:
        os.close(copy)
    inode = os.fstat(netns).st_ino
    if kept.setdefault(inode, netns) != netns:
        os.close(netns)
    return inode


def _is_socket(copy: int) -> bool:
    """Whether it is what was seen. Neither the link nor fdinfo asks the file itself anything, as fstat(2) would."""
    link = os.readlink("/proc/self/fd/%d" % copy)
    if link != TUN:
        return link.startswith("socket:[")
    # Any file may be called so, but only the driver's has this line (drivers/net/tun.c, tun_chr_show_fdinfo).
    with open("/proc/self/fdinfo/%d" % copy, "rb") as info:
        return b"\niff:" in info.read(4096)

"""Which processes hold a network's sockets, and which serve its tun and tap links."""
from __future__ import annotations

import errno
import json
import os
import stat
from typing import Any, Callable, Dict, List, Tuple

from .._discover.scan import TUN, Scan
from .._discover.scan import Holder as Held
from .._kernel import pidfd
from .._kernel.child import Child
from .._kernel.nsfs_queries import tun_netns
from .._model.inventory import NET, TRUNCATED
from .._model.network import Holder, Network

_ASK = b"T"
_MOST = 512    # tun descriptors of a host
_FOR_ALL = 20  # processes of all sockets of a network, for each entry that a list may have


class Holders:
    """Looks processes up. C(container_of) tells the container of a process; C(most) are told for one socket."""

    def __init__(self, scan: Scan, container_of: Callable[[int], str | None], most: int) -> None:
        self._scan = scan
        self._container_of = container_of
        self._most = most
        self._room = 0
        # Of all tun descriptors, by network and link.
        self._tuns: Dict[Tuple[str, str], List[Held]] = {}

    def fill(self, name: str, network: Network) -> None:
        """Add the processes to a network's sockets and links."""
        self._room = _FOR_ALL * self._most
        for socket in network["listening"]:
            # The kernel's own have no inode, and need none.
            held = self._scan.sockets.get("socket:[%d]" % socket["inode"], ()) if socket["inode"] else ()
            socket["processes"] = self._processes(held, name)
        for link in network["links"]:
            if link["kind"] == "tun":
                link["details"]["processes"] = self._processes(self._tuns.get((name, link["name"]), ()), name)

    def find_tuns(self) -> None:
        """Ask every tun descriptor for its link."""
        asked = [holder for link, holders in self._scan.sockets.items() if link.startswith(TUN) for holder in holders]
        if len(asked) > _MOST:
            self._scan.problems.add("processes of tun links", TRUNCATED, len(asked) - _MOST)
        if not asked:
            return
        # Another file may have come under the number we saw, whose server lets us wait for ever: a child asks.
        child = Child(lambda: _answer, self._scan.clock.until)
        try:
            for holder in asked[:_MOST]:
                try:
                    answer = json.loads(child.ask(_ASK, json.dumps(holder[:3]).encode("ascii"))[0])
                except OSError as error:
                    if error.errno not in (errno.ENOENT, errno.ESRCH, errno.EBADF, errno.EBADFD):
                        self._scan.problems.error("processes of tun links", error)
                    continue
                if answer is not None:
                    inode, name = answer
                    where = self._scan.names_of(holder.pid)[NET] if inode is None else "net:[%d]" % inode
                    self._tuns.setdefault((str(where), name), []).append(holder)
        finally:
            child.close()

    def _processes(self, held: Any, network: str) -> list[Holder]:
        found: list[Holder] = []
        pids = sorted({holder.pid for holder in held})
        room = min(self._most, self._room)
        if len(pids) > room:
            self._scan.problems.add("processes of sockets of %s" % network, TRUNCATED, len(pids) - room)
        self._room -= len(pids[:room])
        for pid in pids[:room]:
            process = self._scan.processes.get(pid)
            comm = "" if process is None else process.comm
            found.append({"pid": pid, "comm": comm, "container": self._container_of(pid)})
        return found


def _answer(dummy: bytes, body: bytes, dummy2: int | None) -> tuple[bytes, int | None]:
    """The network namespace's inode (None: not told) and the name of the link that a tun descriptor serves."""
    pid, tid, number = json.loads(body)
    place = "/proc/%d" % pid if tid is None else "/proc/%d/task/%d" % (pid, tid)
    with open("%s/fdinfo/%d" % (place, number), "rb") as info:
        # drivers/net/tun.c, tun_chr_show_fdinfo; a descriptor without a link says iff: and nothing.
        name = info.read(4096).partition(b"\niff:\t")[2].partition(b"\n")[0].decode("utf-8", "replace")
    if not name:
        return b"null", None
    try:
        process = pidfd.pidfd_open(tid or pid, thread=tid is not None)
        try:
            copy = pidfd.pidfd_getfd(process, number)
        finally:
            os.close(process)
        try:
            inode = _netns(copy)
        finally:
            os.close(copy)
    except OSError:
        # Without CAP_NET_ADMIN over it, or on Linux before 5.6. Mostly it is the process's own.
        return json.dumps([None, name]).encode("ascii"), None
    return json.dumps([inode, name]).encode("ascii"), None


def _netns(copy: int) -> int | None:
    if not stat.S_ISCHR(os.fstat(copy).st_mode):
        return None
    descriptor = tun_netns(copy)
    try:
        return os.fstat(descriptor).st_ino
    finally:
        os.close(descriptor)

"""Sockets of a network namespace, those that nobody has open any more included: who listens, and how many there are.

Over sock_diag(7); where that would load a kernel module, or the kernel has no such, from /proc/net, which does not
tell how many a listener lets wait, the link it is bound to, nor whether it is for IPv6 only.
"""
from __future__ import annotations

import errno
import socket
from typing import Any, Callable, Dict, List, Optional, Tuple

from .._kernel import proc_net, sock_diag
from .._kernel.modules import Modules
from .._kernel.netlink_dump import NETLINK_SOCK_DIAG, Netlink
from .._kernel.sock_diag import SOCK_DIAG_BY_FAMILY, TCP_CLOSE, TCP_LISTEN, Inet, Packet, Unix
from .._model.inventory import TRUNCATED, UNSUPPORTED
from .._model.network import Listening
from .look import Look

Sockets = Dict[str, Dict[str, int]]

# ss(8)'s words; a request for a connection (TCP_NEW_SYN_RECV) is one in syn-recv.
_STATES = {
    1: "established", 2: "syn-sent", 3: "syn-recv", 4: "fin-wait-1", 5: "fin-wait-2", 6: "time-wait",
    TCP_CLOSE: "unconnected", 8: "close-wait", 9: "last-ack", TCP_LISTEN: "listening", 11: "closing", 12: "syn-recv",
}
_TYPES = {1: "stream", 2: "dgram", 3: "raw", 5: "seqpacket", 10: "packet"}
_FAMILIES = (socket.AF_INET, socket.AF_INET6)

# What the kernel needs for it, and where else it is told.
_SOURCES = {
    "tcp": (("inet_diag", "tcp_diag"), ("tcp", "tcp6")),
    "udp": (("inet_diag", "udp_diag"), ("udp", "udp6")),
    "raw": (("inet_diag", "raw_diag"), ("raw", "raw6")),
    "packet": (("af_packet_diag",), ("packet",)),
    "unix": (("unix_diag",), ("unix",)),
}
_WAITS = {"tcp": TCP_LISTEN, "udp": TCP_CLOSE, "raw": TCP_CLOSE}
_PROTOCOLS = {"udp": sock_diag.IPPROTO_UDP, "raw": sock_diag.IPPROTO_RAW}
_LACKS = (errno.ENOENT, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT)


def take(look: Look, modules: Modules) -> Tuple[List[Listening], Sockets]:
    """Listening sockets, and for each protocol that could be asked how many are in which state."""
    found = _Found(look)
    try:
        diag: Optional[Netlink] = Netlink(NETLINK_SOCK_DIAG, look.until)
    except OSError:
        diag = None
    try:
        for protocol, (needs, files) in _SOURCES.items():
            found.begin(protocol)
            try:
                lacks = [name for name in needs if not modules.ready(name)]
                if diag is None or lacks or not _ask(found, diag, protocol):
                    _read(found, protocol, files, (lacks or needs)[-1], bool(lacks))
            except OSError as error:
                # What came before is true, and the other protocols may well be answered.
                if error.errno == errno.EOVERFLOW:
                    look.problems.add("sockets", TRUNCATED)
                else:
                    look.problems.error("sockets", error)
    finally:
        if diag is not None:
            diag.close()
    return found.listening(), found.sockets()


class _Found:
    """Rows of what listens, of which so many are kept, and how many sockets of a protocol are in a state."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.counts: List[int] = []
        self.rows = 0  # of the current protocol
        self._protocol = ""
        self._all: Dict[str, List[int]] = {}
        self._open: List[Listening] = []
        self._local: List[Listening] = []
        self._left_out = 0

    def begin(self, protocol: str) -> None:
        """What follows is of this protocol."""
        self._protocol, self.rows = protocol, 0
        self.counts = self._all[protocol] = [0] * 256

    def add(self, queue: Optional[int], inode: int, local: bool, address: Optional[str] = None,
            port: Optional[int] = None, path: Optional[str] = None, link: int = 0, limit: Optional[int] = None,
            **details: Any) -> None:
        """One that listens. A C(local) one, which no other host can reach, must not crowd out the others."""
        self.rows += 1
        kept = self._local if local else self._open
        if len(kept) >= self.look.most:
            self._left_out += 1
            return
        kept.append({
            "protocol": self._protocol, "address": address, "port": port, "path": path,
            "link": self.look.name(link), "queue": queue, "limit": limit, "details": details, "inode": inode,
            "processes": [],
        })

    def inet(self, row: Inet) -> None:
        """A socket of TCP, UDP or a raw one that waits for what others send."""
        details = {} if row.v6only is None else {"v6only": row.v6only}
        local = row.address.startswith(("127.", "::ffff:127.")) or row.address == "::1"
        limit = row.wqueue if row.state == TCP_LISTEN and self._protocol == "tcp" else None
        self.add(row.rqueue, row.inode, local, row.address, row.port, None, row.link, limit, **details)

    def unix(self, row: Unix) -> None:
        """A listening socket of AF_UNIX."""
        path = row.name
        if path is not None and path[:1] == b"\0":
            path = path.replace(b"\0", b"@")
        name = None if path is None else path.decode("utf-8", "replace")
        kind = _TYPES.get(row.type, str(row.type))
        self.add(row.rqueue, row.inode, True, path=name, limit=row.wqueue, type=kind)

    def packet(self, row: Packet) -> None:
        """A packet socket."""
        kind = _TYPES.get(row.type, str(row.type))
        self.add(row.queue, row.inode, False, link=row.link, ethertype="0x%04x" % row.ethertype, type=kind)

    def listening(self) -> List[Listening]:
        """The rows; what there are more is counted as a problem."""
        rows = self._open + self._local
        left_out = self._left_out + max(0, len(rows) - self.look.most)
        if left_out:
            self.look.problems.add("sockets", TRUNCATED, left_out)
        order = list(_SOURCES)
        return sorted(rows[:self.look.most], key=lambda row: (
            order.index(row["protocol"]), row["port"] or 0, row["address"] or "", row["path"] or "", row["inode"]))

    def sockets(self) -> Sockets:
        """How many sockets of each protocol are in each state."""
        found: Sockets = {}
        for protocol, counts in self._all.items():
            states = found[protocol] = {}
            for number, count in enumerate(counts):
                if count:
                    name = _STATES.get(number, str(number))
                    if protocol == "tcp" and number == TCP_CLOSE:
                        name = "closed"
                    states[name] = states.get(name, 0) + count
        return found


def _ask(found: _Found, diag: Netlink, protocol: str) -> bool:
    """Whether the kernel answered for a protocol over sock_diag. Raises OSError when it broke off."""
    try:
        if protocol == "tcp":
            _inet(found, diag, sock_diag.TCPDIAG_GETSOCK, sock_diag.tcp_request(), _WAITS[protocol])
        elif protocol == "unix":
            listeners = sock_diag.unix_request(sock_diag.LISTENERS, True)
            _dump(diag, listeners, sock_diag.SMALLEST_UNIX, lambda body: _unix(found, sock_diag.parse_unix(body)))
            # Thousands of connections, of which nobody wants the names.
            others = sock_diag.unix_request(sock_diag.ALL_STATES & ~sock_diag.LISTENERS, False)
            _dump(diag, others, sock_diag.SMALLEST_UNIX, lambda body: _count_unix(found, body))
        elif protocol == "packet":
            _dump(diag, sock_diag.packet_request(), sock_diag.SMALLEST_PACKET,
                  lambda body: _packet(found, sock_diag.parse_packet(body)))
        else:
            for family in _FAMILIES:
                request = sock_diag.inet_request(family, _PROTOCOLS[protocol])
                _inet(found, diag, SOCK_DIAG_BY_FAMILY, request, _WAITS[protocol])
    except OSError as error:
        if error.errno not in _LACKS or any(found.counts):
            raise
        return False
    return True


def _dump(diag: Netlink, request: bytes, smallest: int, one: Callable[[bytes], None]) -> None:
    for kind, dummy, body in diag.stream(SOCK_DIAG_BY_FAMILY, request):
        if kind == SOCK_DIAG_BY_FAMILY and len(body) >= smallest:
            one(body)


def _inet(found: _Found, diag: Netlink, request: int, payload: bytes, waits: int) -> None:
    """Count the sockets; those in the state C(waits) are kept."""
    counts, offset, smallest = found.counts, sock_diag.STATE, sock_diag.SMALLEST_INET
    for kind, dummy, body in diag.stream(request, payload):
        if kind != request or len(body) < smallest:
            continue
        state = body[offset]
        counts[state] += 1
        if state == waits:
            row = sock_diag.parse_inet(body)
            if row is not None:
                found.inet(row)


def _unix(found: _Found, row: Optional[Unix]) -> None:
    if row is not None:
        found.counts[row.state] += 1
        if row.state == TCP_LISTEN:
            found.unix(row)


def _count_unix(found: _Found, body: bytes) -> None:
    # One that began to listen since the first dump is in neither: it does not listen twice.
    found.counts[body[sock_diag.UNIX_STATE]] += 1


def _packet(found: _Found, row: Optional[Packet]) -> None:
    if row is not None:
        found.counts[TCP_CLOSE] += 1
        found.packet(row)


def _read(found: _Found, protocol: str, files: Tuple[str, ...], module: str, refused: bool) -> None:
    """Take from /proc/net what the module was not asked for (C(refused)), or does not exist for."""
    for name in files:
        # The calling thread's own: after setns(2) /proc/net, that is self/net, is the namespace of the first thread.
        lines = proc_net.lines("%s/thread-self/net/%s" % (found.look.root, name), found.look.until)
        try:
            if protocol == "unix":
                for one in proc_net.unix_rows(lines):
                    _unix(found, one)
            elif protocol == "packet":
                for row in proc_net.packet_rows(lines):
                    _packet(found, row)
            else:
                for waiting in proc_net.inet_rows(lines, found.counts, _WAITS[protocol]):
                    found.inet(waiting)
        except FileNotFoundError:
            # No such protocol, which has no sockets then; IPv6 can be left out of a kernel.
            continue
    # Of packet sockets nothing is missing, of raw ones the link that few are bound to, on kernels that mostly have no
    # raw_diag; of the others only if there are any.
    if found.rows and protocol not in ("packet", "raw"):
        reason = "%s is not loaded" if refused else "the kernel has no %s"
        found.look.problems.add("sockets", "%s: %s" % (UNSUPPORTED, reason % module))

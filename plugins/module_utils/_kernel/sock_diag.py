"""sock_diag(7): requests for dumps of sockets, and what answers (linux/inet_diag.h, unix_diag.h, packet_diag.h)."""
from __future__ import annotations

import socket
import struct
from typing import NamedTuple, Optional

from .netlink import attributes

TCPDIAG_GETSOCK, SOCK_DIAG_BY_FAMILY = 18, 20
IPPROTO_TCP, IPPROTO_UDP, IPPROTO_RAW = 6, 17, 255

# include/net/tcp_states.h; sockets of all families use these numbers.
TCP_ESTABLISHED, TCP_CLOSE, TCP_LISTEN = 1, 7, 10
LISTENERS = 1 << TCP_LISTEN
ALL_STATES = (1 << 13) - 2  # up to TCP_NEW_SYN_RECV; bit 13 would be bound ones that do nothing, a walk of its own

_SHOW_NAME, _SHOW_RQLEN = 0x01, 0x10          # UDIAG_SHOW_*
_SHOW_INFO, _SHOW_MEMINFO = 0x01, 0x10        # PACKET_SHOW_*
_INET_DIAG_SKV6ONLY = 11
_UNIX_DIAG_NAME, _UNIX_DIAG_RQLEN = 0, 4
_PACKET_DIAG_INFO, _PACKET_DIAG_MEMINFO = 0, 6

_INET = struct.Struct("=BBBBHH16s16sI8xIIIII")  # inet_diag_msg; ports are big-endian
_UNIX = struct.Struct("=BBBBI8x")               # unix_diag_msg
_PACKET = struct.Struct("=BBHI8x")              # packet_diag_msg
_TWO = struct.Struct("=II")

SMALLEST_INET, SMALLEST_UNIX, SMALLEST_PACKET = _INET.size, _UNIX.size, _PACKET.size
STATE = 1       # the offset of the state in an inet_diag_msg
UNIX_STATE = 2  # and in a unix_diag_msg


class Inet(NamedTuple):
    """A socket of TCP, UDP or a raw one; C(v6only) is told of listening and unconnected ones of IPv6."""

    family: int
    state: int
    address: str
    port: int
    link: int
    rqueue: int
    wqueue: Optional[int]
    inode: int
    v6only: Optional[bool]


class Unix(NamedTuple):
    """A socket of AF_UNIX; C(name) as bind(2) had it, without the NUL that ends a path."""

    type: int
    state: int
    inode: int
    name: Optional[bytes]
    rqueue: Optional[int]
    wqueue: Optional[int]


class Packet(NamedTuple):
    """A socket of AF_PACKET; C(queue) in bytes."""

    type: int
    ethertype: int
    inode: int
    link: int
    queue: Optional[int]


def tcp_request() -> bytes:
    """inet_diag_req, for TCPDIAG_GETSOCK: the TCP sockets of both families, but for SOCK_DIAG_BY_FAMILY in one walk.

    The walk is what it costs: the hash table of connections is common to all network namespaces.
    """
    return struct.pack("=BBBB48xII", 0, 0, 0, 0, ALL_STATES, 0)


def inet_request(family: int, protocol: int) -> bytes:
    """inet_diag_req_v2, for SOCK_DIAG_BY_FAMILY: the sockets of a protocol in all states."""
    return struct.pack("=BBBBI48x", family, protocol, 0, 0, ALL_STATES)


def unix_request(states: int, details: bool) -> bytes:
    """unix_diag_req: the sockets in C(states), with C(details) their names and queues too."""
    show = _SHOW_NAME | _SHOW_RQLEN if details else 0
    return struct.pack("=BBHIII8x", socket.AF_UNIX, 0, 0, states, 0, show)


def packet_request() -> bytes:
    """packet_diag_req: all sockets with their link and queue."""
    return struct.pack("=BBHII8x", socket.AF_PACKET, 0, 0, 0, _SHOW_INFO | _SHOW_MEMINFO)


def parse_inet(body: bytes) -> Inet | None:
    """An inet_diag_msg; None when it is cut off or of a family that is not the Internet's."""
    if len(body) < _INET.size:
        return None
    (family, state, dummy, dummy2, port, dummy3, source, dummy4, link, dummy5, rqueue, wqueue, dummy6,
     inode) = _INET.unpack_from(body)
    v6only = None
    if family == socket.AF_INET:
        address = socket.inet_ntop(family, source[:4])
    elif family == socket.AF_INET6:
        address = socket.inet_ntop(family, source)
        flag = attributes(body[_INET.size:]).get(_INET_DIAG_SKV6ONLY)
        v6only = bool(flag[0]) if flag else None
    else:
        return None
    return Inet(family, state, address, socket.ntohs(port), link, rqueue, wqueue, inode, v6only)


def parse_unix(body: bytes) -> Unix | None:
    """A unix_diag_msg; None when it is cut off."""
    if len(body) < _UNIX.size:
        return None
    dummy, kind, state, dummy2, inode = _UNIX.unpack_from(body)
    found = attributes(body[_UNIX.size:])
    name, queues = found.get(_UNIX_DIAG_NAME), found.get(_UNIX_DIAG_RQLEN, b"")
    # The length of an abstract name counts, also its NULs; that of a path includes the NUL that ends it.
    if name and name[0]:
        name = name.split(b"\0", 1)[0]
    rqueue, wqueue = _TWO.unpack_from(queues) if len(queues) >= _TWO.size else (None, None)
    return Unix(kind, state, inode, name or None, rqueue, wqueue)


def parse_packet(body: bytes) -> Packet | None:
    """A packet_diag_msg; None when it is cut off."""
    if len(body) < _PACKET.size:
        return None
    dummy, kind, ethertype, inode = _PACKET.unpack_from(body)
    found = attributes(body[_PACKET.size:])
    info, memory = found.get(_PACKET_DIAG_INFO, b""), found.get(_PACKET_DIAG_MEMINFO, b"")
    # packet_diag_info begins with the link's index; the first SK_MEMINFO_* is the receive queue.
    link = struct.unpack_from("=I", info)[0] if len(info) >= 4 else 0
    queue = struct.unpack_from("=I", memory)[0] if len(memory) >= 4 else None
    return Packet(kind, ethertype, inode, link, queue)

"""rtnetlink(7): how to ask for addresses, routes, rules and neighbours, and the layout of what comes back.

Numbers from linux/rtnetlink.h, if_addr.h, fib_rules.h and neighbour.h. The decoders give None for what is too short.
"""
from __future__ import annotations

import os
import socket
import struct
from typing import Iterator

from .netlink import attributes

RTM_NEWADDR, RTM_GETADDR = 20, 22
RTM_NEWROUTE, RTM_GETROUTE = 24, 26
RTM_NEWNEIGH, RTM_GETNEIGH = 28, 30
RTM_NEWRULE, RTM_GETRULE = 32, 34
AF_UNSPEC, AF_INET, AF_BRIDGE, AF_INET6 = 0, 2, 7, 10

IFADDRMSG = struct.Struct("=BBBBI")        # family, prefix length, flags, scope, index
IFA_ADDRESS, IFA_LOCAL, IFA_FLAGS = 1, 2, 8

RTMSG = struct.Struct("=BBBBBBBBI")        # family, dst_len, src_len, tos, table, protocol, scope, type, flags
RTA_DST, RTA_SRC, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_PREFSRC = 1, 2, 4, 5, 6, 7
RTA_METRICS, RTA_MULTIPATH, RTA_CACHEINFO, RTA_TABLE, RTA_VIA, RTA_NH_ID = 8, 9, 12, 15, 18, 30
RTM_F_CLONED = 0x200
RTPROT_UNSPEC, RTPROT_KERNEL = 0, 2
RTN_UNICAST = 1
RTAX_MTU, RTAX_RTT, RTAX_RTTVAR, RTAX_CC_ALGO = 2, 4, 5, 16

FIB_RULE_HDR = struct.Struct("=BBBBBxxBI")  # family, dst_len, src_len, tos, table, action, flags
FRA_DST, FRA_SRC, FRA_IIFNAME, FRA_GOTO, FRA_PRIORITY, FRA_FWMARK, FRA_FLOW, FRA_TUN_ID = 1, 2, 3, 4, 6, 10, 11, 12
FRA_SUPPRESS_IFGROUP, FRA_SUPPRESS_PREFIXLEN, FRA_TABLE, FRA_FWMASK, FRA_OIFNAME, FRA_L3MDEV = 13, 14, 15, 16, 17, 19
FRA_UID_RANGE, FRA_PROTOCOL, FRA_IP_PROTO, FRA_SPORT_RANGE, FRA_DPORT_RANGE, FRA_DSCP = 20, 21, 22, 23, 24, 25
FRA_FLOWLABEL, FRA_FLOWLABEL_MASK, FRA_SPORT_MASK, FRA_DPORT_MASK, FRA_DSCP_MASK = 26, 27, 28, 29, 30
FIB_RULE_INVERT, FIB_RULE_UNRESOLVED, FIB_RULE_IIF_DETACHED, FIB_RULE_OIF_DETACHED = 2, 4, 8, 16
FR_ACT_TO_TBL = 1

NDMSG = struct.Struct("=BxxxIHBB")         # family, index, state, flags, type
NDA_DST, NDA_LLADDR, NDA_VLAN, NDA_FLAGS_EXT = 1, 2, 5, 15
NTF_SELF, NTF_PROXY = 2, 8

_RTNEXTHOP = struct.Struct("=HBBI")        # length, flags, hops, index
_RTA_CACHEINFO = struct.Struct("=8xi")     # clntref, lastuse, expires
_U16, _U32, _BE64 = struct.Struct("=H"), struct.Struct("=I"), struct.Struct(">Q")
_RANGES = {4: struct.Struct("=HH"), 8: struct.Struct("=II")}
_TICKS = os.sysconf("SC_CLK_TCK")


def ifaddrmsg(family: int = AF_UNSPEC) -> bytes:
    """What RTM_GETADDR carries."""
    return IFADDRMSG.pack(family, 0, 0, 0, 0)


def rtmsg(family: int, flags: int = 0, protocol: int = 0, kind: int = 0) -> bytes:
    """What RTM_GETROUTE carries. Routes of another protocol or type are only left out since Linux 4.20."""
    return RTMSG.pack(family, 0, 0, 0, 0, protocol, 0, kind, flags)


def fib_rule_hdr(family: int = AF_UNSPEC) -> bytes:
    """What RTM_GETRULE carries."""
    return FIB_RULE_HDR.pack(family, 0, 0, 0, 0, 0, 0)


def ndmsg(family: int = AF_UNSPEC, flags: int = 0) -> bytes:
    """What RTM_GETNEIGH carries; NTF_PROXY asks for what is answered for others, AF_BRIDGE for forwarding databases."""
    return NDMSG.pack(family, 0, 0, flags, 0)


def address(raw: bytes | None) -> str | None:
    """An IP address as text; its length says of which family."""
    if raw is None:
        return None
    size = len(raw)
    if size == 4:
        return "%d.%d.%d.%d" % (raw[0], raw[1], raw[2], raw[3])
    return socket.inet_ntop(socket.AF_INET6, raw) if size == 16 else None


def via(raw: bytes | None) -> str | None:
    """The gateway of another family that RTA_VIA has: struct rtvia, a family and an address."""
    return None if raw is None else address(raw[2:])


def hardware(raw: bytes | None) -> str | None:
    """A link-layer address as text, of at most 32 bytes (MAX_ADDR_LEN)."""
    return raw[:32].hex(":") if raw else None


def u16(raw: bytes | None) -> int | None:
    """A number of two bytes."""
    return None if raw is None or len(raw) < 2 else int(_U16.unpack_from(raw)[0])


def u32(raw: bytes | None) -> int | None:
    """A number of four bytes."""
    return None if raw is None or len(raw) < 4 else int(_U32.unpack_from(raw)[0])


def u8(raw: bytes | None) -> int | None:
    """A number of one byte."""
    return raw[0] if raw else None


def be32(raw: bytes | None) -> int | None:
    """A number of four bytes in network order."""
    return None if raw is None or len(raw) < 4 else int.from_bytes(raw[:4], "big")


def be64(raw: bytes | None) -> int | None:
    """A number of eight bytes in network order."""
    return None if raw is None or len(raw) < 8 else int(_BE64.unpack_from(raw)[0])


def span(raw: bytes | None) -> tuple[int, int] | None:
    """First and last of a range: fib_rule_port_range, fib_rule_uid_range."""
    layout = _RANGES.get(len(raw)) if raw else None
    if layout is None or raw is None:
        return None
    first, last = layout.unpack(raw)
    return first, last


def text(raw: bytes | None) -> str | None:
    """A name of at most 64 bytes."""
    return None if raw is None else raw[:64].split(b"\0")[0].decode("utf-8", "replace")


def expires(raw: bytes | None) -> int | None:
    """In how many seconds a route ends, of its RTA_CACHEINFO; None if never."""
    if raw is None or len(raw) < _RTA_CACHEINFO.size:
        return None
    ticks = int(_RTA_CACHEINFO.unpack_from(raw)[0])
    return int(ticks / _TICKS) if ticks else None


def nexthops(data: bytes) -> Iterator[tuple[int, int, int, dict[int, bytes]]]:
    """Flags, weight, index of the link and attributes of each hop in RTA_MULTIPATH; what is cut off ends the walk."""
    offset = 0
    while offset + _RTNEXTHOP.size <= len(data):
        length, flags, hops, index = _RTNEXTHOP.unpack_from(data, offset)
        if length < _RTNEXTHOP.size or offset + length > len(data):
            return
        yield flags, hops + 1, index, attributes(data[offset + _RTNEXTHOP.size:offset + length])
        offset += length + (-length % 4)

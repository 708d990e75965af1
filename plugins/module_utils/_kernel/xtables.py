"""What iptables-nft leaves as it was: matches and targets of xtables in their own structs (linux/netfilter/xt_*.h).

Each function takes the raw struct and gives None for one that is cut off or of an unknown revision.
"""
from __future__ import annotations

import struct
from typing import List, NamedTuple, Optional, Tuple

Ports = Tuple[int, int, bool]  # first, last, inverted

_TCP = struct.Struct("=4H4B")        # xt_tcp: source and destination ports, option, flags' mask and value, inverted
_UDP = struct.Struct("=4HB")         # xt_udp
_SCTP = struct.Struct("=4H272xi2I")  # xt_sctp_info: destination ports first; chunks; flags, inverted flags
_MULTIPORT = struct.Struct("=2B15H15BB")  # xt_multiport_v1
_ADDRTYPE = struct.Struct("=2HI")    # xt_addrtype_info_v1, and the beginning of version 0
_CONNTRACK = struct.Struct("=136x5H4H")  # xt_conntrack_mtinfo2 and 3, behind the addresses and expires
_MARK = struct.Struct("=2IB")        # xt_mark_mtinfo1
_COMPAT = struct.Struct("=2I4s4s")   # nf_nat_ipv4_multi_range_compat up to its ports, which are big-endian
_RANGE = struct.Struct("=I16s16s")   # nf_nat_range and nf_nat_range2 up to theirs
_TPROXY = struct.Struct("=2I4s")     # xt_tproxy_target_info
_TPROXY1 = struct.Struct("=2I16s")
_NF_NAT_RANGE_MAP_IPS, _NF_NAT_RANGE_PROTO_SPECIFIED, _NF_NAT_RANGE_PROTO_OFFSET = 1, 2, 32
_XT_CONNTRACK_STATE, _XT_CONNTRACK_STATUS, _XT_CONNTRACK_STATE_ALIAS = 1, 64, 1 << 13
_NFPROTO_IPV4 = 2


class Transport(NamedTuple):
    """Ports and TCP flags (value, mask, inverted) of a match; C(exact) False: it asks for more than that."""

    source: Optional[Ports]
    destination: Optional[Ports]
    flags: Optional[Tuple[int, int, bool]]
    exact: bool


class NatRange(NamedTuple):
    """Where to: raw addresses, ports; C(base): a port goes as far behind C(port) as it was behind the base."""

    address: Optional[bytes]
    address_max: Optional[bytes]
    port: Optional[int]
    port_max: Optional[int]
    base: Optional[int]


def transport(name: str, info: bytes) -> Optional[Transport]:
    """Of tcp, udp, sctp."""
    flags = None
    exact = True
    if name == "tcp" and len(info) >= _TCP.size:
        first, last, low, high, option, mask, value, inverted = _TCP.unpack_from(info)
        exact = not option
        if mask:
            flags = (value, mask, bool(inverted & 4))
    elif name == "udp" and len(info) >= _UDP.size:
        first, last, low, high, inverted = _UDP.unpack_from(info)
    elif name == "sctp" and len(info) >= _SCTP.size:
        low, high, first, last, dummy, used, inverted = _SCTP.unpack_from(info)
        exact = not used & 4
        first, last = (first, last) if used & 1 else (0, 65535)
        low, high = (low, high) if used & 2 else (0, 65535)
    else:
        return None
    return Transport(_ports(first, last, inverted & 1), _ports(low, high, inverted & 2), flags, exact)


def multiport(revision: int, info: bytes) -> Optional[Tuple[int, List[Tuple[int, int]], bool]]:
    """Which ports (0 source, 1 destination, 2 either), their ranges, whether inverted."""
    if revision != 1 or len(info) < _MULTIPORT.size:
        return None
    found = _MULTIPORT.unpack_from(info)
    count, ports, more = min(found[1], 15), found[2:17], found[17:32]
    ranges = []
    at = 0
    while at < count:
        last = ports[at + 1] if more[at] and at + 1 < count else ports[at]
        ranges.append((ports[at], last))
        at += 2 if more[at] else 1
    return found[0], ranges, bool(found[32])


def addrtype(revision: int, info: bytes) -> Optional[Tuple[Tuple[int, bool], Tuple[int, bool]]]:
    """Bits of the types of source and destination address (1 << RTN_*), each with whether it is inverted."""
    if len(info) < _ADDRTYPE.size + (0 if revision else 4) or revision > 1:
        return None
    source, destination, flags = _ADDRTYPE.unpack_from(info)
    if revision:
        # Limits to an interface (4, 8) narrow what is local, which is as good as nothing for us.
        return (source, bool(flags & 1)), (destination, bool(flags & 2))
    return (source, bool(flags)), (destination, bool(struct.unpack_from("=I", info, 8)[0]))


def conntrack(revision: int, info: bytes) -> Optional[Tuple[int, bool, int, bool, bool]]:
    """Bits of state (INVALID 1, ESTABLISHED 2, ...) and status, each with whether inverted; whether that is all."""
    if revision not in (2, 3) or len(info) < _CONNTRACK.size:
        return None
    asked, inverted, state, status = _CONNTRACK.unpack_from(info)[5:9]
    exact = not asked & ~(_XT_CONNTRACK_STATE | _XT_CONNTRACK_STATUS | _XT_CONNTRACK_STATE_ALIAS)
    return (
        state if asked & _XT_CONNTRACK_STATE else 0, bool(inverted & _XT_CONNTRACK_STATE),
        status if asked & _XT_CONNTRACK_STATUS else 0, bool(inverted & _XT_CONNTRACK_STATUS), exact,
    )


def mark(revision: int, info: bytes) -> Optional[Tuple[int, int, bool]]:
    """Value, mask, whether inverted."""
    if revision != 1 or len(info) < _MARK.size:
        return None
    value, mask, inverted = _MARK.unpack_from(info)
    return value, mask, bool(inverted)


def nat_range(name: str, revision: int, family: int, info: bytes) -> Optional[NatRange]:
    """Of DNAT, SNAT, MASQUERADE, REDIRECT, NETMAP excepted."""
    if revision == 0 and family == _NFPROTO_IPV4:
        if len(info) < 20:
            return None
        dummy, flags, first, last = _COMPAT.unpack_from(info)
        at = _COMPAT.size
    elif (name == "DNAT" and revision in (1, 2)) or (name == "SNAT" and revision == 1) or revision == 0:
        if len(info) < (42 if revision == 2 else 40):
            return None
        flags, first, last = _RANGE.unpack_from(info)
        if family == _NFPROTO_IPV4:
            first, last = first[:4], last[:4]
        at = _RANGE.size
    else:
        return None
    port, port_max = struct.unpack_from(">2H", info, at)
    mapped, ported = flags & _NF_NAT_RANGE_MAP_IPS, flags & _NF_NAT_RANGE_PROTO_SPECIFIED
    base = struct.unpack_from(">H", info, at + 4)[0] if flags & _NF_NAT_RANGE_PROTO_OFFSET and revision == 2 else None
    return NatRange(first if mapped else None, last if mapped else None, port if ported else None,
                    port_max if ported else None, base)


def tproxy(revision: int, family: int, info: bytes) -> Optional[NatRange]:
    layout = _TPROXY1 if revision else _TPROXY
    if revision > 1 or len(info) < layout.size + 2:
        return None
    address = layout.unpack_from(info)[2]
    port = struct.unpack_from(">H", info, layout.size)[0]
    address = address[:4] if family == _NFPROTO_IPV4 else address
    return NatRange(address if any(address) else None, None, port or None, None, None)


def _ports(first: int, last: int, inverted: int) -> Optional[Ports]:
    return None if (first, last) == (0, 65535) and not inverted else (first, last, bool(inverted))

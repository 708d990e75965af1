"""The rules that choose a routing table in a network namespace."""
from __future__ import annotations

from typing import Any, Dict, List, Optional

from .._kernel.netlink import attributes
from .._kernel.rtnetlink_route import (
    FIB_RULE_HDR,
    FIB_RULE_IIF_DETACHED,
    FIB_RULE_INVERT,
    FIB_RULE_OIF_DETACHED,
    FIB_RULE_UNRESOLVED,
    FR_ACT_TO_TBL,
    FRA_DPORT_MASK,
    FRA_DPORT_RANGE,
    FRA_DSCP,
    FRA_DSCP_MASK,
    FRA_DST,
    FRA_FLOW,
    FRA_FLOWLABEL,
    FRA_FLOWLABEL_MASK,
    FRA_FWMARK,
    FRA_FWMASK,
    FRA_GOTO,
    FRA_IIFNAME,
    FRA_IP_PROTO,
    FRA_L3MDEV,
    FRA_OIFNAME,
    FRA_PRIORITY,
    FRA_PROTOCOL,
    FRA_SPORT_MASK,
    FRA_SPORT_RANGE,
    FRA_SRC,
    FRA_SUPPRESS_IFGROUP,
    FRA_SUPPRESS_PREFIXLEN,
    FRA_TABLE,
    FRA_TUN_ID,
    FRA_UID_RANGE,
    RTM_GETRULE,
    RTM_NEWRULE,
    RTPROT_KERNEL,
    RTPROT_UNSPEC,
    address,
    be32,
    be64,
    fib_rule_hdr,
    span,
    text,
    u8,
    u16,
    u32,
)
from .._model.network import Rule
from .families import FAMILIES, rows
from .look import Look
from .rt_names import PROTOCOLS, TABLES, Bits, flags, named

_ACTIONS = {FR_ACT_TO_TBL: "lookup", 2: "goto", 3: "nop", 6: "blackhole", 7: "unreachable", 8: "prohibit"}
_FLAGS: Bits = (
    (FIB_RULE_INVERT, "not"), (FIB_RULE_UNRESOLVED, "unresolved"), (FIB_RULE_IIF_DETACHED, "iif_detached"),
    (FIB_RULE_OIF_DETACHED, "oif_detached"),
)
_IP_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 33: "dccp", 58: "ipv6-icmp", 132: "sctp", 136: "udplite"}
_UNSET = 0xFFFFFFFF
# What nearly every rule has; one without anything else needs no further look.
_PLAIN = frozenset((FRA_PRIORITY, FRA_TABLE, FRA_SUPPRESS_PREFIXLEN, FRA_PROTOCOL))


def take(look: Look) -> List[Rule]:
    """IPv4, then IPv6 rules, each by priority as the kernel gives them; none where it has none. Raises OSError."""
    return rows(look, "rules", RTM_GETRULE, fib_rule_hdr, _row)


def _row(dummy: Look, family: int, kind: int, body: bytes) -> Optional[Rule]:
    if kind != RTM_NEWRULE or len(body) < FIB_RULE_HDR.size:
        return None
    number, size, from_size, tos, table, action, bits = FIB_RULE_HDR.unpack_from(body)
    if number != family:
        return None
    found = attributes(body[FIB_RULE_HDR.size:])
    get = found.get
    table = u32(get(FRA_TABLE)) or table
    return {
        "family": FAMILIES[family],
        "priority": u32(get(FRA_PRIORITY)) or 0,
        "from": _prefix(get(FRA_SRC), from_size),
        "to": _prefix(get(FRA_DST), size),
        "iif": text(get(FRA_IIFNAME)),
        "oif": text(get(FRA_OIFNAME)),
        "fwmark": _masked(u32(get(FRA_FWMARK)), u32(get(FRA_FWMASK)), _UNSET),
        # With l3mdev the table is that of the link's master.
        "table": named(TABLES, table) if action == FR_ACT_TO_TBL and table else None,
        "action": named(_ACTIONS, action),
        "details": _details(found, tos, bits),
    }


def _prefix(raw: Optional[bytes], size: int) -> Optional[str]:
    found = address(raw) if size else None
    return "%s/%d" % (found, size) if found else None


def _masked(value: Optional[int], mask: Optional[int], whole: int) -> Optional[str]:
    """A value, with its mask if that does not cover the C(whole) of it."""
    if value is None and mask is None:
        return None
    return "0x%x" % (value or 0) if mask is None or mask == whole else "0x%x/0x%x" % (value or 0, mask)


def _details(found: Dict[int, bytes], tos: int, bits: int) -> Dict[str, Any]:
    """What else is set. C(unknown) has the numbers of attributes newer than this: they may be conditions too."""
    details: Dict[str, Any] = dict.fromkeys(flags(_FLAGS, bits), True)
    get = found.get
    protocol = u8(get(FRA_PROTOCOL)) or RTPROT_UNSPEC
    if protocol not in (RTPROT_UNSPEC, RTPROT_KERNEL):
        details["protocol"] = named(PROTOCOLS, protocol)
    if tos:
        details["tos"] = "0x%x" % tos
    suppress = u32(get(FRA_SUPPRESS_PREFIXLEN))
    if suppress not in (None, _UNSET):
        details["suppress_prefixlength"] = suppress
    if _PLAIN.issuperset(found):
        return details
    for name, value in (
        ("l3mdev", bool(u8(get(FRA_L3MDEV))) or None),
        ("suppress_ifgroup", u32(get(FRA_SUPPRESS_IFGROUP))),
        ("goto", u32(get(FRA_GOTO))),
        ("tun_id", be64(get(FRA_TUN_ID))),
        ("uidrange", _range(span(get(FRA_UID_RANGE)))),
        ("sport", _ports(span(get(FRA_SPORT_RANGE)), u16(get(FRA_SPORT_MASK)))),
        ("dport", _ports(span(get(FRA_DPORT_RANGE)), u16(get(FRA_DPORT_MASK)))),
        ("dscp", _masked(u8(get(FRA_DSCP)), u8(get(FRA_DSCP_MASK)), 0x3F)),
        ("flowlabel", _masked(be32(get(FRA_FLOWLABEL)), be32(get(FRA_FLOWLABEL_MASK)), 0xFFFFF)),
    ):
        if value is not None:
            details[name] = value
    transport, realms = u8(get(FRA_IP_PROTO)), u32(get(FRA_FLOW))
    if transport:
        details["ipproto"] = named(_IP_PROTOCOLS, transport)
    if realms:
        details["realms"] = "%d/%d" % (realms >> 16, realms & 0xFFFF)
    unknown = sorted(number for number in found if number > FRA_DSCP_MASK)
    if unknown:
        details["unknown"] = unknown[:16]
    return details


def _range(ends: Any) -> Optional[str]:
    return "%d-%d" % ends if ends else None


def _ports(ends: Any, mask: Optional[int]) -> Optional[str]:
    """One port, a range, or (Linux 6.15) a port and its mask."""
    if not ends or ends[0] != ends[1]:
        return _range(ends)
    return str(ends[0]) if mask in (None, 0, 0xFFFF) else "0x%x/0x%x" % (ends[0], mask)

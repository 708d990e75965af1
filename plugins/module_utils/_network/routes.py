"""The routes of all tables of a network namespace, and the exceptions learned for single destinations."""
from __future__ import annotations

from functools import partial
from typing import Dict, List, Optional, Tuple

from .._kernel.netlink import attributes
from .._kernel.netlink_dump import Dump
from .._kernel.rtnetlink_route import (
    RTA_CACHEINFO,
    RTA_DST,
    RTA_GATEWAY,
    RTA_METRICS,
    RTA_MULTIPATH,
    RTA_NH_ID,
    RTA_OIF,
    RTA_PREFSRC,
    RTA_PRIORITY,
    RTA_SRC,
    RTA_TABLE,
    RTA_VIA,
    RTAX_CC_ALGO,
    RTAX_MTU,
    RTAX_RTT,
    RTAX_RTTVAR,
    RTM_F_CLONED,
    RTM_GETROUTE,
    RTM_NEWROUTE,
    RTMSG,
    RTN_UNICAST,
    RTPROT_KERNEL,
    address,
    expires,
    nexthops,
    rtmsg,
    u32,
    via,
)
from .._model.network import Nexthop, Route
from .families import FAMILIES, dumps, rows
from .look import Look
from .rt_names import PROTOCOLS, SCOPES, TABLES, Bits, flags, named

_TYPES = {
    1: "unicast", 2: "local", 3: "broadcast", 4: "anycast", 5: "multicast", 6: "blackhole", 7: "unreachable",
    8: "prohibit", 9: "throw", 10: "nat", 11: "xresolve",
}
# RTNH_F_* of a hop; a route has these and RTM_F_*. RTCF_REDIRECTED: an exception that a redirect made.
_HOP_FLAGS: Bits = (
    (0x01, "dead"), (0x02, "pervasive"), (0x04, "onlink"), (0x08, "offload"), (0x10, "linkdown"),
    (0x20, "unresolved"), (0x40, "trap"),
)
_FLAGS: Bits = (*_HOP_FLAGS, (0x100, "notify"), (RTM_F_CLONED, "cache"), (0x4000, "rt_offload"), (0x8000, "rt_trap"),
                (0x40000, "redirected"), (0x20000000, "rt_offload_failed"))
_METRICS = {
    1: "lock", 3: "window", RTAX_RTT: "rtt", RTAX_RTTVAR: "rttvar", 6: "ssthresh", 7: "cwnd", 8: "advmss",
    9: "reordering", 10: "hoplimit", 11: "initcwnd", 12: "features", 13: "rto_min", 14: "initrwnd", 15: "quickack",
    17: "fastopen_no_cookie",
}


def take(look: Look) -> List[Route]:
    """IPv4, then IPv6 routes as the kernel gives them, then exceptions (flag C(cache)). Raises OSError.

    Where there are too many, those that say most are kept beyond C(look.most): default routes of any table and those
    to the networks of links, as many of each again.
    """
    found: List[Route] = []
    for family, table in zip(FAMILIES, dumps(look, RTM_GETROUTE, rtmsg, _route)):
        if table.left_out:
            _add(look, table, rtmsg(family), partial(_default, look, family))
            _add(look, table, rtmsg(family, 0, RTPROT_KERNEL, RTN_UNICAST), partial(_connected, look, family))
        found += look.rows("routes", table)
    try:
        # What was learned for single destinations. IPv4's are only told since Linux 5.3.
        found += rows(look, "route exceptions", RTM_GETROUTE, partial(rtmsg, flags=RTM_F_CLONED), _exception)
    except OSError as error:
        look.problems.error("route exceptions", error)
    return found


def _add(look: Look, table: Dump[Route], request: bytes, parse: partial[Optional[Route]]) -> None:
    """Read once more for rows that must not be missing."""
    try:
        seen = look.route.dump(RTM_GETROUTE, request, parse, look.most).rows
    except OSError as error:
        look.problems.error("routes", error)
        return
    missing = [row for row in seen if row not in table.rows]
    table.rows += missing
    table.left_out = max(0, table.left_out - len(missing))


def _route(look: Look, family: int, kind: int, body: bytes) -> Optional[Route]:
    return _row(look, family, False, kind, body)


def _exception(look: Look, family: int, kind: int, body: bytes) -> Optional[Route]:
    return _row(look, family, True, kind, body)


def _default(look: Look, family: int, kind: int, body: bytes) -> Optional[Route]:
    return None if body[1:2] != b"\0" else _row(look, family, False, kind, body)


def _connected(look: Look, family: int, kind: int, body: bytes) -> Optional[Route]:
    if len(body) < RTMSG.size or body[5] != RTPROT_KERNEL or body[7] != RTN_UNICAST:
        return None
    return _row(look, family, False, kind, body)


def _row(look: Look, family: int, cloned: bool, kind: int, body: bytes) -> Optional[Route]:
    if kind != RTM_NEWROUTE or len(body) < RTMSG.size:
        return None
    number, size, from_size, dummy, table, protocol, scope, type_, bits = RTMSG.unpack_from(body)
    # Older kernels give routes and exceptions together.
    if number != family or bool(bits & RTM_F_CLONED) is not cloned:
        return None
    found = attributes(body[RTMSG.size:])
    get = found.get
    destination = address(get(RTA_DST))
    if size and destination is None:
        return None
    if RTA_TABLE in found:
        table = u32(get(RTA_TABLE)) or table
    source = address(get(RTA_SRC)) if from_size else None
    mtu, metrics = _metrics(get(RTA_METRICS)) if RTA_METRICS in found else (None, {})
    return {
        "family": FAMILIES[family],
        "type": named(_TYPES, type_),
        "destination": "%s/%d" % (destination, size) if size else "default",
        "from": "%s/%d" % (source, from_size) if source else None,
        "gateway": address(get(RTA_GATEWAY)) or via(get(RTA_VIA)),
        "link": look.name(u32(get(RTA_OIF))),
        "table": named(TABLES, table),
        "protocol": named(PROTOCOLS, protocol),
        "scope": named(SCOPES, scope),
        "metric": u32(get(RTA_PRIORITY)),
        "source": address(get(RTA_PREFSRC)),
        "mtu": mtu,
        "metrics": metrics,
        "flags": flags(_FLAGS, bits),
        "nexthop_id": u32(get(RTA_NH_ID)),
        "nexthops": _nexthops(look, found[RTA_MULTIPATH]) if RTA_MULTIPATH in found else [],
        "expires": expires(get(RTA_CACHEINFO)),
    }


def _nexthops(look: Look, data: bytes) -> List[Nexthop]:
    return [{
        "gateway": address(found.get(RTA_GATEWAY)) or via(found.get(RTA_VIA)),
        "link": look.name(index),
        "weight": weight,
        "flags": flags(_HOP_FLAGS, bits),
    } for bits, weight, index, found in look.nested("nexthops", list(nexthops(data)))]


def _metrics(data: Optional[bytes]) -> Tuple[Optional[int], Dict[str, int]]:
    """The MTU and the other RTAX_*; times in milliseconds. The congestion algorithm is no number and left out."""
    metrics: Dict[str, int] = {}
    mtu = None
    for number, raw in attributes(data or b"").items():
        value = u32(raw)
        if value is None or number == RTAX_CC_ALGO:
            continue
        if number == RTAX_MTU:
            mtu = value
        else:
            # The kernel counts these two in eighths and quarters.
            value = value // {RTAX_RTT: 8, RTAX_RTTVAR: 4}.get(number, 1)
            metrics[named(_METRICS, number)] = value
    return mtu, metrics

"""Links as lines: what can be set of them, in iproute2's words, and the sysctls that are theirs.

The state of a carrier and what follows from it (RUNNING, LOWER_UP, operstate) is the other end's. IFF_PROMISC is what a
user has set, IFLA_PROMISCUITY counts the sockets too: a running tcpdump(8) is no state.
"""
from __future__ import annotations

import struct
from typing import Any, Dict, Iterator, Optional, Tuple

from .._kernel import rtnetlink_link as kernel
from .._kernel.netlink import attributes
from .._network import link_details
from .state_conf import IPV4, IPV6, NEIGHBOURS
from .state_look import Look, digest, rest

_HEADER = struct.Struct("=BxHiII")
_FLAGS = (
    (0x1, "UP"), (0x100, "PROMISC"), (0x200, "ALLMULTI"), (0x1000, "MULTICAST"), (0x80, "NOARP"), (0x4, "DEBUG"),
    (0x8000, "DYNAMIC"), (0x20, "NOTRAILERS"),
)
(_ADDRESS, _BROADCAST, _QDISC, _TXQLEN, _LINKMODE, _ALIAS, _AF_SPEC, _GROUP) = 1, 2, 6, 13, 17, 20, 26, 27
_PROTO_DOWN, _MIN_MTU = 39, 50
# Counters, what follows from the other end, from others or from the hardware, and what has words below.
_NO_STATE = frozenset((
    1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 23, 26, 27, 30, 33, 35, 36, 37, 39, 43, 46, 47, 48,
    50, 51, 52, 54, 56, 57, 59, 60, 61, 62, 65, 66, 67, 68, 69, 21,
))
_NUMBERS = ((31, "numtxqueues"), (32, "numrxqueues"), (40, "gso_max_segs"), (41, "gso_max_size"),
            (58, "gro_max_size"), (63, "gso_ipv4_max_size"), (64, "gro_ipv4_max_size"))
_IN_WORDS = frozenset(number for number, dummy in _NUMBERS)
# Of IFLA_INFO_DATA: elections, running timers and what was learned of a bridge, the active slave and 802.3ad's partner
# of a bond, the queues of a tun.
_RUNNING = {
    "bridge": frozenset((10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 47, 48)),
    "bond": frozenset((2, 23)), "tun": frozenset((8, 9)), "can": frozenset((4, 8)), "macvlan": frozenset((6,)),
}
_RUNNING_PORT = {
    "bridge": frozenset((1, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 26, 35, 36, 38, 41)),
    "bond": frozenset((1, 2, 3, 6, 7, 8)),
}
_RUNNING_WORDS = frozenset((
    "root_id", "bridge_id", "root_port", "active_slave", "ad_info", "numqueues", "numdisabled", "macaddr_count",
    "mii_status", "link_failure_count", "ad_aggregator_id",
))


def words(body: bytes, look: Look) -> Iterator[str]:
    """A line for each thing that is set of the link, and of its sysctls; one for all if the link is new or gone."""
    dummy, hardware, index, flags, dummy2 = _HEADER.unpack_from(body)
    found = attributes(body[_HEADER.size:])
    name = look.link(index)
    said = _link(found, hardware, index, flags, look)
    if name not in look.others:
        yield "link %s %s" % (name, " ".join(said))
        return
    for part in said:
        yield "link %s %s" % (name, part)
    yield from _sysctls(found.get(_AF_SPEC, b""), name)


def _link(found: Dict[int, bytes], hardware: int, index: int, flags: int, look: Look) -> Iterator[str]:
    get = found.get
    info = attributes(get(kernel.IFLA_LINKINFO, b""))
    kind = kernel.text(info.get(kernel.IFLA_INFO_KIND, b""))
    if kind:
        yield "type %s" % kind
    yield "mtu %s" % _u32(get(kernel.IFLA_MTU))
    yield "state %s" % ("UP" if flags & 1 else "DOWN")
    names = [word for bit, word in _FLAGS[1:] if flags & bit]
    if names:
        yield "flags %s" % ",".join(names)
    if get(_ADDRESS):
        # That of a tunnel is its local end, in words below.
        yield "address %s" % found[_ADDRESS].hex(":")
    if get(_BROADCAST):
        yield "broadcast %s" % found[_BROADCAST].hex(":")
    if _u32(get(kernel.IFLA_MASTER)):
        yield "master %s" % look.link(_u32(get(kernel.IFLA_MASTER)))
    lower = _u32(get(kernel.IFLA_LINK))
    if kernel.IFLA_LINK_NETNSID in found:
        # Where the other end is: its number there is new with every move.
        yield "link-netnsid %s" % kernel.S32(found[kernel.IFLA_LINK_NETNSID])
    elif lower and lower != index:
        yield "link %s" % look.link(lower)
    yield "qdisc %s" % (kernel.text(get(_QDISC, b"")) or "none")
    yield "qlen %s" % _u32(get(_TXQLEN))
    yield "group %s" % (_u32(get(_GROUP)) or 0)
    if get(_ALIAS):
        yield "alias %s" % kernel.text(found[_ALIAS])
    for value in (value for number, value in kernel.nested(get(kernel.IFLA_PROP_LIST, b"")) if number == 53):
        yield "altname %s" % kernel.text(value)
    if any(get(_LINKMODE, b"")):
        yield "mode %d" % found[_LINKMODE][0]
    if any(get(_PROTO_DOWN, b"")):
        yield "protodown on"
    for number, word in _NUMBERS:
        if number in found:
            yield "%s %s" % (word, _u32(found[number]))
    attached = dict(attributes(get(kernel.IFLA_XDP, b"")))
    if any(attached.get(2, b"")):
        yield "xdp %s" % ",".join("%d" % (_u32(value) or 0) for number, value in sorted(attached.items()) if number > 3)
    if kernel.IFLA_INFO_DATA in info:
        data = info[kernel.IFLA_INFO_DATA]
        yield from _said(link_details.of_kind(kind, data, look.link))
        left = rest(attributes(data), [*kernel.DATA.get(kind, ()), *_RUNNING.get(kind, ())])
        if left:
            yield left.strip()
    if kernel.IFLA_INFO_SLAVE_KIND in info:
        of = kernel.text(info[kernel.IFLA_INFO_SLAVE_KIND])
        data = info.get(kernel.IFLA_INFO_SLAVE_DATA, b"")
        port = link_details.of_port(of, data, look.link)
        port.pop("kind", None)
        port.pop("state", None)
        yield from _said(port, "port ")
        left = rest(attributes(data), [*kernel.PORT.get(of, ()), *_RUNNING_PORT.get(of, ())])
        if left:
            yield "port" + left
    vfs = [value for dummy, value in kernel.nested(get(22, b""))]
    if vfs:
        # Each with what was set; IFLA_VF_STATS (8) is none of it.
        yield "vfs %s" % digest(*(rest(attributes(value), (8,)).encode() for value in vfs))
    left = rest(found, [*_NO_STATE, *_IN_WORDS, _LINKMODE, 22, 29])
    if left:
        yield left.strip()
    if hardware not in (1, kernel.ARPHRD_LOOPBACK):
        yield "hardware %d" % hardware
    inet6 = attributes(attributes(get(_AF_SPEC, b"")).get(10, b""))
    if len(inet6.get(8, b"")) == 1:
        yield "addrgenmode %d" % inet6[8][0]
    if any(inet6.get(7, b"")):
        yield "token %s" % inet6[7].hex()


def _said(details: Dict[str, Any], before: str = "") -> Iterator[str]:
    for key, value in sorted(details.items()):
        if key not in _RUNNING_WORDS:
            if isinstance(value, list):
                value = ",".join(map(str, value)) or "none"
            yield "%s%s %s" % (before, key, {True: "on", False: "off"}[value] if isinstance(value, bool) else value)


def _sysctls(data: bytes, name: str) -> Iterator[str]:
    """IFLA_AF_SPEC has all of net.ipv4.conf.LINK and net.ipv6.conf.LINK."""
    name = name.replace(".", "/")
    families = attributes(data)
    for number, raw in kernel.nested(families.get(2, b"")):
        if number == 1:  # IFLA_INET_CONF: nested, numbered from 1, or (so it was always) a plain array
            for at, value in enumerate(_array(raw)):
                yield "sysctl net.ipv4.conf.%s.%s = %d" % (name, _named(IPV4, at), value)
    for number, raw in kernel.nested(families.get(10, b"")):
        if number == 2:  # IFLA_INET6_CONF
            for at, value in enumerate(_array(raw)):
                word, unit = IPV6[at] if at < len(IPV6) else ("number%d" % at, 1)
                if word == "ioam6_id_wide":
                    value &= 0xFFFFFFFF
                if word:
                    yield "sysctl net.ipv6.conf.%s.%s = %d" % (name, word, value // unit if value > 0 else value)


def _named(names: Tuple[str, ...], at: int) -> str:
    return names[at] if at < len(names) else "number%d" % at


def _array(raw: bytes) -> Tuple[int, ...]:
    return struct.unpack("=%di" % (len(raw) // 4), raw[:len(raw) // 4 * 4])


def _u32(raw: Optional[bytes]) -> Optional[int]:
    return None if raw is None or len(raw) < 4 else int(struct.unpack_from("=I", raw)[0])


def neighbour_parameter_words(row: Tuple[str, int, bytes], look: Look) -> Iterator[str]:
    """As /proc/sys/net/ipv4/neigh/LINK has them."""
    if look.link(row[1]) not in look.others:
        return
    family = {"arp_cache": "ipv4", "ndisc_cache": "ipv6"}.get(row[0], row[0])
    for number, value in kernel.nested(row[2]):
        word, unit = NEIGHBOURS.get(number, ("number%d" % number, 1))
        if word:
            yield "sysctl net.%s.neigh.%s.%s = %d" % (
                family, look.link(row[1]).replace(".", "/"), word, int.from_bytes(value, "little") // unit)

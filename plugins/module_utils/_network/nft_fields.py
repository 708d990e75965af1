"""What nf_tables can compare of a packet, and how a value of it is written."""
from __future__ import annotations

import socket
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from .._kernel import nfnetlink as nft

FAMILIES = {nft.NFPROTO_INET: "inet", nft.NFPROTO_IPV4: "ip", nft.NFPROTO_ARP: "arp", nft.NFPROTO_NETDEV: "netdev",
            nft.NFPROTO_BRIDGE: "bridge", nft.NFPROTO_IPV6: "ip6"}
PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 33: "dccp", 58: "icmpv6", 132: "sctp", 136: "udplite"}
ADDRESS_TYPES = ("unspec", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable",
                 "prohibit")
_ETHERTYPES = {0x0800: "ip", 0x0806: "arp", 0x86DD: "ip6"}
_PACKET_TYPES = ("host", "broadcast", "multicast", "other")
# Bits of ct state (include/net/netfilter/nf_conntrack_tuple.h by way of NF_CT_STATE_BIT) and of ct status (IPS_*).
STATES = ("invalid", "established", "related", "new", "", "", "untracked")
STATUSES = ("expected", "seen-reply", "assured", "confirmed", "snat", "dnat", "", "", "", "dying")

# A field is (its name in a match, how it is written, its bytes).
Field = Tuple[str, str, int]
PROTOCOL: Field = ("protocol", "protocol", 1)
SOURCE_PORT: Field = ("source_port", "number", 2)
PORT: Field = ("port", "number", 2)
_IP: Dict[int, Field] = {9: PROTOCOL, 12: ("source", "address", 4), 16: ("destination", "address", 4)}
_IP6: Dict[int, Field] = {6: PROTOCOL, 8: ("source", "address", 16), 24: ("destination", "address", 16)}
_TRANSPORT: Dict[int, Field] = {0: SOURCE_PORT, 2: PORT, 13: ("tcp_flags", "hex", 1)}
_ICMP: Dict[int, Field] = {0: ("icmp_type", "number", 1), 1: ("icmp_code", "number", 1)}
_LINK: Dict[int, Field] = {12: ("family", "ethertype", 2)}
META: Dict[int, Field] = {
    nft.NFT_META_PROTOCOL: ("family", "ethertype", 2), nft.NFT_META_MARK: ("mark", "mark", 4),
    nft.NFT_META_IIF: ("iif", "index", 4), nft.NFT_META_OIF: ("oif", "index", 4),
    nft.NFT_META_IIFNAME: ("iif", "name", 16), nft.NFT_META_OIFNAME: ("oif", "name", 16),
    nft.NFT_META_SKUID: ("uid", "host", 4), nft.NFT_META_SKGID: ("gid", "host", 4),
    nft.NFT_META_NFPROTO: ("family", "family", 1), nft.NFT_META_L4PROTO: PROTOCOL,
    nft.NFT_META_PKTTYPE: ("pkttype", "pkttype", 1),
}
CT: Dict[int, Field] = {
    nft.NFT_CT_STATE: ("ct_state", "states", 4), nft.NFT_CT_STATUS: ("ct_status", "statuses", 4),
    nft.NFT_CT_MARK: ("ct_mark", "mark", 4),
}
_HOST_ORDER = frozenset(("mark", "index", "host", "states", "statuses", "addrtype"))
_ORDERED = frozenset(("number", "host", "mark", "address"))


class Piece(NamedTuple):
    """A field in a register: C(width) bytes of it are loaded, which are fewer for a prefix of an address."""

    name: str
    kind: str
    width: int
    full: int


def payload(base: int, offset: int, length: int, family: Optional[int], protocol: Optional[str]) -> List[Piece]:
    """The fields that a load from a header takes; none where one of them has no name here."""
    table: Dict[int, Field] = {}
    if base == nft.NFT_PAYLOAD_NETWORK_HEADER:
        table = _IP if family == nft.NFPROTO_IPV4 else _IP6 if family == nft.NFPROTO_IPV6 else table
    elif base == nft.NFT_PAYLOAD_TRANSPORT_HEADER:
        table = _ICMP if protocol in ("icmp", "icmpv6") else _TRANSPORT
    elif base == nft.NFT_PAYLOAD_LL_HEADER:
        table = _LINK
    found: List[Piece] = []
    end = offset + length
    # nft loads neighbours at once (source and destination port, say), and of a prefix only the bytes it needs.
    while offset < end and len(found) < 4:
        name, kind, full = table.get(offset, ("", "", 0))
        width = min(full, end - offset)
        if not width or (width < full and kind != "address"):
            return []
        found.append(Piece(name, kind, width, full))
        offset += width
    return found


def number(kind: str, raw: bytes, swapped: bool = False) -> int:
    """A value as a number; C(swapped): brought into network byte order before."""
    return int.from_bytes(raw, "little" if kind in _HOST_ORDER and not swapped else "big")


def told(piece: Piece, low: bytes, high: bytes, swapped: bool, link: Callable[[int], Optional[str]]) -> Dict[str, Any]:
    """What a match says of a field between two values, both included: C({port: 80}), C({port: 80, port_max: 90})."""
    name, kind, width, full = piece
    if kind == "address":
        if len(low) < full or low != high:
            return _addresses(name, low, high, full)
        return {name: address(low)}
    if kind == "name":
        return {name: _link_name(low, high)}
    first = _word(kind, number(kind, low, swapped), link)
    if low == high:
        return {name: first}
    last = number(kind, high, swapped)
    return {name: first, name + "_max": hex(last) if kind in ("mark", "hex") else last}


def masked(piece: Piece, value: bytes, mask: bytes) -> Dict[str, Any]:
    """What a match says of a field of which only the bits of C(mask) are looked at."""
    name, kind, dummy, full = piece
    if kind == "address":
        bits = bin(int.from_bytes(mask, "big"))[2:].zfill(8 * len(mask))
        length = bits.find("0") if "0" in bits else len(bits)
        if "1" not in bits[length:]:
            return {name: "%s/%d" % (address(value.ljust(full, b"\0")), length)}
        return {name: "%s/%s" % (address(value), address(mask))}
    return {name: "0x%x/0x%x" % (number(kind, value), number(kind, mask))}


def is_ordered(kind: str) -> bool:
    """Whether less and greater mean something."""
    return kind in _ORDERED


def address(raw: bytes) -> str:
    """An address as text; what is none in hexadecimal digits."""
    if len(raw) == 4:
        return socket.inet_ntop(socket.AF_INET, raw)
    return socket.inet_ntop(socket.AF_INET6, raw) if len(raw) == 16 else raw.hex()


def bits(value: int, names: Tuple[str, ...]) -> List[str]:
    """The names of the bits that are set; those without one as numbers."""
    found = [names[at] if at < len(names) and names[at] else str(at)
             for at in range(value.bit_length()) if value >> at & 1]
    return found or ["0"]


def _addresses(name: str, low: bytes, high: bytes, full: int) -> Dict[str, Any]:
    """A prefix where it is one, else first and last."""
    if low == high:
        return {name: "%s/%d" % (address(low.ljust(full, b"\0")), 8 * len(low))}
    first, last = int.from_bytes(low, "big"), int.from_bytes(high, "big")
    size = (first ^ last).bit_length()
    if len(low) == len(high) == full and (last - first + 1) == 1 << size and not first & ((1 << size) - 1):
        return {name: "%s/%d" % (address(low), 8 * full - size)}
    return {name: address(low.ljust(full, b"\0")), name + "_max": address(high.ljust(full, b"\xff"))}


def _link_name(low: bytes, high: bytes) -> str:
    if low != high:  # an interval from "br-\0..." to "br-\xff...", which is how sets have wildcards
        same = next((at for at, (one, other) in enumerate(zip(low, high)) if one != other), len(low))
        return low[:same].rstrip(b"\0").decode("utf-8", "replace") + "*"
    name, end, dummy = low.partition(b"\0")
    return name.decode("utf-8", "replace") + ("" if end or len(low) >= 16 else "*")


def _word(kind: str, value: int, link: Callable[[int], Optional[str]]) -> Any:
    if kind == "protocol":
        return PROTOCOLS.get(value, str(value))
    if kind in ("mark", "hex"):
        return hex(value)
    if kind == "index":
        return link(value) or str(value)
    if kind == "family":
        return FAMILIES.get(value, str(value))
    if kind == "ethertype":
        return _ETHERTYPES.get(value, hex(value))
    if kind == "states":
        return bits(value, STATES)
    if kind == "statuses":
        return bits(value, STATUSES)
    if kind == "addrtype":
        return ADDRESS_TYPES[value] if value < len(ADDRESS_TYPES) else str(value)
    if kind == "pkttype":
        return _PACKET_TYPES[value] if value < 4 else str(value)
    return value

"""Types and elements of sets and maps of nf_tables in nft(8)'s words."""
from __future__ import annotations

from typing import Any, Dict, Iterator, List, Sequence, Tuple

from .._kernel import nfnetlink as nft
from .._network.nft_fields import Piece, told
from .nft_rule import Link, verdict_words

_TYPES = {5: "integer", 7: "ipv4_addr", 8: "ipv6_addr", 9: "ether_addr", 10: "ether_type", 12: "inet_proto",
          13: "inet_service", 14: "icmp_type", 15: "tcp_flag", 19: "mark", 20: "iface_index", 24: "uid", 25: "gid",
          26: "ct_state", 41: "ifname"}
_KINDS = {7: ("address", 4), 8: ("address", 16), 10: ("ethertype", 2), 12: ("protocol", 1), 13: ("number", 2),
          14: ("number", 1), 15: ("hex", 1), 19: ("mark", 4), 20: ("index", 4), 24: ("host", 4), 25: ("host", 4),
          26: ("states", 4), 41: ("name", 16)}


def word_of(said: Dict[str, Any]) -> str:
    values = ["%s" % (",".join(value) if isinstance(value, list) else value) for value in said.values()]
    return "-".join(values)


def type_words(number: int) -> str:
    """Names of the types of a key: six bits each."""
    names = [_TYPES.get(one, "type%d" % one) for one in _types(number)]
    return " . ".join(names)


def _types(number: int) -> List[int]:
    found: List[int] = []
    while number:
        found.insert(0, number & 63)
        number >>= 6
    return found or [0]


def element_words(types: Tuple[int, int], element: Sequence[Any], link: Link) -> str:
    """An element of a set or map: key, last key, data, verdict, and (name of an object, comment)."""
    key, end, data, verdict, (reference, userdata) = element
    said = "*" if not key else " . ".join(_fields(types[0], key, end, link))
    if verdict:
        said += " : %s" % verdict_words(verdict)
    elif data:
        said += " : %s" % " . ".join(_fields(types[1], data, data, link))
    if reference:
        said += ' : "%s"' % nft.name_of(reference)
    if userdata[:1] == b"\0" and len(userdata) > 2:
        said += ' comment "%s"' % nft.name_of(userdata[2:2 + userdata[1]])
    return said


def _fields(types: int, low: bytes, high: bytes, link: Link) -> Iterator[str]:
    kinds = _types(types)
    at = 0
    for kind in kinds:
        form, size = _KINDS.get(kind, ("", len(low) - at if len(kinds) == 1 else 0))
        if size == 0 or at + size > len(low):
            # Of another size than is known: the rest as it is.
            yield "0x%s" % low[at:].hex() + ("" if low == high else "-0x%s" % high[at:].hex())
            return
        first, last = low[at:at + size], high[at:at + size]
        if form:
            # Intervals are kept in network byte order.
            yield word_of(told(Piece("x", form, size, size), first, last, first != last, link))
        else:
            yield "0x%s" % first.hex() + ("" if first == last else "-0x%s" % last.hex())
        at += size + (-size % 4 if len(kinds) > 1 else 0)

"""Sets of ipset(8) as lines: each set, and each of its members, without counters, lifetimes and sizes."""
from __future__ import annotations

import socket
import struct
from typing import Iterator, List, Tuple

from .._kernel.netlink import attribute, attributes
from .._kernel.netlink_dump import Netlink
from .._kernel.nfnetlink import name_of, nested
from .state_look import Look, Unread, rest

_NETLINK_NETFILTER, _LIST = 12, 6 << 8 | 7
# include/uapi/linux/netfilter/ipset/ip_set.h
_PROTOCOL, _SETNAME, _TYPENAME, _DATA, _ADT = 1, 2, 3, 7, 8
_IP, _IP_TO, _CIDR, _PORT, _TIMEOUT, _PROTO = 1, 2, 3, 4, 6, 7
# Of a set: a random start, sizes and numbers that follow what is in it. Of a member: time left, bytes, packets.
_OF_SETS, _OF_MEMBERS = (17, 18, 24, 25, 26), (_TIMEOUT, 24, 25)

Row = Tuple[str, str, bytes, bool]


def read(look: Look) -> List[Row]:
    """Name, type, attributes, and whether they are a member's. Raises OSError, Unread."""
    if not look.modules.ready("ip_set"):
        # Asking would load it; and where it is not, nobody has made any.
        if look.modules.absent("ip_set"):
            return []
        raise Unread("nobody can tell whether ip_set is loaded")
    found: List[Row] = []
    with Netlink(_NETLINK_NETFILTER, look.until) as netlink:
        payload = struct.pack("=BBH", socket.AF_INET, 0, 0) + attribute(_PROTOCOL, b"\6")
        for body in look.all_of(netlink, _LIST, payload):
            told = attributes(body[4:])
            name, kind = name_of(told.get(_SETNAME)), name_of(told.get(_TYPENAME))
            if kind and _DATA in told:
                found.append((name, kind, _kept(told[_DATA], _OF_SETS), False))
            found += [(name, "", _kept(member, _OF_MEMBERS), True) for member in nested(told.get(_ADT, b""))]
    return found


def words(row: Row, dummy: Look) -> Iterator[str]:
    name, kind, raw, member = row
    told = attributes(raw)
    if not member:
        yield "ipset %s %s%s" % (name, kind, rest(told, ()))
        return
    shown = [_address(told[number]) for number in (_IP, _IP_TO) if number in told]
    text = "-".join(shown) + ("/%d" % told[_CIDR][0] if _CIDR in told else "")
    if _PORT in told:
        protocol = {6: "tcp:", 17: "udp:"}.get(told.get(_PROTO, b"\0")[0], "")
        text += ",%s%d" % (protocol, struct.unpack(">H", told[_PORT][:2])[0])
    yield "ipset %s member %s%s" % (name, text, rest(told, (_IP, _IP_TO, _CIDR, _PORT, _PROTO)))


def _kept(raw: bytes, left_out: Tuple[int, ...]) -> bytes:
    return b"".join(attribute(number, value) for number, value in attributes(raw).items() if number not in left_out)


def _address(raw: bytes) -> str:
    (value,) = list(attributes(raw).values())[:1] or [raw]
    return socket.inet_ntop(socket.AF_INET6 if len(value) == 16 else socket.AF_INET, value) if len(value) in (4, 16) \
        else value.hex()

"""rtnetlink(7): the requests for all that can be set in a network namespace, and what of the answers tells them apart.

Small, and apart from rtnetlink_link.py and rtnetlink_route.py, which know what the answers mean: who only compares does
not need them.
"""
from __future__ import annotations

import struct
from typing import Dict, Optional, Tuple

from .netlink import attribute, attributes

AF_INET, AF_BRIDGE, AF_INET6, AF_MPLS = 2, 7, 10, 28
RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE, RTM_GETNEIGH, RTM_GETRULE = 18, 22, 26, 30, 34
RTM_GETQDISC, RTM_GETTCLASS, RTM_GETTFILTER, RTM_GETNEIGHTBL, RTM_GETADDRLABEL, RTM_GETNEXTHOP = 38, 42, 46, 66, 74, 106
NUD_NOARP, NUD_PERMANENT = 0x40, 0x80
NTF_SELF, NTF_PROXY, NTF_EXT_LEARNED, NTF_EXT_MANAGED = 2, 8, 16, 1

IFINFOMSG = struct.Struct("=BxHiII")  # family, ARPHRD_*, index, flags, change
TCMSG = struct.Struct("=BxxxiIII")    # family, index, handle, parent, info
NHMSG = struct.Struct("=BBBxI")       # family, scope, protocol, flags
_NDMSG = struct.Struct("=BxxxIHBB")   # family, index, state, flags, type
_EXT_MASK, _VF, _BRVLAN_COMPRESSED, _SKIP_STATS = 29, 1, 4, 8

# Of all links; without the counters, which are most of the bytes.
LINKS = IFINFOMSG.pack(0, 0, 0, 0, 0) + attribute(_EXT_MASK, struct.pack("=I", _SKIP_STATS | _VF))
VLANS = IFINFOMSG.pack(AF_BRIDGE, 0, 0, 0, 0) + attribute(_EXT_MASK, struct.pack("=I", _BRVLAN_COMPRESSED))
ADDRESSES = struct.pack("=BBBBI", 0, 0, 0, 0, 0)
NEXTHOPS = NHMSG.pack(0, 0, 0, 0)
ADDRESS_LABELS = struct.pack("=BxBBII", AF_INET6, 0, 0, 0, 0)
NEIGHBOUR_TABLES = bytes(4)


def routes(family: int) -> bytes:
    """What RTM_GETROUTE carries: rtmsg."""
    return struct.pack("=BBBBBBBBI", family, 0, 0, 0, 0, 0, 0, 0, 0)


def rules(family: int) -> bytes:
    """What RTM_GETRULE carries: fib_rule_hdr."""
    return struct.pack("=BBBBBxxBI", family, 0, 0, 0, 0, 0, 0)


def neighbours(family: int = 0, flags: int = 0) -> bytes:
    """What RTM_GETNEIGH carries: ndmsg."""
    return _NDMSG.pack(family, 0, 0, flags, 0)


def queueing(index: int = 0, parent: int = 0) -> bytes:
    """What RTM_GETQDISC, RTM_GETTCLASS and RTM_GETTFILTER carry: tcmsg."""
    return TCMSG.pack(0, index, 0, parent, 0)


def link_names(body: bytes) -> Tuple[int, str, bytes]:
    """Index, name and hardware address of a link."""
    found = attributes(body[IFINFOMSG.size:])
    name = found.get(3, b"").partition(b"\0")[0].decode("utf-8", "replace")
    return IFINFOMSG.unpack_from(body)[2], name, found.get(1, b"")


def vlans_of(body: bytes) -> Tuple[int, bytes]:
    """Index, and of IFLA_AF_SPEC IFLA_BRIDGE_VLAN_INFO and ..._TUNNEL_INFO, of an answer to VLANS."""
    told = attributes_in_order(attributes(body[IFINFOMSG.size:]).get(26, b""))
    return IFINFOMSG.unpack_from(body)[2], b"".join(attribute(kind, value) for kind, value in told if kind in (2, 3))


def attributes_in_order(data: bytes) -> Tuple[Tuple[int, bytes], ...]:
    """Type and value of each attribute; a type may come more than once."""
    found = []
    offset = 0
    while offset + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, offset)
        if length < 4 or offset + length > len(data):
            break
        found.append((kind & 0x3FFF, data[offset + 4:offset + length]))
        offset += length + (-length % 4)
    return tuple(found)


def parameters_of(body: bytes) -> Optional[Tuple[str, int, bytes]]:
    """Table, index of the link and NDTA_PARMS of an answer to RTM_GETNEIGHTBL; None for those of all links.

    Without how many use them (NDTPA_REFCNT) and a value drawn at random every few minutes (NDTPA_REACHABLE_TIME).
    """
    said = attributes(body[4:])
    parameters = attributes(said.get(6, b""))
    if 1 not in parameters:
        return None
    kept = b"".join(attribute(*entry) for entry in sorted(parameters.items()) if entry[0] not in (1, 2, 3, 18))
    name = said.get(1, b"").partition(b"\0")[0].decode("ascii", "replace")
    return name, int(struct.unpack("=I", parameters[1])[0]), kept


def neighbour_is_set(body: bytes, macs: Dict[int, bytes]) -> bool:
    """Whether somebody has set a neighbour: for good, as a control plane does, or to be kept up by the kernel."""
    dummy, index, state, flags, dummy2 = _NDMSG.unpack_from(body)
    if state & NUD_PERMANENT or flags & NTF_EXT_LEARNED:
        return True
    found = attributes(body[_NDMSG.size:])
    if any(found.get(15, b"")[:1]) and found[15][0] & NTF_EXT_MANAGED:
        return True
    mac = found.get(2, b"")
    # What the kernel makes NOARP has a group's address, the link's own, or none (arp_constructor()).
    return bool(state & NUD_NOARP) and any(mac) and not mac[0] & 1 and mac != macs.get(index)


def forwarding_is_set(body: bytes) -> bool:
    """Whether an entry of a forwarding database is there for good."""
    dummy, dummy2, state, flags, dummy3 = _NDMSG.unpack_from(body)
    if flags == NTF_SELF:
        # Groups that the link itself listens to (ip maddress): programs join and leave them.
        found = attributes(body[_NDMSG.size:])
        if found.get(2, b"\0")[0] & 1 and 1 not in found:
            return False
    return bool(state & (NUD_PERMANENT | NUD_NOARP))

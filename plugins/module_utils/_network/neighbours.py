"""Who is where: the neighbour tables of IPv4 and IPv6, and the forwarding databases of bridges and tunnels."""
from __future__ import annotations

from functools import partial
from typing import List, Optional

from .._kernel.netlink import attributes
from .._kernel.rtnetlink_route import (
    AF_BRIDGE,
    NDA_DST,
    NDA_FLAGS_EXT,
    NDA_LLADDR,
    NDA_VLAN,
    NDMSG,
    NTF_PROXY,
    NTF_SELF,
    RTM_GETNEIGH,
    RTM_NEWNEIGH,
    address,
    hardware,
    ndmsg,
    u16,
    u32,
)
from .._model.network import Neighbour
from .families import FAMILIES, rows
from .look import Look
from .rt_names import Bits, flags

_MANY = 1 << 20  # more than are ever told
# NUD_*. An entry of a forwarding database may have two of them; what it is for good comes first.
_STATES: Bits = (
    (0x80, "permanent"), (0x40, "noarp"), (0x01, "incomplete"), (0x02, "reachable"), (0x04, "stale"), (0x08, "delay"),
    (0x10, "probe"), (0x20, "failed"),
)
# NTF_*, then NTF_EXT_*.
_FLAGS: Bits = (
    (0x01, "use"), (NTF_SELF, "self"), (0x04, "master"), (NTF_PROXY, "proxy"), (0x10, "extern_learn"),
    (0x20, "offload"), (0x40, "sticky"), (0x80, "router"),
)
_MORE_FLAGS: Bits = ((0x01, "managed"), (0x02, "locked"), (0x04, "extern_valid"))


def take(look: Look) -> List[Neighbour]:
    """Neighbours, those that this network answers for (flag C(proxy)), forwarding entries; each list with a bound.

    Raises OSError, unless some were seen.
    """
    found = rows(look, "neighbours", RTM_GETNEIGH, ndmsg, _row)
    for more in (_proxies, _forwarding):
        try:
            found += more(look)
        except OSError as error:
            look.problems.error("neighbours", error)
    return found


def _proxies(look: Look) -> List[Neighbour]:
    return rows(look, "proxy neighbours", RTM_GETNEIGH, partial(ndmsg, flags=NTF_PROXY), _row)


def _forwarding(look: Look) -> List[Neighbour]:
    parse, request = partial(_row, look, AF_BRIDGE), ndmsg(AF_BRIDGE)
    found = look.route.dump(RTM_GETNEIGH, request, parse, look.most)
    if found.left_out:
        # Of what is not parsed, all is counted. Which of it are rows is only known to who looks.
        every = look.route.dump(RTM_GETNEIGH, request, lambda *message: parse(*message) and True, _MANY)
        found.left_out = max(0, len(every.rows) - len(found.rows))
    return look.rows("forwarding entries", found)


def _row(look: Look, family: int, kind: int, body: bytes) -> Optional[Neighbour]:
    if kind != RTM_NEWNEIGH or len(body) < NDMSG.size:
        return None
    number, index, state, bits, dummy = NDMSG.unpack_from(body)
    if number != family:
        return None
    found = attributes(body[NDMSG.size:])
    hard, destination = found.get(NDA_LLADDR), address(found.get(NDA_DST))
    if family == AF_BRIDGE and bits == NTF_SELF and hard and hard[0] & 1 and destination is None:
        # Not where frames go, but which groups the link itself listens to (ip maddress): several for every link.
        return None
    names = flags(_FLAGS, bits)
    if NDA_FLAGS_EXT in found:
        names += flags(_MORE_FLAGS, u32(found[NDA_FLAGS_EXT]) or 0)
    return {
        "family": FAMILIES.get(family, "bridge"),
        "address": destination,
        "mac": hardware(hard),
        "link": look.name(index),
        "state": next((name for bit, name in _STATES if state & bit), "none"),
        "flags": names,
        "vlan": u16(found.get(NDA_VLAN)),
    }

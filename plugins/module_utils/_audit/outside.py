"""Whether a network is meant to reach the world outside, or internal on purpose.

Meant to: others in the segment have a default route there, the bridge is one that engines make for everybody, what its
addresses send is translated. Internal: the host drops what would leave.
"""
from __future__ import annotations

from typing import NamedTuple, Optional

from .firewall import PERHAPS, SURE, drops_outside, known, masquerades
from .network import Network, joined
from .rows import ip
from .topology import Index

# Bridges that engines make for all who ask for no other: never internal.
_OPEN = frozenset(("docker0", "podman0", "cni-podman0", "cni0", "lxcbr0", "lxdbr0", "incusbr0", "virbr0"))


class Meant(NamedTuple):
    """What a network is for: C(why) it leads outside, what makes it C(internal); neither where C(sure) nothing does."""

    why: Optional[str] = None
    internal: Optional[str] = None
    sure: bool = False


def meant(index: Index, network: Network, family: str) -> Meant:
    """What is known of a network of a container, for C(inet) or C(inet6)."""
    sure, internal = True, None
    for link in joined(network):
        segment = index.segments.of(network, link.name)
        if segment is None or segment.open or segment.blind is not None:
            sure = False
        for member in segment.members if segment is not None else ():
            other = member.network
            if other is network:
                continue
            if member.link.kind == "bridge":
                subnet = drops_outside(other, member.link.name or "")
                if subnet is not None:
                    internal = "%s drops what leaves %s by %s" % (other.place, subnet, member.link.name)
                    break
                if member.link.name in _OPEN and family == "inet":
                    return Meant(why="%s leads outside" % member.link.name)
            why = _sibling(network, other, member.link.name, family)
            if why is not None:
                return Meant(why=why)
            if not member.endpoint:
                continue
            sure = sure and known(other)
            for address in network.of_link(link.name):
                if address.ip and address.own and address.ip[0] == family:
                    certain, sender = masquerades(other, address.ip)
                    if certain == SURE:
                        return Meant(why="%s translates what %s sends" % (other.place, sender))
                    sure = sure and certain != PERHAPS
    return Meant(internal=internal, sure=sure)


def _sibling(network: Network, other: Network, link: str | None, family: str) -> Optional[str]:
    """Another container that leaves by the same segment; not by C(network), which then is its router."""
    if other.host or not other.containers:
        return None
    for default in other.defaults():
        gateway = ip(default.hop.gateway)
        if default.hop.link == link and default.family == family and not (gateway and network.owns(gateway)):
            return "%s on the same segment has one by %s" % (other.place, default.hop.gateway or link)
    return None

"""How big packets may be on the way out of a container."""
from __future__ import annotations

from typing import Iterator, Optional

from .fib import Default
from .finding import HIGH, MEDIUM, Check, Verdict, fail, not_applicable, unknown
from .network import Network, joined
from .rows import PAIRS, ip
from .topology import Index, passes_on

# Headers that VXLAN puts before a packet, over IPv4 and IPv6 (RFC 7348).
_VXLAN = {"inet": 50, "inet6": 70}
# Devices of VPNs come and go, and whoever sends through one is told its MTU by ICMP.
_VPN = frozenset(("tun", "wireguard", "ppp", "ipip", "sit", "gre", "ip6tnl", "ip6gre", "vti", "vti6", "xfrm"))


def differs(index: Index, network: Network) -> Iterator[Verdict]:
    links = [link for link in joined(network) if link.kind in PAIRS]
    if not links:
        yield not_applicable("%s has no veth" % network.title)
    for link in links:
        far, name = index.far(link), "%s of %s" % (link.name, network.title)
        if far is None or link.mtu is None or far.link.mtu is None:
            yield unknown(str(link.name), "the MTU at both ends of %s was not told" % name)
            continue
        bridge = far.network.by_name.get(far.link.master) if far.link.master else None
        bridge = bridge if bridge is not None and bridge.kind == "bridge" else None
        if link.mtu != far.link.mtu:
            yield fail(str(link.name), "%s has MTU %d, its peer %s on %s %d: packets over %d bytes are lost" % (
                name, link.mtu, far.link.name, bridge.name if bridge else far.network.place,
                far.link.mtu, min(link.mtu, far.link.mtu)))
        elif bridge is not None and bridge.mtu is None:
            yield unknown(str(link.name), "the MTU of %s on %s was not told" % (bridge.name, far.network.place))
        elif bridge is not None and bridge.mtu is not None and bridge.mtu != link.mtu:
            yield fail(str(link.name), "%s and its peer %s have MTU %d, their bridge %s %d: packets over %d bytes are "
                       "lost" % (name, far.link.name, link.mtu, bridge.name, bridge.mtu, min(link.mtu, bridge.mtu)))


def too_big(index: Index, network: Network) -> Iterator[Verdict]:
    tunnels = list(_tunnels(index, network))
    yield from tunnels
    default = next(iter(network.defaults()), None)
    link = network.by_name.get(default.hop.link) if default is not None else None
    far = index.far(link) if link is not None else None
    if default is None or link is None or far is None or not passes_on(far, default):
        if not tunnels:
            yield not_applicable("%s does not send through a network that was seen" % network.title)
        return
    uplink = next((one for one in far.network.defaults() if one.family == default.family), None)
    missing = far.network.missing("links", "routes") if uplink is None else None
    if uplink is None:
        if missing:
            yield unknown(str(link.name), missing)
        return
    egress = far.network.by_name.get(uplink.hop.link)
    mine, theirs = _smaller(link.mtu, default), None if egress is None else _smaller(egress.mtu, uplink)
    if egress is None or mine is None or theirs is None:
        yield unknown(str(link.name), "the MTU of the way out of %s was not told" % network.title)
    elif mine > theirs and egress.kind not in _VPN:
        yield fail(str(link.name), "%s of %s has MTU %d, but %s, by which %s sends it on, %d: packets over %d bytes "
                   "are lost where ICMP is dropped" % (
                       link.name, network.title, mine, egress.name, far.network.place, theirs, theirs))


def _smaller(mtu: Optional[int], default: Default) -> Optional[int]:
    return mtu if mtu is None or not default.route.mtu else min(mtu, default.route.mtu)


def _tunnels(index: Index, network: Network) -> Iterator[Verdict]:
    for link in network.links or []:
        lower = index.end(link.lower) if link.kind == "vxlan" else None
        if lower is None or link.details.get("external") or link.mtu is None or lower.link.mtu is None:
            continue
        ends = [ip(link.details.get(key)) for key in ("remote", "group", "local")]
        cost = _VXLAN["inet6" if any(end and end[0] == "inet6" for end in ends) else "inet"]
        if link.up and link.mtu > lower.link.mtu - cost:
            yield fail(str(link.name), "%s of %s has MTU %d, but %s, which carries it, %d: with %d bytes of headers "
                       "packets over %d bytes are fragmented or lost" % (
                           link.name, network.title, link.mtu, lower.link.name, lower.link.mtu, cost,
                           lower.link.mtu - cost))


CHECKS = [
    Check("LNK-007", "MTU differs along a veth pair or its bridge", MEDIUM, "inhabited", ("links",), differs,
          "Give both ends of the veth and the bridge the same MTU, in the engine's network too so that it stays."),
    Check("LNK-008", "MTU is bigger than the way out allows", HIGH, "all", ("links", "routes"), too_big,
          "Set the MTU of the engine's network to that of the host's uplink, less the headers of tunnels in between, "
          "and make the container anew."),
]

"""Bridges that containers hang on, and who meets there."""
from __future__ import annotations

import re
from typing import Dict, Iterator, List, Tuple

from .finding import HIGH, Check, Verdict, fail, not_applicable, unknown
from .network import Network, listed
from .rows import PAIRS, Link, word
from .segments import Member
from .topology import Far, Index

_MAC = re.compile("[0-9a-f]{2}(:[0-9a-f]{2}){5}")
# VRRP (RFC 5798): the backups have the same one on purpose.
_SHARED = ("00:00:5e:00:01:", "00:00:5e:00:02:")
# They have the hardware address of what they lie upon.
_BORROWED = ("ipvlan", "ipvtap", "vlan", "vrf", "bridge", "bond", "team")


def ports_of(index: Index, network: Network) -> Dict[str, List[Tuple[Link, Far]]]:
    """By bridge: the ports whose other end is in another network, with that end."""
    found: Dict[str, List[Tuple[Link, Far]]] = {}
    for link in network.links or []:
        if link.master is not None and link.kind in PAIRS:
            far, bridge = index.far(link), network.by_name.get(link.master)
            if far is not None and far.network is not network and bridge is not None and bridge.kind == "bridge":
                found.setdefault(link.master, []).append((link, far))
    return found


def not_forwarding(index: Index, network: Network) -> Iterator[Verdict]:
    bridges = ports_of(index, network)
    if not bridges:
        yield not_applicable("no bridge of %s leads to another network" % network.title)
    for name, ports in bridges.items():
        bridge = network.by_name[name]
        if bridge.up is None:
            yield unknown(name, "whether %s on %s is up was not told" % (name, network.place))
        elif not bridge.up:
            cut_off = sorted(far.network.place for dummy, far in ports)
            yield fail(name, "%s on %s is down: %s cannot be reached through it" % (
                name, network.place, listed(cut_off)), also=tuple(far.network for dummy, far in ports))
        else:
            for port, far in ports:
                yield from _port(network, bridge, port, far)


def _port(network: Network, bridge: Link, port: Link, far: Far) -> Iterator[Verdict]:
    state = word(port.port.get("state"))
    if state is None:
        yield unknown(str(port.name), "whether %s of %s forwards was not told" % (port.name, bridge.name), far.network)
        return
    # Without a carrier it is disabled, and that is another's fault. STP passes these two by itself.
    passing = state in ("listening", "learning") and bridge.details.get("stp_state") != 0
    if state == "forwarding" or passing or not port.carrier:
        return
    yield fail(str(port.name), "%s, the port of %s to %s of %s, is %s instead of forwarding" % (
        port.name, bridge.name, far.link.name, far.network.title, state), where=far.network)


def duplicate_mac(index: Index, network: Network) -> Iterator[Verdict]:
    for segment in index.segments:
        by_mac: Dict[str, List[Member]] = {}
        for member in segment.members:
            mac = (member.link.mac or "").lower()
            if _MAC.fullmatch(mac) and any(mac.strip("0:")) and not mac.startswith(_SHARED) and _counts(member):
                by_mac.setdefault(mac, []).append(member)
        for mac, members in by_mac.items():
            if len(members) > 1:
                on = " on %s" % listed(segment.bridges) if segment.bridges else ""
                where = _first(members)
                yield fail(mac, "%s have the same hardware address %s%s" % (
                    listed(sorted(str(member) for member in members)), mac, on), where=where.network,
                    also=tuple(member.network for member in members))
    unread = [one for one in index.networks.values() if one.cut("links")]
    if unread:
        yield unknown("", "the links of %s were not all read" % listed(sorted(one.place for one in unread)))


def _counts(member: Member) -> bool:
    link = member.link
    return bool(member.endpoint and link.up and link.kind not in _BORROWED and link.details.get("mode") != "passthru")


def _first(members: List[Member]) -> Member:
    """Whom a finding is told of: a container, where there is one."""
    return min(members, key=lambda one: (one.network.stable is None, one.network.stable or "", one.link.name or ""))


CHECKS = [
    Check("LNK-006", "Bridge is down or a port of it does not forward", HIGH, "all", ("links",), not_forwarding,
          "Set the bridge up (ip link set dev BRIDGE up), or the port to forwarding "
          "(bridge link set dev PORT state 3)."),
    Check("LNK-009", "Hardware address is used twice in one segment", HIGH, "once", (), duplicate_mac,
          "Give one of the containers another hardware address, or none, so that the engine chooses it."),
]

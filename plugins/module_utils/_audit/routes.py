"""Routes: is there a way out, and does its next hop answer?

No default route is right in an internal network, so it is a fault where something says that the network is none
(outside.py), a port is published or Kubernetes made it. Where nothing does and the firewall was read, such a network
has no way out anyway; where it was not, severity is info.
"""
from __future__ import annotations

from typing import Iterator, Optional

from .fib import REJECTED, Default
from .finding import HIGH, INFO, MEDIUM, Check, Verdict, fail, not_applicable, unknown
from .network import Network, gateways, joined, listed
from .outside import meant
from .rows import BITS, Address, Ip, inside, ip, is_link_local, is_public6
from .topology import Index

_DEAD = ("failed", "incomplete")


def no_default(index: Index, network: Network) -> Iterator[Verdict]:
    if not joined(network):
        yield not_applicable("%s has no interface but lo" % network.title)
        return
    cut = network.cut("routes")
    ways = {default.family for default in network.defaults()}
    if not ways:
        yield unknown("", cut) if cut is not None else _judge_none(index, network)
        return
    for family, called in (("inet", "IPv4"), ("inet6", "IPv6")):
        lonely = [str(one) for one in network.reachable if family not in ways and _needs_way(one, family)]
        why = meant(index, network, family).why if lonely else None
        if why is not None and cut is not None:
            yield unknown(family, cut)
        elif why is not None:
            yield fail(family, "%s has %s but no %s default route, though %s" % (
                network.title, listed(lonely), called, why), MEDIUM)


def _needs_way(address: Address, family: str) -> bool:
    return address.ip is not None and address.ip[0] == family and (family == "inet" or is_public6(address.ip))


def _judge_none(index: Index, network: Network) -> Verdict:
    """A network without any default route."""
    has = listed([str(address) for address in network.reachable]) or "no address"
    both = [meant(index, network, family) for family in ("inet", "inet6")]
    why = next((one.why for one in both if one.why), None) or _wanted(index, network)
    internal = next((one.internal for one in both if one.internal), None)
    if why is not None:
        return fail("", "%s has no default route (its addresses: %s), though %s" % (network.title, has, why))
    if internal is not None:
        return not_applicable("%s has no default route and needs none: %s" % (network.title, internal))
    if not network.containers:
        return not_applicable("%s has no default route, and nothing says that it should" % network.title)
    if all(one.sure for one in both):
        return not_applicable("%s has no default route, and nothing translates what %s sends: an internal network" % (
            network.title, has))
    return fail("", "%s has no default route (its addresses: %s), which is right in an internal network only" % (
        network.title, has), INFO)


def _wanted(index: Index, network: Network) -> Optional[str]:
    """Why a container must be able to answer."""
    leads = index.leading_to(network)
    if leads:
        return "port %s of %s is published to it" % (leads[0].port.host_port, leads[0].network.place)
    if any(one.pod and "/" in one.pod for one in network.containers):
        return "it is a pod of Kubernetes"
    return None


def gateway_astray(index: Index, network: Network) -> Iterator[Verdict]:
    found = gateways(network)
    if not found:
        yield not_applicable("%s has no default route by a gateway" % network.title)
    for default, text in found:
        address = ip(text)
        if address is None:
            yield unknown(text, "the gateway %s of %s is no address" % (text, network.title))
        elif not _is_on_link(network, default, address):
            cut = network.cut("routes", "addresses")
            if cut is not None:
                yield unknown(text, cut)
                continue
            has = listed([str(one) for one in network.of_link(default.hop.link) if one.own]) or "no address"
            yield fail(text, "the default gateway %s of %s is not on link: %s has %s" % (
                text, network.title, default.hop.link, has))
        elif not network.host:
            yield from _nobodys(index, network, default, text, address)


def _is_on_link(network: Network, default: Default, address: Ip) -> bool:
    """IPv6 gateways of the link, and those that the route says to be there, need no route."""
    if default.hop.link is None or "onlink" in default.hop.flags | default.route.flags:
        return True
    if address[0] == "inet6" and is_link_local(address):
        return True
    covered = any(one.subnet and one.subnet[2] < BITS[address[0]] and inside(address, one.subnet)
                  for one in network.of_link(default.hop.link) if "noprefixroute" not in one.flags)
    return covered or network.fib.on_link(address, default.hop.link)


def _nobodys(index: Index, network: Network, default: Default, text: str, address: Ip) -> Iterator[Verdict]:
    """A gateway that nobody is, in a segment of which all ends were seen."""
    segment = index.segments.of(network, default.hop.link)
    if segment is None or segment.open or is_link_local(address) or _answers(network, default, address):
        return
    others = [member.network for member in segment.members if member.network is not network]
    if any(one.owns(address) for one in others) or any(one.proxies for one in others):
        return
    if segment.blind is not None:
        yield unknown(text, "whose the gateway %s of %s is cannot be told: %s" % (text, network.title, segment.blind))
        return
    cut = next(filter(None, (one.cut("addresses", "links") for one in others)), None)
    if cut is not None:
        yield unknown(text, cut)
        return
    bridges = [member for member in segment.members if member.link.kind == "bridge"]
    has = "; ".join("%s has %s" % (
        one.link.name, listed([str(own) for own in one.network.of_link(one.link.name) if own.own]) or "no address"
    ) for one in bridges)
    yield fail(text, "the default gateway %s of %s is an address of nobody behind %s%s" % (
        text, network.title, default.hop.link, ": " + has if has else ""))


def _answers(network: Network, default: Default, address: Ip) -> bool:
    """Whether somebody answered for an address: then it is somebody's, whoever that is."""
    return any(
        one.ip == address and one.link == default.hop.link and one.state not in (*_DEAD, "none", None)
        for one in network.neighbours or []
    )


def gateway_silent(index: Index, network: Network) -> Iterator[Verdict]:
    found = gateways(network)
    if not found:
        yield not_applicable("%s has no default route by a gateway" % network.title)
    states = {(one.ip, one.link): one.state for one in network.neighbours or []}
    silent = [(default, text, str(states.get((ip(text), default.hop.link)))) for default, text in found]
    for default, text, state in silent:
        # Of several IPv6 routers the kernel takes one that answers (RFC 4861, 6.3.6).
        others = default.family == "inet6" and any(
            one.family == "inet6" and dead not in _DEAD for one, dummy, dead in silent)
        if state in _DEAD and not others:
            yield fail(text, "the default gateway %s of %s does not answer: its neighbour entry on %s is %s" % (
                text, network.title, default.hop.link, state))


def rejected(index: Index, network: Network) -> Iterator[Verdict]:
    for family, called in (("inet", "IPv4"), ("inet6", "IPv6")):
        route = network.fib.rejected_default(family)
        if route is not None:
            yield fail(family, "%s rejects all %s that leaves it: %s %s in table %s" % (
                network.title, called, route.type, route.text, route.table))
    for default, text in gateways(network):
        address = ip(text)
        route = network.fib.lookup(address) if address else None
        if route is not None and route.type in REJECTED:
            yield fail(text, "the default gateway %s of %s is covered by %s %s in table %s" % (
                text, network.title, route.type, route.text, route.table))
    for link in joined(network):
        far = index.far(link) if not network.host else None
        for own in network.of_link(link.name) if far is not None else ():
            route = far.network.fib.lookup(own.ip) if far is not None and own.own and own.ip else None
            if far is not None and route is not None and route.type in REJECTED:
                yield fail(own.text, "%s of %s cannot be reached from %s: %s %s in table %s covers it" % (
                    own.text, network.title, far.network.place, route.type, route.text, route.table))


CHECKS = [
    Check("RT-001", "No default route", HIGH, "inhabited", ("links", "addresses", "routes"), no_default,
          "Add the default route again (ip route add default via GATEWAY), or restart the container."),
    Check("RT-002", "Default gateway is not there", HIGH, "all", ("links", "addresses", "routes"), gateway_astray,
          "Point the default route to an address of the bridge (ip route replace default via ADDRESS), or give the "
          "bridge its address back."),
    Check("RT-003", "Default gateway does not answer", HIGH, "all", ("routes", "neighbours"), gateway_silent,
          "See whether the bridge still has that address and whether a rule drops ARP or neighbour discovery."),
    Check("RT-005", "A route rejects what is needed", MEDIUM, "all", ("routes",), rejected,
          "Remove the blackhole, unreachable or prohibit route, or add a longer prefix for what has to be reached."),
]

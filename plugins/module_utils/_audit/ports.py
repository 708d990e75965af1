"""Ports: does somebody listen behind what is published, and does he keep up?"""
from __future__ import annotations

from typing import Dict, Iterator, List, Tuple

from .finding import HIGH, MEDIUM, Check, Verdict, fail, not_applicable, unknown
from .firewall import leads_on
from .network import Network, listed
from .rows import Ip, Listener, dicts, inside, ip, is_loopback, masked, word
from .topology import Index, Lead

# Ports in a row are published for what opens some of them when needed (FTP, RTP).
_RANGE = 3
_ANSWERS = ("reachable", "stale", "delay", "probe", "permanent")
_QUEUES = ("tcp", "mptcp", "sctp", "dccp")

_Port = Tuple[str, int]


def loopback_only(index: Index, network: Network) -> Iterator[Verdict]:
    yield from _nothing(index, network)
    for (protocol, port), leads in _ports(index, network).items():
        listeners = _listeners(network, protocol, port)
        if listeners and all(one.ip is not None and is_loopback(one.ip) for one in listeners):
            # A sidecar may take what comes in and hand it to the loopback.
            if leads_on(network):
                yield unknown("%d/%s" % (port, protocol), "rules inside %s may lead %d/%s on" % (
                    network.title, port, protocol))
                continue
            name = "%d/%s" % (port, protocol)
            yield fail(name, "port %s of %s is published as %s, but %s listens on the loopback only (%s)" % (
                name, network.title, _published(leads), _who(listeners), listed([str(one) for one in listeners])))


def no_listener(index: Index, network: Network) -> Iterator[Verdict]:
    yield from _nothing(index, network)
    ports = _ports(index, network)
    for (protocol, port), leads in ports.items():
        name = "%d/%s" % (port, protocol)
        listeners = _listeners(network, protocol, port)
        families = {found[0] for found in (ip(lead.port.address) for lead in leads) if found}
        outer = [one for one in listeners if one.ip is None or not is_loopback(one.ip)]
        if any(_takes(one, lead) for one in outer for lead in leads) or (listeners and not outer):
            continue
        if _in_range(protocol, port, ports, network):
            continue
        why = network.cut("listening") or _elsewhere(network, protocol, leads)
        if why is not None:
            yield unknown(name, why)
            continue
        only = ""
        if outer:
            only = " for %s" % " and ".join(sorted("IPv6" if one == "inet6" else "IPv4" for one in families)) \
                if not any(one.serves(family) for one in outer for family in families) \
                else " on %s" % listed([str(lead.port.address) for lead in leads])
            only += " (only %s)" % listed([str(one) for one in outer])
        yield fail(name, "port %s of %s is published as %s, but nothing listens%s" % (
            name, network.title, _published(leads), only), None if protocol == "tcp" else MEDIUM)


def _nothing(index: Index, network: Network) -> Iterator[Verdict]:
    if index.host.published is None:
        yield unknown("", "the published ports of the host were not read")
    elif not index.leading_to(network):
        cut = index.host.cut("published")
        yield unknown("", cut) if cut else not_applicable("no port is published to %s" % network.title)


def _ports(index: Index, network: Network) -> Dict[_Port, List[Lead]]:
    found: Dict[_Port, List[Lead]] = {}
    for lead in index.leading_to(network):
        if lead.port.protocol and lead.port.port is not None:
            found.setdefault((lead.port.protocol, lead.port.port), []).append(lead)
    return found


def _listeners(network: Network, protocol: str, port: int) -> List[Listener]:
    names = (protocol, "mptcp") if protocol == "tcp" else (protocol,)
    return [one for one in network.listening or [] if one.port == port and one.protocol in names]


def _takes(listener: Listener, lead: Lead) -> bool:
    """Whether what a published port leads to gets to a listener."""
    target = ip(lead.port.address)
    if target is None:
        return True
    return listener.ip == target or (listener.everywhere and listener.serves(target[0]))


def _in_range(protocol: str, port: int, ports: Dict[_Port, List[Lead]], network: Network) -> bool:
    """Whether a port is one of several in a row of which none is listened to."""
    first, last = port, port
    while (protocol, first - 1) in ports and not _listeners(network, protocol, first - 1):
        first -= 1
    while last - first < _RANGE and (protocol, last + 1) in ports and not _listeners(network, protocol, last + 1):
        last += 1
    return last - first + 1 >= _RANGE


def _elsewhere(network: Network, protocol: str, leads: List[Lead]) -> str | None:
    """Why a listener may be there without being seen in this network's sockets."""
    if protocol not in ("tcp", "udp") and not any(one.protocol == protocol for one in network.listening or []):
        return "whether the kernel tells of %s sockets in %s is not known" % (protocol, network.title)
    if any((link.name or "").endswith("_kata") for link in network.links or []):
        return "the sockets of %s are inside a virtual machine" % network.title
    targets = [found for found in (ip(lead.port.address) for lead in leads) if found]
    if network.addresses is not None and targets and not any(network.owns(target) for target in targets):
        return "%s is no address of the network namespace of %s: its sockets may be elsewhere" % (
            leads[0].port.address, network.title)
    if leads_on(network):
        return "rules inside %s may lead the port on" % network.title
    return None


def _published(leads: List[Lead]) -> str:
    """The ports in words: C(0.0.0.0:8080 and [::]:8080 of the host)."""
    texts = []
    for lead in leads:
        address = lead.port.host_address or "*"
        texts.append("%s:%s" % ("[%s]" % address if ":" in address else address, lead.port.host_port))
    return "%s on %s" % (listed(texts), leads[0].network.place)


def _who(listeners: List[Listener]) -> str:
    names = [word(row.get("comm")) for one in listeners for row in one.processes]
    return listed([name for name in names if name]) or "somebody"


def nobody(index: Index, host: Network) -> Iterator[Verdict]:
    """Only behind bridges of veths: what machines beyond the host have is not known here."""
    if not host.published:
        yield unknown("", "the published ports of the host were not read") if host.published is None else \
            not_applicable("no port of %s is published" % host.title)
        return
    unseen = any(word(row.get("what")) == "networks" for row in dicts(index.facts.get("problems")) or [])
    answering = {one.ip for one in host.neighbours or [] if one.state in _ANSWERS}
    for port in host.published:
        target = ip(port.address) if port.container is None else None
        if target is None or target in answering:
            continue
        bridge = _bridge_of(host, target)
        if bridge is None or any(network.owns(target) for network in index.networks.values()):
            continue
        name = "%s:%s/%s" % (port.host_address, port.host_port, port.protocol)
        if unseen or any(network.addresses is None or network.cut("addresses") for network in index.networks.values()):
            yield unknown(name, "not every network namespace could be read, and one may have %s" % port.address)
        else:
            yield fail(name, "port %s of %s leads to %s port %s, which nothing on %s has" % (
                name, host.place, port.address, port.port, bridge))


def _bridge_of(host: Network, target: Ip) -> str | None:
    """The bridge whose subnet an address is in, if nothing but veths is in it."""
    for address in host.addresses or []:
        link = host.by_name.get(address.link) if address.link else None
        if link is None or link.kind != "bridge" or address.ip is None or address.prefix is None:
            continue
        ports = [one for one in host.links or [] if one.master == link.name]
        if all(one.kind == "veth" for one in ports) and inside(
                target, (address.ip[0], masked(address.ip, address.prefix), address.prefix)):
            return link.name
    return None


def queue_full(index: Index, network: Network) -> Iterator[Verdict]:
    if network.paused:
        yield not_applicable("%s is paused and accepts nothing" % network.title)
        return
    untold = [one for one in network.listening or [] if one.protocol == "tcp" and None in (one.queue, one.limit)]
    if untold:
        yield unknown("", "how many wait for %s in %s was not told" % (
            listed([str(one) for one in untold]), network.title))
    for one in network.listening or []:
        unix = one.protocol == "unix" and one.details.get("type") in ("stream", "seqpacket")
        if one.protocol not in _QUEUES and not unix:
            continue
        name = "unix %s" % one.path if unix else str(one)
        if one.queue is not None and one.limit is not None and one.queue > one.limit:
            # Linux refuses when more wait than the limit says (sk_acceptq_is_full).
            yield fail(name, "the accept queue of %s in %s is full: %d wait, the limit is %d (%s)" % (
                name, network.title, one.queue, one.limit, _who([one])))


CHECKS = [
    Check("SOC-001", "Published port is served on loopback only", HIGH, "containers", ("listening",), loopback_only,
          "Let the program listen on 0.0.0.0 or :: inside the container, not on 127.0.0.1."),
    Check("SOC-002", "Published port has no listener", HIGH, "containers", ("listening",), no_listener,
          "Start the program, or publish the port that it does listen on."),
    Check("SOC-003", "Published port leads to nobody", HIGH, "host", (), nobody,
          "Restart the container or the engine, which gives the address back or takes the rule away."),
    Check("SOC-008", "Accept queue is full", HIGH, "all", ("listening",), queue_full,
          "See why the program does not accept (hung, too few workers), or raise its backlog and net.core.somaxconn."),
]

"""One host's networks as the checks see them: who lives where, what is joined to what, what was not seen."""
from __future__ import annotations

import re
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from .fib import Default
from .firewall import drops_outside
from .network import Container, Network, listed
from .rows import PAIRS, Ip, Link, Published, dicts, ip, net, plain, table, word
from .segments import Segments

# A problem's words, and whose lists lack something then.
_SUBJECTS = {
    "links": "links", "addresses": "addresses", "routes": "routes", "rules": "rules", "neighbours": "neighbours",
    "sockets": "listening", "listening": "listening", "resolv.conf": "dns", "dns": "dns", "sysctls": "sysctls",
    "firewall": "firewall", "published": "published", "published ports": "published",
}
# The kernel has no such thing, so there is nothing of it.
_LACKING = "unsupported"


class Far(NamedTuple):
    """The other end of a link: its network, and the link where that was read."""

    network: Network
    link: Link


class Lead(NamedTuple):
    """A published port and the network it is a port of."""

    network: Network
    port: Published


class Index:
    """A snapshot to ask about. C(host) is always there, perhaps without anything in it."""

    def __init__(self, facts: Any) -> None:
        self.facts = facts = table(facts)
        host = plain(table(facts.get("host")).get("net"))
        self.inventory = dicts(facts.get("inventory"))
        self.networks: Dict[str, Network] = {}
        rows = {word(name) or "": row for name, row in table(facts.get("networks")).items()}
        for name, row in rows.items():
            self.networks[name] = Network(name, row, name == host)
        found = dicts(facts.get("containers"))
        self.complete = found is not None
        containers = [Container(row) for row in found or []]
        self.containers = {container.id: container for container in containers}
        self._names: Dict[str, List[Container]] = {}
        for container in containers:
            self._names.setdefault(container.name, []).append(container)
            place = container.network or "the network of %s" % container.id
            if place not in self.networks:
                self.networks[place] = Network(place, None, place == host)
            self.networks[place].containers.append(container)
        self.host = self.networks.get(host or "") or Network(host, None, True)
        self.host.host = True
        self.networks[host or ""] = self.host
        self._note_problems()
        self._name()
        # Sentences list them in this order: the same in each run.
        self.networks = dict(sorted(self.networks.items(), key=lambda item: (
            not item[1].host, item[1].stable is None, item[1].stable or item[1].place, item[0])))
        self.segments = Segments(self)
        self._senders: Optional[Dict[str, List[Tuple[Network, Network, str]]]] = None
        self._led: Optional[Dict[Optional[str], List[Lead]]] = None
        self.sound: Optional[Dict[str, Any]] = None  # what checks of leaks read

    def far(self, link: Link) -> Optional[Far]:
        """The other end of a pair's link; None where it was not seen."""
        if link.kind not in PAIRS or link.peer is None:
            return None
        return self.end(link.peer)

    def end(self, end: Any) -> Optional[Far]:
        """What a peer or lower link means; None where it was not seen."""
        network = self.networks.get(end.network) if end is not None and end.network is not None else None
        link = network.by_name.get(end.name) if network is not None and end.name is not None else None
        return None if network is None or link is None else Far(network, link)

    def container(self, text: str | None) -> Optional[Container]:
        """A container by id or, if there is only one of it, by name."""
        if not text:
            return None
        named = self._names.get(text, ())
        return self.containers.get(text) or (named[0] if len(named) == 1 else None)

    def leading_to(self, network: Network) -> List[Lead]:
        """The published ports that lead into a network of containers."""
        if self._led is None:
            owners: Dict[Ip, List[Network]] = {}
            for one in self.lived_in():
                for address in one.reachable:
                    if address.ip:
                        owners.setdefault(address.ip, []).append(one)
            self._led = {}
            for place in self.networks.values():
                for port in place.published or []:
                    target = self._target(port, owners)
                    if target is not None and target is not place:
                        self._led.setdefault(target.name, []).append(Lead(place, port))
        return self._led.get(network.name, [])

    def _target(self, port: Published, owners: Dict[Ip, List[Network]]) -> Optional[Network]:
        container = self.container(port.container)
        if container is not None:
            found = self.networks.get(container.network) if container.network else None
            return None if found is None or found.host else found
        address = ip(port.address) if port.container is None else None
        several = owners.get(address, []) if address else []
        return several[0] if len(several) == 1 else None

    def senders(self, family: str) -> List[Tuple[Network, Network, str]]:
        """Who passes on what a container's network sends out by default, that network, and by which link it comes."""
        if self._senders is None:
            self._senders = {"inet": [], "inet6": []}
            for network in self.lived_in():
                for default in network.defaults():
                    link = network.by_name.get(default.hop.link)
                    far = self.far(link) if link is not None else None
                    if far is not None and passes_on(far, default):
                        comes_by = far.link.master or far.link.name or ""
                        self._senders[default.family].append((far.network, network, comes_by))
        return self._senders[family]

    def lived_in(self) -> List[Network]:
        """The networks of containers; the host's own is none of them."""
        return [network for network in self.networks.values() if network.containers and not network.host]

    def inhabited(self) -> List[Network]:
        """These, and the others that have addresses by which they are known."""
        return [one for one in self.networks.values() if not one.host and (one.containers or one.reachable)]

    def _note_problems(self) -> None:
        for row in dicts(self.facts.get("problems")) or []:
            what, reason = word(row.get("what")) or "", word(row.get("reason")) or ""
            thing, dummy, place = what.partition(" of ")
            subject = _SUBJECTS.get("firewall" if thing.startswith("firewall ") else thing)
            if subject is None or reason == _LACKING:
                continue
            for network in [self.networks.get(place)] if place else self.networks.values():
                if network is not None:
                    network.lacks(subject)

    def _name(self) -> None:
        by_name: Dict[str, List[Network]] = {}
        for network in self.networks.values():
            if network.host:
                continue
            network.containers.sort(key=lambda one: (one.infra, one.start, one.name, one.id))
            network.stable = _stable(network)
            if network.stable is not None:
                by_name.setdefault(network.stable, []).append(network)
        for several in by_name.values():
            if len(several) > 1:
                _tell_apart(several)
        entries = {word(entry.get("name")): entry for entry in self.inventory or []}
        for network in self.networks.values():
            if network.host:
                if network.containers:
                    network.title = "the host (shared with %s)" % listed(sorted(one.name for one in network.containers))
            elif network.stable is None:
                network.title = network.place = _holder(entries.get(network.name), network.name)
            else:
                network.title, network.place = _title(network), network.stable


def passes_on(far: Far, default: Default) -> bool:
    """Whether the network at the other end of a link is the gateway of a default route by it, and not an internal one.

    Docker gave internal networks a default route too, before 23.0.
    """
    if far.link.master is None:
        return True
    gateway, internal = ip(default.hop.gateway), net(drops_outside(far.network, far.link.master), None)
    return gateway is not None and far.network.owns(gateway) and (internal is None or internal[0] != default.family)


def _pod(network: Network) -> Optional[str]:
    """The pod that all who live there belong to."""
    pods = {container.pod for container in network.containers}
    return pods.pop() if len(pods) == 1 else None


def _stable(network: Network) -> Optional[str]:
    """The pod, or the container that was there first: others join it."""
    if not network.containers:
        return None
    return _pod(network) or network.containers[0].name


def _tell_apart(networks: List[Network]) -> None:
    engines = [network.containers[0].engine for network in networks]
    for network, engine in zip(networks, engines):
        apart = "%s:%s" % (engine, network.stable)
        network.stable = apart if engines.count(engine) == 1 else "%s (%s)" % (apart, network.containers[0].id[:12])


def _title(network: Network) -> str:
    pod = _pod(network)
    names = sorted(one.name for one in network.containers if not one.infra or len(network.containers) == 1)
    if pod is not None:
        return "pod %s (%s)" % (network.stable, listed(names))
    if len(names) < 2:
        return network.stable or ""
    others = [name for name in names if name != network.containers[0].name]
    return "%s (shared with %s)" % (network.stable, listed(others or names))


def _holder(entry: Dict[str, Any] | None, name: str | None) -> str:
    """What a network without containers is told by: where it is mounted, else who is in it."""
    row = table(entry)
    for pin in dicts(row.get("pins")) or []:
        path = word(pin.get("path"))
        if pin.get("kind") == "mount" and path:
            return "the network namespace %s" % re.sub("^.*/netns/", "", path)
    comm = word(table(row.get("leader")).get("comm"))
    return "the network namespace of %s" % comm if comm else "the network namespace %s" % name

"""One network namespace as the checks see it: what was read of it, what was not, and who lives there.

Nothing here raises on what a snapshot lacks: a list that was not read is None, one that was cut is in C(partial).
"""
from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Set, Tuple, TypeVar

from .fib import Default, Fib
from .rows import (
    PAIRS,
    Address,
    Ip,
    Link,
    Listener,
    Neighbour,
    Published,
    Route,
    Rule,
    neighbour,
    number,
    plain,
    published,
    table,
    word,
)

Row = TypeVar("Row")

# How a sentence calls them.
_CALLED = {
    "listening": "listening sockets", "dns": "lines of resolv.conf", "firewall": "firewall rules",
    "published": "published ports",
}


class Container:
    """A container, as far as its networks go."""

    __slots__ = ("engine", "id", "infra", "name", "network", "pod", "start", "state")

    def __init__(self, row: Dict[str, Any]) -> None:
        pod = table(row.get("pod"))
        names = [word(pod.get(key)) for key in ("namespace", "name")]
        self.id = word(row.get("id")) or ""
        self.name = word(row.get("name")) or self.id[:12] or "?"
        self.engine = word(row.get("engine")) or "unknown"
        self.infra = row.get("infra") is True
        self.state = word(row.get("state"))
        self.pod = "/".join(one for one in names if one) if names[1] else None
        self.start = number(row.get("start_time")) or 0
        self.network = plain(table(row.get("namespaces")).get("net"))


class Network:
    """A network namespace. Each list is None where it was not read."""

    def __init__(self, name: str | None, row: Any, host: bool) -> None:
        row = table(row)
        self.name = name
        self.host = host
        self.seen = bool(row)
        self.containers: List[Container] = []
        self.partial: Set[str] = set()
        # How sentences call it, at length and as a place; the name that it keeps in the next run.
        self.title = self.place = "the host" if host else "?"
        self.stable: Optional[str] = None
        # Each has at least a loopback.
        self.links = self._rows(row, "links", Link) or None
        self.addresses = self._rows(row, "addresses", Address)
        self.routes = self._rows(row, "routes", Route)
        self.rules = self._rows(row, "rules", Rule)
        self.neighbours: Optional[List[Neighbour]] = self._rows(row, "neighbours", neighbour)
        self.listening = self._rows(row, "listening", Listener)
        self.published: Optional[List[Published]] = self._rows(row, "published", published)
        self.dns = self._dict(row, "dns")
        self.sysctls = self._dict(row, "sysctls")
        self.firewall = self._dict(row, "firewall")
        self.by_name = {link.name: link for link in self.links or []}
        self._fib: Optional[Fib] = None
        self._routed: Optional[Set[Optional[str]]] = None
        self._owned: Optional[Set[Optional[Ip]]] = None
        self._proxies: Optional[bool] = None

    def _rows(self, row: Dict[str, Any], subject: str, kind: Callable[[Dict[str, Any]], Row]) -> Optional[List[Row]]:
        found = row.get(subject)
        if not isinstance(found, list):
            return None
        rows = [kind(one) for one in found if isinstance(one, dict)]
        if len(rows) < len(found):
            self.partial.add(subject)
        return rows

    def _dict(self, row: Dict[str, Any], subject: str) -> Optional[Dict[str, Any]]:
        found = row.get(subject)
        return found if isinstance(found, dict) else None

    def lacks(self, subject: str) -> None:
        """Something of a subject was not read; if nothing was, it is not known at all."""
        self.partial.add(subject)
        if not getattr(self, subject):
            setattr(self, subject, None)

    def missing(self, *subjects: str) -> Optional[str]:
        """Why nothing can be said without these, as a sentence; None when all are there."""
        for subject in subjects:
            if getattr(self, subject) is None:
                return "the %s of %s were not read" % (_CALLED.get(subject, subject), self.title)
        return None

    def cut(self, *subjects: str) -> Optional[str]:
        """Why what was not found in these may be there nevertheless; None when all was read."""
        for subject in subjects:
            if subject in self.partial:
                return "not all %s of %s were read" % (_CALLED.get(subject, subject), self.title)
        return self.missing(*subjects)

    @property
    def fib(self) -> Fib:
        if self._fib is None:
            self._fib = Fib(self.routes or [], self.rules, self.addresses or [])
        return self._fib

    def defaults(self) -> List[Default]:
        """The ways of the default routes of both families."""
        return self.fib.defaults("inet") + self.fib.defaults("inet6")

    @property
    def routed(self) -> Set[Optional[str]]:
        """The links that a route leads to, other than those that IPv6 gives each link by itself."""
        if self._routed is None:
            self._routed = {
                hop.link for route in self.routes or []
                if route.to and route.type in ("unicast", "local") and not _automatic(route.to) for hop in route.hops
            }
        return self._routed

    def of_link(self, link: str | None) -> List[Address]:
        """The addresses of a link."""
        return [address for address in self.addresses or [] if address.link == link]

    def owns(self, address: Ip) -> bool:
        """Whether an address is one of its own."""
        if self._owned is None:
            self._owned = {one.ip for one in self.addresses or []}
        return address in self._owned

    @property
    def proxies(self) -> bool:
        """Whether it answers for addresses of others (proxy_arp, proxy_ndp)."""
        if self._proxies is None:
            self._proxies = any(value == 1 and key.endswith((".proxy_arp", ".proxy_ndp"))
                                for key, value in (self.sysctls or {}).items() if isinstance(key, str))
        return self._proxies

    @property
    def only_loopback(self) -> bool:
        return bool(self.links) and all(link.loopback for link in self.links or [])

    @property
    def reachable(self) -> List[Address]:
        """The addresses that others may know it by."""
        lo = {link.name for link in self.links or [] if link.loopback}
        return [address for address in self.addresses or [] if address.own and address.link not in lo]

    @property
    def starting(self) -> bool:
        return bool(self.containers) and all(one.state == "starting" for one in self.containers)

    @property
    def paused(self) -> bool:
        return bool(self.containers) and all(one.state == "paused" for one in self.containers)

    @property
    def engines(self) -> Set[str]:
        return {container.engine for container in self.containers}


def joined(network: Network) -> List[Link]:
    """The links by which a network is joined to others: no loopback, no port of a bridge, no pair within itself."""
    return [
        link for link in network.links or []
        if not link.loopback and link.master is None
        and (link.peer is None or link.kind not in PAIRS or link.peer.network != network.name)
    ]


def gateways(network: Network) -> List[Tuple[Default, str]]:
    """The default routes that have a gateway, with its text."""
    return [(one, one.hop.gateway) for one in network.defaults() if one.hop.gateway is not None]


def listed(names: List[str], most: int = 3) -> str:
    """Some names in words: C(a, b and 3 more)."""
    unique = list(dict.fromkeys(names))
    if len(unique) > most + 1:
        return "%s and %d more" % (", ".join(unique[:most]), len(unique) - most)
    return " and ".join(filter(None, [", ".join(unique[:-1]), unique[-1]])) if unique else ""


def _automatic(to: Tuple[str, int, int]) -> bool:
    """fe80::/10 and ff00::/8."""
    return to[0] == "inet6" and to[2] > 0 and (to[1] >> 118 == 0x3FA or to[1] >> 120 == 0xFF)

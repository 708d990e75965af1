"""Which route a packet of a network takes that nobody marked: rules, then tables, as in the kernel (ip-rule(8)).

Rules that ask for what a snapshot has not (marks, ports, users, the link it came by) are passed over; one that asks for
a source is taken where one of the network's own addresses would do.
"""
from __future__ import annotations

from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from .rows import BITS, Address, Hop, Ip, Route, Rule, inside, masked, number

REJECTED = ("blackhole", "unreachable", "prohibit")
# What IPv6 of older kernels has where it has no default route (net/ipv6/route.c, ip6_null_entry).
_NONE = 0xFFFFFFFF
_STANDARD = ("local", "main", "default")
_CONDITIONS = ("ipproto", "sport", "dport", "uidrange", "tos", "dscp", "flowlabel", "tun_id", "l3mdev", "unknown")

# By prefix length, then by network number: the routes, the best first.
_Table = Dict[int, Dict[int, List[Route]]]


class Default(NamedTuple):
    """One way of a default route."""

    family: str
    route: Route
    hop: Hop


class Fib:
    """The routes of one network, to be asked. C(rules) is None where they are not known: then the usual three."""

    def __init__(self, routes: List[Route], rules: Optional[List[Rule]], addresses: List[Address]) -> None:
        self.routes = [route for route in routes if route.to and not route.flags & {"cache", "dead"}]
        self._rules = rules
        self._own = [address.ip for address in addresses if address.ip]
        self._tables: Dict[Tuple[str, str], _Table] = {}
        self._defaults: Dict[str, List[Default]] = {}
        for route in self.routes:
            if route.to and route.type not in ("broadcast", "multicast"):
                family, network, length = route.to
                found = self._tables.setdefault((family, route.table or "main"), {}).setdefault(length, {})
                found.setdefault(network, []).append(route)
        for lengths in self._tables.values():
            for networks in lengths.values():
                for several in networks.values():
                    several.sort(key=lambda route: route.metric)

    def lookup(self, address: Ip) -> Optional[Route]:
        """The route to an address, also one that rejects; None when there is none."""
        for table, shortest in self._order(address):
            route = self._longest(address, table, shortest)
            if route is not None and route.type != "throw":
                return route
        return None

    def defaults(self, family: str) -> List[Default]:
        """The ways of the best default route of a family; two halves (0.0.0.0/1, 128.0.0.0/1) are one as well."""
        if family not in self._defaults:
            self._defaults[family] = self._best(family)
        return self._defaults[family]

    def _best(self, family: str) -> List[Default]:
        for table, shortest in self._order((family, 0), anywhere=True):
            lengths = self._tables.get((family, table), {})
            for length in (1, 0):
                if length <= shortest:
                    continue
                several = lengths.get(length, {})
                halves = [several.get(0, []), several.get(1 << (BITS[family] - 1), [])]
                if length and not all(halves):
                    continue
                unicast = [route for route in halves[0] if route.type == "unicast"]
                if unicast:
                    return [Default(family, route, hop) for route in unicast if route.metric == unicast[0].metric
                            for hop in route.hops]
        return []

    def rejected_default(self, family: str) -> Optional[Route]:
        """A default route that rejects, where there is no better one."""
        route = self.lookup((family, _SOMEWHERE[family]))
        if route is None or route.type not in REJECTED or not route.to or route.to[2] > 1:
            return None
        return None if route.metric == _NONE else route

    def on_link(self, address: Ip, link: str | None) -> bool:
        """Whether a route without a gateway leads to an address by a link."""
        return any(
            route.to is not None and route.type == "unicast" and inside(address, route.to) and route.to[2]
            and any(hop.link == link and hop.gateway is None for hop in route.hops)
            for route in self.routes
        )

    def _longest(self, address: Ip, table: str, shortest: int) -> Optional[Route]:
        lengths = self._tables.get((address[0], table), {})
        for length in sorted(lengths, reverse=True):
            if length <= shortest:
                return None
            several = lengths[length].get(masked(address, length))
            if several:
                return several[0]
        return None

    def _order(self, address: Ip, anywhere: bool = False) -> Iterator[Tuple[str, int]]:
        """The tables that are asked, each with the length of prefix that does not count any more (-1: all count)."""
        rules = None if self._rules is None else [rule for rule in self._rules if rule.family == address[0]]
        if not rules:
            yield from ((table, -1) for table in _STANDARD)
            return
        for rule in sorted(rules, key=lambda rule: rule.priority):
            if rule.table and rule.action in (None, "lookup") and self._matches(rule, address, anywhere):
                shortest = number(rule.details.get("suppress_prefixlength"))
                yield rule.table, -1 if shortest is None else shortest

    def _matches(self, rule: Rule, address: Ip, anywhere: bool) -> bool:
        if rule.via not in (None, "lo") or any(rule.details.get(key) for key in _CONDITIONS if key in rule.details):
            return False
        if rule.details.get("not"):
            # What VPNs do: all that does not bear their own mark.
            return rule.fwmark not in (None, "0x0")
        if rule.fwmark is not None and not rule.fwmark.startswith("0x0/"):
            return False
        if rule.to is None or not (inside(address, rule.to) if not anywhere else rule.to[2] == 0):
            return False
        return rule.source is not None and (
            rule.source[2] == 0 or any(inside(own, rule.source) for own in self._own))


# Addresses for documentation: only a default route leads there.
_SOMEWHERE = {"inet": 0xC0000201, "inet6": 0x20010DB8 << 96 | 1}

"""The rows of a snapshot as typed objects. Whatever a row lacks, or has of another type, is None: it is not known.

A snapshot is data of others: names are made printable and bounded, numbers bounded, before anything else looks at them.
"""
from __future__ import annotations

import functools
import socket
from typing import Any, Dict, FrozenSet, List, NamedTuple, Optional, Tuple

_LONGEST = 128  # characters of a name
_ADDRESS = 64   # of an address
_BIGGEST = 1 << 64
BITS = {"inet": 32, "inet6": 128}
# What is joined to another link of another namespace as its equal.
PAIRS = ("veth", "netkit")

Ip = Tuple[str, int]  # family, number


def word(value: Any) -> Optional[str]:
    """A text, fit for a sentence: what is not printable becomes its escape."""
    if not isinstance(value, str):
        return None
    return _shown(value[:_LONGEST])


# The same few words stand in thousands of rows.
@functools.lru_cache(maxsize=4096)
def _shown(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)


def number(value: Any) -> Optional[int]:
    """An integer that a kernel could have told."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and -_BIGGEST < value < _BIGGEST else None


def words(value: Any) -> Optional[FrozenSet[str]]:
    """A list of flags."""
    return frozenset(one for one in value if isinstance(one, str)) if isinstance(value, list) else None


def table(value: Any) -> Dict[str, Any]:
    """A dict, or an empty one."""
    return value if isinstance(value, dict) else {}


def dicts(value: Any) -> Optional[List[Dict[str, Any]]]:
    """The dicts of a list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else None


def plain(value: Any) -> Optional[str]:
    """A namespace's name, also from its ref."""
    name = word(value)
    return None if name is None else name.partition("#")[0]


def ip(value: Any) -> Optional[Ip]:
    """An address; the zone behind a % is left out, IPv4 inside IPv6 is IPv4."""
    if not isinstance(value, str):
        return None
    text = value.partition("%")[0]
    return _parsed(text) if len(text) <= _ADDRESS else None


@functools.lru_cache(maxsize=4096)
def _parsed(text: str) -> Optional[Ip]:
    try:
        if ":" not in text:
            return "inet", int.from_bytes(socket.inet_pton(socket.AF_INET, text), "big")
        raw = socket.inet_pton(socket.AF_INET6, text)
    except (OSError, ValueError):
        return None
    if raw[:12] == b"\0" * 10 + b"\xff\xff":
        return "inet", int.from_bytes(raw[12:], "big")
    return "inet6", int.from_bytes(raw, "big")


def net(value: Any, family: str | None) -> Optional[Tuple[str, int, int]]:
    """Family, number and length of a prefix; C(default) is the one that holds everything of its C(family)."""
    if not isinstance(value, str):
        return None
    if value in ("default", "all"):
        return (family, 0, 0) if family in BITS else None
    text, slash, length = value.partition("/")
    found = ip(text)
    if found is None:
        return None
    bits = BITS[found[0]]
    if not slash:
        return found[0], found[1], bits
    if not (length.isascii() and length.isdigit() and len(length) < 4) or int(length) > bits:
        return None
    return found[0], masked(found, int(length)), int(length)


def masked(address: Ip, length: int) -> int:
    """The number of an address without the bits of the host."""
    shift = BITS[address[0]] - length
    return address[1] >> shift << shift


def inside(address: Ip, network: Tuple[str, int, int]) -> bool:
    """Whether a prefix holds an address."""
    return address[0] == network[0] and masked(address, network[2]) == network[1]


def is_loopback(address: Ip) -> bool:
    """127.0.0.0/8 and ::1."""
    return address[1] >> 24 == 127 if address[0] == "inet" else address[1] == 1


def is_link_local(address: Ip) -> bool:
    """169.254.0.0/16 and fe80::/10."""
    return address[1] >> 16 == 0xA9FE if address[0] == "inet" else address[1] >> 118 == 0x3FA


def is_public6(address: Ip) -> bool:
    """2000::/3. The rest of IPv6 (fd00::/8, ...) leads nowhere by itself."""
    return address[0] == "inet6" and address[1] >> 125 == 1


class End(NamedTuple):
    """A link of some network namespace; None: not seen."""

    network: Optional[str]
    name: Optional[str]


def _end(value: Any) -> Optional[End]:
    return End(word(value.get("network")), word(value.get("name"))) if isinstance(value, dict) else None


class Link:
    """An interface. C(up), C(carrier): None where the flags are not known; C(free): whether it has no master."""

    __slots__ = (
        "carrier", "details", "free", "index", "kind", "lower", "mac", "master", "mtu", "name", "peer", "state", "up",
    )

    def __init__(self, row: Dict[str, Any]) -> None:
        flags = words(row.get("flags"))
        self.name = word(row.get("name"))
        self.index = number(row.get("index"))
        self.kind = word(row.get("kind"))
        self.state = word(row.get("state"))
        self.up: Optional[bool] = None if flags is None else "UP" in flags
        self.carrier: Optional[bool] = None if flags is None else "LOWER_UP" in flags
        self.mtu = number(row.get("mtu"))
        self.mac = word(row.get("mac"))
        self.master = word(row.get("master"))
        self.free: Optional[bool] = self.master is None if "master" in row else None
        self.details = table(row.get("details"))
        self.peer = _end(row.get("peer"))
        self.lower = _end(self.details.get("lower"))

    @property
    def loopback(self) -> bool:
        return self.kind == "loopback" or (self.kind is None and self.name == "lo")

    @property
    def port(self) -> Dict[str, Any]:
        """What it is as a port of its master."""
        return table(self.details.get("port"))


class Address:
    """An address of a link."""

    __slots__ = ("flags", "ip", "link", "prefix", "scope", "text")

    def __init__(self, row: Dict[str, Any]) -> None:
        self.text = word(row.get("address")) or ""
        self.ip = ip(row.get("address"))
        length = number(row.get("prefix"))
        self.prefix = length if length is not None and self.ip and 0 <= length <= BITS[self.ip[0]] else None
        self.link = word(row.get("link"))
        self.scope = word(row.get("scope"))
        self.flags = words(row.get("flags")) or frozenset()

    @property
    def own(self) -> bool:
        """Whether others may know its owner by it: neither of the loopback nor of the link only."""
        return self.ip is not None and not is_loopback(self.ip) and not is_link_local(self.ip)

    @property
    def subnet(self) -> Optional[Tuple[str, int, int]]:
        if self.ip is None or self.prefix is None:
            return None
        return self.ip[0], masked(self.ip, self.prefix), self.prefix

    def __str__(self) -> str:
        return self.text if self.prefix is None else "%s/%d" % (self.text, self.prefix)


class Hop(NamedTuple):
    """One way of a route."""

    gateway: Optional[str]
    link: Optional[str]
    flags: FrozenSet[str]


class Route:
    """A route; C(to) is its destination."""

    __slots__ = ("flags", "hops", "metric", "mtu", "protocol", "table", "text", "to", "type")

    def __init__(self, row: Dict[str, Any]) -> None:
        self.to = net(row.get("destination"), word(row.get("family")))
        self.text = word(row.get("destination")) or ""
        self.type = word(row.get("type"))
        self.table = word(row.get("table"))
        self.metric = number(row.get("metric")) or 0
        self.protocol = word(row.get("protocol"))
        self.mtu = number(row.get("mtu"))
        self.flags = words(row.get("flags")) or frozenset()
        hops = row.get("nexthops")
        several = [one for one in hops if isinstance(one, dict)] if isinstance(hops, list) else []
        self.hops: List[Hop] = [
            Hop(word(one.get("gateway")), word(one.get("link")), words(one.get("flags")) or frozenset())
            for one in several or [row]
        ]


class Rule:
    """A rule that chooses a table."""

    __slots__ = ("action", "details", "family", "fwmark", "priority", "source", "table", "to", "via")

    def __init__(self, row: Dict[str, Any]) -> None:
        self.family = word(row.get("family"))
        self.priority = number(row.get("priority")) or 0
        self.source = net(row.get("from") or "all", self.family)
        self.to = net(row.get("to") or "all", self.family)
        self.via = word(row.get("iif")) or word(row.get("oif"))
        self.fwmark = word(row.get("fwmark"))
        self.table = word(row.get("table"))
        self.action = word(row.get("action"))
        self.details = table(row.get("details"))


class Neighbour(NamedTuple):
    """An entry of the neighbour tables."""

    family: Optional[str]
    ip: Optional[Ip]
    link: Optional[str]
    state: Optional[str]
    flags: FrozenSet[str]


def neighbour(row: Dict[str, Any]) -> Neighbour:
    """A neighbour from its row."""
    return Neighbour(word(row.get("family")), ip(row.get("address")), word(row.get("link")), word(row.get("state")),
                     words(row.get("flags")) or frozenset())


class Listener:
    """A socket that waits. C(ip) is None for one that takes what comes to any address."""

    __slots__ = ("details", "ip", "limit", "link", "path", "port", "processes", "protocol", "queue", "text")

    def __init__(self, row: Dict[str, Any]) -> None:
        protocol = word(row.get("protocol")) or ""
        self.protocol = protocol[:-1] if protocol in ("tcp6", "udp6", "sctp6") else protocol
        self.text = word(row.get("address")) or "*"
        self.ip = ip(row.get("address"))
        self.port = number(row.get("port"))
        self.path = word(row.get("path"))
        self.link = word(row.get("link"))
        self.queue = number(row.get("queue"))
        self.limit = number(row.get("limit"))
        self.details = table(row.get("details"))
        inside = row.get("processes")
        self.processes = [one for one in inside if isinstance(one, dict)] if isinstance(inside, list) else []

    def serves(self, family: str) -> bool:
        """Whether packets of a family get here: an IPv6 wildcard takes IPv4 too, unless told otherwise (ipv6(7))."""
        if self.ip is None or self.ip[0] == family:
            return True
        return self.ip == ("inet6", 0) and family == "inet" and not self.details.get("v6only")

    @property
    def everywhere(self) -> bool:
        return self.ip is None or self.ip[1] == 0

    def __str__(self) -> str:
        address = "[%s]" % self.text if ":" in self.text else self.text
        return "%s:%s/%s" % (address, self.port, self.protocol)


class Published(NamedTuple):
    """A port that leads to a container."""

    protocol: Optional[str]
    host_address: Optional[str]
    host_port: Optional[int]
    container: Optional[str]
    address: Optional[str]
    port: Optional[int]


def published(row: Dict[str, Any]) -> Published:
    """A published port from its row."""
    return Published(word(row.get("protocol")), word(row.get("host_address")), number(row.get("host_port")),
                     word(row.get("container")), word(row.get("address")), number(row.get("port")))

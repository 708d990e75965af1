"""One network namespace as the result has it: typed dicts, which cross from a child to us and to JSON as they are."""
from __future__ import annotations

from typing import Any, Dict, List, Optional, TypedDict, Union


class Peer(TypedDict):
    """The other end of a link, in whatever network namespace (C(network), a name) it is; None where not known."""

    network: Optional[str]
    name: Optional[str]
    container: Optional[str]


class Link(TypedDict):
    """A network interface. C(state) is the operational state of RFC 2863; C(flags) are names of IFF_* without it."""

    name: str
    index: int
    kind: str
    state: str
    flags: List[str]
    mtu: int
    mac: Optional[str]
    master: Optional[str]
    altnames: List[str]
    details: Dict[str, Any]
    peer: Optional[Peer]


class Address(TypedDict):
    """An address of a link (C(link), its name)."""

    family: str
    address: str
    prefix: int
    link: str
    scope: str
    flags: List[str]


class Nexthop(TypedDict):
    """One of several ways of a route."""

    gateway: Optional[str]
    link: Optional[str]
    weight: int
    flags: List[str]


# "from" is no name that a class could have.
Route = TypedDict("Route", {
    "family": str, "type": str, "destination": str, "from": Optional[str], "gateway": Optional[str],
    "link": Optional[str], "table": str, "protocol": str, "scope": str, "metric": Optional[int],
    "source": Optional[str], "mtu": Optional[int], "metrics": Dict[str, int], "flags": List[str],
    "nexthop_id": Optional[int], "nexthops": List[Nexthop], "expires": Optional[int],
})
Rule = TypedDict("Rule", {
    "family": str, "priority": int, "from": Optional[str], "to": Optional[str], "iif": Optional[str],
    "oif": Optional[str], "fwmark": Optional[str], "table": Optional[str], "action": str, "details": Dict[str, Any],
})


class Neighbour(TypedDict):
    """An entry of the neighbour tables, or (family C(bridge)) of a forwarding database."""

    family: str
    address: Optional[str]
    mac: Optional[str]
    link: Optional[str]
    state: str
    flags: List[str]
    vlan: Optional[int]


class Holder(TypedDict):
    """A process that has a socket open."""

    pid: int
    comm: str
    container: Optional[str]


class Listening(TypedDict):
    """A socket that waits for what others send: C(port) or (unix) C(path); C(queue) of at most C(limit) wait."""

    protocol: str
    address: Optional[str]
    port: Optional[int]
    path: Optional[str]
    link: Optional[str]
    queue: Optional[int]
    limit: Optional[int]
    details: Dict[str, Any]
    inode: int
    processes: List[Holder]


class Hosts(TypedDict):
    """A line of /etc/hosts."""

    address: str
    names: List[str]


class Dns(TypedDict):
    """What the files of whoever lives in the network say: /etc/resolv.conf, /etc/hosts, /etc/hostname."""

    nameservers: List[str]
    search: List[str]
    options: List[str]
    hosts: List[Hosts]
    hostname: Optional[str]


class Published(TypedDict):
    """A port of this network that leads to a container, and what says so."""

    protocol: str
    host_address: str
    host_port: int
    container: Optional[str]
    address: Optional[str]
    port: Optional[int]
    proved_by: List[str]


class Firewall(TypedDict):
    """nftables by family, table and chain; C(decoded) are the rules that translate, drop or reject."""

    generation: Optional[int]
    tables: List[Dict[str, Any]]
    rules: int
    decoded: List[Dict[str, Any]]
    legacy: Dict[str, List[str]]
    conntrack: Optional[Dict[str, int]]


class Network(TypedDict):
    """One network namespace."""

    links: List[Link]
    addresses: List[Address]
    routes: List[Route]
    rules: List[Rule]
    neighbours: List[Neighbour]
    listening: List[Listening]
    sockets: Dict[str, Dict[str, int]]
    dns: Optional[Dns]
    sysctls: Dict[str, Union[int, str]]
    firewall: Optional[Firewall]
    published: List[Published]

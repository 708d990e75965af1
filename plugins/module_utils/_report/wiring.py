"""How a host is wired, as a graph: uplink, host, bridge, veth, network namespace with its containers.

Edges lead from the outside world to the containers. Containers that differ in name and address only are one node where
there are many. What was not chosen is not drawn: what others start and stop does not change the drawing.
"""
from __future__ import annotations

from typing import Any, Dict, Iterable, List, NamedTuple, Sequence, Tuple

from .._audit.finding import SEVERITIES
from .containers import display_name
from .network import Networks, addresses_of, cidr, network_of, rows
from .wiring_boxes import Box, box_of, label_of, merged, names, stem

_FORWARDING = (("net.ipv4.ip_forward", "inet", "IPv4"), ("net.ipv6.conf.all.forwarding", "inet6", "IPv6"))
_DEEPEST = 8  # links upon links; a host can make hundreds
_TOLD = 20    # faults of a node
_SHARED = ("bridge", "bond", "team", "vrf", "openvswitch")


class Node(NamedTuple):
    """A box of a C(kind) (uplink, host, bridge, veth, link, network, empty), lines of text, what to say on demand."""

    key: str
    kind: str
    lines: List[str]
    title: str
    fault: str | None  # the worst severity


class Edge(NamedTuple):
    """From a node to another. What is C(routed) is no wire: packets are forwarded there by their address."""

    source: str
    target: str
    routed: bool = False
    fault: str | None = None


class Wiring(NamedTuple):
    """The drawing of a host; C(said) are sentences on what is not in it."""

    host: str
    nodes: List[Node]
    edges: List[Edge]
    said: List[str]


def wiring(host: str, networks: Networks, chosen: Sequence[dict[str, Any]], faults: Sequence[dict[str, Any]],
           inventory: Sequence[dict[str, Any]] = (), everything: bool = True) -> Wiring:
    """The graph. C(inventory) names namespaces without a container, which are drawn where C(everything) is."""
    return _Drawing(host, networks, faults).draw(chosen, inventory if everything else ())


class _Faults:
    """Which faults concern a node, and the worst of them."""

    def __init__(self, faults: Sequence[dict[str, Any]]) -> None:
        self._by_container: Dict[str, List[dict[str, Any]]] = {}
        self._by_object: Dict[str, List[dict[str, Any]]] = {}
        for fault in faults:
            ids = fault.get("containers") or ()
            for one in ids:
                self._by_container.setdefault(str(one), []).append(fault)
            if fault.get("container") is None:
                self._by_object.setdefault(str(fault.get("object")), []).append(fault)

    def of(self, containers: Iterable[dict[str, Any]]) -> List[dict[str, Any]]:
        found: List[dict[str, Any]] = []
        for one in containers:
            found += [fault for fault in self._by_container.get(str(one.get("id")), ()) if fault not in found]
        return found

    def of_object(self, *names: Any) -> List[dict[str, Any]]:
        return [fault for name in names for fault in self._by_object.get(str(name), ())]


def worst(faults: Sequence[dict[str, Any]]) -> str | None:
    """The gravest severity among them."""
    present = {str(fault.get("severity")) for fault in faults}
    return next((one for one in SEVERITIES if one in present), "info" if faults else None)


class _Drawing:
    def __init__(self, host: str, networks: Networks, faults: Sequence[dict[str, Any]]) -> None:
        self._host = host
        self._networks = networks
        self._faults = _Faults(faults)
        self._nodes: Dict[str, Node] = {}
        self._edges: Dict[Tuple[str, str], Edge] = {}
        self._said: List[str] = []

    def draw(self, chosen: Sequence[dict[str, Any]], inventory: Sequence[dict[str, Any]]) -> Wiring:
        boxes, lonely, guests, unseen = self._boxes(chosen)
        boxes += self._others(inventory, {box.name for box in boxes + lonely})
        self._add_host(guests)
        groups, left_out = merged(self._networks, boxes)
        for group in groups:
            self._add(group[0], group)
        if left_out:
            self._said.append("Not drawn for want of room: %d more network namespaces." % left_out)
        if lonely:
            self._add_lonely(lonely)
        if unseen:
            self._said.append("Not seen, and not drawn: the network of %s." % names(unseen))
        return Wiring(self._host, list(self._nodes.values()), list(self._edges.values()), self._said)

    def _boxes(self, chosen: Sequence[dict[str, Any]]) -> Tuple[List[Box], List[Box], List[Any], List[Any]]:
        """Those with links, those with none, containers in the host's network, and those whose network was not seen."""
        by_network: Dict[str, List[dict[str, Any]]] = {}
        guests, unseen = [], []
        for one in chosen:
            name = str(network_of(one))
            if name == self._networks.host:
                guests.append(one)
            elif self._networks.get(name) is None:
                unseen.append(one)
            else:
                by_network.setdefault(name, []).append(one)
        for inside in by_network.values():
            # First the one that the others joined, and last what is there for the others only.
            inside.sort(key=lambda one: (bool(one.get("infra")), one.get("start_time") or 0))
        boxes = [
            box_of(self._networks, name, inside, names(inside), self._faults.of(inside))
            for name, inside in by_network.items()
        ]
        return [box for box in boxes if box.ends], [box for box in boxes if not box.ends], guests, unseen

    def _others(self, inventory: Sequence[dict[str, Any]], drawn: set[str]) -> List[Box]:
        """Network namespaces with links and without a container."""
        found = []
        for entry in inventory:
            name = str(entry.get("name"))
            if entry.get("type") != "net" or name == self._networks.host or name in drawn:
                continue
            if self._networks.get(name) is None or self._networks.inside(name):
                continue
            box = box_of(self._networks, name, [], label_of(entry), self._faults.of_object(name))
            if box.ends:
                found.append(box)
        return found

    def _node(self, key: str, kind: str, lines: Sequence[str], title: str, faults: Sequence[dict[str, Any]]) -> str:
        if key not in self._nodes:
            said = [title] + ["%s: %s" % (fault.get("check"), fault.get("reason")) for fault in faults[:_TOLD]]
            if len(faults) > _TOLD:
                said.append("and %d more" % (len(faults) - _TOLD))
            self._nodes[key] = Node(key, kind, list(lines), "\n".join(said), worst(faults))
        return key

    def _edge(self, source: str, target: str, routed: bool = False, fault: str | None = None) -> None:
        if source != target and (target, source) not in self._edges:
            self._edges.setdefault((source, target), Edge(source, target, routed, fault))

    def _add_host(self, guests: List[dict[str, Any]]) -> None:
        network = self._networks.get(self._networks.host)
        lines = [self._host]
        for sysctl, family, what in _FORWARDING:
            off = str(((network or {}).get("sysctls") or {}).get(sysctl)) == "0"
            if off and family in {address.get("family") for address in self._of_bridges(network)}:
                lines.append("does not forward %s" % what)
        if guests:
            lines.append("in its network: %s" % names(guests))
        title = "the host's network%s" % (": " + ", ".join(map(display_name, guests)) if guests else "")
        self._node("host", "host", lines, title, self._faults.of(guests))
        for link in rows(network, "links"):
            if link.get("kind") == "physical" or self._leads_out(network, link):
                key = self._link(self._networks.host, link, out=link.get("kind") not in _SHARED)
                if not link.get("master"):
                    self._edge(key, "host", routed=True)

    def _of_bridges(self, network: dict[str, Any] | None) -> List[dict[str, Any]]:
        """Addresses by which others are reached through the host."""
        bridges = [link.get("name") for link in rows(network, "links") if link.get("kind") == "bridge"]
        return [
            address for address in rows(network, "addresses")
            if address.get("link") in bridges and address.get("scope") != "link"
        ]

    def _leads_out(self, network: dict[str, Any] | None, link: dict[str, Any]) -> bool:
        return any(
            route.get("destination") == "default"
            and link.get("name") in [way.get("link") for way in route.get("nexthops") or [route]]
            for route in rows(network, "routes")
        )

    def _link(self, network: str, link: dict[str, Any], depth: int = 0, out: bool = False) -> str:
        """A link of the host (or of another namespace) with all it lies upon; C(out) leads to the world."""
        name, kind = str(link.get("name")), str(link.get("kind"))
        key = "%s %s" % (network, name)
        if key in self._nodes:
            return key
        facts = self._networks.get(network)
        lines = [name if kind in ("physical", "veth") else "%s (%s)" % (name, _kind_of(link))]
        # Those of the link only (fe80::) tell nothing here.
        lines += [cidr(row) for row in addresses_of(facts or {}, name) if row.get("scope") != "link"][:2]
        if link.get("mtu") not in (1500, None):
            lines.append("mtu %s" % link["mtu"])
        if link.get("state") not in ("up", "unknown", None) or "UP" not in (link.get("flags") or ["UP"]):
            lines.append("down" if "UP" not in (link.get("flags") or ["UP"]) else str(link.get("state")))
        shape = "bridge" if kind in _SHARED else "link"
        if kind == "physical" or out:
            shape = "uplink"
        elif kind == "veth":
            shape = "veth"
        title = "%s %s, mtu %s, %s" % (kind, name, link.get("mtu"), link.get("state"))
        faults = self._faults.of_object(name) if network == self._networks.host else []
        self._node(key, shape, lines, title, faults)
        lower = (link.get("details") or {}).get("lower")
        if isinstance(lower, dict):
            below = self._networks.link(lower.get("network"), lower.get("name"))
            if below is not None and depth < _DEEPEST:
                self._edge(self._link(str(lower.get("network")), below, depth + 1), key)
        if shape == "bridge" and depth < _DEEPEST:
            self._add_ports(network, link, key, depth)
        return key

    def _add_ports(self, network: str, link: dict[str, Any], key: str, depth: int) -> None:
        """What a bridge or bond has of the outside: its ports that lead to no container."""
        for port in rows(self._networks.get(network), "links"):
            if port.get("master") == link.get("name") and port.get("kind") not in ("veth", "tun"):
                self._edge(self._link(network, port, depth + 1), key)
        if network == self._networks.host and any(
            address.get("link") == link.get("name") and address.get("scope") != "link"
            for address in rows(self._networks.get(network), "addresses")
        ) and "host" in self._nodes and not self._is_above(key):
            self._edge("host", key, routed=True)

    def _is_above(self, key: str) -> bool:
        """Whether the host sends through it already, as through a bond."""
        return (key, "host") in self._edges

    def _add(self, box: Box, group: List[Box]) -> None:
        key = "in " + box.name
        lines, containers = self._lines(box, group)
        title = ", ".join(display_name(one) for one in containers) or box.label
        faults = box.faults
        kind = "network" if box.containers else "empty"
        self._node(key, kind, lines, "%s\n%s" % (title, box.name if len(group) == 1 else ""), faults)
        for index, (link, how, place) in enumerate(box.ends):
            other = self._networks.link(*place) if place else None
            if place is None or other is None:
                continue
            concerned = [fault for fault in faults if fault.get("object") == link.get("name")]
            if how == "lower":
                self._edge(self._link(place[0], other), key, fault=worst(concerned))
            elif "in " + place[0] in self._nodes or (place[0] != self._networks.host and not other.get("master")):
                # A pair between two namespaces; the other one draws it when it is there.
                if "in " + place[0] in self._nodes:
                    self._edge("in " + place[0], key, fault=worst(concerned))
            else:
                self._add_veth(key, index, group, other, place[0], worst(concerned))

    def _add_veth(self, key: str, index: int, group: List[Box], other: dict[str, Any], network: str,
                  fault: str | None) -> None:
        if len(group) == 1:
            end = self._link(network, other)
        else:
            ends = [place[1] for box in group for dummy, how, place in box.ends[index:index + 1] if place]
            title = ", ".join(ends)
            end = self._node("%s %d of %s" % (key, index, network), "veth", ["%d veth" % len(ends)], title, [])
        if other.get("master"):
            bridge = self._networks.link(network, other["master"])
            if bridge is not None:
                self._edge(self._link(network, bridge), end)
        elif network == self._networks.host:
            self._edge("host", end, routed=True)
        self._edge(end, key, fault=fault)

    def _lines(self, box: Box, group: List[Box]) -> Tuple[List[str], List[dict[str, Any]]]:
        containers = [one for each in group for one in each.containers]
        if len(group) == 1:
            return [box.label] + (box.addresses or [_no_address(box)])[:4], containers
        stems = {stem(one) for one in containers}
        what = next(iter(stems)) if len(stems) == 1 else "containers" if containers else "network namespaces"
        count = len(containers) if containers and len(stems) > 1 else len(group)
        links = ", ".join(sorted({str(link.get("name")) for link, *dummy in box.ends}))
        return ["%s x %d" % (what, count) if len(stems) == 1 else "%d %s" % (count, what), links], containers

    def _add_lonely(self, lonely: List[Box]) -> None:
        containers = [one for box in lonely for one in box.containers]
        faults = self._faults.of(containers)
        title = "nothing but lo: %s" % ", ".join(map(display_name, containers))
        self._node("lonely", "network", [names(containers), "nothing but lo"], title, faults)


def _kind_of(link: dict[str, Any]) -> str:
    number = (link.get("details") or {}).get("id")
    return "%s%s" % (link.get("kind"), " %s" % number if isinstance(number, int) else "")


def _no_address(box: Box) -> str:
    return "%s without address" % ", ".join(str(link.get("name")) for link, *dummy in box.ends[:2])

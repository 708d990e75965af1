"""The network side on the terminal: containers by the bridge (or the like) and the way out that they have in common.

The words are those of C(ip route) and C(docker ps): C(default via 172.17.0.1 dev eth0), C(8080->80).
"""
from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from .containers import display_name
from .network import addresses_of, cidr, ports
from .table import Column, table
from .text import cut, printable, wrap

_COLUMNS = (
    Column("CONTAINER", "middle", fair=15, least=10), Column("ADDRESS", "middle", fair=18, least=12),
    Column("PORTS", "end", fair=18, least=8), Column("HOST LINK"),
)
_PORTS = 22       # columns at least, before the others give
_PORT_LINES = 4   # of a container
_ADDRESSES = 6    # of a link
_NAMED = 3        # containers in a namespace that they share
_SERVERS = 3
LEGEND = (
    "PORTS: 80 listens on every address, 127.0.0.1:80 there only, tcp unless said; 8080->80 is the host's port 8080,"
    " published as 80; ! where nobody can answer."
)


class _Member(NamedTuple):
    """A network namespace at one of its links."""

    names: List[str]
    network: dict[str, Any]
    link: dict[str, Any]
    first: bool  # whether this is where its ports are told


def network_lines(report: dict[str, Any], containers: Sequence[dict[str, Any]], room: int) -> Tuple[List[str], bool]:
    """The lines for these containers of a host, and whether LEGEND explains something in them."""
    if not containers or "network" not in report:
        return [], False
    dns = _common_dns(containers)
    groups, guests, only_lo, unseen = _sorted(containers, dns is None)
    lines = _host(report, dns, room)
    found, told = _tables(groups, room)
    lines += found
    for what, some in (("only lo", only_lo), ("network not seen", unseen)):
        if some:
            lines += wrap("%s: %s" % (what, ", ".join(map(_printed, some))), room, "  ", "    ")
    if guests:
        named = [" ".join([_printed(one), *ports(one["network"])]) for one in guests]
        lines += wrap("host's network: %s" % ", ".join(named), room, "  ", "    ")
        told = told or any(ports(one["network"]) for one in guests)
    return lines, told


def _printed(one: dict[str, Any]) -> str:
    return cut(printable(display_name(one)), 40, "middle")


def _common_dns(containers: Sequence[dict[str, Any]]) -> str | None:
    """The name servers of all containers, where they are the same and there are several containers."""
    told = {
        _dns(one["network"]) for one in containers
        if one["network"]["seen"] and not one["network"]["host"] and len(one["network"]["links"]) > 1
    }
    return told.pop() if len(told) == 1 and len(containers) > 1 else None


def _dns(network: dict[str, Any]) -> str:
    servers = (network.get("dns") or {}).get("nameservers") or []
    more = " +%d" % (len(servers) - _SERVERS) if len(servers) > _SERVERS else ""
    return " ".join(printable(server) for server in servers[:_SERVERS]) + more


def _host(report: dict[str, Any], dns: str | None, room: int) -> List[str]:
    """The host's own way out, and the name servers that all containers have."""
    network = report["network"]
    if network is None:
        return ["  The host's own network was not seen."]
    found = []
    for way in [way for way in network["default_routes"] if way["table"] == "main"][:2]:
        link = next((link for link in network["links"] if link["name"] == way["link"]), None)
        mine = [cidr(address) for address in addresses_of(network, way["link"]) if address["family"] == way["family"]]
        text = "%s %s: default via %s" % (way["link"], " ".join(mine[:2]), way["gateway"] or "the link itself")
        found.append(text + (", mtu %s" % link["mtu"] if link else ""))
    text = "host: %s" % ("; ".join(map(printable, found)) or "no default route")
    return wrap(text + ("; dns of all containers %s" % dns if dns else ""), room, "  ", "    ")


def _sorted(
    containers: Sequence[dict[str, Any]], with_dns: bool
) -> Tuple[Dict[str, List[_Member]], List[Any], List[Any], List[Any]]:
    """By what they hang on, as a heading; those in the host's network, with lo only, and those not seen."""
    inside: Dict[str, List[dict[str, Any]]] = {}
    guests, only_lo, unseen = [], [], []
    for one in containers:
        network = one["network"]
        if network["host"]:
            guests.append(one)
        elif not network["seen"]:
            unseen.append(one)
        else:
            inside.setdefault(str(network["network"]), []).append(one)
    groups: Dict[str, List[_Member]] = {}
    for some in inside.values():
        network = some[0]["network"]
        links = [link for link in network["links"] if link.get("kind") != "loopback"]
        if not links:
            only_lo += some
            continue
        outward = {way["link"] for way in network["default_routes"] if way["table"] == "main"}
        links.sort(key=lambda link: link["name"] not in outward)
        # First the one that the others joined; whoever is an infrastructure container is named by those it is for.
        some.sort(key=lambda one: (bool(one.get("infra")), one.get("start_time") or 0))
        names = [display_name(one) for one in some]
        for place, link in enumerate(links):
            heading = _heading(network, link, bool(outward), with_dns)
            groups.setdefault(heading, []).append(_Member(names, network, link, not place))
    # Those of one bridge below each other, first the way out that most take.
    most: Dict[str, int] = {}
    for heading, members in groups.items():
        bridge = heading.partition(":")[0]
        most[bridge] = max(most.get(bridge, 0), len(members))
    order = sorted(groups, key=lambda heading: (
        -most[heading.partition(":")[0]], heading.partition(":")[0], -len(groups[heading]), heading))
    return {heading: groups[heading] for heading in order}, guests, only_lo, unseen


def _heading(network: dict[str, Any], link: dict[str, Any], outward: bool, with_dns: bool) -> str:
    """What the link hangs on, the way out, MTU and (C(with_dns)) name servers."""
    attached, own = link.get("attached"), printable(link["name"])
    upon = isinstance((link.get("details") or {}).get("lower"), dict)
    if attached is None:
        what = "%s %s" % (printable(link.get("kind")), own)
    elif upon:
        what = "%s on %s" % (printable(link.get("kind")), printable(attached["to"]))
    elif attached["kind"] == "veth":
        # No bridge: the host routes to it, as Calico does; or it is the other end of a pair.
        what = "veth without a bridge"
    else:
        what = "%s %s" % (printable(attached["kind"]), printable(attached["to"]))
    ways = [way for way in network["default_routes"] if way["link"] == link["name"] and way["table"] == "main"]
    said = []
    if ways:
        said.append("default via %s dev %s" % (" and ".join(
            printable(way["gateway"] or "the link itself") for way in ways[:2]), own))
    elif outward:
        said.append("as %s, not the way out" % own)
    else:
        said.append("no default route")
    mtu = "mtu %s" % printable(link.get("mtu"))
    if attached is not None and attached["mtu"] not in (None, link.get("mtu")):
        mtu += " (%s: %s)" % (printable(attached["to"]), printable(attached["mtu"]))
    said.append(mtu)
    if with_dns and _dns(network) and (ways or not outward):
        said.append("dns " + _dns(network))
    return "%s: %s" % (what, ", ".join(said))


def _tables(groups: Dict[str, List[_Member]], room: int) -> Tuple[List[str], bool]:
    """The groups below their headings, in columns that all have in common; whether a port is among them."""
    told = []
    for heading, members in groups.items():
        for member in members:
            link = member.link
            addresses = [cidr(address) for address in addresses_of(member.network, link.get("name"))] or ["none"]
            if len(addresses) > _ADDRESSES:
                addresses[_ADDRESSES - 1:] = ["+%d more" % (len(addresses) - _ADDRESSES + 1)]
            told.append((heading, member, addresses, ports(member.network) if member.first else [], _host_link(link)))
    if not told:
        return [], False
    taken = 10 + sum(max(len(title), *map(len, texts)) for title, texts in (
        ("CONTAINER", [text for one in told for text in _named(one[1])]),
        ("ADDRESS", [text for one in told for text in one[2]]), ("HOST LINK", [one[4] for one in told]),
    ))
    space = max(_PORTS, min(max(len(" ".join(one[3])) for one in told), room - taken))
    cells, headings = [], []
    for heading, member, addresses, listed, host_link in told:
        columns = [_named(member), addresses, _folded(listed, space), [host_link]]
        for at in range(max(map(len, columns))):
            cells.append([column[at] if at < len(column) else "" for column in columns])
            headings.append(heading)
    used = [index for index in range(4) if index < 2 or any(row[index] for row in cells)]
    columns_used, cells = [_COLUMNS[index] for index in used], [[row[index] for index in used] for row in cells]
    rows, left_out = table(columns_used, cells, room, "    ")
    lines, last = rows[:1], ""
    for heading, line in zip(headings, rows[1:]):
        if heading != last:
            lines += wrap(heading, room, "  ", "    ")
        if line.strip():  # not one that had only ports, for which there is no room
            lines.append(line)
        last = heading
    if left_out:
        lines += wrap("No room for: %s." % ", ".join(left_out), room, "    ", "    ")
    return lines, any(one[3] for one in told)


def _named(member: _Member) -> List[str]:
    """The containers of a namespace, each in a line; they were said before where this is another of its links."""
    names = member.names
    if not member.first or len(names) == 1:
        return names[:1]
    others = ["+ " + name for name in names[1:1 + _NAMED]]
    if len(names) > 1 + _NAMED:
        others[-1] = "+ %d more" % (len(names) - _NAMED)
    return [names[0], *others]


def _host_link(link: dict[str, Any]) -> str:
    """The other end of a veth, with what is wrong about either end."""
    peer = link.get("peer")
    text = str(peer.get("name") or "?") if isinstance(peer, dict) else ""
    if "UP" not in (link.get("flags") or ["UP"]):
        return (text + " down").strip()
    return text if link.get("state") in ("up", "unknown", None) else ("%s %s" % (text, link.get("state"))).strip()


def _folded(words: Sequence[str], columns: int) -> List[str]:
    """Words in lines of so many columns; those that do not fit into some lines are counted."""
    lines: List[List[str]] = []
    for index, word in enumerate(words):
        if lines and len(" ".join([*lines[-1], word])) <= columns:
            lines[-1].append(word)
        elif len(lines) < _PORT_LINES:
            lines.append([word])
        else:
            left = len(words) - index
            while len(lines[-1]) > 1 and len(" ".join([*lines[-1], "+%d" % left])) > columns:
                lines[-1].pop()
                left += 1
            lines[-1].append("+%d" % left)
            break
    return [" ".join(line) for line in lines]

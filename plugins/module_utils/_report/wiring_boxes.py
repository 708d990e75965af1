"""The network namespaces of a drawing, and which of them are alike enough to be one box."""
from __future__ import annotations

import re
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from .containers import display_name
from .network import Networks, addresses_of, cidr, rows
from .text import printable

_GROUPED_FROM = 12  # network namespaces; fewer are drawn one by one
_MOST = 200         # network namespaces and groups of them
_ALIKE = 3          # so many make a group
_NAMED = 3          # containers named in a box
Place = Tuple[str, str]  # network namespace, link


class Box(NamedTuple):
    """A network namespace that is to be drawn: C(ends) are its links with what each hangs on."""

    name: str
    containers: List[dict[str, Any]]
    label: str
    ends: List[Tuple[dict[str, Any], str, Place | None]]  # link, "veth"|"lower"|"", the other end
    addresses: List[str]
    faults: List[dict[str, Any]]
    leftover: bool = False


def box_of(networks: Networks, name: str, inside: List[dict[str, Any]], label: str,
           faults: List[dict[str, Any]]) -> Box:
    """The box of a network namespace with these containers; C(label) stands in it."""
    network = networks.get(name) or {}
    ends, addresses = [], []
    for link in rows(network, "links"):
        if link.get("kind") == "loopback":
            continue
        ends.append((link, *_other_end(link)))
        for address in addresses_of(network, link.get("name")):
            addresses.append("%s %s" % (link.get("name"), cidr(address)))
    return Box(name, inside, label, ends, addresses, faults)


def merged(networks: Networks, boxes: List[Box]) -> Tuple[List[List[Box]], int]:
    """Groups of boxes, each to be drawn as its first one; and how many boxes found no room."""
    order: Dict[Tuple[Any, ...], int] = {}
    for box in boxes:
        order.setdefault(_hangs_on(networks, box)[:1], len(order))
    boxes = sorted(boxes, key=lambda box: order[_hangs_on(networks, box)[:1]])
    groups = [[box] for box in boxes]
    for by_name in (True, False):
        if len(groups) <= (_GROUPED_FROM if by_name else _MOST):
            break
        groups = _grouped(networks, boxes, by_name)
    return groups[:_MOST], sum(len(group) for group in groups[_MOST:])


def _grouped(networks: Networks, boxes: List[Box], by_name: bool) -> List[List[Box]]:
    groups: Dict[Any, List[Box]] = {}
    for box in boxes:
        checks = tuple(sorted({str(fault.get("check")) for fault in box.faults}))
        called = tuple(sorted(map(stem, box.containers))) or (box.label,) if by_name else ()
        key = (bool(box.containers), _hangs_on(networks, box), _states(box), checks, called)
        groups.setdefault(key, []).append(box)
    found: List[List[Box]] = []
    for group in groups.values():
        found += [group] if len(group) >= _ALIKE else [[box] for box in group]
    return found


def _hangs_on(networks: Networks, box: Box) -> Tuple[Any, ...]:
    found: List[Any] = []
    for dummy, how, place in box.ends:
        other = networks.link(*place) if place else None
        if how == "veth" and place and other and other.get("master"):
            found.append((place[0], other["master"]))
        else:
            # Wires to the host's routes alike; of a pair of their own, or what they lie upon, each is another.
            found.append((place[0] if place else None, place[1] if place and how == "lower" else how))
    return tuple(found)


def _states(box: Box) -> Tuple[Any, ...]:
    keys = ("kind", "name", "state", "mtu")
    return tuple(tuple(str(link.get(key)) for key in keys) for link, *dummy in box.ends)


def _other_end(link: dict[str, Any]) -> Tuple[str, Place | None]:
    peer = link.get("peer")
    if isinstance(peer, dict):
        known = peer.get("network") and peer.get("name")
        return "veth", (str(peer["network"]), str(peer["name"])) if known else None
    lower = (link.get("details") or {}).get("lower")
    if isinstance(lower, dict) and lower.get("network") and lower.get("name"):
        return "lower", (str(lower["network"]), str(lower["name"]))
    return "", None


def names(containers: Sequence[dict[str, Any]]) -> str:
    """The first of them, and how many more there are."""
    named = [display_name(one) for one in containers[:_NAMED]]
    return ", ".join(named) + (" +%d" % (len(containers) - _NAMED) if len(containers) > _NAMED else "")


def stem(one: dict[str, Any]) -> str:
    """A name without what counts copies: web-3, web-0004, web-5d9c7b6f4."""
    pod = (one.get("pod") or {}).get("name")
    name = "%s/%s" % (pod, one.get("name")) if pod else str(one.get("name"))
    return re.sub(r"(?<=[^0-9])[-_.]?(?:[0-9]+|[0-9a-f]{8,})$", "", printable(name)) or printable(name)


def label_of(entry: dict[str, Any]) -> str:
    """What a namespace without a container is known by."""
    paths = sorted(str(pin.get("path")) for pin in entry.get("pins") or () if pin.get("kind") == "mount")
    if paths:
        return paths[0].rsplit("/", 1)[-1]
    leader = entry.get("leader") or {}
    return "%s (pid %s)" % (leader.get("comm"), leader.get("pid")) if leader else str(entry.get("name"))

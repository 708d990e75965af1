"""What each link leads to: veth peers and lower links across network namespaces, and the ports of bridges.

The kernel tells the index of the other link, and the number (nsid) by which *this* namespace knows the other's. Which
one that is has to be asked for one by one; the ends of a veth name each other, so that hardly any is left to ask.
"""
from __future__ import annotations

from typing import Callable, Dict, List, NamedTuple, Optional

from .._model.network import Link, Network

# The nsid by which a network (its name) knows another; raises OSError.
Ask = Callable[[str, str], Optional[int]]

# Links of these kinds have another end that is their equal; those of all others lie upon theirs.
_PAIRS = ("veth", "vxcan", "netkit")
_MASTERS = ("bridge", "bond", "team", "vrf", "openvswitch")
_MOST_ASKED = 64  # candidates for one link


class _End(NamedTuple):
    """A link that names C(other), an index in the network that its own knows as C(nsid) (None: its own)."""

    network: str
    link: Link
    other: int
    nsid: int | None


def connect(networks: dict[str, Network], own: str, nsids: dict[int, str], ask: Ask,
            container_of: Callable[[str], str | None]) -> int:
    """Replace C(lower_index) and C(lower_nsid) in the details of all links by the names of what is there.

    C(nsids) has the networks that the network C(own) knows, by their numbers. A pair's other end becomes C(peer), what
    a link lies upon the detail C(lower); their network is None where it is not among C(networks). Bridges and the
    like get the detail C(ports). For how many links there were too many candidates is returned.
    """
    search = _Search(networks, own, nsids, ask)
    ends = [end for name, network in networks.items() for link in network["links"] for end in _ends(name, link)]
    # Our own first: its numbers are known, and most pairs have an end there.
    ends.sort(key=lambda end: end.network != own)
    search.note(ends)
    for end in ends:
        place = search.place(end)
        peer = None if place is None else search.link(place, end.other)
        found = {"network": place, "name": None if peer is None else peer["name"],
                 "container": None if place is None else container_of(place)}
        if end.link["kind"] in _PAIRS:
            end.link["peer"] = {"network": place, "name": found["name"], "container": found["container"]}
        else:
            end.link["details"]["lower"] = found
    for network in networks.values():
        _add_ports(network["links"])
    return search.cut


def _ends(network: str, link: Link) -> list[_End]:
    index, nsid = link["details"].pop("lower_index", None), link["details"].pop("lower_nsid", None)
    return [] if index is None else [_End(network, link, index, nsid)]


def _add_ports(links: list[Link]) -> None:
    ports: Dict[str, List[str]] = {}
    for link in links:
        if link["master"] is not None:
            ports.setdefault(link["master"], []).append(link["name"])
    for link in links:
        if link["kind"] in _MASTERS or link["name"] in ports:
            link["details"]["ports"] = sorted(ports.get(link["name"], ()))


class _Search:
    """Finds the network that an end's other end is in."""

    def __init__(self, networks: dict[str, Network], own: str, nsids: dict[int, str], ask: Ask) -> None:
        self._links = {
            name: {link["index"]: link for link in network["links"]} for name, network in networks.items()
        }
        self._ask = ask
        self.cut = 0
        # By network and nsid, and what each network answered so far about another.
        self._known: dict[tuple[str, int], str] = {(own, nsid): name for nsid, name in nsids.items()}
        self._asked: dict[tuple[str, str], int | None] = {}
        # By the index of the other end: who says so.
        self._pairs: dict[tuple[int, int], list[_End]] = {}

    def link(self, network: str, index: int) -> Link | None:
        return self._links.get(network, {}).get(index)

    def note(self, ends: list[_End]) -> None:
        """Learn who names whom, and from the ends whose network is known the numbers that others must have for it."""
        for end in ends:
            if end.link["kind"] in _PAIRS:
                self._pairs.setdefault((end.link["index"], end.other), []).append(end)
        for end in ends:
            place = self._known.get((end.network, end.nsid)) if end.nsid is not None else None
            if place is None:
                continue
            for other in self._pairs.get((end.other, end.link["index"]), ()):
                if other.network == place and other.nsid is not None:
                    self._known[(place, other.nsid)] = end.network

    def place(self, end: _End) -> str | None:
        """The name of the network of an end's other end; None when it was not seen."""
        if end.nsid is None:
            return end.network
        known = self._known.get((end.network, end.nsid))
        if known is not None:
            return known
        candidates = self._candidates(end)
        for name in candidates[:_MOST_ASKED]:
            if self._nsid(end.network, name) == end.nsid:
                self._known[(end.network, end.nsid)] = name
                return name
        self.cut += len(candidates) > _MOST_ASKED
        return None

    def _candidates(self, end: _End) -> list[str]:
        if end.link["kind"] in _PAIRS:
            others = self._pairs.get((end.other, end.link["index"]), ())
            return [other.network for other in others if other.network != end.network]
        return [name for name, links in self._links.items() if end.other in links and name != end.network]

    def _nsid(self, network: str, other: str) -> int | None:
        key = (network, other)
        if key not in self._asked:
            try:
                self._asked[key] = self._ask(network, other)
            except OSError:
                self._asked[key] = None
        return self._asked[key]

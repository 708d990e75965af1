"""Which links of a host hear each other's broadcasts: bridges and their ports, veth pairs, macvlans and their lower.

A segment is C(open) where something leads out of what was seen (a physical link, a tunnel, a tap, an end that is not
known): who else is there cannot be told then.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Dict, Iterator, List, Optional, Tuple

from .rows import PAIRS, Link

if TYPE_CHECKING:
    from .network import Network
    from .topology import Index

Key = Tuple[str, str]  # network, link
_UPON = ("macvlan", "macvtap", "ipvlan", "ipvtap")
# Links whose master only gives them another routing table.
_ROUTED = ("vrf",)


class Member:
    """A link in its network."""

    __slots__ = ("link", "network")

    def __init__(self, network: Network, link: Link) -> None:
        self.network = network
        self.link = link

    @property
    def endpoint(self) -> bool:
        """Whether packets end here, rather than pass through."""
        master = self.network.by_name.get(self.link.master) if self.link.master else None
        return self.link.master is None or (master is not None and master.kind in _ROUTED)

    def __str__(self) -> str:
        return "%s of %s" % (self.link.name, self.network.place)


class Segment:
    """Links that hear each other."""

    __slots__ = ("blind", "bridges", "members", "open")

    def __init__(self) -> None:
        self.members: List[Member] = []
        self.open = False
        self.blind: Optional[str] = None
        self.bridges: List[str] = []


class Segments:
    """All segments of an index."""

    def __init__(self, index: Index) -> None:
        self._parents: Dict[Key, Key] = {}
        self._open: List[Key] = []
        self._blind: Dict[Key, str] = {}
        members: Dict[Key, Member] = {}
        for network in index.networks.values():
            for link in network.links or []:
                if link.name is not None and not link.loopback:
                    members[(network.name or "", link.name)] = Member(network, link)
        for key, member in members.items():
            self._join(index, key, member)
        self._by_root: Dict[Key, Segment] = {}
        for key, member in members.items():
            segment = self._by_root.setdefault(self._root(key), Segment())
            segment.members.append(member)
            if member.link.kind == "bridge":
                segment.bridges.append(member.link.name or "")
        for key in self._open:
            self._of(key).open = True
        for key, text in self._blind.items():
            self._of(key).blind = text

    def __iter__(self) -> Iterator[Segment]:
        return iter(self._by_root.values())

    def of(self, network: Network, link: str | None) -> Optional[Segment]:
        """The segment of a link."""
        return self._by_root.get(self._root((network.name or "", link or "")))

    def _of(self, key: Key) -> Segment:
        return self._by_root.setdefault(self._root(key), Segment())

    def _join(self, index: Index, key: Key, member: Member) -> None:
        network, link = member.network, member.link
        if link.master is not None:
            master = network.by_name.get(link.master)
            if master is not None and master.kind == "bridge" and not master.details.get("vlan_filtering"):
                self._unite(key, (key[0], link.master))
            else:
                self._open.append(key)
        if link.kind in PAIRS:
            far = index.far(link)
            if far is None:
                self._blind[key] = "the other end of %s is not known" % member
            else:
                self._unite(key, (far.network.name or "", far.link.name or ""))
        elif link.kind in _UPON:
            lower = index.end(link.lower)
            if lower is None:
                self._open.append(key)
            else:
                self._unite(key, (lower.network.name or "", lower.link.name or ""))
        elif link.kind == "bridge":
            if link.details.get("vlan_filtering"):
                self._open.append(key)
        elif link.kind != "dummy":
            self._open.append(key)

    def _root(self, key: Key) -> Key:
        parents = self._parents
        while True:
            parent = parents.get(key, key)
            if parent == key:
                return key
            parents[key] = parents.get(parent, parent)
            key = parent

    def _unite(self, one: Key, other: Key) -> None:
        first, second = self._root(one), self._root(other)
        if first != second:
            self._parents[second] = first

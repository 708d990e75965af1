"""Addresses that somebody else has as well."""
from __future__ import annotations

from typing import Dict, Iterator, List, Tuple

from .finding import CRITICAL, MEDIUM, Check, Verdict, fail, not_applicable, unknown
from .network import Network, joined, listed
from .rows import BITS, Address, Ip
from .segments import Member
from .topology import Index

_Owner = Tuple[Member, Address]


def duplicate(index: Index, network: Network) -> Iterator[Verdict]:
    by_link: Dict[Tuple[str, str], List[Address]] = {}
    for one in index.networks.values():
        for address in one.addresses or []:
            # One that failed the test of RFC 4862 is not in use: another check tells of it.
            if address.ip and address.own and address.link and "dadfailed" not in address.flags:
                by_link.setdefault((one.name or "", address.link), []).append(address)
    for segment in index.segments:
        owners: Dict[Ip, List[_Owner]] = {}
        for member in segment.members:
            if member.link.up and member.endpoint:
                for address in by_link.get((member.network.name or "", member.link.name or ""), ()):
                    if address.ip:
                        owners.setdefault(address.ip, []).append((member, address))
        for several in owners.values():
            # Virtual addresses (of Swarm's services, of load balancers) have a prefix of full length.
            if any(address.ip and address.prefix != BITS[address.ip[0]] for dummy, address in several):
                yield from _twice(several, " on %s" % listed(segment.bridges) if segment.bridges else "")
    yield from _routed(index)
    unread = [one for one in index.networks.values() if one.cut("links", "addresses")]
    if unread:
        yield unknown("", "the addresses of %s were not all read" % listed(sorted(one.place for one in unread)))


def _twice(owners: List[_Owner], where: str) -> Iterator[Verdict]:
    networks = list({id(member.network): member.network for member, dummy in owners}.values())
    if len(networks) > 1:
        first = min(networks, key=lambda one: (one.stable is None, one.stable or ""))
        yield fail(owners[0][1].text, "%s have the same address %s%s" % (
            listed(sorted(str(member) for member, dummy in owners)), owners[0][1].text, where),
            where=first, also=tuple(networks))


def _routed(index: Index) -> Iterator[Verdict]:
    """Containers that each hang on a link of their own: the one route to the address leads to one of them."""
    owners: Dict[Tuple[int, Ip], List[_Owner]] = {}
    for network in index.lived_in():
        for link in joined(network):
            far = index.far(link) if link.kind == "veth" and link.up else None
            if far is None or not far.link.free or not far.network.host:
                continue
            for address in network.of_link(link.name):
                if address.ip and address.own:
                    owners.setdefault((id(far.network), address.ip), []).append((Member(network, link), address))
    for several in owners.values():
        yield from _twice(several, " behind the host's routes")


def dad_failed(index: Index, network: Network) -> Iterator[Verdict]:
    if not any(address.ip and address.ip[0] == "inet6" for address in network.addresses or []):
        yield not_applicable("%s has no IPv6 address" % network.title)
    for address in network.addresses or []:
        if "dadfailed" in address.flags:
            segment = index.segments.of(network, address.link)
            others = [str(member) for member in segment.members
                      if member.network is not network and address.ip and member.network.owns(address.ip)
                      ] if segment else []
            has = ": %s has it" % listed(others) if others else ": somebody else has it"
            yield fail(str(address), "%s of %s on %s is not in use, duplicate address detection failed%s" % (
                address, network.title, address.link, has))


CHECKS = [
    Check("ADR-002", "Address is used twice", CRITICAL, "once", (), duplicate,
          "Take the address from one of the two: remove what leaked, or start that container again with another one."),
    Check("ADR-004", "Duplicate address detection failed", MEDIUM, "all", ("addresses",), dad_failed,
          "Find who else has the address in that segment, give one of the two another, then add it again."),
]

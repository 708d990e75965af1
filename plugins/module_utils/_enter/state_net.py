"""The state of a network namespace: its subjects, links first as the others name them.

How a row is put into words is imported where there is a difference to be told, and only there: most commands look.
"""
from __future__ import annotations

from typing import Any, Iterable, Iterator, List

from .._kernel import rtnetlink_state as kernel
from . import state_ipset, state_nft, state_sysctls, state_xfrm
from .state_look import ENTRIES, Look, Subject, Unread

_PROGRAMS = {"ip": "iptables", "ip6": "ip6tables", "arp": "arptables"}
_CLSACT = 0xFFFF0000
_MOST_CLASSES = 1000
# Links whose configuration is told over generic netlink, which is not read here.
_CONFIGURED_ELSEWHERE = ("wireguard", "openvswitch", "batadv", "ovpn")

Rows = List[Any]
Lines = Iterable[str]


def _links(look: Look) -> Rows:
    rows = look.dump(kernel.RTM_GETLINK, kernel.LINKS)
    for body in rows:
        index, name, mac = kernel.link_names(body)
        look.names[index], look.macs[index] = name, mac
        for kind in _CONFIGURED_ELSEWHERE:
            if b"\0%s\0" % kind.encode() in body:
                look.unproven.append("%s %s: what it is configured for is not read" % (kind, name))
    return rows


def _link_words(row: Any, look: Look) -> Lines:
    from .link_words import words

    return words(row, look)


def _addresses(look: Look) -> Rows:
    return look.dump(kernel.RTM_GETADDR, kernel.ADDRESSES, (kernel.AF_INET, kernel.AF_INET6))


def _address_words(row: Any, look: Look) -> Lines:
    from .route_words import address_words

    return address_words(row, look)


def _routes(look: Look) -> Rows:
    return [body for family in (kernel.AF_INET, kernel.AF_INET6, kernel.AF_MPLS)
            for body in look.dump(kernel.RTM_GETROUTE, kernel.routes(family), (family,))]


def _route_words(row: Any, look: Look) -> Lines:
    from .route_words import route_words

    return route_words(row, look)


def _rules(look: Look) -> Rows:
    return [body for family in (kernel.AF_INET, kernel.AF_INET6)
            for body in look.dump(kernel.RTM_GETRULE, kernel.rules(family), (family,))]


def _rule_words(row: Any, look: Look) -> Lines:
    from .route_words import rule_words

    return rule_words(row, look)


def _neighbours(look: Look) -> Rows:
    """Static ones of IPv4 and IPv6, what is answered for others, and static forwarding entries."""
    found = [body for body in look.dump(kernel.RTM_GETNEIGH, kernel.neighbours(), (kernel.AF_INET, kernel.AF_INET6))
             if kernel.neighbour_is_set(body, look.macs)]
    found += look.dump(kernel.RTM_GETNEIGH, kernel.neighbours(0, kernel.NTF_PROXY))
    found += [body for body in look.dump(
        kernel.RTM_GETNEIGH, kernel.neighbours(kernel.AF_BRIDGE), (kernel.AF_BRIDGE,))
        if kernel.forwarding_is_set(body)]
    return found


def _neighbour_words(row: Any, look: Look) -> Lines:
    from .route_words import neighbour_words

    return neighbour_words(row, look)


def _nexthops(look: Look) -> Rows:
    return look.dump(kernel.RTM_GETNEXTHOP, kernel.NEXTHOPS)  # Linux 5.3


def _nexthop_words(row: Any, look: Look) -> Lines:
    from .route_words import nexthop_words

    return nexthop_words(row, look)


def _labels(look: Look) -> Rows:
    return look.dump(kernel.RTM_GETADDRLABEL, kernel.ADDRESS_LABELS, (kernel.AF_INET6,))


def _label_words(row: Any, look: Look) -> Lines:
    from .route_words import label_words

    return label_words(row, look)


def _queueing(look: Look) -> Rows:
    """Queueing disciplines of all links; classes and filters of those that somebody has set."""
    found: Rows = []
    for body in look.dump(kernel.RTM_GETQDISC, kernel.queueing()):
        found.append(("qdisc", body))
        index, handle = kernel.TCMSG.unpack_from(body)[1:3]
        # Those of the kernel's own making have no handle.
        if not handle:
            continue
        parents = [handle]
        if handle == _CLSACT:
            parents += [_CLSACT | 0xFFF2, _CLSACT | 0xFFF3]
        for of_class in look.dump(kernel.RTM_GETTCLASS, kernel.queueing(index)):
            which = kernel.TCMSG.unpack_from(of_class)[2]
            if which >> 16 == handle >> 16:
                found.append(("class", of_class))
                parents.append(which)
        if len(parents) > _MOST_CLASSES:
            raise Unread("more than %d classes" % _MOST_CLASSES)
        for parent in parents:
            found += [("filter", one) for one in look.dump(kernel.RTM_GETTFILTER, kernel.queueing(index, parent))]
        if len(found) > look.room:
            raise Unread("more than %d entries" % ENTRIES)
    return found


def _queueing_words(row: Any, look: Look) -> Lines:
    from .tc_words import words

    return words(row, look)


def _vlans(look: Look) -> Rows:
    if not any(b"bridge\0" in body for body in look.rows.get("links", ())):
        return []
    return [kernel.vlans_of(body) for body in look.dump(kernel.RTM_GETLINK, kernel.VLANS, (kernel.AF_BRIDGE,))]


def _vlan_words(row: Any, look: Look) -> Lines:
    from .tc_words import vlan_words

    return vlan_words(row, look)


def _nft_words(row: Any, look: Look) -> Lines:
    from .ruleset_words import words

    return words(row, look)


def _iptables(look: Look) -> Rows:
    """Lines already. Only tables that there are: asking makes the others."""
    found: Rows = []
    for family, program in _PROGRAMS.items():
        for name in sorted(look.text("thread-self/net/%s_tables_names" % family).decode("ascii", "replace").split()):
            from .._kernel.xt_sockopt import table
            from .xtables_words import lines

            for line in lines(family, table(family, name)):
                found.append("%s %s %s" % (program, name, line))
                if len(found) > look.room:
                    raise Unread("more than %d entries" % ENTRIES)
    return found


def _as_they_are(row: str, dummy: Look) -> Lines:
    return (row,)


def _ipvs(look: Look) -> Rows:
    """Services and servers (/proc/net/ip_vs), without how many connections each has."""
    found, service = [], ""
    for line in look.text("thread-self/net/ip_vs").decode("ascii", "replace").split("\n")[3:]:
        fields = line.split()
        if fields[:1] == ["->"]:
            found.append("ipvs %s server %s" % (service, " ".join(fields[1:4])))
        elif fields:
            service = " ".join(fields)
            found.append("ipvs %s" % service)
    return found


def _xfrm(look: Look) -> Rows:
    modules = look.modules
    if not modules.ready("xfrm_user"):
        # Asking would load it; and where it is not, nobody has made any.
        if modules.absent("xfrm_user"):
            return []
        raise Unread("nobody can tell whether xfrm_user is loaded")
    return state_xfrm.read(look)


def _neighbour_sysctls(look: Look) -> Rows:
    rows: Iterator[Any] = map(kernel.parameters_of, look.dump(kernel.RTM_GETNEIGHTBL, kernel.NEIGHBOUR_TABLES))
    return [row for row in rows if row is not None]


def _neighbour_sysctl_words(row: Any, look: Look) -> Lines:
    from .link_words import neighbour_parameter_words

    return neighbour_parameter_words(row, look)


SUBJECTS = (
    Subject("links", _links, _link_words),
    Subject("addresses", _addresses, _address_words),
    Subject("routes", _routes, _route_words),
    Subject("rules", _rules, _rule_words),
    Subject("neighbours", _neighbours, _neighbour_words),
    Subject("next hops", _nexthops, _nexthop_words),
    Subject("address labels", _labels, _label_words),
    Subject("queueing", _queueing, _queueing_words),
    Subject("bridge vlans", _vlans, _vlan_words),
    Subject("nftables", state_nft.read, _nft_words, True),
    Subject("iptables", _iptables, _as_they_are, True),
    Subject("ipvs", _ipvs, _as_they_are),
    Subject("ipsets", state_ipset.read, state_ipset.words),
    Subject("xfrm", _xfrm, state_xfrm.words),
    Subject("sysctls", state_sysctls.read, state_sysctls.words),
    Subject("neighbour sysctls", _neighbour_sysctls, _neighbour_sysctl_words),
)

"""Tables of the kernel that are nearly full."""
from __future__ import annotations

from typing import Any, Iterator, Optional, Tuple

from .finding import HIGH, MEDIUM, Check, Verdict, fail, not_applicable, unknown
from .network import Network, listed
from .rows import number, table
from .topology import Index

_NEARLY, _ALMOST = 80, 95  # percent


def conntrack(index: Index, network: Network) -> Iterator[Verdict]:
    count, most = _counts(network)
    if network.firewall is not None and network.firewall.get("conntrack", "") is None and count is None:
        yield not_applicable("%s tracks no connections" % network.title)
        return
    if most is None:
        # The same for all namespaces; only the initial one may set it.
        most = _counts(index.host)[1]
    if count is None or most is None:
        yield unknown("", network.missing("firewall") or "the tracked connections of %s were not told" % network.title)
    elif most <= 0:
        yield not_applicable("connections of %s are tracked without a limit" % network.title)
    elif count * 100 >= most * _NEARLY:
        yield fail("", "%s tracks %d connections of at most %d (%d %%)" % (
            network.title, count, most, count * 100 // most), HIGH if count * 100 >= most * _ALMOST else MEDIUM)


def _counts(network: Network) -> Tuple[Optional[int], Optional[int]]:
    found = table((network.firewall or {}).get("conntrack"))
    sysctls = network.sysctls or {}
    return (_first(found.get("count"), sysctls.get("net.netfilter.nf_conntrack_count")),
            _first(found.get("max"), sysctls.get("net.netfilter.nf_conntrack_max")))


def _first(*values: Any) -> Optional[int]:
    return next((found for found in map(number, values) if found is not None), None)


def neighbours(index: Index, host: Network) -> Iterator[Verdict]:
    """The tables are the kernel's, one a family; permanent and learned entries do not count (neigh_alloc)."""
    unread = [one.place for one in index.networks.values() if one.cut("neighbours")]
    for family, called in (("inet", "IPv4"), ("inet6", "IPv6")):
        key = "net.%s.neigh.default.gc_thresh3" % called.lower()
        most = number((host.sysctls or {}).get(key))
        counts = sorted((-sum(
            1 for one in network.neighbours or []
            if one.family == family and one.state != "permanent" and not one.flags & {"extern_learn", "proxy"}
        ), network.place) for network in index.networks.values())
        total = -sum(count for count, dummy in counts)
        if most is None or most <= 0:
            yield unknown(called, "%s of %s was not read" % (key, host.title))
        elif total * 100 >= most * _NEARLY:
            worst = listed(["%s (%d)" % (place, -count) for count, place in counts[:3] if count])
            yield fail(called, "all network namespaces together have %d %s neighbours of at most %d (%s), most of them "
                       "in %s" % (total, called, most, key, worst))
        elif unread:
            yield unknown(called, "the neighbours of %s were not all read" % listed(sorted(unread)))


CHECKS = [
    Check("CT-001", "Connection tracking table is nearly full", MEDIUM, "all", (), conntrack,
          "Raise net.netfilter.nf_conntrack_max on the host, shorten the timeouts, or find who opens so many."),
    Check("NB-001", "Neighbour table is nearly full", HIGH, "once", (), neighbours,
          "Raise gc_thresh1, gc_thresh2 and gc_thresh3 under net.ipv4.neigh.default and net.ipv6.neigh.default "
          "on the host."),
]

"""Whether a network that containers leave by passes packets on."""
from __future__ import annotations

from typing import Dict, Iterator, List, Optional

from .finding import HIGH, Check, Verdict, fail, not_applicable, unknown
from .network import Network, listed
from .rows import number
from .topology import Index

_KEYS = {"inet": "net.ipv4.ip_forward", "inet6": "net.ipv6.conf.all.forwarding"}


def forwarding_off(index: Index, network: Network) -> Iterator[Verdict]:
    unread = [one.place for one in (network, *index.lived_in()) if one.cut("links", "routes")] if network.host else []
    sending = False
    for family, key in _KEYS.items():
        # Senders by the key that says whether what they send is passed on.
        senders: Dict[str, List[Network]] = {}
        for place, sender, link in index.senders(family):
            if place is network:
                senders.setdefault(_key(network, family, link), []).append(sender)
        sending = sending or bool(senders)
        if unread and not senders and not _value(network, key):
            yield unknown(key, "who sends through the host was not read of %s" % listed(sorted(unread)))
        for decides, several in senders.items():
            value = _value(network, decides)
            if value is None:
                why = network.missing("sysctls") or "%s of %s was not told" % (decides, network.title)
                yield unknown(decides, why)
            elif value == 0:
                yield fail(decides, "%s of %s is 0, though the default route of %s leads through it" % (
                    decides, network.title, listed(sorted(one.place for one in several))), also=tuple(several))
    if not sending and not unread:
        yield not_applicable("no container has its default route through %s" % network.title)


def _key(network: Network, family: str, link: str) -> str:
    """IPv4 asks the link that a packet came by, which ip_forward sets too; IPv6 asks for all (ip6_forward)."""
    every, name = _KEYS[family], link.replace(".", "/")
    if family == "inet6":
        forced = "net.ipv6.conf.%s.force_forwarding" % name
        return forced if _value(network, forced) == 1 else every
    own = "net.ipv4.conf.%s.forwarding" % name
    value = _value(network, own)
    return every if value is None or bool(value) == bool(_value(network, every)) else own


def _value(network: Network, key: str) -> Optional[int]:
    return number((network.sysctls or {}).get(key))


CHECKS = [
    Check("SYS-001", "Forwarding is off", HIGH, "all", (), forwarding_off,
          "Turn it on (sysctl -w KEY=1) and keep it in /etc/sysctl.d; look for what turned it off."),
]

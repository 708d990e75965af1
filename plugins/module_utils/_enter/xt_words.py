"""Matches and targets of xtables in iptables' words, for the legacy tables and for what iptables-nft keeps of them.

What there are no words for is its name and a digest of its bytes, so that any difference shows.
"""
from __future__ import annotations

import socket
from typing import Optional, Tuple

from .._kernel import xtables
from .._network.nft_fields import ADDRESS_TYPES, STATES, bits
from .state_look import digest

Extension = Tuple[str, int, bytes]  # name, revision, data
_STANDARD = {-1: "DROP", -2: "ACCEPT", -4: "QUEUE", -5: "RETURN"}
_REJECTS = {
    2: ("icmp-net-unreachable", "icmp-host-unreachable", "icmp-proto-unreachable", "icmp-port-unreachable",
        "icmp-echo-reply", "icmp-net-prohibited", "icmp-host-prohibited", "tcp-reset", "icmp-admin-prohibited"),
    10: ("icmp6-no-route", "icmp6-adm-prohibited", "icmp6-not-neighbour", "icmp6-addr-unreachable",
         "icmp6-port-unreachable", "icmp6-echo-reply", "tcp-reset"),
}


def match(extension: Extension) -> str:
    """One match, as C(-m tcp --dport 80)."""
    name, revision, data = extension
    found = _match(name, revision, data)
    return "-m %s%s" % (name, " #%s" % digest(b"%d" % revision, data) if found is None else found)


def _match(name: str, revision: int, data: bytes) -> Optional[str]:
    """What follows the name; None where not all of it has words."""
    if name in ("tcp", "udp", "sctp"):
        ports = xtables.transport(name, data)
        if ports is None or not ports.exact or name == "sctp":
            return None
        said = "".join(" %s%s %s" % ("! " if found[2] else "", option, _span(found[0], found[1]))
                       for option, found in (("--sport", ports.source), ("--dport", ports.destination)) if found)
        if ports.flags:
            said += " %s--tcp-flags 0x%x/0x%x" % ("! " if ports.flags[2] else "", ports.flags[0], ports.flags[1])
        return said
    if name == "multiport":
        several = xtables.multiport(revision, data)
        if several is None:
            return None
        return " %s--%s %s" % ("! " if several[2] else "", ("sports", "dports", "ports")[min(several[0], 2)],
                               ",".join(_span(*span) for span in several[1]))
    if name == "addrtype":
        types = xtables.addrtype(revision, data)
        # Limits to an interface (4, 8) have no words here.
        if types is None or (revision and data[4] & 12):
            return None
        return "".join(" %s%s %s" % ("! " if inverted else "", option, ",".join(bits(mask, ADDRESS_TYPES)).upper())
                       for option, (mask, inverted) in zip(("--src-type", "--dst-type"), types) if mask)
    if name == "conntrack":
        tracked = xtables.conntrack(revision, data)
        if tracked is None or not tracked[4] or tracked[2]:
            return None
        return " %s--ctstate %s" % ("! " if tracked[1] else "", ",".join(bits(tracked[0], STATES)).upper())
    if name == "state" and len(data) >= 4:
        return " --state %s" % ",".join(bits(int.from_bytes(data[:4], "little"), STATES)).upper()
    if name == "comment":
        return ' --comment "%s"' % data.partition(b"\0")[0].decode("utf-8", "replace")
    if name == "mark":
        marked = xtables.mark(revision, data)
        return None if marked is None else " %s--mark 0x%x/0x%x" % ("! " if marked[2] else "", marked[0], marked[1])
    if name in ("icmp", "icmp6") and len(data) >= 4:
        kind, low, high, inverted = data[:4]
        return " %s--icmp-type %s" % ("! " if inverted & 1 else "", "any" if kind == 255 else (
            str(kind) if (low, high) == (0, 255) else "%d/%d-%d" % (kind, low, high)))
    return None


def target(extension: Extension, family: int) -> str:
    """One target that is none of a chain's, as C(DNAT --to-destination 10.0.0.2:80)."""
    name, revision, data = extension
    if name in ("DNAT", "SNAT", "MASQUERADE", "REDIRECT"):
        found = xtables.nat_range(name, revision, family, data)
        # nf_nat_ipv4_multi_range_compat has their number first. Flags beyond these two have no words here.
        flags = int.from_bytes(data[4:8] if revision == 0 and family == 2 else data[:4], "little")
        if found is not None and not flags & ~3:
            to = _to(found, ":" if name in ("DNAT", "SNAT") else "")
            option = {"DNAT": "--to-destination", "SNAT": "--to-source"}.get(name, "--to-ports")
            return "%s %s %s" % (name, option, to) if to else name
    if name == "REJECT" and len(data) >= 4:
        words = _REJECTS.get(family, ())
        number = int.from_bytes(data[:4], "little")
        return "REJECT --reject-with %s" % (words[number] if number < len(words) else number)
    return "%s #%s" % (name, digest(b"%d" % revision, data))


def verdict(data: bytes) -> Optional[str]:
    """What the standard target says that is no jump."""
    number = int.from_bytes(data[:4], "little", signed=True)
    return _STANDARD.get(number, str(number)) if number < 0 else None


def _to(found: xtables.NatRange, before_port: str) -> str:
    said = "" if found.address is None else _address(found.address)
    if found.address_max not in (None, found.address):
        said += "-%s" % _address(found.address_max or b"")
    if found.port is not None:
        said += ("%s%d" % (before_port, found.port)) + (
            "-%d" % (found.port_max or 0) if found.port_max != found.port else "")
    return said


def _address(raw: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


def _span(low: int, high: int) -> str:
    return str(low) if low == high else "%d:%d" % (low, high)

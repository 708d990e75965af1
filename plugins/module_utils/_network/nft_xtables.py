"""What the matches and targets of xtables say that iptables-nft puts into nf_tables' rules as they are."""
from __future__ import annotations

from typing import Any, Callable, Dict, List, NamedTuple, Optional

from .._kernel import xtables
from .nft_fields import ADDRESS_TYPES, STATUSES, address, bits

Match = Dict[str, Any]
# XT_CONNTRACK_STATE_BIT: the two of NAT are no states of nf_tables'.
_STATES = ("invalid", "established", "related", "new", "", "", "snat", "dnat", "untracked")


class Entry(NamedTuple):
    """A match or target with its revision and its struct."""

    name: str
    revision: int
    info: bytes


class Done(NamedTuple):
    """What a target does, and where to; C(complete) False: its struct could not be read."""

    name: str
    to: Optional[Dict[str, Any]]
    complete: bool


def match(entry: Entry, found: Match, narrow: Callable[[List[Match], bool], None]) -> bool:
    """Add to C(found) what a match says. False: not all of it was understood."""
    name, revision, info = entry
    if name == "comment":
        return True
    if name in ("tcp", "udp", "sctp"):
        found.setdefault("protocol", name)
        told = xtables.transport(name, info)
        if told is None:
            return False
        for key, ports in (("source_port", told.source), ("port", told.destination)):
            if ports is not None:
                _add(found, _ports(key, ports[0], ports[1]), ports[2])
        if told.flags is not None:
            _add(found, {"tcp_flags": "0x%x/0x%x" % told.flags[:2]}, told.flags[2])
        return told.exact
    if name == "multiport":
        several = xtables.multiport(revision, info)
        if several is None or several[0] > 2:
            return False
        keys = (("source_port",), ("port",), ("source_port", "port"))[several[0]]
        narrow([_ports(key, low, high) for key in keys for low, high in several[1]], several[2])
        return True
    if name == "addrtype":
        types = xtables.addrtype(revision, info)
        for key, (mask, inverted) in zip(("source_addrtype", "addrtype"), types or ()):
            if mask:
                names = bits(mask, ADDRESS_TYPES)
                _add(found, {key: names[0] if len(names) == 1 else names}, inverted)
        return types is not None
    if name == "conntrack":
        tracked = xtables.conntrack(revision, info)
        if tracked is None:
            return False
        state, not_state, status, not_status, exact = tracked
        if state:
            _add(found, {"ct_state": bits(state, _STATES)}, not_state)
        if status:
            _add(found, {"ct_status": bits(status, STATUSES)}, not_status)
        return exact
    marked = xtables.mark(revision, info) if name == "mark" else None
    if marked is not None:
        value, mask, inverted = marked
        _add(found, {"mark": hex(value) if mask == 0xFFFFFFFF else "0x%x/0x%x" % (value, mask)}, inverted)
    if name == "limit":
        found["limit"] = True
    return name == "limit" or marked is not None


def target(entry: Entry, family: int) -> Optional[Done]:
    """What a target does. None for one that only marks, logs, or that is not known."""
    name, revision, info = entry
    if name in ("REJECT", "NFQUEUE"):
        return Done({"REJECT": "reject", "NFQUEUE": "queue"}[name], None, True)
    if name in ("DNAT", "SNAT", "MASQUERADE", "REDIRECT"):
        found = xtables.nat_range(name, revision, family, info)
    elif name == "TPROXY":
        found = xtables.tproxy(revision, family, info)
    else:
        return None
    return Done(name.lower(), None if found is None else _to(found), found is not None)


def _to(found: xtables.NatRange) -> Optional[Dict[str, Any]]:
    first, last, port, port_max, base = found
    if first is None and port is None:
        return None
    told: Dict[str, Any] = {
        "address": None if first is None else address(first),
        "address_max": None if last is None or last == first else address(last),
        "port": port, "port_max": None if port_max == port else port_max,
    }
    if base is not None:
        told["port_base"] = base
    return told


def _ports(key: str, low: int, high: int) -> Match:
    return {key: low} if low == high else {key: low, key + "_max": high}


def _add(found: Match, said: Match, inverted: bool) -> None:
    found.update(said)
    if inverted:
        found["%s_negated" % next(iter(said))] = True

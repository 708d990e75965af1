"""What the rules of a network namespace do to packets, as far as checks ask."""
from __future__ import annotations

from typing import Any, Dict, Iterator, List, Optional, Tuple

from .network import Network
from .rows import Ip, dicts, inside, ip, is_loopback, net, table, word

Match = Dict[str, Any]
# By family, table and chain: from which chain it is jumped to, and when.
Jumps = Dict[Tuple[str, str, str], List[Tuple[str, Match]]]
_FAMILIES = {"inet": ("ip", "inet"), "inet6": ("ip6", "inet")}
# Chains that lead to a rule are followed so far back, and so many ways.
_DEPTH, _WAYS = 4, 64
# They ask for something other than who sends.
_SPECIAL = ("mark", "ct_mark", "source_addrtype", "port", "source_port", "uid", "gid", "any", "sets")
SURE, PERHAPS = "sure", "perhaps"


def decoded(network: Network) -> List[Match]:
    """The rules that translate or drop."""
    return dicts(table(network.firewall).get("decoded")) or []


def known(network: Network) -> bool:
    """Whether all rules that translate were read: those of the old xtables are not among them."""
    legacy = table(table(network.firewall).get("legacy"))
    old = any(isinstance(tables, list) and "nat" in tables for tables in legacy.values())
    return not old and not network.cut("firewall") and isinstance(table(network.firewall).get("decoded"), list)


def mentions(value: Any, wanted: str, depth: int = 4) -> bool:
    """Whether a text is anywhere in a rule's conditions, as it is or as a prefix of full length."""
    if isinstance(value, str):
        return value in (wanted, wanted + "/32", wanted + "/128")
    if depth and isinstance(value, (dict, list)):
        several = list(value.values()) if isinstance(value, dict) else value
        return any(mentions(one, wanted, depth - 1) for one in several[:64])
    return False


def leads_on(network: Network) -> bool:
    """Whether rules hand on what comes in: a service mesh's or Swarm's, not those for Docker's DNS."""
    for row in decoded(network):
        if row.get("action") in ("dnat", "redirect", "tproxy"):
            there = ip(table(row.get("match")).get("destination"))
            if there is None or not is_loopback(there):
                return True
    return False


def drops_outside(network: Network, bridge: str) -> Optional[str]:
    """The subnet that what comes by a bridge must not leave: so Docker makes a network internal."""
    for row in decoded(network):
        # Most rules of a host with published ports translate.
        if row.get("action") not in ("drop", "reject"):
            continue
        match = table(row.get("match"))
        if match.get("iif") == bridge and not match.get("iif_negated") and match.get("destination_negated"):
            return word(match.get("destination"))
    return None


def masquerades(network: Network, address: Ip) -> Tuple[Optional[str], str]:
    """Whether what an address sends outside is translated: C(SURE), C(PERHAPS) (a rule for all senders), or None.

    With the sender as the rule has it.
    """
    found: Tuple[Optional[str], str] = (None, "")
    jumps = _jumps(network)
    for row in decoded(network):
        if row.get("action") not in ("masquerade", "snat") or row.get("family") not in _FAMILIES[address[0]]:
            continue
        for way in _ways(row, jumps):
            sender = _sender(way, address)
            if sender:
                return SURE, sender
            if sender == "":
                found = (PERHAPS, "")
    return found


def _sender(way: List[Match], address: Ip) -> Optional[str]:
    """Whom a way is for, where it is for an address: the narrowest sender, empty for all. None: for others."""
    sender = ""
    for match in way:
        if any(key in match for key in _SPECIAL) or ("destination" in match and not match.get("destination_negated")):
            return None
        if "source" not in match:
            continue
        prefix = net(match["source"], None)
        if prefix is None or "source_max" in match:
            return None
        if inside(address, prefix) == bool(match.get("source_negated")):
            return None
        sender = sender if match.get("source_negated") else str(word(match["source"]))
    return sender


def _jumps(network: Network) -> Jumps:
    found: Jumps = {}
    for one in dicts(table(network.firewall).get("tables")) or []:
        for chain in dicts(one.get("chains")) or []:
            for jump in dicts(chain.get("jumps")) or []:
                key = (str(one.get("family")), str(one.get("name")), str(jump.get("chain")))
                found.setdefault(key, []).append((str(chain.get("name")), table(jump.get("match"))))
    return found


def _ways(row: Match, jumps: Jumps) -> Iterator[List[Match]]:
    """The conditions on each way to a rule: its own, and those of the jumps to its chain."""
    family, where = str(row.get("family")), str(row.get("table"))
    waiting: List[Tuple[str, List[Match]]] = [(str(row.get("chain")), [table(row.get("match"))])]
    for dummy in range(_WAYS):
        if not waiting:
            return
        chain, way = waiting.pop()
        before = jumps.get((family, where, chain), []) if len(way) <= _DEPTH else []
        if not before:
            yield way
        waiting.extend((name, [*way, match]) for name, match in before[:_WAYS])

"""Which of a network's translations of addresses a packet can come to, and what must hold on its way there."""
from __future__ import annotations

import socket
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

from .._model.inventory import TRUNCATED, Problems
from .._model.network import Firewall

WHAT = "published ports"
RANGE = 1024     # ports of one range
_CONTEXTS = 256  # ways into a chain
_STEPS = 20_000  # through all chains of a table

Span = Tuple[int, int, int]  # bits of an address, first, last


class Condition(NamedTuple):
    """What of a match matters here; None: whatever."""

    protocol: Optional[str] = None
    destination: Optional[Span] = None
    ports: Optional[Tuple[int, int]] = None


class Effort:
    """What may be spent on the rules of one network: who owns it may have made them to be followed for ever."""

    __slots__ = ("_left", "problems")

    def __init__(self, left: int, problems: Problems) -> None:
        self._left = left
        self.problems = problems

    def spend(self, amount: int) -> bool:
        """Whether there is so much left. That there was not is counted once."""
        if self._left >= 0:
            self._left -= amount
            if self._left < 0:
                self.problems.add(WHAT, TRUNCATED)
        return self._left >= 0


def translations(firewall: Firewall, effort: Effort) -> Iterator[Tuple[Condition, Dict[str, Any]]]:
    """DNAT rules that packets can come to, with all that must hold on the way to them."""
    rules: Dict[Tuple[str, str, str], List[Dict[str, Any]]] = {}
    for row in firewall["decoded"]:
        to = row["to"]
        if row["action"] == "dnat" and to and to["address"] and not to["address"].startswith("127.") and (
                to["address"] != "::1"):
            rules.setdefault((row["family"], row["table"], row["chain"]), []).append(row)
    for table in firewall["tables"]:
        where = (table["family"], table["name"])
        if "dormant" in table["flags"] or not any(key[:2] == where for key in rules):
            continue
        for chain, ways in _reached(table, effort).items():
            for row in rules.get(where + (chain,), ()):
                seen: Set[Condition] = set()
                conditions = _conditions(row["match"], effort)
                for way in ways:
                    if not effort.spend(len(conditions)):
                        return
                    for own in conditions:
                        both = _meet(way, own)
                        if both is not None and both not in seen:
                            seen.add(both)
                            yield both, row["to"]


def _reached(table: Dict[str, Any], effort: Effort) -> Dict[str, Set[Condition]]:
    """The chains that packets come to, each with the ways they come: from where addresses are translated on."""
    jumps = {chain["name"]: chain["jumps"] for chain in table["chains"]}
    conditions: Dict[Tuple[str, int], List[Condition]] = {}
    waiting = [(chain["name"], Condition()) for chain in table["chains"]
               if chain["type"] == "nat" and chain["hook"] in ("prerouting", "output")]
    found: Dict[str, Set[Condition]] = {}
    steps = 0
    while waiting:
        name, way = waiting.pop()
        ways = found.setdefault(name, set())
        steps += 1
        if way in ways or name not in jumps:
            continue
        if len(ways) >= _CONTEXTS or steps > _STEPS:
            effort.problems.add(WHAT, TRUNCATED)
            continue
        ways.add(way)
        for at, jump in enumerate(jumps[name]):
            if (name, at) not in conditions:
                conditions[name, at] = _conditions(jump["match"], effort)
            if not effort.spend(len(conditions[name, at])):
                return found
            for condition in conditions[name, at]:
                both = _meet(way, condition)
                if both is not None:
                    waiting.append((jump["chain"], both))
    return found


def _conditions(match: Dict[str, Any], effort: Effort) -> List[Condition]:
    """What a match says of protocol, destination and port: one for each combination of its alternatives."""
    found = [_condition(match)]
    for alternatives in match.get("any", ()):
        if not effort.spend(len(alternatives)):
            return []
        told = [_condition(alternative) for alternative in alternatives]
        if len(found) * len(told) > RANGE or Condition() in told:
            continue
        if not effort.spend(len(found) * len(told)):
            return []
        met = [_meet(one, other) for one in found for other in told]
        found = [both for both in met if both is not None]
    return found


def _condition(match: Dict[str, Any]) -> Condition:
    protocol, port, destination = match.get("protocol"), match.get("port"), match.get("destination")
    last = match.get("port_max", port)
    # A match of "all but", or of some bits, leaves too much for us: what is left is not told port by port.
    ports = None
    if isinstance(port, int) and isinstance(last, int) and not match.get("port_negated"):
        ports = port, last
    span = None
    if destination is not None and not match.get("destination_negated"):
        span = span_of(destination, match.get("destination_max"))
    return Condition(None if match.get("protocol_negated") else protocol, span, ports)


def _meet(one: Condition, other: Condition) -> Optional[Condition]:
    """Both conditions; None where they exclude each other."""
    if one.protocol and other.protocol and one.protocol != other.protocol:
        return None
    destination = one.destination or other.destination
    if one.destination and other.destination:
        low, high = max(one.destination[1], other.destination[1]), min(one.destination[2], other.destination[2])
        destination = (one.destination[0], low, high)
        if one.destination[0] != other.destination[0] or low > high:
            return None
    ports = one.ports or other.ports
    if one.ports and other.ports:
        ports = max(one.ports[0], other.ports[0]), min(one.ports[1], other.ports[1])
        if ports[0] > ports[1]:
            return None
    return Condition(one.protocol or other.protocol, destination, ports)


def span_of(text: str, last: Optional[str] = None) -> Optional[Span]:
    """An address, a prefix, or the first and last of a range; None for what is none of them."""
    start, dummy, length = text.partition("/")
    try:
        family = socket.AF_INET6 if ":" in start else socket.AF_INET
        low = int.from_bytes(socket.inet_pton(family, start), "big")
        bits = 128 if family == socket.AF_INET6 else 32
        rest = (1 << (bits - int(length))) - 1 if length else 0
        high = low | rest if last is None else int.from_bytes(socket.inet_pton(family, last), "big")
    except (OSError, ValueError):
        return None
    return bits, low & ~rest, high


def address_of(span: Span) -> str:
    family = socket.AF_INET if span[0] == 32 else socket.AF_INET6
    return socket.inet_ntop(family, span[1].to_bytes(span[0] // 8, "big"))

"""The rules of legacy iptables, ip6tables and arptables as iptables-save(8) has them, without counters."""
from __future__ import annotations

import socket
from typing import Dict, Iterator

from .._kernel import xt_sockopt as kernel
from . import xt_words
from .state_look import digest

_HOOKS = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
_ARP_HOOKS = ("INPUT", "OUTPUT", "FORWARD")
_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "ipv6-icmp", 132: "sctp"}


def lines(family: str, table: kernel.Table) -> Iterator[str]:
    """What is in a table beyond chains that are empty and accept."""
    hooks = _ARP_HOOKS if family == "arp" else _HOOKS
    starts: Dict[int, str] = {begin: hooks[hook] for hook, (begin, dummy) in table.hooks.items()}
    policies = {end: hooks[hook] for hook, (dummy, end) in table.hooks.items()}
    # A chain of users' begins with an entry whose target, ERROR, has its name; so ends the table.
    heads = [rule.offset for rule in table.rules if rule.target[0] == "ERROR"]
    for rule in table.rules:
        if rule.target[0] == "ERROR" and rule.offset != heads[-1]:
            following = next((other.offset for other in table.rules if other.offset > rule.offset), -1)
            starts[following] = rule.target[2].partition(b"\0")[0].decode("utf-8", "replace")
            yield "chain %s" % starts[following]
    chain = ""
    for at, rule in enumerate(table.rules):
        if rule.target[0] == "ERROR":
            continue
        chain = starts.get(rule.offset, chain)
        if rule.offset in policies:
            policy = xt_words.verdict(rule.target[2])
            if policy != "ACCEPT":
                yield "%s: policy %s" % (policies[rule.offset], policy)
        elif _ends_chain(table, at):
            continue  # what users' chains end with
        else:
            yield "%s: %s" % (chain, " ".join(_rule(family, rule, starts)))


def _ends_chain(table: kernel.Table, at: int) -> bool:
    return at + 1 < len(table.rules) and table.rules[at + 1].target[0] == "ERROR"


def _rule(family: str, rule: kernel.Rule, starts: Dict[int, str]) -> Iterator[str]:
    if family == "arp":
        if any(rule.head):
            yield "match #%s" % digest(rule.head)
        goto = False
    else:
        yield from _addresses(rule.head, 4 if family == "ip" else 16)
        goto = bool(rule.head[82 if family == "ip" else 131] & (2 if family == "ip" else 4))
    for match in rule.matches:
        yield xt_words.match(match)
    name, dummy, data = rule.target
    if name:
        yield "-j %s" % xt_words.target(rule.target, 2 if family == "ip" else 10 if family == "ip6" else 3)
        return
    said = xt_words.verdict(data)
    if said is not None:
        yield "-j %s" % said
    else:
        to = int.from_bytes(data[:4], "little")
        # A rule without a target goes on with the one behind it.
        if to in starts:
            yield "-%s %s" % ("g" if goto else "j", starts[to])


def _addresses(head: bytes, size: int) -> Iterator[str]:
    """ipt_ip, ip6t_ip6: addresses, masks, names of links and their masks, protocol, flags, what is inverted."""
    source, destination, source_mask, destination_mask = (head[at * size:(at + 1) * size] for at in range(4))
    at = 4 * size
    inward, outward, inward_mask, outward_mask = (head[at + 16 * part:at + 16 * (part + 1)] for part in range(4))
    at += 64
    protocol = int.from_bytes(head[at:at + 2], "little")
    flags, inverted = (head[at + 2], head[at + 3]) if size == 4 else (head[at + 3], head[at + 4])
    for bit, option, said in (
            (8, "-s", _network(source, source_mask)), (16, "-d", _network(destination, destination_mask)),
            (1, "-i", _link(inward, inward_mask)), (2, "-o", _link(outward, outward_mask)),
            (64, "-p", _PROTOCOLS.get(protocol, str(protocol)) if protocol else "")):
        if said:
            yield "%s%s %s" % ("! " if inverted & bit else "", option, said)
    if size == 4 and flags & 1:
        yield "%s-f" % ("! " if inverted & 32 else "")
    if size == 16 and flags & 2:
        yield "tos 0x%x" % head[at + 2]


def _network(address: bytes, mask: bytes) -> str:
    if not any(mask):
        return ""
    number = int.from_bytes(mask, "big")
    length = bin(number).count("1")
    whole = number == ((1 << length) - 1) << (8 * len(mask) - length)
    family = socket.AF_INET if len(mask) == 4 else socket.AF_INET6
    return "%s/%s" % (socket.inet_ntop(family, address), length if whole else socket.inet_ntop(family, mask))


def _link(name: bytes, mask: bytes) -> str:
    if not any(mask):
        return ""
    known = name.partition(b"\0")[0]
    # The end of the name belongs to what must be the same, or all that begins so matches.
    whole = mask[len(known):len(known) + 1] == b"\xff"
    return known[:mask.count(b"\xff")].decode("utf-8", "replace") + ("" if whole else "+")

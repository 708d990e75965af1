"""What filters and translates: nftables' tables, chains and rules; which legacy tables there are; conntrack's fill.

Rules that translate, drop, reject or redirect are decoded (nft_expressions.py), whether nft or iptables-nft wrote
them. C(match) has what must hold, as C({protocol: tcp, port: 80, port_max: 90}); C(NAME_negated) turns one round;
C(any) is a list of lists of which each must have one that holds, C(none) a list of which none may; C(sets) are those
too large to be read.
"""
from __future__ import annotations

import errno
import os
import time
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from .._kernel import nfnetlink as nft
from .._kernel.modules import Modules
from .._model.inventory import TIMED_OUT, TRUNCATED, UNSUPPORTED, Problems
from .._model.network import Firewall
from .look import CHANGED, Look
from .nft_expressions import decode
from .nft_fields import FAMILIES
from .nft_ways import Action, Place

_ATTEMPTS = 4
_TRIES = 10        # so many times the rules that are kept are looked into
_BYTES = 8 << 20   # of rules that are to be decoded
_ELEMENTS = 1024   # of one set
_USES = 20_000     # of elements, in all rules: each may be told, and maps lead from one to the other
_LISTS = frozenset(("any", "none", "sets"))
_HOOKS = ("prerouting", "input", "forward", "output", "postrouting", "ingress")
_HOOKS_OF = {nft.NFPROTO_ARP: ("input", "output", "forward"), nft.NFPROTO_NETDEV: ("ingress", "egress")}
_TABLE_FLAGS = ("dormant", "owner", "persist")
# An expression with one of these names may do something; a name ends with a NUL.
_DOERS = (b"immediate\0", b"lookup\0", b"target\0", b"nat\0", b"masq\0", b"redir\0", b"reject\0", b"tproxy\0",
          b"queue\0")
# How a rule ends that accepts: NFTA_DATA_VERDICT (nested) with NFTA_VERDICT_CODE 1. Most rules do.
_ACCEPT = b"\x0c\0\x02\x80\x08\0\x01\0\0\0\0\x01"
# What may lead to another chain: a map, NFT_JUMP, NFT_GOTO.
_LEADING_ON = (b"lookup\0", b"\xff\xff\xff\xfd", b"\xff\xff\xff\xfc")

Key = Tuple[int, bytes, bytes]


def take(look: Look, modules: Modules) -> Optional[Firewall]:
    """The firewall of the network namespace that the caller is in. Raises OSError: EPERM without CAP_NET_ADMIN."""
    found: Firewall = {"generation": None, "tables": [], "rules": 0, "decoded": [], "legacy": {}, "conntrack": None}
    # Asking would load them; and where they are not, there are no rules.
    if modules.ready("nfnetlink") and modules.ready("nf_tables"):
        try:
            nftables = nft.Nftables(look.until)
        except OSError as error:
            if error.errno != errno.EPROTONOSUPPORT:
                raise
        else:
            with nftables:
                generation = _generation(nftables)
                if generation is not None:
                    _rules(nftables, generation, look, found)
    elif not (modules.absent("nfnetlink") or modules.absent("nf_tables")):
        look.problems.add("firewall", "%s: nobody can tell whether nf_tables is loaded" % UNSUPPORTED)
    for family in ("ip", "ip6", "arp"):
        names = _text(look, "%s/thread-self/net/%s_tables_names" % (look.root, family))
        if names.split():
            found["legacy"][family] = names.split()[:look.most]
    count, most = (_text(look, "%s/sys/net/netfilter/nf_conntrack_%s" % (look.root, name)) for name in ("count", "max"))
    if count.strip().isdecimal() and most.strip().isdecimal():
        found["conntrack"] = {"count": int(count), "max": int(most)}
    return found


def _generation(nftables: nft.Nftables) -> Optional[int]:
    """None: this kernel has nfnetlink, and no nf_tables behind it."""
    try:
        return nftables.generation()
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return None


def _rules(nftables: nft.Nftables, generation: int, look: Look, found: Firewall) -> None:
    for dummy in range(_ATTEMPTS):
        reading = _Reading(nftables, look)
        reading.read()
        now = nftables.generation()
        if now == generation:
            break
        generation = now
    else:
        look.problems.add("firewall", CHANGED)
    for problem in reading.problems.as_list():
        look.problems.add(problem["what"], problem["reason"], problem["count"])
    found["generation"] = generation
    found["tables"], found["rules"], found["decoded"] = reading.tables, reading.rules, reading.decoded


class _Reading:
    """One attempt to read all rules of one generation."""

    def __init__(self, nftables: nft.Nftables, look: Look) -> None:
        self._nftables = nftables
        self._look = look
        self.problems = Problems()
        self.tables: List[Dict[str, Any]] = []
        self.rules = 0
        self.decoded: List[Dict[str, Any]] = []
        self._chains: Dict[Key, Dict[str, Any]] = {}
        self._sets: Dict[Key, Optional[Sequence[nft.Element]]] = {}
        self._jumps = 0
        self._uses = 0
        self._told = 0

    def read(self) -> None:
        """Tables, their chains, and of the rules those that do something."""
        tables: Dict[Tuple[int, bytes], List[Dict[str, Any]]] = {}
        for family, raw in self._nftables.tables():
            if self._full("firewall tables", len(tables)):
                continue
            flags = nft.big(raw.get(nft.NFTA_TABLE_FLAGS))
            chains: List[Dict[str, Any]] = []
            tables[family, raw.get(nft.NFTA_TABLE_NAME, b"")] = chains
            self.tables.append({
                "family": FAMILIES.get(family, str(family)), "name": nft.name_of(raw.get(nft.NFTA_TABLE_NAME)),
                "flags": [name for at, name in enumerate(_TABLE_FLAGS) if flags >> at & 1], "chains": chains,
            })
        if not tables:
            return
        for family, raw in self._nftables.chains():
            where = tables.get((family, raw.get(nft.NFTA_CHAIN_TABLE, b"")))
            if where is not None and not self._full("firewall chains", len(self._chains)):
                chain = _chain(family, raw)
                where.append(chain)
                key = (family, raw.get(nft.NFTA_CHAIN_TABLE, b""), raw.get(nft.NFTA_CHAIN_NAME, b""))
                self._chains[key] = chain
        rules = self._doers()
        for at, (key, handle, expressions) in enumerate(rules):
            if time.monotonic() > self._look.until:
                self.problems.add("firewall rules", TIMED_OUT, len(rules) - at)
                break
            if len(self.decoded) < self._look.most or any(mark in expressions for mark in _LEADING_ON):
                self._decode(key, handle, expressions)
            else:
                self.problems.add("firewall rules", TRUNCATED)

    def _full(self, what: str, count: int) -> bool:
        full = count >= self._look.most
        if full:
            self.problems.add(what, TRUNCATED)
        return full

    def _doers(self) -> List[Tuple[Key, int, bytes]]:
        """The rules that may do more than accept; all are counted. One dump must end before sets are asked for."""
        kept: List[Tuple[Key, int, bytes]] = []
        size = left_out = 0
        for family, raw in self._nftables.rules():
            self.rules += 1
            key = (family, raw.get(nft.NFTA_RULE_TABLE, b""), raw.get(nft.NFTA_RULE_CHAIN, b""))
            chain = self._chains.get(key)
            if chain is not None:
                chain["rules"] += 1
            expressions = raw.get(nft.NFTA_RULE_EXPRESSIONS, b"")
            if not any(name in expressions for name in _DOERS) or (
                    expressions.endswith(_ACCEPT) and b"lookup\0" not in expressions):
                continue
            if len(kept) >= _TRIES * self._look.most or size > _BYTES:
                left_out += 1
                continue
            size += len(expressions)
            kept.append((key, nft.big(raw.get(nft.NFTA_RULE_HANDLE)), expressions))
        if left_out:
            self.problems.add("firewall rules", TRUNCATED, left_out)
        return kept

    def _decode(self, key: Key, handle: int, expressions: bytes) -> None:
        family, table, chain = key
        place = Place(family, self._look.name, lambda name: self._elements((family, table, name)))
        for action in decode(expressions, place):
            if action.name == "jump":
                self._jump(key, action)
            elif not self._full("firewall rules", len(self.decoded)):
                self.decoded.append({
                    "family": FAMILIES.get(family, str(family)), "table": nft.name_of(table),
                    "chain": nft.name_of(chain), "handle": handle, "action": action.name, "to": action.to,
                    **self._match(action),
                })

    def _match(self, action: Action) -> Dict[str, Any]:
        """A match and whether it is whole: many actions of a rule may share conditions that each would tell."""
        match = action.match
        self._told += len(match.get("none", ())) + len(match.get("sets", ())) + sum(map(len, match.get("any", ())))
        if self._told <= _USES or not match.keys() & _LISTS:
            return {"match": match, "complete": action.complete}
        self.problems.add("firewall matches", TRUNCATED)
        return {"match": {key: value for key, value in match.items() if key not in _LISTS}, "complete": False}

    def _jump(self, key: Key, action: Action) -> None:
        chain = self._chains.get(key)
        if chain is None or self._full("firewall jumps", self._jumps):
            return
        jump = {"chain": action.to, **self._match(action)}
        if jump not in chain["jumps"][-8:]:
            chain["jumps"].append(jump)
            self._jumps += 1

    def _elements(self, key: Key) -> Optional[Sequence[nft.Element]]:
        if key not in self._sets:
            try:
                # Sets that are not kept for others cost time only; both are bounded.
                room = len(self._sets) < self._look.most and self._uses <= _USES
                self._sets[key] = self._nftables.elements(*key, most=_ELEMENTS) if room else None
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.EOVERFLOW):
                    raise
                return None
        found = self._sets[key]
        self._uses += 0 if found is None else len(found)
        if found is None or self._uses > _USES:
            self.problems.add("firewall sets", TRUNCATED)
            return None
        return found


def _chain(family: int, raw: Dict[int, bytes]) -> Dict[str, Any]:
    found: Dict[str, Any] = {
        "name": nft.name_of(raw.get(nft.NFTA_CHAIN_NAME)), "type": None, "hook": None, "priority": None,
        "policy": None, "devices": [], "rules": 0, "jumps": [],
    }
    hook = nft.attributes(raw.get(nft.NFTA_CHAIN_HOOK, b""))
    if hook:
        number = nft.big(hook.get(nft.NFTA_HOOK_HOOKNUM))
        names = _HOOKS_OF.get(family, _HOOKS)
        devices = nft.attributes(hook.get(nft.NFTA_HOOK_DEVS, b""))
        listed: Iterator[bytes] = nft.nested(hook.get(nft.NFTA_HOOK_DEVS, b"")) if devices else iter(
            [hook[nft.NFTA_HOOK_DEV]] if nft.NFTA_HOOK_DEV in hook else [])
        found.update(
            type=nft.name_of(raw.get(nft.NFTA_CHAIN_TYPE)), hook=names[number] if number < len(names) else str(number),
            priority=int.from_bytes(hook.get(nft.NFTA_HOOK_PRIORITY, b""), "big", signed=True),
            policy={0: "drop", 1: "accept"}.get(nft.big(raw.get(nft.NFTA_CHAIN_POLICY, b"\x01"))),
            devices=[nft.name_of(device) for device in listed],
        )
    return found


def _text(look: Look, path: str) -> str:
    """A file of /proc; nothing where it is not there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            return os.read(descriptor, 4096).decode("ascii", "replace")
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno != errno.ENOENT:
            look.problems.error("firewall", error)
        return ""

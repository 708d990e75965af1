# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rulesets for the tests of the firewall, and what nft(8) and iptables-save(8) say of them, in our words.

To be called in a child of the test that has a network namespace of its own (fixture ``in_child``).
"""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from typing import Any

from ansible_collections.nsfleet.linux.plugins.module_utils._network import firewall
from ansible_collections.nsfleet.linux.plugins.module_utils._network.look import Look
from ansible_collections.nsfleet.linux.tests.unit.recorded.modules import Loaded

SECONDS = 20
ICMP = {"echo-request": 8, "destination-unreachable": 1, "packet-too-big": 2}


def take(most: int = 500, modules: Any = None, root: str = "/proc") -> tuple[Any, list[dict[str, Any]]]:
    """The firewall of the namespace that we are in, and what of it was not seen."""
    look = Look(most, time.monotonic() + SECONDS, root)
    look.names[1] = "lo"
    return firewall.take(look, modules or Loaded()), look.problems.as_list()


def load(rules: str) -> None:
    """Give the rules to nft(8)."""
    subprocess.run(["nft", "-f", "-"], input=rules, encoding="utf-8", check=True, timeout=SECONDS)


def run(lines: str) -> None:
    """Run commands, one a line."""
    for line in lines.strip().splitlines():
        subprocess.run(shlex.split(line), check=True, timeout=SECONDS, stdout=subprocess.DEVNULL)


def told(program: str = "nft -j list ruleset") -> Any:
    """What a program prints: JSON as such, else its lines."""
    done = subprocess.run(shlex.split(program), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True,
                          timeout=SECONDS)
    text = done.stdout.decode()
    return json.loads(text)["nftables"] if text.startswith("{") else text.splitlines()


class Nft:
    """The objects of ``nft -j list ruleset``."""

    def __init__(self) -> None:
        self.all = told()
        self.sets = {
            (entry["family"], entry["table"], entry["name"]): entry["elem"]
            for item in self.all for kind, entry in item.items() if kind in ("set", "map") and "elem" in entry
        }

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [item[kind] for item in self.all if kind in item]

    def tables(self) -> list[tuple[Any, ...]]:
        return [(table["family"], table["name"]) for table in self.of("table")]

    def chains(self) -> list[tuple[Any, ...]]:
        """Family, table, name, type, hook, priority, policy, number of rules."""
        rules = [(rule["family"], rule["table"], rule["chain"]) for rule in self.of("rule")]
        return sorted((
            (chain["family"], chain["table"], chain["name"], chain.get("type"), chain.get("hook"), chain.get("prio"),
             chain.get("policy"), rules.count((chain["family"], chain["table"], chain["name"])))
            for chain in self.of("chain")), key=repr)

    def rows(self) -> list[tuple[Any, ...]]:
        """Where each rule is, and what it does: as ours() has it."""
        found = []
        for rule in self.of("rule"):
            for action, match, to in Reader(self, rule).rows():
                found.append((rule["family"], rule["table"], rule["chain"], rule["handle"], action,
                              canonical(match), canonical(to)))
        return sorted(found, key=repr)


class Reader:
    """One rule of nft's JSON (libnftables-json(5))."""

    def __init__(self, nft: Nft, rule: dict[str, Any]) -> None:
        self._nft = nft
        self._rule = rule
        self._found: list[tuple[str, dict[str, Any], Any]] = []

    def rows(self) -> list[tuple[str, dict[str, Any], Any]]:
        match: dict[str, Any] = {}
        for statement in self._rule["expr"]:
            kind, value = next(iter(statement.items()))
            if kind == "match":
                self._match(match, value)
            elif kind == "vmap":
                for key, verdict in self._elements(value["data"]):
                    name, target = next(iter(verdict.items()))
                    self._verdict(name, {**match, **self._told(value["key"], key)}, target)
            elif kind == "limit":
                match["limit"] = True
            elif kind in ("dnat", "snat", "masquerade", "redirect", "tproxy"):
                for more, to in self._targets(value or {}):
                    self._found.append((kind, {**match, **more}, to))
            elif kind not in ("counter", "log", "mangle"):
                self._verdict(kind, match, value)
        return self._found

    def _verdict(self, name: str, match: dict[str, Any], target: Any) -> None:
        if name in ("jump", "goto"):
            self._found.append(("jump", match, target["target"]))
        elif name in ("drop", "reject", "queue"):
            self._found.append((name, match, None))

    def _match(self, match: dict[str, Any], value: dict[str, Any]) -> None:
        left, right, op = value["left"], value["right"], value["op"]
        if isinstance(left, dict) and "&" in left:
            name, implied = self._field(left["&"][0])
            match.update(implied)
            match[name] = "0x%x/0x%x" % (right, left["&"][1])
            return
        elements = self._elements(right) if is_set(right) else [right]
        one_of = [self._told(left, element) for element in elements]
        implied = {key: one_of[0].pop(key) for key in ("family", "protocol") if key in self._implied(left)}
        for other in one_of[1:]:
            for key in implied:
                other.pop(key)
        match.update(implied)
        if op == ">":
            name = next(iter(one_of[0]))
            one_of = [{name: right + 1, name + "_max": 65535}]
        if op == "in" and next(iter(one_of[0])) == "tcp_flags":
            match.update(tcp_flags="0x0/0x2", tcp_flags_negated=True)  # "in" asks whether any of them is set
        elif len(one_of) == 1:
            match.update(one_of[0])
            if op == "!=":
                match["%s_negated" % next(iter(one_of[0]))] = True
        elif op == "!=":
            match["none"] = one_of
        else:
            match.setdefault("any", []).append(one_of)

    def _elements(self, value: Any) -> list[Any]:
        if isinstance(value, str):
            return list(self._nft.sets[self._rule["family"], self._rule["table"], value[1:]])
        return list(value["set"])

    def _implied(self, left: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for part in left.get("concat", [left]) if isinstance(left, dict) else ():
            found.update(self._field(part)[1])
        return found

    def _told(self, left: Any, right: Any) -> dict[str, Any]:
        if "concat" in left:
            found: dict[str, Any] = {}
            for part, value in zip(left["concat"], right["concat"]):
                found.update(self._told(part, value))
            return found
        name, implied = self._field(left)
        if name == "":
            return {}
        found = dict(implied)
        if isinstance(right, dict) and "range" in right:
            low, high = right["range"]
            found[name], found[name + "_max"] = self._word(name, low), self._word(name, high)
        elif isinstance(right, dict) and "prefix" in right:
            found[name] = "%s/%d" % (right["prefix"]["addr"], right["prefix"]["len"])
        else:
            found[name] = self._word(name, right)
        return found

    def _field(self, left: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Our name for it, and what nft leaves out because it goes without saying."""
        kind, value = next(iter(left.items()))
        if kind == "payload":
            protocol, field = value["protocol"], value["field"]
            implied: dict[str, Any] = {}
            if protocol in ("ip", "ip6", "icmp", "icmpv6") and self._rule["family"] in ("inet", "bridge", "netdev"):
                implied["family"] = {"icmp": "ip", "icmpv6": "ip6"}.get(protocol, protocol)
            if protocol not in ("ip", "ip6", "th", "ether"):
                implied["protocol"] = protocol
            names = {"saddr": "source", "daddr": "destination", "sport": "source_port", "dport": "port",
                     "flags": "tcp_flags", "type": "family" if protocol == "ether" else "icmp_type"}
            return names[field], implied
        if kind == "numgen":
            return "", {}
        if kind == "fib":
            return "addrtype", {}
        names = {"iifname": "iif", "oifname": "oif", "l4proto": "protocol", "nfproto": "family", "skuid": "uid"}
        prefix = "ct_" if kind == "ct" else ""
        return prefix + names.get(value["key"], value["key"]), {}

    def _word(self, name: str, value: Any) -> Any:
        if name in ("mark", "ct_mark"):
            return hex(value)
        if name in ("ct_state", "ct_status"):
            return sorted([value] if isinstance(value, str) else value)
        if name == "family":
            return {"ipv4": "ip", "ipv6": "ip6"}.get(value, value)
        return ICMP.get(value, value) if name == "icmp_type" else value

    def _targets(self, value: dict[str, Any]) -> list[tuple[dict[str, Any], Any]]:
        address, port = value.get("addr"), value.get("port")
        if isinstance(address, dict) and "map" in address:
            found = []
            for key, data in self._elements(address["map"]["data"]):
                one, other = data["concat"] if isinstance(data, dict) and "concat" in data else (data, port)
                found.append((self._told(address["map"]["key"], key), target(one, other)))
            return found
        return [({}, target(address, port))]


def is_set(value: Any) -> bool:
    return isinstance(value, dict) and "set" in value or isinstance(value, str) and value[:1] == "@"


def target(address: Any, port: Any) -> Any:
    """Where to, of what may be one value or a range."""
    first, last = address["range"] if isinstance(address, dict) else (address, None)
    low, high = port["range"] if isinstance(port, dict) else (port, None)
    if first is None and low is None:
        return None
    return {"address": first, "address_max": last, "port": low, "port_max": high}


def canonical(value: Any) -> Any:
    """Without an order where there is none."""
    if isinstance(value, dict):
        return {key: canonical(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return sorted((canonical(item) for item in value), key=repr)
    return value


def our_tables(found: Any) -> list[tuple[Any, ...]]:
    return [(table["family"], table["name"]) for table in found["tables"]]


def our_chains(found: Any) -> list[tuple[Any, ...]]:
    return sorted((
        (table["family"], table["name"], chain["name"], chain["type"], chain["hook"], chain["priority"],
         chain["policy"], chain["rules"])
        for table in found["tables"] for chain in table["chains"]), key=repr)


def ours(found: Any) -> list[tuple[Any, ...]]:
    """Rules and jumps, for comparison with Nft.rows(); jumps have no handle."""
    rows = [(row["family"], row["table"], row["chain"], row["handle"], row["action"], canonical(row["match"]),
             canonical(row["to"])) for row in found["decoded"]]
    return sorted(rows, key=repr)


def our_jumps(found: Any) -> list[tuple[Any, ...]]:
    return sorted((
        (table["family"], table["name"], chain["name"], jump["chain"], canonical(jump["match"]))
        for table in found["tables"] for chain in table["chains"] for jump in chain["jumps"]), key=repr)

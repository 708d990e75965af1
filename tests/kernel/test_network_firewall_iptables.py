# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules that iptables-nft and ip6tables-nft wrote, read by us and by their -save; and the presence of legacy tables."""

from __future__ import annotations

import os
import re
import shlex
import string
from pathlib import Path
from typing import Any, Callable

import firewall_lab as lab
import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import namespaces

NET = namespaces.CLONE_NEWNET
# $A and $B are two addresses, $L is the loopback's, $N a network.
RULES = """
    -t nat -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination [$A]:80
    -t nat -A DOCKER -d $L ! -i docker0 -p udp --dport 8081:8090 -j DNAT --to-destination $A
    -t nat -A DOCKER -p tcp -m tcp --dport 8081:8090 -j DNAT --to-destination [$A]:81-90/8081
    -t nat -A DOCKER -p tcp -m multiport --dports 1,2,10:20 -j DNAT --to-destination [$A-$B]:80-90 --random
    -t nat -A DOCKER -p udp -m multiport ! --sports 1,2 -j DNAT --to-destination [$A]:80
    -t nat -A DOCKER -p tcp -m multiport --ports 7,9 -j DNAT --to-destination [$A]:80
    -t nat -A DOCKER -p tcp -m comment --comment "a comment" -j REDIRECT --to-ports 99
    -t nat -A DOCKER -p udp -j REDIRECT --to-ports 99-101
    -t nat -A DOCKER -p sctp -m sctp --dport 7 -j DNAT --to-destination [$A]:80
    -t nat -A DOCKER -p sctp -m sctp ! --sport 7:8 -j DNAT --to-destination [$A]:80
    -t nat -A DOCKER -m addrtype --src-type UNICAST ! --dst-type LOCAL -p tcp -j DNAT --to-destination [$A]:80
    -t nat -A POSTROUTING -s $N ! -o docker0 -j MASQUERADE
    -t nat -A POSTROUTING -m mark --mark 0x2000/0x2000 -j MASQUERADE --random-fully
    -t nat -A POSTROUTING -m mark ! --mark 0x7 -p tcp -j MASQUERADE --to-ports 1024-2048
    -t nat -A POSTROUTING -s $A ! -d $N -j SNAT --to-source $B
    -t nat -A POSTROUTING -p tcp -j SNAT --to-source [$A-$B]:1000-2000
    -A FORWARD -m conntrack --ctstate INVALID -j DROP
    -A FORWARD -m conntrack ! --ctstate RELATED,ESTABLISHED -j DROP
    -A FORWARD -m conntrack --ctstate DNAT -j DROP
    -A FORWARD -p tcp -j REJECT --reject-with tcp-reset
    -A FORWARD -j REJECT
    -A FORWARD -i eth+ -o br0 -j DROP
    -A FORWARD -p tcp --sport 5 ! --dport 9 -j DROP
    -A FORWARD -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN --dport 9 -j DROP
    -A FORWARD -p udp -m udp ! --sport 5:6 --dport 9 -j DROP
    -A FORWARD -m limit --limit 5/sec -j DROP
    -t mangle -A PREROUTING -p tcp --dport 80 -j TPROXY --on-port 5000 --tproxy-mark 0x1
    -t mangle -A PREROUTING -p tcp --dport 80 -j TPROXY --on-port 5000 --on-ip $A --tproxy-mark 0x1
"""
FAMILIES = {
    "ip": ("iptables-nft", {"A": "172.17.0.2", "B": "172.17.0.9", "L": "127.0.0.1", "N": "172.17.0.0/16"}),
    "ip6": ("ip6tables-nft", {"A": "fd00::2", "B": "fd00::9", "L": "::1", "N": "fd00:7::/64"}),
}
LINES = [line.strip() for line in RULES.strip().splitlines()]
FLAGS = {"FIN": 1, "SYN": 2, "RST": 4, "ACK": 16}


def spelled(family: str, line: str) -> str:
    """A line of RULES with addresses of a family, of which one has no brackets around them."""
    program, addresses = FAMILIES[family]
    return program + " " + string.Template(line if family == "ip6" else re.sub(r"[][]", "", line)).substitute(addresses)


def as_saved(line: str) -> tuple[Any, ...]:
    """Action, match and target of a line of iptables-save(8), in our words."""
    match: dict[str, Any] = {}
    words = shlex.split(line)[2:]
    action, to, negated, states = "", None, False, "ct_state"
    while words:
        word = words.pop(0)
        if word == "!":
            negated = True
            continue
        if word in ("--random", "--random-fully"):
            continue
        value = words.pop(0)
        said: dict[str, Any] = {}
        if word in ("-s", "-d"):
            name = {"-s": "source", "-d": "destination"}[word]
            said = {name: re.sub(r"/(32|128)$", "", value)}
        elif word in ("-i", "-o"):
            said = {{"-i": "iif", "-o": "oif"}[word]: value.replace("+", "*")}
        elif word == "-p":
            said = {"protocol": value}
        elif word in ("--sport", "--dport"):
            said = ports({"--sport": "source_port", "--dport": "port"}[word], value)
        elif word in ("--sports", "--dports", "--ports"):
            names = {"--sports": ["source_port"], "--dports": ["port"], "--ports": ["source_port", "port"]}[word]
            alternatives = [ports(name, part) for name in names for part in value.split(",")]
            match.update({"none": alternatives} if negated else {"any": [alternatives]})
        elif word in ("--src-type", "--dst-type"):
            said = {{"--src-type": "source_addrtype", "--dst-type": "addrtype"}[word]: value.lower()}
        elif word == "--mark":
            said = {"mark": value}
        elif word == "--ctstate":
            said = {states: sorted(value.lower().split(","))}
        elif word == "--tcp-flags":
            mask = sum(FLAGS[flag] for flag in value.split(","))
            said = {"tcp_flags": "0x%x/0x%x" % (FLAGS[words.pop(0)], mask)}
        elif word == "--limit":
            said = {"limit": True}
        elif word == "-j":
            action = value.lower()
        elif word in ("--to-destination", "--to-source"):
            to = address_and_port(value)
        elif word in ("--to-ports", "--on-port"):
            to = {**target("", value), **{key: told for key, told in (to or {}).items() if told}}
        elif word == "--on-ip":
            to = {**(to or {}), **({} if value in ("0.0.0.0", "::") else {"address": value})}
        else:
            assert word in ("-m", "--comment", "--reject-with", "--tproxy-mark"), line
        if said:
            match.update(said)
            if negated:
                match["%s_negated" % next(iter(said))] = True
        negated = negated and word in ("-m",)
    return action, lab.canonical(match), lab.canonical(to)


def ports(name: str, value: str) -> dict[str, Any]:
    low, colon, high = value.partition(":")
    return {name: int(low), name + "_max": int(high)} if colon else {name: int(low)}


def address_and_port(value: str) -> dict[str, Any]:
    found = re.fullmatch(r"\[(.*)\](?::(.*))?|([^:]*)(?::([^:]*))?|(.*)", value)
    assert found
    bracketed, its_port, plain, port, bare = found.groups()
    return target(bracketed or plain or bare, its_port or port or "")


def target(addresses: str, ports_: str) -> dict[str, Any]:
    first, _dash, last = addresses.partition("-")
    both, slash, base = ports_.partition("/")
    low, _dash, high = both.partition("-")
    found: dict[str, Any] = {"address": first or None, "address_max": last or None,
                             "port": int(low) if low else None, "port_max": int(high) if high else None}
    if slash:
        found["port_base"] = int(base)
    return found


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_rule_is_what_iptables_save_says_of_it(in_child: Callable[..., Any], family: str, line: str) -> None:
    program = FAMILIES[family][0]

    def inside() -> Any:
        lab.run("%s -t nat -N DOCKER\n%s" % (program, spelled(family, line)))
        saved = [row for row in lab.told(program + "-save") if row.startswith("-A")]
        return lab.take(), saved

    (found, problems), saved = in_child(inside, NET)
    assert len(saved) == 1
    rows = [(row["action"], lab.canonical(row["match"]), lab.canonical(row["to"])) for row in found["decoded"]]
    assert rows == [as_saved(saved[0])]
    row = found["decoded"][0]
    assert (row["family"], row["complete"]) == (family, True)
    assert row["chain"] == saved[0].split()[1]
    assert problems == []


@pytest.mark.parametrize("more", [
    "-m length --length 5", "--tcp-option 8", "-m conntrack --ctorigdst 10.0.0.1",
])
def test_what_is_not_understood_is_said(in_child: Callable[..., Any], more: str) -> None:
    def inside() -> Any:
        lab.run("iptables-nft -A FORWARD -p tcp -m tcp --dport 7 %s -j DROP" % more)
        return lab.take()

    found, problems = in_child(inside, NET)
    assert [(row["action"], row["match"], row["complete"]) for row in found["decoded"]] == [
        ("drop", {"protocol": "tcp", "port": 7}, False)]
    assert problems == []


def test_jumps_and_policies_are_those_of_iptables_save(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        lab.run("""
            iptables-nft -t nat -N DOCKER
            iptables-nft -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
            iptables-nft -t nat -A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
            iptables-nft -t nat -A DOCKER -j RETURN
            iptables-nft -N DOCKER-USER
            iptables-nft -A FORWARD -g DOCKER-USER
            iptables-nft -P FORWARD DROP
        """)
        return lab.take(), lab.told("iptables-nft-save")

    (found, problems), saved = in_child(inside, NET)
    tables = {table["name"]: {chain["name"]: chain for chain in table["chains"]} for table in found["tables"]}
    assert {":%s %s" % (name, chain["policy"].upper()) for chains in tables.values() for name, chain in chains.items()
            if chain["policy"]} <= {line.partition(" [")[0] for line in saved}
    assert tables["filter"]["FORWARD"]["policy"] == "drop"
    assert lab.our_jumps(found) == sorted([
        ("ip", "nat", "PREROUTING", "DOCKER", {"addrtype": "local"}),
        ("ip", "nat", "OUTPUT", "DOCKER", {
            "addrtype": "local", "destination": "127.0.0.0/8", "destination_negated": True}),
        ("ip", "filter", "FORWARD", "DOCKER-USER", {}),
    ], key=repr)
    assert found["rules"] == len([line for line in saved if line.startswith("-A")]) == 4
    assert (found["decoded"], problems) == ([], [])


def test_5000_rules_are_those_of_iptables_save(in_child: Callable[..., Any], host_root: bool) -> None:
    # Who is root of a user namespace only may not have a socket large enough to make so many at once.
    count = 5000 if host_root else 300

    def inside() -> Any:
        rules = "".join("-A FORWARD -s 10.0.%d.%d/32 -p tcp -m tcp --dport %d -j DROP\n" % (
            *divmod(number, 256), number + 1) for number in range(count))
        lab.subprocess.run(["iptables-nft-restore"], input="*filter\n%sCOMMIT\n" % rules, encoding="ascii", check=True,
                           timeout=lab.SECONDS)
        return lab.take(10_000), [line for line in lab.told("iptables-nft-save") if line.startswith("-A")]

    (found, problems), saved = in_child(inside, NET)
    rows = [(row["action"], lab.canonical(row["match"]), row["to"]) for row in found["decoded"]]
    assert rows == [as_saved(line) for line in saved]
    assert len(rows) == count
    assert problems == []


def test_legacy_tables_are_named(in_child: Callable[..., Any], tmp_path: Path) -> None:
    def inside() -> Any:
        # That of the machine is root's.
        os.environ["XTABLES_LOCKFILE"] = str(tmp_path / "xtables.lock")
        before = lab.take()[0]["legacy"]
        lab.run("""
            iptables-legacy -t nat -L
            iptables-legacy -L
            ip6tables-legacy -t mangle -L
        """)
        return before, lab.take()

    before, (found, problems) = in_child(inside, NET)
    assert before == {}
    assert {family: sorted(names) for family, names in found["legacy"].items()} == {
        "ip": ["filter", "nat"], "ip6": ["mangle"]}
    assert (found["tables"], problems) == ([], [])

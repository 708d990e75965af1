# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules that nft(8) wrote, read by us and by nft(8)."""

from __future__ import annotations

import resource
import socket
import time
from typing import Any, Callable

import firewall_lab as lab
import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import namespaces
from ansible_collections.nsfleet.linux.plugins.module_utils._network import firewall
from ansible_collections.nsfleet.linux.plugins.module_utils._network.look import Look
from ansible_collections.nsfleet.linux.tests.unit.recorded.modules import Loaded

NET = namespaces.CLONE_NEWNET
# Family and type of a chain, and its rules: one of each kind that nft(8) can write on this kernel (which has no queue).
STATEMENTS = {
    "ip nat prerouting": """
        meta l4proto tcp dnat to 10.0.0.7:6443
        iifname != "docker0" tcp dport 8080 counter dnat to 172.17.0.2:80
        ip daddr 127.0.0.1 tcp dport 8081 dnat to 172.17.0.2:81
        ip daddr 192.168.0.0/16 tcp dport != 5 dnat to 10.0.0.3-10.0.0.9:1000-2000 random
        ip saddr 1.2.3.4 ip daddr 10.0.0.0/8 tcp sport 5 tcp dport 9 dnat to 10.0.0.3
        tcp dport 1-100 redirect to :8080
        tcp dport { 200, 201, 300-310 } dnat to 10.0.0.5
        tcp dport { 400, 402 } dnat to 10.0.0.5
        tcp sport 7 tcp dport != { 400, 402 } dnat to 10.0.0.5
        ip daddr . tcp dport { 10.1.0.0/24 . 1-5, 10.2.0.1 . 7 } dnat to 10.0.0.4
        ip daddr { 10.1.0.0/24, 10.2.0.1 } tcp dport 7 dnat to 10.0.0.4
        meta l4proto tcp dnat to tcp dport map @ports
        meta l4proto tcp dnat to tcp dport map { 100 : 10.0.0.1, 101 : 10.0.0.2 }
        dnat ip addr . port to tcp dport map { 500-600 : 10.0.0.1 . 50-60 }
        dnat ip to numgen inc mod 2 map { 0 : 10.0.0.8, 1 : 10.0.0.9 }
        meta mark 1-10 tcp dport 5 redirect
        sctp dport 7 dnat to 10.0.0.5:70
        udp dport 53 redirect to :5353-5360
    """,
    "ip nat postrouting": """
        oifname != "docker0" ip saddr 172.17.0.0/16 masquerade
        ip saddr 10.0.0.0/8 snat to 1.2.3.4
        meta l4proto tcp masquerade to :1024-2048 random
        ip saddr 10.1.0.0/25 ip daddr != 10.1.0.0/25 masquerade
    """,
    "ip6 nat prerouting": """
        tcp dport 8080 dnat to [fd00::2]:80
        ip6 daddr ::1 tcp dport 8081 dnat to [fd00::2]
        ip6 daddr fd00:1::/49 udp dport 8082 dnat to [fd00::2]:82
        ip6 daddr . udp dport { fd00:2::/64 . 1-5, fd00:3::1 . 7 } dnat to fd00::3
    """,
    "inet nat prerouting": """
        tcp dport 9000 dnat ip to 10.0.0.1:90
        tcp dport 9001 dnat ip6 to [fd00::1]:91
        udp dport 53 redirect to :5353
        ip daddr 10.9.0.1 tcp dport 7 dnat ip to 10.0.0.1
    """,
    "inet filter input": """
        ct state established,related accept
        ct state invalid drop
        ct status dnat drop
        ct mark 5 drop
        meta mark 0x10 drop
        meta mark and 0xff == 0x20 drop
        meta pkttype broadcast drop
        ip saddr @blocked drop
        tcp flags syn limit rate 10/second reject with tcp reset
        reject with icmpx type admin-prohibited
        ip6 saddr fd00::/8 udp dport 53 drop
        iifname "eth*" drop
        iif lo accept
        iif lo drop
        iifname { "a", "b" } drop
        icmp type echo-request drop
        icmpv6 type { 1, 2 } drop
        meta skuid 0 drop
        log prefix "x" drop
        ip saddr != 10.0.0.1-10.0.0.9 drop
        tcp dport > 1024 drop
        meta nfproto ipv6 drop
        ct state vmap { established : accept, invalid : drop }
        tcp dport vmap { 22 : accept, 23 : drop }
        meta mark set 7 accept
    """,
    "inet filter prerouting": """
        meta l4proto tcp tproxy to :5000
        tcp dport 80 tproxy ip to 127.0.0.1:5000
    """,
    "bridge filter input": """
        ip saddr 1.2.3.4 drop
        ether type ip6 drop
    """,
    "arp filter input": "drop",
}
RULES = [(where, rule.strip()) for where, rules in STATEMENTS.items() for rule in rules.strip().splitlines()]
SETS = """
    map ports {
        type inet_service : ipv4_addr . inet_service
        elements = { 80 : 10.0.0.1 . 8080, 81 : 10.0.0.2 . 8081 }
    }
    set blocked {
        type ipv4_addr
        flags interval
        elements = { 1.0.0.0/8, 2.0.0.1, 3.0.0.0-3.0.0.4 }
    }
"""
# Chains, hooks, priorities, policies; jumps, by verdict maps too.
SHAPES = """
table inet asleep {
    flags dormant
    chain in {
        type filter hook input priority 7; policy drop;
        drop
    }
}
table ip nat {
    map services {
        type ipv4_addr . inet_proto . inet_service : verdict
        elements = { 10.96.0.1 . tcp . 443 : goto service }
    }
    chain service {
        meta l4proto tcp dnat to 10.0.0.7:6443
    }
    chain other {
    }
    chain pre {
        type nat hook prerouting priority dstnat; policy accept;
        fib daddr type local jump other
        ip daddr . meta l4proto . th dport vmap @services
        tcp dport vmap { 22 : accept, 24 : jump other }
        numgen random mod 2 vmap { 0 : goto service, 1 : goto other }
        iifname vmap { "docker0" : drop, "br-*" : jump other }
    }
    chain out {
        type nat hook output priority -100;
    }
    chain post {
        type nat hook postrouting priority srcnat + 5;
    }
}
table ip6 f {
    chain forward {
        type filter hook forward priority filter; policy drop;
        accept
        accept
    }
    chain route {
        type route hook output priority mangle;
    }
}
table arp f {
    chain out {
        type filter hook output priority 0;
    }
}
table bridge f {
    chain pre {
        type filter hook prerouting priority -300;
    }
}
table netdev f {
    chain ingress {
        type filter hook ingress device lo priority -500;
        ip saddr 1.2.3.4 drop
    }
}
"""


def test_an_empty_namespace_has_no_tables(in_child: Callable[..., Any]) -> None:
    found, problems = in_child(lab.take, NET)
    assert (found["tables"], found["rules"], found["decoded"], found["legacy"]) == ([], 0, [], {})
    assert found["generation"] == 1
    assert problems == []


@pytest.mark.parametrize(("where", "rule"), RULES, ids=[rule for where, rule in RULES])
def test_a_rule_is_what_nft_says_of_it(in_child: Callable[..., Any], where: str, rule: str) -> None:
    family, kind, hook = where.split()

    def inside() -> Any:
        hooks = "type %s hook %s priority 0;" % (kind, hook)
        sets = SETS if "@" in rule else ""
        lab.load("table %s t {\n%s\nchain c {\n%s\n%s\n}\n}\n" % (family, sets, hooks, rule))
        return lab.take(), lab.Nft().rows()

    (found, problems), told = in_child(inside, NET)
    assert lab.ours(found) == told
    assert [row["complete"] for row in found["decoded"]] == [True] * len(told)
    assert bool(told) == ("accept" not in rule or "vmap" in rule)
    assert problems == []


def test_tables_chains_and_numbers_of_rules_are_nft_s(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        lab.load(SHAPES)
        nft = lab.Nft()
        return lab.take()[0], nft.tables(), nft.chains(), len(nft.of("rule")), lab.told("nft list ruleset")

    found, tables, chains, rules, text = in_child(inside, NET)
    assert lab.our_tables(found) == tables
    assert lab.our_chains(found) == chains
    assert found["rules"] == rules
    # The JSON of nft 1.0.6 has no devices.
    assert [line.split('"')[1] for line in text if " device " in line] == [
        device for table in found["tables"] for chain in table["chains"] for device in chain["devices"]] == ["lo"]
    assert [table["flags"] for table in found["tables"]] == [["dormant"], [], [], [], [], []]


def test_jumps_are_nft_s_with_what_leads_to_them(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        lab.load(SHAPES)
        return lab.take()[0], lab.Nft().rows()

    found, told = in_child(inside, NET)
    jumps = [(*row[:3], row[6], row[5]) for row in told if row[4] == "jump"]
    assert lab.our_jumps(found) == sorted(jumps, key=repr)
    assert len(jumps) == 6
    assert lab.ours(found) == [row for row in told if row[4] != "jump"]


def test_the_generation_grows_with_each_change(in_child: Callable[..., Any]) -> None:
    def inside() -> list[int]:
        found = [lab.take()[0]["generation"]]
        for number in range(3):
            lab.load("add table ip t%d" % number)
            found.append(lab.take()[0]["generation"])
        return found

    first, *others = in_child(inside, NET)
    assert others == [first + 1, first + 2, first + 3]


def test_what_changes_all_the_time_is_said(in_child: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def inside() -> Any:
        lab.load("add table ip t; add chain ip t c")
        chains = firewall.nft.Nftables.chains

        def changing(self: Any) -> Any:
            lab.load("add rule ip t c drop")
            return chains(self)

        monkeypatch.setattr(firewall.nft.Nftables, "chains", changing)
        return lab.take()

    found, problems = in_child(inside, NET)
    assert problems == [{"what": "firewall", "reason": "changed while it was read", "count": 1}]
    assert found["tables"][0]["chains"][0]["rules"] == found["rules"] == 4


def test_what_changes_once_is_read_again(in_child: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def inside() -> Any:
        lab.load("add table ip t; add chain ip t c")
        chains = firewall.nft.Nftables.chains
        left = [1]

        def changing(self: Any) -> Any:
            found = list(chains(self))
            if left:
                left.pop()
                lab.load("add chain ip t later; add rule ip t later drop")
            return iter(found)

        monkeypatch.setattr(firewall.nft.Nftables, "chains", changing)
        return lab.take()

    found, problems = in_child(inside, NET)
    assert problems == []
    assert [chain["name"] for chain in found["tables"][0]["chains"]] == ["c", "later"]
    assert found["generation"] == 3


def test_of_5000_rules_all_are_counted_and_the_first_are_decoded(in_child: Callable[..., Any], host_root: bool) -> None:
    # Who is root of a user namespace only may not have a socket large enough to make so many at once.
    count = 5000 if host_root else 800

    def inside() -> Any:
        rules = "".join("ip saddr 10.0.%d.%d drop\n" % divmod(number, 256) for number in range(count))
        lab.load("table ip t {\nchain c {\ntype filter hook input priority 0;\n%s}\n}\n" % rules)
        nft = lab.Nft()
        return lab.take(), nft.chains(), nft.rows()

    (found, problems), chains, told = in_child(inside, NET)
    assert lab.our_chains(found) == chains
    assert found["rules"] == count
    first = set(sorted(row[3] for row in told)[:500])
    assert lab.ours(found) == [row for row in told if row[3] in first]
    assert problems == [{"what": "firewall rules", "reason": "truncated", "count": count - 500}]


def test_100000_rules_cost_little_memory_and_time(in_child: Callable[..., Any], host_root: bool) -> None:
    each, chains = (50_000, "ab") if host_root else (600, "abcdefghij")

    def inside() -> Any:
        rules = "".join("ip saddr 10.%d.%d.1 drop\n" % divmod(number, 256) for number in range(each))
        for chain in chains:
            lab.load("table ip t {\nchain %s {\n%s}\n}\n" % (chain, rules))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.process_time()
        found, problems = lab.take()
        used = time.process_time() - start
        return found["rules"], len(found["decoded"]), used, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

    rules, decoded, used, grown = in_child(inside, NET)
    assert (rules, decoded) == (each * len(chains), 500)
    assert used < 8
    assert grown < 40_000


def test_a_hundred_rules_are_decoded_in_15_milliseconds(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        rules = "".join('iifname != "docker0" tcp dport %d counter dnat to 172.17.0.2:80\n' % (number + 1)
                        for number in range(100))
        lab.load("table ip t {\nchain c {\ntype nat hook prerouting priority 0;\n%s}\n}\n" % rules)
        times = []
        for _attempt in range(9):
            start = time.process_time()
            found = lab.take()[0]
            times.append(time.process_time() - start)
        return min(times), len(found["decoded"])

    used, decoded = in_child(inside, NET)
    assert decoded == 100
    assert used < 0.015


def test_tables_chains_and_jumps_that_are_too_many_are_counted(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        chains = "".join("add chain ip t0 c%d\n" % number for number in range(9))
        jumps = "".join("add rule ip t0 c0 tcp dport %d jump c1\n" % (number + 1) for number in range(9))
        lab.load("".join("add table ip t%d\n" % number for number in range(9)) + chains + jumps)
        return lab.take(5)

    found, problems = in_child(inside, NET)
    assert len(found["tables"]) == len(found["tables"][0]["chains"]) == 5
    assert len(found["tables"][0]["chains"][0]["jumps"]) == 5
    assert found["rules"] == 9
    assert {problem["what"]: (problem["reason"], problem["count"]) for problem in problems} == {
        what: ("truncated", 4) for what in ("firewall tables", "firewall chains", "firewall jumps")
    }


def test_a_set_that_is_too_large_is_named(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        elements = ", ".join("10.0.%d.%d" % divmod(number, 256) for number in range(1025))
        lab.load("table ip t {\nset many {\ntype ipv4_addr\nelements = { %s }\n}\nchain c {\nip saddr @many drop\n"
                 "ip daddr != @many drop\ntcp dport 7 drop\n}\n}\n" % elements)
        return lab.take()

    found, problems = in_child(inside, NET)
    assert [(row["match"], row["complete"]) for row in found["decoded"]] == [
        ({"sets": ["many"]}, True), ({"sets": ["many"], "sets_negated": True}, True),
        ({"protocol": "tcp", "port": 7}, True),
    ]
    assert problems == [{"what": "firewall sets", "reason": "truncated", "count": 2}]


def test_sets_that_are_used_too_often_are_named(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        elements = ", ".join("%d : 10.0.0.1" % (port + 1) for port in range(1000))
        lab.load("table ip t {\nmap m {\ntype inet_service : ipv4_addr\nelements = { %s }\n}\nchain c {\n"
                 "type nat hook prerouting priority 0;\n%s}\n}\n" % (
                     elements, "meta l4proto tcp dnat to tcp dport map @m\n" * 100))
        start = time.process_time()
        found, problems = lab.take(100_000)
        return len(found["decoded"]), problems, time.process_time() - start

    decoded, problems, used = in_child(inside, NET)
    assert decoded == 20 * 1000 + 80
    assert problems == [{"what": "firewall sets", "reason": "truncated", "count": 80}]
    assert used < 3


def test_without_the_module_nothing_is_asked(in_child: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def inside() -> Any:
        lab.load("add table ip t")

        def refuse(*_arguments: object) -> Any:
            raise AssertionError("a socket was opened")

        monkeypatch.setattr(socket, "socket", refuse)
        return [lab.take(modules=Loaded(*names)) for names in (["nothing"], ["nfnetlink"], ["nf_tables"])]

    for found, problems in in_child(inside, NET):
        assert (found["generation"], found["tables"], problems) == (None, [], [])


def test_who_may_not_ask_is_told(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        # Its rights end where the network is: that belongs to the user namespace above.
        namespaces.unshare(namespaces.CLONE_NEWUSER)
        with pytest.raises(PermissionError):
            firewall.take(Look(500, time.monotonic() + 5), Loaded())
        return True

    assert in_child(inside, NET)


def test_a_comment_is_no_expression(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        lab.load('table ip t {\nchain c {\naccept comment "nat masq redir"\ndrop comment "accept"\n}\n}\n')
        return lab.take()

    found, problems = in_child(inside, NET)
    assert [row["action"] for row in found["decoded"]] == ["drop"]
    assert problems == []


def test_conntrack_s_numbers_are_the_kernel_s(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        lab.load("table ip t {\nchain c {\ntype filter hook output priority 0;\nct state new accept\n}\n}\n")
        lab.run("ip link set lo up")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"x", ("127.0.0.1", 9))
            sender.sendto(b"x", ("127.0.0.1", 10))
        with open("/proc/sys/net/netfilter/nf_conntrack_count", encoding="ascii") as count, open(
                "/proc/sys/net/netfilter/nf_conntrack_max", encoding="ascii") as most:
            return lab.take()[0]["conntrack"], int(count.read()), int(most.read())

    found, count, most = in_child(inside, NET)
    assert found == {"count": count, "max": most}
    assert count >= 2


def test_without_conntrack_there_are_no_numbers(in_child: Callable[..., Any], tmp_path: Any) -> None:
    found, problems = in_child(lambda: lab.take(root=str(tmp_path)), NET)
    assert found["conntrack"] is None
    assert problems == []

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules as engines write them that are not here, given to the kernel: the ports that they publish.

After Docker 29 (--firewall-backend=nftables), netavark 1.10 (nftables), kube-proxy 1.31 (nftables mode and iptables),
Docker's DNS for containers. What engines write that are here: tests/engines/test_published_ports.py.
"""

from __future__ import annotations

from typing import Any, Callable

import firewall_lab as lab
import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import namespaces
from ansible_collections.nsfleet.linux.plugins.module_utils._model.inventory import Problems
from ansible_collections.nsfleet.linux.plugins.module_utils._network.published import published

DOCKER_29 = """
table ip docker-bridges {
    map filter-forward-in-jumps {
        type ifname : verdict
        elements = { "docker0" : jump filter-forward-in__docker0 }
    }
    chain filter-FORWARD {
        type filter hook forward priority filter; policy accept;
        oifname vmap @filter-forward-in-jumps
    }
    chain filter-forward-in__docker0 {
        ct state established,related counter accept
        iifname "docker0" counter accept
        ip daddr 172.17.0.2 tcp dport 80 counter accept
        counter drop
    }
    chain nat-OUTPUT {
        type nat hook output priority -100; policy accept;
        ip daddr != 127.0.0.0/8 fib daddr type local counter jump nat-prerouting-and-output
    }
    chain nat-PREROUTING {
        type nat hook prerouting priority dstnat; policy accept;
        fib daddr type local counter jump nat-prerouting-and-output
    }
    chain nat-prerouting-and-output {
        iifname != "docker0" tcp dport 8080 counter dnat to 172.17.0.2:80
        ip daddr 127.0.0.1 iifname != "docker0" udp dport 53 counter dnat to 172.17.0.2:5353
    }
    chain raw-PREROUTING {
        type filter hook prerouting priority raw; policy accept;
        iifname != "docker0" ip daddr 172.17.0.2 counter drop
    }
}
table ip6 docker-bridges {
    chain nat-PREROUTING {
        type nat hook prerouting priority dstnat; policy accept;
        fib daddr type local counter jump nat-prerouting-and-output
    }
    chain nat-prerouting-and-output {
        iifname != "docker0" tcp dport 8080 counter dnat to [fd00::2]:80
    }
}
"""
NETAVARK = """
table inet netavark {
    chain NETAVARK-HOSTPORT-SETMARK {
        meta mark set meta mark or 0x2000
    }
    chain NETAVARK-HOSTPORT-DNAT {
        tcp dport 8080 jump nv_2f259bab_10_88_0_0_nm16_dnat
        ip daddr 127.0.0.1 tcp dport 8081 jump nv_2f259bab_10_88_0_0_nm16_dnat
    }
    chain nv_2f259bab_10_88_0_0_nm16_dnat {
        ip saddr 10.88.0.0/16 tcp dport 8080 jump NETAVARK-HOSTPORT-SETMARK
        tcp dport 8080 dnat ip to 10.88.0.5:80
        ip daddr 127.0.0.1 tcp dport 8081 dnat ip to 10.88.0.5:81
    }
    chain PREROUTING {
        type nat hook prerouting priority dstnat; policy accept;
        fib daddr type local jump NETAVARK-HOSTPORT-DNAT
    }
    chain OUTPUT {
        type nat hook output priority -100; policy accept;
        fib daddr type local jump NETAVARK-HOSTPORT-DNAT
    }
}
"""
KUBE_PROXY = """
table ip kube-proxy {
    chain mark-for-masquerade {
        meta mark set meta mark or 0x4000
    }
    chain endpoint-a {
        ip saddr 10.244.0.5 jump mark-for-masquerade
        meta l4proto tcp dnat to 10.244.0.5:8080
    }
    chain endpoint-b {
        meta l4proto tcp dnat to 10.244.0.6:8080
    }
    chain service-x {
        numgen random mod 2 vmap { 0 : goto endpoint-a, 1 : goto endpoint-b }
    }
    chain external-x {
        jump mark-for-masquerade
        goto service-x
    }
    set nodeport-ips {
        type ipv4_addr
        elements = { 192.0.2.1 }
    }
    map service-ips {
        type ipv4_addr . inet_proto . inet_service : verdict
        elements = { 10.96.0.1 . tcp . 443 : goto service-x }
    }
    map service-nodeports {
        type inet_proto . inet_service : verdict
        elements = { tcp . 30080 : goto external-x }
    }
    chain services {
        ip daddr . meta l4proto . th dport vmap @service-ips
        ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports
    }
    chain nat-prerouting {
        type nat hook prerouting priority dstnat; policy accept;
        jump services
    }
}
"""
KUBE_IPTABLES = """
*nat
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-EXT-X - [0:0]
:KUBE-SVC-X - [0:0]
:KUBE-SEP-A - [0:0]
:KUBE-SEP-B - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment "web" -m tcp --dport 443 -j KUBE-SVC-X
-A KUBE-SERVICES -m comment --comment "nodeports" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-NODEPORTS -p tcp -m comment --comment "web" -m tcp --dport 30080 -j KUBE-EXT-X
-A KUBE-EXT-X -j KUBE-SVC-X
-A KUBE-SVC-X -m statistic --mode random --probability 0.5 -j KUBE-SEP-A
-A KUBE-SVC-X -j KUBE-SEP-B
-A KUBE-SEP-A -p tcp -m tcp -j DNAT --to-destination 10.244.0.5:8080
-A KUBE-SEP-B -p tcp -m tcp -j DNAT --to-destination 10.244.0.6:8080
COMMIT
"""
EMBEDDED_DNS = """
*nat
:DOCKER_OUTPUT - [0:0]
-A OUTPUT -d 127.0.0.11/32 -j DOCKER_OUTPUT
-A DOCKER_OUTPUT -d 127.0.0.11/32 -p tcp -m tcp --dport 53 -j DNAT --to-destination 127.0.0.11:42383
-A DOCKER_OUTPUT -d 127.0.0.11/32 -p udp -m udp --dport 53 -j DNAT --to-destination 127.0.0.11:33961
COMMIT
"""
EXPECTED = {
    "docker 29": (DOCKER_29, [
        ("tcp", "0.0.0.0", 8080, "172.17.0.2", 80), ("tcp", "::", 8080, "fd00::2", 80),
        ("udp", "127.0.0.1", 53, "172.17.0.2", 5353)]),
    "netavark": (NETAVARK, [
        ("tcp", "0.0.0.0", 8080, "10.88.0.5", 80), ("tcp", "127.0.0.1", 8081, "10.88.0.5", 81)]),
    "kube-proxy nftables": (KUBE_PROXY, [
        ("tcp", "192.0.2.1", 30080, "10.244.0.5", 8080), ("tcp", "192.0.2.1", 30080, "10.244.0.6", 8080)]),
    "kube-proxy iptables": (KUBE_IPTABLES, [
        ("tcp", "0.0.0.0", 30080, "10.244.0.5", 8080), ("tcp", "0.0.0.0", 30080, "10.244.0.6", 8080)]),
    "docker's embedded dns": (EMBEDDED_DNS, []),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_rules_of_an_engine_tell_its_ports(in_child: Callable[..., Any], name: str) -> None:
    rules, expected = EXPECTED[name]

    def inside() -> Any:
        if "*nat" in rules:
            lab.subprocess.run(["iptables-nft-restore"], input=rules, encoding="ascii", check=True, timeout=lab.SECONDS)
        else:
            lab.load(rules)
        firewall, unseen = lab.take()
        problems = Problems()
        network: Any = {"firewall": firewall, "listening": [], "addresses": [{"address": "192.0.2.1"}]}
        rows = published("net:[1]", network, [], {}.get, [], True, problems)
        return rows, unseen + problems.as_list(), firewall["decoded"]

    rows, problems, decoded = in_child(inside, namespaces.CLONE_NEWNET)
    found = [(row["protocol"], row["host_address"], row["host_port"], row["address"], row["port"]) for row in rows]
    assert sorted(found) == expected
    assert {proof for row in rows for proof in row["proved_by"]} <= {"nftables"}
    assert problems == []
    assert all(row["complete"] for row in decoded)

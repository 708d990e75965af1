# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each command that changes a state gives a difference in the tool's words; the same desired state again gives none."""

from __future__ import annotations

import ctypes
import os
import subprocess
import textwrap
import time
from pathlib import Path
from typing import Any, Callable

import exec_state_lab as lab
import pytest

RULES = """
table inet f {
    set blocked { type ipv4_addr; size 99; flags interval; elements = { 10.9.0.0/16, 192.0.2.7 } }
    set seen { type ipv4_addr; flags dynamic,timeout; timeout 1h; }
    map ways { type inet_service : verdict; elements = { 22 : accept, 23 : drop } }
    counter c { }
    chain in {
        type filter hook input priority 0; policy accept;
        tcp dport 80 counter accept
        ip saddr @blocked drop
        ip saddr { 192.0.2.1, 198.51.100.0/24 } tcp dport { 80, 443 } ct state established,related accept
        tcp dport vmap @ways
        iifname "eth0" limit rate 5/second burst 7 packets log prefix "x" reject with icmpx admin-prohibited
        meta mark 0x7 meta mark set 0x9
        tcp flags syn tcp dport 53 quota 1000 bytes drop comment "never"
        add @seen { ip saddr }
    }
    chain nat {
        type nat hook prerouting priority -100;
        tcp dport 8080 dnat ip to 10.0.0.5:80
    }
}
"""

# What is run before; the command; words of a line that is new, of one that is gone; the command again (itself).
ROWS: dict[str, tuple[str, str, str, str, str]] = {
    "address": ("", "ip address replace 10.7.0.1/16 dev eth0", "address 10.7.0.1/16 dev eth0 scope global", "", ""),
    "address gone": ("", "ip address flush dev eth0", "", "address 10.0.0.2/24 dev eth0 scope global", ""),
    "label": ("", "ip address replace 10.7.0.1/32 dev eth0 label eth0:1", "label eth0:1", "", ""),
    "route": ("", "ip route replace 10.50.0.0/16 via 10.0.0.1",
              "route 10.50.0.0/16 via 10.0.0.1 dev eth0 table main", "", ""),
    "default route": ("", "ip route replace default via 10.0.0.3", "route default via 10.0.0.3 dev eth0 table main",
                      "route default via 10.0.0.1 dev eth0 table main", ""),
    "route of a table": ("", "ip route replace blackhole 10.51.0.0/16 table 100 metric 7",
                         "route blackhole 10.51.0.0/16 table 100 proto boot scope global metric 7", "", ""),
    "several hops": (
        "", "ip route replace 10.52.0.0/16 nexthop via 10.0.0.7 weight 2 nexthop via 10.0.0.8",
        "nexthop via 10.0.0.7 dev eth0 weight 2 nexthop via 10.0.0.8 dev eth0 weight 1", "", ""),
    "mtu of a route": ("", "ip route replace 10.50.0.0/16 via 10.0.0.1 mtu 1300", "mtu 1300", "", ""),
    "rule": ("", "ip rule add from 10.0.0.0/8 lookup 100 priority 100", "rule 100: from 10.0.0.0/8 lookup 100", "",
             "ip rule show"),
    "rule gone": ("ip rule add fwmark 7 lookup 100 priority 9", "ip rule del priority 9", "",
                  "rule 9: from all fwmark 0x7 lookup 100", "ip rule show"),
    "neighbour": ("", "ip neigh replace 10.0.0.9 lladdr 02:00:00:00:00:09 dev eth0 nud permanent",
                  "neighbour 10.0.0.9 lladdr 02:00:00:00:00:09 dev eth0 permanent", "", ""),
    "noarp neighbour": ("", "ip neigh replace 10.0.0.9 lladdr 02:00:00:00:00:09 dev eth0 nud noarp",
                        "neighbour 10.0.0.9 lladdr 02:00:00:00:00:09 dev eth0 noarp", "", ""),
    "proxy neighbour": ("", "ip neigh replace proxy 10.0.0.99 dev eth0", "neighbour 10.0.0.99 dev eth0 proxy", "", ""),
    "ipset": ("", "ipset create web hash:ip", "ipset web hash:ip", "", "ipset list"),
    "member of an ipset": ("ipset create web hash:ip,port", "ipset -exist add web 192.0.2.7,tcp:80",
                           "ipset web member 192.0.2.7,tcp:80", "", ""),
    "network in an ipset": ("ipset create nets hash:net family inet6", "ipset -exist add nets 2001:db8::/32",
                            "ipset nets member 2001:db8::/32", "", ""),
    "member gone": ("ipset create web hash:ip counters timeout 600\nipset add web 192.0.2.7", "ipset flush web", "",
                    "ipset web member 192.0.2.7", ""),
    "next hop": ("", "ip nexthop replace id 5 via 10.0.0.1 dev eth0", "nexthop id 5 via 10.0.0.1 dev eth0", "", ""),
    "mtu": ("", "ip link set eth0 mtu 1400", "link eth0 mtu 1400", "link eth0 mtu 1500", ""),
    "down": ("", "ip link set peer0 down", "link peer0 state DOWN", "link peer0 state UP", ""),
    "hardware address": ("", "ip link set peer0 address 02:00:00:00:00:77", "link peer0 address 02:00:00:00:00:77",
                         "link peer0 address ", ""),
    "promiscuous": ("", "ip link set eth0 promisc on", "link eth0 flags PROMISC,MULTICAST", "link eth0 flags MULTICAST",
                    ""),
    "queue length": ("", "ip link set eth0 txqueuelen 77", "link eth0 qlen 77", "link eth0 qlen 1000", ""),
    "alias": ("", "ip link set eth0 alias front", "link eth0 alias front", "", ""),
    "alternative name": ("", "ip link property add dev eth0 altname outside", "link eth0 altname outside", "",
                         "ip link show"),
    "name": ("ip link set peer0 down", "ip link set peer0 name other0", "link other0 type veth",
             "link peer0 type veth", "ip link show"),
    "new link": ("", "ip link add br0 type bridge", "link br0 type bridge mtu 1500 state DOWN", "", "ip link show"),
    "port of a bridge": ("ip link add br0 type bridge", "ip link set peer0 master br0", "link peer0 master br0",
                         "link br0 address ", ""),
    "option of a bridge": ("ip link add br0 type bridge", "ip link set br0 type bridge ageing_time 1000",
                           "link br0 ageing_time 1000", "link br0 ageing_time 30000", ""),
    "option of a port": ("ip link add br0 type bridge\nip link set peer0 master br0",
                         "bridge link set dev peer0 hairpin on", "link peer0 port hairpin on",
                         "link peer0 port hairpin off", ""),
    "forwarding entry": (
        "ip link add br0 type bridge\nip link set peer0 master br0",
        "bridge fdb replace 02:00:00:00:00:33 dev peer0 master static",
        "fdb 02:00:00:00:00:33 dev peer0 static master br0", "", ""),
    "queueing": ("", "tc qdisc replace dev eth0 root handle 1: htb default 10", "qdisc htb 1: dev eth0 root",
                 "qdisc noqueue 0: dev eth0 root", "tc qdisc show"),
    "class": ("tc qdisc add dev eth0 root handle 1: htb",
              "tc class replace dev eth0 parent 1: classid 1:10 htb rate 1mbit", "class htb 1:10 dev eth0", "", ""),
    "sysctl": ("", "sysctl -qw net.ipv4.tcp_syncookies=2", "sysctl net.ipv4.tcp_syncookies = 2",
               "sysctl net.ipv4.tcp_syncookies = 1", ""),
    "forwarding": ("", "sysctl -qw net.ipv4.ip_forward=1", "sysctl net.ipv4.ip_forward = 1",
                   "sysctl net.ipv4.ip_forward = 0", ""),
    "sysctl of a link": ("", "sysctl -qw net.ipv4.conf.eth0.rp_filter=2", "sysctl net.ipv4.conf.eth0.rp_filter = 2",
                         "sysctl net.ipv4.conf.eth0.rp_filter = ", ""),
    "sysctl of neighbours": ("", "sysctl -qw net.ipv4.neigh.eth0.gc_stale_time=61",
                             "sysctl net.ipv4.neigh.eth0.gc_stale_time = 61",
                             "sysctl net.ipv4.neigh.eth0.gc_stale_time = 60", ""),
    "ports": ("", "sysctl -qw net.ipv4.ip_local_port_range='40000 50000'",
              "sysctl net.ipv4.ip_local_port_range = 40000 50000", "sysctl net.ipv4.ip_local_port_range = ", ""),
    "nft table": ("", "nft add table inet f", "nft table inet f", "", ""),
    "nft rule": ("nft -f rules", "nft add rule inet f in udp dport 5353 accept",
                 "nft rule inet f in: udp dport 5353 accept", "", "nft list ruleset"),
    "nft element": ("nft -f rules", "nft add element inet f blocked { 203.0.113.0/24 }",
                    "nft element inet f blocked: 203.0.113.0/24", "", ""),
    "nft policy": ("nft -f rules", "nft 'chain inet f in { policy drop; }'",
                   "nft chain inet f in type filter hook input priority 0 policy drop",
                   "nft chain inet f in type filter hook input priority 0 policy accept", ""),
    "iptables-nft": (
        "", "iptables-nft -A INPUT -s 10.0.0.0/8 -p tcp -m tcp --dport 80 -m comment --comment why -j DROP",
        "ip saddr 10.0.0.0/8", "", "iptables-nft -C INPUT -s 10.0.0.0/8 -p tcp --dport 80 -m comment --comment why "
        "-j DROP"),
    "ebtables-nft": ("", "ebtables-nft -A INPUT -s 02:00:00:00:00:01 -j DROP",
                     "nft rule bridge filter INPUT: ether saddr 02:00:00:00:00:01 counter drop", "",
                     "ebtables-nft -L"),
    "iptables": ("", "iptables-legacy -A INPUT -s 10.0.0.0/8 -p tcp --dport 80 -j DROP",
                 "iptables filter INPUT: -s 10.0.0.0/8 -p tcp -m tcp --dport 80 -j DROP", "",
                 "iptables-legacy -C INPUT -s 10.0.0.0/8 -p tcp --dport 80 -j DROP"),
    "iptables nat": (
        "", "iptables-legacy -t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 10.0.0.5:8080",
        "iptables nat PREROUTING: -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.5:8080", "",
        "iptables-legacy -t nat -L -n"),
    "iptables policy": ("", "iptables-legacy -P FORWARD DROP", "iptables filter FORWARD: policy DROP", "", ""),
    "iptables jump": ("iptables-legacy -N U", "iptables-legacy -A FORWARD ! -i eth0 -o br+ -g U",
                      "iptables filter FORWARD: ! -i eth0 -o br+ -g U", "", "iptables-legacy -S"),
    "ip6tables": ("", "ip6tables-legacy -I INPUT -s 2001:db8::/32 -j REJECT",
                  "ip6tables filter INPUT: -s 2001:db8::/32 -j REJECT --reject-with icmp6-port-unreachable", "",
                  "ip6tables-legacy -S"),
    "host name": ("hostname before", "hostname web2", "hostname web2", "hostname before", ""),
    "domain name": ("domainname before", "domainname nis.example", "domainname nis.example", "domainname before", ""),
    "shared memory": ("", "ipcmk -M 4096", "size 4096", "", "ipcs -a"),
    "semaphores": ("", "ipcmk -S 3", "nsems 3", "", "ipcs -a"),
    "queue": ("", "ipcmk -Q", "queue 0x", "", "ipcs -a"),
    "queue gone": ("ipcmk -Q", "ipcrm -q 0", "", "queue 0x", "ipcs -a"),
    "limit of ipc": ("", "sysctl -qw kernel.msgmax=9000", "sysctl kernel.msgmax = 9000", "sysctl kernel.msgmax = 8192",
                     ""),
}


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> None:
    lab.folder(tmp_path)
    (tmp_path / "rules").write_text(RULES)


@pytest.mark.parametrize("row", ROWS)
def test_a_change_is_told_once_in_the_words_of_its_tool(in_child: Callable[..., Any], row: str) -> None:
    before, command, new, gone, again = ROWS[row]

    def inside() -> Any:
        lab.network()
        lab.run(before)
        return lab.changes(command), lab.changes(again or command)

    found, repeated = in_child(inside, lab.NEW)
    assert any(new in line for line in found.after) == bool(new), found
    assert any(gone in line for line in found.before) == bool(gone), found
    assert found.unproven == []
    assert repeated == lab.nothing()


def test_a_message_queue_of_posix_is_told(in_child: Callable[..., Any]) -> None:
    def make() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.mq_open(b"/jobs", os.O_CREAT | os.O_RDWR, 0o640, None) >= 0

    found, repeated = in_child(lambda: (lab.changes(make), lab.changes(make)), lab.NEW)
    assert [line.split(" owner")[0] for line in found.after] == ["mqueue /jobs"]
    assert found.after[0].endswith("mode 640 maxmsg 10 msgsize 8192")
    assert repeated == lab.nothing()


def test_rules_loaded_again_are_the_same_rules(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        lab.network()
        lab.run("nft -f rules")
        return lab.changes("nft flush ruleset\nnft -f rules")

    assert in_child(inside, lab.NEW) == lab.nothing()


def test_a_set_of_a_rules_own_is_part_of_it(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        lab.network()
        lab.run("nft -f rules")
        # The new rule's set has the old one's name.
        Path("rules").write_text(RULES.replace("{ 80, 443 }", "{ 80, 8443 }"))
        return lab.changes("nft flush ruleset\nnft -f rules")

    found = in_child(inside, lab.NEW)
    assert [line for line in found.before if "{ 80, 443 }" in line] == found.before
    assert [line for line in found.after if "{ 80, 8443 }" in line] == found.after
    assert len(found.before) == len(found.after) == 1


@pytest.mark.parametrize("old, new", [
    ("limit rate 5/second", "limit rate 6/second"), ("10.0.0.5:80", "10.0.0.5:81"), ("23 : drop", "23 : accept"),
    ('prefix "x"', 'prefix "y"'), ("meta mark set 0x9", "meta mark set 0xa"), ("quota 1000", "quota 1001"),
    ('comment "never"', 'comment "ever"'), ("established,related", "established"), ("priority -100", "priority -99"),
    ("iifname", "oifname"), ("admin-prohibited", "port-unreachable"), ("ip saddr @blocked", "ip daddr @blocked"),
    ("tcp flags syn", "tcp flags fin"), ("add @seen { ip saddr }", "add @seen { ip daddr }"),
    ("timeout 1h", "timeout 2h"), ("tcp dport 80 counter", "tcp sport 80 counter"),
    ("flags interval; ", "flags interval; auto-merge; "), ("flags interval; ", "flags interval; comment \"x\"; "),
    ("size 99", "size 98"),
])
def test_any_difference_of_a_ruleset_shows(in_child: Callable[..., Any], old: str, new: str) -> None:
    assert old in RULES

    def inside() -> Any:
        lab.network()
        lab.run("nft -f rules")
        Path("rules").write_text(RULES.replace(old, new, 1))
        return lab.changes("nft flush ruleset\nnft -f rules")

    found = in_child(inside, lab.NEW)
    assert len(found.before) == len(found.after) == 1, found


def test_the_order_of_rules_is_state(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        lab.network()
        lab.run("iptables-legacy -A INPUT -p tcp -j ACCEPT\niptables-legacy -A INPUT -p udp -j DROP")
        return lab.changes("iptables-legacy -D INPUT 1\niptables-legacy -A INPUT -p tcp -j ACCEPT")

    found = in_child(inside, lab.NEW)
    assert found.before == ["iptables filter INPUT: -p tcp -j ACCEPT (place 1)",
                            "iptables filter INPUT: -p udp -j DROP (place 2)"]
    assert found.after == ["iptables filter INPUT: -p udp -j DROP (place 1)",
                           "iptables filter INPUT: -p tcp -j ACCEPT (place 2)"]


def test_legacy_rules_are_those_of_iptables_save(in_child: Callable[..., Any]) -> None:
    rules = """
        -A INPUT -s 10.0.0.0/8 -i eth0 -p tcp -m tcp --dport 80:90 -j DROP
        -A INPUT -d 10.0.0.2/32 ! -i lo -p udp -m udp --sport 53 -j ACCEPT
        -A INPUT -p tcp -m multiport --dports 1,2,5:7 -j REJECT --reject-with tcp-reset
        -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
        -A FORWARD -o br+ -m addrtype --dst-type LOCAL -j U
        -A OUTPUT -j RETURN
        -A U -p icmp -m icmp --icmp-type 8 -j ACCEPT
        -A U -m comment --comment "two words" -j DROP
    """

    def inside() -> Any:
        lab.network()
        Path("saved").write_text("*filter\n:U - [0:0]\n%s\nCOMMIT\n" % textwrap.dedent(rules).strip())
        found = lab.changes("iptables-legacy-restore saved")
        saved = subprocess.run(["iptables-legacy-save"], stdout=subprocess.PIPE, check=True, timeout=20)
        return found, saved.stdout.decode().splitlines()

    found, saved = in_child(inside, lab.NEW)
    wanted = []
    for line in saved:
        if line.startswith("-A"):
            chain, dummy, words = line[3:].partition(" ")
            # An order of words that iptables does not mind.
            words = words.replace("RELATED,ESTABLISHED", "ESTABLISHED,RELATED")
            wanted.append("iptables filter %s: %s" % (chain, words))
    assert len(wanted) == 8
    assert sorted(line for line in found.after if "chain U" not in line) == sorted(wanted)


def test_sysctls_of_links_are_those_of_proc(in_child: Callable[..., Any]) -> None:
    """All that rtnetlink has of a link is in /proc/sys/net, with the same name and value, and the other way round."""
    from ansible_collections.nsfleet.linux.plugins.module_utils._enter import state_net
    from ansible_collections.nsfleet.linux.plugins.module_utils._enter.state_look import Look

    def inside() -> Any:
        lab.network()
        look = Look(time.monotonic() + 20, lab.Loaded(), "/proc")
        by_name = {subject.name: subject for subject in state_net.SUBJECTS}
        told = {}
        look.take([by_name[name] for name in ("links", "neighbour sysctls", "sysctls")])
        look.others = {"eth0"}
        for name in ("links", "neighbour sysctls", "sysctls"):
            for row in look.rows[name]:
                for line in by_name[name].words(row, look):
                    if line.startswith("sysctl ") and ".eth0." in line:
                        key, dummy, value = line[7:].partition(" = ")
                        told[key] = value
        files = {}
        for family in ("ipv4", "ipv6"):
            for kind in ("conf", "neigh"):
                for path in Path("/proc/sys/net/%s/%s/eth0" % (family, kind)).iterdir():
                    try:
                        files["net.%s.%s.eth0.%s" % (family, kind, path.name)] = " ".join(path.read_text().split())
                    except OSError:
                        continue  # stable_secret has none
        return told, files

    told, files = in_child(inside, lab.NEW)
    # The same once more, in seconds, ticks and packets.
    others = {"retrans_time", "base_reachable_time", "unres_qlen"}
    assert {name: value for name, value in files.items() if name.rpartition(".")[2] not in others} == told

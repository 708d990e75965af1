# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sysctls of real network namespaces, beside sysctl(8)."""

from __future__ import annotations

import os
import subprocess
import time
from typing import Any, Callable

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import namespaces
from ansible_collections.nsfleet.linux.plugins.module_utils._network import sysctls
from ansible_collections.nsfleet.linux.plugins.module_utils._network.look import Look


def run(*argv: str) -> str:
    """The output of a program."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20, check=False)
    return done.stdout.decode()


def look(root: str = "/proc") -> Look:
    """A look at where we are, the links named as ip(8) names them."""
    found = Look(500, time.monotonic() + 20, root)
    for line in run("ip", "-o", "link").splitlines():
        number, name = line.split(": ")[:2]
        found.names[int(number)] = name.split("@")[0]
    return found


def write(path: str, value: str) -> None:
    """Set a sysctl."""
    with open("/proc/sys/net/" + path, "w", encoding="ascii") as file:
        file.write(value)


def as_sysctl_says(found: dict[str, Any]) -> dict[str, Any]:
    """The same names by sysctl -a."""
    lines = dict(line.split(" = ", 1) for line in run("sysctl", "-a").splitlines() if " = " in line)
    assert len(lines) > 50
    told: dict[str, Any] = {}
    for name in found:
        text = " ".join(lines[name].split())
        told[name] = int(text) if text.lstrip("-").isdigit() else text
    return told


def test_each_value_is_what_sysctl_says(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        run("ip", "link", "add", "e0.100", "type", "veth", "peer", "name", "e1")
        write("ipv4/ip_forward", "1")
        write("ipv4/conf/e0.100/rp_filter", "2")
        write("ipv4/ip_local_port_range", "20000 21000")
        write("ipv4/ip_local_reserved_ports", "20080,20100-20110")
        write("ipv4/ping_group_range", "0 0")
        write("ipv6/conf/e1/disable_ipv6", "1")
        write("core/somaxconn", "77")
        at = look()
        found = sysctls.take(at)
        return found, as_sysctl_says(found), at.problems.as_list()

    found, told, problems = in_child(inside, namespaces.CLONE_NEWNET)
    assert found == told
    assert problems == []
    assert {name: found[name] for name in (
        "net.ipv4.ip_forward", "net.ipv4.conf.e0/100.rp_filter", "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports", "net.ipv4.ping_group_range", "net.ipv6.conf.e1.disable_ipv6",
        "net.core.somaxconn",
    )} == {
        "net.ipv4.ip_forward": 1, "net.ipv4.conf.e0/100.rp_filter": 2, "net.ipv4.ip_local_port_range": "20000 21000",
        "net.ipv4.ip_local_reserved_ports": "20080,20100-20110", "net.ipv4.ping_group_range": "0 0",
        "net.ipv6.conf.e1.disable_ipv6": 1, "net.core.somaxconn": 77,
    }


def test_what_was_asked_for_is_there(in_child: Callable[..., Any]) -> None:
    names = in_child(lambda: set(sysctls.take(look())), namespaces.CLONE_NEWNET)
    wanted = {"net.core.somaxconn", "net.ipv6.bindv6only"}
    wanted |= {"net.ipv4." + name for name in (
        "ip_forward", "ip_local_port_range", "tcp_max_syn_backlog", "tcp_syncookies", "tcp_mtu_probing",
        "ip_unprivileged_port_start", "ping_group_range", "ip_nonlocal_bind", "tcp_tw_reuse", "tcp_fin_timeout",
        "tcp_keepalive_time",
    )}
    for who in ("all", "default", "lo"):
        wanted |= {"net.ipv4.conf.%s.%s" % (who, name) for name in ("rp_filter", "forwarding", "route_localnet")}
        wanted |= {"net.ipv6.conf.%s.%s" % (who, name) for name in ("disable_ipv6", "forwarding", "accept_ra")}
    for who in ("all", "default"):
        wanted |= {"net.ipv4.conf.%s.%s" % (who, name) for name in (
            "arp_ignore", "arp_announce", "proxy_arp", "accept_local", "send_redirects", "accept_redirects",
        )}
    if os.path.exists("/proc/sys/net/netfilter/nf_conntrack_max"):
        wanted |= {"net.netfilter.nf_conntrack_count", "net.netfilter.nf_conntrack_max"}
    assert wanted <= names


def test_limits_of_the_neighbour_tables_are_told_where_they_are(in_child: Callable[..., Any]) -> None:
    # Only the first network namespace has the files; a machine's tests may run in another.
    first = os.path.exists("/proc/sys/net/ipv4/neigh/default/gc_thresh3")
    names = ["net.ipv%d.neigh.default.gc_thresh%d" % (family, step) for family in (4, 6) for step in (1, 2, 3)]
    here = sysctls.take(look())
    child = in_child(lambda: sysctls.take(look()), namespaces.CLONE_NEWNET)
    assert [name in here for name in names] == [first] * 6
    assert not [name for name in names if name in child]


def test_a_joined_namespace_is_read_not_the_one_come_from(
    held: Callable[..., Any], in_child: Callable[..., Any]
) -> None:
    there = held(lambda: write("core/somaxconn", "123"), namespaces.CLONE_NEWNET)

    def inside() -> Any:
        before = sysctls.take(look())["net.core.somaxconn"]
        netns = os.open("/proc/%d/ns/net" % there.pid, os.O_RDONLY)
        namespaces.setns(netns, namespaces.CLONE_NEWNET)
        return before, sysctls.take(look())["net.core.somaxconn"]

    before, after = in_child(inside)
    assert before != 123
    assert after == 123


def test_root_of_a_user_namespace_reads_them_too(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        at = look()
        return sysctls.take(at), at.problems.as_list()

    found, problems = in_child(inside, namespaces.CLONE_NEWUSER | namespaces.CLONE_NEWNET)
    assert found["net.ipv4.conf.lo.forwarding"] in (0, 1)
    assert problems == []


def test_a_container_with_two_links_costs_little(in_child: Callable[..., Any]) -> None:
    def inside() -> float:
        run("ip", "link", "add", "e0", "type", "veth", "peer", "name", "e1")
        at = look()
        sysctls.take(at)
        times = []
        for dummy in range(15):
            begin = time.process_time()
            sysctls.take(at)
            times.append(time.process_time() - begin)
        return min(times)

    # Of a namespace that nobody looked at before it is 0.4 ms more, which a loaded machine makes of no use as a limit.
    assert in_child(inside, namespaces.CLONE_NEWNET) < 0.0012


@pytest.mark.parametrize("links", [40])
def test_many_links_are_bounded(in_child: Callable[..., Any], links: int) -> None:
    def inside() -> Any:
        batch = "".join("link add a%d type veth peer name b%d\n" % (number, number) for number in range(links // 2))
        subprocess.run(["ip", "-batch", "-"], input=batch.encode(), check=True, timeout=30)
        at = look()
        at.most = 10
        return sysctls.take(at), at.problems.as_list()

    found, problems = in_child(inside, namespaces.CLONE_NEWNET)
    assert len({name.split(".")[3] for name in found if ".ipv4.conf." in name}) == 10 + 2
    assert problems == [{"what": "sysctls", "reason": "truncated", "count": links + 1 - 10}]

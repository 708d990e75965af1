# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All networks of a machine at once: each is entered, whatever keeps it, and what links them is told."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from typing import Any, Callable

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._facts import Request
from ansible_collections.nsfleet.linux.plugins.module_utils._facts_network import gather_networks
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import mounts, namespaces, prctl
from ansible_collections.nsfleet.linux.plugins.module_utils._network import inside
from ansible_collections.nsfleet.linux.plugins.module_utils._network.inside import Inside
from ansible_collections.nsfleet.linux.tests.kernel.holders import fork, name_of, new_namespace, own, private_mounts

NOBODY = 65534
HOST = namespaces.CLONE_NEWNET | namespaces.CLONE_NEWNS
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000


def ip(*words: str) -> None:
    """iproute2, in the namespaces of the caller."""
    subprocess.run(["ip", *words], check=True, timeout=10)


def look(**options: Any) -> dict[str, Any]:
    """The facts, with what there is in the networks."""
    return gather_networks(Request(gather_subset=("namespaces", "containers", "network"), timeout=60.0, **options))


def links(facts: dict[str, Any], network: str) -> dict[str, Any]:
    """The links of a network by name."""
    return {link["name"]: link for link in facts["networks"][network]["links"]}


def kept_by_a_mount(name: str) -> str:
    """A network namespace that only a mount keeps, in the caller's mount namespace; its name."""
    path = "/run/" + name
    with open(path, "w", encoding="ascii"):
        pass
    descriptor = new_namespace()
    try:
        mounts.mount("/proc/self/fd/%d" % descriptor, path, flags=mounts.MS_BIND)
        return name_of(descriptor)
    finally:
        os.close(descriptor)


def named(name: str) -> str:
    """The same, made by C(ip netns)."""
    ip("netns", "add", name)
    return "net:[%d]" % os.stat("/run/netns/" + name).st_ino


@pytest.fixture
def in_lab(in_child: Callable[..., Any]) -> Callable[[Callable[[], Any]], Any]:
    """Run a function in a network that stands for the host, with a /run of its own."""

    def run(function: Callable[[], Any]) -> Any:
        def prepared() -> Any:
            private_mounts()
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
            ip("link", "set", "lo", "up")
            return function()

        return in_child(prepared, HOST)

    return run


def test_the_ends_of_a_veth_name_each_other(in_lab: Callable[..., Any]) -> None:
    def build() -> Any:
        box = named("box")
        ip("link", "add", "br0", "type", "bridge")
        ip("link", "add", "v-box", "type", "veth", "peer", "name", "eth0", "netns", "box")
        ip("link", "set", "v-box", "master", "br0")
        return own(), box, look()

    host, box, facts = in_lab(build)
    assert links(facts, host)["v-box"]["peer"] == {"network": box, "name": "eth0", "container": None}
    assert links(facts, box)["eth0"]["peer"] == {"network": host, "name": "v-box", "container": None}
    assert links(facts, host)["br0"]["details"]["ports"] == ["v-box"]


def test_two_networks_wired_without_the_host(in_lab: Callable[..., Any]) -> None:
    def build() -> Any:
        left, right, other = named("left"), named("right"), named("other")
        for at in range(3):  # so that the indices of several pairs are equal
            ip("-n", "left", "link", "add", "a%d" % at, "type", "veth", "peer", "name", "b%d" % at, "netns", "right")
        ip("-n", "other", "link", "add", "c", "type", "veth", "peer", "name", "d", "netns", "right")
        return left, right, other, look()

    left, right, other, facts = in_lab(build)
    for at in range(3):
        assert links(facts, left)["a%d" % at]["peer"] == {"network": right, "name": "b%d" % at, "container": None}
        assert links(facts, right)["b%d" % at]["peer"] == {"network": left, "name": "a%d" % at, "container": None}
    assert links(facts, right)["d"]["peer"] == {"network": other, "name": "c", "container": None}


def test_a_macvlan_names_the_link_it_lies_upon(in_lab: Callable[..., Any]) -> None:
    def build() -> Any:
        box = named("box")
        ip("link", "add", "upper", "type", "veth", "peer", "name", "other")
        ip("link", "add", "mv0", "link", "upper", "netns", "box", "type", "macvlan", "mode", "bridge")
        return own(), box, look()

    host, box, facts = in_lab(build)
    assert links(facts, box)["mv0"]["details"]["lower"] == {"network": host, "name": "upper", "container": None}
    assert links(facts, box)["mv0"]["details"]["mode"] == "bridge"


def test_a_network_that_only_a_mount_keeps_is_looked_at(in_lab: Callable[..., Any]) -> None:
    def build() -> Any:
        name = kept_by_a_mount("odd")
        subprocess.run(["nsenter", "--net=/run/odd", "ip", "addr", "add", "10.1.2.3/24", "dev", "lo"], check=True)
        return name, look()

    name, facts = in_lab(build)
    assert {"10.1.2.3"} <= {entry["address"] for entry in facts["networks"][name]["addresses"]}


def test_a_network_that_only_a_socket_keeps_tells_who_listens_there(in_lab: Callable[..., Any]) -> None:
    def build() -> Any:
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        namespaces.unshare(namespaces.CLONE_NEWNET)
        name = own()
        ip("link", "set", "lo", "up")
        listener = socket.socket()
        listener.bind(("127.0.0.1", 8080))
        listener.listen(7)
        namespaces.setns(home, namespaces.CLONE_NEWNET)
        return name, os.getpid(), look(), listener.fileno()

    name, pid, facts, dummy = in_lab(build)
    entry = next(entry for entry in facts["networks"][name]["listening"] if entry["protocol"] == "tcp")
    assert (entry["address"], entry["port"], entry["queue"], entry["limit"]) == ("127.0.0.1", 8080, 0, 7)
    assert [process["pid"] for process in entry["processes"]] == [pid]


def test_a_tun_link_names_the_process_that_serves_it(in_lab: Callable[..., Any]) -> None:
    if not os.access("/dev/net/tun", os.W_OK):
        pytest.skip("/dev/net/tun is root's alone")

    def build() -> Any:
        box = named("box")

        def serve() -> None:
            tun = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"vpn0", IFF_TUN | IFF_NO_PI))
            os.set_inheritable(tun, True)

        server = fork(serve)
        # As slirp4netns and pasta do: the process is in another network than the link it serves.
        ip("link", "set", "vpn0", "netns", "box")
        return box, server, look()

    box, server, facts = in_lab(build)
    processes = links(facts, box)["vpn0"]["details"]["processes"]
    assert [process["pid"] for process in processes] == [server]


def test_the_same_is_told_as_ip_tells_in_each_network(in_lab: Callable[..., Any]) -> None:
    def build() -> Any:
        names = {name: named(name) for name in ("one", "two")}
        ip("-n", "one", "link", "add", "va", "type", "veth", "peer", "name", "vb", "netns", "two")
        for name, link in (("one", "va"), ("two", "vb")):
            # No address that comes by itself, some time later.
            ip("-n", name, "link", "set", link, "addrgenmode", "none")
        ip("-n", "one", "addr", "add", "10.7.0.1/24", "dev", "va")
        ip("-n", "one", "link", "set", "va", "up")
        ip("-n", "two", "addr", "add", "fd00:7::2/64", "nodad", "dev", "vb")
        ip("-n", "two", "link", "set", "vb", "up")
        ip("-n", "one", "route", "add", "default", "via", "10.7.0.9")
        told = {
            name: {what: json.loads(subprocess.run(
                ["ip", "-j", "-n", name, *what.split()], stdout=subprocess.PIPE, check=True).stdout)
                for what in ("addr", "route show table all")}
            for name in names
        }
        return names, told, look()

    names, told, facts = in_lab(build)
    for name, network in names.items():
        found = facts["networks"][network]
        expected = {(entry["local"], entry["prefixlen"], link["ifname"])
                    for link in told[name]["addr"] for entry in link["addr_info"]}
        assert {(entry["address"], entry["prefix"], entry["link"]) for entry in found["addresses"]} == expected
        # Of both families. The kernel adds those of multicast some time later.
        routes = [entry for entry in found["routes"] if entry["type"] != "multicast"]
        assert len(routes) == sum(entry.get("type") != "multicast" for entry in told[name]["route show table all"])


def test_nothing_of_ours_changes_place_or_stays_open(in_lab: Callable[..., Any]) -> None:
    def build() -> Any:
        kept_by_a_mount("odd")
        look()
        before = own(), sorted(os.listdir("/proc/self/fd"))
        look()
        return before, (own(), sorted(os.listdir("/proc/self/fd")))

    before, after = in_lab(build)
    assert after == before


def test_no_program_is_executed(in_lab: Callable[..., Any]) -> None:
    def build() -> list[str]:
        named("box")
        started: list[str] = []
        reading, writing = os.pipe()

        def hook(event: str, dummy: Any) -> None:
            if event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system"):
                os.write(writing, event.encode() + b"\n")  # also from a child

        sys.addaudithook(hook)
        look()
        os.close(writing)
        started.extend(os.read(reading, 4096).decode().split())
        return started

    assert in_lab(build) == []


def test_a_child_that_was_lost_never_passes_its_own_network_for_another(
    in_lab: Callable[..., Any], monkeypatch: pytest.MonkeyPatch,
) -> None:
    join = Inside.join

    def join_and_die(self: Inside, descriptor: int) -> None:
        join(self, descriptor)
        self.close()

    monkeypatch.setattr(Inside, "join", join_and_die)

    def build() -> Any:
        box = named("box")
        return own(), box, look()

    host, box, facts = in_lab(build)
    assert host in facts["networks"]
    assert box not in facts["networks"]
    assert ("networks", "timed out") in {(entry["what"], entry["reason"]) for entry in facts["problems"]}


def test_what_is_slow_in_a_network_costs_only_itself(
    in_lab: Callable[..., Any], monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wait(look: Any) -> dict[str, Any]:
        while time.monotonic() < look.until:
            time.sleep(0.01)
        raise TimeoutError(errno.ETIMEDOUT, "slow")

    monkeypatch.setattr(inside.sysctls, "take", wait)

    def build() -> Any:
        return own(), gather_networks(Request(gather_subset=("network",), scan=("processes",), timeout=3.0))

    host, facts = in_lab(build)
    assert [link["name"] for link in facts["networks"][host]["links"]] == ["lo"]
    assert ("sysctls of %s" % host, "timed out") in {(entry["what"], entry["reason"]) for entry in facts["problems"]}


def test_a_plain_user_sees_the_networks_of_their_own_user_namespaces(
    in_child: Callable[..., Any], held: Callable[..., Any], host_root: bool,
) -> None:
    def rootless() -> str:
        if host_root:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            prctl.set_dumpable(True)
            prctl.set_pdeathsig(signal.SIGKILL)
        namespaces.unshare(namespaces.CLONE_NEWUSER)
        namespaces.unshare(namespaces.CLONE_NEWNET)
        return own()

    mine = held(rootless).said
    foreign = held(own, namespaces.CLONE_NEWNET).said if host_root else None

    def as_nobody() -> dict[str, Any]:
        if host_root:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            prctl.set_dumpable(True)
        return look()

    facts = in_child(as_nobody)
    assert mine in facts["networks"], facts["problems"]
    assert links(facts, mine)["lo"]["kind"] == "loopback"
    # The own network is everybody's to look at.
    assert facts["own"]["net"] in facts["networks"]
    if foreign is not None:
        assert foreign not in facts["networks"]
        assert facts["complete"] is False


def test_networks_are_narrowed_to_the_containers_asked_for_and_the_host(in_lab: Callable[..., Any]) -> None:
    def build() -> Any:
        box = named("box")
        return box, look(containers=["no-such-*"])

    box, facts = in_lab(build)
    assert box not in facts["networks"]
    assert set(facts["networks"]) <= {facts["host"]["net"]}

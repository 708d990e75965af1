# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each fault that the checks know, made in a real container's network, seen in words, healed, and gone.

All of it on a machine of its own: no rule, sysctl or link of the real host is touched.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rig import kernel
from rig.bridge import Bridge
from rig.docker import Docker
from rig.faults import FAULTS, FRONT, HOST, Fault, Told
from rig.fleet import Container, Fleet
from rig.programs import environment, program
from rig.supervisor import Supervisor
from rig.waiting import until

from ansible_collections.nsfleet.linux.plugins.module_utils._audit.checks import judge
from ansible_collections.nsfleet.linux.plugins.module_utils._facts import Request
from ansible_collections.nsfleet.linux.plugins.module_utils._facts_network import gather_networks


@pytest.fixture(scope="module")
def fleet(supervisor: Supervisor, rootfs: Path, archive: Path) -> Iterator[Fleet]:
    started = Fleet(supervisor, rootfs, archive, "f")
    try:
        yield started
    finally:
        started.close()


def told(fleet: Fleet, facts: dict[str, Any] | None = None) -> list[Told]:
    """All that fails now."""
    found = judge(fleet.look() if facts is None else facts, "h")
    return sorted((one["check"], one["container"], one["object"], one["reason"]) for one in found
                  if one["status"] == "fail")


def expected(fleet: Fleet, fault: Fault) -> list[Told]:
    return sorted((check, container, fleet.filled(name), fleet.filled(reason))
                  for check, container, name, reason in fault.tells)


def becomes(fleet: Fleet, wanted: list[Told]) -> None:
    """The kernel and Docker need a moment for some of it."""
    deadline = time.monotonic() + 4
    while (found := told(fleet)) != wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found == wanted


def test_nothing_fails_where_nothing_is_wrong(fleet: Fleet) -> None:
    assert told(fleet) == []


def test_nothing_is_unknown_but_what_only_the_first_network_tells(fleet: Fleet) -> None:
    unknown = {(one["check"], one["reason"]) for one in judge(fleet.look(), "h") if one["status"] == "unknown"}
    assert unknown == {("NB-001", f"net.{family}.neigh.default.gc_thresh3 of {HOST} was not read")
                       for family in ("ipv4", "ipv6")}


def test_the_healthy_are_judged_and_not_passed_over(fleet: Fleet) -> None:
    passed = {(one["check"], one["container"]) for one in judge(fleet.look(), "h") if one["status"] == "pass"}
    every = {check for check, dummy in passed}
    assert every >= {fault[0] for one in FAULTS.values() for fault in one.tells}, every


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_until_it_is_healed(fleet: Fleet, name: str) -> None:
    fault = FAULTS[name]
    # Healing may change what they are called.
    wanted = expected(fleet, fault)
    try:
        fleet.do(fault.makes)
        becomes(fleet, wanted)
    finally:
        fleet.do(fault.heals)
    becomes(fleet, [])


# More connections than a listener that does not accept takes, held until the input ends.
CONNECT = """
import socket, sys
held = [socket.socket() for number in range(16)]
for one in held:
    one.setblocking(False)
    one.connect_ex((sys.argv[1], 80))
print("connected", flush=True)
sys.stdin.read()
"""


def test_a_full_accept_queue_is_told_until_the_program_accepts_again(fleet: Fleet) -> None:
    fleet.do("host> kill -STOP %d" % fleet["web"].pid)
    callers = fleet.machine.process("-c", CONNECT, fleet["web"].address)
    try:
        assert callers.stdout and callers.stdout.readline() == "connected\n"
        waiting, limit = fleet.at("web", "ss --no-header --listening --tcp --numeric 'sport = :80'").split()[1:3]
        assert int(waiting) > int(limit)
        becomes(fleet, [("SOC-008", "web", "[::]:80/tcp", "the accept queue of [::]:80/tcp in %s is full: %s wait, the "
                         "limit is %s (busybox)" % (FRONT, waiting, limit))])
    finally:
        fleet.do("host> kill -CONT %d" % fleet["web"].pid)
        callers.communicate(timeout=20)
    becomes(fleet, [])


def test_a_nearly_full_table_of_connections_is_told(fleet: Fleet) -> None:
    # The limit is the machine's, and so many connections would be its as well: the limit is lowered in what was read.
    assert fleet.at("host", "stat --format %a /proc/sys/net/netfilter/nf_conntrack_max") == "444\n"
    fleet.do("host> sh -c 'echo | {busybox} nc -w 1 {web.address} 80 >/dev/null'")
    facts = fleet.look()
    conntrack = facts["networks"][facts["host"]["net"]]["firewall"]["conntrack"]
    count = int(fleet.at("host", "cat /proc/sys/net/netfilter/nf_conntrack_count"))
    assert conntrack["count"] == count > 0
    assert told(fleet, facts) == []
    conntrack["max"] = count
    assert told(fleet, facts) == [("CT-001", None, "", f"{HOST} tracks {count} connections of at most {count} (100 %)")]


def test_a_nearly_full_table_of_neighbours_is_told(fleet: Fleet) -> None:
    # There is one table for all network namespaces, and the real one's limit is not ours to change.
    fleet.do("db> {busybox} ping -c 1 -W 2 {web.address}\nplain> {busybox} ping -c 1 -W 2 {plain.gateway}")

    places = [where for where in ("host", "router", *fleet.containers) if where not in ("at-host", "sidecar")]
    # Engines of other tests show the machine more networks.
    names = {fleet.at("host", f"readlink /proc/{fleet.pid(where) or 'self'}/ns/net").strip() for where in places}

    def counted() -> int:
        rows = [row for where in places
                for row in fleet.machine.rows("-4", "neighbour", "show", "nud", "all", inside=fleet.pid(where))]
        return sum(1 for row in rows if row and "PERMANENT" not in row["state"])

    # Neighbours come and go as they like: what ip says before and after the look must be the same.
    deadline = time.monotonic() + 20
    while True:
        count, facts, after = counted(), fleet.look(), counted()
        if count == after or time.monotonic() > deadline:
            break
    facts["networks"] = {name: network for name, network in facts["networks"].items() if name in names}
    assert facts["networks"].keys() == names
    sysctls = facts["networks"][facts["host"]["net"]]["sysctls"]
    assert "net.ipv4.neigh.default.gc_thresh3" not in sysctls
    sysctls["net.ipv4.neigh.default.gc_thresh3"] = count * 2
    assert told(fleet, facts) == []
    sysctls["net.ipv4.neigh.default.gc_thresh3"] = count
    ((check, container, name, reason),) = told(fleet, facts)
    assert (check, container, name) == ("NB-001", None, "IPv4")
    assert reason.startswith(f"all network namespaces together have {count} IPv4 neighbours of at most {count} ("
                             "net.ipv4.neigh.default.gc_thresh3), most of them in ")


def test_what_a_killed_engine_leaves_is_told_until_it_is_back(
    fleet: Fleet, supervisor: Supervisor, archive: Path
) -> None:
    bridge = Bridge(fleet.machine, "g").make()
    # It may leave the rules alone, which are the other one's.
    engine = Docker(fleet.machine, supervisor.root / "docker-g", archive, bridge)
    engine.start()
    engine.run("doomed")
    doomed = Container(fleet.machine, engine.inspect("doomed")[0])
    veth, network = doomed.veth, fleet.at("host", f"readlink /proc/{doomed.pid}/ns/net").strip()
    sandbox = doomed.said["NetworkSettings"]["SandboxKey"]
    becomes(fleet, [])
    os.kill(kernel.children(engine.pid)[0], signal.SIGKILL)
    fleet.do(f"host> kill -KILL {doomed.pid}")
    try:
        becomes(fleet, [
            ("LEAK-001", None, sandbox, f"{network}, made by docker for a container that is gone, has no process any "
             f"more and is kept by mount {sandbox}"),
            ("LEAK-003", None, veth, f"{veth} on the host leads to {network}, whose container is gone"),
        ])
    finally:
        engine.serve()
        engine.stop()
    becomes(fleet, [])


def test_a_network_that_only_an_engine_s_proxy_holds_is_told(fleet: Fleet, supervisor: Supervisor) -> None:
    proxy, said = supervisor.root / "docker-proxy", supervisor.root / "held"
    # A process has the name of its program's file.
    shutil.copy(program("sleep", "coreutils"), proxy)
    script = f"exec 9</proc/self/ns/net; readlink /proc/self/ns/net >{said}; " \
        f"exec nsenter --net=/proc/1/ns/net {proxy} 652"
    pid = fleet.machine.start(program("unshare", "util-linux"), "--net", "/bin/sh", "-c", script,
                              log=supervisor.root / "proxy.log", env=environment())
    try:
        until(lambda: said.exists() and said.read_text() and kernel.running(f"{proxy} 652", below=pid), "no proxy")
        inner = fleet.at("host", "pidof docker-proxy").split()
        network = said.read_text().strip()
        ((check, container, name, reason),) = told(fleet)
        assert (check, container, name) == ("LEAK-002", None, network)
        assert reason in {f"{network}, held by an engine's proxy that is not in it, has no process any more and is "
                          f"kept by descriptor 9 of docker-proxy (pid {one})" for one in inner}
    finally:
        fleet.machine.stop(pid)
    becomes(fleet, [])


# The only thing that keeps the network at the other end of a veth is a descriptor on its way from one socket to the
# other (unix(7), SCM_RIGHTS): in nobody's table.
HIDE = """
import array, os, socket, subprocess, sys, time
bridge, veth, said = sys.argv[1:]
process = subprocess.Popen(["unshare", "--net", "sleep", "600"])
path = "/proc/%d/ns/net" % process.pid
while os.readlink(path) == os.readlink("/proc/self/ns/net"):
    time.sleep(0.01)
subprocess.check_call(["ip", "link", "add", veth, "type", "veth", "peer", "name", "eth0", "netns", str(process.pid)])
subprocess.check_call(["ip", "link", "set", veth, "master", bridge])
descriptor = os.open(path, os.O_RDONLY)
network = os.readlink(path)
ours, theirs = socket.socketpair()
ours.sendmsg([b"!"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))])
os.close(descriptor)
process.kill()
process.wait()
with open(said + "~", "w") as file:
    file.write(network)
os.rename(said + "~", said)
time.sleep(600)
"""


def test_a_veth_into_a_network_that_nobody_was_found_in_is_told(supervisor: Supervisor) -> None:
    # In the machine's own network, where the end of a container's host may not be one's own uplink.
    bridge = Bridge(supervisor, "v").make()
    veth, said = bridge.name + "x", supervisor.root / "hidden"

    def of_ours() -> list[Told]:
        facts = gather_networks(Request(gather_subset=("namespaces", "containers", "network")))
        return sorted((one["check"], one["container"], one["object"], one["reason"])
                      for one in judge(facts, "h", ["LEAK-*"])
                      if one["status"] in ("fail", "unknown") and (veth in one["object"] or network in one["reason"]))

    network = "?"
    pid = supervisor.start(sys.executable, "-c", HIDE, bridge.name, veth, str(said), log=supervisor.root / "hide.log",
                           env=environment())
    try:
        until(said.exists, f"not hidden, see {supervisor.root}/hide.log")
        network = said.read_text()
        tells = ("LEAK-003", None, veth, f"{veth} on the host, in {bridge.name}, leads to a network namespace that "
                 "nobody was found in")
        if _has_listns():
            tells = ("LEAK-001", None, network, f"{network} has no process that was seen: nobody was "
                     "found who keeps it")
        assert of_ours() == [tells]
    finally:
        supervisor.stop(pid)
    until(lambda: not Path(f"/sys/class/net/{veth}").exists(), "the veth stays")
    assert of_ours() == []


def _has_listns() -> bool:
    """Linux 6.19 lists such namespaces."""
    return tuple(map(int, os.uname().release.split("-")[0].split(".")[:2])) >= (6, 19)

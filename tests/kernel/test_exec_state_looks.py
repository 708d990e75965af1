# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking is no change, also where there is traffic; and what was not read is never called unchanged."""

from __future__ import annotations

import errno
import os
import socket
import struct
import subprocess
import time
from pathlib import Path
from typing import Any, Callable

import exec_state_lab as lab
import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._enter import state_look, state_sysctls, states
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.states import StateWatch
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import namespaces
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.netlink_dump import Netlink
from ansible_collections.nsfleet.linux.tests.unit.recorded.modules import Loaded, Unloaded

LOOKS = """
ip -d -s address
ip route show table all
ip rule
ip -s neigh
ip maddress
ip nexthop
bridge -d link
bridge fdb
bridge vlan
tc -s qdisc
ss -natupei
nft list ruleset
iptables-legacy -L -n -v
iptables-legacy -t nat -S
iptables-nft -L -n -v
iptables-nft-save
ip6tables-legacy -S
ip6tables-nft -S
ebtables-nft -L
sysctl -a
ipcs -a
hostname
conntrack -L
"""
COUNTING = """
table inet f {
    counter c { }
    quota q { over 10 mbytes }
    set seen { type ipv4_addr; flags dynamic,timeout; timeout 1h; }
    chain in {
        type filter hook input priority 0
        counter quota over 1 mbytes drop
        counter name c quota name "q" limit rate 5/second add @seen { ip saddr }
    }
    chain out { type nat hook postrouting priority 100; masquerade; }
}
"""


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> None:
    lab.folder(tmp_path)
    (tmp_path / "rules").write_text(COUNTING.replace("masquerade;", "masquerade\n"))


def traffic() -> None:
    """Connections, datagrams to who does not answer, and sockets that come and go, in our network namespace."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        count = 0
        while True:
            count += 1
            with socket.create_connection(listening.getsockname()) as one, listening.accept()[0] as other:
                one.sendall(b"x" * 1000)
                other.recv(1000)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
                for address in ("10.0.0.%d" % (count % 200 + 3), "10.0.0.255", "224.0.0.251", "10.0.0.2"):
                    datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                    try:
                        datagrams.sendto(b"x", (address, 9))
                    except OSError:
                        continue
            time.sleep(0.005)


def test_looking_is_no_change_amid_traffic(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        lab.network()
        lab.run("""
            nft -f rules
            iptables-legacy -A INPUT -p tcp -j ACCEPT
            iptables-nft -A INPUT -p udp -j ACCEPT
            ip link add br0 type bridge
            ip link set br0 up
        """)
        busy = os.fork()
        if busy == 0:
            try:
                traffic()
            finally:
                os._exit(1)
        try:
            time.sleep(0.5)
            neighbours = subprocess.run(["ip", "neigh"], stdout=subprocess.PIPE, check=True, timeout=20).stdout
            found = lab.changes(LOOKS + "sleep 0.5")
        finally:
            os.kill(busy, 9)
            os.waitpid(busy, 0)
        return neighbours, found

    neighbours, found = in_child(inside, lab.NEW)
    assert neighbours
    assert found == lab.nothing()


def test_what_rules_have_counted_is_no_state_when_others_are_made_and_removed(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        lab.network()
        lab.run("nft -f rules")
        busy = os.fork()
        if busy == 0:
            try:
                traffic()
            finally:
                os._exit(1)
        try:
            found = lab.changes("sleep 0.3\nnft add table ip other\nnft delete table ip other")
        finally:
            os.kill(busy, 9)
            os.waitpid(busy, 0)
        return subprocess.run(["nft", "list", "ruleset"], stdout=subprocess.PIPE, check=True).stdout.decode(), found

    listed, found = in_child(inside, lab.NEW)
    assert "counter packets" in listed
    assert "counter packets 0" not in listed
    assert found == lab.nothing()


def test_looking_where_there_is_nothing_yet_is_no_change(in_child: Callable[..., Any]) -> None:
    # iptables -L makes the tables that it looks at.
    assert in_child(lambda: lab.changes(LOOKS), lab.NEW) == lab.nothing()


def test_a_listener_to_all_packets_is_no_change(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        lab.network()
        opened = []

        def listen() -> None:
            packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            packets.setsockopt(263, 1, struct.pack("=iHH8s", socket.if_nametoindex("eth0"), 1, 0, b""))
            opened.append(packets)

        found = lab.changes(listen)
        told = subprocess.run(["ip", "-d", "link", "show", "eth0"], stdout=subprocess.PIPE, check=True, timeout=20)
        return found, told.stdout.decode()

    found, told = in_child(inside, lab.NEW)
    assert "promiscuity 1" in told
    assert found == lab.nothing()


def test_neighbours_that_were_found_out_are_no_state(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        lab.network()
        return lab.changes(
            "ip neigh replace 10.0.0.9 lladdr 02:00:00:00:00:09 dev eth0 nud reachable\n"
            "ip neigh replace 10.0.0.8 lladdr 02:00:00:00:00:08 dev eth0 nud stale"
        )

    assert in_child(inside, lab.NEW) == lab.nothing()


def test_lifetimes_are_no_state_but_that_there_is_one_is(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        lab.network()
        lab.run("ip address add 10.8.0.1/24 dev eth0 valid_lft 1000 preferred_lft 900")
        same = lab.changes("ip address change 10.8.0.1/24 dev eth0 valid_lft 2000 preferred_lft 1900")
        return same, lab.changes("ip address change 10.8.0.1/24 dev eth0 valid_lft forever preferred_lft forever")

    same, forever = in_child(inside, lab.NEW)
    assert same == lab.nothing()
    assert forever.before == ["address 10.8.0.1/24 dev eth0 scope global dynamic"]
    assert forever.after == ["address 10.8.0.1/24 dev eth0 scope global"]


def test_only_the_types_asked_for_are_looked_at(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        lab.network()
        command = "hostname other\nip address add 10.7.0.1/32 dev lo\nipcmk -Q"
        return lab.changes(command, ("uts",)), lab.changes("hostname again", ("net", "ipc", "mnt", "pid"))

    names, others = in_child(inside, lab.NEW)
    assert names.after == ["hostname other"]
    assert others == lab.nothing()


def test_a_foreign_namespace_is_joined_and_ours_is_not_looked_at(
    in_child: Callable[..., Any], held: Callable[..., Any]
) -> None:
    """Without rights over it but those of its own user namespace, too."""
    target = held(lambda: None, lab.NEW | namespaces.CLONE_NEWUSER)

    def inside() -> Any:
        kinds = (*lab.ALL, "user")
        opened = {kind: os.open("/proc/%d/ns/%s" % (target.pid, kind), os.O_RDONLY) for kind in kinds}
        watch = StateWatch(opened, lab.ALL, Loaded, time.monotonic() + 20)
        watch.before()
        lab.run("nsenter -t %d -U --preserve-credentials -n -u -i ip link set lo up" % target.pid)
        lab.run("nsenter -t %d -U --preserve-credentials -u hostname inside" % target.pid)
        found = watch.after()
        watch.close()
        return found

    found = in_child(inside)
    assert "link lo state UP" in found.after
    assert "hostname inside" in found.after
    # That of a network made before its user namespace had a map is the machine's root's: nobody else may read it.
    names = "/proc/%d/net/ip_tables_names" % target.pid
    assert found.unproven == ([] if os.access(names, os.R_OK) else ["iptables: refused: EACCES"])


def test_a_namespace_that_may_not_be_joined_is_unproven(in_child: Callable[..., Any], held: Callable[..., Any]) -> None:
    target = held(lambda: None, lab.NEW)

    def inside() -> Any:
        opened = {kind: os.open("/proc/%d/ns/%s" % (target.pid, kind), os.O_RDONLY) for kind in lab.ALL}
        namespaces.unshare(namespaces.CLONE_NEWUSER)
        watch = StateWatch(opened, lab.ALL, Loaded, time.monotonic() + 20)
        watch.before()
        found = watch.after()
        watch.close()
        return found

    found = in_child(inside)
    assert found == ([], [], ["ipc: refused: EPERM", "net: refused: EPERM", "uts: refused: EPERM"])


def test_a_refused_subject_is_unproven_and_the_others_are_told(
    in_child: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Netlink.stream

    def refusing(self: Netlink, kind: int, payload: bytes, flags: int = 0x300) -> Any:
        if kind >> 8 == 10 or kind == 26:
            raise OSError(errno.EPERM, "refused")
        return original(self, kind, payload, flags)

    monkeypatch.setattr(Netlink, "stream", refusing)

    def inside() -> Any:
        lab.network()
        return lab.changes("ip address add 10.7.0.1/32 dev lo")

    found = in_child(inside, lab.NEW)
    assert found.unproven == ["nftables: refused: EPERM", "routes: refused: EPERM"]
    assert found.after == ["address 10.7.0.1/32 dev lo scope global"]


def test_what_may_be_a_module_that_is_not_loaded_is_unproven(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        watch = StateWatch({}, lab.ALL, lambda: Unloaded(known=False), time.monotonic() + 20)
        watch.before()
        found = watch.after()
        watch.close()
        return found

    assert in_child(inside, lab.NEW).unproven == [
        "ipsets: nobody can tell whether ip_set is loaded",
        "nftables: nobody can tell whether nf_tables is loaded",
        "xfrm: nobody can tell whether xfrm_user is loaded",
    ]


def many_routes(count: int) -> None:
    lines = "".join(
        "route add 10.%d.%d.%d/32 dev eth0\n" % (64 + (number >> 16), number >> 8 & 255, number & 255)
        for number in range(count)
    )
    subprocess.run(["ip", "-batch", "-"], input=lines.encode(), check=True, timeout=60)


def test_more_than_50000_entries_are_unproven_and_other_subjects_are_told(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        lab.network()
        many_routes(state_look.ENTRIES)
        return lab.changes("ip address add 192.0.2.7/32 dev lo", ("net",))

    found = in_child(inside, lab.NEW)
    assert found.unproven == ["routes: more than 50000 entries"]
    assert found.after == ["address 192.0.2.7/32 dev lo scope global"]


def test_thousands_of_routes_are_compared_and_few_are_told(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        lab.network()
        many_routes(20_000)
        one = lab.changes("ip route add 192.0.2.0/24 dev eth0", ("net",))
        return one, lab.changes("ip route flush dev eth0", ("net",))

    one, many = in_child(inside, lab.NEW)
    assert one.after == ["route 192.0.2.0/24 dev eth0 table main proto boot scope link"]
    assert (one.before, one.unproven) == ([], [])
    assert len(many.before) == 201
    assert many.before[-1] == "and %d more" % (20_003 - 200)
    assert many.unproven == []


def test_what_takes_too_long_is_unproven(in_child: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "_SECONDS", 0.3)
    original = Netlink.stream

    def slow(self: Netlink, kind: int, payload: bytes, flags: int = 0x300) -> Any:
        if kind == 26:
            time.sleep(0.4)
        return original(self, kind, payload, flags)

    monkeypatch.setattr(Netlink, "stream", slow)
    found = in_child(lambda: lab.changes("true", ("net",)), lab.NEW)
    assert found == ([], [], ["net: not read in time"])


def test_a_command_may_take_longer_than_the_looks_at_what_it_changes(in_child: Callable[..., Any]) -> None:
    found = in_child(lambda: lab.changes("sleep 2.2", seconds=2.0), lab.NEW)
    assert found == ([], [], [])


def test_a_module_that_the_command_needs_first_is_seen_afterwards(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        kernel = iter((Unloaded(), Loaded()))
        watch = StateWatch({}, ("net",), lambda: next(kernel), time.monotonic() + 20)
        watch.before()
        lab.run("nft add table inet first")
        found = watch.after()
        watch.close()
        return found

    assert in_child(inside, lab.NEW) == ([], ["nft table inet first"], [])


def test_a_child_that_died_is_not_believed(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        watch = StateWatch({}, lab.ALL, Loaded, time.monotonic() + 20)
        watch.before()
        os.kill(watch._child._child, 9)
        first = watch.after()
        # In its place comes one that has seen nothing.
        second = watch.after()
        watch.close()
        return first, second

    first, second = in_child(inside, lab.NEW)
    assert first == ([], [], ["net, uts, ipc: not read in time"])
    assert second == ([], [], ["net, uts, ipc: refused: ECHILD"])


def test_the_child_keeps_no_pipe_open(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        reading, writing = os.pipe()
        watch = StateWatch({}, lab.ALL, Loaded, time.monotonic() + 20)
        watch.before()
        os.close(writing)
        ended = os.read(reading, 1)
        watch.close()
        return ended

    assert in_child(inside, lab.NEW) == b""


def test_nothing_is_left_behind(in_child: Callable[..., Any]) -> None:
    def inside() -> Any:
        before = sorted(os.listdir("/proc/self/fd"))
        for dummy in range(20):
            lab.changes("true")
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
        return before, sorted(os.listdir("/proc/self/fd"))

    before, after = in_child(inside, lab.NEW)
    assert before == after


def test_a_first_look_that_has_begun_does_not_keep_others_waiting(
    in_child: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = state_look.Look.take

    def slow(look: state_look.Look, subjects: Any) -> None:
        time.sleep(0.5)
        real(look, subjects)

    monkeypatch.setattr(state_look.Look, "take", slow)

    def inside() -> Any:
        watch = StateWatch({}, ("uts",), Loaded, time.monotonic() + 20)
        began = time.monotonic()
        watch.begin()
        waited = [time.monotonic() - began]
        watch.ready()
        waited.append(time.monotonic() - began)
        lab.run("hostname another")
        found = watch.after()
        watch.close()
        return waited, found.before != [] and found.after != []

    (begun, ready), seen = in_child(inside, lab.NEW)
    assert begun < 0.3 and ready >= 0.5 and seen


def test_sysctls_that_were_made_or_removed_or_too_many_to_stay_open_are_seen(
    in_child: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.peer0.log_martians=1"

    def inside() -> Any:
        lab.network()
        few = lab.changes(setting, ("net",))
        lab.run("sysctl -qw net.ipv4.ip_forward=0")
        monkeypatch.setattr(state_sysctls, "_MOST_KEPT", 5)
        one = lab.changes("sysctl -qw net.ipv4.ip_forward=1", ("net",))
        # Its folder is another one, of the same name.
        again = lab.changes("ip link delete eth0\nip link add eth0 type veth peer name peer0", ("net",))
        return few.after, one.after, again.unproven

    few, one, unproven = in_child(inside, lab.NEW)
    assert "sysctl net.ipv4.ip_forward = 1" in few and "sysctl net.ipv6.conf.all.forwarding = 1" in few
    assert "sysctl net.ipv4.ip_forward = 1" in one
    assert unproven == []

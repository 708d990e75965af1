# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever rules in a network cannot break, slow down or fill the look at the others, nor pass for one of them."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import struct
import subprocess
import time
import zlib
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils import _snapshot
from ansible_collections.nsfleet.linux.plugins.module_utils._discover.scan import Clock, Scan
from ansible_collections.nsfleet.linux.plugins.module_utils._facts import Request
from ansible_collections.nsfleet.linux.plugins.module_utils._facts_network import gather_networks
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import namespaces, netlink_dump, nfnetlink, prctl
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import rtnetlink_route as rt
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.netlink_dump import Netlink
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.proc import Proc
from ansible_collections.nsfleet.linux.plugins.module_utils._model.inventory import Container, Problems
from ansible_collections.nsfleet.linux.plugins.module_utils._network import dns, links, networks, sysctls
from ansible_collections.nsfleet.linux.plugins.module_utils._network.inside import Inside
from ansible_collections.nsfleet.linux.plugins.module_utils._network.look import Look
from ansible_collections.nsfleet.linux.plugins.module_utils._network.proxies import Forward, Proxy
from ansible_collections.nsfleet.linux.plugins.module_utils._network.published import published
from ansible_collections.nsfleet.linux.plugins.module_utils._network.wiring import connect
from ansible_collections.nsfleet.linux.tests.kernel import firewall_lab as lab
from ansible_collections.nsfleet.linux.tests.kernel.holders import own

NEWNET = namespaces.CLONE_NEWNET
Run = Callable[..., Any]


def elements(count: int, form: str) -> str:
    """So many elements of a set: a port, or an address and what follows it."""
    return ", ".join(form % ((at // 250, at % 250) if form.count("%d") == 2 else 1000 + 2 * at) for at in range(count))


def chain(rules: str, kind: str = "nat", more: str = "") -> str:
    return "table ip x {\n%s\n chain pre {\n type %s hook prerouting priority -100\n%s\n }\n}\n" % (more, kind, rules)


def port_set(name: str, first: int = 0) -> str:
    return "set %s {\n type inet_service\n elements = { %s }\n}\n" % (
        name, ", ".join(str(1000 + first + 2 * at) for at in range(1000)))


def of(facts: dict[str, Any], what: str) -> set[str]:
    """The reasons why something was not seen."""
    return {entry["reason"] for entry in facts["problems"] if entry["what"].startswith(what)}


def look(**options: Any) -> dict[str, Any]:
    """The facts with networks; no other user's secrets are needed for them."""
    given = {"gather_subset": ("namespaces", "containers", "network"), "scan": ("processes",), "timeout": 30.0}
    return gather_networks(Request(**{**given, **options}))


def ports_of(firewall: Any, *addresses: str) -> tuple[list[Any], list[dict[str, Any]], float]:
    """What a network with these rules and addresses publishes, what not was told, and how long it took."""
    problems = Problems()
    network: Any = {"firewall": firewall, "listening": [], "addresses": [
        {"address": address, "scope": "global"} for address in addresses]}
    started = time.monotonic()
    found = published("net:[1]", network, [], lambda address: None, [], False, problems)
    return list(found), problems.as_list(), time.monotonic() - started


def test_a_port_of_which_some_bits_are_compared_fails_nothing(held: Run) -> None:
    def hostile() -> str:
        lab.load(chain("tcp dport & 0xff == 1 dnat to 10.0.0.2\ntcp dport & 0xf0 == 16 tcp dport 80 dnat to 10.0.0.3"))
        return own()

    network = held(hostile, NEWNET).said
    facts = look()
    assert len(facts["networks"][network]["firewall"]["decoded"]) == 2
    assert not of(facts, "published ports"), facts["problems"]


def test_what_breaks_at_rules_costs_the_published_ports_of_that_network_only(
    held: Run, monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = held(own, NEWNET).said

    def break_there(name: str, *arguments: Any) -> list[Any]:
        if name == network:
            raise IndexError("what a hostile rule provokes")
        return ["port"]

    monkeypatch.setattr(networks, "published", break_there)
    facts = look()
    assert of(facts, "published ports of %s" % network) == {"EIO"}
    assert facts["networks"][facts["own"]["net"]]["published"] == ["port"]


def test_two_conditions_on_one_field_are_both_told(in_child: Run) -> None:
    def taken() -> Any:
        lab.load(chain("tcp dport 1000-2000 tcp dport & 0xf0 == 16 dnat to 10.0.0.2"))
        return lab.take()

    firewall = in_child(taken, NEWNET)[0]
    match = firewall["decoded"][0]["match"]
    assert (match["port"], match["port_max"], match["any"]) == (1000, 2000, [[{"port": "0x10/0xf0"}]])


def test_jumps_that_exclude_each_other_are_not_followed_for_ever(in_child: Run) -> None:
    def taken() -> Any:
        lab.load(chain(
            "tcp dport @p jump b",
            more=port_set("p") + port_set("q", 1) + "chain c {\n tcp dport 80 dnat to 10.0.0.2\n}\n"
            "chain b {\n tcp dport @q ip saddr vmap { %s }\n}" % elements(400, "10.%d.%d.1 : jump c")))
        firewall = lab.take()[0]
        jumps = sum(len(one["jumps"]) for one in firewall["tables"][0]["chains"])
        return jumps, ports_of(firewall)

    jumps, (dummy, problems, seconds) = in_child(taken, NEWNET)
    assert jumps == 401
    assert seconds < 3
    assert [(entry["what"], entry["reason"]) for entry in problems] == [("published ports", "truncated")]


def test_ranges_of_ports_for_many_addresses_are_bounded_and_counted(in_child: Run) -> None:
    def taken() -> Any:
        lab.load(chain("\n".join(
            "ip daddr 10.0.0.0/8 tcp dport %d-%d dnat to 172.16.0.%d" % (1000 * at + 1, 1000 * at + 1000, at + 1)
            for at in range(60))))
        addresses = ["10.0.%d.%d" % (at // 250, at % 250 + 1) for at in range(500)]
        return ports_of(lab.take()[0], *addresses)

    found, problems, seconds = in_child(taken, NEWNET)
    assert len(found) == 500
    assert seconds < 3
    assert [(entry["what"], entry["reason"]) for entry in problems] == [("published ports", "truncated")]


def test_conditions_that_many_actions_share_are_not_told_for_each(in_child: Run) -> None:
    def taken() -> Any:
        rule = "tcp dport @p " * 12 + "ip saddr vmap { %s }" % elements(1000, "10.%d.%d.1 : drop")
        lab.load(chain(rule, "filter", port_set("p")))
        return lab.take()

    firewall, problems = in_child(taken, NEWNET)
    assert len(firewall["decoded"]) == 500
    assert len(json.dumps(firewall)) < 2_000_000
    assert "firewall matches" in {entry["what"] for entry in problems}
    assert not firewall["decoded"][-1]["complete"]
    assert firewall["decoded"][0]["match"]["any"]


def test_no_more_sets_are_read_than_are_told(in_child: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    ask = nfnetlink.Nftables.elements

    def noted(self: Any, family: int, table: bytes, name: bytes, most: int) -> Any:
        asked.append(name)
        return ask(self, family, table, name, most)

    monkeypatch.setattr(nfnetlink.Nftables, "elements", noted)

    def taken() -> Any:
        # A plain user may not send so many at once.
        for first in range(0, 100, 10):
            some = range(first, first + 10)
            sets = "".join(port_set("s%d" % at) for at in some)
            lab.load(chain("\n".join("tcp dport @s%d drop" % at for at in some), "filter", sets))
        return lab.take(), len(asked)

    (firewall, problems), count = in_child(taken, NEWNET)
    assert count < 30
    assert len(firewall["decoded"]) == 100
    assert "firewall sets" in {entry["what"] for entry in problems}


def test_lists_within_rows_are_bounded_together() -> None:
    kept = Look(10, 0.0)
    told = [len(kept.nested("nexthops", list(range(300)))) for dummy in range(6)]
    assert told == [300, 300, 300, 100, 0, 0]
    assert kept.problems.as_list() == [{"what": "nexthops", "reason": "truncated", "count": 800}]


def test_processes_of_a_socket_that_are_left_out_are_counted(held: Run) -> None:
    kept: list[socket.socket] = []

    def hostile() -> str:
        kept.append(socket.socket())
        kept[0].bind(("127.0.0.1", 0))
        kept[0].listen(1)
        for dummy in range(4):
            if os.fork() == 0:
                prctl.set_pdeathsig(signal.SIGKILL)
                signal.pause()
        return own()

    network = held(hostile, NEWNET).said
    facts = look(max_entries=3, scan=("processes", "descriptors", "sockets"))
    assert len(facts["networks"][network]["listening"][0]["processes"]) == 3
    assert of(facts, "processes of sockets of %s" % network) == {"truncated"}


def test_a_message_of_somebody_else_that_is_too_large_is_no_answer(in_child: Run) -> None:
    def taken() -> int:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        with Netlink(netlink_dump.NETLINK_ROUTE, time.monotonic() + 5) as ours:
            port = ours._socket.getsockname()[0] or 0
            if not port:
                ours._socket.bind((0, 0))
                port = ours._socket.getsockname()[0]
            with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as other:
                other.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
                size = 140_000
                other.sendto(struct.pack("=IHHII", size, 16, 2, 1, 0) + b"\0" * (size - 16), (port, 0))
            dump = ours.dump(rt.RTM_GETADDR, rt.ifaddrmsg(), lambda kind, body: body, 10)
            return len(dump.rows)

    assert in_child(taken, NEWNET) >= 1


@pytest.mark.parametrize(("what", "number"), [("NFNL_SUBSYS_NFTABLES", 13), ("NETLINK_NETFILTER", 31)])
def test_a_kernel_without_nf_tables_has_no_rules_and_no_problem(
    in_child: Run, monkeypatch: pytest.MonkeyPatch, what: str, number: int,
) -> None:
    # As such kernels do, this one says that it has no such subsystem (EINVAL), no such protocol (EPROTONOSUPPORT).
    monkeypatch.setattr(nfnetlink, what, number)
    firewall, problems = in_child(lab.take, NEWNET)
    assert (firewall["tables"], firewall["generation"], problems) == ([], None, [])
    assert firewall["conntrack"] is not None


def test_sysctls_over_which_something_lies_are_said_to_be_missing(in_child: Run) -> None:
    def covered() -> Any:
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "none", "/proc/sys/net"], check=True)
        there = Look(500, time.monotonic() + 5)
        return sysctls.take(there), there.problems.as_list()

    found, problems = in_child(covered, NEWNET | namespaces.CLONE_NEWNS)
    assert (found, problems) == ({}, [{"what": "sysctls", "reason": "unsupported", "count": 1}])


def test_sysctls_of_a_link_whose_name_is_no_text_are_said_to_be_missing(in_child: Run) -> None:
    def named() -> Any:
        subprocess.run([b"ip", b"link", b"add", b"name", b"br\xff", b"type", b"bridge"], check=True)
        there = Look(500, time.monotonic() + 5)
        links.take(there)
        return sysctls.take(there), there.problems.as_list()

    found, problems = in_child(named, NEWNET)
    assert "net.ipv4.conf.lo.rp_filter" in found
    assert problems == [{"what": "sysctls", "reason": "EILSEQ", "count": 1}]


# What it believes


def test_a_root_that_hangs_is_waited_for_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(dns, "_answer", lambda *dummy: time.sleep(60))
    problems, believed = Problems(), dns.Believed(time.monotonic() + 20, 50)
    started = time.monotonic()
    try:
        assert believed.read(str(tmp_path), problems, "x") is None
    finally:
        believed.close()
    assert time.monotonic() - started < 2.7
    assert sorted((entry["what"], entry["reason"]) for entry in problems.as_list()) == [
        ("%s of x" % name, "timed out") for name in ("hostname", "hosts", "resolv.conf")]


@pytest.mark.parametrize("target", ["/proc/sys/kernel/random/boot_id", "/sys/kernel/uevent_seqnum"])
def test_a_file_that_the_kernel_makes_up_is_not_read_for_a_container(target: str, tmp_path: Path) -> None:
    # Of those some take away what is read (kmsg), some ask a device. Here they come in by a link to the same /proc.
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    for name in ("proc", "sys"):
        (root / name).mkdir()
    (root / "etc" / "hostname").symlink_to(target)
    problems, believed = Problems(), dns.Believed(time.monotonic() + 20, 50)
    pid = os.fork()
    if pid == 0:
        os._exit(_read_below(root))
    try:
        assert os.waitpid(pid, 0)[1] == 0
        # The control: for whom the root is their own, the link leads to the same file, and it is read.
        trusted = believed.read("/", problems, "x", trusted=True)
        assert trusted is not None
    finally:
        believed.close()


def _read_below(root: Path) -> int:
    """0: refused for a container, read for ourselves."""
    try:
        namespaces.unshare(namespaces.CLONE_NEWNS)
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        for name in ("proc", "sys"):
            subprocess.run(["mount", "--rbind", "/" + name, str(root / name)], check=True)
        problems, believed = Problems(), dns.Believed(time.monotonic() + 20, 50)
        found = believed.read(str(root), problems, "x")
        trusted = believed.read(str(root), Problems(), "x", trusted=True)
        believed.close()
        refused = [entry for entry in problems.as_list() if entry["what"] == "hostname of x"]
        right = found is not None and found["hostname"] is None and [entry["reason"] for entry in refused] == ["EINVAL"]
        return 0 if right and trusted is not None and trusted["hostname"] else 1
    except BaseException:
        return 2


def test_files_of_a_process_that_went_elsewhere_are_not_those_of_its_network(
    held: Run, monkeypatch: pytest.MonkeyPatch,
) -> None:
    def hostile() -> str:
        signal.signal(signal.SIGUSR1, lambda *dummy: namespaces.unshare(NEWNET))
        return own()

    process = held(hostile, NEWNET)
    staying = held(own, NEWNET)
    read = dns.Believed.read

    def read_and_go(self: Any, root: str, problems: Problems, where: str, **more: Any) -> Any:
        found = read(self, root, problems, where, **more)
        if where == process.said:
            os.kill(process.pid, signal.SIGUSR1)
            while os.readlink("/proc/%d/ns/net" % process.pid) == where:
                time.sleep(0.01)
        return found

    monkeypatch.setattr(dns.Believed, "read", read_and_go)
    facts = look()
    assert facts["networks"][process.said]["dns"] is None
    assert of(facts, "dns of %s" % process.said) == {"vanished"}
    assert facts["networks"][staying.said]["dns"] is not None


# Whose it is


def survey(containers: list[Container], tmp: str = "net:[1]") -> networks.Survey:
    scan = Scan(Proc(), Problems(), Clock(5.0))
    for container in containers:
        scan.namespace(container.namespaces["net"]).containers = [container.id]
    return networks.Survey(scan, containers, {"net": tmp}, {"net": tmp}, 500)


def tied(*addresses: tuple[str, str]) -> Any:
    return {
        "links": [{"peer": {"network": "net:[1]", "name": "v", "container": None}, "details": {}}],
        "addresses": [{"address": address, "scope": scope} for address, scope in addresses],
    }


def test_an_address_that_two_containers_claim_is_nobodys() -> None:
    web, liar = (Container(name, "docker", name, 7, 7, namespaces={"net": "net:[%s]" % number})
                 for name, number in (("web", "2"), ("liar", "3")))
    found = survey([web, liar])._owners({
        "net:[3]": tied(("172.17.0.3", "global"), ("172.17.0.2", "global"), ("127.0.0.1", "host")),
        "net:[2]": tied(("172.17.0.2", "global")),
    })
    assert found == {"net:[1]": {"172.17.0.3": "liar", "172.17.0.2": None}}


@pytest.mark.parametrize(("uid", "bound", "told"), [
    (0, "10.0.0.1", "web"), (1000, "10.0.0.1", None), (1000, "0.0.0.0", None), (1000, "127.0.0.1", "nothing"),
])
def test_a_proxy_of_a_user_says_nothing_of_containers_that_are_not_theirs(uid: int, bound: str, told: Any) -> None:
    forward = Forward("tcp", "10.0.0.1" if bound != "0.0.0.0" else "0.0.0.0", 8080, "172.17.0.2", 80)
    listening = {"protocol": "tcp", "address": bound, "port": 8080,
                 "processes": [{"pid": 7, "comm": "docker-proxy", "container": None}]}
    network: Any = {"firewall": None, "addresses": [], "listening": [listening]}
    found = published("net:[1]", network, [], {"172.17.0.2": "web"}.get,
                      [Proxy(7, "docker-proxy", uid, "net:[1]", (forward,))], True, Problems())
    assert [row["container"] for row in found] == ([] if told == "nothing" else [told])


def test_ends_that_were_not_looked_for_everywhere_are_counted() -> None:
    def network(number: int) -> Any:
        return {"links": [{"name": "v", "index": 2, "kind": "veth", "master": None, "peer": None,
                           "details": {"lower_index": 2, "lower_nsid": 0}}]}

    many = {"net:[%d]" % number: network(number) for number in range(2, 90)}
    assert connect(many, "net:[1]", {}, lambda where, other: None, lambda name: None) == len(many)
    few = {"net:[%d]" % number: network(number) for number in range(2, 40)}
    assert connect(few, "net:[1]", {}, lambda where, other: None, lambda name: None) == 0


# Whose time and memory it takes


def test_slow_networks_leave_the_others_their_time(held: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = {held(own, NEWNET).said for dummy in range(8)}
    quick = {held(own, NEWNET).said for dummy in range(4)}
    look_there = Inside.look

    def take_all_the_time(self: Any, name: str, patience: float = 10.0) -> Any:
        if name in slow:
            time.sleep(0.8 * min(10.0, patience))
        return look_there(self, name, patience)

    monkeypatch.setattr(Inside, "look", take_all_the_time)
    # Those that were made first come first.
    facts = look(timeout=3.0)
    assert quick <= set(facts["networks"]), facts["problems"]


def test_of_too_much_the_largest_network_is_left_out_and_said(held: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def hostile() -> str:
        lines = "link set lo up\n" + "".join("address add 10.0.0.%d/32 dev lo\n" % at for at in range(1, 200))
        subprocess.run(["ip", "-batch", "-"], input=lines.encode(), check=True)
        return own()

    large, small = held(hostile, NEWNET).said, held(own, NEWNET).said
    monkeypatch.setattr(networks, "_BYTES", 80)
    facts = look()
    assert large not in facts["networks"]
    assert {small, facts["own"]["net"]} <= set(facts["networks"])
    assert of(facts, "networks") == {"truncated"}


# On its way to the controller


def test_problems_without_end_do_not_cost_the_snapshot() -> None:
    facts: dict[str, Any] = {"counts": {}, "complete": False, "inventory": [], "containers": [], "problems": [
        {"what": "%s of net:[%d]" % (what, 4026530000 + at * at % 99991), "reason": "truncated", "count": at}
        for at in range(12_000) for what in ("routes", "rules", "links", "hosts", "sysctls", "sockets")],
        "networks": {"net:[1]": {"routes": [{"destination": "default"}]}}}
    snapshot = _snapshot.pack(facts, 60_000)
    assert len(snapshot) <= 60_000
    found = _snapshot.unpack(snapshot)
    assert found["networks"] == {"net:[1]": {"routes": [{"destination": "default"}]}}
    assert "snapshot: problems" in {entry["what"] for entry in found["problems"]}


def test_what_the_controller_would_refuse_is_made_smaller_on_the_host() -> None:
    names = ["a%0120d" % at for at in range(400)]
    facts: dict[str, Any] = {"counts": {}, "complete": True, "inventory": [], "containers": [], "problems": [],
                             "networks": {"net:[%d]" % at: {"links": [{"name": "v", "altnames": names}] * 100}
                                          for at in range(5)}}
    found = _snapshot.unpack(_snapshot.pack(facts))
    assert found["complete"] is False


SHAPES = 150_000
SLOW = {
    "shapes": {"l": [SHAPES], "c": {"d": [[["a"], [[1]]]] * SHAPES, "i": list(range(SHAPES))}},
    "kinds": {"l": [10 ** 6], "c": {"m": "s" * 10 ** 6, "p": {"k%d" % at: [] for at in range(SHAPES)}}},
}


@pytest.mark.parametrize("column", SLOW.values(), ids=SLOW)
def test_no_snapshot_keeps_the_controller_busy(column: Any) -> None:
    raw = json.dumps({"ids": ["a" * 64], "column": column}, separators=(",", ":"), ensure_ascii=False).encode()
    started = time.monotonic()
    with pytest.raises(ValueError):
        _snapshot.unpack(base64.b85encode(zlib.compress(raw, 9)).decode())
    assert time.monotonic() - started < 8

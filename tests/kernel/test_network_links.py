# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links that this kernel makes, as iproute2 and pyroute2 read them; what it cannot make is in *_crafted."""

from __future__ import annotations

import grp
import json
import os
import pwd
import struct
import subprocess
import time
from fcntl import ioctl
from typing import Any, Callable

import pytest
from holders import fork

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import namespaces
from ansible_collections.nsfleet.linux.plugins.module_utils._network import links
from ansible_collections.nsfleet.linux.plugins.module_utils._network.look import Look

NEWNET = namespaces.CLONE_NEWNET
INVENTED = {"NO-CARRIER", "M-DOWN"}  # flags that iproute2 makes out of others
# Numbers there, names here, and one key for both families (link_details.py says so).
OTHER_KEYS = {"owner": ("user",), "group": ("group", "group6"), "remote": ("remote", "remote6"),
              "local": ("local", "local6"), "dstport": ("port",)}
# Of what iproute2 tells, what we must tell too.
WANTED = {
    "bridge": "forward_delay hello_time max_age ageing_time stp_state priority vlan_filtering bridge_id root_id "
              "root_port mcast_snooping mcast_querier nf_call_iptables nf_call_ip6tables nf_call_arptables",
    "macvlan": "mode bcqueuelen nopromisc macaddr_count",
    "macvtap": "mode bcqueuelen",
    "vxlan": "id group group6 remote remote6 local local6 port ttl learning ageing limit proxy rsc l2miss l3miss gbp "
             "external udp_csum",
    "tun": "user group type pi vnet_hdr persist multi_queue numqueues numdisabled",
    "port of bridge": "state priority cost hairpin guard learning flood vlan_tunnel neigh_suppress isolated "
                      "backup_port locked",
}
TUNSETIFF, TUNSETPERSIST, IFF_TAP_NO_PI = 0x400454CA, 0x400454CB, 0x1002

VETHS = """
link add v0 mtu 9000 type veth peer name v1 mtu 68
link add v2 address 02:11:22:33:44:55 mtu 65535 type veth peer name v3
link set v0 up
link set v2 up promisc on allmulticast on multicast off arp off
link set v3 up
link set v1 alias something
"""
BRIDGES = """
link add br0 type bridge stp_state 1 forward_delay 400 ageing_time 12000 priority 4096 mcast_snooping 0
link add br1 type bridge nf_call_iptables 1 hello_time 300 max_age 1500
link add v0 type veth peer name v1
link add v2 type veth peer name v3
link add v4 type veth peer name v5
link set v0 master br0
link set v1 up
link set v2 master br1
link set v4 master br1
link set br0 up
link set v0 up
link set br1 up
link set v3 up
link set v2 up
link set v4 up
link set v2 type bridge_slave hairpin on learning off flood off isolated on cost 7700 priority 9
link set v2 type bridge_slave guard on neigh_suppress on
link set v4 type bridge_slave backup_port v2
"""
# Two bridges joined twice.
LOOP = """
link add br0 type bridge stp_state 1 forward_delay 200
link add br1 type bridge stp_state 1 forward_delay 200
link set br0 up
link set br1 up
link add a0 type veth peer name a1
link add b0 type veth peer name b1
link set a0 up master br0
link set b0 up master br0
link set a1 up master br1
link set b1 up master br1
"""
MACVLANS = """
link add base type veth peer name other
link add m1 link base type macvlan mode private
link add m2 link base type macvlan mode vepa
link add m3 link base type macvlan mode bridge bcqueuelen 50
link add m4 link base type macvlan mode source
link set m4 type macvlan macaddr add 02:00:00:00:00:07
link add m5 link other type macvlan mode passthru nopromisc
link add m6 link base type macvtap mode bridge
link set base up
link set m3 up
"""
VXLANS = """
link add base type veth peer name other
link add x1 type vxlan id 1 group 239.1.2.3 dev base dstport 4789 ttl 7
link add x2 type vxlan id 16777215 remote 192.0.2.9 local 192.0.2.1 dstport 8472 nolearning ageing 30 maxaddress 9
link add x3 type vxlan id 3 remote 2001:db8::9 local 2001:db8::1 dstport 4789
link add x4 type vxlan id 4 group ff05::100 dev base dstport 4789
link add x5 type vxlan dstport 4790 external
link add x6 type vxlan id 6 dstport 4791 proxy rsc l2miss l3miss gbp noudpcsum
"""
TUNS = """
tuntap add t1 mode tun
tuntap add t2 mode tap user 0 group 0
tuntap add t3 mode tun multi_queue pi
tuntap add t4 mode tap vnet_hdr
link set t1 up
"""
TUNS_OF_OTHERS = """
tuntap add t1 mode tap user 1 group 2
tuntap add t2 mode tun user 54321 group 54322
"""
ALTNAMES = """
link add v0 type veth peer name v1
link property add dev v0 altname %s altname second
""" % ("n" * 127)


@pytest.fixture(autouse=True)
def allowed(request: pytest.FixtureRequest) -> None:
    """Of who is not root, some machines keep the tun device."""
    if "tun" in request.node.name and not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        pytest.skip("/dev/net/tun is root's alone")


def ip(*arguments: str, commands: str | None = None) -> bytes:
    """What ip(8) prints in the namespace that the caller is in."""
    found = subprocess.run(["ip", *arguments], input=(commands or "").encode("utf-8", "surrogateescape"),
                           capture_output=True, timeout=15, check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout


def make(commands: str) -> None:
    """Links, by the command."""
    ip("-batch", "-", commands=commands)


def told(most: int = 500) -> dict[str, Any]:
    """What we and iproute2 say of the links of the namespace that the caller is in."""
    deadline = time.monotonic() + 10
    before = None
    # The kernel goes on with carriers and ports for a while: what is compared has stayed the same meanwhile.
    while time.monotonic() < deadline:
        look = Look(most, deadline)
        rows = links.take(look)
        look.close()
        if rows == before:
            break
        before = rows
        theirs = json.loads(ip("-j", "-d", "link").decode("utf-8", "replace"))
    return {"rows": rows, "theirs": theirs, "names": look.names, "problems": look.problems.as_list()}


def made(commands: str, most: int = 500) -> Callable[[], dict[str, Any]]:
    """A function for a child: makes links and tells of them."""

    def run() -> dict[str, Any]:
        make(commands)
        return told(most)

    return run


def agree(answer: dict[str, Any]) -> None:
    """Every link, and all that is said of it, is what iproute2 says."""
    assert len(answer["rows"]) == len(answer["theirs"]) > 0
    names = {row["index"]: row["name"] for row in answer["rows"]}
    for row, other in zip(answer["rows"], sorted(answer["theirs"], key=lambda row: row["ifindex"])):
        info = other.get("linkinfo", {})
        details = dict(row["details"])
        assert (row["name"], row["index"], row["mtu"]) == (other["ifname"], other["ifindex"], other["mtu"])
        assert row["state"] == other["operstate"].lower()
        assert row["master"] == other.get("master")
        assert row["altnames"] == other.get("altnames", [])
        assert row["mac"] == other.get("address")
        # iproute2 does not print RUNNING: it makes NO-CARRIER of its absence.
        assert [flag for flag in row["flags"] if flag != "RUNNING"] == [
            flag for flag in other["flags"] if flag not in INVENTED]
        assert ("UP" in row["flags"] and "RUNNING" not in row["flags"]) == ("NO-CARRIER" in other["flags"])
        assert row["kind"] == info.get("info_kind", other["link_type"].replace("ether", "physical"))
        assert details.pop("promiscuity", 0) == other["promiscuity"]
        assert details.pop("lower_nsid", None) == other.get("link_netnsid")
        lower, data = details.pop("lower_index", None), dict(info.get("info_data", {}))
        # Of a vxlan the lower link is in its data only.
        assert names.get(lower) == other.get("link", data.get("link")) or lower == other["link_index"]
        port = dict(details.pop("port", {}))
        assert port.pop("kind", None) == info.get("info_slave_kind")
        same(port, info.get("info_slave_data", {}), "port of %s" % info.get("info_slave_kind"))
        same(details, data, row["kind"])


def same(ours: dict[str, Any], theirs: dict[str, Any], kind: str) -> None:
    """All that we say they say too, and we say what we must."""
    ours_there = {name for key in ours for name in OTHER_KEYS.get(key, (key,))}
    missing = set(theirs) & set(WANTED.get(kind, "").split()) - ours_there
    assert not missing
    for key, value in ours.items():
        if key == "root_id":
            # iproute2 before 6.5 prints the bridge's own id for it; the test of the spanning tree has it.
            continue
        there = [theirs[name] for name in OTHER_KEYS.get(key, (key,)) if name in theirs]
        assert there, "%s: %s, not told by iproute2: %s" % (key, value, theirs)
        expected = there[0]
        if key == "bridge_id":
            # It leaves leading zeros out.
            priority, address = expected.split(".")
            expected = priority + "." + ":".join("%02x" % int(part, 16) for part in address.split(":"))
        if key == "owner" and isinstance(expected, str):
            expected = pwd.getpwnam(expected).pw_uid
        if key == "group" and isinstance(value, int) and isinstance(expected, str):
            expected = grp.getgrnam(expected).gr_gid
        assert value == expected, key


def row_of(answer: dict[str, Any], name: str) -> dict[str, Any]:
    """The row of a link."""
    return next(row for row in answer["rows"] if row["name"] == name)


@pytest.mark.parametrize("commands", [VETHS, BRIDGES, MACVLANS, VXLANS, TUNS, ALTNAMES],
                         ids=["veth", "bridge", "macvlan", "vxlan", "tun", "altnames"])
def test_links_are_as_iproute2_reads_them(in_child: Callable[..., Any], commands: str) -> None:
    agree(in_child(made(commands), NEWNET))


def test_tuns_of_other_users(in_child: Callable[..., Any], host_root: bool) -> None:
    if not host_root:
        pytest.skip("a user namespace of ours has no other users")
    answer = in_child(made(TUNS_OF_OTHERS), NEWNET)
    agree(answer)
    whose = [(row["details"]["owner"], row["details"]["group"]) for row in answer["rows"][1:]]
    assert whose == [(1, 2), (54321, 54322)]


def test_a_new_network_has_its_loopback_only(in_child: Callable[..., Any]) -> None:
    assert in_child(told, NEWNET)["rows"] == [{
        "name": "lo", "index": 1, "kind": "loopback", "state": "down", "flags": ["LOOPBACK"], "mtu": 65536,
        "mac": "00:00:00:00:00:00", "master": None, "altnames": [], "details": {}, "peer": None}]


def test_what_this_machine_has_is_as_iproute2_reads_it(in_child: Callable[..., Any]) -> None:
    agree(in_child(told))


def test_states_and_flags_of_a_pair(in_child: Callable[..., Any]) -> None:
    answer = in_child(made(VETHS), NEWNET)
    assert [row_of(answer, name)["state"] for name in ("v0", "v1", "v2")] == ["lowerlayerdown", "down", "up"]
    assert row_of(answer, "v0")["flags"] == ["BROADCAST", "MULTICAST", "UP"]
    assert row_of(answer, "v2")["flags"] == ["BROADCAST", "NOARP", "ALLMULTI", "PROMISC", "UP", "RUNNING", "LOWER_UP"]
    assert row_of(answer, "v2")["details"]["promiscuity"] == 1
    assert "promiscuity" not in row_of(answer, "v3")["details"]
    assert [row_of(answer, name)["mtu"] for name in ("v0", "v1", "v2")] == [9000, 68, 65535]


def test_ports_of_bridges(in_child: Callable[..., Any]) -> None:
    answer = in_child(made(BRIDGES), NEWNET)
    port = row_of(answer, "v2")["details"]["port"]
    assert (port["kind"], port["state"], port["hairpin"], port["isolated"], port["learning"], port["cost"],
            port["priority"]) == ("bridge", "forwarding", True, True, False, 7700, 9)
    assert row_of(answer, "v0")["details"]["port"]["state"] == "listening"
    assert row_of(answer, "v4")["details"]["port"]["state"] == "disabled"
    assert row_of(answer, "v4")["details"]["port"]["backup_port"] == "v2"
    assert row_of(answer, "v4")["master"] == "br1"
    assert "port" not in row_of(answer, "v1")["details"]


def test_a_port_that_the_spanning_tree_blocks(in_child: Callable[..., Any]) -> None:
    def run() -> dict[str, Any]:
        make(LOOP)
        deadline = time.monotonic() + 10
        while b"state blocking" not in ip("-d", "link") and time.monotonic() < deadline:
            time.sleep(0.02)
        return told()

    answer = in_child(run, NEWNET)
    agree(answer)
    states = [row["details"]["port"]["state"] for row in answer["rows"] if "port" in row["details"]]
    assert states.count("blocking") == 1
    one, other = row_of(answer, "br0")["details"], row_of(answer, "br1")["details"]
    assert one["bridge_id"] != other["bridge_id"]
    assert one["root_id"] == other["root_id"] == min(one["bridge_id"], other["bridge_id"])
    assert sorted((one["root_port"], other["root_port"])) == [0, 1]


def test_a_pair_in_one_namespace_names_each_other(in_child: Callable[..., Any]) -> None:
    answer = in_child(made("link add v0 type veth peer name v1\n"), NEWNET)
    one, other = row_of(answer, "v0"), row_of(answer, "v1")
    assert one["details"] == {"lower_index": other["index"]}
    assert other["details"] == {"lower_index": one["index"]}


def apart(commands: str) -> Callable[[], dict[str, Any]]:
    """A function for a child: makes links, with another namespace at hand (PID), and tells of them."""

    def run() -> dict[str, Any]:
        there = fork(lambda: namespaces.unshare(NEWNET))
        make(commands.replace("PID", str(there)))
        return told()

    return run


def test_the_other_end_in_another_namespace(in_child: Callable[..., Any]) -> None:
    answer = in_child(apart("link add v0 index 20 type veth peer name v1 index 30 netns PID\n"), NEWNET)
    agree(answer)
    assert row_of(answer, "v0")["details"] == {"lower_index": 30, "lower_nsid": 0}


def test_the_other_end_may_have_the_same_index(in_child: Callable[..., Any]) -> None:
    answer = in_child(apart("link add v0 index 20 type veth peer name v1 index 20 netns PID\n"), NEWNET)
    assert row_of(answer, "v0")["details"] == {"lower_index": 20, "lower_nsid": 0}


def test_a_vxlan_moved_away_lies_upon_a_link_where_it_came_from(in_child: Callable[..., Any]) -> None:
    def run() -> dict[str, Any]:
        here = fork(lambda: None)
        make("link add base index 40 type veth peer name other\n"
             "link add x1 index 50 type vxlan id 1 group 239.1.1.1 dev base dstport 4789\n"
             "link add x2 index 60 type vxlan id 2 dstport 4790\n")
        namespaces.unshare(NEWNET)
        there = os.getpid()
        subprocess.run(["nsenter", "-n", "-t", str(here), "ip", "link", "set", "x1", "netns", str(there)], check=True)
        subprocess.run(["nsenter", "-n", "-t", str(here), "ip", "link", "set", "x2", "netns", str(there)], check=True)
        return told()

    answer = in_child(run, NEWNET)
    assert row_of(answer, "x1")["details"]["lower_index"] == 40
    assert row_of(answer, "x1")["details"]["lower_nsid"] == 0
    # The kernel gives its own index as that of the lower link.
    assert "lower_index" not in row_of(answer, "x2")["details"]
    assert row_of(answer, "x2")["details"]["lower_nsid"] == 0


def test_a_tun_device_without_persistence(in_child: Callable[..., Any]) -> None:
    def run() -> dict[str, Any]:
        with open("/dev/net/tun", "r+b", buffering=0) as held:
            ioctl(held, TUNSETIFF, struct.pack("16sH22x", b"tap7", IFF_TAP_NO_PI))
            return told()

    answer = in_child(run, NEWNET)
    agree(answer)
    details = row_of(answer, "tap7")["details"]
    assert (details["type"], details["persist"], details["pi"]) == ("tap", False, False)
    assert not {"owner", "group", "numqueues"} & set(details)


def test_names_may_hold_any_byte_but_a_few(in_child: Callable[..., Any]) -> None:
    wanted = [b"\xff\xfe", b"a\x1b[31m", b"quo\"te\\", "ünïcøde".encode(), b"x\x01y", b"';$(id)`id`"]

    def run() -> dict[str, Any]:
        for number, name in enumerate(wanted):
            subprocess.run([b"ip", b"link", b"add", b"name", name, b"type", b"veth", b"peer", b"name", b"p%d" % number],
                           check=True, timeout=5)
        look = Look(500, time.monotonic() + 10)
        return {"rows": links.take(look), "names": look.names}

    answer = in_child(run, NEWNET)
    found = {row["name"] for row in answer["rows"]}
    assert found >= {name.decode("utf-8", "replace") for name in wanted}
    assert set(answer["names"].values()) == found


def test_what_is_beyond_the_most_is_named_and_counted(in_child: Callable[..., Any]) -> None:
    commands = "".join("link add a%d type veth peer name b%d\n" % (number, number) for number in range(150))
    answer = in_child(made("link add zz type bridge\n" + commands + "link set a0 master zz\n", most=100), NEWNET)
    assert len(answer["rows"]) == 100
    assert answer["names"] == {row["ifindex"]: row["ifname"] for row in answer["theirs"]}
    assert [(problem["what"], problem["reason"], problem["count"]) for problem in answer["problems"]] == [
        ("links", "truncated", 202)]


def test_300_links_agree(in_child: Callable[..., Any]) -> None:
    commands = "".join("link add a%d type veth peer name b%d\n" % (number, number) for number in range(150))
    agree(in_child(made(commands), NEWNET))


def test_more_altnames_than_the_most_are_counted(in_child: Callable[..., Any]) -> None:
    commands = "link add v0 type veth peer name v1\n" + "".join(
        "link property add dev v0 altname other%d\n" % number for number in range(7))
    answer = in_child(made(commands, most=5), NEWNET)
    assert row_of(answer, "v0")["altnames"] == ["other%d" % number for number in range(5)]
    assert [(problem["what"], problem["count"]) for problem in answer["problems"]] == [("links", 2)]


@pytest.mark.parametrize("commands", [VETHS, BRIDGES, MACVLANS, VXLANS, TUNS],
                         ids=["veth", "bridge", "macvlan", "vxlan", "tun"])
def test_links_are_as_pyroute2_reads_them(in_child: Callable[..., Any], commands: str) -> None:
    def run() -> tuple[dict[str, Any], list[Any]]:
        from pyroute2 import IPRoute

        answer = made(commands)()
        theirs = []
        with IPRoute() as route:
            for message in route.get_links():
                info = message.get("linkinfo") or message
                theirs.append((message.get("ifname"), message["index"], message.get("mtu"), message.get("address"),
                               message.get("master"), info.get("kind")))
        return answer, theirs

    answer, theirs = in_child(run, NEWNET)
    indices = {name: index for index, name in answer["names"].items()}
    ours = [(row["name"], row["index"], row["mtu"], row["mac"], indices.get(row["master"]),
             None if row["kind"] == "loopback" else row["kind"]) for row in answer["rows"]]
    assert ours == sorted(theirs, key=lambda row: row[1])


def test_1000_links_are_read_in_60_ms_of_processor_time(in_child: Callable[..., Any]) -> None:
    def run() -> float:
        make("".join("link add a%d type veth peer name b%d\n" % (number, number) for number in range(500)))
        spent = []
        for dummy in range(5):
            look = Look(2000, time.monotonic() + 10)
            begun = time.process_time()
            found = len(links.take(look))
            spent.append(time.process_time() - begun)
            look.close()
            assert found == 1001
        return min(spent)

    assert in_child(run, NEWNET) < 0.06

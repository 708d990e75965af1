# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of links that the kernels we test on cannot make: messages made by hand from if_link.h, if_tunnel.h, ....

That each means what we take it for is iproute2's word: it prints the same message (ip monitor file).
"""

from __future__ import annotations

import socket
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._network import links
from ansible_collections.nsfleet.linux.tests.unit.recorded.rtnetlink import always, look

RTM_NEWLINK = 16
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_LINKINFO = 1, 3, 4, 5, 10, 18
INFO_KIND, INFO_DATA, SLAVE_KIND, SLAVE_DATA = 1, 2, 4, 5
ETHER, LOOPBACK, TUNNEL, TUNNEL6, SIT, IPGRE, NONE = 1, 772, 768, 769, 776, 778, 0xFFFE


def u8(value: int) -> bytes:
    return struct.pack("=B", value)


def u16(value: int) -> bytes:
    return struct.pack("=H", value)


def u32(value: int) -> bytes:
    return struct.pack("=I", value)


def be16(value: int) -> bytes:
    return struct.pack("!H", value)


def be32(value: int) -> bytes:
    return struct.pack("!I", value)


def v4(value: str) -> bytes:
    return socket.inet_aton(value)


def v6(value: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6, value)


def mac(value: str) -> bytes:
    return bytes.fromhex(value.replace(":", ""))


def nest(*pairs: tuple[int, bytes]) -> bytes:
    """Attributes."""
    return b"".join(struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)
                    for kind, value in pairs)


def body(index: int, name: str, kind: str = "", data: bytes = b"", *pairs: tuple[int, bytes], hardware: int = ETHER,
         address: bytes = mac("02:00:00:00:00:01"), port: tuple[str, bytes] | None = None) -> bytes:
    """An RTM_NEWLINK without its header."""
    info = [(INFO_KIND, kind.encode() + b"\0")] if kind else []
    info += [(INFO_DATA, data)] if data else []
    info += [(SLAVE_KIND, port[0].encode() + b"\0"), (SLAVE_DATA, port[1])] if port else []
    shared = [(IFLA_IFNAME, name.encode() + b"\0"), (IFLA_MTU, u32(1400))]
    shared += [(IFLA_ADDRESS, address)] if address else []
    shared += [(IFLA_LINKINFO, nest(*info))] if info else []
    return struct.pack("=BxHiII", 0, hardware, index, 0x1043, 0) + nest(*shared, *pairs)


def rows(*bodies: bytes) -> list[Any]:
    """The links of such messages."""
    return links.take(look(always(RTM_NEWLINK, *bodies), 500))


def printed(folder: Path, *bodies: bytes) -> str:
    """What iproute2 prints of the last of such messages."""
    path = folder / "messages"
    path.write_bytes(b"".join(
        struct.pack("=IHHII", 16 + len(body), RTM_NEWLINK, 2, 0, 0) + body for body in bodies))
    found = subprocess.run(["ip", "-d", "monitor", "file", str(path)], capture_output=True, timeout=10, check=True)
    last = found.stdout.decode().split("\n%d: " % struct.unpack_from("=i", bodies[-1], 4)[0])[-1]
    return " ".join(last.split())


ONE, TWO = 301, 302
PORTS = [body(ONE, "eth0"), body(TWO, "eth1")]
LOCAL, REMOTE = "192.0.2.1", "192.0.2.2"
LOCAL6, REMOTE6 = "2001:db8::1", "2001:db8::2"
# IFLA_GRE_*: link, iflags, oflags, ikey, okey, local, remote, ttl, tos, pmtudisc.
GRE = nest((1, u32(0)), (2, be16(0x2000 | 0x8000)), (3, be16(0x2000 | 0x1000)), (4, be32(5)), (5, be32(0x01020304)),
           (6, v4(LOCAL)), (7, v4(REMOTE)), (8, u8(64)), (10, u8(1)))
GRE_DETAILS = {"icsum": True, "ikey": "0.0.0.5", "okey": "1.2.3.4", "oseq": True, "local": LOCAL, "remote": REMOTE,
               "ttl": 64, "pmtudisc": True}
GRE_WORDS = "remote 192.0.2.2 local 192.0.2.1 ttl 64 ikey 0.0.0.5 okey 1.2.3.4 oseq icsum"
GRE6 = nest((2, be16(0)), (3, be16(0)), (4, be32(0)), (5, be32(0)), (6, v6(LOCAL6)), (7, v6(REMOTE6)), (8, u8(63)))
GRE6_DETAILS = {"local": LOCAL6, "remote": REMOTE6, "ttl": 63}
GRE6_WORDS = "remote 2001:db8::2 local 2001:db8::1 hoplimit 63"
BOND = nest(
    (1, u8(1)), (2, u32(TWO)), (3, u32(1000)), (4, u32(2000)), (5, u32(3000)), (6, u8(1)), (7, u32(1500)),
    (8, nest((0, v4(LOCAL)), (1, v4(REMOTE)))), (11, u32(ONE)), (12, u8(1)), (13, u8(2)), (14, u8(1)), (18, u32(260)))
LACP = nest(
    (1, u8(4)), (2, u32(0)), (14, u8(2)), (21, u8(1)), (22, u8(1)), (29, u8(1)),
    (23, nest((1, u16(3)), (2, u16(2)), (3, u16(15)), (4, u16(33)), (5, mac("02:aa:00:00:00:ff")))))

# Kind, data, what we say, what iproute2 prints.
KINDS: list[tuple[str, bytes, dict[str, Any], str]] = [
    ("vlan", nest((1, u16(4094)), (2, struct.pack("=II", 0x5, 0xFFFFFFFF)), (5, be16(0x8100))),
     {"id": 4094, "protocol": "802.1Q", "flags": ["REORDER_HDR", "LOOSE_BINDING"]},
     "vlan protocol 802.1Q id 4094 <REORDER_HDR,LOOSE_BINDING>"),
    ("vlan", nest((1, u16(1)), (5, be16(0x88A8))), {"id": 1, "protocol": "802.1ad", "flags": []},
     "vlan protocol 802.1ad id 1"),
    ("ipvlan", nest((1, u16(0)), (2, u16(0))), {"mode": "l2", "bridge": True}, "ipvlan mode l2 bridge"),
    ("ipvlan", nest((1, u16(2)), (2, u16(2))), {"mode": "l3s", "vepa": True}, "ipvlan mode l3s vepa"),
    ("ipvtap", nest((1, u16(1)), (2, u16(1))), {"mode": "l3", "private": True}, "ipvtap mode l3 private"),
    ("bond", BOND,
     {"mode": "active-backup", "active_slave": "eth1", "miimon": 1000, "updelay": 2000, "downdelay": 3000,
      "use_carrier": 1, "arp_interval": 1500, "arp_ip_target": [LOCAL, REMOTE], "primary": "eth0",
      "primary_reselect": "better", "fail_over_mac": "follow", "xmit_hash_policy": "layer3+4", "min_links": 260},
     "bond mode active-backup active_slave eth1 miimon 1000 updelay 2000 downdelay 3000 use_carrier 1 "
     "arp_interval 1500 arp_ip_target 192.0.2.1,192.0.2.2 primary eth0 primary_reselect better fail_over_mac follow "
     "xmit_hash_policy layer3+4 min_links 260"),
    ("bond", LACP,
     {"mode": "802.3ad", "xmit_hash_policy": "layer2+3", "ad_lacp_rate": "fast", "ad_select": "bandwidth",
      "ad_lacp_active": "on", "ad_info": {"aggregator": 3, "num_ports": 2, "actor_key": 15, "partner_key": 33,
                                          "partner_mac": "02:aa:00:00:00:ff"}},
     "bond mode 802.3ad xmit_hash_policy layer2+3 lacp_active on lacp_rate fast ad_select bandwidth ad_aggregator 3 "
     "ad_num_ports 2 ad_actor_key 15 ad_partner_key 33 ad_partner_mac 02:aa:00:00:00:ff"),
    ("vrf", nest((1, u32(1001))), {"table": 1001}, "vrf table 1001"),
    ("bridge", nest((7, u8(1)), (8, be16(0x88A8)), (39, u16(77))),
     {"vlan_filtering": 1, "vlan_protocol": "802.1ad", "vlan_default_pvid": 77},
     "bridge vlan_filtering 1 vlan_protocol 802.1ad vlan_default_pvid 77"),
    ("geneve", nest((1, u32(70000)), (2, v4(REMOTE)), (3, u8(5)), (5, be16(6081)), (8, u8(1))),
     {"id": 70000, "remote": REMOTE, "ttl": 5, "dstport": 6081, "udp_csum": True},
     "geneve id 70000 remote 192.0.2.2 ttl 5 dstport 6081 udpcsum"),
    ("geneve", nest((6, b""), (7, v6(REMOTE6)), (5, be16(6082))),
     {"external": True, "remote": REMOTE6, "dstport": 6082},
     "geneve external remote 2001:db8::2 dstport 6082"),
    ("gretap", GRE, GRE_DETAILS, "gretap " + GRE_WORDS),
    ("erspan", GRE + nest((21, u32(700)), (22, u8(1))), dict(GRE_DETAILS, erspan_index=700, erspan_ver=1),
     "erspan " + GRE_WORDS + " erspan_index 700 erspan_ver 1"),
    ("ip6gretap", GRE6, GRE6_DETAILS, "ip6gretap " + GRE6_WORDS),
    ("xfrm", nest((1, u32(TWO)), (2, u32(0x1007B))), {"if_id": 0x1007B}, "xfrm if_id 0x1007b"),
    ("macsec",
     nest((1, be32(0x02AABBCC) + be32(0xDDEE0001)), (3, u8(16)), (4, struct.pack("=Q", 0x0080C20001000002)),
          (5, u32(640)), (6, u8(1)), (7, u8(1)), (8, u8(1)), (12, u8(1)), (13, u8(2)), (15, u8(0))),
     {"sci": "02aabbccddee0001", "icv_len": 16, "cipher_suite": "GCM-AES-256", "window": 640, "encoding_sa": 1,
      "encrypt": True, "protect": True, "replay_protect": True, "validation": "strict", "offload": "off"},
     "macsec sci 02aabbccddee0001 protect on cipher GCM-AES-256 icvlen 16 encodingsa 1 validate strict offload off "
     "encrypt on replay on window 640"),
    ("hsr", nest((1, u32(ONE)), (2, u32(TWO)), (4, mac("01:15:4e:00:01:2d")), (5, u16(9)), (7, u8(1)), (6, u8(0))),
     {"slave1": "eth0", "slave2": "eth1", "supervision_addr": "01:15:4e:00:01:2d", "proto": 1, "version": 0},
     "hsr slave1 eth0 slave2 eth1 sequence 9 supervision 01:15:4e:00:01:2d proto 1"),
    ("can", nest((4, u32(3)), (6, u32(1000)), (1, struct.pack("=8I", 500000, 875, 125, 6, 7, 2, 1, 4))),
     {"state": "bus-off", "restart_ms": 1000, "bitrate": 500000}, "can state BUS-OFF restart-ms 1000 bitrate 500000"),
    ("ipoib", nest((1, u16(0x8001)), (2, u16(1)), (3, u16(0))), {"key": 0x8001, "mode": "connected", "umcast": 0},
     "ipoib pkey 0x8001 mode connected"),
    ("wireguard", b"", {}, "wireguard"),
    ("dummy", b"", {}, "dummy"),
    ("ifb", b"", {}, "ifb"),
    ("team", b"", {}, "team"),
    ("vxcan", b"", {}, "vxcan"),
    ("newfangled", nest((1, u32(5))), {}, "newfangled"),
]


@pytest.mark.parametrize("kind,data,details,words", KINDS, ids=[row[3][:24] for row in KINDS])
def test_a_kind_of_link(tmp_path: Path, kind: str, data: bytes, details: dict[str, Any], words: str) -> None:
    crafted = body(999, "it", kind, data)
    found = rows(*PORTS, crafted)[-1]
    assert (found["kind"], found["details"]) == (kind, details)
    assert in_order(words, printed(tmp_path, *PORTS, crafted))


def in_order(words: str, text: str) -> bool:
    """Whether the words are in the text one after another, others between them or not."""
    place = 0
    for word in words.split():
        place = (" " + text + " ").find(" " + word + " ", place)
        if place < 0:
            return False
        place += len(word)
    return True


IPTUN = nest((1, u32(TWO)), (2, v4(LOCAL)), (3, v4("0.0.0.0")), (4, u8(0)), (9, u8(4)), (10, u8(1)))
# Kind, hardware (ARPHRD_*), its own address as the kernel gives it, data, what we say, what iproute2 prints.
TUNNELS: list[tuple[str, int, bytes, bytes, dict[str, Any], str]] = [
    ("gre", IPGRE, v4(LOCAL), GRE, GRE_DETAILS, "gre " + GRE_WORDS),
    ("gre", IPGRE, v4("0.0.0.0"), nest((6, v4("0.0.0.0")), (7, v4("0.0.0.0")), (8, u8(0)), (10, u8(0)), (18, b"")),
     {"external": True, "local": "any", "remote": "any", "ttl": 0, "pmtudisc": False},
     "gre external remote any local any ttl inherit nopmtudisc"),
    ("ipip", TUNNEL, v4("0.0.0.0"), nest((2, v4("0.0.0.0")), (3, v4(REMOTE)), (9, u8(0))),
     {"local": "any", "remote": REMOTE, "proto": "any"}, "ipip any remote 192.0.2.2 local any"),
    ("vti", TUNNEL, v4("0.0.0.0"), nest((2, be32(0)), (3, be32(0)), (4, v4("0.0.0.0")), (5, v4("0.0.0.0"))),
     {"local": "any", "remote": "any"}, "vti remote any local any"),
    ("ip6gre", 823, v6(LOCAL6), GRE6, GRE6_DETAILS, "ip6gre " + GRE6_WORDS),
    ("ipip", TUNNEL, v4(LOCAL), IPTUN,
     {"local": LOCAL, "remote": "any", "ttl": 0, "proto": "ipip", "pmtudisc": True},
     "ipip ipip remote any local 192.0.2.1 dev eth1 ttl inherit pmtudisc"),
    ("sit", SIT, v4(LOCAL), nest((2, v4(LOCAL)), (3, v4(REMOTE)), (4, u8(9)), (9, u8(41)), (10, u8(0))),
     {"local": LOCAL, "remote": REMOTE, "ttl": 9, "proto": "ip6ip", "pmtudisc": False},
     "sit ip6ip remote 192.0.2.2 local 192.0.2.1 ttl 9 nopmtudisc"),
    ("ip6tnl", TUNNEL6, v6(LOCAL6), nest((2, v6(LOCAL6)), (3, v6(REMOTE6)), (4, u8(64)), (9, u8(41)), (19, b"")),
     {"local": LOCAL6, "remote": REMOTE6, "ttl": 64, "proto": "ip6ip6", "external": True},
     "ip6tnl external ip6ip6 remote 2001:db8::2 local 2001:db8::1 hoplimit 64"),
    ("vti", TUNNEL, v4(LOCAL), nest((2, be32(7)), (3, be32(0)), (4, v4(LOCAL)), (5, v4(REMOTE))),
     {"ikey": "0.0.0.7", "local": LOCAL, "remote": REMOTE}, "vti remote 192.0.2.2 local 192.0.2.1 ikey 0.0.0.7"),
    ("vti6", TUNNEL6, v6(LOCAL6), nest((2, be32(0)), (3, be32(8)), (4, v6(LOCAL6)), (5, v6(REMOTE6))),
     {"okey": "0.0.0.8", "local": LOCAL6, "remote": REMOTE6},
     "vti6 remote 2001:db8::2 local 2001:db8::1 okey 0.0.0.8"),
    ("wireguard", NONE, b"", b"", {}, "link/none wireguard"),
]


@pytest.mark.parametrize("kind,hardware,address,data,details,words", TUNNELS,
                         ids=["%s-%s" % (row[0], row[4].get("local")) for row in TUNNELS])
def test_a_tunnel_has_no_mac(tmp_path: Path, kind: str, hardware: int, address: bytes, data: bytes,
                             details: dict[str, Any], words: str) -> None:
    crafted = body(999, "it", kind, data, hardware=hardware, address=address)
    found = rows(*PORTS, crafted)[-1]
    assert (found["kind"], found["details"], found["mac"]) == (kind, details, None)
    assert in_order(words, printed(tmp_path, *PORTS, crafted))


MASTERED: list[tuple[str, bytes, dict[str, Any], str]] = [
    ("bond", nest((1, u8(1)), (2, u8(2)), (3, u32(400)), (4, mac("02:00:00:00:00:99")), (5, u16(3)), (6, u16(1)),
                  (9, struct.pack("=i", -5))),
     {"state": "backup", "mii_status": "down", "link_failure_count": 400, "perm_hwaddr": "02:00:00:00:00:99",
      "queue_id": 3, "ad_aggregator_id": 1, "prio": -5},
     "bond_slave state BACKUP mii_status DOWN link_failure_count 400 perm_hwaddr 02:00:00:00:00:99 queue_id 3 "
     "prio -5 ad_aggregator_id 1"),
    ("vrf", nest((1, u32(7700))), {"table": 7700}, "vrf_slave table 7700"),
    ("bridge", nest((1, u8(2)), (33, u8(1)), (39, u8(1)), (34, u32(TWO))),
     {"state": "learning", "isolated": True, "locked": True, "backup_port": "eth1"},
     "bridge_slave state learning isolated on locked on backup_port eth1"),
    ("team", b"", {}, "team_slave"),
]


@pytest.mark.parametrize("kind,data,port,words", MASTERED, ids=[row[0] for row in MASTERED])
def test_a_port_of_a_master(tmp_path: Path, kind: str, data: bytes, port: dict[str, Any], words: str) -> None:
    crafted = body(999, "it", "veth", b"", (IFLA_MASTER, u32(ONE)), port=(kind, data))
    found = rows(*PORTS, crafted)[-1]
    assert (found["master"], found["details"]) == ("eth0", {"port": {"kind": kind, **port}})
    assert in_order("master eth0 " + words, printed(tmp_path, *PORTS, crafted))


def test_a_port_that_is_itself_a_vxlan_keeps_its_udp_port() -> None:
    crafted = body(999, "it", "vxlan", nest((1, u32(5)), (15, be16(4789))), port=("bridge", nest((1, u8(3)))))
    assert rows(crafted)[0]["details"] == {"id": 5, "dstport": 4789, "port": {"kind": "bridge", "state": "forwarding"}}


def test_a_network_card_with_another_address_than_it_was_made_with(tmp_path: Path) -> None:
    crafted = body(999, "it", "", b"", (54, mac("02:00:00:00:00:77")))
    found = rows(crafted)[0]
    assert (found["kind"], found["details"]) == ("physical", {"permanent_mac": "02:00:00:00:00:77"})
    assert in_order("permaddr 02:00:00:00:00:77", printed(tmp_path, crafted))


def test_an_xdp_program(tmp_path: Path) -> None:
    with_one = body(999, "it", "veth", b"", (43, nest((2, u8(2)), (4, u32(5)))))
    assert rows(with_one, body(1000, "other", "veth", b"", (43, nest((2, u8(0))))))[0]["details"] == {"xdp": True}
    assert "xdpgeneric" in printed(tmp_path, with_one)


def test_no_xdp_program() -> None:
    assert rows(body(999, "it", "veth", b"", (43, nest((2, u8(0))))))[0]["details"] == {}


# iproute2 of Debian 12 does not know it yet: from if_link.h.
def test_a_netkit() -> None:
    crafted = body(999, "it", "netkit", nest((2, u8(1)), (3, u32(0)), (4, u32(2)), (5, u32(1))), (IFLA_LINK, u32(4)))
    assert rows(crafted)[0]["details"] == {"mode": "l3", "type": "primary", "policy": "forward",
                                           "peer_policy": "blackhole", "lower_index": 4}


def test_values_without_a_word_are_numbers() -> None:
    crafted = [body(999, "it", "bond", nest((1, u8(77)))),
               body(1000, "that", "vlan", nest((1, u16(5)), (5, be16(0x9100))))]
    assert [row["details"] for row in rows(*crafted)] == [
        {"mode": "77"}, {"id": 5, "protocol": str(0x9100), "flags": []}]

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The faults that a few commands make and heal: each in a container's network of rig.fleet, or around it."""

from __future__ import annotations

from typing import NamedTuple

from rig.fleet import APP

Told = tuple[str, "str | None", str, str]  # check, container, object, reason


class Fault(NamedTuple):
    """Commands that make it, as Fleet.do takes them, commands that heal it, and all that is told of it."""

    makes: str
    heals: str
    tells: list[Told]


KEEP = "/bin/sh -c 'cat /etc/resolv.conf >/tmp/kept; %s'"
RESTORE = "/bin/sh -c 'cat /tmp/kept >/etc/resolv.conf'"
FRONT = "web (shared with sidecar)"
HOST = "the host (shared with at-host)"
FAULTS: dict[str, Fault] = {
    "no default route": Fault(
        "db> ip route del default",
        "db> ip route add default via {db.gateway}",
        [("RT-001", "db", "", "db has no default route (its addresses: {db.address}/24), though the host "
          "translates what 172.29.1.0/24 sends")],
    ),
    "no default route, nor a way to the nameserver": Fault(
        "plain> ip route del default",
        "plain> ip route add default via {plain.gateway}",
        [("RT-001", "plain", "", "plain has no default route (its addresses: {plain.address}/24), though the host "
          "translates what {fleet.bridge.network} sends"),
         ("DNS-003", "plain", "198.51.100.53", "no route of plain leads to its nameserver 198.51.100.53 (neither a "
          "default route nor one to it)")],
    ),
    "no default route of IPv6": Fault(
        "six> ip -6 route del default",
        "six> ip -6 route add default via 2001:db8:3::1 dev eth0",
        [("RT-001", "six", "inet6", "six has {six.address6}/64 but no IPv6 default route, though six-too on the same "
          "segment has one by 2001:db8:3::1")],
    ),
    "interface down": Fault(
        "web> ip link set dev eth0 down",
        "web> ip link set dev eth0 up\nweb> ip route add default via {web.gateway}",
        [("LNK-002", "web", "eth0", "eth0 of " + FRONT + " with {web.address}/24 is administratively down"),
         # The kernel takes the routes of a link that goes down.
         ("RT-001", "web", "", FRONT + " has no default route (its addresses: {web.address}/24), though the host "
          "translates what 172.29.1.0/24 sends")],
    ),
    "host's end down": Fault(
        "host> ip link set dev {plain.veth} down",
        "host> ip link set dev {plain.veth} up",
        [("LNK-003", "plain", "eth0", "{plain.veth} on the host, the peer of eth0 of plain, is down")],
    ),
    "nothing but lo": Fault(
        "docker> network disconnect back mover",
        "docker> network connect back mover",
        [("LNK-001", "mover", "lo", "mover has no interface but lo, though its resolv.conf names 127.0.0.11, which "
          "Docker has in networks of users only")],
    ),
    "lo down": Fault(
        "web> ip link set dev lo down",
        "web> ip link set dev lo up",
        [("LNK-004", "web", "lo", "lo of " + FRONT + " is down: nothing in it reaches 127.0.0.1 or ::1")],
    ),
    "host's end in no bridge": Fault(
        "host> ip link set dev {plain.veth} nomaster",
        "host> ip link set dev {plain.veth} master {fleet.bridge.name}",
        [("LNK-005", "plain", "{plain.veth}", "{plain.veth} on the host, the peer of eth0 of plain, is in no bridge "
          "and no route leads to it")],
    ),
    "bridge down": Fault(
        "host> ip link set dev {inner.bridge} down",
        "host> ip link set dev {inner.bridge} up",
        [("LNK-006", None, "{inner.bridge}", "{inner.bridge} on the host is down: inner, mover and two cannot be "
          "reached through it")],
    ),
    "port disabled": Fault(
        "host> bridge link set dev {web.veth} state 0",
        "host> bridge link set dev {web.veth} state 3",
        [("LNK-006", "web", "{web.veth}", "{web.veth}, the port of {web.bridge} to eth0 of " + FRONT + ", is disabled "
          "instead of forwarding")],
    ),
    "MTU differs along the veth": Fault(
        "db> ip link set dev eth0 mtu 1400",
        "db> ip link set dev eth0 mtu 1500",
        [("LNK-007", "db", "eth0", "eth0 of db has MTU 1400, its peer {db.veth} on {db.bridge} 1500: packets over 1400 "
          "bytes are lost")],
    ),
    "MTU of the bridge": Fault(
        "host> ip link set dev {plain.bridge} mtu 1300",
        "host> ip link set dev {plain.bridge} mtu 1500",
        [("LNK-007", "plain", "eth0", "eth0 of plain and its peer {plain.veth} have MTU 1500, their bridge "
          "{fleet.bridge.name} 1300: packets over 1300 bytes are lost")],
    ),
    "MTU of the uplink": Fault(
        "host> ip link set dev uplink mtu 1400\nrouter> ip link set dev cable mtu 1400",
        "host> ip link set dev uplink mtu 1500\nrouter> ip link set dev cable mtu 1500",
        [("LNK-008", name, "eth0", "eth0 of " + title + " has MTU 1500, but uplink, by which the host sends it on, "
          "1400: packets over 1400 bytes are lost where ICMP is dropped")
         for name, title in [("web", FRONT), *((one, one) for one in ("app", "db", "plain", "six", "six-too", "two"))]],
    ),
    "hardware address twice": Fault(
        "db> ip link set dev eth0 address {web.mac}",
        "db> ip link set dev eth0 address {db.mac}",
        [("LNK-009", "db", "{web.mac}", "eth0 of db and eth0 of web have the same hardware address {web.mac} on "
          "{db.bridge}")],
    ),
    "address twice": Fault(
        "db> ip address add {web.address}/24 dev eth0",
        "db> ip address del {web.address}/24 dev eth0",
        [("ADR-002", "db", "{web.address}", "eth0 of db and eth0 of web have the same address {web.address} on "
          "{db.bridge}")],
    ),
    "duplicate address detection failed": Fault(
        """six> ip address add 2001:db8:3::99/64 dev eth0 nodad
           six-too> ip address add 2001:db8:3::99/64 dev eth0""",
        """six-too> ip address del 2001:db8:3::99/64 dev eth0
           six> ip address del 2001:db8:3::99/64 dev eth0""",
        [("ADR-004", "six-too", "2001:db8:3::99/64", "2001:db8:3::99/64 of six-too on eth0 is not in use, duplicate "
          "address detection failed: eth0 of six has it")],
    ),
    "gateway not on link": Fault(
        """db> ip address add 203.0.113.9/24 dev eth0
           db> ip address del {db.address}/24 dev eth0""",
        """db> ip address add {db.address}/24 dev eth0
           db> ip address del 203.0.113.9/24 dev eth0
           db> ip route replace default via {db.gateway}""",
        [("RT-002", "db", "{db.gateway}", "the default gateway {db.gateway} of db is not on link: eth0 has "
          "203.0.113.9/24")],
    ),
    "gateway's address is nobody's": Fault(
        "host> ip address del {plain.gateway}/24 dev {fleet.bridge.name}",
        "host> ip address add {plain.gateway}/24 dev {fleet.bridge.name}",
        [("RT-002", "plain", "{plain.gateway}", "the default gateway {plain.gateway} of plain is an address of nobody "
          "behind eth0: {fleet.bridge.name} has no address")],
    ),
    "gateway does not answer": Fault(
        """db> sysctl -qw net.ipv4.neigh.eth0.retrans_time_ms=20
           db> ip neighbour flush dev eth0
           host> ip link set dev {db.bridge} arp off
           db> sh -c '{busybox} ping -c 1 -W 1 {db.gateway} || true'""",
        """host> ip link set dev {db.bridge} arp on
           db> {busybox} ping -c 1 -W 2 {db.gateway}""",
        [("RT-003", "db", "{db.gateway}", "the default gateway {db.gateway} of db does not answer: its neighbour entry "
          "on eth0 is failed")],
    ),
    "route that rejects": Fault(
        "host> ip route add blackhole {plain.address}/32",
        "host> ip route del blackhole {plain.address}/32",
        [("RT-005", "plain", "{plain.address}", "{plain.address} of plain cannot be reached from the host: blackhole "
          "{plain.address}/32 in table main covers it")],
    ),
    "forwarding off": Fault(
        "host> sysctl -qw net.ipv4.ip_forward=0",
        "host> sysctl -qw net.ipv4.ip_forward=1",
        [("SYS-001", None, "net.ipv4.ip_forward", "net.ipv4.ip_forward of the host (shared with at-host) is 0, though "
          "the default route of app, db, plain and 4 more leads through it")],
    ),
    "forwarding of IPv6 off": Fault(
        "host> sysctl -qw net.ipv6.conf.all.forwarding=0",
        "host> sysctl -qw net.ipv6.conf.all.forwarding=1",
        [("SYS-001", None, "net.ipv6.conf.all.forwarding", "net.ipv6.conf.all.forwarding of the host (shared with "
          "at-host) is 0, though the default route of six and six-too leads through it")],
    ),
    "no nameserver": Fault(
        "docker> exec plain " + KEEP % ": >/etc/resolv.conf",
        "docker> exec plain " + RESTORE,
        [("DNS-001", "plain", "resolv.conf", "resolv.conf of plain is missing or names no nameserver")],
    ),
    "nameserver on a loopback without listener": Fault(
        "docker> exec plain " + KEEP % "echo nameserver 127.0.0.53 >/etc/resolv.conf",
        "docker> exec plain " + RESTORE,
        [("DNS-002", "plain", "127.0.0.53", "the nameserver 127.0.0.53 of plain is its own loopback, where nothing "
          "listens on port 53")],
    ),
    "nameserver behind a route that rejects": Fault(
        "plain> ip route add unreachable 198.51.100.0/24",
        "plain> ip route del unreachable 198.51.100.0/24",
        [("DNS-003", "plain", "198.51.100.53", "no route of plain leads to its nameserver 198.51.100.53 (unreachable "
          "198.51.100.0/24)")],
    ),
    "published port without listener": Fault(
        "docker> exec app /bin/busybox killall busybox",
        f"docker> {APP}",
        [("SOC-002", "app", "84/tcp", "port 84/tcp of app is published as 0.0.0.0:18084 and [::]:18084 on the host, "
          "but nothing listens")],
    ),
    "published port with a listener on the loopback": Fault(
        "docker> exec app /bin/busybox killall busybox\ndocker> exec app /bin/busybox httpd -p 127.0.0.1:84",
        f"docker> exec app /bin/busybox killall busybox\ndocker> {APP}",
        [("SOC-001", "app", "84/tcp", "port 84/tcp of app is published as 0.0.0.0:18084 and [::]:18084 on the host, "
          "but busybox listens on the loopback only (127.0.0.1:84/tcp)")],
    ),
}

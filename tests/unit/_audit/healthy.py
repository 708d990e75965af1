# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts in order, as engines and network plugins set them up: no check may find a fault on any of them."""

from __future__ import annotations

from typing import Callable

from built import (
    HOST_NET,
    Host,
    Row,
    address,
    dns,
    firewall,
    link,
    listening,
    neighbour,
    network,
    published,
    route,
    rule,
)

EMBEDDED = rule(
    "DOCKER_OUTPUT", "dnat", {"address": "127.0.0.11", "port": 41539}, destination="127.0.0.11", protocol="udp", port=53
)


def docker() -> Host:
    """Networks bridge, of a user (with IPv6), internal, macvlan, host, none, container:; published ports; one paused."""
    host = Host()
    host.bridge("docker0", "172.17.0.1/16")
    host.bridge("br-0a1b2c3d4e5f", "172.18.0.1/16", "fd00:18::1/64")
    host.bridge("br-1a1b2c3d4e5f", "172.19.0.1/16", masquerade=False)
    host.net["firewall"]["decoded"] += [
        rule(
            "DOCKER-INTERNAL",
            "drop",
            None,
            "filter",
            iif="br-1a1b2c3d4e5f",
            destination="172.19.0.0/16",
            destination_negated=True,
        ),
        rule(
            "DOCKER-INTERNAL",
            "drop",
            None,
            "filter",
            oif="br-1a1b2c3d4e5f",
            source="172.19.0.0/16",
            source_negated=True,
        ),
        rule("DOCKER-ISOLATION-STAGE-2", "drop", None, "filter", oif="docker0"),
        rule("DOCKER-ISOLATION-STAGE-2", "drop", None, "filter", oif="br-0a1b2c3d4e5f"),
        rule("POSTROUTING", "masquerade", source="172.17.0.2/32", destination="172.17.0.2/32", port=80),
        rule("DOCKER", "dnat", {"address": "172.17.0.2", "port": 80}, port=8080, iif="docker0", iif_negated=True),
    ]
    web = host.container("web")
    host.attach(web, "docker0", "veth001", "172.17.0.2/16", via="172.17.0.1")
    host.of(web)["dns"] = dns("192.0.2.53", "2001:db8::53")
    host.of(web)["listening"] += [
        listening("tcp", "::", 80, "nginx", v6only=False),
        listening("tcp", "127.0.0.1", 9000),
    ]
    app, db = host.container("app"), host.container("db", state="paused")
    for number, one in enumerate((app, db), 2):
        host.attach(one, "br-0a1b2c3d4e5f", f"veth01{number}", f"172.18.0.{number}/16", via="172.18.0.1")
        net = host.of(one)
        net["addresses"] += [address(f"fd00:18::{number}/64", "eth0", "nodad"), address("fe80::42:1/64", "eth0")]
        net["routes"] += [
            route("fd00:18::/64", "eth0", metric=256),
            route("default", "eth0", "fd00:18::1", metric=1024),
            route("fe80::/64", "eth0", metric=256),
        ]
        net["dns"] = dns("127.0.0.11", options=("ndots:0",))
        net["listening"] += [
            listening("udp", "127.0.0.11", 41539, "dockerd"),
            listening("tcp", "127.0.0.11", 36000, "dockerd"),
        ]
        net["firewall"] = firewall(EMBEDDED)
    host.of(app)["listening"] += [listening("tcp", "0.0.0.0", 8000), listening("udp", "0.0.0.0", 5000)]
    host.of(db)["listening"].append(listening("tcp", "0.0.0.0", 5432, "postgres", queue=200, limit=128))
    inner = host.container("inner")
    host.attach(inner, "br-1a1b2c3d4e5f", "veth021", "172.19.0.2/16")
    host.of(inner)["dns"] = dns("127.0.0.11")
    host.of(inner)["listening"].append(listening("udp", "127.0.0.11", 40000, "dockerd"))
    host.container("sidecar", inside=web["namespaces"]["net"])
    host.container("exporter", inside=HOST_NET)
    none = host.container("none")
    host.of(none)["dns"] = dns("192.0.2.53")
    lan = host.container("lan")
    lower = {"network": HOST_NET, "name": "ens3", "container": None}
    host.of(lan)["links"].append(
        link("eth0", 2, "macvlan", mac="02:42:c0:00:02:63", details={"mode": "bridge", "lower": lower})
    )
    host.of(lan)["addresses"].append(address("192.0.2.99/24", "eth0"))
    host.of(lan)["routes"] += [route("192.0.2.0/24", "eth0"), route("default", "eth0", "192.0.2.1")]
    host.of(lan)["dns"] = dns("127.0.0.11")
    host.of(lan)["listening"].append(listening("udp", "127.0.0.11", 40001, "dockerd"))
    begun = host.container("begun", state="starting")
    host.of(begun)["links"][0]["flags"] = ["LOOPBACK"]
    host.net["published"] += [
        published("0.0.0.0", 8080, web, "172.17.0.2", 80),
        published("::", 8080, web, "172.17.0.2", 80),
        published("127.0.0.1", 8000, app, "172.18.0.2", 8000),
        published("0.0.0.0", 5000, app, "172.18.0.2", 5000, "udp"),
        published("0.0.0.0", 2222, None, "10.1.1.1", 22),
    ]
    host.net["listening"] += [
        listening("tcp", "0.0.0.0", 8080, "docker-proxy"),
        listening("tcp", "::", 8080, "docker-proxy"),
    ]
    return host


def kubernetes() -> Host:
    """A node with Calico: links of their own, a gateway that nobody is, a blackhole for the block, tunl0 everywhere."""
    host = Host("eth0")
    host.net["routes"].append(route("10.244.1.0/26", None, type="blackhole", protocol="bird"))
    lower = {"network": HOST_NET, "name": "eth0", "container": None}
    host.net["links"] += [
        link("vxlan.calico", 9, "vxlan", mtu=1450, details={"id": 4096, "local": "192.0.2.10", "lower": lower}),
        link("kube-ipvs0", 10, "dummy", state="down", flags=["BROADCAST", "NOARP"]),
        link("nodelocaldns", 11, "dummy", state="down", flags=["BROADCAST", "NOARP"]),
    ]
    host.net["addresses"] += [address("10.244.1.0/32", "vxlan.calico"), address("10.96.0.10/32", "kube-ipvs0")]
    host.net["firewall"]["decoded"].append(rule("KUBE-POSTROUTING", "masquerade", mark="0x4000/0x4000"))
    for number in (5, 6):
        pod = {"name": f"web-{number}", "namespace": "shop", "uid": "u"}
        pause = host.container("POD", engine="cri", infra=True, pod=pod)
        place = pause["namespaces"]["net"]
        for name in ("nginx", "sidecar"):
            host.container(name, inside=place, engine="cri", pod=pod)
        there, here = host.veth(place, None, f"cali{number}", mtu=1450)
        here["mtu"], here["mac"] = 1450, "ee:ee:ee:ee:ee:ee"
        net = host.facts["networks"][place]
        net["links"].append(link("tunl0", 3, "ipip", state="down", flags=["NOARP"], mtu=1480, mac=None))
        net["addresses"].append(address(f"10.244.1.{number}/32", "eth0"))
        net["routes"] += [route("169.254.1.1/32", "eth0"), route("default", "eth0", "169.254.1.1")]
        net["dns"] = dns("10.96.0.10", options=("ndots:5",))
        net["listening"].append(listening("tcp", "0.0.0.0", 80, "nginx"))
        host.net["routes"].append(route(f"10.244.1.{number}/32", f"cali{number}"))
        host.net["published"].append(published("0.0.0.0", 30000 + number, pause, f"10.244.1.{number}", 80))
    host.container(
        "kube-proxy", inside=HOST_NET, engine="cri", pod={"name": "kube-proxy", "namespace": "kube-system", "uid": "u"}
    )
    return host


def podman() -> Host:
    """Rootful with netavark; rootless with pasta, and with a bridge behind the namespace for rootless networks."""
    host = Host()
    host.bridge("podman0", "10.88.0.1/16", masquerade=False)
    host.bridge("podman1", "10.89.0.1/24", masquerade=False)
    host.net["firewall"]["decoded"].append(
        {
            **rule(
                "nv_2f259bab_10_88_0_0_nm16",
                "masquerade",
                None,
                "netavark",
                destination="224.0.0.0/4",
                destination_negated=True,
            ),
            "family": "inet",
        }
    )
    jump = {"chain": "nv_2f259bab_10_88_0_0_nm16", "match": {"source": "10.88.0.0/16"}, "complete": True}
    host.net["firewall"]["tables"] = [
        {"family": "inet", "name": "netavark", "flags": [], "chains": [{"name": "POSTROUTING", "jumps": [jump]}]}
    ]
    pod = {"name": "shop", "namespace": None, "uid": None}
    infra = host.container("0a1b2c3d4e5f-infra", engine="podman", infra=True, pod=pod)
    host.container("web", inside=infra["namespaces"]["net"], engine="podman", pod=pod)
    host.attach(infra, "podman0", "veth0", "10.88.0.2/16", via="10.88.0.1")
    host.of(infra)["dns"] = dns("192.0.2.53")
    internal = host.container("internal", engine="podman")
    host.attach(internal, "podman1", "veth1", "10.89.0.2/24")
    host.of(internal)["dns"] = dns("10.89.0.1")
    pasta = host.container("pasta", engine="podman")
    net = host.of(pasta)
    net["links"].append(link("ens3", 2, "tun", state="unknown", mtu=65520, mac="02:00:00:00:00:02"))
    net["addresses"] += [address("192.0.2.10/24", "ens3"), address("fe80::1/64", "ens3")]
    net["routes"] += [route("default", "ens3", "192.0.2.1"), route("192.0.2.0/24", "ens3")]
    net["dns"] = dns("192.0.2.53")
    name, rootless = host.namespace()
    pin = {
        "kind": "mount",
        "count": 1,
        "path": "/run/user/1000/containers/networks/rootless-netns/rootless-netns",
        "mount_namespace": None,
    }
    host.facts["inventory"][-1].update(processes=1, pins=[pin])
    rootless.update(
        network(
            links=[
                *rootless["links"],
                link("tap0", 2, "tun", state="unknown", mtu=65520),
                link("podman9", 3, "bridge", mtu=65520),
            ],
            addresses=[address("10.0.2.100/24", "tap0"), address("10.89.9.1/24", "podman9")],
            routes=[
                route("default", "tap0", "10.0.2.2"),
                route("10.0.2.0/24", "tap0"),
                route("10.89.9.0/24", "podman9"),
            ],
            sysctls={"net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1},
        )
    )
    inside = host.container("inside", engine="podman")
    place, net = inside["namespaces"]["net"], host.of(inside)
    net["links"].append(
        link(
            "eth0",
            2,
            "veth",
            mtu=65520,
            mac="02:42:ac:99:00:01",
            peer={"network": name, "name": "veth9", "container": None},
        )
    )
    rootless["links"].append(
        link(
            "veth9",
            4,
            "veth",
            mtu=65520,
            master="podman9",
            details={"port": {"kind": "bridge", "state": "forwarding"}},
            peer={"network": place, "name": "eth0", "container": None},
        )
    )
    net["addresses"].append(address("10.89.9.2/24", "eth0"))
    net["routes"] += [route("default", "eth0", "10.89.9.1"), route("10.89.9.0/24", "eth0")]
    net["dns"] = dns("10.89.9.1")
    return host


def lxc_and_cni() -> Host:
    """LXC on lxcbr0, CNI's ptp and bridge, a systemd-nspawn pair, a laboratory of ip netns, a VPN as way out."""
    host = Host()
    host.bridge("lxcbr0", "10.0.3.1/24", "fd00:3::1/64")
    host.net["links"].append(link("wg0", 20, "wireguard", mtu=1420, state="unknown", mac=None))
    host.net["addresses"].append(address("10.6.0.2/32", "wg0"))
    host.net["routes"].append(route("default", "wg0", table="51820", scope="link"))
    host.net["rules"] += [
        {**host.net["rules"][1], "priority": 32765, "table": "51820", "fwmark": "0xca6c", "details": {"not": True}},
        {**host.net["rules"][1], "priority": 32764, "details": {"suppress_prefixlength": 0}},
    ]
    box = host.container("box", engine="lxc")
    host.attach(box, "lxcbr0", "vethBOX", "10.0.3.7/24", via="10.0.3.1")
    net = host.of(box)
    net["addresses"] += [address("fd00:3::7/64", "eth0", "mngtmpaddr"), address("fe80::216:3eff:fe01:1/64", "eth0")]
    net["routes"] += [route("fd00:3::/64", "eth0"), route("default", "eth0", "fe80::1", metric=1024)]
    net["dns"] = dns("127.0.0.53")
    net["listening"].append(listening("udp", "127.0.0.53", 53, "systemd-resolve"))
    ptp = host.container("ptp", engine="containerd")
    host.veth(ptp["namespaces"]["net"], None, "vethptp")
    host.net["addresses"].append(address("10.22.0.1/32", "vethptp"))
    host.net["routes"].append(route("10.22.0.5/32", "vethptp"))
    net = host.of(ptp)
    net["addresses"].append(address("10.22.0.5/24", "eth0"))
    net["routes"] += [
        route("10.22.0.1/32", "eth0"),
        route("10.22.0.0/24", "eth0", "10.22.0.1"),
        route("default", "eth0", "10.22.0.1"),
    ]
    net["dns"] = dns()
    nspawn = host.container("nspawn", engine="nspawn")
    host.veth(nspawn["namespaces"]["net"], None, "ve-nspawn", "host0")
    host.net["addresses"] += [address("169.254.9.1/16", "ve-nspawn"), address("192.168.77.1/28", "ve-nspawn")]
    host.net["routes"] += [route("192.168.77.0/28", "ve-nspawn"), route("fe80::/64", "ve-nspawn")]
    net = host.of(nspawn)
    net["addresses"].append(address("192.168.77.2/28", "host0"))
    net["routes"] += [route("192.168.77.0/28", "host0"), route("default", "host0", "192.168.77.1")]
    net["dns"] = dns("192.168.77.1")
    name, blue = host.namespace()
    pins = [{"kind": "mount", "count": 1, "path": "/run/netns/blue", "mount_namespace": "mnt:[4026531841]"}]
    host.facts["inventory"][-1].update(processes=0, leader=None, pins=pins)
    host.veth(name, None, "lab0", "lab1")
    blue["links"][0]["flags"] = ["LOOPBACK"]
    blue["addresses"].append(address("10.9.0.2/24", "lab1"))
    blue["routes"].append(route("10.9.0.0/24", "lab1"))
    blue["neighbours"].append(neighbour("10.9.0.7", "lab1", "failed"))
    host.container("chrome", engine="unknown")
    net = host.of(host.facts["containers"][-1])
    net["links"][0]["flags"], net["dns"] = ["LOOPBACK"], dns("192.0.2.53")
    return host


def swarm() -> Host:
    """Tasks on an overlay and on docker_gwbridge, virtual addresses, namespaces that belong to the engine."""
    host = Host()
    host.bridge("docker_gwbridge", "172.18.0.1/16")
    name, overlay = host.namespace()
    pins = [
        {"kind": "mount", "count": 1, "path": "/run/docker/netns/1-abcdefghij", "mount_namespace": "mnt:[4026531841]"}
    ]
    host.facts["inventory"][-1].update(processes=0, leader=None, pins=pins)
    overlay["links"] += [link("br0", 2, "bridge", mtu=1450), link("vxlan0", 3, "vxlan", mtu=1450, master="br0")]
    overlay["addresses"].append(address("10.0.1.1/24", "br0"))
    overlay["routes"].append(route("10.0.1.0/24", "br0"))
    for number in (3, 4):
        task = host.container(f"task.{number}")
        host.attach(task, "docker_gwbridge", f"vethgw{number}", f"172.18.0.{number}/16", via="172.18.0.1", name="eth1")
        place, net = task["namespaces"]["net"], host.of(task)
        net["links"].append(
            link(
                "eth0",
                9,
                "veth",
                mtu=1450,
                mac=f"02:42:0a:00:01:0{number}",
                peer={"network": name, "name": f"veth{number}", "container": None},
            )
        )
        overlay["links"].append(
            link(
                f"veth{number}",
                10 + number,
                "veth",
                mtu=1450,
                master="br0",
                details={"port": {"kind": "bridge", "state": "forwarding"}},
                peer={"network": place, "name": "eth0", "container": None},
            )
        )
        net["addresses"] += [address(f"10.0.1.{number}/24", "eth0"), address("10.0.1.2/32", "eth0")]
        net["routes"].append(route("10.0.1.0/24", "eth0"))
        net["dns"] = dns("127.0.0.11")
        net["listening"].append(listening("udp", "127.0.0.11", 40000, "dockerd"))
    return host


HOSTS: dict[str, Callable[[], Host]] = {
    "docker": docker,
    "kubernetes": kubernetes,
    "podman": podman,
    "lxc and cni": lxc_and_cni,
    "swarm": swarm,
}


def facts(name: str) -> Row:
    return HOSTS[name]().facts

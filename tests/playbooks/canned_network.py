# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container host with its networks as ns_facts returns it: Docker's bridge, a network of its user, published ports,
a container in the host's network, a pod of Podman, a macvlan, a namespace that somebody named."""

from __future__ import annotations

import ipaddress
from typing import Any

from canned import HOST, container, facts, mount, namespace

Facts = dict[str, Any]


class Wired:
    """Facts that grow: add what there is, then take C(facts())."""

    def __init__(self) -> None:
        self.networks: dict[str, Facts] = {}
        self.containers: list[Facts] = []
        self.kept: list[Facts] = []
        self.host = self.network(HOST["net"])
        self._index = 10
        self.host["links"].append(self.link("lo", "loopback", mtu=65536, state="unknown"))
        self.host["sysctls"].update({
            "net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 0, "net.ipv4.neigh.default.gc_thresh3": 1024,
            "net.ipv6.neigh.default.gc_thresh3": 1024,
        })  # fmt: skip

    def network(self, name: str) -> Facts:
        """An empty network namespace."""
        self.networks[name] = {
            "links": [], "addresses": [], "routes": [], "rules": [], "neighbours": [], "listening": [], "sockets": {},
            "dns": {"nameservers": ["192.0.2.53"], "search": [], "options": [], "hosts": [], "hostname": None},
            "sysctls": {}, "published": [],
            "firewall": {"generation": 1, "tables": [], "rules": 0, "decoded": [], "legacy": {}, "conntrack": None},
        }  # fmt: skip
        return self.networks[name]

    def link(self, name: str, kind: str, **more: Any) -> Facts:
        """A link that is up."""
        self._index = getattr(self, "_index", 0) + 1
        found = {
            "name": name, "index": self._index, "kind": kind, "state": "up", "mtu": 1500, "master": None,
            "flags": ["UP", "BROADCAST", "RUNNING", "MULTICAST", "LOWER_UP"], "altnames": [], "details": {},
            "mac": f"02:42:00:00:{self._index >> 8 & 255:02x}:{self._index & 255:02x}", "peer": None,
        }  # fmt: skip
        found.update(more)
        return found

    def address(self, network: Facts, link: str, text: str) -> None:
        """An address with its prefix on a link."""
        address, dummy, prefix = text.partition("/")
        network["addresses"].append({
            "family": "inet6" if ":" in address else "inet", "address": address, "prefix": int(prefix), "link": link,
            "scope": "link" if address.startswith("fe80") else "global", "flags": ["permanent"],
        })  # fmt: skip
        self.route(network, str(ipaddress.ip_interface(text).network), None, link)

    def default(self, network: Facts, gateway: str, link: str) -> None:
        """A default route."""
        self.route(network, "default", gateway, link)

    def route(self, network: Facts, destination: str, gateway: str | None, link: str) -> None:
        """A route of the main table."""
        family = "inet6" if ":" in (gateway or destination) else "inet"
        network["routes"].append({
            "family": family, "type": "unicast", "destination": destination, "from": None,
            "gateway": gateway, "link": link, "table": "main", "protocol": "static", "scope": "global", "metric": None,
            "source": None, "mtu": None, "metrics": {}, "flags": [], "nexthop_id": None, "nexthops": [],
            "expires": None,
        })  # fmt: skip

    def uplink(self, name: str = "eth0", address: str = "192.0.2.10/24", gateway: str = "192.0.2.1") -> None:
        """How the host reaches the world."""
        self.host["links"].append(self.link(name, "physical"))
        self.address(self.host, name, address)
        self.default(self.host, gateway, name)

    def bridge(self, name: str, *addresses: str, **more: Any) -> None:
        """A bridge of the host."""
        self.host["links"].append(self.link(name, "bridge", **more))
        for address in addresses:
            self.address(self.host, name, address)

    def add(self, name: str, **more: Any) -> Facts:
        """A container with nothing but lo."""
        one = container(len(self.containers) + 1, name, **more)
        self.containers.append(one)
        if one["namespaces"]["net"] not in self.networks:
            inside = self.network(one["namespaces"]["net"])
            inside["links"].append(self.link("lo", "loopback", mtu=65536, state="unknown"))
        return one

    def of(self, one: Facts) -> Facts:
        """The network of a container."""
        return self.networks[one["namespaces"]["net"]]

    def wire(self, one: Facts, bridge: str | None, *addresses: str, gateway: str | None = None, name: str = "eth0",
             **more: Any) -> Facts:
        """A veth from a container to a bridge (or, None, to the host's routes); its end on the host."""
        place, inside = one["namespaces"]["net"], self.of(one)
        other = f"veth{len(self.host['links']):x}{one['id'][-4:]}"
        inside["links"].append(self.link(name, "veth", peer={
            "network": HOST["net"], "name": other, "container": None}, **more))  # fmt: skip
        end = self.link(other, "veth", master=bridge, peer={"network": place, "name": name, "container": one["id"]})
        if bridge:
            end["details"]["port"] = {"kind": "bridge", "state": "forwarding"}
        self.host["links"].append(end)
        for address in addresses:
            self.address(inside, name, address)
        if gateway:
            self.default(inside, gateway, name)
        return end

    def listen(self, one: Facts, *ports: str, comm: str = "server") -> None:
        """Sockets that wait: C(80), C(53/udp), C(127.0.0.1:9000)."""
        for text in ports:
            where, dummy, protocol = text.partition("/")
            address, dummy, port = where.rpartition(":")
            self.of(one)["listening"].append({
                "protocol": protocol or "tcp", "address": address.strip("[]") or "0.0.0.0", "port": int(port),
                "path": None, "link": None, "queue": 0, "limit": 4096, "details": {}, "inode": self._index,
                "processes": [{"pid": one["pid"], "comm": comm, "container": one["id"]}],
            })  # fmt: skip

    def publish(self, one: Facts, host_port: int, port: int, *places: str, protocol: str = "tcp") -> None:
        """A port of the host that leads to the container."""
        address = next(iter(self.of(one)["addresses"]), {}).get("address")
        for place in places or ("0.0.0.0", "::"):
            self.host["published"].append({
                "protocol": protocol, "host_address": place, "host_port": host_port, "container": one["id"],
                "address": address, "port": port, "proved_by": ["nftables"],
            })  # fmt: skip

    def share(self, one: Facts, other: Facts, *types: str) -> None:
        """Both in the namespaces of C(one)."""
        for kind in types:
            if kind == "net":
                self.networks.pop(other["namespaces"]["net"], None)
            other["namespaces"][kind] = one["namespaces"][kind]
            for first, second in ((one, other), (other, one)):
                first.setdefault("shared_with", {}).setdefault(kind, []).append(second["id"])

    def join_host(self, one: Facts) -> None:
        """Into the host's network."""
        self.networks.pop(one["namespaces"]["net"], None)
        one["namespaces"]["net"] = HOST["net"]
        one["shared_with_host"] = ["net", *one["shared_with_host"]]

    def facts(self, **more: Any) -> Facts:
        """What there is by now."""
        return facts(self.containers, tuple(self.kept), networks=self.networks, **more)


def docker_host() -> Wired:
    """Six containers, each in another way on the network."""
    host = Wired()
    host.uplink()
    host.bridge("docker0", "172.17.0.1/16", "fe80::42:1/64")
    host.bridge("br-5f1d2c3b4a59", "172.18.0.1/16", "fd00:18::1/64")
    host.bridge("podman0", "10.88.0.1/16")
    web = host.add("web", image="nginx:1.25")
    host.wire(web, "docker0", "172.17.0.2/16", gateway="172.17.0.1")
    host.listen(web, "80", "443", "127.0.0.1:9000", comm="nginx")
    host.publish(web, 8080, 80)
    host.publish(web, 8443, 443, "127.0.0.1")
    database = host.add("shop-db-1", image="postgres:16")
    host.wire(database, "br-5f1d2c3b4a59", "172.18.0.2/16", "fd00:18::2/64", gateway="172.18.0.1")
    host.default(host.of(database), "fd00:18::1", "eth0")
    host.listen(database, "5432", comm="postgres")
    front = host.add("shop-front-1", image="shop/front:2.4")
    host.wire(front, "br-5f1d2c3b4a59", "172.18.0.3/16", "fd00:18::3/64", gateway="172.18.0.1")
    host.wire(front, "docker0", "172.17.0.3/16", name="eth1")
    host.listen(front, "3000", "53/udp", "41000/udp", comm="node")
    host.publish(front, 3000, 3001)
    pod = {"name": "pay", "namespace": None, "uid": None}
    infra = host.add("3f2a-infra", engine="podman", infra=True, pod=pod, image="pause:4")
    host.wire(infra, "podman0", "10.88.0.5/16", gateway="10.88.0.1")
    app = host.add("app", engine="podman", pod=pod, image="pay/app:7")
    host.share(infra, app, "net", "ipc", "uts")
    host.listen(app, "8000", comm="app")
    host.publish(app, 80, 8000)
    exporter = host.add("node-exporter", image="prom/node-exporter:v1.8")
    host.join_host(exporter)
    host.host["listening"].append({
        "protocol": "tcp", "address": "::", "port": 9100, "path": None, "link": None, "queue": 0, "limit": 4096,
        "details": {}, "inode": 9, "processes": [{"pid": 7, "comm": "node_exporter", "container": exporter["id"]}],
    })  # fmt: skip
    host.add("batch", image="batch:1")
    direct = host.add("lan-dns", image="dns:3")
    host.of(direct)["links"].append(host.link("eth0", "macvlan", details={
        "mode": "bridge", "lower": {"network": HOST["net"], "name": "eth0", "container": None}}))  # fmt: skip
    host.address(host.of(direct), "eth0", "192.0.2.70/24")
    host.default(host.of(direct), "192.0.2.1", "eth0")
    host.listen(direct, "53", "53/udp", comm="named")
    blue = namespace("net", 4026539002, pins=[mount("/run/netns/blue")])
    host.kept.append(blue)
    network = host.network("net:[4026539002]")
    network["links"].append(host.link("blue0", "veth", peer={"network": HOST["net"], "name": "vethblue"}))
    host.address(network, "blue0", "10.9.0.2/30")
    host.host["links"].append(host.link("vethblue", "veth", peer={"network": "net:[4026539002]", "name": "blue0"}))
    return host


def crowded(count: int, alike: bool = True) -> Wired:
    """So many containers on two bridges; with names that differ in their number only, or altogether."""
    host = Wired()
    host.uplink()
    host.bridge("docker0", "172.17.0.1/16")
    host.bridge("br-shop", "172.18.0.1/16")
    for number in range(count):
        name = f"web-frontend-{number:04d}" if alike else "%s-%s" % (_WORDS[number % 7], _WORDS[number // 7 % 7] * 2)
        one = host.add(name if alike else f"{name}{chr(97 + number % 26)}x")
        bridge, net = (("docker0", 17), ("br-shop", 18))[number % 2]
        host.wire(one, bridge, f"172.{net}.{number // 250}.{number % 250 + 2}/16", gateway=f"172.{net}.0.1")
        host.listen(one, "8080", "9090")
        if number % 3 == 0:
            host.publish(one, 20000 + number, 8080)
    return host


_WORDS = ("cart", "search", "billing", "images", "login", "mail", "stock")


def fault(check: str, severity: str, reason: str, one: Facts | None = None, **more: Any) -> Facts:
    """A result of an audit that failed."""
    found = {
        "check": check, "host": "node", "container": one and one["name"], "object": "", "status": "fail",
        "severity": severity, "reason": reason, "remediation": f"Mend it as {check} says.", "fingerprint": "0" * 16,
        "containers": [one["id"]] if one else [],
    }  # fmt: skip
    found.update(more)
    return found

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts made up for the checks: the facts that ns_facts returns, row by row as its model has them."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

Row = dict[str, Any]

HOST_NET, HOST_MNT = "net:[4026531840]", "mnt:[4026531841]"
UP = ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"]


def link(name: str, index: int, kind: str = "physical", **more: Any) -> Row:
    found: Row = {
        "name": name, "index": index, "kind": kind, "state": "up", "flags": list(UP), "mtu": 1500,
        "mac": f"02:00:00:00:00:{index:02x}", "master": None, "altnames": [], "details": {}, "peer": None,
    }
    return {**found, **more}


def lo() -> Row:
    return link("lo", 1, "loopback", state="unknown", flags=["LOOPBACK", "UP", "LOWER_UP"], mtu=65536,
                mac="00:00:00:00:00:00")


def address(text: str, on: str, *flags: str, scope: str | None = None) -> Row:
    found: Any = ipaddress.ip_interface(text)
    if scope is None:
        scope = "host" if found.ip.is_loopback else "link" if found.version == 6 and found.ip.is_link_local else "global"
    return {"family": "inet" if found.version == 4 else "inet6", "address": str(found.ip),
            "prefix": found.network.prefixlen, "link": on, "scope": scope, "flags": [*flags, "permanent"]}


def route(destination: str, on: str | None, via: str | None = None, family: str | None = None, **more: Any) -> Row:
    if family is None:
        family = "inet6" if ":" in destination + (via or "") else "inet"
    found: Row = {
        "family": family, "type": "unicast", "destination": destination, "from": None, "gateway": via, "link": on,
        "table": "main", "protocol": "kernel" if via is None else "boot", "scope": "link" if via is None else "global",
        "metric": None, "source": None, "mtu": None, "metrics": {}, "flags": [], "nexthop_id": None, "nexthops": [],
        "expires": None,
    }
    return {**found, **more}


def rules() -> list[Row]:
    return [
        {"family": family, "priority": priority, "from": None, "to": None, "iif": None, "oif": None, "fwmark": None,
         "table": table, "action": "lookup", "details": {}}
        for family, tables in (("inet", {0: "local", 32766: "main", 32767: "default"}),
                               ("inet6", {0: "local", 32766: "main"})) for priority, table in tables.items()
    ]


def neighbour(text: str, on: str, state: str = "reachable", mac: str | None = "02:00:00:00:00:fe") -> Row:
    return {"family": "inet6" if ":" in text else "inet", "address": text, "link": on, "state": state, "flags": [],
            "mac": None if state in ("failed", "incomplete") else mac, "vlan": None}


def listening(protocol: str, where: str, port: int, comm: str = "server", queue: int = 0, limit: int | None = 128,
              container: str | None = None, **details: Any) -> Row:
    return {"protocol": protocol, "address": where, "port": port, "path": None, "link": None, "queue": queue,
            "limit": limit if protocol == "tcp" else None, "details": details, "inode": 7000 + port,
            "processes": [{"pid": 900, "comm": comm, "container": container}]}


def published(where: str, port: int, to: Row | None, target: str | None, there: int, protocol: str = "tcp") -> Row:
    return {"protocol": protocol, "host_address": where, "host_port": port, "container": to and to["id"],
            "address": target, "port": there, "proved_by": ["nftables", "docker-proxy (pid 700)"]}


def rule(chain: str, action: str, to: Row | None = None, table: str = "nat", **match: Any) -> Row:
    return {"family": "ip", "table": table, "chain": chain, "handle": 9, "action": action, "match": match, "to": to,
            "complete": True}


def firewall(*decoded: Row, tables: list[Row] | None = None, **more: Any) -> Row:
    return {"generation": 4, "tables": tables or [], "rules": len(decoded), "decoded": list(decoded), "legacy": {},
            "conntrack": None, **more}


def network(**more: Any) -> Row:
    found: Row = {
        "links": [lo()], "addresses": [address("127.0.0.1/8", "lo"), address("::1/128", "lo")], "routes": [],
        "rules": rules(), "neighbours": [], "listening": [], "sockets": {}, "dns": None, "firewall": firewall(),
        "sysctls": {"net.ipv4.ip_forward": 0, "net.ipv6.conf.all.forwarding": 0}, "published": [],
    }
    return {**found, **more}


def dns(*nameservers: str, options: tuple[str, ...] = ()) -> Row:
    return {"nameservers": list(nameservers), "search": [], "options": list(options), "hosts": [], "hostname": None}


class Host:
    """A host with an uplink; C(facts) are what is known of it, C(net) is its own network."""

    def __init__(self, uplink: str = "ens3") -> None:
        self._inode = 4026532000
        self.net = network(
            links=[lo(), link(uplink, 2)],
            addresses=[address("127.0.0.1/8", "lo"), address("::1/128", "lo"), address("192.0.2.10/24", uplink)],
            routes=[route("default", uplink, "192.0.2.1"), route("192.0.2.0/24", uplink)],
            neighbours=[neighbour("192.0.2.1", uplink)], dns=dns("192.0.2.53"),
        )
        self.net["sysctls"].update({
            "net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1, "net.ipv4.neigh.default.gc_thresh3": 1024,
            "net.ipv6.neigh.default.gc_thresh3": 1024,
        })
        self.net["firewall"]["conntrack"] = {"count": 120, "max": 262144}
        self.facts: Row = {
            "schema_version": 1, "complete": True, "problems": [], "host": {"net": HOST_NET, "mnt": HOST_MNT},
            "own": {"net": HOST_NET, "mnt": HOST_MNT, "pid": "pid:[4026531836]"}, "inventory": [], "containers": [],
            "networks": {HOST_NET: self.net},
        }
        self.entry("mnt:[4026531841]", processes=90, initial=True)
        self.entry(HOST_NET, processes=90, initial=True)

    def entry(self, name: str, processes: int = 1, initial: bool = False, pins: list[Row] | None = None) -> Row:
        """One more namespace of the inventory."""
        kind = name.partition(":")[0]
        leader = {"pid": 1 if initial else 900, "start_time": 5, "comm": "init" if initial else "server", "uid": 0}
        found = {"name": name, "ref": name, "type": kind, "processes": processes, "initial": initial, "owner": None,
                 "parent": None, "leader": leader if processes else None, "pins": pins or [], "containers": []}
        self.facts["inventory"].append(found)
        return found

    def bridge(self, name: str, *subnets: str, masquerade: bool = True, **more: Any) -> Row:
        """A bridge as Docker makes it, with a masquerading rule for each subnet of IPv4."""
        found = link(name, len(self.net["links"]) + 1, "bridge", details={"stp_state": 0, "vlan_filtering": 0}, **more)
        self.net["links"].append(found)
        for text in subnets:
            subnet = str(ipaddress.ip_interface(text).network)
            self.net["addresses"].append(address(text, name))
            self.net["routes"].append(route(subnet, name))
            if masquerade and ":" not in text:
                row = rule("POSTROUTING", "masquerade", source=subnet, oif=name, oif_negated=True)
                self.net["firewall"]["decoded"].append(row)
        return found

    def namespace(self) -> tuple[str, Row]:
        """A network namespace with nothing but lo."""
        self._inode += 1
        name = f"net:[{self._inode}]"
        self.facts["networks"][name] = found = network()
        self.entry(name)
        return name, found

    def container(self, name: str, inside: str | None = None, engine: str = "docker", **more: Any) -> Row:
        """A container in a new network namespace, in C(inside), or in none that is known (empty)."""
        if inside is None:
            inside, dummy = self.namespace()
        found = {
            "id": f"{name}-{len(self.facts['containers'])}", "name": name, "engine": engine, "infra": False,
            "state": "running", "pid": 900, "start_time": 100 + len(self.facts["containers"]), "pod": None,
            "namespaces": {"net": inside} if inside else {}, "shared_with": {}, "shared_with_host": [],
        }
        found.update(more)
        self.facts["containers"].append(found)
        return found

    def of(self, container: Row) -> Row:
        """The network of a container."""
        found: Row = self.facts["networks"][container["namespaces"]["net"]]
        return found

    def veth(self, place: str, master: str | None, host_end: str, name: str = "eth0", **more: Any) -> tuple[Row, Row]:
        """A pair between the host and a network: the ends there and here."""
        net = self.facts["networks"][place]
        there = link(name, len(net["links"]) + 1, "veth", **more)
        here = link(host_end, len(self.net["links"]) + 1, "veth", master=master)
        there["mac"], here["mac"] = (f"02:42:{end}:{place[-3:-1]}:{len(net['links']):02x}:01" for end in ("ac", "fe"))
        there["peer"] = {"network": HOST_NET, "name": host_end, "container": None}
        here["peer"] = {"network": place, "name": name, "container": None}
        if master is not None:
            here["details"]["port"] = {"kind": "bridge", "state": "forwarding"}
        net["links"].append(there)
        self.net["links"].append(here)
        return there, here

    def attach(self, container: Row, bridge: str, host_end: str, *addresses: str, via: str | None = None,
               name: str = "eth0") -> tuple[Row, Row]:
        """Join a container to a bridge, with addresses and a default route."""
        place = container["namespaces"]["net"]
        net = self.facts["networks"][place]
        ends = self.veth(place, bridge, host_end, name)
        for text in addresses:
            net["addresses"].append(address(text, name))
            net["routes"].append(route(str(ipaddress.ip_interface(text).network), name))
        if via is not None:
            net["routes"].append(route("default", name, via))
            net["neighbours"].append(neighbour(via, name, "stale"))
        return ends


def simple() -> tuple[Host, Row]:
    """A host with docker0 and one container on it, which serves a published port."""
    host = Host()
    host.bridge("docker0", "172.17.0.1/16")
    web = host.container("web")
    host.attach(web, "docker0", "veth3f2a", "172.17.0.2/16", via="172.17.0.1")
    host.of(web)["dns"] = dns("192.0.2.53")
    host.of(web)["listening"].append(listening("tcp", "0.0.0.0", 80, "nginx", container=web["id"]))
    host.net["published"].append(published("0.0.0.0", 8080, web, "172.17.0.2", 80))
    return host, web


def readable(value: Any) -> str:
    """JSON with a row a line; without what is empty, the usual rules, and what routes and rules do not set."""
    usual = json.dumps({"rules": rules()})[1:-1] + ", "
    return _json(json.loads(json.dumps(value).replace(usual, ""), object_hook=_short), 0) + "\n"


def _short(found: Row) -> Row:
    for key in ("altnames", "details", "metrics", "nexthops", "flags", "shared_with", "shared_with_host", "sockets"):
        if found.get(key, 1) in ([], {}):
            del found[key]
    return found if "table" not in found or "chain" in found else {
        key: one for key, one in found.items() if one is not None}


def _json(value: Any, depth: int) -> str:
    flat = json.dumps(value, ensure_ascii=True)
    if not isinstance(value, (dict, list)) or not value or (len(flat) < 110 and depth > 1) or depth > 3:
        return flat
    indent, end = " " * (depth + 1), " " * depth
    if isinstance(value, dict):
        rows = [f"{indent}{json.dumps(key)}: {_json(one, depth + 1)}" for key, one in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{end}}}"
    return "[\n" + ",\n".join(indent + json.dumps(one) for one in value) + f"\n{end}]"

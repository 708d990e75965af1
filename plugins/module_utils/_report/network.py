"""The network of a container as its report has it: what it is attached to, where it sends, who may reach it.

Drawn from C(networks) of the facts. Counters, queues and sockets that only wait for an answer are left out: they would
change the report of a host on which nothing changed. C(None) stands for what was not seen.
"""
from __future__ import annotations

from typing import Any, Sequence

_LINK_KEYS = ("name", "index", "kind", "state", "flags", "mtu", "mac", "master", "altnames", "details", "peer")
_EPHEMERAL = 32768  # where the kernel's own choice of ports begins, unless net.ipv4.ip_local_port_range says otherwise
_DOCKER_DNS = "127.0.0.11"  # dockerd itself listens there, in every container of a user-defined network
_ALL = {"0.0.0.0", "::", "*", "", "None"}
_PORTS = ("tcp", "udp", "sctp", "dccp")


def rows(network: dict[str, Any] | None, key: str) -> list[dict[str, Any]]:
    """A list of the facts, without what is none of its kind."""
    found = (network or {}).get(key)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def is_loopback(address: Any) -> bool:
    """Whether only who is in the same network namespace can reach it."""
    return str(address).startswith(("127.", "::ffff:127.")) or address == "::1"


def is_any(address: Any) -> bool:
    """Whether it stands for all addresses (of its family)."""
    return str(address) in _ALL


def cidr(address: dict[str, Any]) -> str:
    """An address with the length of its prefix."""
    return "{}/{}".format(address.get("address"), address.get("prefix"))


class Networks:
    """The networks of a host's facts, and which containers are in them."""

    def __init__(self, facts: dict[str, Any]) -> None:
        found = facts.get("networks")
        self.asked = isinstance(found, dict)
        self._all: dict[str, dict[str, Any]] = {
            str(name): network for name, network in (found or {}).items() if isinstance(network, dict)
        } if isinstance(found, dict) else {}
        self.host = str((facts.get("host") or {}).get("net"))
        self._containers = [one for one in facts.get("containers") or [] if isinstance(one, dict)]
        self._home = {str(one.get("id")): network_of(one) for one in self._containers}
        self._links = {name: _by_name(network) for name, network in self._all.items()}
        self._published: dict[str, list[dict[str, Any]]] = {}
        for place, network in self._all.items():
            for row in rows(network, "published"):
                home = self._home.get(str(row.get("container")))
                if home is not None and home != place:
                    self._published.setdefault(home, []).append(_published(row, place))

    def names(self) -> list[str]:
        """All that were looked at."""
        return list(self._all)

    def get(self, name: str | None) -> dict[str, Any] | None:
        """The facts of one."""
        return self._all.get(str(name))

    def inside(self, name: str) -> list[dict[str, Any]]:
        """The containers in one."""
        return [one for one in self._containers if network_of(one) == name]

    def link(self, network: Any, name: Any) -> dict[str, Any] | None:
        """A link of a network; None when it was not seen."""
        return self._links.get(str(network), {}).get(str(name))

    def of_container(self, one: dict[str, Any]) -> dict[str, Any]:
        """What a container's entry has as C(network)."""
        name = network_of(one)
        found: dict[str, Any] = {"network": name, "host": name == self.host, "seen": str(name) in self._all}
        network = self.get(name)
        if network is None:
            return found
        if found["host"]:
            # Of the host's network only what is the container's own; the rest is said once, for the host.
            mine = [row for row in _listening(network) if _is_held_by(row, str(one.get("id")))]
            return dict(found, listening=mine, published=[])
        found.update(self._described(network))
        found["published"] = _ordered(self._published.get(str(name), []))
        return found

    def of_host(self) -> dict[str, Any] | None:
        """The host's own side: its links, addresses and routes, and what forwards between them."""
        network = self.get(self.host)
        if network is None:
            return None
        sysctls = network.get("sysctls") or {}
        forwarding = {
            key: sysctls[key] for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding") if key in sysctls
        }
        return dict(self._described(network), network=self.host, forwarding=forwarding)

    def _described(self, network: dict[str, Any]) -> dict[str, Any]:
        return {
            "links": [self._link(link) for link in rows(network, "links")],
            "addresses": [dict(row) for row in rows(network, "addresses")],
            "default_routes": default_routes(network),
            "dns": network.get("dns"),
            "listening": _listening(network),
        }

    def _link(self, link: dict[str, Any]) -> dict[str, Any]:
        """A link, and what is at its other end: C(attached) {to, kind, network, mtu, state}; None where nothing is."""
        found = {key: link.get(key) for key in _LINK_KEYS}
        found["attached"] = self.attached(link)
        return found

    def attached(self, link: dict[str, Any]) -> dict[str, Any] | None:
        """The bridge (or the like) at a veth's other end, that end itself where it is no port, or what it lies upon."""
        peer = link.get("peer")
        if isinstance(peer, dict):
            other = self.link(peer.get("network"), peer.get("name"))
            master = self.link(peer.get("network"), other.get("master")) if other and other.get("master") else None
            return _end(peer.get("network"), master or other)
        lower = (link.get("details") or {}).get("lower")
        if isinstance(lower, dict):
            return _end(lower.get("network"), self.link(lower.get("network"), lower.get("name")))
        return None

    def peer_of(self, link: dict[str, Any]) -> dict[str, Any] | None:
        """The facts of a veth's other end."""
        peer = link.get("peer")
        return self.link(peer.get("network"), peer.get("name")) if isinstance(peer, dict) else None


def network_of(one: dict[str, Any]) -> str | None:
    """The name of a container's network namespace."""
    name = (one.get("namespaces") or {}).get("net")
    return None if name is None else str(name)


def _by_name(network: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {str(link.get("name")): link for link in rows(network, "links")}


def default_routes(network: dict[str, Any]) -> list[dict[str, Any]]:
    """The ways out, those of the main table first: family, gateway, link, table, metric."""
    found = []
    for route in rows(network, "routes"):
        if route.get("destination") != "default" or route.get("type") not in ("unicast", None):
            continue
        # IPv6 keeps those that a router announced with their lifetime; what a route was learnt for is no way out.
        if "cache" in (route.get("flags") or ()):
            continue
        for way in route.get("nexthops") or [route]:
            found.append({
                "family": route.get("family"), "gateway": way.get("gateway"), "link": way.get("link"),
                "table": route.get("table"), "metric": route.get("metric"),
            })
    return sorted(found, key=lambda way: (
        way["table"] != "main", str(way["table"]), str(way["family"]), way["metric"] or 0, str(way["link"]),
    ))


def _end(network: Any, link: dict[str, Any] | None) -> dict[str, Any] | None:
    if link is None:
        return None
    return {
        "network": network, "to": link.get("name"), "kind": link.get("kind"), "mtu": link.get("mtu"),
        "state": link.get("state"),
    }


def _is_held_by(row: dict[str, Any], container: str) -> bool:
    return any(str(process.get("container")) == container for process in row["processes"])


def _listening(network: dict[str, Any]) -> list[dict[str, Any]]:
    """Who waits on a port. An unconnected UDP socket with a port of the kernel's choice waits for an answer only."""
    # The kernel has it as two numbers.
    lowest = str((network.get("sysctls") or {}).get("net.ipv4.ip_local_port_range") or "").split()
    ephemeral = int(lowest[0]) if lowest and lowest[0].isdigit() else _EPHEMERAL
    found: dict[str, dict[str, Any]] = {}
    for row in rows(network, "listening"):
        protocol, port = row.get("protocol"), row.get("port")
        if protocol not in _PORTS or not isinstance(port, int) or (protocol == "udp" and port >= ephemeral):
            continue
        entry = {
            "protocol": protocol, "address": row.get("address"), "port": port, "link": row.get("link"),
            "processes": [
                {"comm": process.get("comm"), "container": process.get("container")}
                for process in rows(row, "processes")
            ],
        }
        # With SO_REUSEPORT each worker has a socket of its own.
        found.setdefault(str([entry[key] for key in ("protocol", "port", "address", "link", "processes")]), entry)
    return sorted(found.values(), key=lambda row: (row["protocol"], row["port"], str(row["address"]), str(row["link"])))


def _published(row: dict[str, Any], place: str) -> dict[str, Any]:
    keys = ("protocol", "host_address", "host_port", "address", "port")
    return dict({key: row.get(key) for key in keys}, network=place, proved_by=list(row.get("proved_by") or []))


def _ordered(published: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(published, key=lambda row: (
        str(row["protocol"]), row["port"] or 0, row["host_port"] or 0, str(row["host_address"]),
    ))


def addresses_of(network: dict[str, Any], link: Any) -> list[dict[str, Any]]:
    """The addresses of a link; those that only the link itself knows (fe80::) where there are no others."""
    found = [row for row in rows(network, "addresses") if row.get("link") == link]
    return [row for row in found if row.get("scope") != "link" or row.get("family") == "inet"] or found


def ports(network: dict[str, Any]) -> list[str]:
    """What waits on ports and how it is published, in few words, as C(docker ps) has it.

    C(80): tcp on all addresses. C(127.0.0.1:9000): there only. C(53/udp). C(8080->80): the host's 8080 leads there.
    C(8080->80!): nobody listens.
    """
    listening: list[dict[str, Any]] = network.get("listening") or []
    words: list[tuple[Any, str]] = []
    heard = {(row["protocol"], row["port"]) for row in listening if not is_loopback(row["address"])}
    published: dict[tuple[Any, Any, Any], list[str]] = {}
    for row in network.get("published") or []:
        key = (row["protocol"], row["port"], row["host_port"])
        published.setdefault(key, []).append(str(row["host_address"]))
    for (protocol, port, host_port), places in sorted(published.items(), key=lambda item: str(item[0])):
        tail = "%s%s%s" % (port, _suffix(protocol), "" if (protocol, port) in heard else "!")
        if any(is_any(place) for place in places if ":" not in place):
            words.append((port, f"{host_port}->{tail}"))
        else:
            words += [(port, f"{_at(place, host_port)}->{tail}") for place in sorted(places)]
    listening = [row for row in listening if row["address"] != _DOCKER_DNS]
    # Of a port that is published and listens on the loopback only both are told: that is the fault.
    led = {(protocol, port) for protocol, port, dummy in published} & heard
    rest: dict[tuple[Any, Any], set[str]] = {}
    for row in listening:
        if (row["protocol"], row["port"]) not in led:
            rest.setdefault((row["protocol"], row["port"]), set()).add(str(row["address"]))
    for (protocol, port), addresses in rest.items():
        if any(is_any(address) for address in addresses):
            words.append((port, f"{port}{_suffix(protocol)}"))
        else:
            words += [(port, _at(address, port) + _suffix(protocol)) for address in sorted(addresses)]
    return [word for dummy, word in sorted(words, key=lambda word: (int(word[0] or 0), word[1]))]


def _suffix(protocol: Any) -> str:
    return "" if protocol == "tcp" else f"/{protocol}"


def _at(address: str, port: Any) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

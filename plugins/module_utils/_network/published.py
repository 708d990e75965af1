"""Ports of a network that lead to containers: by DNAT rules, by proxy processes, by what the engines wrote down."""
from __future__ import annotations

import json
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from .._model.inventory import TRUNCATED, Container, Problems
from .._model.network import Network, Published
from .proxies import ANY, SILENT, Forward, Proxy, as_address, as_port
from .translations import RANGE, WHAT, Condition, Effort, Span, address_of, span_of, translations

_EFFORT = 200      # conditions of one network that are looked at, for each entry that may be kept
_SPARE = 10        # so many times the rows that may be kept are collected


class Target(NamedTuple):
    """Where a port leads to: an address, a container, or both; C(port) None: not known."""

    container: Optional[str]
    address: Optional[str]
    port: Optional[int]


def published(name: str, network: Network, containers: Sequence[Container],
              owner_of_address: Callable[[str], Optional[str]], proxies: Iterable[Proxy], engines: bool,
              problems: Problems, most: int = 500) -> List[Published]:
    """The published ports of network C(name), at most so many; what was cut is counted in C(problems).

    C(owner_of_address) gives the container that has an address, as this network would reach it. C(proxies) are those
    of the host (proxies.py). C(engines): this is the network in which engines publish, the host's: what they wrote
    down of C(containers) counts here.

    C(proved_by) has C(nftables), C(COMM (pid PID)), names of engines. Where several are there, all say the same.
    """
    table = _Table(containers, network, _SPARE * most)
    if network["firewall"] is not None:
        effort = Effort(_EFFORT * max(500, most), problems)
        for rule in translations(network["firewall"], effort):
            table.translated(rule, owner_of_address, effort)
    silent: List[Tuple[Proxy, Forward]] = []
    for proxy in proxies:
        for forward in proxy.forwards if proxy.network == name else ():
            # Root's are believed; what others say of themselves must be seen.
            if proxy.uid and not table.holds(proxy.pid, forward.protocol, forward.host_address, forward.host_port):
                continue
            if forward.address is None:
                silent.append((proxy, forward))
                continue
            # And a user's engine publishes in that user's network: here anybody may say to forward to a container.
            owner = None if proxy.uid and engines else owner_of_address(forward.address)
            target = Target(owner, forward.address, forward.port)
            proof = _process(proxy.pid, proxy.comm)
            table.add(forward.protocol, forward.host_address, forward.host_port, target, proof)
    for container in containers if engines else ():
        for protocol, address, host_port, port in engine_ports(container, problems):
            table.add(protocol, address, host_port, Target(container.id, None, port), container.engine)
            for pid, comm in table.silent_holders(protocol, address, host_port):
                table.add(protocol, address, host_port, Target(container.id, None, port), _process(pid, comm))
    for proxy, forward in silent:
        if not table.has(forward.protocol, forward.host_address, forward.host_port):
            table.add(forward.protocol, forward.host_address, forward.host_port, Target(None, None, forward.port),
                      _process(proxy.pid, proxy.comm))
    rows = sorted(table.rows.values(), key=lambda row: (row["protocol"], row["host_port"], row["host_address"]))
    if len(rows) + table.left_out > most:
        problems.add(WHAT, TRUNCATED, len(rows) + table.left_out - most)
    return rows[:most]


class _Table:
    """Rows by what they say, at most C(most)."""

    def __init__(self, containers: Sequence[Container], network: Network, most: int) -> None:
        self.rows: Dict[Tuple[object, ...], Published] = {}
        self.left_out = 0
        self._most = most
        self._known: Set[Tuple[object, ...]] = set()
        # Containers of one pod have one network, and any of them may be named as owner of its address.
        self._spaces = {container.id: container.namespaces.get("net") for container in containers}
        self._own = {address["address"] for address in network["addresses"]}
        self._spans = [(text, span) for text, span in ((text, span_of(text)) for text in sorted(self._own)) if span]
        # Who holds the sockets of a port, outside of all containers.
        self.holders: Dict[Tuple[str, int], Dict[int, str]] = {}
        self._bound: Dict[int, Set[Tuple[str, int, str]]] = {}
        for row in network["listening"]:
            for holder in row["processes"] if row["port"] else ():
                if holder["container"] is None:
                    protocol, port = row["protocol"], int(row["port"] or 0)
                    self.holders.setdefault((protocol, port), {})[holder["pid"]] = holder["comm"]
                    self._bound.setdefault(holder["pid"], set()).add((protocol, port, row["address"] or ""))

    def add(self, protocol: str, host_address: str, host_port: int, target: Target, proof: str) -> None:
        """One more proof; rows of the same port and target are one."""
        space = self._spaces.get(target.container or "") or target.container or target.address
        key = (protocol, host_address, host_port, space, target.port)
        if key not in self.rows and len(self.rows) >= self._most:
            self.left_out += 1
            return
        row = self.rows.setdefault(key, {
            "protocol": protocol, "host_address": host_address, "host_port": host_port,
            "container": target.container, "address": target.address, "port": target.port, "proved_by": [],
        })
        self._known.add((protocol, host_address, host_port))
        row["address"] = row["address"] or target.address
        if proof not in row["proved_by"]:
            row["proved_by"].append(proof)

    def has(self, protocol: str, host_address: str, host_port: int) -> bool:
        return (protocol, host_address, host_port) in self._known

    def silent_holders(self, protocol: str, address: str, port: int) -> Iterator[Tuple[int, str]]:
        """Forwarders that hold this very socket, or one for all addresses."""
        for pid, comm in sorted(self.holders.get((protocol, port), {}).items()):
            if comm in SILENT and self.holds(pid, protocol, address, port):
                yield pid, comm

    def holds(self, pid: int, protocol: str, address: str, port: int) -> bool:
        """Whether a process holds this very socket, or one for all addresses."""
        return any((protocol, port, bound) in self._bound.get(pid, ()) for bound in (address, "::", "*"))

    def translated(self, rule: Tuple[Condition, Dict[str, Any]], owner: Callable[[str], Optional[str]],
                   effort: Effort) -> None:
        """The ports of a DNAT rule."""
        condition, to = rule
        container = owner(to["address"])
        if condition.ports is None or (container is None and to["address"] in self._own):
            return
        low, high = condition.ports
        if high - low >= RANGE:
            effort.problems.add(WHAT, TRUNCATED, high - low)
            high = low
        for here in self._addresses(condition.destination, to["address"]):
            if not effort.spend(high - low + 1):
                return
            for port in range(low, high + 1):
                for protocol in (condition.protocol,) if condition.protocol else ("tcp", "udp"):
                    self.add(protocol, here, port, Target(container, to["address"], _port_there(port, to)), "nftables")

    def _addresses(self, wanted: Optional[Span], target: str) -> List[str]:
        """The addresses here that a rule is for: of those that are not ours nothing is published here."""
        if wanted is None or wanted[2] - wanted[1] + 1 == 1 << wanted[0]:
            return [ANY[":" in target]]
        if wanted[1] == wanted[2]:
            text = address_of(wanted)
            local = not self._own or text in self._own or text.startswith("127.")
            return [text] if local else []
        return [text for text, span in self._spans if span[0] == wanted[0] and wanted[1] <= span[1] <= wanted[2]]


def engine_ports(container: Container, problems: Problems) -> Iterator[Tuple[str, str, int, int]]:
    """(protocol, address, port, port inside) as the engine wrote them: Docker, Podman (new and old), nerdctl."""
    told = container.ports
    rows: List[Tuple[object, object, object, object, object]] = []
    if isinstance(told, dict):
        for inside, bindings in told.items():
            number, dummy, protocol = str(inside).partition("/")
            for entry in bindings if isinstance(bindings, list) else ():
                if isinstance(entry, dict):
                    rows.append((protocol, entry.get("HostIp"), entry.get("HostPort"), number, 1))
    else:
        if told is None and container.engine == "containerd":
            told = _json(container.labels.get("nerdctl/ports", ""))
        for entry in told if isinstance(told, list) else ():
            if isinstance(entry, dict):
                small = {str(key).replace("_", "").lower(): value for key, value in entry.items()}
                rows.append((small.get("protocol"), small.get("hostip"), small.get("hostport"),
                             small.get("containerport"), small.get("range") or 1))
    for protocols, address, host_port, port, count in rows:
        first, there, many = as_port(host_port), as_port(port), as_port(count)
        where = ANY[0] if not address else as_address(address)
        if not (first and there and many and where):
            continue
        if many > RANGE:
            problems.add(WHAT, TRUNCATED, many - 1)
            many = 1
        # Podman lists several protocols as one text.
        listed = protocols if isinstance(protocols, str) and protocols else "tcp"
        for kind in listed.split(",")[:4]:
            for at in range(min(many, 65536 - max(first, there))):
                yield kind[:16], where, first + at, there + at


def _process(pid: int, comm: str) -> str:
    return "%s (pid %d)" % (comm, pid)


def _json(raw: str) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _port_there(port: int, to: Dict[str, Any]) -> Optional[int]:
    first, last, base = to["port"], to["port_max"], to.get("port_base")
    if first is None:
        return port
    if base is not None:
        return int(first) + port - int(base) if port >= base else None
    if last is None:
        return int(first)
    # Of a range the kernel keeps the port that is in it, else takes any.
    return port if first <= port <= last else None

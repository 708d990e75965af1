"""Processes that carry what comes to a port of theirs into a container: who they are, and what their arguments say."""
from __future__ import annotations

import socket
from typing import Iterable, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from .._discover.scan import Scan
from .._kernel.proc import GONE, text
from .._kernel.reader import FileReader
from .._model.inventory import NET, TRUNCATED, Container

# comm holds 15 characters: rootlesskit-docker-proxy.
_DOCKER = frozenset(("docker-proxy", "rootlesskit-doc"))
_PASTA = frozenset(("pasta", "pasta.avx2"))
# Their arguments do not tell ports; they are known by the sockets they hold.
SILENT = frozenset(("conmon", "rootlessport", "rootlesskit", "slirp4netns")) | _PASTA
_MOST = 4096      # processes
_PORTS = 1024     # of one of them
_CMDLINE = 1 << 16
ANY = ("0.0.0.0", "::")


class Forward(NamedTuple):
    """A port of the network the proxy is in, and where it leads: C(address) None: into the proxy's own container."""

    protocol: str
    host_address: str
    host_port: int
    address: Optional[str]
    port: int


class Proxy(NamedTuple):
    """A process that forwards. C(uid): who runs it; C(network): where it listens, as namespaces are named."""

    pid: int
    comm: str
    uid: int
    network: Optional[str]
    forwards: Tuple[Forward, ...]


def proxies(scan: Scan, files: FileReader, containers: Iterable[Container]) -> List[Proxy]:
    """The proxies outside of all containers, whose processes may call themselves as they like.

    A command line is its owner's memory, and may let us wait: after the first that does, no other of that user is
    asked. What was not seen is counted.
    """
    members: Set[int] = {pid for container in containers for pid in container.members}
    candidates = [process for process in scan.processes.values()
                  if process.comm in _DOCKER | _PASTA and process.pid not in members]
    if len(candidates) > _MOST:
        scan.problems.add("proxies", TRUNCATED, len(candidates) - _MOST)
    found: List[Proxy] = []
    stuck: Set[int] = set()
    for position, process in enumerate(candidates[:_MOST]):
        if scan.late("proxies", len(candidates) - position):
            break
        try:
            # Whose it is: root's only if all of its four ids are.
            uid = max(int(number) for number in scan.proc.status(process.pid).get("Uid", "65534").split())
            if uid in stuck:
                continue
            raw = (files.read("/proc/%d/cmdline" % process.pid, _CMDLINE) if scan.proc.root == "/proc"
                   else scan.proc.read(process.pid, "cmdline", limit=_CMDLINE))
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno not in GONE:
                scan.problems.error("proxies", error)
                stuck.update([uid] if isinstance(error, TimeoutError) else [])
            continue
        arguments = text(raw).rstrip("\0").split("\0")
        forwards = docker_proxy(arguments) if process.comm in _DOCKER else pasta(arguments)
        found.append(Proxy(process.pid, process.comm, uid, process.namespaces[NET], tuple(forwards)))
    return found


def docker_proxy(arguments: Sequence[str]) -> Iterator[Forward]:
    """C(docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 8080 -container-ip 172.17.0.2 -container-port 80)."""
    given = {}
    for option, value in _options(arguments):
        given[option.lstrip("-")] = value
    host, there = as_address(given.get("host-ip")), as_address(given.get("container-ip"))
    host_port, port = as_port(given.get("host-port")), as_port(given.get("container-port"))
    if host is not None and there is not None and host_port and port:
        yield Forward(given.get("proto", "tcp")[:16], host, host_port, there, port)


def pasta(arguments: Sequence[str]) -> Iterator[Forward]:
    """C(pasta -t 127.0.0.1/8080-8082:80-82,9000 -u none ...): options -t and -u of passt(1)."""
    protocols = {"-t": "tcp", "--tcp-ports": "tcp", "-u": "udp", "--udp-ports": "udp"}
    for option, value in _options(arguments):
        if option not in protocols:
            continue
        where, slash, listed = value.rpartition("/")
        own = as_address(where.partition("%")[0].strip("[]")) if slash and where[:1] != "%" else None
        for ports in listed.split(","):
            here, colon, there = ports.partition(":")
            low, high = _range(here)
            first = _range(there)[0] if colon else low
            if low and high and first and (own is not None or not slash or where[:1] == "%"):
                for at in range(min(high - low + 1, _PORTS)):
                    for address in ANY if own is None else (own,):
                        yield Forward(protocols[option], address, low + at, None, min(first + at, 65535))


def as_address(value: object) -> Optional[str]:
    """An address as the kernel's tools write it; None for what is none."""
    if not isinstance(value, str):
        return None
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return socket.inet_ntop(family, socket.inet_pton(family, value))
        except (OSError, ValueError):
            continue
    return None


def as_port(value: object) -> int:
    """A port, also written as text; 0 for what is none."""
    if isinstance(value, str):
        value = int(value) if value.isascii() and value.isdecimal() and len(value) < 6 else 0
    return value if isinstance(value, int) and value is not True and 0 < value < 65536 else 0


def _options(arguments: Sequence[str]) -> Iterator[Tuple[str, str]]:
    """Options with their values: C(-name value), C(-name=value), each with one dash or two."""
    for at, argument in enumerate(arguments):
        if argument[:1] == "-":
            name, equals, value = argument.partition("=")
            yield name, value if equals else arguments[at + 1] if at + 1 < len(arguments) else ""


def _range(ports: str) -> Tuple[int, int]:
    low, dash, high = ports.partition("-")
    return as_port(low), as_port(high) if dash else as_port(low)

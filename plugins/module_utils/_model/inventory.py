"""What one scan is made of: processes, namespaces and why they are alive, containers, and what was not seen."""
from __future__ import annotations

import errno
from dataclasses import dataclass, field
from typing import Any, Optional, Sequence, Tuple

# Positions in Process.namespaces, the order of DESIGN's vocabulary.
TYPES = ("mnt", "uts", "ipc", "pid", "net", "user", "cgroup", "time")
MNT, UTS, IPC, PID, NET, USER, CGROUP, TIME = range(8)

Names = Tuple[Optional[str], ...]


class Process:
    """What a scan keeps of a process. Plain slots: there may be tens of thousands.

    C(namespaces) holds eight names like C(net:[4026531840]) in the order of TYPES, None where one was not told.
    C(start_time) is in clock ticks since boot (proc(5), field 22 of stat). C(cgroup) is the raw text of
    /proc/PID/cgroup, empty where it was not told.
    """

    __slots__ = ("pid", "ppid", "start_time", "comm", "state", "threads", "kernel", "namespaces", "cgroup")

    def __init__(self, pid: int, ppid: int, start_time: int, comm: str, state: str, threads: int, kernel: bool,
                 namespaces: Sequence[str | None], cgroup: bytes = b"") -> None:
        self.pid = pid
        self.ppid = ppid
        self.start_time = start_time
        self.comm = comm
        self.state = state
        self.threads = threads
        self.kernel = kernel
        self.namespaces: Names = tuple(namespaces)
        self.cgroup = cgroup

    @property
    def age(self) -> tuple[int, int]:
        """Sorts the oldest process first; pids break the tie of one clock tick."""
        return (self.start_time, self.pid)


@dataclass
class Leader:
    """The oldest process of a namespace; C(start_time) in clock ticks since boot, C(uid) as we see it."""

    pid: int
    start_time: int
    comm: str
    uid: int | None = None
    cmdline: list[str] | None = None


@dataclass
class Pin:
    """One reason why a namespace is alive.

    C(kind) is one of process, thread, descriptor, socket, mount, child, pid_for_children, time_for_children;
    C(details) says who and where, C(count) how many of the same holder are meant.
    """

    kind: str
    details: dict[str, Any]
    count: int = 1

    def as_dict(self) -> dict[str, Any]:
        """The pin as the result gives it."""
        found = {"kind": self.kind, "count": self.count}
        found.update(self.details)
        return found


@dataclass
class Namespace:
    """A namespace, named as the kernel's links name it: C(net:[4026532184])."""

    name: str
    type: str
    inode: int
    device: int | None = None
    ns_id: int | None = None
    initial: bool | None = None
    owner: str | None = None
    parent: str | None = None
    owner_uid: int | None = None
    processes: int = 0
    pids: list[int] = field(default_factory=list)
    leader: Leader | None = None
    pins: list[Pin] = field(default_factory=list)
    containers: list[str] = field(default_factory=list)
    nsid: int | None = None

    @property
    def ref(self) -> str:
        """The name with the kernel's own id behind it where there is one: safe against reuse of the inode."""
        return self.name if self.ns_id is None else "%s#%d" % (self.name, self.ns_id)


@dataclass
class Pod:
    """The pod of a container; C(namespace) and C(uid) only where Kubernetes made it."""

    name: str | None = None
    namespace: str | None = None
    uid: str | None = None


@dataclass
class Container:
    """What is known of one container. C(members) are the pids of its tree, C(pid) its init's as we see it.

    C(ports): what is published, as the engine wrote it (_network/published.py reads it).
    """

    id: str
    engine: str
    name: str
    pid: int
    start_time: int
    infra: bool = False
    image: str | None = None
    state: str = "running"
    user: str | None = None
    unit: str | None = None
    pod: Pod | None = None
    labels: dict[str, str] = field(default_factory=dict)
    cgroup: str | None = None
    capabilities: dict[str, list[str]] = field(default_factory=dict)
    seccomp: str | None = None
    no_new_privs: bool | None = None
    lsm: str | None = None
    namespaces: dict[str, str] = field(default_factory=dict)
    shared_with_host: list[str] = field(default_factory=list)
    shared_with: dict[str, list[str]] = field(default_factory=dict)
    members: list[int] = field(default_factory=list)
    ports: Any = None

    def as_dict(self, labels: bool) -> dict[str, Any]:
        """The container as the result gives it."""
        found: dict[str, Any] = {
            "id": self.id, "name": self.name, "engine": self.engine, "infra": self.infra, "image": self.image,
            "state": self.state, "pid": self.pid, "start_time": self.start_time, "user": self.user,
            "unit": self.unit, "pod": None if self.pod is None else vars(self.pod).copy(), "cgroup": self.cgroup,
            "capabilities": self.capabilities, "seccomp": self.seccomp, "no_new_privs": self.no_new_privs,
            "lsm": self.lsm, "namespaces": self.namespaces, "shared_with_host": self.shared_with_host,
            "shared_with": self.shared_with,
        }
        if labels:
            found["labels"] = self.labels
        return found


REFUSED = "refused"
VANISHED = "vanished"
TIMED_OUT = "timed out"
TRUNCATED = "truncated"
UNSUPPORTED = "unsupported"
UNREACHABLE = "unreachable"


class Problems:
    """Counts of (what, reason). C(complete) is true while there are none."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], int] = {}

    def add(self, what: str, reason: str, count: int = 1) -> None:
        """Count one more thing that was not seen."""
        self._counts[(what, reason)] = self._counts.get((what, reason), 0) + count

    def error(self, what: str, error: OSError) -> None:
        """Count an error of the kernel under a reason that keeps its errno's name."""
        number = error.errno or 0
        if isinstance(error, TimeoutError):
            reason = TIMED_OUT
        elif number in (errno.ENOENT, errno.ESRCH):
            reason = VANISHED
        else:
            name = errno.errorcode.get(number, str(number))
            reason = "%s: %s" % (REFUSED, name) if number in (errno.EACCES, errno.EPERM) else name
        self.add(what, reason)

    @property
    def complete(self) -> bool:
        """Whether all was seen that was asked for."""
        return not self._counts

    def as_list(self) -> list[dict[str, Any]]:
        """The problems as the result gives them, the most frequent first."""
        ordered = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        return [{"what": what, "reason": reason, "count": count} for (what, reason), count in ordered]

"""What an inventory is made of: processes as one scan saw them, namespaces, and why these are alive."""
from __future__ import annotations

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

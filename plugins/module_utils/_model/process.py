"""A process as one scan saw it."""
from __future__ import annotations

from typing import Optional, Sequence, Tuple

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

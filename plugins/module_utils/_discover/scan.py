"""The state of one scan: what was found so far, by whom it is held, and what was refused."""
from __future__ import annotations

import os
import time
from typing import Iterable, NamedTuple

from .._kernel.netlink import Route
from .._kernel.proc import Proc
from .._model.inventory import TIMED_OUT, TYPES, Names, Namespace, Pin, Problems, Process

# The inode of the initial namespace of each type is fixed (include/linux/nsfs.h); for net and mnt since Linux 6.18.
INITIAL_INODES = {
    "ipc": 0xEFFFFFFF, "uts": 0xEFFFFFFE, "user": 0xEFFFFFFD, "pid": 0xEFFFFFFC,
    "cgroup": 0xEFFFFFFB, "time": 0xEFFFFFFA, "net": 0xEFFFFFF9, "mnt": 0xEFFFFFF8,
}
# The socket inside a tun descriptor holds the network namespace it was opened in (drivers/net/tun.c, tun_chr_open).
TUN = "/dev/net/tun"
_MOST_KEPT = 600  # descriptors
SOURCES = ("processes", "threads", "descriptors", "sockets", "mounts", "ancestors")


class Way(NamedTuple):
    """A path of /proc through which a namespace can be opened, and the process it depends on."""

    pid: int
    path: str


class Holder(NamedTuple):
    """A descriptor that holds a socket."""

    pid: int
    tid: int | None
    descriptor: int


class Clock:
    """The time that is left: C(end) for all, C(until) for what is done now: nobody uses up the time of others."""

    def __init__(self, timeout: float) -> None:
        self.until = self.end = time.monotonic() + timeout

    def allot(self, share: float, end: float | None = None) -> None:
        """Give what comes now that share of the time until C(end)."""
        now = time.monotonic()
        self.until = now + share * ((self.end if end is None else end) - now)

    def left(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.until - time.monotonic())

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self.until


class Scan:
    """One look at all namespaces. Each source adds to it; nothing is ever taken out.

    C(live) is false for a recorded tree: then only what can be read from files is looked at.
    """

    def __init__(self, proc: Proc, problems: Problems, clock: Clock, max_entries: int = 500, live: bool = True) -> None:
        self.proc = proc
        self.problems = problems
        self.clock = clock
        self.live = live
        self.max_entries = max_entries
        self.processes: dict[int, Process] = {}
        self.threads: dict[int, list[int]] = {}
        self.namespaces: dict[str, Namespace] = {}
        self.ways: dict[str, list[Way]] = {}
        self.sockets: dict[str, list[Holder]] = {}
        # pids of each namespace, for mountinfo (mnt) and on request (all)
        self.members: dict[str, list[int]] = {}
        # What this kernel turned out to have, for the result.
        self.features: dict[str, bool] = {}
        # Answers which nsid a network namespace has as seen from ours; None where that cannot be asked.
        self.route: Route | None = None
        # Descriptors of network namespaces that no path of /proc leads to, None where they are not looked at later.
        self.kept: dict[str, int] | None = None
        # The only one to keep, of any type.
        self.sought: str | None = None
        # Names whose kernel record (id, owner, parent) was read, so that it is read only once.
        self.described: dict[str, bool] = {}
        self._pins: dict[str, dict[tuple[object, ...], Pin]] = {}
        self._pins_left_out: dict[str, int] = {}

    def namespace(self, name: str) -> Namespace:
        """The record of a namespace, made when it is new. C(name) is as the kernel's links have it."""
        found = self.namespaces.get(name)
        if found is None:
            kind, dummy, rest = name.partition(":[")
            found = self.namespaces[name] = Namespace(name=name, type=kind, inode=int(rest[:-1]))
        return found

    def pin(self, name: str, kind: str, holder: tuple[object, ...], /, **details: object) -> None:
        """Note why a namespace is alive. Equal holders are counted, not repeated."""
        self.namespace(name)
        pins = self._pins.setdefault(name, {})
        key = (kind,) + holder
        known = pins.get(key)
        if known is not None:
            known.count += 1
        elif len(pins) < self.max_entries:
            pins[key] = Pin(kind, details)
        else:
            self._pins_left_out[name] = self._pins_left_out.get(name, 0) + 1

    def count_pin(self, name: str, kind: str, count: int) -> None:
        """Set how many holders the one pin of C(kind) stands for."""
        pin = self._pins[name].get((kind,))
        if pin is not None:
            pin.count = count

    def way(self, name: str, pid: int, *path: object) -> None:
        """Note a path of /proc that opens a namespace. A few are enough: processes come and go."""
        ways = self.ways.setdefault(name, [])
        if len(ways) < 4:
            ways.append(Way(pid, self.proc.path(*path)))

    def keep(self, name: str, descriptor: int) -> None:
        """Keep a copy of a descriptor, where that is wanted and no path leads to the namespace."""
        if self.kept is None or name in self.ways or len(self.kept) >= _MOST_KEPT:
            return
        if name == self.sought or self.sought is None and name.startswith("net:"):
            self.kept[name] = os.dup(descriptor)

    def finish_pins(self) -> None:
        """Hand the collected pins over to the namespaces, those of processes first."""
        order = {"process": 0, "thread": 1}
        for name, pins in self._pins.items():
            self.namespaces[name].pins = sorted(pins.values(), key=lambda pin: order.get(pin.kind, 2))
            left_out = self._pins_left_out.get(name, 0)
            if left_out:
                self.problems.add("pins of %s" % name, "truncated", left_out)

    def late(self, what: str, count: int = 1) -> bool:
        """Whether the time is up; what is not looked at any more is counted."""
        if not self.clock.over:
            return False
        self.problems.add(what, TIMED_OUT, max(1, count))
        return True

    def names_of(self, pid: int) -> Names:
        """The namespaces of a process, None for each that is not known."""
        process = self.processes.get(pid)
        return process.namespaces if process is not None else (None,) * len(TYPES)


def is_namespace(link: str) -> bool:
    """Whether the target of a link of /proc is a namespace. A file's begins with a slash, so none can pose as one."""
    kind, dummy, rest = link.partition(":[")
    return kind in INITIAL_INODES and rest[-1:] == "]" and rest[:-1].isdecimal()


def own_names(proc: Proc) -> dict[str, str]:
    """The namespaces of the caller by type, as far as they are told; none where /proc is not ours, or not there."""
    try:
        return _by_type(proc.namespaces("self")[0])
    except OSError:
        return {}


def host_names(scan: Scan, own: dict[str, str]) -> dict[str, str]:
    """The namespaces of process 1 as we see it.

    Where they are unreadable, which happens even to root, those of kthreadd if our pid namespace is the initial
    one, else our own.
    """
    found = dict(own)
    second = scan.processes.get(2)
    if own.get("pid") == "pid:[%d]" % INITIAL_INODES["pid"] and second is not None and second.kernel:
        found.update(_by_type(second.namespaces))
    first = scan.processes.get(1)
    if first is not None:
        found.update(_by_type(first.namespaces))
    return {kind: found[kind] for kind in TYPES if kind in found}


def mark_initial(scan: Scan, own: dict[str, str]) -> None:
    """Tell which namespaces the kernel booted with; None where an older kernel leaves it open (net and mnt)."""
    fixed = {"%s:[%d]" % (kind, inode) for kind, inode in INITIAL_INODES.items()}
    second = scan.processes.get(2)
    kernel: Iterable[str | None] = ()
    if own.get("pid") == "pid:[%d]" % INITIAL_INODES["pid"] and second is not None and second.kernel:
        kernel = second.namespaces
    told = set(kernel)
    # Linux 6.18 has both, the fixed inodes and NS_GET_ID.
    all_fixed = scan.features.get("namespace_ids", False) or any(
        "%s:[%d]" % (kind, INITIAL_INODES[kind]) in scan.namespaces for kind in ("net", "mnt")
    )
    for namespace in scan.namespaces.values():
        name = namespace.name
        if name in fixed:
            namespace.initial = True
        elif namespace.type not in ("net", "mnt") or all_fixed:
            namespace.initial = False
        elif told - {None}:
            namespace.initial = name in told


def _by_type(names: Iterable[str | None]) -> dict[str, str]:
    return {kind: name for kind, name in zip(TYPES, names) if name is not None}

"""Which containers run here, and where we and the host are: all that choosing a target needs, and no more."""
from __future__ import annotations

import marshal
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .._kernel.child import Answer, Child
from .._model.inventory import TYPES, Container, Pod, Problems, Process

if TYPE_CHECKING:
    from .._discover.scan import Scan

_PF_KTHREAD = 0x00200000  # include/linux/sched.h
_SPARE = 5.0              # seconds beyond its time until who looks is given up


@dataclass
class Look:
    """One moment of a host. C(own), C(host): names of namespaces by type; C(problems): what was not seen."""

    containers: list[Container] = field(default_factory=list)
    own: dict[str, str] = field(default_factory=dict)
    host: dict[str, str] = field(default_factory=dict)
    problems: Problems = field(default_factory=Problems)


class Looking:
    """A C(look) that a child takes, on another CPU, while this process imports what comes after it. Close it when done.

    What it imports and finds on the way is not in the memory of the workers either, which are forked later.
    """

    def __init__(self, until: float) -> None:
        def prepare() -> Answer:
            found: bytes | OSError
            try:
                found = _packed(look(until))
            except OSError as error:
                found = error

            def answer(dummy: bytes, dummy2: bytes, dummy3: int | None) -> tuple[bytes, int | None]:
                if isinstance(found, OSError):
                    raise found
                return found, None

            return answer

        until_given_up = until + _SPARE
        self._child = Child(prepare, until_given_up, until_given_up - time.monotonic())
        self._child.start()

    def found(self) -> Look:
        """What it saw. Raises OSError: no process can be listed; TimeoutError: it has ended, or takes too long."""
        return _unpacked(self._child.ask(b"L")[0])

    def close(self) -> None:
        """End the child."""
        self._child.close()


def _packed(found: Look) -> bytes:
    containers = [{**vars(each), "pod": each.pod and vars(each.pod)} for each in found.containers]
    return marshal.dumps((containers, found.own, found.host, found.problems.as_list()))


def _unpacked(packed: bytes) -> Look:
    containers, own, host, unseen = marshal.loads(packed)
    problems = Problems()
    for each in unseen:
        problems.add(each["what"], each["reason"], each["count"])
    return Look([Container(**{**each, "pod": each["pod"] and Pod(**each["pod"])}) for each in containers],
                own, host, problems)


def look(until: float, proc_root: str = "/proc", file_root: str = "/") -> Look:
    """Every container, without what confines it; what is not seen by C(until) (of time.monotonic()) is in the problems.

    Raises OSError when no process can be listed.
    """
    from .._discover import processes
    from .._discover.scan import Clock, Scan, host_names, own_names
    from .._engines.attribute import containers
    from .._engines.view import View
    from .._kernel.proc import Proc
    from .ahead_reader import AheadReader

    scan = Scan(Proc(proc_root), Problems(), Clock(until - time.monotonic()), live=proc_root == "/proc")
    own = own_names(scan.proc)
    processes.find(scan, True, False, False)
    host = host_names(scan, own)
    names = tuple(host.get(kind) for kind in TYPES)
    with AheadReader(file_root, until=until) as files:
        view = View(scan.processes, scan.proc, files, names, _parents(scan, host), scan.problems, until, False)
        if scan.live:
            view.ahead = files.read_ahead
        found = containers(view)
    return Look(found, own, host, scan.problems)


def glance(proc_root: str = "/proc") -> Look:
    """Only where we and the host are: enough for what is no container."""
    from .._discover.scan import Clock, Scan, host_names, own_names
    from .._kernel.proc import Proc

    scan = Scan(Proc(proc_root), Problems(), Clock(0.0), live=proc_root == "/proc")
    own = own_names(scan.proc)
    for pid in (1, 2):
        try:
            comm, state, ppid, flags, threads, start_time = scan.proc.stat(pid)
            kernel = bool(flags & _PF_KTHREAD)
            names = scan.proc.namespaces(pid)[0][:len(TYPES)]
        except OSError:
            continue
        scan.processes[pid] = Process(pid, ppid, start_time, comm, state, threads, kernel, names)
    return Look([], own, host_names(scan, own), scan.problems)


def _parents(scan: Scan, host: dict[str, str]) -> dict[str, str]:
    """The parent of each pid namespace: a container in a container is part of it."""
    from .._kernel import nsfs
    from .._kernel.proc import GONE

    found: dict[str, str] = {}
    for name, space in list(scan.namespaces.items()) if scan.live else ():
        if space.type != "pid" or space.leader is None or name == host.get("pid"):
            continue
        try:
            current = os.open(scan.proc.path(space.leader.pid, "ns", "pid"), os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            if error.errno not in GONE and not scan.proc.is_ending(space.leader.pid):
                scan.problems.error("namespaces", error)
            continue
        try:
            # The process may be another one by now: what counts is where the descriptor leads.
            name = "pid:[%d]" % os.fstat(current).st_ino
            while name not in found:
                above = nsfs.parent(current)
                os.close(current)
                current = above
                found[name] = name = "pid:[%d]" % os.fstat(current).st_ino
        except OSError:
            # EPERM: that was the outermost one that we may see.
            continue
        finally:
            os.close(current)
    return found

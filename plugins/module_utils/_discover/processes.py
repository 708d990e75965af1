"""Namespaces of processes, and of the children they are going to have (C(*_for_children))."""
from __future__ import annotations

import errno
from typing import Sequence

from .._kernel.proc import ALL_LINKS, CHILDREN_LINKS, GONE, NAMESPACE_TYPES
from .._model.inventory import REFUSED, TYPES, VANISHED, Leader, Process
from .scan import Scan

_PF_KTHREAD = 0x00200000  # include/linux/sched.h


def find(scan: Scan, cgroups: bool, pids: bool, children: bool = True) -> None:
    """Read every process: its namespaces, parent and age; with C(cgroups) its cgroup; with C(pids) all pids.

    With C(children) also where its next child will be.
    """
    proc, problems = scan.proc, scan.problems
    read_namespaces, read_stat, read_cgroup = proc.namespaces, proc.stat, proc.cgroup_text
    links = ALL_LINKS if children else NAMESPACE_TYPES
    groups: dict[tuple[object, ...], list[Process]] = {}
    listed = proc.pids()
    if not listed:
        raise FileNotFoundError(errno.ENOENT, "no process is listed", proc.root)
    if scan.live and 1 not in listed:
        # Every pid namespace has a process 1. Where proc is mounted with hidepid, the others are not even listed.
        problems.add("processes", "%s: hidepid" % REFUSED)
    for position, pid in enumerate(listed):
        if not position & 63 and scan.late("processes", len(listed) - position):
            break
        try:
            names, refusal = read_namespaces(pid, None, links)
        except OSError as error:
            # One that died after it was listed is no loss: what it held alone died with it.
            if error.errno in GONE:
                continue
            names, refusal = [None] * len(links), error
        try:
            comm, state, ppid, flags, threads, start_time = read_stat(pid)
            living: tuple[object, ...] = (pid,)
            if state == "Z" and threads > 1:
                # Its first thread has ended; where the process is, its other threads tell.
                names, living = _survivor(scan, pid, names, links)
            key = tuple(names)
            members = groups.get(key)
            # Processes in the same namespaces share the names too: a fifth less memory at 5,000 processes.
            process = Process(pid, ppid, start_time, comm, state, threads, bool(flags & _PF_KTHREAD),
                              members[0].namespaces if members else key[:8])
            if cgroups and not process.kernel:
                process.cgroup = read_cgroup(*living)
        except OSError as error:
            if error.errno in GONE:
                problems.add("processes", VANISHED)
            else:
                problems.error("processes", error)
            continue
        if refusal is not None and refusal.errno not in GONE:
            problems.error("processes", refusal)
        scan.processes[pid] = process
        if members is None:
            groups[key] = [process]
        else:
            members.append(process)
    for names_key, members in groups.items():
        _enter_group(scan, names_key, members, pids)


def _survivor(
    scan: Scan, pid: int, names: list[str | None], links: Sequence[str]
) -> tuple[list[str | None], tuple[object, ...]]:
    """The namespaces of a living thread of a process whose first one has ended, and the thread's place in /proc."""
    for tid in scan.proc.tids(pid):
        try:
            found, refusal = scan.proc.namespaces(pid, tid, links)
        except OSError:
            continue
        if tid != pid and refusal is None and found[0] is not None:
            for kind, name in zip(TYPES, found):
                if name is not None:
                    scan.way(name, pid, pid, "task", tid, "ns", kind)
            return found, (pid, "task", tid)
    return names, (pid,)


def _enter_group(scan: Scan, names: tuple[object, ...], members: list[Process], pids: bool) -> None:
    """Enter processes that are in the same namespaces: one step a group, not one a process."""
    oldest = min(members, key=_age)
    for position, kind in enumerate(TYPES):
        name = names[position]
        if not isinstance(name, str):
            continue
        namespace = scan.namespace(name)
        namespace.processes += len(members)
        leader = namespace.leader
        if leader is None or (oldest.start_time, oldest.pid) < (leader.start_time, leader.pid):
            namespace.leader = Leader(oldest.pid, oldest.start_time, oldest.comm)
        scan.way(name, oldest.pid, oldest.pid, "ns", kind)
        if pids or kind == "mnt":
            scan.members.setdefault(name, []).extend(process.pid for process in members)
    for (link, plain), name in zip(CHILDREN_LINKS, names[8:]):
        if isinstance(name, str) and name != names[plain]:
            scan.way(name, oldest.pid, oldest.pid, "ns", link)
            for process in members:
                scan.pin(name, link, (process.pid,), pid=process.pid, comm=process.comm)


def pin_processes(scan: Scan) -> None:
    """One pin for all processes of a namespace, named by its leader."""
    for name, namespace in scan.namespaces.items():
        leader = namespace.leader
        if leader is not None:
            scan.pin(name, "process", (), pid=leader.pid, comm=leader.comm)
            scan.count_pin(name, "process", namespace.processes)


def _age(process: Process) -> tuple[int, int]:
    return (process.start_time, process.pid)

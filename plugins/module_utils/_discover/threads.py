"""Namespaces of single threads: setns(2) and unshare(2) move the calling thread only."""
from __future__ import annotations

from .._kernel.proc import CHILDREN_LINKS, GONE
from .._model.inventory import TYPES, Process
from .scan import Scan


def list_threads(scan: Scan) -> None:
    """Note the threads of every process that has more than one; field 20 of stat tells without looking."""
    several = [process for process in scan.processes.values() if process.threads > 1]
    for position, process in enumerate(several):
        if not position & 63 and scan.late("threads", len(several) - position):
            return
        try:
            scan.threads[process.pid] = scan.proc.tids(process.pid)
        except OSError as error:
            if error.errno not in GONE:
                scan.problems.error("threads", error)


def find(scan: Scan) -> None:
    """Pin what a thread is in and its process is not."""
    for position, (pid, tids) in enumerate(scan.threads.items()):
        if scan.late("threads", len(scan.threads) - position):
            return
        process = scan.processes[pid]
        for number, tid in enumerate(tids):
            if number & 255 == 255 and scan.late("threads"):
                return
            if tid != pid:
                _look_at(scan, process, tid)


def _look_at(scan: Scan, process: Process, tid: int) -> None:
    try:
        names, refusal = scan.proc.namespaces(process.pid, tid)
    except OSError as error:
        if error.errno not in GONE:
            scan.problems.error("threads", error)
        return
    if refusal is not None:
        if refusal.errno not in GONE and not scan.proc.is_ending(process.pid, tid):
            scan.problems.error("threads", refusal)
        return
    pid = process.pid
    for kind, name, usual in zip(TYPES, names, process.namespaces):
        if name is not None and name != usual:
            scan.pin(name, "thread", (pid, tid), pid=pid, tid=tid, comm=process.comm)
            scan.way(name, pid, pid, "task", tid, "ns", kind)
    for (link, plain), name in zip(CHILDREN_LINKS, names[8:]):
        if name is not None and name not in (names[plain], process.namespaces[plain]):
            scan.pin(name, link, (pid, tid), pid=pid, tid=tid, comm=process.comm)
            scan.way(name, pid, pid, "task", tid, "ns", link)

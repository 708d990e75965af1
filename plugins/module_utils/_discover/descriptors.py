"""Namespaces held by open descriptors, in the tables of processes and of threads with a table of their own.

Sockets that are met on the way are noted for the source C(sockets), so that each table is read once.
"""
from __future__ import annotations

from .._kernel.libc import KernelLacks
from .._kernel.pidfd import compare_files
from .._kernel.proc import GONE
from .._model.inventory import TRUNCATED, Process
from .scan import TUN, Holder, Scan, is_namespace

_LARGE, _MOST = 1024, 65536  # descriptors of a table


def find(scan: Scan, pins: bool, sockets: bool) -> None:
    """Read the descriptor tables; C(pins) and C(sockets) say what of it is wanted."""
    # A process is called a zombie as soon as its first thread has ended; others may go on, and hold what they held.
    processes = [
        process for process in scan.processes.values()
        if not process.kernel and (process.state != "Z" or process.threads > 1)
    ]
    large: list[int] = []
    for position, process in enumerate(processes):
        if scan.late("descriptors", len(processes) - position):
            return
        _read_table(scan, process, None, pins, sockets, large)
        for tid in _own_tables(scan, process):
            _read_table(scan, process, tid, pins, sockets, large)


def _read_table(scan: Scan, process: Process, tid: int | None, pins: bool, sockets: bool, large: list[int]) -> None:
    """Read a table; C(large) has a task for each large one: any number of processes may share it (CLONE_FILES)."""
    pid = process.pid
    try:
        for position, (number, link) in enumerate(scan.proc.descriptors(pid, tid)):
            if position == _LARGE and scan.live:
                place = _place_of(large, tid or pid)
                if place is None:
                    return
                large.insert(place, tid or pid)
            if position == _MOST:
                scan.problems.add("descriptors", TRUNCATED)
                return
            if position & 1023 == 1023 and scan.late("descriptors"):
                return
            if link.startswith("/") and link != TUN:
                continue
            if link.startswith("socket:[") or link == TUN:
                if sockets:
                    # Tun descriptors are told apart by holder: their link is the same for all.
                    key = link if link != TUN else "%s %d %s %d" % (link, pid, tid, number)
                    scan.sockets.setdefault(key, []).append(Holder(pid, tid, number))
            elif pins and is_namespace(link):
                details = {"pid": pid, "comm": process.comm, "descriptor": number}
                path: list[object] = [pid, "fd", number]
                if tid is not None:
                    details["tid"] = tid
                    path = [pid, "task", tid, "fd", number]
                scan.pin(link, "descriptor", (pid, tid), **details)
                scan.way(link, pid, *path)
    except OSError as error:
        if error.errno not in GONE and not scan.proc.is_ending(pid):
            scan.problems.error("descriptors", error)


def _own_tables(scan: Scan, process: Process) -> list[int]:
    """One thread for each descriptor table that is not the process's own (unshare(2), CLONE_FILES)."""
    if not scan.live:
        return []
    found: list[int] = []
    # A thread for each table known, in the kernel's order of tables: a process may have thousands of either.
    known = [process.pid]
    for position, tid in enumerate(scan.threads.get(process.pid, ())):
        if tid == process.pid:
            continue
        if position & 255 == 255 and scan.late("descriptors of threads"):
            break
        try:
            place = _place(known, tid)
        except KernelLacks:
            # Without kcmp(2) every table is read; what is in the process's own too is counted once more, not lost.
            found.append(tid)
        except OSError as error:
            if error.errno not in GONE:
                scan.problems.error("descriptors of threads", error)
                break
            # This thread has ended, or the one it was compared with.
            found.append(tid)
        else:
            if place is not None:
                known.insert(place, tid)
                found.append(tid)
    return found


def _place_of(large: list[int], tid: int) -> int | None:
    """Where the table of a task belongs among the large ones, None when it was read; when in doubt it is read."""
    try:
        return _place(large, tid)
    except OSError:
        return len(large)


def _place(known: list[int], tid: int) -> int | None:
    """Where in C(known) a thread's table belongs; None when it is there already."""
    low, high = 0, len(known)
    while low < high:
        middle = (low + high) // 2
        order = compare_files(known[middle], tid)
        if order == 0:
            return None
        if order < 0:
            low = middle + 1
        else:
            high = middle
    return low

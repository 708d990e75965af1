# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection
"""Namespaces held by open descriptors, in the tables of processes and of threads with a table of their own.

Sockets that are met on the way are noted for the source C(sockets), so that each table is read once.
"""
from __future__ import annotations

from typing import List, Optional

from .._kernel.kcmp import same_files
from .._kernel.libc import KernelLacks
from .._kernel.proc import GONE
from .._model.process import Process
from .scan import Holder, Scan, is_namespace

# The socket inside a tun descriptor holds the network namespace it was opened in (drivers/net/tun.c, tun_chr_open).
_TUN = "/dev/net/tun"


def find(scan: Scan, pins: bool, sockets: bool) -> None:
    """Read the descriptor tables; C(pins) and C(sockets) say what of it is wanted."""
    processes = [process for process in scan.processes.values() if not process.kernel and process.state != "Z"]
    for position, process in enumerate(processes):
        if not position & 63 and scan.late("descriptors", len(processes) - position):
            return
        _read_table(scan, process, None, pins, sockets)
        for tid in _own_tables(scan, process):
            _read_table(scan, process, tid, pins, sockets)


def _read_table(scan: Scan, process: Process, tid: Optional[int], pins: bool, sockets: bool) -> None:
    pid = process.pid
    try:
        for number, link in scan.proc.descriptors(pid, tid):
            if link.startswith("/") and link != _TUN:
                continue
            if link.startswith("socket:[") or link == _TUN:
                if sockets:
                    # Tun descriptors are told apart by holder: their link is the same for all.
                    key = link if link != _TUN else "%s %d %s %d" % (link, pid, tid, number)
                    scan.sockets.setdefault(key, []).append(Holder(pid, tid, number))
            elif pins and is_namespace(link):
                details = {"pid": pid, "comm": process.comm, "descriptor": number}
                path: List[object] = [pid, "fd", number]
                if tid is not None:
                    details["tid"] = tid
                    path = [pid, "task", tid, "fd", number]
                scan.pin(link, "descriptor", (pid, tid), **details)
                scan.way(link, pid, *path)
    except OSError as error:
        if error.errno not in GONE:
            scan.problems.error("descriptors", error)


def _own_tables(scan: Scan, process: Process) -> List[int]:
    """One thread for each descriptor table that is not the process's own (unshare(2), CLONE_FILES)."""
    known = [process.pid]
    if not scan.live:
        return []
    for tid in scan.threads.get(process.pid, ()):
        if tid == process.pid:
            continue
        try:
            # Threads with private tables are rare, and so are tables: a few comparisons settle it.
            if not any(same_files(other, tid) for other in known):
                known.append(tid)
        except KernelLacks:
            # Without kcmp(2) every table is read; what is in the process's own too is counted once more, not lost.
            known.append(tid)
        except OSError as error:
            if error.errno not in GONE:
                scan.problems.error("descriptors of threads", error)
                break
    return known[1:]

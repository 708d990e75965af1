# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection
"""Network namespaces held by a socket only: pidfd_getfd(2) and the ioctl SIOCGSKNS.

A socket keeps the namespace it was made in, whatever its process joins later. The copy of the descriptor that we
hold for some microseconds takes nothing from the socket; only its last close may come that much later.
"""
from __future__ import annotations

import errno
import os
from typing import Dict, List, Tuple

from .._kernel import nsfs, pidfd
from .._kernel.libc import KernelLacks
from .._model.problems import UNSUPPORTED
from .._model.process import NET
from .ancestors import describe
from .scan import Holder, Scan

# Closed, or gone, while we looked: no loss.
_LOST = (errno.EBADF, errno.ESRCH, errno.ENOENT, errno.ENOTSOCK)


def find(scan: Scan) -> None:
    """Pin each network namespace through the sockets that are not in their process's own."""
    by_process: Dict[int, List[Tuple[str, Holder]]] = {}
    for socket, holders in scan.sockets.items():
        for holder in holders:
            by_process.setdefault(holder.pid, []).append((socket, holder))
    told: Dict[str, str] = {}
    for position, (pid, held) in enumerate(by_process.items()):
        if not position & 15 and scan.late("sockets", len(by_process) - position):
            return
        try:
            _ask_process(scan, pid, held, told)
        except KernelLacks as lack:
            scan.problems.add("sockets", "%s: %s" % (UNSUPPORTED, lack.call))
            return


def _ask_process(scan: Scan, pid: int, held: List[Tuple[str, Holder]], told: Dict[str, str]) -> None:
    own = scan.names_of(pid)[NET]
    comm = scan.processes[pid].comm
    handles: Dict[int, int] = {}
    try:
        for socket, holder in held:
            name = told.get(socket)
            try:
                if name is None:
                    name = told[socket] = _netns_of(scan, holder, handles)
            except KernelLacks as lack:
                if holder.tid is None:
                    raise
                # Descriptor tables of single threads can be reached since Linux 6.9 only (PIDFD_THREAD).
                scan.problems.add("sockets of threads", "%s: %s" % (UNSUPPORTED, lack.call))
                continue
            except OSError as error:
                if error.errno not in _LOST:
                    scan.problems.error("sockets", error)
                    if error.errno in (errno.EPERM, errno.EACCES) and not handles:
                        return
                continue
            if name != own:
                details = {"pid": pid, "comm": comm, "descriptor": holder.descriptor}
                if holder.tid is not None:
                    details["tid"] = holder.tid
                scan.pin(name, "socket", (pid, holder.tid), **details)
    finally:
        for handle in handles.values():
            os.close(handle)


def _netns_of(scan: Scan, holder: Holder, handles: Dict[int, int]) -> str:
    """The name of the namespace a socket belongs to; a new one is described while its descriptor is at hand."""
    # A thread with a table of its own is named by its tid (PIDFD_THREAD, Linux 6.9).
    key = holder.tid if holder.tid is not None else holder.pid
    if key not in handles:
        handles[key] = pidfd.pidfd_open(key, thread=holder.tid is not None)
    copy = pidfd.pidfd_getfd(handles[key], holder.descriptor)
    try:
        netns = nsfs.socket_netns(copy)
    finally:
        os.close(copy)
    try:
        name = "net:[%d]" % os.fstat(netns).st_ino
        if name not in scan.namespaces:
            scan.namespace(name)
            describe(scan, name, netns)
        return name
    finally:
        os.close(netns)

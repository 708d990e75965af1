# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection
"""All sources, one after the other, into one inventory."""
from __future__ import annotations

from typing import Collection

from .._kernel.netlink import Route
from . import ancestors, descriptors, mounts, processes, sockets, threads
from .scan import Scan


def take(scan: Scan, sources: Collection[str], own_mnt: str, cgroups: bool, pids: bool) -> None:
    """Fill C(scan) from the C(sources) that are named (see scan.SOURCES).

    Processes are always read, because every other source starts from them. C(cgroups) has each process's cgroup read
    too, C(pids) the members of each namespace kept.
    """
    if scan.live:
        try:
            scan.route = Route()
        except OSError as error:
            scan.problems.error("nsids", error)
    try:
        processes.find(scan, cgroups, pids)
        if "threads" in sources or "descriptors" in sources:
            threads.list_threads(scan)
        if "threads" in sources:
            threads.find(scan)
        if "descriptors" in sources or "sockets" in sources:
            descriptors.find(scan, "descriptors" in sources, "sockets" in sources)
        if "sockets" in sources and scan.live:
            sockets.find(scan)
        if "mounts" in sources:
            mounts.find(scan, own_mnt)
        if scan.live:
            ancestors.find(scan, "ancestors" in sources)
            if "ancestors" in sources:
                ancestors.find_listed(scan)
    finally:
        if scan.route is not None:
            scan.route.close()
            scan.route = None
    processes.pin_processes(scan)
    scan.finish_pins()

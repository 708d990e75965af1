"""All sources, one after the other, into one inventory."""
from __future__ import annotations

from typing import Callable, Collection, Iterator, Tuple

from .._kernel.netlink import Route
from .._model.inventory import UNREACHABLE
from . import ancestors, descriptors, mounts, processes, sockets, threads
from .scan import Scan

Step = Tuple[str, Callable[[], None]]

# Of the time for all, and of what is left of that when a source begins: a container that makes one of them slow must
# not keep the others, or the engines' files, from being read.
_SHARE_OF_SOURCES, _SHARE_OF_ONE = 0.7, 0.5


def take(scan: Scan, sources: Collection[str], own_mnt: str, cgroups: bool, pids: bool) -> None:
    """Fill C(scan) from the C(sources) that are named (see scan.SOURCES).

    Processes are always read, because every other source starts from them. C(cgroups) has each process's cgroup read
    too, C(pids) the members of each namespace kept. Raises OSError when no process can be listed.
    """
    if scan.live:
        try:
            scan.route = Route()
        except OSError as error:
            scan.problems.error("nsids", error)
    if not own_mnt:
        scan.problems.add("own namespaces", UNREACHABLE)
    clock = scan.clock
    clock.allot(_SHARE_OF_SOURCES)
    end = clock.until
    try:
        for what, find in _steps(scan, sources, own_mnt, cgroups, pids):
            clock.allot(_SHARE_OF_ONE, end)
            try:
                find()
            except OSError as error:
                if isinstance(error, FileNotFoundError) and what == "processes":
                    raise
                # Each source counts what it meets; this is for what none can go on without (no descriptors left, say).
                scan.problems.error(what, error)
    finally:
        if scan.route is not None:
            scan.route.close()
            scan.route = None
        clock.allot(1.0)
    scan.finish_pins()


def _steps(scan: Scan, sources: Collection[str], own_mnt: str, cgroups: bool, pids: bool) -> Iterator[Step]:
    yield "processes", lambda: processes.find(scan, cgroups, pids, "threads" in sources)
    # First of all pins, so that they are there whatever the limit of pins cuts off.
    yield "processes", lambda: processes.pin_processes(scan)
    if "threads" in sources or "descriptors" in sources:
        yield "threads", lambda: threads.list_threads(scan)
    if "threads" in sources:
        yield "threads", lambda: threads.find(scan)
    if "descriptors" in sources or "sockets" in sources:
        yield "descriptors", lambda: descriptors.find(scan, "descriptors" in sources, "sockets" in sources)
    if "sockets" in sources and scan.live:
        yield "sockets", lambda: sockets.find(scan)
    if "mounts" in sources:
        yield "mounts", lambda: mounts.find(scan, own_mnt)
    if scan.live:
        yield "ancestors", lambda: ancestors.find(scan, "ancestors" in sources)
        if "ancestors" in sources:
            yield "listns", lambda: ancestors.find_listed(scan)

"""Who lives in a pid namespace that is kept, and ending the process 1 that we gave it."""
from __future__ import annotations

import os
import signal
import time
from typing import Dict, Iterator, List, NamedTuple

from .._enter.plain import plain
from .._enter.unit_record import Record
from .._kernel import nsfs
from .._kernel.libc import KernelLacks
from .._kernel.pidfd import pidfd_open
from .._kernel.pidfd_signal import pidfd_send_signal
from .._kernel.proc import Proc
from .._model.entry import Refused
from .inside import pid_namespace_has_ended

_ENDING = 5.0     # seconds until all that is in there has ended
_MOST_NAMED = 10
_DEEPEST = 33     # pid namespaces in one another, pid_namespaces(7)


class Inhabitant(NamedTuple):
    """A process by its number as we see it."""

    pid: int
    comm: str

    def __str__(self) -> str:
        return "pid %d (%s)" % self


def has_ended(descriptor: int, ref: str, record: Record) -> bool:
    """Whether process 1 of a pid namespace has ended, and so all in there. Raises Refused."""
    if record.pid_namespace == ref and record.init_lives() or next(_within(ref), None) is not None:
        return False
    # It lies beyond what we see, or is empty: only then something of ours goes in there to find out.
    return pid_namespace_has_ended(descriptor)


def inhabitants(ref: str, but: int | None = None) -> List[Inhabitant]:
    """All in a pid namespace and those inside of it, as far as we see them; not the process C(but)."""
    return [found for found in _within(ref) if found.pid != but]


def _within(ref: str) -> Iterator[Inhabitant]:
    proc = Proc()
    known: Dict[str, bool] = {}
    for pid in proc.pids():
        try:
            name = os.readlink(proc.path(pid, "ns", "pid"))
            if name not in known:
                known[name] = _is_within(proc.path(pid, "ns", "pid"), ref)
            found = proc.stat(pid) if known[name] else None
        except OSError:
            continue  # it has ended, or is nobody's business of ours
        if found is not None and found.state not in "ZX":
            yield Inhabitant(pid, plain(found.comm))


def named(all_of_them: List[Inhabitant]) -> str:
    """For a sentence."""
    more = len(all_of_them) - _MOST_NAMED
    return ", ".join(map(str, all_of_them[:_MOST_NAMED])) + (" and %d more" % more if more > 0 else "")


def end_init(record: Record, unit: str) -> None:
    """End the process 1 that we started, and so all in its pid namespace. Raises Refused; it may have ended already."""
    if record.init is None:
        return
    try:
        pidfd = pidfd_open(record.init)
    except KernelLacks:
        pidfd = -1
    except OSError:
        return  # ESRCH
    try:
        # Now that it is pinned: whose number it is.
        if not record.init_lives():
            return
        if pidfd >= 0:
            pidfd_send_signal(pidfd, signal.SIGKILL)
        else:
            os.kill(record.init, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        if pidfd >= 0:
            os.close(pidfd)
    until = time.monotonic() + _ENDING
    while record.is_there():
        if time.monotonic() > until:
            raise Refused("Process 1 of %s, pid %d, was killed and does not end: something in its pid namespace hangs"
                          " in the kernel." % (unit, record.init))
        time.sleep(0.002)


def _is_within(path: str, ref: str) -> bool:
    """Whether a pid namespace is that one or inside of it."""
    current = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for dummy in range(_DEEPEST):
            if "pid:[%d]" % os.fstat(current).st_ino == ref:
                return True
            above = nsfs.parent(current)
            os.close(current)
            current = above
    except OSError:
        pass  # EPERM: it is the outermost that we may see
    finally:
        os.close(current)
    return False

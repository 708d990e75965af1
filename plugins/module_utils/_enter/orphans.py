"""What a command started: by its cgroup, and by descent from us, for who has the right leaves a cgroup."""
from __future__ import annotations

import os
import signal
import time
from typing import Any, Collection, Dict, List, Protocol, Set, Tuple

from .._kernel.pidfd import pidfd_open
from .._kernel.pidfd_signal import pidfd_send_signal
from .._kernel.privileges import set_child_subreaper
from .._kernel.proc import Proc
from .started import Started, told

_ROUNDS = 20
_BETWEEN = 1.0          # seconds between two looks at who is to be reaped
_DYING = 0.5            # seconds for a cgroup to become empty
_MOST_BELOW = 1000
_REAPING = 0.05         # seconds
_MOST_CHILDREN = 1 << 20  # bytes of their numbers


class Group(Protocol):
    """All processes that a command started."""

    def pids(self) -> List[int]:
        """Those that are alive."""

    def left(self) -> List[Dict[str, Any]]:
        """The same as results tell it: pid, start_time (clock ticks since boot), comm."""

    def terminate(self) -> None:
        """SIGTERM to all."""

    def kill(self) -> None:
        """End all."""

    def reap(self, command: int) -> None:
        """Wait for who has ended and came to us, but for the command itself, its caller's child."""

    def close(self) -> None:
        """Let go of those that are left."""


def group_of(started: Started) -> Group:
    """By the cgroup where there is one."""
    return Orphans() if started.folder is None else Everybody(started)


class Everybody:
    """Those of the cgroup, and who has left it: a login that gets a session, what systemd-run starts, root by hand.

    Not seen: who has left it, joined pid, and lost its parent, and so went to that namespace's process 1; and who has
    left it from among thousands.
    """

    def __init__(self, started: Started) -> None:
        self._started = started
        self._orphans = Orphans(_MOST_BELOW)

    def pids(self) -> List[int]:
        """Those that are alive in the cgroup, or else the others: there may be very many, and then they are there."""
        return self._started.pids() or self._orphans.pids()

    def left(self) -> List[Dict[str, Any]]:
        """All of them for a result."""
        found = {one["pid"]: one for one in [*self._orphans.left(), *self._started.left()]}
        return [found[pid] for pid in sorted(found)]

    def terminate(self) -> None:
        """SIGTERM to all, once."""
        self._orphans.terminate(set(self._started.pids()))
        self._started.terminate()

    def kill(self) -> None:
        """SIGKILL to all."""
        self._started.kill()
        limit = time.monotonic() + _DYING
        while self._started.pids():
            if time.monotonic() > limit:
                return  # to be tried again
            time.sleep(0.002)
        self._orphans.kill()

    def reap(self, command: int) -> None:
        """Wait for who has ended."""
        self._orphans.reap(command)

    def close(self) -> None:
        """Let go."""
        self._orphans.close()
        self._started.close()


class Orphans:
    """The descendants of this process that it did not have when this was made; orphans come to us (a subreaper).

    But not in another pid namespace: they go to its process 1. C(most): how many are looked at, more or less.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        set_child_subreaper(True)
        self._known: Set[int] = set(self._below())
        self._reaped = time.monotonic()

    def pids(self) -> List[int]:
        """Those that are alive."""
        found = []
        for pid, state in self._below().items():
            if pid not in self._known and state not in "ZX":
                found.append(pid)
        return found

    def left(self) -> List[Dict[str, Any]]:
        """The same for a result."""
        return told(self.pids(), Proc())

    def terminate(self, but: Collection[int] = ()) -> None:
        """SIGTERM to all."""
        self._signal(signal.SIGTERM, but)

    def kill(self) -> None:
        """SIGKILL to all, until there are none: what forks meanwhile is found the next time."""
        for dummy in range(_ROUNDS):
            if not self._signal(signal.SIGKILL):
                return

    def reap(self, command: int) -> None:
        """Wait for who has ended: a command may go on for days, and orphans be made all the time."""
        now = time.monotonic()
        if now < self._reaped + _BETWEEN:
            return
        self._reaped = now
        try:
            children = _children(Proc(), os.getpid())
        except FileNotFoundError:
            children = list(self._below())
        for pid in children:
            if time.monotonic() > now + _REAPING:
                break
            if pid != command and pid not in self._known:
                try:
                    os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:  # not ours but a child's
                    continue

    def close(self) -> None:
        """Let go: what is left goes to whoever reaps for us."""
        set_child_subreaper(False)

    def _signal(self, number: int, but: Collection[int] = ()) -> int:
        pids = [pid for pid in self.pids() if pid not in but]
        handles: Dict[int, int | None] = {}
        for pid in pids:
            try:
                handles[pid] = pidfd_open(pid)
            except ProcessLookupError:
                continue
            except OSError:
                # None before 5.3. Nobody else gets its number: it is our descendant, and zombies stay until reaped.
                handles[pid] = None
        # Before any of them has ended: the children of one that has may go to another pid namespace's process 1.
        below = self._below()
        for pid, handle in handles.items():
            try:
                if handle is None:
                    os.kill(pid, number)
                elif pid in below:
                    pidfd_send_signal(handle, number)
            except ProcessLookupError:
                pass
            finally:
                if handle is not None:
                    os.close(handle)
        return len(pids)

    def _below(self) -> Dict[int, str]:
        """Descendants and their states."""
        try:
            return self._by_children(Proc())
        except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
            return self._by_parents(Proc())

    def _by_children(self, proc: Proc) -> Dict[int, str]:
        found: Dict[int, str] = {}
        waiting = [os.getpid()]
        while waiting and (self._most is None or len(found) < self._most):
            parent = waiting.pop()
            try:
                children = _children(proc, parent)
            except OSError:
                if parent == os.getpid():
                    raise
                continue  # it has ended: its children are ours by now
            for child in children[:self._most]:
                try:
                    state = proc.stat(child).state
                except OSError:
                    continue
                if child not in found:
                    found[child] = state
                    waiting.append(child)
        return found

    @staticmethod
    def _by_parents(proc: Proc) -> Dict[int, str]:
        parents: Dict[int, Tuple[int, str]] = {}
        for pid in proc.pids():
            try:
                told = proc.stat(pid)
            except OSError:
                continue
            parents[pid] = (told.ppid, told.state)
        found: Dict[int, str] = {}
        added = {os.getpid()}
        while added:
            added = {pid for pid, (parent, dummy) in parents.items() if parent in added and pid not in found}
            found.update((pid, parents[pid][1]) for pid in added)
        return found


def _children(proc: Proc, pid: int) -> List[int]:
    return [int(child) for tid in proc.tids(pid)
            for child in proc.read(pid, "task", tid, "children", limit=_MOST_CHILDREN).split()]

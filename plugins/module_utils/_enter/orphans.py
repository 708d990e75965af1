"""What a command started: by its cgroup, or, where none can be made, by descent from us."""
from __future__ import annotations

import os
import signal
from typing import Any, Dict, List, Protocol, Set, Tuple

from .._kernel.pidfd import pidfd_open
from .._kernel.pidfd_signal import pidfd_send_signal
from .._kernel.privileges import set_child_subreaper
from .._kernel.proc import Proc
from .started import Started, told

_ROUNDS = 20


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

    def close(self) -> None:
        """Let go of those that are left."""


def group_of(started: Started) -> Group:
    """By the cgroup where there is one."""
    return started if started.folder is not None else Orphans()


class Orphans:
    """The descendants of this process that it did not have when this was made; orphans come to us (a subreaper).

    But not in another pid namespace: they go to its process 1.
    """

    def __init__(self) -> None:
        set_child_subreaper(True)
        self._known: Set[int] = set(self._below())

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

    def terminate(self) -> None:
        """SIGTERM to all."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to all, until there are none: what forks meanwhile is found the next time."""
        for dummy in range(_ROUNDS):
            if not self._signal(signal.SIGKILL):
                return

    def close(self) -> None:
        """Let go: what is left goes to whoever reaps for us."""
        set_child_subreaper(False)

    def _signal(self, number: int) -> int:
        pids = self.pids()
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

    @staticmethod
    def _below() -> Dict[int, str]:
        parents: Dict[int, Tuple[int, str]] = {}
        proc = Proc()
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

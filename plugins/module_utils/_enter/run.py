"""Waiting for a command: its output is taken, its time is kept, and when that is up all that it started ends."""
from __future__ import annotations

import os
import select
import signal
import time
from typing import Any, Callable, Dict, List, NamedTuple, Protocol

from .._kernel.libc import KernelLacks
from .._kernel.pidfd import pidfd_open
from .orphans import Group

_LONGEST_WAIT = 0.5  # seconds without a look at what has no descriptor
_MOST_SIGNALS = 4
_QUIET = 0.05        # seconds without output after the command has ended: others have its streams
_LONGEST_QUIET = 1.0  # seconds for those who go on writing to them


class Pump(Protocol):
    """What has descriptors to be looked after while the command runs."""

    def descriptors(self) -> Dict[int, int]:
        """Descriptors, and the events of poll(2) to wait for."""

    def handle(self, fd: int, events: int) -> None:
        """There is something to do; must not block."""


class End(NamedTuple):
    """How a command ended. C(rc): its status, or -N for signal N. C(timed_out): its time was up."""

    rc: int
    timed_out: bool


class Waiter:
    """Waits for a child C(pid)."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        try:
            self._pidfd: int | None = pidfd_open(pid)
        except (KernelLacks, OSError):  # before 5.3; or no descriptor left
            self._pidfd = None

    def wait(self, pumps: List[Any], group: Group, timeout: float, grace: float,
             tick: Callable[[], None] | None = None) -> End:
        """Until it has ended and its output is taken. C(timeout): seconds, 0 for none; then C(grace) to end by itself.

        C(pumps): its streams first, then what else is to be looked after. C(tick) is called now and then.
        """
        limit = time.monotonic() + timeout if timeout else None
        signals = 0
        rc: int | None = None
        quiet = last = 0.0
        while True:
            now = time.monotonic()
            if limit is not None and now >= limit and (rc is None or signals):
                (group.kill if signals else group.terminate)()
                signals += 1
                limit = now + (grace if signals == 1 else 1.0)
            if rc is None:
                rc = self._status()
                quiet, last = now + _QUIET, now + _LONGEST_QUIET
            if signals > _MOST_SIGNALS:
                # In uninterruptible sleep, which no signal ends: not waited for.
                return End(-signal.SIGKILL if rc is None else rc, True)
            if rc is not None and (not signals or not group.pids()) and (now >= quiet or not pumps[0].descriptors()):
                return End(rc, bool(signals))
            if self._poll(pumps, limit if signals or rc is None else None, None if rc is None else quiet):
                quiet = min(time.monotonic() + _QUIET, last)
            if tick is not None:
                tick()
            group.reap(self._pid)

    def close(self) -> None:
        """Let go of it."""
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None

    def _status(self) -> int | None:
        try:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
        except ChildProcessError:
            return -signal.SIGKILL
        if not pid:
            return None
        return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)

    def _poll(self, pumps: List[Any], limit: float | None, quiet: float | None) -> bool:
        """Wait for something to happen; whether output has come."""
        poll = select.poll()
        owners: Dict[int, Any] = {}
        for pump in pumps:
            for fd, events in pump.descriptors().items():
                owners[fd] = pump
                poll.register(fd, events)
        wait = _LONGEST_WAIT if self._pidfd is not None else 0.02
        if self._pidfd is not None and quiet is None:
            poll.register(self._pidfd, select.POLLIN)
        now = time.monotonic()
        for moment in (limit, quiet):
            if moment is not None:
                wait = min(wait, moment - now)
        moved = False
        try:
            ready = poll.poll(max(0.0, wait) * 1000)
        except InterruptedError:
            return False
        for fd, events in ready:
            if fd in owners:
                owners[fd].handle(fd, events)
                moved = moved or owners[fd] is pumps[0]
        return moved

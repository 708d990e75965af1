"""A command that goes on when the task has ended: its session, cgroup, streams and parent are none of the login's."""
from __future__ import annotations

import errno
import os
import secrets
import time
from typing import Callable, List, NamedTuple

from .._enter.launch import Plan, Running, not_executed
from .._kernel.executor import Executor
from .._kernel.proc import Proc
from .._model.entry import Refused
from .outside import Outside

_SECONDS = 20.0  # until it is executed


class Detached(NamedTuple):
    """C(start_time): clock ticks since boot. C(warnings): sentences."""

    pid: int
    start_time: int | None
    warnings: List[str]


def detach(name: str, plan: Plan, descriptors: List[int], log: str | None,
           begin: Callable[[Executor, str | None, Callable[[int], None]], Running]) -> Detached:
    """Execute it by C(begin), which has an Executor, a cgroup and a way into it, and do not wait. Raises Refused.

    C(log): where its output is added to; else it goes to /dev/null.
    """
    outside = Outside("detached-%d-%s" % (os.getpid(), secrets.token_hex(4)))
    streams: List[int] = []
    executor = None
    running = None
    try:
        streams = _streams(log)
        executor = Executor((streams[0], streams[1], streams[1]), time.monotonic() + _SECONDS, descriptors)
        running = begin(executor, outside.unified, outside.enter)
        running.waiter.close()
        return Detached(running.pid, _start_time(running.pid), running.missing + _warnings(outside))
    except OSError as error:
        raise not_executed(name, plan, error) from error
    finally:
        for descriptor in streams:
            os.close(descriptor)
        outside.release()
        if running is None:
            if executor is not None:
                executor.close()
            outside.remove()


def _streams(log: str | None) -> List[int]:
    streams = [os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)]
    if log is None:
        return [*streams, os.dup(streams[0])]
    try:
        # Not through a link at its end: who may write to the folder must not choose another file.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NOCTTY | os.O_NONBLOCK
        streams.append(os.open(log, flags, 0o600))
        os.set_blocking(streams[1], True)
    except OSError as error:
        os.close(streams[0])
        why = {
            errno.ELOOP: "it is a link", errno.ENXIO: "it is a FIFO that nobody reads",
        }.get(error.errno or 0, os.strerror(error.errno or 0))
        raise Refused("log is %s, which cannot be written to (%s): %s. Nothing has run."
                      % (log, errno.errorcode.get(error.errno or 0), why)) from error
    return streams


def _start_time(pid: int) -> int | None:
    try:
        return Proc().stat(pid).start_time
    except OSError:
        return None


def _warnings(outside: Outside) -> List[str]:
    if outside.unmade is None:
        return []
    return ["detach: the command stays in the cgroup of the login (%s), and may be ended with it" % outside.unmade]

"""One execution inside, waited for: what it said, what it changed, what it left."""
from __future__ import annotations

import time
from datetime import datetime
from typing import Any, Callable, Dict, List, NamedTuple, Sequence

from .._model.entry import Changes, Target
from .launch import Plan, Running, launch
from .orphans import group_of
from .output import Said
from .started import Started
from .watch import Watch

_ENDING = 0.05  # seconds for what ends together with the command
_DYING = 1.0    # seconds until what was killed is gone


class Execution(NamedTuple):
    """C(rc): status or -N for signal N. C(left): processes it has started that still run. C(warnings): sentences."""

    rc: int
    timed_out: bool
    start: datetime
    stop: datetime
    stdout: Said
    stderr: Said
    left: List[Dict[str, Any]]
    changes: Changes
    warnings: List[str]


def execute(target: Target, plan: Plan, tracked: Sequence[str], timeout: float, grace: float, strip: bool,
            begin: Callable[[Target, Plan, Started, Watch], Running] | None = None) -> Execution:
    """Execute it and wait, for C(timeout) seconds (0: for ever), then C(grace). What changed in types C(tracked).

    C(begin) starts it, launch() where none is given. Raises Refused: nothing has run.
    """
    # With the container's rights come its limits.
    started = Started(target.pid if plan.privileges.cgroups else None)
    watch: Watch | None = None
    running: Running | None = None
    try:
        watch = Watch(target, tracked)
        # After it: who looks on our behalf is nobody that the command has started.
        group = group_of(started)
        try:
            start = datetime.now()
            running = (begin or launch)(target, plan, started, watch)
            end = running.waiter.wait([running.streams, watch], group, timeout, grace, watch.tick)
            stop = datetime.now()
            running.streams.finish()
            # Who is only about to end, such as the shell that has put something in the background, is not left.
            _wait_until(lambda: not group.pids(), _ENDING)
            if plan.looking and group.pids():
                # Who may only look leaves nobody behind.
                group.kill()
                _wait_until(lambda: not group.pids(), _DYING)
            left = group.left()
            changes = watch.after(left)
        except BaseException:
            group.kill()
            raise
        finally:
            group.close()
        if plan.looking and "pid" not in tracked:
            changes.after.extend("process %d %s" % (one["pid"], one["comm"]) for one in left)
        if started.unproven and "pid" in (target.types if plan.looking else tracked):
            changes.unproven.append("pid: " + started.unproven)
        lost = [] if running.lost is None else [
            "lost with the command, which had mounts of its own: %s" % line for line in running.lost.made()[:10]
        ]
        stdout, stderr = running.streams.said(strip)
        return Execution(end.rc, end.timed_out, start, stop, stdout, stderr, left, changes, running.missing + lost)
    finally:
        if watch is not None:
            watch.close()
        started.close()
        if running is not None:
            running.close()


def _wait_until(done: Callable[[], bool], seconds: float) -> None:
    limit = time.monotonic() + seconds
    while not done() and time.monotonic() < limit:
        time.sleep(0.005)

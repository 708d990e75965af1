"""Many targets: each in a process of its own, so that whatever happens to one costs its own result only."""
from __future__ import annotations

import errno
import gc
import json
import os
import select
import signal
import struct
import time
from typing import Any, Callable, Dict, List, NamedTuple, Sequence

from .._kernel.child import leave_streams, reap
from .._kernel.prctl import set_pdeathsig

Result = Dict[str, Any]
_CHUNK = 1 << 18
_HEAD = struct.Struct("=Q")  # bytes of the result that follows
_ENDING = 3.0                # seconds to end by itself
_LONGEST_WAIT = 3600.0       # seconds at once: poll(2) takes some weeks at most
_FATAL = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Job(NamedTuple):
    """What one process does: C(work) gives a result that JSON can hold. C(seconds): None waits for ever."""

    work: Callable[[], Result]
    seconds: float | None
    most: int  # bytes of its result


class Ended(Exception):
    """This process was told to end."""


class _Worker:
    def __init__(self, at: int, job: Job) -> None:
        self.at = at
        self.job = job
        self.chunks: List[bytes] = []
        self.size = 0
        self.whole: int | None = None  # what it says will be its size
        self.late = False
        self.until = None if job.seconds is None else time.monotonic() + job.seconds
        self.line, theirs = os.pipe()
        # A collection in the child would write to, and so copy, every page that it shares with us.
        parent = os.getpid()
        gc.freeze()
        try:
            self.pid = os.fork()
        except OSError:
            os.close(self.line)
            raise
        else:
            if self.pid == 0:
                try:
                    _child(job, self.line, theirs, parent)
                finally:
                    os._exit(1)
        finally:
            os.close(theirs)

    def read(self) -> bool:
        """False when there is nothing more to come."""
        chunk = os.read(self.line, _CHUNK)
        self.size += len(chunk)
        if self.size <= self.job.most:
            self.chunks.append(chunk)
        if self.whole is None and self.size >= _HEAD.size:
            self.whole = _HEAD.size + _HEAD.unpack_from(b"".join(self.chunks))[0]
        # Not its end alone: what it has forked and what cannot die has the line, too.
        return bool(chunk) and (self.whole is None or self.size < self.whole <= self.job.most)

    def end(self) -> bool:
        """Its time is up. It takes down with it what it has started, and has some seconds for that; then true."""
        try:
            os.kill(self.pid, signal.SIGKILL if self.late else signal.SIGTERM)
        except ProcessLookupError:
            pass
        late, self.late, self.until = self.late, True, time.monotonic() + _ENDING
        return late

    def result(self) -> Result:
        """What it said, or what must be said in its place."""
        os.close(self.line)
        # It closes what it has open after its answer, and the kernel takes its time for some of that: who waited for
        # its end would wait for nothing.
        if max(self.size, self.whole or 0) > self.job.most:
            return failed("gave a result of more than %d bytes" % self.job.most)
        if self.whole is not None and self.size == self.whole:
            found: Result = json.loads(bytes(b"".join(self.chunks))[int(_HEAD.size):])
            return found
        if self.late:
            return failed("gave no result within %g s and was ended" % (self.job.seconds or 0))
        return failed("ended without a result: its process was killed, or had no memory")


def failed(reason: str) -> Result:
    """The result of a target about which there is nothing else to say."""
    return {"failed": True, "changed": True, "msg": "The process that looked after it %s." % reason,
            "unproven": ["what happened until then is not known"]}


def run(jobs: Sequence[Job], forks: int, arrived: Callable[[List[Result]], None] | None = None) -> List[Result]:
    """The results in the order of the jobs, at most C(forks) of them at work at once.

    C(arrived) is called after each one, with all of them; those that have not arrived are empty.
    """
    results: List[Result] = [{} for job in jobs]
    waiting = list(enumerate(jobs))[::-1]
    working: Dict[int, _Worker] = {}
    ended: List[int] = []
    poll = select.poll()
    try:
        while waiting or working:
            while waiting and len(working) < max(1, forks):
                try:
                    worker = _Worker(*waiting[-1])
                except OSError as error:
                    if not working and ended:
                        reap(ended.pop(), _ENDING)  # it counts as long as it is not waited for
                        continue
                    if not working:
                        results[waiting.pop()[0]] = failed("could not be started (%s)" % (
                            errno.errorcode.get(error.errno or 0)))
                        continue
                    break  # as soon as another one has ended
                waiting.pop()
                working[worker.line] = worker
                poll.register(worker.line, select.POLLIN)
            if not working:
                break
            limits = [worker.until for worker in working.values() if worker.until is not None]
            left = None if not limits else max(0.0, min(_LONGEST_WAIT, min(limits) - time.monotonic())) * 1000
            ready = {line for line, dummy in poll.poll(left)}
            for line, worker in list(working.items()):
                late = worker.until is not None and time.monotonic() >= worker.until
                if (line not in ready or worker.read()) and not (late and worker.end()):
                    continue
                poll.unregister(line)
                del working[line]
                results[worker.at] = worker.result()
                if arrived is not None:
                    arrived(results)
                ended.append(worker.pid)
                ended = [pid for pid in ended if not _reaped(pid)]
    finally:
        _end_all([worker.pid for worker in working.values()])
    return results


def _end_all(pids: List[int]) -> None:
    """We are told to end ourselves, with workers that are still at work."""
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    limit = time.monotonic() + _ENDING
    while time.monotonic() < limit and sum(_reaped(pid) for pid in pids) < len(pids):
        time.sleep(0.01)
    for pid in pids:
        reap(pid)


def _reaped(pid: int) -> bool:
    try:
        return bool(os.waitpid(pid, os.WNOHANG)[0])
    except ChildProcessError:
        return True


def _child(job: Job, ours: int, line: int, parent: int) -> None:
    set_pdeathsig(signal.SIGTERM)
    if os.getppid() != parent:
        return  # it has ended before that
    for number in _FATAL:
        signal.signal(number, _end)
    os.close(ours)
    leave_streams(())
    try:
        data = json.dumps(job.work()).encode("ascii")
    except Ended:
        return
    except Exception as error:
        # The parent's own words for it: a traceback would show a user nothing.
        answer = failed("met an error that was not foreseen (%s: %s)" % (type(error).__name__, str(error)[:500]))
        data = json.dumps(answer).encode("ascii")
    for number in _FATAL:
        signal.signal(number, signal.SIG_IGN)
    data = _HEAD.pack(len(data)) + data
    while data:
        data = data[os.write(line, data):]
    # Before all that is closed by the end.
    os.close(line)
    os._exit(0)


def _end(dummy: int, dummy2: object) -> None:
    raise Ended

"""Every process that a process and its descendants ever fork, also those that are gone before anybody could look.

perf_event_open(2) with a dummy event that costs nothing itself: its side records tell forks, executions and ends. It
is inherited by all descendants, through setsid, CLONE_PARENT and into other pid namespaces. An inherited event has
one ring buffer for each CPU.
"""
from __future__ import annotations

import mmap
import os
import select
import struct

from .libc import syscall

_TYPE_SOFTWARE, _COUNT_SW_DUMMY = 1, 9
_SAMPLE_TIME = 1 << 2
# Bits of struct perf_event_attr: inherit, exclude_kernel, exclude_hv, mmap, comm, task, watermark, sample_id_all,
# comm_exec. Without exclude_kernel a user of perf_event_paranoid 2 would be refused.
_BITS = 1 << 1 | 1 << 5 | 1 << 6 | 1 << 8 | 1 << 9 | 1 << 13 | 1 << 14 | 1 << 18 | 1 << 24
_ATTRIBUTE = struct.Struct("=IIQQQQQIIQ")  # up to PERF_ATTR_SIZE_VER0
_FLAG_FD_CLOEXEC = 1 << 3
_RECORD_MMAP, _RECORD_LOST, _RECORD_COMM, _RECORD_EXIT, _RECORD_FORK = 1, 2, 3, 4, 7
_MISC_COMM_EXEC = 1 << 13
_HEADER = struct.Struct("=IHH")            # type, misc, size
_TASK = struct.Struct("=IIII")             # pid, ppid, tid, ptid of FORK and EXIT
_TIME = struct.Struct("=Q")                # ends each record
_HEAD, _TAIL = 1024 // 8, 1032 // 8        # words of struct perf_event_mmap_page
_PAGE = mmap.PAGESIZE
_MOST_PAGES, _LEAST_PAGES, _ALL_PAGES = 64, 8, 512  # a ring, and all of them
_NEARLY = 2 * _PAGE                        # more than the longest record has: a path is in it
_LOST = "it started processes faster than they could be recorded"
_ONLINE = "/sys/devices/system/cpu/online"


class _Ring:
    """The buffer of one CPU."""

    def __init__(self, pid: int, cpu: int, pages: int) -> None:
        size = pages * _PAGE
        attribute = _ATTRIBUTE.pack(
            _TYPE_SOFTWARE, _ATTRIBUTE.size, _COUNT_SW_DUMMY, 0, _SAMPLE_TIME, 0, _BITS, size // 4, 0, 0
        )
        self.descriptor = syscall("perf_event_open", attribute, pid, cpu, -1, _FLAG_FD_CLOEXEC)
        try:
            self._memory = mmap.mmap(self.descriptor, _PAGE + size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        except OSError:
            os.close(self.descriptor)
            raise
        # As words: the kernel writes the head while we read it, so it has to be read in one piece.
        self._words = memoryview(self._memory).cast("Q")
        self.size = size

    def read(self) -> bytes:
        """What was written since the last time."""
        head, tail = self._words[_HEAD], self._words[_TAIL]
        if head == tail:
            return b""
        start, end = tail % self.size, head % self.size
        if start < end:
            data = self._memory[_PAGE + start:_PAGE + end]
        else:
            data = self._memory[_PAGE + start:_PAGE + self.size] + self._memory[_PAGE:_PAGE + end]
        self._words[_TAIL] = head
        return data

    def close(self) -> None:
        self._words.release()
        self._memory.close()
        os.close(self.descriptor)


class TaskTree:
    """The process C(pid) and all it forks from now on. OSError: EACCES or EPERM where perf is refused, ENOSYS, EMFILE.

    C(pids) is complete while C(incomplete) is None; else that says why it is not. Pids are as our pid namespace has
    them. A pid that was used again by a stranger is in it too.
    """

    def __init__(self, pid: int) -> None:
        self.pids = {pid}
        self.incomplete: str | None = None
        self._rings: list[_Ring] = []
        self._executed: dict[int, int] = {}  # pid: when
        self._mapped: dict[int, int] = {}
        self._ended: dict[int, int] = {}
        self._late: dict[int, int] = {}
        self._online = _online()
        cpus = _numbers(self._online)
        pages = _LEAST_PAGES
        while pages < _MOST_PAGES and pages * 2 * len(cpus) <= _ALL_PAGES:
            pages *= 2
        self.waiting = select.epoll()
        try:
            for cpu in cpus:
                ring = _Ring(pid, cpu, pages)
                self._rings.append(ring)
                self.waiting.register(ring.descriptor, select.EPOLLIN)
        except BaseException:
            self.close()
            raise

    def read(self) -> None:
        """Take what the kernel has recorded. Poll C(waiting): it becomes readable when a buffer is a quarter full."""
        for descriptor, events in self.waiting.poll(0):
            if events & select.EPOLLHUP:
                # All processes have ended: that would be reported for ever.
                self.waiting.unregister(descriptor)
        # Twice: what came before an end that is in one buffer may be in another, read already.
        ended: dict[int, int] = {}
        for again in (False, True):
            self._ended = {}
            for ring in self._rings:
                data = ring.read()
                if len(data) > ring.size - _NEARLY:
                    # The record that says so comes with the next one that fits, which may be too late for us.
                    self._lack(_LOST)
                if data:
                    self._take(data)
            ended.update(self._late)
            self._late = self._ended if again else {}
            ended.update({} if again else self._ended)
        self._look_for_unfollowed(ended)

    def finish(self) -> None:
        """The last read."""
        self.read()
        self.read()
        if _online() != self._online:
            self._lack("the CPUs in use have changed")

    def close(self) -> None:
        """Stop recording."""
        self.waiting.close()
        for ring in self._rings:
            ring.close()
        self._rings = []

    def _take(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            kind, misc, size = _HEADER.unpack_from(data, at)
            if size < 8:
                self._lack("records of processes were not of their form")
                return
            if kind == _RECORD_FORK:
                self.pids.add(_TASK.unpack_from(data, at + 8)[0])
            elif kind == _RECORD_LOST:
                self._lack(_LOST)
            elif kind in (_RECORD_EXIT, _RECORD_COMM, _RECORD_MMAP):
                pid, second, tid, dummy = _TASK.unpack_from(data, at + 8)
                when = _TIME.unpack_from(data, at + size - 8)[0]
                if kind == _RECORD_MMAP:
                    self._mapped[pid] = max(when, self._mapped.get(pid, 0))
                elif kind == _RECORD_EXIT:
                    if pid == tid:
                        self._ended[pid] = when
                elif misc & _MISC_COMM_EXEC:
                    self._executed[pid] = max(when, self._executed.get(pid, 0))
            at += size

    def _lack(self, reason: str) -> None:
        self.incomplete = self.incomplete or reason

    def _look_for_unfollowed(self, ended: dict[int, int]) -> None:
        # The kernel ends the event of a process that becomes undumpable as it executes a file (set-user-ID, say), so
        # that its children go unseen (begin_new_exec). That looks like its end, but for this: whatever has executed a
        # file and then lives maps it before it ends.
        for pid, when in ended.items():
            executed = self._executed.get(pid, 0)
            if executed > when:
                continue
            if executed and self._mapped.get(pid, 0) < executed:
                self._lack("it ran a set-user-ID program, whose children cannot be followed")
            self._executed.pop(pid, None)
            self._mapped.pop(pid, None)


def _online() -> str:
    # Without its encoding, which each worker would import.
    with open(_ONLINE, "rb") as stream:
        return stream.read().decode("ascii").strip()


def _numbers(text: str) -> list[int]:
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        numbers.extend(range(int(first), int(last or first) + 1))
    return numbers

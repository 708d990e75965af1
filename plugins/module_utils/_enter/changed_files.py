"""The files that a command's own processes write in a target, while others go on writing theirs."""
from __future__ import annotations

import os
import time

from .._kernel.fanotify import (
    FAN_ATTRIB,
    FAN_CREATE,
    FAN_ONDIR,
    FAN_Q_OVERFLOW,
    parse_events,
    read_batch,
)
from .._kernel.perf_tasks import TaskTree
from .._kernel.proc import Proc
from .._model.entry import Changes, Target
from .file_lines import FileLines, some
from .file_marks import FileMarks
from .file_paths import Paths

MOST_ENTRIES = 50000
LONGEST = 2.0      # seconds, for what is done after the command
MOST_LINES = 1000  # told one by one
_LONGEST_READ = 0.5
_CLOCK_REALTIME_COARSE = 5
_CLOCK_STEP = 0.05  # seconds


class _Touched:
    """What was done to one name: the first event, all of them, and whether one of them is known to be the command's."""

    __slots__ = ("first", "all", "file", "ours")

    def __init__(self, mask: int) -> None:
        self.first = self.all = mask
        self.file: bytes | None = None
        self.ours = False


class FileChanges:
    """Watches from now on; close it when done. What cannot be watched is told by C(finish), nothing raises.

    C(until), of time.monotonic(): for opening it.
    """

    def __init__(self, target: Target, until: float) -> None:
        # The clock that file systems take their times from; it goes in steps.
        self._start = time.clock_gettime_ns(_CLOCK_REALTIME_COARSE)
        self._clocks = time.time() - time.monotonic()
        self._tree: TaskTree | None = None
        self._untracked = "the command's processes were not followed"
        self._cgroup = ""
        self._touched: dict[tuple[bytes, bytes | None, bytes], _Touched] = {}
        self._unproven: list[str] = []
        self._authors: dict[int, bool | None] = {}
        self._marks = FileMarks(target, until)
        self._marks.let_go()

    def follow(self, pid: int, cgroup: str = "") -> None:
        """Call before the process C(pid) forks. C(cgroup): the path (of /proc/PID/cgroup) of one for it alone."""
        self._cgroup = cgroup
        try:
            self._tree = TaskTree(pid)
        except OSError as error:
            self._untracked = "perf: %s" % error.strerror

    def descriptors(self) -> list[int]:
        """To be polled for reading."""
        return self._marks.groups + ([self._tree.waiting.fileno()] if self._tree else [])

    def pids(self) -> tuple[set[int], bool]:
        """What processes the command is known to have had, and whether those are all."""
        if self._tree is None:
            return set(), False
        return set(self._tree.pids), self._tree.incomplete is None

    def read(self) -> None:
        """Take what has happened; never waits."""
        deadline = time.monotonic() + _LONGEST_READ
        for group in self._marks.groups:
            while True:
                data = read_batch(group)
                # After the events: who caused one was forked before.
                if self._tree is not None:
                    self._tree.read()
                if not data:
                    break
                self._authors.clear()
                self._take(data)
                if time.monotonic() > deadline:
                    break
        if not self._marks.groups and self._tree is not None:
            self._tree.read()

    def finish(self) -> Changes:
        """What has changed. Names told are the target's; what is only perhaps the command's is in C(unproven) too."""
        until = time.monotonic() + LONGEST
        self.read()
        if self._tree is not None:
            self._tree.finish()
        self._marks.take_again()
        found = FileLines(self._start, MOST_LINES)
        paths = Paths(self._marks, until)
        created = 0
        deaths: list[tuple[bytes, bytes]] = []
        for fsid, folder, names, present in paths.folders(self._touched):
            for name in names:
                touched = self._touched[fsid, folder, name]
                if folder is None and touched.all & FAN_ATTRIB and touched.file is not None:
                    deaths.append((fsid, touched.file))
                if not present:
                    # Its own folder tells that it is gone, if it was there before.
                    created += bool(touched.first & FAN_CREATE and not touched.all & FAN_ONDIR)
                    continue
                # Alone it is the number of its names that has changed, which is told by their folders.
                if folder is None and touched.all == FAN_ATTRIB and not paths.is_single(fsid, touched.file):
                    continue
                where = paths.look(fsid, folder, name, touched.file)
                if where is not None:
                    created += found.judge(where, touched.first, touched.all, touched.ours)
        # Each file that is gone was either made and removed by the command, or it was there before: one that another
        # was renamed over, say, which was then removed itself.
        gone = sum(paths.is_gone(fsid, handle) for fsid, handle in deaths)
        before, after = found.lines()
        if gone > created and not before and not after:
            before.append("file of unknown name, replaced and then removed")
        self._say(paths.unproven + self._marks.unproven + found.unproven(self.untracked()))
        self._say(self._lost())
        after += self._walk(until)
        return Changes(before, after, self._unproven)

    def untracked(self) -> str | None:
        """Why the command's processes are not all known; None when they are."""
        return self._untracked if self._tree is None else self._tree.incomplete

    def close(self) -> None:
        """Stop watching."""
        self._marks.close()
        if self._tree is not None:
            self._tree.close()
            self._tree = None

    def _say(self, reasons: list[str]) -> None:
        for reason in reasons:
            if reason not in self._unproven:
                self._unproven.append(reason)

    def _take(self, data: bytes) -> None:
        touched = self._touched
        try:
            for event in parse_events(data, self._may_be_ours):
                if event.mask & FAN_Q_OVERFLOW:
                    self._say(["more was written than the kernel could report"])
                    continue
                # A file without a folder (its number of names changed, or it is watched itself) goes by its handle.
                key = (event.fsid, event.folder, event.name if event.folder else event.file or b"")
                entry = touched.get(key)
                if entry is None:
                    if len(touched) >= MOST_ENTRIES:
                        self._say(["more than %d files were written" % MOST_ENTRIES])
                        continue
                    entry = touched[key] = _Touched(event.mask)
                entry.all |= event.mask
                entry.file = event.file or entry.file
                if self._authors.get(event.pid) is not None or self._exact():
                    entry.ours = True
        except OSError as error:
            self._say([str(error.strerror)])

    def _exact(self) -> bool:
        return self._tree is not None and self._tree.incomplete is None

    def _may_be_ours(self, pid: int) -> bool:
        if self._tree is not None and pid in self._tree.pids:
            self._authors[pid] = True
            return True
        # 0: outside our pid namespace, so below none that the command could be in.
        if pid == 0 or self._exact():
            return False
        if pid not in self._authors:
            self._authors[pid] = self._by_cgroup(pid)
        return self._authors[pid] is not False

    def _by_cgroup(self, pid: int) -> bool | None:
        """Whether a process is the command's; None: it has ended, or the command has no cgroup of its own."""
        if pid == os.getpid():
            return False
        if self._cgroup:
            try:
                lines = Proc().cgroup_text(pid).split(b"\n")
            except OSError:
                return None
            own = os.fsencode(self._cgroup)
            for line in lines:
                if line.startswith(b"0::"):
                    return (line[3:] + b"/").startswith(own + b"/")
        return None

    def _lost(self) -> list[str]:
        """What was written where nobody can look any more: the command has unmounted or covered it."""
        written = {fsid for fsid, dummy, dummy2 in self._touched}
        return ["what was written below %s is not known by name: it is not mounted there any more" % place.point
                for place in self._marks.lost
                if place.spot.file[2] in written and not self._marks.places.get(place.spot.file[2])]

    def _walk(self, until: float) -> list[str]:
        if not self._marks.walks:
            return []
        from .written_files import Walk

        walk = Walk(self._start, MOST_ENTRIES, until)
        for place, dummy in self._marks.walks:
            walk.take(place)
        if time.time() - time.monotonic() < self._clocks - _CLOCK_STEP:
            walk.unproven.append("the clock was set back during the run")
        if walk.lines:
            self._say(["written during the run, by whom is not known (%s): %s" % (
                self._marks.walks[0][1], some(walk.lines))])
        self._say(walk.unproven)
        return walk.lines[:MOST_LINES]

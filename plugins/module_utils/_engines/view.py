"""What the engines look at: one scan's processes and files, and what was found out on the way."""
from __future__ import annotations

import math
import os
from typing import Any, Callable, Iterator, TypeVar

from .._kernel.proc import GONE, Proc
from .._kernel.reader import FileReader
from .._model.inventory import MNT, PID, Names, Problems, Process

T = TypeVar("T")


class View:
    """One scan. C(host) is in the order of TYPES; C(pid_parents) gives a pid namespace's parent where known.

    C(inside): the pids that are known to be in a container; none of them is believed to be an engine.
    C(confined): ask what confines containers.
    """

    def __init__(self, processes: dict[int, Process], proc: Proc, files: FileReader, host: Names,
                 pid_parents: dict[str, str], problems: Problems, until: float = math.inf,
                 confined: bool = True) -> None:
        self.processes = processes
        self.proc = proc
        self.files = files
        # Has files read that will be asked for.
        self.ahead: Callable[[list[str], int], None] | None = None
        self.host = host
        self.pid_parents = pid_parents
        self.problems = problems
        self.until = until
        self.confined = confined
        self.inside: set[int] = set()
        self._found: dict[str, Any] = {}
        self._differs: dict[Names, tuple[int, ...]] = {}
        # Only the live /proc has us in it; the pid may mean somebody else in a recorded one.
        own = processes.get(os.getpid()) if proc.root == "/proc" else None
        self._own: Names = own.namespaces if own is not None else host

    @property
    def suspects(self) -> list[Process]:
        """Processes in own namespaces, one of each kind, but no confined systemd services."""
        return self.once("suspects", lambda: list(self._suspects()))

    def once(self, key: str, find: Callable[[], T]) -> T:
        """What C(find) finds, asked for only once in a scan."""
        if key not in self._found:
            self._found[key] = find()
        found: T = self._found[key]
        return found

    def differs(self, process: Process) -> tuple[int, ...]:
        """Where (in TYPES) a process is known to be in another namespace than the host."""
        names = process.namespaces
        found = self._differs.get(names)
        if found is None:
            found = tuple(
                at for at, (name, host) in enumerate(zip(names, self.host)) if name and host and name != host
            )
            self._differs[names] = found
        return found

    def other_root(self, process: Process) -> bool:
        """Whether a process's mount namespace is known to have another root than the host's."""
        if MNT not in self.differs(process) or process.namespaces[MNT] == self._own[MNT]:
            return False
        first = self.processes.get(1)
        host = self.once("root", lambda: self._root(1 if first and MNT not in self.differs(first) else "self"))
        found = self.once("root of %s" % process.namespaces[MNT], lambda: self._root(process.pid))
        return found is not None and host is not None and found != host

    def children(self, pid: int) -> list[Process]:
        return self.once("children", self._children).get(pid, [])

    def loose(self, pid: int) -> list[Process]:
        """The children in own namespaces that no container has yet."""
        return [child for child in self.children(pid) if child.pid not in self.inside and self.differs(child)]

    def descendants(self, pid: int) -> Iterator[Process]:
        queue, seen = [pid], {pid}
        while queue:
            for child in self.children(queue.pop()):
                if child.pid not in seen:
                    seen.add(child.pid)
                    queue.append(child.pid)
                    yield child

    def ancestors(self, process: Process) -> Iterator[Process]:
        """Parent, grandparent and so on; a loop (a scan is no snapshot) ends it."""
        seen = {process.pid}
        while process.ppid in self.processes and process.ppid not in seen:
            process = self.processes[process.ppid]
            seen.add(process.pid)
            yield process

    def uid(self, pid: int) -> int | None:
        """Whose a process is: root's only if nothing of it is a user's, who may have started a setuid program."""
        try:
            uids = [int(uid) for uid in self.proc.status(pid)["Uid"].split()]
            return next((uid for uid in uids if uid), uids[0])
        except (OSError, KeyError, IndexError, ValueError):
            return None

    def _suspects(self) -> Iterator[Process]:
        seen = set()
        for process in self.processes.values():
            kind = (process.namespaces, process.cgroup)
            if kind not in seen and not process.kernel:
                seen.add(kind)
                differs = self.differs(process)
                # The unit by the last line (version 2 or systemd's hierarchy) is enough to tell a plain service.
                if PID in differs or (differs and not process.cgroup.rstrip().endswith(b".service")):
                    yield process

    def _root(self, pid: object) -> tuple[str, str] | None:
        """Device and root of the mount at "/"; of stacked ones the last covers the others. None: not told."""
        found = ("", "")
        try:
            for mount in self.proc.mounts(pid, self.until):
                if mount.path == "/":
                    found = (mount.device, mount.root)
        except OSError as error:
            if error.errno not in GONE:
                self.problems.error("mounts of processes in namespaces of their own", error)
            return None
        return found

    def _children(self) -> dict[int, list[Process]]:
        found: dict[int, list[Process]] = {}
        for process in sorted(self.processes.values(), key=lambda process: process.age):
            found.setdefault(process.ppid, []).append(process)
        return found

"""What changed while a command ran, in all types of state that are tracked."""
from __future__ import annotations

import select
import time
from typing import Any, Collection, Dict, List, Sequence

from .._model.entry import Changes, Target

TRACKED = ("mnt", "uts", "ipc", "pid", "net")
_SECONDS = 2.0  # for each look


def load(types: Sequence[str]) -> None:
    """Import what a Watch imports: before there are many processes that would each do so."""
    if {"net", "uts", "ipc"} & set(types):
        from .states import load as load_states

        load_states(types)
    if "mnt" in types:
        from . import changed_files, changed_mounts

        del changed_files, changed_mounts


class Watch:
    """Looks before, as soon as it is C(ready), and after. C(types): those of TRACKED to compare. Close it when done."""

    def __init__(self, target: Target, types: Sequence[str]) -> None:
        self._types = types
        self._states: Any = None
        self._mounts: Any = None
        self._files: Any = None
        until = time.monotonic() + _SECONDS
        if {"net", "uts", "ipc"} & set(types):
            from .._kernel.modules import Modules
            from .states import StateWatch

            self._states = StateWatch(target.descriptors, types, Modules(), until)
            self._states.begin()
        if "mnt" in types:
            from .changed_files import FileChanges
            from .changed_mounts import MountChanges

            self._mounts = MountChanges(target, until)
            self._files = FileChanges(target, until)

    def ready(self) -> None:
        """Wait until all has been looked at, which others do meanwhile: call it before anything can change."""
        if self._states is not None:
            self._states.ready()

    def follow(self, pid: int, cgroup: str) -> None:
        """The process that will execute the command, before it does, and the path of a cgroup for it alone."""
        if self._files is not None:
            self._files.follow(pid, cgroup)

    def descriptors(self) -> Dict[int, int]:
        """For the loop that waits for the command."""
        return {} if self._files is None else dict.fromkeys(self._files.descriptors(), select.POLLIN)

    def handle(self, dummy: int, dummy2: int) -> None:
        """Something was written."""
        self._files.read()

    def tick(self) -> None:
        """Now and then."""
        if self._files is not None:
            self._files.read()

    def after(self, left: Collection[Dict[str, Any]]) -> Changes:
        """The difference. C(left): processes that the command has left running."""
        before: List[str] = []
        after: List[str] = []
        unproven: List[str] = []
        looks = [watch.after for watch in (self._states, self._mounts) if watch is not None]
        looks += [self._files.finish] if self._files is not None else []
        for look in looks:
            found = look()
            before += found.before
            after += found.after
            unproven += found.unproven
        if "pid" in self._types:
            after += ["process %d %s" % (process["pid"], process["comm"]) for process in left]
        return Changes(before, after, unproven)

    def close(self) -> None:
        """Let go of it, but for what the end of this process closes: for fanotify the kernel takes its time."""
        for watch in (self._states, self._mounts):
            if watch is not None:
                watch.close()

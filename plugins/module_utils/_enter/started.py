"""What a command started, wherever it forked to: all that is in a cgroup of its own (version 2, hybrid hosts too)."""
from __future__ import annotations

import errno
import os
import re
import signal
import time
from typing import Any, Callable, Dict, Iterable, List, Optional

from .._kernel import cgroups
from .._kernel.libc import KernelLacks
from .._kernel.pidfd import pidfd_open
from .._kernel.pidfd_signal import pidfd_send_signal
from .._kernel.proc import Proc, parse_cgroups
from .._model.entry import Refused
from .plain import plain
from .target import why

_NAME = re.compile(r"nsfleet-([0-9]+)-[0-9a-f]+(?:-.*)?")
_PATIENCE = 0.5      # seconds to freeze, or to move away what is left
_KILLING = 0.9       # seconds for one attempt to end all
_REMOVAL = 0.2       # seconds until what has ended has left its cgroup
_MOST_SWEPT = 1000


class Started:
    """A child of a container's cgroup (C(leader): a process of it), or of the caller's own (None).

    C(folder): the cgroup, or None where none could be made: then C(unproven) says why, and what the command started
    cannot be told by this; C(enter) still joins the container's. Close it.
    Raises Refused: the container is frozen, or where its cgroups are cannot be told.
    """

    def __init__(self, leader: Optional[int] = None, suffix: str = "", proc: Optional[Proc] = None) -> None:
        self._proc = proc or Proc()
        self._name = "nsfleet-%d-%s%s" % (os.getpid(), os.urandom(4).hex(), "-" + suffix if suffix else "")
        self._joined: List[str] = []
        self._of_container = leader is not None
        self._shared = False
        self._parent = ""
        self.folder: Optional[str] = None
        self.unproven: Optional[str] = None
        try:
            self._find(leader)
        except OSError as error:
            if leader is not None:
                raise Refused(
                    "The cgroups of process %d cannot be told (%s). Nothing has run." % (leader, why(error))
                ) from error
            self._fail(why(error))
            return
        if not self._parent:
            self._fail("there is no cgroup version 2 here, or it is mounted where the module cannot see its own")
            return
        sweep(self._parent)
        self._make(self._parent)

    @property
    def ours(self) -> Optional[str]:
        """The cgroup, where it is below the caller's own."""
        return None if self._of_container and not self._shared else self.folder

    def tasks(self) -> List[str]:
        """The files of the container's cgroups of version 1, to which a process with one thread writes 0 to join.

        Who moves itself alone waits for nobody (since Linux 5.8); who moves others waits for all forks of the machine.
        """
        return [folder + "/tasks" for folder in self._joined]

    def enter(self, pid: int, joined: bool = False) -> None:
        """Move a process there, last of all into its own cgroup. C(joined): it has done C(tasks). Raises Refused."""
        try:
            for folder in () if joined else self._joined:
                cgroups.add(folder, pid)
            if self.folder is None:
                # Who is not root may not even write that they are where they are.
                if self._parent and self._of_container and not self._shared:
                    cgroups.add(self._parent, pid)
                return
            try:
                cgroups.add(self.folder, pid)
            except FileNotFoundError:  # swept away as an empty one by a run in another pid namespace
                os.mkdir(self.folder)
                cgroups.add(self.folder, pid)
        except OSError as error:
            raise Refused("The command could not be moved to its cgroup (%s). Nothing has run." % why(error)) from error

    def pids(self) -> List[int]:
        """The processes that are there."""
        return [] if self.folder is None else cgroups.members(self.folder)

    def left(self) -> List[Dict[str, Any]]:
        """The same as results tell it: pid, start_time (clock ticks since boot), comm."""
        return told(self.pids(), self._proc)

    def terminate(self) -> None:
        """SIGTERM to all."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End all, also what forks without end. Tries for a second; C(pids) tells what is left."""
        if self.folder is None:
            return
        try:
            cgroups.kill(self.folder)
        except KernelLacks:
            self._kill_one_by_one(self.folder)
        except FileNotFoundError:
            return

    def close(self) -> None:
        """Remove the cgroup. What is still in it goes on in the one above. Never raises: what stays is swept later."""
        folder, self.folder = self.folder, None
        if folder is None:
            return
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            left = cgroups.members(folder)
            if not left:
                break
            for pid in left:
                try:
                    cgroups.add(self._parent, pid)
                except OSError:  # it has ended
                    continue
        _remove(folder, _REMOVAL)

    def _find(self, leader: Optional[int]) -> None:
        mounted = cgroups.hierarchies(self._proc)
        own = parse_cgroups(self._proc.cgroup_text("self"))
        for cgroup in parse_cgroups(self._proc.cgroup_text("self" if leader is None else leader)):
            unified = not cgroup.hierarchy and not cgroup.controllers
            if not unified and (leader is None or cgroup in own):
                continue
            folder = cgroups.folder_of(cgroup, mounted)
            if folder is None:
                if leader is not None and not unified:
                    raise FileNotFoundError(errno.ENOENT, "cgroup %s is not mounted" % cgroup.path)
                continue
            if leader is not None and cgroups.frozen(folder, cgroups.top_of(folder, mounted)):
                raise _paused(leader)
            if unified:
                self._parent, self._shared = folder, cgroup in own
            else:
                self._joined.append(folder)
        if leader is not None and not self._parent and not self._joined:
            raise FileNotFoundError(errno.ENOENT, "none of its cgroups is mounted here")

    def _make(self, parent: str) -> None:
        try:
            os.mkdir(parent + "/" + self._name, 0o755)
        except OSError as error:
            self._fail("%s: %s" % (parent, why(error)))
            return
        self.folder = parent + "/" + self._name

    def _fail(self, reason: str) -> None:
        self.unproven = "what the command started is not known by a cgroup of its own (%s)" % reason

    def _signal(self, number: int) -> int:
        """To all that are members before and after they were pinned; how many there were."""
        pinned: Dict[int, Optional[int]] = {}
        for pid in self.pids():
            try:
                pinned[pid] = pidfd_open(pid)
            except KernelLacks:
                pinned[pid] = None
            except OSError:
                continue
        members = set(self.pids())
        for pid, pidfd in pinned.items():
            try:
                if pid in members:
                    _send(pid, pidfd, number)
            except OSError:
                continue
            finally:
                if pidfd is not None:
                    os.close(pidfd)
        return len(members)

    def _kill_one_by_one(self, folder: str) -> None:
        # Before 5.14. Stopped ones do not fork; freezing (5.2) stops all of them at once.
        deadline = time.monotonic() + _KILLING
        try:
            cgroups.freeze(folder, True)
        except KernelLacks:
            _until(self._stopped_all, min(deadline, time.monotonic() + _PATIENCE))
        except OSError:
            return
        else:
            _until(lambda: cgroups.is_frozen(folder), min(deadline, time.monotonic() + _PATIENCE))
        try:
            while self._signal(signal.SIGKILL) and time.monotonic() < deadline:
                time.sleep(0.005)
        finally:
            try:
                cgroups.freeze(folder, False)
            except OSError:  # KernelLacks; or it is gone
                pass

    def _stopped_all(self) -> bool:
        before = self.pids()
        self._signal(signal.SIGSTOP)
        return self.pids() == before


def refuse_frozen(leader: int, proc: Optional[Proc] = None) -> None:
    """Raises Refused where a process is in a frozen cgroup: it answers nothing, whoever asks."""
    proc = proc or Proc()
    try:
        mounted = cgroups.hierarchies(proc)
        for cgroup in parse_cgroups(proc.cgroup_text(leader)):
            folder = cgroups.folder_of(cgroup, mounted)
            if folder is not None and cgroups.frozen(folder, cgroups.top_of(folder, mounted)):
                raise _paused(leader)
    except OSError:
        return


def _paused(leader: int) -> Refused:
    return Refused("The container of process %d is paused (its cgroup is frozen), so the command would be:"
                   " unpause it. Nothing has run." % leader)


def told(pids: Iterable[int], proc: Proc) -> List[Dict[str, Any]]:
    """Processes as results tell them, without those that have ended meanwhile."""
    found = []
    for pid in sorted(pids):
        try:
            stat = proc.stat(pid)
        except OSError:
            continue
        found.append({"pid": pid, "start_time": stat.start_time, "comm": plain(stat.comm)})
    return found


def sweep(parent: str) -> None:
    """Remove what killed runs have left empty in a cgroup: of makers that are gone."""
    try:
        with os.scandir(parent) as entries:
            names = [entry.name for entry in entries if _NAME.fullmatch(entry.name)][:_MOST_SWEPT]
    except OSError:
        return
    for name in names:
        match = _NAME.fullmatch(name)
        if match and not os.path.exists("/proc/" + match[1]) and not cgroups.populated(parent + "/" + name):
            _remove(parent + "/" + name, 0.0)


def _remove(folder: str, patience: float) -> None:
    for each in reversed(cgroups.below(folder)):

        def removed(each: str = each) -> bool:
            try:
                os.rmdir(each)
            except OSError as error:
                # EBUSY: who has ended is there until the kernel has cleaned up.
                return error.errno != errno.EBUSY
            return True

        if not _until(removed, time.monotonic() + patience):
            return


def _until(done: Callable[[], bool], deadline: float) -> bool:
    while not done():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.002)
    return True


def _send(pid: int, pidfd: Optional[int], number: int) -> None:
    if pidfd is not None:
        try:
            pidfd_send_signal(pidfd, number)
            return
        except KernelLacks:
            pass
    os.kill(pid, number)

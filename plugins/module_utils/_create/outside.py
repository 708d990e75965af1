"""A cgroup outside of the login: what lies in the session's own is ended with it (logind's KillUserProcesses)."""
from __future__ import annotations

import errno
import os
import time
from typing import List, Tuple

from .._kernel import cgroups
from .._kernel.folder_lock import lock
from .._kernel.proc import Proc

FOLDER = "nsfleet"
# Version 2, and what systemd goes by on hybrid hosts and those with version 1.
_SYSTEMD = ("name=systemd",)
_PATIENCE = 1.0  # seconds until who sweeps has let go


class Outside:
    """A cgroup of that C(name), one path component, in all hierarchies that logins are told apart by.

    C(folders): those that could be made, none where nobody may; C(unified): the one of version 2 among them.
    C(unmade): why not all, as a clause for a sentence.
    """

    def __init__(self, name: str) -> None:
        self.folders: List[str] = []
        self.unified: str | None = None
        self.unmade: str | None = None
        self._locks: List[int] = []
        try:
            places = _places()
        except OSError as error:
            self.unmade = _code(error)
            return
        for place, unified in places:
            _sweep(place)
            folder = "%s/%s" % (place, name)
            try:
                self._locks.append(_make(folder))
            except OSError as error:
                self.unmade = "%s: %s" % (place, _code(error))
                continue
            self.folders.append(folder)
            if unified:
                self.unified = folder
        if not places:
            self.unmade = "no cgroups are mounted here"

    def enter(self, pid: int) -> None:
        """Move a process there. Raises OSError."""
        for folder in self.folders:
            for attempt in range(3):
                try:
                    cgroups.add(folder, pid)
                    break
                except FileNotFoundError:  # swept away as an empty one by another run
                    if attempt == 2:
                        raise
                    os.makedirs(folder, exist_ok=True)

    def release(self) -> None:
        """Leave them to who sweeps: somebody is in there, or will not be."""
        while self._locks:
            os.close(self._locks.pop())

    def remove(self) -> None:
        """Remove them, where nobody is in there."""
        self.release()
        for folder in self.folders:
            _remove(folder)


def remove(name: str, patience: float = 0.0) -> None:
    """The same for those of an earlier run. C(patience): seconds until who has just ended has left it."""
    try:
        places = _places()
    except OSError:
        return
    until = time.monotonic() + patience
    for place, dummy in places:
        _remove("%s/%s" % (place, name))
        while os.path.isdir("%s/%s" % (place, name)) and time.monotonic() < until:
            time.sleep(0.002)
            _remove("%s/%s" % (place, name))


def sweep() -> None:
    """Remove those in which nobody is: runs that were killed have left them."""
    try:
        places = _places()
    except OSError:
        return
    for place, dummy in places:
        _sweep(place)


def _places() -> List[Tuple[str, bool]]:
    """The folders below which they are made, and whether they are of version 2. Raises OSError."""
    return [
        ("%s/%s" % (each.path.rstrip("/"), FOLDER), not each.names)
        for each in cgroups.hierarchies(Proc()) if not each.names or each.names.issuperset(_SYSTEMD)
    ]


def _make(folder: str) -> int:
    """A descriptor that keeps others from sweeping it while nobody is in there yet. Raises OSError."""
    for dummy in range(10):
        os.makedirs(folder, exist_ok=True)
        try:
            return lock(folder, time.monotonic() + _PATIENCE)
        except FileNotFoundError:  # swept away before it was locked
            pass
    return lock(folder, time.monotonic())


def _sweep(place: str) -> None:
    """Those of processes that have ended: the kernel refuses to remove one that is in use."""
    try:
        with os.scandir(place) as entries:
            names = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for path in names:
        try:
            locked = lock(path, 0.0)
        except OSError:  # somebody is about to enter it, or it is gone
            continue
        _remove(path)
        os.close(locked)


def _remove(folder: str) -> None:
    try:
        os.rmdir(folder)
    except OSError:  # in use, or gone
        pass


def _code(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, str(error))

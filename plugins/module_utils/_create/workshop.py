"""Making namespaces for a unit: inside of what it has already, and with a process 1 of ours where pid is kept."""
from __future__ import annotations

import errno
import functools
import os
import re
import secrets
import signal
import struct
import time
from dataclasses import replace
from typing import Any, Dict, List, Mapping, Sequence

from .._enter.join import descriptors as to_join
from .._enter.join import join
from .._enter.target import why
from .._enter.unit_record import Record, boot_id
from .._kernel.executor import Executor, step
from .._kernel.namespaces import TYPES as FLAGS
from .._kernel.proc import Proc
from .._model.entry import Refused, Target
from .._model.inventory import TYPES
from . import pins
from .make import fresh_proc, make
from .outside import Outside
from .wanted import NewNamespaces

INIT = b"nsfleet-init"  # its comm
# At shutdown systemd waits 90 s for every process that SIGTERM does not end, but not for those of root that are called
# so (systemd.io/ROOT_STORAGE_DAEMONS).
_CALLED = b"@" + INIT
_SECONDS = 30.0
_SAFE = re.compile(r"[A-Za-z0-9][\w.-]{0,100}", re.ASCII)
_PR_SET_NAME = 15
_SIG_IGN = struct.pack("=QQQQ", 1, 0, 0, 0)  # struct sigaction of the kernel
# Where a process has what its children will be in.
_LINKS = {"time": "time_for_children"}


class Workshop:
    """The process that makes them, after it has joined C(living), descriptors by type. Close it: that ends it, and its
    process 1, unless C(settle) was called. C(warnings) are sentences. Raises Refused.
    """

    def __init__(self, unit: str, kinds: Sequence[str], wanted: NewNamespaces, living: Mapping[str, int]) -> None:
        self.warnings: List[str] = []
        self.descriptors: Dict[str, int] = {}
        self.record = Record(boot_id(), [])
        self._unit = unit
        self._wanted = wanted
        self._kinds = [kind for kind in TYPES if kind in kinds]
        self._outside: Outside | None = None
        self._settled = False
        target = _target(unit, living)
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._executor = Executor((null, null, null), time.monotonic() + _SECONDS, to_join(target), _CALLED)
        finally:
            os.close(null)
        try:
            self._make(target, wanted)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise Refused("The namespaces of %s could not be made (%s)." % (unit, why(error))) from error
            raise

    def _make(self, target: Target, wanted: NewNamespaces) -> None:
        if "pid" in self._kinds:
            # Before the cgroup namespace: what that shows begins where the process is.
            self._leave_the_login()
        if target.types:
            join(self._executor, target)
        make(self._executor, replace(wanted, types=self._kinds))
        # Whoever the caller is outside: root of what is in there, where there is one.
        self._executor.calls(step("setresgid", 0, 0, 0, go_on=True), step("setresuid", 0, 0, 0, go_on=True))
        for kind in self._kinds:
            if kind != "pid":
                self.descriptors[kind] = self._open(_LINKS.get(kind, kind))
        self.record.made = list(self._kinds)

    def hide(self, kind: str, path: str) -> None:
        """Mount one of them on a new file. Raises Refused."""
        try:
            pins.hide(path, self.descriptors[kind])
            return
        except OSError as error:
            refusal = error
        if kind == "mnt" and refusal.errno == errno.EINVAL:
            # Only one that is newer than that in which it is mounted, by numbers that each processor has a stock of.
            for processor in sorted(os.sched_getaffinity(0)):
                try:
                    self._newer_mounts(processor)
                    pins.hide(path, self.descriptors[kind])
                    return
                except OSError as error:
                    refusal = error
        raise Refused("The new %s namespace of %s could not be kept at %s (%s)." % (
            kind, self._unit, path, why(refusal))) from refusal

    def _newer_mounts(self, processor: int) -> None:
        allowed = os.sched_getaffinity(self._executor.pid)
        os.sched_setaffinity(self._executor.pid, {processor})
        try:
            self._executor.call("unshare", FLAGS["mnt"])
        finally:
            os.sched_setaffinity(self._executor.pid, allowed)
        os.close(self.descriptors.pop("mnt"))
        self.descriptors["mnt"] = self._open("mnt")

    def give_birth(self, fresh_proc: bool) -> None:
        """Go on as the first process of the new pid namespace; C(fresh_proc): the unit has mounts. Raises Refused."""
        try:
            self._executor.fork()
            if fresh_proc:
                self._mount_proc()
            self.descriptors["pid"] = self._open("pid")
            self.record.init = self._executor.pid
            self.record.start_time = Proc().stat(self._executor.pid).start_time
            self.record.pid_namespace = "pid:[%d]" % os.fstat(self.descriptors["pid"]).st_ino
        except OSError as error:
            raise Refused("Process 1 of the new pid namespace of %s could not be started (%s)." % (
                self._unit, why(error))) from error

    def visit(self) -> None:
        """Where the mounts are new and the pid namespace is not: give those a /proc of it. Raises Refused."""
        try:
            self._executor.fork()
            self._mount_proc()
        except OSError as error:
            raise Refused("/proc could not be mounted in the new mount namespace of %s (%s)." % (
                self._unit, why(error))) from error

    def _mount_proc(self) -> None:
        # Over the one that is there: in a user namespace the kernel wants to see that nothing of it was hidden.
        self._executor.calls(*fresh_proc(self._wanted))

    def settle(self) -> None:
        """Let process 1 go; its record must be written by now. Raises Refused."""
        try:
            self._executor.settle(
                step("setsid", go_on=True),
                # Who ignores it has its children, and all orphans in there, reaped by the kernel.
                step("rt_sigaction", int(signal.SIGCHLD), _SIG_IGN, None, 8),
                step("prctl", _PR_SET_NAME, INIT, 0, 0, 0), step("chdir", b"/", go_on=True), step("umask", 0o022),
            )
        except OSError as error:
            raise Refused("Process 1 of %s has ended before it was left alone (%s)." % (
                self._unit, why(error))) from error
        self._settled = True

    def close(self) -> None:
        """End what was not settled, and let go of the rest."""
        self._executor.close()
        for descriptor in self.descriptors.values():
            os.close(descriptor)
        self.descriptors = {}
        if self._outside is not None and not self._settled:
            self._outside.remove()

    def _leave_the_login(self) -> None:
        safe = _SAFE.match(self._unit)
        self.record.cgroup = "%s-%s" % (safe[0] if safe else "unit", secrets.token_hex(4))
        self._outside = Outside(self.record.cgroup)
        try:
            self._outside.enter(self._executor.pid)
        except OSError as error:
            self._outside.unmade = why(error)
        self._outside.release()
        if self._outside.unmade:
            self.warnings.append(
                "Process 1 of %s stays in a cgroup of the module's own (%s): it ends where those of a login are ended"
                " with it." % (self._unit, self._outside.unmade))

    def _open(self, link: str) -> int:
        path = "/proc/%d/ns/%s" % (self._executor.pid, link)
        found: Any = self._executor.seen(functools.partial(os.open, path, os.O_RDONLY | os.O_CLOEXEC))
        return int(found)


def _target(unit: str, living: Mapping[str, int]) -> Target:
    """What is joined first."""
    found = Target(unit)
    for kind in TYPES:
        if kind in living:
            found.types.append(kind)
            found.descriptors[kind] = living[kind]
            found.namespaces[kind] = "%s:[%d]" % (kind, os.fstat(living[kind]).st_ino)
    return found

"""From a command to a process that runs it, in namespaces that are made for it."""
from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from typing import Callable, Dict, List

from .._enter import confine
from .._enter.launch import Plan, Running
from .._enter.run import Waiter
from .._kernel import clone
from .._kernel.executor import Block, Executor, Step, step
from .._kernel.mounts import AT_FDCWD
from .._kernel.namespaces import TYPES
from .._model.entry import Refused
from .causes import no_namespace
from .make import fresh_proc, make
from .wanted import NewNamespaces


@dataclass
class New:
    """What a command gets besides namespaces. C(init): where the Executor has the program that is to be process 1.

    C(namespaces): by type what was made, filled in when it was. C(outlives): it is not to end with us.
    """

    wanted: NewNamespaces
    mount_proc: bool = False
    init: int | None = None
    outlives: bool = False
    namespaces: Dict[str, str] = field(default_factory=dict)

    @property
    def forks(self) -> bool:
        """Whether the command is a child of who makes the namespaces: pid and time are those of children."""
        return bool({"pid", "time"} & set(self.wanted.types))


def start(executor: Executor, plan: Plan, new: New, cgroup: str | None, enter: Callable[[int], None]) -> Running:
    """Execute it. C(cgroup): a folder of version 2 for it; C(enter) moves a process there. Raises Refused, OSError."""
    types = new.wanted.types
    # By clone3(2) it is in its cgroup from the beginning, and nobody waits for its move. But a cgroup namespace takes
    # the cgroup of who makes it for its root.
    at_once = new.forks and cgroup is not None and "cgroup" not in types and clone.takes_cgroup()
    folder = None
    if at_once:
        folder = executor.call("openat", AT_FDCWD, os.fsencode(cgroup or ""), os.O_PATH | os.O_CLOEXEC, 0)
    else:
        enter(executor.pid)
    new.namespaces.update(make(executor, new.wanted, ("pid",) if at_once else ()))
    if plan.root is not None:
        _enter_root(executor, plan.root)
    proc = fresh_proc(new.wanted) if new.mount_proc else []
    if proc and not new.forks:
        _mount_proc(executor, proc)
        proc = []
    missing, last = confine.confine(executor, plan.privileges, plan.chdir, plan.umask, None)
    own = [step("setsid")] if new.forks else []
    # Who mounts /proc must be in the new pid namespace, and must still have the right to mount.
    first, before = ([], [*own, *proc, *last]) if proc else (last, own)
    environment = [name + b"=" + value for name, value in plan.environment.items()]
    try:
        pid = executor.execute(os.fsencode(plan.path), plan.argv, environment,
                               _fork(types, folder) if new.forks else False, before, first, new.init, new.outlives)
    except OSError as error:
        call = str(error.strerror).partition(":")[0]
        if call == "mount":
            raise _no_proc(error) from error
        if call == "clone3" and error.errno in (errno.ENOSPC, errno.EPERM, errno.EINVAL):
            raise no_namespace("pid" if "pid" in types else "time", error, types) from error
        raise
    if "pid" in types:
        try:
            new.namespaces["pid"] = os.readlink("/proc/%d/ns/pid" % pid)
        except OSError:
            pass  # not ours to look at: it has become somebody else by a set-user-ID program
    return Running(pid, Waiter(pid), None, missing)


def _fork(types: List[str], folder: int | None) -> Step | bool:
    if folder is None:
        return True
    request = clone.arguments(clone.CLONE_PARENT | (TYPES["pid"] if "pid" in types else 0), folder)
    return step("clone3", Block(request), len(request))


def _enter_root(executor: Executor, root: str) -> None:
    try:
        # By its path: a descriptor would lead to the mounts outside of a new mount namespace.
        executor.calls(step("chroot", os.fsencode(root)), step("chdir", b"/"))
    except OSError as error:
        hint = ": it takes CAP_SYS_CHROOT, run the task as root (become) or list user in namespaces" if (
            error.errno == errno.EPERM) else ""
        raise Refused("%s could not be made the root directory (%s)%s. Nothing has run."
                      % (root, errno.errorcode.get(error.errno or 0), hint)) from error


def _mount_proc(executor: Executor, steps: List[Step]) -> None:
    try:
        executor.calls(*steps)
    except OSError as error:
        raise _no_proc(error) from error


def _no_proc(error: OSError) -> Refused:
    code = errno.errorcode.get(error.errno or 0)
    why = {
        # mount_namespaces(7): what somebody hid of the /proc outside must not come to light.
        "EPERM": "a user namespace may mount it only with a pid namespace that it owns, and where no part of the /proc"
                 " outside is covered, as engines do in their containers: list pid, or leave out user",
        "ENOENT": "there is no folder /proc in its root directory: make one",
        "EINVAL": "/proc in its root directory is no mount, and a new one would be seen outside: leave out propagation",
    }.get(code or "", os.strerror(error.errno or 0))
    return Refused("mount_proc: /proc could not be mounted (%s): %s. Nothing has run." % (code, why))

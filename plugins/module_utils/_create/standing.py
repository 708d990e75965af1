"""Whose mounts a run works on: those of process 1, where names can be found by everybody."""
from __future__ import annotations

import os
from typing import List

from .._enter.containers import Look
from .._enter.target import why
from .._kernel.namespaces import CLONE_NEWNS, setns
from .._kernel.proc import Proc

_PATH = "/proc/1/ns/mnt"
_PF_KTHREAD = 0x00200000  # include/linux/sched.h


def stand(look: Look) -> List[str]:
    """Join the mount namespace of process 1, if it is another one than ours. Returns warnings; then it is our own.

    What was opened before stays what it is; the caller is a process of its own with one thread.
    """
    kept = "so names are kept in the module's own mount namespace, where others may not see them."
    try:
        theirs = os.open(_PATH, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        if _is_where_the_kernel_is(look):
            return []
        return ["The mount namespace of process 1 cannot be told (%s), %s" % (why(error), kept)]
    ours = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if os.path.samestat(os.fstat(ours), os.fstat(theirs)):
            return []
        try:
            setns(theirs, CLONE_NEWNS)
        except OSError as error:
            return ["The mount namespace of process 1 cannot be joined (%s), %s" % (why(error), kept)]
        if _is_our_proc():
            return []
        setns(ours, CLONE_NEWNS)
        os.fchdir(root)
        os.chroot(".")
        return ["The mount namespace of process 1 has a /proc in which the module is not found, %s" % kept]
    finally:
        for descriptor in (ours, theirs, root):
            os.close(descriptor)


def _is_where_the_kernel_is(look: Look) -> bool:
    """Whether kthreadd, which is where process 1 was to begin with, is in our own mount namespace."""
    proc = Proc()
    try:
        kernel = bool(proc.stat(2).flags & _PF_KTHREAD)
        return kernel and os.readlink(proc.path(2, "ns", "mnt")) == look.own.get("mnt")
    except OSError:
        return False


def _is_our_proc() -> bool:
    try:
        return os.readlink("/proc/self") == str(os.getpid())
    except OSError:
        return False

"""Whose mounts a run works on: those of process 1, where names can be found by everybody."""
from __future__ import annotations

import os
from typing import List

from .._enter.containers import Look
from .._enter.target import why
from .._kernel.namespaces import CLONE_NEWNS, setns

_PATH = "/proc/1/ns/mnt"


def stand(look: Look) -> List[str]:
    """Join the mount namespace of process 1, if it is another one than ours. Returns warnings; then it is our own.

    What was opened before stays what it is; the caller is a process of its own with one thread.
    """
    own = look.own.get("mnt")
    kept = "so names are kept in the module's own mount namespace, where others may not see them."
    try:
        theirs = os.open(_PATH, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        if own is not None and look.host.get("mnt") == own:
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


def _is_our_proc() -> bool:
    try:
        return os.readlink("/proc/self") == str(os.getpid())
    except OSError:
        return False

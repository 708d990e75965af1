"""clone3(2) as an Executor makes it: a child in a new pid namespace, and in its cgroup from its first moment on."""
from __future__ import annotations

import errno
import os
import struct

from .libc import syscall

CLONE_PARENT = 0x00008000
CLONE_INTO_CGROUP = 1 << 33  # 5.7

_ARGUMENTS = struct.Struct("=11Q")  # struct clone_args
_NO_DESCRIPTOR = 0x7FFFFFFF
_WALL = 0x40000000  # wait(2): also for a child without exit signal


def arguments(flags: int, cgroup: int | None = None) -> bytes:
    """For a fork. C(cgroup): a descriptor, in the caller's table, of a directory of cgroup version 2 to start in.

    No pidfd is asked for: who waits for the child is another process than the caller, and opens one by its number,
    which nobody else gets before it has waited. With CLONE_PARENT there is no exit signal but the caller's own.
    """
    if cgroup is not None:
        flags |= CLONE_INTO_CGROUP
    # flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup
    return _ARGUMENTS.pack(flags, 0, 0, 0, 0, 0, 0, 0, 0, 0, cgroup or 0)


def takes_cgroup() -> bool:
    """Whether there is clone3(2) with CLONE_INTO_CGROUP (5.7): asked for a descriptor that nobody has.

    False also where a seccomp filter forbids it.
    """
    request = arguments(0, _NO_DESCRIPTOR)
    try:
        child = syscall("clone3", request, len(request))
    except OSError as error:
        return error.errno == errno.EBADF
    # No Linux does that; what only looks like one may.
    if not child:
        os._exit(0)
    os.waitpid(child, _WALL)
    return False

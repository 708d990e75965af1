"""Other tasks: named by pidfds, which no later process can take over (pidfd_open(2)), and compared (kcmp(2))."""

from __future__ import annotations

import errno
import functools
import os
from typing import Callable

from .libc import KernelLacks, bind, failure, last_errno, syscall

KCMP_FILES = 2
PIDFD_NONBLOCK = os.O_NONBLOCK
PIDFD_THREAD = os.O_EXCL


def pidfd_open(pid: int, thread: bool = False, nonblock: bool = False) -> int:
    """A close-on-exec descriptor of process ``pid``; pidfd_open(2), 5.3.

    ``thread`` (6.9) takes any thread's id, ``nonblock`` (5.10) makes waitid(P_PIDFD) answer EAGAIN.
    ESRCH: no such process. EINVAL or ENOENT: a thread that does not lead its process, and ``thread`` was not asked.
    KernelLacks: no pidfds, or not with that option.
    """
    flags = (PIDFD_THREAD if thread else 0) | (PIDFD_NONBLOCK if nonblock else 0)
    try:
        return _opener()(pid, flags)
    except OSError as error:
        if error.errno == errno.ENOSYS:
            raise failure("pidfd_open", errno.ENOSYS) from error
        # With a valid number and the thread flag nothing else is left for the kernel to call invalid.
        if error.errno == errno.EINVAL and pid > 0 and thread:
            raise KernelLacks("pidfd_open with PIDFD_THREAD", "6.9", errno.EINVAL) from error
        if error.errno == errno.EINVAL and pid > 0 and nonblock and os.path.exists("/proc/%d" % pid):
            raise KernelLacks("pidfd_open with PIDFD_NONBLOCK", "5.10", errno.EINVAL) from error
        raise OSError(error.errno, "pidfd_open: " + os.strerror(error.errno or 0)) from error


def pidfd_getfd(pidfd: int, fd: int) -> int:
    """A close-on-exec duplicate of descriptor ``fd`` of the process; pidfd_getfd(2), 5.6.

    EBADF: it has no such descriptor. EPERM: needs PTRACE_MODE_ATTACH_REALCREDS over it. ESRCH: it has ended.
    """
    result = bind("pidfd_getfd", 3)(pidfd, fd, 0)
    if result < 0:
        raise failure("pidfd_getfd", last_errno())
    return result


def _opener() -> Callable[[int, int], int]:
    # Python has it from 3.9, where it was built against kernel headers that do.
    return getattr(os, "pidfd_open", None) or functools.partial(syscall, "pidfd_open")


def compare_files(pid1: int, pid2: int) -> int:
    """An order of two tasks' tables of descriptors; kcmp(2) KCMP_FILES, 3.5. 0: they use one. -1: the first is lower.

    ESRCH: one has ended. EPERM: needs PTRACE_MODE_READ_REALCREDS over both. KernelLacks: built without CONFIG_KCMP
    (before 5.12 that needed CONFIG_CHECKPOINT_RESTORE).
    """
    result = bind("kcmp", 5)(pid1, pid2, KCMP_FILES, 0, 0)
    if result < 0:
        raise failure("kcmp", last_errno())
    return (0, -1, 1, 1)[result]

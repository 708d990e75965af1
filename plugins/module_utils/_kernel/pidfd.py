# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection
"""pidfds: a process named without the risk that its number is reused; pidfd_open(2) and its relatives."""

from __future__ import annotations

import errno
import fcntl
import functools
import os
import signal
import struct
from typing import Callable, NamedTuple

from .libc import KernelLacks, bind, failure, last_errno, syscall

PIDFD_NONBLOCK = os.O_NONBLOCK
PIDFD_THREAD = os.O_EXCL
PIDFD_SIGNAL_THREAD = 1
PIDFD_SIGNAL_THREAD_GROUP = 2
PIDFD_SIGNAL_PROCESS_GROUP = 4

PIDFD_GET_INFO = 0xC040FF0B  # with the first published size, 64 bytes, which every later kernel takes too
PIDFD_INFO_PID = 1
PIDFD_INFO_CREDS = 2
PIDFD_INFO_CGROUPID = 4
PIDFD_INFO_EXIT = 8

# PIDFD_GET_*_NAMESPACE, in the order of include/uapi/linux/pidfd.h.
_NAMESPACES: dict[str, int] = {
    "cgroup": 0xFF01,
    "ipc": 0xFF02,
    "mnt": 0xFF03,
    "net": 0xFF04,
    "pid": 0xFF05,
    "time": 0xFF07,
    "user": 0xFF09,
    "uts": 0xFF0A,
}
_FOR_CHILDREN: dict[str, int] = {"pid": 0xFF06, "time": 0xFF08}


class PidfdInfo(NamedTuple):
    """struct pidfd_info, as the caller's pid and user namespace see it. None: the kernel did not tell."""

    pid: int | None
    tgid: int | None
    ppid: int | None  # 0: the parent is outside the caller's pid namespace
    ruid: int | None
    rgid: int | None
    euid: int | None
    egid: int | None
    cgroup_id: int | None  # of the cgroup v2, the inode of its directory
    exit_code: int | None  # wait status of a process that was reaped


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


def pidfd_send_signal(pidfd: int, sig: int, flags: int = 0) -> None:
    """Signal the process, its thread or its group; pidfd_send_signal(2), 5.1, flags (PIDFD_SIGNAL_*) 6.9.

    ESRCH: it has ended (0 as ``sig`` only asks). EPERM: not allowed. EBADF: not a pidfd.
    """
    try:
        _sender()(pidfd, sig, flags)
    except OSError as error:
        if error.errno == errno.ENOSYS:
            raise failure("pidfd_send_signal", errno.ENOSYS) from error
        if error.errno == errno.EINVAL and flags in (1, 2, 4) and 0 <= sig < signal.NSIG:
            raise KernelLacks("pidfd_send_signal with PIDFD_SIGNAL_*", "6.9", errno.EINVAL) from error
        raise OSError(error.errno, "pidfd_send_signal: " + os.strerror(error.errno or 0)) from error


def namespace_fd(pidfd: int, ns_type: str, for_children: bool = False) -> int:
    """A close-on-exec descriptor of the process's namespace; ioctl_pidfd PIDFD_GET_*_NAMESPACE, 6.11.

    ``for_children``: the one its next child will be in (pid and time; ValueError for another type).
    ESRCH: the process has ended, or had no child yet in the pid namespace made for children. EPERM: needs
    PTRACE_MODE_READ_FSCREDS over it. EOPNOTSUPP: the kernel was built without this type.
    """
    requests = _FOR_CHILDREN if for_children else _NAMESPACES
    if ns_type not in requests:
        raise ValueError("no namespace type %r%s" % (ns_type, " for children" if for_children else ""))
    try:
        return fcntl.ioctl(pidfd, requests[ns_type])
    except OSError as error:
        raise _translated(error, pidfd, "PIDFD_GET_%s_NAMESPACE" % ns_type.upper(), "6.11") from error


def info(pidfd: int) -> PidfdInfo:
    """Who and where the process is, without reading /proc; ioctl_pidfd PIDFD_GET_INFO, 6.13.

    ESRCH: it has ended (and, from 6.15, was not reaped yet or its end is not known).
    """
    request = struct.pack("=Q56x", PIDFD_INFO_PID | PIDFD_INFO_CREDS | PIDFD_INFO_CGROUPID | PIDFD_INFO_EXIT)
    try:
        answer = fcntl.ioctl(pidfd, PIDFD_GET_INFO, request)
    except OSError as error:
        # 6.13 and 6.14 do not know EXIT but ignore what they do not know: no second attempt is needed.
        raise _translated(error, pidfd, "PIDFD_GET_INFO", "6.13") from error
    fields = struct.unpack("=QQIIIIIIIIIIIi", answer)
    mask = fields[0]
    known = bool(mask & PIDFD_INFO_PID)
    creds = bool(mask & PIDFD_INFO_CREDS)
    return PidfdInfo(
        pid=fields[2] if known else None,
        tgid=fields[3] if known else None,
        ppid=fields[4] if known else None,
        ruid=fields[5] if creds else None,
        rgid=fields[6] if creds else None,
        euid=fields[7] if creds else None,
        egid=fields[8] if creds else None,
        cgroup_id=fields[1] if mask & PIDFD_INFO_CGROUPID else None,
        exit_code=fields[13] if mask & PIDFD_INFO_EXIT else None,
    )


def _opener() -> Callable[[int, int], int]:
    # Python has it from 3.9, where it was built against kernel headers that do.
    return getattr(os, "pidfd_open", None) or functools.partial(syscall, "pidfd_open")


def _sender() -> Callable[[int, int, int], object]:
    send: Callable[..., object] = getattr(signal, "pidfd_send_signal", None) or functools.partial(
        syscall, "pidfd_send_signal"
    )
    return lambda pidfd, sig, flags: send(pidfd, sig, None, flags)


def _translated(error: OSError, pidfd: int, name: str, since: str) -> OSError:
    # ENOTTY has two meanings: not a pidfd at all, or one on a kernel that does not know this request.
    if error.errno == errno.ENOTTY and _is_pidfd(pidfd):
        return KernelLacks(name, since, errno.ENOTTY)
    return OSError(error.errno, "%s: %s" % (name, error.strerror))


def _is_pidfd(fd: int) -> bool:
    try:
        pidfd_send_signal(fd, 0)
    except OSError as error:
        return error.errno in (errno.ESRCH, errno.EPERM)
    return True

"""What a pidfd tells of its process: ioctl_pidfd(2), the namespaces and the credentials."""

from __future__ import annotations

import errno
import fcntl
import struct
from typing import NamedTuple

from .libc import KernelLacks
from .pidfd_signal import pidfd_send_signal

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

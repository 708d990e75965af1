"""The eight namespace types, setns(2) and unshare(2)."""

from __future__ import annotations

import errno
import fcntl
import os

from .libc import KernelLacks, syscall

CLONE_NEWTIME = 0x00000080
CLONE_FS = 0x00000200
CLONE_FILES = 0x00000400
CLONE_NEWNS = 0x00020000
CLONE_SYSVSEM = 0x00040000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

# In the collection's order. All but time (5.6) are older than the oldest kernel supported (4.18).
TYPES: dict[str, int] = {
    "mnt": CLONE_NEWNS,
    "uts": CLONE_NEWUTS,
    "ipc": CLONE_NEWIPC,
    "pid": CLONE_NEWPID,
    "net": CLONE_NEWNET,
    "user": CLONE_NEWUSER,
    "cgroup": CLONE_NEWCGROUP,
    "time": CLONE_NEWTIME,
}

NS_GET_NSTYPE = 0xB703  # ioctl_nsfs(2), 4.11


def setns(fd: int, flags: int = 0) -> None:
    """Join the namespace ``fd`` refers to, or (5.8) those of the process of pidfd ``fd`` named in ``flags``.

    setns(2), 3.0. With an nsfs descriptor, flags is 0 or the one type it must be (else EINVAL). With a pidfd, flags
    is a mask of CLONE_NEW* and either all of it is joined or nothing is. pid takes effect for children only; mnt
    also moves root and working directory to the target's root.
    EINVAL: the caller's own user namespace, or mnt or user joined by a process with threads (EUSERS for time).
    ESRCH: the pidfd's process has ended.
    KernelLacks: a pidfd before 5.8.
    """
    try:
        syscall("setns", fd, flags)
    except OSError as error:
        if error.errno == errno.EINVAL and flags and not is_nsfs(fd) and not takes_pidfd():
            raise KernelLacks("setns with a pidfd", "5.8", errno.EINVAL) from error
        raise


def takes_pidfd() -> bool:
    """Whether setns takes a pidfd (5.8): tried by joining the UTS namespace that the caller is in already."""
    try:
        pidfd = syscall("pidfd_open", os.getpid(), 0)
    except KernelLacks:
        return False
    try:
        syscall("setns", pidfd, CLONE_NEWUTS)
    except OSError as error:
        return error.errno != errno.EINVAL
    finally:
        os.close(pidfd)
    return True


def unshare(flags: int) -> None:
    """Leave shared namespaces (or CLONE_FILES, CLONE_FS, CLONE_SYSVSEM) for new ones of one's own; all or nothing.

    unshare(2), 2.6.16. EPERM: needs CAP_SYS_ADMIN (but for user). ENOSPC: a limit of /proc/sys/user/max_*_namespaces.
    EINVAL: user in a process with threads. pid and time take effect for children only.
    KernelLacks: a type that this kernel was built without or is too old for (time before 5.6).
    """
    try:
        syscall("unshare", flags)
    except OSError as error:
        if error.errno == errno.EINVAL:
            for name, flag in TYPES.items():
                if flags & flag and not os.path.lexists("/proc/self/ns/" + name):
                    raise KernelLacks(name + " namespaces", "5.6" if name == "time" else "", errno.EINVAL) from error
        raise


def is_nsfs(fd: int) -> bool:
    """Whether ``fd`` is a namespace (needs no /proc, which after a join may be somebody else's)."""
    try:
        fcntl.ioctl(fd, NS_GET_NSTYPE)
    except OSError:
        return False
    return True

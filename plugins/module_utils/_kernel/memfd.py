"""Files in memory that have no name, and sealing them: memfd_create(2), fcntl(2)."""

from __future__ import annotations

import errno
import fcntl
import os

from .libc import KernelLacks, path_bytes, syscall

MFD_CLOEXEC = 0x1
MFD_ALLOW_SEALING = 0x2
MFD_NOEXEC_SEAL = 0x8  # 6.3
MFD_EXEC = 0x10  # 6.3

F_ADD_SEALS = 1033
F_GET_SEALS = 1034
F_SEAL_SEAL = 0x01
F_SEAL_SHRINK = 0x02
F_SEAL_GROW = 0x04
F_SEAL_WRITE = 0x08
F_SEAL_FUTURE_WRITE = 0x10  # 5.1
F_SEAL_EXEC = 0x20  # 6.3


def memfd_create(name: str, flags: int = MFD_CLOEXEC | MFD_ALLOW_SEALING) -> int:
    """An anonymous file in memory; memfd_create(2), 3.17. EACCES: sysctl vm.memfd_noexec=2 and MFD_EXEC.

    MFD_EXEC or MFD_NOEXEC_SEAL (6.3) says whether it may be executed; KernelLacks where they are unknown (all may be).
    """
    try:
        return syscall("memfd_create", path_bytes(name), flags)
    except OSError as error:
        # Otherwise EINVAL is for a name of more than 249 bytes.
        if error.errno == errno.EINVAL and flags & (MFD_EXEC | MFD_NOEXEC_SEAL) and len(os.fsencode(name)) <= 249:
            raise KernelLacks("memfd_create with MFD_EXEC or MFD_NOEXEC_SEAL", "6.3", errno.EINVAL) from error
        raise


def seal(fd: int, seals: int) -> None:
    """Add seals (F_SEAL_*) to a memfd for good; fcntl(2) F_ADD_SEALS, 3.17. EPERM: F_SEAL_SEAL is set already.

    EBUSY: F_SEAL_WRITE while a writable mapping exists. EINVAL: not a memfd. KernelLacks: a seal unknown here.
    """
    try:
        fcntl.fcntl(fd, F_ADD_SEALS, seals)
    except OSError as error:
        if error.errno == errno.EINVAL and _has_seals(fd):
            since = "6.3" if seals & F_SEAL_EXEC else "5.1" if seals & F_SEAL_FUTURE_WRITE else ""
            raise KernelLacks("file seals 0x%x" % seals, since, errno.EINVAL) from error
        raise


def seals_of(fd: int) -> int:
    """The seals (F_SEAL_*) a memfd has; fcntl(2) F_GET_SEALS, 3.17. EINVAL: a file that cannot have any."""
    return fcntl.fcntl(fd, F_GET_SEALS)


def _has_seals(fd: int) -> bool:
    try:
        return seals_of(fd) >= 0
    except OSError:
        return False

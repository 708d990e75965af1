"""Files: openat2(2), close_range(2) and sealed memory files (memfd_create(2))."""

from __future__ import annotations

import errno
import fcntl
import os

from .libc import KernelLacks, Path, path_bytes, syscall
from .namespaces import CLONE_FILES, unshare

AT_FDCWD = -100

RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10
RESOLVE_CACHED = 0x20  # 5.12

CLOSE_RANGE_UNSHARE = 2
CLOSE_RANGE_CLOEXEC = 4  # 5.11
HIGHEST_FD = 0xFFFFFFFF

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

_ATTEMPTS = 64


def openat2(dirfd: int, path: Path, flags: int, mode: int = 0, resolve: int = 0) -> int:
    """A close-on-exec descriptor, opened within the limits of ``resolve`` (RESOLVE_*); openat2(2), 5.6.

    ELOOP: a symbolic or magic link where there may be none. EXDEV: the path leaves ``dirfd`` (BENEATH) or its mount
    (NO_XDEV). EAGAIN: renames nearby kept the kernel from proving that ".." stays inside, in each of 64 attempts.
    KernelLacks: no openat2 or not that RESOLVE flag. There is no equally safe way round: refuse, or do not follow "..".
    """
    import struct

    name = path_bytes(path)
    how = struct.pack("=QQQ", flags | os.O_CLOEXEC, mode, resolve)
    attempt = 0
    while True:
        try:
            return syscall("openat2", dirfd, name, how, len(how))
        except OSError as error:
            attempt += 1
            # EINTR: as PEP 475 has it for os.open, the signal's handler has run and may have raised.
            if error.errno == errno.EINTR:
                continue
            # RESOLVE_CACHED answers EAGAIN on purpose: not in the cache.
            if error.errno == errno.EAGAIN and attempt < _ATTEMPTS and not resolve & RESOLVE_CACHED:
                continue
            if error.errno == errno.EINVAL and resolve & RESOLVE_CACHED:
                raise KernelLacks("openat2 with RESOLVE_CACHED", "5.12", errno.EINVAL) from error
            raise


def close_range(first: int, last: int = HIGHEST_FD, flags: int = 0, *, fd_directory: int | None = None) -> None:
    """Close (CLOSE_RANGE_CLOEXEC: mark close-on-exec) all descriptors first..last; close_range(2), 5.9.

    Where the kernel lacks it, those that /proc/self/fd lists are closed one by one. That is as safe as long as no other
    thread opens files, and /proc is ours: before joining a mount namespace, or through ``fd_directory``, a
    descriptor of this process's own /proc/self/fd opened before that. KernelLacks: no such directory either.
    """
    try:
        syscall("close_range", first, last, flags)
        return
    except KernelLacks:
        pass
    except OSError as error:
        # 5.9 and 5.10 know the call but not CLOEXEC.
        if error.errno != errno.EINVAL or not flags & CLOSE_RANGE_CLOEXEC or first > last:
            raise
    try:
        listed = os.listdir("/proc/self/fd" if fd_directory is None else fd_directory)
    except OSError as error:
        raise KernelLacks("close_range, nor a readable /proc/self/fd", "5.9") from error
    if flags & CLOSE_RANGE_UNSHARE:
        unshare(CLONE_FILES)
    for fd in sorted(int(name) for name in listed if name.isdigit()):
        if first <= fd <= last:
            try:
                if flags & CLOSE_RANGE_CLOEXEC:
                    fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
                else:
                    os.close(fd)
            except OSError:
                # EBADF: the descriptor that listed the directory. Whatever else close() says, it did close.
                continue


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

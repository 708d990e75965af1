"""Descriptors: openat2(2) and close_range(2)."""

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


def read_up_to(fd: int, most: int) -> bytes:
    """At most ``most`` bytes from where a descriptor is; read(2) until its end."""
    chunks: list[bytes] = []
    while most:
        chunk = os.read(fd, most)
        if not chunk:
            break
        chunks.append(chunk)
        most -= len(chunk)
    return b"".join(chunks)

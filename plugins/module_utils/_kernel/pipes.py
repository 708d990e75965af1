"""The size of pipes (pipe(7))."""
from __future__ import annotations

import fcntl

F_SETPIPE_SZ = 1031  # 2.6.35


def widen(descriptor: int, size: int) -> None:
    """Let a pipe hold C(size) bytes, where the user's limits permit it (fs.pipe-max-size, fs.pipe-user-pages-soft)."""
    try:
        fcntl.fcntl(descriptor, F_SETPIPE_SZ, size)
    except OSError:
        return  # EPERM, EBUSY: it is as large as it was, and slower


def duplicate(fd: int, least: int) -> int:
    """A close-on-exec duplicate with a number of at least ``least``; fcntl(2) F_DUPFD_CLOEXEC, 2.6.24."""
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, least)

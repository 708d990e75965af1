"""Opening files below a foreign root directory, so that no link leads out of it."""
from __future__ import annotations

import errno
import os
import stat

from .files import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2
from .libc import KernelLacks, libc

_MOST_LINKS = 40  # as the kernel follows (path_resolution(7))
# f_type of file systems (linux/magic.h) whose files are made by the kernel when they are read. They call themselves
# regular, but reading may take something away (proc's kmsg, tracefs' trace_pipe), wait, or ask a device (sysfs).
_MADE_UP = frozenset((
    0x9FA0, 0x62656572, 0x74726163, 0x64626720, 0x73636673, 0x62656570, 0xDE5E81E4, 0x6165676C, 0xCAFE4A11, 0x27E0EB,
    0x63677270, 0x7655821, 0xF97CFF8C, 0x43415D53, 0x6E736673, 0x50494446, 0x42494E4D, 0x19800202, 0x67596969,
    0x6E667364, 0xABBA1974, 0x9FA2, 0x5A4F4653,
))
_STATFS = 512  # bytes, more than struct statfs has


def open_in_root(root: int, path: str) -> int:
    """An O_PATH descriptor of C(path) as somebody with the root directory C(root) (a descriptor) would find it.

    openat2(2) with RESOLVE_IN_ROOT; before Linux 5.6 the same, component by component. Nothing is opened yet: a FIFO
    is not waited for, a device not started. Raises OSError: ENOENT, ENOTDIR, EACCES, ELOOP.
    """
    try:
        return openat2(root, path, os.O_PATH, resolve=RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
    except KernelLacks:
        return walk_in_root(root, path)


def is_stored(descriptor: int) -> bool:
    """Whether a file holds what somebody wrote into it; false for /proc, /sys and the like. Raises OSError."""
    import ctypes

    buffer = ctypes.create_string_buffer(_STATFS)
    if libc().fstatfs(descriptor, buffer):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    # The first field, f_type, is a long.
    return int(ctypes.c_long.from_buffer(buffer).value) & 0xFFFFFFFF not in _MADE_UP


def walk_in_root(root: int, path: str) -> int:
    """The same without openat2(2). Each step begins at a descriptor: what is renamed meanwhile leads nowhere else."""
    # The folders from the root down to where we are: ".." goes back to one that we came through, never above the root.
    trail = [os.dup(root)]
    pending = path.split("/")[::-1]
    links = 0
    try:
        while pending:
            name = pending.pop()
            if name in ("", "."):
                continue
            if name == "..":
                if len(trail) > 1:
                    os.close(trail.pop())
                continue
            found = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=trail[-1])
            trail.append(found)
            if not stat.S_ISLNK(os.fstat(found).st_mode):
                continue
            links += 1
            target = os.readlink("", dir_fd=found)
            # A link of /proc that is no path, as "pipe:[4711]", leads nowhere by its text.
            os.close(trail.pop())
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            if target.startswith("/"):
                while len(trail) > 1:
                    os.close(trail.pop())
            pending.extend(target.split("/")[::-1])
        return os.dup(trail[-1])
    finally:
        for descriptor in trail:
            os.close(descriptor)

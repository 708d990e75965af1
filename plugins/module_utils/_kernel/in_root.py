"""Opening files below a foreign root directory, so that no link leads out of it."""
from __future__ import annotations

import errno
import os
import stat

from .files import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2
from .libc import KernelLacks

_MOST_LINKS = 40  # as the kernel follows (path_resolution(7))


def open_in_root(root: int, path: str) -> int:
    """An O_PATH descriptor of C(path) as somebody with the root directory C(root) (a descriptor) would find it.

    openat2(2) with RESOLVE_IN_ROOT; before Linux 5.6 the same, component by component. Nothing is opened yet: a FIFO
    is not waited for, a device not started. Raises OSError: ENOENT, ENOTDIR, EACCES, ELOOP.
    """
    try:
        return openat2(root, path, os.O_PATH, resolve=RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
    except KernelLacks:
        return walk_in_root(root, path)


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

"""POSIX message queues of the IPC namespace that the caller is in: mq_overview(7)."""

from __future__ import annotations

import errno
import os
import stat
import struct
from typing import List, Tuple

from .libc import KernelLacks, syscall

_FSOPEN_CLOEXEC, _FSMOUNT_CLOEXEC, _FSCONFIG_CMD_CREATE = 1, 1, 6
_ATTRIBUTES = struct.Struct("=8q")  # mq_attr: flags, maxmsg, msgsize, curmsgs, reserved

Queue = Tuple[bytes, int, int, int, int, int]  # name, mode, owner, group, maxmsg, msgsize


def queues(most: int) -> List[Queue]:
    """All of them. The calling process must not be needed in its mount namespace any more: it may get one of its own.

    Raises OSError: EPERM without CAP_SYS_ADMIN; EOVERFLOW when there are more than C(most); ENODEV without mqueue.
    """
    root = _mounted()
    try:
        names = os.listdir(root)
        if len(names) > most:
            raise OSError(errno.EOVERFLOW, "more than %d message queues" % most)
        found = []
        for name in sorted(names):
            try:
                found.append(_queue(root, name))
            except FileNotFoundError:
                continue
        return found
    finally:
        os.close(root)


def _queue(root: int, name: str) -> Queue:
    import ctypes

    told = os.stat(name, dir_fd=root, follow_symlinks=False)
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW, dir_fd=root)
    try:
        answer = ctypes.create_string_buffer(_ATTRIBUTES.size)
        syscall("mq_getsetattr", descriptor, None, answer)
    finally:
        os.close(descriptor)
    dummy, maxmsg, msgsize = _ATTRIBUTES.unpack(answer.raw)[:3]
    return os.fsencode(name), stat.S_IMODE(told.st_mode), told.st_uid, told.st_gid, maxmsg, msgsize


def _mounted() -> int:
    """A descriptor of the root of a new mount that nobody sees."""
    try:
        return _detached()
    except KernelLacks:  # before 5.2
        pass
    except PermissionError:
        # May mount in a mount namespace of its own only.
        pass
    from .mounts import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_REC, mount
    from .namespaces import CLONE_NEWNS, unshare

    unshare(CLONE_NEWNS)
    try:
        return _detached()
    except KernelLacks:
        pass
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    mount("mqueue", "/dev", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    return os.open("/dev", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _detached() -> int:
    context = syscall("fsopen", b"mqueue", _FSOPEN_CLOEXEC)
    try:
        syscall("fsconfig", context, _FSCONFIG_CMD_CREATE, None, None, 0)
        mounted = syscall("fsmount", context, _FSMOUNT_CLOEXEC, 0)
    finally:
        os.close(context)
    try:
        # What fsmount(2) gives is as good as O_PATH.
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=mounted)
    finally:
        os.close(mounted)

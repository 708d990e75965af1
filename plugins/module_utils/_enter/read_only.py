"""The mounts of a command that may only look: all of them read-only, but for private places to put files in."""
from __future__ import annotations

import errno
import functools
import os
import stat
import struct

from .._kernel.executor import Block, Executor, Step, step
from .._kernel.in_root import open_in_root
from .._kernel.libc import KernelLacks
from .._kernel.mounts import (
    AT_FDCWD,
    AT_RECURSIVE,
    AT_SYMLINK_NOFOLLOW,
    MOUNT_ATTR_NODEV,
    MOUNT_ATTR_RDONLY,
    MOVE_MOUNT_F_EMPTY_PATH,
    MS_BIND,
    MS_MOVE,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    OPEN_TREE_CLONE,
)
from .._kernel.proc import Proc, unescape

_PLAIN = MS_NOSUID | MS_NODEV
_FLAGS = {
    "ro": MS_RDONLY, "nosuid": MS_NOSUID, "nodev": MS_NODEV, "noexec": MS_NOEXEC, "noatime": 1 << 10,
    "nodiratime": 1 << 11, "relatime": 1 << 21,
}
_SCRATCH = ("/tmp", "/var/tmp", "/dev/shm")
_MOST_IN_RUN = 200
_MOST_MOUNTS = 10000
# iptables' lock; there is no other way to move it where /run cannot be replaced.
ENVIRONMENT = {b"XTABLES_LOCKFILE": b"/tmp/xtables.lock"}


def read_only(executor: Executor) -> list[str]:
    """Make all mounts of the process's own mount namespace read-only; the folders that are still to be written to.

    Raises OSError when a mount stays writable: then nothing may run that must not write.
    """
    nodes = _devices(executor)
    # Devices do things when they are opened to be read, too: a watchdog is started, a tape wound back.
    attributes = struct.pack("=4Q", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, 0, 0, 0)
    try:
        executor.call("mount_setattr", AT_FDCWD, b"/", AT_RECURSIVE, Block(attributes), len(attributes))
    except KernelLacks:
        # Nor are there the parts of Landlock without which nothing is proved; devices stay.
        _each(executor)
        nodes = []
    return _private_places(executor, nodes)


def _devices(executor: Executor) -> list[tuple[int, str]]:
    """Those that do no harm, by descriptors of mounts of their own. What else is called so is not taken."""
    from .read_only_parts import DEVICES

    found: list[tuple[int, str]] = []
    for path, device in DEVICES.items():
        try:
            tree = executor.call(
                "open_tree", AT_FDCWD, os.fsencode(path), OPEN_TREE_CLONE | AT_SYMLINK_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        # Looked at from here, and not opened by it.
        told = executor.seen(functools.partial(os.stat, "/proc/%d/fd/%d" % (executor.pid, tree)))
        if stat.S_ISCHR(told.st_mode) and (os.major(told.st_rdev), os.minor(told.st_rdev)) == device:
            found.append((tree, path))
    return found


def _replace_dev(nodes: list[tuple[int, str]]) -> list[Step]:
    """/dev with these and nothing else; and nothing of the kernel's log is read that others would miss then."""
    steps = [step("mount", b"tmpfs", b"/dev", b"tmpfs", MS_NOSUID | MS_NOEXEC, b"mode=755,size=64k")]
    for link, to in ((b"fd", b""), (b"stdin", b"/0"), (b"stdout", b"/1"), (b"stderr", b"/2")):
        steps.append(step("symlinkat", b"/proc/self/fd" + to, AT_FDCWD, b"/dev/" + link))
    steps.append(step("mkdirat", AT_FDCWD, b"/dev/shm", 0o1777))
    for tree, path in nodes:
        place = os.fsencode(path)
        steps.append(step("mknodat", AT_FDCWD, place, stat.S_IFREG | 0o600, 0))
        steps.append(step("move_mount", tree, b"", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH))
    steps.append(step("mount", b"/dev/null", b"/proc/kmsg", None, MS_BIND, None, go_on=True))
    return steps


def _each(executor: Executor) -> None:
    """The same before Linux 5.12, mount by mount. What another mount covers cannot be reached by the command either."""
    steps: list[Step] = []
    for line in Proc().mount_lines(executor.pid, "mountinfo"):
        fields = line.split(b" ")
        flags = MS_REMOUNT | MS_BIND | MS_RDONLY
        for option in fields[5].decode("ascii", "replace").split(","):
            # What is left out would be switched off, which a user namespace may not.
            flags |= _FLAGS.get(option, 0)
        steps.append(step("mount", None, unescape(fields[4]), None, flags, None))
        if len(steps) > _MOST_MOUNTS:
            raise OSError(errno.E2BIG, "more than %d mounts" % _MOST_MOUNTS)
    executor.calls(*steps)


def _private_places(executor: Executor, nodes: list[tuple[int, str]]) -> list[str]:
    """tmpfs of its own where programs put temporary and lock files, as far as there are such folders."""
    try:
        root: int = executor.seen(
            lambda: os.open("/proc/%d/root" % executor.pid, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        )
    except OSError:
        return []
    try:
        if nodes and _is_folder(root, "/dev"):
            executor.calls(*_replace_dev(nodes))
        made = [place for place in _SCRATCH if _is_folder(root, place)]
        if "/tmp" in made and _replace_run(executor, root):
            made.append("/run")
        executor.calls(*(_tmpfs(place) for place in made if place != "/run"))
        return made
    finally:
        os.close(root)


def _tmpfs(place: str) -> Step:
    return step("mount", b"tmpfs", os.fsencode(place), b"tmpfs", _PLAIN, b"mode=1777,size=64m")


def _replace_run(executor: Executor, root: int) -> bool:
    """/run on a tmpfs of its own, with what was there but for sockets and locks; built at /tmp and moved there."""
    entries = _entries(root, "/run")
    if entries is None:
        return False
    steps = [_tmpfs("/tmp")]
    # In a folder that may be written to (for Landlock, too) there are no devices.
    bare = struct.pack("=4Q", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, 0, 0, 0)
    for name, mode in entries:
        old, new = b"/run/" + name, b"/tmp/" + name
        if stat.S_ISDIR(mode):
            steps.append(step("mkdirat", AT_FDCWD, new, 0o755))
            if name != b"lock":
                steps.append(step("mount", old, new, None, MS_BIND | MS_REC, None))
                steps.append(step("mount_setattr", AT_FDCWD, new, AT_RECURSIVE, Block(bare), len(bare), go_on=True))
        elif stat.S_ISREG(mode) and not name.endswith(b".lock"):
            # mknodat, not openat: there is no descriptor to close.
            steps.append(step("mknodat", AT_FDCWD, new, stat.S_IFREG | 0o600, 0))
            steps.append(step("mount", old, new, None, MS_BIND, None))
    steps.append(step("mount", b"/tmp", b"/run", None, MS_MOVE, None))
    executor.calls(*steps)
    return True


def _entries(root: int, path: str) -> list[tuple[bytes, int]] | None:
    """Names and modes in a folder, nothing of it opened; None where it is none or has too many."""
    try:
        handle = open_in_root(root, path)
    except OSError:
        return None
    try:
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            return None
        found: list[tuple[bytes, int]] = []
        with os.scandir(b"/proc/self/fd/%d" % handle) as entries:
            for entry in entries:
                found.append((entry.name, entry.stat(follow_symlinks=False).st_mode))
                if len(found) > _MOST_IN_RUN:
                    return None
        return found
    except OSError:
        return None
    finally:
        os.close(handle)


def _is_folder(root: int, path: str) -> bool:
    try:
        handle = open_in_root(root, path)
    except OSError:
        return False
    try:
        return stat.S_ISDIR(os.fstat(handle).st_mode)
    finally:
        os.close(handle)

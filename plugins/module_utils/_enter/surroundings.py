"""The host's mounts, for a command that has them but another network or other processes: its /sys, /proc and /etc."""
from __future__ import annotations

import errno
import os
from typing import Mapping

from .._kernel.executor import Executor, Step, step
from .._kernel.libc import KernelLacks
from .._kernel.mounts import (
    AT_FDCWD,
    AT_RECURSIVE,
    MNT_DETACH,
    MOVE_MOUNT_F_EMPTY_PATH,
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    OPEN_TREE_CLONE,
)
from .._kernel.namespaces import CLONE_NEWNS, CLONE_NEWUSER
from .._kernel.proc import Proc
from .._kernel.whole_file import write_whole
from .._model.entry import Refused

_PLAIN = MS_NOSUID | MS_NODEV | MS_NOEXEC


def private(executor: Executor, propagation: int) -> None:
    """A mount namespace of its own: what is mounted inside stays there, and what is mounted outside appears in it
    (MS_SLAVE) or does not (MS_PRIVATE): it would be writable.
    """
    try:
        executor.calls(step("unshare", CLONE_NEWNS), step("mount", None, b"/", None, MS_REC | propagation, None))
    except OSError as error:
        raise _refused("A mount namespace of its own could not be made", error) from error


def alone(executor: Executor) -> None:
    """For who may not make mount namespaces: a user namespace in which they are who they are, with all capabilities.

    Raises Refused.
    """
    def write_maps() -> None:
        folder = "/proc/%d/" % executor.pid
        write_whole(folder + "setgroups", b"deny")
        for file, own in (("uid_map", os.geteuid()), ("gid_map", os.getegid())):
            write_whole(folder + file, b"%d %d 1" % (own, own))

    try:
        executor.call("unshare", CLONE_NEWUSER)
        executor.seen(write_maps)
    except OSError as error:
        raise _refused("A guard that is not root needs a user namespace to be kept from writing, and none could be"
                       " made", error) from error


def of_network(executor: Executor, netns: str | None, files: Mapping[str, bytes]) -> list[str]:
    """/sys of the network that was joined, /etc/netns/NAME over /etc as ip-netns(8) has it, and C(files) by path.

    Returns what could not be had, as sentences.
    """
    missing: list[str] = []
    read_only, below = _mounted(executor.pid)
    if files:
        _cover(executor, files)
    for name in _named_files(netns):
        place = b"/etc/" + name
        try:
            executor.call("mount", b"/etc/netns/" + os.fsencode(netns or "") + b"/" + name, place, None, MS_BIND, None)
        except OSError as error:
            missing.append("/etc/netns/%s/%s is not over %s (%s)" % (
                netns, os.fsdecode(name), os.fsdecode(place), errno.errorcode.get(error.errno or 0)))
    trees: list[tuple[int, str]] = []
    for path in below:
        try:
            tree = executor.call("open_tree", AT_FDCWD, os.fsencode(path), OPEN_TREE_CLONE | AT_RECURSIVE)
            trees.append((tree, path))
        except KernelLacks:  # before 5.2 what is mounted below /sys is not there, as with ip-netns(8)
            break
        except OSError:
            continue
    flags = _PLAIN | (MS_RDONLY if read_only else 0)
    executor.calls(step("umount2", b"/sys", MNT_DETACH, go_on=True))
    try:
        executor.call("mount", b"sysfs", b"/sys", b"sysfs", flags, None)
    except OSError as error:
        missing.append("/sys of its network could not be mounted (%s): /sys is empty" % (
            errno.errorcode.get(error.errno or 0)))
        executor.calls(step("mount", b"tmpfs", b"/sys", b"tmpfs", _PLAIN | MS_RDONLY, None))
        trees = []
    for tree, path in trees:
        executor.calls(step("move_mount", tree, b"", AT_FDCWD, os.fsencode(path), MOVE_MOUNT_F_EMPTY_PATH, go_on=True))
    return missing


def of_processes(read_only: bool) -> list[Step]:
    """For the command itself, as its first steps: /proc of the pid namespace that it is in."""
    steps = [step("mount", b"proc", b"/proc", b"proc", _PLAIN, None)]
    if read_only:
        # In two steps: before 5.8 all mounts of one namespace's /proc are read-only, or none.
        steps.append(step("mount", None, b"/proc", None, MS_REMOUNT | MS_BIND | MS_RDONLY | _PLAIN, None))
    return steps


def _mounted(pid: int) -> tuple[bool, list[str]]:
    """Whether /sys is read-only, and what is mounted directly below it."""
    read_only = False
    below: list[str] = []
    for mount in Proc().mounts(pid):
        if mount.path == "/sys":
            read_only = "ro" in mount.options.split(",")
        elif mount.path.startswith("/sys/") and not any(mount.path.startswith(path + "/") for path in below):
            below.append(mount.path)
    return read_only, below


def _named_files(netns: str | None) -> list[bytes]:
    try:
        return [] if netns is None else sorted(os.listdir(b"/etc/netns/" + os.fsencode(netns)))
    except OSError:
        return []


def _cover(executor: Executor, files: Mapping[str, bytes]) -> None:
    """Bind files from a tmpfs at /sys, which is going to be covered anyway: nothing else is in the way there."""
    try:
        executor.call("mount", b"tmpfs", b"/sys", b"tmpfs", _PLAIN, b"size=4m,mode=755")
        for number, (path, content) in enumerate(files.items()):
            name = b"/sys/%d" % number
            file = executor.call("openat", AT_FDCWD, name, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            executor.calls(
                step("write", file, content, len(content)), step("close", file),
                step("mount", name, os.fsencode(path), None, MS_BIND, None),
            )
        executor.call("umount2", b"/sys", MNT_DETACH)
    except OSError as error:
        raise _refused("The container's %s could not be put over the host's" % " and ".join(files), error) from error


def _refused(what: str, error: OSError) -> Refused:
    return Refused("%s (%s). Nothing has run." % (what, errno.errorcode.get(error.errno or 0, str(error))))

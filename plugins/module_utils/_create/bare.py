"""Changing names on which namespaces are mounted: in a view of their folder in which nothing is mounted.

The kernel refuses to remove or replace a name on which something is mounted in the caller's own mount namespace. In
all others it takes away what is mounted there, together with the name (since Linux 3.19). So it is done by a child in a
mount namespace that has nothing but that folder, and the name is there with its namespace, or gone, or another one,
for everybody at once.
"""
from __future__ import annotations

import errno
import os
import secrets
from typing import Any, Callable, Dict, List, Sequence

from .._enter.single import NETNS, UNITS
from .._enter.target import why
from .._kernel.mounts import (
    MNT_DETACH,
    MS_BIND,
    MS_PRIVATE,
    MS_REC,
    UMOUNT_NOFOLLOW,
    mount,
    pivot_root,
    umount2,
)
from .._kernel.namespaces import CLONE_NEWNS, unshare
from .._kernel.proc import Proc
from .._model.entry import Refused
from . import mount_table
from .aside import aside
from .folders import PINS

# The temporary name of a link in a folder of networks that is no part of the folder above; it can be entered, too.
PASSING = ".nsfleet-"


def remove(path: str) -> None:
    """Remove a name that is no folder, with all that is mounted on it anywhere. Raises Refused."""
    folder, name = os.path.split(path)

    def work() -> None:
        _leave_all_but(folder)
        _unlink(name)

    _do(path, "removed", work)


def replace_by_link(path: str, target: str) -> None:
    """Have a name that is no folder become a symbolic link; all that was mounted on it is gone. Raises Refused."""
    folder, name = os.path.split(path)
    above, units = os.path.split(UNITS)
    temporary = "%s%s" % (PASSING, secrets.token_hex(4))
    # Of both folders the locks are held.
    joint = folder == NETNS and target.startswith(UNITS + "/")
    before = os.stat(folder)

    def beside() -> None:
        _leave_all_but(folder)
        os.symlink(target, temporary)
        os.rename(temporary, name)

    def out_of_sight() -> None:
        _leave_all_but(above)
        here, hidden = os.path.basename(folder), "%s/%s" % (units, PINS)
        if not os.path.isdir(units) or not os.path.samestat(os.stat(here), before):
            raise OSError(errno.EXDEV, "not one file system")
        os.makedirs(hidden, 0o755, exist_ok=True)
        os.symlink(target, "%s/%s" % (hidden, temporary))
        os.rename("%s/%s" % (hidden, temporary), "%s/%s" % (here, name))

    try:
        if joint:
            try:
                aside(out_of_sight)
                return
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise _refused(path, "replaced", error) from error
        _do(path, "replaced", beside)
    finally:
        # Of a child that did not get as far as giving it its name; what it leads to may go at once.
        for place in (folder, "%s/%s" % (UNITS, PINS)):
            _unlink("%s/%s" % (place, temporary))


def remove_folder(path: str, names: Sequence[str]) -> None:
    """Remove a folder with those names in it, and all that is mounted on them. Raises Refused."""
    above, folder = os.path.split(path)

    def work() -> None:
        _leave_all_but(above)
        for name in names:
            _unlink("%s/%s" % (folder, name))
        try:
            os.rmdir(folder)
        except FileNotFoundError:
            pass

    _do(path, "removed", work)


def _unlink(name: str) -> None:
    try:
        os.unlink(name)
    except FileNotFoundError:
        pass


def _do(path: str, what: str, work: Callable[[], Any]) -> None:
    try:
        aside(work)
    except OSError as error:
        raise _refused(path, what, error) from error


def _refused(path: str, what: str, error: OSError) -> Refused:
    hint = {
        errno.EISDIR: "it is a folder", errno.ENOTEMPTY: "there is something in it that is not ours",
        errno.EPERM: "it takes CAP_SYS_ADMIN",
        errno.ENOSPC: "that takes a mount namespace, and there are as many as /proc/sys/user/max_mnt_namespaces allows",
        errno.EINVAL: "the module is in a chroot, or what is mounted around it belongs to another user namespace",
    }.get(error.errno or 0, os.strerror(error.errno or 0))
    return Refused("%s could not be %s (%s): %s." % (path, what, why(error), hint))


def _leave_all_but(folder: str) -> None:
    """Be where the folder is the root directory and nothing else is mounted. Raises OSError."""
    unshare(CLONE_NEWNS)
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    mount(folder, folder, None, MS_BIND)
    os.chdir(folder)
    try:
        pivot_root(".", ".")
        umount2(".", MNT_DETACH)
        os.chdir("/")
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        # The root file system is the kernel's first one, which stays: all namespaces that are mounted go.
        os.chdir("/")
        umount2(folder, MNT_DETACH)
        _unmount_namespaces()
        mount(folder, folder, None, MS_BIND)
        os.chdir(folder)


def _unmount_namespaces() -> None:
    left: Dict[int, List[mount_table.Row]] = {}
    for attempt in range(100):
        table = [row for row in mount_table.rows(Proc()) if row.fstype == "nsfs"]
        if not table or len(table) in left:
            return
        left[len(table)] = table
        for row in reversed(table):
            try:
                umount2(row.point, MNT_DETACH | UMOUNT_NOFOLLOW)
            except OSError:
                continue  # something else is in front of it

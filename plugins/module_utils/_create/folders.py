"""The folders in which namespaces are kept, locked and made ready: what is mounted there must not turn up elsewhere."""
from __future__ import annotations

import errno
import os
import stat
from typing import List

from .._enter.single import NETNS
from .._enter.target import why
from .._kernel.folder_lock import lock
from .._kernel.mounts import MS_BIND, MS_PRIVATE, MS_REC, MS_SHARED, mount
from .._kernel.proc import Proc
from .._model.entry import Refused
from . import mount_table

# In a folder of units: where a namespace is until its name leads to it; what begins so is being made or removed.
PINS, NEW, OLD = ".pins", ".new-", ".old-"
NETWORKS = "netns"  # in PINS, beside folders that are called as types are


class Locks:
    """The locks of one run; close them when it is done."""

    def __init__(self) -> None:
        self._held: List[int] = []

    def take(self, folder: str, until: float) -> None:
        """Raises Refused."""
        try:
            self._held.append(lock(folder, until))
        except OSError as error:
            late = error.errno == errno.ETIMEDOUT
            hint = "another run, or ip netns, works there: try again" if late else "is it one?"
            raise Refused("The folder %s could not be locked (%s): %s." % (folder, why(error), hint)) from error

    def close(self) -> None:
        """Let the next one go on."""
        while self._held:
            os.close(self._held.pop())


def make_folder(path: str) -> None:
    """Raises Refused."""
    try:
        os.makedirs(path, 0o755, exist_ok=True)
    except OSError as error:
        raise Refused("The folder %s could not be made (%s)." % (path, why(error))) from error


def refuse_others(path: str) -> None:
    """Who else could write there could have us mount, and remove, where they like. Raises Refused."""
    try:
        found = os.stat(path)
        open_to_all = found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        above = path
        while not open_to_all and above != "/":
            above = os.path.dirname(above)
            mode = os.stat(above).st_mode
            open_to_all = mode & stat.S_IWOTH and not mode & stat.S_ISVTX
    except OSError as error:
        raise Refused("The folder %s cannot be looked at (%s)." % (path, why(error))) from error
    if open_to_all:
        raise Refused("The folder %s, or one above it, can be written by others: name one that only root can change."
                      % path)


def units_are_ready(table: List[mount_table.Row], folder: str) -> bool:
    """Whether a folder of units is a mount, and private."""
    row = mount_table.top(table, folder)
    return row is not None and row.group is None


def make_units_ready(folder: str) -> None:
    """A mount namespace can only be mounted where that is not copied to others (mount(2), EINVAL). Raises Refused."""
    table = mount_table.rows(Proc())
    if units_are_ready(table, folder):
        return
    try:
        if mount_table.top(table, folder) is None:
            mount(folder, folder, None, MS_BIND | MS_REC)
        mount(None, folder, None, MS_PRIVATE)
    except OSError as error:
        raise Refused("The folder %s could not be made a mount of its own, in which namespaces are kept (%s)." % (
            folder, why(error))) from error


def tidy(folder: str) -> None:
    """Nothing is hidden there any more, as a rule."""
    hidden = "%s/%s" % (folder, PINS)
    try:
        for name in os.listdir(hidden):
            os.rmdir("%s/%s" % (hidden, name))
        os.rmdir(hidden)
    except OSError:
        pass


def networks_fault(table: List[mount_table.Row]) -> str | None:
    """What is wrong with /run/netns, if there is anything in it; for C(ip netns) it must be its own peer group."""
    row = mount_table.top(table, NETNS)
    if row is None:
        inside = any(each.point.startswith(NETNS + "/") and each.fstype == "nsfs" for each in table)
        return "%s was no mount" % NETNS if inside else None
    if row.group is None:
        return "%s was not shared" % NETNS
    parent = next((each for each in table if each.number == row.parent), None)
    if parent is not None and parent.group == row.group:
        return "%s was in the peer group of %s" % (NETNS, parent.point)
    return None


def make_networks_ready() -> None:
    """What ip-netns(8) does, so that what one of us mounts is seen by all, once. Raises Refused."""
    table = mount_table.rows(Proc())
    row = mount_table.top(table, NETNS)
    if row is not None and networks_fault(table) is None:
        return
    try:
        if row is None:
            mount(NETNS, NETNS, None, MS_BIND | MS_REC)
        # Out of the group of /run, or each name would be mounted a second time in there.
        mount(None, NETNS, None, MS_PRIVATE | MS_REC)
        mount(None, NETNS, None, MS_SHARED | MS_REC)
    except OSError as error:
        raise Refused("%s could not be made a mount of its own, as ip netns has it (%s)." % (
            NETNS, why(error))) from error

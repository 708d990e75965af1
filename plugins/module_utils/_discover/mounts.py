# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection
"""Namespaces kept by bind mounts, in every mount namespace: those with processes are read through mountinfo, those
without are found by the kernel's walk over all mount namespaces (NS_MNT_GET_NEXT, Linux 6.12) or because
something pins them, and are read by a child that joins them.
"""
from __future__ import annotations

import errno
import os
from typing import Dict, Iterator, List, Optional, Set, Tuple

from .._kernel import nsfs
from .._kernel.libc import KernelLacks
from .._kernel.proc import GONE, Mount, parse_mount
from .ancestors import describe, open_namespace
from .scan import Scan, is_namespace
from .visitor import Visitor

_NSFS = b" - nsfs "


def find(scan: Scan, own: Optional[str]) -> None:
    """Pin every namespace that is mounted somewhere; C(own) is our own mount namespace, told of first."""
    search = _Search(scan, own)
    names = [name for name, space in scan.namespaces.items() if space.type == "mnt" and space.processes]
    # Our own first: where a mount is seen in many mount namespaces, ours is the one that is named.
    names.sort(key=lambda name: name != own)
    for position, name in enumerate(names):
        if not position & 15 and scan.late("mounts", len(names) - position):
            return
        _read_by_process(scan, search, name)
    if not scan.live:
        return
    try:
        search.walk()
        search.visit_the_rest()
    finally:
        search.close()


def _read_by_process(scan: Scan, search: _Search, name: str) -> None:
    """Read the mounts of a namespace through the first of its processes that is still there."""
    for pid in scan.members.get(name, ())[:8]:
        if scan.names_of(pid)[0] != name:
            continue
        try:
            lines = [line for line in scan.proc.mount_lines(pid, "mountinfo") if _NSFS in line]
        except OSError as error:
            if error.errno in GONE or error.errno == errno.EINVAL:  # EINVAL: it is exiting, its fs is gone
                continue
            scan.problems.error("mounts", error)
            return
        search.note(name, lines, pid)
        return
    scan.problems.add("mounts", "vanished")


class _Search:
    """Mount namespaces seen so far, and where in them namespaces are mounted."""

    def __init__(self, scan: Scan, own: Optional[str]) -> None:
        self._scan = scan
        self._own = own
        self._seen: Set[str] = set()
        self._places: Dict[str, List[Tuple[str, str]]] = {}
        self._visitor: Optional[Visitor] = None
        self._inside: Optional[str] = own

    def close(self) -> None:
        """End the child, where one was needed."""
        if self._visitor is not None:
            self._visitor.close()

    def note(self, name: str, lines: List[bytes], pid: Optional[int] = None) -> List[Mount]:
        """Enter the namespaces that are mounted in the mount namespace C(name)."""
        self._seen.add(name)
        mounts = []
        for line in lines:
            mount = parse_mount(line)
            if mount is None or mount.fstype != "nsfs" or not is_namespace(mount.root):
                continue
            mounts.append(mount)
            details: Dict[str, object] = {"path": mount.path, "mount_namespace": name}
            if pid is not None:
                details["pid"] = pid
            self._scan.pin(mount.root, "mount", (mount.path,), **details)
            places = self._places.setdefault(mount.root, [])
            if len(places) < 4:
                places.append((name, mount.path))
        return mounts

    def walk(self) -> None:
        """Follow the kernel's list of mount namespaces in both directions, and visit those without a process."""
        scan = self._scan
        for step in (nsfs.mnt_next, nsfs.mnt_previous):
            for descriptor in self._follow(step):
                name = "mnt:[%d]" % os.fstat(descriptor).st_ino
                scan.namespace(name)
                describe(scan, name, descriptor)
                if name not in self._seen:
                    self._visit(name, descriptor)

    def _follow(self, step: object) -> Iterator[int]:
        scan = self._scan
        current: Optional[int] = None
        try:
            current = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
            while not scan.late("mount namespaces"):
                following = step(current)  # type: ignore[operator]
                os.close(current)
                current = following
                scan.features["mount_namespace_walk"] = True
                yield following
        except KernelLacks:
            scan.features["mount_namespace_walk"] = False
        except OSError as error:
            if error.errno == errno.EPERM:
                # Allowed to root of the initial namespaces only: a plain user's loss is counted with the processes.
                scan.features["mount_namespace_walk"] = False
            elif error.errno != errno.ENOENT:  # ENOENT ends the list
                scan.problems.error("mount namespaces", error)
        finally:
            if current is not None:
                os.close(current)

    def visit_the_rest(self) -> None:
        """Visit mount namespaces that something pins, and describe what only a mount names, until nothing is new."""
        scan = self._scan
        tried: Set[str] = set()
        while True:
            todo = [
                name for name, space in scan.namespaces.items()
                if name not in tried and (name not in scan.described or space.type == "mnt" and name not in self._seen)
            ]
            if not todo:
                return
            for position, name in enumerate(todo):
                if not position & 7 and scan.late("mounts", len(todo) - position):
                    return
                tried.add(name)
                self._look_into(name)

    def _look_into(self, name: str) -> None:
        scan = self._scan
        is_mnt = scan.namespaces[name].type == "mnt"
        # What has a way through /proc is described later, and more cheaply, by the source "ancestors".
        if scan.ways.get(name) and not (is_mnt and name not in self._seen):
            return
        descriptor = open_namespace(scan, name)
        if descriptor is None:
            descriptor = self._open_mounted(name)
        if descriptor is None:
            return
        try:
            describe(scan, name, descriptor)
            if is_mnt and name not in self._seen:
                self._visit(name, descriptor)
        finally:
            os.close(descriptor)

    def _visit(self, name: str, descriptor: int) -> None:
        """Join a mount namespace, note what is mounted there, and describe what cannot be reached otherwise."""
        self._seen.add(name)
        try:
            visitor = self._enter(name, descriptor)
            mounts = self.note(name, visitor.namespace_mounts())
        except OSError as error:
            self._failed("mounts of %s" % name, error)
            return
        for mount in mounts:
            if mount.root in self._scan.described or self._scan.ways.get(mount.root):
                continue
            # A visitor that hung was replaced by one that is somewhere else.
            if self._inside != name or self._scan.late("mounts"):
                return
            opened = self._open_at(mount.root, mount.path)
            if opened is None:
                continue
            try:
                describe(self._scan, mount.root, opened)
                if mount.root.startswith("mnt:") and mount.root not in self._seen:
                    self._visit(mount.root, opened)
                    self._enter(name, descriptor)
            except OSError as error:
                self._failed("mounts of %s" % name, error)
                return
            finally:
                os.close(opened)

    def _open_mounted(self, name: str) -> Optional[int]:
        """A descriptor of a namespace through a bind mount, wherever that is."""
        for place, path in self._places.get(name, ()):
            if place != self._inside or self._visitor is None:
                if place == self._own and self._inside == self._own:
                    self._new_visitor()
                else:
                    door = open_namespace(self._scan, place)
                    if door is None:
                        continue
                    try:
                        self._enter(place, door)
                    except OSError as error:
                        self._failed("mounts of %s" % place, error)
                        continue
                    finally:
                        os.close(door)
            opened = self._open_at(name, path)
            if opened is not None:
                return opened
        return None

    def _open_at(self, name: str, path: str) -> Optional[int]:
        """Open C(path) where the visitor is; None when it is not the namespace C(name) (overmounted, gone)."""
        try:
            opened = self._new_visitor().open(path)
        except OSError as error:
            # Another mount lies over it, or it went away: the pin is true all the same.
            if error.errno not in (errno.ENOTTY, errno.ENOENT, errno.ENOTDIR):
                self._failed("mounts", error)
            return None
        if os.fstat(opened).st_ino == self._scan.namespaces[name].inode:
            return opened
        os.close(opened)
        return None

    def _enter(self, name: str, descriptor: int) -> Visitor:
        visitor = self._new_visitor()
        visitor.join(descriptor)
        self._inside = name
        return visitor

    def _new_visitor(self) -> Visitor:
        if self._visitor is None:
            self._visitor = Visitor(os.stat("/proc/self/ns/mnt").st_dev)
        return self._visitor

    def _failed(self, what: str, error: OSError) -> None:
        self._scan.problems.error(what, error)
        if isinstance(error, TimeoutError):
            # The child was ended; the next one starts in our own mount namespace.
            self._inside = self._own

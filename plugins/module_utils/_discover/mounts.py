"""Namespaces kept by bind mounts, in every mount namespace: those with processes are read through mountinfo, those
without are found by the kernel's walk over all mount namespaces (NS_MNT_GET_NEXT, Linux 6.12) or because
something pins them, and are read by a child that joins them.
"""
from __future__ import annotations

import errno
import os
from typing import Callable, Iterator

from .._kernel import nsfs
from .._kernel.libc import KernelLacks
from .._kernel.proc import GONE, parse_mount, unescape
from .._model.inventory import MNT, TIMED_OUT, TRUNCATED, VANISHED
from .ancestors import describe, open_namespace
from .scan import Scan, is_namespace
from .visitor import Visitor

_NSFS = b" - nsfs "
_READERS = 64  # so many processes of a mount namespace are tried
_DEPTH = 16    # of mount namespaces mounted in each other, where the kernel does not list them all


def find(scan: Scan, own: str | None) -> None:
    """Pin every namespace that is mounted somewhere; C(own) is our own mount namespace, told of first."""
    search = _Search(scan, own)
    names = [name for name, space in scan.namespaces.items() if space.type == "mnt" and space.processes]
    # Our own first: where a mount is seen in many mount namespaces, ours is the one that is named.
    names.sort(key=lambda name: name != own)
    for position, name in enumerate(names):
        if scan.late("mounts", len(names) - position):
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
    """Read the mounts of a namespace through the first of its processes that is still there and sees all of them."""
    confined: list[int] = []
    for pid in scan.members.get(name, ())[:_READERS]:
        try:
            # mountinfo shows what lies below the process's root, and names it as seen from there.
            if scan.live and scan.proc.root_of(pid) != "/":
                confined.append(pid)
                continue
            lines = _namespace_lines(scan, name, pid)
            if lines and scan.live and scan.proc.namespaces(pid)[0][MNT] != name:
                continue
        except OSError as error:
            if error.errno in GONE or error.errno == errno.EINVAL:  # EINVAL: it is exiting, its fs is gone
                continue
            scan.problems.error("mounts", error)
            return
        search.note(name, lines, pid)
        return
    # Not told of as seen: it is visited as well, where we may.
    if confined:
        search.note_part(name, _namespace_lines(scan, name, confined[0]), confined[0])
    else:
        scan.problems.add("mounts", VANISHED)


def _namespace_lines(scan: Scan, name: str, pid: int) -> list[bytes]:
    lines: list[bytes] = []
    try:
        for line in scan.proc.mount_lines(pid, "mountinfo", until=scan.clock.until):
            if _NSFS in line:
                lines.append(line)
    except OSError as error:
        if error.errno not in (errno.EFBIG, errno.ETIMEDOUT):
            raise
        scan.problems.add("mounts of %s" % name, TRUNCATED if error.errno == errno.EFBIG else TIMED_OUT)
    return lines


class _Search:
    """Mount namespaces seen so far, and where in them namespaces are mounted."""

    def __init__(self, scan: Scan, own: str | None) -> None:
        self._scan = scan
        self._own = own
        self._seen: set[str] = set()
        # Where a path did not answer: no other one is tried there.
        self._stuck: set[str | None] = set()
        self._places: dict[str, list[tuple[str, bytes]]] = {}
        self._visitor: Visitor | None = None
        self._inside: str | None = own

    def close(self) -> None:
        """End the child, where one was needed."""
        if self._visitor is not None:
            self._visitor.close()

    def note(self, name: str, lines: list[bytes], pid: int | None = None) -> list[tuple[str, bytes]]:
        """Enter the namespaces that are mounted in the mount namespace C(name); return them with their paths."""
        self._seen.add(name)
        mounts = self.note_part(name, lines, pid)
        for root, path in mounts:
            places = self._places.setdefault(root, [])
            if len(places) < 4:
                places.append((name, path))
        return mounts

    def note_part(self, name: str, lines: list[bytes], pid: int | None = None) -> list[tuple[str, bytes]]:
        """The same for lines that show a part only, with paths that hold for the process C(pid) only."""
        mounts = []
        for line in lines:
            mount = parse_mount(line)
            if mount is None or mount.fstype != "nsfs" or not is_namespace(mount.root):
                continue
            # The text of the path is for people; what is not UTF-8 can be opened by its bytes only.
            mounts.append((mount.root, unescape(line.split(b" ", 5)[4])))
            details: dict[str, object] = {"path": mount.path, "mount_namespace": name}
            if pid is not None:
                details["pid"] = pid
            self._scan.pin(mount.root, "mount", (mount.path,), **details)
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

    def _follow(self, step: Callable[[int], int]) -> Iterator[int]:
        scan = self._scan
        current: int | None = None
        try:
            current = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
            while not scan.late("mount namespaces"):
                following = step(current)
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
        """Visit mount namespaces that something pins, describe what only its mount names, until nothing is new."""
        scan = self._scan
        tried: set[str] = set()
        while True:
            todo = [
                name for name, space in scan.namespaces.items()
                if name not in tried and (name not in scan.described or space.type == "mnt" and name not in self._seen)
            ]
            if not todo:
                return
            for position, name in enumerate(todo):
                if scan.late("mounts", len(todo) - position):
                    return
                tried.add(name)
                self._look_into(name)

    def _look_into(self, name: str) -> None:
        scan = self._scan
        is_mnt = scan.namespaces[name].type == "mnt"
        # What has a way through /proc is described later, and more cheaply, by the source "ancestors".
        if scan.ways.get(name) and not (is_mnt and name not in self._seen):
            return
        descriptor = self._open_by_way(name)
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

    def _visit(self, name: str, descriptor: int, depth: int = 0) -> None:
        """Join a mount namespace, note what is mounted there, and describe what cannot be reached otherwise."""
        self._seen.add(name)
        try:
            visitor = self._enter(name, descriptor)
            lines, complete = visitor.namespace_mounts()
            if not complete:
                self._scan.problems.add("mounts of %s" % name, TRUNCATED)
            mounts = self.note(name, lines)
        except OSError as error:
            self._failed("mounts of %s" % name, error)
            return
        for root, path in mounts:
            if root in self._scan.described or self._scan.ways.get(root):
                continue
            # A visitor that hung was replaced by one that is somewhere else.
            if self._inside != name or self._scan.late("mounts"):
                return
            opened = self._open_at(root, path)
            if opened is None:
                continue
            try:
                describe(self._scan, root, opened)
                # Where the kernel lists all mount namespaces, those mounted in this one have their own turn.
                if root.startswith("mnt:") and root not in self._seen and not self._walked():
                    self._visit_nested(root, opened, depth)
                    self._enter(name, descriptor)
            except OSError as error:
                self._failed("mounts of %s" % name, error)
                return
            finally:
                os.close(opened)

    def _visit_nested(self, name: str, descriptor: int, depth: int) -> None:
        # A mount namespace can be mounted in older ones only, so there are no rings, but chains of any length.
        if depth < _DEPTH:
            self._visit(name, descriptor, depth + 1)
        else:
            self._scan.problems.add("mounts", "nested too deeply")

    def _walked(self) -> bool:
        return self._scan.features.get("mount_namespace_walk", False)

    def _open_by_way(self, name: str) -> int | None:
        try:
            return open_namespace(self._scan, name)
        except OSError:
            # Told of later, by the source "ancestors", if nothing else leads there either.
            return None

    def _open_mounted(self, name: str) -> int | None:
        """A descriptor of a namespace through a bind mount, wherever that is."""
        for place, path in self._places.get(name, ()):
            if place in self._stuck:
                continue
            if place != self._inside or self._visitor is None:
                if place == self._own and self._inside == self._own:
                    self._new_visitor()
                else:
                    door = self._open_by_way(place)
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

    def _open_at(self, name: str, path: bytes) -> int | None:
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
            self._visitor = Visitor(os.stat("/proc/self/ns/mnt").st_dev, self._scan.clock.until)
        return self._visitor

    def _failed(self, what: str, error: OSError) -> None:
        self._scan.problems.error(what, error)
        if isinstance(error, TimeoutError):
            self._stuck.add(self._inside)
            # The child was ended; the next one starts in our own mount namespace.
            self._inside = self._own

"""A name to which a namespace is pinned: what is there, and having a namespace there from one moment to the next."""
from __future__ import annotations

import errno
import os
import stat
import time
from dataclasses import dataclass
from typing import Sequence

from .._enter.target import why
from .._kernel import nsfs
from .._kernel.mounts import MNT_DETACH, MS_BIND, UMOUNT_NOFOLLOW, mount, umount2
from .._model.entry import Refused
from . import bare, elsewhere, mount_table

_YOUNG = 2.0     # seconds in which ip-netns(8) may still mount something on the file that it has made
LEFT = "a link to where it is, which does not keep it"  # of a killed run, or somebody's own


@dataclass
class Pin:
    """C(state): C(missing); C(namespace), one of the wanted type is there; C(linked), a link leads to one, as a killed
    run leaves it; C(elsewhere), one that only those in another mount namespace see there; C(other), one of another
    type; C(stale), a file or link that leads nowhere; C(taken), what is no file.

    C(fault): what is wrong with it, in words. C(ref), C(descriptor): of a namespace of the wanted type.
    """

    path: str
    kind: str
    state: str
    fault: str = ""
    ref: str = ""
    descriptor: int | None = None
    mounts: int = 0
    dead: bool = False
    finished: bool = False  # by this run, which had to clear up first

    @property
    def lives(self) -> bool:
        """Whether the namespace that is there can be entered."""
        return self.descriptor is not None and not self.dead

    @property
    def right(self) -> bool:
        """Whether there is nothing to mend."""
        return self.state == "namespace" and (self.finished or not self.fault)

    def close(self) -> None:
        """Let go of it."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


def look(path: str, kind: str, table: Sequence[mount_table.Row]) -> Pin:
    """What is there now. Raises OSError."""
    until = time.time() + _YOUNG
    while True:
        pin = _look(path, kind, table)
        # ip netns makes the file first and mounts on it later, without a lock: not to be taken for a stale one.
        if pin.state != "stale" or not _is_young(path) or time.time() > until:
            return _seen_by_others(pin) if pin.state == "stale" else pin
        time.sleep(0.02)


def _seen_by_others(pin: Pin) -> Pin:
    found = elsewhere.find(pin.path, pin.kind)
    if found is None:
        return pin
    pin.descriptor, pid = found
    pin.ref = "%s:[%d]" % (pin.kind, os.fstat(pin.descriptor).st_ino)
    pin.state, pin.fault = "elsewhere", "mounted in another mount namespace only, that of pid %d" % pid
    return pin


def _is_young(path: str) -> bool:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return True
    return stat.S_ISREG(found.st_mode) and 0 <= time.time() - found.st_ctime < _YOUNG


def _look(path: str, kind: str, table: Sequence[mount_table.Row]) -> Pin:
    try:
        # Nothing is opened yet: a FIFO is not waited for. What is mounted on a link is found, not the link.
        handle = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return Pin(path, kind, "missing")
    try:
        found = os.fstat(handle)
        if found.st_dev == _nsfs():
            pin = _opened(path, kind, "/proc/self/fd/%d" % handle)
            pin.mounts = mount_table.stacked(table, mount_table.mount_id(handle))
            if pin.state == "namespace" and pin.mounts > 1:
                pin.fault = "under a stack of %d mounts" % pin.mounts
            return pin
        if stat.S_ISLNK(found.st_mode):
            try:
                if os.stat(path).st_dev == _nsfs():
                    pin = _opened(path, kind, path)
                    if pin.state == "namespace":
                        pin.state, pin.fault = "linked", LEFT
                    return pin
            except OSError:
                pass
            return Pin(path, kind, "stale", "a link that leads to no namespace")
        if stat.S_ISREG(found.st_mode):
            return Pin(path, kind, "stale", "a plain file on which nothing is mounted")
        return Pin(path, kind, "taken", "no file")
    finally:
        os.close(handle)


def _opened(path: str, kind: str, by: str) -> Pin:
    descriptor = os.open(by, os.O_RDONLY | os.O_CLOEXEC)
    try:
        found = nsfs.ns_type(descriptor)
        ref = "%s:[%d]" % (found, os.fstat(descriptor).st_ino)
    except BaseException:
        os.close(descriptor)
        raise
    if found == kind:
        return Pin(path, kind, "namespace", "", ref, descriptor)
    os.close(descriptor)
    return Pin(path, kind, "other", "a namespace of another type, %s" % ref)


def _nsfs() -> int:
    return os.stat("/proc/self/ns/mnt").st_dev


def hide(path: str, descriptor: int) -> None:
    """Mount a namespace on a new file that nobody looks for. Raises OSError; then there is no file."""
    os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
    drop(path)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0))
    try:
        mount("/proc/self/fd/%d" % descriptor, path, None, MS_BIND)
    except BaseException:
        os.unlink(path)
        raise


def drop(path: str) -> None:
    """Undo that. Nothing there is fine. Raises OSError."""
    while True:
        try:
            umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOENT):
                raise
            break
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def drop_unless_needed(path: str, place: str) -> None:
    """The same, but where the name still is a link to it: then the next run goes on from there. Raises OSError."""
    try:
        if os.readlink(place) == path:
            return
    except OSError:
        pass  # EINVAL: the namespace is mounted on it by now
    drop(path)


def publish(pin: Pin, descriptor: int, hidden: str) -> None:
    """Have a namespace at a name where that pin was seen; C(hidden): where it is mounted already. Raises Refused.

    At each moment the name can be entered, or is not there, or what was there before is: first it is a link to the
    hidden place, then the namespace is mounted on that link, which propagates to others as a mount does.
    """
    try:
        if pin.state == "elsewhere":
            # On the file itself: they keep what they see.
            mount("/proc/self/fd/%d" % descriptor, pin.path, None, MS_BIND)
            return
        if pin.state == "missing":
            os.symlink(hidden, pin.path)
        elif pin.state != "linked" or os.readlink(pin.path) != hidden:
            bare.replace_by_link(pin.path, hidden)
        finish(pin.path, descriptor)
    except OSError as error:
        hint = "another one makes or removes it at this moment: try again"
        if error.errno not in (errno.EEXIST, errno.ENOENT):
            hint = os.strerror(error.errno or 0)
        raise Refused("%s could not be put at %s (%s): %s." % (pin.kind, pin.path, why(error), hint)) from error


def finish(path: str, descriptor: int) -> None:
    """Mount a namespace on a link that leads to it. Raises OSError."""
    link = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if stat.S_ISLNK(os.fstat(link).st_mode):
            mount("/proc/self/fd/%d" % descriptor, "/proc/self/fd/%d" % link, None, MS_BIND)
    finally:
        os.close(link)

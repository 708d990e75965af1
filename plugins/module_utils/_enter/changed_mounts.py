"""How the mount table of a target changes. It has no author: any difference counts."""
from __future__ import annotations

import os
from collections import Counter
from typing import List, NamedTuple

from .._kernel.fanotify import identity
from .._kernel.in_root import open_in_root
from .._model.entry import Changes, Target
from .mount_view import MountLine, MountView
from .plain import plain

# Where an overlay keeps its layers is the engine's business, and long.
_LAYERS = ("lowerdir=", "upperdir=", "workdir=", "lowerdir+=", "datadir+=")


class Which(NamedTuple):
    """C(depth): the how manyth it is of those at one path, the last of which is seen; C(what) as C(_what) tells it."""

    depth: int
    what: bytes


class MountChanges:
    """The mount table from now until C(after); close it when done. C(until), of time.monotonic(): for opening it."""

    def __init__(self, target: Target, until: float) -> None:
        self._view: MountView | None = None
        self._unproven = ""
        try:
            self._view = MountView(target, until)
        except OSError as error:
            self._unproven = "the mount table could not be opened: %s" % error.strerror
        self._before = self._lines()

    def after(self) -> Changes:
        """What differs since."""
        after = self._lines()
        if self._unproven:
            return Changes(unproven=[self._unproven])
        found = difference([line for line, dummy in self._before], [line for line, dummy in after])
        old = dict(self._before)
        told = {*found.before, *found.after}
        for line, which in dict(after).items():
            was = which if line in told else old[line]
            if was.depth != which.depth or b"" not in (was.what, which.what) and was.what != which.what:
                found.before.append(line)
                found.after.append(line + ", another one")
        return found

    def close(self) -> None:
        """Let go of it."""
        if self._view is not None:
            self._view.close()

    def _lines(self) -> list[tuple[str, Which]]:
        if self._view is None:
            return []
        depths: Counter[str] = Counter()
        found = []
        try:
            for mount in self._view.read():
                depths[mount.path] += 1
                found.append((mount_line(mount), Which(depths[mount.path], _what(mount, self._view.root))))
        except OSError as error:
            self._unproven = "the mount table could not be read: %s" % error.strerror
        return found


def _what(mount: MountLine, root: int) -> bytes:
    """What tells a mount from one that looks the same; empty where nothing does."""
    if mount.fstype != "tmpfs":
        # The layers of an overlay; a disk by its number, where it has one.
        layers = [option for option in mount.super_options.split(",") if option.startswith(_LAYERS)]
        return os.fsencode(" ".join([*layers, "" if mount.device.startswith("0:") else mount.device]).strip())
    try:
        found = open_in_root(root, mount.path)
    except OSError:
        return b""
    try:
        # Unmounted and mounted again it is empty. Numbers of devices and inodes are used again, f_fsid is not.
        device = os.fstat(found).st_dev
        seen = "%d:%d" % (os.major(device), os.minor(device)) == mount.device
        return identity(found)[1] if seen else b""
    except OSError:
        return b""
    finally:
        os.close(found)


def mount_line(mount: MountLine) -> str:
    """One mount as people read it: C(mount /mnt: tmpfs tmpfs rw,relatime)."""
    kept = [option for option in mount.super_options.split(",") if not option.startswith(_LAYERS)]
    parts = ["mount %s: %s" % (mount.path, mount.fstype), mount.source, mount.options]
    if mount.root != "/":
        parts.insert(2, "of " + mount.root)
    if kept and kept != ["rw"]:
        parts.append("(%s)" % ",".join(kept))
    if mount.propagation:
        parts.append({"master": "slave", "shared master": "slave and shared"}.get(mount.propagation, mount.propagation))
    return plain(" ".join(parts))


def difference(before: List[str], after: List[str]) -> Changes:
    """The lines that only one side has, as often as it has them more often."""
    old, new = Counter(before), Counter(after)
    return Changes(list((old - new).elements()), list((new - old).elements()))

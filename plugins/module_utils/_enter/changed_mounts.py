"""How the mount table of a target changes. It has no author: any difference counts."""
from __future__ import annotations

from collections import Counter
from typing import List

from .._model.entry import Changes, Target
from .mount_view import MountLine, MountView
from .plain import plain

# Where an overlay keeps its layers is the engine's business, and long.
_LAYERS = ("lowerdir=", "upperdir=", "workdir=", "lowerdir+=", "datadir+=")


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
        return Changes(unproven=[self._unproven]) if self._unproven else difference(self._before, after)

    def close(self) -> None:
        """Let go of it."""
        if self._view is not None:
            self._view.close()

    def _lines(self) -> list[str]:
        if self._view is None:
            return []
        try:
            return [mount_line(mount) for mount in self._view.read()]
        except OSError as error:
            self._unproven = "the mount table could not be read: %s" % error.strerror
            return []


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

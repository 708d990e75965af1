"""The directory trees and files that a target can write to, and how they are found again."""
from __future__ import annotations

import os
from typing import NamedTuple, Tuple

from .._kernel.fanotify import identity


class Spot(NamedTuple):
    """Where a file or directory lies: at C(path) of the target, or (not C(inside)) of the host. C(file): what it is.

    What is open keeps a mount busy, so that the command could not unmount it: meanwhile only this is remembered.
    """

    path: str
    inside: bool
    file: Tuple[int, int, bytes]  # st_dev, st_ino, f_fsid


class Place(NamedTuple):
    """A directory tree that the target sees at C(point).

    C(descriptor): its top, opened for reading, or -1 while it is let go. C(top): the path of that as readlink of
    /proc/self/fd gives it, from which the paths of files in it start. C(upper): it is the upper directory of an
    overlay, C(work) that one's work directory, C(lowers) its lower ones, the topmost first. C(in_memory): writes
    through a mapping leave no trace there.
    """

    descriptor: int
    top: str
    point: str
    upper: bool
    work: str
    lowers: Tuple[str, ...]
    in_memory: bool
    spot: Spot


class Single(NamedTuple):
    """A file that is a mount itself (/etc/hosts of most containers), as an O_PATH descriptor, or -1 as above."""

    descriptor: int
    point: str
    spot: Spot


def open_path(path: str) -> int:
    """An O_PATH descriptor. Raises OSError."""
    return os.open(path, os.O_PATH | os.O_CLOEXEC)


def file_of(descriptor: int) -> tuple[int, int, bytes]:
    """What an open file is, for a Spot. Raises OSError."""
    # The number of the device and that of the root directory are soon those of the next tmpfs: only f_fsid is not.
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino, identity(descriptor)[1]

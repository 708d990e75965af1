"""Files of /proc and cgroups: what is written to them is one order, and takes one write(2)."""
from __future__ import annotations

import os

from .libc import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write to a file that exists, at once. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)

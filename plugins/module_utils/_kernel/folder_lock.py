"""flock(2) on a folder, by which those who change what is mounted there take turns; ip-netns(8) does so, too."""

from __future__ import annotations

import errno
import fcntl
import os
import time

_TURN = 0.01  # seconds


def lock(path: str, until: float) -> int:
    """A descriptor of the folder, locked until it is closed. Raises OSError; TimeoutError: not before C(until)."""
    while True:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _take(descriptor, until)
            # Who had it before us may have put another folder there.
            if os.path.samestat(os.stat(path), os.fstat(descriptor)):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _take(descriptor: int, until: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EINTR):
                raise
        if time.monotonic() >= until:
            raise TimeoutError(errno.ETIMEDOUT, "another one has it locked")
        time.sleep(_TURN)

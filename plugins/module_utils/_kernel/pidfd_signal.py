"""Signals to processes named by pidfds. Apart from pidfd.py because who only looks sends none."""

from __future__ import annotations

import errno
import functools
import os
import signal
from typing import Callable

from .libc import KernelLacks, failure, syscall

PIDFD_SIGNAL_THREAD = 1
PIDFD_SIGNAL_THREAD_GROUP = 2
PIDFD_SIGNAL_PROCESS_GROUP = 4


def pidfd_send_signal(pidfd: int, sig: int, flags: int = 0) -> None:
    """Signal the process, its thread or its group; pidfd_send_signal(2), 5.1, flags (PIDFD_SIGNAL_*) 6.9.

    ESRCH: it has ended (0 as ``sig`` only asks). EPERM: not allowed. EBADF: not a pidfd.
    """
    try:
        _sender()(pidfd, sig, flags)
    except OSError as error:
        if error.errno == errno.ENOSYS:
            raise failure("pidfd_send_signal", errno.ENOSYS) from error
        if error.errno == errno.EINVAL and flags in (1, 2, 4) and 0 <= sig < signal.NSIG:
            raise KernelLacks("pidfd_send_signal with PIDFD_SIGNAL_*", "6.9", errno.EINVAL) from error
        raise OSError(error.errno, "pidfd_send_signal: " + os.strerror(error.errno or 0)) from error


def _sender() -> Callable[[int, int, int], object]:
    send: Callable[..., object] = getattr(signal, "pidfd_send_signal", None) or functools.partial(
        syscall, "pidfd_send_signal"
    )
    return lambda pidfd, sig, flags: send(pidfd, sig, None, flags)

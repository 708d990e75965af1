"""System calls by name: libc's wrapper where there is one, else syscall(2) with this machine's number.

ctypes is imported at the first call, not with this file: it costs about 10 ms, and nsfs and /proc do without it.
"""

from __future__ import annotations

import errno
import functools
import os
import sys
from typing import Any, Callable, Union

Path = Union[str, bytes, "os.PathLike[str]"]

# Name, x86_64, aarch64, first Linux. Sources: arch/x86/entry/syscalls/syscall_64.tbl, and for aarch64
# include/uapi/asm-generic/unistd.h (scripts/syscall.tbl since 6.11). From 424 on the numbers are the same.
_CALLS = """
capget 125 90 2.2  capset 126 91 2.2  pivot_root 155 41 2.4
prctl 157 167 2.2  mount 165 40 1.0  umount2 166 39 2.2  mq_getsetattr 245 185 2.6.6  unshare 272 97 2.6.16
perf_event_open 298 241 2.6.31  fanotify_init 300 262 2.6.36  fanotify_mark 301 263 2.6.36
name_to_handle_at 303 264 2.6.39  open_by_handle_at 304 265 2.6.39  setns 308 268 3.0  kcmp 312 272 3.5
seccomp 317 277 3.17  renameat2 316 276 3.15
memfd_create 319 279 3.17  pidfd_send_signal 424 424 5.1  open_tree 428 428 5.2
move_mount 429 429 5.2  fsopen 430 430 5.2  fsconfig 431 431 5.2  fsmount 432 432 5.2  pidfd_open 434 434 5.3
clone3 435 435 5.3  close_range 436 436 5.9  openat2 437 437 5.6  pidfd_getfd 438 438 5.6  mount_setattr 442 442 5.12
landlock_create_ruleset 444 444 5.13  landlock_add_rule 445 445 5.13  landlock_restrict_self 446 446 5.13
statmount 457 457 6.8  listmount 458 458 6.8  listns 470 470 6.19
"""
CALLS: dict[str, tuple[int, int, str]] = {
    name: (int(x86_64), int(aarch64), since)
    for name, x86_64, aarch64, since in zip(*[iter(_CALLS.split())] * 4)
}


class KernelLacks(OSError):
    """This kernel does not have ``call`` (a system call, flag or ioctl); ``since``: the first Linux that has, or ""."""

    def __init__(self, call: str, since: str = "", code: int = errno.ENOSYS) -> None:
        super().__init__(code, "this kernel has no %s%s" % (call, " (Linux %s or newer)" % since if since else ""))
        self.call = call
        self.since = since

    def __str__(self) -> str:
        return str(self.strerror)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.call, self.since, self.errno)


def failure(call: str, code: int, since: str = "") -> OSError:
    """The exception for errno ``code`` of ``call``: KernelLacks for ENOSYS, else OSError or its usual subclass."""
    if code == errno.ENOSYS:
        return KernelLacks(call, since or (CALLS[call][2] if call in CALLS else ""))
    return OSError(code, "%s: %s" % (call, os.strerror(code)))


@functools.lru_cache(maxsize=None)
def libc() -> Any:
    """The C library that is already in this process (glibc or musl), with errno kept per thread."""
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def libc_has(name: str) -> bool:
    """Whether libc exports a wrapper of that name (glibc got most of ours between 2.14 and 2.36)."""
    return hasattr(libc(), name)


def number(name: str) -> int:
    """The system call's number on this machine; KernelLacks on a machine whose numbers are not recorded here."""
    machine = os.uname().machine
    # A 32-bit Python on a 64-bit kernel would need other numbers although uname names the kernel's machine.
    if sys.maxsize > 2**32:
        if machine == "x86_64":
            return CALLS[name][0]
        if machine in ("aarch64", "aarch64_be"):
            return CALLS[name][1]
    raise KernelLacks("%s known to this collection on %s (%d bit)" % (name, machine, sys.maxsize.bit_length() + 1))


def syscall(name: str, *args: Any, since: str = "") -> int:
    """Call ``name``; integers go as 64-bit words, anything else (bytes, None, ctypes objects) as ctypes passes it.

    Raises KernelLacks for ENOSYS and OSError with the errno and the call's name for any other failure. A call that a
    signal interrupted (EINTR) is not repeated here: whether that is right depends on the call.
    """
    import ctypes

    words = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in args]
    if libc_has(name):
        function = libc()[name]
    else:
        function = libc()["syscall"]
        function.restype = ctypes.c_long
        words.insert(0, ctypes.c_long(number(name)))
    result = int(function(*words))
    if result == -1:
        raise failure(name, ctypes.get_errno(), since)
    return result


@functools.lru_cache(maxsize=None)
def bind(name: str, arguments: int) -> Callable[..., int]:
    """The same call as a prepared function of exactly ``arguments`` integers, for those made thousands of times.

    It returns -1 on failure; ``raise failure(name, last_errno())`` says why.
    """
    import ctypes

    if libc_has(name):
        function = libc()[name]
        function.argtypes = [ctypes.c_long] * arguments
        wrapper: Callable[..., int] = function
        return wrapper
    function = libc()["syscall"]
    function.argtypes = [ctypes.c_long] * (arguments + 1)
    function.restype = ctypes.c_long
    return functools.partial(function, number(name))


def path_bytes(path: Path) -> bytes:
    """The path as the kernel wants it; ValueError for an embedded NUL, at which ctypes would cut it silently."""
    encoded = os.fsencode(path)
    if b"\0" in encoded:
        raise ValueError("embedded null byte in the path %r" % (path,))
    return encoded


def last_errno() -> int:
    """errno of this thread's last call through ``bind``."""
    import ctypes

    return ctypes.get_errno()

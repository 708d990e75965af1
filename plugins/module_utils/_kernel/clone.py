"""clone3(2) used as fork: a child that starts in new namespaces, in a cgroup, with a pidfd, all in one step."""

from __future__ import annotations

import errno
import os
import signal
import struct
from typing import NamedTuple, Sequence

from .libc import KernelLacks, failure, number
from .namespaces import CLONE_NEWTIME

CLONE_VM = 0x00000100
CLONE_SIGHAND = 0x00000800
CLONE_PIDFD = 0x00001000
CLONE_VFORK = 0x00004000
CLONE_PARENT = 0x00008000
CLONE_THREAD = 0x00010000
CLONE_SETTLS = 0x00080000
CLONE_PARENT_SETTID = 0x00100000
CLONE_CHILD_CLEARTID = 0x00200000
CLONE_CHILD_SETTID = 0x01000000
CLONE_CLEAR_SIGHAND = 1 << 32
CLONE_INTO_CGROUP = 1 << 33

# What a Python child cannot live with: memory, threads or signal handlers shared with the parent, foreign pointers.
_NOT_A_FORK = (
    CLONE_VM
    | CLONE_SIGHAND
    | CLONE_VFORK
    | CLONE_THREAD
    | CLONE_SETTLS
    | CLONE_PARENT_SETTID
    | CLONE_CHILD_CLEARTID
    | CLONE_CHILD_SETTID
)
_NEWER_THAN_CLONE3: dict[int, str] = {CLONE_NEWTIME: "5.6", CLONE_CLEAR_SIGHAND: "5.5", CLONE_INTO_CGROUP: "5.7"}


class CloneResult(NamedTuple):
    """``pid`` is 0 in the child; ``pidfd`` (close-on-exec, the caller's to close) only where it was asked for."""

    pid: int
    pidfd: int | None


def clone3_fork(
    flags: int = 0,
    *,
    exit_signal: int = signal.SIGCHLD,
    pidfd: bool = False,
    cgroup_fd: int | None = None,
    set_tid: Sequence[int] = (),
) -> CloneResult:
    """fork() with ``flags`` (CLONE_NEW*, CLONE_CLEAR_SIGHAND and the like) of clone3(2), 5.3; returns twice.

    Python's own fork hooks run (os.register_at_fork, import lock, GIL, signals), as with os.fork. libc's do not: a raw
    clone passes by pthread_atfork, so that a lock another thread holds (malloc's for one) would stay locked in the
    child for ever, and libc's own note of the thread's id is the parent's. The process must therefore have
    one thread only: with more this is refused (EINVAL), and the child should soon exec or _exit.

    ``cgroup_fd``: a directory of cgroup v2 the child starts in (5.7). ``set_tid``: the pids to get, innermost
    namespace first (5.5). ValueError: a flag that is not for forks. EPERM: needs CAP_SYS_ADMIN (but with
    CLONE_NEWUSER). EBUSY, EOPNOTSUPP, ENOENT, EACCES: the cgroup cannot be used. EEXIST: a pid of ``set_tid`` is taken.
    KernelLacks: no clone3, or not with such a flag.
    """
    if flags & _NOT_A_FORK or exit_signal & ~0xFF:
        raise ValueError("clone3_fork: 0x%x is not for forks" % (flags & _NOT_A_FORK or exit_signal))
    threads = _threads()
    if threads > 1:
        raise OSError(errno.EINVAL, "clone3_fork: the process has %d threads" % threads)
    import ctypes

    slot = ctypes.c_int(-1)
    pids = (ctypes.c_int * len(set_tid))(*set_tid)
    if pidfd:
        flags |= CLONE_PIDFD
    if cgroup_fd is not None:
        flags |= CLONE_INTO_CGROUP
    arguments = [
        flags,
        ctypes.addressof(slot) if pidfd else 0,
        0,  # child_tid
        0,  # parent_tid
        exit_signal,
        0,  # stack: none, the child goes on with a copy of ours
        0,  # stack_size
        0,  # tls
        ctypes.addressof(pids) if set_tid else 0,
        len(set_tid),
        cgroup_fd or 0,
    ]
    python = ctypes.pythonapi
    system = ctypes.PyDLL(None, use_errno=True)["syscall"]  # PyDLL: the GIL is kept, as os.fork keeps it
    system.restype = ctypes.c_long
    request = struct.pack("=11Q", *arguments)
    call = (ctypes.c_long(number("clone3")), request, ctypes.c_long(len(request)))
    # os.fork does this in C, where no handler of Python's can run (and raise) while the import lock is held.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        python.PyOS_BeforeFork()
        pid = int(system(*call))
        code = ctypes.get_errno()
        if pid == 0:
            python.PyOS_AfterFork_Child()
        else:
            python.PyOS_AfterFork_Parent()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    if pid == 0:
        return CloneResult(0, None)
    if pid < 0:
        raise _refused(code, flags, set_tid)
    return CloneResult(pid, slot.value if pidfd else None)


def _threads() -> int:
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        import threading

        return threading.active_count()


def _refused(code: int, flags: int, set_tid: Sequence[int]) -> OSError:
    if code == errno.E2BIG:
        # A kernel whose struct clone_args is shorter takes ours as long as what it does not know is zero.
        if set_tid:
            return KernelLacks("clone3 with set_tid", "5.5", code)
        return KernelLacks("clone3 with CLONE_INTO_CGROUP", "5.7", code)
    if code == errno.EINVAL:
        for flag in _bits(flags):
            if (flag >= 1 << 32 or flag == CLONE_NEWTIME) and not _flag_is_known(flag):
                return KernelLacks("clone3 with flag 0x%x" % flag, _NEWER_THAN_CLONE3.get(flag, ""), code)
    return failure("clone3", code)


def _bits(mask: int) -> list[int]:
    return [1 << bit for bit in range(mask.bit_length()) if mask >> bit & 1]


def _flag_is_known(flag: int) -> bool:
    # EINVAL has many reasons. An unknown flag is refused first of all; a known one gets as far as the last
    # step before the child would start, which fails as there is no memory at address 1 to put a pidfd.
    import ctypes

    system = ctypes.PyDLL(None, use_errno=True)["syscall"]
    system.restype = ctypes.c_long
    nowhere = 1
    request = struct.pack("=11Q", flag | CLONE_PIDFD, nowhere, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    pid = int(system(ctypes.c_long(number("clone3")), request, ctypes.c_long(len(request))))
    if pid == 0:
        os._exit(0)
    if pid > 0:
        os.waitpid(pid, 0x40000000)  # __WALL: it has no exit signal
        return True
    return ctypes.get_errno() != errno.EINVAL

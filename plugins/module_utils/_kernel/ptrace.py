"""The seccomp filters of another process, read by ptrace(2): PTRACE_SECCOMP_GET_FILTER, 4.4, METADATA, 4.16."""

from __future__ import annotations

import errno
import os
import struct
import time
from typing import List, NamedTuple

from .libc import KernelLacks, syscall

PTRACE_DETACH = 17
PTRACE_SEIZE = 0x4206
PTRACE_INTERRUPT = 0x4207
PTRACE_SECCOMP_GET_FILTER = 0x420C
PTRACE_SECCOMP_GET_METADATA = 0x420D
WALL = 0x40000000  # wait(2): also for what is traced and not our child

_INSTRUCTION = 8  # bytes of a struct sock_filter
_MOST = 1000      # filters; the kernel stops at 32,768 instructions in all


class SeccompFilter(NamedTuple):
    """C(program): an array of struct sock_filter. C(flags): SECCOMP_FILTER_FLAG_*; the kernel tells LOG only."""

    program: bytes
    flags: int


def seccomp_filters(pid: int, timeout: float = 1.0) -> List[SeccompFilter]:
    """The filters of a thread, oldest first. It is stopped meanwhile, for well under a millisecond.

    A call it sleeps in goes on afterwards as after SIGCONT: epoll_wait(2), semop(2) and a few others return EINTR,
    signal(7).

    EACCES: the caller is under a filter itself, or lacks CAP_SYS_ADMIN in the initial user namespace. EPERM: it is
    traced already, or may not be (yama, CAP_SYS_PTRACE). EMEDIUMTYPE: a filter is kept in no form that can be read.
    ESRCH: it has ended. ETIMEDOUT (TimeoutError): it does not stop, as it is in uninterruptible sleep or frozen; the
    kernel lets go of it when the caller ends, and not before: end soon. KernelLacks: no CONFIG_CHECKPOINT_RESTORE.
    """
    syscall("ptrace", PTRACE_SEIZE, pid, 0, 0)
    resume = 0
    try:
        syscall("ptrace", PTRACE_INTERRUPT, pid, 0, 0)
        resume = _stopped(pid, time.monotonic() + timeout)
        return _filters(pid)
    finally:
        try:
            syscall("ptrace", PTRACE_DETACH, pid, 0, resume)
        except ProcessLookupError:  # ended, or never stopped
            pass


def _stopped(pid: int, deadline: float) -> int:
    """Wait until the thread is stopped; the signal it has to go on with, as it was about to get it, or 0."""
    pause = 0.00002
    while True:
        # By its pid: nobody else's child is waited for.
        found, status = os.waitpid(pid, os.WNOHANG | WALL)
        if found:
            break
        if time.monotonic() > deadline:
            raise TimeoutError(errno.ETIMEDOUT, "ptrace: process %d does not stop" % pid)
        time.sleep(pause)
        pause = min(pause * 2, 0.01)
    if not os.WIFSTOPPED(status):
        raise ProcessLookupError(errno.ESRCH, "ptrace: process %d has ended" % pid)
    # PTRACE_EVENT_STOP, of our interrupt or of job control, is no signal: given again it would be one.
    return 0 if status >> 16 else os.WSTOPSIG(status)


def _filters(pid: int) -> List[SeccompFilter]:
    import ctypes

    found: List[SeccompFilter] = []
    while len(found) < _MOST:
        try:
            # Without a buffer it tells the length. Number 0 is the oldest.
            length = syscall("ptrace", PTRACE_SECCOMP_GET_FILTER, pid, len(found), 0)
            program = ctypes.create_string_buffer(length * _INSTRUCTION)
            syscall("ptrace", PTRACE_SECCOMP_GET_FILTER, pid, len(found), program)
        except OSError as error:
            if error.errno == errno.ENOENT:
                return found
            if error.errno == errno.EINVAL and not found:
                if _has_filter(pid):
                    what = "PTRACE_SECCOMP_GET_FILTER (CONFIG_CHECKPOINT_RESTORE)"
                    raise KernelLacks(what, "", errno.EINVAL) from error
                return found
            raise
        metadata = ctypes.create_string_buffer(struct.pack("=QQ", len(found), 0), 16)
        syscall("ptrace", PTRACE_SECCOMP_GET_METADATA, pid, len(metadata), metadata)
        found.append(SeccompFilter(program.raw, struct.unpack("=QQ", metadata.raw)[1]))
    raise OSError(errno.E2BIG, "more than %d seccomp filters" % _MOST)


def _has_filter(pid: int) -> bool:
    with open("/proc/%d/status" % pid, "rb") as status:
        return b"\nSeccomp:\t2\n" in status.read(65536)

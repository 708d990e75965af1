"""What a process says about itself: prctl(2). Its privileges are in privileges.py."""

from __future__ import annotations

from .libc import syscall

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4


def prctl(option: int, arg2: int = 0, arg3: int = 0, arg4: int = 0, arg5: int = 0) -> int:
    """prctl(2). EINVAL: an option this kernel does not know, or a wrong argument."""
    return syscall("prctl", option, arg2, arg3, arg4, arg5)


def set_dumpable(dumpable: bool) -> None:
    """Whether equals may trace the process and read its /proc files (PR_SET_DUMPABLE, 2.4; whole process).

    exec and a change of credentials undo it.
    """
    prctl(PR_SET_DUMPABLE, int(dumpable))


def set_pdeathsig(sig: int) -> None:
    """The signal this process gets when the thread that made it ends; 0 for none (PR_SET_PDEATHSIG, 2.1.57).

    Not inherited by children, and lost with a change of credentials. A parent that died before the call is not noticed:
    compare os.getppid() afterwards.
    """
    prctl(PR_SET_PDEATHSIG, sig)

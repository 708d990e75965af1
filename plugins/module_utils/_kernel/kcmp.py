"""kcmp(2): do two tasks share a kernel object?"""

from __future__ import annotations

from .libc import bind, failure, last_errno

KCMP_FILES = 2


def same_files(pid1: int, pid2: int) -> bool:
    """Whether two tasks (processes or threads) use one table of descriptors; kcmp(2) KCMP_FILES, 3.5.

    ESRCH: one has ended. EPERM: needs PTRACE_MODE_READ_REALCREDS over both. KernelLacks: built without CONFIG_KCMP
    (before 5.12 that needed CONFIG_CHECKPOINT_RESTORE).
    """
    return compare_files(pid1, pid2) == 0


def compare_files(pid1: int, pid2: int) -> int:
    """The same as an order, by which tables can be sorted: 0 equal, -1 the first is lower, 1 it is higher."""
    result = bind("kcmp", 5)(pid1, pid2, KCMP_FILES, 0, 0)
    if result < 0:
        raise failure("kcmp", last_errno())
    return (0, -1, 1, 1)[result]

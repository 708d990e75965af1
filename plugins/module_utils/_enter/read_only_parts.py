"""Landlock for a command that may only look, and what of read_only this kernel lacks."""
from __future__ import annotations

import os
import stat
from typing import Dict, List, Sequence

from .._kernel import landlock, seccomp
from .._kernel.executor import Block, Executor, Step, step

_AT_FDCWD = -100
_OPEN = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
# Where writing changes nothing, and their device numbers: the container may have put another device there.
DEVICES = {
    "/dev/null": (1, 3), "/dev/zero": (1, 5), "/dev/full": (1, 7), "/dev/random": (1, 8), "/dev/urandom": (1, 9),
    "/dev/tty": (5, 0),
}


def parts() -> Dict[str, bool]:
    """Which parts of read_only this kernel has, by the name under which a missing one is told."""
    version = landlock.abi()
    return {
        "Landlock (Linux 5.13), so it may write to devices and reach other mount namespaces": version >= 1,
        "Landlock's rights to device control (Linux 6.10)": version >= 5,
        "Landlock's scope of signals (Linux 6.12), so it may end other processes": version >= 6,
        "seccomp filters": seccomp.has_filters(),
    }


def missing() -> List[str]:
    """The reasons why nothing is proved here; empty: C(changed: false) is."""
    return ["read_only without " + name for name, there in parts().items() if not there]


def restrict_files(executor: Executor, scratch: Sequence[str]) -> List[Step]:
    """The steps that put the executor under Landlock, for which all is made ready here.

    All can be read and executed, written only what is in C(scratch) and harmless devices. Pipes, sockets and memory
    files are not Landlock's: what a process has open, it can open again by /dev/stdout. To be called when the mounts
    are made: a process under Landlock cannot mount. The steps need no_new_privs. None where the kernel has no Landlock:
    C(missing) tells. Raises OSError.
    """
    version = landlock.abi()
    if not version:
        return []
    every = landlock.handled_files(version)
    attributes = landlock.ruleset(version)
    ruleset = executor.call("landlock_create_ruleset", Block(attributes), len(attributes), 0)
    _allow(executor, ruleset, "/", landlock.EXECUTE | landlock.READ_FILE | landlock.READ_DIR)
    for place in scratch:
        _allow(executor, ruleset, place, every)
    rights = every & landlock.OF_A_FILE & ~landlock.EXECUTE
    for path, device in DEVICES.items():
        _allow(executor, ruleset, path, rights, device)
    return [step("landlock_restrict_self", ruleset, 0), step("close", ruleset)]


def _allow(executor: Executor, ruleset: int, path: str, rights: int, device: tuple[int, int] | None = None) -> None:
    try:
        # What is mounted over a link lies where the link leads.
        flags = _OPEN if device is not None else _OPEN & ~os.O_NOFOLLOW
        descriptor = executor.call("openat", _AT_FDCWD, os.fsencode(path), flags, 0)
    except (FileNotFoundError, NotADirectoryError):
        return
    # Looked at from here, and not opened by it: a device may do something when it is.
    found = executor.seen(lambda: os.stat("/proc/%d/fd/%d" % (executor.pid, descriptor)))
    right = stat.S_ISDIR(found.st_mode) if device is None else (
        stat.S_ISCHR(found.st_mode) and (os.major(found.st_rdev), os.minor(found.st_rdev)) == device
    )
    if right:
        rule = Block(landlock.path_beneath(rights, descriptor))
        executor.call("landlock_add_rule", ruleset, landlock.RULE_PATH_BENEATH, rule, 0)
    executor.call("close", descriptor)

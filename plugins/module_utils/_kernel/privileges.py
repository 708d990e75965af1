"""What this process may do: prctl(2), capget(2) and capset(2). All of it is per thread unless said otherwise."""

from __future__ import annotations

import errno
import struct
from typing import NamedTuple

from .libc import KernelLacks, syscall
from .prctl import prctl

PR_GET_PDEATHSIG = 2
PR_GET_DUMPABLE = 3
PR_SET_CHILD_SUBREAPER = 36
PR_GET_CHILD_SUBREAPER = 37
PR_GET_KEEPCAPS = 7
PR_SET_KEEPCAPS = 8
PR_GET_SECCOMP = 21
PR_CAPBSET_READ = 23
PR_CAPBSET_DROP = 24
PR_GET_SECUREBITS = 27
PR_SET_SECUREBITS = 28
PR_SET_NO_NEW_PRIVS = 38
PR_GET_NO_NEW_PRIVS = 39
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_IS_SET = 1
PR_CAP_AMBIENT_RAISE = 2
PR_CAP_AMBIENT_LOWER = 3
PR_CAP_AMBIENT_CLEAR_ALL = 4

_LINUX_CAPABILITY_VERSION_3 = 0x20080522


class CapabilitySets(NamedTuple):
    """64-bit masks: bit N is capability number N."""

    effective: int
    permitted: int
    inheritable: int


def get_dumpable() -> int:
    """0 not, 1 dumpable, 2 readable by root only (sysctl fs.suid_dumpable)."""
    return prctl(PR_GET_DUMPABLE)


def set_child_subreaper(subreaper: bool) -> None:
    """Whether orphans below this process become its children (PR_SET_CHILD_SUBREAPER, 3.4; whole process)."""
    prctl(PR_SET_CHILD_SUBREAPER, int(subreaper))


def get_child_subreaper() -> bool:
    """Whether this process is a subreaper."""
    import ctypes

    answer = ctypes.c_int()
    prctl(PR_GET_CHILD_SUBREAPER, ctypes.addressof(answer))
    return bool(answer.value)


def set_no_new_privs() -> None:
    """From now on no exec gives privileges (PR_SET_NO_NEW_PRIVS, 3.5; cannot be undone, is inherited)."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def get_no_new_privs() -> bool:
    """Whether ``set_no_new_privs`` holds."""
    return bool(prctl(PR_GET_NO_NEW_PRIVS))


def set_keepcaps(keep: bool) -> None:
    """Whether the permitted set outlives setuid away from 0 (PR_SET_KEEPCAPS, 2.2.18; cleared by exec)."""
    prctl(PR_SET_KEEPCAPS, int(keep))


def get_securebits() -> int:
    """The SECBIT_* of capabilities(7) (PR_GET_SECUREBITS, 2.6.26)."""
    return prctl(PR_GET_SECUREBITS)


def set_securebits(bits: int) -> None:
    """Set them (PR_SET_SECUREBITS, 2.6.26). EPERM: needs CAP_SETPCAP, or one is locked."""
    prctl(PR_SET_SECUREBITS, bits)


def get_seccomp() -> int:
    """0 none, 2 a filter (PR_GET_SECCOMP, 2.6.23). KernelLacks: built without. Kills a process in strict mode."""
    try:
        return prctl(PR_GET_SECCOMP)
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise KernelLacks("seccomp", "", errno.EINVAL) from error
        raise


def capbset_has(capability: int) -> bool:
    """Whether the bounding set has it (PR_CAPBSET_READ, 2.6.25). EINVAL: the kernel knows no such number."""
    return bool(prctl(PR_CAPBSET_READ, capability))


def capbset_drop(capability: int) -> None:
    """Remove it from the bounding set for good (PR_CAPBSET_DROP, 2.6.25). EPERM: needs CAP_SETPCAP."""
    prctl(PR_CAPBSET_DROP, capability)


def ambient_has(capability: int) -> bool:
    """Whether the ambient set has it (PR_CAP_AMBIENT_IS_SET, 4.3)."""
    return bool(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, capability))


def ambient_raise(capability: int) -> None:
    """Add it to the ambient set (PR_CAP_AMBIENT_RAISE, 4.3). EPERM: it is not both permitted and inheritable."""
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)


def ambient_lower(capability: int) -> None:
    """Remove it from the ambient set (PR_CAP_AMBIENT_LOWER, 4.3)."""
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, capability)


def ambient_clear() -> None:
    """Empty the ambient set (PR_CAP_AMBIENT_CLEAR_ALL, 4.3)."""
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)


def capget(pid: int = 0) -> CapabilitySets:
    """The three sets of a thread (0: the caller); capget(2), version 3 since 2.6.26. ESRCH: no such thread."""
    import ctypes

    header = struct.pack("=Ii", _LINUX_CAPABILITY_VERSION_3, pid)
    data = ctypes.create_string_buffer(24)
    syscall("capget", header, data)
    words = struct.unpack("=6I", data.raw)
    return CapabilitySets(words[0] | words[3] << 32, words[1] | words[4] << 32, words[2] | words[5] << 32)


def capset(sets: CapabilitySets) -> None:
    """Set the caller's three sets; capset(2), version 3 since 2.6.26.

    EPERM: a capability that is not permitted now, effective but not permitted, or inheritable beyond the bounding set.
    """
    words = [word >> shift & 0xFFFFFFFF for shift in (0, 32) for word in sets]
    header = struct.pack("=Ii", _LINUX_CAPABILITY_VERSION_3, 0)
    syscall("capset", header, struct.pack("=6I", *words))

"""Landlock: what landlock_create_ruleset(2), landlock_add_rule(2) and landlock_restrict_self(2) take (5.13)."""

from __future__ import annotations

import struct

from .libc import KernelLacks, syscall

CREATE_RULESET_VERSION = 1
RULE_PATH_BENEATH = 1

EXECUTE = 1 << 0
WRITE_FILE = 1 << 1
READ_FILE = 1 << 2
READ_DIR = 1 << 3
TRUNCATE = 1 << 14   # ABI 3, Linux 6.2
IOCTL_DEV = 1 << 15  # ABI 5, Linux 6.10
# What a rule about something that is no folder may give.
OF_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV

# Highest bit of handled_access_fs by ABI: what is younger is ABI 5's.
_HIGHEST = {1: 12, 2: 13, 3: 14, 4: 14}
_HIGHEST_NOW = 15

SCOPE_ABSTRACT_UNIX_SOCKET = 1 << 0  # ABI 6, Linux 6.12
SCOPE_SIGNAL = 1 << 1


def abi() -> int:
    """The kernel's ABI version, 0 where there is no Landlock (not built, or not among the boot option lsm=)."""
    try:
        return syscall("landlock_create_ruleset", None, 0, CREATE_RULESET_VERSION)
    except OSError:  # ENOSYS, EOPNOTSUPP
        return 0


def handled_files(version: int) -> int:
    """All rights to files that an ABI knows."""
    if version < 1:
        raise KernelLacks("Landlock", "5.13")
    return (2 << _HIGHEST.get(version, _HIGHEST_NOW)) - 1


def ruleset(version: int) -> bytes:
    """struct landlock_ruleset_attr: every right to files, no signals and no abstract sockets outside (from ABI 6 on).

    That other processes cannot be traced, nor seen through /proc/PID/root and the like, comes with every ABI.
    """
    files = handled_files(version)
    if version >= 6:
        return struct.pack("=QQQ", files, 0, SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL)
    return struct.pack("=QQ", files, 0) if version >= 4 else struct.pack("=Q", files)


def path_beneath(rights: int, descriptor: int) -> bytes:
    """struct landlock_path_beneath_attr (packed) for what an O_PATH descriptor is, or what is below it."""
    return struct.pack("=Qi", rights, descriptor)

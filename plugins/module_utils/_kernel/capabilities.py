"""The names of capabilities(7), as engines write them."""

from __future__ import annotations

# By number, include/uapi/linux/capability.h; the last one is of 5.9.
_NAMES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT "
    "SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL "
    "SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
CAPABILITIES: tuple[str, ...] = tuple("CAP_" + name for name in _NAMES.split())


def capability_names(mask: int) -> list[str]:
    """The capabilities of a 64-bit mask in the kernel's order; one that has no name yet is ``CAP_<number>``."""
    return [
        CAPABILITIES[bit] if bit < len(CAPABILITIES) else "CAP_%d" % bit
        for bit in range(mask.bit_length())
        if mask >> bit & 1
    ]

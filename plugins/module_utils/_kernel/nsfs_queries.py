"""What a namespace's descriptor can also tell: ioctl_nsfs(2), TUNGETDEVNETNS, name_to_handle_at(2).

Apart from nsfs.py because a scan does not ask it, and what a scan imports travels to every host.
"""

from __future__ import annotations

import errno
import fcntl
import struct
from typing import NamedTuple

from .libc import KernelLacks, syscall
from .namespaces import is_nsfs
from .nsfs import FILEID_NSFS, Handle, number, read_bytes

NS_GET_PID_FROM_PIDNS = 0x8004B706
NS_GET_TGID_FROM_PIDNS = 0x8004B707
NS_GET_PID_IN_PIDNS = 0x8004B708
NS_GET_TGID_IN_PIDNS = 0x8004B709
NS_MNT_GET_INFO = 0x8010B70A
TUNGETDEVNETNS = 0x54E3
AT_EMPTY_PATH = 0x1000


class MountNamespaceInfo(NamedTuple):
    """struct mnt_ns_info."""

    nr_mounts: int
    mnt_ns_id: int


def pid_from(fd: int, pid: int) -> int:
    """Our number of thread ``pid`` of pid namespace ``fd``; NS_GET_PID_FROM_PIDNS, 6.11. ESRCH: no such thread."""
    return number(fd, NS_GET_PID_FROM_PIDNS, "NS_GET_PID_FROM_PIDNS", "6.11", pid)


def tgid_from(fd: int, pid: int) -> int:
    """Our number of the process of thread ``pid`` of pid namespace ``fd``; NS_GET_TGID_FROM_PIDNS, 6.11."""
    return number(fd, NS_GET_TGID_FROM_PIDNS, "NS_GET_TGID_FROM_PIDNS", "6.11", pid)


def pid_in(fd: int, pid: int) -> int:
    """The number in pid namespace ``fd`` of our thread ``pid``; NS_GET_PID_IN_PIDNS, 6.11. ESRCH: not in there."""
    return number(fd, NS_GET_PID_IN_PIDNS, "NS_GET_PID_IN_PIDNS", "6.11", pid)


def tgid_in(fd: int, pid: int) -> int:
    """The number in pid namespace ``fd`` of the process of our thread ``pid``; NS_GET_TGID_IN_PIDNS, 6.11."""
    return number(fd, NS_GET_TGID_IN_PIDNS, "NS_GET_TGID_IN_PIDNS", "6.11", pid)


def mnt_info(fd: int) -> MountNamespaceInfo:
    """How many mounts a mount namespace has, and its id; NS_MNT_GET_INFO, 6.12. EINVAL: another type."""
    return MountNamespaceInfo(*struct.unpack("=4xIQ", read_bytes(fd, NS_MNT_GET_INFO, 16, "NS_MNT_GET_INFO", "6.12")))


def tun_netns(fd: int) -> int:
    """A descriptor of the network namespace a tun or tap descriptor's device is in; TUNGETDEVNETNS, 5.2.

    EPERM: needs CAP_NET_ADMIN over that namespace. EBADFD: no device is attached. ENOTTY: not a tun descriptor.
    """
    try:
        return fcntl.ioctl(fd, TUNGETDEVNETNS)
    except OSError as error:
        # An attached tun descriptor answers EINVAL to an ioctl it does not know.
        if error.errno == errno.EINVAL:
            raise KernelLacks("TUNGETDEVNETNS", "5.2", errno.EINVAL) from error
        raise


def handle_of(fd: int) -> Handle:
    """The durable name of a namespace; name_to_handle_at(2) on nsfs, 6.18. ENOTTY: not a namespace."""
    import ctypes

    buffer = ctypes.create_string_buffer(struct.pack("=Ii", 16, 0), 8 + 16)
    mount_id = ctypes.c_int()
    if not is_nsfs(fd):
        raise OSError(errno.ENOTTY, "name_to_handle_at: not a namespace")
    try:
        syscall("name_to_handle_at", fd, b"", buffer, ctypes.byref(mount_id), AT_EMPTY_PATH)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EOVERFLOW):
            raise KernelLacks("file handles of namespaces", "6.18", error.errno) from error
        raise
    if struct.unpack_from("=Ii", buffer)[1] != FILEID_NSFS:
        raise KernelLacks("file handles of namespaces", "6.18", errno.EOPNOTSUPP)
    return Handle.unpack(buffer.raw[8:])

"""What a namespace's descriptor tells: ioctl_nsfs(2), SIOCGSKNS, file handles, listns(2).

Every descriptor returned is close-on-exec: the kernel makes it so. Only handles and listns need ctypes.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from typing import NamedTuple

from .libc import KernelLacks, syscall
from .namespaces import NS_GET_NSTYPE, TYPES, is_nsfs

NS_GET_USERNS = 0xB701
NS_GET_PARENT = 0xB702
NS_GET_OWNER_UID = 0xB704
NS_GET_MNTNS_ID = 0x8008B705
NS_MNT_GET_NEXT = 0x8010B70B
NS_MNT_GET_PREV = 0x8010B70C
NS_GET_ID = 0x8008B70D
SIOCGSKNS = 0x894C

FD_NSFS_ROOT = -10003
FILEID_NSFS = 0xF1
LISTNS_CURRENT_USER = 0xFFFFFFFFFFFFFFFF

_NAMES = {flag: name for name, flag in TYPES.items()}


class NamespaceGone(OSError):
    """ESTALE: no namespace that the caller may see has this handle (ids are never reused before the next boot)."""


class Handle(NamedTuple):
    """struct nsfs_file_handle: names one namespace until the next boot, without keeping it alive."""

    ns_id: int
    ns_type: int  # CLONE_NEW*
    inode: int

    def pack(self) -> bytes:
        """The 16 bytes the kernel uses, in this machine's byte order."""
        return struct.pack("=QII", *self)

    @classmethod
    def unpack(cls, data: bytes) -> Handle:
        """The reverse of ``pack``; ValueError for another length."""
        try:
            return cls(*struct.unpack("=QII", data))
        except struct.error:
            raise ValueError("a namespace's file handle has 16 bytes, not %d" % len(data)) from None


def ns_type(fd: int) -> str:
    """The type's name (``net``); NS_GET_NSTYPE, 4.11. ENOTTY: not a namespace."""
    flag = number(fd, NS_GET_NSTYPE, "NS_GET_NSTYPE", "4.11")
    if flag not in _NAMES:
        raise OSError(errno.EPROTONOSUPPORT, "NS_GET_NSTYPE: 0x%x is none of the eight types" % flag)
    return _NAMES[flag]


def owner(fd: int) -> int:
    """A descriptor of the owning user namespace; NS_GET_USERNS, 4.9. EPERM: it is not below the caller's own."""
    return number(fd, NS_GET_USERNS, "NS_GET_USERNS", "4.9")


def parent(fd: int) -> int:
    """A descriptor of the parent of a pid or user namespace; NS_GET_PARENT, 4.9.

    EPERM: there is none, or it is out of the caller's sight (the kernel does not say which). EINVAL: another type.
    """
    return number(fd, NS_GET_PARENT, "NS_GET_PARENT", "4.9")


def owner_uid(fd: int) -> int:
    """Who made this user namespace, as the caller's user namespace sees the uid; NS_GET_OWNER_UID, 4.11.

    EINVAL: not a user namespace.
    """
    return int(struct.unpack("=I", read_bytes(fd, NS_GET_OWNER_UID, 4, "NS_GET_OWNER_UID", "4.11"))[0])


def ns_id(fd: int) -> int:
    """The namespace's 64-bit id, never reused before the next boot; NS_GET_ID, 6.18."""
    return int(struct.unpack("=Q", read_bytes(fd, NS_GET_ID, 8, "NS_GET_ID", "6.18"))[0])


def mntns_id(fd: int) -> int:
    """The same for mount namespaces only; NS_GET_MNTNS_ID, 6.11. EINVAL: another type."""
    return int(struct.unpack("=Q", read_bytes(fd, NS_GET_MNTNS_ID, 8, "NS_GET_MNTNS_ID", "6.11"))[0])


def mnt_next(fd: int) -> int:
    """A descriptor of the mount namespace made after this one; NS_MNT_GET_NEXT, 6.12. ENOENT: this is the last.

    EPERM: the caller lacks CAP_SYS_ADMIN in the initial user namespace or is not in the initial pid namespace (kernels
    older than 2026-03 instead pass over what the caller may not see). EINVAL: another type.
    """
    return number(fd, NS_MNT_GET_NEXT, "NS_MNT_GET_NEXT", "6.12")


def mnt_previous(fd: int) -> int:
    """A descriptor of the mount namespace made before this one; NS_MNT_GET_PREV, 6.12; as ``mnt_next``."""
    return number(fd, NS_MNT_GET_PREV, "NS_MNT_GET_PREV", "6.12")


def socket_netns(fd: int) -> int:
    """A descriptor of the network namespace a socket (of any family) belongs to; SIOCGSKNS, 4.10.

    EPERM: needs CAP_NET_ADMIN over that namespace. ENOTTY: not a socket.
    """
    return fcntl.ioctl(fd, SIOCGSKNS)


def open_handle(handle: Handle) -> int:
    """A descriptor of the namespace named by ``handle``; open_by_handle_at(2) on FD_NSFS_ROOT, 6.18.

    NamespaceGone (ESTALE): it is gone, or (before 6.19) type and inode are not given. EPERM, or ESTALE as well (seen on
    6.18.44): it is not one of the caller's own and the caller lacks CAP_SYS_ADMIN in its owner.
    """
    name = struct.pack("=Ii", 16, FILEID_NSFS) + handle.pack()
    try:
        return syscall("open_by_handle_at", FD_NSFS_ROOT, name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ESTALE:
            raise NamespaceGone(errno.ESTALE, "no namespace that we may see has the id %d" % handle.ns_id) from error
        if error.errno == errno.EBADF:
            raise KernelLacks("file handles of namespaces", "6.18", errno.EBADF) from error
        raise


def listns(ns_types: int = 0, user_ns_id: int = 0, after: int = 0, batch: int = 4096) -> list[int]:
    """The ids of all namespaces in use that the caller may see, ascending; listns(2), 6.19.

    ``ns_types``: mask of CLONE_NEW*, 0 for all. ``user_ns_id``: only those owned by this user namespace
    (LISTNS_CURRENT_USER: the caller's), 0 for all. ``after``: only ids above it. Who lacks CAP_SYS_ADMIN in the
    initial user namespace, or is not in the initial pid namespace, sees only the namespaces it is in itself.
    """
    import ctypes

    buffer = (ctypes.c_uint64 * batch)()
    ids: list[int] = []
    while True:
        request = struct.pack("=IIQIIQ", 32, 0, after, ns_types, 0, user_ns_id)
        count = syscall("listns", request, buffer, batch, 0)
        ids.extend(buffer[:count])
        # A full page may have successors; the second condition only guards against a kernel that does not advance.
        if count < batch or buffer[count - 1] == after:
            return ids
        after = buffer[count - 1]


def number(fd: int, request: int, name: str, since: str, argument: int = 0) -> int:
    """The answer of an ioctl of nsfs; ENOTTY on a namespace is a typed lack."""
    try:
        return fcntl.ioctl(fd, request, argument)
    except OSError as error:
        raise _translated(error, fd, name, since) from error


def read_bytes(fd: int, request: int, size: int, name: str, since: str) -> bytes:
    """The structure that an ioctl of nsfs fills in."""
    try:
        return fcntl.ioctl(fd, request, bytes(size))
    except OSError as error:
        raise _translated(error, fd, name, since) from error


def _translated(error: OSError, fd: int, name: str, since: str) -> OSError:
    # ENOTTY has two meanings: not a namespace at all, or one on a kernel that does not know this request.
    if error.errno == errno.ENOTTY and is_nsfs(fd):
        return KernelLacks(name, since, errno.ENOTTY)
    return OSError(error.errno, "%s: %s" % (name, error.strerror))

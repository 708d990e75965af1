"""Mounts: the calls of the mount table, old and new, and what statmount(2) and listmount(2) tell about it."""

from __future__ import annotations

import errno
import os
import struct
from typing import NamedTuple

from .libc import KernelLacks, Path, path_bytes, syscall

AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_MOVE = 0x2000
MS_REC = 0x4000
MS_UNBINDABLE = 0x20000
MS_PRIVATE = 0x40000
MS_SLAVE = 0x80000
MS_SHARED = 0x100000

MNT_FORCE = 1
MNT_DETACH = 2
MNT_EXPIRE = 4
UMOUNT_NOFOLLOW = 8

OPEN_TREE_CLONE = 1
MOVE_MOUNT_F_EMPTY_PATH = 0x4
MOVE_MOUNT_T_EMPTY_PATH = 0x40
MOVE_MOUNT_SET_GROUP = 0x100  # 5.15
MOVE_MOUNT_BENEATH = 0x200  # 6.5

MOUNT_ATTR_RDONLY = 0x1
MOUNT_ATTR_NOSUID = 0x2
MOUNT_ATTR_NODEV = 0x4
MOUNT_ATTR_NOEXEC = 0x8
MOUNT_ATTR_IDMAP = 0x100000
MOUNT_ATTR_NOSYMFOLLOW = 0x200000  # 5.14

STATMOUNT_SB_BASIC = 0x1
STATMOUNT_MNT_BASIC = 0x2
STATMOUNT_PROPAGATE_FROM = 0x4
STATMOUNT_MNT_ROOT = 0x8
STATMOUNT_MNT_POINT = 0x10
STATMOUNT_FS_TYPE = 0x20
STATMOUNT_MNT_NS_ID = 0x40  # 6.11
STATMOUNT_ALL = 0x7F
LSMT_ROOT = 0xFFFFFFFFFFFFFFFF

_BOTH_EMPTY = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH
_STATMOUNT_FIXED = 512  # struct statmount before its strings
_STATMOUNT_LIMIT = 1 << 20


class MountStatus(NamedTuple):
    """struct statmount. None: not asked for, or not told by this kernel. Paths are as seen from the caller's root."""

    mnt_id: int | None  # unique until the next boot
    parent_id: int | None
    mnt_id_old: int | None  # the reusable number that mountinfo shows
    parent_id_old: int | None
    attributes: int | None  # MOUNT_ATTR_*
    propagation: int | None  # MS_PRIVATE, MS_SHARED, MS_SLAVE, MS_UNBINDABLE
    peer_group: int | None
    master: int | None
    propagate_from: int | None
    device: int | None  # as st_dev
    magic: int | None  # as f_type of statfs(2)
    sb_flags: int | None
    fs_type: str | None
    root: str | None  # which directory of the file system; not escaped
    point: str | None  # where it is mounted; "" if outside the caller's root
    ns_id: int | None


def mount(
    source: Path | None,
    target: Path,
    fs_type: str | None = None,
    flags: int = 0,
    data: Path | None = None,
) -> None:
    """mount(2): mount, bind (MS_BIND), move, remount or set propagation, as ``flags`` (MS_*) say.

    Follows symbolic links in ``target``: give /proc/self/fd/N of a descriptor where others may change the path.
    """
    syscall("mount", _path(source), path_bytes(target), _path(fs_type), flags, _path(data))


def umount2(target: Path, flags: int = 0) -> None:
    """umount2(2), flags MNT_* and UMOUNT_NOFOLLOW. EINVAL: no mount there, or one locked by a user namespace."""
    syscall("umount2", path_bytes(target), flags)


def pivot_root(new_root: Path, put_old: Path) -> None:
    """pivot_root(2). EINVAL: new_root is no mount, its parent is shared, or put_old is not below it."""
    syscall("pivot_root", path_bytes(new_root), path_bytes(put_old))


def open_tree(dirfd: int, path: Path, flags: int = 0) -> int:
    """A close-on-exec descriptor of a mount, with OPEN_TREE_CLONE of a detached copy of it; open_tree(2), 5.2.

    ``flags``: OPEN_TREE_CLONE, AT_EMPTY_PATH, AT_RECURSIVE, AT_SYMLINK_NOFOLLOW.
    """
    return syscall("open_tree", dirfd, path_bytes(path), flags | os.O_CLOEXEC)


def move_mount(from_dirfd: int, from_path: Path, to_dirfd: int, to_path: Path, flags: int = 0) -> None:
    """Attach a detached mount, or move one; move_mount(2), 5.2. ``flags``: MOVE_MOUNT_*. Follows no links by itself.

    EINVAL: not in the caller's mount namespace, onto itself, out of a shared mount. KernelLacks: a flag unknown here.
    """
    try:
        syscall("move_mount", from_dirfd, path_bytes(from_path), to_dirfd, path_bytes(to_path), flags)
    except OSError as error:
        # Flags are looked at before descriptors: without any, a kernel that knows the flag complains of that (EBADF).
        if error.errno == errno.EINVAL and _refuses("move_mount", -1, b"", -1, b"", flags | _BOTH_EMPTY):
            since = "6.5" if flags & MOVE_MOUNT_BENEATH else "5.15" if flags & MOVE_MOUNT_SET_GROUP else ""
            raise KernelLacks("move_mount with flags 0x%x" % flags, since, errno.EINVAL) from error
        raise


def mount_setattr(
    dirfd: int,
    path: Path,
    flags: int = 0,
    *,
    attr_set: int = 0,
    attr_clr: int = 0,
    propagation: int = 0,
    userns_fd: int = 0,
) -> None:
    """Change a mount (AT_RECURSIVE: all below too) at once or not at all; mount_setattr(2), 5.12.

    ``attr_set`` and ``attr_clr``: MOUNT_ATTR_*. ``propagation``: one of MS_PRIVATE, MS_SHARED, MS_SLAVE, MS_UNBINDABLE.
    ``userns_fd``: for MOUNT_ATTR_IDMAP. EPERM: an attribute that a user namespace has locked.
    EINVAL: not a mount point, or of another mount namespace. KernelLacks: an attribute unknown here.
    """
    attributes = struct.pack("=4Q", attr_set, attr_clr, propagation, userns_fd)
    try:
        syscall("mount_setattr", dirfd, path_bytes(path), flags, attributes, len(attributes))
    except OSError as error:
        # As for move_mount. What an idmap needs is looked at together with the attributes, so it is left out here.
        probe = struct.pack("=4Q", attr_set & ~MOUNT_ATTR_IDMAP, attr_clr & ~MOUNT_ATTR_IDMAP, 0, 0)
        if error.errno == errno.EINVAL and _refuses("mount_setattr", -1, b"", AT_EMPTY_PATH, probe, len(probe)):
            since = "5.14" if (attr_set | attr_clr) & MOUNT_ATTR_NOSYMFOLLOW else ""
            raise KernelLacks("mount attributes 0x%x" % (attr_set | attr_clr), since, errno.EINVAL) from error
        raise


def statmount(mnt_id: int, mnt_ns_id: int = 0, mask: int = STATMOUNT_ALL) -> MountStatus:
    """One mount by its unique id; statmount(2), 6.8. ``mnt_ns_id``: of another mount namespace (6.11).

    ENOENT: no such mount or namespace. EPERM: needs CAP_SYS_ADMIN over the namespace where it is not below the root.
    """
    import ctypes

    size = 4096
    while True:
        buffer = ctypes.create_string_buffer(size)
        try:
            syscall("statmount", _request(mnt_id, mask, mnt_ns_id), buffer, size, 0)
        except OSError as error:
            if error.errno == errno.EOVERFLOW and size < _STATMOUNT_LIMIT:
                size *= 4
                continue
            raise _narrowed(error, "statmount", mnt_ns_id) from error
        return _parse(buffer.raw)


def listmount(mnt_id: int = LSMT_ROOT, mnt_ns_id: int = 0, batch: int = 512) -> list[int]:
    """Unique ids of all mounts below ``mnt_id`` (LSMT_ROOT: below the root), ascending; listmount(2), 6.8.

    ``mnt_ns_id``: of another mount namespace (6.11). Errors as ``statmount``.
    """
    import ctypes

    buffer = (ctypes.c_uint64 * batch)()
    ids: list[int] = []
    while True:
        request = _request(mnt_id, ids[-1] if ids else 0, mnt_ns_id)
        try:
            count = syscall("listmount", request, buffer, batch, 0)
        except OSError as error:
            raise _narrowed(error, "listmount", mnt_ns_id) from error
        ids.extend(buffer[:count])
        if count < batch:
            return ids


def _refuses(call: str, *args: int | bytes) -> bool:
    try:
        syscall(call, *args)
    except OSError as error:
        return error.errno == errno.EINVAL
    return False


def _path(path: Path | None) -> bytes | None:
    return None if path is None else path_bytes(path)


def _request(mnt_id: int, param: int, mnt_ns_id: int) -> bytes:
    # struct mnt_id_req: 24 bytes in 6.8, 32 with the namespace's id in 6.11.
    if mnt_ns_id:
        return struct.pack("=IIQQQ", 32, 0, mnt_id, param, mnt_ns_id)
    return struct.pack("=IIQQ", 24, 0, mnt_id, param)


def _narrowed(error: OSError, call: str, mnt_ns_id: int) -> OSError:
    if error.errno == errno.E2BIG and mnt_ns_id:
        return KernelLacks(call + " with mnt_ns_id", "6.11", errno.E2BIG)
    return error


def _parse(raw: bytes) -> MountStatus:
    # include/uapi/linux/mount.h, struct statmount; string fields are offsets into what follows its 512 bytes.
    mask = struct.unpack_from("=Q", raw, 8)[0]
    major, minor, magic, sb_flags, fs_type = struct.unpack_from("=IIQII", raw, 16)
    ids = struct.unpack_from("=QQII", raw, 40)
    kind = struct.unpack_from("=QQQQ", raw, 64)
    propagate_from, root, point, ns_id = struct.unpack_from("=QIIQ", raw, 96)

    def text(bit: int, offset: int) -> str | None:
        if not mask & bit:
            return None
        start = _STATMOUNT_FIXED + offset
        return os.fsdecode(raw[start : raw.index(b"\0", start)])

    sb = bool(mask & STATMOUNT_SB_BASIC)
    basic = bool(mask & STATMOUNT_MNT_BASIC)
    return MountStatus(
        mnt_id=ids[0] if basic else None,
        parent_id=ids[1] if basic else None,
        mnt_id_old=ids[2] if basic else None,
        parent_id_old=ids[3] if basic else None,
        attributes=kind[0] if basic else None,
        propagation=kind[1] if basic else None,
        peer_group=kind[2] if basic else None,
        master=kind[3] if basic else None,
        propagate_from=propagate_from if mask & STATMOUNT_PROPAGATE_FROM else None,
        device=os.makedev(major, minor) if sb else None,
        magic=magic if sb else None,
        sb_flags=sb_flags if sb else None,
        fs_type=text(STATMOUNT_FS_TYPE, fs_type),
        root=text(STATMOUNT_MNT_ROOT, root),
        point=text(STATMOUNT_MNT_POINT, point),
        ns_id=ns_id if mask & STATMOUNT_MNT_NS_ID else None,
    )

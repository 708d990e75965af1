"""fanotify(7) with names (Linux 5.9): what happens to the files of whole file systems, and which process does it."""
from __future__ import annotations

import errno
import os
import struct
from typing import Callable, Iterator, NamedTuple, Optional

from .libc import KernelLacks, failure, libc, path_bytes, syscall

FAN_MODIFY = 0x2
FAN_ATTRIB = 0x4
FAN_CLOSE_WRITE = 0x8
FAN_MOVED_FROM = 0x40
FAN_MOVED_TO = 0x80
FAN_CREATE = 0x100
FAN_DELETE = 0x200
FAN_Q_OVERFLOW = 0x4000
FAN_ONDIR = 0x40000000

_FAN_CLOEXEC = 0x1
_FAN_NONBLOCK = 0x2
_FAN_UNLIMITED_QUEUE = 0x10
_FAN_UNLIMITED_MARKS = 0x20
_FAN_REPORT_FID = 0x200       # 5.1
_FAN_REPORT_DIR_FID = 0x400   # 5.9
_FAN_REPORT_NAME = 0x800      # 5.9
_FAN_MARK_ADD = 0x1
_FAN_MARK_FILESYSTEM = 0x100  # 4.20
_INFO_FID, _INFO_DFID_NAME, _INFO_DFID = 1, 2, 3

_ON_FILE = FAN_MODIFY | FAN_ATTRIB | FAN_CLOSE_WRITE
_ON_FILE_SYSTEM = _ON_FILE | FAN_MOVED_FROM | FAN_MOVED_TO | FAN_CREATE | FAN_DELETE | FAN_ONDIR
_METADATA = struct.Struct("=IBBHQii")  # event_len, vers, reserved, metadata_len, mask, fd, pid
_INFO = struct.Struct("=BBH8sI")       # info_type, pad, len; fsid; handle_bytes (its type and the handle follow)
_VERSION = 3
_BUFFER = 1 << 18
_MOST_HANDLE = 128                     # MAX_HANDLE_SZ
_STATFS = 512                          # bytes, more than struct statfs has
_F_FSID = 56                           # its offset there, on 64-bit machines


class Event(NamedTuple):
    """C(folder) and C(file) are struct file_handle as bytes, None where the kernel tells none; see open_handle."""

    mask: int
    pid: int  # 0: not visible in our pid namespace
    fsid: bytes
    folder: Optional[bytes]
    name: bytes  # "." for the folder itself
    file: Optional[bytes]


def fanotify_init() -> int:
    """A non-blocking, close-on-exec group that reports names; EPERM: needs CAP_SYS_ADMIN; EMFILE: too many groups."""
    flags = _FAN_CLOEXEC | _FAN_NONBLOCK | _FAN_UNLIMITED_QUEUE | _FAN_UNLIMITED_MARKS
    flags |= _FAN_REPORT_FID | _FAN_REPORT_DIR_FID | _FAN_REPORT_NAME
    try:
        return syscall("fanotify_init", flags, os.O_RDONLY | os.O_LARGEFILE | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise KernelLacks("fanotify with names", "5.9", errno.EINVAL) from error
        raise


def mark(group: int, descriptor: int, whole: bool) -> None:
    """Watch the file system that C(descriptor) (O_PATH will do) lies in, or (not C(whole)) that one file.

    ENODEV, EXDEV: a file system without an identity of its own (FUSE, NFS, a subvolume of btrfs); before 6.8, and
    after it in a group that watches others too. EOPNOTSUPP: one whose files have no handles.
    """
    flags, mask = (_FAN_MARK_ADD | _FAN_MARK_FILESYSTEM, _ON_FILE_SYSTEM) if whole else (_FAN_MARK_ADD, _ON_FILE)
    syscall("fanotify_mark", group, flags, mask, -100, path_bytes("/proc/self/fd/%d" % descriptor))


def read_batch(group: int) -> bytes:
    """Some of what is queued, whole events; b"" when there is nothing."""
    try:
        return os.read(group, _BUFFER)
    except BlockingIOError:
        return b""


def parse_events(data: bytes, wanted: Callable[[int], bool]) -> Iterator[Event]:
    """The events of a batch whose author's pid is C(wanted); an overflow always. EPROTO: events of another layout."""
    start = 0
    while start < len(data):
        length, version, dummy, head, mask, dummy2, pid = _METADATA.unpack_from(data, start)
        if version != _VERSION or length < head:
            raise OSError(errno.EPROTO, "fanotify events of version %d" % version)
        end, at = start + length, start + head
        start = end
        if not wanted(pid) and not mask & FAN_Q_OVERFLOW:
            continue
        fsid, folder, name, file = b"", None, b"", None
        while at < end:
            kind, dummy, size, fsid, count = _INFO.unpack_from(data, at)
            handle = data[at + 12:at + 20 + count]
            if kind == _INFO_FID:
                file = handle
            elif kind in (_INFO_DFID_NAME, _INFO_DFID):
                folder = handle
                name = data[at + 20 + count:at + size].split(b"\0", 1)[0] if kind == _INFO_DFID_NAME else b"."
            at += size
        yield Event(mask, pid, fsid, folder, name, file)


def open_handle(mount: int, handle: bytes) -> int:
    """An O_PATH descriptor of a file by its handle; C(mount): a real (not O_PATH) descriptor in that file system.

    ESTALE: it is gone. EPERM: needs CAP_DAC_READ_SEARCH.
    """
    return syscall("open_by_handle_at", mount, handle, os.O_PATH | os.O_CLOEXEC)


def handle_of(descriptor: int) -> bytes:
    """The handle of an open file (O_PATH will do) as events have it. EOPNOTSUPP: its file system has none."""
    import ctypes

    buffer = ctypes.create_string_buffer(struct.pack("=Ii", _MOST_HANDLE, 0), 8 + _MOST_HANDLE)
    mount_id = ctypes.c_int()
    syscall("name_to_handle_at", descriptor, b"", buffer, ctypes.byref(mount_id), 0x1000)  # AT_EMPTY_PATH
    return buffer.raw[:8 + struct.unpack_from("=I", buffer.raw)[0]]


def identity(descriptor: int) -> tuple[int, bytes]:
    """f_type and f_fsid of statfs(2); by the latter events name the file system."""
    import ctypes

    buffer = ctypes.create_string_buffer(_STATFS)
    if libc().fstatfs(descriptor, buffer):
        raise failure("fstatfs", ctypes.get_errno())
    return struct.unpack_from("=Q", buffer.raw)[0] & 0xFFFFFFFF, buffer.raw[_F_FSID:_F_FSID + 8]

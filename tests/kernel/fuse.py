# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A FUSE file system that answers until it is told to stop: a stuck mount, as a dead server or a hostile one makes it.

The kernel lets go of all who wait for it when the last descriptor of /dev/fuse is closed: with the server's end. So the
server itself must not have files of it open: it would wait for its own answer, and never end.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import threading
from typing import Callable

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import mounts

# include/uapi/linux/fuse.h
LOOKUP, FORGET, GETATTR, OPEN, RELEASE, FLUSH, INIT, BATCH_FORGET = 1, 2, 3, 14, 18, 25, 26, 42
IN_HEADER = struct.Struct("=IIQQIIIHH")
OUT_HEADER = struct.Struct("=IiQ")
ROOT, FILE = 1, 2


def may_mount() -> bool:
    """Whether this user may open /dev/fuse; on most machines only root may."""
    return os.access("/dev/fuse", os.R_OK | os.W_OK)


def mount(target: str) -> Callable[[], None]:
    """Mount it: on a folder every name in it is an empty file. The function returned stops all answers."""
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    kind = stat.S_IFMT(os.stat(target).st_mode)
    mounts.mount("nsfleet-test", target, "fuse", 0, "fd=%d,rootmode=%o,user_id=0,group_id=0" % (device, kind))
    stuck = threading.Event()
    threading.Thread(target=serve, args=(device, kind, stuck), daemon=True).start()
    return stuck.set


def serve(device: int, kind: int, stuck: threading.Event) -> None:
    """Answer requests; once stuck they are taken all the same, so that those who wait cannot even be killed."""
    while True:
        try:
            request = os.read(device, 1 << 17)
        except OSError:
            return
        length, opcode, unique, node = IN_HEADER.unpack_from(request)[:4]
        if stuck.is_set() or opcode in (FORGET, BATCH_FORGET):
            continue
        body, error = answer(opcode, node, kind), 0
        if body is None:
            body, error = b"", -errno.ENOSYS
        os.write(device, OUT_HEADER.pack(OUT_HEADER.size + len(body), error, unique) + body)


def answer(opcode: int, node: int, kind: int) -> bytes | None:
    """The body of an answer that must not be kept: all is valid for 0 seconds. None: not implemented."""
    if opcode == INIT:
        return struct.pack("=IIIIHHIIHHI28x", 7, 31, 1 << 16, 0, 16, 12, 1 << 16, 1, 0, 0, 0)
    if opcode == LOOKUP:
        return struct.pack("=QQQQII", FILE, 0, 0, 0, 0, 0) + attributes(FILE, stat.S_IFREG)
    if opcode == GETATTR:
        return struct.pack("=QII", 0, 0, 0) + attributes(node, kind if node == ROOT else stat.S_IFREG)
    if opcode == OPEN:
        return struct.pack("=QII", 0, 0, 0)
    return b"" if opcode in (FLUSH, RELEASE) else None


def attributes(node: int, kind: int) -> bytes:
    """struct fuse_attr."""
    return struct.pack("=6Q10I", node, 0, 0, 0, 0, 0, 0, 0, 0, kind | 0o755, 1, 0, 0, 0, 4096, 0)

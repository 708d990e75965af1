# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files are opened meanwhile, by whomsoever: inotify(7)."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path
from typing import Any, Sequence

IN_OPEN = 0x20
EVENT = struct.Struct("=iIII")


class Opened:
    """Watches files from when it is made; a context."""

    def __init__(self, files: Sequence[Path]) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._line = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._line < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._names: dict[int, str] = {}
        for file in files:
            number = libc.inotify_add_watch(self._line, os.fsencode(file), IN_OPEN)
            if number < 0:
                raise OSError(ctypes.get_errno(), f"inotify_add_watch {file}")
            self._names[number] = file.name

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *dummy: Any) -> None:
        os.close(self._line)

    def names(self) -> list[str]:
        """The names of those that were opened up to now."""
        found: set[str] = set()
        try:
            while True:
                data = os.read(self._line, 1 << 16)
                while data:
                    number, dummy_mask, dummy_cookie, size = EVENT.unpack_from(data)
                    found.add(self._names.get(number, "overflow"))
                    data = data[EVENT.size + size:]
        except BlockingIOError:
            return sorted(found)

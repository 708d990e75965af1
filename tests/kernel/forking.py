# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""clone3(2) as fork, for tests that need a certain pid or share descriptors; no module forks so."""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from collections.abc import Sequence
from typing import NamedTuple

_CLONE3 = 435  # on every architecture


class Forked(NamedTuple):
    """C(pid) is 0 in the child, which should soon execute or _exit."""

    pid: int


def clone3_fork(flags: int = 0, *, set_tid: Sequence[int] = ()) -> Forked:
    """C(set_tid): the pids to get, innermost namespace first (Linux 5.5). Raises OSError."""
    tids = (ctypes.c_int * max(1, len(set_tid)))(*set_tid)
    told = ctypes.addressof(tids) if set_tid else 0
    arguments = struct.pack("=10Q", flags, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, told, len(set_tid))
    # Holding the GIL, or the child would wait for it.
    pid = int(ctypes.PyDLL(None, use_errno=True).syscall(ctypes.c_long(_CLONE3), arguments, len(arguments)))
    if pid < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return Forked(pid)

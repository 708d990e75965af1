# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for what other processes do."""

from __future__ import annotations

import time
from typing import Callable, TypeVar

Found = TypeVar("Found")


def until(look: Callable[[], Found], otherwise: str, seconds: float = 20.0) -> Found:
    """Look until there is something to see."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"{otherwise} (waited {seconds:.0f} s)")
        time.sleep(0.02)

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds an engine's commands. One that is missing fails the test: scripts/test installs them all from Debian."""

from __future__ import annotations

import os
import shutil

# Debian's own places first: an unrelated build in /usr/local serves where there is nothing else.
FOLDERS = "/usr/sbin:/usr/bin:/sbin:/bin"


def program(name: str, package: str) -> str:
    """The path of a command."""
    found = shutil.which(name, path=f"{FOLDERS}:{os.environ.get('PATH', '')}")
    if found is None:
        raise FileNotFoundError(f"{name}: not installed (Debian: {package})")
    return found


def environment(**more: str) -> dict[str, str]:
    """What engines are given: none of the caller's own settings of engines."""
    return {"PATH": FOLDERS, "HOME": "/root", "LC_ALL": "C.UTF-8", **more}

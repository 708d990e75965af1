# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy of the checkout as the next commit would hold it: what git has, and what it would add."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess

CHECKOUT = pathlib.Path(__file__).resolve().parents[1]


def export(folder: pathlib.Path) -> None:
    """Into this folder, which must not be there yet. Works for root in somebody else's checkout too."""
    git = ["git", "-c", f"safe.directory={CHECKOUT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(git, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listing.split("\0")):
        if os.path.lexists(CHECKOUT / name):  # one that was deleted is still listed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, folder / name, follow_symlinks=False)

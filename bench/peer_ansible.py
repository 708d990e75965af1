# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PyPI's C(ansible) package in an environment of its own: there is community.docker as people have it."""
from __future__ import annotations

import json
import os
import subprocess
import sys

from page import CHECKOUT

# Its ansible-core is the one of tests/requirements.txt; community.docker needs the other package.
PACKAGES = ("ansible==12.3.0", "requests==2.34.2")
# Not in the checkout, whose tests and linters would look at all of it.
_FOLDER = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "nsfleet-bench", "ansible")


def python() -> str:
    """The interpreter of that environment, which is made where there is none: some minutes, 550 MB."""
    found = os.path.join(_FOLDER, "bin", "python")
    mark = os.path.join(_FOLDER, "packages")
    wanted = " ".join(PACKAGES)
    if os.path.exists(mark):
        with open(mark, encoding="ascii") as file:
            if file.read() == wanted:
                return found
    print("making %s" % _FOLDER, file=sys.stderr)
    os.makedirs(os.path.dirname(_FOLDER), exist_ok=True)
    maker = os.path.join(CHECKOUT, "scripts", "venv_without_ensurepip.py")
    subprocess.run([sys.executable, maker, _FOLDER], check=True)
    subprocess.run([found, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    with open(mark, "w", encoding="ascii") as file:
        file.write(wanted)
    return found


def community_docker() -> str:
    """The version that came with it."""
    where = "import ansible_collections.community.docker as c; print(c.__path__[0])"
    folder = subprocess.run([python(), "-c", where], stdout=subprocess.PIPE, check=True).stdout.decode().strip()
    with open(os.path.join(folder, "MANIFEST.json"), encoding="utf-8") as file:
        return str(json.load(file)["collection_info"]["version"])

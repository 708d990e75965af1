# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual environment with pip, made without ensurepip.

Debian keeps ensurepip in a package of its own (python3-venv) that only root can install. A plain user gets pip from
PyPI instead: one release, known by its hash, which then installs itself.

    python3 scripts/venv_without_ensurepip.py FOLDER
"""

from __future__ import annotations

import hashlib
import os
import re
import ssl
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
import venv

INDEX = "https://pypi.org/simple/pip/"
VERSION = "26.3"
SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"


def fetch_pip() -> bytes:
    """The wheel of that release. Raises OSError when PyPI cannot be reached or sends something else."""
    # A minimal machine has no certificates to know PyPI by (pip brings its own). The hash is what proves the wheel.
    unverified = ssl._create_unverified_context()
    with urllib.request.urlopen(INDEX, timeout=60, context=unverified) as answer:
        links = re.findall(r'href="([^"#]+)', answer.read().decode())
    link = next((link for link in links if link.endswith(f"/pip-{VERSION}-py3-none-any.whl")), None)
    if link is None:
        raise OSError(f"{INDEX} has no pip {VERSION}")
    with urllib.request.urlopen(urllib.parse.urljoin(INDEX, link), timeout=60, context=unverified) as answer:
        wheel: bytes = answer.read()
    if hashlib.sha256(wheel).hexdigest() != SHA256:
        raise OSError(f"what came from {link} is not the pip {VERSION} that was asked for")
    return wheel


def main(folder: str) -> int:
    try:
        wheel = fetch_pip()
    except OSError as exc:
        print(f"pip could not be fetched from PyPI: {exc}", file=sys.stderr)
        return 1
    venv.create(folder, with_pip=False, symlinks=True)
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, f"pip-{VERSION}-py3-none-any.whl")
        with open(path, "wb") as file:
            file.write(wheel)
        # A wheel is a zip file, and Python runs packages out of zip files.
        install = [os.path.join(folder, "bin", "python"), f"{path}/pip", "install", "-q", "--no-index", path]
        return subprocess.run(install, env={**os.environ, "PIP_USER": "0"}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

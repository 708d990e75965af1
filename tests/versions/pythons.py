# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Pythons this machine has, and which ansible-core each can run.

Looked for in pyenv's version folders (its shims exist for versions that are not selected, and then exit 127), in the
usual places, and, for what is missing, in Debian's own releases (python_from_debian.py). Nothing is installed.
"""

from __future__ import annotations

import functools
import glob
import os
import pathlib
import shutil
import subprocess
import sys

import python_from_debian

BUILD = pathlib.Path(__file__).resolve().parents[2] / ".build"

#: What a managed host may run the modules with: the oldest promised, RHEL 9's, Debian 12's, the newest.
MANAGED = ("3.8", "3.9", "3.11", "3.13")
#: What ansible-test compiles and imports with, where it is there.
ALL = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13")
#: Release of ansible-core -> Pythons that can run it, best first, and the oldest Python it still manages.
CORES = {
    "2.17": (("3.11", "3.12", "3.10"), "3.7"),
    "2.19": (("3.11", "3.12", "3.13"), "3.8"),
    "newest": (("3.13", "3.14", "3.12"), "3.9"),
}


def as_tuple(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


@functools.lru_cache(maxsize=None)
def find(version: str) -> str | None:
    """The path of an interpreter of this version (``3.9``) that runs, or None."""
    pyenv = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    candidates = [
        *glob.glob(f"/usr/bin/python{version}"),
        *sorted(glob.glob(f"{pyenv}/versions/{version}.*/bin/python{version}"), reverse=True),
        shutil.which(f"python{version}"),
        sys.executable,
    ]
    for path in candidates:
        if path and runs(path, version):
            return path
    return python_from_debian.provide(version, BUILD / "pythons")


def runs(path: str, version: str) -> bool:
    """Whether this is that version, and whole: python3-minimal has no shutil, a Python without libffi no ctypes."""
    code = "import ctypes, shutil, venv, sys; print('%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run([path, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.stdout.strip() == version


def pairs() -> list[tuple[str, str]]:
    """Every (core, managed Python) that this machine can try, as far as the core manages that Python at all."""
    return [
        (core, managed)
        for core, (controllers, oldest) in CORES.items()
        for managed in MANAGED
        if as_tuple(managed) >= as_tuple(oldest) and find(managed) and controller(core)
    ]


def controller(core: str) -> str | None:
    """An interpreter that can run this release of ansible-core, or None."""
    return next((path for path in map(find, CORES[core][0]) if path), None)


def missing() -> list[str]:
    """What cannot be tried here, a sentence each."""
    told = [f"no Python {version} on this machine" for version in MANAGED if not find(version)]
    told += [
        f"no Python {' or '.join(sorted(controllers, key=as_tuple))} to run ansible-core {core} with"
        for core, (controllers, dummy) in CORES.items()
        if not controller(core)
    ]
    return told


if __name__ == "__main__":
    for wanted in sys.argv[1:] or MANAGED:
        print(wanted, find(wanted) or "-")

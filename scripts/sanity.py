# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-test sanity, on a copy of the checkout and with a home of its own.

ansible-test works only below a folder named ansible_collections/nsfleet/linux, refuses the link that lets a plain
clone work, keeps its caches in ~/.ansible, forgets pip's settings from the environment, and fetches get-pip.py from a
server that not every network reaches. All of that is settled here, in .build; its verdict is its own.

    .venv-test/bin/python scripts/sanity.py [ANSIBLE-TEST OPTION...]
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys

from export import CHECKOUT, export

BUILD = CHECKOUT / ".build"

sys.path.insert(0, str(CHECKOUT / "tests/versions"))
import pythons

# What ansible-test takes for PyPA's get-pip.py: pip comes from the interpreter's own ensurepip and installs what is
# asked for. Debian's interpreter has none without python3-venv: there our pip does it from outside.
GET_PIP = f"""
import subprocess, sys
wanted = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
pip = [sys.executable, "-m", "pip"]
try:
    import ensurepip
except ImportError:
    pip = [{sys.executable!r}, "-m", "pip", "--python", sys.executable]
else:
    subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL)
subprocess.check_call(pip + ["install", "-q"] + wanted)
"""

#: What pip says while all is well: most of the output of a first run.
PIP = re.compile(
    r"(Collecting|Installing|Looking in|Requirement already|Successfully installed|Using cached) "
    r"|  (Downloading|Using cached) |     [^\w ]|WARNING: Location 'file:"
)


def pip_settings() -> str:
    """pip's settings as they hold for the caller, from files and environment, as one pip.conf."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = re.finditer(r"^(?:global|install|:env:)\.([\w-]+)='(.*)'$", told, re.MULTILINE)
    # A list is told as one line with \n in it, and read from indented lines.
    values = {match[1]: match[2].replace("\\n", "\n    ") for match in lines}
    proxy = os.environ.get("https_proxy") or os.environ.get("HTTPS_PROXY")
    if proxy:
        values.setdefault("proxy", proxy)
    return "[global]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())


def private_home(home: pathlib.Path) -> None:
    import ansible_test

    cache = home / ".ansible/test/cache"
    cache.mkdir(parents=True, exist_ok=True)
    source = pathlib.Path(ansible_test.__path__[0], "_internal/python_requirements.py").read_text()
    for version in re.findall(r"\bpip='([0-9.]+)'", source):
        (cache / f"get_pip_{version.replace('.', '_')}.py").write_text(GET_PIP)
    (home / ".config/pip").mkdir(parents=True, exist_ok=True)
    (home / ".config/pip/pip.conf").write_text(pip_settings())


def search_path(folder: pathlib.Path) -> str:
    """The tools of this environment, and each python3.X as it is: pyenv's shims fail for what is not selected."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for version in pythons.ALL:
        path = pythons.find(version)
        if path:
            # Not a link: a Python started through one may look for its library beside the link.
            (folder / f"python{version}").write_text(f'#!/bin/sh\nexec "{path}" "$@"\n')
            (folder / f"python{version}").chmod(0o755)
    machine = [part for part in os.environ["PATH"].split(":") if "pyenv" not in part]
    return ":".join([os.path.dirname(sys.executable), str(folder), *machine])


def main(options: list[str]) -> int:
    collection = BUILD / "ansible_collections/nsfleet/linux"
    shutil.rmtree(collection, ignore_errors=True)
    export(collection)
    shutil.rmtree(collection / ".collections")
    for git in (["init", "-q"], ["add", "-A"]):  # ansible-test asks git what to look at
        subprocess.run(["git", *git], cwd=collection, check=True)
    private_home(BUILD / "home")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
    environment |= {"HOME": str(BUILD / "home"), "PATH": search_path(BUILD / "pythons/bin")}
    command = ["ansible-test", "sanity", "--local", "--color", "no", *options]
    answer = subprocess.run(
        command,
        cwd=collection,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print("\n".join(line for line in answer.stdout.splitlines() if not PIP.match(line)))
    return answer.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

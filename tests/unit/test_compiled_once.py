# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules in a zip: each is compiled once, and is otherwise what zipimport would have made of it."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

UTILS = "ansible_collections/nsfleet/linux/plugins/module_utils"
SOURCE = Path(__file__).parents[2] / "plugins/module_utils/_compiled_once.py"
LOOK = """
import builtins, json, sys
sys.path.insert(0, sys.argv[1])
compiled = []
plain = builtins.compile
def noted(source, name, *more, **named):
    compiled.append(name)
    return plain(source, name, *more, **named)
import zipimport
zipimport.compile = noted
if sys.argv[2] == "with":
    from ansible_collections.nsfleet.linux.plugins.module_utils._compiled_once import compile_once
    compile_once()
from ansible_collections.nsfleet.linux.plugins.module_utils._layer import subject
from ansible_collections.nsfleet.linux.plugins.module_utils import _layer
try:
    import ansible_collections.nsfleet.linux.plugins.module_utils._layer.missing
    missing = "found"
except ModuleNotFoundError as error:
    missing = error.name
try:
    subject.fails()
except ZeroDivisionError as error:
    import traceback
    shown = traceback.format_exc()
print(json.dumps({
    "compiled": [name.rpartition("/")[2] for name in compiled], "value": subject.VALUE, "shown": shown,
    "missing": missing, "file": subject.__file__, "package": subject.__package__, "path": list(_layer.__path__),
    "is_package": [subject.__spec__.parent, _layer.__spec__.submodule_search_locations is not None],
}))
"""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A payload as Ansible ships it."""
    path = tmp_path / "payload.zip"
    with zipfile.ZipFile(path, "w") as archive:
        parts = UTILS.split("/")
        for depth in range(1, len(parts) + 1):
            archive.writestr("/".join(parts[:depth]) + "/__init__.py", "")
        archive.writestr(UTILS + "/_layer/__init__.py", "")
        archive.writestr(UTILS + "/_layer/other.py", "VALUE = 7\n")
        archive.writestr(
            UTILS + "/_layer/subject.py", "from .other import VALUE\n\n\ndef fails():\n    return 1 / 0\n"
        )
        archive.write(SOURCE, UTILS + "/_compiled_once.py")
    return path


def look(archive: Path, how: str) -> dict[str, Any]:
    """What an interpreter says that imports from it."""
    done = subprocess.run([sys.executable, "-c", LOOK, str(archive), how], stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_module_is_compiled_once(archive: Path) -> None:
    compiled = look(archive, "with")["compiled"]
    assert compiled.count("subject.py") == 1
    assert compiled.count("other.py") == 1


def test_the_module_is_what_zipimport_makes_of_it(archive: Path) -> None:
    ours, theirs = look(archive, "with"), look(archive, "without")
    del ours["compiled"], theirs["compiled"]
    assert ours == theirs
    assert ours["value"] == 7
    assert ours["missing"].endswith("_layer.missing")
    assert "return 1 / 0" in ours["shown"]


def test_what_lies_in_folders_is_left_alone(archive: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(tmp_path / "unpacked")
    ours, theirs = look(tmp_path / "unpacked", "with"), look(tmp_path / "unpacked", "without")
    assert ours == theirs

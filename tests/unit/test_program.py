# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that keeps namespaces at boot: one file that is always the same, and runs with every promised Python."""

from __future__ import annotations

import io
import json
import pathlib
import subprocess
import sys
import zipfile

import pytest

from ansible_collections.nsfleet.linux.plugins.plugin_utils import _program

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "versions"))
from pythons import ALL, find

ENTRY = "_at_boot"
EVERY = """
import importlib, sys, zipfile
sys.path.insert(0, sys.argv[1])
names = [name for name in zipfile.ZipFile(sys.argv[1]).namelist() if not name.startswith("__main__")]
for name in names:
    importlib.import_module(name[:-len("/__init__.py" if name.endswith("__init__.py") else ".py")].replace("/", "."))
print(len(names), [name for name in sys.modules if name == "ansible" or name.startswith("ansible.")])
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("program") / "ns_persist.pyz"
    path.write_bytes(_program.program(ENTRY))
    return path


def run(program: pathlib.Path, *arguments: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    command = [python, "-I", str(program), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env={}, cwd="/")


def test_the_same_sources_make_the_same_bytes(program: pathlib.Path) -> None:
    """Also in another process, with another order of sets, and at another time."""
    code = f"import hashlib, sys; sys.path[:0] = {sys.path!r}\n" + (
        "from ansible_collections.nsfleet.linux.plugins.plugin_utils._program import program\n"
        f"sys.stdout.buffer.write(program({ENTRY!r}))"
    )
    environment = {"PYTHONHASHSEED": "7", "TZ": "Asia/Kolkata"}
    again = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60, env=environment)
    assert again.stdout == program.read_bytes()


def test_nothing_in_it_depends_on_the_machine_that_makes_it(program: pathlib.Path) -> None:
    with zipfile.ZipFile(program) as archive:
        entries = archive.infolist()
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {(entry.compress_type, entry.create_system, entry.external_attr) for entry in entries} == {
        (zipfile.ZIP_STORED, 3, 0o100644 << 16)
    }


def test_other_sources_make_another_one_and_it_says_so(
    program: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = _program.sources(ENTRY)
    name = next(name for name in sources if name.endswith("/persist.py"))
    monkeypatch.setattr(_program, "sources", lambda dummy: dict(sources, **{name: sources[name] + b"# more\n"}))
    other = tmp_path / "other.pyz"
    other.write_bytes(_program.program(ENTRY))
    told = [run(path, "--version").stdout for path in (program, other)]
    assert told[0] != told[1] and all(line.startswith("nsfleet.linux, sources ") for line in told)


def test_it_is_small_because_it_has_only_what_is_imported(program: pathlib.Path) -> None:
    layers = {name.split("/")[5] for name in _program.sources(ENTRY)}
    assert layers == {"_at_boot.py", "_compiled_once.py", "_kernel", "_model", "_discover", "_enter", "_create"}
    assert program.stat().st_size < 400_000


@pytest.mark.parametrize("version", ALL)
def test_all_that_is_in_it_can_be_imported(program: pathlib.Path, version: str) -> None:
    """And so all that is imported when a module is loaded is in it; none of it is Ansible's."""
    python = find(version)
    if python is None:
        pytest.skip(f"no Python {version}")
    command = [python, "-I", "-c", EVERY, str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env={}, cwd="/")
    count = len(zipfile.ZipFile(io.BytesIO(program.read_bytes())).namelist()) - 1
    assert (done.stdout, done.stderr) == (f"{count} []\n", "")


@pytest.mark.parametrize("version", ALL)
def test_it_tells_how_it_is_used(program: pathlib.Path, version: str) -> None:
    python = find(version)
    if python is None:
        pytest.skip(f"no Python {version}")
    done = run(program, "--help", python=python)
    assert (done.returncode, done.stderr) == (0, "") and "present|absent FILE" in done.stdout


@pytest.mark.parametrize("arguments", [[], ["present"], ["absent"], ["restart", "/f.json"]], ids=str)
def test_wrong_arguments_are_told_from_failures(program: pathlib.Path, arguments: list[str]) -> None:
    done = run(program, *arguments)
    assert (done.returncode, done.stdout) == (2, "") and "usage:" in done.stderr


@pytest.mark.parametrize(
    "content, sentence",
    [
        ("{", "is no JSON"),
        ("[]", "must be a JSON object"),
        ("{}", "says nothing of name"),
        ('{"name": 7}', "name must be of type str"),
        ('{"name": "a", "nsid": true}', "nsid must be of type int"),
        ('{"name": "a", "namespaces": "net"}', "namespaces must be of type list"),
        ('{"name": "a", "namespaces": [1]}', "namespaces must be a list of texts"),
        ('{"name": "a", "namespaces": ["nett"]}', "namespaces is some of mnt, uts"),
        ('{"name": "a", "container": "web"}', "container is unknown, or names what does not exist after a reboot"),
        ('{"name": "a", "state": "absent"}', "state is unknown"),
        ('{"name": "../a"}', "name must be one component of a path"),
    ],
)
def test_a_file_that_says_something_else_is_refused(
    program: pathlib.Path, tmp_path: pathlib.Path, content: str, sentence: str
) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    done = run(program, "present", str(path))
    assert (done.returncode, done.stdout) == (1, "")
    assert sentence in done.stderr and done.stderr.count("\n") == 1


def test_a_file_that_is_not_there_is_named_and_the_others_are_looked_at(
    program: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "b.json").write_text(json.dumps({"name": "."}))
    done = run(program, "absent", str(tmp_path / "a.json"), str(tmp_path / "b.json"))
    lines = done.stderr.splitlines()
    assert done.returncode == 1 and len(lines) == 2 and "a.json cannot be read: No such file" in lines[0]

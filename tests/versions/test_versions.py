# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules under every promised ansible-core and every promised Python of the managed host."""

from __future__ import annotations

import functools
import json
import os
import pathlib
import subprocess
import sys
import time
import typing as t

import pytest
import pythons

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]


@functools.lru_cache(maxsize=None)
def core(release: str) -> pathlib.Path:
    """The bin folder of a virtual environment with this release of ansible-core; kept in .build between runs."""
    python = pythons.controller(release)
    wanted = "ansible-core" if release == "newest" else f"ansible-core=={release}.*"
    folder = CHECKOUT / ".build/cores" / release
    mark = folder / "installed"
    if not mark.exists() or mark.read_text() != f"{python} {wanted}":
        make = [str(python), "-m", "venv", "--clear", str(folder)]
        pip = [str(folder / "bin/python"), "-m", "pip"]
        if subprocess.run([str(python), "-c", "import ensurepip"], stderr=subprocess.DEVNULL, check=False).returncode:
            # Debian's own Python without python3-venv: our pip, of the same Python, fills it from outside.
            make.append("--without-pip")
            pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin/python")]
        subprocess.run(make, check=True, timeout=120)
        subprocess.run([*pip, "install", "-q", wanted], check=True, timeout=300, stderr=subprocess.DEVNULL)
        mark.write_text(f"{python} {wanted}")
    return folder / "bin"


def ansible(release: str, managed: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``ansible localhost`` typed in the checkout, with that core here and that Python there."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
    environment |= {"ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "LC_ALL": "C.UTF-8"}
    environment["ANSIBLE_CALLBACK_RESULT_FORMAT"] = "json"
    interpreter = ["-e", json.dumps({"ansible_python_interpreter": managed})]  # key=value ends at a space in the path
    command = [str(core(release) / "ansible"), "localhost", *interpreter, *arguments]
    return subprocess.run(
        command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def result_of(answer: subprocess.CompletedProcess[str], word: str) -> dict[str, t.Any]:
    """A module's result, said to be SUCCESS or CHANGED."""
    assert answer.returncode == 0, answer.stdout + answer.stderr
    head, dummy, result = answer.stdout.partition(" => ")
    assert head == f"localhost | {word}", answer.stdout
    return t.cast("dict[str, t.Any]", json.loads(result))


def facts(answer: subprocess.CompletedProcess[str]) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", result_of(answer, "SUCCESS")["ansible_facts"]["namespaces"])


@pytest.fixture(scope="module")
def elsewhere() -> t.Iterator[int]:
    """The pid of a process in a user namespace and a network of its own, which everybody may make."""
    argv = ["unshare", "--user", "--map-root-user", "--net", "--kill-child", "--fork", "cat"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as process:
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
        deadline = time.monotonic() + 20
        while not children.read_text() and time.monotonic() < deadline:
            time.sleep(0.01)
        yield int(children.read_text())
        process.kill()


@pytest.mark.parametrize(("release", "version"), pythons.pairs())
def test_ns_facts_finds_the_namespace_it_runs_in(release: str, version: str) -> None:
    answer = ansible(release, str(pythons.find(version)), "-m", "nsfleet.linux.ns_facts")
    found = facts(answer)
    own = os.readlink("/proc/self/ns/net")
    assert own in [namespace["name"] for namespace in found["inventory"]]
    assert found["own"]["net"].partition("#")[0] == own


@pytest.mark.parametrize(("release", "version"), pythons.pairs())
def test_ns_exec_enters_and_tells_change(release: str, version: str, elsewhere: int) -> None:
    given = {"pid": elsewhere, "namespaces": ["user", "net"], "argv": ["readlink", "/proc/self/ns/net"]}
    answer = ansible(release, str(pythons.find(version)), "-m", "nsfleet.linux.ns_exec", "-a", json.dumps(given))
    assert result_of(answer, "SUCCESS")["stdout"] == os.readlink(f"/proc/{elsewhere}/ns/net")


@pytest.mark.parametrize(("release", "version"), pythons.pairs())
def test_ns_unshare_makes_all_types(release: str, version: str) -> None:
    types = ["mnt", "uts", "ipc", "pid", "net", "user", "cgroup", "time"]
    given = {"namespaces": types, "init": True, "mount_proc": True, "hostname": "web", "loopback": True,
             "argv": ["sh", "-c", "uname -n; echo $$; readlink /proc/self/ns/net"]}
    answer = ansible(release, str(pythons.find(version)), "-m", "nsfleet.linux.ns_unshare", "-a", json.dumps(given))
    result = result_of(answer, "CHANGED")
    assert result["stdout_lines"] == ["web", "2", result["namespaces"]["net"]]
    assert sorted(result["namespaces"]) == sorted(types)


@pytest.mark.parametrize("release", [release for release in pythons.CORES if pythons.controller(release)])
def test_the_short_name_works_in_a_plain_clone(release: str) -> None:
    answer = ansible(release, sys.executable, "-m", "ns_facts")
    assert facts(answer)["inventory"]


def test_the_machine_has_what_debian_12_has() -> None:
    """Without Python 3.11 the matrix would be empty, and an empty matrix passes."""
    assert ("2.19", "3.11") in pythons.pairs()

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The README's commands, typed in a fresh clone whose folder has a name that scripts trip over."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
from export import export


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """In a folder that nothing knows yet."""
    folder = tmp_path_factory.mktemp("home") / "any name"
    export(folder)
    return folder


def typed(*command: str | pathlib.Path, cwd: pathlib.Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
    return subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_start_that_was_killed_is_made_good_by_the_next(clone: pathlib.Path) -> None:
    command = [clone / "scripts/debug-containers"]
    with subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL) as first:
        for dummy in range(600):
            if (clone / ".venv/bin").exists():
                break
            time.sleep(0.05)
        os.killpg(first.pid, signal.SIGKILL)
    answer = typed("./scripts/debug-containers", cwd=clone)
    assert "Making .venv" in answer.stderr
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "localhost" in answer.stdout


def test_the_second_start_sets_nothing_up(clone: pathlib.Path) -> None:
    answer = typed("./scripts/debug-containers", "--list-hosts", cwd=clone)
    assert answer.returncode == 0
    assert "Making" not in answer.stderr


def test_it_is_typed_in_another_folder_too(clone: pathlib.Path, tmp_path: pathlib.Path) -> None:
    answer = typed(clone / "scripts/debug-containers", "--list-hosts", cwd=tmp_path)
    assert "localhost" in answer.stdout


def test_an_empty_inventory_is_no_success(clone: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "nobody.ini").touch()
    answer = typed("./scripts/debug-containers", "-i", tmp_path / "nobody.ini", cwd=clone)
    assert answer.returncode != 0
    assert "no host was looked at" in answer.stderr


def test_a_host_that_does_not_answer_is_no_success(clone: pathlib.Path) -> None:
    unreachable = ["-e", "ansible_ssh_common_args='-o ConnectTimeout=1'"]
    answer = typed("./scripts/debug-containers", "-i", "no-such-host.invalid,", *unreachable, cwd=clone)
    assert answer.returncode != 0


@pytest.mark.parametrize("module", ["ns_facts", "nsfleet.linux.ns_facts"])
def test_ansible_works_in_a_plain_clone(clone: pathlib.Path, module: str) -> None:
    answer = typed(".venv/bin/ansible", "all", "-m", module, cwd=clone)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert answer.stdout.startswith("localhost | SUCCESS")


def test_an_environment_that_somebody_else_made_is_left_alone(clone: pathlib.Path) -> None:
    shutil.rmtree(clone / ".venv-test", ignore_errors=True)
    (clone / ".venv-test").mkdir()
    answer = typed("./scripts/test", "unit", cwd=clone)
    assert answer.returncode != 0
    assert "was not made by this script" in answer.stderr
    assert list((clone / ".venv-test").iterdir()) == []


def test_a_phase_that_does_not_exist_is_refused(clone: pathlib.Path) -> None:
    answer = typed("./scripts/test", "unti", cwd=clone)
    assert answer.returncode != 0
    assert "there is no phase 'unti'" in answer.stderr

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ns_exec, run as Ansible runs it, and its answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from rig.facts import CHECKOUT
from rig.programs import FOLDERS

SECONDS = 120.0
MODULE = CHECKOUT / "plugins/modules/ns_exec.py"


def environment(**more: str) -> dict[str, str]:
    """What the module is given."""
    # The host's own tools, of Debian: an unrelated build in /usr/local serves where there is nothing else.
    path = f"{FOLDERS}:{os.environ.get('PATH', '')}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(CHECKOUT / ".collections"), **more}


def arguments(options: dict[str, Any], check_mode: bool = False) -> str:
    """What the module reads."""
    return json.dumps({"ANSIBLE_MODULE_ARGS": {**options, "_ansible_check_mode": check_mode}})


def run(check_mode: bool = False, **options: Any) -> dict[str, Any]:
    """Run the module's file by itself, with its options on the standard input: the quick way."""
    done = subprocess.run(
        [sys.executable, str(MODULE)], input=arguments(options, check_mode), env=environment(), capture_output=True,
        text=True, timeout=SECONDS, check=False,
    )
    assert not done.stderr, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def start(**options: Any) -> subprocess.Popen[str]:
    """The same, without waiting for it; read its answer with C(answer)."""
    process = subprocess.Popen(
        [sys.executable, str(MODULE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(), text=True,
    )
    if process.stdin is None:
        raise ValueError("not connected")
    process.stdin.write(arguments(options))
    process.stdin.close()
    process.stdin = None
    return process


def answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What C(start) came to."""
    result: dict[str, Any] = json.loads(process.communicate(timeout=SECONDS)[0])
    return result


def run_with_ansible(*arguments_: str, **options: Any) -> dict[str, Any]:
    """Run `ansible localhost -m nsfleet.linux.ns_exec` in the checkout; C(arguments_): of ansible's own."""
    result: dict[str, Any] = json.loads(ansible(*arguments_, **options).split("=>", 1)[1])
    return result


def ansible(*arguments_: str, **options: Any) -> str:
    """What `ansible` prints of it."""
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible")), "localhost", "-m", "nsfleet.linux.ns_exec", "-a",
            json.dumps(options), *arguments_,
        ],
        cwd=CHECKOUT,
        env=environment(
            ANSIBLE_CONFIG=str(CHECKOUT / "ansible.cfg"), ANSIBLE_NOCOLOR="1", ANSIBLE_STDOUT_CALLBACK="minimal",
            ANSIBLE_CALLBACK_RESULT_FORMAT="json",
        ),
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )
    assert "=>" in done.stdout or "SKIPPED" in done.stdout, done.stdout + done.stderr
    return done.stdout

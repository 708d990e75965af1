# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ns_facts, run as Ansible runs it, and its answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[3]
SECONDS = 60.0


class Facts:
    """What ns_facts says of this machine. Containers of others may be there: ask for your own."""

    def __init__(self, found: dict[str, Any]) -> None:
        self.all = found
        self.containers: list[dict[str, Any]] = found["containers"]

    def container(self, identity: str) -> dict[str, Any]:
        """The one entry with this id."""
        return self._one([entry for entry in self.containers if entry["id"] == identity], f"with the id {identity}")

    def at(self, pid: int) -> dict[str, Any]:
        """The one entry whose init has this pid."""
        return self._one([entry for entry in self.containers if entry["pid"] == pid], f"whose init is {pid}")

    def namespace(self, name: str) -> dict[str, Any]:
        """The one entry of the inventory with this name."""
        return self._one([entry for entry in self.all["inventory"] if entry["name"] == name], f"named {name}")

    def pids(self) -> list[int]:
        """The init of every container."""
        return [entry["pid"] for entry in self.containers]

    def _one(self, matching: list[dict[str, Any]], which: str) -> dict[str, Any]:
        seen = [(entry["engine"], entry["name"], entry["pid"]) for entry in self.containers]
        assert len(matching) == 1, (
            f"{len(matching)} entries {which}; containers: {seen}; problems: {self.all['problems']}"
        )
        return matching[0]


def collect(**options: Any) -> Facts:
    """Run the module's file by itself, with its options on the standard input: the quick way."""
    done = subprocess.run(
        [sys.executable, str(CHECKOUT / "plugins/modules/ns_facts.py")],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": options}),
        env={**os.environ, "PYTHONPATH": str(CHECKOUT / ".collections")},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert not done.stderr, done.stderr
    return _facts(json.loads(done.stdout))


def collect_with_ansible(**options: Any) -> Facts:
    """Run `ansible localhost -m nsfleet.linux.ns_facts` in the checkout."""
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible")),
            "localhost",
            "-m",
            "nsfleet.linux.ns_facts",
            "-a",
            json.dumps(options),
        ],
        cwd=CHECKOUT,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_STDOUT_CALLBACK": "minimal",
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        },
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return _facts(json.loads(done.stdout.split("=>", 1)[1]))


def _facts(result: dict[str, Any]) -> Facts:
    assert not result.get("failed"), result
    return Facts(result["ansible_facts"]["namespaces"])

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook as a user runs it, on hosts that are files: a stand-in for ns_snapshot answers for them."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]

# An action plugin, because only such a one knows which host it is asked for, and can be unreachable.
STAND_IN = '''
import base64
import json
import pathlib
import zlib
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        with open(FACTS) as file:
            canned = json.load(file)[task_vars["inventory_hostname"]]
        if isinstance(canned, str) and canned.startswith("unreachable"):
            raise AnsibleConnectionFailure(canned)
        if isinstance(canned, str):
            return {"failed": True, "msg": canned}
        if "result" in canned:
            return canned["result"]
        dest = self._task.args["dest"]
        left = [path.name for path in pathlib.Path(dest).parents[1].glob("snapshots-*/*") if path.suffix != ".told"]
        if canned.get("alone") and left:
            return {"failed": True, "msg": "snapshots of an earlier batch are still there"}
        if self._task.check_mode:
            raise AssertionError("written in check mode too")
        raw = base64.b64decode(canned["raw"]) if "raw" in canned else zlib.compress(json.dumps(canned).encode())
        if not canned.get("lost"):
            with open(dest, "wb") as file:
                file.write(raw)
        return {"changed": True, "dest": dest, "size": len(raw), "complete": True, "counts": {}, "problems": 0}
'''

# What the action plugin runs on the host for debug_commands: it answers by the command, and notes what it was asked.
NS_EXEC = '''
import json
from ansible.module_utils.basic import AnsibleModule

ASKED = ("cmd", "argv", "containers", "engine", "read_only", "timeout", "max_output")

module = AnsibleModule(dict.fromkeys(ASKED, {"type": "raw"}), supports_check_mode=True)
with open(SAID) as file:
    said = json.load(file)
with open(SAID + ".asked", "a") as file:
    given = {name: value for name, value in module.params.items() if value is not None}
    file.write(json.dumps(dict(given, check=module.check_mode)) + "\\n")
answer = said[module.params["cmd"] or " ".join(module.params["argv"])]
(module.fail_json if answer.get("failed") else module.exit_json)(**dict({"msg": ""}, **answer))
'''


class Played(NamedTuple):
    """A finished run: its status, what it printed, and the folder of the reports."""

    status: int
    output: str
    reports: pathlib.Path

    @property
    def table(self) -> list[str]:
        """The lines of the last table, without what Ansible puts before them."""
        printed = re.split(r"\n\n(?:TASK|PLAY) ", self.output.split("they share]")[-1])[0]
        return [line[8:] for line in printed.split("\n")[3:]]

    @property
    def owned(self) -> bool:
        """Whether a hostile name or message was run as a program on the controller."""
        return (self.reports.parent / "OWNED").exists()

    @property
    def changed(self) -> int:
        """How many tasks and items changed something."""
        return self.output.count("\nchanged: ")

    @property
    def written(self) -> dict[str, int]:
        """All files, and when they were written."""
        files = [path for path in self.reports.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.reports)): path.stat().st_mtime_ns for path in files}

    def json(self, path: str) -> Any:
        """A JSON report."""
        return json.loads((self.reports / path).read_text())

    def markdown(self, path: str) -> str:
        """A Markdown report."""
        return (self.reports / path).read_text()


Play = Callable[..., Played]
Shown = Callable[..., "list[str]"]


def player(tmp_path: pathlib.Path, programs: pathlib.Path | None = None) -> Play:
    """What runs the playbook in a folder of its own, with the Ansible of another folder of C(programs) if given."""
    tree = tmp_path / "collections/ansible_collections/nsfleet/linux"
    (tree / "plugins/action").mkdir(parents=True)
    plugins = ("plugins/doc_fragments", "plugins/module_utils")
    for name in ("galaxy.yml", "meta", "playbooks", "roles", *plugins):
        (tree / name).symlink_to(CHECKOUT / name)
    canned, said = tmp_path / "facts.json", tmp_path / "said.json"
    (tree / "plugins/modules").mkdir()
    for module in (CHECKOUT / "plugins/modules").glob("*.py"):
        if module.name != "ns_exec.py":
            (tree / "plugins/modules" / module.name).symlink_to(module)
    (tree / "plugins/modules/ns_exec.py").write_text(f"#!/usr/bin/python\nSAID = {str(said)!r}\n{NS_EXEC}")
    for name in ("containers_report.py", "containers_commands.py"):
        (tree / "plugins/action" / name).symlink_to(CHECKOUT / "plugins/action" / name)
    (tree / "plugins/action/ns_snapshot.py").write_text(f"FACTS = {str(canned)!r}\n{STAND_IN}")
    (tmp_path / "ansible.cfg").touch()

    def run(
        hosts: Mapping[str, Any],
        *arguments: str,
        form: str = "yaml",
        inventory: Mapping[str, Any] | None = None,
        playbook: str = "nsfleet.linux.debug_containers",
        environment: Mapping[str, str] | None = None,
        **variables: Any,
    ) -> Played:
        canned.write_text(json.dumps(hosts))
        (tmp_path / "inventory.json").write_text(json.dumps(inventory or {"all": {"hosts": dict.fromkeys(hosts, {})}}))
        own = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
        own.update(
            ANSIBLE_CONFIG=str(tmp_path / "ansible.cfg"),
            ANSIBLE_COLLECTIONS_PATH=str(tmp_path / "collections"),
            ANSIBLE_CALLBACK_RESULT_FORMAT=form,
            ANSIBLE_NOCOLOR="1",
            LC_ALL="C.UTF-8",
            PWD=str(tmp_path),
            OWNED=str(tmp_path / "OWNED"),  # what hostile names and messages would make
            COLUMNS="80",
            **(environment or {}),
        )
        program = (programs or pathlib.Path(sys.executable).parent) / "ansible-playbook"
        command = [str(program), "-i", "inventory.json", playbook]
        answer = subprocess.run(
            [*command, "-e", json.dumps(variables), *arguments],
            cwd=tmp_path, env=own, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            encoding="utf-8", timeout=180, check=False,
        )  # fmt: skip
        return Played(answer.returncode, answer.stdout, tmp_path / "debug-containers")

    return run

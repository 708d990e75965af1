# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs commands in the containers of a host with ns_exec, and puts what they said into a file on the controller.

No variable holds it: ten commands in a hundred containers are megabytes, and there may be a thousand hosts.
"""

from __future__ import annotations

import json
import os
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.nsfleet.linux.plugins.module_utils._report.commands import OUTPUT, told, words

_WORDS = {"type": "list", "elements": "str", "default": []}
OPTIONS: dict[str, t.Any] = {
    "commands": {"type": "list", "elements": "raw", "required": True},
    "dest": {"type": "path", "required": True},
    "seen": {"type": "path"},
    "containers": _WORDS,
    "engines": _WORDS,
    "timeout": {"type": "float", "default": 10},
}
_LIST_OPTIONS = ("containers", "engines")


class ActionModule(ActionBase):
    """One run of ns_exec a command; in check mode each decides for itself whether it may run."""

    _supports_check_mode = True
    _supports_async = False
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if isinstance(arguments.get("commands"), str):
            # One text is one command: commas in it are its own.
            arguments["commands"] = [arguments["commands"]]
        for name in _LIST_OPTIONS:
            if isinstance(arguments.get(name), str):
                arguments[name] = [word.strip() for word in arguments[name].split(",") if word.strip()]
        self._task.args = arguments
        dummy, options = self.validate_argument_spec(argument_spec=OPTIONS)
        if options["seen"] is not None and not os.path.exists(options["seen"]):
            return dict(result, changed=False, skipped=True, skip_reason="the host was not seen")
        found, changed = [], False
        for command in options["commands"]:
            said = self._execute_module(
                module_name="nsfleet.linux.ns_exec", module_args=_arguments(command, options), task_vars=task_vars
            )
            changed = changed or bool(said.get("changed"))
            found.append(told(command, said))
        self._remove_tmp_path(self._connection._shell.tmpdir)
        try:
            with open(options["dest"], "x", encoding="ascii") as file:
                json.dump(found, file)
        except OSError as error:
            raise AnsibleActionFail(
                f"containers_commands: {options['dest']} must be a new file on the controller: {error.strerror}."
            ) from None
        # Numbers only, whatever a container said.
        return dict(result, changed=changed, commands=len(found), targets=sum(len(one["targets"]) for one in found))


def _arguments(command: t.Any, options: dict[str, t.Any]) -> dict[str, t.Any]:
    try:
        words(command)
    except ValueError as error:
        raise AnsibleActionFail(f"containers_commands: {command!r} cannot be run: {error}.") from None
    arguments: dict[str, t.Any] = {
        "containers": options["containers"] or ["all"],
        "read_only": True,
        "timeout": options["timeout"],
        "max_output": OUTPUT,
    }
    if options["engines"]:
        arguments["engine"] = options["engines"]
    arguments["cmd" if isinstance(command, str) else "argv"] = command
    return arguments

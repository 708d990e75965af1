# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module on the host and puts its snapshot into a file on the controller, so that no variable holds it."""

from __future__ import annotations

import json
import os
import tempfile
import typing as t
import zlib

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.path import unfrackpath

from ansible_collections.nsfleet.linux.plugins.module_utils._snapshot import unpack

_TOLD = ("counts", "complete", "problems", "warnings", "deprecations", "invocation")


class ActionModule(ActionBase):
    """Takes the snapshot out of the module's result."""

    _supports_check_mode = True
    _supports_async = False
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        dest = self._file(arguments.get("dest"), str((task_vars or {}).get("inventory_hostname", "localhost")))
        result.update(self._execute_module(
            module_name="nsfleet.linux.ns_snapshot", module_args=arguments, task_vars=task_vars
        ))
        self._remove_tmp_path(self._connection._shell.tmpdir)
        snapshot = result.pop("snapshot", None)
        if result.get("failed") or result.get("skipped"):
            return result
        content = _content(snapshot)
        # Numbers only, whatever else a host answers.
        result = {key: value for key, value in result.items() if key in _TOLD}
        result.update(dest=dest, size=len(content), changed=True)
        if not self._task.check_mode:
            _write(dest, content)
        return result

    def _file(self, dest: t.Any, host: str) -> str:
        """The path of the file; a folder gets one named after the host."""
        if not isinstance(dest, str) or not dest:
            raise AnsibleActionFail("ns_snapshot: dest must be a path on the controller, and is missing.")
        path = unfrackpath(dest, follow=False, basedir=os.environ.get("PWD") or None)
        if dest.endswith(os.sep) or os.path.isdir(path):
            # The name of a host may hold anything, also a way out of the folder.
            name = host.replace("%", "%25").replace(os.sep, "%2F").replace("\0", "%00")
            path = os.path.join(path, ("%2E" + name[1:] if name.startswith(".") else name) + ".json.zlib")
        return path


def _content(snapshot: t.Any) -> bytes:
    """What goes into the file, of what a host sent."""
    try:
        facts = unpack(snapshot)
    except ValueError as error:
        raise AnsibleActionFail(
            f"ns_snapshot: the host must answer with a snapshot, and did not ({error}): it runs something else than"
            " this module, or its answer was cut on the way."
        ) from None
    return zlib.compress(json.dumps(facts, separators=(",", ":")).encode("ascii"))


def _write(path: str, content: bytes) -> None:
    """Whole or not at all, for nobody else's eyes: command lines and labels may hold secrets."""
    folder = os.path.dirname(path)
    if os.path.lexists(path) and not (os.path.isfile(path) or os.path.islink(path)):
        # It would be replaced: /dev/null by a file, say.
        raise AnsibleActionFail(f"ns_snapshot: dest must be a file, and {path} is something else. Name another place.")
    try:
        os.makedirs(folder, exist_ok=True)
        descriptor, scratch = tempfile.mkstemp(dir=folder, prefix=".snapshot-")
        try:
            with open(descriptor, "wb") as file:
                file.write(content)
            os.replace(scratch, path)
        except OSError:
            os.unlink(scratch)
            raise
    except OSError as error:
        raise AnsibleActionFail(f"ns_snapshot: {path} must be writable on the controller: {error.strerror}.") from None

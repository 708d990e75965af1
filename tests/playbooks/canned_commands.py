# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results as ns_exec returns them, of commands that did not run."""

from __future__ import annotations

from typing import Any


def said(container: dict[str, Any], stdout: str = "", **more: Any) -> dict[str, Any]:
    """The result of one target."""
    found = {
        "cmd": ["x"], "rc": 0, "stdout": stdout, "stderr": "", "msg": "", "changed": False, "unproven": [],
        "target": {
            "container": container["name"], "id": container["id"], "pid": container["pid"], "start_time": 5,
            "also": [],
        },
        "truncated": {"stdout": 0, "stderr": 0},
    }  # fmt: skip
    found.update(more)
    if found["rc"]:
        found.update(failed=True, msg=more.get("msg", "non-zero return code"))
    return found


def missing(container: dict[str, Any], name: str) -> dict[str, Any]:
    """That of a program that it does not have."""
    where = f"{name} is not in {container['name']} (ENOENT, PATH is /usr/local/bin:/usr/bin:/bin)"
    hint = f", but the host has /usr/bin/{name}: join without mnt to use that one, for example namespaces: [net]"
    return said(container, rc=None, failed=True, msg=where + hint)


def many(*results: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The result of the task. As the real one it fails where one target does."""
    found: dict[str, Any] = {"changed": any(one["changed"] for one in results), "targets": list(results)}
    found.update(left_out=[], msg="")
    if any(one.get("failed") for one in results):
        found.update(failed=True, msg="some of the targets failed")
    found.update(more)
    return found

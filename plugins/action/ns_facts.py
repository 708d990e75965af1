# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chooses the module that has the code for what is asked: that for networks doubles what travels to the host."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Runs ns_facts, or ns_facts_network where the subset network is wanted."""

    _supports_check_mode = True
    _supports_async = True
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        name = "ns_facts_network" if _wants_network(self._task.args.get("gather_subset")) else "ns_facts"
        result.update(self._execute_module(
            module_name="nsfleet.linux." + name, module_args=self._task.args, task_vars=task_vars,
            wrap_async=self._task.async_val,
        ))
        if not self._task.async_val:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result


def _wants_network(subset: t.Any) -> bool:
    """Whether the module will find it in this option; whatever else is wrong with it, the module says."""
    words = subset.split(",") if isinstance(subset, str) else subset if isinstance(subset, list) else ()
    return "network" in [str(word).strip() for word in words]

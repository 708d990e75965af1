# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: task_times
type: aggregate
short_description: Write down how long each task took
description:
  - From its start on the controller to its result there, in seconds, in the order of the play.
author:
  - the nsfleet.linux authors
"""

import json
import os
import time
import typing as t

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "task_times"

    def __init__(self) -> None:
        super().__init__()
        self._times: list[tuple[str, float]] = []
        self._started = 0.0

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        self._started = time.perf_counter()

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._times.append((result._task.get_name(), time.perf_counter() - self._started))

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        with open(os.environ["NSFLEET_TASK_TIMES"], "w", encoding="utf-8") as file:
            json.dump(self._times, file)

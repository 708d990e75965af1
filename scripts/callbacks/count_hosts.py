# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: count_hosts
type: aggregate
short_description: Write down how many hosts a playbook was run on
description:
  - A playbook over an empty inventory ends with status 0; C(scripts/debug-containers) tells the difference by this.
  - Nothing is written when no playbook was run (C(--help), C(--syntax-check)).
author:
  - the nsfleet.linux authors
"""

import os
import typing as t

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "count_hosts"

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        with open(os.environ["NSFLEET_HOST_COUNT"], "w", encoding="ascii") as file:
            file.write(str(len(stats.processed)))

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No check fires on a host in order, and on none of them is anything left untold that could be told."""

from __future__ import annotations

import pytest
from healthy import HOSTS, facts

from ansible_collections.nsfleet.linux.plugins.module_utils._audit.checks import CHECKS, judge


@pytest.mark.parametrize("name", HOSTS)
def test_a_host_in_order_has_no_fault(name: str) -> None:
    loud = [(one["status"], one["check"], one["reason"]) for one in judge(facts(name), name)
            if one["status"] not in ("pass", "not_applicable")]
    assert loud == []


def test_each_check_passes_somewhere_on_them() -> None:
    passed = {one["check"] for name in HOSTS for one in judge(facts(name), name) if one["status"] == "pass"}
    assert passed == {check.id for check in CHECKS}

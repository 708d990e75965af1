# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From canned facts to a report, as the action plugin does it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.nsfleet.linux.plugins.module_utils._audit.checks import CHECKS
from ansible_collections.nsfleet.linux.plugins.module_utils._report.containers import (
    Choice,
    chosen_of,
    containers_of,
    host_report,
)
from ansible_collections.nsfleet.linux.plugins.module_utils._report.containers_index import entry
from ansible_collections.nsfleet.linux.plugins.module_utils._report.containers_terminal import Terminal
from ansible_collections.nsfleet.linux.plugins.module_utils._report.faults import picks, select
from ansible_collections.nsfleet.linux.plugins.module_utils._report.network import Networks
from ansible_collections.nsfleet.linux.plugins.module_utils._report.wiring import Wiring, wiring

ALL = Choice()
IDS = [check.id for check in CHECKS]
COLUMNS = ("name", "engine", "image", "pid", "namespaces", "shared")


def report(facts: dict[str, Any], faults: Sequence[dict[str, Any]] = (), choice: Choice = ALL) -> dict[str, Any]:
    """The report of a host with these faults."""
    chosen = chosen_of(containers_of(facts), choice)
    return host_report("node", facts, choice, select(faults, picks(["all"], IDS), chosen, choice.everything))


def network(facts: dict[str, Any], name: str) -> dict[str, Any]:
    """What the report has as the network of the container with this name."""
    return next(one["network"] for one in report(facts)["containers"] if one["name"] == name)


def terminal(facts: dict[str, Any], room: int = 72, faults: Sequence[dict[str, Any]] = (), **more: Any) -> list[str]:
    """The lines for a terminal."""
    found = report(facts, faults, **more)
    writer = Terminal(room, COLUMNS, 1000, False)
    writer.add(found)
    return writer.lines([entry(found, ["json", "markdown", "svg"])])


def drawing(facts: dict[str, Any], faults: Sequence[dict[str, Any]] = (), choice: Choice = ALL) -> Wiring:
    """The wiring of a host with these faults."""
    chosen = chosen_of(containers_of(facts), choice)
    return wiring("node", Networks(facts), chosen, faults, facts["inventory"], choice.everything)

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host can send anything. Its reports are written, or an error is raised that the action plugin takes for its failure."""

from __future__ import annotations

import contextlib
import copy
import random
from typing import Any

import pytest
from canned_network import docker_host, fault
from reporting import drawing, report, terminal

from ansible_collections.nsfleet.linux.plugins.action.containers_report import _ODD
from ansible_collections.nsfleet.linux.plugins.module_utils._audit.checks import judge
from ansible_collections.nsfleet.linux.plugins.module_utils._report.containers_index import entry, index
from ansible_collections.nsfleet.linux.plugins.module_utils._report.containers_markdown import (
    host_markdown,
    index_markdown,
)
from ansible_collections.nsfleet.linux.plugins.module_utils._report.wiring_mermaid import mermaid
from ansible_collections.nsfleet.linux.plugins.module_utils._report.wiring_svg import svg

ODD: list[Any] = [
    None, 0, -1, 10**400, 1.5, float("nan"), float("inf"), True, "", "\ud800", "x" * 100_000, [], {}, [[]], [None], {"": None}, "net:[1]",
]  # fmt: skip


def places(value: Any) -> list[tuple[Any, Any]]:
    """Each container with each of its keys, all the way down."""
    found = []
    pending = [value]
    while pending:
        one = pending.pop()
        keys = one.keys() if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else ()
        for key in keys:
            found.append((one, key))
            pending.append(one[key])
    return found


@pytest.mark.parametrize("seed", range(150))
def test_nothing_unforeseen_is_raised(seed: int) -> None:
    chance = random.Random(seed)
    facts = copy.deepcopy(docker_host().facts())
    for container, key in chance.sample(places(facts), chance.choice((1, 3, 30))):
        container[key] = chance.choice(ODD)
    with contextlib.suppress(*_ODD):
        faults: list[dict[str, Any]] = [fault("RT-001", "high", "odd"), *map(dict, judge(facts, "node"))]
        found = report(facts, faults)
        entries = [entry(found, ["json", "markdown", "svg"])]
        index(entries)
        index_markdown(entries, ["markdown"])
        drawn = drawing(facts, found["faults"])
        svg(drawn).encode()
        mermaid(drawn)[0].encode()
        host_markdown(found, drawn, True).encode()
        terminal(facts)

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several runs of ns_persist at once, also together with ip-netns(8)."""

from __future__ import annotations

import json
import random
import subprocess
from typing import Any

from ansible_collections.nsfleet.linux.tests.kernel.persist_lab import (
    Other,
    alone,
    consistent,
    inits,
    ip,
    kept,
    listed,
    name_at,
    persist,
    units,
)

NAMES = ["a", "b", "c", "d", "e"]


@alone
def test_two_runs_at_once_end_in_one_namespace() -> None:
    runs = [Other(name="blue") for dummy in range(4)]
    results = [run.result() for run in runs]
    assert len({result["namespaces"]["net"] for result in results}) == 1
    assert sorted(result["changed"] for result in results) == [False, False, False, True]
    consistent()


@alone
def test_two_runs_of_a_unit_at_once_end_in_one_unit() -> None:
    runs = [Other(name="box", namespaces=["user", "mnt", "uts", "net", "pid"]) for dummy in range(4)]
    results = [run.result() for run in runs]
    assert len({json.dumps(result["namespaces"]) for result in results}) == 1, results
    assert len(inits()) == 1
    consistent()


@alone
def test_fifty_adds_and_deletes_of_five_names_end_consistent() -> None:
    chance = random.Random(5)
    runs = []
    for at in range(50):
        name = NAMES[at % len(NAMES)]
        given: dict[str, Any] = {"name": name}
        if chance.random() < 0.4:
            given["state"] = "absent"
        elif chance.random() < 0.3:
            given["namespaces"] = ["net", "uts"]
        runs.append(Other(**given))
    for run in runs:
        result = run.result()
        # net alone is less than a unit that another one has just made.
        assert not result.get("failed") or "it has uts too" in result["msg"], result
    consistent()
    for name in NAMES:
        kept(name=name, state="absent")
    assert listed() == [] and units() == []


@alone
def test_together_with_ip_netns_the_end_is_consistent() -> None:
    chance = random.Random(7)
    ip("netns", "add", "first")
    runs: list[Other] = []
    others: list[subprocess.Popen[bytes]] = []
    for at in range(50):
        name = NAMES[at % len(NAMES)]
        if at % 2:
            runs.append(Other(name=name, state=chance.choice(["present", "present", "absent"])))
        else:
            verb = chance.choice(["add", "add", "delete"])
            others.append(subprocess.Popen(["ip", "netns", verb, name], stderr=subprocess.DEVNULL))
    for run in runs:
        run.result()
    for other in others:
        other.wait()
    for name in set(listed()) - {"first"}:
        assert name_at(f"/run/netns/{name}").startswith("net:")
        ip("netns", "exec", name, "true")
    consistent()
    for name in NAMES:
        assert not persist(name=name, state="absent").get("failed")
    assert listed() == ["first"]

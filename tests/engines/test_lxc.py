# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""LXC, compared with lxc-info."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rig import exec as ns_exec
from rig import kernel
from rig.facts import Facts, collect
from rig.lxc import Lxc
from rig.supervisor import Supervisor

KINDS = ("started", "frozen", "executed")


@pytest.fixture(scope="module")
def names(supervisor: Supervisor) -> dict[str, str]:
    """LXC names cgroups after containers: ours must be nobody else's."""
    return {kind: f"{supervisor.token}-{kind}" for kind in KINDS}


@pytest.fixture(scope="module")
def lxc(supervisor: Supervisor, rootfs: Path) -> Iterator[Lxc]:
    engine = Lxc(supervisor, supervisor.root / "lxc", rootfs)
    yield engine
    engine.stop()


@pytest.fixture(scope="module")
def pids(lxc: Lxc, names: dict[str, str]) -> dict[str, int]:
    found = {
        "started": lxc.run(names["started"]),
        "frozen": lxc.run(names["frozen"]),
        "executed": lxc.execute(names["executed"]),
    }
    lxc("lxc-freeze", names["frozen"])
    return found


@pytest.fixture(scope="module")
def facts(pids: dict[str, int]) -> Facts:
    return collect()


@pytest.mark.parametrize("kind", KINDS)
def test_engine_name_and_start_time_are_lxc_s(
    facts: Facts, names: dict[str, str], pids: dict[str, int], kind: str
) -> None:
    fact = facts.at(pids[kind])
    assert (fact["engine"], fact["name"], fact["start_time"]) == ("lxc", names[kind], kernel.start_time(pids[kind]))


@pytest.mark.parametrize("kind", KINDS)
def test_the_state_is_lxc_s(lxc: Lxc, facts: Facts, names: dict[str, str], pids: dict[str, int], kind: str) -> None:
    expected = {"RUNNING": "running", "FROZEN": "paused"}[lxc.said(names[kind])["State"]]
    assert facts.at(pids[kind])["state"] == expected
    assert (expected == "paused") is (kind == "frozen")


@pytest.mark.parametrize("kind", KINDS)
def test_the_namespaces_are_the_kernel_s(facts: Facts, pids: dict[str, int], kind: str) -> None:
    fact = facts.at(pids[kind])
    assert fact["namespaces"] == kernel.namespaces(pids[kind])
    assert set(fact["shared_with_host"]) == kernel.shared_with_host(pids[kind])


def test_the_monitors_are_no_containers(facts: Facts, pids: dict[str, int]) -> None:
    monitors = {kernel.parent(pid) for pid in pids.values()}
    assert {Path(f"/proc/{pid}/comm").read_text().strip() for pid in monitors} == {"lxc-start", "lxc-execute"}
    assert not monitors & set(facts.pids())


def test_each_is_told_once(facts: Facts, pids: dict[str, int]) -> None:
    inits = [pid for pid in facts.pids() if pid in pids.values()]
    assert sorted(inits) == sorted(pids.values())


@pytest.mark.parametrize("kind", ["started", "executed"])
def test_a_command_runs_in_it_as_lxc_attach_has_it(
    lxc: Lxc, names: dict[str, str], pids: dict[str, int], kind: str
) -> None:
    script = "id; hostname; readlink /proc/self/ns/net; ls /"
    theirs = lxc("lxc-attach", names[kind], "--clear-env", "--", "/bin/sh", "-c", script)
    ours = ns_exec.run(container="lxc:" + names[kind], cmd=script, shell=True)
    assert ours["rc"] == 0 and not ours["changed"] and not ours["unproven"], ours
    assert ours["stdout"].split() == theirs.stdout.split()


def test_in_a_frozen_one_nothing_is_run(names: dict[str, str], pids: dict[str, int]) -> None:
    refused = ns_exec.run(container=names["frozen"], cmd="true")
    assert refused["failed"] and "lxc-unfreeze" in refused["msg"]

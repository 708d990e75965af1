# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Podman as nobody: no cgroup and no folder of root's tells of it, only its monitor does."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

import pytest
from rig import kernel
from rig.facts import Facts, collect
from rig.podman import NOBODY, Podman
from rig.supervisor import Supervisor


@pytest.fixture(scope="module")
def podman(supervisor: Supervisor, archive: Path) -> Iterator[Podman]:
    engine = Podman(supervisor, supervisor.root / "rootless", archive, uid=NOBODY)
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture(scope="module")
def identity(podman: Podman) -> str:
    return podman.run("rootless", "--label", "a=b")


@pytest.fixture(scope="module")
def said(podman: Podman, identity: str) -> dict[str, Any]:
    return podman.inspect(identity)[0]


@pytest.fixture(scope="module")
def facts(said: dict[str, Any]) -> Facts:
    return collect(labels=True)


def test_it_runs_as_nobody(said: dict[str, Any]) -> None:
    assert kernel.status(said["State"]["Pid"])["Uid"].split()[0] == str(NOBODY)


def test_the_init_is_podman_s(facts: Facts, identity: str, said: dict[str, Any]) -> None:
    pid = said["State"]["Pid"]
    assert (facts.container(identity)["pid"], facts.container(identity)["start_time"]) == (pid, kernel.start_time(pid))


def test_engine_name_image_and_labels_are_podman_s(facts: Facts, identity: str, said: dict[str, Any]) -> None:
    fact = facts.container(identity)
    assert {key: fact[key] for key in ("engine", "name", "image", "state", "infra", "pod", "labels")} == {
        "engine": "podman",
        "name": said["Name"],
        "image": said["ImageName"],
        "state": said["State"]["Status"],
        "infra": said["IsInfra"],
        "pod": None,
        "labels": said["Config"]["Labels"],
    }


def test_the_namespaces_are_the_kernel_s(facts: Facts, identity: str, said: dict[str, Any]) -> None:
    assert facts.container(identity)["namespaces"] == kernel.namespaces(said["State"]["Pid"])
    assert set(facts.container(identity)["shared_with_host"]) == kernel.shared_with_host(said["State"]["Pid"])


def test_neither_monitor_nor_pause_process_is_a_container(
    supervisor: Supervisor, facts: Facts, said: dict[str, Any]
) -> None:
    pause = int((supervisor.root / "rootless/tmp/pause.pid").read_text())
    assert not {pause, kernel.parent(said["State"]["Pid"])} & set(facts.pids())

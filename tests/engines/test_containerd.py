# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""containerd without Docker above it: containers that ctr made, compared with what ctr lists."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from rig import image, kernel
from rig.containerd import Containerd
from rig.facts import Facts, collect
from rig.supervisor import Supervisor

IMAGE = "example.com/nsft/image:1.0"
MATRIX: dict[str, list[str]] = {
    "web": [],
    "with.dots_and-more": ["--label", "com.example.team=blue"],
    "host-network": ["--net-host"],
    "paused": [],
}


@pytest.fixture(scope="module")
def containerd(supervisor: Supervisor) -> Iterator[Containerd]:
    engine = Containerd(supervisor, supervisor.root / "containerd")
    engine.start()
    yield engine
    for row in engine.table(supervisor.token, "containers", "ls"):
        engine.remove(supervisor.token, row[0])
    engine.stop()


@pytest.fixture(scope="module")
def pids(supervisor: Supervisor, containerd: Containerd, rootfs: Path) -> dict[str, int]:
    """The inits that `ctr task ls` lists, by id, in a namespace of containerd's that is ours."""
    for name, options in MATRIX.items():
        containerd.ctr(
            supervisor.token,
            "run",
            "--detach",
            "--null-io",
            *options,
            "--rootfs",
            str(rootfs),
            name,
            "/bin/sleep",
            "600",
        )
    containerd.ctr(supervisor.token, "task", "pause", "paused")
    listed = containerd.table(supervisor.token, "containers", "ls")
    return {row[0]: containerd.pid(supervisor.token, row[0]) for row in listed}


@pytest.fixture(scope="module")
def facts(pids: dict[str, int]) -> Facts:
    return collect(labels=True)


@pytest.fixture(params=MATRIX)
def name(request: pytest.FixtureRequest) -> str:
    """Each container in turn."""
    return str(request.param)


def test_the_entry_says_containerd_and_its_id(facts: Facts, pids: dict[str, int], name: str) -> None:
    entry = facts.at(pids[name])
    assert (entry["engine"], entry["id"], entry["name"]) == ("containerd", name, name)
    assert entry["start_time"] == kernel.start_time(pids[name])


def test_the_state_is_that_of_the_task(
    supervisor: Supervisor, containerd: Containerd, facts: Facts, pids: dict[str, int], name: str
) -> None:
    states = {row[0]: row[2].lower() for row in containerd.table(supervisor.token, "task", "ls")}
    assert facts.at(pids[name])["state"] == states[name] == ("paused" if name == "paused" else "running")


def test_the_namespaces_are_the_kernel_s(facts: Facts, pids: dict[str, int], name: str) -> None:
    entry = facts.at(pids[name])
    assert entry["namespaces"] == kernel.namespaces(pids[name])
    assert set(entry["shared_with_host"]) == kernel.shared_with_host(pids[name])


def test_a_network_of_the_host_s_is_told(facts: Facts, pids: dict[str, int]) -> None:
    assert "net" in facts.at(pids["host-network"])["shared_with_host"]
    assert "net" not in facts.at(pids["web"])["shared_with_host"]


def test_the_labels_are_containerd_s(
    supervisor: Supervisor, containerd: Containerd, facts: Facts, pids: dict[str, int]
) -> None:
    said = json.loads(containerd.ctr(supervisor.token, "containers", "info", "with.dots_and-more").stdout)
    assert facts.at(pids["with.dots_and-more"])["labels"] == said["Labels"] == {"com.example.team": "blue"}


def test_the_image_is_containerd_s(supervisor: Supervisor, containerd: Containerd, archive: Path) -> None:
    image_archive = image.saved(archive, supervisor.root / "saved.tar", IMAGE)
    # The native snapshotter works on every file system.
    native = ("--snapshotter", "native")
    containerd.ctr(supervisor.token, "images", "import", *native, "--all-platforms", str(image_archive))
    containerd.ctr(supervisor.token, "run", "--detach", "--null-io", *native, IMAGE, "from-image", "/bin/sleep", "600")
    try:
        said = {row[0]: row[1] for row in containerd.table(supervisor.token, "containers", "ls")}
        fact = collect().at(containerd.pid(supervisor.token, "from-image"))
        assert fact["image"] == said["from-image"] == IMAGE
    finally:
        containerd.remove(supervisor.token, "from-image")


def test_a_container_without_an_image_has_none(facts: Facts, pids: dict[str, int], name: str) -> None:
    assert facts.at(pids[name])["image"] is None


def test_each_is_told_once(facts: Facts, pids: dict[str, int]) -> None:
    inits = [pid for pid in facts.pids() if pid in pids.values()]
    assert sorted(inits) == sorted(pids.values())


def test_the_same_id_in_two_namespaces_of_containerd_is_two_containers(
    supervisor: Supervisor, containerd: Containerd, rootfs: Path, pids: dict[str, int]
) -> None:
    other = f"{supervisor.token}-two"
    containerd.ctr(other, "run", "--detach", "--null-io", "--rootfs", str(rootfs), "web", "/bin/sleep", "600")
    try:
        scan = collect()
        assert scan.at(pids["web"])["name"] == scan.at(containerd.pid(other, "web"))["name"] == "web"
    finally:
        containerd.remove(other, "web")
        containerd.ctr(other, "namespaces", "rm", other)

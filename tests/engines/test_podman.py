# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Podman as root: containers and pods, compared with `podman inspect` and the links in /proc."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

import pytest
from rig import kernel
from rig.facts import collect
from rig.podman import Podman
from rig.supervisor import Supervisor

MATRIX: dict[str, list[str]] = {
    "plain": [],
    "host-network": ["--network", "host"],
    "joined-network": ["--network", "container:plain"],
    "labelled": ["--label", "com.example.team=blue"],
    "numbered-user": ["--user", "1000:1000"],
    "own-user-namespace": ["--uidmap", "0:200000:2000", "--gidmap", "0:200000:2000"],
    "own-cgroup-namespace": ["--cgroupns", "private"],
    "read-only": ["--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges"],
    "paused": [],
    "pod-one": ["--pod", "nsft-pod"],
    "pod-two": ["--pod", "nsft-pod"],
}
IN_POD = {"pod-one", "pod-two", "infra"}


class Fleet:
    """The matrix and the pod's infra container, running: what podman and the kernel say, and what ns_facts says."""

    def __init__(self, podman: Podman, pod: str, ids: dict[str, str]) -> None:
        self.pod = pod
        self.ids = {**ids, "infra": podman.inspect_pod(pod)["InfraContainerID"]}
        self.said = dict(zip(self.ids, podman.inspect(*self.ids.values())))
        self.pids = {name: said["State"]["Pid"] for name, said in self.said.items()}
        self.facts = collect(labels=True)

    def fact(self, name: str) -> dict[str, Any]:
        return self.facts.container(self.ids[name])


@pytest.fixture(scope="module")
def podman(supervisor: Supervisor, archive: Path) -> Iterator[Podman]:
    engine = Podman(supervisor, supervisor.root / "podman", archive)
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture(scope="module")
def fleet(podman: Podman) -> Fleet:
    pod = podman.pod("nsft-pod")
    ids = {name: podman.run(name, *options) for name, options in MATRIX.items()}
    podman("pause", "paused")
    return Fleet(podman, pod, ids)


@pytest.fixture(params=[*MATRIX, "infra"])
def name(request: pytest.FixtureRequest) -> str:
    """Each container in turn."""
    return str(request.param)


def test_the_init_is_podman_s(fleet: Fleet, name: str) -> None:
    fact = fleet.fact(name)
    assert (fact["pid"], fact["start_time"]) == (fleet.pids[name], kernel.start_time(fleet.pids[name]))


def test_the_entry_says_podman_and_its_name(fleet: Fleet, name: str) -> None:
    fact = fleet.fact(name)
    assert (fact["engine"], fact["name"]) == ("podman", fleet.said[name]["Name"])


def test_the_image_is_podman_s(fleet: Fleet, name: str) -> None:
    assert fleet.fact(name)["image"] == fleet.said[name]["ImageName"]


def test_the_state_is_podman_s(fleet: Fleet, name: str) -> None:
    assert (
        fleet.fact(name)["state"]
        == fleet.said[name]["State"]["Status"]
        == ("paused" if name == "paused" else "running")
    )


def test_the_user_is_podman_s_or_else_root(fleet: Fleet, name: str) -> None:
    # As seen inside: root, also where a user namespace makes somebody else of it outside.
    assert fleet.fact(name)["user"] == (fleet.said[name]["Config"]["User"] or "0:0")


def test_the_namespaces_are_the_kernel_s(fleet: Fleet, name: str) -> None:
    assert fleet.fact(name)["namespaces"] == kernel.namespaces(fleet.pids[name])


def test_what_is_the_host_s_is_said(fleet: Fleet, name: str) -> None:
    assert set(fleet.fact(name)["shared_with_host"]) == kernel.shared_with_host(fleet.pids[name])


def test_what_is_shared_with_others_is_said(fleet: Fleet, name: str) -> None:
    names = {identity: other for other, identity in fleet.ids.items()}
    fact = fleet.fact(name)
    private = {type_: others for type_, others in fact["shared_with"].items() if type_ not in fact["shared_with_host"]}
    assert {type_: {names[other] for other in others} for type_, others in private.items()} == kernel.shared_among(
        fleet.pids, name
    )


def test_the_pod_is_podman_s(fleet: Fleet, name: str) -> None:
    pod = fleet.fact(name)["pod"]
    assert bool(fleet.said[name]["Pod"]) is (name in IN_POD)
    assert (pod and pod["name"]) == ("nsft-pod" if name in IN_POD else None)


def test_only_the_infra_container_is_infra(fleet: Fleet, name: str) -> None:
    assert fleet.fact(name)["infra"] is fleet.said[name]["IsInfra"] is (name == "infra")


def test_containers_of_a_pod_share_what_the_pod_shares(fleet: Fleet) -> None:
    shared = fleet.fact("pod-one")["shared_with"]
    assert {type_: set(shared[type_]) for type_ in ("net", "ipc", "uts")} == {
        type_: {fleet.ids["infra"], fleet.ids["pod-two"]} for type_ in ("net", "ipc", "uts")
    }
    assert "pid" not in shared


def test_the_labels_are_podman_s(fleet: Fleet) -> None:
    assert (
        fleet.fact("labelled")["labels"] == fleet.said["labelled"]["Config"]["Labels"] == {"com.example.team": "blue"}
    )


def test_a_user_namespace_of_its_own_is_not_the_host_s(fleet: Fleet) -> None:
    assert "user" not in fleet.fact("own-user-namespace")["shared_with_host"]
    assert "user" in fleet.fact("plain")["shared_with_host"]


def test_what_was_taken_away_is_gone(fleet: Fleet) -> None:
    fact = fleet.fact("read-only")
    assert (fact["capabilities"]["bounding"], fact["no_new_privs"], fact["seccomp"]) == ([], True, "filter")


def test_runc_below_podman_is_not_told_a_second_time(fleet: Fleet) -> None:
    inits = [pid for pid in fleet.facts.pids() if pid in fleet.pids.values()]
    assert sorted(inits) == sorted(fleet.pids.values())


def test_conmon_is_no_container(fleet: Fleet) -> None:
    monitors = {kernel.parent(pid) for pid in fleet.pids.values()}
    assert {Path(f"/proc/{pid}/comm").read_text().strip() for pid in monitors} == {"conmon"}
    assert not monitors & set(fleet.facts.pids())


def test_a_container_that_ended_is_not_told(podman: Podman, fleet: Fleet) -> None:
    gone = podman.run("short")
    assert collect().container(gone)["name"] == "short"
    podman("kill", "short")
    assert gone not in {entry["id"] for entry in collect().containers}

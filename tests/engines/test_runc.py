# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""runc by itself, compared with `runc state`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

import pytest
from rig import kernel
from rig.facts import Facts, collect
from rig.runc import Runc
from rig.supervisor import Supervisor

HOST_NETWORK = [{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}]
MAPPED: dict[str, Any] = {
    "namespaces": [*HOST_NETWORK, {"type": "network"}, {"type": "user"}],
    "uidMappings": [{"containerID": 0, "hostID": 0, "size": 2000}],
    "gidMappings": [{"containerID": 0, "hostID": 0, "size": 2000}],
}


class Fleet:
    """Containers of runc, running: in its default root, in one that a command line names, in one that nothing names."""

    def __init__(self, default: Runc, own: Runc, unnamed: Runc, token: str) -> None:
        # Where other people's containers may be, ours need names that are nobody else's.
        self.names = {
            kind: f"{token}-{kind}"
            for kind in ("detached", "host-network", "user-namespace", "paused", "foreground", "own-root")
        }
        self.pids = {
            "detached": default.run(self.names["detached"]),
            "host-network": default.run(self.names["host-network"], namespaces=HOST_NETWORK),
            "user-namespace": default.run(self.names["user-namespace"], **MAPPED),
            "paused": default.run(self.names["paused"]),
            "foreground": own.run_in_foreground(self.names["foreground"]),
            "own-root": unnamed.run(self.names["own-root"]),
        }
        default("pause", self.names["paused"])
        self.facts = collect()


@pytest.fixture(scope="module")
def fleet(supervisor: Supervisor, rootfs: Path) -> Iterator[Fleet]:
    folder = supervisor.root / "runc"
    default = Runc(supervisor, folder / "default", rootfs)
    own = Runc(supervisor, folder / "own", rootfs, root=folder / "own-state")
    unnamed = Runc(supervisor, folder / "unnamed", rootfs, root=folder / "unnamed-state")
    try:
        yield Fleet(default, own, unnamed, supervisor.token)
    finally:
        for engine in (default, own, unnamed):
            engine.stop()


@pytest.mark.parametrize("kind", ["detached", "host-network", "user-namespace", "paused", "foreground"])
def test_id_engine_and_start_time_are_runc_s(fleet: Fleet, kind: str) -> None:
    fact = fleet.facts.at(fleet.pids[kind])
    assert (fact["id"], fact["name"], fact["engine"], fact["start_time"]) == (
        fleet.names[kind],
        fleet.names[kind],
        "runc",
        kernel.start_time(fleet.pids[kind]),
    )


@pytest.mark.parametrize("kind", ["detached", "host-network", "user-namespace", "paused", "foreground", "own-root"])
def test_the_namespaces_are_the_kernel_s(fleet: Fleet, kind: str) -> None:
    fact = fleet.facts.at(fleet.pids[kind])
    assert fact["namespaces"] == kernel.namespaces(fleet.pids[kind])
    assert set(fact["shared_with_host"]) == kernel.shared_with_host(fleet.pids[kind])


def test_the_state_is_runc_s(fleet: Fleet) -> None:
    assert {kind: fleet.facts.at(fleet.pids[kind])["state"] for kind in ("detached", "paused")} == {
        "detached": "running",
        "paused": "paused",
    }


def test_a_detached_container_in_a_root_that_no_process_names_is_still_one_container(fleet: Fleet) -> None:
    # Nothing alive knows that root: what is left is a process tree in namespaces of its own.
    fact = fleet.facts.at(fleet.pids["own-root"])
    assert (fact["engine"], fact["start_time"]) == ("unknown", kernel.start_time(fleet.pids["own-root"]))


def test_a_state_that_runc_keeps_of_a_dead_container_is_not_told(supervisor: Supervisor, rootfs: Path) -> None:
    runc = Runc(supervisor, supervisor.root / "runc/dead", rootfs)
    identity = f"{supervisor.token}-dead"
    pid = runc.run(identity)
    try:
        assert collect().at(pid)["id"] == identity
        runc("kill", identity, "KILL")
        scan: Facts = collect()
        assert runc.said(identity)["status"] == "stopped"
        assert identity not in {entry["id"] for entry in scan.containers}
    finally:
        runc.stop()

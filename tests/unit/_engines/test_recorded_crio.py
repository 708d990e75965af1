# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CRI-O, as it lays out its files (by its sources)."""

from __future__ import annotations

import pytest
from recorded.engines import CRIO_CGROUP, POD, crio, crun_status, identity
from recorded.host import Host, legacy, unified

CGROUPS = [
    CRIO_CGROUP,
    legacy(CRIO_CGROUP.rstrip()[3:]),
    unified(f"/kubepods/besteffort/pod{POD}/crio-%s"),
]


@pytest.mark.parametrize("cgroup", CGROUPS, ids=["systemd", "systemd-v1", "cgroupfs"])
def test_a_pod_and_its_containers(host: Host, cgroup: str) -> None:
    crio(host, "sandbox", 700, cgroup)
    crio(host, "container", 710, cgroup)
    pause, found = host.containers()
    assert (pause.engine, pause.name, pause.infra, found.engine, found.name, found.infra) == (
        "crio", "POD", True, "crio", "web", False)
    assert found.pod is not None
    assert (found.pod.name, found.pod.namespace, found.pod.uid) == ("web-7d4b9", "shop", POD)
    assert (found.image, found.user, found.labels["app"], found.start_time) == (
        "registry.example/shop/web:1.2", "11:12", "web", 7100)
    assert host.problems.complete


def test_without_conmon_the_default_folder_is_looked_at(host: Host) -> None:
    crio(host, "container", 710, CGROUPS[0], f"/var/lib/containers/storage/overlay-containers/{identity('container')}/userdata")
    host.end(709)
    assert (host.container().name, host.told()) == ("web", set())


def test_crun_s_state_below_the_default_root_serves_as_well(host: Host) -> None:
    found = crio(host, "container", 710, CGROUPS[0])
    (host.root / f"run/runc/{found}/state.json").unlink()
    crun_status(host, "/run/crun", found, 710)
    assert host.container().start_time == 7100


def test_without_a_bundle_path_and_conmon_tell_what_they_can(host: Host) -> None:
    found = crio(host, "container", 710, CGROUPS[0])
    (host.root / f"run/containers/storage/overlay-containers/{found}/userdata/config.json").unlink()
    entry = host.container()
    assert entry.pod is not None
    assert (entry.name, entry.pod.uid, entry.pod.name) == (f"k8s_container_web-7d4b9_shop_{POD}_0", POD, None)

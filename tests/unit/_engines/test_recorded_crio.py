# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CRI-O, as it lays out its files (by its sources)."""

from __future__ import annotations

import json

import pytest
from recorded.engines import OWN, conmon, crun_status, identity, runc_state
from recorded.host import Host, legacy, unified

POD = "11111111-2222-3333-4444-555555555555"
SLICE = f"kubepods-besteffort-pod{POD.replace('-', '_')}.slice"
CGROUPS = [
    unified(f"/kubepods.slice/kubepods-besteffort.slice/{SLICE}/crio-%s.scope"),
    legacy(f"/kubepods.slice/kubepods-besteffort.slice/{SLICE}/crio-%s.scope"),
    unified(f"/kubepods/besteffort/pod{POD}/crio-%s"),
]


def annotations(kind: str) -> dict[str, str]:
    name = "POD" if kind == "sandbox" else "web"
    return {
        "io.container.manager": "cri-o",
        "io.kubernetes.container.name": name,
        "io.kubernetes.pod.name": "web-7d4b9",
        "io.kubernetes.pod.namespace": "shop",
        "io.kubernetes.pod.uid": POD,
        "io.kubernetes.cri-o.ContainerType": kind,
        "io.kubernetes.cri-o.Image": "sha256:0123",
        "io.kubernetes.cri-o.ImageName": "registry.example/shop/web:1.2",
        "io.kubernetes.cri-o.Labels": json.dumps({"app": "web", "io.kubernetes.container.name": name}),
        "io.kubernetes.cri-o.Annotations": json.dumps({"kubernetes.io/config.source": "api"}),
    }


def crio(host: Host, kind: str, pid: int, cgroup: str, bundle: str | None = None) -> str:
    """A container of CRI-O with its conmon (pid - 1)."""
    found = identity(kind)
    told = conmon(host, pid - 1, f"k8s_{kind}_web-7d4b9_shop_{POD}_0", found, podman=False)
    host.file(f"{bundle or told}/config.json", {
        "ociVersion": "1.0.2-dev", "process": {"user": {"uid": 11, "gid": 12}}, "annotations": annotations(kind)})
    runc_state(host, "/run/runc", found, pid)
    host.process(pid, pid - 1, cgroup=cgroup.replace("%s", found), own=host.namespaces(*OWN))
    return found


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

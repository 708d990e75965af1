# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""containerd by itself and below Kubernetes, as it lays out its files."""

from __future__ import annotations

import pytest
from recorded.databases import META, unpacked
from recorded.engines import OWN, containerd_task, cri_annotations, identity
from recorded.host import Host, hybrid, legacy, unified

POD = "11111111-2222-3333-4444-555555555555"
SLICE = f"kubepods-burstable-pod{POD.replace('-', '_')}.slice"


def daemon(host: Host, *arguments: str) -> None:
    host.process(80, 1, "containerd", unified("/system.slice/containerd.service"), arguments=["containerd", *arguments])


def test_a_container_of_ctr_is_told_by_namespace_and_id(host: Host) -> None:
    containerd_task(host, "nsfleet", "plain-1", 700, hybrid("/nsfleet/plain-1"))
    found = host.container()
    assert (found.engine, found.id, found.name, found.user) == ("containerd", "plain-1", "plain-1", "101:102")
    assert (found.pid, found.start_time, host.told()) == (700, 7000, set())


@pytest.mark.parametrize("root", ["default", "option", "file", "config"])
def test_the_database_tells_image_and_labels(host: Host, root: str) -> None:
    arguments = {"default": [], "option": ["--root", "/srv/c"], "file": ["-c", "/srv/c.toml"], "config": []}[root]
    daemon(host, *arguments)
    config = 'version = 2\n# root = "/no"\nroot = "/srv/c"\n\n[plugins."x"]\n  root = "/wrong"\n'
    if root in ("file", "config"):
        host.file("/srv/c.toml" if root == "file" else "/etc/containerd/config.toml", config)
    folder = "/var/lib/containerd" if root == "default" else "/srv/c"
    host.file(f"{folder}/io.containerd.metadata.v1.bolt/meta.db", unpacked(META))
    containerd_task(host, "nsfleet", "from-image", 700, hybrid("/nsfleet/from-image"))
    found = host.container()
    assert (found.image, found.labels["com.example.team"]) == ("example.org/team/web:1.2", "blue")


def test_the_same_id_in_two_namespaces_is_two_containers(host: Host) -> None:
    containerd_task(host, "blue", "web", 700, hybrid("/blue/web"))
    containerd_task(host, "red", "web", 710, hybrid("/red/web"))
    assert [(entry.name, entry.members) for entry in host.containers()] == [("web", [700]), ("web", [710])]


def test_a_unit_of_the_same_name_is_no_container(host: Host) -> None:
    containerd_task(host, "nsfleet", "web", 700, hybrid("/nsfleet/web"))
    host.process(10, 1, cgroup=unified("/system.slice/web"), own=host.namespaces("mnt"))
    assert [entry.members for entry in host.containers()] == [[700]]


@pytest.mark.parametrize("cgroup", ["/", "/any/where"], ids=["no cgroup of its own", "ctr --cgroup"])
def test_what_no_cgroup_tells_is_told_by_the_shim(host: Host, cgroup: str) -> None:
    containerd_task(host, "nsfleet", "web", 700, unified(cgroup))
    host.process(701, 700, cgroup=unified(cgroup), own={"pid": 4026532004})
    found = host.container()
    assert (found.engine, found.name, found.members) == ("containerd", "web", [700, 701])


def test_nerdctl_s_name_is_among_the_annotations(host: Host) -> None:
    found = identity("nerd")
    containerd_task(host, "default", found, 700, unified(f"/system.slice/nerdctl-{found}.scope"), {"nerdctl/name": "web"})
    entry = host.container()
    assert (entry.engine, entry.id, entry.name) == ("containerd", found, "web")


CGROUPS = {
    "systemd": unified(f"/kubepods.slice/kubepods-burstable.slice/{SLICE}/cri-containerd-%s.scope"),
    "systemd-v1": legacy(f"/kubepods.slice/kubepods-burstable.slice/{SLICE}/cri-containerd-%s.scope"),
    "cgroupfs": unified(f"/kubepods/burstable/pod{POD}/%s"),
    "cgroupfs-v1": legacy(f"/kubepods/burstable/pod{POD}/%s"),
    "mixed": legacy(f"/system.slice/containerd.service/{SLICE}:cri-containerd:%s"),
}


@pytest.mark.parametrize("cgroup", CGROUPS.values(), ids=list(CGROUPS))
def test_a_pod_and_its_containers(host: Host, cgroup: str) -> None:
    sandbox, web = identity("sandbox"), identity("web")
    containerd_task(host, "k8s.io", sandbox, 700, cgroup.replace("%s", sandbox), cri_annotations("sandbox"))
    # One shim serves them all: no process names the second one.
    containerd_task(host, "k8s.io", web, 710, cgroup.replace("%s", web), cri_annotations("container"), with_shim=False)
    pause, found = host.containers()
    assert (pause.engine, pause.name, pause.infra, found.engine, found.name, found.infra) == (
        "cri", "POD", True, "cri", "web", False)
    assert found.pod is not None
    assert (found.pod.name, found.pod.namespace, found.pod.uid) == ("web-7d4b9", "shop", POD)
    assert (found.image, found.user, found.start_time) == ("registry.example/shop/web:1.2", "101:102", 7100)
    assert host.problems.complete


def test_a_shim_with_another_state_folder(host: Host) -> None:
    # k3s
    web = identity("web")
    containerd_task(host, "k8s.io", web, 700, CGROUPS["systemd"].replace("%s", web), cri_annotations("container"),
                    state="/run/k3s/containerd")
    assert (host.container().name, host.told()) == ("web", set())


def test_without_a_shim_in_sight_the_default_folder_is_looked_at(host: Host) -> None:
    web = identity("web")
    containerd_task(host, "k8s.io", web, 700, CGROUPS["systemd"].replace("%s", web), cri_annotations("container"), with_shim=False)
    assert (host.container().name, host.told()) == ("web", set())


def test_without_a_shim_a_bare_id_in_a_pod_is_a_container_of_it(host: Host) -> None:
    web = identity("web")
    host.process(700, 1, cgroup=CGROUPS["cgroupfs"].replace("%s", web), own=host.namespaces(*OWN))
    found = host.container()
    assert found.pod is not None
    assert (found.engine, found.name, found.pod.uid) == ("cri", web[:12], POD)
    assert host.told() == {(f"state of cri {web[:12]}", "not found")}


def test_a_shim_that_a_container_runs_is_not_believed(host: Host) -> None:
    containerd_task(host, "nsfleet", "web", 700, unified("/nsfleet/web"))
    for entry in (host.root / "proc/699/ns").iterdir():
        if entry.name in ("mnt", "pid"):
            entry.unlink()
            entry.symlink_to(f"{entry.name}:[4026539999]")
    assert {entry.engine for entry in host.containers()} == {"unknown"}

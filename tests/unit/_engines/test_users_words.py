# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user may say: of his own containers all he likes, of others' nothing."""

from __future__ import annotations

import pytest
from recorded.engines import (
    OWN,
    SHIM,
    conmon,
    crun_status,
    docker,
    docker_config,
    dockerd,
    identity,
    podman,
    podman_storage,
    runc_state,
)
from recorded.host import USER, Host, unified

WEB = identity("web")
HIS = f"/user.slice/user-{USER}.slice/user@{USER}.service"

pytestmark = pytest.mark.skipif(USER == 0, reason="needs somebody who is not root")


def test_his_conmon_does_not_rename_root_s_container(host: Host) -> None:
    graph = "/home/anna/.local/share/containers/storage"
    conmon(host, 100, "evil", WEB, uid=USER, graph=graph, run=f"/run/user/{USER}/containers")
    podman_storage(host, graph, {WEB: "evil"}, image="evil")
    crun_status(host, f"/run/user/{USER}/crun", WEB, 600)
    for folder in ("/home", "/run/user"):
        host.give(folder, USER)
    podman(host)
    assert (host.container().name, host.container().image) == ("web", "localhost/shop:latest")


def test_nor_when_root_s_conmon_is_gone(host: Host) -> None:
    graph = "/home/anna/.local/share/containers/storage"
    conmon(host, 100, "evil", WEB, uid=USER, graph=graph)
    podman_storage(host, graph, {WEB: "evil"})
    host.give("/home", USER)
    podman(host, stored=False)
    host.end(599)
    assert host.container().name == WEB[:12]


@pytest.mark.parametrize("name", ["docker", WEB])
def test_his_runc_does_not_take_docker_s_containers(host: Host, name: str) -> None:
    docker(host)
    runc_state(host, f"/run/user/{USER}/runc", name, 500)
    host.give("/run/user", USER)
    assert [(entry.engine, entry.name) for entry in host.containers()] == [("docker", "web")]


def test_his_runc_does_not_name_a_tree_that_is_not_his(host: Host) -> None:
    runc_state(host, f"/run/user/{USER}/runc", "evil", 700)
    host.give("/run/user", USER)
    host.process(700, 1, own=host.namespaces(*OWN))
    host.process(710, 1, own=host.namespaces("user", *OWN))
    host.file("/proc/710/uid_map", "         0     200000      65536\n")
    assert [entry.engine for entry in host.containers()] == ["unknown", "unknown"]


@pytest.mark.parametrize("cgroup", ["/docker/%s", "/my/parent/%s"])
def test_his_daemon_and_shim_do_not_rename_docker_s_containers(host: Host, cgroup: str) -> None:
    # His comes first in the process list, and his roots are before root's bundles.
    dockerd(host, "--data-root", "/home/anna/d", "--exec-root", "/run/containerd", uid=USER)
    host.process(91, 1, "containerd-shim", arguments=[SHIM, "-namespace", "nsfleet", "-id", WEB], uid=USER,
                 cwd=f"/home/anna/nsfleet/{WEB}")
    host.file(f"/home/anna/d/containers/{WEB}/config.v2.json", docker_config("evil", "web", 500))
    host.give("/home", USER)
    docker(host, cgroup=unified(cgroup))
    found = host.container()
    assert (found.engine, found.name) == ("docker", "web")


def test_his_monitor_does_not_rename_root_s_container(host: Host) -> None:
    host.process(100, 1, "lxc-start", arguments=["[lxc monitor] /home/anna evil"], uid=USER)
    host.process(101, 100, cgroup=unified(HIS + "/lxc.payload.web"), own=host.namespaces("user", "pid"), uid=USER)
    host.process(699, 1, "lxc-start", arguments=["[lxc monitor] /srv/lxc web"])
    host.process(700, 699, cgroup=unified("/lxc.payload.web"), own=host.namespaces(*OWN))
    found = {entry.pid: entry for entry in host.containers()}
    assert (found[700].name, found[700].members, found[101].name) == ("web", [700], "evil")


def test_the_same_id_of_his_own_is_another_container(host: Host) -> None:
    home = "/home/anna"
    host.file("/etc/passwd", f"anna:x:{USER}:{USER}::{home}:/bin/sh\n")
    podman(host)
    graph = f"{home}/.local/share/containers/storage"
    conmon(host, 799, "his", WEB, uid=USER, graph=graph, run=f"/run/user/{USER}/containers")
    podman_storage(host, graph, {WEB: "his"})
    crun_status(host, f"/run/user/{USER}/crun", WEB, 800)
    host.process(800, 799, cgroup=unified(f"{HIS}/user.slice/libpod-{WEB}.scope/container"),
                 own=host.namespaces("user", *OWN), uid=USER)
    for folder in ("/home", "/run/user"):
        host.give(folder, USER)
    assert [(entry.name, entry.members) for entry in host.containers()] == [("his", [800]), ("web", [600])]

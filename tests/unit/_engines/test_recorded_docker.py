# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker, as it lays out its files."""

from __future__ import annotations

import pytest
from recorded.engines import docker, docker_config, dockerd, identity, runc_state
from recorded.host import USER, Host, hybrid, legacy, unified

KUBERNETES = {
    "io.kubernetes.pod.name": "web-7d4b9",
    "io.kubernetes.pod.namespace": "shop",
    "io.kubernetes.pod.uid": "11111111-2222-3333-4444-555555555555",
    "io.kubernetes.container.name": "web",
    "io.kubernetes.docker.type": "container",
}


def test_name_image_user_and_labels_are_those_of_the_configuration(host: Host) -> None:
    dockerd(host)
    docker(host, "web", User="1000:1000", Labels={"com.docker.compose.project": "shop"})
    found = host.container()
    assert (found.engine, found.id, found.name) == ("docker", identity("web"), "web")
    assert (found.image, found.user, found.labels) == ("shop/web:1.2", "1000:1000", {"com.docker.compose.project": "shop"})
    assert (found.pid, found.start_time, found.state, found.infra, found.pod) == (500, 5000, "running", False, None)
    assert host.problems.complete


def test_without_a_user_it_is_that_of_the_init(host: Host) -> None:
    docker(host)
    assert host.container().user == "0:0"


@pytest.mark.parametrize(
    "cgroup",
    [
        hybrid("/docker/%s"),
        hybrid("/docker/%s", "/"),
        legacy("/docker/%s"),
        unified("/docker/%s"),
        unified("/system.slice/docker-%s.scope"),
        legacy("/system.slice/docker-%s.scope"),
        unified("/system.slice/docker-%s.scope/init.scope"),
        unified("/custom.slice/docker-%s.scope"),
        unified("/my/parent/%s"),
        unified("/../%s"),
    ],
)
def test_every_driver_and_version_of_cgroups(host: Host, cgroup: str) -> None:
    docker(host, cgroup=cgroup)
    found = host.container()
    assert (found.engine, found.name, found.members) == ("docker", "web", [500])


def test_a_bare_id_whose_shim_is_not_in_sight_is_known_by_the_daemon_s_folder(host: Host) -> None:
    docker(host, cgroup=unified("/my/parent/%s"))
    host.end(499)
    assert host.container().name == "web"


def test_the_daemon_s_command_line_names_its_roots(host: Host) -> None:
    dockerd(host, "--data-root", "/srv/docker", "--exec-root=/srv/run")
    docker(host, data="/srv/docker", execution="/srv/run")
    found = host.container()
    assert (found.name, host.told()) == ("web", set())


def test_a_relative_root_is_below_the_daemon_s_folder(host: Host) -> None:
    host.process(90, 1, "dockerd", arguments=["dockerd", "-g", "data", "--exec-root", "./run"], cwd="/srv")
    docker(host, data="/srv/data", execution="/srv/run")
    assert host.container().name == "web"


@pytest.mark.parametrize("arguments", [[], ["--config-file", "/srv/daemon.json"]], ids=["default", "named"])
def test_the_daemon_s_configuration_names_its_roots(host: Host, arguments: list[str]) -> None:
    dockerd(host, *arguments)
    host.file(arguments[1] if arguments else "/etc/docker/daemon.json", {"data-root": "/srv/d", "exec-root": "/srv/e"})
    docker(host, data="/srv/d", execution="/srv/e")
    assert host.container().name == "web"


def test_two_daemons_keep_their_containers_apart(host: Host) -> None:
    dockerd(host)
    dockerd(host, "--data-root", "/srv/d", "--exec-root", "/srv/e", pid=91)
    docker(host, "one", 500)
    docker(host, "two", 510, data="/srv/d", execution="/srv/e")
    assert [entry.name for entry in host.containers()] == ["one", "two"]
    assert host.problems.complete


def test_containers_outlive_their_daemon(host: Host) -> None:
    # live-restore: the data is found by what the bundle mounts, the runtime's state by the bundle's options.
    docker(host, data="/srv/d", execution="/srv/e")
    found = host.container()
    assert (found.name, found.start_time, host.told()) == ("web", 5000, set())


def test_a_rootless_daemon_s_files_are_its_user_s(host: Host) -> None:
    home = "/home/anna"
    host.file("/etc/passwd", f"root:x:0:0::/root:/bin/sh\nanna:x:{USER}:{USER}::{home}:/bin/sh\n")
    dockerd(host, uid=USER)
    data, execution = f"{home}/.local/share/docker", f"/run/user/{USER}/docker"
    docker(host, data=data, execution=execution, uid=USER,
           cgroup=unified(f"/user.slice/user-{USER}.slice/user@{USER}.service/user.slice/docker-%s.scope"))
    host.give("/home", USER)
    host.give("/run/user", USER)
    found = host.container()
    assert (found.name, found.image, host.told()) == ("web", "shop/web:1.2", set())


@pytest.mark.skipif(USER == 0, reason="needs somebody who is not root")
def test_a_user_s_daemon_cannot_name_other_people_s_files(host: Host) -> None:
    dockerd(host, "--data-root", "/srv/secret", uid=USER + 1)
    path = f"/user.slice/user-{USER + 1}.slice/user@{USER + 1}.service/docker-%s.scope"
    docker(host, data="/srv/secret", execution="/srv/e", uid=USER + 1, cgroup=unified(path))
    found = host.container()
    assert (found.name, found.image) == (identity("web")[:12], None)
    assert ("state of docker " + identity("web")[:12], "refused: EPERM") in host.told()


def test_paused_by_its_own_word(host: Host) -> None:
    found = docker(host)
    config = docker_config("web", "web", 500)
    config["State"]["Paused"] = True
    host.file(f"/var/lib/docker/containers/{found}/config.v2.json", config)
    assert host.container().state == "paused"


def test_starting_while_the_runtime_prepares_it(host: Host) -> None:
    found = docker(host)
    host.end(500)
    host.process(500, 499, "runc:[2:INIT]", hybrid(f"/docker/{found}"), host.namespaces("mnt", "pid"))
    assert host.container().state == "starting"


def test_a_pod_s_containers_are_told_by_their_labels(host: Host) -> None:
    docker(host, Labels=KUBERNETES)
    found = host.container()
    assert found.pod is not None
    assert (found.name, found.pod.name, found.pod.namespace, found.infra) == ("web", "web-7d4b9", "shop", False)


def test_the_pause_container_of_a_pod_is_infra(host: Host) -> None:
    docker(host, Labels={**KUBERNETES, "io.kubernetes.container.name": "POD", "io.kubernetes.docker.type": "podsandbox"})
    found = host.container()
    assert (found.name, found.infra) == ("POD", True)


def test_a_plugin_of_the_daemon_is_infra(host: Host) -> None:
    found = identity("plugin")
    host.process(499, 1, "containerd-shim", arguments=["containerd-shim", "-namespace", "plugins.moby", "-id", found],
                 cwd=f"/run/containerd/io.containerd.runtime.v2.task/plugins.moby/{found}")
    host.file(f"/run/containerd/io.containerd.runtime.v2.task/plugins.moby/{found}/options.json", {"root": "/run/x"})
    runc_state(host, "/run/x/plugins.moby", found, 500)
    host.process(500, 499, cgroup=unified(f"/{found}"), own=host.namespaces("mnt", "pid"))
    entry = host.container()
    assert (entry.engine, entry.infra, host.told()) == ("docker", True, set())


def test_a_restarted_container_is_the_new_process(host: Host) -> None:
    # config.v2.json is written after the start: runc's state is the newer one.
    found = docker(host)
    host.file(f"/var/lib/docker/containers/{found}/config.v2.json", docker_config("web", "web", 77))
    assert (host.container().pid, host.told()) == (500, set())

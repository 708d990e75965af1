# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who belongs to which container, and what only calls itself one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from recorded.engines import OWN, containerd_task, docker, docker_config, dockerd, identity, podman, runc_state
from recorded.host import HOST, Host, unified

SESSION = unified("/user.slice/user-1000.slice/session-3.scope")
WEB = identity("web")
WHAT = f"state of docker {WEB[:12]}"


def test_a_host_without_containers_costs_no_file(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    for pid in range(100, 200):
        host.process(pid, 1, cgroup=unified(f"/system.slice/unit-{pid}.service"))
    # PrivateTmp and the like of services that docker and podman run as are no reason to look either.
    host.process(300, 1, cgroup=unified("/system.slice/docker.service"), own=host.namespaces("mnt"))

    def refuse() -> int:
        raise AssertionError("the files' reader was started")

    monkeypatch.setattr(os, "fork", refuse)
    assert host.containers() == []


def test_all_processes_of_the_cgroup_and_below_are_members(host: Host) -> None:
    docker(host)
    for pid, path in ((510, f"/docker/{WEB}"), (511, f"/docker/{WEB}/inner/one")):
        host.process(pid, 500, cgroup=unified(path), own={"pid": 4026532004})
    assert host.container().members == [500, 510, 511]


def test_the_namespaces_are_the_init_s(host: Host) -> None:
    docker(host)
    found = host.container()
    assert found.namespaces["user"] == f"user:[{HOST['user']}]"
    assert found.namespaces["net"] == os.readlink(host.root / "proc/500/ns/net")
    assert found.shared_with_host == ["user", "cgroup", "time"]


def test_containers_that_share_a_pid_namespace_stay_two(host: Host) -> None:
    own = host.namespaces(*OWN)
    docker(host, "web", 500, own=own)
    docker(host, "side", 520, own=own)
    assert [(entry.name, entry.members) for entry in host.containers()] == [("side", [520]), ("web", [500])]


def test_a_process_that_joined_belongs_to_the_oldest_of_those_who_share(host: Host) -> None:
    own = host.namespaces(*OWN)
    docker(host, "web", 500, own=own)
    docker(host, "side", 520, own=own)
    host.process(900, 1, "nsenter", SESSION, own)
    assert {entry.name: entry.members for entry in host.containers()} == {"web": [500, 900], "side": [520]}


def test_a_descendant_that_left_the_cgroup_still_belongs_to_it(host: Host) -> None:
    docker(host)
    host.process(900, 500, cgroup=SESSION, own=host.namespaces("net"))
    assert host.container().members == [500, 900]


def test_a_descendant_wholly_on_the_host_does_not(host: Host) -> None:
    docker(host)
    host.process(900, 500, cgroup=SESSION)
    assert host.container().members == [500]


def test_a_container_of_an_engine_in_a_container_is_part_of_that(host: Host) -> None:
    docker(host)
    inner = identity("inner")
    host.process(600, 500, "dockerd", unified(f"/docker/{WEB}"), {"pid": 4026532004})
    host.process(601, 600, cgroup=unified(f"/docker/{WEB}/docker/{inner}"), own=host.namespaces(*OWN))
    # In a cgroup namespace of its own an inner engine's paths can also look like the host's.
    host.process(602, 600, cgroup=unified(f"/docker/{inner}"), own=host.namespaces(*OWN))
    assert host.container().members == [500, 600, 601, 602]


def test_a_container_is_not_part_of_the_one_that_asked_for_it(host: Host) -> None:
    # docker.sock inside: the shim is the host's all the same.
    docker(host, "web", 500)
    docker(host, "other", 520)
    assert len(host.containers()) == 2


def test_a_state_that_was_there_before_a_reboot_is_stale(host: Host) -> None:
    docker(host)
    runc_state(host, "/var/run/docker/runtime-runc/moby", WEB, 500, start=1)
    found = host.container()
    assert (found.name, found.image, found.pid) == (WEB[:12], None, 500)
    assert host.told() == {(WHAT, "stale")}


def test_a_stopped_container_s_id_on_other_processes_is_stale(host: Host) -> None:
    dockerd(host)
    host.file(f"/var/lib/docker/containers/{WEB}/config.v2.json", docker_config("web", "web", 0))
    host.process(500, 1, cgroup=unified(f"/docker/{WEB}"), own=host.namespaces("user"))
    assert (host.container().name, host.told()) == (WEB[:12], {(WHAT, "stale")})


def test_a_name_without_state_and_without_namespaces_is_no_container(host: Host) -> None:
    # Who was delegated a cgroup may call one below it whatever he likes.
    path = f"/user.slice/user-1000.slice/user@1000.service/docker-{WEB}.scope"
    host.process(500, 1, cgroup=unified(path), uid=1000)
    assert host.containers() == []
    assert host.problems.complete


def test_a_name_without_state_but_with_namespaces_is_kept_and_said(host: Host) -> None:
    host.process(500, 1, cgroup=unified(f"/docker/{WEB}"), own=host.namespaces(*OWN))
    found = host.container()
    assert (found.engine, found.name, found.id) == ("docker", WEB[:12], WEB)
    assert host.told() == {(WHAT, "not found")}


def test_a_name_whose_state_we_may_not_look_at_is_kept_and_said(host: Host) -> None:
    host.process(500, 1, cgroup=unified(f"/docker/{WEB}"))
    host.file(f"/var/lib/docker/containers/{WEB}/config.v2.json/is/a/folder", "")
    assert (host.container().name, host.told()) == (WEB[:12], {(WHAT, "EINVAL")})


def test_processes_that_took_the_name_of_a_real_container_are_not_in_it(host: Host) -> None:
    docker(host)
    path = f"/user.slice/user-1000.slice/user@1000.service/docker-{WEB}.scope"
    host.process(900, 1, cgroup=unified(path), uid=1000)
    host.process(901, 1, cgroup=unified(path), uid=1000, own=host.namespaces("user"))
    assert host.container().members == [500]


def test_one_that_took_the_name_is_unknown_if_it_is_a_tree_of_its_own(host: Host) -> None:
    docker(host)
    path = f"/user.slice/user-1000.slice/user@1000.service/x.slice/docker-{WEB}.scope"
    host.process(900, 1, cgroup=unified(path), own=host.namespaces("user", "pid"))
    assert {entry.engine: entry.members for entry in host.containers()} == {"docker": [500], "unknown": [900]}


def test_an_engine_inside_a_container_is_not_asked(host: Host) -> None:
    docker(host)
    # With the host's pid namespace and, by its own cgroup, in the container.
    host.process(600, 500, "dockerd", unified(f"/docker/{WEB}"), arguments=["dockerd", "--data-root", "/evil"])
    host.file(f"/evil/containers/{WEB}/config.v2.json", docker_config("evil", "web", 500))
    assert host.container().name == "web"


def test_of_two_engines_the_outer_one_has_it(host: Host) -> None:
    # docker over containerd over runc: all three know the id.
    docker(host)
    runc_state(host, "/run/runc", WEB, 500)
    assert [entry.engine for entry in host.containers()] == ["docker"]


def test_a_container_that_died_after_the_scan_is_left_out(host: Host) -> None:
    docker(host)
    processes = host.scan()
    host.end(500)
    assert host.containers(processes) == []
    assert host.problems.complete


def test_one_whose_init_died_after_the_scan_lacks_the_init_s_facts(host: Host) -> None:
    docker(host)
    host.process(510, 500, cgroup=unified(f"/docker/{WEB}"), own={"pid": 4026532004})
    processes = host.scan()
    host.end(500)
    found = host.containers(processes)[0]
    assert (found.name, found.capabilities, found.seccomp, found.no_new_privs, found.lsm) == ("web", {}, None, None, None)


def test_a_process_whose_parents_make_a_loop_does_no_harm(host: Host) -> None:
    own = host.namespaces("pid")
    host.process(700, 701, cgroup=SESSION, own=own)
    host.process(701, 700, cgroup=SESSION, own=own)
    assert host.container().members == [700, 701]


def test_pid_namespaces_whose_parents_make_a_loop_do_no_harm(host: Host) -> None:
    one, two = host.namespaces("pid"), host.namespaces("pid")
    names = f"pid:[{one['pid']}]", f"pid:[{two['pid']}]"
    host.pid_parents = {names[0]: names[1], names[1]: names[0]}
    host.process(700, 1, cgroup=SESSION, own=one)
    host.process(701, 1, cgroup=SESSION, own=two)
    assert {pid for entry in host.containers() for pid in entry.members} == {700, 701}


def test_no_process_is_in_two_containers(host: Host) -> None:
    docker(host, "web", 500)
    podman(host, "web2", 600)
    containerd_task(host, "nsfleet", "c", 700, unified("/nsfleet/c"))
    host.process(800, 500, cgroup=SESSION, own=host.namespaces("pid", "net", "mnt"))
    host.process(801, 10, cgroup=SESSION, own=host.namespaces("pid", "net", "mnt"))
    members = [pid for entry in host.containers() for pid in entry.members]
    assert sorted(members) == sorted(set(members)) == [500, 600, 700, 800, 801]


def test_they_are_in_order(host: Host) -> None:
    for number, name in enumerate(("b", "c", "a")):
        docker(host, name, 500 + 10 * number)
    podman(host, "0", 600)
    assert [(entry.engine, entry.name) for entry in host.containers()] == [
        ("docker", "a"), ("docker", "b"), ("docker", "c"), ("podman", "0")]


def test_where_the_host_s_namespaces_are_not_told_the_state_still_tells(tmp_path: Path) -> None:
    host = Host(tmp_path)
    docker(host)
    processes = host.scan()
    for process in processes.values():
        process.namespaces = (None,) * 8
    found = host.containers(processes)[0]
    assert (found.name, found.namespaces, found.shared_with_host) == ("web", {}, [])

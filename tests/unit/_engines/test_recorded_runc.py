# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""runc and crun by themselves, as they lay out their files."""

from __future__ import annotations

import pytest
from recorded.engines import OWN, crun_status, identity, podman, runc_state
from recorded.host import USER, Host, hybrid, unified

CGROUPS = [
    hybrid("/web"),
    unified("/user.slice/user-0.slice/web"),
    unified("/system.slice/runc-web.scope"),
    unified("/system.slice:prefix:web"),
    # rootless without delegation, or a --cgroup-path of its own
    unified("/user.slice/user-1000.slice/session-3.scope"),
]


@pytest.mark.parametrize("cgroup", CGROUPS)
@pytest.mark.parametrize("runtime", ["runc", "crun"])
def test_every_driver_and_version_of_cgroups(host: Host, runtime: str, cgroup: str) -> None:
    write = runc_state if runtime == "runc" else crun_status
    write(host, f"/run/{runtime}", "web", 700, bundle="/srv/bundle")
    host.file("/srv/bundle/config.json", {"process": {"user": {"uid": 5, "gid": 6}}, "annotations": {"team": "blue"}})
    host.process(700, 1, cgroup=cgroup, own=host.namespaces(*OWN))
    host.process(702, 700, cgroup=cgroup, own={"pid": 4026532004})
    found = host.container()
    assert (found.engine, found.id, found.name, found.user) == (runtime, "web", "web", "5:6")
    assert (found.labels, found.members, found.start_time) == ({"team": "blue"}, [700, 702], 7000)
    assert host.problems.complete


def test_others_in_the_cgroup_that_it_shares_are_no_members(host: Host) -> None:
    cgroup = unified("/user.slice/user-1000.slice/session-3.scope")
    runc_state(host, "/run/runc", "web", 700)
    host.process(10, 1, "bash", cgroup)
    host.process(700, 10, cgroup=cgroup, own=host.namespaces(*OWN))
    assert host.container().members == [700]


@pytest.mark.parametrize("cgroup", ["/x", f"/user.slice/user-{USER}.slice/user@{USER}.service/web"])
@pytest.mark.parametrize("runtime", ["runc", "crun"])
def test_a_user_s_root(host: Host, runtime: str, cgroup: str) -> None:
    write = runc_state if runtime == "runc" else crun_status
    write(host, f"/run/user/{USER}/{runtime}", "web", 700)
    host.give("/run/user", USER)
    host.process(700, 1, cgroup=unified(cgroup), own=host.namespaces("user", *OWN), uid=USER)
    host.file("/proc/700/uid_map", f"         0 {USER:10}          1\n         1     100000      65536\n")
    assert (host.container().engine, host.container().name) == (runtime, "web")


@pytest.mark.skipif(USER == 0, reason="needs somebody who is not root")
def test_files_in_a_user_s_root_that_are_not_his_are_not_believed(host: Host) -> None:
    runc_state(host, f"/run/user/{USER + 1}/runc", "web", 700)
    host.give("/run/user", USER)
    host.process(700, 1, cgroup=unified("/x"), own=host.namespaces("user", *OWN), uid=USER)
    assert host.container().engine == "unknown"
    assert ("state of runc", "refused: EPERM") in host.told()


def test_a_root_that_a_foreground_run_was_told(host: Host) -> None:
    runc_state(host, "/srv/state", "web", 700)
    host.process(699, 1, "runc", arguments=["runc", "--root", "/srv/state", "run", "-b", "/srv/bundle", "web"])
    host.process(700, 699, cgroup=unified("/web"), own=host.namespaces(*OWN))
    assert (host.container().engine, host.container().pid) == ("runc", 700)


def test_a_dead_container_s_state_makes_none(host: Host) -> None:
    runc_state(host, "/run/runc", "web", 700)
    host.process(10, 1, own=host.namespaces("mnt"))
    assert host.containers() == []


def test_a_pid_that_was_used_again_is_not_the_container(host: Host) -> None:
    runc_state(host, "/run/runc", "web", 700, start=6999)
    host.process(700, 1, cgroup=unified("/user.slice/session-3.scope"), own=host.namespaces("mnt", "pid"))
    assert host.container().engine == "unknown"


def test_podman_s_containers_in_the_same_root_are_podman_s(host: Host) -> None:
    podman(host)
    assert [entry.engine for entry in host.containers()] == ["podman"]


def test_an_id_of_podman_s_without_podman_s_cgroup_is_podman_s_by_its_conmon(host: Host) -> None:
    found = podman(host, cgroup=unified("/"))
    assert (host.container().engine, host.container().id) == ("podman", found)


def test_a_container_named_by_64_digits_is_plain_all_the_same(host: Host) -> None:
    found = identity("web")
    runc_state(host, "/run/runc", found, 700)
    host.process(700, 1, cgroup=unified(f"/{found}"), own=host.namespaces(*OWN))
    assert (host.container().engine, host.container().id) == ("runc", found)

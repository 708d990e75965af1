# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trees in namespaces of their own that no engine claims."""

from __future__ import annotations

import pytest
from recorded.host import Host, unified

SESSION = unified("/user.slice/user-1000.slice/session-3.scope")
OVERLAY = "72 48 0:39 / / rw,relatime - overlay overlay rw\n"
HOST_ROOT = "90 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n91 90 0:50 / /tmp rw - tmpfs tmpfs rw\n"
BOUND = "90 1 8:1 /srv/tree / rw,relatime - ext4 /dev/sda1 rw\n"


def test_an_own_pid_namespace_is_one(host: Host) -> None:
    own = host.namespaces("pid")
    host.process(700, 10, "bash", SESSION, own)
    host.process(701, 700, "worker", SESSION, own)
    found = host.container()
    assert (found.engine, found.name, found.pid, found.members) == ("unknown", "bash", 700, [700, 701])
    assert (found.id, found.unit) == (f"unknown-{own['pid']}-7000", "session-3.scope")
    assert host.problems.complete


@pytest.mark.parametrize(
    ("types", "root", "expected"),
    [
        (("net", "mnt"), OVERLAY, 1),
        (("net", "mnt"), BOUND, 1),
        (("net", "mnt"), "", 1),  # no mount is its root: chroot(2) into a plain folder
        (("net", "mnt"), HOST_ROOT, 0),  # ip netns exec
        (("net", "mnt"), OVERLAY + HOST_ROOT, 0),  # stacked: the last one is seen
        (("mnt",), OVERLAY, 0),
        (("net",), HOST_ROOT, 0),
        (("uts", "ipc", "user", "cgroup", "time"), HOST_ROOT, 0),
        (("pid",), HOST_ROOT, 1),
    ],
)
def test_without_one_it_takes_network_mounts_and_another_root(
    host: Host, types: tuple[str, ...], root: str, expected: int
) -> None:
    host.process(700, 10, cgroup=SESSION, own=host.namespaces(*types), root_mount=root)
    assert len(host.containers()) == expected


def test_without_a_pid_namespace_mounts_and_network_make_the_tree(host: Host) -> None:
    one, two = host.namespaces("net", "mnt"), host.namespaces("net", "mnt")
    host.process(700, 10, cgroup=SESSION, own=one)
    host.process(710, 10, cgroup=SESSION, own=one)
    host.process(720, 10, cgroup=SESSION, own=two)
    found = host.containers()
    assert [(entry.id, entry.members) for entry in found] == [
        (f"unknown-{one['mnt']}-7000", [700, 710]), (f"unknown-{two['mnt']}-7200", [720])]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/system.slice/web.service", 0),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/web.service", 0),
        ("/system.slice/web.service/worker", 0),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/app-web.scope", 1),
        ("/user.slice/user-1000.slice/session-3.scope", 1),
        ("/", 1),
    ],
)
def test_a_systemd_service_is_none(host: Host, path: str, expected: int) -> None:
    host.process(700, 1, "web", unified(path), host.namespaces("pid", "mnt", "net"))
    assert len(host.containers()) == expected


def test_services_of_a_systemd_inside_belong_to_the_tree(host: Host) -> None:
    own = host.namespaces("pid", "mnt", "net")
    host.process(700, 10, "systemd", unified("/user.slice/session-3.scope/payload/init.scope"), own)
    host.process(701, 700, "cron", unified("/user.slice/session-3.scope/payload/system.slice/cron.service"), own)
    assert host.container().members == [700, 701]


def test_kernel_threads_are_none(host: Host) -> None:
    host.process(2, 0, "kthreadd", "0::/\n", host.namespaces("pid"), kernel=True)
    assert host.containers() == []


def test_a_pid_namespace_inside_is_part_of_the_outer_one_by_the_kernel_s_word(host: Host) -> None:
    outer, inner = host.namespaces("pid"), host.namespaces("pid")
    host.pid_parents = {f"pid:[{inner['pid']}]": f"pid:[{outer['pid']}]", f"pid:[{outer['pid']}]": "pid:[4026531835]"}
    host.process(700, 10, cgroup=SESSION, own=outer)
    # Not its descendant any more: the process between them ended.
    host.process(710, 1, cgroup=SESSION, own=inner)
    assert host.container().members == [700, 710]


def test_a_pid_namespace_inside_is_part_of_the_outer_one_by_the_process_tree(host: Host) -> None:
    host.process(700, 10, cgroup=SESSION, own=host.namespaces("pid"))
    host.process(710, 700, cgroup=SESSION, own=host.namespaces("pid"))
    assert host.container().members == [700, 710]


def test_who_made_it_is_neither_its_leader_nor_a_member(host: Host) -> None:
    mounts = host.namespaces("mnt")
    host.process(700, 10, "unshare", SESSION, mounts)
    host.process(701, 700, "bash", SESSION, {**mounts, **host.namespaces("pid")})
    assert (host.container().name, host.container().members) == ("bash", [701])


def test_a_process_that_joined_only_its_mounts_belongs_to_it(host: Host) -> None:
    own = host.namespaces("mnt", "net")
    host.process(700, 10, "web", SESSION, {**own, **host.namespaces("pid")})
    host.process(800, 10, "nsenter", SESSION, own)
    assert host.container().members == [700, 800]


def test_an_engine_inside_makes_no_entry_of_its_own(host: Host) -> None:
    own = host.namespaces("pid", "mnt", "net")
    host.process(700, 10, "init", SESSION, own)
    host.process(701, 700, "containerd-shim", SESSION, own, arguments=["containerd-shim", "-namespace", "moby", "-id", "x"])
    host.process(702, 701, "nginx", unified(f"/docker/{'a' * 64}"), host.namespaces("pid", "mnt", "net"))
    found = host.container()
    assert (found.engine, found.name, found.members) == ("unknown", "init", [700, 701, 702])


def test_whose_mounts_cannot_be_read_is_none_and_said(host: Host) -> None:
    host.process(700, 10, cgroup=SESSION, own=host.namespaces("net", "mnt"))
    (host.root / "proc/700/mountinfo").unlink()
    (host.root / "proc/700/mountinfo").mkdir()
    assert host.containers() == []
    assert host.told() == {("mounts of processes in namespaces of their own", "EISDIR")}


def test_who_died_before_its_mounts_were_read_is_no_problem(host: Host) -> None:
    host.process(700, 10, cgroup=SESSION, own=host.namespaces("net", "mnt"))
    processes = host.scan()
    host.end(700)
    assert host.containers(processes) == []
    assert host.problems.complete

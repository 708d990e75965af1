# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel says of a container's init."""

from __future__ import annotations

from typing import Any

import pytest
from recorded.engines import OWN, docker, identity
from recorded.host import DOCKER_CAPABILITIES, UNIFIED_MOUNTS, Host, hybrid, legacy, unified

WEB = identity("web")
DOCKER = (
    "CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT MKNOD AUDIT_WRITE "
    "SETFCAP"
).split()


def container(host: Host, cgroup: str | None = None, **about: Any) -> None:
    host.process(500, 1, cgroup=cgroup or unified(f"/docker/{WEB}"), own=host.namespaces(*OWN), **about)


def test_capabilities_by_name_and_set(host: Host) -> None:
    container(host, capabilities=DOCKER_CAPABILITIES)
    found = host.container().capabilities
    assert found["effective"] == found["permitted"] == found["bounding"] == ["CAP_" + name for name in DOCKER]
    assert (found["ambient"], found["inheritable"]) == ([], [])


@pytest.mark.parametrize(("number", "name"), [(0, "disabled"), (1, "strict"), (2, "filter")])
def test_seccomp_by_name(host: Host, number: int, name: str) -> None:
    container(host, seccomp=number)
    assert host.container().seccomp == name


def test_no_new_privs(host: Host) -> None:
    container(host)
    assert host.container().no_new_privs is False
    status = host.root / "proc/500/status"
    status.write_text(status.read_text().replace("NoNewPrivs:\t0", "NoNewPrivs:\t1"))
    assert host.container().no_new_privs is True


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("docker-default (enforce)\n", "docker-default (enforce)"),
        ("system_u:system_r:container_t:s0:c1,c2\0", "system_u:system_r:container_t:s0:c1,c2"),
        ("", None),
        (None, None),
    ],
)
def test_the_label(host: Host, label: str | None, expected: str | None) -> None:
    container(host, label=label)
    assert host.container().lsm == expected


def test_the_user_is_as_the_container_sees_it(host: Host) -> None:
    host.process(500, 1, cgroup=unified(f"/docker/{WEB}"), own=host.namespaces("user", *OWN), uid=100033, gid=100000)
    for name in ("uid_map", "gid_map"):
        (host.root / "proc/500" / name).write_text("         0     100000      65536\n")
    assert host.container().user == "33:0"


@pytest.mark.parametrize(
    ("cgroup", "path", "unit"),
    [
        (unified(f"/system.slice/docker-{WEB}.scope/inner"), f"/system.slice/docker-{WEB}.scope/inner",
         f"docker-{WEB}.scope"),
        (unified(f"/a.service/docker/{WEB}"), f"/a.service/docker/{WEB}", "a.service"),
        (unified(f"/docker/{WEB}"), f"/docker/{WEB}", None),
        (hybrid(f"/docker/{WEB}", "/"), f"/docker/{WEB}", None),
    ],
)
def test_cgroup_and_unit(host: Host, cgroup: str, path: str, unit: str | None) -> None:
    container(host, cgroup)
    found = host.container()
    assert (found.cgroup, found.unit) == (path, unit)


def test_a_status_that_lacks_fields_gives_what_it_has(host: Host) -> None:
    container(host)
    (host.root / "proc/500/status").write_text("Name:\tx\nCapEff:\tnonsense\nUid:\t0\n")
    found = host.container()
    assert (found.capabilities, found.seccomp, found.no_new_privs, found.user) == ({}, None, None, None)


def test_frozen_by_version_1(host: Host) -> None:
    container(host, legacy(f"/docker/{WEB}"))
    host.file(f"/sys/fs/cgroup/freezer/docker/{WEB}/freezer.state", "FROZEN\n")
    assert host.container().state == "paused"


@pytest.mark.parametrize("state", ["THAWED\n", "FREEZING\n", ""])
def test_not_frozen_by_version_1(host: Host, state: str) -> None:
    container(host, legacy(f"/docker/{WEB}"))
    host.file(f"/sys/fs/cgroup/freezer/docker/{WEB}/freezer.state", state)
    assert host.container().state == "running"


@pytest.mark.parametrize(("frozen", "state"), [(1, "paused"), (0, "running")])
def test_frozen_by_version_2(host: Host, frozen: int, state: str) -> None:
    host.file("/proc/self/mountinfo", UNIFIED_MOUNTS)
    container(host)
    host.file(f"/sys/fs/cgroup/docker/{WEB}/cgroup.events", f"populated 1\nfrozen {frozen}\n")
    assert host.container().state == state


def test_frozen_below_a_mount_of_a_part(host: Host) -> None:
    host.file("/proc/self/mountinfo", UNIFIED_MOUNTS.replace("0:38 /", "0:38 /docker"))
    container(host)
    host.file(f"/sys/fs/cgroup/{WEB}/cgroup.events", "populated 1\nfrozen 1\n")
    assert host.container().state == "paused"


def test_frozen_cannot_be_told_without_the_file_system(host: Host) -> None:
    host.file("/proc/self/mountinfo", "")
    docker(host)
    assert host.container().state == "running"

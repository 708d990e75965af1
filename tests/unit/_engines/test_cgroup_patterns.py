# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which components of a cgroup path tell by themselves of which container."""

from __future__ import annotations

from typing import Optional

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._engines.claim import ENTRIES, Cgroups, Claim, load

A, B = "a" * 64, "b" * 64
POD = "11111111_2222_3333_4444_555555555555"
SLICE = f"kubepods-burstable-pod{POD}.slice"
KUBEPODS = f"kubepods.slice/kubepods-burstable.slice/{SLICE}"

TELLING = {
    f"/docker/{A}": ("docker", A),
    f"/system.slice/docker-{A}.scope": ("docker", A),
    f"/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{A}.scope": ("docker", A),
    f"/system.slice:docker:{A}": ("docker", A),
    f"/{KUBEPODS}/docker-{A}.scope": ("docker", A),
    f"/machine.slice/libpod-{A}.scope": ("podman", A),
    f"/machine.slice/libpod-{A}.scope/container": ("podman", A),
    f"/libpod_parent/libpod-{A}": ("podman", A),
    f"/system.slice/web.service/libpod-payload-{A}": ("podman", A),
    f"/{KUBEPODS}/cri-containerd-{A}.scope": ("cri", A),
    f"/{SLICE}:cri-containerd:{A}": ("cri", A),
    f"/system.slice/containerd.service/{SLICE}:cri-containerd:{A}": ("cri", A),
    f"/{KUBEPODS}/crio-{A}.scope": ("crio", A),
    f"/kubepods/besteffort/pod{POD}/crio-{A}": ("crio", A),
    "/lxc.payload.web": ("lxc", "web"),
    "/lxc.payload/web/init.scope": ("lxc", "web"),
    "/lxc/101/ns/system.slice/cron.service": ("lxc", "101"),
    "/machine.slice/machine-web.scope": ("nspawn", "web"),
    "/machine.slice/machine-my\\x2dweb.scope/payload/init.scope": ("nspawn", "my-web"),
    "/machine.slice/systemd-nspawn@web.service/payload": ("nspawn", "web"),
    # What our own cgroup namespace does not cover starts with "/..".
    f"/../../docker/{A}": ("docker", A),
    # Of two, the outer one.
    f"/docker/{A}/docker/{B}": ("docker", A),
    f"/docker/{A}/{KUBEPODS}/cri-containerd-{B}.scope": ("docker", A),
    f"/lxc.payload.web/docker/{A}": ("lxc", "web"),
    f"/machine.slice/libpod-{A}.scope/libpod-{B}.scope": ("podman", A),
}
SILENT = [
    "/",
    "/init.scope",
    "/system.slice/docker.service",
    "/user.slice/user-1000.slice/session-3.scope",
    f"/machine.slice/libpod-conmon-{A}.scope",
    "/libpod_parent/conmon",
    f"/{KUBEPODS}/crio-conmon-{A}.scope",
    "/lxc.monitor.web",
    "/lxc.monitor/web",
    "/lxc.payload.",
    "/machine.slice/systemd-nspawn@web.service/supervisor",
    f"/docker/{A[:-1]}",
    f"/docker/{A}0",
    f"/docker/{A.upper()}",
    f"/mydocker-{A}.scope",
    f"/somewhere/{A}",
    f"/docker/buildkit/{A[:25]}",
]


def claim_of(raw: str) -> Optional[Claim]:
    """What the texts of all engines together say."""
    cgroups = Cgroups(raw.encode())
    engines = [load(entry.name) for entry in ENTRIES]
    cgroups.read([engine.claim for engine in engines if engine.claim is not None])
    return cgroups.claim


@pytest.mark.parametrize("path", TELLING)
def test_the_path_tells_engine_and_id(path: str) -> None:
    found = claim_of(f"0::{path}\n")
    assert found is not None
    assert (found.engine, found.id) == TELLING[path]


@pytest.mark.parametrize("path", SILENT)
def test_the_path_tells_nothing(path: str) -> None:
    assert claim_of(f"0::{path}\n") is None


def test_systemd_s_hierarchy_tells_where_version_2_has_only_the_root() -> None:
    found = claim_of(f"12:pids:/\n1:name=systemd:/docker/{A}\n0::/\n")
    assert found is not None and found.id == A


def test_a_controller_tells_where_nothing_else_does() -> None:
    found = claim_of(f"12:pids:/docker/{A}\n1:name=systemd:/\n0::/\n")
    assert found is not None and found.id == A


def test_version_2_has_precedence() -> None:
    found = claim_of(f"12:pids:/docker/{A}\n1:name=systemd:/docker/{A}\n0::/docker/{B}\n")
    assert found is not None and found.id == B


@pytest.mark.parametrize(
    ("path", "pod"),
    [
        (f"/{KUBEPODS}/crio-{A}.scope", POD.replace("_", "-")),
        (f"/kubepods/pod{'c' * 32}/crio-{A}", "c" * 32),
        (f"/{SLICE}:cri-containerd:{A}", POD.replace("_", "-")),
        (f"/podium/crio-{A}", ""),
    ],
)
def test_the_path_tells_the_pod(path: str, pod: str) -> None:
    found = claim_of(f"0::{path}\n")
    assert found is not None and found.hints["pod"] == pod


@pytest.mark.parametrize(
    "above", [f"machine-libpod_pod_{B}.slice", f"user-libpod_pod_{B}.slice", B], ids=["root", "user", "cgroupfs"]
)
def test_the_path_tells_podman_s_pod(above: str) -> None:
    found = claim_of(f"0::/parent/{above}/libpod-{A}.scope\n")
    assert found is not None and found.hints["pod"] == B

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker: every way of running a container, compared with `docker inspect` and the links in /proc."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Iterator

import pytest
from rig import kernel
from rig.bridge import Bridge
from rig.docker import Docker
from rig.facts import collect, collect_with_ansible
from rig.supervisor import Supervisor
from rig.waiting import until

ALL = (
    1
    << len(
        [
            "CHOWN",
            "DAC_OVERRIDE",
            "DAC_READ_SEARCH",
            "FOWNER",
            "FSETID",
            "KILL",
            "SETGID",
            "SETUID",
            "SETPCAP",
            "LINUX_IMMUTABLE",
            "NET_BIND_SERVICE",
            "NET_BROADCAST",
            "NET_ADMIN",
            "NET_RAW",
            "IPC_LOCK",
            "IPC_OWNER",
            "SYS_MODULE",
            "SYS_RAWIO",
            "SYS_CHROOT",
            "SYS_PTRACE",
            "SYS_PACCT",
            "SYS_ADMIN",
            "SYS_BOOT",
            "SYS_NICE",
            "SYS_RESOURCE",
            "SYS_TIME",
            "SYS_TTY_CONFIG",
            "MKNOD",
            "LEASE",
            "AUDIT_WRITE",
            "AUDIT_CONTROL",
            "SETFCAP",
            "MAC_OVERRIDE",
            "MAC_ADMIN",
            "SYSLOG",
            "WAKE_ALARM",
            "BLOCK_SUSPEND",
            "AUDIT_READ",
            "PERFMON",
            "BPF",
            "CHECKPOINT_RESTORE",
        ]
    )
) - 1
SYS_RESOURCE = 1 << 24
# A host that lacks a capability cannot run --privileged; the nearest to it is everything that such a host has.
PRIVILEGED = (
    ["--privileged"]
    if kernel.own_capabilities() & SYS_RESOURCE
    else ["--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE", "--security-opt", "seccomp=unconfined"]
)
# What runs throughout. A name that another one's options mention comes before it.
MATRIX: dict[str, list[str]] = {
    "default-bridge": [],
    "custom-network": ["--network", "nsft-custom"],
    "no-network": ["--network", "none"],
    "host-network": ["--network", "host"],
    "shareable": ["--ipc", "shareable"],
    "joined-network": ["--network", "container:default-bridge"],
    "joined-all": ["--network", "container:shareable", "--pid", "container:shareable", "--ipc", "container:shareable"],
    "host-pid": ["--pid", "host"],
    "host-ipc": ["--ipc", "host"],
    "host-everything": ["--network", "host", "--pid", "host", "--ipc", "host", "--uts", "host"],
    "own-cgroup-namespace": ["--cgroupns", "private"],
    "privileged": PRIVILEGED,
    "read-only": ["--read-only"],
    "few-capabilities": ["--cap-drop", "ALL", "--cap-add", "NET_ADMIN"],
    "no-new-privileges": ["--security-opt", "no-new-privileges"],
    "without-seccomp": ["--security-opt", "seccomp=unconfined"],
    "labelled": ["--label", "com.example.team=blue", "--label", "empty="],
    "numbered-user": ["--user", "1000:1000"],
    "named-user": ["--user", "alice"],
    "own-parent": ["--cgroup-parent", "/{token}/inner"],
    "paused": [],
}
INNER = "unshare -p -f -m -n sleep 611"


class Fleet:
    """The matrix, running: what docker and the kernel say of it, and what ns_facts says."""

    def __init__(self, docker: Docker, ids: dict[str, str]) -> None:
        self.docker = docker
        self.ids = ids
        self.said = dict(zip(ids, docker.inspect(*ids.values())))
        self.pids = {name: said["State"]["Pid"] for name, said in self.said.items()}
        # What `docker exec` starts is a child of the shim, as the init is.
        self.nested = kernel.running("sleep 611", below=kernel.parent(self.pids["privileged"]))
        self.facts = collect(labels=True, processes=True)

    def fact(self, name: str) -> dict[str, Any]:
        return self.facts.container(self.ids[name])


@pytest.fixture(scope="module")
def bridge(supervisor: Supervisor) -> Bridge:
    return Bridge(supervisor, "a").make()


@pytest.fixture(scope="module")
def docker(supervisor: Supervisor, archive: Path, bridge: Bridge) -> Iterator[Docker]:
    engine = Docker(supervisor, supervisor.root / "docker", archive, bridge)
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture(scope="module")
def fleet(supervisor: Supervisor, docker: Docker) -> Fleet:
    custom = Bridge(supervisor, "b").claim()
    docker(
        "network",
        "create",
        "--subnet",
        str(custom.network),
        "--opt",
        f"com.docker.network.bridge.name={custom.name}",
        "nsft-custom",
    )
    ids = {
        name: docker.run(name, *(option.format(token=supervisor.token) for option in options))
        for name, options in MATRIX.items()
    }
    docker("pause", "paused")
    docker("exec", "--detach", "default-bridge", "/bin/sleep", "612")
    docker("exec", "--detach", "privileged", "/bin/sh", "-c", INNER)
    return Fleet(docker, ids)


@pytest.fixture(params=MATRIX)
def name(request: pytest.FixtureRequest) -> str:
    """Each container of the matrix in turn."""
    return str(request.param)


def test_the_init_is_docker_s(fleet: Fleet, name: str) -> None:
    fact = fleet.fact(name)
    assert (fact["pid"], fact["start_time"]) == (fleet.pids[name], kernel.start_time(fleet.pids[name]))


def test_the_entry_says_docker_and_its_name(fleet: Fleet, name: str) -> None:
    fact = fleet.fact(name)
    assert (fact["engine"], fact["name"], fact["infra"], fact["pod"]) == ("docker", name, False, None)


def test_the_image_is_docker_s(fleet: Fleet, name: str) -> None:
    assert fleet.fact(name)["image"] == fleet.said[name]["Config"]["Image"] == fleet.docker.image


def test_the_state_is_docker_s(fleet: Fleet, name: str) -> None:
    assert (
        fleet.fact(name)["state"]
        == fleet.said[name]["State"]["Status"]
        == ("paused" if name == "paused" else "running")
    )


def test_the_labels_are_docker_s(fleet: Fleet, name: str) -> None:
    assert fleet.fact(name)["labels"] == fleet.said[name]["Config"]["Labels"]


def test_the_user_is_docker_s_or_else_root(fleet: Fleet, name: str) -> None:
    assert fleet.fact(name)["user"] == (fleet.said[name]["Config"]["User"] or "0:0")


def test_the_namespaces_are_the_kernel_s(fleet: Fleet, name: str) -> None:
    assert fleet.fact(name)["namespaces"] == kernel.namespaces(fleet.pids[name])


def test_what_is_the_host_s_is_said(fleet: Fleet, name: str) -> None:
    assert set(fleet.fact(name)["shared_with_host"]) == kernel.shared_with_host(fleet.pids[name])


def test_what_is_shared_with_others_is_said(fleet: Fleet, name: str) -> None:
    names = {identity: other for other, identity in fleet.ids.items()}
    fact = fleet.fact(name)
    private = {type_: others for type_, others in fact["shared_with"].items() if type_ not in fact["shared_with_host"]}
    assert {type_: {names[other] for other in others} for type_, others in private.items()} == kernel.shared_among(
        fleet.pids, name
    )


def test_the_cgroup_is_the_kernel_s(fleet: Fleet, name: str) -> None:
    assert fleet.fact(name)["cgroup"] in kernel.cgroups(fleet.pids[name])
    assert fleet.ids[name] in fleet.fact(name)["cgroup"]


def test_the_capabilities_are_as_many_as_the_kernel_says(fleet: Fleet, name: str) -> None:
    status = kernel.status(fleet.pids[name])
    sets = {
        "effective": "CapEff",
        "permitted": "CapPrm",
        "inheritable": "CapInh",
        "bounding": "CapBnd",
        "ambient": "CapAmb",
    }
    expected = {set_: bin(int(status[field], 16)).count("1") for set_, field in sets.items()}
    assert {set_: len(names) for set_, names in fleet.fact(name)["capabilities"].items()} == expected


def test_no_new_privs_is_the_kernel_s(fleet: Fleet, name: str) -> None:
    assert fleet.fact(name)["no_new_privs"] is (kernel.status(fleet.pids[name])["NoNewPrivs"] == "1")


@pytest.mark.parametrize(
    ("one", "type_", "other"),
    [
        ("joined-network", "net", "default-bridge"),
        ("joined-all", "net", "shareable"),
        ("joined-all", "pid", "shareable"),
        ("joined-all", "ipc", "shareable"),
    ],
)
def test_network_mode_container_is_shared_with_that_one(fleet: Fleet, one: str, type_: str, other: str) -> None:
    assert fleet.ids[other] in fleet.fact(one)["shared_with"][type_]
    assert fleet.ids[one] in fleet.fact(other)["shared_with"][type_]


@pytest.mark.parametrize(
    ("one", "types"),
    [
        ("host-network", {"net"}),
        ("host-pid", {"pid"}),
        ("host-ipc", {"ipc"}),
        ("host-everything", {"net", "pid", "ipc", "uts"}),
        ("default-bridge", set()),
        ("custom-network", set()),
        ("privileged", set()),
    ],
)
def test_what_was_asked_to_be_the_host_s_is_and_nothing_else(fleet: Fleet, one: str, types: set[str]) -> None:
    # cgroup, user and time are the host's by Docker's defaults or by its settings.
    assert set(fleet.fact(one)["shared_with_host"]) - {"cgroup", "user", "time"} == types


def test_the_capabilities_have_their_names(fleet: Fleet) -> None:
    capabilities = fleet.fact("few-capabilities")["capabilities"]
    assert (capabilities["effective"], capabilities["bounding"]) == (["CAP_NET_ADMIN"], ["CAP_NET_ADMIN"])


def test_seccomp_is_a_filter_unless_it_was_turned_off(fleet: Fleet) -> None:
    assert {name: fleet.fact(name)["seccomp"] for name in ("default-bridge", "without-seccomp", "privileged")} == {
        "default-bridge": "filter",
        "without-seccomp": "disabled",
        "privileged": "disabled",
    }


def test_no_new_privileges_is_true_where_it_was_asked_for(fleet: Fleet) -> None:
    assert [name for name in MATRIX if fleet.fact(name)["no_new_privs"]] == ["no-new-privileges"]


def test_a_process_that_docker_exec_started_belongs_to_the_container(fleet: Fleet) -> None:
    inside = fleet.facts.namespace(kernel.namespaces(fleet.pids["default-bridge"])["pid"])
    assert inside["processes"] == len(inside["pids"]) == 2
    assert inside["leader"]["pid"] == fleet.pids["default-bridge"]
    assert inside["containers"] == [fleet.ids["default-bridge"]]


def test_namespaces_made_inside_a_container_are_no_container(fleet: Fleet) -> None:
    inner = kernel.namespaces(fleet.nested)
    assert inner["pid"] != kernel.namespaces(fleet.pids["privileged"])["pid"]
    assert fleet.nested not in fleet.facts.pids()
    assert {type_: fleet.facts.namespace(inner[type_])["containers"] for type_ in ("pid", "mnt", "net")} == {
        type_: [fleet.ids["privileged"]] for type_ in ("pid", "mnt", "net")
    }


def test_one_tree_is_one_entry(fleet: Fleet) -> None:
    # containerd and runc know the same trees, under the same ids.
    known = set(fleet.pids.values())
    inits = [pid for pid in fleet.facts.pids() if pid in known]
    assert sorted(inits) == sorted(known)
    assert [entry["engine"] for entry in fleet.facts.containers if entry["id"] in fleet.ids.values()] == [
        "docker"
    ] * len(MATRIX)


def test_dockerd_and_its_shims_are_no_containers(fleet: Fleet) -> None:
    shims = {kernel.parent(pid) for pid in fleet.pids.values()}
    assert not shims & set(fleet.facts.pids())
    assert os.getpid() not in fleet.facts.pids()


def test_ansible_gives_what_the_module_gives(fleet: Fleet) -> None:
    ours = set(fleet.ids.values())
    through_ansible = collect_with_ansible(labels=True, processes=True)
    assert [entry for entry in through_ansible.containers if entry["id"] in ours] == [
        entry for entry in fleet.facts.containers if entry["id"] in ours
    ]


def test_labels_are_left_out_unless_asked_for(fleet: Fleet) -> None:
    assert "labels" not in collect().container(fleet.ids["labelled"])


def test_a_glob_of_names_chooses_containers(fleet: Fleet) -> None:
    chosen = collect(containers=["host-[in]*"])
    assert {entry["name"] for entry in chosen.containers if entry["id"] in fleet.ids.values()} == {
        "host-ipc",
        "host-network",
    }
    assert fleet.ids["host-ipc"] in {entry["id"] for entry in chosen.containers}


def test_a_container_that_ended_is_not_told(fleet: Fleet) -> None:
    gone = fleet.docker.run("short")
    assert collect().container(gone)["name"] == "short"
    fleet.docker("kill", "short")
    assert gone not in {entry["id"] for entry in collect().containers}


def test_a_container_whose_process_was_replaced_by_exec_keeps_its_name(fleet: Fleet) -> None:
    identity = fleet.docker(
        "run", "--detach", "--name", "execs", fleet.docker.image, "/bin/sh", "-c", "exec sleep 613"
    ).stdout.strip()
    assert collect().container(identity)["name"] == "execs"


def test_a_renamed_container_has_its_new_name(fleet: Fleet) -> None:
    identity = fleet.docker.run("before")
    fleet.docker("rename", "before", "after")
    assert collect().container(identity)["name"] == "after"


def test_containers_that_come_and_go_during_scans_do_not_disturb_the_others(fleet: Fleet) -> None:
    steady = {name: fleet.fact(name) for name in ("default-bridge", "joined-network", "paused")}
    with fleet.docker.coming_and_going("fleeting") as counted:
        until(counted.exists, "nothing comes and goes")
        before = counted.stat().st_size
        for dummy in range(10):
            scan = collect(labels=True)
            assert {name: scan.container(fact["id"]) for name, fact in steady.items()} == steady
        assert counted.stat().st_size > before


@pytest.fixture
def docker_by_file(supervisor: Supervisor, archive: Path) -> Iterator[Docker]:
    engine = Docker(supervisor, supervisor.root / "docker2", archive, None, by_file=True)
    engine.start()
    yield engine
    engine.stop()


def test_the_roots_are_found_in_the_daemon_s_configuration_file(docker_by_file: Docker) -> None:
    identity = docker_by_file.run("by-file", "--label", "a=b")
    fact = collect(labels=True).container(identity)
    said = docker_by_file.inspect(identity)[0]
    assert (fact["engine"], fact["name"], fact["image"], fact["labels"], fact["pid"]) == (
        "docker",
        "by-file",
        said["Config"]["Image"],
        {"a": "b"},
        said["State"]["Pid"],
    )

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Podman, as it lays out its files."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from recorded.databases import BOLT_STATE, unpacked
from recorded.engines import OWN, conmon, crun_status, identity, podman, podman_storage, runc_state
from recorded.host import USER, Host, hybrid, legacy, unified

GRAPH = "/var/lib/containers/storage"
POD = "35601ac5fa2b765b57c3b220b277c5bbe7d424dbcfca08947fe5ec49c522eaa7"
INFRA = "a61ed0f0af86f374085841b2b26fae0cbcd7c67f558f9e118af628482b8f1ff3"
IN_POD = "422a31c7717950421be262f6250870ec14fe80ed042fff159a9d4a5509cad472"
LABELLED = "7455b1783154feb0ee8a1e2ddc86281394476f96e9cc76222f1cd20c24d3b6d6"

# libpod/sqlite_state_internal.go
SCHEMA = """
CREATE TABLE DBConfig(ID INTEGER PRIMARY KEY NOT NULL, SchemaVersion INTEGER NOT NULL, GraphRoot TEXT NOT NULL);
CREATE TABLE IDNamespace(ID TEXT PRIMARY KEY NOT NULL);
CREATE TABLE ContainerConfig(ID TEXT PRIMARY KEY NOT NULL, Name TEXT UNIQUE NOT NULL, PodID TEXT, JSON TEXT NOT NULL);
CREATE TABLE ContainerState(ID TEXT PRIMARY KEY NOT NULL, State INTEGER NOT NULL, ExitCode INTEGER, JSON TEXT NOT NULL);
CREATE TABLE PodConfig(ID TEXT PRIMARY KEY NOT NULL, Name TEXT UNIQUE NOT NULL, JSON TEXT NOT NULL);
"""


def sqlite(path: Path, containers: list[dict[str, Any]], pods: list[dict[str, Any]]) -> None:
    """A db.sql as podman 4.4 and later keep it; the specification makes rows that fill several pages."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as database:
        database.executescript(SCHEMA)
        for config in containers:
            whole = json.dumps({"spec": {"mounts": ["/a/long/path"] * 1500}, **config})
            database.execute("INSERT INTO ContainerConfig VALUES (?,?,?,?)",
                             (config["id"], config["name"], config.get("pod"), whole))
        for config in pods:
            database.execute("INSERT INTO PodConfig VALUES (?,?,?)", (config["id"], config["name"], json.dumps(config)))
    database.close()


def test_name_and_image_are_those_of_the_storage(host: Host) -> None:
    podman(host)
    found = host.container()
    assert (found.engine, found.id, found.name) == ("podman", identity("web"), "web")
    assert (found.image, found.user, found.pid, found.start_time) == ("localhost/shop:latest", "7:8", 600, 6000)
    assert (found.pod, found.infra, host.told()) == (None, False, set())


@pytest.mark.parametrize(
    "cgroup",
    [
        hybrid("/libpod_parent/libpod-%s"),
        legacy("/machine.slice/libpod-%s.scope"),
        unified("/machine.slice/libpod-%s.scope/container"),
        unified("/system.slice/web.service/libpod-payload-%s"),
        # --cgroups=disabled: what tells is conmon.
        unified("/user.slice/user-0.slice/session-1.scope"),
    ],
)
def test_every_driver_and_version_of_cgroups(host: Host, cgroup: str) -> None:
    podman(host, cgroup=cgroup)
    found = host.container()
    assert (found.engine, found.name, found.members) == ("podman", "web", [600])


def test_conmon_is_no_member_even_in_the_container_s_cgroup(host: Host) -> None:
    found = podman(host)
    (host.root / "proc/599/cgroup").write_text(hybrid(f"/machine.slice/libpod-{found}.scope"))
    assert host.container().members == [600]


def test_without_conmon_the_defaults_are_looked_at(host: Host) -> None:
    podman(host)
    host.end(599)
    assert (host.container().name, host.container().start_time) == ("web", 6000)


def test_storage_conf_names_another_root(host: Host) -> None:
    host.file("/etc/containers/storage.conf", '[storage]\ndriver = "overlay"\ngraphroot = "/srv/containers" # here\n')
    podman(host, graph="/srv/containers")
    host.end(599)
    assert host.container().name == "web"


def test_conmon_names_a_root_of_its_own(host: Host) -> None:
    podman(host, graph="/srv/graph", run="/srv/run")
    assert (host.container().name, host.told()) == ("web", set())


def test_a_container_that_need_not_survive_is_in_a_list_of_its_own(host: Host) -> None:
    podman(host)
    folder = host.root / GRAPH[1:] / "overlay-containers"
    (folder / "containers.json").rename(folder / "volatile-containers.json")
    assert host.container().image == "localhost/shop:latest"


def test_runc_s_state_serves_as_well(host: Host) -> None:
    found = podman(host)
    (host.root / f"run/crun/{found}/status").unlink()
    runc_state(host, "/run/runc", found, 600)
    assert (host.container().start_time, [entry.engine for entry in host.containers()]) == (6000, ["podman"])


def test_the_pidfile_serves_where_no_runtime_state_is(host: Host) -> None:
    found = podman(host)
    (host.root / f"run/crun/{found}/status").unlink()
    host.process(601, 600, cgroup=hybrid(f"/machine.slice/libpod-{found}.scope/container"), start=5)
    assert host.container().pid == 600


def rootless(host: Host, cgroup: str) -> None:
    home, graph = "/home/anna", "/home/anna/.local/share/containers/storage"
    host.file("/etc/passwd", f"anna:x:{USER}:{USER}::{home}:/bin/sh\n")
    podman(host, uid=USER, graph=graph, run=f"/run/user/{USER}/containers", cgroup=cgroup)
    host.give("/home", USER)
    host.give("/run/user", USER)


MANAGED = f"/user.slice/user-{USER}.slice/user@{USER}.service/user.slice/libpod-%s.scope/container"


@pytest.mark.parametrize("cgroup", [unified(MANAGED), unified("/")], ids=["systemd", "no cgroup of its own"])
def test_rootless(host: Host, cgroup: str) -> None:
    rootless(host, cgroup)
    found = host.container()
    assert (found.engine, found.name, found.pid, host.told()) == ("podman", "web", 600, set())


def test_rootless_without_conmon_in_sight(host: Host) -> None:
    rootless(host, unified(MANAGED))
    host.end(599)
    assert host.container().name == "web"


def pod_of_podman_4(host: Host) -> None:
    for pid, found, name in ((601, INFRA, "35601ac5fa2b-infra"), (611, IN_POD, "pw"), (621, LABELLED, "pweb")):
        conmon(host, pid - 1, name, found)
        pod = "" if found == LABELLED else f"{POD}/"
        host.process(pid, pid - 1, cgroup=hybrid(f"/libpod_parent/{pod}libpod-{found}"), own=host.namespaces(*OWN))
        crun_status(host, "/run/crun", found, pid)
    podman_storage(host, GRAPH, {INFRA: "35601ac5fa2b-infra", IN_POD: "pw", LABELLED: "pweb"})
    host.file(f"{GRAPH}/libpod/bolt_state.db", unpacked(BOLT_STATE))


def test_podman_4_s_database_tells_pod_labels_and_user(host: Host) -> None:
    pod_of_podman_4(host)
    found = {entry.name: entry for entry in host.containers()}
    assert {name: entry.pod.name if entry.pod else None for name, entry in found.items()} == {
        "35601ac5fa2b-infra": "shop", "pw": "shop", "pweb": None}
    assert (found["pweb"].labels, found["pweb"].user) == ({"a": "b"}, "1000")
    assert [name for name, entry in found.items() if entry.infra] == ["35601ac5fa2b-infra"]
    assert host.problems.complete


def test_podman_5_s_database_tells_pod_labels_and_user(host: Host) -> None:
    pod_of_podman_4(host)
    (host.root / GRAPH[1:] / "libpod/bolt_state.db").unlink()
    sqlite(host.root / GRAPH[1:] / "db.sql", [
        {"id": INFRA, "name": "35601ac5fa2b-infra", "pod": POD, "pause": True},
        {"id": IN_POD, "name": "pw", "pod": POD, "user": "web", "labels": {"team": "blue"}},
        {"id": LABELLED, "name": "pweb"},
        *({"id": identity(str(number)), "name": str(number)} for number in range(30)),
    ], [{"id": POD, "name": "shop"}])
    found = {entry.name: entry for entry in host.containers()}
    assert found["pw"].pod is not None
    assert (found["pw"].pod.name, found["pw"].user, found["pw"].labels) == ("shop", "web", {"team": "blue"})
    assert (found["35601ac5fa2b-infra"].infra, found["pweb"].pod, found["pweb"].infra) == (True, None, False)


def test_without_database_the_path_tells_the_pod_s_id(host: Host) -> None:
    pod_of_podman_4(host)
    (host.root / GRAPH[1:] / "libpod/bolt_state.db").unlink()
    found = {entry.name: entry for entry in host.containers()}
    assert found["pw"].pod is not None and found["pw"].pod.name == POD[:12]
    assert found["35601ac5fa2b-infra"].infra


def test_conmon_with_mounts_of_its_own_over_the_host_s_root_is_believed(host: Host) -> None:
    # As with --uidmap.
    found = identity("web")
    conmon(host, 599, "web", found, own=host.namespaces("mnt"), graph="/srv/graph")
    (host.root / "proc/599/mountinfo").write_text("27 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n")
    podman_storage(host, "/srv/graph", {found: "web"})
    host.process(600, 599, cgroup=hybrid(f"/libpod_parent/libpod-{found}"), own=host.namespaces(*OWN))
    assert host.container().image == "localhost/shop:latest"


def test_conmon_with_another_root_is_in_a_container_and_not_believed(host: Host) -> None:
    found = identity("web")
    conmon(host, 599, "web", found, own=host.namespaces("mnt"), graph="/srv/graph")
    podman_storage(host, "/srv/graph", {found: "web"})
    host.process(600, 599, cgroup=hybrid(f"/libpod_parent/libpod-{found}"), own=host.namespaces(*OWN))
    assert (host.container().image, host.container().name) == (None, found[:12])

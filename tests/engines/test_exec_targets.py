# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Naming real containers: what is opened is what `docker inspect`, `podman inspect` and `ctr task ls` say it is."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Iterator

import pytest
from rig import kernel
from rig.containerd import Containerd
from rig.docker import Docker
from rig.podman import Podman
from rig.supervisor import Supervisor

from ansible_collections.nsfleet.linux.plugins.module_utils._enter.admission import wanted_types
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.choose import Choice, choose, wanted_labels
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.containers import Look, look
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.target import close, open_container, open_target
from ansible_collections.nsfleet.linux.plugins.module_utils._model.entry import Refused

SECONDS = 20.0
# Name: options. Names are told from other people's by the token; one that another's options mention comes before it.
DOCKER: dict[str, list[str]] = {
    "web": ["--label", "nsft.tier=front"],
    "sidecar": ["--network", "container:{token}-web"],
    "at-host": ["--network", "host"],
    "paused": [],
    "both": [],
}
PODMAN: dict[str, list[str]] = {
    "pod-one": ["--pod", "{token}-pod"],
    "pod-two": ["--pod", "{token}-pod"],
    "mapped": ["--uidmap", "0:200000:2000", "--gidmap", "0:200000:2000"],
    "both": [],
}


def now() -> Look:
    return look(time.monotonic() + SECONDS)


class Fleet:
    """Containers of Docker and Podman, and the pid and id of each as its engine says."""

    def __init__(self, token: str, docker: Docker, podman: Podman) -> None:
        self.token = token
        self.docker = docker
        options = {name: [option.format(token=token) for option in given] for name, given in DOCKER.items()}
        ids = {"docker:" + name: docker.run(self.name(name), *given) for name, given in options.items()}
        docker("pause", self.name("paused"))
        podman.pod(self.name("pod"))
        options = {name: [option.format(token=token) for option in given] for name, given in PODMAN.items()}
        ids.update(("podman:" + name, podman.run(self.name(name), *given)) for name, given in options.items())
        self.infra = podman.inspect_pod(self.name("pod"))["InfraContainerID"]
        self.ids = ids
        said = docker.inspect(*(one for key, one in ids.items() if key.startswith("docker:")))
        said += podman.inspect(*(one for key, one in ids.items() if key.startswith("podman:")))
        self.pids = {key: entry["State"]["Pid"] for key, entry in zip(ids, said)}

    def name(self, short: str) -> str:
        return "%s-%s" % (self.token, short)

    def choose(self, *containers: str, types: Any = ("all",), engines: Any = (), labels: Any = None,
               each: bool = False, allow_host: Any = ()) -> Choice:
        """The choice; names are those of the tests."""
        return choose(now(), [one.replace("~", self.token + "-") for one in containers], engines,
                      wanted_labels(labels), wanted_types(types), allow_host, each)


@pytest.fixture(scope="module")
def docker(supervisor: Supervisor, archive: Path) -> Iterator[Docker]:
    engine = Docker(supervisor, supervisor.root / "docker-targets", archive, None)
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture(scope="module")
def podman(supervisor: Supervisor, archive: Path) -> Iterator[Podman]:
    engine = Podman(supervisor, supervisor.root / "podman-targets", archive)
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture(scope="module")
def fleet(supervisor: Supervisor, docker: Docker, podman: Podman) -> Fleet:
    return Fleet(supervisor.token, docker, podman)


@pytest.fixture(autouse=True)
def nothing_is_left_open() -> Iterator[None]:
    before = len(os.listdir("/proc/self/fd"))
    yield
    assert len(os.listdir("/proc/self/fd")) == before


def refusal(**selectors: Any) -> str:
    types = selectors.pop("types", ("all",))
    with pytest.raises(Refused) as refused:
        open_target(selectors, now(), wanted_types(types))
    return str(refused.value)


@pytest.mark.parametrize("key", [
    "docker:web", "docker:sidecar", "docker:at-host", "podman:pod-one", "podman:mapped", "docker:both", "podman:both",
])
def test_every_way_of_naming_opens_what_the_engine_says(fleet: Fleet, key: str) -> None:
    engine, dummy, short = key.partition(":")
    ways = ["%s:%s" % (engine, fleet.name(short)), fleet.ids[key], fleet.ids[key][:12]]
    if short != "both":
        ways.append(fleet.name(short))
    if short == "pod-one":
        ways.append("%s/%s" % (fleet.name("pod"), fleet.name(short)))
    expected = {kind: name for kind, name in kernel.namespaces(fleet.pids[key]).items()
                if name != os.readlink("/proc/self/ns/" + kind)}
    moment = now()
    for way in ways:
        target = open_target({"container": way}, moment)
        try:
            assert (target.pid, target.start_time) == (fleet.pids[key], kernel.start_time(fleet.pids[key]))
            assert target.container is not None and target.container.id == fleet.ids[key]
            assert {kind: "%s:[%d]" % (kind, os.fstat(fd).st_ino) for kind, fd in target.descriptors.items()
                    } == expected
            assert target.root is not None
            assert os.path.samestat(os.fstat(target.root), os.stat("/proc/%d/root" % target.pid))
        finally:
            close(target)


def test_the_pod_s_own_container_can_be_named(fleet: Fleet) -> None:
    target = open_target({"container": fleet.infra}, now())
    assert target.container is not None and target.container.infra
    close(target)


def test_a_name_that_two_engines_have_is_refused_and_both_are_listed(fleet: Fleet) -> None:
    told = refusal(container=fleet.name("both"))
    for key in ("docker:both", "podman:both"):
        assert "%s (%s, %s)" % (fleet.name("both"), key.partition(":")[0], fleet.ids[key][:12]) in told


def test_a_paused_container_is_refused_with_how_to_resume_it(fleet: Fleet) -> None:
    assert "docker unpause %s" % fleet.name("paused") in refusal(container=fleet.name("paused"))


def test_the_host_s_network_is_refused_by_name(fleet: Fleet) -> None:
    told = refusal(container=fleet.name("at-host"), types=("net",))
    assert told.startswith("net of %s is the host's own" % fleet.name("at-host"))


def test_a_container_that_was_killed_after_it_was_seen_is_refused(fleet: Fleet) -> None:
    identity = fleet.docker.run(fleet.name("brief"))
    moment = now()
    fleet.docker("kill", identity)
    with pytest.raises(Refused, match="is gone|has ended"):
        open_target({"container": identity}, moment)
    with pytest.raises(Refused, match="There is no container"):
        open_target({"container": identity}, now())


def test_a_container_that_was_restarted_after_it_was_seen_is_refused(fleet: Fleet) -> None:
    identity = fleet.docker.run(fleet.name("again"))
    moment = now()
    fleet.docker("restart", "--time", "0", identity)
    with pytest.raises(Refused, match="is gone|has ended|another process"):
        open_target({"container": identity}, moment)
    close(open_target({"container": identity}, now()))
    fleet.docker("rm", "--force", identity)


def test_one_run_for_containers_of_one_network(fleet: Fleet) -> None:
    choice = fleet.choose("~web", "~sidecar", types=["net"])
    assert [(one.name, list(one.also)) for one in choice.targets] == [
        (fleet.name("sidecar"), [fleet.ids["docker:web"]])
    ]
    assert len(fleet.choose("~web", "~sidecar", types=["net"], each=True).targets) == 2


def test_a_pod_s_containers_are_one_run_and_its_own_is_not_in(fleet: Fleet) -> None:
    choice = fleet.choose("~pod*", types=["net"])
    assert [(one.name, list(one.also)) for one in choice.targets] == [
        (fleet.name("pod-one"), [fleet.ids["podman:pod-two"]])
    ]


def test_what_would_run_on_the_host_is_left_out(fleet: Fleet) -> None:
    choice = fleet.choose("~*", types=["net"])
    assert {one["container"] for one in choice.left_out} == {fleet.name("at-host"), fleet.name("paused")}


def test_labels_and_engines_narrow_all(fleet: Fleet) -> None:
    assert [one.name for one in fleet.choose(labels=["nsft.tier=front"]).targets
            if one.name.startswith(fleet.token)] == [fleet.name("web")]
    assert [one.container and one.container.engine for one in fleet.choose("~both", engines=["podman"]).targets
            ] == ["podman"]


def test_each_chosen_one_can_be_opened(fleet: Fleet) -> None:
    moment = now()
    choice = choose(moment, [fleet.token + "*"], (), {}, None, (), True)
    assert len(choice.targets) == len(DOCKER) + len(PODMAN) - 1
    for one in choice.targets:
        assert one.container is not None
        close(open_container(one.container, moment))


@pytest.fixture
def containerd(supervisor: Supervisor, rootfs: Path) -> Iterator[Containerd]:
    """With the same id in two of its namespaces."""
    engine = Containerd(supervisor, supervisor.root / "containerd-targets")
    engine.start()
    spaces = [supervisor.token, supervisor.token + "b"]
    identity = supervisor.token + "-twin"
    for space in spaces:
        engine.ctr(space, "run", "--detach", "--null-io", "--rootfs", str(rootfs), identity, "/bin/sleep", "600")
    yield engine
    for space in spaces:
        engine.remove(space, identity)
    engine.stop()


def test_the_same_id_in_two_namespaces_of_containerd_is_refused_and_told_by_pid(
    supervisor: Supervisor, containerd: Containerd
) -> None:
    identity = supervisor.token + "-twin"
    pids = [containerd.pid(space, identity) for space in (supervisor.token, supervisor.token + "b")]
    told = refusal(container=identity)
    assert told.startswith("%s means 2 containers, " % identity)
    for pid in pids:
        assert "pid %d)" % pid in told
        target = open_target({"pid": pid}, now())
        assert target.pid == pid
        close(target)

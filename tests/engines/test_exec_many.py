# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One command in many real containers: who is meant, what is run once, and what one of them costs the others."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, Iterator

import pytest
from rig import exec as ns_exec
from rig.containerd import Containerd
from rig.docker import Docker
from rig.podman import Podman
from rig.programs import environment, program
from rig.supervisor import Supervisor
from rig.waiting import until

DOCKER: dict[str, list[str]] = {
    "b-web": ["--network", "none", "--label", "nsft.tier=front", "--label", "nsft.of={token}"],
    "a-sidecar": ["--network", "container:{token}-b-web", "--label", "nsft.tier=back", "--label", "nsft.of={token}"],
    "at-host": ["--network", "host"],
    "paused": ["--network", "none"],
}
PODMAN: dict[str, list[str]] = {
    "pod-one": ["--pod", "{token}-pod", "--label", "nsft.of={token}"],
    "pod-two": ["--pod", "{token}-pod", "--label", "nsft.of={token}"],
}
MANY = 300


class Fleet:
    """The containers by their short names."""

    def __init__(self, token: str, docker: Docker, podman: Podman) -> None:
        self.token = token
        self.docker = docker
        self.ids = {name: docker.run(self.name(name), *self.filled(given)) for name, given in DOCKER.items()}
        docker("pause", self.name("paused"))
        podman.pod(self.name("pod"))
        self.ids.update((name, podman.run(self.name(name), *self.filled(given))) for name, given in PODMAN.items())

    def name(self, short: str) -> str:
        return f"{self.token}-{short}"

    def filled(self, options: list[str]) -> list[str]:
        return [option.format(token=self.token) for option in options]

    def run(self, *containers: str, **options: Any) -> dict[str, Any]:
        """What it came to; a leading ~ stands for the tests' names."""
        if containers:
            options["containers"] = [one.replace("~", self.token + "-") for one in containers]
        return ns_exec.run(**options)

    def short(self, result: dict[str, Any]) -> list[str]:
        """The targets in the order of the result."""
        return [one["target"]["container"].replace(self.token + "-", "") for one in result["targets"]]


@pytest.fixture(scope="module")
def docker(supervisor: Supervisor, archive: Path) -> Iterator[Docker]:
    engine = Docker(supervisor, supervisor.root / "docker-many", archive, None)
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture(scope="module")
def podman(supervisor: Supervisor, archive: Path) -> Iterator[Podman]:
    engine = Podman(supervisor, supervisor.root / "podman-many", archive)
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture(scope="module")
def fleet(supervisor: Supervisor, docker: Docker, podman: Podman) -> Fleet:
    return Fleet(supervisor.token, docker, podman)


# --- who is meant -------------------------------------------------------------------------------------------------


def test_all_with_a_label_is_every_such_container_in_the_order_of_names(fleet: Fleet) -> None:
    result = fleet.run("all", labels={"nsft.of": fleet.token}, cmd="id")
    assert fleet.short(result) == ["a-sidecar", "b-web", "pod-one", "pod-two"]
    assert all(one["rc"] == 0 for one in result["targets"]) and not result["changed"]


def test_labels_alone_mean_all(fleet: Fleet) -> None:
    labels = [f"nsft.of={fleet.token}", "nsft.tier"]
    assert fleet.short(fleet.run(labels=labels, cmd="id")) == ["a-sidecar", "b-web"]


def test_engine_narrows(fleet: Fleet) -> None:
    result = fleet.run(engine=["podman"], labels={"nsft.of": fleet.token}, cmd="id")
    assert fleet.short(result) == ["pod-one", "pod-two"]


def test_a_pattern_does_not_mean_the_pod_s_own_and_not_who_is_paused(fleet: Fleet) -> None:
    result = fleet.run("~*", namespaces=["mnt"], cmd="id")
    assert fleet.short(result) == ["a-sidecar", "at-host", "b-web", "pod-one", "pod-two"]
    assert [one["container"] for one in result["left_out"]] == [fleet.name("paused")]
    assert "paused" in result["left_out"][0]["reason"]


def test_a_paused_one_that_is_named_has_failed(fleet: Fleet) -> None:
    result = fleet.run("~paused", "~b-web", cmd="id")
    assert result["failed"] and fleet.short(result) == ["b-web", "paused"]
    assert [one.get("failed", False) for one in result["targets"]] == [False, True]
    assert "docker unpause" in result["targets"][1]["msg"]


def test_ids_and_engines_name_too(fleet: Fleet) -> None:
    result = fleet.run(fleet.ids["b-web"][:12], "docker:~a-sidecar", "~pod/~pod-one", cmd="id")
    assert fleet.short(result) == ["a-sidecar", "b-web", "pod-one"]


def test_a_pattern_that_matches_nothing_is_no_failure(fleet: Fleet) -> None:
    result = fleet.run("~nothing*", cmd="id")
    assert (result["targets"], result["failed"], result["changed"]) == ([], False, False)


def test_a_name_that_names_nothing_is_a_target_that_failed(fleet: Fleet) -> None:
    result = fleet.run("~nothing", "~b-web", cmd="id")
    assert result["failed"] and fleet.short(result) == ["b-web", "nothing"]
    assert "1 of 2 targets failed" in result["msg"]
    assert result["targets"][0]["rc"] == 0 and result["targets"][1]["rc"] is None


def test_what_would_run_on_the_host_is_left_out(fleet: Fleet) -> None:
    result = fleet.run("~at-host", "~b-web", namespaces=["net"], cmd="true")
    assert fleet.short(result) == ["b-web"]
    assert [one["container"] for one in result["left_out"]] == [fleet.name("at-host")]
    assert "host" in result["left_out"][0]["reason"]


def test_one_target_and_many_exclude_each_other(fleet: Fleet) -> None:
    result = fleet.run("~b-web", container=fleet.name("b-web"), cmd="id")
    assert result["failed"] and "one kind" in result["msg"]


# --- once for what is shared ----------------------------------------------------------------------------------------


def test_who_shares_all_that_is_joined_is_one_run(fleet: Fleet) -> None:
    result = fleet.run("~a-sidecar", "~b-web", "~pod-*", namespaces=["net"], cmd="ip -o link")
    assert fleet.short(result) == ["a-sidecar", "pod-one"]
    assert [one["target"]["also"] for one in result["targets"]] == [[fleet.ids["b-web"]], [fleet.ids["pod-two"]]]


def test_each_runs_in_all_of_them(fleet: Fleet) -> None:
    result = fleet.run("~a-sidecar", "~b-web", namespaces=["net"], cmd="ip -o link", each=True)
    assert fleet.short(result) == ["a-sidecar", "b-web"]
    assert [one["target"]["also"] for one in result["targets"]] == [[], []]


def test_who_shares_only_some_of_it_is_not(fleet: Fleet) -> None:
    assert len(fleet.run("~pod-*", namespaces=["net", "mnt"], cmd="id")["targets"]) == 2


def test_a_change_in_one_of_them_is_told_and_whose_it_is(fleet: Fleet) -> None:
    line = "[ `busybox hostname` = %s ] && echo x >/etc/once; true" % fleet.ids["b-web"][:12]
    result = fleet.run("~b-web", "~pod-one", cmd=line, shell=True)
    assert result["changed"] and [one["changed"] for one in result["targets"]] == [True, False]
    assert result["targets"][0]["diff"]["after"] == "file /etc/once\n"


# --- bounds ---------------------------------------------------------------------------------------------------------


def test_what_all_say_is_bounded_and_who_says_little_is_heard(fleet: Fleet, docker: Docker) -> None:
    names = [fleet.name(f"loud-{at}") for at in range(6)]
    ids = [docker.run(name, "--network", "none") for name in names]
    line = "[ `busybox hostname` = %s ] && echo little || busybox head -c 1500000 /dev/zero | busybox tr '\\0' x" % (
        ids[0][:12])
    result = fleet.run("~loud-*", cmd=line, shell=True)
    docker("rm", "--force", *names)
    sizes = [len(one["stdout"]) for one in result["targets"]]
    assert result["targets"][0]["stdout"] == "little"
    assert 3 << 20 < sum(sizes) <= 4 << 20, sizes
    for one in result["targets"][1:]:
        assert len(one["stdout"]) + one["truncated"]["stdout"] == 1500000


def test_forks_work_at_once(fleet: Fleet) -> None:
    names = ["~a-sidecar", "~b-web", "~pod-one", "~pod-two"]

    def seconds(forks: int) -> float:
        start = time.monotonic()
        assert not fleet.run(*names, cmd="sleep 1", forks=forks)["failed"]
        return time.monotonic() - start

    assert seconds(4) < 3 < 4 < seconds(1)


def test_the_timeout_is_that_of_each(fleet: Fleet) -> None:
    line = "[ `busybox hostname` = %s ] && sleep 30; echo done" % fleet.ids["b-web"][:12]
    start = time.monotonic()
    result = fleet.run("~b-web", "~pod-one", cmd=line, shell=True, timeout=1)
    assert time.monotonic() - start < 8
    by_name = dict(zip(fleet.short(result), result["targets"]))
    assert by_name["pod-one"]["stdout"] == "done" and by_name["b-web"]["failed"]
    assert "timeout" in by_name["b-web"]["msg"]


def test_one_of_four_that_is_killed_costs_its_own_result(fleet: Fleet, docker: Docker) -> None:
    name = fleet.name("doomed")
    docker.run(name, "--network", "none")
    run = ns_exec.start(
        containers=[name, *(fleet.name(short) for short in ("a-sidecar", "b-web", "pod-one"))],
        cmd="sleep 3; echo alive", shell=True,
    )
    time.sleep(1.2)
    docker("kill", name)
    result = ns_exec.answer(run)
    docker("rm", name)
    by_name = dict(zip(fleet.short(result), result["targets"]))
    assert by_name["doomed"]["failed"] and by_name["doomed"]["rc"] == -9, by_name["doomed"]
    assert [by_name[short]["stdout"] for short in ("a-sidecar", "b-web", "pod-one")] == ["alive"] * 3
    assert "1 of 4 targets failed" in result["msg"]


def test_a_module_that_is_killed_takes_its_commands_with_it(fleet: Fleet) -> None:
    run = ns_exec.start(containers=[fleet.name("b-web"), fleet.name("pod-one")], cmd="busybox sleep 4321", timeout=50)

    def sleeping() -> list[int]:
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if Path(f"/proc/{pid}/cmdline").read_bytes() == b"busybox\0sleep\0004321\0":
                    found.append(int(pid))
            except OSError:
                continue
        return found

    until(lambda: len(sleeping()) == 2, "they do not run")
    run.kill()
    run.wait()
    until(lambda: not sleeping(), "the commands outlive the module")


def test_ansible_gives_the_same(fleet: Fleet) -> None:
    result = ns_exec.run_with_ansible(containers=[fleet.name("*")], namespaces=["mnt"], cmd="id -u", engine=["podman"])
    assert [one["stdout"] for one in result["targets"]] == ["0", "0"] and not result["changed"]


# --- containerd, 300 ------------------------------------------------------------------------------------------------


@pytest.fixture
def containerd(supervisor: Supervisor, rootfs: Path) -> Iterator[Containerd]:
    engine = Containerd(supervisor, supervisor.root / "containerd-many")
    engine.start()
    for at in range(2):
        engine.ctr(supervisor.token, "run", "--detach", "--null-io", "--label", f"nsft.number={at}", "--rootfs",
                   str(rootfs), f"{supervisor.token}-ctr{at}", "/bin/sleep", "600")
    yield engine
    for at in range(2):
        engine.remove(supervisor.token, f"{supervisor.token}-ctr{at}")
    engine.stop()


def test_containers_of_containerd_s(containerd: Containerd, supervisor: Supervisor) -> None:
    result = ns_exec.run(containers=[f"{supervisor.token}-ctr*"], engine=["containerd"], cmd="cat /etc/group")
    assert len(result["targets"]) == 2 and not result["changed"], result
    assert all("alice" in one["stdout"] for one in result["targets"])


@pytest.fixture
def three_hundred(supervisor: Supervisor, rootfs: Path) -> Iterator[str]:
    """As many containers of runc's as light as they can be, in the root that it has by default; their common name."""
    runc, folder = program("runc", "runc"), supervisor.root / "runc-many"
    (folder / "bundle").mkdir(parents=True)
    supervisor.run(runc, "spec", "--bundle", str(folder / "bundle"), env=environment())
    settings = json.loads((folder / "bundle/config.json").read_text())
    settings["process"].update(terminal=False, args=["/bin/sleep", "600"])
    settings["process"].pop("rlimits")
    settings["root"] = {"path": str(rootfs), "readonly": True}
    settings["linux"].pop("cgroupsPath", None)
    (folder / "bundle/config.json").write_text(json.dumps(settings))
    name = supervisor.token + "-light"
    line = f"seq {MANY} | xargs -P 4 -I@ %s"
    run = f"sh -c '{runc} run -d --bundle {folder}/bundle {name}@ >/dev/null 2>&1 </dev/null'"
    supervisor.run("/bin/sh", "-c", line % run, env=environment(), seconds=180)
    yield name
    delete = f"{runc} delete --force {name}@"
    supervisor.run("/bin/sh", "-c", line % delete, env=environment(), seconds=180, check=False)


def test_three_hundred_work(three_hundred: str, record_property: Any) -> None:
    start = time.monotonic()
    result = ns_exec.run(containers=[f"{three_hundred}*"], cmd="busybox hostname")
    seconds = time.monotonic() - start
    record_property("seconds", seconds)
    print(f"{MANY} containers: {seconds:.1f} s")
    assert len(result["targets"]) == MANY
    assert not result["failed"] and not result["changed"], result["msg"]
    assert [one["target"]["container"] for one in result["targets"]] == sorted(
        f"{three_hundred}{at}" for at in range(1, MANY + 1))
    assert seconds < 60

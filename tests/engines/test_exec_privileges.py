# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command may do: the same as `docker exec` or `podman exec` gives, or nsenter, as /proc shows it of itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Iterator, NamedTuple, Union

import pytest
from rig import exec as ns_exec
from rig import kernel
from rig.docker import Docker
from rig.podman import Podman
from rig.programs import program
from rig.supervisor import Supervisor
from rig.waiting import until
from rig.within import Within

LOOK = ("cat", "/proc/self/status", "/proc/self/limits", "/proc/self/cgroup", "/proc/self/oom_score_adj")
SAME = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp",
        "Seccomp_filters", "Umask", "Cpus_allowed_list", "THP_enabled")
# Name: options.
DOCKER: dict[str, list[str]] = {
    "default": [],
    "dropped": ["--cap-drop", "ALL"],
    "added": ["--cap-drop", "CHOWN", "--cap-add", "NET_ADMIN", "--cap-add", "SYS_PTRACE"],
    "user": ["--user", "1000:1000"],
    "user-by-name": ["--user", "alice", "--group-add", "5000"],
    "read-only-root": ["--read-only"],
    "no-new-privileges": ["--security-opt", "no-new-privileges"],
    "no-seccomp": ["--security-opt", "seccomp=unconfined", "--security-opt", "systempaths=unconfined"],
    "limited": ["--ulimit", "nofile=512:600", "--ulimit", "core=0", "--memory", "64m", "--pids-limit", "50"],
    "all-of-it": ["--user", "1000", "--cap-add", "NET_ADMIN", "--security-opt", "no-new-privileges", "--read-only",
                  "--oom-score-adj", "500"],
}
PODMAN: dict[str, list[str]] = {
    "default": [],
    "user": ["--user", "1000:1000"],
    "dropped": ["--cap-drop", "ALL", "--cap-add", "NET_RAW"],
    "mapped": ["--uidmap", "0:200000:2000", "--gidmap", "0:200000:2000"],
    "mapped-user": ["--uidmap", "0:200000:2000", "--gidmap", "0:200000:2000", "--user", "1000:1000"],
}
CASES = [("docker", name) for name in DOCKER] + [("podman", name) for name in PODMAN]


class Seen(NamedTuple):
    """What a process shows of itself."""

    status: dict[str, str]
    limits: list[str]
    cgroups: list[str]
    oom: str


class Fleet:
    """The containers by engine and name."""

    def __init__(self, token: str, engines: dict[str, Union[Docker, Podman]]) -> None:
        self.token = token
        self.engines = engines
        self.pids = {}
        for key, fleet in (("docker", DOCKER), ("podman", PODMAN)):
            for name, options in fleet.items():
                network = ["--network", "none"] if key == "docker" else []
                identity = engines[key].run(self.name(name), *network, *options)
                self.pids[key, name] = engines[key].inspect(identity)[0]["State"]["Pid"]

    def name(self, short: str) -> str:
        return f"{self.token}-{short}"

    def run(self, key: str, name: str, **options: Any) -> dict[str, Any]:
        result = ns_exec.run(container=f"{key}:{self.name(name)}", **options)
        assert not result.get("failed"), result
        return result

    def seen(self, key: str, name: str, **options: Any) -> Seen:
        return parsed(self.run(key, name, argv=list(LOOK), **options)["stdout"])

    def seen_by_engine(self, key: str, name: str, *options: str) -> Seen:
        return parsed(self.engines[key]("exec", *options, self.name(name), *LOOK).stdout)


def parsed(text: str) -> Seen:
    lines = text.rstrip("\n").split("\n")
    start = next(at for at, line in enumerate(lines) if line.startswith("Limit "))
    groups = next(at for at, line in enumerate(lines) if at > start and line[0].isdigit())
    status = dict(line.split(":\t", 1) for line in lines[:start] if ":\t" in line)
    return Seen(status, lines[start:groups], lines[groups:-1], lines[-1])


def shown(seen: Seen) -> dict[str, str]:
    return {key: seen.status.get(key, "").strip() for key in SAME}


@pytest.fixture(scope="module")
def docker(supervisor: Supervisor, archive: Path) -> Iterator[Docker]:
    engine = Docker(supervisor, supervisor.root / "docker-privileges", archive, None)
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture(scope="module")
def podman(supervisor: Supervisor, archive: Path) -> Iterator[Podman]:
    engine = Podman(supervisor, supervisor.root / "podman-privileges", archive)
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture(scope="module")
def fleet(supervisor: Supervisor, docker: Docker, podman: Podman) -> Fleet:
    return Fleet(supervisor.token, {"docker": docker, "podman": podman})


@pytest.mark.parametrize("key, name", CASES)
def test_the_command_may_what_the_engine_s_exec_may(fleet: Fleet, key: str, name: str) -> None:
    ours, theirs = fleet.seen(key, name), fleet.seen_by_engine(key, name)
    expected = shown(theirs)
    if key == "podman" and name.endswith("user"):
        # `podman exec` does not give the user the groups that `podman run` did.
        expected["Groups"] = "1000"
    assert shown(ours) == expected
    assert ours.limits == theirs.limits
    assert ours.oom == theirs.oom


@pytest.mark.parametrize("key, name", CASES)
def test_the_command_is_in_the_container_s_cgroups(fleet: Fleet, key: str, name: str) -> None:
    ours, theirs = fleet.seen(key, name), fleet.seen_by_engine(key, name)
    of_version_1 = [line for line in theirs.cgroups if not line.startswith("0::")]
    assert [line for line in ours.cgroups if not line.startswith("0::")] == of_version_1
    (unified,) = [line for line in ours.cgroups if line.startswith("0::")]
    parents = [line for line in theirs.cgroups if line.startswith("0::")]
    # In one of its own below.
    assert unified.rpartition("/")[0] == parents[0].rstrip("/") and "/nsfleet-" in unified, (unified, parents)


@pytest.mark.parametrize("user", ["alice", "1000:0", "0", "12345:777", "alice:root"])
@pytest.mark.parametrize("name", ["default", "added", "user-by-name"])
def test_another_user_is_what_docker_exec_makes_of_it(fleet: Fleet, name: str, user: str) -> None:
    ours, theirs = fleet.seen("docker", name, user=user), fleet.seen_by_engine("docker", name, "--user", user)
    assert shown(ours) == shown(theirs)


@pytest.mark.parametrize("key, name", [("docker", "default"), ("docker", "dropped"), ("docker", "user"),
                                       ("docker", "no-new-privileges"), ("podman", "mapped")])
def test_privileges_host_is_what_nsenter_gives(fleet: Fleet, key: str, name: str) -> None:
    pid = fleet.pids[key, name]
    result = fleet.run(key, name, argv=list(LOOK), privileges="host")
    said = fleet.engines["docker"]._supervisor.run(program("nsenter", "util-linux"), f"--target={pid}", "--all", *LOOK)
    ours, theirs = shown(parsed(result["stdout"])), shown(parsed(said.stdout))
    # Groups are kept by nsenter but where it has to give them up; the umask is the caller's.
    for key_ in ("Umask", "Groups"):
        ours.pop(key_), theirs.pop(key_)
    assert ours == theirs
    assert any("privileges: host" in str(warning) for warning in result["warnings"])


def test_without_mnt_the_command_has_the_module_s_rights(fleet: Fleet) -> None:
    ours = fleet.seen("docker", "dropped", namespaces=["net"])
    own = kernel.status(os.getpid())
    assert ours.status["CapEff"] == own["CapEff"] and ours.status["Seccomp"] == own["Seccomp"]


def test_without_mnt_the_container_s_rights_can_be_asked_for(fleet: Fleet) -> None:
    ours = fleet.seen("docker", "dropped", namespaces=["net"], privileges="target")
    theirs = fleet.seen_by_engine("docker", "dropped")
    keys = ("CapEff", "CapBnd", "Seccomp", "NoNewPrivs")
    assert {key: ours.status[key] for key in keys} == {key: theirs.status[key] for key in keys}


def test_with_pid_and_without_mnt_the_container_s_rights_can_be_asked_for(fleet: Fleet) -> None:
    # Whoever is in there has the same rights, and so might trace it: that must be said to be known.
    refused = ns_exec.run(
        container="docker:" + fleet.name("dropped"), namespaces=["pid"], privileges="target", argv=["true"])
    assert refused["failed"] and "has its capabilities" in refused["msg"]
    ours = fleet.seen("docker", "dropped", namespaces=["pid"], privileges="target", trusted=True)
    assert int(ours.status["CapEff"], 16) == 0 and ours.status["Seccomp"] == "2"
    assert ours.status["NSpid"].split() == ours.status["NSpid"].split()[:1], "the /proc is not that of the namespace"


def test_the_session_keyring_is_new(fleet: Fleet) -> None:
    # keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0)
    script = "import ctypes; print(ctypes.CDLL(None).syscall(250, 0, -3, 0))"
    argv = [sys.executable, "-c", script]
    own = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()

    def session(privileges: str) -> str:
        result = fleet.run("docker", "no-seccomp", namespaces=["net"], argv=argv, privileges=privileges)
        return str(result["stdout"])

    assert session("host") == own
    assert session("target") not in (own, "-1")


def test_a_program_of_the_container_s_cannot_change_the_host(fleet: Fleet) -> None:
    line = "echo 60 >/proc/sys/vm/swappiness"
    result = ns_exec.run(container=f"docker:{fleet.name('no-seccomp')}", cmd=f"cat /proc/sys/vm/swappiness; {line}",
                         shell=True, user="1000")
    assert result["rc"] != 0


def test_no_descriptor_but_the_streams_is_inside(fleet: Fleet) -> None:
    # The fourth is that of the folder itself.
    assert fleet.run("docker", "default", cmd="ls /proc/self/fd")["stdout"].split() == ["0", "1", "2", "3"]


# --- frozen, at its limits --------------------------------------------------------------------------------------


def test_a_frozen_one_is_refused_within_five_seconds(fleet: Fleet, docker: Docker) -> None:
    name = fleet.name("frozen")
    identity = docker.run(name, "--network", "none")
    pid = docker.inspect(identity)[0]["State"]["Pid"]
    docker("pause", name)
    try:
        for selector in ({"container": name}, {"pid": pid}):
            start = time.monotonic()
            result = ns_exec.run(cmd="id", **selector)
            assert time.monotonic() - start < 5
            assert result["failed"] and "paused" in result["msg"], result
    finally:
        docker("unpause", name)
    assert ns_exec.run(cmd="id", container=name)["rc"] == 0


def test_one_that_is_frozen_meanwhile_costs_its_own_result_and_not_for_long(fleet: Fleet, docker: Docker) -> None:
    names = [fleet.name("freezing"), fleet.name("default")]
    docker.run(names[0], "--network", "none")
    run = ns_exec.start(containers=[f"docker:{name}" for name in names], cmd="busybox sleep 2", timeout=4)
    time.sleep(1.2)
    docker("pause", names[0])
    try:
        start = time.monotonic()
        result = ns_exec.answer(run)
        assert time.monotonic() - start < 15
    finally:
        docker("unpause", names[0])
    by_name = {one["target"]["container"]: one for one in result["targets"]}
    assert by_name[names[1]]["rc"] == 0, result
    assert by_name[names[0]].get("failed"), result


def test_one_at_its_memory_limit_costs_its_own_result_only(fleet: Fleet, docker: Docker) -> None:
    names = [fleet.name("full"), fleet.name("default")]
    docker.run(names[0], "--network", "none", "--memory", "8m", "--memory-swap", "8m")
    pid = docker.inspect(names[0])[0]["State"]["Pid"]
    # Not to the last byte, or the kernel might end its process 1.
    docker("exec", names[0], "busybox", "dd", "if=/dev/zero", "of=/dev/shm/full", "bs=64k", "count=96")
    start = time.monotonic()
    result = ns_exec.run(containers=[f"docker:{name}" for name in names], shell=True, timeout=10,
                         cmd="busybox dd if=/dev/zero of=/dev/null bs=6M count=1 2>&1")
    assert time.monotonic() - start < 30
    by_name = {one["target"]["container"]: one for one in result["targets"]}
    assert by_name[names[1]]["rc"] == 0, result
    assert by_name[names[0]].get("failed") and by_name[names[0]]["msg"], result
    assert Path(f"/proc/{pid}").exists(), "its process 1 was ended for want of memory"


def test_one_at_its_limit_of_processes_costs_its_own_result_only(fleet: Fleet, docker: Docker) -> None:
    names = [fleet.name("crowded"), fleet.name("default")]
    docker.run(names[0], "--network", "none", "--pids-limit", "1")
    result = ns_exec.run(containers=[f"docker:{name}" for name in names], cmd="id", timeout=10)
    by_name = {one["target"]["container"]: one for one in result["targets"]}
    assert by_name[names[1]]["rc"] == 0, result
    assert by_name[names[0]].get("failed") and "pids limit" in by_name[names[0]]["msg"], result


# --- userns-remap -------------------------------------------------------------------------------------------------


class WithSubids(Within):
    """A supervisor whose programs see ranges of ids for nobody, and the machine's programs do not."""

    def __init__(self, supervisor: Supervisor) -> None:
        # Not the one of Within, which makes a network.
        self._outer = supervisor
        self.root = supervisor.root
        ranges = self.root / "subids"
        ranges.write_text("nobody:200000:65536\nnogroup:200000:65536\n")
        script = f"mount --bind {ranges} /etc/subuid && mount --bind {ranges} /etc/subgid && exec sleep 3600"
        self._holder = supervisor.start(
            program("unshare", "util-linux"), "--mount", "--propagation", "private", "/bin/sh", "-c", script,
            log=self.root / "subids.log",
        )
        until(lambda: "/etc/subgid" in Path(f"/proc/{self._holder}/mounts").read_text(), "no mounts of its own")

    def _enter(self) -> tuple[str, ...]:
        return (program("nsenter", "util-linux"), f"--mount=/proc/{self._holder}/ns/mnt", "--")


@pytest.fixture(scope="module")
def remapped(supervisor: Supervisor, archive: Path) -> Iterator[Docker]:
    within = WithSubids(supervisor)
    engine = Docker(
        within, supervisor.root / "docker-remap", archive, None,
        network=("--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false",
                 "--userns-remap", "nobody:nogroup"),
    )
    engine.start()
    yield engine
    engine.stop()
    within.close_network()


@pytest.mark.parametrize("options", [[], ["--user", "1000:1000"], ["--cap-drop", "ALL"]])
def test_with_userns_remap_the_command_may_what_docker_exec_may(
    remapped: Docker, supervisor: Supervisor, options: list[str]
) -> None:
    name = f"{supervisor.token}-remapped"
    remapped.run(name, "--network", "none", *options)
    try:
        result = ns_exec.run(container=name, argv=list(LOOK))
        ours, theirs = parsed(result["stdout"]), parsed(remapped("exec", name, *LOOK).stdout)
        assert shown(ours) == shown(theirs)
        assert "user" in result["namespaces"]
        assert ns_exec.run(container=name, cmd="id -u")["stdout"] == remapped("exec", name, "id", "-u").stdout.strip()
    finally:
        remapped("rm", "--force", name)
        until(lambda: name not in remapped("ps", "--format", "{{.Names}}").stdout, "not removed")

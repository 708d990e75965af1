# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The privileges of containers beside what /proc shows of a process that `docker exec` started in them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Iterator

import pytest
from rig import kernel
from rig.docker import Docker
from rig.supervisor import Supervisor
from rig.waiting import until

from ansible_collections.nsfleet.linux.plugins.module_utils._enter import privileges
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.started import Started
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.proc import Proc, parse_cgroups
from ansible_collections.nsfleet.linux.plugins.module_utils._model.entry import Refused, Target

MATRIX: dict[str, list[str]] = {
    "default": [],
    "user": ["--user", "1000:1000"],
    "name": ["--user", "alice"],
    "dropped": ["--cap-drop", "ALL"],
    "added": ["--cap-add", "NET_ADMIN", "--user", "1000"],
    "no-new-privileges": ["--security-opt", "no-new-privileges"],
    "no-new-privileges-user": ["--security-opt", "no-new-privileges", "--user", "1000"],
    "unconfined": ["--security-opt", "seccomp=unconfined"],
    "limits": ["--ulimit", "nofile=333:444", "--oom-score-adj", "321", "--group-add", "777"],
    "read-only": ["--read-only"],
}
SETS = {
    "CapEff": "effective",
    "CapPrm": "permitted",
    "CapInh": "inheritable",
    "CapBnd": "bounding",
    "CapAmb": "ambient",
}


@pytest.fixture(scope="module")
def docker(supervisor: Supervisor, archive: Path) -> Iterator[Docker]:
    engine = Docker(supervisor, supervisor.root / "docker-rights", archive, None)
    engine.start()
    for name, options in MATRIX.items():
        engine.run(name, "--network", "none", *options)
    yield engine
    engine.stop()


def leader_of(docker: Docker, name: str) -> int:
    return int(docker.inspect(name)[0]["State"]["Pid"])


def executed(docker: Docker, name: str, seconds: str, *options: str) -> int:
    """A process that docker exec has started, by its pid here."""
    docker("exec", "--detach", *options, name, "/bin/sleep", seconds)

    def look() -> int:
        # Not at once: until then it is runc's own process.
        listed = [line.split() for line in docker("top", name, "-eo", "pid,args").stdout.splitlines()]
        return next((int(words[0]) for words in listed if words[1:] == ["/bin/sleep", seconds]), 0)

    return until(look, f"docker exec started no sleep {seconds}")


@pytest.mark.parametrize("name", MATRIX)
def test_a_container_s_privileges_are_those_docker_exec_gives(docker: Docker, name: str) -> None:
    pid = leader_of(docker, name)
    found = privileges.executed(privileges.of_leader(Target(name, pid=pid), Proc()))
    other = executed(docker, name, "701")
    status = kernel.status(other)
    assert {field: int(status[field], 16) for field in SETS} == {
        field: getattr(found, key) for field, key in SETS.items()
    }
    assert [found.uid, found.gid] == [int(status[key].split()[1]) for key in ("Uid", "Gid")]
    assert found.groups == [int(group) for group in status["Groups"].split()]
    assert found.no_new_privs == (status["NoNewPrivs"] == "1")
    assert len(found.seccomp) == int(status["Seccomp_filters"])
    assert found.umask == int(status["Umask"], 8)
    assert found.oom_score_adj == int(Path(f"/proc/{other}/oom_score_adj").read_text())
    assert found.rlimits == privileges._rlimits(Path(f"/proc/{other}/limits").read_bytes())
    assert found.cgroups == parse_cgroups(Path(f"/proc/{other}/cgroup").read_bytes())


def test_the_filters_are_those_of_a_process_docker_exec_started(docker: Docker) -> None:
    ours = privileges.of_leader(Target("default", pid=leader_of(docker, "default")), Proc())
    theirs = privileges.of_leader(Target("exec", pid=executed(docker, "default", "702")), Proc())
    assert ours.seccomp == theirs.seccomp
    assert len(ours.seccomp) == 1


@pytest.mark.parametrize("name", ["default", "user", "no-new-privileges-user", "added", "dropped"])
@pytest.mark.parametrize("user, seconds", [("0", "703"), ("1000:5", "704")])
def test_another_user_has_the_sets_docker_exec_gives(docker: Docker, name: str, user: str, seconds: str) -> None:
    uid, dummy, group = user.partition(":")
    gid = int(group or uid)
    given = privileges.of_leader(Target(name, pid=leader_of(docker, name)), Proc())
    found = privileges.executed(privileges.for_user(given, int(uid), gid, []))
    status = kernel.status(executed(docker, name, seconds, "--user", user))
    assert {field: int(status[field], 16) for field in SETS} == {
        field: getattr(found, key) for field, key in SETS.items()
    }
    assert [found.uid, found.gid] == [int(status[key].split()[1]) for key in ("Uid", "Gid")]
    assert found.groups == [int(each) for each in status["Groups"].split()]


def test_a_command_joins_all_cgroups_of_the_container(docker: Docker) -> None:
    pid = leader_of(docker, "default")
    started = Started(pid)
    waiting = subprocess.Popen(["/bin/sleep", "60"])
    try:
        started.enter(waiting.pid)
        assert started.pids() == [waiting.pid]
        # Docker's path, and for version 2 one below it.
        ours = {path.partition("/nsfleet-")[0] for path in kernel.cgroups(waiting.pid)}
        assert ours == kernel.cgroups(pid)
    finally:
        waiting.kill()
        waiting.wait()
        started.close()


def test_a_paused_container_is_refused_at_once(docker: Docker) -> None:
    pid = leader_of(docker, "unconfined")
    docker("pause", "unconfined")
    try:
        with pytest.raises(Refused, match="paused"):
            Started(pid)
    finally:
        docker("unpause", "unconfined")

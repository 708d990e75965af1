# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who watches /proc in the container for whoever comes in: what it gets of ns_exec is the command's own, no more."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator

import pytest
from rig import exec as ns_exec
from rig.hostile import BUSYBOX, PYTHON, WITH_PTRACE, WITH_PYTHON, Cell, engines
from rig.supervisor import Supervisor
from rig.watcher import WATCHER, Seen, seen

OF_MODULE, OF_TASK, OF_OTHER, OWN = "CANARY-OF-MODULE", "CANARY-OF-TASK", "CANARY-OF-OTHER", "CANARY-OF-COMMAND"
FORBIDDEN = (OF_MODULE, OF_TASK, OF_OTHER)
RUNS = 12
PIPES = ("0 /dev/null", "1 pipe:", "2 pipe:")


@pytest.fixture(scope="module")
def marker(supervisor: Supervisor) -> Path:
    """A file that only the host has."""
    made = supervisor.root / "only-the-host-has-this"
    made.touch()
    return made


@pytest.fixture(scope="module")
def fleet(supervisor: Supervisor, archive: Path) -> Iterator[dict[str, Cell]]:
    with engines(supervisor, archive, "watching") as started:
        cells = {}
        for name, engine in started.items():
            token = f"{supervisor.token}-watching-{name}"
            cells[name] = Cell(engine, token, *WITH_PYTHON)
            cells[f"{name}-ptrace"] = Cell(engine, f"{token}-ptrace", *WITH_PTRACE, *WITH_PYTHON)
            cells[f"{name}-host-pid"] = Cell(engine, f"{token}-host-pid", "--pid", "host", *WITH_PYTHON)
        cells["other"] = Cell(started["docker"], f"{supervisor.token}-watching-other")
        yield cells


@pytest.fixture(params=["docker", "podman", "docker-ptrace", "podman-ptrace"])
def cell(request: pytest.FixtureRequest, fleet: dict[str, Cell]) -> Cell:
    return fleet[request.param]


def run(cell: Cell, other: Cell, **options: Any) -> dict[str, Any]:
    """The module with secrets in its environment and arguments, for this container and another one."""
    done = subprocess.run(
        [sys.executable, str(ns_exec.MODULE)],
        input=ns_exec.arguments({
            "containers": [cell.id, other.id], "creates": f"/{OF_TASK}", "removes": "/bin/busybox",
            "labels": {}, "env": {"OWN": OWN}, "timeout": 20, "each": True,
            "argv": [BUSYBOX, "sleep", "0.05"], "track": ["none"], **options,
        }),
        env=ns_exec.environment(SECRET=OF_MODULE), capture_output=True, text=True, timeout=60, check=False,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    assert not result.get("failed"), result
    return result


def watched(cell: Cell, other: Cell, marker: Path, **options: Any) -> list[Seen]:
    with cell.attacking(WATCHER, str(marker), *FORBIDDEN, OWN):
        for dummy in range(RUNS):
            run(cell, other, **options)
    return seen(cell)


def values(found: list[Seen], what: str) -> set[str]:
    return {one.value for one in found if one.what == what}


def secrets(found: list[Seen]) -> list[Seen]:
    return [one for one in found if one.what == "canary" and not one.value.endswith(OWN)]


def test_who_watches_sees_the_command_and_nothing_else(cell: Cell, fleet: dict[str, Cell], marker: Path) -> None:
    found = watched(cell, fleet["other"], marker)
    # It did watch: what is the command's own was seen.
    assert any(value.endswith(OWN) for value in values(found, "canary"))
    assert not secrets(found)
    assert not values(found, "host")
    assert values(found, "exe") <= {BUSYBOX, "/memfd:nsfleet (deleted)"}
    for value in values(found, "fd"):
        # 3 is the line by which it is told what to do, until it executes.
        assert value.startswith(PIPES) or value.startswith("3 socket:"), found
    assert values(found, "root") <= {"/"} and values(found, "cwd") <= {"/"}
    assert all(OWN in value for value in values(found, "environ") if value)


def test_who_watches_the_hosts_processes_sees_no_more(fleet: dict[str, Cell], marker: Path) -> None:
    cell = fleet["docker-host-pid"]
    found = watched(cell, fleet["other"], marker)
    assert not secrets(found)
    # Those of this machine are all in view. What is still Python shows its command line, as to anybody, and no more;
    # its child, which is executed as the command in the end, is shown from then on.
    said: dict[int, set[str]] = {}
    for one in found:
        if one.what == "cmdline":
            said.setdefault(one.pid, set()).add(one.value)
    python = {pid for pid, lines in said.items() if all("ns_exec.py" in line for line in lines if line)}
    entering = {pid for pid, lines in said.items() if any(line.startswith("nsfleet") for line in lines)}
    assert python and entering
    assert not [one for one in found if one.pid in python and one.what != "cmdline"]
    # The other container's command is in view too, with that container's root; what only the host has is not.
    assert values([one for one in found if one.pid in entering], "host") <= {"another root"}


@pytest.mark.parametrize("options", [{"user": "alice"}, {"read_only": True}, {"unless": f"{BUSYBOX} false"}], ids=str)
def test_who_may_trace_sees_the_command_and_nothing_else(
    fleet: dict[str, Cell], marker: Path, options: dict[str, Any]
) -> None:
    found = watched(fleet["docker-ptrace"], fleet["other"], marker, **options)
    assert found
    assert not secrets(found)
    assert not values(found, "host")


def naive(cell: Cell, marker: Path, **env: str) -> list[Seen]:
    with cell.attacking(WATCHER, str(marker), *FORBIDDEN, OWN):
        for dummy in range(RUNS):
            cell.naive(BUSYBOX, "sleep", "0.05", SECRET=OF_MODULE, **env)
    return seen(cell)


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_who_may_trace_gets_at_the_host_by_the_naive_way(fleet: dict[str, Cell], marker: Path, engine: str) -> None:
    found = naive(fleet[f"{engine}-ptrace"], marker)
    assert secrets(found)
    assert values(found, "host")
    assert PYTHON in values(found, "exe")


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_who_watches_gets_at_the_host_by_the_naive_way(fleet: dict[str, Cell], marker: Path, engine: str) -> None:
    cell = fleet[engine]
    capabilities = Path(f"/proc/{cell.pid}/status").read_text().partition("CapBnd:\t")[2].split("\n")[0]
    found = naive(cell, marker, NAIVE_CAPABILITIES=capabilities)
    assert secrets(found)
    assert values(found, "host")


# --- pid without mnt ------------------------------------------------------------------------------------------------

HOST_PROGRAM = ["/bin/sh", "-c", "exec sleep 0.3"]


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_pid_without_mnt_is_refused_where_somebody_may_trace(
    fleet: dict[str, Cell], marker: Path, engine: str
) -> None:
    cell = fleet[f"{engine}-ptrace"]
    with cell.attacking(WATCHER, str(marker), *FORBIDDEN):
        result = ns_exec.run(container=cell.id, namespaces=["pid"], argv=HOST_PROGRAM)
        assert result["failed"] and result["rc"] is None and "CAP_SYS_PTRACE" in result["msg"], result
        assert "trusted: true" in result["msg"]
    assert not values(seen(cell), "host") and not values(seen(cell), "exe")


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_pid_without_mnt_gives_the_host_away_where_it_is_written_out(
    fleet: dict[str, Cell], marker: Path, engine: str
) -> None:
    cell = fleet[f"{engine}-ptrace"]
    with cell.attacking(WATCHER, str(marker), *FORBIDDEN):
        result = ns_exec.run(container=cell.id, namespaces=["pid"], argv=HOST_PROGRAM, trusted=True)
        assert result["rc"] == 0, result
    # The attack that is refused otherwise.
    assert "root" in values(seen(cell), "host")


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_pid_without_mnt_gives_nothing_away_where_nobody_may_trace(
    fleet: dict[str, Cell], marker: Path, engine: str
) -> None:
    cell = fleet[engine]
    with cell.attacking(WATCHER, str(marker), *FORBIDDEN):
        result = ns_exec.run(container=cell.id, namespaces=["pid"], argv=HOST_PROGRAM)
        assert result["rc"] == 0, result
    found = seen(cell)
    # It was seen, and no more than that.
    assert any("sleep" in value for value in values(found, "cmdline"))
    assert {one.what for one in found} == {"cmdline"}

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that say too much, fork without end, are paused, full, or die: that costs their own result only."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Iterator

import pytest
from rig import exec as ns_exec
from rig.hostile import BUSYBOX, WITH_PTRACE, WITH_PYTHON, Cell, engines
from rig.supervisor import Supervisor
from rig.waiting import until

MIB = 1 << 20
HELLO = [BUSYBOX, "echo", "hello"]
BOMB = f"b() {{ b | b & }}; b; {BUSYBOX} sleep 30"
KILLS = 26  # of each engine

HOLDER = """
import ctypes, os
libc = ctypes.CDLL(None)
libc.ptrace.argtypes = [ctypes.c_long] * 4
last = os.fork()
if last == 0:
    os._exit(0)
os.waitpid(last, 0)
READY()
turn = 0
while turn % 100 or not os.path.exists("/tmp/enough"):
    turn += 1
    # It stops whoever comes, and never lets go.
    for pid in range(last + 1, last + 4):
        if libc.ptrace(0x4206, pid, 0, 0) == 0:
            libc.ptrace(0x4207, pid, 0, 0)
            last = pid
            print("held", flush=True)
"""


@pytest.fixture(scope="module")
def fleet(supervisor: Supervisor, archive: Path) -> Iterator[dict[str, Cell]]:
    with engines(supervisor, archive, "ends") as started:
        cells = {}
        for name, engine in started.items():
            token = f"{supervisor.token}-ends-{name}"
            for kind, options in (
                ("plain", []), ("other", []), ("victim", []), ("pids", ["--pids-limit", "40"]),
                ("bomb", ["--pids-limit", "40"]),
                ("memory", ["--memory", "24m"]), ("ptrace", WITH_PTRACE + WITH_PYTHON),
            ):
                cells[f"{name}-{kind}"] = Cell(engine, f"{token}-{kind}", *options)
        yield cells


@pytest.fixture(params=["docker", "podman"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def both(fleet: dict[str, Cell], name: str, kind: str, **options: Any) -> dict[str, Any]:
    """The command in the hostile container and in a good one: the good one's result must be complete. Theirs."""
    bad, good = fleet[f"{name}-{kind}"], fleet[f"{name}-other"]
    result = ns_exec.run(containers=[bad.id, good.id], each=True, **{"timeout": 10, "track": ["none"], **options})
    return of(result, bad, good)


def of(result: dict[str, Any], bad: Cell, good: Cell) -> dict[str, Any]:
    assert len(result["targets"]) == 2
    (ours,) = [target for target in result["targets"] if target["target"]["id"] == good.id]
    (theirs,) = [target for target in result["targets"] if target is not ours]
    assert theirs["target"]["id"] in (bad.id, None)
    assert ours["rc"] == 0 and not ours.get("failed"), ours
    assert theirs["msg"] or not theirs.get("failed"), theirs
    found: dict[str, Any] = theirs
    return found


def peak(arguments: list[str], text: str = "") -> tuple[str, int]:
    """What a program printed last, and how many bytes of memory it and its children had at once at most."""
    process = subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ns_exec.environment(), text=True
    )
    if process.stdin is None or process.stdout is None:
        raise ValueError("not connected")
    process.stdin.write(text)
    process.stdin.close()
    said = process.stdout.read()
    usage = os.wait4(process.pid, 0)[2]
    process.returncode = 0
    return said, usage.ru_maxrss * 1024


# --- output ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_output_without_end_is_counted_and_dropped(fleet: dict[str, Cell], name: str, stream: str) -> None:
    size = 10 << 30 if (name, stream) == ("docker", "stdout") else 1 << 30
    where = ">&2" if stream == "stderr" else "2>/dev/null"
    line = f"exec {BUSYBOX} dd if=/dev/zero bs=1048576 count={size // MIB} {where}"
    text = ns_exec.arguments({
        "container": fleet[f"{name}-plain"].id, "argv": ["/bin/sh", "-c", line], "track": ["none"], "timeout": 60,
    })
    said, memory = peak([sys.executable, str(ns_exec.MODULE)], text)
    result = json.loads(said)
    assert result["rc"] == 0, result["msg"]
    assert len(result[stream]) == MIB
    assert result["truncated"][stream] >= size - MIB
    assert memory < 160 * MIB


def test_output_without_end_takes_the_naive_way_all_memory(fleet: dict[str, Cell]) -> None:
    pid = fleet["docker-plain"].pid
    script = (
        "import subprocess\n"
        f"print(len(subprocess.run(['nsenter', '-t', '{pid}', '-m', '-p', '{BUSYBOX}', 'dd', 'if=/dev/zero', "
        "'bs=1048576', 'count=256'], capture_output=True).stdout))\n"
    )
    said, memory = peak([sys.executable, "-c", script])
    assert int(said) == 256 * MIB and memory > 256 * MIB


def test_output_that_is_no_text_becomes_some(fleet: dict[str, Cell], name: str) -> None:
    line = r"printf '\377\376good\355\240\200\300\200'; printf '\200' >&2"
    result = ns_exec.run(container=fleet[f"{name}-plain"].id, argv=["/bin/sh", "-c", line])
    assert result["stdout"].startswith("\ufffd\ufffdgood\ufffd") and result["stderr"] == "\ufffd"
    # Whole: no half of a pair that the next program would fall over.
    result["stdout"].encode("utf-8")


def test_random_output_becomes_text(fleet: dict[str, Cell], name: str) -> None:
    result = ns_exec.run(container=fleet[f"{name}-plain"].id,
                         argv=[BUSYBOX, "dd", "if=/dev/urandom", "bs=65536", "count=32"], track=["none"])
    assert result["rc"] == 0 and len(result["stdout"].encode("utf-8")) <= 3 * MIB


def test_output_for_the_terminal_does_not_reach_it_by_ansible(fleet: dict[str, Cell]) -> None:
    cell = fleet["docker-plain"]
    line = r"printf '\033]0;owned\007\033[2Jgood'; printf '\033c' >&2; exit 3"
    shown = ns_exec.ansible(container=cell.id, argv=["/bin/sh", "-c", line])
    assert "good" in shown and "owned" in shown
    assert not {"\033", "\007"} & set(shown)
    # The naive way, for comparison: what is handed on as it is.
    assert "\033]0;owned" in cell.nsenter("/bin/sh", "-c", line).stdout


def test_names_for_the_terminal_do_not_reach_it_by_ansible(fleet: dict[str, Cell]) -> None:
    cell = fleet["docker-plain"]
    evil = "\033[31mred\r\n"
    cell.put(f"/tmp/{evil}", cell.path(BUSYBOX).read_bytes())
    line = f"'/tmp/{evil}' sleep 5 >/dev/null 2>&1 & echo > '/tmp/x{evil}'; {BUSYBOX} sleep 0.2"
    shown = ns_exec.ansible("--diff", container=cell.id, argv=["/bin/sh", "-c", line])
    assert "\\u001b" in shown or "red" in shown
    assert "\033[31mred" not in shown


# --- what takes all that there is -----------------------------------------------------------------------------------


def test_a_fork_bomb_ends_with_its_time(fleet: dict[str, Cell], name: str) -> None:
    before = time.monotonic()
    theirs = ns_exec.run(container=fleet[f"{name}-bomb"].id, argv=["/bin/sh", "-c", BOMB], timeout=2, track=["none"])
    assert theirs["failed"] and "timeout" in theirs["msg"], theirs
    assert time.monotonic() - before < 12
    assert not theirs["left"]
    until(lambda: inside(fleet[f"{name}-bomb"]) == [fleet[f"{name}-bomb"].pid], "the bomb is still there", 5)


def test_a_container_without_processes_to_spare_costs_its_own_result(fleet: dict[str, Cell], name: str) -> None:
    cell = fleet[f"{name}-pids"]
    cell.remove("/tmp/stop")
    fill = f"while [ ! -e /tmp/stop ]; do {BUSYBOX} sleep 20 & {BUSYBOX} true; done"
    cell.order(fill)
    try:
        until(lambda: len(inside(cell)) >= 38, "it is not full")
        for dummy in range(3):
            theirs = both(fleet, name, "pids", argv=HELLO)
            assert theirs["rc"] == 0 or theirs["failed"], theirs
            if theirs["rc"] is None:
                assert "EAGAIN" in theirs["msg"], theirs
    finally:
        cell.put("/tmp/stop", "")
        for pid in inside(cell):
            if pid != cell.pid:
                os.kill(pid, 9)


def inside(cell: Cell) -> list[int]:
    """The processes of a container, but for those that have ended and that its process 1 does not reap."""
    pids = [int(entry) for entry in os.listdir("/proc") if entry.isdigit() and cell.holds(int(entry))]
    return [pid for pid in pids if alive(pid)]


def alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return False
    return stat[stat.rindex(")") + 2] not in "ZX"


def test_a_command_beyond_the_memory_of_its_container_costs_its_own_result(fleet: dict[str, Cell], name: str) -> None:
    eat = f"{BUSYBOX} dd if=/dev/zero of=/dev/null bs=400M count=1; exit $?"
    theirs = ns_exec.run(container=fleet[f"{name}-memory"].id, argv=["/bin/sh", "-c", eat], timeout=20, track=["none"])
    assert theirs["failed"] and theirs["rc"] in (137, -9), theirs
    assert both(fleet, name, "memory", argv=HELLO)["rc"] == 0


def test_a_container_that_is_out_of_memory_costs_its_own_result(fleet: dict[str, Cell], name: str) -> None:
    cell = fleet[f"{name}-memory"]
    fill = [BUSYBOX, "dd", "if=/dev/zero", "of=/dev/shm/full", "bs=1M", "count=60"]
    cell.engine("exec", cell.name, *fill, check=False)
    try:
        for dummy in range(3):
            theirs = both(fleet, name, "memory", argv=HELLO)
            assert theirs["rc"] == 0 or theirs["failed"], theirs
    finally:
        cell.remove("/dev/shm/full")


# --- what stops -----------------------------------------------------------------------------------------------------


def test_a_paused_container_is_refused_at_once(fleet: dict[str, Cell], name: str) -> None:
    cell = fleet[f"{name}-plain"]
    cell.engine("pause", cell.name)
    try:
        before = time.monotonic()
        theirs = both(fleet, name, "plain", argv=HELLO)
        assert time.monotonic() - before < 5
        assert theirs["failed"] and theirs["rc"] is None and "paused" in theirs["msg"], theirs
        by_pid = ns_exec.run(pid=cell.pid, argv=HELLO, timeout=10)
        assert by_pid["failed"] and by_pid["rc"] is None and "paused" in by_pid["msg"], by_pid
    finally:
        cell.engine("unpause", cell.name)


def test_a_container_that_is_paused_meanwhile_costs_its_own_result(fleet: dict[str, Cell], name: str) -> None:
    cell, good = fleet[f"{name}-plain"], fleet[f"{name}-other"]
    before = time.monotonic()
    process = ns_exec.start(containers=[cell.id, good.id], each=True, argv=[BUSYBOX, "sleep", "2"], timeout=4,
                            track=["none"])
    time.sleep(1)
    cell.engine("pause", cell.name)
    try:
        theirs = of(ns_exec.answer(process), cell, good)
        assert time.monotonic() - before < 20
        assert theirs["failed"], theirs
    finally:
        cell.engine("unpause", cell.name)
    until(lambda: len(inside(cell)) == 1, "the command goes on after its container was resumed", 5)


def test_a_tracer_that_never_lets_go_costs_its_own_result(fleet: dict[str, Cell], name: str) -> None:
    cell = fleet[f"{name}-ptrace"]
    held = 0
    with cell.attacking(HOLDER):
        for dummy in range(30):
            before = time.monotonic()
            theirs = both(fleet, name, "ptrace", argv=HELLO, timeout=2)
            assert time.monotonic() - before < 20
            held += bool(theirs.get("failed"))
            # It has to be quick to catch one.
            if held == 2:
                break
    assert held, cell.said()


# --- what dies ------------------------------------------------------------------------------------------------------


class Remains:
    """What a run may leave on the host: processes, cgroups, mounts. Others may run theirs at the same time."""

    def __init__(self, token: str, *cells: Cell) -> None:
        self._token = token.encode()
        self._ids = [cell.id for cell in cells]
        self._mounted = self._mounts()

    def _abandoned(self) -> list[str]:
        return [
            f"{folder}/{each}" for folder, folders, dummy in os.walk("/sys/fs/cgroup") for each in folders
            if each.startswith("nsfleet-") and any(one in folder for one in self._ids)
        ]

    def _processes(self) -> list[str]:
        found = []
        for entry in os.listdir("/proc"):
            try:
                if entry.isdigit() and self._token in Path("/proc", entry, "environ").read_bytes():
                    found.append(f"{entry} {Path('/proc', entry, 'comm').read_text().strip()}")
            except OSError:
                continue
        return found

    def check(self) -> None:
        until(lambda: not self._processes(), f"left behind: {self._processes()}", 8)
        until(lambda: not self._abandoned(), f"left behind: {self._abandoned()}", 8)
        assert not self._mounts() - self._mounted, "left mounted"

    @staticmethod
    def _mounts() -> set[str]:
        return {line for line in Path("/proc/self/mountinfo").read_text().splitlines() if "nsfleet" in line}


def begin(token: str, **options: Any) -> subprocess.Popen[str]:
    """The module, with a mark in its environment that its children have too."""
    process = subprocess.Popen(
        [sys.executable, str(ns_exec.MODULE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=ns_exec.environment(NSFT_RUN=token),
    )
    if process.stdin is None:
        raise ValueError("not connected")
    process.stdin.write(ns_exec.arguments(options))
    process.stdin.close()
    process.stdin = None
    return process


def test_a_container_that_dies_at_any_moment_costs_its_own_result(
    fleet: dict[str, Cell], name: str, supervisor: Supervisor
) -> None:
    victim, good = fleet[f"{name}-victim"], fleet[f"{name}-other"]
    token = f"{supervisor.token}-kills"
    remains = Remains(token, victim, good)
    descriptors = len(os.listdir("/proc/self/fd"))
    options: dict[str, Any] = {
        "containers": [victim.id, good.id], "each": True, "argv": [BUSYBOX, "sleep", "0.1"], "timeout": 10,
        "user": "root", "creates": "/no/*/such", "unless": f"{BUSYBOX} false",
    }
    before = time.monotonic()
    assert of(ns_exec.answer(begin(token, **options)), victim, good)["rc"] == 0
    whole = time.monotonic() - before
    outcomes: dict[str, int] = {}
    for turn in range(KILLS):
        process = begin(token, **options)
        # Over the whole of it, and somewhat more often where the containers are worked on.
        time.sleep(whole * random.uniform(0.2, 1.1) if turn % 2 else whole * (turn + 1) / KILLS)
        os.kill(victim.pid, 9)
        result = ns_exec.answer(process)
        theirs = of(result, victim, good)
        assert theirs["rc"] == 0 or theirs["failed"] and theirs["msg"], theirs
        assert "not foreseen" not in theirs["msg"] and "Traceback" not in str(theirs), theirs
        outcome = theirs["msg"][:60] or "done"
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        restart(victim)
        options["containers"] = [victim.id, good.id]
    assert len(outcomes) > 1, outcomes
    remains.check()
    assert len(os.listdir("/proc/self/fd")) == descriptors


def restart(cell: Cell) -> None:
    """Start a container that was killed."""
    def stopped() -> bool:
        return not cell.engine.inspect(cell.id)[0]["State"]["Running"]

    until(stopped, "the engine has not seen that it was killed")
    cell.engine("start", cell.name)
    cell.pin()


def test_a_module_that_dies_at_any_moment_leaves_nothing(
    fleet: dict[str, Cell], name: str, supervisor: Supervisor
) -> None:
    cell, good = fleet[f"{name}-plain"], fleet[f"{name}-other"]
    token = f"{supervisor.token}-module"
    remains = Remains(token, cell, good)
    alone = inside(cell)
    for turn in range(12):
        process = begin(token, containers=[cell.id, good.id], each=True, argv=[BUSYBOX, "sleep", "7"])
        time.sleep(0.08 + turn * 0.06)
        process.kill()
        process.communicate(timeout=10)
    until(lambda: set(inside(cell)) == set(alone), "the command goes on", 8)
    remains.check()

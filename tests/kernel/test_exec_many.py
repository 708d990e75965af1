# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many processes at work: in order, not too many at once, and whatever happens to one is told of that one only."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._enter import many, worker
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.many import Job, run
from ansible_collections.nsfleet.linux.tests.kernel.exec_lab import (
    calm,
    debris,
    ends_with_us,
    ns_exec,
    place,
    until,
)

MOST = 1 << 16


@pytest.fixture(autouse=True)
def nothing_is_left() -> Any:
    """Neither a process nor a descriptor."""
    before = calm()
    yield
    until(lambda: debris()["children"] == before["children"])
    after = debris()
    assert (after["descriptors"], after["cgroups"]) == (before["descriptors"], before["cgroups"])


def job(work: Callable[[], Any], seconds: float | None = 20, most: int = MOST) -> Job:
    return Job(work, seconds, most)


def fails(result: dict[str, Any]) -> str:
    assert result["failed"] and result["changed"] and result["unproven"]
    return str(result["msg"])


def test_results_are_in_the_order_of_the_jobs() -> None:
    def sleeper(number: int) -> Callable[[], Any]:
        def work() -> Any:
            time.sleep(0.2 if number == 0 else 0)
            return {"number": number}

        return work

    assert run([job(sleeper(number)) for number in range(7)], 3) == [{"number": number} for number in range(7)]


@pytest.mark.parametrize("forks", [1, 3])
def test_no_more_are_at_work_than_forks(forks: int, tmp_path: Path) -> None:
    def work() -> Any:
        mine = tmp_path / str(os.getpid())
        mine.touch()
        count = len(list(tmp_path.iterdir()))
        time.sleep(0.05)
        mine.unlink()
        return {"count": count}

    counts = [result["count"] for result in run([job(work) for dummy in range(8)], forks)]
    assert max(counts) == forks


def test_they_are_at_work_at_the_same_time() -> None:
    started = time.monotonic()
    run([job(lambda: time.sleep(0.3) or {}) for dummy in range(6)], 6)
    assert time.monotonic() - started < 1.2


def test_one_that_is_killed_costs_its_own_result() -> None:
    def dies() -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    results = run([job(lambda: {"fine": 1}), job(dies), job(lambda: {"fine": 2})], 2)
    assert (results[0], results[2]) == ({"fine": 1}, {"fine": 2})
    assert "was killed" in fails(results[1])


def test_one_that_hangs_is_ended_at_its_time() -> None:
    started = time.monotonic()
    results = run([job(lambda: time.sleep(60) or {}, 0.5), job(lambda: {"fine": 1})], 1)
    assert "within 0.5 s" in fails(results[0])
    assert results[1] == {"fine": 1}
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("seconds", [1e7, 1e12, 1e300])
def test_time_without_measure_is_no_error(seconds: float) -> None:
    # More than poll(2) can wait at once.
    assert run([job(lambda: {"said": "all"}, seconds)], 1) == [{"said": "all"}]


def test_one_that_does_not_hear_is_ended_too() -> None:
    def deaf() -> Any:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)

    started = time.monotonic()
    assert "was ended" in fails(run([job(deaf, 0.2)], 1)[0])
    assert time.monotonic() - started < 6


def test_one_that_hangs_holds_nobody_up() -> None:
    """Its last seconds are not those of the others."""

    def deaf() -> Any:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)

    def late() -> Any:
        return {"at": time.monotonic()}

    started = time.monotonic()
    results = run([job(deaf, 0.2), *(job(lambda: time.sleep(0.3) or late()) for dummy in range(3))], 2)
    assert fails(results[0])
    assert max(result["at"] for result in results[1:]) - started < 3


def test_a_result_that_is_too_large_is_none() -> None:
    results = run([job(lambda: {"text": "x" * (MOST * 20)}), job(lambda: {"fine": 1})], 2)
    assert "more than %d bytes" % MOST in fails(results[0])
    assert results[1] == {"fine": 1}


def test_a_large_result_comes_whole() -> None:
    text = "ä\x00\udcff" * 500000
    assert run([job(lambda: {"text": text}, most=1 << 26)], 1) == [{"text": text}]


@pytest.mark.parametrize(
    "error",
    [
        KeyError("x"),
        RecursionError(),
        OSError(5, "Input/output error"),
        MemoryError(),
        ValueError("\x1b[31m" + "y" * 9999),
    ],
)
def test_what_was_not_foreseen_is_told(error: Exception) -> None:
    def work() -> Any:
        raise error

    message = fails(run([job(work)], 1)[0])
    assert type(error).__name__ in message and "not foreseen" in message
    assert len(message) < 700


def test_what_no_json_can_hold_is_told() -> None:
    assert "Error" in fails(run([job(lambda: {"bytes": b"x"})], 1)[0])


def test_one_that_exits_has_no_result() -> None:
    assert "without a result" in fails(run([job(lambda: sys.exit(0))], 1)[0])


def test_a_child_of_one_that_lives_on_holds_nothing_up(tmp_path: Path) -> None:
    """It has the line to us, whose end it would be."""

    def work() -> Any:
        if os.fork() == 0:
            (tmp_path / "pid").write_text(str(os.getpid()))
            time.sleep(20)
            os._exit(0)
        until((tmp_path / "pid").exists)
        return {"fine": 1}

    started = time.monotonic()
    try:
        assert run([job(work)], 1) == [{"fine": 1}]
        assert time.monotonic() - started < 5
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_where_nothing_can_be_forked_that_is_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(many.os, "fork", fork)
    results = run([job(lambda: {}), job(lambda: {})], 2)
    assert ["EAGAIN" in fails(result) for result in results] == [True, True]


def test_where_only_one_can_be_forked_all_get_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    real, working = os.fork, []

    def fork() -> int:
        alive = [pid for pid in working if Path(f"/proc/{pid}").exists()]
        if alive:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        pid = real()
        working.append(pid)
        return pid

    monkeypatch.setattr(many.os, "fork", fork)
    results = run([job(lambda: time.sleep(0.02) or {"fine": 1}) for dummy in range(4)], 4)
    assert results == [{"fine": 1}] * 4


PROGRAM = """
import os, signal, sys, time
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.many import Job, run
def work():
    print(os.getpid(), flush=True)  # nobody hears it: the child has no streams
    with open(sys.argv[1] + "/" + str(os.getpid()), "w"):
        pass
    for dummy in range(600):  # a signal just before it is seen after it
        time.sleep(0.1)
run([Job(work, None, 1000) for dummy in range(3)], 3)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_they_end_with_the_module(number: int, tmp_path: Path) -> None:
    with ends_with_us(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        until(lambda: len(list(tmp_path.iterdir())) == 3)
        process.send_signal(number)
        assert process.stdout is not None
        # Ansible waits until everybody has closed it.
        assert select.select([process.stdout], [], [], 5)[0]
        assert process.stdout.read() == b""
    until(lambda: not any(Path(f"/proc/{path.name}").exists() for path in tmp_path.iterdir()), 5)


def test_a_worker_that_is_killed_leaves_a_result_with_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with place(["net"]) as pid:
        whole = ns_exec(pid=pid, cmd="true")
        monkeypatch.setattr(worker, "work", lambda *dummy: os.kill(os.getpid(), signal.SIGKILL))
        result = ns_exec(pid=pid, cmd="true")
    assert set(whole) - set(result) == {"start", "end", "delta"}
    assert result["failed"] and result["changed"] and (result["rc"], result["stdout"], result["left"]) == (None, "", [])


def test_a_name_that_was_asked_for_cannot_disturb_a_terminal() -> None:
    result = ns_exec(containers=["\0none", "\x1bcnone"], cmd="true")
    assert result["msg"].startswith("2 of 2 targets failed: \\x00none, \\x1bcnone. The first: There is no ")
    assert result["msg"].isprintable()


def test_a_pattern_that_nothing_fits_is_said() -> None:
    result = ns_exec(containers=["nothing-is-called-*"], cmd="true")
    assert result["targets"] == [] and not result["changed"] and not result.get("failed")
    assert result["msg"] == "No running container fits nothing-is-called-*, so nothing was run."


def test_what_narrows_is_said_where_nothing_fits() -> None:
    result = ns_exec(containers=["nothing-*"], engine=["nspawn"], labels=["a=b", "c"], cmd="true")
    assert result["msg"] == (
        "No running container fits nothing-* with engine nspawn with labels a=b, c, so nothing was run.")


def test_the_task_says_why_the_first_of_many_failed() -> None:
    result = ns_exec(containers=["nothing-is-called-so"], cmd="true")
    said = result["targets"][0]["msg"]
    assert said.startswith("There is no ")
    assert result["msg"] == "1 of 1 targets failed: nothing-is-called-so. The first: " + (
        said if len(said) <= 300 else said[:300] + "...")


@pytest.mark.parametrize(("given", "sentence"), [
    ({"container": ""}, "container is empty: it must name a target."),
    ({"netns": ""}, "netns is empty: it must name a target."),
    ({"containers": ["nothing-*", ""]}, "containers has an empty entry: name containers, or write all."),
])
def test_an_empty_text_is_no_target(given: dict[str, Any], sentence: str) -> None:
    result = ns_exec(cmd="true", **given)
    assert (result["failed"], result["msg"]) == (True, sentence)


def test_a_plain_file_is_no_namespace_and_not_to_be_removed() -> None:
    result = ns_exec(path="/etc/passwd", cmd="true")
    assert result["failed"] and result["msg"].endswith("/etc/passwd is no namespace but a plain file.")

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine that does not hold still: processes, threads and namespaces that come and go while they are looked at."""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from contextlib import suppress
from typing import Any, Callable, Iterator

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._discover.scan import SOURCES
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import mounts, namespaces, prctl
from ansible_collections.nsfleet.linux.plugins.module_utils._model.inventory import UNREACHABLE, VANISHED
from ansible_collections.nsfleet.linux.tests.kernel.holders import look

SCANS = 1000
MOST_SECONDS = 150.0
# What a churner can pull away under a look. What is refused on a quiet machine too is known before.
LOST_IN_CHURN = (VANISHED, UNREACHABLE)
EVERYWHERE = ("mnt", "uts", "ipc", "pid", "net", "cgroup")


def forks() -> None:
    """Processes that live for some microseconds."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def new_namespaces() -> None:
    """A process in a namespace of each type, and a descriptor that outlives it for a moment."""
    pid = os.fork()
    if pid == 0:
        with suppress(OSError):
            for kind in EVERYWHERE:
                namespaces.unshare(namespaces.TYPES[kind])
        os._exit(0)
    with suppress(OSError):
        os.close(os.open("/proc/%d/ns/net" % pid, os.O_RDONLY))
    os.waitpid(pid, 0)


def new_threads() -> None:
    """Threads that start, some in a network namespace of their own, and end."""

    def leave() -> None:
        with suppress(OSError):
            namespaces.unshare(namespaces.CLONE_NEWUTS)

    started = [threading.Thread(target=work) for work in (leave, time.time, leave)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


@pytest.fixture
def churn() -> Iterator[Callable[..., list[int]]]:
    """Child processes that each do one thing over and over."""
    yield from start_churners()


def start_churners() -> Iterator[Callable[..., list[int]]]:
    """They end with who started them, also when that is killed."""
    churners: list[int] = []

    def start(*works: Callable[[], None]) -> list[int]:
        parent = os.getpid()
        for work in works:
            pid = os.fork()
            if pid == 0:
                try:
                    prctl.set_pdeathsig(signal.SIGKILL)
                    # The last resort, and for the case that the parent was gone before the line above.
                    signal.alarm(120)
                    # Where processors are few the scans are to get on with it, too.
                    os.nice(10)
                    while os.getppid() == parent:
                        work()
                finally:
                    os._exit(0)
            churners.append(pid)
        return churners

    yield start
    for pid in churners:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def where_we_are() -> dict[str, str]:
    """What is there from the start to the end, and so must be in every look."""
    links = [name for name in os.listdir("/proc/self/ns") if "_for_" not in name]
    return {kind: os.readlink("/proc/self/ns/" + kind) for kind in links}


def quiet_problems() -> set[tuple[str, str]]:
    """What is refused here also when nothing moves."""
    return {(problem["what"], problem["reason"]) for problem in look().problems.as_list()}


def unexpected(scan: Any, quiet: set[tuple[str, str]]) -> list[dict[str, Any]]:
    return [
        problem for problem in scan.problems.as_list()
        if (problem["what"], problem["reason"]) not in quiet and problem["reason"] not in LOST_IN_CHURN
    ]


def in_processes_of_its_own(function: Callable[[], None]) -> bool:
    """Run a function as process 1 of a new pid namespace with its own /proc; whether it came to its end.

    What else runs on the machine neither slows it down nor changes what it sees, and nothing in there outlives it.
    """
    outer = os.fork()
    if outer == 0:
        status = 1
        try:
            prctl.set_pdeathsig(signal.SIGKILL)
            namespaces.unshare(namespaces.CLONE_NEWPID | namespaces.CLONE_NEWNS)
            inner = os.fork()
            if inner == 0:
                prctl.set_pdeathsig(signal.SIGKILL)
                mounts.mount("none", "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
                mounts.mount("proc", "/proc", "proc")
                function()
                os._exit(0)
            status = int(os.waitpid(inner, 0)[1] != 0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    ended = wait_for(outer, time.monotonic() + MOST_SECONDS)
    if ended is None:
        os.kill(outer, signal.SIGKILL)
        os.waitpid(outer, 0)
    return ended == 0


def wait_for(pid: int, deadline: float) -> int | None:
    """The status of a child that has ended; None at the deadline."""
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.01)
    return None


def stay() -> tuple[int, str]:
    """A process in a network namespace of its own, and that namespace's name."""
    reading, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        prctl.set_pdeathsig(signal.SIGKILL)
        namespaces.unshare(namespaces.CLONE_NEWNET)
        os.write(told, os.readlink("/proc/self/ns/net").encode())
        while True:
            signal.pause()
    name = os.read(reading, 100).decode()
    for pipe in (reading, told):
        os.close(pipe)
    return pid, name


def test_a_thousand_scans_under_churn_miss_nothing_that_stays() -> None:
    # As seen from outside: all but the pid and mnt of the new pid namespace are still the same inside.
    initial = {kind: name for kind, name in where_we_are().items() if kind not in ("pid", "mnt")}

    def scans() -> None:
        pid, stays = stay()
        quiet = quiet_problems()
        expected = {*initial.values(), *where_we_are().values(), stays}
        starting = start_churners()
        churners = next(starting)(forks, forks, forks, new_namespaces, new_threads)
        before, vanished = sorted(os.listdir("/proc/self/fd")), False
        for number in range(SCANS):
            # Mostly the source that everything starts from, each tenth time all of them.
            scan = look(SOURCES if number % 10 == 0 else ("processes",))
            assert not expected - set(scan.namespaces), number
            space = scan.namespaces[stays]
            assert space.processes == 1 and space.leader is not None and space.leader.pid == pid, number
            assert unexpected(scan, quiet) == [], number
            assert all(found.processes == 0 or found.leader is not None for found in scan.namespaces.values()), number
            vanished = vanished or any(entry["reason"] == VANISHED for entry in scan.problems.as_list())
        assert all(os.waitpid(churner, os.WNOHANG)[0] == 0 for churner in churners), "a churner stopped"
        assert vanished, "nothing vanished under a scan: this was no churn"
        assert sorted(os.listdir("/proc/self/fd")) == before

    assert in_processes_of_its_own(scans), "see what was written to stderr; nothing there: not done in time"


def test_the_whole_machine_under_churn_keeps_what_stays(
    churn: Callable[..., list[int]], held: Callable[..., Any]
) -> None:
    """The same beside all that runs here, which may be a lot: as many looks as fit into some seconds."""
    child = held(lambda: os.readlink("/proc/self/ns/net"), namespaces.CLONE_NEWNET)
    churn(forks, forks, forks, new_namespaces, new_threads)
    expected = {*where_we_are().values(), child.said}
    before, until = sorted(os.listdir("/proc/self/fd")), time.monotonic() + 5
    while time.monotonic() < until:
        scan = look(timeout=10.0)
        assert not expected - set(scan.namespaces)
        assert scan.namespaces[child.said].processes == 1
        assert sorted(os.listdir("/proc/self/fd")) == before


def test_churners_end_when_their_test_is_killed(in_child: Callable[..., Any]) -> None:
    """A child stands for the test: it starts churners as the fixture does, and is killed."""
    reading, told = os.pipe()
    test = os.fork()
    if test == 0:
        try:
            prctl.set_pdeathsig(signal.SIGKILL)
            start = next(start_churners())
            os.write(told, " ".join(map(str, start(forks, new_namespaces, new_threads))).encode())
            signal.pause()
        finally:
            os._exit(1)
    churners = [int(pid) for pid in os.read(reading, 200).split()]
    for pipe in (reading, told):
        os.close(pipe)
    assert len(churners) == 3
    os.kill(test, signal.SIGKILL)
    os.waitpid(test, 0)
    deadline = time.monotonic() + 10
    while any(is_there(pid) for pid in churners) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(is_there(pid) for pid in churners)


def is_there(pid: int) -> bool:
    try:
        with open("/proc/%d/stat" % pid, "rb") as stream:
            return stream.read().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is recorded as a process's descendant, against what the processes say themselves."""

from __future__ import annotations

import os
import pathlib
import struct
import subprocess
import tempfile
import time
from typing import Any, Callable

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import libc, perf_tasks
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.perf_tasks import TaskTree
from ansible_collections.nsfleet.linux.tests.kernel.running_kernel import errno_of


@pytest.fixture(autouse=True)
def recorded() -> None:
    try:
        TaskTree(os.getpid()).close()
    except PermissionError:
        pytest.skip("perf_event_open is refused: /proc/sys/kernel/perf_event_paranoid")


class Waiting:
    """A shell that executes a script once it is told to."""

    def __init__(self, *command: str) -> None:
        self._process = subprocess.Popen(["sh", "-c", 'read -r dummy; exec "$@"', "-", *command],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self._process.pid

    def start(self) -> None:
        """Let it go on, and do not wait for it."""
        if self._process.stdin is None:
            raise ValueError("not connected")
        self._process.stdin.write(b"\n")
        self._process.stdin.close()

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def run(self) -> list[int]:
        """The numbers it wrote."""
        said = self._process.communicate(b"\n", timeout=30)[0]
        return [int(word) for word in said.split()]


def record(*command: str) -> tuple[TaskTree, list[int]]:
    waiting = Waiting(*command)
    tree = TaskTree(waiting.pid)
    said = waiting.run()
    tree.finish()
    tree.close()
    return tree, said


@pytest.mark.parametrize("script", [
    "echo $$; sh -c 'echo $$; true'",
    "(sh -c 'echo $PPID $$'; true); true",
    "setsid -f sh -c 'echo $$'; sleep 0.2",
    "for i in $(seq 40); do sh -c 'echo $$'; done",
], ids=["a child", "a grandchild", "one with a session of its own", "forty"])
def test_every_descendant_is_known_though_it_is_gone(script: str) -> None:
    tree, said = record("sh", "-c", script)
    assert said and set(said) <= tree.pids
    assert tree.incomplete is None


def test_one_in_another_pid_namespace_is_known_by_our_number(host_root: bool) -> None:
    # The NSpid field of one's own status: the number in each namespace, the outermost first.
    script = "grep NSpid /proc/self/status | cut -f2"
    tree, said = record("unshare", *([] if host_root else ["--user"]), "--pid", "--fork", "sh", "-c", script)
    assert said and set(said) <= tree.pids


def test_others_are_not_in_it() -> None:
    waiting = Waiting("sh", "-c", "true; true")
    tree = TaskTree(waiting.pid)
    other = subprocess.run(["sh", "-c", "echo $$"], stdout=subprocess.PIPE, check=True)
    waiting.run()
    tree.finish()
    tree.close()
    assert int(other.stdout) not in tree.pids and os.getpid() not in tree.pids


def test_a_full_buffer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perf_tasks, "_MOST_PAGES", perf_tasks._LEAST_PAGES)
    waiting = Waiting("sh", "-c", "for i in $(seq 3000); do (true); done")
    tree = TaskTree(waiting.pid)
    waiting.run()
    tree.finish()
    tree.close()
    assert tree.incomplete and "faster" in tree.incomplete


def test_a_buffer_that_is_read_in_time_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    # So small that it is gone through many times.
    monkeypatch.setattr(perf_tasks, "_MOST_PAGES", perf_tasks._LEAST_PAGES)
    waiting = Waiting("sh", "-c", "for i in $(seq 3000); do (true); done")
    tree = TaskTree(waiting.pid)
    waiting.start()
    while waiting.runs:
        tree.waiting.poll(0.02)
        tree.read()
    tree.finish()
    tree.close()
    assert tree.incomplete is None
    assert len(tree.pids) > 3000


def test_a_program_that_ends_the_recording_is_told(host_root: bool) -> None:
    if not host_root:
        pytest.skip("needs a file of another user")
    # Not pytest's folders, into which others may not look.
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        program = pathlib.Path(folder, "dash")
        program.write_bytes(pathlib.Path("/bin/dash").read_bytes())
        os.chown(program, 65534, 0)
        program.chmod(0o4755)
        tree, said = record(str(program), "-pc", "sh -c 'echo $$'; true")
    assert len(said) == 1 and said[0] not in tree.pids
    assert tree.incomplete and "set-user-ID" in tree.incomplete


def test_a_program_whose_records_come_from_several_processors_is_not_taken_for_one() -> None:
    for dummy in range(20):
        tree, dummy2 = record("sh", "-c", "for i in 1 2 3 4 5 6; do sh -c true & done; wait")
        assert tree.incomplete is None


class Recorded(perf_tasks._Ring):
    """A buffer with one content at each read."""

    def __init__(self, *contents: bytes) -> None:
        self.size = 1 << 20
        self._contents = list(contents)

    def read(self) -> bytes:
        return self._contents.pop(0) if self._contents else b""

    def close(self) -> None:
        """Nothing to do."""


def of(kind: int, pid: int, when: int) -> bytes:
    """A record of an execution (3), a mapping (1) or an end (4)."""
    tid = 0 if kind != 4 else pid
    return struct.pack("=IHH4IQ", kind, 1 << 13 if kind == 3 else 0, 32, pid, pid, tid, 0, when)


@pytest.mark.parametrize("first, second, told", [
    ([b"", of(3, 7, 1)], [of(4, 7, 2)], True),
    ([b"", of(1, 7, 2)], [of(3, 7, 1) + of(4, 7, 3)], False),
    ([of(3, 7, 1) + of(1, 7, 2)], [of(3, 7, 3) + of(4, 7, 4)], True),
    ([of(3, 7, 1) + of(1, 7, 2)], [of(4, 7, 3)], False),
], ids=["ended at once", "mapped, which was read later", "mapped the program before", "mapped and ended"])
def test_records_of_one_process_in_two_buffers(first: list[bytes], second: list[bytes], told: bool) -> None:
    tree = TaskTree(os.getpid())
    for ring in tree._rings:
        ring.close()
    tree._rings = [Recorded(*first), Recorded(*second)]
    tree.read()
    tree.close()
    assert bool(tree.incomplete) == told


def test_processors_that_come_or_go_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = TaskTree(os.getpid())
    monkeypatch.setattr(perf_tasks, "_online", lambda: "0-4095")
    tree.finish()
    tree.close()
    assert tree.incomplete == "the CPUs in use have changed"


def test_a_lost_record_is_told() -> None:
    tree = TaskTree(os.getpid())
    tree._take(struct.pack("=IHHQQQ", 2, 0, 32, 1, 1, 0))
    tree.close()
    assert tree.incomplete == perf_tasks._LOST


def test_waiting_does_not_go_on_when_all_have_ended() -> None:
    waiting = Waiting("true")
    tree = TaskTree(waiting.pid)
    waiting.run()
    time.sleep(0.05)
    tree.read()
    assert tree.waiting.poll(0) == []
    tree.close()


def test_nothing_stays_open() -> None:
    before = os.listdir("/proc/self/fd")
    record("true")
    assert os.listdir("/proc/self/fd") == before


def test_a_process_that_is_gone_is_esrch(in_child: Callable[..., Any]) -> None:
    gone = in_child(os.getpid)
    before = os.listdir("/proc/self/fd")
    assert errno_of(TaskTree, gone) == 3
    assert os.listdir("/proc/self/fd") == before


def test_a_kernel_without_perf_is_a_kernel_lack(absent: Callable[[str], None]) -> None:
    absent("perf_event_open")
    with pytest.raises(libc.KernelLacks, match="no perf_event_open"):
        TaskTree(os.getpid())


def test_lists_of_processors() -> None:
    assert perf_tasks._numbers("0-3,8,10-11") == [0, 1, 2, 3, 8, 10, 11]

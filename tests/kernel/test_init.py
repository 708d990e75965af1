# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Process 1 of a pid namespace: what it hands on in both directions, and what is left when it could not begin.

The program itself is tried as the code of both machines, one of them under QEMU; then as an Executor starts it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import signal
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import elf, executor, init_program
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.clone import CLONE_PARENT
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.executor import FIRST, Executor, Step, step
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.namespaces import (
    CLONE_NEWPID,
    CLONE_NEWUSER,
)
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.prctl import set_pdeathsig

SECONDS = 60.0  # for what takes a moment on an idle machine
RUNNERS: dict[str, list[str]] = {"x86_64": [], "aarch64": ["/usr/bin/qemu-aarch64-static"]}
EVERY_WAY = ["execute", *RUNNERS]


@pytest.fixture(autouse=True)
def alone() -> None:
    """Without children that other tests of this session have not waited for."""
    eventually(without_children)


def eventually(happens: Callable[[], bool]) -> None:
    limit = time.monotonic() + SECONDS
    while not happens():
        assert time.monotonic() < limit, "that did not happen"
        time.sleep(0.005)


def without_children() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


class Below(NamedTuple):
    """A command below process 1: the number of that, as we see it, and where the command's output can be read."""

    pid: int
    output: int

    def says(self, size: int = 65536) -> str:
        return os.read(self.output, size).decode()

    def says_all(self) -> str:
        chunks = []
        while chunk := os.read(self.output, 65536):
            chunks.append(chunk)
        return b"".join(chunks).decode()

    def status(self) -> int:
        """Its own, or 1000 and the signal that ended it; at the end of everybody."""
        ended: list[int] = []

        def waited() -> bool:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                ended.append(os.waitstatus_to_exitcode(status))
            return bool(pid)

        eventually(waited)
        return ended[0] if ended[0] >= 0 else 1000 - ended[0]

    def children(self) -> list[str]:
        """The states (proc_pid_stat(5)) of the children of process 1."""
        states = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                state, parent = Path("/proc", name, "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if int(parent) == self.pid:
                states.append(state)
        return states


Start = Callable[..., Below]


@pytest.fixture(params=EVERY_WAY)
def below(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Start]:
    """Start a shell's script as process 2: the bare program of each machine, and what execute() makes of it."""
    started: list[Below] = []
    program = tmp_path / "init"
    if request.param in RUNNERS:
        program.write_bytes(init_program.program(request.param))
        program.chmod(0o755)

    def start(script: str) -> Below:
        reader, writer = os.pipe()
        if request.param in RUNNERS:
            pid = bare([*RUNNERS[request.param], str(program)], script, writer)
        else:
            with made(writer) as found:
                pid = execute(found, ["/bin/bash", "-c", script])
        os.close(writer)
        started.append(Below(pid, reader))
        return started[-1]

    yield start
    for one in started:
        os.close(one.output)
        try:
            os.kill(one.pid, signal.SIGKILL)
            one.status()
        except (ProcessLookupError, ChildProcessError):
            continue


def bare(program: list[str], script: str, output: int) -> int:
    """As execute() does it, but without an executor, and so also for a program that QEMU has to run."""
    # Children of this process would be there for ever after: the libc's own call makes one.
    pid = ctypes.CDLL(None).syscall(executor.call_number("clone"), CLONE_NEWPID | signal.SIGCHLD, 0, 0, 0, 0)
    if pid:
        return int(pid)
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        set_pdeathsig(signal.SIGKILL)
        if os.fork():
            os.execv(program[0], program)
        signal.sigwait([signal.SIGCONT])
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.dup2(output, 1)
        os.execv("/bin/bash", ["bash", "-c", script])
    finally:
        os._exit(99)


@contextmanager
def made(output: int | None = None, image: int | None = None) -> Iterator[Executor]:
    """An executor that has the image of the program, or another file, as its descriptor FIRST."""
    null = os.open(os.devnull, os.O_RDWR)
    used = init_program.image_file() if image is None else image
    try:
        found = Executor((null, null if output is None else output, null), time.monotonic() + SECONDS, [used])
    finally:
        os.close(null)
        if image is None:
            os.close(used)
    try:
        yield found
    finally:
        # What it executed is the test's.
        found.close()


def execute(found: Executor, argv: list[str], fork: bool | Step = True, before: Sequence[Step] = (),
            outlives: bool = False) -> int:
    """A command as process 2; the number of process 1."""
    if fork is True:
        found.call("unshare", CLONE_NEWPID)
    words = [os.fsencode(word) for word in argv]
    pid = found.execute(words[0], words, [b"PATH=/usr/bin:/bin"], fork, [step("setsid"), *before], (), FIRST, outlives)
    assert pid == found.pid
    found.pid = 0
    return pid


# --- what it hands on -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [0, 3, 255])
def test_the_status_of_the_command_is_its_own(below: Start, status: int) -> None:
    assert below(f"exit {status}").status() == status


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_of_a_command_that_a_signal_ends_it_is_128_and_the_signal(below: Start, number: int) -> None:
    assert below(f"kill -{int(number)} $$").status() == 128 + number


def test_the_command_is_process_2_and_a_child_of_process_1(below: Start) -> None:
    one = below("echo $$ $PPID")
    assert one.says_all() == "2 1\n"
    assert one.status() == 0


def test_the_command_has_no_signals_blocked(below: Start) -> None:
    one = below("while read -r name value; do [ $name != SigBlk: ] || echo $value; done </proc/self/status")
    assert one.says_all() == "0" * 16 + "\n"
    assert one.status() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGCONT, signal.SIGRTMIN, signal.SIGRTMAX])
def test_a_signal_to_process_1_reaches_the_command(below: Start, number: int) -> None:
    one = below(f"trap 'echo got; exit 7' {int(number)}; echo ready; while :; do sleep 0.02; done")
    assert one.says(6) == "ready\n"
    os.kill(one.pid, number)
    assert one.says_all() == "got\n"
    assert one.status() == 7


def test_a_signal_that_the_command_sends_to_process_1_comes_back(below: Start) -> None:
    one = below("trap 'echo got; exit 0' USR2; kill -USR2 1; while :; do sleep 0.02; done")
    assert one.says_all() == "got\n"
    assert one.status() == 0


def test_a_signal_without_a_handler_ends_the_command(below: Start) -> None:
    # As process 1 itself it would not have noticed.
    one = below("echo ready; exec sleep 600")
    assert one.says(6) == "ready\n"
    os.kill(one.pid, signal.SIGTERM)
    assert one.status() == 128 + signal.SIGTERM


def test_being_stopped_and_continued_does_not_confuse_it(below: Start) -> None:
    one = below("echo ready; sleep 0.3; exit 4")
    assert one.says(6) == "ready\n"
    for dummy in range(5):
        os.kill(one.pid, signal.SIGSTOP)
        os.kill(one.pid, signal.SIGCONT)
    assert one.status() == 4


# --- whom it waits for, and whom it ends ----------------------------------------------------------------------------


def test_two_hundred_orphans_are_waited_for(below: Start) -> None:
    one = below("(sleep 600 &); for i in {1..200}; do (: &); done; echo done; exec sleep 600")
    assert one.says(5) == "done\n"
    # The command and the sleep, whose parent has ended.
    eventually(lambda: len(one.children()) == 2)
    assert "Z" not in one.children()


def test_orphans_do_not_end_it(below: Start) -> None:
    one = below("(exit 9 &); (exit 9 &); sleep 0.2; exit 5")
    assert one.status() == 5


def test_everybody_ends_when_the_command_does(below: Start) -> None:
    one = below("trap '' HUP TERM; setsid sleep 600 & exit 6")
    # The sleep has the other end of the pipe for as long as it lives.
    assert one.says_all() == ""
    assert one.status() == 6


def test_everybody_ends_when_it_is_killed(below: Start) -> None:
    one = below("trap '' HUP TERM; setsid sleep 600 & echo ready; wait")
    assert one.says(6) == "ready\n"
    os.kill(one.pid, signal.SIGKILL)
    assert one.says_all() == ""
    assert one.status() == 1000 + signal.SIGKILL


# --- how it is executed ---------------------------------------------------------------------------------------------


@pytest.fixture
def sleeping() -> Iterator[int]:
    """Process 1 of a command that sleeps."""
    with made() as found:
        pid = execute(found, ["/bin/sleep", "600"])
    yield pid
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: os.waitpid(pid, os.WNOHANG)[0] == pid)


def test_there_is_nothing_of_ours_in_it(sleeping: int) -> None:
    folder = Path("/proc", str(sleeping))
    assert (folder / "cmdline").read_bytes() == b"nsfleet-init\0"
    assert (folder / "environ").read_bytes() == b""
    assert sorted(os.listdir(folder / "fd")) == ["0", "1", "2"]
    assert os.getsid(sleeping) == sleeping


def test_the_command_has_its_streams_and_nothing_else() -> None:
    reader, writer = os.pipe()
    with made(writer) as found:
        one = Below(execute(found, ["/bin/ls", "/proc/self/fd"]), reader)
    os.close(writer)
    # ls has the folder itself open.
    assert one.says_all().split() == ["0", "1", "2", "3"]
    os.close(reader)
    assert one.status() == 0


def test_real_time_signals_that_end_a_command_are_told_too() -> None:
    # Not under QEMU, which has other numbers for them.
    with made() as found:
        one = Below(execute(found, ["/bin/bash", "-c", f"kill -{int(signal.SIGRTMAX)} $$"]), -1)
    assert one.status() == 128 + signal.SIGRTMAX


def test_the_fork_may_be_another_step() -> None:
    reader, writer = os.pipe()
    with made(writer) as found:
        fork = step("clone", CLONE_PARENT | CLONE_NEWPID | signal.SIGCHLD, 0, 0, 0, 0)
        one = Below(execute(found, ["/bin/sh", "-c", "echo $$ $PPID"], fork), reader)
    os.close(writer)
    assert one.says_all() == "2 1\n"
    os.close(reader)
    assert one.status() == 0


def test_the_fork_may_be_another_step_without_it() -> None:
    reader, writer = os.pipe()
    with made(writer) as found:
        fork = step("clone", CLONE_PARENT | CLONE_NEWPID | signal.SIGCHLD, 0, 0, 0, 0)
        one = Below(found.execute(b"/bin/sh", [b"sh", b"-c", b"echo $$ $PPID"], [], fork), reader)
        found.pid = 0
    os.close(writer)
    assert one.says_all() == "1 0\n"
    os.close(reader)
    assert one.status() == 0


def test_a_new_process_is_needed() -> None:
    with made() as found, pytest.raises(ValueError, match="new process"):
        found.execute(b"/bin/true", [b"true"], [], False, init=FIRST)


def test_it_works_in_a_user_namespace_of_its_own() -> None:
    with made() as found:
        found.call("unshare", CLONE_NEWUSER)
        one = Below(execute(found, ["/bin/sh", "-c", "exit 8"]), -1)
    assert one.status() == 8


def test_it_does_not_matter_who_ignores_the_end_of_children() -> None:
    with made() as found:
        ignore = bytes([1]) + bytes(31)  # SIG_IGN
        found.call("rt_sigaction", signal.SIGCHLD, ignore, None, 8)
        one = Below(execute(found, ["/bin/sh", "-c", "exit 8"]), -1)
    assert one.status() == 8


def test_where_memory_files_may_not_be_executed_a_file_without_a_name_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*dummy: object) -> int:
        raise PermissionError(errno.EACCES, "vm.memfd_noexec")

    monkeypatch.setattr(elf, "memfd_create", refuse)
    with made() as found:
        # There it is the file of somebody unknown.
        found.call("unshare", CLONE_NEWUSER)
        one = Below(execute(found, ["/bin/sh", "-c", "exit 8"]), -1)
    assert one.status() == 8


# --- what is left when it could not begin ---------------------------------------------------------------------------


def test_a_command_that_cannot_be_executed_is_an_error_and_leaves_nothing() -> None:
    for dummy in range(50):
        with made() as found, pytest.raises(FileNotFoundError, match="execve: "):
            execute(found, ["/nonexistent"])
        assert without_children()


def test_neither_does_a_command_whose_way_there_fails() -> None:
    for dummy in range(50):
        with made() as found, pytest.raises(NotADirectoryError, match="chdir: "):
            execute(found, ["/bin/true"], before=[step("chdir", b"/dev/null")])
        assert without_children()


def test_a_fork_that_fails_is_told() -> None:
    with made() as found, pytest.raises(OSError, match="clone: ") as caught:
        execute(found, ["/bin/true"], fork=step("clone", CLONE_NEWPID | CLONE_PARENT | 0x800, 0, 0, 0, 0))
    assert caught.value.errno == errno.EINVAL
    assert without_children()


def test_without_process_1_the_command_does_not_begin(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    file = tmp_path / "file"
    file.write_text("no program")
    no_program = os.open(file, os.O_RDONLY)
    try:
        for dummy in range(50):
            with made(image=no_program) as found, pytest.raises(PermissionError, match="execveat: "):
                execute(found, ["/bin/true"], before=[step("mkdirat", -100, os.fsencode(marker), 0o700)])
            assert without_children()
            assert not marker.exists()
    finally:
        os.close(no_program)


@pytest.mark.parametrize("child_first", [False, True])
@pytest.mark.parametrize("failing", ["process 1", "process 2"])
def test_either_may_answer_first(failing: str, child_first: bool, tmp_path: Path,
                                 monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_text("no program")
    image = os.open(file, os.O_RDONLY) if failing == "process 1" else init_program.image_file()
    original, replies = Executor._reply, []

    def in_that_order(self: Executor, message: bytes) -> bytes:
        if not replies:
            replies.extend(original(self, message) for dummy in range(2))
            # Behind the head is what the fork returned.
            replies.sort(key=lambda reply: bool(struct.unpack_from("=q", reply, 24)[0]) == child_first)
        return replies.pop(0)

    with made(image=image) as found:
        os.close(image)
        found.call("unshare", CLONE_NEWPID)
        monkeypatch.setattr(Executor, "_reply", in_that_order)
        call = "execveat" if failing == "process 1" else "execve"
        with pytest.raises(OSError, match=call + ": "):
            found.execute(b"/nonexistent", [b"x"], [], True, init=FIRST)
    assert not replies
    assert without_children()


def test_replies_that_could_get_mixed_up_are_not_asked_for() -> None:
    with made() as found, pytest.raises(OSError, match="execve: ") as caught:
        execute(found, ["/bin/true"], before=[step("umask", 0)] * 600)
    assert caught.value.errno == errno.E2BIG
    assert without_children()


def test_hundreds_leave_nothing() -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    for turn in range(300):
        with made() as found:
            one = Below(execute(found, ["/bin/sh", "-c", f"(: &); exit {turn % 7}"]), -1)
        assert one.status() == turn % 7
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert without_children()


# --- with us, or without --------------------------------------------------------------------------------------------


def abandoned(outlives: bool) -> tuple[int, int]:
    """Process 1 of a command whose starter is killed, and a pipe that the command holds."""
    held, hold = os.pipe()
    told, tell = os.pipe()
    starter = os.fork()
    if starter == 0:
        try:
            with made(hold) as found:
                os.write(tell, b"%d" % execute(found, ["/bin/sleep", "600"], outlives=outlives))
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(99)
    for descriptor in (hold, tell):
        os.close(descriptor)
    first = int(os.read(told, 20))
    os.close(told)
    assert os.waitstatus_to_exitcode(os.waitpid(starter, 0)[1]) == -signal.SIGKILL
    return first, held


def test_it_and_the_command_end_with_us() -> None:
    dummy, held = abandoned(outlives=False)
    assert os.read(held, 1) == b""
    os.close(held)


def test_where_it_is_to_outlive_us_it_does() -> None:
    first, held = abandoned(outlives=True)
    try:
        # Time for a signal that must not come.
        assert not select.select([held], [], [], 0.3)[0]
        os.kill(first, signal.SIGTERM)
        assert os.read(held, 1) == b""
    finally:
        os.close(held)


@pytest.mark.parametrize("fork", [False, True])
def test_without_it_a_command_may_outlive_us_too(fork: bool) -> None:
    with made() as found:
        pid = found.execute(b"/bin/sh", [b"sh", b"-c", b"exit 3"], [], fork, outlives=True)
        found.pid = 0
    assert Below(pid, -1).status() == 3

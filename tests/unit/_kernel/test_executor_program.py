# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that enters namespaces: its bytes are what GNU as makes of its source, and it does what it is told."""

from __future__ import annotations

import errno
import os
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import executor, executor_program
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.executor import Executor, step, strings
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.libc import KernelLacks

HERE = Path(__file__).parent
PREFIXES = {"x86_64": "x86_64-linux-gnu-", "aarch64": "aarch64-linux-gnu-"}
RUNNERS = {"x86_64": [], "aarch64": ["qemu-aarch64-static"]}


@pytest.mark.parametrize("machine", PREFIXES)
def test_the_bytes_are_those_of_the_assembler(machine: str, tmp_path: Path) -> None:
    code = tmp_path / "code"
    subprocess.run([PREFIXES[machine] + "as", HERE / f"executor_{machine}.s", "-o", tmp_path / "object"], check=True)
    subprocess.run(
        [PREFIXES[machine] + "objcopy", "-O", "binary", "-j", ".text", tmp_path / "object", code], check=True
    )
    # Behind the head and three program headers.
    assert executor_program.program(machine)[64 + 3 * 56:] == code.read_bytes()


@pytest.mark.parametrize("machine", PREFIXES)
def test_readelf_finds_nothing_that_can_be_written_and_executed(machine: str, tmp_path: Path) -> None:
    file = tmp_path / "program"
    file.write_bytes(executor_program.program(machine))
    told = subprocess.run(["readelf", "--wide", "--headers", file], check=True, capture_output=True, text=True)
    assert not told.stderr
    assert {"x86_64": "Advanced Micro Devices X86-64", "aarch64": "AArch64"}[machine] in told.stdout
    loads = [line.split() for line in told.stdout.split("\n") if line.split()[:1] in (["LOAD"], ["GNU_STACK"])]
    assert ["".join(load[6:-1]) for load in loads] == ["RE", "RW", "RW"]


def test_a_machine_without_a_program_is_told() -> None:
    with pytest.raises(KernelLacks, match="riscv64"):
        executor_program.program("riscv64")


@pytest.fixture(params=PREFIXES)
def driven(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Executor]:
    """The program of each machine, where need be under QEMU, with a socket to it."""
    file = tmp_path / "program"
    file.write_bytes(executor_program.program(request.param))
    file.chmod(0o700)
    # Numbers of that machine; everything else stays this machine's.
    own = os.uname()
    monkeypatch.setattr(os, "uname", lambda: os.uname_result((own[0], own[1], own[2], own[3], request.param)))
    ours, theirs = socket.socketpair()
    started = subprocess.Popen(
        [*RUNNERS[request.param], str(file)], stdin=subprocess.DEVNULL, env={},
        preexec_fn=lambda: os.dup2(theirs.fileno(), 3), close_fds=False,
    )
    theirs.close()
    found = Executor.__new__(Executor)
    found.until, found.pid, found._line = time.monotonic() + 20, started.pid, ours
    yield found
    found.close()
    started.poll()


def test_results_come_back_in_order(driven: Executor) -> None:
    assert driven.calls(step("umask", 0o27), step("umask", 0o22), step("umask", 0))[1:] == [0o27, 0o22]


def test_an_error_ends_the_list(driven: Executor, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    with pytest.raises(FileNotFoundError, match="^.Errno 2. openat: "):
        driven.calls(
            step("openat", -100, b"/nonexistent", 0, 0), step("mkdirat", -100, os.fsencode(marker), 0o700)
        )
    assert not marker.exists()


def test_an_error_that_may_be_is_told_and_the_list_goes_on(driven: Executor, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    assert driven.calls(
        step("openat", -100, b"/nonexistent", 0, 0, go_on=True), step("mkdirat", -100, os.fsencode(marker), 0o700)
    ) == [-errno.ENOENT, 0]
    assert marker.is_dir()


def test_it_has_room_for_the_largest_arguments(driven: Executor) -> None:
    with pytest.raises(OSError) as caught:
        driven.call("openat", -100, b"/" + b"x" * (3 << 20), 0, 0)
    assert caught.value.errno == errno.ENAMETOOLONG
    with pytest.raises(OSError) as caught:
        driven.call("openat", -100, b"/" + b"x" * (4 << 20), 0, 0)
    assert caught.value.errno == errno.E2BIG


def test_only_the_child_of_a_fork_leaves_out_a_step(driven: Executor, tmp_path: Path) -> None:
    def made(name: str) -> bytes:
        return os.fsencode(tmp_path / name)

    # As execute() forks, with folders in place of the execution.
    steps = [
        step("clone", 17, 0, 0, 0, 0)._replace(forks=True),
        step("mkdirat", -100, made("parent"), 0o700, go_on=True),
        step("mkdirat", -100, made("both"), 0o700, go_on=True),
    ]
    message = executor._message(steps)
    driven._send(message)
    replies = [driven._reply(message), driven._reply(message)]
    pids = sorted(struct.unpack_from("=q", reply, 24)[0] for reply in replies)
    assert pids[0] == 0 and pids[1] > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["both", "parent", "program"]
    by_pid = {struct.unpack_from("=q", reply, 24)[0]: struct.unpack_from("=q", reply, 24 + 64)[0] for reply in replies}
    # The child has not touched its second step: the number of the call is still in its place.
    assert by_pid[pids[1]] == 0 and by_pid[0] == executor.call_number("mkdirat")


def test_it_ends_with_its_socket(driven: Executor) -> None:
    driven._line.close()
    pid, status = os.waitpid(driven.pid, 0)
    assert os.WTERMSIG(status) == signal.SIGILL
    driven.pid = 0


def test_strings_are_laid_out_as_execve_wants_them(driven: Executor, tmp_path: Path) -> None:
    out = tmp_path / "out"
    reader, writer = os.pipe()
    file = driven.call("openat", -100, os.fsencode(out), os.O_WRONLY | os.O_CREAT, 0o600)
    driven.calls(step("dup3", file, 1, 0), step("fcntl", 3, 2, 1))
    os.close(reader)
    os.close(writer)
    message = executor._message(
        [step("execve", b"/bin/sh", strings([b"sh", b"-c", b'echo "$0 $A $#"; env', b"me", b"x"]), strings([b"A=b"]))]
    )
    driven._send(message)
    with pytest.raises(ConnectionError):
        driven._reply(message)
    assert os.waitpid(driven.pid, 0)[1] == 0
    driven.pid = 0
    lines = out.read_text().split("\n")
    assert lines[0] == "me b 1"
    assert "A=b" in lines[1:]

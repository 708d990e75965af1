# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that enters and executes: what it has, what others can get of it, and what is left of it."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import elf, executor, memfd
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.executor import FIRST, Executor, step
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.libc import KernelLacks
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.namespaces import CLONE_NEWNS, CLONE_NEWPID

SECONDS = 20.0


@pytest.fixture(autouse=True)
def alone() -> None:
    """Without children that other tests of this session have not waited for."""
    limit = time.monotonic() + SECONDS
    while time.monotonic() < limit:
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        time.sleep(0.001)


@contextmanager
def made(*descriptors: int) -> Iterator[tuple[Executor, int]]:
    """One, and where its output can be read."""
    null = os.open(os.devnull, os.O_RDONLY)
    reader, writer = os.pipe()
    found = Executor((null, writer, writer), time.monotonic() + SECONDS, descriptors)
    os.close(null)
    os.close(writer)
    try:
        yield found, reader
    finally:
        os.close(reader)
        found.close()


def said(reader: int) -> str:
    chunks = []
    while chunk := os.read(reader, 65536):
        chunks.append(chunk)
    return b"".join(chunks).decode()


def in_own_pids(found: Executor) -> None:
    found.calls(step("unshare", CLONE_NEWPID | CLONE_NEWNS))


@pytest.mark.parametrize("fork", [False, True])
def test_a_command_is_executed_as_a_child_of_ours(fork: bool) -> None:
    with made() as (found, reader):
        if fork:
            in_own_pids(found)
        pid = found.execute(b"/bin/sh", [b"sh", b"-c", b"echo $$ $PPID $A; exit 3"], [b"A=b"], fork)
        told = said(reader).split()
        assert told == (["1", "0", "b"] if fork else [str(pid), str(os.getpid()), "b"])
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
        found.pid = 0


@pytest.mark.parametrize("fork", [False, True])
def test_what_cannot_be_executed_is_an_error_and_leaves_nothing(fork: bool) -> None:
    with made() as (found, dummy):
        if fork:
            in_own_pids(found)
        with pytest.raises(FileNotFoundError, match="execve"):
            found.execute(b"/nonexistent", [b"x"], [], fork)
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)


def test_it_has_its_streams_and_nothing_else(tmp_path: Path) -> None:
    with open(tmp_path / "secret", "w") as secret:
        os.set_inheritable(secret.fileno(), True)
        with made() as (found, reader):
            pid = found.execute(b"/bin/ls", [b"ls", b"-l", b"/proc/self/fd"], [], False)
            lines = said(reader).split("\n")
            os.waitpid(pid, 0)
            found.pid = 0
    assert "secret" not in "".join(lines)
    # ls has the folder itself open.
    assert [line.split()[8] for line in lines if "->" in line] == ["0", "1", "2", "3"]


def test_its_environment_and_memory_hold_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", "ca-na-ry-4711")
    canary = b"ca-na-ry-4711"
    with made() as (found, dummy):
        found.call("prctl", 4, 1, 0, 0, 0)
        maps = Path(f"/proc/{found.pid}/maps").read_text()
        assert Path(f"/proc/{found.pid}/environ").read_bytes() == b""
        with open(f"/proc/{found.pid}/mem", "rb") as memory:
            for line in maps.split("\n"):
                if not line or "[v" in line:
                    continue
                first, last = (int(part, 16) for part in line.split()[0].split("-"))
                memory.seek(first)
                assert canary not in memory.read(last - first)
    assert "python" not in maps


@pytest.mark.parametrize("interpreters", [1, 2])
def test_it_cannot_be_executed_by_what_it_executes(interpreters: int, tmp_path: Path) -> None:
    # CVE-2019-5736, also as the interpreter of the interpreter.
    program = tmp_path / "evil"
    program.write_text("#!/proc/self/exe\n")
    program.chmod(0o755)
    if interpreters == 2:
        inner, program = program, tmp_path / "outer"
        program.write_text(f"#!{inner}\n")
        program.chmod(0o755)
    with made() as (found, dummy), pytest.raises(PermissionError) as caught:
        found.execute(os.fsencode(program), [b"evil"], [], False)
    assert caught.value.errno == errno.EACCES
    # The control: so the host's Python is executed by whoever executes it from Python.
    code = f"import os; os.execv({str(program)!r}, ['x'])"
    naive = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False,
                           input=b"print('python was executed')")
    assert naive.returncode == 0 or b"Python" in naive.stderr or b"SyntaxError" in naive.stderr


def test_nobody_can_write_to_its_file_or_make_it_executable() -> None:
    with made() as (found, dummy):
        found.call("prctl", 4, 1, 0, 0, 0)
        exe = f"/proc/{found.pid}/exe"
        with pytest.raises(PermissionError):
            os.chmod(exe, 0o700)
        with pytest.raises(OSError) as caught:
            os.close(os.open(exe, os.O_WRONLY))
        assert caught.value.errno in (errno.ETXTBSY, errno.EPERM, errno.EACCES)
        assert os.stat(exe).st_mode & 0o777 == 0


def test_it_is_not_dumpable() -> None:
    with made() as (found, dummy):
        assert os.stat(f"/proc/{found.pid}/fd").st_uid == 0
        assert found.call("prctl", 3, 0, 0, 0, 0) == 0


def test_descriptors_are_given_in_order_and_closed_when_told(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_PATH)
    try:
        with made(folder, folder) as (found, dummy):
            assert sorted(map(int, os.listdir(f"/proc/{found.pid}/fd"))) == [0, 1, 2, 3, FIRST, FIRST + 1]
            found.call("mkdirat", FIRST + 1, b"made", 0o700)
            found.close_descriptors()
            assert sorted(map(int, os.listdir(f"/proc/{found.pid}/fd"))) == [0, 1, 2, 3]
    finally:
        os.close(folder)
    assert (tmp_path / "made").is_dir()


def test_it_works_when_we_have_no_standard_streams() -> None:
    # A daemon's child may begin with 0, 1 and 2 closed: then pipes and sockets get these numbers.
    code = (
        "import os, time\n"
        "for fd in range(3): os.close(fd)\n"
        "from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.executor import Executor\n"
        "null = os.open('/dev/null', os.O_RDWR); r, w = os.pipe()\n"
        "found = Executor((null, w, w), time.monotonic() + 20)\n"
        "pid = found.execute(b'/bin/echo', [b'echo', b'hello'], [], False)\n"
        "os.waitpid(pid, 0)\n"
        "os._exit(0 if os.read(r, 9) == b'hello\\n' else 1)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=SECONDS, check=False).returncode == 0


def lacking(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def refuse(*dummy: object, **dummy2: object) -> int:
        raise KernelLacks(name)

    monkeypatch.setattr(executor, name, refuse)


def test_without_the_seal_it_has_no_mode_either(monkeypatch: pytest.MonkeyPatch) -> None:
    original = memfd.seal
    lacking(monkeypatch, "seal")
    monkeypatch.setattr(executor, "seal", lambda fd, seals: original(fd, seals) if not seals & 0x20 else lacking_seal())
    with made() as (found, reader):
        assert os.stat(f"/proc/{found.pid}/exe").st_mode & 0o777 == 0
        pid = found.execute(b"/bin/echo", [b"echo", b"x"], [], False)
        assert said(reader) == "x\n"
        os.waitpid(pid, 0)
        found.pid = 0


def lacking_seal() -> None:
    raise KernelLacks("file seals 0x20", "6.3")


def test_where_memory_files_may_not_be_executed_a_file_without_a_name_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*dummy: object) -> int:
        raise PermissionError(errno.EACCES, "vm.memfd_noexec")

    monkeypatch.setattr(elf, "memfd_create", refuse)
    with made() as (found, reader):
        exe = os.readlink(f"/proc/{found.pid}/exe")
        assert exe.endswith("(deleted)") and "memfd" not in exe
        assert os.stat(f"/proc/{found.pid}/exe").st_mode & 0o777 == 0
        pid = found.execute(b"/bin/echo", [b"echo", b"x"], [], False)
        assert said(reader) == "x\n"
        os.waitpid(pid, 0)
        found.pid = 0


def test_without_close_range_descriptors_are_closed_one_by_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:
    original = Executor.calls

    def calls(self: Executor, *steps: executor.Step) -> list[int]:
        if steps[0].call == "close_range":
            raise KernelLacks("close_range", "5.9")
        return original(self, *steps)

    monkeypatch.setattr(Executor, "calls", calls)
    folder = os.open(tmp_path, os.O_PATH)
    with open(tmp_path / "secret", "w") as secret:
        os.set_inheritable(secret.fileno(), True)
        with made(folder) as (found, dummy):
            assert sorted(map(int, os.listdir(f"/proc/{found.pid}/fd"))) == [0, 1, 2, 3, FIRST]
            found.close_descriptors()
            assert sorted(map(int, os.listdir(f"/proc/{found.pid}/fd"))) == [0, 1, 2, 3]
    os.close(folder)


def test_who_gives_no_answer_is_not_waited_for_without_end() -> None:
    with made() as (found, dummy):
        os.kill(found.pid, signal.SIGSTOP)
        found.until = time.monotonic() + 0.3
        with pytest.raises(TimeoutError):
            found.call("umask", 0)


def test_one_that_was_killed_is_told() -> None:
    with made() as (found, dummy):
        os.kill(found.pid, signal.SIGKILL)
        with pytest.raises(ConnectionError):
            for dummy2 in range(3):
                found.call("umask", 0)


def test_the_command_ends_with_us() -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_RDWR)
        found = Executor((null, writer, null), time.monotonic() + SECONDS)
        found.execute(b"/bin/sleep", [b"sleep", b"60"], [], False)
        os.kill(os.getpid(), signal.SIGKILL)
    os.close(writer)
    os.waitpid(child, 0)
    # The sleep holds the other end for as long as it lives.
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_hundreds_leave_nothing() -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    for dummy in range(300):
        with made() as (found, reader):
            pid = found.execute(b"/bin/true", [b"true"], [], False)
            os.waitpid(pid, 0)
            found.pid = 0
    assert sorted(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_it_starts_again_in_a_cgroup_as_another_child_of_ours(host_root: bool) -> None:
    parent = next((folder for folder in (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
                   if (folder / "cgroup.controllers").exists()), None)
    if parent is None or not host_root:
        pytest.skip("needs root of the initial user namespace and a mounted cgroup version 2")
    own = next(line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
    folder = parent / own.strip("/") / ("test-%d" % os.getpid())
    folder.mkdir()
    try:
        with made() as (found, reader):
            first = found.pid
            assert found.start_again_in(str(folder))
            assert found.pid != first and not os.path.exists("/proc/%d" % first)
            assert (folder / "cgroup.procs").read_text().split() == [str(found.pid)]
            assert sorted(os.listdir("/proc/%d/fd" % found.pid)) == ["0", "1", "2", "3"]
            pid = found.execute(b"/bin/cat", [b"cat", b"/proc/self/cgroup"], [], False)
            assert "0::%s/%s" % (own.rstrip("/"), folder.name) in said(reader).splitlines()
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
            found.pid = 0
    finally:
        folder.rmdir()


def test_where_it_cannot_start_again_it_goes_on(tmp_path: Path) -> None:
    with made() as (found, reader):
        first = found.pid
        assert not found.start_again_in(str(tmp_path))  # no cgroup
        assert not found.start_again_in(str(tmp_path / "missing"))
        assert found.pid == first
        found.execute(b"/bin/echo", [b"echo", b"here"], [], False)
        assert said(reader) == "here\n"

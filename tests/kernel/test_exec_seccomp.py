# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""read_only's filter and Landlock on the real kernel: each hole is tried with and without them."""

from __future__ import annotations

import ctypes
import errno
import faulthandler
import fcntl
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import time
from typing import Any, Callable

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._enter import read_only_filter, read_only_parts
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import (
    landlock,
    libc,
    namespaces,
    prctl,
    privileges,
    seccomp,
)
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.executor import Executor
from ansible_collections.nsfleet.linux.tests.kernel.running_kernel import since

C = ctypes.CDLL(None, use_errno=True)
# Of this machine, x86_64 and aarch64.
CALLS = {
    name: pair[os.uname().machine == "aarch64"]
    for name, pair in {
        "ioprio_set": (251, 30), "keyctl": (250, 219), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
        "bpf": (321, 280), "clone3": (435, 435), "add_key": (248, 217), "mq_open": (240, 180), "mq_unlink": (241, 181),
        "process_vm_writev": (311, 271), "pidfd_getfd": (438, 438), "prlimit64": (302, 261), "clone": (56, 220),
    }.items()
}  # fmt: skip
IN_OWN = namespaces.CLONE_NEWUSER | namespaces.CLONE_NEWIPC | namespaces.CLONE_NEWNS | namespaces.CLONE_NEWUTS
PTRACE_SEIZE = 0x4206


def call(name: str, *arguments: Any) -> int:
    """errno of a system call, 0 if it succeeds."""
    if hasattr(C, name) and name not in CALLS:
        result = C[name](*[ctypes.c_long(each) if isinstance(each, int) else each for each in arguments])
    else:
        words = [ctypes.c_long(each) if isinstance(each, int) else each for each in (CALLS[name], *arguments)]
        C.syscall.restype = ctypes.c_long
        result = C.syscall(*words)
    return ctypes.get_errno() if result == -1 else 0


def attempt(function: Callable[[], Any]) -> int:
    try:
        function()
    except OSError as error:
        return error.errno or -1
    return 0


def fork_with(flags: int) -> int:
    C.syscall.restype = ctypes.c_long
    pid = C.syscall(
        ctypes.c_long(CALLS["clone"]), *[ctypes.c_long(each) for each in (flags | signal.SIGCHLD, 0, 0, 0, 0)]
    )
    if pid == 0:
        os._exit(0)
    if pid < 0:
        return ctypes.get_errno()
    os.waitpid(pid, 0)
    return 0


def datagram_by_pair() -> int:
    """A message to somebody's socket, sent from a pair that was never connected to it."""
    path = "\0" + os.environ["NSFLEET_FILE"]

    def send() -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with ours, theirs:
            ours.sendto(b"do", path)

    return attempt(send)


def other_s_limit() -> int:
    return call("prlimit64", other(), resource.RLIMIT_NOFILE, struct.pack("=QQ", 64, 64), None)


def other() -> int:
    return int(os.environ["NSFLEET_OTHER"])


def signal_by_owner() -> int:
    """F_SETOWN and F_SETSIG: a byte that arrives kills the other process."""
    ours, theirs = socket.socketpair()
    steps = [
        lambda: fcntl.fcntl(ours, fcntl.F_SETOWN, other()),
        lambda: fcntl.fcntl(ours, 10, signal.SIGURG),
        lambda: fcntl.fcntl(ours, fcntl.F_SETFL, os.O_ASYNC),
        lambda: theirs.send(b"x"),
    ]
    for each in steps:
        code = attempt(each)
        if code:
            return code
    return 0


def lease() -> int:
    with open(os.environ["NSFLEET_FILE"], "rb") as own:
        return attempt(lambda: fcntl.fcntl(own, fcntl.F_SETLEASE, fcntl.F_RDLCK))


HOLES: dict[str, tuple[Callable[[], int], int]] = {
    "socket of the Unix family": (lambda: attempt(lambda: socket.socket(socket.AF_UNIX).close()), errno.EACCES),
    "datagram by a pair": (datagram_by_pair, errno.EACCES),
    "netlink to other processes": (
        lambda: attempt(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 2).close()), errno.EPROTONOSUPPORT),
    "signal by F_SETOWN": (signal_by_owner, errno.EPERM),
    "lease": (lease, errno.EPERM),
    "ptrace": (lambda: call("ptrace", PTRACE_SEIZE, other(), 0, 0), errno.EPERM),
    "priority of another": (lambda: call("setpriority", 0, other(), 5), errno.EPERM),
    "priority of the group": (lambda: call("setpriority", 1, 0, 5), errno.EPERM),
    "I/O priority of another": (lambda: call("ioprio_set", 1, other(), 2 << 13 | 7), errno.EPERM),
    "processors of another": (lambda: attempt(lambda: os.sched_setaffinity(other(), os.sched_getaffinity(0))),
                              errno.EPERM),
    "scheduling of another": (lambda: attempt(lambda: os.sched_setscheduler(
        other(), os.SCHED_BATCH, os.sched_param(0))), errno.EPERM),
    "limits of another": (other_s_limit, errno.EPERM),
    "io_uring": (lambda: call("io_uring_setup", 4, ctypes.create_string_buffer(120)), errno.ENOSYS),
    "session keyring": (lambda: call("keyctl", 1, None), errno.EPERM),
    "key": (lambda: call("add_key", b"user", b"nsfleet", b"x", 1, -2), errno.EPERM),
    "new network namespace": (lambda: call("unshare", namespaces.CLONE_NEWNET), errno.EPERM),
    "new user namespace by clone": (lambda: fork_with(namespaces.CLONE_NEWUSER), errno.EPERM),
    "joining a namespace": (
        lambda: attempt(lambda: namespaces.setns(os.open("/proc/self/ns/uts", os.O_RDONLY), 0)), errno.EPERM),
    "mount": (lambda: call("mount", b"none", b"/tmp", b"tmpfs", 0, None), errno.EPERM),
    "shared memory": (lambda: call("shmget", 4711, 4096, 0o1600), errno.EPERM),
    "private shared memory": (lambda: call("shmget", 0, 4096, 0o600), errno.EPERM),
    "semaphores": (lambda: call("semget", 4711, 1, 0o1600), errno.EPERM),
    "message queue": (lambda: call("msgget", 4711, 0o1600), errno.EPERM),
    "POSIX message queue": (lambda: call("mq_open", b"nsfleet", os.O_CREAT | os.O_RDONLY, 0o600, None), errno.EPERM),
}  # fmt: skip


def tried(name: str, in_child: Callable[..., Any], tmp_path: Any, filtered: bool) -> int:
    """errno of a hole, with a process of the same user beside."""
    (tmp_path / "file").write_text("x")
    tmp_path.chmod(0o755)
    waiting = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    waiting.bind("\0%s/file" % tmp_path)

    def look() -> int:
        os.setpgid(0, 0)
        reading, writing = os.pipe()
        beside = os.fork()
        if beside == 0:
            signal.signal(signal.SIGURG, signal.SIG_IGN)
            prctl.set_pdeathsig(signal.SIGKILL)
            os.write(writing, b"x")
            time.sleep(20)
            os._exit(0)
        os.read(reading, 1)
        os.environ.update(NSFLEET_OTHER=str(beside), NSFLEET_FILE=str(tmp_path / "file"))
        privileges.set_no_new_privs()
        if filtered:
            seccomp.install(read_only_filter.program())
        return HOLES[name][0]()

    with waiting:
        return int(in_child(look, IN_OWN))


@pytest.mark.parametrize("name", HOLES)
def test_a_hole_is_closed(name: str, in_child: Callable[..., Any], tmp_path: Any) -> None:
    assert tried(name, in_child, tmp_path, filtered=True) == HOLES[name][1]


@pytest.mark.parametrize("name", HOLES)
def test_the_hole_is_there_without_the_filter(name: str, in_child: Callable[..., Any], tmp_path: Any) -> None:
    assert tried(name, in_child, tmp_path, filtered=False) == 0


@pytest.mark.parametrize(
    "command",
    [
        ["sh", "-c", "echo x | cat >/dev/null; kill -0 $$; ls -l /proc/self/fd; ulimit -c 0; ulimit -n 100; nice true"],
        ["ss", "-ntlpu"], ["ip", "address"], ["ip", "-s", "link"], ["ip", "route"],
        ["ps", "aux"], ["df", "/"], ["ipcs"],
        ["findmnt"], ["nft", "--version"], ["cat", "/etc/passwd"],
        [sys.executable, "-c", "import subprocess, threading, socket, tempfile; subprocess.run(['true'], check=True)\n"
         "t = threading.Thread(target=print); t.start(); t.join(); socket.create_server(('127.0.0.1', 0))"],
    ],
    ids=lambda command: command[0].rpartition("/")[2],
)  # fmt: skip
def test_what_only_looks_works(command: list, in_child: Callable[..., Any]) -> None:
    def look() -> tuple:
        privileges.set_no_new_privs()
        seccomp.install(read_only_filter.program())
        done = subprocess.run(command, capture_output=True, timeout=15, check=False)
        return done.returncode, done.stderr

    assert in_child(look) == (0, b"")


def test_a_crash_leaves_no_core_and_asks_no_program(in_child: Callable[..., Any]) -> None:
    def look() -> tuple:
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
        privileges.set_no_new_privs()
        seccomp.install(read_only_filter.program())
        done = subprocess.run(["sh", "-c", "ulimit -c 0; ulimit -c; kill -SEGV $$"], capture_output=True, timeout=15,
                              check=False)
        pid = os.fork()
        if pid == 0:
            faulthandler.disable()
            os.kill(os.getpid(), signal.SIGSEGV)
        return done.returncode, resource.getrlimit(resource.RLIMIT_CORE), os.WCOREDUMP(os.waitpid(pid, 0)[1])

    assert in_child(look) == (-signal.SIGSEGV, (1, 1), False)


# A 64-bit program has such a door on x86 alone: elsewhere calls of 32 bits take a program of 32 bits.
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="int 0x80 is an instruction of x86")
def test_a_call_of_32_bits_ends_the_process(in_child: Callable[..., Any]) -> None:
    def look() -> int:
        pid = os.fork()
        if pid == 0:
            privileges.set_no_new_privs()
            seccomp.install(read_only_filter.program())
            import mmap

            page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
            page.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")  # mov eax, 20 (getpid); int 0x80; ret
            ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
            os._exit(0)
        return os.WTERMSIG(os.waitpid(pid, 0)[1])

    assert in_child(look) == signal.SIGSYS


# --- Landlock -----------------------------------------------------------------------------------------------------


def under_landlock(script: str, scratch: Any, confined: bool = True) -> tuple:
    """Status and output of a shell script, whose only scratch folder is the given one."""
    out, writing = os.pipe()
    null = os.open(os.devnull, os.O_RDONLY)
    executor = Executor((null, writing, writing), time.monotonic() + 10)
    try:
        executor.call("prctl", 38, 1, 0, 0, 0)
        if confined:
            executor.calls(*read_only_parts.restrict_files(executor, [str(scratch)]))
        pid = executor.execute(b"/bin/sh", [b"sh", b"-c", script.encode()], [b"PATH=/usr/bin:/bin"], False)
        os.close(writing)
        with os.fdopen(out, "rb") as output:
            said = output.read()
        return os.waitpid(pid, 0)[1], said.decode()
    finally:
        os.close(null)


READS_AND_WRITES = [
    "echo x >/dev/stdout", "echo x | tee /dev/stderr >/dev/null; true", "echo x >/proc/self/fd/1",
    "cat </dev/null; echo x",
    "echo x | cat", "echo y >/dev/null; echo x", "head -c 1 /dev/zero >/dev/null; echo x",
    "echo x >{scratch}/new; cat {scratch}/new; rm {scratch}/new",
    "mkfifo {scratch}/f; cat {scratch}/f & echo x >{scratch}/f; wait",
    "cat /etc/passwd >/dev/null && echo x", "kill -0 $$ && echo x",
]  # fmt: skip


@pytest.mark.parametrize("script", READS_AND_WRITES)
@since(5, 13)
def test_what_a_reader_needs_works_under_landlock(script: str, tmp_path: Any) -> None:
    landlock.handled_files(landlock.abi())  # KernelLacks
    assert under_landlock(script.format(scratch=tmp_path), tmp_path) == (0, "x\n")


def fifo_with_reader(path: str) -> int:
    os.mkfifo(path)
    return os.open(path, os.O_RDWR | os.O_NONBLOCK)


@pytest.mark.parametrize("confined", [True, False], ids=["under Landlock", "control"])
@since(5, 13)
def test_a_fifo_that_is_not_its_own_cannot_be_written(confined: bool, tmp_path: Any) -> None:
    landlock.handled_files(landlock.abi())
    (tmp_path / "scratch").mkdir()
    fifo = fifo_with_reader(str(tmp_path / "fifo"))
    under_landlock("echo x >%s/fifo" % tmp_path, tmp_path / "scratch", confined)
    try:
        assert os.read(fifo, 9) == b"x\n" and not confined
    except BlockingIOError:
        assert confined
    finally:
        os.close(fifo)


@pytest.mark.parametrize("confined", [True, False], ids=["under Landlock", "control"])
@since(6, 12)
def test_processes_outside_cannot_be_signalled(confined: bool, tmp_path: Any) -> None:
    if landlock.abi() < 6:
        raise libc.KernelLacks("Landlock's scopes", "6.12")
    beside = subprocess.Popen(["sleep", "60"])
    try:
        under_landlock("kill %d" % beside.pid, tmp_path, confined)
        if confined:
            assert beside.poll() is None
        else:
            assert beside.wait(10) == -signal.SIGTERM
    finally:
        beside.kill()
        beside.wait()


@pytest.mark.parametrize("confined", [True, False], ids=["under Landlock", "control"])
@since(5, 13)
def test_files_cannot_be_reached_through_another_process(confined: bool, tmp_path: Any) -> None:
    landlock.handled_files(landlock.abi())
    beside = subprocess.Popen(["sleep", "60"])
    try:
        status = under_landlock("ls /proc/%d/root/ >/dev/null 2>&1" % beside.pid, tmp_path, confined)[0]
        assert (status == 0) is not confined
    finally:
        beside.kill()
        beside.wait()


@since(5, 13)
def test_a_device_in_the_place_of_a_harmless_one_gets_no_right(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    landlock.handled_files(landlock.abi())
    os.mkfifo(tmp_path / "null")
    monkeypatch.setattr(read_only_parts, "DEVICES", {str(tmp_path / "null"): (1, 3)})
    (tmp_path / "scratch").mkdir()
    fifo = os.open(tmp_path / "null", os.O_RDWR | os.O_NONBLOCK)
    under_landlock("echo x >%s/null" % tmp_path, tmp_path / "scratch")
    with pytest.raises(BlockingIOError):
        os.read(fifo, 9)
    os.close(fifo)


@since(5, 13)
def test_another_device_in_the_place_of_a_harmless_one_gets_no_right(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    landlock.handled_files(landlock.abi())
    monkeypatch.setattr(read_only_parts, "DEVICES", {"/dev/null": (1, 5), "/dev/zero": (1, 5)})
    script = "echo x 2>&1 >/dev/null && echo null; echo x >/dev/zero && echo zero"
    assert under_landlock("(%s) 2>&1 | grep -v annot" % script, tmp_path)[1] == "zero\n"


def test_missing_parts_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "abi", lambda: 5)
    monkeypatch.setattr(seccomp, "has_filters", lambda: False)
    assert [reason.partition(" (")[0] for reason in read_only_parts.missing()] == [
        "read_only without Landlock's scope of signals", "read_only without seccomp filters",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "version, size, highest", [(1, 8, 12), (2, 8, 13), (3, 8, 14), (4, 16, 14), (5, 16, 15), (6, 24, 15), (99, 24, 15)]
)
def test_each_abi_gets_what_it_knows(version: int, size: int, highest: int) -> None:
    assert len(landlock.ruleset(version)) == size
    assert landlock.handled_files(version).bit_length() == highest + 1


def test_without_landlock_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "abi", lambda: 0)
    not_asked: Any = None
    assert read_only_parts.restrict_files(not_asked, ["/tmp"]) == []


def test_the_kernel_says_no_such_call_as_abi_0(absent: Callable[[str], None]) -> None:
    absent("landlock_create_ruleset")
    assert landlock.abi() == 0


def test_the_kernel_without_seccomp_has_no_filters(absent: Callable[[str], None]) -> None:
    absent("seccomp")
    assert not seccomp.has_filters()

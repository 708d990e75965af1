# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would make a reader wait, read or grow for ever costs its own result only."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from typing import Any, Callable

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._discover.scan import Scan
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import mounts, namespaces, nsfs, prctl
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.proc import Proc
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.reader import FileReader
from ansible_collections.nsfleet.linux.tests.kernel import fuse
from ansible_collections.nsfleet.linux.tests.kernel.holders import (
    bind,
    details,
    fork,
    kinds,
    look,
    name_of,
    new_namespace,
    own,
    private_mounts,
    socket_of_new_network,
)
from ansible_collections.nsfleet.linux.tests.kernel.running_kernel import errno_of

PR_SET_NAME = 15


def errno_and_time(path: str, **options: Any) -> tuple[int, float]:
    """How reading a file fails, and after how many seconds."""
    started = time.monotonic()
    with FileReader(timeout=5.0) as files:
        return errno_of(files.read, path, **options), time.monotonic() - started


def reasons(scan: Scan, what: str) -> set[str]:
    """Why something of that kind was not seen."""
    return {problem["reason"] for problem in scan.problems.as_list() if problem["what"] == what}


# --- files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", ["fifo", "socket", "folder", "zero", "link to zero"])
def test_what_is_no_regular_file_is_not_read(make: str, tmp_path: Any) -> None:
    path = str(tmp_path / "state")
    if make == "fifo":
        os.mkfifo(path)
    elif make == "socket":
        socket.socket(socket.AF_UNIX).bind(path)
    elif make == "folder":
        os.mkdir(path)
    elif make == "link to zero":
        os.symlink("/dev/zero", path)
    else:
        path = "/dev/zero"
    number, seconds = errno_and_time(path)
    assert number == errno.EINVAL
    assert seconds < 5


def test_a_device_mounted_over_a_state_file_is_not_opened(in_child: Callable[..., Any]) -> None:
    def endless() -> tuple[int, float]:
        path = private_mounts() + "/state"
        bind("/dev/zero", path)
        return errno_and_time(path)

    number, seconds = in_child(endless, namespaces.CLONE_NEWNS)
    assert number == errno.EINVAL
    assert seconds < 5


def test_a_huge_file_is_given_up_at_the_limit(tmp_path: Any) -> None:
    with open(tmp_path / "state", "wb") as stream:
        stream.truncate(1 << 40)
    number, seconds = errno_and_time(str(tmp_path / "state"), limit=1 << 20)
    assert number == errno.EFBIG
    assert seconds < 5


def test_a_loop_of_links_ends(tmp_path: Any) -> None:
    os.symlink("b", tmp_path / "a")
    os.symlink("a", tmp_path / "b")
    number, seconds = errno_and_time(str(tmp_path / "a"))
    assert number == errno.ELOOP
    assert seconds < 5


def test_a_process_with_many_descriptors_can_read(in_child: Callable[..., Any], tmp_path: Any) -> None:
    (tmp_path / "state").write_bytes(b"{}")

    def read() -> Any:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        for dummy in range(min(hard - 100, 1100)):
            os.open("/dev/null", os.O_RDONLY)
        with FileReader() as files:
            return files.read(str(tmp_path / "state"))

    assert in_child(read) == b"{}"


def stuck_folder() -> str:
    """A mounted folder in whose files nobody can look any more."""
    folder = private_mounts() + "/stuck"
    os.mkdir(folder)
    stop = fuse.mount(folder)
    os.stat(folder + "/state")
    stop()
    return folder


def test_a_stuck_file_system_costs_its_own_files_only(held: Callable[..., Any], in_child: Callable[..., Any]) -> None:
    if not fuse.may_mount():
        return
    server = held(stuck_folder, namespaces.CLONE_NEWNS)

    def read() -> tuple[list[Any], list[float]]:
        join_mounts(server.pid)
        answers: list[Any] = []
        times = []
        with FileReader(timeout=1.6) as files:
            for path in (server.said + "/state", "/proc/version", server.said + "/other"):
                started = time.monotonic()
                try:
                    answers.append(files.read(path))
                except OSError as error:
                    answers.append(type(error))
                times.append(time.monotonic() - started)
        return answers, times

    answers, times = in_child(read)
    assert answers[0] is answers[2] is TimeoutError
    assert answers[1].startswith(b"Linux version")
    assert 1.5 < times[0] < 5
    # Many files on one dead file system must not use up the time of all others.
    assert 0.7 < times[2] < times[0] - 0.5


def join_mounts(pid: int) -> None:
    fd = os.open("/proc/%d/ns/mnt" % pid, os.O_RDONLY)
    namespaces.setns(fd)
    os.close(fd)


def test_who_waits_for_our_output_does_not_wait_for_a_child_that_cannot_be_killed(held: Callable[..., Any]) -> None:
    """Ansible reads a module's output to its end."""
    if not fuse.may_mount():
        return
    server = held(stuck_folder, namespaces.CLONE_NEWNS)
    script = """
import sys
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.reader import FileReader
from ansible_collections.nsfleet.linux.tests.kernel.test_stuck import join_mounts
join_mounts(int(sys.argv[1]))
files = FileReader(timeout=0.3)
try:
    files.read(sys.argv[2] + "/state")
except TimeoutError:
    print("timed out")
files.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(server.pid), server.said],
        stdout=subprocess.PIPE, encoding="utf-8", timeout=30, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout == "timed out\n"
    # Its child is still there.
    assert any(process.state == "D" for process in look(["processes"]).processes.values())


# --- scans --------------------------------------------------------------------------------------------------


def covered() -> tuple[str, str]:
    """A network namespace is mounted on a file, and a stuck file system over it."""
    target = private_mounts() + "/netns"
    name = mounted_netns(target)
    fuse.mount(target)()
    return name, target


def below() -> tuple[str, str]:
    """A network namespace is mounted on a file of a stuck file system."""
    folder = private_mounts() + "/stuck"
    os.mkdir(folder)
    stop = fuse.mount(folder)
    name = mounted_netns(folder + "/netns")
    stop()
    return name, folder + "/netns"


def never_answered() -> tuple[str, str]:
    """A network namespace is mounted on a file, and over it a file system whose server says nothing at all."""
    target = private_mounts() + "/netns"
    name = mounted_netns(target)
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    mounts.mount("nsfleet-test", target, "fuse", 0, "fd=%d,rootmode=100000,user_id=0,group_id=0" % device)
    return name, target


def mounted_netns(target: str) -> str:
    fd = new_namespace()
    if not os.path.exists(target):
        os.close(os.open(target, os.O_CREAT))
    bind(fd, target)
    name = name_of(fd)
    os.close(fd)
    return name


@pytest.mark.parametrize("stick", [covered, below, never_answered])
def test_a_stuck_mount_over_a_namespace_costs_its_description_only(
    stick: Callable[[], tuple[str, str]], held: Callable[..., Any]
) -> None:
    if not fuse.may_mount():
        return
    container = held(stick, namespaces.CLONE_NEWNS)
    other = held(lambda: mounted_netns(private_mounts() + "/netns"), namespaces.CLONE_NEWNS)
    started = time.monotonic()
    scan = look()
    assert time.monotonic() - started < 15
    name, path = container.said
    mnt = os.readlink("/proc/%d/ns/mnt" % container.pid)
    assert details(scan.namespaces[name], "mount") == {"path": path, "mount_namespace": mnt, "pid": container.pid}
    assert scan.namespaces[name].owner is None
    assert "timed out" in reasons(scan, "mounts")
    assert not scan.problems.complete
    assert kinds(scan.namespaces[other.said]) == ["mount"]
    assert scan.namespaces[other.said].owner == own("user")


def test_many_stuck_mounts_cost_little_more_than_one(held: Callable[..., Any]) -> None:
    if not fuse.may_mount():
        return

    def many() -> list[str]:
        folder = private_mounts()
        names = []
        for number in range(12):
            os.mkdir("%s/%d" % (folder, number))
            stop = fuse.mount("%s/%d" % (folder, number))
            names.append(mounted_netns("%s/%d/netns" % (folder, number)))
            stop()
        return names

    containers = [held(many, namespaces.CLONE_NEWNS) for dummy in range(3)]
    other = held(lambda: mounted_netns(private_mounts() + "/netns"), namespaces.CLONE_NEWNS)
    started = time.monotonic()
    scan = look()
    # 36 waits of 2 s each would be 72 s, and a scan gives up after 30: in each mount namespace one is enough.
    assert time.monotonic() - started < 20
    waits = [problem for problem in scan.problems.as_list() if problem["reason"] == "timed out"]
    assert sum(problem["count"] for problem in waits if problem["what"].startswith("mounts")) <= 3
    for container in containers:
        assert all(kinds(scan.namespaces[name]) == ["mount"] for name in container.said)
    assert scan.namespaces[other.said].owner == own("user")


def test_a_false_tun_descriptor_that_never_answers_costs_its_own_result_only(held: Callable[..., Any]) -> None:
    """Our copy of it cannot even be closed: the server is told (FUSE_FLUSH), and close(2) waits for its answer."""
    if not fuse.may_mount():
        return

    def serve() -> None:
        private_mounts()
        mounts.mount("nsfleet-test", "/dev/net", "tmpfs")
        os.close(os.open("/dev/net/tun", os.O_CREAT))
        stop = fuse.mount("/dev/net/tun")
        signal.signal(signal.SIGUSR1, lambda *dummy: stop())

    # Another process than the server: one that has both could never end.
    server = held(serve, namespaces.CLONE_NEWNS)

    def false_tun() -> str:
        join_mounts(server.pid)
        return name_of(os.open("/dev/net/tun", os.O_RDWR))

    def real_socket() -> str:
        return name_of(nsfs.socket_netns(socket_of_new_network()))

    child, other = held(false_tun), held(real_socket)
    os.kill(server.pid, signal.SIGUSR1)
    assert child.said == "/dev/net/tun"
    started = time.monotonic()
    scan = look()
    assert time.monotonic() - started < 15
    assert "timed out" in reasons(scan, "sockets")
    assert details(scan.namespaces[other.said], "socket")["pid"] == other.pid


def test_twenty_thousand_mounts_are_read(held: Callable[..., Any]) -> None:
    def many() -> str:
        folder = private_mounts()
        name = mounted_netns(folder + "/netns")
        os.mkdir(folder + "/a")
        while sum(1 for dummy in Proc().mount_lines("self", "mountinfo")) < 20000:
            # Each copies all that are below.
            mounts.mount(folder, folder + "/a", None, mounts.MS_BIND | mounts.MS_REC)
        return name

    child = held(many, namespaces.CLONE_NEWNS)
    started = time.monotonic()
    scan = look()
    assert time.monotonic() - started < 15
    space = scan.namespaces[child.said]
    assert space.owner == own("user")
    assert 1 < len(space.pins) <= 500


def test_a_comm_is_data(held: Callable[..., Any]) -> None:
    def rename() -> None:
        prctl.prctl(PR_SET_NAME, address_of(b"a)\n\x1b[31m \xff) R"))

    child = held(rename, namespaces.CLONE_NEWUTS)
    scan = look()
    leader = scan.namespaces[os.readlink("/proc/%d/ns/uts" % child.pid)].leader
    assert leader.pid == child.pid
    assert leader.comm == "a)\n\x1b[31m \ufffd) R"
    assert json.loads(json.dumps(leader.comm)).encode("utf-8")


# The kernel gets addresses only: somebody has to keep what lies there.
KEPT: list[Any] = []


def address_of(value: bytes) -> int:
    import ctypes

    KEPT.append(ctypes.create_string_buffer(value))
    return ctypes.addressof(KEPT[-1])


def test_ten_thousand_descriptors_are_read(held: Callable[..., Any]) -> None:
    def many() -> tuple[str, int]:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        fd = new_namespace()
        copies = min(hard - 100, 10000)
        for dummy in range(copies):
            os.dup(fd)
        return name_of(fd), copies + 1

    child = held(many)
    name, count = child.said
    started = time.monotonic()
    scan = look()
    assert time.monotonic() - started < 15
    assert kinds(scan.namespaces[name]) == ["descriptor"]
    assert [pin.count for pin in scan.namespaces[name].pins] == [count]


def test_max_entries_cuts_and_counts_but_never_the_process(held: Callable[..., Any]) -> None:
    def many() -> str:
        folder = private_mounts()
        fd = new_namespace()
        namespaces.setns(fd)
        for number in range(12):
            bind(fd, "%s/%d" % (folder, number))
        return name_of(fd)

    child = held(many, namespaces.CLONE_NEWNS)
    scan = look(max_entries=5)
    space = scan.namespaces[child.said]
    # One for the process, one for its descriptor, twelve for the mounts.
    assert kinds(space) == ["descriptor", "mount", "mount", "mount", "process"]
    assert {"what": "pins of " + child.said, "reason": "truncated", "count": 9} in scan.problems.as_list()


# --- time ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("timeout", [0.0, 0.01])
def test_when_the_time_is_up_what_was_not_seen_is_counted(timeout: float, held: Callable[..., Any]) -> None:
    def crowd() -> None:
        for dummy in range(200):
            fork(lambda: None)

    held(crowd)
    started = time.monotonic()
    scan = look(timeout=timeout)
    assert time.monotonic() - started < timeout + 5
    missed = {
        problem["what"]: problem["count"] for problem in scan.problems.as_list() if problem["reason"] == "timed out"
    }
    assert missed
    if timeout == 0.0:
        assert missed["processes"] >= 200
        assert not scan.processes
    for space in scan.namespaces.values():
        # What is there is whole: a pin has its holder, a namespace its type.
        assert space.type in namespaces.TYPES
        assert space.processes == 0 or space.leader is not None


def test_a_process_that_is_stopped_is_read_like_any_other(held: Callable[..., Any]) -> None:
    child = held(lambda: own("net"), namespaces.CLONE_NEWNET)
    os.kill(child.pid, signal.SIGSTOP)
    started = time.monotonic()
    scan = look()
    assert time.monotonic() - started < 15
    assert scan.namespaces[child.said].leader.pid == child.pid

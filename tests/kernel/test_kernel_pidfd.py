# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pidfds on the real kernel."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import signal
import socket
import threading
from typing import Any, Callable, Iterator

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import (
    libc,
    namespaces,
    pidfd,
    pidfd_ioctls,
    pidfd_signal,
    prctl,
)
from ansible_collections.nsfleet.linux.tests.kernel.running_kernel import errno_of, since

CLOSE_ON_EXEC = fcntl.FD_CLOEXEC


@pytest.fixture
def own() -> Iterator[int]:
    """Our own pidfd."""
    fd = pidfd.pidfd_open(os.getpid())
    yield fd
    os.close(fd)


@pytest.fixture
def without_python_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Python 3.8, which has neither call."""
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    monkeypatch.delattr(signal, "pidfd_send_signal", raising=False)


def killed(fd: int, pid: int) -> bool:
    pidfd_signal.pidfd_send_signal(fd, signal.SIGKILL)
    return bool(select.select([fd], [], [], 10)[0]) and os.waitpid(pid, 0)[1] == signal.SIGKILL


@since(5, 3)
def test_open_and_send_signal(held: Callable[..., Any]) -> None:
    pid = held().pid
    fd = pidfd.pidfd_open(pid)
    assert fcntl.fcntl(fd, fcntl.F_GETFD) == CLOSE_ON_EXEC
    assert killed(fd, pid)
    assert errno_of(pidfd_signal.pidfd_send_signal, fd, 0) == errno.ESRCH
    os.close(fd)


@since(5, 3)
def test_open_and_send_signal_without_python_s(without_python_s: None, held: Callable[..., Any]) -> None:
    test_open_and_send_signal(held)


@since(5, 3)
@pytest.mark.usefixtures("no_wrapper", "without_python_s")
def test_open_and_send_signal_without_libc_s(held: Callable[..., Any]) -> None:
    test_open_and_send_signal(held)


@since(5, 3)
def test_a_pid_nobody_has_is_esrch(in_child: Callable[..., Any]) -> None:
    assert errno_of(pidfd.pidfd_open, in_child(os.getpid)) == errno.ESRCH


@since(5, 10)
def test_nonblock_is_set() -> None:
    fd = pidfd.pidfd_open(os.getpid(), nonblock=True)
    assert fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK
    os.close(fd)


@since(6, 9)
def test_a_thread_has_a_pidfd_only_if_asked() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        tid = thread.native_id or 0
        assert errno_of(pidfd.pidfd_open, tid) in (errno.EINVAL, errno.ENOENT)
        os.close(pidfd.pidfd_open(tid, thread=True))
    finally:
        stop.set()
        thread.join()


@pytest.mark.usefixtures("without_python_s")
@pytest.mark.parametrize("option, linux", [("thread", "6.9"), ("nonblock", "5.10")])
def test_an_option_this_kernel_lacks_is_typed(option: str, linux: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pidfd, "PIDFD_" + option.upper(), 1 << 30)
    with pytest.raises(libc.KernelLacks, match="Linux " + linux):
        pidfd.pidfd_open(os.getpid(), **{option: True})


@pytest.mark.usefixtures("without_python_s")
def test_missing_calls_are_typed(absent: Callable[[str], None]) -> None:
    for name in ("pidfd_open", "pidfd_send_signal", "pidfd_getfd"):
        absent(name)
    with pytest.raises(libc.KernelLacks, match=r"no pidfd_open \(Linux 5.3"):
        pidfd.pidfd_open(os.getpid())
    with pytest.raises(libc.KernelLacks, match=r"no pidfd_send_signal \(Linux 5.1"):
        pidfd_signal.pidfd_send_signal(0, 0)
    with pytest.raises(libc.KernelLacks, match=r"no pidfd_getfd \(Linux 5.6"):
        pidfd.pidfd_getfd(0, 0)


@pytest.mark.usefixtures("without_python_s")
@pytest.mark.parametrize(
    "flags, lacks", [(pidfd_signal.PIDFD_SIGNAL_THREAD, True), (1 << 20, False)], ids=["6.9", "never"]
)
def test_a_signal_flag_this_kernel_lacks_is_typed(flags: int, lacks: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def old(name: str, *args: Any) -> int:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(pidfd_signal, "syscall", old)
    with pytest.raises(OSError) as caught:
        pidfd_signal.pidfd_send_signal(0, 0, flags)
    assert caught.value.errno == errno.EINVAL
    assert isinstance(caught.value, libc.KernelLacks) is lacks


def test_send_signal_to_what_is_no_pidfd_is_ebadf() -> None:
    with open(os.devnull) as null:
        assert errno_of(pidfd_signal.pidfd_send_signal, null.fileno(), 0) == errno.EBADF


@since(6, 9)
def test_send_signal_reaches_the_whole_group(held: Callable[..., Any]) -> None:
    def two() -> int:
        os.setpgid(0, 0)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            prctl.set_pdeathsig(signal.SIGKILL)
            os.close(writing)
            signal.pause()
        os.close(writing)
        os.read(reading, 1)  # it is sure to end with its parent from here on
        return child

    leader = held(two)
    first, second = pidfd.pidfd_open(leader.pid), pidfd.pidfd_open(leader.said)
    pidfd_signal.pidfd_send_signal(first, signal.SIGKILL, pidfd_signal.PIDFD_SIGNAL_PROCESS_GROUP)
    assert select.select([second], [], [], 10)[0]
    os.close(first)
    os.close(second)


@pytest.fixture(params=["libc's wrapper", "bare system call"])
def getfd_either_way(request: pytest.FixtureRequest) -> None:
    libc.bind.cache_clear()
    if request.param == "bare system call":
        request.getfixturevalue("no_wrapper")


@since(5, 6)
@pytest.mark.usefixtures("getfd_either_way")
def test_getfd_duplicates_a_descriptor_of_another_process(held: Callable[..., Any]) -> None:
    def make() -> tuple:
        made = socket.socket(socket.AF_UNIX)
        return made.detach(), os.getpid()

    fd_there, pid = held(make).said
    inode = os.stat("/proc/%d/fd/%d" % (pid, fd_there)).st_ino
    of = pidfd.pidfd_open(pid)
    fd = pidfd.pidfd_getfd(of, fd_there)
    assert os.fstat(fd).st_ino == inode
    assert fcntl.fcntl(fd, fcntl.F_GETFD) == CLOSE_ON_EXEC
    os.close(fd)
    os.close(of)


@since(5, 6)
@pytest.mark.usefixtures("getfd_either_way")
def test_getfd_of_a_number_not_in_use_is_ebadf(own: int) -> None:
    with pytest.raises(OSError, match="pidfd_getfd: ") as caught:
        pidfd.pidfd_getfd(own, 1_000_000)
    assert caught.value.errno == errno.EBADF


@since(5, 6)
def test_getfd_from_a_stronger_process_is_eperm(own: int, in_child: Callable[..., Any]) -> None:
    assert in_child(lambda: errno_of(pidfd.pidfd_getfd, own, 0), namespaces.CLONE_NEWUSER) == errno.EPERM


@pytest.mark.parametrize("name", list(namespaces.TYPES))
@since(6, 11)
def test_namespace_fd_gives_each_type(name: str, own: int) -> None:
    fd = pidfd_ioctls.namespace_fd(own, name)
    assert os.fstat(fd).st_ino == os.stat("/proc/self/ns/" + name).st_ino
    assert fcntl.fcntl(fd, fcntl.F_GETFD) == CLOSE_ON_EXEC
    os.close(fd)


@since(6, 11)
def test_namespace_fd_for_children(held: Callable[..., Any]) -> None:
    def apart() -> None:
        namespaces.unshare(namespaces.CLONE_NEWUSER)
        namespaces.unshare(namespaces.CLONE_NEWTIME)

    of = pidfd.pidfd_open(held(apart).pid)
    children, itself = pidfd_ioctls.namespace_fd(of, "time", for_children=True), pidfd_ioctls.namespace_fd(of, "time")
    assert os.fstat(children).st_ino != os.fstat(itself).st_ino
    for fd in (of, children, itself):
        os.close(fd)


def test_namespace_fd_refuses_what_is_no_type(own: int) -> None:
    with pytest.raises(ValueError, match="'net' for children"):
        pidfd_ioctls.namespace_fd(own, "net", for_children=True)


@since(6, 11)
def test_namespace_fd_of_a_dead_process_is_esrch(held: Callable[..., Any]) -> None:
    pid = held().pid
    fd = pidfd.pidfd_open(pid)
    assert killed(fd, pid)
    assert errno_of(pidfd_ioctls.namespace_fd, fd, "net") == errno.ESRCH
    os.close(fd)


@since(6, 13)
def test_info_tells_who_it_is(held: Callable[..., Any]) -> None:
    pid = held().pid
    fd = pidfd.pidfd_open(pid)
    told = pidfd_ioctls.info(fd)
    os.close(fd)
    assert (told.pid, told.tgid, told.ppid) == (pid, pid, os.getpid())
    assert (told.ruid, told.euid, told.rgid, told.egid) == (os.getuid(), os.geteuid(), os.getgid(), os.getegid())
    assert told.exit_code is None


@since(6, 13)
def test_info_tells_the_cgroup(held: Callable[..., Any]) -> None:
    with open("/proc/self/cgroup", encoding="ascii") as lines:
        path = [line[3:].strip() for line in lines if line.startswith("0::")]
    with open("/proc/self/mounts", encoding="utf-8") as lines:
        mounted = [line.split()[1] for line in lines if line.split()[2] == "cgroup2"]
    fd = pidfd.pidfd_open(held().pid)
    told = pidfd_ioctls.info(fd).cgroup_id
    os.close(fd)
    assert path and told
    if mounted:
        assert told == os.stat(mounted[0] + path[0]).st_ino


@since(6, 15)
def test_info_tells_the_exit_code_after_the_end(held: Callable[..., Any]) -> None:
    pid = held().pid
    fd = pidfd.pidfd_open(pid)
    assert killed(fd, pid)
    assert pidfd_ioctls.info(fd).exit_code == signal.SIGKILL
    os.close(fd)


def test_an_ioctl_this_kernel_lacks_is_typed(own: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pidfd_ioctls, "PIDFD_GET_INFO", 0xC040FF7F)
    with pytest.raises(libc.KernelLacks, match=r"no PIDFD_GET_INFO \(Linux 6.13"):
        pidfd_ioctls.info(own)


def test_what_is_no_pidfd_is_enotty_and_not_a_lack() -> None:
    with open(os.devnull) as null:
        assert errno_of(pidfd_ioctls.info, null.fileno()) == errno.ENOTTY
        assert errno_of(pidfd_ioctls.namespace_fd, null.fileno(), "net") == errno.ENOTTY

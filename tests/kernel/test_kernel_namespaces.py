# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""setns(2) and unshare(2) on the real kernel."""

from __future__ import annotations

import errno
import os
import threading
from typing import Any, Callable

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import libc, namespaces, pidfd, pidfd_signal
from ansible_collections.nsfleet.linux.tests.kernel.running_kernel import errno_of, since

ALL_BUT_USER = sum(namespaces.TYPES.values()) - namespaces.CLONE_NEWUSER


def refs() -> dict[str, int]:
    return {name: os.stat("/proc/self/ns/" + name).st_ino for name in namespaces.TYPES}


@pytest.mark.parametrize("name", ["mnt", "uts", "ipc", "net", "user", "cgroup"])
def test_unshare_makes_a_namespace_of_its_type_only(name: str, in_child: Callable[..., Any]) -> None:
    before = refs()
    after = in_child(refs, namespaces.TYPES[name])
    assert {changed for changed in before if before[changed] != after[changed]} == {name}


@pytest.mark.parametrize("name", ["pid", "time"])
def test_unshare_of_pid_and_time_is_for_children(name: str, in_child: Callable[..., Any]) -> None:
    def look() -> tuple:
        namespaces.unshare(namespaces.TYPES[name])
        own = os.stat("/proc/self/ns/" + name).st_ino
        child = os.fork()
        if child == 0:
            os._exit(os.stat("/proc/self/ns/" + name).st_ino == own)
        return own, os.waitpid(child, 0)[1]

    assert in_child(look) == (os.stat("/proc/self/ns/" + name).st_ino, 0)


def test_setns_joins_a_namespace_by_its_descriptor(in_child: Callable[..., Any], held: Callable[..., Any]) -> None:
    target = held(lambda: refs()["net"], namespaces.CLONE_NEWNET)

    def join() -> int:
        fd = os.open("/proc/%d/ns/net" % target.pid, os.O_RDONLY)
        namespaces.setns(fd, namespaces.CLONE_NEWNET)
        return refs()["net"]

    assert in_child(join) == target.said


@since(5, 8)
def test_setns_joins_several_by_pidfd_at_once(in_child: Callable[..., Any], held: Callable[..., Any]) -> None:
    flags = ALL_BUT_USER & ~(namespaces.CLONE_NEWPID | namespaces.CLONE_NEWTIME)
    target = held(refs, flags)

    def join() -> dict[str, int]:
        namespaces.setns(pidfd.pidfd_open(target.pid), flags)
        return refs()

    assert in_child(join) == target.said
    assert target.said["net"] != refs()["net"]


@since(5, 8)
def test_setns_by_pidfd_joins_nothing_when_one_type_is_refused(
    in_child: Callable[..., Any], held: Callable[..., Any]
) -> None:
    flags = namespaces.CLONE_NEWNET | namespaces.CLONE_NEWUSER
    target = held(flags=namespaces.CLONE_NEWNET)  # in the caller's own user namespace

    def join() -> tuple:
        return errno_of(namespaces.setns, pidfd.pidfd_open(target.pid), flags), refs()

    assert in_child(join) == (errno.EINVAL, refs())


def test_the_wrong_type_is_einval_and_not_a_lack(in_child: Callable[..., Any]) -> None:
    fd = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        assert errno_of(namespaces.setns, fd, namespaces.CLONE_NEWUTS) == errno.EINVAL
    finally:
        os.close(fd)


@since(5, 8)
def test_a_dead_process_s_pidfd_is_esrch(held: Callable[..., Any]) -> None:
    target = held()
    fd = pidfd.pidfd_open(target.pid)
    pidfd_signal.pidfd_send_signal(fd, 9)
    os.waitpid(target.pid, 0)
    try:
        assert errno_of(namespaces.setns, fd, namespaces.CLONE_NEWNET) == errno.ESRCH
    finally:
        os.close(fd)


def test_a_kernel_that_takes_no_pidfd_is_told(monkeypatch: pytest.MonkeyPatch, held: Callable[..., Any]) -> None:
    # As before 5.8: EINVAL for whatever is no nsfs file.
    def old(name: str, *args: Any, since: str = "") -> int:
        if name == "setns":
            raise OSError(errno.EINVAL, "setns: Invalid argument")
        return libc.syscall(name, *args, since=since)

    monkeypatch.setattr(namespaces, "syscall", old)
    fd = libc.syscall("pidfd_open", held().pid, 0)
    try:
        with pytest.raises(libc.KernelLacks, match=r"no setns with a pidfd \(Linux 5.8"):
            namespaces.setns(fd, namespaces.CLONE_NEWNET)
    finally:
        os.close(fd)


def test_takes_pidfd_changes_nothing(in_child: Callable[..., Any]) -> None:
    before = refs()

    def look() -> tuple:
        return namespaces.takes_pidfd(), refs()

    assert in_child(look)[1] == before


@since(5, 8)
def test_takes_pidfd_from_5_8() -> None:
    assert namespaces.takes_pidfd()


def test_unshare_without_a_privilege_is_eperm(in_child: Callable[..., Any]) -> None:
    def look() -> int:
        from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import privileges

        privileges.capset(privileges.CapabilitySets(0, 0, 0))
        return errno_of(namespaces.unshare, namespaces.CLONE_NEWNET)

    assert in_child(look) == errno.EPERM


def test_unshare_of_user_with_threads_is_einval_and_not_a_lack(in_child: Callable[..., Any]) -> None:
    def look() -> int:
        stop = threading.Event()
        thread = threading.Thread(target=stop.wait)
        thread.start()
        try:
            return errno_of(namespaces.unshare, namespaces.CLONE_NEWUSER)
        finally:
            stop.set()
            thread.join()

    assert in_child(look) == errno.EINVAL


def without_time(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a kernel without time namespaces that answers ``code`` to unshare."""

    def old(name: str, *args: Any) -> int:
        raise OSError(code, os.strerror(code))

    real = os.path.lexists
    monkeypatch.setattr(namespaces, "syscall", old)
    monkeypatch.setattr(os.path, "lexists", lambda path: path != "/proc/self/ns/time" and real(path))


def test_a_type_this_kernel_was_built_without_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    without_time(errno.EINVAL, monkeypatch)
    with pytest.raises(libc.KernelLacks, match=r"no time namespaces \(Linux 5.6"):
        namespaces.unshare(namespaces.CLONE_NEWTIME | namespaces.CLONE_NEWNET)


@pytest.mark.parametrize(
    "flags, code",
    [(namespaces.CLONE_NEWTIME, errno.EPERM), (namespaces.CLONE_NEWNET, errno.EINVAL)],
    ids=["another errno", "another type"],
)
def test_what_has_another_reason_is_not_a_lack(flags: int, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    without_time(code, monkeypatch)
    assert errno_of(namespaces.unshare, flags) == code


@pytest.mark.parametrize("call", [lambda: namespaces.setns(0), lambda: namespaces.unshare(0)], ids=["setns", "unshare"])
def test_a_missing_call_is_typed(call: Callable[[], None], absent: Callable[[str], None]) -> None:
    absent("setns")
    absent("unshare")
    with pytest.raises(libc.KernelLacks):
        call()


def test_without_libc_s_wrappers(no_wrapper: None, in_child: Callable[..., Any], held: Callable[..., Any]) -> None:
    target = held(lambda: refs()["uts"], namespaces.CLONE_NEWUTS)

    def join() -> int:
        namespaces.setns(os.open("/proc/%d/ns/uts" % target.pid, os.O_RDONLY))
        return refs()["uts"]

    assert in_child(join) == target.said != refs()["uts"]

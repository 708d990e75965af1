# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may not see everything sees what the kernel allows, and says how much is missing; never a traceback."""

from __future__ import annotations

import os
import resource
import signal
from typing import Any, Callable

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._discover.scan import Scan, host_names, own_names
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import mounts, namespaces, prctl
from ansible_collections.nsfleet.linux.tests.kernel.holders import (
    details,
    kinds,
    look,
    name_of,
    new_namespace,
    own,
    private_mounts,
    socket_of_new_network,
)

NOBODY = 65534
TYPES = list(namespaces.TYPES)


def become_nobody() -> None:
    """Nobody, as if logged in: with all that a change of user undid done again."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    prctl.set_dumpable(True)
    prctl.set_pdeathsig(signal.SIGKILL)


@pytest.fixture
def plain(host_root: bool) -> Callable[[], None]:
    """Become a plain user; where one runs the tests, in a user namespace of their own, they are that already."""
    return become_nobody if host_root else lambda: None


def counts(scan: Scan, what: str) -> dict[str, int]:
    """How many of that kind were not seen, by reason."""
    return {problem["reason"]: problem["count"] for problem in scan.problems.as_list() if problem["what"] == what}


def test_a_plain_user_sees_their_own_namespaces(in_child: Callable[..., Any], plain: Callable[[], None]) -> None:
    def as_nobody() -> tuple[Scan, dict[str, str], dict[str, str], int]:
        plain()
        scan = look()
        own = own_names(scan.proc)
        return scan, own, host_names(scan, own), os.getpid()

    scan, names, host, pid = in_child(as_nobody)
    assert names == {kind: os.readlink("/proc/self/ns/" + kind) for kind in TYPES}
    assert set(names.values()) <= set(scan.namespaces)
    # Neither process 1 nor kthreadd may be looked at: then the host is where we are.
    assert host == names
    # Nor may anything above one's own user namespace be, not even its owner.
    assert scan.namespaces[names["user"]].parent is None
    assert scan.namespaces[names["net"]].initial in (True, None)


def test_every_process_that_refuses_is_counted(in_child: Callable[..., Any], plain: Callable[[], None]) -> None:
    def as_nobody() -> tuple[Scan, int, int]:
        plain()
        scan = look()
        unreadable = [process for process in scan.processes.values() if not any(process.namespaces)]
        return scan, len(unreadable), len(scan.processes)

    scan, unreadable, seen = in_child(as_nobody)
    assert not scan.problems.complete
    # Kernel threads and process 1 at least belong to root. A zombie names its user namespace only, to its owner.
    assert 10 < unreadable < seen
    assert counts(scan, "processes")["refused: EACCES"] == pytest.approx(unreadable, abs=20)
    assert counts(scan, "descriptors")["refused: EACCES"] > 0
    assert all(process.start_time or process.pid < 100 for process in scan.processes.values())


def test_what_a_plain_user_made_is_seen_with_owner_and_pins(
    held: Callable[..., Any], in_child: Callable[..., Any], plain: Callable[[], None]
) -> None:
    def make() -> tuple[str, str, str]:
        plain()
        namespaces.unshare(namespaces.CLONE_NEWUSER | namespaces.CLONE_NEWNET)
        return own("user"), own("net"), name_of(new_namespace("uts"))

    def as_nobody() -> Scan:
        plain()
        return look()

    child = held(make)
    user, net, uts = child.said
    scan = in_child(as_nobody)
    assert scan.namespaces[user].owner == scan.namespaces[user].parent == own("user")
    assert scan.namespaces[net].owner == scan.namespaces[uts].owner == user
    assert details(scan.namespaces[uts], "descriptor")["pid"] == child.pid
    assert kinds(scan.namespaces[net]) == ["process"]


def test_a_plain_user_is_not_given_what_is_root_s(
    held: Callable[..., Any], in_child: Callable[..., Any], host_root: bool
) -> None:
    if not host_root:
        # Then nothing here is root's.
        return

    def make() -> tuple[str, str]:
        return name_of(new_namespace("uts")), own("net")

    hidden = held(make, namespaces.CLONE_NEWNET)

    def as_nobody() -> Scan:
        become_nobody()
        return look()

    scan = in_child(as_nobody)
    assert not set(hidden.said) & set(scan.namespaces)
    assert hidden.pid in scan.processes


@pytest.mark.parametrize("flags", [0, namespaces.CLONE_NEWNS | namespaces.CLONE_NEWNET])
def test_root_of_a_user_namespace_sees_what_is_in_there(in_child: Callable[..., Any], flags: int) -> None:
    outer = own("user")

    def inside() -> tuple[Scan, list[str], str]:
        fds = [new_namespace("net"), new_namespace("ipc"), socket_of_new_network()]
        return look(), [name_of(fd) for fd in fds[:2]], own("user")

    scan, made, user = in_child(inside, namespaces.CLONE_NEWUSER | flags)
    assert user != outer
    for name in made:
        assert kinds(scan.namespaces[name]) == ["descriptor"]
        assert scan.namespaces[name].owner == user
    # The socket's is the only network namespace that nothing but a socket pins.
    assert len([space for space in scan.namespaces.values() if kinds(space) == ["socket"]]) == 1
    assert not scan.problems.complete
    assert scan.namespaces[user].parent is None


def test_hidden_processes_are_told_of(in_child: Callable[..., Any], host_root: bool, plain: Callable[[], None]) -> None:
    """proc(5), hidepid=2: nobody else's processes are even listed, so that nothing refuses."""

    def hidden() -> Scan:
        private_mounts()
        mounts.mount("proc", "/proc", "proc", 0, "hidepid=2")
        plain()
        return look()

    if not host_root:
        # A user namespace may mount the /proc of its own pid namespace only, where it has all the processes there are.
        return
    scan = in_child(hidden, namespaces.CLONE_NEWNS)
    assert 1 not in scan.processes
    assert counts(scan, "processes") == {"refused: hidepid": 1}


def test_the_proc_of_an_outer_pid_namespace_is_understood(in_child: Callable[..., Any]) -> None:
    """A container that shows the host's /proc: our pid is somebody else's number there."""

    def inner() -> tuple[dict[str, str], int]:
        namespaces.unshare(namespaces.CLONE_NEWPID)
        reading, told = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                names = own_names(look().proc)
                os.write(told, " ".join(names[kind] for kind in TYPES).encode())
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        return dict(zip(TYPES, os.read(reading, 1000).decode().split())), os.getpid()

    names, dummy = in_child(inner, namespaces.CLONE_NEWNET)
    assert names["net"] != own("net")
    assert names["pid"] != own("pid")
    assert names["uts"] == own("uts")


def test_no_proc_is_an_error_that_says_so(in_child: Callable[..., Any]) -> None:
    def without() -> str:
        private_mounts()
        mounts.mount("nsfleet-test", "/proc", "tmpfs")
        with pytest.raises(FileNotFoundError) as caught:
            look()
        return str(caught.value)

    assert "no process is listed: '/proc'" in in_child(without, namespaces.CLONE_NEWNS)


@pytest.mark.parametrize("spare", [0, 1, 2, 3, 5, 8])
def test_too_few_descriptors_are_no_traceback(in_child: Callable[..., Any], spare: int) -> None:
    def narrow() -> Scan:
        kept = socket_of_new_network(), new_namespace("mnt")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(kept) + 1 + spare, max(kept) + 1 + spare))
        return look()

    scan = in_child(narrow)
    if spare < 2:
        assert any(problem["reason"] == "EMFILE" for problem in scan.problems.as_list())


def test_children_that_are_reaped_by_nobody_are_no_traceback(in_child: Callable[..., Any]) -> None:
    """With SIGCHLD ignored, as a parent may leave it to us, the kernel reaps, and waitpid(2) fails."""

    def ignoring() -> Scan:
        socket_of_new_network()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        return look()

    scan = in_child(ignoring)
    assert any(kinds(space) == ["socket"] for space in scan.namespaces.values())
    assert not counts(scan, "sockets").keys() - {"refused: EPERM"}

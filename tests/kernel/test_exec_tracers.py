# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who in a pid namespace makes ns_exec refuse to enter it with the host's mounts: whoever could trace the command."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._enter.privileges import READ_ONLY, mask
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import namespaces, privileges
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.proc import Proc
from ansible_collections.nsfleet.linux.tests.kernel.exec_lab import only_child, refused, succeeded, until
from ansible_collections.nsfleet.linux.tests.kernel.holders import exit_this_thread, fork, in_thread

# What Docker gives: docs.docker.com/engine/containers/run, "Runtime privilege and Linux capabilities".
DEFAULT = mask(
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW",
    "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
)
LOOK = {"namespaces": ["pid"], "cmd": "readlink /proc/self/ns/pid", "track": ["none"]}


def only_permitted() -> None:
    """This thread has what Docker gives, but could get all by executing something."""
    privileges.capset(privileges.CapabilitySets(DEFAULT, DEFAULT, 0))


def default(more: int = 0) -> None:
    """This thread has what Docker gives, for ever, and perhaps more."""
    kept = DEFAULT | more
    for number in range(int(Path("/proc/sys/kernel/cap_last_cap").read_text()) + 1):
        if not kept >> number & 1 and privileges.capbset_has(number):
            privileges.capbset_drop(number)
    privileges.capset(privileges.CapabilitySets(kept, kept, 0))


def start(function: Callable[[], Any]) -> int:
    """The pid of a child in which the function has run; it may have children of its own."""
    reading, writing = os.pipe()

    def run() -> None:
        function()
        os.write(writing, b"!")

    pid = fork(run, wait=False)
    os.close(writing)
    os.read(reading, 1)
    os.close(reading)
    return pid


@pytest.fixture
def container(held: Callable[..., Any]) -> Callable[..., int]:
    """Process 1 of a new pid namespace, in which a function has run."""

    def make(function: Callable[[], Any]) -> int:
        pid: int = held(lambda: start(function), namespaces.CLONE_NEWPID).said
        return pid

    return make


def runs_in(pid: int, **more: Any) -> None:
    assert succeeded(pid=pid, **LOOK, **more)["stdout"] == os.readlink(f"/proc/{pid}/ns/pid")


def caps(pid: int, tid: int | None = None, name: str = "Prm") -> int:
    """As the kernel tells them, to know that a container is what the test means it to be."""
    text = Path(f"/proc/{pid}/task/{tid or pid}/status").read_text()
    return int(text.split("Cap%s:" % name)[1].split()[0], 16)


# --- CAP_SYS_PTRACE -------------------------------------------------------------------------------------------------


def test_among_processes_with_docker_s_capabilities_root_may_run(container: Callable[..., int]) -> None:
    """The control of all that follows."""
    pid = container(default)
    assert caps(pid) == caps(pid, name="Bnd") == DEFAULT
    runs_in(pid)


def test_who_can_get_it_by_an_execution_is_a_tracer(container: Callable[..., int]) -> None:
    pid = container(only_permitted)
    assert "process %d in there may trace others (CAP_SYS_PTRACE)" % pid in refused(pid=pid, **LOOK)


def test_who_gets_nothing_by_an_execution_is_none(container: Callable[..., int]) -> None:
    def prepare() -> None:
        only_permitted()
        privileges.set_no_new_privs()

    runs_in(container(prepare))


def test_a_thread_that_has_it_is_a_tracer_when_its_leader_has_dropped_it(container: Callable[..., int]) -> None:
    def prepare() -> None:
        in_thread(lambda: None)
        default()

    pid = container(prepare)
    assert caps(pid) == DEFAULT
    assert "process %d in there may trace others (CAP_SYS_PTRACE)" % pid in refused(pid=pid, **LOOK)


def test_a_thread_that_has_dropped_it_as_its_leader_has_is_none(container: Callable[..., int]) -> None:
    def prepare() -> None:
        in_thread(default)
        default()

    pid = container(prepare)
    assert len(os.listdir(f"/proc/{pid}/task")) == 2
    runs_in(pid)


def with_dead_leader(prepare: Callable[[], None]) -> Callable[[], None]:
    """Process 1 is harmless; its child's leader has ended after ``prepare``, and a thread has not."""

    def end() -> None:
        in_thread(prepare)
        exit_this_thread()

    def inside() -> None:
        fork(end, wait=False)
        default()

    return inside


def dead_leader(pid: int) -> int:
    child = only_child(pid)
    until(lambda: Proc().stat(child).state == "Z")
    assert len(os.listdir(f"/proc/{child}/task")) == 2
    return child


def test_a_thread_whose_leader_has_ended_is_a_tracer(container: Callable[..., int]) -> None:
    pid = container(with_dead_leader(lambda: None))
    child = dead_leader(pid)
    assert "process %d in there may trace others" % child in refused(pid=pid, **LOOK)


def test_a_leader_that_has_ended_is_none(container: Callable[..., int]) -> None:
    """It still shows the capabilities that it had; only its thread lives, and has none of them."""
    pid = container(with_dead_leader(default))
    assert caps(dead_leader(pid)) & mask("SYS_PTRACE")
    runs_in(pid)


def below(prepare: Callable[[], None], flags: int = 0) -> Callable[[], None]:
    """Process 1 and its child are harmless; the child has a pid namespace, and ``prepare`` runs in there."""

    def between() -> None:
        namespaces.unshare(namespaces.CLONE_NEWPID | flags)
        start(prepare)
        if not flags:
            default()

    def inside() -> None:
        start(between)
        default()

    return inside


def innermost(pid: int) -> int:
    found = only_child(only_child(pid))
    assert os.readlink(f"/proc/{found}/ns/pid") != os.readlink(f"/proc/{pid}/ns/pid")
    return found


def test_a_process_in_a_pid_namespace_below_is_a_tracer(container: Callable[..., int]) -> None:
    pid = container(below(lambda: None))
    assert "process %d in there may trace others" % innermost(pid) in refused(pid=pid, **LOOK)


def test_a_harmless_process_in_a_pid_namespace_below_is_none(container: Callable[..., int]) -> None:
    pid = container(below(default))
    assert caps(innermost(pid)) == DEFAULT
    runs_in(pid)


def test_a_process_in_a_pid_namespace_beside_is_none(container: Callable[..., int]) -> None:
    """It has everything, and nothing of it in there."""
    container(lambda: None)
    runs_in(container(default))


def test_who_has_it_in_a_user_namespace_of_its_own_is_none(container: Callable[..., int]) -> None:
    pid = container(below(lambda: None, namespaces.CLONE_NEWUSER))
    assert caps(innermost(pid)) & mask("SYS_PTRACE")
    runs_in(pid)


# --- as much as the command has -------------------------------------------------------------------------------------


@pytest.fixture
def harmless(container: Callable[..., int]) -> int:
    """A container with no more than Docker's capabilities."""
    return container(default)


def test_who_can_become_a_command_s_user_and_lacks_nothing_that_it_has_is_a_tracer(harmless: int) -> None:
    uid = pwd.getpwnam("nobody").pw_uid
    rows = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    if not any(int(row[0]) <= uid < int(row[0]) + int(row[2]) for row in rows):
        pytest.skip("needs a user namespace that maps more than one user: see /proc/self/uid_map")
    sentence = refused(pid=harmless, user="nobody", **LOOK)
    assert "process %d in there may become the command's user and has its capabilities" % harmless in sentence
    assert "Join mnt too, or write trusted: true" in sentence
    runs_in(harmless, user="nobody", trusted=True)


@pytest.fixture
def looking(container: Callable[..., int]) -> int:
    """A container that has what a command has that only looks; no CAP_SYS_PTRACE."""
    return container(lambda: default(READ_ONLY))


def test_a_command_that_only_looks_may_run_where_nobody_has_all_that_it_has(harmless: int) -> None:
    """The control: Docker gives neither CAP_DAC_READ_SEARCH nor CAP_SYSLOG."""
    runs_in(harmless, read_only=True)


def test_for_a_command_that_only_looks_it_is_enough_to_have_the_little_that_it_has(looking: int) -> None:
    sentence = refused(pid=looking, read_only=True, **LOOK)
    assert "process %d in there may become the command's user and has its capabilities" % looking in sentence
    # It is not enough for one that has all.
    runs_in(looking)
    runs_in(looking, read_only=True, trusted=True)


def test_whom_root_trusts_is_entered_whatever_is_in_there(container: Callable[..., int]) -> None:
    pid = container(lambda: None)
    refused(pid=pid, **LOOK)
    runs_in(pid, trusted=True)
    runs_in(pid, trusted=True, read_only=True)


def test_a_guard_only_looks(looking: int, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    sentence = refused(pid=looking, namespaces=["pid"], argv=["touch", str(mark)], onlyif="true")
    assert "may become the command's user" in sentence and not mark.exists()

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers whose seccomp filters deny what the process that enters needs itself: it runs under them, too."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import mounts, namespaces, privileges, seccomp
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.executor import call_number
from ansible_collections.nsfleet.linux.tests.kernel.exec_lab import ns_exec, refused, succeeded, until
from ansible_collections.nsfleet.linux.tests.kernel.holders import fork

# arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h
SOCKETS = {"x86_64": (44, 45, 46, 47), "aarch64": (206, 207, 211, 212)}[os.uname().machine]
KINDS = pytest.mark.parametrize("types", [["mnt", "net"], ["mnt", "net", "pid"]], ids=["same pids", "other pids"])


@pytest.fixture(autouse=True)
def only_host_root(host_root: bool) -> None:
    """A container's filters are copied for root of the initial user namespace only."""
    if not host_root:
        pytest.skip("needs root of the initial user namespace: PTRACE_SECCOMP_GET_FILTER asks for its CAP_SYS_ADMIN")


@pytest.fixture
def denying(held: Callable[..., Any]) -> Callable[..., int]:
    """Process 1 of a container in which these calls give EPERM."""

    def make(*numbers: int) -> int:
        def inside() -> None:
            mounts.mount("none", "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
            privileges.set_no_new_privs()
            seccomp.install(seccomp.refusing([seccomp.Rule(number, errno.EPERM) for number in numbers]))

        flags = namespaces.CLONE_NEWNS | namespaces.CLONE_NEWNET | namespaces.CLONE_NEWPID
        pid: int = held(lambda: fork(inside), flags).said
        assert "Seccomp:\t2\n" in Path(f"/proc/{pid}/status").read_text()
        return pid

    return make


@pytest.fixture
def no_sockets(denying: Callable[..., int]) -> int:
    """A container that may neither send nor receive."""
    return denying(*SOCKETS)


@pytest.fixture
def no_writing(denying: Callable[..., int]) -> int:
    """A container that may not even write."""
    return denying(call_number("write"))


@pytest.fixture
def broken(tmp_path: Path) -> str:
    """A script whose interpreter is not there: it is found, and cannot be executed."""
    program = tmp_path / "broken"
    program.write_text("#!/nonexistent/interpreter\n")
    program.chmod(0o755)
    return str(program)


# --- no sending, no receiving ---------------------------------------------------------------------------------------


@KINDS
def test_where_nothing_is_sent_or_received_a_command_runs_under_that_filter(types: list[str], no_sockets: int) -> None:
    result = succeeded(pid=no_sockets, namespaces=types, argv=["grep", "^Seccomp:", "/proc/self/status"])
    assert result["stdout"] == "Seccomp:\t2"


@KINDS
@pytest.mark.parametrize(("option", "program", "runs"), [
    ("unless", "true", False), ("unless", "false", True), ("onlyif", "true", True), ("onlyif", "false", False),
])
def test_where_nothing_is_sent_or_received_guards_answer(option: str, program: str, runs: bool, types: list[str],
                                                         no_sockets: int) -> None:
    result = succeeded(pid=no_sockets, namespaces=types, cmd="echo it ran", **{option: program})
    assert (result["stdout"] == "it ran") == runs
    assert ("there is nothing to do" in result["msg"]) != runs


@KINDS
def test_where_nothing_is_sent_or_received_a_failure_is_told_by_errno(types: list[str], no_sockets: int,
                                                                      broken: str) -> None:
    sentence = refused(pid=no_sockets, namespaces=types, argv=[broken])
    assert sentence.startswith("%s could not be executed in pid %d (ENOENT): " % (broken, no_sockets))


@KINDS
@pytest.mark.parametrize("option", ["unless", "onlyif"])
def test_a_guard_that_cannot_be_executed_says_neither_yes_nor_no(option: str, types: list[str], no_sockets: int,
                                                                 broken: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    given: dict[str, Any] = {option: [broken]}
    sentence = refused(pid=no_sockets, namespaces=types, argv=["touch", str(mark)], **given)
    assert broken in sentence and "(ENOENT)" in sentence
    assert not mark.exists()


# --- no writing -----------------------------------------------------------------------------------------------------


def is_not_known(result: dict[str, Any]) -> None:
    assert result["failed"] and result["changed"] and result["rc"] is None, result
    assert "whether it has run is not known" in result["msg"]
    assert "whether it has run is not known" in result["unproven"]


def test_where_nothing_is_written_a_command_runs_that_needs_no_answer(no_writing: int) -> None:
    result = ns_exec(pid=no_writing, namespaces=["mnt", "net"], argv=["sh", "-c", "exit 3"])
    assert (result["rc"], result["msg"]) == (3, "non-zero return code")


def test_where_nothing_is_written_a_failure_is_not_taken_for_a_run(no_writing: int, broken: str) -> None:
    is_not_known(ns_exec(pid=no_writing, namespaces=["mnt", "net"], argv=[broken]))


@pytest.mark.parametrize("option", ["unless", "onlyif"])
def test_where_nothing_is_written_a_guard_that_cannot_be_executed_says_neither_yes_nor_no(
        option: str, no_writing: int, broken: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    given: dict[str, Any] = {option: [broken]}
    is_not_known(ns_exec(pid=no_writing, namespaces=["mnt", "net"], argv=["touch", str(mark)], **given))
    assert not mark.exists()


def test_where_nothing_is_written_and_it_must_fork_nobody_is_left(no_writing: int) -> None:
    """Who forks cannot say which process it has made."""
    mark = "301.%d" % os.getpid()
    is_not_known(ns_exec(pid=no_writing, namespaces=["mnt", "net", "pid"], argv=["sleep", mark]))
    until(lambda: not sleeping(mark))


def sleeping(mark: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().split(b"\0")[:2] == [b"sleep", mark.encode()]:
                found.append(path.parent.name)
        except OSError:
            continue
    return found

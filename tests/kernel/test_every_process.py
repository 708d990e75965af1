# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every reader of /proc on every live process of this machine: an answer, or an errno that its callers expect."""

from __future__ import annotations

import errno
import os
import traceback
from typing import Any, Callable, NamedTuple

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._discover.scan import is_namespace
from ansible_collections.nsfleet.linux.plugins.module_utils._facts import Request, gather
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.proc import (
    NAMESPACE_TYPES,
    Proc,
    parse_cgroups,
)
from ansible_collections.nsfleet.linux.tests.kernel.holders import look

NOBODY = 65534
# Gone; refused; EINVAL: mountinfo of one that is exiting.
EXPECTED = (errno.ENOENT, errno.ESRCH, errno.EACCES, errno.EPERM, errno.EINVAL)
ALWAYS_READABLE = ("stat", "status", "cgroup", "tids", "mounts")


class Seen(NamedTuple):
    """How many answers and refusals each reader gave, and what should not have been."""

    answers: dict[str, int]
    refused: dict[str, int]
    wrong: list[str]


def stat(proc: Proc, pid: int) -> str:
    found = proc.stat(pid)
    if found.threads < 0 or found.start_time < 0 or len(found.state) != 1 or len(os.fsencode(found.comm)) > 64 * 3:
        return repr(found)
    return ""


def status(proc: Proc, pid: int) -> str:
    found = proc.status(pid)
    right = found["Pid"] == str(pid) and len(found["Uid"].split()) == 4 and len(found["CapEff"]) == 16
    return "" if right else repr(found)


def namespaces(proc: Proc, pid: int) -> str:
    names, refusal = proc.namespaces(pid)
    wrong = [
        name for kind, name in zip(NAMESPACE_TYPES + ("pid", "time"), names)
        if name is not None and not (is_namespace(name) and name.startswith(kind + ":"))
    ]
    if refusal is not None:
        raise refusal
    return repr(names) if wrong or len(names) != 10 else ""


def cgroup(proc: Proc, pid: int) -> str:
    raw = proc.cgroup_text(pid)
    found = parse_cgroups(raw)
    right = len(found) == raw.count(b"\n") and all(line.path.startswith("/") for line in found)
    return "" if right else repr(raw)


def tids(proc: Proc, pid: int) -> str:
    found = proc.tids(pid)
    for tid in found:
        thread(proc, pid, tid)
    return "" if pid in found else repr(found)


def thread(proc: Proc, pid: int, tid: int) -> None:
    try:
        names, dummy = proc.namespaces(pid, tid)
        assert all(name is None or is_namespace(name) for name in names), names
        for number, link in proc.descriptors(pid, tid):
            assert number >= 0 and link
    except OSError as error:
        assert error.errno in EXPECTED, error


def descriptors(proc: Proc, pid: int) -> str:
    found = list(proc.descriptors(pid))
    return "" if all(number >= 0 and link for number, link in found) else repr(found)


def mounts(proc: Proc, pid: int) -> str:
    lines = list(proc.mount_lines(pid, "mountinfo"))
    if len(list(proc.mounts(pid))) != len(lines):
        # The table may have changed between the two.
        lines = list(proc.mount_lines(pid, "mountinfo"))
        if len(list(proc.mounts(pid))) != len(lines):
            return "%d lines, not all mounts: %r" % (len(lines), lines)
    return ""


def root_of(proc: Proc, pid: int) -> str:
    found = proc.root_of(pid)
    return "" if found.startswith("/") else repr(found)


def open_namespace(proc: Proc, pid: int) -> str:
    for kind in NAMESPACE_TYPES:
        try:
            descriptor = os.open(proc.path(pid, "ns", kind), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # a type that the kernel has not, or one that a dying process has left
        os.close(descriptor)
    return ""


READERS: dict[str, Callable[[Proc, int], str]] = {
    "stat": stat, "status": status, "namespaces": namespaces, "cgroup": cgroup, "tids": tids,
    "descriptors": descriptors, "mounts": mounts, "root_of": root_of, "open_namespace": open_namespace,
}


def read_all() -> Seen:
    """Every reader on every process, a look at a time: what one does is not to keep the next from being tried."""
    proc, seen = Proc(), Seen({}, {}, [])
    for pid in proc.pids():
        for name, reader in READERS.items():
            try:
                wrong = reader(proc, pid)
            except OSError as error:
                if error.errno not in EXPECTED:
                    seen.wrong.append("%s of %d: %r" % (name, pid, error))
                elif error.errno in (errno.EACCES, errno.EPERM):
                    seen.refused[name] = seen.refused.get(name, 0) + 1
            except Exception:
                seen.wrong.append("%s of %d: %s" % (name, pid, traceback.format_exc()))
            else:
                seen.answers[name] = seen.answers.get(name, 0) + 1
                if wrong:
                    seen.wrong.append("%s of %d: %s" % (name, pid, wrong))
    return seen


def as_nobody() -> None:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def test_every_reader_answers_for_every_process() -> None:
    seen = read_all()
    assert seen.wrong == []
    assert seen.answers.keys() == READERS.keys()


def test_no_descriptor_is_left_by_any_reader() -> None:
    before = os.listdir("/proc/self/fd")
    read_all()
    assert os.listdir("/proc/self/fd") == before


def test_nobody_reads_what_is_open_to_all_and_is_refused_the_rest(
    in_child: Callable[..., Any], host_root: bool
) -> None:
    if not host_root:
        # Root of a user namespace of its own has no other user to become: it is the plain user already.
        assert read_all().refused.keys() <= READERS.keys() - set(ALWAYS_READABLE)
        return

    def look_as_nobody() -> Seen:
        as_nobody()
        return read_all()

    seen = Seen(*in_child(look_as_nobody))
    assert seen.wrong == []
    assert seen.refused.keys() == READERS.keys() - set(ALWAYS_READABLE)
    for name in ALWAYS_READABLE:
        assert seen.answers[name] > 1, name


def test_nobody_s_facts_are_right_and_say_what_they_lack(in_child: Callable[..., Any], host_root: bool) -> None:
    def facts() -> dict[str, Any]:
        if host_root:
            as_nobody()
        return gather(Request(processes=True))

    found = in_child(facts)
    assert found["complete"] is False
    told = {problem["what"] for problem in found["problems"] if problem["reason"].startswith("refused")}
    assert "processes" in told
    assert {space["name"] for space in found["inventory"]} >= set(found["own"].values())
    everything = set(look().namespaces)
    # What nobody sees is there: nothing is made up.
    assert {space["name"] for space in found["inventory"] if space["processes"] > 1} <= everything


@pytest.mark.parametrize("option", ["cmdline", "labels", "processes"])
def test_facts_of_this_machine_leave_nothing_behind(option: str) -> None:
    before = (os.listdir("/proc/self/fd"), children())
    request = Request()
    setattr(request, option, True)
    gather(request)
    assert (os.listdir("/proc/self/fd"), children()) == before


def children() -> set[int]:
    """Ours that live; one that has been killed may take a moment to be gone."""
    proc, found = Proc(), set()
    for pid in proc.pids():
        try:
            told = proc.stat(pid)
        except OSError:
            continue
        if told.ppid == os.getpid() and told.state != "Z":
            found.add(pid)
    return found

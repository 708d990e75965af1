# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who makes the scan slow costs what is seen of his own at most; dead threads hide nothing; no /proc is no success."""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._discover import threads
from ansible_collections.nsfleet.linux.plugins.module_utils._discover.scan import Scan
from ansible_collections.nsfleet.linux.plugins.module_utils._facts import Request, gather
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import mounts, namespaces, prctl, proc
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.proc import Proc
from ansible_collections.nsfleet.linux.tests.kernel.forking import clone3_fork
from ansible_collections.nsfleet.linux.tests.kernel.holders import (
    bind,
    details,
    exit_this_thread,
    fork,
    kinds,
    look,
    name_of,
    new_namespace,
    own,
    private_mounts,
    socket_of_new_network,
)

CHECKOUT = Path(__file__).resolve().parents[2]
MODULE = CHECKOUT / "plugins" / "modules" / "ns_facts.py"
CLONE_FILES = 0x400
OWN = {
    "mnt": namespaces.CLONE_NEWNS, "uts": namespaces.CLONE_NEWUTS, "ipc": namespaces.CLONE_NEWIPC,
    "pid": namespaces.CLONE_NEWPID, "net": namespaces.CLONE_NEWNET,
}


def hidden_mount() -> tuple[str, str]:
    """The caller's mount namespace, and a namespace that only a mount in there holds."""
    folder = private_mounts()
    fd = new_namespace()
    bind(fd, folder + "/hidden")
    name = name_of(fd)
    os.close(fd)
    return own("mnt"), name


def test_stacked_mounts_cost_what_is_seen_of_their_own_namespace(
    held: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stack() -> tuple[str, str]:
        names = hidden_mount()
        os.chdir("/")
        for dummy in range(5000):
            mounts.mount("/dev/null", "/dev/null", None, mounts.MS_BIND)
        return names

    other, greedy = held(hidden_mount, namespaces.CLONE_NEWNS), held(stack, namespaces.CLONE_NEWNS)
    begin = time.monotonic()
    lines = sum(1 for dummy in Proc().mount_lines(greedy.pid, "mountinfo"))
    # So much is read of each namespace: half of what this one takes, and a hundred times what others take.
    limit = (time.monotonic() - begin) / 2
    assert lines > 5000
    monkeypatch.setattr(proc, "_LONGEST_MOUNTINFO", limit)
    scan = look()
    late = {problem["what"] for problem in scan.problems.as_list() if problem["reason"] == "timed out"}
    assert late == {"mounts of " + greedy.said[0]}
    assert details(scan.namespaces[other.said[1]], "mount")["mount_namespace"] == other.said[0]
    assert scan.namespaces[other.said[1]].owner is not None
    assert scan.namespaces[greedy.said[0]].leader.pid == greedy.pid


def test_a_large_table_that_processes_share_is_read_once(
    held: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sharing, size = 30, 3000

    def share() -> tuple[list[int], str]:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (2 * size, hard))
        fd = new_namespace()
        null = os.open("/dev/null", os.O_RDONLY)
        for dummy in range(size):
            os.dup(null)
        last = os.dup(fd)
        os.close(fd)
        pids = [os.getpid()]
        for dummy in range(sharing - 1):
            pids.append(clone_sharing())
        return pids, name_of(last)

    pids, name = held(share).said
    links: dict[int, int] = {}
    real = Proc.descriptors

    def counted(self: Proc, pid: int, tid: int | None = None) -> Iterator[tuple[int, str]]:
        for found in real(self, pid, tid):
            links[pid] = links.get(pid, 0) + 1
            yield found

    monkeypatch.setattr(Proc, "descriptors", counted)
    scan = look()
    read = [links[pid] for pid in pids]
    assert len(read) == sharing
    assert sum(count > size for count in read) == 1
    # Of the others as much as it takes to see that a table is large.
    assert sum(count <= 1025 for count in read) == sharing - 1
    assert details(scan.namespaces[name], "descriptor")["pid"] in pids


def clone_sharing() -> int:
    """The pid of a child that shares the caller's table of descriptors, and ends with it."""
    child = clone3_fork(CLONE_FILES)
    if child.pid == 0:
        try:
            prctl.set_pdeathsig(signal.SIGKILL)
            while True:
                signal.pause()
        finally:
            os._exit(1)
    return child.pid


def test_a_slow_source_leaves_the_others_their_share(
    held: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = 6.0
    descriptor = held(lambda: name_of(new_namespace()))
    socket = held(socket_of_new_network)
    mount = held(hidden_mount, namespaces.CLONE_NEWNS)

    def slow(scan: Scan) -> None:
        while not scan.late("threads"):
            time.sleep(0.01)

    monkeypatch.setattr(threads, "find", slow)
    scan = look(timeout=seconds)
    assert kinds(scan.namespaces[descriptor.said]) == ["descriptor"]
    assert details(scan.namespaces[mount.said[1]], "mount")["mount_namespace"] == mount.said[0]
    assert [pin.details["pid"] for space in scan.namespaces.values() for pin in space.pins
            if pin.kind == "socket"].count(socket.pid) == 1
    late = {problem["what"] for problem in scan.problems.as_list() if problem["reason"] == "timed out"}
    assert late == {"threads"}
    # What is kept for the files of the engines.
    assert scan.clock.left() > 0.25 * seconds


def test_a_container_whose_first_thread_has_ended_is_told_of_in_full(held: Callable[..., Any]) -> None:
    def start() -> tuple[int, dict[str, str]]:
        for flag in OWN.values():
            namespaces.unshare(flag)
        mounts.mount("none", "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
        pid = fork(leave_a_thread, wait=False)
        spaces = {kind: own(kind) for kind in OWN if kind != "pid"}
        return pid, {**spaces, "pid": own("pid_for_children")}

    quiet = {problem["what"] for problem in look().problems.as_list() if problem["what"] == "mounts"}
    child = held(start)
    pid, spaces = child.said
    while Proc().stat(pid).state != "Z":
        time.sleep(0.001)
    facts = gather(Request())
    found = [container for container in facts["containers"] if container["pid"] == pid]
    assert len(found) == 1, facts["problems"]
    told = {kind: found[0]["namespaces"].get(kind) for kind in OWN}
    assert told == spaces
    assert not set(OWN) & set(found[0]["shared_with_host"])
    by_name = {space["name"]: space for space in facts["inventory"]}
    for kind, name in spaces.items():
        assert by_name[name]["containers"] == [found[0]["id"]], kind
        assert by_name[name]["owner"] == own("user"), kind
    # Mounts in folders that a plain user may not enter are refused on many machines, whoever is looked at.
    assert {problem["what"] for problem in facts["problems"] if "mounts" in problem["what"]} <= quiet, facts["problems"]


def leave_a_thread() -> None:
    threading.Thread(target=threading.Event().wait).start()
    exit_this_thread()


def cover_proc() -> None:
    mounts.mount("none", "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
    mounts.mount("nsfleet-test", "/proc", "tmpfs")


def test_without_proc_there_are_no_facts(in_child: Callable[..., Any]) -> None:
    def run() -> str:
        cover_proc()
        with pytest.raises(FileNotFoundError, match="no process is listed"):
            gather(Request())
        return "raised"

    assert in_child(run, namespaces.CLONE_NEWNS) == "raised"


def test_without_proc_the_module_fails_and_says_so(in_child: Callable[..., Any]) -> None:
    def run() -> tuple[int, str]:
        cover_proc()
        done = subprocess.run(
            [sys.executable, str(MODULE)], input=json.dumps({"ANSIBLE_MODULE_ARGS": {}}).encode(),
            env={**os.environ, "PYTHONPATH": str(CHECKOUT / ".collections")},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=15, check=False,
        )
        return done.returncode, done.stdout.decode()

    if importlib.util.find_spec("ansible") is None:
        # A managed host's Python has no Ansible; there the test above says what the module's file cannot.
        return
    code, output = in_child(run, namespaces.CLONE_NEWNS)
    assert code == 1, output
    answer = json.loads(output)
    assert answer["failed"] is True
    assert answer["msg"].startswith("The host's /proc must be readable") and answer["msg"].endswith("Mount it.")

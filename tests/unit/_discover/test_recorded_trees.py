# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the discovery makes of a recorded /proc."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any, Callable

import pytest
from recorded.tree import FIXED, OLDER, Tree

from ansible_collections.nsfleet.linux.plugins.module_utils._discover.scan import SOURCES, host_names, is_namespace
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.proc import Proc
from ansible_collections.nsfleet.linux.plugins.module_utils._model.inventory import TYPES

BLUE, GREEN = 4026532184, 4026532185


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Tree]:
    """A host with an init, kthreadd, and the caller as process 42."""

    def make(initial: dict[str, int] | None = None, kthreadd: bool = True) -> Tree:
        tree = Tree(tmp_path / "proc", FIXED if initial is None else initial)
        tree.process(1, "systemd", 1)
        if kthreadd:
            tree.process(2, "kthreadd", 1, kernel=True)
        tree.process(42, "python3")
        tree.caller(42)
        return tree

    return make


@pytest.fixture
def tree(build: Callable[..., Tree]) -> Tree:
    return build()


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, str], None]:
    """The kernel refuses a reader of /proc for one process: root of these tests may read every file."""

    def install(pid: int, reader: str) -> None:
        real = getattr(Proc, reader)

        def refused(self: Proc, asked: object, *rest: Any) -> Any:
            if str(asked) == str(pid):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(pid))
            return real(self, asked, *rest)

        monkeypatch.setattr(Proc, reader, refused)

    return install


def problems(scan: Any) -> set[tuple[str, str, int]]:
    return {(entry["what"], entry["reason"], entry["count"]) for entry in scan.problems.as_list()}


def pins(scan: Any, name: str) -> list[tuple[str, int, Any]]:
    return [(pin.kind, pin.count, pin.details.get("pid")) for pin in scan.namespaces[name].pins]


def test_a_quiet_host_has_one_initial_namespace_of_each_type(tree: Tree) -> None:
    scan = tree.scan()
    assert {space.type: space.inode for space in scan.namespaces.values()} == FIXED
    assert all(space.initial for space in scan.namespaces.values())
    assert scan.problems.complete and scan.problems.as_list() == []


def test_processes_of_one_namespace_are_counted_wherever_their_other_namespaces_are(tree: Tree) -> None:
    tree.process(100, net=BLUE)
    tree.process(101, net=BLUE, uts=GREEN)
    tree.process(102, net=BLUE, mnt=GREEN)
    scan = tree.scan()
    assert scan.namespaces[f"net:[{BLUE}]"].processes == 3
    assert sorted(scan.members[f"net:[{BLUE}]"]) == [100, 101, 102]
    assert scan.namespaces[tree.name("user")].processes == 6
    assert scan.namespaces[f"net:[{BLUE}]"].initial is False


def test_the_leader_is_the_oldest_process_not_the_lowest_pid(tree: Tree) -> None:
    # Pids start again from the bottom after pid_max.
    tree.process(100, "young", 9000, net=BLUE)
    tree.process(32000, "old", 5000, net=BLUE, uts=GREEN)
    tree.process(101, "younger", 9500, net=BLUE, uts=GREEN)
    scan = tree.scan()
    leader = scan.namespaces[f"net:[{BLUE}]"].leader
    assert leader is not None and (leader.pid, leader.comm, leader.start_time) == (32000, "old", 5000)
    assert pins(scan, f"net:[{BLUE}]") == [("process", 3, 32000)]


def test_the_lower_pid_leads_when_both_started_in_one_clock_tick(tree: Tree) -> None:
    tree.process(101, start=5000, net=BLUE, uts=GREEN)
    tree.process(100, start=5000, net=BLUE)
    leader = tree.scan().namespaces[f"net:[{BLUE}]"].leader
    assert leader is not None and leader.pid == 100


def test_only_a_different_namespace_for_children_is_a_pin(tree: Tree) -> None:
    tree.process(100, pid_for_children=BLUE, time_for_children=GREEN)
    scan = tree.scan()
    assert pins(scan, f"pid:[{BLUE}]") == [("pid_for_children", 1, 100)]
    assert pins(scan, f"time:[{GREEN}]") == [("time_for_children", 1, 100)]
    assert scan.namespaces[f"time:[{GREEN}]"].processes == 0
    assert {pin.kind for pin in scan.namespaces[tree.name("time")].pins} == {"process"}


def test_a_thread_pins_only_what_its_process_is_not_in(tree: Tree) -> None:
    tree.process(100, threads=3)
    tree.thread(100, 100)
    tree.thread(100, 101, net=BLUE)
    tree.thread(100, 102)
    scan = tree.scan()
    assert pins(scan, f"net:[{BLUE}]") == [("thread", 1, 100)]
    assert scan.namespaces[f"net:[{BLUE}]"].pins[0].details["tid"] == 101
    assert {pin.kind for pin in scan.namespaces[tree.name("uts")].pins} == {"process"}


def test_descriptors_of_one_process_are_one_pin_with_a_count(tree: Tree) -> None:
    tree.process(100)
    for number in (5, 6, 7):
        tree.descriptor(100, number, f"net:[{BLUE}]")
    tree.descriptor(100, 8, "socket:[1234]")
    tree.descriptor(100, 9, "/var/log/net:[1]")
    scan = tree.scan()
    assert pins(scan, f"net:[{BLUE}]") == [("descriptor", 3, 100)]
    assert "net:[1]" not in scan.namespaces


def test_a_mount_is_a_pin_with_its_path_and_mount_namespace(tree: Tree) -> None:
    tree.process(100, mnt=GREEN)
    tree.mount(100, f"net:[{BLUE}]", "/run/netns/blue\\040one")
    tree.mount(1, f"net:[{BLUE}]", "/run/netns/first")
    found = [pin.details for pin in tree.scan().namespaces[f"net:[{BLUE}]"].pins]
    assert found == [
        {"path": "/run/netns/first", "mount_namespace": tree.name("mnt"), "pid": 1},
        {"path": "/run/netns/blue one", "mount_namespace": f"mnt:[{GREEN}]", "pid": 100},
    ]


@pytest.mark.parametrize("sources, found", [(("processes",), False), (("processes", "mounts"), True)])
def test_only_the_sources_that_are_named_are_looked_at(tree: Tree, sources: tuple[str, ...], found: bool) -> None:
    tree.mount(1, f"net:[{BLUE}]", "/run/netns/blue")
    assert (f"net:[{BLUE}]" in tree.scan(sources).namespaces) is found


@pytest.mark.parametrize(
    "line",
    [
        "430 27 0:4 net:[4026532184] /run/netns/blue",
        "430 27 0:4 net:[4026532184] /run/netns/blue rw - ext4 net:[4026532184] rw",
        "430 27 0:4 /net:[4026532184] /run - nsfs nsfs rw - ext4 /dev/sda1 rw",
        "430 27 0:4 net:[x] /run/netns/blue rw - nsfs nsfs rw",
    ],
)
def test_a_line_of_mountinfo_that_is_no_namespace_is_passed_over(tree: Tree, line: str) -> None:
    with open(tree.root / "1" / "mountinfo", "a") as stream:
        stream.write(line + "\n")
    scan = tree.scan()
    assert len(scan.namespaces) == len(TYPES) and scan.problems.complete


@pytest.mark.parametrize(
    "link, told",
    [
        ("net:[1]", True), ("time:[4026531834]", True),
        ("/net:[1]", False), ("net:[]", False), ("net:[-1]", False), ("net:[1", False), ("net:[1]]", False),
        ("pipe:[1]", False), ("socket:[1]", False), ("anon_inode:[pidfd]", False), ("net:[1] (deleted)", False),
        ("", False), ("pid_for_children:[1]", False),
    ],
)
def test_only_the_kernel_s_names_are_namespaces(link: str, told: bool) -> None:
    assert is_namespace(link) is told


def test_an_older_kernel_s_net_and_mnt_are_told_by_kthreadd(build: Callable[..., Tree]) -> None:
    tree = build(OLDER)
    tree.process(100, net=BLUE, mnt=GREEN)
    scan = tree.scan()
    assert {name for name, space in scan.namespaces.items() if space.initial} == {tree.name(kind) for kind in TYPES}
    assert scan.namespaces[f"net:[{BLUE}]"].initial is False
    assert scan.namespaces[f"mnt:[{GREEN}]"].initial is False


def test_an_older_kernel_s_net_and_mnt_are_left_open_without_kthreadd(build: Callable[..., Tree]) -> None:
    tree = build(OLDER, kthreadd=False)
    tree.process(100, net=BLUE, uts=GREEN)
    scan = tree.scan()
    told = {name: space.initial for name, space in scan.namespaces.items()}
    assert (told[tree.name("net")], told[tree.name("mnt")], told[f"net:[{BLUE}]"]) == (None, None, None)
    assert (told[tree.name("uts")], told[f"uts:[{GREEN}]"]) == (True, False)


def test_a_process_2_that_is_no_kernel_thread_is_not_believed(build: Callable[..., Tree]) -> None:
    tree = build(OLDER, kthreadd=False)
    tree.process(2, "kthreadd", 1)
    assert tree.scan().namespaces[tree.name("net")].initial is None


def test_a_process_2_of_another_pid_namespace_is_not_believed(tmp_path: Path) -> None:
    # In a container: our pid namespace is not the initial one, and a process may be called anything.
    tree = Tree(tmp_path / "proc", {**OLDER, "pid": BLUE})
    tree.process(1)
    tree.process(2, "kthreadd", kernel=True)
    tree.caller(1)
    scan = tree.scan()
    assert scan.namespaces[tree.name("net")].initial is None
    assert scan.namespaces[f"pid:[{BLUE}]"].initial is False


def test_the_host_is_process_1(build: Callable[..., Tree]) -> None:
    tree = build(kthreadd=True)
    shutil.rmtree(tree.root / "1")
    tree.process(1, "init", 1, uts=GREEN)
    assert host_names(tree.scan(), tree.own()) == {**{kind: tree.name(kind) for kind in TYPES}, "uts": f"uts:[{GREEN}]"}


def caller_elsewhere(tree: Tree) -> None:
    (tree.root / "self").unlink()
    tree.process(50, net=BLUE)
    tree.caller(50)


def test_where_process_1_is_refused_the_host_is_kthreadd(tree: Tree, refuse: Callable[[int, str], None]) -> None:
    caller_elsewhere(tree)
    refuse(1, "namespaces")
    scan = tree.scan()
    assert host_names(scan, tree.own()) == {kind: tree.name(kind) for kind in TYPES}
    assert problems(scan) == {("processes", "refused: EACCES", 1)}
    assert 1 in scan.processes


def test_without_kthreadd_either_the_host_is_the_caller_s_own(
    build: Callable[..., Tree], refuse: Callable[[int, str], None]
) -> None:
    tree = build(kthreadd=False)
    caller_elsewhere(tree)
    refuse(1, "namespaces")
    assert host_names(tree.scan(), tree.own())["net"] == f"net:[{BLUE}]"


def test_in_another_pid_namespace_kthreadd_is_nobody_s_host(
    tmp_path: Path, refuse: Callable[[int, str], None]
) -> None:
    tree = Tree(tmp_path / "proc", {**FIXED, "pid": GREEN})
    tree.process(1)
    tree.process(2, "kthreadd", kernel=True)
    tree.process(42)
    tree.caller(42)
    caller_elsewhere(tree)
    refuse(1, "namespaces")
    assert host_names(tree.scan(), tree.own())["net"] == f"net:[{BLUE}]"


def test_each_type_falls_back_alone(build: Callable[..., Tree]) -> None:
    tree = build()
    shutil.rmtree(tree.root / "1")
    tree.process(1, "init", 1, uts=GREEN, net=None)
    told = host_names(tree.scan(), tree.own())
    assert (told["uts"], told["net"]) == (f"uts:[{GREEN}]", tree.name("net"))


def test_a_process_that_died_before_it_was_looked_at_is_no_problem(tree: Tree) -> None:
    (tree.root / "100").mkdir()
    scan = tree.scan()
    assert 100 not in scan.processes
    assert scan.problems.complete


def test_a_process_that_dies_between_two_reads_is_told_of_and_the_rest_is_right(tree: Tree) -> None:
    tree.process(100, net=BLUE)
    (tree.root / "100" / "stat").unlink()
    scan = tree.scan()
    assert problems(scan) == {("processes", "vanished", 1)}
    assert f"net:[{BLUE}]" not in scan.namespaces
    assert scan.namespaces[tree.name("net")].processes == 3


@pytest.mark.parametrize("reader", ["namespaces", "stat", "cgroup_text", "descriptors"])
def test_whatever_is_refused_is_counted_and_the_rest_is_right(
    tree: Tree, refuse: Callable[[int, str], None], reader: str
) -> None:
    tree.process(100, net=BLUE)
    tree.process(101, net=GREEN)
    refuse(100, reader)
    scan = tree.scan()
    what = "descriptors" if reader == "descriptors" else "processes"
    assert problems(scan) == {(what, "refused: EACCES", 1)}
    assert not scan.problems.complete
    assert scan.namespaces[f"net:[{GREEN}]"].processes == 1


def test_mounts_of_a_namespace_whose_only_process_refuses_are_told_of(tree: Tree) -> None:
    tree.process(100, mnt=GREEN)
    (tree.root / "100" / "mountinfo").unlink()
    assert problems(tree.scan()) == {("mounts", "vanished", 1)}


def test_mounts_are_read_through_the_next_process_when_the_first_is_gone(tree: Tree) -> None:
    tree.process(100, mnt=GREEN)
    tree.process(101, mnt=GREEN)
    tree.mount(101, f"net:[{BLUE}]", "/run/netns/blue")
    (tree.root / "100" / "mountinfo").unlink()
    scan = tree.scan()
    assert scan.problems.complete
    assert pins(scan, f"net:[{BLUE}]") == [("mount", 1, 101)]


def test_pins_beyond_the_limit_are_counted_and_the_process_stays(tree: Tree) -> None:
    tree.process(99, net=BLUE)
    for pid in range(100, 110):
        tree.process(pid)
        tree.descriptor(pid, 3, f"net:[{BLUE}]")
    scan = tree.scan(max_entries=4)
    assert [pin.kind for pin in scan.namespaces[f"net:[{BLUE}]"].pins] == ["process"] + 3 * ["descriptor"]
    assert problems(scan) == {(f"pins of net:[{BLUE}]", "truncated", 7)}


def test_when_the_time_is_up_every_source_says_what_it_left_out(tree: Tree) -> None:
    scan = tree.scan(timeout=0)
    told = {entry["reason"] for entry in scan.problems.as_list()}
    assert told == {"timed out"}
    assert ("processes", "timed out", 3) in problems(scan)


def test_a_proc_that_is_not_ours_to_see_ourselves_in_is_told_of(tree: Tree) -> None:
    (tree.root / "self").unlink()
    scan = tree.scan()
    assert problems(scan) == {("own namespaces", "unreachable", 1)}
    assert len(scan.namespaces) == len(TYPES)


@pytest.mark.parametrize("source", [source for source in SOURCES if source not in ("sockets", "ancestors")])
def test_hostile_entries_end_no_source(tree: Tree, source: str) -> None:
    folder = tree.process(100, "a) R 0 \n(b", threads=2, net=BLUE)
    (folder / "task").mkdir()
    os.mkfifo(folder / "task" / "101")
    os.mkfifo(folder / "fd" / "3")
    (folder / "fd" / "4").symlink_to("net:[4026532190]\nnet:[4026532191]")
    (folder / "mountinfo").unlink()
    os.mkfifo(folder / "mountinfo")
    (tree.root / "101").write_text("no folder")
    scan = tree.scan(("processes", source))
    assert scan.namespaces[f"net:[{BLUE}]"].processes == 1
    assert scan.processes[100].comm == "a) R 0 \n(b"
    assert {"net:[4026532190]", "net:[4026532191]"}.isdisjoint(scan.namespaces)

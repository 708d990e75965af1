# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command started, told and ended by a cgroup of its own, on the real kernel."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._enter import started as module
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.started import Started, sweep
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import cgroups
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.libc import KernelLacks
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.proc import Proc, parse_cgroups
from ansible_collections.nsfleet.linux.plugins.module_utils._model.entry import Refused

SECONDS = 10.0


def mounted(fstype: str, controller: str = "") -> Path | None:
    """Where findmnt(8) says a hierarchy is."""
    options = ["--options", controller] if controller else []
    command = ["findmnt", "--noheadings", "--first-only", "--output", "TARGET", "--types", fstype, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return Path(done.stdout.strip()) if done.returncode == 0 else None


@pytest.fixture
def here(host_root: bool) -> Path:
    """The cgroup of version 2 of this process, in which root may make others. Nobody may not."""
    top = mounted("cgroup2")
    if top is None or not host_root:
        pytest.skip("needs root of the initial user namespace and a mounted cgroup version 2")
    path = next(line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
    return Path(str(top) + path.rstrip("/"))


@pytest.fixture
def started(here: Path) -> Iterator[Started]:
    made = Started()
    yield made
    made.kill()
    until(lambda: not made.pids())
    made.close()


@pytest.fixture
def without_kill(monkeypatch: pytest.MonkeyPatch) -> None:
    """As before 5.14."""

    def lacking(folder: str) -> None:
        raise KernelLacks("cgroup.kill", "5.14", errno.ENOENT)

    monkeypatch.setattr(cgroups, "kill", lacking)


@pytest.fixture
def without_freeze(without_kill: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As before 5.2."""

    def lacking(folder: str, stop: bool) -> None:
        raise KernelLacks("cgroup.freeze", "5.2", errno.ENOENT)

    monkeypatch.setattr(cgroups, "freeze", lacking)


@pytest.fixture(params=["cgroup.kill", "freezer", "signals only"])
def each_kernel(request: pytest.FixtureRequest) -> None:
    names = {"freezer": "without_kill", "signals only": "without_freeze"}
    if request.param in names:
        request.getfixturevalue(names[request.param])


def until(look: Callable[[], Any]) -> bool:
    deadline = time.monotonic() + SECONDS
    while not look():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def run(started: Started, *command: str) -> subprocess.Popen:
    """A command that begins when it is in the cgroup."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import os, sys; sys.stdin.read(1); os.execvp(sys.argv[1], sys.argv[1:])", *command],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin
    started.enter(process.pid)
    process.stdin.write(b"x")
    process.stdin.close()
    return process


ORPHANS = "setsid sh -c 'sleep 100 & sleep 101 &' & wait; (setsid sleep 102 &); exit 0"


def test_orphans_in_sessions_of_their_own_are_known(started: Started) -> None:
    process = run(started, "sh", "-c", ORPHANS)
    assert process.wait(SECONDS) == 0
    assert until(lambda: [each["comm"] for each in started.left()] == ["sleep"] * 3)
    for each in started.left():
        stat = Path("/proc/%d/stat" % each["pid"]).read_text()
        assert each["start_time"] == int(stat.rpartition(")")[2].split()[19])


def test_those_in_a_pid_namespace_are_known_by_our_pids(started: Started) -> None:
    run(started, "unshare", "--pid", "--fork", "--kill-child", "sleep", "100")
    assert until(lambda: "sleep" in [each["comm"] for each in started.left()])
    assert {each["comm"] for each in started.left()} == {"unshare", "sleep"}


@pytest.mark.usefixtures("each_kernel")
def test_all_are_ended(started: Started) -> None:
    process = run(started, "sh", "-c", ORPHANS)
    process.wait(SECONDS)
    inside = run(started, "unshare", "--pid", "--fork", "sh", "-c", "trap '' TERM; sleep 100")
    assert until(lambda: len(started.pids()) >= 5)
    started.kill()
    assert until(lambda: not started.pids())
    assert Path(started.folder or "", "cgroup.freeze").read_text() == "0\n"
    inside.wait(SECONDS)


BOMB = """
import os, signal
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    try:
        if os.fork() == 0:
            os.setsid()
    except OSError:
        pass
"""


@pytest.mark.usefixtures("each_kernel")
def test_a_fork_bomb_is_ended(started: Started) -> None:
    pids = mounted("cgroup", "pids")
    if pids is None:
        pytest.skip("a fork bomb is not let loose without a limit: no version 1 pids controller is mounted")
    limited = pids / ("nsfleet-test-%d" % os.getpid())
    limited.mkdir()
    (limited / "pids.max").write_text("60")
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read(1)\n" + BOMB], stdin=subprocess.PIPE)
    assert process.stdin
    try:
        (limited / "cgroup.procs").write_text(str(process.pid))
        started.enter(process.pid)
        process.stdin.write(b"x")
        process.stdin.close()
        assert until(lambda: len(started.pids()) > 40)
        began = time.monotonic()
        started.kill()
        assert until(lambda: not started.pids())
        assert time.monotonic() - began < 3
        process.wait(SECONDS)
    finally:
        attempt(lambda: Path(started.folder or "", "cgroup.kill").write_text("1"))
        assert until(lambda: not (limited / "cgroup.procs").read_text())
        assert until(lambda: attempt(limited.rmdir))


def attempt(function: Callable[[], Any]) -> bool:
    try:
        function()
    except OSError:
        return False
    return True


def test_sigterm_reaches_all_and_nobody_else(started: Started) -> None:
    beside = subprocess.Popen(["sleep", "100"])
    try:
        run(started, "sh", "-c", "sleep 100 & setsid sleep 101 & wait")
        assert until(lambda: [each["comm"] for each in started.left()].count("sleep") == 2)
        started.terminate()
        assert until(lambda: not started.pids())
        assert beside.poll() is None
    finally:
        beside.kill()
        beside.wait()


def test_one_that_left_before_it_was_pinned_is_not_signalled(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    beside = subprocess.Popen(["sleep", "100"])
    real = module.Started.pids
    answers = [[beside.pid]]
    monkeypatch.setattr(module.Started, "pids", lambda self: answers.pop() if answers else real(self))
    try:
        started.terminate()
        assert not answers
        with pytest.raises(subprocess.TimeoutExpired):
            beside.wait(0.3)
    finally:
        beside.kill()
        beside.wait()


def test_an_empty_one_is_removed(here: Path) -> None:
    made = Started()
    folder = Path(made.folder or "")
    assert folder.parent == here and folder.is_dir() and folder.name.startswith("nsfleet-%d-" % os.getpid())
    process = run(made, "true")
    process.wait(SECONDS)
    made.close()
    assert not folder.exists()


def test_what_is_left_goes_on_in_the_cgroup_above(here: Path) -> None:
    made = Started()
    folder = Path(made.folder or "")
    process = run(made, "sleep", "100")
    inner = folder / "inner"
    inner.mkdir()
    other = run(made, "sleep", "100")
    (inner / "cgroup.procs").write_text(str(other.pid))
    assert until(lambda: sorted(made.pids()) == sorted([process.pid, other.pid]))
    made.close()
    try:
        assert not folder.exists()
        for each in (process, other):
            assert each.poll() is None
            assert str(each.pid) in (here / "cgroup.procs").read_text().split()
    finally:
        for each in (process, other):
            each.kill()
            each.wait()


def test_what_a_killed_run_left_empty_is_swept(here: Path, in_child: Callable[..., Any]) -> None:
    left = Path(in_child(lambda: Started().folder))
    assert left.is_dir()
    made = Started()
    made.close()
    assert not left.exists()


def test_neither_a_living_run_s_nor_a_full_one_is_swept(here: Path, held: Callable[..., Any], in_child: Any) -> None:
    living = Path(held(lambda: Started().folder).said)
    full = Path(in_child(lambda: Started().folder))
    process = subprocess.Popen(["sleep", "100"])
    try:
        (full / "cgroup.procs").write_text(str(process.pid))
        sweep(str(here))
        assert living.is_dir() and full.is_dir()
    finally:
        process.kill()
        process.wait()
        assert until(lambda: attempt(full.rmdir))
        living.rmdir()


def test_one_that_was_swept_is_made_again(started: Started) -> None:
    os.rmdir(started.folder or "")
    process = run(started, "sleep", "100")
    assert started.pids() == [process.pid]


@pytest.fixture
def container(here: Path) -> Iterator[tuple]:
    """A sleeping process in cgroups of its own: in all hierarchies of version 1 that are mounted, and in version 2."""
    name = "nsfleet-test-%d-c" % os.getpid()
    process = subprocess.Popen(["sleep", "100"])
    folders = []
    for cgroup in parse_cgroups(Path("/proc/self/cgroup").read_bytes()):
        top = mounted("cgroup", cgroup.controllers) if cgroup.hierarchy else here
        if top is None:
            continue
        above = top / cgroup.path.strip("/") if cgroup.hierarchy else here
        folder = above / name
        folder.mkdir()
        folders.append(folder)
        if cgroup.controllers == "cpuset":
            for file in ("cpuset.cpus", "cpuset.mems"):
                (folder / file).write_text((above / file).read_text())
        (folder / "cgroup.procs").write_text(str(process.pid))
    yield process.pid, folders
    process.kill()
    process.wait()
    for folder in folders:
        assert until(partial(attempt, folder.rmdir)), folder


def test_a_container_s_cgroups_are_joined_all_and_version_2_by_a_child(container: tuple) -> None:
    pid = container[0]
    made = Started(pid)
    process = run(made, "sleep", "100")
    try:
        leader = parse_cgroups(Path("/proc/%d/cgroup" % pid).read_bytes())
        joined = parse_cgroups(Path("/proc/%d/cgroup" % process.pid).read_bytes())
        assert [each for each in joined if each.hierarchy] == [each for each in leader if each.hierarchy]
        assert [each.path.rpartition("/")[0] for each in joined if not each.hierarchy] == [
            each.path for each in leader if not each.hierarchy
        ]
        assert made.pids() == [process.pid]
    finally:
        process.kill()
        process.wait()
        made.close()


@pytest.mark.parametrize("version", [1, 2])
def test_a_frozen_container_is_refused(version: int, container: tuple) -> None:
    pid, folders = container
    names = {1: ("freezer.state", "FROZEN", "THAWED"), 2: ("cgroup.freeze", "1", "0")}
    name, stop, go = names[version]
    switch = next((folder / name for folder in folders if (folder / name).exists()), None)
    if switch is None:
        pytest.skip("this kernel has no freezer of version %d mounted" % version)
    switch.write_text(stop)
    try:
        with pytest.raises(Refused, match="paused.*frozen"):
            Started(pid)
    finally:
        switch.write_text(go)


def test_one_that_is_frozen_from_above_is_refused(here: Path, container: tuple) -> None:
    pid, folders = container
    inner = next(folder for folder in folders if (folder / "cgroup.freeze").exists()) / "inner"
    inner.mkdir()
    (inner / "cgroup.procs").write_text(str(pid))
    (inner.parent / "cgroup.freeze").write_text("1")
    try:
        with pytest.raises(Refused, match="paused.*frozen"):
            Started(pid)
    finally:
        (inner.parent / "cgroup.freeze").write_text("0")
        (inner.parent / "cgroup.procs").write_text(str(pid))
        inner.rmdir()


def test_a_container_that_is_gone_is_refused(here: Path, in_child: Callable[..., Any]) -> None:
    with pytest.raises(Refused, match="ENOENT.*Nothing has run"):
        Started(in_child(os.getpid))


def test_without_version_2_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    real = cgroups.hierarchies
    monkeypatch.setattr(cgroups, "hierarchies", lambda proc: [each for each in real(proc) if each.names])
    made = Started()
    assert made.folder is None and "no cgroup version 2" in (made.unproven or "")
    made.enter(os.getpid())
    made.kill()
    assert made.pids() == made.left() == []
    made.close()


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_where_none_may_be_made_it_is_said(code: int, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: str, mode: int = 0) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(module.os, "mkdir", refused)
    made = Started()
    assert made.folder is None and errno.errorcode[code] in (made.unproven or "")


def test_in_a_container_that_lets_none_be_made_its_own_is_joined(
    container: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: str, mode: int = 0) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(module.os, "mkdir", refused)
    made = Started(container[0])
    process = run(made, "sleep", "100")
    try:
        assert Path("/proc/%d/cgroup" % process.pid).read_text() == Path("/proc/%d/cgroup" % container[0]).read_text()
    finally:
        process.kill()
        process.wait()


def test_a_hundred_leave_nothing_behind(here: Path) -> None:
    before = sorted(path.name for path in here.iterdir()), len(os.listdir("/proc/self/fd"))
    for dummy in range(100):
        Started().close()
    after = sorted(path.name for path in here.iterdir()), len(os.listdir("/proc/self/fd"))
    assert [name for name in after[0] if "-%d-" % os.getpid() in name] == [] and after[1] == before[1]


def line(root: str, path: str, kind: str, options: str) -> bytes:
    return ("30 20 0:30 %s %s rw - %s none %s\n" % (root, path, kind, options)).encode()


@pytest.mark.parametrize(
    "mounts, cgroup, found",
    [
        (line("/", "{top}", "cgroup2", "rw"), b"0::/a/b", "{top}/a/b"),
        (line("/", "{top}", "cgroup2", "rw"), b"0::/", "{top}"),
        (line("/a", "{top}", "cgroup2", "rw"), b"0::/a/b", "{top}/b"),
        (line("/a", "{top}", "cgroup2", "rw"), b"0::/a", "{top}"),
        (line("/a", "{top}", "cgroup2", "rw"), b"0::/ab", None),
        (line("/a", "{top}", "cgroup2", "rw"), b"0::/", None),
        (line("/", "{top}", "cgroup2", "rw"), b"0::/../x", None),
        (line("/../..", "{top}", "cgroup2", "rw"), b"0::/", None),
        (line("/", "{top}", "cgroup", "rw,cpu,cpuacct"), b"4:cpu,cpuacct:/a/b", "{top}/a/b"),
        (line("/", "{top}", "cgroup", "rw,cpuacct"), b"4:cpu,cpuacct:/a/b", None),
        (line("/", "{top}", "cgroup", "rw,xattr,name=systemd"), b"1:name=systemd:/a", "{top}/a"),
        (line("/", "{top}", "cgroup", "rw,memory"), b"0::/a", None),
        (line("/", "{top}", "cgroup2", "rw"), b"0::/gone", None),
    ],
)
def test_a_cgroup_s_folder(mounts: bytes, cgroup: bytes, found: str | None, tmp_path: Path) -> None:
    for name in ("top/a/b", "top/b", "top/ab", "x"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "self").mkdir()
    top = str(tmp_path / "top")
    (tmp_path / "self/mountinfo").write_bytes(mounts.replace(b"{top}", top.encode()))
    hierarchies = cgroups.hierarchies(Proc(str(tmp_path)))
    expected = found and found.format(top=top)
    assert cgroups.folder_of(parse_cgroups(cgroup)[0], hierarchies) == expected

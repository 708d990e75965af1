# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ns_unshare with detach: what goes on when the task has ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._create import outside
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.proc import Proc
from ansible_collections.nsfleet.linux.tests.kernel.exec_lab import links, until
from ansible_collections.nsfleet.linux.tests.kernel.unshare_lab import ns_unshare, refused


@pytest.fixture
def detached() -> Iterator[Callable[..., dict[str, Any]]]:
    """Starts one, which the test's end ends."""
    started: list[dict[str, Any]] = []

    def start(**given: Any) -> dict[str, Any]:
        result = ns_unshare(detach=True, **given)
        assert not result.get("failed") and result["changed"] and result["rc"] is None, result
        started.append(result)
        return result

    yield start
    for result in started:
        if alive(result):
            os.kill(result["pid"], signal.SIGKILL)
        until(lambda result=result: not alive(result))


def opened(pid: int) -> set[str]:
    """What a process has open, but for what it has closed meanwhile."""
    found = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.add(os.readlink(f"/proc/{pid}/fd/{name}"))
        except FileNotFoundError:
            continue
    return found


def alive(result: dict[str, Any]) -> bool:
    """Whether it is the same process, and runs."""
    try:
        stat = Proc().stat(result["pid"])
    except OSError:
        return False
    return stat.start_time == result["start_time"] and stat.state not in "ZX"


@pytest.mark.parametrize("types", [["net"], ["pid", "net"], ["user", "pid", "mnt"], ["time", "uts"]])
def test_pid_and_start_time_are_those_of_the_command(types: list[str], detached: Callable[..., dict[str, Any]]) -> None:
    result = detached(namespaces=types, cmd="sleep 300")
    assert alive(result) and Path(f"/proc/{result['pid']}/cmdline").read_bytes() == b"sleep\x00300\x00"
    theirs = links(result["pid"])
    assert {kind: theirs[kind] for kind in types} == result["namespaces"]


@pytest.mark.parametrize("types", [["net"], ["pid"], ["time"]])
def test_nothing_of_ours_is_its(types: list[str], detached: Callable[..., dict[str, Any]]) -> None:
    pid = detached(namespaces=types, cmd="sleep 300")["pid"]
    found = Proc().stat(pid)
    assert os.getsid(pid) == pid != os.getsid(0)
    until(lambda: opened(pid) == {"/dev/null"})  # when it has loaded its libraries
    # Its worker is gone, and with it went nobody.
    until(lambda: Proc().stat(pid).ppid != found.ppid or found.ppid == 1 or not Path(f"/proc/{found.ppid}").exists()
          or Proc().stat(found.ppid).comm != "python")
    assert alive({"pid": pid, "start_time": found.start_time})


def test_its_cgroup_is_outside_of_the_login(host_root: bool, detached: Callable[..., dict[str, Any]]) -> None:
    result = detached(namespaces=["net"], cmd="sleep 300")
    cgroups = Path(f"/proc/{result['pid']}/cgroup").read_text().split("\n")
    if host_root and outside._places():
        told = [line for line in cgroups if line.startswith("0::") or ":name=systemd:" in line]
        assert told and all("/nsfleet/detached-" in line for line in told)
        assert "warnings" not in result
    else:
        assert any("stays in the cgroup of the login" in warning for warning in result["warnings"])


def test_what_it_says_goes_to_the_log(detached: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    detached(namespaces=["net"], argv=["sh", "-c", "echo out; echo err >&2; exec sleep 300"], log=str(log))
    until(lambda: log.read_text() == "before\nout\nerr\n")


def test_a_new_log_is_nobody_else_s(detached: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    log = tmp_path / "log"
    detached(namespaces=["net"], cmd="sleep 300", log=str(log))
    assert log.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kind", ["link", "fifo", "folder", "nowhere"])
def test_a_log_that_is_no_file_is_refused(kind: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    {"link": lambda: log.symlink_to("/etc/passwd"), "fifo": lambda: os.mkfifo(log), "folder": log.mkdir,
     "nowhere": lambda: None}[kind]()
    path = str(log / "deeper") if kind == "nowhere" else str(log)
    sentence = refused(namespaces=["net"], cmd="sleep 300", detach=True, log=path)
    assert sentence.startswith("log is %s, which cannot be written to (" % path)


def test_what_cannot_be_executed_fails_the_task() -> None:
    assert "(EACCES)" in refused(namespaces=["net", "pid"], cmd="/etc/passwd", detach=True)


def test_init_is_what_is_told_and_ends_with_the_command(detached: Callable[..., dict[str, Any]]) -> None:
    result = detached(namespaces=["pid"], cmd="sleep 300", init=True)
    children = Path(f"/proc/{result['pid']}/task/{result['pid']}/children")
    until(lambda: children.read_text().split())
    (command,) = children.read_text().split()
    assert Path(f"/proc/{command}/cmdline").read_bytes() == b"sleep\x00300\x00"
    # A signal to process 1 reaches the command, which has no handler, and both are gone.
    os.kill(result["pid"], signal.SIGTERM)
    until(lambda: not alive(result) and not Path(f"/proc/{command}").exists())


def test_cgroups_of_those_that_ended_are_swept(host_root: bool, detached: Callable[..., dict[str, Any]]) -> None:
    if not (host_root and outside._places()):
        return
    first = detached(namespaces=["net"], cmd="sleep 300")
    (line,) = [line for line in Path(f"/proc/{first['pid']}/cgroup").read_text().split("\n") if line.startswith("0::")]
    name = line.rpartition("/")[2]
    os.kill(first["pid"], signal.SIGKILL)
    until(lambda: not alive(first))

    def swept() -> bool:
        detached(namespaces=["net"], cmd="sleep 300")
        return not any(os.path.exists("%s/%s" % (place, name)) for place, dummy in outside._places())

    until(swept)


def test_its_cgroup_is_not_swept_before_it_is_in_there(host_root: bool) -> None:
    """By another task that runs at the same time."""
    if not (host_root and outside._places()):
        pytest.skip("who is not root of the host has no cgroup outside of the login")
    made = outside.Outside("detached-0-test")
    try:
        outside.sweep()
        assert made.folders and all(os.path.isdir(folder) for folder in made.folders)
        made.release()
        outside.sweep()
        assert not any(os.path.isdir(folder) for folder in made.folders)
    finally:
        made.remove()


def test_many_at_once_are_all_executed(detached: Callable[..., dict[str, Any]]) -> None:
    """Each sweeps what others have left; none may take another's for that."""
    with ThreadPoolExecutor(8) as pool:
        for result in [pool.submit(detached, namespaces=["net", "pid"], cmd="sleep 300") for dummy in range(40)]:
            assert alive(result.result())

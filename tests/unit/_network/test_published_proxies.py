# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processes are believed to be proxies, and what of a hostile one's command line."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from recorded.tree import FIXED, Tree

from ansible_collections.nsfleet.linux.plugins.module_utils._discover.scan import Clock, Scan
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.proc import Proc
from ansible_collections.nsfleet.linux.plugins.module_utils._model.inventory import Container, Problems, Process
from ansible_collections.nsfleet.linux.plugins.module_utils._network.proxies import Forward, Proxy, proxies

LINE = "docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 8080 -container-ip 172.17.0.2 -container-port 80"
FORWARD = Forward("tcp", "0.0.0.0", 8080, "172.17.0.2", 80)


class Host:
    """A recorded /proc with processes of which each has a name and a command line."""

    def __init__(self, root: Path) -> None:
        self.tree = Tree(root / "proc", FIXED)
        self.scan = Scan(Proc(str(root / "proc")), Problems(), Clock(20))

    def process(self, pid: int, comm: str = "docker-proxy", line: str = LINE, uids: str = "0\t0\t0\t0") -> None:
        folder = self.tree.process(pid, comm)
        (folder / "cmdline").write_bytes(line.replace(" ", "\0").encode() + b"\0")
        (folder / "status").write_text(f"Name:\t{comm}\nUid:\t{uids}\n")
        names = tuple(f"{kind}:[{pid}]" for kind in ("mnt", "uts", "ipc", "pid", "net", "user", "cgroup", "time"))
        self.scan.processes[pid] = Process(pid, 1, pid, comm, "S", 1, False, names)


class Files:
    """In place of the reader of files: what it reads is in ``lines``, or it does not answer."""

    def __init__(self, **stuck: Any) -> None:
        self.asked: list[str] = []

    def read(self, path: str, _limit: int) -> bytes:
        self.asked.append(path)
        raise TimeoutError(errno.ETIMEDOUT, "no answer", path)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def found(host: Host, *containers: Container, files: Any = None) -> list[Proxy]:
    return proxies(host.scan, files, containers)


@pytest.mark.parametrize("comm", ["docker-proxy", "rootlesskit-doc"])
def test_docker_s_proxies_are_found(host: Host, comm: str) -> None:
    host.process(7, comm)
    assert found(host) == [Proxy(7, comm, 0, "net:[7]", (FORWARD,))]
    assert host.scan.problems.complete


@pytest.mark.parametrize("comm", ["pasta", "pasta.avx2"])
def test_pasta_is_found(host: Host, comm: str) -> None:
    host.process(7, comm, "pasta -t 127.0.0.1/80")
    assert found(host) == [Proxy(7, comm, 0, "net:[7]", (Forward("tcp", "127.0.0.1", 80, None, 80),))]


def test_a_process_of_another_name_is_none(host: Host) -> None:
    host.process(7, "docker-proxy2")
    assert found(host) == []


def test_a_container_s_process_is_none_whatever_it_is_called(host: Host) -> None:
    host.process(7)
    host.process(8)
    assert [proxy.pid for proxy in found(host, Container("web", "docker", "web", 5, 5, members=[5, 7]))] == [8]


@pytest.mark.parametrize("uids", ["1000\t0\t0\t0", "0\t1000\t0\t0", "0\t0\t1000\t0", "0\t0\t0\t1000"])
def test_who_is_root_by_a_setuid_program_is_not_root(host: Host, uids: str) -> None:
    host.process(7, uids=uids)
    assert [proxy.uid for proxy in found(host)] == [1000]


def test_who_lets_us_wait_is_asked_once(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    for pid in (7, 8, 9):
        host.process(pid, uids="1000\t1000\t1000\t1000")
    host.process(10)
    files = Files()
    # The command lines of this machine's /proc come from the reader, whose deadline has passed here.
    monkeypatch.setattr(host.scan.proc, "status", Proc(host.scan.proc.root).status)
    host.scan.proc.root = "/proc"
    assert found(host, files=files) == []
    assert files.asked == ["/proc/7/cmdline", "/proc/10/cmdline"]
    assert host.scan.problems.as_list() == [{"what": "proxies", "reason": "timed out", "count": 2}]


def test_who_died_meanwhile_is_nobody(host: Host) -> None:
    host.process(7)
    (host.tree.root / "7" / "status").unlink()
    host.process(8)
    (host.tree.root / "8" / "cmdline").unlink()
    assert found(host) == []
    assert host.scan.problems.complete


@pytest.mark.parametrize("line", ["", "docker-proxy", "docker-proxy -host-port", "\xff" * 99, "-" * 99_999])
def test_a_command_line_of_anything_is_no_forward(host: Host, line: str) -> None:
    host.process(7, line=line)
    assert [proxy.forwards for proxy in found(host)] == [()]


def test_those_that_are_too_many_are_counted(host: Host) -> None:
    names = (None,) * 8
    for pid in range(100, 100 + 4096 + 5):
        host.scan.processes[pid] = Process(pid, 1, pid, "pasta", "S", 1, False, names)
    assert found(host) == []
    assert host.scan.problems.as_list() == [{"what": "proxies", "reason": "truncated", "count": 5}]


def test_when_the_time_is_up_the_others_are_counted(host: Host) -> None:
    host.process(7)
    host.process(8)
    host.scan.clock = Clock(-1)
    assert found(host) == []
    assert host.scan.problems.as_list() == [{"what": "proxies", "reason": "timed out", "count": 2}]

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users write is read within bounds of their own, and a program they started as root is not root's word."""

from __future__ import annotations

import errno
import sys
import time
from typing import Iterator

import pytest
from recorded.engines import OWN, conmon, docker, identity, podman, podman_storage, runc_state
from recorded.host import USER, Host, unified

from ansible_collections.nsfleet.linux.plugins.module_utils._engines import runc
from ansible_collections.nsfleet.linux.plugins.module_utils._engines.lookup import Lookup
from ansible_collections.nsfleet.linux.plugins.module_utils._engines.view import View
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.proc import Proc
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.reader import FileReader
from ansible_collections.nsfleet.linux.plugins.module_utils._model.inventory import Problems

WEB = identity("web")
HIS = f"/user.slice/user-{USER}.slice/user@{USER}.service/mine"
HIS_RUNC = f"/run/user/{USER}/runc"
LARGEST_OF_A_USER = 1 << 18


@pytest.fixture
def view(host: Host) -> Iterator[View]:
    with FileReader(str(host.root)) as files:
        yield View({}, Proc(str(host.root / "proc")), files, (), {}, Problems())


@pytest.fixture
def unlimited_digits() -> Iterator[None]:
    """As in Pythons that do not bound the digits of a number: 3.8.10 of Ubuntu 20.04, 3.9.2 of Debian 11."""
    if not hasattr(sys, "set_int_max_str_digits"):
        yield
        return
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    yield
    sys.set_int_max_str_digits(before)


def set_uids(host: Host, pid: int, uids: str) -> None:
    """Real, effective, saved and file system's uid of a process."""
    status = host.root / "proc" / str(pid) / "status"
    lines = ["Uid:\t" + "\t".join(uids.split()) if line.startswith("Uid:") else line
             for line in status.read_text().splitlines()]
    status.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("uids", [f"{USER} 0 0 0", f"0 {USER} 0 0", f"0 0 {USER} 0", f"0 0 0 {USER}"])
def test_a_process_with_any_uid_of_a_user_is_the_user_s(host: Host, view: View, uids: str) -> None:
    host.process(100, 1, "conmon")
    assert view.uid(100) == 0
    set_uids(host, 100, uids)
    assert view.uid(100) == USER


def test_a_setuid_program_under_an_engine_s_name_does_not_rename_root_s_container(host: Host) -> None:
    graph = "/home/anna/storage"
    conmon(host, 100, "evil", WEB, graph=graph, run="/home/anna/run")
    podman_storage(host, graph, {WEB: "evil"}, image="evil")
    host.give("/home", USER)
    set_uids(host, 100, f"{USER} 0 0 0")
    podman(host)
    found = host.container()
    assert (found.name, found.image) == ("web", "localhost/shop:latest")


def test_of_a_user_s_containers_so_many_are_read_and_the_others_counted(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(200):
        runc_state(host, HIS_RUNC, f"c{number}", 10000 + number)
    for number in range(140):
        runc_state(host, "/run/runc", f"r{number}", 20000 + number)
    host.give("/run/user", USER)
    docker(host)
    read = []
    real = runc.runtime_state

    def counted(lookup: Lookup, folder: str) -> object:
        read.append(folder)
        return real(lookup, folder)

    monkeypatch.setattr(runc, "runtime_state", counted)
    assert host.container().name == "web"
    assert sum(folder.startswith(HIS_RUNC) for folder in read) == 128
    assert sum(folder.startswith("/run/runc/") for folder in read) == 140
    left_out = [problem for problem in host.problems.as_list() if problem["reason"] == "truncated"]
    assert left_out == [{"what": f"state of runc of uid {USER}", "reason": "truncated", "count": 72}]


def state_of(host: Host, folder: str, size: int) -> None:
    """A runc container C(mine) whose state file is so large."""
    runc_state(host, folder, "mine", 700)
    path = host.root / f"{folder}/mine/state.json".lstrip("/")
    # Blanks between two keys: valid JSON, and the head and the end are runc's.
    state = path.read_bytes()
    path.write_bytes(state.replace(b',"rootless"', b"," + b" " * (size - len(state)) + b'"rootless"'))
    assert path.stat().st_size == size


@pytest.mark.parametrize("size, read", [(LARGEST_OF_A_USER, True), (LARGEST_OF_A_USER + 1, False)])
def test_a_user_s_state_file_is_read_up_to_a_size(host: Host, size: int, read: bool) -> None:
    state_of(host, HIS_RUNC, size)
    host.give("/run/user", USER)
    host.process(700, 1, cgroup=unified(HIS), own=host.namespaces("user", *OWN), uid=USER)
    host.file("/proc/700/uid_map", f"         0 {USER:10d}          1\n")
    assert ([entry.name for entry in host.containers() if entry.engine == "runc"] == ["mine"]) is read
    assert ("state of runc" in {what for what, dummy in host.told()}) is not read


def test_root_s_state_file_may_be_larger(host: Host) -> None:
    state_of(host, "/run/runc", LARGEST_OF_A_USER * 4)
    host.process(700, 1, cgroup=unified("/mine"), own=host.namespaces(*OWN))
    assert host.container().engine == "runc"
    assert host.told() == set()


def test_a_number_of_many_digits_is_refused_at_once(view: View, unlimited_digits: None) -> None:
    lookup = Lookup(view, USER)
    begin = time.monotonic()
    assert lookup.parse(b'{"pid":' + b"9" * 400000 + b"}", "/state.json") is None
    assert time.monotonic() - begin < 1.0
    assert lookup.trouble is not None and lookup.trouble.errno == errno.EBADMSG


@pytest.mark.parametrize("number", [0, -1, 4711, (1 << 63) - 1, (1 << 64) - 1])
def test_numbers_that_engines_write_are_read(view: View, number: int) -> None:
    assert Lookup(view).parse(b'{"pid":%d}' % number, "/state.json") == {"pid": number}


def test_a_state_file_full_of_digits_costs_its_own_container_only(host: Host, unlimited_digits: None) -> None:
    for number in range(8):
        host.file(f"{HIS_RUNC}/c{number}/state.json", b'{"init_process_pid":' + b"9" * 100000 + b"}")
    host.give("/run/user", USER)
    docker(host)
    begin = time.monotonic()
    assert host.container().name == "web"
    assert time.monotonic() - begin < 1.0
    assert "state of runc" in {what for what, dummy in host.told()}


def test_the_root_of_a_process_is_looked_for_within_the_time_of_all(host: Host) -> None:
    host.process(100, 1, "conmon", own=host.namespaces("mnt"))
    processes, problems = host.scan(), Problems()
    names = processes[1].namespaces
    with FileReader(str(host.root)) as files:
        late = View(processes, Proc(str(host.root / "proc")), files, names, {}, problems, time.monotonic())
        assert late.other_root(processes[100]) is False
    assert {problem["reason"] for problem in problems.as_list()} == {"timed out"}

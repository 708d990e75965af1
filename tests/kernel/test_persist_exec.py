# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ns_exec in units that ns_persist keeps."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from ansible_collections.nsfleet.linux.tests.kernel.exec_lab import ns_exec, succeeded
from ansible_collections.nsfleet.linux.tests.kernel.persist_lab import EIGHT, alone, inits, kept, newer, until

READ = "for kind in mnt uts ipc pid net user cgroup time; do readlink /proc/self/ns/$kind; done"


@alone
@pytest.mark.parametrize("types", [EIGHT, ["mnt"], ["mnt", "uts", "net"], ["user", "mnt", "net"], ["pid"],
                                   ["pid", "net"], ["uts"], ["user", "time", "ipc"]], ids="-".join)
def test_a_command_is_in_all_types_of_a_unit_without_a_warning(types: list[str]) -> None:
    kept_there = kept(name="box", namespaces=types)["namespaces"]
    result = succeeded(name="box", cmd=READ, shell=True)
    assert result["namespaces"] == kept_there and "warnings" not in result
    said = dict(line.split(":", 1) for line in result["stdout"].splitlines())
    assert {kind: f"{kind}:{said[kind]}" for kind in types} == kept_there
    if "pid" in types:
        until(inits)
        assert result["target"]["pid"] == inits()[0]


@alone
@pytest.mark.parametrize("kind", EIGHT)
def test_one_type_of_it(kind: str) -> None:
    unit = kept(name="box", namespaces=EIGHT)["namespaces"]
    result = ns_exec(name="box", namespaces=[kind], cmd=f"readlink /proc/self/ns/{kind}", privileges="host")
    assert not result.get("failed") or kind == "mnt", result  # its /proc is that of its own processes
    assert result["namespaces"] == {kind: unit[kind]}


@alone
def test_what_a_command_writes_is_what_the_next_one_finds() -> None:
    kept(name="box", namespaces=["user", "mnt", "uts", "pid", "net"], hostname="box", loopback=True)
    succeeded(name="box", cmd="mount -t tmpfs inner /mnt")
    succeeded(name="box", cmd="touch /mnt/mine")
    assert succeeded(name="box", cmd="ls /mnt; hostname", shell=True)["stdout"] == "mine\nbox"
    assert not os.path.exists("/mnt/mine")


@alone
def test_types_that_came_later_are_entered_too() -> None:
    kept(name="box", namespaces=["pid", "net"])
    unit = kept(name="box", namespaces=["pid", "net", "mnt", "uts"])["namespaces"]
    assert succeeded(name="box", cmd="true")["namespaces"] == unit


@alone
def test_the_mounts_of_somebody_else_still_need_it_written_out() -> None:
    argv = ["unshare", "--mount", "sleep", "60"]
    with subprocess.Popen(argv, preexec_fn=newer) as process:
        try:
            until(lambda: os.readlink(f"/proc/{process.pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt"))
            kept(name="box", namespaces=["mnt"], pid=process.pid)
        finally:
            process.kill()
    result = ns_exec(name="box", cmd="true")
    assert result["failed"] and "write privileges: host" in result["msg"]
    assert ns_exec(name="box", cmd="true", privileges="host", environment_from="host")["warnings"]


@alone
def test_a_unit_whose_process_1_has_ended_is_refused() -> None:
    kept(name="box", namespaces=["pid", "mnt"])
    until(inits)
    os.kill(inits()[0], signal.SIGKILL)
    until(lambda: not inits())
    result = ns_exec(name="box", cmd="true")
    assert result["failed"] and result["rc"] is None

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Process 1 of a pid namespace that ns_persist keeps: what it is like, when it goes, and who is in the way."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._create import outside
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.unit_record import (
    Record,
    boot_id,
    load,
    save,
)
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import mounts
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.proc import Proc
from ansible_collections.nsfleet.linux.tests.kernel.persist_lab import (
    EIGHT,
    UNITS,
    alone,
    enter,
    gone,
    inits,
    kept,
    name_at,
    persist,
    refused,
    until,
)

BOX = f"{UNITS}/box"


def init() -> int:
    (found,) = inits()
    return found


@alone
def test_it_is_in_all_namespaces_of_the_unit() -> None:
    result = kept(name="box", namespaces=EIGHT)
    until(inits)
    theirs = {kind: os.readlink(f"/proc/{init()}/ns/{kind}") for kind in EIGHT}
    assert theirs == result["namespaces"]
    record = load(BOX)
    assert (record.init, record.start_time) == (init(), Proc().stat(init()).start_time)
    assert record.pid_namespace == theirs["pid"] and record.made == EIGHT


@alone
def test_nothing_of_ours_is_its_and_it_only_sleeps() -> None:
    kept(name="box", namespaces=["pid"])
    until(inits)
    pid = init()
    until(lambda: Proc().stat(pid).state == "S")
    assert os.listdir(f"/proc/{pid}/fd") == []
    assert os.getsid(pid) == pid and os.readlink(f"/proc/{pid}/cwd") == "/"
    assert Path(f"/proc/{pid}/environ").read_bytes() == b""
    status = Proc().status(pid)
    assert int(status["SigIgn"], 16) & 1 << signal.SIGCHLD - 1 and int(status["VmRSS"].split()[0]) < 200


@alone
def test_it_survives_who_made_it_and_signals() -> None:
    kept(name="box", namespaces=["pid"])
    until(inits)
    pid = init()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1, signal.SIGSTOP, signal.SIGCONT):
        os.kill(pid, number)
    time.sleep(0.1)
    assert Proc().stat(pid).state == "S"
    enter(f"{BOX}/pid", "pid")


@alone
def test_a_shutdown_does_not_wait_for_it() -> None:
    """systemd-shutdown(8) leaves out processes of root whose command line begins so."""
    kept(name="box", namespaces=["pid"])
    until(inits)
    assert Path(f"/proc/{init()}/cmdline").read_bytes().startswith(b"@")


@alone
def test_it_reaps() -> None:
    kept(name="box", namespaces=["pid", "mnt"])
    command = ["nsenter", f"--pid={BOX}/pid", f"--mount={BOX}/mnt", "sh", "-c", "(sleep 0.1 &) ; exit 0"]
    subprocess.run(command, check=True)
    time.sleep(0.5)
    found = subprocess.run(["nsenter", f"--pid={BOX}/pid", f"--mount={BOX}/mnt", "ls", "/proc"], check=True,
                           capture_output=True, text=True).stdout.split()
    assert len([name for name in found if name.isdigit()]) == 2  # process 1 and ls


@alone
def test_its_cgroup_is_outside_of_the_login_and_goes_with_it(host_root: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    result = kept(name="box", namespaces=["pid", "uts"])
    until(inits)
    name = load(BOX).cgroup
    assert name.startswith("box-")
    lines = Path(f"/proc/{init()}/cgroup").read_text().split("\n")
    told = [line for line in lines if line.startswith("0::") or ":name=systemd:" in line]
    if not (host_root and outside._places()):
        assert result["warnings"]
        return
    assert told and all(line.endswith(f"/nsfleet/{name}") for line in told)
    folders = [f"{place}/{name}" for place, dummy in outside._places()]
    assert all(os.path.isdir(folder) for folder in folders)
    # Nobody sweeps but who knows of it.
    monkeypatch.setattr(outside, "_sweep", lambda place: None)
    os.kill(init(), signal.SIGKILL)
    until(lambda: not inits())
    kept(name="box", namespaces=["pid", "uts"])
    assert not any(os.path.isdir(folder) for folder in folders)
    folders = [f"{place}/{load(BOX).cgroup}" for place, dummy in outside._places()]
    assert all(os.path.isdir(folder) for folder in folders)
    kept(name="box", state="absent")
    assert not any(os.path.isdir(folder) for folder in folders)


@alone
def test_there_is_a_proc_of_the_unit_s_processes() -> None:
    kept(name="box", namespaces=["pid", "mnt"])
    command = ["nsenter", f"--pid={BOX}/pid", f"--mount={BOX}/mnt"]
    said = subprocess.run([*command, "cat", "/proc/1/comm"], check=True, capture_output=True, text=True).stdout
    assert said == "nsfleet-init\n"
    kept(name="lone", namespaces=["pid"])
    kept(name="lone", namespaces=["pid", "mnt"])
    command = ["nsenter", f"--pid={UNITS}/lone/pid", f"--mount={UNITS}/lone/mnt"]
    said = subprocess.run([*command, "cat", "/proc/1/comm"], check=True, capture_output=True, text=True).stdout
    assert said == "nsfleet-init\n"


@alone
def test_the_proc_of_a_unit_does_not_get_out_however_mounts_travel() -> None:
    mounts.mount(None, "/", None, mounts.MS_REC | mounts.MS_SHARED)
    before = Path("/proc/self/mountinfo").read_bytes().count(b" /proc ")
    for how in ("shared", "unchanged", "slave", "private"):
        kept(name="box", namespaces=["mnt", "pid"], propagation=how)
        assert Path("/proc/self/mountinfo").read_bytes().count(b" /proc ") == before
        until(inits)
        kept(name="box", state="absent")


@alone
def test_absent_names_who_else_lives_in_there_and_force_ends_them() -> None:
    kept(name="box", namespaces=["pid", "uts"])
    with subprocess.Popen(["nsenter", f"--pid={BOX}/pid", "unshare", "--pid", "--fork", "sleep", "60"]) as process:
        until(lambda: "sleep" in [comm(pid) for pid in Proc().pids()])
        sentence = refused(name="box", state="absent")
        assert "other processes in its pid namespace" in sentence and "(sleep)" in sentence and "(unshare)" in sentence
        assert "other processes" in persist(check=True, name="box", state="absent")["msg"]
        name = name_at(f"{BOX}/pid")
        assert "it has uts too" in refused(name="box", namespaces=["pid"])
        kept(name="box", state="absent", force=True)
        process.wait(10)
    assert "sleep" not in [comm(pid) for pid in Proc().pids()] and name
    gone("box")
    assert inits() == []


def comm(pid: int) -> str:
    try:
        return Proc().stat(pid).comm if Proc().stat(pid).state not in "ZX" else ""
    except OSError:
        return ""


@alone
def test_force_makes_it_anew_and_ends_the_old_one() -> None:
    kept(name="box", namespaces=["pid", "uts", "time"], boottime_offset=5)
    until(inits)
    first = init()
    kept(name="box", namespaces=["pid", "uts", "time"], boottime_offset=6, force=True)
    until(lambda: inits() and inits() != [first])
    assert len(inits()) == 1


@alone
def test_one_that_has_ended_is_given_anew_and_the_rest_stays() -> None:
    before = kept(name="box", namespaces=["pid", "uts", "mnt"])["namespaces"]
    until(inits)
    held = os.open(f"{BOX}/pid", os.O_RDONLY)  # or the new one may get its inode
    os.kill(init(), signal.SIGKILL)
    until(lambda: not inits())
    result = kept(name="box", namespaces=["pid", "uts", "mnt"])
    assert result["repaired"] == [f"{BOX}/pid was a pid namespace whose process 1 has ended"]
    os.close(held)
    assert [kind for kind in before if before[kind] != result["namespaces"][kind]] == ["pid"]
    command = ["nsenter", f"--pid={BOX}/pid", f"--mount={BOX}/mnt", "cat", "/proc/1/comm"]
    until(lambda: subprocess.run(command, check=True, capture_output=True).stdout == b"nsfleet-init\n")
    kept(name="box", state="absent")
    gone("box")


@alone
def test_the_process_of_a_record_that_is_somebody_else_is_not_ended() -> None:
    kept(name="box", namespaces=["pid"])
    with subprocess.Popen(["sleep", "60"]) as other:
        try:
            record = load(BOX)
            own, record.init = record.init, other.pid
            save(BOX, record)
            kept(name="box", state="absent", force=True)
            assert other.poll() is None
            assert own in inits()  # nobody knows that it is ours
        finally:
            other.kill()


@alone
def test_a_forged_record_ends_nobody_who_is_not_ours() -> None:
    kept(name="box", namespaces=["uts"])
    with subprocess.Popen(["unshare", "--pid", "--fork", "--kill-child", "sleep", "60"]) as other:
        try:
            children = Path(f"/proc/{other.pid}/task/{other.pid}/children")
            until(children.read_text)
            for pid in (other.pid, int(children.read_text())):
                until(lambda pid=pid: Path(f"/proc/{pid}/comm").read_text() in ("sleep\n", "unshare\n"))
                space = os.readlink(f"/proc/{pid}/ns/pid")
                save(BOX, Record(boot_id(), ["pid"], pid, Proc().stat(pid).start_time, space))
                kept(name="box", state="absent", force=True)
                assert other.poll() is None and Path(f"/proc/{pid}").exists()
                kept(name="box", namespaces=["uts"])
        finally:
            other.kill()


@alone
def test_a_record_of_another_boot_ends_nobody() -> None:
    kept(name="box", namespaces=["pid"])
    until(inits)
    record = load(BOX)
    record.boot_id = "00000000-0000-0000-0000-000000000000"
    save(BOX, record)
    kept(name="box", state="absent")
    assert len(inits()) == 1


@alone
def test_a_record_that_is_damaged_is_none() -> None:
    kept(name="box", namespaces=["uts"])
    for content in ("", "{", "[]", '{"init": "1"}', '{"made": ["bad"]}', '{"made": null}', '{"cgroup": "../../x"}'):
        Path(f"{BOX}/unit.json").write_text(content)
        assert load(BOX).made == [] and load(BOX).init is None and load(BOX).cgroup == ""
        assert not kept(name="box", namespaces=["uts"])["changed"]

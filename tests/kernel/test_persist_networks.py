# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ns_persist with a network alone, and ip-netns(8) as the other party."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._create import mount_table
from ansible_collections.nsfleet.linux.plugins.module_utils._create.folders import networks_fault
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import mounts
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.mounts import MS_BIND, MS_PRIVATE, MS_REC, MS_SHARED
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.privileges import CapabilitySets, capset
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.proc import Proc
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.rtnetlink_set import nsid
from ansible_collections.nsfleet.linux.tests.kernel.persist_lab import (
    NETNS,
    alone,
    enter,
    exists,
    gone,
    ip,
    kept,
    listed,
    name_at,
    persist,
    refused,
    until,
)

BLUE = f"{NETNS}/blue"


# --- the two of us --------------------------------------------------------------------------------------------------


@alone
def test_what_we_make_ip_netns_lists_enters_and_deletes() -> None:
    result = kept(name="blue")
    assert result["changed"] and result["paths"] == {"net": BLUE} and result["repaired"] == []
    assert result["diff"] == {"before": "", "after": f"net: {result['namespaces']['net']} at {BLUE}\n"}
    assert listed() == ["blue"]
    assert ip("netns", "exec", "blue", "readlink", "/proc/self/ns/net").strip() == result["namespaces"]["net"]
    ip("netns", "delete", "blue")
    assert listed() == []
    gone("blue")


@alone
def test_what_ip_netns_made_is_recognised_and_goes() -> None:
    ip("netns", "add", "blue")
    name = name_at(BLUE)
    result = persist(name="blue")
    assert not result.get("failed") and not result["changed"] or result["repaired"], result
    assert result["namespaces"] == {"net": name}
    assert kept(name="blue", state="absent")["changed"]
    gone("blue")
    assert listed() == []


@alone
def test_what_is_right_is_left_alone_and_no_folder_is_made_for_it() -> None:
    kept(name="green")
    ip("netns", "add", "blue")
    result = kept(name="blue")
    assert not result["changed"]


@alone
def test_the_folder_is_as_ip_netns_leaves_it() -> None:
    kept(name="blue")
    ip("netns", "add", "green")
    with open("/proc/self/mountinfo", encoding="ascii") as file:
        points = [line.split()[4] for line in file]
    assert points.count(BLUE) == 1 and points.count(f"{NETNS}/green") == 1
    assert networks_fault(mount_table.rows(Proc())) is None


@alone
def test_it_is_gone_from_all_mount_namespaces_at_once() -> None:
    kept(name="blue")
    with subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sleep", "60"]) as other:
        try:
            seen = f"/proc/{other.pid}/root{BLUE}"
            wait_for_mount(other.pid)
            assert name_at(seen) == name_at(BLUE)
            kept(name="blue", state="absent")
            assert not exists(seen)
            assert b"blue" not in Path(f"/proc/{other.pid}/mountinfo").read_bytes()
        finally:
            other.kill()


def wait_for_mount(pid: int) -> None:
    until(lambda: os.readlink(f"/proc/{pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt"))
    until(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n")


@alone
def test_absent_of_nothing_changes_nothing() -> None:
    assert not kept(name="blue", state="absent")["changed"]
    assert not exists("/run/nsfleet") and not exists(NETNS)


# --- what is kept on every run --------------------------------------------------------------------------------------


@alone
def test_a_loopback_is_up_and_stays_so() -> None:
    result = kept(name="blue", loopback=True)
    assert "loopback up" in result["diff"]["after"]
    assert "UP" in ip("-n", "blue", "link", "show", "lo")
    ip("-n", "blue", "link", "set", "lo", "down")
    result = kept(name="blue", loopback=True)
    assert result["diff"] == {"before": "loopback down\n", "after": "loopback up\n"} and result["repaired"] == []
    assert "UP" in ip("-n", "blue", "link", "show", "lo")
    assert not kept(name="blue")["changed"]


@alone
def test_an_nsid_is_set_once() -> None:
    kept(name="blue")
    result = kept(name="blue", nsid=7)
    assert result["diff"] == {"before": "", "after": "nsid 7\n"}
    assert "(id: 7)" in ip("netns", "list")
    assert "its nsid is 7 and not 8, and the kernel does not change it" in refused(name="blue", nsid=8)


@alone
def test_force_gives_another_nsid_to_a_new_network() -> None:
    before = kept(name="blue", nsid=7)["namespaces"]["net"]
    result = kept(name="blue", nsid=8, force=True)
    assert result["namespaces"]["net"] != before and "(id: 8)" in ip("netns", "list")
    assert result["diff"]["before"].splitlines()[-1] == "nsid 7"


@alone
def test_the_nsid_of_another_network_is_refused_and_nothing_is_made() -> None:
    kept(name="green", nsid=7)
    result = persist(name="blue", nsid=7)
    assert result["failed"] and "nsid 7 could not be set (EEXIST)" in result["msg"]
    gone("blue")


# --- repairs --------------------------------------------------------------------------------------------------------


def blue_file() -> None:
    kept(name="green")
    Path(BLUE).touch()
    os.utime(BLUE, (0, 0))
    wait_until_old()


def wait_until_old() -> None:
    time.sleep(2.1)


@alone
def test_a_stale_file_is_replaced() -> None:
    blue_file()
    result = kept(name="blue")
    assert result["repaired"] == [f"{BLUE} was a plain file on which nothing is mounted"]
    assert result["diff"]["before"] == f"net: a plain file on which nothing is mounted at {BLUE}\n"
    assert listed() == ["blue", "green"]
    ip("netns", "exec", "blue", "true")


@alone
def test_a_file_that_ip_netns_has_just_made_is_waited_for() -> None:
    kept(name="green")
    Path(BLUE).touch()
    with subprocess.Popen(["sh", "-c", f"sleep 0.3; mount --bind {NETNS}/green {BLUE}"]):
        result = persist(name="blue")
    assert not result["changed"] and not result["repaired"]
    assert result["namespaces"]["net"] == name_at(f"{NETNS}/green") == name_at(BLUE)


@alone
def test_absent_removes_a_stale_file() -> None:
    blue_file()
    assert kept(name="blue", state="absent")["changed"]
    gone("blue")


@alone
def test_a_link_that_leads_nowhere_is_replaced() -> None:
    kept(name="green")
    os.symlink("/run/nowhere", BLUE)
    assert kept(name="blue")["repaired"] == [f"{BLUE} was a link that leads to no namespace"]


@alone
def test_a_namespace_of_another_type_is_replaced() -> None:
    blue_file()
    mounts.mount("/proc/self/ns/uts", BLUE, None, MS_BIND)
    name = os.readlink("/proc/self/ns/uts")
    result = kept(name="blue")
    assert result["repaired"] == [f"{BLUE} was a namespace of another type, {name}"]


@alone
def test_a_link_to_a_network_of_somebody_else_becomes_a_name_that_keeps_it() -> None:
    with subprocess.Popen(["unshare", "--net", "sleep", "60"]) as process:
        try:
            until(lambda: Path(f"/proc/{process.pid}/comm").read_text() == "sleep\n")
            theirs = os.readlink(f"/proc/{process.pid}/ns/net")
            os.makedirs(NETNS)
            Path(f"{NETNS}/blue").symlink_to(f"/proc/{process.pid}/ns/net")
            result = kept(name="blue")
            assert result["repaired"] == [f"{NETNS}/blue was a link to where it is, which does not keep it"]
        finally:
            process.kill()
    assert name_at(f"{NETNS}/blue") == theirs


@alone
def test_stacked_mounts_become_one_and_the_network_stays() -> None:
    kept(name="blue")
    name = name_at(BLUE)
    for dummy in range(3):
        mounts.mount(BLUE, BLUE, None, MS_BIND)
    result = kept(name="blue")
    assert result["repaired"] == [f"{BLUE} was under a stack of 8 mounts"]  # shared: each doubles them
    assert result["namespaces"] == {"net": name}
    ip("netns", "delete", "blue")
    gone("blue")


@alone
def test_stacked_mounts_go_with_absent() -> None:
    ip("netns", "add", "blue")
    for dummy in range(3):
        mounts.mount(BLUE, BLUE, None, MS_BIND)
    kept(name="blue", state="absent")
    gone("blue")


@alone
def test_a_folder_in_the_peer_group_of_run_gets_its_own() -> None:
    os.mkdir(NETNS)
    mounts.mount(NETNS, NETNS, None, MS_BIND | MS_REC)
    mounts.mount(None, NETNS, None, MS_SHARED | MS_REC)
    ip("netns", "add", "blue")
    name = name_at(BLUE)
    result = kept(name="blue")
    assert result["repaired"] == ["/run/netns was in the peer group of /run"]
    assert result["namespaces"] == {"net": name}
    kept(name="green")
    with open("/proc/self/mountinfo", encoding="ascii") as file:
        assert [line.split()[4] for line in file].count(f"{NETNS}/green") == 1


@alone
def test_a_folder_that_is_no_mount_becomes_one() -> None:
    os.mkdir(NETNS)
    Path(BLUE).touch()
    subprocess.run(["unshare", f"--net={BLUE}", "true"], check=True)
    theirs = name_at(BLUE)
    result = kept(name="blue")
    assert result["repaired"] == ["/run/netns was no mount"]
    assert result["namespaces"] == {"net": theirs}


@alone
def test_a_name_of_the_host_s_own_network_is_different_and_goes() -> None:
    os.mkdir(NETNS)
    ip("netns", "attach", "blue", "1")
    assert "net is the host's own" in refused(name="blue", loopback=True)
    kept(name="blue", state="absent")
    gone("blue")


@alone
def test_a_private_folder_becomes_shared() -> None:
    kept(name="blue")
    mounts.mount(None, NETNS, None, MS_PRIVATE)
    assert kept(name="blue")["repaired"] == ["/run/netns was not shared"]


@alone
@pytest.mark.parametrize("state", ["present", "absent"])
def test_what_only_another_mount_namespace_sees_is_seen_here_too_or_goes(state: str) -> None:
    kept(name="green")
    program = f"mount --make-rprivate /; touch {BLUE}; mount --bind /proc/self/ns/net {BLUE}; exec sleep 60"
    with subprocess.Popen(["unshare", "--mount", "--net", "sh", "-c", program]) as other:
        try:
            wait_for_mount(other.pid)
            name = os.readlink(f"/proc/{other.pid}/ns/net")
            if state == "absent":
                assert persist(name="blue", state="absent")["changed"]
                assert b"blue" not in Path(f"/proc/{other.pid}/mountinfo").read_bytes()
                gone("blue")
                return
            result = kept(name="blue")
            pid = other.pid
            assert result["repaired"] == [f"{BLUE} was mounted in another mount namespace only, that of pid {pid}"]
            assert result["namespaces"] == {"net": name} and name_at(f"/proc/{pid}/root{BLUE}") == name
        finally:
            other.kill()
    ip("netns", "delete", "blue")
    gone("blue")


@alone
def test_a_name_in_somebody_else_s_folder_of_that_name_is_not_ours() -> None:
    kept(name="green")
    Path(BLUE).touch()
    program = f"mount -t tmpfs x {NETNS}; touch {BLUE}; mount --bind /proc/self/ns/net {BLUE}; exec sleep 60"
    with subprocess.Popen(["unshare", "--mount", "--net", "sh", "-c", program]) as other:
        try:
            wait_for_mount(other.pid)
            assert kept(name="blue")["repaired"] == [f"{BLUE} was a plain file on which nothing is mounted"]
        finally:
            other.kill()


@alone
def test_a_folder_at_the_name_is_refused() -> None:
    kept(name="green")
    os.mkdir(BLUE)
    assert f"{BLUE} is in the way" in refused(name="blue")
    assert f"{BLUE} is in the way" in refused(name="blue", state="absent")


# --- pinning what exists --------------------------------------------------------------------------------------------


@alone
@pytest.mark.parametrize("how", ["pid", "path", "netns", "ref"])
def test_what_exists_is_kept_under_a_second_name(how: str) -> None:
    kept(name="green")
    name = name_at(f"{NETNS}/green")
    with subprocess.Popen(["nsenter", f"--net={NETNS}/green", "sleep", "60"]) as process:
        try:
            wait_for_mount_of_net(process.pid, name)
            given: dict[str, Any] = {
                "pid": {"pid": process.pid}, "path": {"path": f"/proc/{process.pid}/ns/net"},
                "netns": {"netns": "green"}, "ref": {"ref": name},
            }[how]
            result = kept(name="blue", **given)
            assert result["namespaces"] == {"net": name}
        finally:
            process.kill()
    kept(name="green", state="absent")
    assert enter(BLUE, "net", "readlink", "/proc/self/ns/net").strip() == name
    kept(name="blue")


def wait_for_mount_of_net(pid: int, name: str) -> None:
    until(lambda: os.readlink(f"/proc/{pid}/ns/net") == name)


@alone
def test_another_one_under_the_name_is_different() -> None:
    kept(name="green")
    kept(name="blue")
    first, second = name_at(f"{NETNS}/green"), name_at(BLUE)
    assert f"net is {second} and not {first}" in refused(name="blue", netns="green")
    assert kept(name="blue", netns="green", force=True)["namespaces"] == {"net": first}


@alone
def test_our_own_network_is_refused_without_naming_an_option_that_there_is_not() -> None:
    sentence = refused(name="blue", path="/proc/self/ns/net")
    assert "own" in sentence and "allow_host" not in sentence


@alone
@pytest.mark.parametrize("given", [{"loopback": True}, {"hostname": "x"}, {"map_users": ["0:0:1"]},
                                   {"propagation": "slave"}, {"boottime_offset": 0}])
def test_options_of_the_making_are_refused_for_what_exists(given: dict[str, Any]) -> None:
    kept(name="green")
    option = next(iter(given))
    sentence = refused(name="blue", netns="green", namespaces=["net", "uts", "user", "mnt", "time"], **given)
    assert option in sentence


@alone
def test_an_nsid_may_be_given_for_what_exists() -> None:
    kept(name="green")
    kept(name="blue", netns="green", nsid=5)
    descriptor = os.open(BLUE, os.O_RDONLY)
    assert nsid(descriptor) == 5


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/", "a\0b", ".pins", "x" * 256])
def test_a_name_is_one_component(name: str) -> None:
    result = persist(name=name)
    assert result["failed"] and not result["changed"] and result["msg"].startswith("name ")


@alone
@pytest.mark.parametrize("name", ["x" * 255, "a b", "\u00fc", "-x", "a\nb", "a\\b", "a.net", "%s"])
def test_any_other_name_will_do(name: str) -> None:
    kept(name=name)
    kept(name=name, state="absent")
    gone(name)


@alone
def test_a_caller_without_capabilities_is_told_so() -> None:
    capset(CapabilitySets(0, 0, 0))
    result = persist(name="blue")
    assert result["msg"] == (
        "ns_persist mounts namespaces, which takes CAP_SYS_ADMIN: run the task as root (become).")

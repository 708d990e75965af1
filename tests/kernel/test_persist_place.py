# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where ns_persist keeps names when the module is not where process 1 is, and what it says of that."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._create import bare
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import libc, mounts, namespaces
from ansible_collections.nsfleet.linux.tests.kernel.persist_lab import (
    EIGHT,
    NETNS,
    UNITS,
    alone,
    exists,
    gone,
    inits,
    kept,
    listed,
    name_at,
    persist,
    refused,
    until,
)


def elsewhere() -> None:
    """This process goes to mounts of its own."""
    namespaces.unshare(namespaces.CLONE_NEWNS)
    mounts.mount(None, "/", None, mounts.MS_REC | mounts.MS_PRIVATE)


@alone
def test_names_are_kept_where_process_1_is() -> None:
    there = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    back = os.open("/proc/self/ns/mnt", os.O_RDONLY)
    elsewhere()
    result = persist(name="box", namespaces=["net", "uts", "mnt"])
    assert not result.get("failed") and "warnings" not in result, result
    again = persist(name="box", namespaces=["net", "uts", "mnt"])
    assert not again["changed"] and again["namespaces"] == result["namespaces"]
    namespaces.setns(back)
    os.fchdir(there)
    assert name_at(f"{UNITS}/box/uts") == result["namespaces"]["uts"] and listed() == ["box"]
    elsewhere()
    assert not persist(name="box", state="absent").get("failed")
    namespaces.setns(back)
    gone("box")


@alone
def test_a_path_is_as_the_module_sees_it() -> None:
    elsewhere()
    mounts.mount("tmpfs", "/mnt", "tmpfs")
    open("/mnt/here", "wb").close()
    mounts.mount("/proc/self/ns/uts", "/mnt/here", None, mounts.MS_BIND)
    namespaces.unshare(namespaces.CLONE_NEWUTS)
    result = persist(name="box", namespaces=["uts"], path="/mnt/here")
    # It is that of process 1.
    assert result["failed"] and "host" in result["msg"]


# --- in a user namespace of its own ---------------------------------------------------------------------------------


def limited(kind: str, value: int) -> None:
    Path(f"/proc/sys/user/max_{kind}_namespaces").write_text(str(value))


def in_a_user_namespace(work: Callable[[], None], in_child: Callable[..., Any]) -> None:
    def run() -> None:
        mounts.mount(None, "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
        mounts.mount("tmpfs", "/run", "tmpfs")
        work()

    in_child(run, namespaces.CLONE_NEWUSER | namespaces.CLONE_NEWNS | namespaces.CLONE_NEWNET)


@pytest.mark.parametrize("kind", EIGHT)
def test_a_limit_of_0_is_named(kind: str, in_child: Callable[..., Any]) -> None:
    def work() -> None:
        limited(kind, 0)
        assert str(persist(name="box", namespaces=[kind])["msg"]).startswith(
            f"No new {kind} namespace could be made (ENOSPC): /proc/sys/user/max_{kind}_namespaces is 0, which forbids")

    in_a_user_namespace(work, in_child)


def test_a_name_that_the_limit_of_mount_namespaces_keeps_says_so(in_child: Callable[..., Any]) -> None:
    def work() -> None:
        assert not persist(name="blue").get("failed")
        limited("mnt", 0)
        sentence = refused(name="blue", state="absent")
        assert "as many as /proc/sys/user/max_mnt_namespaces allows" in sentence
        limited("mnt", 100)
        assert persist(name="blue", state="absent")["changed"] and listed() == []

    in_a_user_namespace(work, in_child)


@alone
def test_who_cannot_look_at_process_1_keeps_them_where_they_are_and_says_so() -> None:
    back = os.open("/proc/self/ns/mnt", os.O_RDONLY)
    elsewhere()
    mounts.mount("tmpfs", "/proc/1", "tmpfs")
    result = persist(name="blue")
    (warning,) = result["warnings"]
    assert warning.startswith("The mount namespace of process 1 cannot be told (ENOENT), so names are kept in the")
    assert listed() == ["blue"]
    namespaces.setns(back)
    assert not os.path.exists(f"{NETNS}/blue")


@alone
def test_a_proc_of_other_processes_is_not_gone_to() -> None:
    # In a pid namespace of its own, but with mounts whose /proc is of the one around it.
    namespaces.unshare(namespaces.CLONE_NEWPID | namespaces.CLONE_NEWNS)
    child = os.fork()
    if child == 0:
        try:
            if os.fork():
                os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
            elsewhere()
            mounts.mount("proc", "/proc", "proc")
            result = persist(name="blue")
            assert "has a /proc in which the module is not found" in result["warnings"][0]
            assert listed() == ["blue"]
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


# --- kernels and places that have less ------------------------------------------------------------------------------


@alone
def test_without_an_exchange_of_names_a_unit_is_replaced_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    kept(name="box", namespaces=["uts", "ipc"])
    monkeypatch.setattr(libc, "libc_has", lambda name: False)
    monkeypatch.setitem(libc.CALLS, "renameat2", (999, 999, "3.15"))
    result = kept(name="box", namespaces=["uts"], force=True)
    assert result["changed"] and not exists(f"{UNITS}/box/ipc")


@alone
def test_networks_in_a_file_system_of_their_own() -> None:
    os.mkdir(NETNS)
    mounts.mount("tmpfs", NETNS, "tmpfs")
    kept(name="blue")
    for dummy in range(2):
        mounts.mount(f"{NETNS}/blue", f"{NETNS}/blue", None, mounts.MS_BIND)
    assert any("a stack of" in each for each in kept(name="blue")["repaired"])
    kept(name="blue", state="absent")
    gone("blue")


@alone
def test_where_the_root_directory_cannot_be_left_all_namespaces_are_unmounted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*dummy: object) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(bare, "pivot_root", refuse)
    kept(name="box", namespaces=["net", "uts"])
    kept(name="blue")
    mounts.mount(f"{NETNS}/blue", f"{NETNS}/blue", None, mounts.MS_BIND)
    kept(name="blue")
    for name in ("box", "blue"):
        kept(name=name, state="absent")
        gone(name)


@alone
def test_what_linux_4_18_does_not_have_is_done_without(absent: Callable[[str], None]) -> None:
    for call in ("close_range", "pidfd_open", "pidfd_send_signal", "openat2", "clone3", "open_tree", "move_mount"):
        absent(call)
    types = [kind for kind in EIGHT if kind != "time"]
    kept(name="box", namespaces=types, hostname="box", loopback=True)
    until(inits)
    assert os.listdir(f"/proc/{inits()[0]}/fd") == []
    kept(name="box", state="absent")
    gone("box")
    assert inits() == []

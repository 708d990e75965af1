# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ns_unshare: what new namespaces are made like, beside unshare(1) of the machine's util-linux."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._create import causes, id_helpers, wanted
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import mounts, namespaces
from ansible_collections.nsfleet.linux.plugins.module_utils._model.entry import Refused
from ansible_collections.nsfleet.linux.tests.kernel.exec_lab import unprivileged
from ansible_collections.nsfleet.linux.tests.kernel.unshare_lab import refused, said, unshare

MAPS = "cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; id -u; id -g; grep CapEff /proc/self/status"


# --- user -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("other_users")
@pytest.mark.parametrize(("options", "flags"), [
    ({"map_root_user": True}, ["--map-root-user"]),
    ({}, ["--map-root-user"]),
    ({"map_current_user": True}, ["--map-current-user"]),
])
def test_who_is_not_root_is_mapped_as_by_unshare(
    options: dict[str, Any], flags: list[str], host_root: bool, in_child: Callable[..., Any]
) -> None:
    def run() -> tuple[str, str]:
        look = ["sh", "-c", MAPS]
        return said(namespaces=["user"], argv=look, **options), unshare("--user", *flags, *look)

    ours, theirs = in_child(unprivileged(run, host_root))
    assert ours == theirs


def test_ranges_are_what_the_kernel_then_shows(host_root: bool) -> None:
    if not host_root:
        # One id is mapped around here, and no other can be.
        sentence = refused(namespaces=["user"], cmd="true", map_users=["0:0:1", "1:100000:10"])
        assert "(EPERM): an id outside is not mapped in the module's own user namespace" in sentence
        return
    shown = said(namespaces=["user"], argv=["sh", "-c", MAPS], map_users=["0:200000:10", "100:0:1", "50:100:5"],
                 map_groups=["0:300000:10"])
    lines = [line.split() for line in shown.split("\n")]
    # Its own user is mapped, its own group is not.
    assert lines == [
        ["0", "200000", "10"], ["100", "0", "1"], ["50", "100", "5"], ["0", "300000", "10"], ["allow"], ["100"], ["0"],
        ["CapEff:", "0000000000000000"],
    ]


@pytest.mark.parametrize("more", [{}, {"user": "0"}, {"user": "5:6"}, {"user": "5", "group": "7"}])
def test_a_user_is_one_inside(more: dict[str, Any], host_root: bool) -> None:
    if not host_root:
        assert said(namespaces=["user"], cmd="id -u", user="0") == "0"
        return
    shown = said(namespaces=["user", "mnt"], argv=["sh", "-c", "id -u; id -g; cat /proc/self/uid_map"],
                 map_users=["0:200000:100"], map_groups=["0:200000:100"], **more)
    uid, gid, *dummy = shown.split("\n")
    assert (uid, gid) == {0: ("0", "0"), 1: {"0": ("0", "0"), "5:6": ("5", "6")}.get(more.get("user", ""), ("", "")),
                          2: ("5", "7")}[len(more)]


def test_a_user_who_is_not_mapped_is_refused() -> None:
    assert refused(namespaces=["user"], cmd="true", user="7") == (
        "user is 7 inside, which is not mapped in the new user namespace: map it (map_users).")


@pytest.mark.parametrize("policy", ["allow", "deny"])
def test_setgroups(policy: str, host_root: bool, in_child: Callable[..., Any]) -> None:
    if host_root:
        assert said(namespaces=["user"], cmd="cat /proc/self/setgroups", setgroups=policy) == policy
    elif policy == "allow":
        sentence = refused(namespaces=["user"], cmd="true", setgroups=policy)
        assert "it can be allowed no more where the user namespace around it denies it" in sentence
    else:
        assert said(namespaces=["user"], cmd="cat /proc/self/setgroups", setgroups=policy) == policy


# --- delegated ids --------------------------------------------------------------------------------------------------


@pytest.fixture
def delegated(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A newuidmap and newgidmap that say what they are called with, and fail."""
    monkeypatch.setattr(wanted, "_content", lambda path: b"65534:100000:65536\n0:100000:65536\n")
    # Where everybody may look.
    folder = Path(tempfile.mkdtemp(prefix="nsfleet-"))
    folder.chmod(0o755)
    for name in ("newuidmap", "newgidmap"):
        program = folder / name
        program.write_text("#!/bin/sh\necho %s $(($1 > 0)) $2 $3 $4 $5 $6 $7: not today >&2\nexit 3\n" % name)
        program.chmod(0o755)
    monkeypatch.setenv("PATH", "%s:%s" % (folder, os.environ["PATH"]))
    yield
    shutil.rmtree(folder)


@pytest.mark.usefixtures("delegated")
def test_a_helper_s_words_are_passed_on(host_root: bool, in_child: Callable[..., Any]) -> None:
    def run() -> str:
        return refused(namespaces=["user"], cmd="true", map_root_user=True, map_groups=["auto"])

    sentence = in_child(unprivileged(run, host_root))
    own = 65534 if host_root else 0
    assert sentence == (f"newgidmap 0 {own} 1 1 100000 65535 ended with 3: newgidmap 1 0 {own} 1 1 100000 65535: not"
                        " today. Nothing has run.")


def test_a_helper_that_is_not_there_is_named(
    host_root: bool, in_child: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wanted, "_content", lambda path: b"65534:100000:65536\n0:100000:65536\n")
    monkeypatch.setattr(id_helpers.shutil, "which", lambda name, path: None)
    sentence = in_child(unprivileged(
        lambda: refused(namespaces=["user"], cmd="true", map_root_user=True, map_users=["auto"]), host_root))
    assert sentence.startswith("newuidmap is needed to map ids that are delegated, and it is not installed: install it")


def delegate(folder: Path) -> None:
    """Delegate ids to nobody, in a mount namespace of its own."""
    mounts.mount(None, "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
    for name in ("subuid", "subgid"):
        file = folder / name
        file.write_text("nobody:100000:65536\n")
        mounts.mount(str(file), "/etc/" + name, None, mounts.MS_BIND)


@pytest.mark.usefixtures("other_users")
@pytest.mark.parametrize(("options", "flags"), [
    ({"map_root_user": True, "map_users": ["auto"], "map_groups": ["auto"]}, ["--map-root-user", "--map-auto"]),
    ({"map_users": ["auto"], "map_groups": ["auto"]}, ["--map-auto", "--setuid", "0", "--setgid", "0"]),
])
def test_delegated_ids_are_mapped_as_by_unshare(
    options: dict[str, Any], flags: list[str], host_root: bool, in_child: Callable[..., Any], tmp_path: Path
) -> None:
    def run() -> tuple[str, str]:
        delegate(tmp_path)
        look = ["sh", "-c", MAPS]

        def both() -> tuple[str, str]:
            return said(namespaces=["user"], argv=look, **options), unshare("--user", *flags, *look)

        return unprivileged(both, host_root)()

    ours, theirs = in_child(run, namespaces.CLONE_NEWNS)
    assert ours == theirs and "100000" in ours


# --- uts, net, time -------------------------------------------------------------------------------------------------


def test_names() -> None:
    look = "uname -n; cat /proc/sys/kernel/domainname"
    assert said(namespaces=["uts"], argv=["sh", "-c", look], hostname="web1", domainname="example.org") == (
        "web1\nexample.org")
    assert os.uname().nodename != "web1"


@pytest.mark.parametrize("up", [True, False])
def test_loopback(up: bool) -> None:
    shown = said(namespaces=["net"], cmd="ip -o link show lo", loopback=up)
    assert ("LOOPBACK,UP,LOWER_UP" in shown) == up
    if up:
        assert said(namespaces=["net"], cmd="ping -c 1 -W 2 127.0.0.1", loopback=True)


@pytest.mark.parametrize(("ours", "theirs"), [
    ({"boottime_offset": 31536000}, ["--boottime", "31536000"]),
    ({"monotonic_offset": 1000, "boottime_offset": 86400}, ["--monotonic", "1000", "--boottime", "86400"]),
    ({}, []),
])
def test_clocks_are_set_off_as_by_unshare(ours: dict[str, int], theirs: list[str]) -> None:
    look = ["sh", "-c", "cat /proc/self/timens_offsets"]
    assert said(namespaces=["time"], argv=look, **ours) == unshare("--time", "--fork", *theirs, *look)


def test_uptime_follows() -> None:
    outside = float(Path("/proc/uptime").read_text().split()[0])
    shown = said(namespaces=["time"], cmd="cat /proc/uptime", boottime_offset=1000000)
    assert 1000000 <= float(shown.split()[0]) - outside < 1000060


def test_a_clock_that_cannot_be_is_refused() -> None:
    assert refused(namespaces=["time"], cmd="true", boottime_offset=-10**9) == (
        "The clocks of the new time namespace could not be set off by boottime -1000000000 s (ERANGE): a clock would be"
        " negative, or beyond what the kernel counts (146 years). Nothing has run.")


# --- mnt ------------------------------------------------------------------------------------------------------------


def propagations(shown: str) -> set[str]:
    """What mountinfo says of the propagation of each mount, without numbers."""
    found = set()
    for line in shown.split("\n"):
        fields = line.split()
        found.add(" ".join(word.split(":")[0] for word in fields[6:fields.index("-")]) or "private")
    return found


@pytest.mark.parametrize("how", ["private", "slave", "shared", "unchanged"])
def test_propagation_is_as_by_unshare(how: str, in_child: Callable[..., Any]) -> None:
    def run() -> tuple[str, str]:
        # So that there is a difference to what the machine has.
        mounts.mount(None, "/", None, mounts.MS_REC | mounts.MS_SHARED)
        look = "cat /proc/self/mountinfo"
        return (said(namespaces=["mnt"], cmd=look, propagation=how),
                unshare("--mount", "--propagation", how, *look.split()))

    ours, theirs = in_child(run, namespaces.CLONE_NEWNS)
    assert propagations(ours) == propagations(theirs)


def test_the_default_is_private_and_nothing_gets_out(tmp_path: Path) -> None:
    line = "mount -t tmpfs none %s && cat /proc/self/mountinfo" % tmp_path
    shown = said(namespaces=["mnt"], argv=["sh", "-c", line])
    assert propagations(shown) == {"private"}
    assert str(tmp_path) in shown and str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


@pytest.mark.parametrize("types", [["mnt", "pid"], ["user", "mnt", "pid"], ["mnt"]])
def test_proc_is_that_of_the_pid_namespace(types: list[str], host_root: bool) -> None:
    if types == ["mnt"] and not host_root:
        assert "list pid" in refused(namespaces=types, cmd="true", mount_proc=True)
        return
    shown = said(namespaces=types, argv=["sh", "-c", "cat /proc/1/comm; ls /proc/self/ns | wc -l"], mount_proc=True)
    assert (shown.partition("\n")[0] == "sh") == ("pid" in types)


def share_all() -> None:
    """Mounts travel, but not to those of the machine."""
    for how in (mounts.MS_PRIVATE, mounts.MS_SHARED):
        mounts.mount(None, "/", None, mounts.MS_REC | how)


@pytest.mark.parametrize("how", ["shared", "unchanged"])
def test_a_fresh_proc_does_not_get_out_however_mounts_travel(how: str, in_child: Callable[..., Any]) -> None:
    def run() -> tuple[int, int]:
        share_all()
        before = Path("/proc/self/mountinfo").read_bytes().count(b" /proc ")
        assert said(namespaces=["mnt", "pid"], propagation=how, mount_proc=True, argv=["sh", "-c", "echo $$"]) == "1"
        return before, Path("/proc/self/mountinfo").read_bytes().count(b" /proc ")

    before, after = in_child(run, namespaces.CLONE_NEWNS)
    assert before == after


def test_a_fresh_proc_below_root_that_would_get_out_is_refused(tmp_path: Path, in_child: Callable[..., Any]) -> None:
    def run() -> tuple[str, bool]:
        share_all()
        for name in ("usr", "proc"):
            (tmp_path / name).mkdir()
        mounts.mount("/usr", str(tmp_path / "usr"), None, mounts.MS_BIND)
        for name in ("bin", "lib", "lib64"):
            (tmp_path / name).symlink_to("usr/" + name)
        sentence = refused(namespaces=["mnt", "pid"], propagation="shared", mount_proc=True, root=str(tmp_path),
                           cmd="/bin/true")
        seen = str(tmp_path / "proc") in Path("/proc/self/mountinfo").read_text()
        return sentence, seen

    sentence, seen = in_child(run, namespaces.CLONE_NEWNS)
    assert "(EINVAL): /proc in its root directory is no mount" in sentence and not seen


def test_proc_s_mount_is_as_safe_as_usual() -> None:
    shown = said(namespaces=["mnt", "pid"], cmd="cat /proc/self/mountinfo", mount_proc=True)
    line = [line.split() for line in shown.split("\n") if line.split()[4] == "/proc"][-1]
    assert {"nosuid", "nodev", "noexec"} <= set(line[5].split(","))


def test_proc_that_may_not_be_mounted_says_why() -> None:
    """A user namespace may not uncover what its creator had covered."""
    sentence = refused(namespaces=["user", "mnt"], cmd="true", mount_proc=True)
    assert sentence.startswith("mount_proc: /proc could not be mounted (EPERM): a user namespace may mount it only")


# --- causes that this machine does not have -------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "value", "said"), [
    ("/proc/sys/kernel/unprivileged_userns_clone", b"0", "the sysctl kernel.unprivileged_userns_clone (Debian) is 0"),
    ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", b"1",
     "the sysctl kernel.apparmor_restrict_unprivileged_userns (Ubuntu) is 1, and no AppArmor profile allows it"),
])
def test_a_distribution_s_switch_is_named(
    path: str, value: bytes, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(causes, "_read", lambda asked: value if asked == path else b"")
    monkeypatch.setattr(causes.os, "geteuid", lambda: 1000)
    for kind, types in (("user", ["user"]), ("net", ["net", "user"])):
        refusal = causes.no_namespace(kind, PermissionError(1, "unshare: Operation not permitted"), types)
        assert isinstance(refusal, Refused) and said in str(refusal) and "run the task as root (become)" in str(refusal)


def test_a_chroot_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(causes, "_in_chroot", lambda: True)
    refusal = causes.no_namespace("user", PermissionError(1, "unshare: Operation not permitted"), ["user"])
    assert "the module is in a chroot, where the kernel allows no user namespaces: run it outside" in str(refusal)


def test_a_type_that_the_kernel_does_not_have_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(causes.os.path, "lexists", lambda path: path != "/proc/self/ns/time")
    refusal = causes.no_namespace("time", OSError(22, "unshare: Invalid argument"), ["time"])
    assert "this kernel has no time namespaces (Linux 5.6): leave time out" in str(refusal)

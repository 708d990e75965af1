# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ns_persist with several types under one name: folders of units, their settings, what is different, and force."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._create import inhabitants, pins
from ansible_collections.nsfleet.linux.plugins.module_utils._create.inside import maps_of, offsets_of
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.unit_record import load
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import mounts, nsfs
from ansible_collections.nsfleet.linux.tests.kernel.persist_lab import (
    EIGHT,
    NETNS,
    UNITS,
    alone,
    consistent,
    enter,
    exists,
    gone,
    inits,
    ip,
    kept,
    listed,
    name_at,
    newer,
    persist,
    refused,
    units,
    until,
)

BOX = f"{UNITS}/box"


def owner_of(path: str) -> str:
    descriptor = os.open(path, os.O_RDONLY)
    above = nsfs.owner(descriptor)
    try:
        return f"user:[{os.fstat(above).st_ino}]"
    finally:
        os.close(above)
        os.close(descriptor)


# --- making and removing --------------------------------------------------------------------------------------------


@alone
@pytest.mark.parametrize("types", [[kind] for kind in EIGHT if kind != "net"] + [["uts", "net"], EIGHT], ids=str)
def test_each_type_is_kept_entered_and_removed(types: list[str]) -> None:
    result = kept(name="box", namespaces=types)
    assert result["changed"] and list(result["namespaces"]) == types
    assert result["paths"] == {kind: f"{BOX}/{kind}" for kind in types}
    for kind in types:
        assert name_at(f"{BOX}/{kind}") == result["namespaces"][kind]
        if kind == "mnt" and "pid" in types:
            enter(f"{BOX}/{kind}", kind)  # its /proc is that of the unit's processes
            continue
        assert enter(f"{BOX}/{kind}", kind, "readlink", f"/proc/self/ns/{kind}").strip() == result["namespaces"][kind]
    assert ("box" in listed()) == ("net" in types)
    assert len(inits()) == ("pid" in types)
    kept(name="box", namespaces=types, state="absent")
    gone("box")
    assert inits() == [] and listed() == []


@alone
def test_the_user_namespace_owns_the_others() -> None:
    result = kept(name="box", namespaces=EIGHT)
    for kind in EIGHT:
        if kind != "user":
            assert owner_of(f"{BOX}/{kind}") == result["namespaces"]["user"], kind


@alone
def test_a_network_of_a_unit_is_one_of_ip_netns_too() -> None:
    result = kept(name="box", namespaces=["net", "uts"])
    assert name_at(f"{NETNS}/box") == result["namespaces"]["net"]
    ip("netns", "delete", "box")
    again = kept(name="box", namespaces=["net", "uts"])
    assert again["namespaces"] == result["namespaces"] and again["repaired"] == []
    assert again["diff"]["after"] == f"net: {result['namespaces']['net']} at {NETNS}/box\n"
    assert listed() == ["box"]


@alone
def test_a_folder_of_the_user_s_own(tmp_path: Path = Path("/run/own/deep")) -> None:
    result = kept(name="box", namespaces=["net"], directory=str(tmp_path))
    assert result["paths"] == {"net": f"{tmp_path}/box/net"} and listed() == ["box"]
    kept(name="box", directory=str(tmp_path), state="absent")
    assert not exists(f"{tmp_path}/box") and listed() == []


@alone
def test_a_folder_on_another_file_system(tmp_path: Path = Path("/run/other")) -> None:
    os.mkdir(tmp_path)
    mounts.mount("tmpfs", str(tmp_path), "tmpfs", 0, "mode=755")
    kept(name="box", namespaces=["net", "mnt"], directory=str(tmp_path))
    kept(name="box", directory=str(tmp_path), state="absent")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("directory", [
    "relative", "/", "/run", NETNS, f"{NETNS}/units", f"{UNITS}/box", "/run/link", "/run/nul\0", "/run/\ud800"])
def test_a_folder_that_is_none_for_units_is_refused(directory: str) -> None:
    @alone
    def test() -> None:
        Path("/run/link").symlink_to(NETNS)
        for state in ("present", "absent"):
            assert refused(name="box", directory=directory, state=state).startswith("directory ")

    test()


@alone
def test_somebody_else_s_folder_stays_as_it_is() -> None:
    for path in ("/run/etc/ssh", "/run/etc/.old-backup", "/run/etc/.new-01234567x"):
        os.makedirs(path)
        Path(path, "net").touch()
        Path(path, "config").touch()
    before = sorted(os.walk("/run/etc"))
    for given in ({"state": "absent"}, {"namespaces": ["uts"], "force": True}):
        for check in (True, False):
            result = persist(check, name="ssh", directory="/run/etc", **given)
            assert result["failed"] and not result["changed"]
            assert "there is something in it that is not ours, config" in result["msg"]
    kept(name="box", directory="/run/etc", namespaces=["uts"])
    kept(name="box", directory="/run/etc", state="absent")
    assert sorted(os.walk("/run/etc")) == before


@alone
def test_a_folder_that_cannot_be_made_is_no_change() -> None:
    Path("/run/file").touch()
    assert "could not be made (ENOTDIR)" in refused(name="box", directory="/run/file/units", namespaces=["uts"])


@alone
@pytest.mark.parametrize("mode, above", [(0o777, 0o755), (0o775, 0o755), (0o755, 0o777)])
def test_a_folder_that_others_may_write_is_refused(mode: int, above: int) -> None:
    os.makedirs("/run/open/units")
    os.chmod("/run/open/units", mode)
    os.chmod("/run/open", above)
    assert "can be written by others" in refused(name="box", namespaces=["uts"], directory="/run/open/units")
    os.chmod("/run/open/units", 0o755)
    os.chmod("/run/open", 0o1777)
    kept(name="box", namespaces=["uts"], directory="/run/open/units")


@alone
@pytest.mark.parametrize("types", [["net"], ["uts", "net"]])
def test_a_mount_that_is_refused_at_the_last_moment_leaves_a_name_that_can_be_entered(
    types: list[str], monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(path: str, descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pins, "finish", refuse)
    result = persist(name="box", namespaces=types)
    assert result["failed"] and result["changed"] and "could not be put at" in result["msg"]
    consistent(hidden=True)
    assert listed() == ["box"]
    monkeypatch.undo()
    name = name_at(f"{NETNS}/box")
    result = kept(name="box", namespaces=types)
    assert result["namespaces"]["net"] == name
    assert [each for each in result["repaired"] if f"{NETNS}/box was a link to where it is" in each], result


@alone
def test_a_plain_file_at_the_unit_s_name_is_refused() -> None:
    kept(name="green", namespaces=["uts"])
    Path(BOX).touch()
    assert f"{BOX} is in the way" in refused(name="box", namespaces=["uts"])


# --- what namespaces are like ---------------------------------------------------------------------------------------


@alone
def test_names_are_kept_on_every_run() -> None:
    wanted = {"name": "box", "namespaces": ["uts"], "hostname": "web1", "domainname": "yp"}
    assert kept(**wanted)["diff"]["after"].splitlines()[1:] == ["hostname web1", "domainname yp"]
    assert enter(f"{BOX}/uts", "uts", "hostname").strip() == "web1"
    enter(f"{BOX}/uts", "uts", "hostname", "drifted")
    result = kept(**wanted)
    assert result["diff"] == {"before": "hostname drifted\n", "after": "hostname web1\n"} and result["repaired"] == []
    assert enter(f"{BOX}/uts", "uts", "cat", "/proc/sys/kernel/domainname").strip() == "yp"
    enter(f"{BOX}/uts", "uts", sys.executable, "-c", "import ctypes; ctypes.CDLL(None).setdomainname(b'drifted', 7)")
    assert kept(**wanted)["diff"] == {"before": "domainname drifted\n", "after": "domainname yp\n"}
    assert enter(f"{BOX}/uts", "uts", "cat", "/proc/sys/kernel/domainname").strip() == "yp"


@alone
def test_clocks_are_compared() -> None:
    kept(name="box", namespaces=["time"], boottime_offset=100, monotonic_offset=50)
    descriptor = os.open(f"{BOX}/time", os.O_RDONLY)
    assert offsets_of(descriptor) == {"boottime": 100, "monotonic": 50}
    assert not kept(name="box", namespaces=["time"])["changed"]
    assert not kept(name="box", namespaces=["time"], boottime_offset=100)["changed"]
    assert "boottime_offset is 100 and not 200" in refused(name="box", namespaces=["time"], boottime_offset=200)
    result = kept(name="box", namespaces=["time"], boottime_offset=200, force=True)
    assert "boottime_offset 200\n" in result["diff"]["after"] and "boottime_offset 100" in result["diff"]["before"]


@alone
def test_id_maps_are_compared(host_root: bool) -> None:
    maps = {"map_users": ["0:100000:65536"], "map_groups": ["0:100000:65536"]}
    other = ["0:200000:65536"]
    if not host_root:
        maps, other = {"map_users": ["0:0:1"], "map_groups": ["0:0:1"]}, ["5:0:1"]
    result = kept(name="box", namespaces=["user", "uts"], **maps)
    line = "uid_map " + maps["map_users"][0].replace(":", " ")
    assert line in result["diff"]["after"].splitlines()
    descriptor = os.open(f"{BOX}/user", os.O_RDONLY)
    uids = maps_of(descriptor)[0]
    assert [str(each) for each in uids] == maps["map_users"]
    assert not kept(name="box", namespaces=["user", "uts"])["changed"]
    sentence = refused(name="box", namespaces=["user", "uts"], **{**maps, "map_users": other})
    assert f"map_users is {maps['map_users'][0]} and not {other[0]}" in sentence
    before = result["namespaces"]
    after = kept(name="box", namespaces=["user", "uts"], **{**maps, "map_users": other}, force=True)["namespaces"]
    assert not set(before.values()) & set(after.values())


@alone
def test_setgroups_is_compared() -> None:
    kept(name="box", namespaces=["user"], setgroups="deny")
    assert "setgroups is deny and not allow" in refused(name="box", namespaces=["user"], setgroups="allow")


@alone
def test_mounts_are_slaves_unless_otherwise_said() -> None:
    kept(name="box", namespaces=["mnt"])
    kept(name="lone", namespaces=["mnt"], propagation="private")
    os.mkdir("/run/later")
    mounts.mount("tmpfs", "/run/later", "tmpfs")
    assert "/run/later" in enter(f"{BOX}/mnt", "mnt", "cat", "/proc/self/mountinfo")
    assert "/run/later" not in enter(f"{UNITS}/lone/mnt", "mnt", "cat", "/proc/self/mountinfo")


@alone
def test_what_is_mounted_inside_is_kept_inside() -> None:
    kept(name="box", namespaces=["mnt"])
    enter(f"{BOX}/mnt", "mnt", "mount", "-t", "tmpfs", "inner", "/mnt")
    assert "inner" in enter(f"{BOX}/mnt", "mnt", "cat", "/proc/self/mountinfo")
    assert b"inner" not in Path("/proc/self/mountinfo").read_bytes()
    assert not kept(name="box", namespaces=["mnt"])["changed"]


@alone
@pytest.mark.parametrize("given, kind", [({"hostname": "x"}, "uts"), ({"loopback": True}, "net"),
                                         ({"map_users": ["0:0:1"]}, "user"), ({"boottime_offset": 1}, "time"),
                                         ({"propagation": "slave"}, "mnt"), ({"nsid": 1}, "net")])
def test_an_option_of_a_type_that_is_not_listed_is_refused(given: dict[str, Any], kind: str) -> None:
    types = [each for each in ("ipc", "cgroup") if each != kind]
    sentence = persist(name="box", namespaces=types, **given)["msg"]
    assert next(iter(given)) in sentence and kind in sentence
    assert not exists(UNITS)


# --- parts of it ----------------------------------------------------------------------------------------------------


@alone
def test_missing_types_are_made_inside_of_what_is_there() -> None:
    first = kept(name="box", namespaces=["user", "net"])["namespaces"]
    result = kept(name="box", namespaces=["user", "net", "uts", "mnt", "pid"], hostname="late")
    for kind in first:
        assert result["namespaces"][kind] == first[kind]
    for kind in ("uts", "mnt", "pid"):
        assert owner_of(f"{BOX}/{kind}") == first["user"]
    assert enter(f"{BOX}/uts", "uts", "hostname").strip() == "late"
    assert result["diff"]["before"] == ""


@alone
def test_a_network_of_ip_netns_becomes_part_of_a_unit() -> None:
    kept(name="green")
    ip("netns", "add", "box")
    name = name_at(f"{NETNS}/box")
    result = kept(name="box", namespaces=["net", "uts"])
    assert result["namespaces"]["net"] == name == name_at(f"{BOX}/net")


@alone
def test_more_than_is_wanted_is_different() -> None:
    kept(name="box", namespaces=["uts", "ipc", "net"])
    assert "it has ipc too, which is not among namespaces" in refused(name="box", namespaces=["uts", "net"])
    assert "it has uts, ipc too, which are not" in refused(name="box")
    result = kept(name="box", force=True)
    assert result["paths"] == {"net": f"{NETNS}/box"} and units() == []
    assert f"{BOX}/uts" in result["diff"]["before"]


@alone
def test_a_user_namespace_cannot_come_later() -> None:
    before = kept(name="box", namespaces=["uts"])["namespaces"]
    assert "it has no user namespace, and a new one would not own the others (uts)" in refused(
        name="box", namespaces=["uts", "user"])
    result = kept(name="box", namespaces=["uts", "user"], force=True)
    assert result["namespaces"]["uts"] != before["uts"]
    assert owner_of(f"{BOX}/uts") == result["namespaces"]["user"]


@alone
def test_a_name_taken_by_another_network_is_different() -> None:
    kept(name="green")
    kept(name="box", namespaces=["net", "uts"])
    ip("netns", "delete", "box")
    ip("netns", "add", "box")
    assert f"{NETNS}/box is another network" in refused(name="box", namespaces=["net", "uts"])
    assert f"{NETNS}/box is another network" in refused(name="box", state="absent")
    kept(name="box", namespaces=["net", "uts"], force=True)
    kept(name="box", state="absent", force=True)
    gone("box")


@alone
def test_absent_with_a_folder_leaves_a_network_that_is_not_the_unit_s() -> None:
    ip("netns", "add", "box")
    kept(name="box", namespaces=["uts"], directory="/run/own")
    kept(name="box", directory="/run/own", state="absent")
    assert listed() == ["box"]


# --- repairs --------------------------------------------------------------------------------------------------------


@alone
@pytest.mark.parametrize("kind", EIGHT)
def test_a_part_that_was_unmounted_is_made_again_and_the_rest_stays(kind: str) -> None:
    before = kept(name="box", namespaces=EIGHT)["namespaces"]
    held = os.open(f"{BOX}/{kind}", os.O_RDONLY)  # or the new one may get its inode
    subprocess.run(["umount", "--lazy", f"{BOX}/{kind}"], check=True)
    if kind == "net":
        assert kept(name="box", namespaces=EIGHT)["namespaces"] == before  # it has another name
        return
    if kind == "user":
        assert "it has no user namespace" in refused(name="box", namespaces=EIGHT)
        return
    age(f"{BOX}/{kind}")
    result = kept(name="box", namespaces=EIGHT)
    assert result["repaired"] == [f"{BOX}/{kind} was a plain file on which nothing is mounted"]
    os.close(held)
    assert {each for each in EIGHT if before[each] != result["namespaces"][each]} == {kind}
    kept(name="box", state="absent")
    gone("box")
    assert inits() == []


def age(path: str) -> None:
    import time

    until(lambda: time.time() - os.lstat(path).st_ctime > 2.05)


@alone
def test_all_parts_stale_is_a_new_unit() -> None:
    kept(name="box", namespaces=["uts", "net", "ipc"])
    for path in (f"{BOX}/uts", f"{BOX}/net", f"{BOX}/ipc", f"{NETNS}/box"):
        subprocess.run(["umount", "--lazy", path], check=True)
    age(f"{BOX}/uts")
    result = kept(name="box", namespaces=["uts", "net", "ipc"])
    assert len(result["repaired"]) == 4


@alone
def test_an_empty_folder_is_filled_or_removed() -> None:
    kept(name="green", namespaces=["uts"])
    os.mkdir(BOX)
    assert kept(name="box", namespaces=["uts"])["repaired"] == [f"{BOX} was a folder with nothing in it"]
    os.mkdir(f"{UNITS}/blue")
    assert kept(name="blue", state="absent")["changed"]
    os.mkdir(f"{UNITS}/blue")
    assert kept(name="blue")["repaired"] == [f"{UNITS}/blue was a folder with nothing in it"]
    assert "blue" not in units()


@alone
def test_stacked_and_wrong_parts() -> None:
    before = kept(name="box", namespaces=["uts", "ipc", "cgroup"])["namespaces"]
    mounts.mount(f"{BOX}/uts", f"{BOX}/uts", None, mounts.MS_BIND)
    mounts.mount("/proc/self/ns/net", f"{BOX}/ipc", None, mounts.MS_BIND)
    result = kept(name="box", namespaces=["uts", "ipc", "cgroup"])
    assert sorted(result["repaired"]) == [
        f"{BOX}/ipc was a namespace of another type, {os.readlink('/proc/self/ns/net')}",
        f"{BOX}/uts was under a stack of 2 mounts",
    ]
    assert result["namespaces"]["uts"] == before["uts"] and result["namespaces"]["ipc"] != before["ipc"]


@alone
def test_a_stale_part_that_is_not_wanted_goes() -> None:
    kept(name="box", namespaces=["uts", "ipc"])
    subprocess.run(["umount", "--lazy", f"{BOX}/ipc"], check=True)
    age(f"{BOX}/ipc")
    kept(name="box", namespaces=["uts"])
    assert not exists(f"{BOX}/ipc")


@alone
def test_something_else_in_the_folder_is_not_removed() -> None:
    kept(name="box", namespaces=["uts"])
    Path(f"{BOX}/note").write_text("mine")
    for name in ("note", "unit.json.new"):
        sentence = refused(name="box", state="absent")
        assert f"there is something in it that is not ours, {name}" in sentence
        Path(f"{BOX}/{name}").unlink() if name == "note" else Path(f"{BOX}/{name}").rmdir()
        Path(f"{BOX}/unit.json.new").mkdir() if name == "note" else None
    kept(name="box", namespaces=["uts"])
    kept(name="box", state="absent")
    gone("box")


@alone
def test_what_is_no_file_beside_a_unit_is_not_in_its_way() -> None:
    os.makedirs(f"{NETNS}/box")
    assert persist(name="box", namespaces=["uts"])["changed"]
    assert persist(name="box", state="absent")["changed"]
    assert os.path.isdir(f"{NETNS}/box") and not exists(BOX)
    assert f"{NETNS}/box is in the way" in refused(name="box", state="absent")


@pytest.mark.skipif(os.stat("/proc/self/ns/user").st_ino != 0xEFFFFFFD,
                    reason="needs root of the initial user namespace: others may not look into the host's own")
@alone
def test_what_is_the_host_s_own_is_different() -> None:
    os.makedirs(BOX)
    Path(f"{BOX}/uts").symlink_to("/proc/1/ns/uts")
    before = os.uname().nodename
    sentence = refused(name="box", namespaces=["uts"], hostname="another")
    assert f"uts is the host's own, {os.readlink('/proc/1/ns/uts')}" in sentence and os.uname().nodename == before
    result = kept(name="box", namespaces=["uts"], hostname="another", force=True)
    assert result["namespaces"]["uts"] != os.readlink("/proc/1/ns/uts") and os.uname().nodename == before
    kept(name="box", state="absent")


# --- pinning several ------------------------------------------------------------------------------------------------


@alone
def test_the_namespaces_of_a_process_are_kept_when_it_has_ended() -> None:
    flags = ["--uts", "--ipc", "--net", "--user", "--map-root-user", "--mount", "--cgroup"]
    types = ["mnt", "uts", "ipc", "net", "user", "cgroup"]
    with subprocess.Popen(["unshare", *flags, "sleep", "60"], preexec_fn=newer) as process:
        try:
            until(lambda: Path(f"/proc/{process.pid}/comm").read_text() == "sleep\n")
            theirs = {kind: os.readlink(f"/proc/{process.pid}/ns/{kind}") for kind in types}
            assert kept(name="box", namespaces=types, pid=process.pid)["namespaces"] == theirs
        finally:
            process.kill()
    assert not kept(name="box", namespaces=types)["changed"]
    assert {kind: name_at(f"{BOX}/{kind}") for kind in types} == theirs
    assert load(BOX).made == []
    kept(name="box", state="absent")
    gone("box")


@alone
def test_the_init_of_somebody_else_is_never_ended_and_nothing_of_ours_goes_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def entered(descriptor: int) -> bool:
        raise AssertionError("a process went in there")

    with subprocess.Popen(["unshare", "--pid", "--fork", "--kill-child", "sleep", "60"]) as process:
        try:
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            until(children.read_text)
            pid = int(children.read_text())
            until(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n")
            monkeypatch.setattr(inhabitants, "pid_namespace_has_ended", entered)
            kept(name="box", namespaces=["pid"], pid=pid)
            kept(name="box", namespaces=["pid"], force=True)
            kept(name="box", state="absent", force=True)
            assert Path(f"/proc/{pid}/comm").read_text() == "sleep\n" and process.poll() is None
            kept(name="box", namespaces=["pid"], pid=pid)
            monkeypatch.undo()
            os.kill(pid, 9)
            process.wait()
            result = kept(name="box", namespaces=["pid"])
            assert result["repaired"] == [f"{BOX}/pid was a pid namespace whose process 1 has ended"]
            kept(name="other", namespaces=["pid"], path=f"{BOX}/pid")
            persist(name="box", state="absent")
            sentence = refused(name="other", namespaces=["pid"], path=f"{UNITS}/other/pid")
            assert "has no process 1 any more" in sentence
        finally:
            process.kill()

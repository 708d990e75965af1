# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a mount table differs before and after a command. The tools that change it are mount(8) and umount(8)."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import time
from typing import Any, Callable, Iterator

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._enter import mount_view
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.changed_mounts import MountChanges, difference
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.target import close
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import mounts, namespaces
from ansible_collections.nsfleet.linux.plugins.module_utils._model.entry import Changes, Target


def own_table() -> None:
    mounts.mount(None, "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
    mounts.mount("first", "/mnt", "tmpfs", 0, "size=1m")
    for name in ("a", "b", "with space"):
        os.mkdir("/mnt/" + name)


@pytest.fixture(params=["by its process", "by its namespace"])
def target(held: Callable[..., Any], request: pytest.FixtureRequest) -> Iterator[Target]:
    """A mount namespace of its own."""
    pid = held(own_table, namespaces.CLONE_NEWNS).pid
    root, mnt = os.open("/proc/%d/root" % pid, os.O_PATH), os.open("/proc/%d/ns/mnt" % pid, os.O_RDONLY)
    if request.param == "by its process":
        yield Target("test", pid=pid, root=root, descriptors={"mnt": mnt})
    else:
        yield Target("test", descriptors={"mnt": mnt})
    os.close(root)
    os.close(mnt)


def changes(target: Target, script: str) -> Changes:
    watch = MountChanges(target, time.monotonic() + 5)
    try:
        enter = "/proc/self/fd/%d" % target.descriptors["mnt"]
        subprocess.run(["nsenter", "--mount=" + enter, "sh", "-ec", script], check=True, timeout=30,
                       pass_fds=[target.descriptors["mnt"]])
        return watch.after()
    finally:
        watch.close()


@pytest.mark.parametrize("script", [
    "true",
    "cat /proc/self/mountinfo >/dev/null",
    "mount -t tmpfs t /mnt/a; umount /mnt/a",
    "unshare -m mount -t tmpfs t /mnt/a",
    "echo x >/mnt/a/file",
])
def test_what_leaves_the_table_as_it_was_is_no_change(target: Target, script: str) -> None:
    assert changes(target, script) == Changes([], [], [])


def test_a_mount(target: Target) -> None:
    found = changes(target, "mount -t tmpfs -o size=1m,nosuid t /mnt/a")
    assert found.before == [] and found.unproven == []
    assert len(found.after) == 1
    assert found.after[0].startswith("mount /mnt/a: tmpfs t rw,nosuid,relatime (rw,size=1024k")


def test_a_bind_mount_names_the_directory_it_shows(target: Target) -> None:
    found = changes(target, "mount --bind /mnt/a '/mnt/with space'")
    assert [line.split(" rw")[0] for line in found.after] == ["mount /mnt/with space: tmpfs first of /a"]


def test_an_unmount(target: Target) -> None:
    found = changes(target, "umount /mnt")
    assert found.after == [] and [line.split(" rw")[0] for line in found.before] == ["mount /mnt: tmpfs first"]


def test_another_option(target: Target) -> None:
    found = changes(target, "mount -o remount,bind,ro /mnt")
    assert len(found.before) == len(found.after) == 1
    assert " rw,relatime" in found.before[0] and " ro,relatime" in found.after[0]


def test_another_size(target: Target) -> None:
    found = changes(target, "mount -t tmpfs -o remount,size=2m first /mnt")
    assert "size=1024k" in found.before[0] and "size=2048k" in found.after[0]


def test_another_propagation(target: Target) -> None:
    found = changes(target, "mount --make-shared /mnt")
    assert found.after == [found.before[0] + " shared"]


def test_a_second_mount_over_the_same(target: Target) -> None:
    found = changes(target, "mount -t tmpfs -o size=1m first /mnt")
    assert found.before == [] and len(found.after) == 1


def test_a_file_system_in_memory_that_was_made_anew_is_another_one(target: Target) -> None:
    # It looks the same, and what was in it is gone.
    found = changes(target, "cd /; umount /mnt; mount -t tmpfs -o size=1m first /mnt")
    (line,) = found.before
    assert line.startswith("mount /mnt: tmpfs first rw,relatime (rw,size=1024k")
    assert found == Changes([line], [line + ", another one"], [])


def test_two_that_change_places_are_a_change(target: Target) -> None:
    mount = "mount -t tmpfs %s /mnt/a; "
    changes(target, mount % "one" + mount % "two")
    found = changes(target, "umount /mnt/a; umount /mnt/a; " + mount % "two" + mount % "one")
    assert found.after == [line + ", another one" for line in found.before]
    assert sorted(line.split()[3] for line in found.before) == ["one", "two"]


def test_the_same_directory_bound_again_is_the_same(target: Target) -> None:
    changes(target, "mount --bind /mnt/a /mnt/b")
    assert changes(target, "umount /mnt/b; mount --bind /mnt/a /mnt/b") == Changes([], [], [])


def test_the_table_is_read_though_its_process_has_ended(held: Callable[..., Any]) -> None:
    pid = held(own_table, namespaces.CLONE_NEWNS).pid
    target = Target("test", pid=pid, root=os.open("/proc/%d/root" % pid, os.O_PATH),
                    descriptors={"mnt": os.open("/proc/%d/ns/mnt" % pid, os.O_RDONLY)})
    watch = MountChanges(target, time.monotonic() + 5)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    subprocess.run(["nsenter", "--mount=/proc/self/fd/%d" % target.descriptors["mnt"], "umount", "/mnt"], check=True,
                   pass_fds=[target.descriptors["mnt"]])
    found = watch.after()
    watch.close()
    close(target)
    assert len(found.before) == 1 and not found.unproven


def test_a_table_that_is_too_large_is_unproven(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mount_view, "_LIMIT", 100)
    assert changes(target, "true").unproven == ["the mount table could not be read: more than 100 bytes of mounts"]


def test_a_table_that_takes_too_long_is_unproven(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mount_view, "_LONGEST", -1.0)
    assert changes(target, "true").unproven == [
        "the mount table could not be read: too many mounts to read in time"]


def test_a_process_that_is_gone_is_unproven(in_child: Callable[..., Any]) -> None:
    root = os.open("/", os.O_PATH)
    watch = MountChanges(Target("test", pid=in_child(os.getpid), root=root), time.monotonic() + 5)
    assert watch.after().unproven == ["the mount table could not be opened: " + os.strerror(errno.ENOENT)]
    watch.close()
    os.close(root)


def test_nothing_stays_open(target: Target) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    changes(target, "true")
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_lines_are_counted() -> None:
    assert difference(["a", "a", "b"], ["b", "a", "c"]) == Changes(["a"], ["c"], [])

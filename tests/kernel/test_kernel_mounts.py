# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mount calls in mount namespaces of the test's own."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import libc, mounts, namespaces
from ansible_collections.nsfleet.linux.tests.kernel.running_kernel import errno_of, since

OWN_MOUNTS = namespaces.CLONE_NEWUSER | namespaces.CLONE_NEWNS
TMPFS_MAGIC = 0x01021994


@pytest.fixture
def mounted(in_child: Callable[..., Any], tmp_path: Path) -> Callable[[Callable[[str], Any]], Any]:
    """Run a function in a private mount namespace with a tmpfs, whose path it is given."""
    tmp_path.chmod(0o755)

    def run(function: Callable[[str], Any]) -> Any:
        def inside() -> Any:
            mounts.mount(None, "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
            mounts.mount("nsfleet", tmp_path, "tmpfs", mounts.MS_NODEV, "size=1m,mode=755")
            return function(str(tmp_path))

        return in_child(inside, OWN_MOUNTS)

    return run


def mountinfo() -> dict[str, str]:
    """The line of each mount point (escaped, as the kernel writes it)."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        return {line.split()[4]: line for line in lines}


def unique_ids() -> dict[str, int]:
    """The id of each mount point. Others' mounts come and go: removing a mount point unmounts it here, too."""
    found = {}
    for one in mounts.listmount():
        with contextlib.suppress(FileNotFoundError):
            found[mounts.statmount(one).point or ""] = one
    return found


def test_mount_and_umount2(mounted: Callable[..., Any]) -> None:
    def look(path: str) -> tuple:
        line = mountinfo()[path]
        mounts.umount2(path)
        return line, path in mountinfo()

    line, still = mounted(look)
    assert " - tmpfs nsfleet " in line and "nodev" in line and "size=1024k" in line
    assert not still


def test_bind_and_remount_read_only(mounted: Callable[..., Any]) -> None:
    def look(path: str) -> int:
        mounts.mount(path, path, None, mounts.MS_BIND)
        mounts.mount(None, path, None, mounts.MS_BIND | mounts.MS_REMOUNT | mounts.MS_RDONLY | mounts.MS_NODEV)
        return errno_of(os.mkdir, path + "/x")

    assert mounted(look) == errno.EROFS


def test_umount2_does_not_follow_a_link_when_told(mounted: Callable[..., Any]) -> None:
    def look(path: str) -> tuple:
        os.mkdir(path + "/a")
        mounts.mount("inner", path + "/a", "tmpfs")
        os.symlink("a", path + "/link")
        return errno_of(mounts.umount2, path + "/link", mounts.UMOUNT_NOFOLLOW), path + "/a" in mountinfo()

    assert mounted(look) == (errno.EINVAL, True)


def test_pivot_root(mounted: Callable[..., Any]) -> None:
    def look(path: str) -> list:
        os.mkdir(path + "/old")
        mounts.pivot_root(path, path + "/old")
        os.chdir("/")
        mounts.umount2("/old", mounts.MNT_DETACH)
        return os.listdir("/")

    assert mounted(look) == ["old"]


@pytest.mark.parametrize(
    "call, code",
    [
        (lambda: mounts.mount("x", "/nonexistent/nsfleet", "tmpfs"), errno.ENOENT),
        (lambda: mounts.umount2("/nonexistent/nsfleet"), errno.ENOENT),
        (lambda: mounts.pivot_root("/nonexistent/nsfleet", "/"), errno.ENOENT),
        (lambda: mounts.open_tree(mounts.AT_FDCWD, "/nonexistent/nsfleet"), errno.ENOENT),
        (lambda: mounts.move_mount(mounts.AT_FDCWD, "/nonexistent/nsfleet", mounts.AT_FDCWD, "/"), errno.ENOENT),
        (lambda: mounts.mount_setattr(-1, "", mounts.AT_EMPTY_PATH, attr_set=1), errno.EBADF),
        (lambda: mounts.statmount(1 << 60), errno.ENOENT),
        (lambda: mounts.listmount(1 << 60), errno.ENOENT),
    ],
    ids=["mount", "umount2", "pivot_root", "open_tree", "move_mount", "mount_setattr", "statmount", "listmount"],
)
@since(6, 8)
def test_errno_is_kept(call: Callable[[], Any], code: int, in_child: Callable[..., Any]) -> None:
    assert in_child(lambda: errno_of(call), OWN_MOUNTS) == code


@pytest.mark.parametrize(
    "name, call",
    [
        ("mount", lambda: mounts.mount(None, "/x", None)),
        ("umount2", lambda: mounts.umount2("/x")),
        ("pivot_root", lambda: mounts.pivot_root("/x", "/x")),
        ("open_tree", lambda: mounts.open_tree(-1, "")),
        ("move_mount", lambda: mounts.move_mount(-1, "", -1, "")),
        ("mount_setattr", lambda: mounts.mount_setattr(-1, "", attr_set=1)),
        ("statmount", lambda: mounts.statmount(1)),
        ("listmount", mounts.listmount),
    ],
)
def test_a_missing_call_is_typed(name: str, call: Callable[[], Any], absent: Callable[[str], None]) -> None:
    absent(name)
    with pytest.raises(libc.KernelLacks) as caught:
        call()
    assert (caught.value.call, caught.value.since) == (name, libc.CALLS[name][2])


def test_a_path_with_an_embedded_nul_is_refused() -> None:
    with pytest.raises(ValueError, match="null byte"):
        mounts.umount2("/proc\0/evil")


@since(5, 2)
def test_open_tree_and_move_mount(mounted: Callable[..., Any]) -> None:
    def look(path: str) -> tuple:
        os.mkdir(path + "/from")
        os.mkdir(path + "/to")
        os.mkdir(path + "/from/seen")
        tree = mounts.open_tree(mounts.AT_FDCWD, path + "/from", mounts.OPEN_TREE_CLONE)
        mounts.move_mount(tree, "", mounts.AT_FDCWD, path + "/to", mounts.MOVE_MOUNT_F_EMPTY_PATH)
        return os.listdir(path + "/to"), os.get_inheritable(tree)

    assert mounted(look) == (["seen"], False)


@since(5, 2)
def test_without_libc_s_wrappers(no_wrapper: None, mounted: Callable[..., Any]) -> None:
    test_mount_and_umount2(mounted)
    test_open_tree_and_move_mount(mounted)
    test_pivot_root(mounted)


@since(5, 2)
def test_a_move_mount_flag_this_kernel_lacks_is_typed(mounted: Callable[..., Any]) -> None:
    def look(path: str) -> None:
        mounts.move_mount(mounts.AT_FDCWD, path, mounts.AT_FDCWD, path, 1 << 20)

    with pytest.raises(libc.KernelLacks, match="flags 0x100000"):
        mounted(look)


@since(6, 5)
def test_another_reason_for_einval_is_not_a_lack(mounted: Callable[..., Any]) -> None:
    def look(path: str) -> int:
        os.mkdir(path + "/plain")  # no mount point, so it cannot be moved, beneath or not
        return errno_of(
            mounts.move_mount, mounts.AT_FDCWD, path + "/plain", mounts.AT_FDCWD, path, mounts.MOVE_MOUNT_BENEATH
        )

    assert mounted(look) == errno.EINVAL


@since(5, 12)
def test_mount_setattr_recursively(mounted: Callable[..., Any]) -> None:
    def look(path: str) -> tuple:
        os.mkdir(path + "/a")
        mounts.mount("inner", path + "/a", "tmpfs")
        mounts.mount_setattr(
            mounts.AT_FDCWD, path, mounts.AT_RECURSIVE, attr_set=mounts.MOUNT_ATTR_RDONLY | mounts.MOUNT_ATTR_NOEXEC
        )
        refused = errno_of(os.mkdir, path + "/a/x")
        mounts.mount_setattr(mounts.AT_FDCWD, path, mounts.AT_RECURSIVE, attr_clr=mounts.MOUNT_ATTR_RDONLY)
        return refused, errno_of(os.mkdir, path + "/a/x"), "noexec" in mountinfo()[path + "/a"]

    assert mounted(look) == (errno.EROFS, 0, True)


@since(5, 12)
def test_mount_setattr_changes_propagation(mounted: Callable[..., Any]) -> None:
    def look(path: str) -> bool:
        mounts.mount_setattr(mounts.AT_FDCWD, path, propagation=mounts.MS_SHARED)
        return " shared:" in mountinfo()[path]

    assert mounted(look)


@since(5, 12)
def test_an_attribute_this_kernel_lacks_is_typed(mounted: Callable[..., Any]) -> None:
    with pytest.raises(libc.KernelLacks, match="mount attributes 0x40000000"):
        mounted(lambda path: mounts.mount_setattr(mounts.AT_FDCWD, path, attr_set=1 << 30))


@since(5, 12)
def test_mount_setattr_of_what_is_no_mount_is_not_a_lack(mounted: Callable[..., Any]) -> None:
    def look(path: str) -> int:
        os.mkdir(path + "/plain")
        return errno_of(mounts.mount_setattr, mounts.AT_FDCWD, path + "/plain", attr_set=mounts.MOUNT_ATTR_RDONLY)

    assert mounted(look) == errno.EINVAL


@since(6, 8)
def test_statmount_agrees_with_mountinfo(mounted: Callable[..., Any]) -> None:
    def look(path: str) -> tuple:
        mounts.mount(None, path, None, mounts.MS_SHARED)
        return mounts.statmount(unique_ids()[path]), mountinfo()[path].split(), os.stat(path).st_dev

    told, line, device = mounted(look)
    assert (told.mnt_id_old, told.parent_id_old) == (int(line[0]), int(line[1]))
    assert (told.root, told.fs_type, told.magic, told.device) == ("/", "tmpfs", TMPFS_MAGIC, device)
    assert told.propagation == mounts.MS_SHARED and "shared:%d" % told.peer_group in line
    assert told.attributes & mounts.MOUNT_ATTR_NODEV
    assert told.master == 0


@since(6, 8)
def test_statmount_does_not_escape(mounted: Callable[..., Any]) -> None:
    odd = 'a b\tc\\d"\n\u00e9'

    def look(path: str) -> tuple:
        os.makedirs(path + "/" + odd + "/root " + odd)
        os.mkdir(path + "/to " + odd)
        mounts.mount(path + "/" + odd + "/root " + odd, path + "/to " + odd, None, mounts.MS_BIND)
        told = mounts.statmount(unique_ids()[path + "/to " + odd])
        return told.point, told.root, path

    point, root, path = mounted(look)
    assert (point, root) == (path + "/to " + odd, "/" + odd + "/root " + odd)


@since(6, 8)
def test_statmount_gives_a_path_longer_than_its_first_buffer(mounted: Callable[..., Any]) -> None:
    def look(path: str) -> tuple:
        here = path
        while len(here) < 3700:
            here += "/" + "d" * 200
            os.mkdir(here)
        mounts.mount(here, here, None, mounts.MS_BIND)
        told = mounts.statmount(unique_ids()[here])
        return told.point == here, told.root == here[len(path) :]

    assert mounted(look) == (True, True)


@since(6, 8)
def test_what_was_not_asked_is_none(mounted: Callable[..., Any]) -> None:
    told = mounted(lambda path: mounts.statmount(unique_ids()[path], mask=mounts.STATMOUNT_FS_TYPE))
    assert told.fs_type == "tmpfs"
    assert {value for name, value in told._asdict().items() if name != "fs_type"} == {None}


@since(6, 8)
def test_listmount_lists_what_mountinfo_does(mounted: Callable[..., Any]) -> None:
    def look(path: str) -> tuple:
        # Until nothing went away in the middle: removing a mount point elsewhere unmounts it here, too.
        for dummy in range(20):
            with contextlib.suppress(FileNotFoundError):
                listed = mounts.listmount()
                old_ids = sorted(mounts.statmount(one).mnt_id_old or 0 for one in listed)
                with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
                    table = sorted(int(line.split()[0]) for line in lines)
                one_by_one = mounts.listmount(batch=1)
                if listed == one_by_one and old_ids == table:
                    break
        return listed, one_by_one, old_ids, table

    listed, one_by_one, old_ids, table = mounted(look)
    assert old_ids == table
    assert listed == one_by_one == sorted(listed)


@since(6, 11)
def test_another_mount_namespace_is_listed_by_its_id(held: Callable[..., Any], tmp_path: Path) -> None:
    from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import nsfs

    def apart() -> int:
        mounts.mount(None, "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
        mounts.mount("elsewhere", tmp_path, "tmpfs")
        fd = os.open("/proc/self/ns/mnt", os.O_RDONLY)
        return nsfs.mntns_id(fd)

    ns_id = held(apart, OWN_MOUNTS).said
    points = {}
    for one in mounts.listmount(mnt_ns_id=ns_id):
        told = mounts.statmount(one, mnt_ns_id=ns_id)
        points[told.point] = told.ns_id
    assert points[str(tmp_path)] == ns_id
    assert str(tmp_path) not in unique_ids()


def test_the_request_is_no_longer_than_its_kernel_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    # 6.8 to 6.10 know 24 bytes; the namespace's id made it 32.
    sizes: list[int] = []

    def record(name: str, request: bytes, *args: Any) -> int:
        sizes.append(len(request))
        assert request[:4] == len(request).to_bytes(4, sys.byteorder)
        return 0

    monkeypatch.setattr(mounts, "syscall", record)
    mounts.listmount()
    mounts.statmount(1)
    mounts.listmount(mnt_ns_id=5)
    mounts.statmount(1, mnt_ns_id=5)
    assert sizes == [24, 24, 32, 32]


def test_a_kernel_without_other_namespaces_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    def old(name: str, *args: Any) -> int:
        raise OSError(errno.E2BIG, "Argument list too long")

    monkeypatch.setattr(mounts, "syscall", old)
    with pytest.raises(libc.KernelLacks, match=r"statmount with mnt_ns_id \(Linux 6.11"):
        mounts.statmount(1, mnt_ns_id=5)
    with pytest.raises(libc.KernelLacks, match=r"listmount with mnt_ns_id \(Linux 6.11"):
        mounts.listmount(mnt_ns_id=5)

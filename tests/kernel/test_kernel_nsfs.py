# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What namespaces tell about themselves, asked of the real kernel."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
import struct
from typing import Any, Callable, Iterator

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import (
    libc,
    namespaces,
    nsfs,
    nsfs_queries,
    prctl,
)
from ansible_collections.nsfleet.linux.tests.kernel.running_kernel import errno_of, since

NO_SUCH_REQUEST = 0xB77F
OWN_NETWORK = namespaces.CLONE_NEWUSER | namespaces.CLONE_NEWNET


@pytest.fixture
def opened() -> Iterator[Callable[[int, str], int]]:
    """Descriptors of /proc/PID/ns/TYPE, closed after the test."""
    fds: list[int] = []

    def open_one(pid: int, name: str) -> int:
        fds.append(os.open("/proc/%d/ns/%s" % (pid, name), os.O_RDONLY))
        return fds[-1]

    yield open_one
    for fd in fds:
        os.close(fd)


def inode(fd: int) -> int:
    """The namespace's inode; closes the descriptor after seeing that a program executed next would not inherit it."""
    try:
        assert fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC, "not close-on-exec"
        return os.fstat(fd).st_ino
    finally:
        os.close(fd)


@pytest.mark.parametrize("name", list(namespaces.TYPES))
def test_ns_type_names_each_type(name: str, opened: Callable[[int, str], int]) -> None:
    assert nsfs.ns_type(opened(os.getpid(), name)) == name


def test_what_is_no_namespace_is_enotty_and_not_a_lack() -> None:
    with open(os.devnull) as null, pytest.raises(OSError, match="NS_GET_NSTYPE: ") as caught:
        nsfs.ns_type(null.fileno())
    assert caught.value.errno == errno.ENOTTY
    assert not isinstance(caught.value, libc.KernelLacks)


def test_owner_is_the_user_namespace_it_was_made_in(
    opened: Callable[[int, str], int], held: Callable[..., Any]
) -> None:
    child = held(flags=namespaces.CLONE_NEWUSER | namespaces.CLONE_NEWNET)
    assert inode(nsfs.owner(opened(child.pid, "net"))) == os.stat("/proc/%d/ns/user" % child.pid).st_ino


def test_owner_out_of_sight_is_eperm(in_child: Callable[..., Any], opened: Callable[[int, str], int]) -> None:
    fd = opened(os.getpid(), "net")
    assert in_child(lambda: errno_of(nsfs.owner, fd), namespaces.CLONE_NEWUSER) == errno.EPERM


def test_parent_of_a_user_namespace(opened: Callable[[int, str], int], held: Callable[..., Any]) -> None:
    child = held(flags=namespaces.CLONE_NEWUSER)
    assert inode(nsfs.parent(opened(child.pid, "user"))) == os.stat("/proc/self/ns/user").st_ino


def test_parent_of_another_type_is_einval(opened: Callable[[int, str], int]) -> None:
    assert errno_of(nsfs.parent, opened(os.getpid(), "net")) == errno.EINVAL


def test_owner_uid_is_who_made_it(opened: Callable[[int, str], int], held: Callable[..., Any]) -> None:
    child = held(flags=namespaces.CLONE_NEWUSER)
    assert nsfs.owner_uid(opened(child.pid, "user")) == os.geteuid()


def test_owner_uid_of_another_type_is_einval(opened: Callable[[int, str], int]) -> None:
    assert errno_of(nsfs.owner_uid, opened(os.getpid(), "uts")) == errno.EINVAL


@since(6, 18)
def test_ns_id_is_one_per_namespace(opened: Callable[[int, str], int], held: Callable[..., Any]) -> None:
    child = held(flags=namespaces.CLONE_NEWNET | namespaces.CLONE_NEWUSER)
    own, theirs = nsfs.ns_id(opened(os.getpid(), "net")), nsfs.ns_id(opened(child.pid, "net"))
    assert own == nsfs.ns_id(opened(os.getpid(), "net")) != theirs
    assert own and theirs


@since(6, 11)
def test_mntns_id_is_of_mount_namespaces_only(opened: Callable[[int, str], int]) -> None:
    assert nsfs.mntns_id(opened(os.getpid(), "mnt")) > 0
    assert errno_of(nsfs.mntns_id, opened(os.getpid(), "net")) == errno.EINVAL


@since(6, 18)
def test_mntns_id_is_the_same_as_ns_id(opened: Callable[[int, str], int]) -> None:
    fd = opened(os.getpid(), "mnt")
    assert nsfs.mntns_id(fd) == nsfs.ns_id(fd)


@since(6, 12)
def test_mnt_info_counts_the_mounts(in_child: Callable[..., Any]) -> None:
    def look() -> tuple:
        fd = os.open("/proc/self/ns/mnt", os.O_RDONLY)
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
            listed = len(table.readlines())
        return nsfs_queries.mnt_info(fd), listed, nsfs.mntns_id(fd)

    told, listed, mntns_id = in_child(look, namespaces.CLONE_NEWUSER | namespaces.CLONE_NEWNS)
    assert told.mnt_ns_id == mntns_id
    assert told.nr_mounts >= listed > 0


@since(6, 12)
def test_walking_mount_namespaces_finds_a_new_one_both_ways(
    opened: Callable[[int, str], int], held: Callable[..., Any], host_root: bool
) -> None:
    own = opened(os.getpid(), "mnt")
    if not host_root:
        # Kernels before 2026-03 walk over what the caller owns instead: then ENOENT where nothing follows.
        assert errno_of(lambda: os.close(nsfs.mnt_next(own))) in (errno.EPERM, errno.ENOENT, 0)
        return
    child = held(flags=namespaces.CLONE_NEWNS)
    wanted = os.stat("/proc/%d/ns/mnt" % child.pid).st_ino
    start = os.stat("/proc/self/ns/mnt").st_ino
    assert wanted in walk(own, nsfs.mnt_next)
    assert start in walk(opened(child.pid, "mnt"), nsfs.mnt_previous)


def walk(fd: int, step: Callable[[int], int]) -> list[int]:
    found: list[int] = []
    fd = os.dup(fd)
    while True:
        try:
            following = step(fd)
        except FileNotFoundError:
            return found
        finally:
            os.close(fd)
        assert fcntl.fcntl(following, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
        found.append(os.fstat(following).st_ino)
        fd = following


def forked_and_bound_to_us() -> int:
    """A child that waits, and is sure to end with us: that is arranged before this returns."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        prctl.set_pdeathsig(signal.SIGKILL)
        os.close(writing)
        signal.pause()
    os.close(writing)
    os.read(reading, 1)
    return pid


@since(6, 11)
def test_pids_are_translated_both_ways(opened: Callable[[int, str], int], held: Callable[..., Any]) -> None:
    def first_of_its_namespace() -> int:
        namespaces.unshare(namespaces.CLONE_NEWUSER | namespaces.CLONE_NEWPID)
        return forked_and_bound_to_us()

    pid = held(first_of_its_namespace).said
    inner = opened(pid, "pid")
    assert nsfs_queries.pid_in(inner, pid) == nsfs_queries.tgid_in(inner, pid) == 1
    assert nsfs_queries.pid_from(inner, 1) == nsfs_queries.tgid_from(inner, 1) == pid
    assert errno_of(nsfs_queries.pid_in, inner, os.getpid()) == errno.ESRCH
    assert errno_of(nsfs_queries.pid_from, inner, 2) == errno.ESRCH


@pytest.mark.parametrize("family", [socket.AF_UNIX, socket.AF_INET], ids=["unix", "inet"])
def test_a_socket_tells_its_network_namespace(family: int, in_child: Callable[..., Any]) -> None:
    def look() -> tuple:
        with socket.socket(family, socket.SOCK_DGRAM) as made_here:
            here = os.stat("/proc/self/ns/net").st_ino
            namespaces.unshare(namespaces.CLONE_NEWNET)
            return inode(nsfs.socket_netns(made_here.fileno())), here, os.stat("/proc/self/ns/net").st_ino

    told, here, later = in_child(look, namespaces.CLONE_NEWUSER | namespaces.CLONE_NEWNET)
    assert told == here != later


def test_a_socket_of_a_foreign_network_is_eperm(in_child: Callable[..., Any]) -> None:
    with socket.socket(socket.AF_UNIX) as ours:
        assert in_child(lambda: errno_of(nsfs.socket_netns, ours.fileno()), namespaces.CLONE_NEWUSER) == errno.EPERM


def test_what_is_no_socket_is_enotty() -> None:
    with open(os.devnull) as null:
        assert errno_of(nsfs.socket_netns, null.fileno()) == errno.ENOTTY


def with_a_tap(function: Callable[[int], Any]) -> Callable[[], Any]:
    """The function, given the descriptor of a new tap; None where this machine's /dev/net/tun may not be opened."""

    def run() -> Any:
        try:
            tun = os.open("/dev/net/tun", os.O_RDWR)
        except (FileNotFoundError, PermissionError):
            return None
        fcntl.ioctl(tun, 0x400454CA, struct.pack("=16sH22x", b"nsfleet0", 0x1002))  # TUNSETIFF, IFF_TAP|IFF_NO_PI
        return function(tun)

    return run


@since(5, 2)
def test_a_tap_tells_its_network_namespace(in_child: Callable[..., Any]) -> None:
    def look(tun: int) -> bool:
        here = os.stat("/proc/self/ns/net").st_ino
        namespaces.unshare(namespaces.CLONE_NEWNET)
        return inode(nsfs_queries.tun_netns(tun)) == here != os.stat("/proc/self/ns/net").st_ino

    assert in_child(with_a_tap(look), OWN_NETWORK) in (True, None)


def test_a_kernel_that_does_not_ask_taps_is_typed(
    in_child: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nsfs_queries, "TUNGETDEVNETNS", 0x547F)

    def look(tun: int) -> str:
        try:
            return str(nsfs_queries.tun_netns(tun))
        except libc.KernelLacks as error:
            return str(error)

    assert in_child(with_a_tap(look), OWN_NETWORK) in ("this kernel has no TUNGETDEVNETNS (Linux 5.2 or newer)", None)


def test_what_is_no_tap_is_enotty() -> None:
    with open(os.devnull) as null:
        assert errno_of(nsfs_queries.tun_netns, null.fileno()) == errno.ENOTTY


@pytest.mark.parametrize("name", list(namespaces.TYPES))
@since(6, 18)
def test_a_handle_opens_the_namespace_it_names(name: str, opened: Callable[[int, str], int]) -> None:
    fd = opened(os.getpid(), name)
    handle = nsfs_queries.handle_of(fd)
    assert handle == (nsfs.ns_id(fd), namespaces.TYPES[name], os.fstat(fd).st_ino)
    assert inode(nsfs.open_handle(nsfs.Handle.unpack(handle.pack()))) == os.fstat(fd).st_ino


@since(6, 18)
def test_a_handle_opens_a_namespace_without_proc_and_not_after_its_end(
    opened: Callable[[int, str], int], held: Callable[..., Any]
) -> None:
    child = held(flags=namespaces.CLONE_NEWUSER | namespaces.CLONE_NEWUTS)
    fd = os.open("/proc/%d/ns/uts" % child.pid, os.O_RDONLY)
    handle, wanted = nsfs_queries.handle_of(fd), os.fstat(fd).st_ino
    os.close(fd)
    assert inode(nsfs.open_handle(handle)) == wanted
    os.kill(child.pid, signal.SIGKILL)
    os.waitpid(child.pid, 0)
    with pytest.raises(nsfs.NamespaceGone) as caught:
        nsfs.open_handle(handle)
    assert caught.value.errno == errno.ESTALE


@since(6, 18)
def test_a_handle_with_another_inode_is_gone(opened: Callable[[int, str], int]) -> None:
    handle = nsfs_queries.handle_of(opened(os.getpid(), "net"))
    with pytest.raises(nsfs.NamespaceGone):
        nsfs.open_handle(handle._replace(inode=handle.inode - 1))


@since(6, 18)
def test_a_handle_of_a_foreign_namespace_is_refused(in_child: Callable[..., Any], held: Callable[..., Any]) -> None:
    child = held(flags=namespaces.CLONE_NEWUSER | namespaces.CLONE_NEWNET)
    fd = os.open("/proc/%d/ns/net" % child.pid, os.O_RDONLY)
    handle = nsfs_queries.handle_of(fd)
    os.close(fd)
    assert in_child(lambda: errno_of(nsfs.open_handle, handle), namespaces.CLONE_NEWUSER) in (errno.EPERM, errno.ESTALE)


def test_a_handle_of_what_is_no_namespace_is_enotty() -> None:
    with open(os.devnull) as null:
        assert errno_of(nsfs_queries.handle_of, null.fileno()) == errno.ENOTTY


def test_an_old_kernel_s_refusal_of_handles_is_typed(
    monkeypatch: pytest.MonkeyPatch, opened: Callable[[int, str], int]
) -> None:
    # Before 6.18 nsfs had no export operations (EOPNOTSUPP), and -10003 was no descriptor (EBADF).
    def old(name: str, *args: Any) -> int:
        code = errno.EOPNOTSUPP if name == "name_to_handle_at" else errno.EBADF
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(nsfs_queries, "syscall", old)
    monkeypatch.setattr(nsfs, "syscall", old)
    with pytest.raises(libc.KernelLacks, match=r"\(Linux 6.18 or newer\)"):
        nsfs_queries.handle_of(opened(os.getpid(), "net"))
    with pytest.raises(libc.KernelLacks, match=r"\(Linux 6.18 or newer\)"):
        nsfs.open_handle(nsfs.Handle(1, namespaces.CLONE_NEWNET, 1))


@pytest.mark.parametrize("code", [errno.EPERM, errno.EMFILE])
def test_another_refusal_of_handles_is_not_a_lack(
    code: int, monkeypatch: pytest.MonkeyPatch, opened: Callable[[int, str], int]
) -> None:
    def refuse(name: str, *args: Any) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(nsfs_queries, "syscall", refuse)
    monkeypatch.setattr(nsfs, "syscall", refuse)
    assert errno_of(nsfs_queries.handle_of, opened(os.getpid(), "net")) == code
    assert errno_of(nsfs.open_handle, nsfs.Handle(1, namespaces.CLONE_NEWNET, 1)) == code


def test_a_handle_of_another_kind_is_a_lack(monkeypatch: pytest.MonkeyPatch, opened: Callable[[int, str], int]) -> None:
    # A kernel between 6.6 and 6.18 may encode the inode of any file system, in a handle that cannot be opened.
    monkeypatch.setattr(nsfs_queries, "syscall", lambda *args: 0)
    with pytest.raises(libc.KernelLacks, match="6.18"):
        nsfs_queries.handle_of(opened(os.getpid(), "net"))


def test_a_ninth_type_is_told_by_its_number(monkeypatch: pytest.MonkeyPatch, opened: Callable[[int, str], int]) -> None:
    monkeypatch.delitem(nsfs._NAMES, namespaces.CLONE_NEWUTS)
    with pytest.raises(OSError, match="0x4000000 is none of the eight") as caught:
        nsfs.ns_type(opened(os.getpid(), "uts"))
    assert caught.value.errno == errno.EPROTONOSUPPORT


def test_an_ioctl_this_kernel_lacks_is_typed(
    monkeypatch: pytest.MonkeyPatch, opened: Callable[[int, str], int]
) -> None:
    monkeypatch.setattr(nsfs, "NS_GET_ID", NO_SUCH_REQUEST)
    with pytest.raises(libc.KernelLacks, match=r"no NS_GET_ID \(Linux 6.18") as caught:
        nsfs.ns_id(opened(os.getpid(), "net"))
    assert caught.value.errno == errno.ENOTTY


@since(6, 19)
def test_listns_lists_our_own_namespaces(opened: Callable[[int, str], int]) -> None:
    own = [nsfs.ns_id(opened(os.getpid(), name)) for name in namespaces.TYPES]
    assert set(own) <= set(nsfs.listns())
    assert nsfs.ns_id(opened(os.getpid(), "net")) in nsfs.listns(namespaces.CLONE_NEWNET, batch=1)


def test_a_kernel_without_listns_is_typed(absent: Callable[[str], None]) -> None:
    absent("listns")
    with pytest.raises(libc.KernelLacks, match=r"no listns \(Linux 6.19"):
        nsfs.listns()

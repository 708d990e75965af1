# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where namespaces hide: each of these is kept alive in exactly one way, and is found with that as its only pin."""

from __future__ import annotations

import array
import fcntl
import json
import os
import signal
import socket
import subprocess
import threading
import time
from typing import Any, Callable, NamedTuple

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._discover import ancestors, threads
from ansible_collections.nsfleet.linux.plugins.module_utils._discover.scan import Scan
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import (
    libc,
    mounts,
    namespaces,
    nsfs,
)
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.proc import Proc
from ansible_collections.nsfleet.linux.plugins.module_utils._model.inventory import Pin
from ansible_collections.nsfleet.linux.tests.kernel.holders import (
    bind,
    details,
    exit_this_thread,
    fork,
    in_thread,
    kinds,
    look,
    name_of,
    new_namespace,
    own,
    passing,
    persist_mount_namespace,
    private_mounts,
    socket_of_new_network,
)
from ansible_collections.nsfleet.linux.tests.kernel.running_kernel import kernel_release

LISTNS = (6, 19)
MOUNT_NAMESPACE_WALK = (6, 12)


class Hidden(NamedTuple):
    """A namespace, the only pin it has, and what that pin says."""

    name: str
    kind: str | None
    details: dict[str, Any]


def process() -> str:
    return own()


def thread_only() -> tuple[str, int]:
    def leave() -> tuple[str, int]:
        namespaces.unshare(namespaces.CLONE_NEWNET)
        return own(), threading.get_native_id()

    return in_thread(leave)


def bind_mount(folder: str = "") -> tuple[str, str]:
    """A network namespace that only a mount of the calling process's mount namespace holds."""
    target = (folder or private_mounts()) + "/hidden"
    fd = new_namespace()
    bind(fd, target)
    name = name_of(fd)
    os.close(fd)
    return name, target


def descriptor() -> tuple[str, int]:
    fd = new_namespace()
    return name_of(fd), fd


def socket_only() -> tuple[str, int]:
    fd = socket_of_new_network()
    netns = nsfs.socket_netns(fd)
    name = name_of(netns)
    os.close(netns)
    return name, fd


def descriptor_of_a_thread() -> tuple[str, int, int]:
    """A descriptor in a table that only one thread has."""

    def own_table() -> tuple[str, int, int]:
        namespaces.unshare(namespaces.CLONE_FILES)
        fd = new_namespace()
        return name_of(fd), threading.get_native_id(), fd

    return in_thread(own_table)


def in_flight(fd: int = -1) -> str:
    """Sent with SCM_RIGHTS and not received yet: in nobody's table."""
    ours, theirs = socket.socketpair()
    if fd < 0:
        fd = new_namespace()
    ours.sendmsg([b"!"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
    name = name_of(fd)
    os.close(fd)
    ours.detach(), theirs.detach()  # left open for good
    return name


def parent_of_a_user_namespace() -> tuple[str, str]:
    """The caller is in a user namespace; it goes to one below, and nobody is left."""
    parent = own("user")
    namespaces.unshare(namespaces.CLONE_NEWUSER)
    return parent, own("user")


def time_for_children() -> str:
    namespaces.unshare(namespaces.CLONE_NEWTIME)
    return own("time_for_children")


def persistent_mount_namespace(folder: str) -> tuple[str, str, str]:
    """A mount namespace that only a mount holds, and in there a network namespace that only a mount holds."""
    def mount_inside() -> None:
        name, target = bind_mount()
        os.write(told, ("%s %s\n" % (name, target)).encode())

    reading, told = os.pipe()
    name = persist_mount_namespace(folder + "/persistent", mount_inside)
    # The last line: it may have taken more than one attempt.
    inside = os.read(reading, 4096).decode().splitlines()[-1].split()
    os.close(reading)
    os.close(told)
    return name, inside[0], inside[1]


def lsns() -> set[str]:
    """What lsns(8) lists at this moment. It can fail when a process ends under its eyes (util-linux issue 2799)."""
    for dummy in range(10):
        done = subprocess.run(["lsns", "-J", "-o", "NS,TYPE"], stdout=subprocess.PIPE, check=False)
        if done.returncode == 0 and done.stdout:
            return {"%s:[%s]" % (entry["type"], entry["ns"]) for entry in json.loads(done.stdout)["namespaces"]}
    pytest.fail("lsns failed ten times")


def test_twelve_namespaces_each_kept_alive_in_one_way_only(
    held: Callable[..., Any], in_child: Callable[..., Any]
) -> None:
    net, mnt, user = namespaces.CLONE_NEWNET, namespaces.CLONE_NEWNS, namespaces.CLONE_NEWUSER
    a, b, d, e = held(process, net), held(thread_only), held(bind_mount, mnt), held(descriptor)
    f, g, h = held(socket_only), held(descriptor_of_a_thread), held(in_flight)
    j, k = held(parent_of_a_user_namespace, user), held(time_for_children)
    d_mnt = os.readlink("/proc/%d/ns/mnt" % d.pid)

    def from_a_mount_namespace_of_its_own() -> tuple[Any, Any, str, Scan, set[str]]:
        # I first: a mount namespace begins as a copy of its maker's, C's mount included.
        folder = private_mounts()
        i = persistent_mount_namespace(folder)
        c = bind_mount(folder)
        before = lsns()
        return c, i, own("mnt"), look(), before | lsns()

    c, i, c_mnt, scan, listed = in_child(from_a_mount_namespace_of_its_own, mnt)
    hidden = {
        "A, a process": Hidden(a.said, "process", {"pid": a.pid}),
        "B, a thread": Hidden(b.said[0], "thread", {"pid": b.pid, "tid": b.said[1]}),
        "C, a mount": Hidden(c[0], "mount", {"path": c[1], "mount_namespace": c_mnt}),
        "D, a mount elsewhere": Hidden(d.said[0], "mount", {"path": d.said[1], "mount_namespace": d_mnt, "pid": d.pid}),
        "E, a descriptor": Hidden(e.said[0], "descriptor", {"pid": e.pid, "descriptor": e.said[1]}),
        "F, a socket": Hidden(f.said[0], "socket", {"pid": f.pid, "descriptor": f.said[1]}),
        "G, a descriptor of a thread": Hidden(
            g.said[0], "descriptor", {"pid": g.pid, "tid": g.said[1], "descriptor": g.said[2]}
        ),
        "H, a descriptor in flight": Hidden(h.said, None, {}),
        "I1, a mount in I2": Hidden(i[1], "mount", {"path": i[2], "mount_namespace": i[0]}),
        "I2, a mount of a mount namespace": Hidden(
            i[0], "mount", {"path": os.path.dirname(c[1]) + "/persistent", "mount_namespace": c_mnt}
        ),
        "J, a child": Hidden(j.said[0], "child", {"relation": "parent", "name": j.said[1]}),
        "K, time for children": Hidden(k.said, "time_for_children", {"pid": k.pid}),
    }
    assert len({one.name for one in hidden.values()}) == 12
    found = {key for key, one in hidden.items() if one.name in scan.namespaces}
    expected = set(hidden)
    if not scan.features["listns"]:
        assert kernel_release() < LISTNS
        expected.discard("H, a descriptor in flight")
    assert found == expected, scan.problems.as_list()
    for key in found:
        one, space = hidden[key], scan.namespaces[hidden[key].name]
        assert kinds(space) == ([] if one.kind is None else [one.kind]), key
        if one.kind is not None:
            assert details(space, one.kind).items() >= one.details.items(), key
        # Found means described, too, also where the only way to it was through a foreign mount namespace.
        assert space.device == os.stat("/proc/self/ns/net").st_dev, key
        assert space.owner is not None, key
        assert space.processes == (key[0] == "A"), key
        assert (space.ns_id is not None) == scan.features["namespace_ids"], key
        assert space.initial is False, key
    # lsns finds 1 of these as Debian 12 has it (2.38: A) and 5 in its newest version (2.43: A, C, E, F, I2).
    assert hidden["A, a process"].name in listed
    by_lsns = {key for key, one in hidden.items() if one.name in listed}
    assert by_lsns < found


def test_all_the_reasons_are_told(held: Callable[..., Any], in_child: Callable[..., Any]) -> None:
    def several() -> str:
        target = private_mounts() + "/hidden"
        fd = new_namespace()
        bind(fd, target)

        def join() -> int:
            namespaces.setns(fd)
            return socket.socket(socket.AF_INET, socket.SOCK_DGRAM).detach()

        in_thread(join)
        fork(lambda: namespaces.setns(fd))
        return name_of(fd)

    name = held(several, namespaces.CLONE_NEWNS).said
    space = look().namespaces[name]
    assert kinds(space) == ["descriptor", "descriptor", "mount", "process", "socket", "thread"]
    assert space.pins[0].kind == "process"


def test_a_tun_descriptor_holds_the_network_it_was_opened_in(held: Callable[..., Any]) -> None:
    def tun_only() -> tuple[str, int] | None:
        try:
            fd = passing(lambda: open("/dev/net/tun", "rb+", buffering=0))
        except AssertionError:
            # Only root may open it on most machines.
            assert not os.access("/dev/net/tun", os.W_OK)
            return None
        netns = nsfs.socket_netns(fd)
        name = name_of(netns)
        os.close(netns)
        return name, fd

    child = held(tun_only)
    if child.said is not None:
        assert details(look().namespaces[child.said[0]], "socket").items() >= {
            "pid": child.pid, "descriptor": child.said[1]
        }.items()


def test_any_other_file_of_that_name_is_passed_over(held: Callable[..., Any]) -> None:
    def false_tun() -> str:
        private_mounts()
        mounts.mount("nsfleet-test", "/dev/net", "tmpfs")
        return name_of(os.open("/dev/net/tun", os.O_CREAT | os.O_RDWR))

    child = held(false_tun, namespaces.CLONE_NEWNS)
    assert child.said == "/dev/net/tun"
    scan = look()
    assert child.pid in scan.processes
    assert not any(pin.details.get("pid") == child.pid for pin in pins(scan) if pin.kind == "socket")
    assert [problem for problem in scan.problems.as_list() if problem["what"] == "sockets"] == refused_sockets(scan)


def pins(scan: Scan) -> list[Pin]:
    return [pin for space in scan.namespaces.values() for pin in space.pins]


def refused_sockets(scan: Scan) -> list[dict[str, Any]]:
    """Process 1 may have more capabilities than this machine's root has."""
    return [
        problem for problem in scan.problems.as_list()
        if problem["what"] == "sockets" and problem["reason"] == "refused: EPERM"
    ]


def test_a_process_whose_first_thread_has_ended_still_holds(held: Callable[..., Any]) -> None:
    def start() -> tuple[int, str, str]:
        reading, told = os.pipe()

        def hold() -> None:
            fd = in_thread(new_namespace)
            os.write(told, (name_of(fd) + " " + own("mnt")).encode())
            exit_this_thread()

        pid = fork(hold, wait=False)
        names = os.read(reading, 100).decode().split()
        while Proc().stat(pid).state != "Z":
            time.sleep(0.001)
        return pid, names[0], names[1]

    pid, net, mnt = held(start).said
    scan = look()
    assert details(scan.namespaces[net], "descriptor")["pid"] == pid
    # The kernel tells nothing of an ended thread but its user and pid namespaces: the process is where its others are.
    assert scan.processes[pid].namespaces[0] == mnt
    assert scan.processes[pid].cgroup == Proc().cgroup_text(os.getpid())


def test_each_private_table_of_many_threads_is_read_once(held: Callable[..., Any]) -> None:
    def own_table() -> str:
        namespaces.unshare(namespaces.CLONE_FILES)
        return name_of(new_namespace("uts"))

    def start() -> tuple[str, list[str]]:
        in_thread(lambda: None)
        names = [in_thread(own_table) for dummy in range(6)]
        in_thread(lambda: None)
        return name_of(new_namespace("ipc")), names

    child = held(start)
    scan = look()
    told = [details(scan.namespaces[name], "descriptor") for name in child.said[1]]
    assert {one["pid"] for one in told} == {child.pid}
    assert len({one["tid"] for one in told}) == 6
    # Eight threads could be asked for this one.
    assert "tid" not in details(scan.namespaces[child.said[0]], "descriptor")
    assert scan.namespaces[child.said[0]].pins[0].count == 1


def test_what_a_thread_has_for_its_children_is_found(held: Callable[..., Any]) -> None:
    def start() -> tuple[str, int]:
        return in_thread(lambda: (time_for_children(), threading.get_native_id()))

    child = held(start)
    space = look().namespaces[child.said[0]]
    assert kinds(space) == ["time_for_children"]
    assert details(space, "time_for_children").items() >= {"pid": child.pid, "tid": child.said[1]}.items()


def test_a_time_namespace_is_found_by_its_process(held: Callable[..., Any]) -> None:
    def enter() -> str:
        namespaces.unshare(namespaces.CLONE_NEWTIME)
        fd = os.open("/proc/self/ns/time_for_children", os.O_RDONLY)
        namespaces.setns(fd)
        os.close(fd)
        return own("time")

    child = held(enter)
    space = look().namespaces[child.said]
    assert (space.type, space.processes, space.initial, space.leader.pid) == ("time", 1, False, child.pid)


def test_a_pid_namespace_is_held_by_who_makes_children_in_it(held: Callable[..., Any]) -> None:
    def start() -> tuple[int, str]:
        namespaces.unshare(namespaces.CLONE_NEWPID)
        return fork(lambda: None), own("pid_for_children")

    child = held(start)
    space = look().namespaces[child.said[1]]
    assert space.parent == os.readlink("/proc/%d/ns/pid" % child.pid)
    assert space.leader.pid == child.said[0]
    assert details(space, "pid_for_children") == {"pid": child.pid, "comm": Proc().stat(child.pid).comm}


def test_a_chrooted_process_does_not_hide_mounts(held: Callable[..., Any], host_root: bool) -> None:
    def start() -> tuple[str, str]:
        hidden = bind_mount()
        os.mkdir(os.path.dirname(hidden[1]) + "/jail")
        os.chroot(os.path.dirname(hidden[1]) + "/jail")
        return hidden

    child = held(start, namespaces.CLONE_NEWNS)
    mnt = os.readlink("/proc/%d/ns/mnt" % child.pid)
    scan = look()
    assert details(scan.namespaces[child.said[0]], "mount") == {"path": child.said[1], "mount_namespace": mnt}
    assert scan.namespaces[child.said[0]].owner is not None


def test_a_mount_point_that_is_not_utf_8_is_reached(in_child: Callable[..., Any]) -> None:
    def start() -> tuple[str, str, Scan]:
        folder = private_mounts()
        fd = new_namespace()
        os.close(os.open(os.fsencode(folder) + b"/a \xff\n", os.O_CREAT | os.O_EXCL))
        mounts.mount("/proc/self/fd/%d" % fd, os.fsencode(folder) + b"/a \xff\n", None, mounts.MS_BIND)
        name = name_of(fd)
        os.close(fd)
        return name, folder, look()

    name, folder, scan = in_child(start, namespaces.CLONE_NEWNS)
    assert details(scan.namespaces[name], "mount")["path"] == folder + "/a \ufffd\n"
    assert scan.namespaces[name].owner is not None


def test_a_mount_that_is_covered_by_another_is_a_pin_all_the_same(in_child: Callable[..., Any]) -> None:
    def start() -> tuple[str, Scan]:
        name, target = bind_mount()
        # Not to be opened: that would wait for somebody who writes.
        os.mkfifo(target + ".fifo")
        bind(target + ".fifo", target)
        return name, look()

    name, scan = in_child(start, namespaces.CLONE_NEWNS)
    assert kinds(scan.namespaces[name]) == ["mount"]
    assert scan.namespaces[name].owner is None
    reasons = {problem["reason"] for problem in scan.problems.as_list() if problem["what"] == "namespaces"}
    assert "unreachable" in reasons
    assert "timed out" not in {problem["reason"] for problem in scan.problems.as_list()}


def test_without_the_kernel_s_list_nested_mount_namespaces_are_found(
    in_child: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As before Linux 6.12."""

    def lacking(dummy: int) -> int:
        raise libc.KernelLacks("NS_MNT_GET_NEXT", "6.12")

    def nest(depth: int, folder: str, told: int) -> None:
        def inside() -> None:
            if depth:
                nest(depth - 1, private_mounts(), told)
            else:
                os.write(told, (bind_mount()[0] + "\n").encode())

        for number in range(2):
            persist_mount_namespace("%s/%d" % (folder, number), inside)

    def start() -> tuple[list[str], Scan]:
        monkeypatch.setattr(nsfs, "mnt_next", lacking)
        monkeypatch.setattr(nsfs, "mnt_previous", lacking)
        reading, told = os.pipe()
        nest(2, private_mounts(), told)
        return os.read(reading, 10000).decode().split(), look()

    names, scan = in_child(start, namespaces.CLONE_NEWNS)
    assert scan.features["mount_namespace_walk"] is False
    assert len(set(names)) >= 8
    # Of an attempt on the wrong CPU nothing is left.
    found = {name for name in names if name in scan.namespaces}
    assert len(found) == 8
    for name in found:
        assert kinds(scan.namespaces[name]) == ["mount"]
        assert scan.namespaces[name].owner is not None


def test_mount_namespaces_that_only_the_kernel_s_list_names_are_visited(
    held: Callable[..., Any], in_child: Callable[..., Any], host_root: bool
) -> None:
    """In flight, as H: older than the looker's own and newer, because the list is followed both ways."""
    if not host_root or kernel_release() < MOUNT_NAMESPACE_WALK:
        # Only root of the initial namespaces is given the list, from Linux 6.12.
        return

    # All on one CPU, because each has a batch of ids of its own, and the list is in the order of ids.
    cpu = min(os.sched_getaffinity(0))

    def send_away() -> tuple[str, str]:
        os.sched_setaffinity(0, {cpu})
        reading, told = os.pipe()

        def mount_inside() -> None:
            os.write(told, bind_mount()[0].encode())

        return in_flight(new_namespace("mnt", mount_inside)), os.read(reading, 100).decode()

    older = held(send_away)

    def between() -> tuple[Any, Scan]:
        os.sched_setaffinity(0, {cpu})
        namespaces.unshare(namespaces.CLONE_NEWNS)
        return send_away(), look()

    newer, scan = in_child(between)
    assert scan.features["mount_namespace_walk"] is True
    for mnt, net in (older.said, newer):
        assert kinds(scan.namespaces[mnt]) == []
        assert details(scan.namespaces[net], "mount")["mount_namespace"] == mnt
        assert scan.namespaces[net].owner == own("user")


def test_what_only_listns_knows_is_found_and_described(
    held: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from Linux 6.19, with its two answers made up: the ids, and a descriptor for an id alone."""
    child = held(process, namespaces.CLONE_NEWNET)
    path = "/proc/%d/ns/net" % child.pid
    monkeypatch.setattr(nsfs, "listns", lambda: [4711, 4712])

    def open_handle(handle: nsfs.Handle) -> int:
        if handle.ns_id == 4712:
            raise nsfs.NamespaceGone(0, "gone")
        return os.open(path, os.O_RDONLY)

    monkeypatch.setattr(nsfs, "open_handle", open_handle)
    real = Proc.pids
    monkeypatch.setattr(Proc, "pids", lambda self: [pid for pid in real(self) if pid != child.pid])
    scan = look()
    assert scan.features["listns"] is True
    assert kinds(scan.namespaces[child.said]) == []
    assert scan.namespaces[child.said].owner == own("user")
    assert not [problem for problem in scan.problems.as_list() if problem["what"] == "listns"]


def test_a_namespace_whose_holder_vanishes_during_the_scan_is_told_of(
    held: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    child, other = held(process, namespaces.CLONE_NEWNET), held(process, namespaces.CLONE_NEWNET)
    real = threads.list_threads

    def after_death(scan: Scan) -> None:
        os.kill(child.pid, signal.SIGKILL)
        os.waitpid(child.pid, 0)
        real(scan)

    monkeypatch.setattr(threads, "list_threads", after_death)
    scan = look()
    assert scan.namespaces[child.said].leader.pid == child.pid
    assert scan.namespaces[child.said].owner is None
    assert "vanished" in {problem["reason"] for problem in scan.problems.as_list() if problem["what"] == "namespaces"}
    assert scan.namespaces[other.said].owner == own("user")


def test_a_descriptor_that_becomes_something_else_during_the_scan_is_not_opened(
    in_child: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hostile process could have root open a device, or a file that never answers."""

    def start() -> tuple[str, Scan, list[str]]:
        name, fd = descriptor()
        os.chdir(private_mounts())
        os.close(os.open("device", os.O_CREAT))
        exchanged = os.open("device", os.O_PATH)
        opened: list[str] = []
        real = ancestors.find

        def after_exchange(scan: Scan, add: bool) -> None:
            os.dup2(exchanged, fd)
            # From now on this file tells whether anybody opens it: a lease is broken, that is signalled, by an open().
            signal.signal(signal.SIGIO, lambda *dummy: opened.append("device"))
            leased = os.open("device", os.O_WRONLY)
            fcntl.fcntl(leased, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            real(scan, add)
            os.close(leased)

        monkeypatch.setattr(ancestors, "find", after_exchange)
        return name, look(), opened

    name, scan, opened = in_child(start, namespaces.CLONE_NEWNS)
    assert opened == []
    assert scan.namespaces[name].owner is None
    assert "namespaces" in {problem["what"] for problem in scan.problems.as_list()}

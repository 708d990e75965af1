# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way of naming a target, on the real kernel: what was meant is opened, or it is refused and nothing is."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import threading
import time
import traceback
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._enter import containers, search, single, target
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.admission import wanted_types
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.containers import Look, glance, look
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.target import close, open_container, open_target
from ansible_collections.nsfleet.linux.plugins.module_utils._facts import Request, gather
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import (
    libc,
    mounts,
    namespaces,
    nsfs,
    pidfd_ioctls,
    pidfd_signal,
    prctl,
)
from ansible_collections.nsfleet.linux.plugins.module_utils._model.entry import Refused, Target
from ansible_collections.nsfleet.linux.plugins.module_utils._model.inventory import TYPES, Container
from ansible_collections.nsfleet.linux.tests.kernel import holders
from ansible_collections.nsfleet.linux.tests.kernel.forking import clone3_fork
from ansible_collections.nsfleet.linux.tests.kernel.holders import (
    bind,
    exit_this_thread,
    fork,
    in_thread,
    name_of,
    new_namespace,
    own,
    persist_mount_namespace,
    private_mounts,
)
from ansible_collections.nsfleet.linux.tests.kernel.running_kernel import kernel_release, since
from ansible_collections.nsfleet.linux.tests.kernel.test_hidden_namespaces import (
    bind_mount,
    descriptor,
    descriptor_of_a_thread,
    parent_of_a_user_namespace,
    socket_only,
    thread_only,
    time_for_children,
)

NET, UTS, IPC, MNT = (namespaces.CLONE_NEWNET, namespaces.CLONE_NEWUTS, namespaces.CLONE_NEWIPC, namespaces.CLONE_NEWNS)
ALLOWED = ("net",)


def descriptors() -> dict[str, str]:
    """What is open now, apart from the folder that is read for it."""
    found = {}
    for number in os.listdir("/proc/self/fd"):
        try:
            found[number] = os.readlink("/proc/self/fd/" + number)
        except FileNotFoundError:
            continue
    return found


def is_kept(link: str) -> bool:
    """Whether a descriptor is what a target has: a namespace, a process."""
    return link.partition(":[")[0] in TYPES or "pidfd" in link


@pytest.fixture(autouse=True)
def nothing_is_left_open() -> Iterator[None]:
    """Refused or not: after each test we have the descriptors we had before."""
    # Other tests of this session may have left theirs.
    before = {number: link for number, link in descriptors().items() if is_kept(link)}
    yield
    # The fixtures of the test still have theirs: it is compared by what is opened, not by how many there are.
    assert {number: link for number, link in descriptors().items() if is_kept(link)} == before


def refusal(selectors: dict[str, Any], types: list[str] | None = None, allow_host: Any = (),
            opening: Callable[[], Any] | None = None) -> str:
    """The sentence a target is refused with; nothing is left open by it."""
    before = descriptors()
    with pytest.raises(Refused) as refused:
        if opening is not None:
            opening()
        else:
            open_target(selectors, glance(), wanted_types(types or ["all"]), allow_host)
    assert descriptors() == before
    sentence = str(refused.value)
    assert sentence.endswith(".") and sentence.isprintable()
    return sentence


def opened(selectors: dict[str, Any], types: list[str] | None = None, allow_host: Any = ()) -> Target:
    return open_target(selectors, glance(), wanted_types(types or ["all"]), allow_host)


def seen(found: Target) -> dict[str, str]:
    """What the open descriptors are, as the kernel tells; everything is closed again, once."""
    told = {kind: "%s:[%d]" % (nsfs.ns_type(fd), os.fstat(fd).st_ino) for kind, fd in found.descriptors.items()}
    assert list(told) == found.types
    assert not any(os.get_inheritable(fd) for fd in found.descriptors.values())
    before = descriptors()
    extra = [fd for fd in (found.pidfd, found.root) if fd is not None]
    close(found)
    close(found)
    assert len(before) - len(descriptors()) == len(told) + len(extra)
    return told


def links(pid: int) -> dict[str, str]:
    return {kind: os.readlink("/proc/%d/ns/%s" % (pid, kind)) for kind in os.listdir("/proc/%d/ns" % pid)
            if kind in TYPES}


def start_time(pid: int) -> int:
    return int(Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()[19])


def container_at(pid: int, **more: Any) -> Container:
    details: dict[str, Any] = {"start_time": start_time(pid), "namespaces": links(pid)}
    return Container(id="ab" * 32, engine="docker", name="web", pid=pid, **{**details, **more})


# --- a look at the host ---------------------------------------------------------------------------------------------


def test_a_glance_tells_where_we_and_the_host_are() -> None:
    moment = look(time.monotonic() + 20)
    assert (glance().own, glance().host) == (moment.own, moment.host)
    assert moment.own == links(os.getpid())


def only_child(pid: int) -> int:
    """The one child of a process, as soon as it has one."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        children = Path("/proc/%d/task/%d/children" % (pid, pid)).read_text().split()
        if children:
            return int(children[0])
        time.sleep(0.005)
    pytest.fail("%d has no child" % pid)


def test_a_pid_namespace_in_another_is_one_container_as_ns_facts_has_it() -> None:
    own_pid = ["unshare", "--fork", "--kill-child", "--pid"]
    with subprocess.Popen([*own_pid, *own_pid, "sleep", "60"],
                          preexec_fn=lambda: prctl.set_pdeathsig(signal.SIGKILL)) as outer:
        try:
            leader = only_child(outer.pid)
            inner = only_child(leader)
            until = time.monotonic() + 10
            while os.readlink("/proc/%d/ns/pid" % inner) == os.readlink("/proc/%d/ns/pid" % leader):
                assert time.monotonic() < until
            ours = [one for one in look(time.monotonic() + 20).containers if inner in one.members]
            scan, moment = holders.look(["processes"]), glance()
            above = containers._parents(scan, moment.host)
            names = [os.readlink("/proc/%d/ns/pid" % pid) for pid in (inner, leader, os.getpid())]
            theirs = [one for one in gather(Request())["containers"] if one["pid"] == leader]
        finally:
            outer.kill()
    assert [(one.id, one.engine, one.pid, one.start_time) for one in ours] == [
        (one["id"], "unknown", leader, one["start_time"]) for one in theirs
    ]
    assert len(ours) == 1
    # The tree of processes tells it too, as long as all of it is seen.
    assert [above[name] for name in names[:2]] == names[1:]


def test_the_host_is_where_it_is_for_who_is_elsewhere(in_child: Callable[..., Any]) -> None:
    def inside() -> tuple[dict[str, str], dict[str, str]]:
        return glance().host, look(time.monotonic() + 20).host

    glanced, looked = in_child(inside, NET)
    assert glanced == looked


# --- a process ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("flags", "types"), [
    (NET, ["net"]),
    (UTS | IPC, ["uts", "ipc"]),
    (MNT | NET | namespaces.CLONE_NEWUSER, ["mnt", "net", "user"]),
    (namespaces.CLONE_NEWCGROUP | IPC, ["ipc", "cgroup"]),
])
def test_all_of_a_process_is_what_differs(held: Callable[..., Any], flags: int, types: list[str]) -> None:
    pid = held(flags=flags).pid
    found = opened({"pid": pid})
    expected = links(pid)
    assert found.types == types
    assert (found.name, found.pid, found.start_time) == ("pid %d" % pid, pid, start_time(pid))
    assert found.namespaces == expected
    if "mnt" in types:
        assert found.root is not None
        assert os.path.samestat(os.fstat(found.root), os.stat("/proc/%d/root" % pid))
    else:
        assert found.root is None
    assert seen(found) == {kind: expected[kind] for kind in types}


def test_a_process_is_in_what_lsns_says(held: Callable[..., Any]) -> None:
    pid = held(flags=NET | UTS | MNT).pid
    done = subprocess.run(["lsns", "-J", "-p", str(pid), "-o", "NS,TYPE"], stdout=subprocess.PIPE, check=True)
    said = {entry["type"]: "%s:[%s]" % (entry["type"], entry["ns"]) for entry in json.loads(done.stdout)["namespaces"]}
    found = opened({"pid": pid})
    assert said.items() >= found.namespaces.items()
    close(found)


def test_what_is_opened_is_what_nsenter_enters(held: Callable[..., Any]) -> None:
    pid = held(flags=NET | UTS).pid
    asked = ["nsenter", "--target", str(pid), "--net", "--uts", "readlink", "/proc/self/ns/net", "/proc/self/ns/uts"]
    said = subprocess.run(asked, stdout=subprocess.PIPE, encoding="ascii", check=True).stdout.split()
    told = seen(opened({"pid": pid}))
    assert [told["net"], told["uts"]] == said


def test_only_the_types_asked_for_are_opened(held: Callable[..., Any]) -> None:
    pid = held(flags=NET | UTS | MNT).pid
    found = opened({"pid": pid}, ["net"])
    assert (found.types, found.root) == (["net"], None)
    assert list(seen(found)) == ["net"]


def test_the_pidfd_is_the_process_s(held: Callable[..., Any]) -> None:
    pid = held(flags=NET).pid
    found = opened({"pid": pid})
    assert found.pidfd is not None
    pidfd_signal.pidfd_send_signal(found.pidfd, signal.SIGKILL)
    os.waitpid(pid, 0)
    # What is open outlives the process.
    assert seen(found)["net"].startswith("net:[")


def test_the_right_start_time_is_accepted(held: Callable[..., Any]) -> None:
    pid = held(flags=NET).pid
    close(opened({"pid": pid, "start_time": start_time(pid)}))


def test_another_start_time_is_refused(held: Callable[..., Any]) -> None:
    pid = held(flags=NET).pid
    told = refusal({"pid": pid, "start_time": start_time(pid) - 1})
    assert told.startswith("pid %d is another process by now: it started %d clock" % (pid, start_time(pid)))


def test_without_pidfds_a_process_is_pinned_by_its_folder(
    held: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As before Linux 5.3."""
    monkeypatch.setattr(target, "pidfd_open", _lacking("pidfd_open"))
    pid = held(flags=NET | MNT).pid
    found = opened({"pid": pid})
    assert (found.pidfd, found.types) == (None, ["mnt", "net"])
    assert seen(found)["net"] == links(pid)["net"]


def test_without_the_pidfd_s_ioctls_namespaces_are_opened_by_the_folder(
    held: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As before Linux 6.11."""
    monkeypatch.setattr(pidfd_ioctls, "namespace_fd", _lacking("PIDFD_GET_NET_NAMESPACE"))
    pid = held(flags=NET).pid
    assert seen(opened({"pid": pid}))["net"] == links(pid)["net"]


def _lacking(name: str) -> Callable[..., int]:
    def call(*dummy: object) -> int:
        raise libc.KernelLacks(name, "9.9")

    return call


@pytest.mark.parametrize("pid", [0, -1, -(1 << 40)])
def test_a_pid_below_one_is_refused(pid: int) -> None:
    assert "is no process" in refusal({"pid": pid})


def test_a_pid_beyond_all_is_refused() -> None:
    assert "is gone: there is no such process (ENOENT)" in refusal({"pid": 1 << 40})


def test_a_process_that_is_gone_is_refused() -> None:
    pid = fork(lambda: None)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert refusal({"pid": pid}) == "pid %d is gone: there is no such process (ENOENT)." % pid


def test_a_process_that_has_ended_and_was_not_reaped_is_refused() -> None:
    pid = fork(lambda: namespaces.unshare(NET))
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    try:
        assert refusal({"pid": pid}).startswith("pid %d has ended" % pid)
    finally:
        os.waitpid(pid, 0)


def test_a_process_whose_first_thread_has_ended_is_refused(held: Callable[..., Any]) -> None:
    def start() -> int:
        def hold() -> None:
            in_thread(lambda: None)
            exit_this_thread()

        return fork(hold, wait=False)

    pid = held(start, NET).said
    deadline = time.monotonic() + 5
    while ") Z " not in Path("/proc/%d/stat" % pid).read_text() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert "has ended" in refusal({"pid": pid})


def test_a_thread_is_refused_with_the_process_it_is_of(held: Callable[..., Any]) -> None:
    child = held(lambda: in_thread(threading.get_native_id), NET)
    assert refusal({"pid": child.said}) == (
        "pid %d is a thread of process %d: name that one." % (child.said, child.pid)
    )


def test_a_thread_of_the_kernel_is_refused() -> None:
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
        try:
            flags = int(Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()[6])
        except OSError:
            continue
        if flags & 0x00200000:
            assert "is a thread of the kernel" in refusal({"pid": pid})
            return
    # None is seen from inside a pid namespace.
    assert os.stat("/proc/self/ns/pid").st_ino != 0xEFFFFFFC


def test_a_process_that_we_may_not_look_at_is_refused(held: Callable[..., Any], in_child: Callable[..., Any]) -> None:
    pid = held(flags=NET).pid

    def ask() -> str:
        # In a user namespace of its own nobody else's process is below it.
        return refusal({"pid": pid})

    told = in_child(ask, namespaces.CLONE_NEWUSER)
    assert told.startswith("The namespaces of pid %d cannot be read (EACCES)" % pid)


def test_our_own_process_is_refused() -> None:
    assert "in no other namespace than we are" in refusal({"pid": os.getpid()})


def test_a_type_in_which_a_process_is_where_we_are_is_refused(held: Callable[..., Any]) -> None:
    pid = held(flags=UTS).pid
    assert refusal({"pid": pid}, ["uts", "net"]).startswith("net of pid %d is " % pid)


def test_a_type_in_which_a_process_is_where_we_are_is_left_out_where_allowed(held: Callable[..., Any]) -> None:
    pid = held(flags=UTS).pid
    assert list(seen(opened({"pid": pid}, ["uts", "net"], ["net"]))) == ["uts"]


def test_the_host_s_is_refused_to_who_is_elsewhere(held: Callable[..., Any], in_child: Callable[..., Any]) -> None:
    pid = held(flags=UTS).pid
    host = own("net")

    def inside() -> tuple[str, list[str]]:
        look = glance()
        look.host = dict(look.host, net=host)
        assert look.own["net"] != host
        told = refusal({}, opening=lambda: open_target({"pid": pid}, look, wanted_types(["net", "uts"])))
        found = open_target({"pid": pid}, look, wanted_types(["net", "uts"]), ALLOWED)
        return told, [seen(found)["net"], host]

    told, allowed = in_child(inside, NET)
    assert told.startswith("net of pid %d is the host's own, in which we are not ourselves" % pid)
    assert allowed[0] == allowed[1]


# --- a process that is not what it was ------------------------------------------------------------------------------


def in_processes_of_our_own(function: Callable[[], str]) -> str:
    """What a function returns as process 1 of a new pid namespace with its own /proc: pids are ours to give there."""
    reading, telling = os.pipe()
    outer = os.fork()
    if outer == 0:
        try:
            prctl.set_pdeathsig(signal.SIGKILL)
            namespaces.unshare(namespaces.CLONE_NEWPID | namespaces.CLONE_NEWNS)
            inner = os.fork()
            if inner == 0:
                prctl.set_pdeathsig(signal.SIGKILL)
                mounts.mount("none", "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
                mounts.mount("proc", "/proc", "proc")
                os.write(telling, function().encode())
                os._exit(0)
            os.waitpid(inner, 0)
        except BaseException:
            os.write(telling, traceback.format_exc().encode())
        finally:
            os._exit(0)
    os.close(telling)
    with open(reading, encoding="utf-8") as stream:
        told = stream.read()
    os.waitpid(outer, 0)
    return told


def born_as(pid: int) -> int:
    """A child with that very pid, in a network namespace of its own."""
    born = clone3_fork(NET, set_tid=[pid]).pid
    if born == 0:
        try:
            prctl.set_pdeathsig(signal.SIGKILL)
            while True:
                signal.pause()
        finally:
            os._exit(0)
    return born


def die(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def replace(pid: int) -> None:
    """End a child, and have another one with its pid, at least a clock tick later."""
    die(pid)
    time.sleep(2 / os.sysconf("SC_CLK_TCK"))
    born_as(pid)


@since(5, 5)
def test_a_pid_that_was_given_to_another_process_is_refused_by_its_start_time() -> None:
    def recycle() -> str:
        born_as(101)
        before = start_time(101)
        replace(101)
        told = refusal({"pid": 101, "start_time": before})
        # Without the start time it would be taken for what was meant.
        close(opened({"pid": 101}))
        return told

    assert in_processes_of_our_own(recycle).startswith("pid 101 is another process by now: it started ")


@since(5, 5)
def test_a_container_whose_pid_was_given_to_another_process_is_refused() -> None:
    def recycle() -> str:
        born_as(101)
        container = container_at(101)
        replace(101)
        return refusal({}, opening=lambda: open_container(container, glance()))

    assert in_processes_of_our_own(recycle).startswith("web (pid 101) is another process by now: it started ")


@since(5, 5)
@pytest.mark.parametrize("moment", ["pidfd_open", "namespace_fd", "verify"])
def test_a_pid_that_is_given_to_another_process_while_it_is_opened_is_refused(
    moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where: Any = pidfd_ioctls if moment == "namespace_fd" else target
    call = getattr(where, moment)
    done = []

    def meanwhile(*arguments: Any) -> Any:
        if not done:
            done.append(True)
            replace(101)
        return call(*arguments)

    def recycle() -> str:
        born_as(101)
        monkeypatch.setattr(where, moment, meanwhile)
        return refusal({"pid": 101}, ["net"])

    told = in_processes_of_our_own(recycle)
    assert told.startswith(("pid 101 is gone", "net of pid 101 cannot be opened (ESRCH)")), told


@since(5, 5)
def test_without_pidfds_a_pid_that_is_given_to_another_while_it_is_opened_is_refused(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(pid: int) -> int:
        replace(pid)
        raise libc.KernelLacks("pidfd_open", "5.3")

    def recycle() -> str:
        born_as(101)
        monkeypatch.setattr(target, "pidfd_open", meanwhile)
        return refusal({"pid": 101}, ["net"])

    assert in_processes_of_our_own(recycle).startswith("pid 101 is gone: there is no such process (ESRCH)")


@pytest.mark.parametrize("moment", ["namespace_fd", "verify"])
def test_a_process_that_goes_elsewhere_while_it_is_opened_is_refused(
    held: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    ours, theirs = socket.socketpair()

    def leave(*dummy: object) -> None:
        namespaces.unshare(NET)
        theirs.send(b"!")

    pid = held(lambda: signal.signal(signal.SIGUSR1, leave) and None, NET).pid
    where: Any = pidfd_ioctls if moment == "namespace_fd" else target
    call = getattr(where, moment)

    def meanwhile(*arguments: Any) -> Any:
        os.kill(pid, signal.SIGUSR1)
        assert ours.recv(1)
        return call(*arguments)

    was = links(pid)["net"]
    monkeypatch.setattr(where, moment, meanwhile)
    with ours, theirs:
        told = refusal({"pid": pid}, ["net"])
    assert told == "net of pid %d cannot be joined: %s became %s meanwhile." % (pid, was, links(pid)["net"])


@pytest.mark.parametrize("moment", ["namespace_fd", "verify"])
def test_a_process_that_ends_while_it_is_opened_is_refused(monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    pid = fork(lambda: namespaces.unshare(NET | UTS))
    where: Any = pidfd_ioctls if moment == "namespace_fd" else target
    call = getattr(where, moment)

    def meanwhile(*arguments: Any) -> Any:
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        return call(*arguments)

    monkeypatch.setattr(where, moment, meanwhile)
    try:
        told = refusal({"pid": pid}, ["net"])
        assert told.startswith("pid %d has ended" % pid if moment == "verify" else "net of pid %d cannot be" % pid)
    finally:
        os.waitpid(pid, 0)


def test_a_container_that_is_elsewhere_than_when_it_was_chosen_is_refused(held: Callable[..., Any]) -> None:
    pid = held(flags=NET).pid
    container = container_at(pid, namespaces={**links(pid), "net": "net:[4711]"})
    told = refusal({}, opening=lambda: open_container(container, glance()))
    assert told.startswith("net of web is %s and was net:[4711] when the target was chosen" % links(pid)["net"])


# --- a container ----------------------------------------------------------------------------------------------------


def test_a_container_is_its_process(held: Callable[..., Any]) -> None:
    pid = held(flags=NET | MNT).pid
    container = container_at(pid)
    look = Look([container], glance().own, glance().host)
    for selectors in ({"container": "web"}, {"container": "abab"}, {"container": "docker:web"}):
        found = open_target(selectors, look)
        assert (found.container, found.name, found.pid) == (container, "web", pid)
        assert seen(found) == {kind: links(pid)[kind] for kind in ("mnt", "net")}


def test_a_paused_container_is_refused(held: Callable[..., Any]) -> None:
    container = container_at(held(flags=NET).pid, state="paused")
    assert "docker unpause web" in refusal({}, opening=lambda: open_container(container, glance()))


def test_a_container_that_is_not_there_is_refused() -> None:
    assert refusal({"container": "web"}) == "There is no running container web here."


def test_no_selector_is_refused() -> None:
    assert refusal({}).startswith("No target is given")


def test_nothing_is_left_of_five_hundred_targets(held: Callable[..., Any]) -> None:
    pid = held(flags=NET | MNT | UTS).pid
    before = descriptors()
    for dummy in range(500):
        close(opened({"pid": pid}))
    assert descriptors() == before


# --- a name under /run/netns, and any file --------------------------------------------------------------------------


def run_folder() -> None:
    """An empty /run, in a mount namespace of our own.

    Who calls C(ip netns add) is in a network namespace of its own too: ip goes back to where it came from, which
    takes power over that.
    """
    private_mounts()
    mounts.mount("nsfleet-test", "/run", "tmpfs", 0, "size=1m,mode=755")
    os.mkdir("/run/netns")


def test_netns_is_what_ip_netns_has(in_child: Callable[..., Any]) -> None:
    def inside() -> tuple[dict[str, str], str, str, str | None, int | None]:
        run_folder()
        subprocess.run(["ip", "netns", "add", "blue"], check=True)
        said = subprocess.run(["ip", "netns", "exec", "blue", "readlink", "/proc/self/ns/net"], check=True,
                              stdout=subprocess.PIPE, encoding="ascii").stdout.strip()
        found = opened({"netns": "blue"})
        netns, name, root = found.netns, found.name, found.root
        return seen(found), said, name, netns, root

    told, said, name, netns, root = in_child(inside, MNT | NET)
    assert told == {"net": said}
    assert (name, netns, root) == ("netns blue", "blue", None)


def test_ip_netns_identifies_the_process_by_the_name_that_we_enter(in_child: Callable[..., Any]) -> None:
    def inside() -> tuple[str, str]:
        run_folder()
        pid = fork(lambda: namespaces.unshare(NET))
        subprocess.run(["ip", "netns", "attach", "red", str(pid)], check=True)
        name = subprocess.run(["ip", "netns", "identify", str(pid)], check=True, stdout=subprocess.PIPE,
                              encoding="ascii").stdout.strip()
        return seen(opened({"netns": name}))["net"], links(pid)["net"]

    said, ours = in_child(inside, MNT)
    assert said == ours


@pytest.mark.parametrize(("selector", "pin"), [
    ("netns", "/run/netns/blue"), ("name", "/run/netns/blue"), ("name", "/run/nsfleet/blue/net"),
])
def test_a_pin_that_only_process_1_sees_is_found(selector: str, pin: str) -> None:
    """ns_persist pins where process 1 is; a service of its own mount namespace does not see that."""

    def ask() -> str:
        namespaces.unshare(MNT)
        mounts.mount("none", "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
        subprocess.run(["umount", pin], check=True)
        return seen(opened({selector: "blue"}))["net"]

    def first() -> str:
        run_folder()
        os.makedirs(os.path.dirname(pin), exist_ok=True)
        fd = new_namespace()
        bind(fd, pin)
        expected = name_of(fd)
        os.close(fd)
        reading, telling = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.write(telling, ask().encode())
            except BaseException:
                os.write(telling, traceback.format_exc().encode())
            finally:
                os._exit(0)
        os.close(telling)
        with open(reading, encoding="utf-8") as stream:
            told = stream.read()
        os.waitpid(pid, 0)
        return "the same" if told == expected else told

    assert in_processes_of_our_own(first) == "the same"


def test_netns_that_is_not_there_is_refused() -> None:
    assert "/run/netns/nsfleet-no-such cannot be opened (ENOENT)" in refusal({"netns": "nsfleet-no-such"})


def test_names_that_are_there_are_listed_for_who_has_mistyped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(single, "NETNS", str(tmp_path))
    monkeypatch.setattr(single, "UNITS", str(tmp_path / "none"))
    assert refusal({"netns": "blu"}).endswith("(ENOENT): %s has no names." % tmp_path)
    for name in (".new-x", "blue", "a\n", *("n%02d" % number for number in range(10))):
        (tmp_path / name).touch()
    listed = "%s has a\\x0a, blue, n00, n01, n02, n03, n04, n05, n06, n07 and 2 more." % tmp_path
    assert refusal({"netns": "blu"}).endswith("(ENOENT): " + listed)
    assert refusal({"name": "blu"}).endswith("(ENOENT): %s/none has no names; %s" % (tmp_path, listed))


@pytest.mark.parametrize("option", ["netns", "name", "path"])
def test_what_no_path_can_hold_is_refused(option: str) -> None:
    assert refusal({option: "a\ud800"}) == "%s holds a surrogate, which is no character: write it otherwise." % option


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../../proc/self/ns/net", "/proc/self/ns/net", "a\0b"])
def test_netns_and_name_are_one_component_of_a_path(name: str) -> None:
    assert "must be one component of a path" in refusal({"netns": name})
    assert "must be one component of a path" in refusal({"name": name})


def test_a_plain_file_left_behind_is_refused_as_such(in_child: Callable[..., Any]) -> None:
    def inside() -> str:
        run_folder()
        subprocess.run(["ip", "netns", "add", "blue"], check=True)
        subprocess.run(["umount", "/run/netns/blue"], check=True)
        assert Path("/run/netns/blue").is_file()
        return refusal({"netns": "blue"})

    assert in_child(inside, MNT | NET).startswith(
        "netns blue cannot be entered: /run/netns/blue is no namespace but a plain file, left behind"
    )


def test_a_namespace_of_another_type_under_run_netns_is_refused(in_child: Callable[..., Any]) -> None:
    def inside() -> str:
        run_folder()
        fd = new_namespace("uts")
        bind(fd, "/run/netns/odd")
        os.close(fd)
        return refusal({"netns": "odd"})

    assert "is a namespace of type uts, not net" in in_child(inside, MNT)


def test_our_own_network_by_name_is_refused(in_child: Callable[..., Any]) -> None:
    def inside() -> str:
        run_folder()
        bind("/proc/self/ns/net", "/run/netns/own")
        return refusal({"netns": "own"}) + refusal({"netns": "own"}, ["net"])

    told = in_child(inside, MNT)
    assert "netns own is in no other namespace than we are" in told
    assert "net of netns own is " in told


@pytest.mark.parametrize("kind", ["uts", "net", "ipc", "mnt"])
def test_a_path_is_the_namespace_it_leads_to(held: Callable[..., Any], kind: str) -> None:
    pid = held(flags=namespaces.TYPES[kind]).pid
    found = opened({"path": "/proc/%d/ns/%s" % (pid, kind)}, [kind])
    assert (found.pid, found.root) == (None, None)
    assert seen(found) == {kind: links(pid)[kind]}


def test_a_link_to_a_namespace_is_followed(held: Callable[..., Any], tmp_path: Path) -> None:
    pid = held(flags=NET).pid
    (tmp_path / "link").symlink_to("/proc/%d/ns/net" % pid)
    assert seen(opened({"path": str(tmp_path / "link")}))["net"] == links(pid)["net"]


def test_what_is_no_namespace_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").touch()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        begun = time.monotonic()
        told = {
            path: refusal({"path": path}).rpartition(" is no namespace but ")[2]
            for path in ["/dev/null", str(tmp_path), *(str(tmp_path / name) for name in ("fifo", "file", "socket"))]
        }
        assert time.monotonic() - begun < 1
    assert {path.rpartition("/")[2]: what.split(",")[0].rstrip(".") for path, what in told.items()} == {
        "null": "a device", tmp_path.name: "a folder", "fifo": "a FIFO", "file": "a plain file", "socket": "a socket",
    }


@pytest.mark.parametrize(("path", "answer"), [
    ("/nonexistent/x", "ENOENT"), ("/dev/null/x", "ENOTDIR"), ("/" + "x" * 300, "ENAMETOOLONG"), ("/a\0b", "NUL byte"),
    ("/a\ud800", "surrogate"),
])
def test_a_path_that_cannot_be_opened_is_refused_with_the_reason(path: str, answer: str) -> None:
    assert answer in refusal({"path": path})


def test_one_namespace_can_only_be_joined_as_its_type(held: Callable[..., Any]) -> None:
    pid = held(flags=NET | UTS).pid
    path = "/proc/%d/ns/net" % pid
    assert "is one namespace of type net" in refusal({"path": path}, ["uts"])
    assert "is one namespace of type net" in refusal({"path": path}, ["net", "uts"])
    assert "is one namespace of type net" in refusal({"ref": links(pid)["net"]}, ["uts"])
    assert "is one namespace of type net" in refusal({"netns": "whatever"}, ["mnt"])


# --- a ref ----------------------------------------------------------------------------------------------------------


def id_of(path: str) -> int:
    """The kernel's own number of a namespace. KernelLacks before 6.18."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return nsfs.ns_id(descriptor)
    finally:
        os.close(descriptor)


@pytest.fixture
def by_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a kernel without file handles of namespaces."""
    monkeypatch.setattr(single, "_by_handle", lambda *dummy: None)


@pytest.mark.parametrize("hold", [
    thread_only, descriptor, socket_only, descriptor_of_a_thread,
], ids=lambda hold: hold.__name__)
def test_a_ref_is_found_wherever_a_process_keeps_it(held: Callable[..., Any], hold: Callable[[], Any]) -> None:
    name = held(hold).said[0]
    found = opened({"ref": name})
    assert found.unproven == ["inode only"]
    assert found.name == name
    assert seen(found) == {"net": name}


def test_a_ref_of_a_process_is_found(held: Callable[..., Any]) -> None:
    pid = held(flags=UTS).pid
    assert seen(opened({"ref": links(pid)["uts"]})) == {"uts": links(pid)["uts"]}


def test_a_ref_that_only_a_mount_of_our_mount_namespace_keeps_is_found(in_child: Callable[..., Any]) -> None:
    def inside() -> tuple[str, dict[str, str]]:
        name = bind_mount()[0]
        return name, seen(opened({"ref": name}))

    name, told = in_child(inside, MNT)
    assert told == {"net": name}


@pytest.mark.parametrize("kind", ["net", "uts"])
def test_a_ref_that_only_a_mount_of_another_mount_namespace_keeps_is_found(held: Callable[..., Any], kind: str) -> None:
    def elsewhere() -> str:
        folder = private_mounts()
        fd = new_namespace(kind)
        bind(fd, folder + "/hidden")
        name = name_of(fd)
        os.close(fd)
        return name

    name = held(elsewhere, MNT).said
    assert seen(opened({"ref": name})) == {kind: name}


def test_a_ref_of_a_mount_namespace_without_a_process_is_found(in_child: Callable[..., Any]) -> None:
    def inside() -> tuple[str, dict[str, str]]:
        folder = private_mounts()
        name = persist_mount_namespace(folder + "/kept", lambda: None)
        return name, seen(opened({"ref": name}))

    name, told = in_child(inside, MNT)
    assert told == {"mnt": name}


def test_a_ref_of_a_user_namespace_that_only_its_child_keeps_is_found(held: Callable[..., Any]) -> None:
    name = held(parent_of_a_user_namespace, namespaces.CLONE_NEWUSER).said[0]
    assert seen(opened({"ref": name})) == {"user": name}


def test_a_ref_of_a_time_namespace_that_no_process_is_in_yet_is_found(held: Callable[..., Any]) -> None:
    name = held(time_for_children).said
    assert seen(opened({"ref": name})) == {"time": name}


@since(6, 18)
def test_a_ref_with_its_id_is_the_same_namespace(held: Callable[..., Any]) -> None:
    pid = held(flags=NET).pid
    ref = "%s#%d" % (links(pid)["net"], id_of("/proc/%d/ns/net" % pid))
    found = opened({"ref": ref})
    assert (found.name, found.unproven) == (ref, [])
    assert seen(found) == {"net": links(pid)["net"]}


@since(6, 18)
def test_a_ref_with_its_id_is_found_by_a_search_too(held: Callable[..., Any], by_search: None) -> None:
    pid = held(flags=NET).pid
    found = opened({"ref": "%s#%d" % (links(pid)["net"], id_of("/proc/%d/ns/net" % pid))})
    assert found.unproven == []
    close(found)


@since(6, 18)
def test_a_ref_with_its_id_needs_no_search(held: Callable[..., Any], host_root: bool,
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    name, fd = held(descriptor).said
    pid = [entry for entry in os.listdir("/proc") if entry.isdigit()]
    holder = next(one for one in pid if _link("/proc/%s/fd/%d" % (one, fd)) == name)
    ref = "%s#%d" % (name, id_of("/proc/%s/fd/%d" % (holder, fd)))
    if host_root:
        # The kernel hands out such handles only to who has power over the owner in the initial user namespace.
        monkeypatch.setattr(search, "search", None)
    close(opened({"ref": ref}))


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


@since(6, 18)
def test_a_ref_with_the_id_of_another_namespace_is_refused(held: Callable[..., Any]) -> None:
    pid = held(flags=NET).pid
    right = id_of("/proc/%d/ns/net" % pid)
    told = refusal({"ref": "%s#%d" % (links(pid)["net"], right + 1)})
    assert told.endswith("its inode belongs to another namespace by now, %s#%d." % (links(pid)["net"], right))


def test_a_ref_with_an_id_is_refused_where_the_kernel_tells_none(
    held: Callable[..., Any], by_search: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As before Linux 6.18."""
    monkeypatch.setattr(nsfs, "ns_id", _lacking("NS_GET_ID"))
    pid = held(flags=NET).pid
    told = refusal({"ref": links(pid)["net"] + "#4711"})
    assert "whether it is the same namespace cannot be told (this kernel has no NS_GET_ID" in told


@since(6, 11)
def test_a_mount_namespace_has_its_id_before_the_others(
    held: Callable[..., Any], by_search: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Linux 6.11 to 6.17."""
    pid = held(flags=MNT).pid
    fd = os.open("/proc/%d/ns/mnt" % pid, os.O_RDONLY | os.O_CLOEXEC)
    try:
        known = nsfs.mntns_id(fd)
    finally:
        os.close(fd)
    monkeypatch.setattr(nsfs, "ns_id", _lacking("NS_GET_ID"))
    close(opened({"ref": "%s#%d" % (links(pid)["mnt"], known)}))
    assert "is gone" in refusal({"ref": "%s#%d" % (links(pid)["mnt"], known + 1)})


@pytest.mark.parametrize("number", ["", "#18446744073709551615"])
def test_a_ref_that_is_not_there_is_refused(number: str) -> None:
    told = refusal({"ref": "net:[1]" + number})
    assert told.startswith("net:[1] is not there: no process, thread, descriptor, socket, mount or other namespace")
    assert "(ENOENT)" in told


@pytest.mark.parametrize("ref", [
    "", "net", "net:[]", "net:[x]", "foo:[1]", "net:[1]#", "net:[1]#x", " net:[1]", "net:[1]\n", "net:[-1]", "net:[١]",
    "/proc/1/ns/net", "net:[99999999999]", "net:[1] (deleted)",
])
def test_what_is_no_ref_is_refused(ref: str) -> None:
    assert refusal({"ref": ref}).startswith("ref must be as ns_facts names a namespace")


@pytest.mark.parametrize("ref", ["net:[9999999999]", "net:[1]#99999999999999999999"])
def test_a_ref_with_too_large_a_number_is_refused(ref: str) -> None:
    assert "a number in it is too large" in refusal({"ref": ref})


def test_our_own_network_by_ref_is_refused() -> None:
    assert "in no other namespace than we are" in refusal({"ref": own("net")})


def test_a_search_that_has_no_time_left_is_refused(held: Callable[..., Any]) -> None:
    name = held(descriptor).said[0]
    told = refusal({}, opening=lambda: open_target({"ref": name}, glance(), until=time.monotonic()))
    assert "not all could be seen" in told and "timed out" in told


def test_what_a_search_had_opened_is_closed_when_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def take(scan: Any, *dummy: object) -> None:
        descriptor = os.open("/proc/self/ns/net", os.O_RDONLY)
        scan.keep("net:[1]", descriptor)
        os.close(descriptor)
        raise OSError(errno.EMFILE, "")

    monkeypatch.setattr(search.inventory, "take", take)
    assert "(EMFILE)" in refusal({"ref": "net:[1]"})


# --- a unit of ns_persist -------------------------------------------------------------------------------------------


def test_a_name_is_all_that_is_kept_under_it(in_child: Callable[..., Any]) -> None:
    def inside() -> tuple[dict[str, str], dict[str, str], str]:
        run_folder()
        os.makedirs("/run/nsfleet/blue")
        kept = {}
        for kind in ("uts", "ipc", "net", "user"):
            fd = new_namespace(kind)
            bind(fd, "/run/nsfleet/blue/" + kind)
            kept[kind] = name_of(fd)
            os.close(fd)
        found = opened({"name": "blue"})
        return kept, seen(found), found.name

    kept, told, name = in_child(inside, MNT)
    assert (told, name) == (kept, "blue")


def test_of_a_name_only_the_types_asked_for_stay_open(in_child: Callable[..., Any]) -> None:
    def inside() -> tuple[list[str], str, str]:
        run_folder()
        os.makedirs("/run/nsfleet/blue")
        for kind in ("uts", "ipc"):
            fd = new_namespace(kind)
            bind(fd, "/run/nsfleet/blue/" + kind)
            os.close(fd)
        return list(seen(opened({"name": "blue"}, ["uts"]))), refusal({"name": "blue"}, ["uts", "net"]), ""

    types, told, dummy = in_child(inside, MNT)
    assert types == ["uts"]
    assert told.startswith("net of blue cannot be joined")


def test_a_name_of_a_network_alone_is_under_run_netns(in_child: Callable[..., Any]) -> None:
    def inside() -> tuple[list[str], str | None]:
        run_folder()
        subprocess.run(["ip", "netns", "add", "blue"], check=True)
        found = opened({"name": "blue"})
        return list(seen(found)), found.netns

    assert in_child(inside, MNT | NET) == (["net"], None)


def test_a_unit_of_which_a_part_is_stale_is_refused(in_child: Callable[..., Any]) -> None:
    def inside() -> str:
        run_folder()
        os.makedirs("/run/nsfleet/blue")
        fd = new_namespace("net")
        bind(fd, "/run/nsfleet/blue/net")
        os.close(fd)
        Path("/run/nsfleet/blue/uts").touch()
        return refusal({"name": "blue"})

    assert "/run/nsfleet/blue/uts is no namespace but a plain file" in in_child(inside, MNT)


def test_a_name_that_is_not_there_is_refused() -> None:
    told = refusal({"name": "nsfleet-no-such"})
    assert "neither /run/nsfleet/nsfleet-no-such/TYPE nor /run/netns/nsfleet-no-such is there (ENOENT)" in told


def test_a_time_namespace_is_no_reason_to_refuse_an_old_kernel(held: Callable[..., Any]) -> None:
    """Before Linux 5.6 there is no time namespace: C(all) is what there is."""
    look = glance()
    del look.own["time"]
    pid = held(flags=NET).pid
    found = open_target({"pid": pid}, look)
    assert found.types == ["net"]
    close(found)
    assert kernel_release() >= (4, 18)

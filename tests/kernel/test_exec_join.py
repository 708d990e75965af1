# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Joining: in whatever combination and order, a command is in the namespaces that were meant, or it has not run."""

from __future__ import annotations

import errno
import itertools
import os
import select
import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.nsfleet.linux.plugins.module_utils._enter import execution, join
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.admission import wanted_types
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.containers import glance
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.target import close, open_target
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import mounts, namespaces
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.executor import FIRST, Executor
from ansible_collections.nsfleet.linux.plugins.module_utils._model.entry import Refused
from ansible_collections.nsfleet.linux.plugins.module_utils._model.inventory import TYPES
from ansible_collections.nsfleet.linux.tests.kernel.exec_lab import (
    FLAGS,
    elsewhere,
    ends_with_us,
    links,
    ns_exec,
    only_child,
    place,
    refused,
    settled,
    succeeded,
    unprivileged,
)
from ansible_collections.nsfleet.linux.tests.kernel.holders import (
    bind,
    name_of,
    new_namespace,
    persist_mount_namespace,
)

LOOK = ["readlink", *("/proc/self/ns/" + kind for kind in TYPES)]
ALL_BUT_USER = [kind for kind in TYPES if kind != "user"]
SECONDS = 20.0


def combinations(kinds: Any) -> list[list[str]]:
    """Every choice of some of them."""
    return [list(some) for size in range(1, len(kinds) + 1) for some in itertools.combinations(kinds, size)]


def joined(pid: int, types: list[str]) -> list[str]:
    """Where a command is that was executed after a join: it is asked itself."""
    target = open_target({"pid": pid}, glance(), wanted_types(types))
    null = os.open(os.devnull, os.O_RDONLY)
    reader, writer = os.pipe()
    executor = Executor((null, writer, writer), time.monotonic() + SECONDS, join.descriptors(target))
    os.close(writer)
    os.close(null)
    try:
        join.join(executor, target)
        child = executor.execute(b"/usr/bin/readlink", [word.encode() for word in LOOK], [], "pid" in types)
        said = b""
        while chunk := os.read(reader, 4096):
            said += chunk
        os.waitpid(child, 0)
        executor.pid = 0
        return said.decode().split()
    finally:
        os.close(reader)
        executor.close()
        close(target)


def entered(pid: int, types: list[str]) -> list[str]:
    """Where nsenter(1) brings it."""
    # Who is root of a user namespace may not call setgroups(2) in the next one.
    argv = ["nsenter", "--preserve-credentials", "--target", str(pid), *(FLAGS[kind] for kind in types), *LOOK]
    return subprocess.run(argv, stdout=subprocess.PIPE, encoding="ascii", check=True, timeout=SECONDS).stdout.split()


def expected(pid: int, types: list[str]) -> list[str]:
    own, theirs = links("self"), links(pid)
    return [theirs[kind] if kind in types else own[kind] for kind in TYPES]


def told(result: dict[str, Any]) -> list[str]:
    return str(result["stdout"]).split()


# --- every combination ----------------------------------------------------------------------------------------------


def test_every_combination_of_types_is_joined_as_nsenter_joins_it() -> None:
    with place(ALL_BUT_USER) as pid:
        assert elsewhere(pid) == ALL_BUT_USER
        for types in combinations(ALL_BUT_USER):
            assert joined(pid, types) == entered(pid, types) == expected(pid, types), types


def test_every_combination_with_a_user_namespace_is_joined_as_nsenter_joins_it() -> None:
    with place(TYPES) as pid:
        assert elsewhere(pid) == list(TYPES)
        for types in combinations(TYPES):
            if "user" in types:
                assert joined(pid, types) == entered(pid, types) == expected(pid, types), types


@pytest.mark.parametrize("types", [["user"], ["net", "user"], list(TYPES)])
def test_what_a_user_namespace_owns_can_be_joined_without_it_from_outside(types: list[str]) -> None:
    with place(TYPES) as pid:
        some = [kind for kind in types if kind != "user"] or ["uts"]
        assert joined(pid, some) == entered(pid, some) == expected(pid, some)


STAGES = st.lists(st.sets(st.sampled_from(TYPES), min_size=1), min_size=1, max_size=3)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(stages=STAGES, wanted=st.sets(st.sampled_from(TYPES), min_size=1), at_once=st.booleans())
def test_whoever_owns_what_a_command_is_where_it_was_meant_to_be(
    stages: list[set[str]], wanted: set[str], at_once: bool
) -> None:
    """Namespaces made in up to three steps: each user namespace owns what was made with or after it."""
    with ExitStack() as stack:
        if not at_once:  # as before Linux 5.8
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            patch.setattr(join, "takes_pidfd", lambda: False)
        pid = stack.enter_context(in_stages(stages))
        types = [kind for kind in elsewhere(pid) if kind in wanted]
        if not types:
            return
        result = ns_exec(pid=pid, namespaces=types, argv=LOOK, trusted=True, track=["none"])
        if result.get("failed") and {"pid", "user"} <= set(types) and "mnt" not in types:
            # Where the pid namespace is owned further out than the user namespace that is joined, nobody in there may
            # mount its /proc.
            assert result["rc"] is None and "EPERM" in result["msg"] and "Nothing has run" in result["msg"]
            return
        assert result.get("rc") == 0, result["msg"]
        where, meant = told(result), expected(pid, types)
        if "mnt" not in types and {"net", "pid"} & set(types):
            # A mount namespace of its own, for /sys or /proc.
            assert where.pop(0) not in (meant.pop(0), links(pid)["mnt"])
        assert where == meant
        assert result["namespaces"] == {kind: links(pid)[kind] for kind in types}


def in_stages(stages: list[set[str]]) -> Any:
    from contextlib import contextmanager

    @contextmanager
    def made() -> Any:
        argv: list[str] = []
        forks = 0
        for stage in stages:
            fork = bool({"pid", "time"} & stage)
            forks += fork
            argv += ["unshare", *(FLAGS[kind] for kind in sorted(stage))]
            argv += (["--map-root-user"] if "user" in stage else []) + (["--fork", "--kill-child"] if fork else [])
        with ends_with_us([*argv, "sleep", "300"]) as process:
            pid = process.pid
            for dummy in range(forks):
                pid = only_child(pid)
            yield settled(pid, "sleep")

    return made()


# --- user namespaces ------------------------------------------------------------------------------------------------


def test_in_a_user_namespace_a_command_is_its_root() -> None:
    with place(["user", "uts"]) as pid:
        result = succeeded(pid=pid, namespaces=["user", "uts"], cmd="sh -c 'id -u; hostname inside; hostname'")
        assert told(result) == ["0", "inside"]
        assert os.uname().nodename != "inside"


@pytest.mark.usefixtures("other_users")
@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("types", [list(TYPES), ["mnt", "net", "user"], ["net", "user"], ["user"]])
def test_who_is_not_root_enters_a_user_namespace_of_theirs(
    types: list[str], at_once: bool, host_root: bool, in_child: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One by one these are the three phases: nothing is permitted until the user namespace is joined."""
    if not at_once:
        monkeypatch.setattr(join, "takes_pidfd", lambda: False)

    def run() -> Any:
        with place(types) as pid:
            return ns_exec(pid=pid, namespaces=types, argv=LOOK, track=["none"], trusted=True), expected(pid, types)

    result, where = in_child(unprivileged(run, host_root))
    assert result.get("rc") == 0, result["msg"]
    where[0] = told(result)[0] if "mnt" not in types and "net" in types else where[0]
    assert told(result) == where


@pytest.mark.usefixtures("other_users")
def test_who_is_not_root_and_names_no_user_namespace_is_refused(
    host_root: bool, in_child: Callable[..., Any], tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    tmp_path.chmod(0o777)

    def run() -> Any:
        with place(["user", "net"]) as pid:
            return refused(pid=pid, namespaces=["net"], argv=["touch", str(mark)], track=["none"])

    sentence = in_child(unprivileged(run, host_root))
    assert "(EPERM)" in sentence and "net of pid" in sentence and sentence.endswith("Nothing has run.")
    assert not mark.exists()


# --- older kernels --------------------------------------------------------------------------------------------------


def answering(patch: pytest.MonkeyPatch, answer: Callable[[int, int], int]) -> list[int]:
    """setns answers with an errno (0: as it is); the flags it was called with are told."""
    real = Executor.call
    flags: list[int] = []

    def call(self: Executor, name: str, *arguments: Any) -> int:
        if name == "setns":
            flags.append(arguments[1])
            number = answer(arguments[0], arguments[1])
            if number:
                raise OSError(number, "setns: " + os.strerror(number))
        return real(self, name, *arguments)

    patch.setattr(Executor, "call", call)
    return flags


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EPERM])
def test_where_a_pidfd_is_refused_descriptors_are_joined(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with place(TYPES) as pid:
        flags = answering(monkeypatch, lambda fd, mask: number if fd == FIRST else 0)
        assert joined(pid, list(TYPES)) == expected(pid, list(TYPES))
    assert flags[0] == sum(namespaces.TYPES.values())
    assert sorted(flags[1:]) == sorted(namespaces.TYPES.values())
    assert flags[-1] == namespaces.CLONE_NEWUSER


def test_what_is_not_permitted_before_the_user_namespace_is_joined_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with place(TYPES) as pid:
        inside = []

        def answer(fd: int, mask: int) -> int:
            if mask == namespaces.CLONE_NEWUSER:
                inside.append(True)
            return (
                errno.EPERM
                if fd == FIRST or not inside and mask in (namespaces.CLONE_NEWNET, namespaces.CLONE_NEWNS)
                else 0
            )

        flags = answering(monkeypatch, answer)
        assert joined(pid, list(TYPES)) == expected(pid, list(TYPES))
    assert flags[-3:] == [namespaces.CLONE_NEWUSER, namespaces.CLONE_NEWNET, namespaces.CLONE_NEWNS]


def test_an_error_that_is_not_eperm_ends_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """runc #4466: what was joined in part must not run."""
    answering(
        monkeypatch,
        lambda fd, mask: errno.EPERM if fd == FIRST else errno.ENOMEM if mask == namespaces.CLONE_NEWNET else 0,
    )
    with place(TYPES) as pid:
        sentence = refused(pid=pid, argv=["touch", str(tmp_path / "mark")])
        assert sentence.startswith("net of pid %d: the kernel refused to join it (ENOMEM)." % pid)
    assert not (tmp_path / "mark").exists()


def test_what_stays_forbidden_after_the_user_namespace_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answering(monkeypatch, lambda fd, mask: errno.EPERM if fd == FIRST or mask == namespaces.CLONE_NEWUTS else 0)
    with place(TYPES) as pid:
        sentence = refused(pid=pid, argv=["touch", str(tmp_path / "mark")])
        assert sentence.startswith("uts of pid %d: the kernel refused to join it (EPERM)." % pid)
        assert sentence.endswith("Nothing has run.")
    assert not (tmp_path / "mark").exists()


def test_without_a_user_namespace_eperm_is_final(monkeypatch: pytest.MonkeyPatch) -> None:
    flags = answering(monkeypatch, lambda fd, mask: errno.EPERM)
    with place(["net", "uts"]) as pid:
        assert "(EPERM)" in refused(pid=pid, cmd="true", track=["none"])
    assert flags == [namespaces.CLONE_NEWNET | namespaces.CLONE_NEWUTS] or not flags  # it is the worker that calls


# --- what was joined is looked at -----------------------------------------------------------------------------------


def mover() -> None:
    """A process that goes to another network when it is told."""
    signal.signal(signal.SIGUSR1, lambda dummy, dummy2: namespaces.unshare(namespaces.CLONE_NEWNET))


def test_a_target_that_goes_elsewhere_meanwhile_is_not_entered(held: Callable[..., Any]) -> None:
    """setns with a pidfd joins where the process is now, which is not what was verified."""
    pid = held(mover, namespaces.CLONE_NEWNET | namespaces.CLONE_NEWUTS).pid
    target = open_target({"pid": pid}, glance(), wanted_types(["net", "uts"]))
    meant = dict(target.namespaces)
    null = os.open(os.devnull, os.O_RDWR)
    executor = Executor((null, null, null), time.monotonic() + SECONDS, join.descriptors(target))
    try:
        go(pid, "net")
        with pytest.raises(Refused) as refusal:
            join.join(executor, target)
        assert str(refusal.value).startswith(
            "pid %d: to join net, which is %s, led to %s instead." % (pid, meant["net"], links(pid)["net"])
        )
    finally:
        executor.close()
        close(target)
        os.close(null)


def go(pid: int, kind: str) -> None:
    """Let the mover move."""
    before = links(pid)[kind]
    os.kill(pid, signal.SIGUSR1)
    deadline = time.monotonic() + 10
    while links(pid)[kind] == before:
        assert time.monotonic() < deadline
        select.select([], [], [], 0.005)


def test_nothing_runs_where_a_target_goes_elsewhere_meanwhile(
    held: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = held(mover, namespaces.CLONE_NEWNET).pid
    real = execution.launch

    def later(*arguments: Any) -> Any:
        go(pid, "net")
        return real(*arguments)

    monkeypatch.setattr(execution, "launch", later)
    sentence = refused(pid=pid, namespaces=["net"], argv=["touch", str(tmp_path / "mark")])
    assert "led to" in sentence and "Nothing has run" in sentence
    assert not (tmp_path / "mark").exists()


def test_descriptors_lead_where_it_was_whoever_moves(held: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: one by one it is what was opened that is joined."""
    monkeypatch.setattr(join, "takes_pidfd", lambda: False)
    pid = held(mover, namespaces.CLONE_NEWNET).pid
    meant = links(pid)["net"]
    real = execution.launch

    def later(*arguments: Any) -> Any:
        go(pid, "net")
        return real(*arguments)

    monkeypatch.setattr(execution, "launch", later)
    assert told(succeeded(pid=pid, namespaces=["net"], cmd="readlink /proc/self/ns/net")) == [meant]


def test_a_target_that_ends_meanwhile_is_refused(
    held: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = held(flags=namespaces.CLONE_NEWNET).pid
    real = execution.launch

    def later(*arguments: Any) -> Any:
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
        return real(*arguments)

    monkeypatch.setattr(execution, "launch", later)
    sentence = refused(pid=pid, namespaces=["net"], argv=["touch", str(tmp_path / "mark")])
    assert "its process has ended (ESRCH)" in sentence
    assert not (tmp_path / "mark").exists()


# --- targets that are no process ------------------------------------------------------------------------------------


def with_own_run(function: Callable[[], Any]) -> Callable[[], Any]:
    """With a /run of its own, in a mount namespace of its own: names there are nobody else's."""

    def run() -> Any:
        mounts.mount("none", "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
        mounts.mount("nsfleet-test", "/run", "tmpfs", 0, "size=16m,mode=755")
        return function()

    return run


def test_a_name_of_ip_netns_is_entered(in_child: Callable[..., Any]) -> None:
    def run() -> Any:
        os.mkdir("/run/netns")
        namespace = new_namespace("net")
        bind(namespace, "/run/netns/blue")
        name = name_of(namespace)
        os.close(namespace)
        subprocess.run(["ip", "-n", "blue", "link", "set", "lo", "mtu", "1471"], check=True)
        return name, succeeded(netns="blue", argv=LOOK), succeeded(netns="blue", cmd="ip -o link show lo")

    name, result, link = in_child(with_own_run(run), namespaces.CLONE_NEWNS)
    assert told(result)[list(TYPES).index("net")] == name == result["namespaces"]["net"]
    assert "mtu 1471" in link["stdout"]
    assert link["target"] == {"container": "netns blue", "id": None, "pid": None, "start_time": None}


@pytest.mark.parametrize("kind", ["uts", "ipc", "net", "cgroup", "user", "time", "pid"])
def test_a_bind_mount_is_entered(kind: str, in_child: Callable[..., Any]) -> None:

    def run() -> Any:
        namespace = new_namespace(kind) if kind not in ("time", "pid") else for_children(kind)
        bind(namespace, "/run/it")
        name = name_of(namespace)
        os.close(namespace)
        return name, ns_exec(path="/run/it", argv=LOOK, trusted=True, track=["none"])

    name, result = in_child(with_own_run(run), namespaces.CLONE_NEWNS)
    if kind == "pid":
        assert result["failed"] and result["rc"] is None and "its process 1 has ended" in result["msg"]
        return
    if kind == "user":
        assert result["failed"] and result["rc"] is None and "(EINVAL)" in result["msg"]
        return
    assert result.get("rc") == 0, result["msg"]
    assert told(result)[list(TYPES).index(kind)] == name


def for_children(kind: str) -> int:
    """A descriptor of a namespace that only children are in; the first of them has been there."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            namespaces.unshare(namespaces.TYPES[kind])
            child = os.fork()
            if child == 0:
                os.write(writer, b"!")
                time.sleep(SECONDS)
                os._exit(0)
            time.sleep(SECONDS)
        finally:
            os._exit(0)
    os.read(reader, 1)
    try:
        return os.open("/proc/%d/ns/%s_for_children" % (pid, kind), os.O_RDONLY | os.O_CLOEXEC)
    finally:
        child = only_child(pid)
        for each in (pid, child):
            os.kill(each, signal.SIGKILL)
        os.waitpid(pid, 0)
        while os.path.exists("/proc/%d" % child) and "Z" not in Path("/proc/%d/stat" % child).read_text():
            time.sleep(0.01)
        os.close(reader)
        os.close(writer)


def test_a_mount_namespace_that_is_only_a_mount_needs_privileges_written_out(in_child: Callable[..., Any]) -> None:
    def run() -> Any:
        name = persist_mount_namespace("/run/it", lambda: None)
        return (
            name,
            ns_exec(path="/run/it", argv=LOOK),
            ns_exec(path="/run/it", argv=LOOK, privileges="host", environment_from="host"),
        )

    name, refusal, result = in_child(with_own_run(run), namespaces.CLONE_NEWNS)
    assert refusal["failed"] and refusal["rc"] is None and "privileges: host" in refusal["msg"]
    assert result["rc"] == 0, result
    assert told(result)[0] == name
    assert any("privileges: host" in warning for warning in result["warnings"])


def test_a_ref_of_what_only_a_descriptor_holds_is_entered() -> None:
    namespace = new_namespace("net")
    try:
        name = name_of(namespace)
        result = succeeded(ref=name, argv=LOOK)
        assert told(result)[list(TYPES).index("net")] == name
        assert result["unproven"] == ["inode only"]
        # What is not proved to be the one that was meant is still proved unchanged.
        assert result["changed"] is False
    finally:
        os.close(namespace)


def test_a_unit_is_entered_in_all_its_types(in_child: Callable[..., Any]) -> None:
    kinds = ["uts", "ipc", "net"]

    def run() -> Any:
        os.makedirs("/run/nsfleet/lab")
        names = {}
        for kind in kinds:
            namespace = new_namespace(kind)
            names[kind] = name_of(namespace)
            bind(namespace, "/run/nsfleet/lab/" + kind)
            os.close(namespace)
        return names, succeeded(name="lab", argv=LOOK)

    names, result = in_child(with_own_run(run), namespaces.CLONE_NEWNS)
    assert result["namespaces"] == names
    assert {kind: told(result)[list(TYPES).index(kind)] for kind in kinds} == names


# --- refusals -------------------------------------------------------------------------------------------------------


def test_a_network_of_somebody_else_is_refused_by_type_and_errno(
    host_root: bool, in_child: Callable[..., Any], tmp_path: Path
) -> None:
    """Its file may be opened by all, as those of ip-netns(8), and joined by its owner only."""
    mark = tmp_path / "mark"
    tmp_path.chmod(0o777)

    def run() -> Any:
        namespace = new_namespace("net")
        bind(namespace, "/run/it")
        os.close(namespace)
        return unprivileged(lambda: refused(path="/run/it", argv=["touch", str(mark)], track=["none"]), host_root)()

    sentence = in_child(with_own_run(run), namespaces.CLONE_NEWNS)
    assert sentence == (
        "net of /run/it: the kernel refused to join it (EPERM). That needs CAP_SYS_ADMIN in its user namespace (and"
        " CAP_SYS_CHROOT for mnt): run the task as root (become), or as the user who owns the container."
        " Nothing has run."
    )
    assert not mark.exists()


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind != "time"])
def test_what_is_the_host_s_own_is_refused(kind: str, held: Callable[..., Any], tmp_path: Path) -> None:
    other = namespaces.CLONE_NEWNET if kind != "net" else namespaces.CLONE_NEWUTS
    pid = held(flags=other).pid
    sentence = refused(pid=pid, namespaces=[kind], argv=["touch", str(tmp_path / "mark")])
    assert sentence.startswith("%s of pid %d is " % (kind, pid)) and "allow_host" in sentence
    assert not (tmp_path / "mark").exists()


# --- time -----------------------------------------------------------------------------------------------------------


def test_in_a_time_namespace_it_is_later() -> None:
    with place(["time"], "--boottime", "1000000") as pid:
        found = succeeded(pid=pid, namespaces=["time"], cmd="cat /proc/uptime", track=["none"])
        argv = ["nsenter", "--target", str(pid), "--time", "cat", "/proc/uptime"]
        theirs = subprocess.run(argv, stdout=subprocess.PIPE, encoding="ascii", check=True).stdout
    assert float(found["stdout"].split()[0]) > 1000000
    assert abs(float(found["stdout"].split()[0]) - float(theirs.split()[0])) < 10


# --- the root directory ---------------------------------------------------------------------------------------------


def test_a_changed_root_is_the_command_s_root_too(held: Callable[..., Any], tmp_path: Path) -> None:
    """setns(2) leads to the root of the mount namespace, and nsenter without --root stays there."""
    for name in ("bin", "lib", "lib64", "usr", "proc"):
        (tmp_path / name).mkdir()
    (tmp_path / "inside").write_text("yes")

    def prepare() -> None:
        mounts.mount("none", "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
        for name in ("bin", "lib", "lib64", "usr", "proc"):
            if os.path.isdir("/" + name):
                mounts.mount("/" + name, str(tmp_path / name), None, mounts.MS_BIND | mounts.MS_REC)
        os.chroot(tmp_path)
        os.chdir("/")

    pid = held(prepare, namespaces.CLONE_NEWNS).pid
    result = succeeded(pid=pid, namespaces=["mnt"], cmd="cat /inside", environment_from="none", track=["none"])
    assert result["stdout"] == "yes"

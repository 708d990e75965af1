# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The privileges of a leader, its seccomp filters by ptrace above all, on the real kernel."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import subprocess
import sys
import time
from typing import Any, Callable

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._enter import privileges as of
from ansible_collections.nsfleet.linux.plugins.module_utils._enter import read_only_filter
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import (
    namespaces,
    prctl,
    privileges,
    ptrace,
    seccomp,
)
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.libc import KernelLacks
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.proc import Proc
from ansible_collections.nsfleet.linux.plugins.module_utils._model.entry import Refused, Target
from ansible_collections.nsfleet.linux.tests.kernel.running_kernel import errno_of

# Programs that can be told apart: getpgid gives E2BIG, then EXDEV, then ENOTDIR.
NUMBER_OF_GETPGID = {"x86_64": 121, "aarch64": 155}[os.uname().machine]
PROGRAMS = [
    seccomp.refusing([seccomp.Rule(NUMBER_OF_GETPGID, code)]) for code in (errno.E2BIG, errno.EXDEV, errno.ENOTDIR)
]


@pytest.fixture
def only_host_root(host_root: bool) -> None:
    """seccomp filters are shown to CAP_SYS_ADMIN of the initial user namespace only, and nobody has that as nobody."""
    if not host_root:
        pytest.skip("needs root of the initial user namespace: PTRACE_SECCOMP_GET_FILTER asks for its CAP_SYS_ADMIN")


def filtered(*programs: bytes, flags: int = 0) -> None:
    privileges.set_no_new_privs()
    for program in programs:
        seccomp.install(program, flags)


def state(pid: int) -> str:
    return Proc().stat(pid).state


def settled(pid: int, expected: str = "S") -> bool:
    """Whether it gets to that state, and nobody traces it."""
    deadline = time.monotonic() + 5
    while (state(pid), tracer(pid)) != (expected, "0") and time.monotonic() < deadline:
        time.sleep(0.001)
    return (state(pid), tracer(pid)) == (expected, "0")


def tracer(pid: int) -> str:
    return Proc().status(pid)["TracerPid"]


@pytest.mark.usefixtures("only_host_root")
def test_filters_are_the_installed_ones_oldest_first(held: Callable[..., Any]) -> None:
    child = held(lambda: filtered(*PROGRAMS))
    assert [found.program for found in ptrace.seccomp_filters(child.pid)] == PROGRAMS


@pytest.mark.usefixtures("only_host_root")
def test_a_copied_stack_of_filters_answers_as_the_original(
    held: Callable[..., Any], in_child: Callable[..., Any]
) -> None:
    # The youngest of equals in severity wins (seccomp(2)).
    found = ptrace.seccomp_filters(held(lambda: filtered(*PROGRAMS)).pid)

    def copy() -> int:
        filtered(*(each.program for each in found))
        return errno_of(os.getpgid, 0)

    def original() -> int:
        filtered(*PROGRAMS)
        return errno_of(os.getpgid, 0)

    assert in_child(copy) == in_child(original) == errno.ENOTDIR


@pytest.mark.usefixtures("only_host_root")
def test_the_log_flag_is_told(held: Callable[..., Any]) -> None:
    child = held(lambda: (filtered(PROGRAMS[0]), filtered(PROGRAMS[1], flags=seccomp.SECCOMP_FILTER_FLAG_LOG)))
    assert [found.flags for found in ptrace.seccomp_filters(child.pid)] == [0, seccomp.SECCOMP_FILTER_FLAG_LOG]


@pytest.mark.usefixtures("only_host_root")
def test_a_large_filter_is_whole(held: Callable[..., Any]) -> None:
    program = read_only_filter.program()
    assert ptrace.seccomp_filters(held(lambda: filtered(program)).pid)[0].program == program


@pytest.mark.usefixtures("only_host_root")
def test_without_filters_there_are_none(held: Callable[..., Any]) -> None:
    assert ptrace.seccomp_filters(held().pid) == []


@pytest.mark.usefixtures("only_host_root")
def test_it_goes_on_afterwards_with_nobody_tracing_it(held: Callable[..., Any]) -> None:
    pid = held(lambda: filtered(PROGRAMS[0])).pid
    ptrace.seccomp_filters(pid)
    assert settled(pid)


@pytest.mark.usefixtures("only_host_root")
def test_it_goes_on_when_reading_fails(held: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    pid = held(lambda: filtered(PROGRAMS[0])).pid

    def fail(dummy: int) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(ptrace, "_filters", fail)
    with pytest.raises(KeyboardInterrupt):
        ptrace.seccomp_filters(pid)
    assert settled(pid)


@pytest.mark.usefixtures("only_host_root")
def test_it_goes_on_when_the_tracer_is_killed_in_between(
    held: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = held(lambda: filtered(PROGRAMS[0])).pid
    reading, writing = os.pipe()
    worker = os.fork()
    if worker == 0:

        def wait_here(dummy: int) -> Any:
            os.write(writing, state(pid).encode())
            time.sleep(60)

        try:
            prctl.set_pdeathsig(signal.SIGKILL)
            monkeypatch.setattr(ptrace, "_filters", wait_here)
            ptrace.seccomp_filters(pid)
        finally:
            os._exit(0)
    assert os.read(reading, 1) == b"t"  # tracing stop
    os.kill(worker, signal.SIGKILL)
    os.waitpid(worker, 0)
    assert settled(pid)
    for end in (reading, writing):
        os.close(end)


@pytest.mark.usefixtures("only_host_root")
def test_a_stopped_process_stays_stopped(held: Callable[..., Any]) -> None:
    pid = held(lambda: filtered(PROGRAMS[0])).pid
    os.kill(pid, signal.SIGSTOP)
    os.waitpid(pid, os.WUNTRACED)
    assert len(ptrace.seccomp_filters(pid)) == 1
    assert settled(pid, "T")


@pytest.mark.usefixtures("only_host_root")
def test_no_signal_is_lost_and_no_other_child_is_waited_for() -> None:
    got = 300
    counting = subprocess.Popen(
        [sys.executable, "-uc", "import signal, sys\n"
         "n = 0\n"
         "def one(*dummy):\n"
         "    global n\n    n += 1\n    print(n)\n"
         "signal.signal(signal.SIGUSR1, one)\nprint('ready')\nwhile True: signal.pause()"],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert counting.stdout
    other = os.fork()
    if other == 0:
        os._exit(7)
    try:
        counting.stdout.readline()
        for number in range(got):
            os.kill(counting.pid, signal.SIGUSR1)
            ptrace.seccomp_filters(counting.pid)
            assert int(counting.stdout.readline()) == number + 1
        assert os.WEXITSTATUS(os.waitpid(other, 0)[1]) == 7
    finally:
        counting.kill()
        counting.wait()


@pytest.mark.usefixtures("only_host_root")
def test_it_is_stopped_for_less_than_a_moment(held: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    pid = held(lambda: filtered(*PROGRAMS)).pid
    took = []
    for dummy in range(20):
        started = time.perf_counter()
        ptrace.seccomp_filters(pid)
        took.append(time.perf_counter() - started)
    assert sorted(took)[10] < 0.01


@pytest.mark.usefixtures("only_host_root")
def test_one_that_is_traced_already_is_eperm(held: Callable[..., Any], in_child: Callable[..., Any]) -> None:
    child = held(lambda: filtered(PROGRAMS[0])).pid

    def trace() -> int:
        if ctypes.CDLL(None).ptrace(ctypes.c_long(0x4206), ctypes.c_long(child), None, None):
            raise OSError("ptrace")
        other = os.fork()
        if other == 0:
            os._exit(errno_of(ptrace.seccomp_filters, child))
        return os.WEXITSTATUS(os.waitpid(other, 0)[1])

    assert in_child(trace) == errno.EPERM


@pytest.mark.usefixtures("only_host_root")
def test_under_a_filter_of_our_own_it_is_eacces(held: Callable[..., Any], in_child: Callable[..., Any]) -> None:
    pid = held(lambda: filtered(PROGRAMS[0])).pid

    def look() -> int:
        filtered(PROGRAMS[1])
        return errno_of(ptrace.seccomp_filters, pid)

    assert in_child(look) == errno.EACCES
    assert settled(pid)


def test_a_user_namespace_s_root_is_not_shown_any(held: Callable[..., Any], in_child: Callable[..., Any]) -> None:
    def look() -> int:
        child = os.fork()
        if child == 0:
            prctl.set_pdeathsig(signal.SIGKILL)
            filtered(PROGRAMS[0])
            signal.pause()
        deadline = time.monotonic() + 5
        while Proc().status(child)["Seccomp"] != "2" and time.monotonic() < deadline:
            time.sleep(0.001)
        return errno_of(ptrace.seccomp_filters, child)

    assert in_child(look, namespaces.CLONE_NEWUSER) == errno.EACCES


def test_one_that_is_gone_is_esrch(in_child: Callable[..., Any]) -> None:
    assert errno_of(ptrace.seccomp_filters, in_child(os.getpid)) == errno.ESRCH


def freezer() -> str | None:
    """A frozen cgroup that can be made here: of version 1, where ptrace waits too."""
    for line in open("/proc/self/mountinfo", encoding="utf-8"):
        fields = line.split()
        if fields[-3] == "cgroup" and "freezer" in fields[-1].split(","):
            return fields[4]
    return None


@pytest.mark.usefixtures("only_host_root")
def test_a_frozen_one_costs_the_time_it_is_given_and_no_more(held: Callable[..., Any]) -> None:
    mounted = freezer()
    if mounted is None:
        pytest.skip("no cgroup version 1 freezer is mounted, and version 2's does not hold ptrace up")
    folder = "%s/nsfleet-test-%d" % (mounted, os.getpid())
    os.mkdir(folder)
    pid = held(lambda: filtered(PROGRAMS[0])).pid
    try:
        for name, word in (("cgroup.procs", str(pid)), ("freezer.state", "FROZEN")):
            with open(folder + "/" + name, "w", encoding="ascii") as file:
                file.write(word)

        started = time.monotonic()
        worker = os.fork()
        if worker == 0:
            code = errno_of(ptrace.seccomp_filters, pid, 0.2)
            os._exit(code)
        assert os.WEXITSTATUS(os.waitpid(worker, 0)[1]) == errno.ETIMEDOUT
        assert 0.2 <= time.monotonic() - started < 2
    finally:
        for where, name, word in ((folder, "freezer.state", "THAWED"), (mounted, "cgroup.procs", str(pid))):
            with open(where + "/" + name, "w", encoding="ascii") as file:
                file.write(word)
        os.rmdir(folder)
    assert settled(pid)


@pytest.mark.usefixtures("only_host_root")
def test_a_kernel_that_shows_no_filters_is_a_lack(held: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    pid = held(lambda: filtered(PROGRAMS[0])).pid
    real = ptrace.syscall

    def old(name: str, request: int, *arguments: Any) -> int:
        if request == ptrace.PTRACE_SECCOMP_GET_FILTER:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return real(name, request, *arguments)

    monkeypatch.setattr(ptrace, "syscall", old)
    with pytest.raises(KernelLacks, match="CONFIG_CHECKPOINT_RESTORE"):
        ptrace.seccomp_filters(pid)
    with pytest.raises(Refused, match="seccomp filters of web.*CHECKPOINT_RESTORE.*nothing was run"):
        of.of_leader(Target("web", pid=pid), Proc())
    assert settled(pid)


# --- of_leader, of_host --------------------------------------------------------------------------------------------


def test_a_leader_s_sets_are_those_getpcaps_tells(held: Callable[..., Any]) -> None:
    pid = held(lambda: [privileges.capbset_drop(number) for number in (0, 5, 21)], namespaces.CLONE_NEWUSER).pid
    found = of.of_leader(Target("web", pid=pid), Proc())
    sets = subprocess.run(["capsh", "--decode=%x" % found.bounding], capture_output=True, text=True, check=True).stdout
    assert not {"cap_chown", "cap_kill", "cap_sys_admin"} & set(sets.strip().split("=")[1].split(","))
    status = Proc().status(pid)
    assert [found.effective, found.permitted, found.inheritable, found.bounding, found.ambient] == [
        int(status["Cap" + name], 16) for name in ("Eff", "Prm", "Inh", "Bnd", "Amb")
    ]


def test_ids_are_those_of_the_user_namespace_that_is_joined(held: Callable[..., Any]) -> None:
    pid = held(lambda: None, namespaces.CLONE_NEWUSER).pid
    target = Target("web", pid=pid, types=["user"])
    found = of.of_leader(target, Proc())
    assert (found.uid, found.gid, found.umask, found.new_keyring) == (0, 0, 0o022, True)
    kept = of.of_leader(Target("web", pid=pid), Proc())
    assert (kept.uid, kept.gid) == (os.geteuid(), os.getegid())


def test_an_id_that_is_not_mapped_is_refused(held: Callable[..., Any]) -> None:
    pid = held(lambda: None, 0).pid

    class Mapped(Proc):
        def read(self, *parts: object, limit: int = 1 << 20) -> bytes:
            return b"0 4000000 10\n" if parts[-1] in ("uid_map", "gid_map") else super().read(*parts, limit=limit)

    with pytest.raises(Refused, match="does not map"):
        of.of_leader(Target("web", pid=pid, types=["user"]), Mapped())


def test_ids_are_translated_by_the_map(held: Callable[..., Any]) -> None:
    class Mapped(Proc):
        def read(self, *parts: object, limit: int = 1 << 20) -> bytes:
            row = b"0 4000000 10\n7 %d 1\n" % (os.geteuid() if parts[-1] == "uid_map" else os.getegid())
            return row if parts[-1] in ("uid_map", "gid_map") else super().read(*parts, limit=limit)

    found = of.of_leader(Target("web", pid=held().pid, types=["user"]), Mapped())
    assert (found.uid, found.gid) == (7, 7)


def test_limits_and_oom_score_are_the_leader_s(held: Callable[..., Any]) -> None:
    import resource

    def change() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (123, 456))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("321")

    pid = held(change).pid
    found = of.of_leader(Target("web", pid=pid), Proc())
    told = subprocess.run(["prlimit", "--noheadings", "--output", "SOFT,HARD", "--nofile", "--pid", str(pid)],
                          capture_output=True, text=True, check=True).stdout.split()  # fmt: skip
    assert found.rlimits[resource.RLIMIT_NOFILE] == tuple(map(int, told)) == (123, 456)
    expected = {number: resource.prlimit(pid, number) for number in range(16)}
    assert {
        number: tuple(-1 if each == (1 << 64) - 1 else each for each in pair) for number, pair in found.rlimits.items()
    } == expected
    assert found.oom_score_adj == 321


def test_one_that_is_gone_is_refused(in_child: Callable[..., Any]) -> None:
    with pytest.raises(Refused, match=r"privileges of web cannot be read \(ENOENT"):
        of.of_leader(Target("web", pid=in_child(os.getpid)), Proc())


def test_a_target_without_a_process_is_refused() -> None:
    with pytest.raises(Refused, match="netns blue has no process"):
        of.of_leader(Target("netns blue"), Proc())


def test_a_read_only_command_has_five_capabilities_in_no_set_more() -> None:
    every = (1 << 41) - 1
    found = of.restricted(of.Privileges(0, 0, [0], every, every, every, every, every))
    names = "cap_dac_read_search,cap_net_raw,cap_setgid,cap_setuid,cap_syslog"
    assert found.no_new_privs and found.rlimits == {4: (1, 1)}
    for each in (found.effective, found.permitted, found.inheritable, found.bounding, found.ambient):
        told = subprocess.run(["capsh", "--decode=%x" % each], capture_output=True, text=True, check=True).stdout
        assert sorted(told.strip().split("=")[1].split(",")) == names.split(",")
    assert of.GUARD & ~of.READ_ONLY == 1 << 12  # NET_ADMIN


def test_what_a_container_lacks_read_only_does_not_give() -> None:
    found = of.restricted(of.Privileges(0, 0, [0], 1 << 13, 1 << 13, 0, 1 << 13, 0))
    assert (found.effective, found.bounding) == (1 << 13, 1 << 13)


@pytest.mark.parametrize("no_new_privs", [False, True])
@pytest.mark.parametrize("uid", [0, 1])
def test_what_the_execution_makes_of_it_is_foretold(uid: int, no_new_privs: bool, in_child: Callable[..., Any]) -> None:
    """Bounding beyond permitted, as in a container with --user into which root is exec'd."""
    if uid and os.stat("/proc/self/ns/user").st_ino != 0xEFFFFFFD:
        uid = 0  # who is not mapped cannot be had; the other case is tried there
    given = of.Privileges(uid, uid, [uid], 0, 0, 0, 0, 0)

    def look() -> tuple:
        raw, other = 13, 10
        for number in range(41):
            if number not in (raw, other):
                privileges.capbset_drop(number)
        status = Proc().status(os.getpid())
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.dup2(writing, 1)
            if no_new_privs:
                privileges.set_no_new_privs()
            if uid:
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
            else:
                privileges.capset(privileges.CapabilitySets(1 << raw, 1 << raw, 0))
            os.execv("/bin/cat", ["cat", "/proc/self/status"])
        os.close(writing)
        with os.fdopen(reading) as lines:
            told = dict(line.rstrip("\n").split(":\t", 1) for line in lines if ":\t" in line)
        del status
        return tuple(int(told["Cap" + name], 16) for name in ("Eff", "Prm", "Inh", "Bnd", "Amb"))

    permitted = 0 if uid else 1 << 13
    given = given._replace(
        effective=permitted, permitted=permitted, bounding=1 << 13 | 1 << 10, no_new_privs=no_new_privs
    )
    shown = of.executed(given)
    assert in_child(look) == (shown.effective, shown.permitted, shown.inheritable, shown.bounding, shown.ambient)


def test_the_host_s_are_what_nsenter_gives(held: Callable[..., Any]) -> None:
    told = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True, check=True).stdout
    status = dict(line.split(":\t", 1) for line in told.splitlines() if ":\t" in line)
    shown = of.executed(of.of_host())
    assert [shown.effective, shown.permitted, shown.bounding] == [
        int(status["Cap" + name], 16) for name in ("Eff", "Prm", "Bnd")
    ]
    assert shown.groups == [int(group) for group in status["Groups"].split()]


def test_the_host_s_in_a_user_namespace_are_what_nsenter_gives(held: Callable[..., Any]) -> None:
    pid = held(lambda: None, namespaces.CLONE_NEWUSER).pid
    command = ["nsenter", "--user", "--preserve-credentials", "--target", str(pid), "cat", "/proc/self/status"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    status = dict(line.split(":\t", 1) for line in told.splitlines() if ":\t" in line)
    shown = of.executed(of.of_host(joins_user=True))
    assert [shown.effective, shown.permitted, shown.bounding] == [
        int(status["Cap" + name], 16) for name in ("Eff", "Prm", "Bnd")
    ]
    assert status["Uid"].split()[0] == str(shown.uid)

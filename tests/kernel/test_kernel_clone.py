# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""clone3(2) as fork, with Python's fork hooks, on the real kernel."""

from __future__ import annotations

import _imp
import errno
import os
import random
import select
import signal
import tempfile
import threading
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import clone, libc, namespaces, prctl
from ansible_collections.nsfleet.linux.tests.kernel.running_kernel import errno_of, since

NEW_USER_AND_PID = namespaces.CLONE_NEWUSER | namespaces.CLONE_NEWPID


def said_by_clone(function: Callable[[], str], **options: Any) -> str:
    """What a child made by clone3_fork says, and that it ended well; call it in a child with one thread."""
    reading, writing = os.pipe()
    result = clone.clone3_fork(options.pop("flags", 0), **options)
    if result.pid == 0:
        try:
            prctl.set_pdeathsig(signal.SIGKILL)
            os.write(writing, function().encode())
        except BaseException as error:
            os.write(writing, repr(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    if not select.select([reading], [], [], 10)[0]:
        os.kill(result.pid, signal.SIGKILL)
    answer = os.read(reading, 4096).decode()
    os.close(reading)
    if result.pidfd is not None:
        os.close(result.pidfd)
    status = os.waitpid(result.pid, 0x40000000)[1]
    return answer if status == 0 else "status %d" % status


@since(5, 3)
def test_the_child_is_a_process_of_its_own(in_child: Callable[..., Any]) -> None:
    def look() -> bool:
        mine = os.getpid()
        told = said_by_clone(lambda: "%d %d" % (os.getpid(), os.getppid())).split()
        return int(told[0]) != mine and int(told[1]) == mine

    assert in_child(look)


@since(5, 3)
def test_python_s_fork_hooks_run(in_child: Callable[..., Any]) -> None:
    def look() -> list[str]:
        events: list[str] = []
        os.register_at_fork(
            before=lambda: events.append("before"),
            after_in_parent=lambda: events.append("parent"),
            after_in_child=lambda: events.append("child"),
        )
        return [said_by_clone(lambda: " ".join(events)), " ".join(events)]

    assert in_child(look) == ["before child", "before parent"]


@since(5, 3)
def test_the_hooks_of_the_parent_run_when_the_kernel_refuses(in_child: Callable[..., Any]) -> None:
    def look() -> list[str]:
        events: list[str] = []
        os.register_at_fork(before=lambda: events.append("before"), after_in_parent=lambda: events.append("parent"))
        assert errno_of(clone.clone3_fork, namespaces.CLONE_NEWNS | namespaces.CLONE_FS) == errno.EINVAL
        import decimal  # the import lock was given back

        return [*events, decimal.__name__]

    assert in_child(look) == ["before", "parent", "decimal"]


@since(5, 3)
def test_the_child_is_a_whole_python(in_child: Callable[..., Any]) -> None:
    def whole() -> str:
        found: list[str] = []
        thread = threading.Thread(target=lambda: found.append("thread"))
        thread.start()
        thread.join(5)
        import fractions  # an import needs the import lock

        return "%s %s %s %s" % (
            found,
            threading.main_thread() is threading.current_thread(),
            fractions.Fraction(1, 2),
            random.random(),
        )

    def look() -> list[str]:
        random.seed(7)
        return [said_by_clone(whole), said_by_clone(whole)]

    first, second = in_child(look)
    assert first.startswith("['thread'] True 1/2 ")
    assert first != second, "the random generator was not seeded anew after the fork"


@since(5, 3)
def test_no_handler_runs_while_the_import_lock_is_held(in_child: Callable[..., Any]) -> None:
    def look() -> list[Any]:
        held: list[bool] = []
        failed = 0
        signal.signal(signal.SIGALRM, lambda number, frame: held.append(_imp.lock_held()))
        signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
        for dummy in range(300):
            pid = clone.clone3_fork().pid
            if pid == 0:
                os._exit(_imp.lock_held())
            failed += os.waitpid(pid, 0)[1]
        signal.setitimer(signal.ITIMER_REAL, 0)
        return [len(held) > 10, True in held, failed]

    assert in_child(look) == [True, False, 0]


@since(5, 3)
def test_the_signal_mask_is_as_before(in_child: Callable[..., Any]) -> None:
    def blocked() -> str:
        return str(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])))

    def look() -> list[str]:
        signal.pthread_sigmask(signal.SIG_SETMASK, [signal.SIGUSR2])
        return [blocked(), said_by_clone(blocked), blocked()]

    first, child, parent = in_child(look)
    assert first == child == parent != "[]"


@since(5, 3)
def test_a_signal_handler_of_python_works_in_the_child(in_child: Callable[..., Any]) -> None:
    def signalled() -> str:
        got: list[int] = []
        signal.signal(signal.SIGUSR1, lambda number, frame: got.append(number))
        os.kill(os.getpid(), signal.SIGUSR1)
        return str(got == [signal.SIGUSR1])

    assert in_child(lambda: said_by_clone(signalled)) == "True"


@since(5, 3)
def test_newpid_makes_the_child_process_1(in_child: Callable[..., Any]) -> None:
    assert in_child(lambda: said_by_clone(lambda: str(os.getpid()), flags=NEW_USER_AND_PID)) == "1"


@since(5, 6)
def test_newtime_puts_the_child_itself_into_it(in_child: Callable[..., Any]) -> None:
    flags = namespaces.CLONE_NEWUSER | namespaces.CLONE_NEWTIME
    told = in_child(lambda: said_by_clone(lambda: os.readlink("/proc/self/ns/time"), flags=flags))
    assert told.startswith("time:[") and told != os.readlink("/proc/self/ns/time")


@since(5, 5)
def test_set_tid_chooses_the_pid(in_child: Callable[..., Any]) -> None:
    assert in_child(lambda: said_by_clone(lambda: str(os.getpid()), flags=NEW_USER_AND_PID, set_tid=(1,))) == "1"


@since(5, 3)
def test_pidfd_refers_to_the_child(in_child: Callable[..., Any]) -> None:
    def look() -> list[Any]:
        result = clone.clone3_fork(pidfd=True)
        if result.pid == 0:
            os._exit(7)
        told = os.waitid(getattr(os, "P_PIDFD", 3), result.pidfd or -1, os.WEXITED)
        return [told.si_pid == result.pid if told else None, told.si_status if told else None]

    assert in_child(look) == [True, 7]


@since(5, 3)
def test_without_pidfd_none_is_returned(in_child: Callable[..., Any]) -> None:
    def look() -> int | None:
        result = clone.clone3_fork()
        if result.pid == 0:
            os._exit(0)
        os.waitpid(result.pid, 0)
        return result.pidfd

    assert in_child(look) is None


@since(5, 5)
def test_clear_sighand_resets_handlers(in_child: Callable[..., Any]) -> None:
    def ignored() -> str:
        with open("/proc/self/status", encoding="ascii", errors="replace") as lines:
            fields = dict(line.split(":", 1) for line in lines)
        return str(bool(int(fields["SigCgt"], 16) >> (signal.SIGUSR1 - 1) & 1))

    def look() -> list[str]:
        signal.signal(signal.SIGUSR1, lambda number, frame: None)
        return [said_by_clone(ignored), said_by_clone(ignored, flags=clone.CLONE_CLEAR_SIGHAND)]

    assert in_child(look) == ["True", "False"]


@pytest.fixture
def cgroup() -> Iterator[str]:
    """A new cgroup v2, or "" where we may not make one."""
    with open("/proc/self/mounts", encoding="utf-8") as lines:
        mounted = [line.split()[1] for line in lines if line.split()[2] == "cgroup2"]
    try:
        path = tempfile.mkdtemp(prefix="nsfleet-test-", dir=mounted[0]) if mounted else ""
    except OSError:
        path = ""
    yield path
    if path:
        os.rmdir(path)


@since(5, 7)
def test_the_child_starts_in_the_cgroup(cgroup: str, in_child: Callable[..., Any]) -> None:
    if not cgroup:
        # No cgroup v2 to write to: what is left to see is that the descriptor reaches the kernel.
        with open(os.devnull) as null:
            assert in_child(lambda: errno_of(clone.clone3_fork, cgroup_fd=null.fileno())) == errno.EBADF
        return
    fd = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY)
    try:
        told = in_child(lambda: said_by_clone(lambda: Path("/proc/self/cgroup").read_text(), cgroup_fd=fd))
    finally:
        os.close(fd)
    assert "0::/" + os.path.basename(cgroup) in told.split()


@pytest.mark.parametrize("flag", [clone.CLONE_VM, clone.CLONE_THREAD, clone.CLONE_VFORK, clone.CLONE_CHILD_SETTID])
def test_flags_that_make_no_fork_are_refused(flag: int) -> None:
    with pytest.raises(ValueError, match="not for forks"):
        clone.clone3_fork(flag)


def test_a_process_with_threads_is_refused(in_child: Callable[..., Any]) -> None:
    def look() -> int:
        stop = threading.Event()
        thread = threading.Thread(target=stop.wait)
        thread.start()
        try:
            return errno_of(clone.clone3_fork)
        finally:
            stop.set()
            thread.join()

    assert in_child(look) == errno.EINVAL


@since(5, 3)
def test_an_unknown_flag_is_a_lack(in_child: Callable[..., Any]) -> None:
    def look() -> None:
        clone.clone3_fork(1 << 60)

    with pytest.raises(libc.KernelLacks, match="flag 0x1000000000000000") as caught:
        in_child(look)
    assert caught.value.errno == errno.EINVAL


@since(5, 6)
def test_einval_with_known_new_flags_is_not_a_lack(in_child: Callable[..., Any]) -> None:
    flags = clone.CLONE_CLEAR_SIGHAND | namespaces.CLONE_NEWTIME | namespaces.CLONE_NEWNS | namespaces.CLONE_FS
    assert in_child(lambda: errno_of(clone.clone3_fork, flags)) == errno.EINVAL


@since(5, 6)
def test_asking_whether_a_flag_is_known_starts_no_child(in_child: Callable[..., Any]) -> None:
    def look() -> list[bool]:
        known = [clone._flag_is_known(flag) for flag in (clone.CLONE_CLEAR_SIGHAND, namespaces.CLONE_NEWTIME, 1 << 60)]
        try:
            os.waitpid(-1, 0x40000000)
        except ChildProcessError:
            return known
        return []

    assert in_child(look) == [True, True, False]


@pytest.mark.parametrize(
    "options, what",
    [({"set_tid": (1,)}, "set_tid"), ({"cgroup_fd": 1}, "CLONE_INTO_CGROUP")],
    ids=["set_tid", "cgroup"],
)
def test_a_kernel_with_a_shorter_structure_is_typed(options: Any, what: str) -> None:
    error = clone._refused(errno.E2BIG, 0, options.get("set_tid", ()))
    assert isinstance(error, libc.KernelLacks) and what in error.call


def test_another_refusal_is_not_a_lack() -> None:
    assert clone._refused(errno.EPERM, 1 << 60, ()).__class__ is PermissionError


def test_a_kernel_without_clone3_is_typed(absent: Callable[[str], None], in_child: Callable[..., Any]) -> None:
    absent("clone3")
    with pytest.raises(libc.KernelLacks, match=r"no clone3 \(Linux 5.3"):
        in_child(clone.clone3_fork)

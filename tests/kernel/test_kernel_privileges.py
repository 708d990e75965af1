# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""prctl(2) and the capability sets, changed in children only."""

from __future__ import annotations

import errno
import os
import select
import signal
import time
from typing import Any, Callable

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import libc, namespaces, prctl, privileges
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.capabilities import CAPABILITIES
from ansible_collections.nsfleet.linux.tests.kernel.running_kernel import errno_of

NET_RAW = CAPABILITIES.index("CAP_NET_RAW")
SETPCAP = CAPABILITIES.index("CAP_SETPCAP")
OWN_USER = namespaces.CLONE_NEWUSER  # where everybody has all capabilities


def status() -> dict[str, str]:
    with open("/proc/self/status", encoding="ascii", errors="replace") as lines:
        return {name: value.strip() for name, value in (line.split(":", 1) for line in lines)}


def test_dumpable(in_child: Callable[..., Any]) -> None:
    def look() -> tuple:
        before = privileges.get_dumpable()
        prctl.set_dumpable(False)
        owner = os.stat("/proc/self/environ").st_uid
        between = privileges.get_dumpable()
        prctl.set_dumpable(True)
        return before, between, privileges.get_dumpable(), owner

    assert in_child(look)[:3] == (1, 0, 1)


def test_no_new_privs(in_child: Callable[..., Any]) -> None:
    def look() -> tuple:
        before = privileges.get_no_new_privs()
        privileges.set_no_new_privs()
        return before, privileges.get_no_new_privs(), status()["NoNewPrivs"]

    assert in_child(look)[1:] == (True, "1")


def test_pdeathsig_kills_with_the_parent(in_child: Callable[..., Any]) -> None:
    reading, writing = os.pipe()

    def parent_that_dies() -> int:
        child = os.fork()
        if child == 0:
            prctl.set_pdeathsig(signal.SIGKILL)
            os.write(writing, b"set")
            signal.pause()
        os.close(writing)
        os.read(reading, 3)
        return child

    in_child(parent_that_dies)
    os.close(writing)
    # The grandchild held the last writing end: the pipe ends when, and only when, it is dead.
    assert os.read(reading, 1) == b""
    os.close(reading)


def test_a_subreaper_gets_the_orphans(in_child: Callable[..., Any]) -> None:
    def look() -> tuple:
        reaper = os.getpid()
        privileges.set_child_subreaper(True)
        reading, writing = os.pipe()
        parent = os.fork()
        if parent == 0:
            if os.fork() == 0:
                deadline = time.monotonic() + 10
                while os.getppid() != reaper and time.monotonic() < deadline:
                    time.sleep(0.001)
                if os.getppid() == reaper:
                    os.write(writing, b"adopted")
            os._exit(0)
        os.waitpid(parent, 0)
        adopted = bool(select.select([reading], [], [], 10)[0])
        before = privileges.get_child_subreaper()
        privileges.set_child_subreaper(False)
        return adopted, before, privileges.get_child_subreaper()

    assert in_child(look) == (True, True, False)


def test_keepcaps(in_child: Callable[..., Any]) -> None:
    def look() -> tuple:
        privileges.set_keepcaps(True)
        kept = prctl.prctl(privileges.PR_GET_KEEPCAPS)
        privileges.set_keepcaps(False)
        return kept, prctl.prctl(privileges.PR_GET_KEEPCAPS)

    assert in_child(look) == (1, 0)


def test_securebits(in_child: Callable[..., Any]) -> None:
    def look() -> int:
        privileges.set_securebits(privileges.get_securebits() | 1)
        return privileges.get_securebits()

    assert in_child(look, OWN_USER) & 1


def test_seccomp_is_what_status_says() -> None:
    assert privileges.get_seccomp() == int(status()["Seccomp"])


def test_a_kernel_without_seccomp_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privileges, "PR_GET_SECCOMP", 99999)
    with pytest.raises(libc.KernelLacks, match="no seccomp"):
        privileges.get_seccomp()


def test_another_refusal_of_seccomp_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, *args: Any) -> int:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(prctl, "syscall", refuse)
    assert errno_of(privileges.get_seccomp) == errno.EPERM


def test_the_bounding_set_loses_a_capability_for_good(in_child: Callable[..., Any]) -> None:
    def look() -> tuple:
        before = privileges.capbset_has(NET_RAW)
        privileges.capbset_drop(NET_RAW)
        return before, privileges.capbset_has(NET_RAW), int(status()["CapBnd"], 16) >> NET_RAW & 1

    assert in_child(look, OWN_USER) == (True, False, 0)


def test_a_capability_that_does_not_exist_is_einval() -> None:
    assert errno_of(privileges.capbset_has, 63) == errno.EINVAL


def test_ambient_capabilities(in_child: Callable[..., Any]) -> None:
    def look() -> tuple:
        own = privileges.capget()
        refused = errno_of(privileges.ambient_raise, NET_RAW)
        privileges.capset(own._replace(inheritable=1 << NET_RAW))
        privileges.ambient_raise(NET_RAW)
        raised = privileges.ambient_has(NET_RAW), int(status()["CapAmb"], 16)
        privileges.ambient_lower(NET_RAW)
        lowered = privileges.ambient_has(NET_RAW)
        privileges.ambient_raise(NET_RAW)
        privileges.ambient_clear()
        return refused, raised, lowered, privileges.ambient_has(NET_RAW)

    assert in_child(look, OWN_USER) == (errno.EPERM, (True, 1 << NET_RAW), False, False)


def test_capget_agrees_with_status(in_child: Callable[..., Any]) -> None:
    sets, told = in_child(lambda: (privileges.capget(), status()), OWN_USER)
    assert [int(told[name], 16) for name in ("CapEff", "CapPrm", "CapInh")] == list(sets)
    assert sets.permitted >> 32, "the upper half is missing"


def test_capget_of_another_process(held: Callable[..., Any]) -> None:
    child = held(lambda: privileges.capset(privileges.CapabilitySets(0, 0, 0)), OWN_USER)
    assert privileges.capget(child.pid) == (0, 0, 0)


def test_capset_sets_all_three(in_child: Callable[..., Any]) -> None:
    wanted = privileges.CapabilitySets(1 << NET_RAW, 1 << NET_RAW | 1 << 40 | 1 << SETPCAP, 1 << SETPCAP)

    def look() -> tuple:
        privileges.capset(wanted)
        return privileges.capget(), errno_of(privileges.capset, wanted._replace(permitted=1))

    assert in_child(look, OWN_USER) == (wanted, errno.EPERM)


def test_capget_of_nobody_is_esrch(in_child: Callable[..., Any]) -> None:
    assert errno_of(privileges.capget, in_child(os.getpid)) == errno.ESRCH


@pytest.mark.usefixtures("no_wrapper")
def test_without_libc_s_wrappers(in_child: Callable[..., Any]) -> None:
    test_capget_agrees_with_status(in_child)
    test_capset_sets_all_three(in_child)
    test_no_new_privs(in_child)
    test_a_subreaper_gets_the_orphans(in_child)


@pytest.mark.parametrize(
    "name, call",
    [
        ("prctl", privileges.get_dumpable),
        ("capget", privileges.capget),
        ("capset", lambda: privileges.capset(privileges.CapabilitySets(0, 0, 0))),
    ],
)
def test_a_missing_call_is_typed(name: str, call: Callable[[], Any], absent: Callable[[str], None]) -> None:
    absent(name)
    with pytest.raises(libc.KernelLacks, match="no " + name):
        call()

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real processes in real namespaces, which never outlive the test: bounded in time, killed with their parent."""

from __future__ import annotations

import os
import pickle
import select
import signal
import struct
import time
import traceback
from typing import Any, Callable, Iterator, NamedTuple

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import libc, namespaces, prctl

SECONDS = 20.0
INITIAL_USER_NAMESPACE = 0xEFFFFFFD


class Held(NamedTuple):
    """A child that stays where it is until the test ends; ``said`` is what its function returned."""

    pid: int
    said: Any


@pytest.fixture(scope="session", autouse=True)
def rooted() -> None:
    """Who is not root becomes root of a user namespace of the session's own: the tests are the same there."""
    if os.geteuid() != 0:
        uid, gid = os.geteuid(), os.getegid()
        namespaces.unshare(namespaces.CLONE_NEWUSER)
        _become_root_of_it(uid, gid)


@pytest.fixture
def in_child() -> Callable[..., Any]:
    """Run a function in a forked child, in new namespaces of the given flags, and return what it returns."""
    return _in_child


@pytest.fixture
def held() -> Iterator[Callable[..., Held]]:
    """Start such a child and keep it, after its function, until the test ends."""
    started: list[tuple[int, int]] = []

    def hold(function: Callable[[], Any] = lambda: None, flags: int = 0) -> Held:
        pid, pipe = _start(function, flags, hold=True)
        started.append((pid, pipe))
        return Held(pid, _answer(pid, pipe))

    yield hold
    for pid, pipe in started:
        os.close(pipe)
        _end(pid)


@pytest.fixture
def host_root() -> bool:
    """Whether we are root of the initial user namespace (else root of one of our own)."""
    return os.geteuid() == 0 and os.stat("/proc/self/ns/user").st_ino == INITIAL_USER_NAMESPACE


@pytest.fixture
def other_users(host_root: bool) -> None:
    """Who is nobody but root of their user namespace maps that root into the next one only with CAP_SETFCAP (5.12)."""
    if not host_root:
        pytest.skip("needs another user than root, and in this user namespace no other is mapped")


@pytest.fixture
def no_wrapper(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if libc exported none of the calls."""
    libc.bind.cache_clear()
    monkeypatch.setattr(libc, "libc_has", lambda name: False)
    yield
    libc.bind.cache_clear()


@pytest.fixture
def absent(no_wrapper: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """As if the kernel did not have a call: it gets a number that no kernel uses."""

    def remove(name: str) -> None:
        monkeypatch.setitem(libc.CALLS, name, (999, 999, libc.CALLS[name][2]))

    return remove


def _in_child(function: Callable[[], Any], flags: int = 0) -> Any:
    pid, pipe = _start(function, flags, hold=False)
    try:
        return _answer(pid, pipe)
    finally:
        os.close(pipe)
        _end(pid)


def _start(function: Callable[[], Any], flags: int, hold: bool) -> tuple[int, int]:
    parent = os.getpid()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    try:
        prctl.set_pdeathsig(signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        if flags:
            uid, gid = os.geteuid(), os.getegid()
            namespaces.unshare(flags)
            if flags & namespaces.CLONE_NEWUSER:
                _become_root_of_it(uid, gid)
        answer = (True, function())
    except libc.KernelLacks as error:
        answer = (False, error)
    except BaseException:
        answer = (False, traceback.format_exc())
    try:
        told = pickle.dumps(answer)
        os.write(writing, struct.pack("=I", len(told)) + told)
        os.close(writing)
        while hold:
            signal.pause()
    finally:
        os._exit(0)


def _become_root_of_it(uid: int, gid: int) -> None:
    # Without a map no file can be made: its owner would have no number (EOVERFLOW).
    for name, line in (("setgroups", "deny"), ("uid_map", "0 %d 1" % uid), ("gid_map", "0 %d 1" % gid)):
        with open("/proc/self/" + name, "w", encoding="ascii") as stream:
            stream.write(line)


def _answer(pid: int, pipe: int) -> Any:
    # Not read to its end: a grandchild may still hold the other side.
    deadline = time.monotonic() + SECONDS
    answer = b""
    while len(answer) < 4 or len(answer) < 4 + struct.unpack("=I", answer[:4])[0]:
        if not select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
            pytest.fail("child %d said nothing within %d s" % (pid, SECONDS))
        piece = os.read(pipe, 65536)
        if not piece:
            pytest.fail("child %d died without a word" % pid)
        answer += piece
    fine, value = pickle.loads(answer[4:])
    if fine:
        return value
    if isinstance(value, libc.KernelLacks):
        raise value
    pytest.fail("in the child:\n%s" % value)


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The child that does what may hang for a scan."""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from typing import Any, Callable, Iterator

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.child import Answer, Child


def prepare() -> Answer:
    """An echo that can fail, hang, die, tell what it is, and take and give descriptors."""

    def answer(what: bytes, body: bytes, descriptor: int | None) -> tuple[bytes, int | None]:
        if what == b"F":
            raise OSError(int(body), "failed")
        if what == b"H":
            time.sleep(60)
        if what == b"D":
            os._exit(1)
        if what == b"C":
            return b"%d" % len(os.listdir("/proc/self/fd")), None
        if what == b"P":
            return b"%d" % os.getpid(), None
        if what == b"S":
            return " ".join(os.readlink("/proc/self/fd/%d" % stream) for stream in range(3)).encode(), None
        if what == b"T" and descriptor is not None:
            return os.read(descriptor, 100), None
        if what == b"G":
            return b"", os.open(body, os.O_RDONLY)
        return body, None

    return answer


@pytest.fixture
def child() -> Iterator[Callable[..., Child]]:
    made: list[Child] = []

    def make(until: float = 30.0, timeout: float = 2.0, prepare: Callable[[], Answer] = prepare) -> Child:
        made.append(Child(prepare, time.monotonic() + until, timeout))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_it_answers(child: Callable[..., Child]) -> None:
    one = child()
    assert one.ask(b"E", b"x" * 300000) == (b"x" * 300000, None)
    assert one.ask(b"E") == (b"", None)


def test_it_fails_as_the_kernel_said(child: Callable[..., Child]) -> None:
    one = child()
    with pytest.raises(PermissionError):
        one.ask(b"F", b"%d" % errno.EPERM)
    assert one.ask(b"E", b"still there")[0] == b"still there"


def test_descriptors_go_both_ways(child: Callable[..., Child], tmp_path: Any) -> None:
    (tmp_path / "file").write_bytes(b"content")
    one = child()
    with open(tmp_path / "file", "rb") as stream:
        assert one.ask(b"T", b"", stream.fileno())[0] == b"content"
    received = one.ask(b"G", os.fsencode(tmp_path / "file"))[1]
    assert received is not None
    assert os.read(received, 100) == b"content"
    os.close(received)


def test_one_that_hangs_costs_one_request(child: Callable[..., Child]) -> None:
    one = child(timeout=0.5)
    first = one.ask(b"P")[0]
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        one.ask(b"H")
    assert 0.4 < time.monotonic() - started < 5
    assert one.ask(b"P")[0] not in (first, b"")
    assert not os.path.exists("/proc/" + first.decode())


def test_each_hang_halves_the_time_of_the_next(child: Callable[..., Child]) -> None:
    one = child(timeout=1.6)
    times = []
    for dummy in range(3):
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            one.ask(b"H")
        times.append(time.monotonic() - started)
    assert times[0] > 1.5
    assert times[2] < times[0] - 0.6


def test_no_request_goes_on_when_the_time_is_up(child: Callable[..., Child]) -> None:
    one = child(until=0.3, timeout=20)
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        one.ask(b"H")
    with pytest.raises(TimeoutError, match="no time left"):
        one.ask(b"E")
    assert time.monotonic() - started < 5


def test_it_has_none_of_our_streams(child: Callable[..., Child]) -> None:
    assert child().ask(b"S")[0] == b"/dev/null /dev/null /dev/null"


def test_it_is_given_up_when_it_dies_at_once_each_time(child: Callable[..., Child]) -> None:
    def dying() -> Answer:
        os._exit(1)

    one = child(prepare=dying)
    for dummy in range(3):
        with pytest.raises(TimeoutError):
            one.ask(b"E")
    with pytest.raises(ChildProcessError):
        one.ask(b"E")


def test_it_ends_with_us_also_when_it_hangs(child: Callable[..., Child], held: Callable[..., Any]) -> None:
    def start() -> int:
        one = child()
        pid = int(one.ask(b"P")[0])
        threading.Thread(target=one.ask, args=(b"H",), daemon=True).start()
        return pid

    parent = held(start)
    os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while os.path.exists("/proc/%d" % parent.said) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not os.path.exists("/proc/%d" % parent.said)


def test_it_keeps_no_descriptor(child: Callable[..., Child], tmp_path: Any) -> None:
    (tmp_path / "file").write_bytes(b"content")
    one = child()
    before = one.ask(b"C")[0]
    for dummy in range(3):
        os.close(one.ask(b"G", os.fsencode(tmp_path / "file"))[1] or -1)
        with open(tmp_path / "file", "rb") as stream:
            one.ask(b"T", b"", stream.fileno())
    assert one.ask(b"C")[0] == before


def test_nothing_is_left(child: Callable[..., Child]) -> None:
    before = os.listdir("/proc/self/fd")
    one = child(timeout=0.2)
    one.ask(b"E")
    for what in (b"D", b"H", b"F"):
        with pytest.raises(OSError):
            one.ask(what, b"1")
    one.close()
    assert os.listdir("/proc/self/fd") == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)

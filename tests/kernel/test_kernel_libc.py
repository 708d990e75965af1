# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""System calls by name, with and without libc's wrappers."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import libc


@pytest.fixture(params=["libc's wrapper", "bare system call"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    has = request.param == "libc's wrapper"
    if not has:
        monkeypatch.setattr(libc, "libc_has", lambda name: False)
    libc.bind.cache_clear()
    request.addfinalizer(libc.bind.cache_clear)
    return str(request.param)


def test_libc_exports_setns_but_not_clone3() -> None:
    assert libc.libc_has("setns")
    assert not libc.libc_has("clone3")


def test_a_call_succeeds(either_way: str) -> None:
    fd = libc.syscall("memfd_create", b"nsfleet", 1)
    try:
        assert os.readlink("/proc/self/fd/%d" % fd) == "/memfd:nsfleet (deleted)"
    finally:
        os.close(fd)


def test_errno_and_the_call_are_in_the_exception(either_way: str) -> None:
    with pytest.raises(OSError, match=r"setns: Bad file descriptor") as caught:
        libc.syscall("setns", -1, 0)
    assert caught.value.errno == errno.EBADF
    assert not isinstance(caught.value, libc.KernelLacks)


def test_errno_gives_python_s_usual_subclass(either_way: str) -> None:
    with pytest.raises(FileNotFoundError, match="umount2: "):
        libc.syscall("umount2", b"/nonexistent/nsfleet", 0)


def test_a_missing_call_is_typed(absent: Callable[[str], None]) -> None:
    absent("setns")
    with pytest.raises(libc.KernelLacks) as caught:
        libc.syscall("setns", -1, 0)
    assert (caught.value.errno, caught.value.call, caught.value.since) == (errno.ENOSYS, "setns", "3.0")


def test_libc_s_wrapper_needs_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libc, "number", lambda name: pytest.fail("asked for the number of " + name))
    libc.bind.cache_clear()
    assert libc.bind("setns", 2)(-1, 0) == -1
    with pytest.raises(OSError, match="Bad file descriptor"):
        libc.syscall("setns", -1, 0)


def test_a_call_without_a_wrapper_goes_by_its_number(no_wrapper: None, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = libc.number

    def number(name: str) -> int:
        asked.append(name)
        return real(name)

    monkeypatch.setattr(libc, "number", number)
    assert libc.bind("setns", 2)(-1, 0) == -1
    with pytest.raises(OSError, match="Bad file descriptor"):
        libc.syscall("unshare", 0) or libc.syscall("setns", -1, 0)
    assert asked == ["setns", "unshare", "setns"]


def test_a_bound_call_answers_and_keeps_errno(either_way: str) -> None:
    assert libc.bind("setns", 2)(-1, 0) == -1
    assert libc.last_errno() == errno.EBADF


def test_64_bits_arrive_whole() -> None:
    # Cut to 32 bits, the cursor of this listmount would be 0 and all mounts would be listed.
    import ctypes
    import struct

    room = (ctypes.c_uint64 * 8)()
    request = struct.pack("=IIQQ", 24, 0, 2**64 - 1, 2**63)
    with contextlib.suppress(libc.KernelLacks):
        assert libc.syscall("listmount", request, room, 8, 0) == 0
    with pytest.raises(OSError) as caught:
        libc.syscall("close_range", 2**32 - 1, 2**32 - 2, 0)
    assert caught.value.errno in (errno.EINVAL, errno.ENOSYS)


def test_the_signal_handler_s_exception_leaves_the_call(tmp_path: Path) -> None:
    # A process of its own: an alarm belongs to no other test.
    script = (
        "import signal, os, sys\n"
        "from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import files, libc\n"
        "def handler(*dummy): raise TimeoutError('rang')\n"
        "signal.signal(signal.SIGALRM, handler); signal.setitimer(signal.ITIMER_REAL, 0.1)\n"
        "os.mkfifo(sys.argv[1])\n"
        "try: files.openat2(-100, sys.argv[1], os.O_RDONLY)\n"
        "except TimeoutError: print('left')\n"
        "except libc.KernelLacks: print('left')\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "fifo")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout == "left\n"

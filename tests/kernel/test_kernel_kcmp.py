# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kcmp(2) on the real kernel."""

from __future__ import annotations

import errno
import os
import threading
from typing import Any, Callable

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import libc, namespaces, pidfd
from ansible_collections.nsfleet.linux.tests.kernel.running_kernel import errno_of


def test_a_process_shares_its_table_with_itself() -> None:
    assert pidfd.compare_files(os.getpid(), os.getpid()) == 0


def test_two_processes_have_a_table_each(held: Callable[..., Any]) -> None:
    assert pidfd.compare_files(os.getpid(), held().pid) != 0


def test_tables_have_an_order(held: Callable[..., Any]) -> None:
    first, second = os.getpid(), held().pid
    assert pidfd.compare_files(first, first) == 0
    assert pidfd.compare_files(first, second) == -pidfd.compare_files(second, first) != 0


@pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])
def test_a_thread_with_its_own_table_is_told(own: bool, in_child: Callable[..., Any]) -> None:
    def look() -> bool:
        ready, stop = threading.Event(), threading.Event()

        def work() -> None:
            if own:
                namespaces.unshare(namespaces.CLONE_FILES)
            ready.set()
            stop.wait()

        thread = threading.Thread(target=work)
        thread.start()
        ready.wait()
        try:
            return pidfd.compare_files(os.getpid(), thread.native_id or 0) == 0
        finally:
            stop.set()
            thread.join()

    assert in_child(look) is not own


def test_a_process_that_ended_is_esrch(in_child: Callable[..., Any]) -> None:
    gone = in_child(os.getpid)
    assert errno_of(pidfd.compare_files, os.getpid(), gone) == errno.ESRCH


def test_a_kernel_without_kcmp_is_typed(absent: Callable[[str], None]) -> None:
    absent("kcmp")
    with pytest.raises(libc.KernelLacks, match=r"no kcmp \(Linux 3.5"):
        pidfd.compare_files(1, 1)

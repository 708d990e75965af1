# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers of system calls per machine, against lists recorded from Linux itself."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import executor, libc

# arch/x86/entry/syscalls/syscall_64.tbl, Linux 6.19.
X86_64 = """
125 capget 126 capset 155 pivot_root 157 prctl 165 mount 166 umount2 245 mq_getsetattr 272 unshare
298 perf_event_open 300 fanotify_init 301 fanotify_mark 303 name_to_handle_at 304 open_by_handle_at 308 setns 312 kcmp
317 seccomp 319 memfd_create
424 pidfd_send_signal 428 open_tree 429 move_mount 430 fsopen 431 fsconfig 432 fsmount 434 pidfd_open 435 clone3
436 close_range 437 openat2 438 pidfd_getfd 442 mount_setattr 444 landlock_create_ruleset 445 landlock_add_rule
446 landlock_restrict_self 457 statmount 458 listmount 470 listns
"""

# include/uapi/asm-generic/unistd.h, Linux 6.10, which arm64 includes (umount2 and mount are 39 and 40 there), and
# scripts/syscall.tbl, Linux 6.19, for listns.
AARCH64 = """
39 umount2 40 mount 41 pivot_root 90 capget 91 capset 97 unshare 167 prctl 185 mq_getsetattr 241 perf_event_open
262 fanotify_init 263 fanotify_mark 264 name_to_handle_at 265 open_by_handle_at 268 setns 272 kcmp 277 seccomp
279 memfd_create 424 pidfd_send_signal
428 open_tree 429 move_mount 430 fsopen 431 fsconfig 432 fsmount 434 pidfd_open 435 clone3 436 close_range
437 openat2 438 pidfd_getfd 442 mount_setattr 444 landlock_create_ruleset 445 landlock_add_rule
446 landlock_restrict_self 457 statmount 458 listmount 470 listns
"""


def recorded(text: str) -> dict:
    words = text.split()
    return {name: int(number) for number, name in zip(words[::2], words[1::2])}


@pytest.mark.parametrize("machine, table", [("x86_64", X86_64), ("aarch64", AARCH64)])
def test_numbers_are_the_machine_s(machine: str, table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine=machine))
    assert {name: libc.number(name) for name in libc.CALLS} == recorded(table)


# <asm/unistd_64.h> and <asm-generic/unistd.h> of Linux 6.1.
TOLD_X86_64 = """
0 read 1 write 3 close 13 rt_sigaction 14 rt_sigprocmask 16 ioctl 39 getpid 41 socket 56 clone 59 execve 72 fcntl
80 chdir 81 fchdir 95 umask 112 setsid 116 setgroups 117 setresuid 119 setresgid 128 rt_sigtimedwait 161 chroot
170 sethostname 171 setdomainname 231 exit_group 250 keyctl 257 openat 258 mkdirat 259 mknodat 266 symlinkat 292 dup3
302 prlimit64 322 execveat
"""
TOLD_AARCH64 = """
24 dup3 25 fcntl 29 ioctl 33 mknodat 34 mkdirat 36 symlinkat 49 chdir 50 fchdir 51 chroot 56 openat 57 close 63 read
64 write 94 exit_group 134 rt_sigaction 135 rt_sigprocmask 137 rt_sigtimedwait 147 setresuid 149 setresgid 157 setsid
159 setgroups 161 sethostname 162 setdomainname 166 umask 172 getpid 198 socket 219 keyctl 220 clone 221 execve 261 prlimit64 281 execveat
"""


@pytest.mark.parametrize("machine, table", [("x86_64", TOLD_X86_64), ("aarch64", TOLD_AARCH64)])
def test_numbers_that_a_process_of_ours_is_told(machine: str, table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own = os.uname()
    monkeypatch.setattr(os, "uname", lambda: os.uname_result((own[0], own[1], own[2], own[3], machine)))
    names = executor._CALLS.split()[::3]
    assert {name: executor.call_number(name) for name in names} == recorded(table)
    assert executor.call_number("setns") == libc.number("setns")


@pytest.mark.parametrize("machine, bits", [("riscv64", 63), ("x86_64", 31)], ids=["unknown machine", "32-bit Python"])
def test_a_machine_without_a_list_is_a_lack_that_names_it(
    machine: str, bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine=machine))
    monkeypatch.setattr(libc.sys, "maxsize", 2**bits - 1)
    with pytest.raises(libc.KernelLacks, match="setns.*%s.*%d bit" % (machine, bits + 1)):
        libc.number("setns")


def test_every_call_says_since_when() -> None:
    assert all(since and since[0].isdigit() for dummy, dummy, since in libc.CALLS.values())

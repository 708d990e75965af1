# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter of read_only, run instruction by instruction by an interpreter of classic BPF written for this test."""

from __future__ import annotations

import errno
import os
import struct

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._enter import read_only_filter
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import call_numbers, seccomp
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.libc import KernelLacks

AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64, AUDIT_ARCH_I386 = 0xC000003E, 0xC00000B7, 0x40000003
ARCHITECTURE = {"x86_64": AUDIT_ARCH_X86_64, "aarch64": AUDIT_ARCH_AARCH64}
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
GARBAGE = 0xABCD << 32  # above an int, where the kernel does not look

# include/uapi/asm-generic/unistd.h and arch/x86/entry/syscalls/syscall_64.tbl, Linux 6.18: name, x86_64, aarch64.
RECORDED = """
ioctl 16 29;shmget 29 194;shmat 30 196;shmctl 31 195;socket 41 198;socketpair 53 199;clone 56 220;semget 64 190;
semop 65 193;semctl 66 191;msgget 68 186;msgsnd 69 189;msgrcv 70 188;msgctl 71 187;fcntl 72 25;ptrace 101 117;
syslog 103 116;mknod 133 -;setpriority 141 140;sched_setparam 142 118;sched_setscheduler 144 119;pivot_root 155 41;
prctl 157 167;setrlimit 160 164;chroot 161 51;mount 165 40;umount2 166 39;sched_setaffinity 203 122;
semtimedop 220 192;mq_open 240 180;mq_unlink 241 181;mq_timedsend 242 182;mq_timedreceive 243 183;mq_notify 244 184;
add_key 248 217;request_key 249 218;keyctl 250 219;ioprio_set 251 30;migrate_pages 256 238;mknodat 259 33;
unshare 272 97;move_pages 279 239;perf_event_open 298 241;prlimit64 302 261;open_by_handle_at 304 265;setns 308 268;
process_vm_writev 311 271;sched_setattr 314 274;bpf 321 280;userfaultfd 323 282;io_uring_setup 425 425;
io_uring_enter 426 426;io_uring_register 427 427;open_tree 428 428;move_mount 429 429;fsopen 430 430;fsconfig 431 431;
fsmount 432 432;fspick 433 433;clone3 435 435;pidfd_getfd 438 438;process_madvise 440 440;mount_setattr 442 442;
process_mrelease 448 448;open_tree_attr 467 467
"""
NUMBERS = {
    machine: {
        words[0]: int(words[column]) for words in (line.split() for line in RECORDED.split(";")) if words[column] != "-"
    }
    for column, machine in ((1, "x86_64"), (2, "aarch64"))
}

# Calls with arguments, and what becomes of them.
REFUSED = [
    ("socket", (1, 1, 0), errno.EACCES),
    ("socket", (1 | GARBAGE, 2, 0), errno.EACCES),
    ("socket", (38, 5, 0), errno.EAFNOSUPPORT),  # ALG
    ("socket", (40, 1, 0), errno.EAFNOSUPPORT),  # VSOCK
    ("socket", (29, 3, 1), errno.EAFNOSUPPORT),  # CAN
    ("socket", (60, 3, 1), errno.EAFNOSUPPORT),  # none yet
    ("socket", (16, 3, 2), errno.EPROTONOSUPPORT),  # USERSOCK
    ("socket", (16, 3, 9), errno.EPROTONOSUPPORT),  # AUDIT
    ("socketpair", (1, 2, 0), errno.EACCES),
    ("socketpair", (1, 2 | 0x80000, 0), errno.EACCES),
    ("socketpair", (1, 3, 0), errno.EACCES),  # RAW is DGRAM there
    ("socketpair", (30, 1, 0), errno.EAFNOSUPPORT),  # TIPC
    ("fcntl", (0, 8, 1), errno.EPERM),
    ("fcntl", (0, 10, 9), errno.EPERM),
    ("fcntl", (0, 15, 1), errno.EPERM),
    ("fcntl", (0, 1024, 1), errno.EPERM),
    ("ioctl", (0, 0x5412, 1), errno.EPERM),
    ("ioctl", (0, 0x8901 | GARBAGE, 1), errno.EPERM),
    ("ptrace", (16, 1), errno.EPERM),
    ("process_vm_writev", (1,), errno.EPERM),
    ("pidfd_getfd", (3, 1, 0), errno.EPERM),
    ("process_madvise", (3,), errno.EPERM),
    ("process_mrelease", (3,), errno.EPERM),
    ("setpriority", (0, 1, 19), errno.EPERM),
    ("setpriority", (2, 0, 19), errno.EPERM),  # all of this uid
    ("setpriority", (1, 0, 19), errno.EPERM),
    ("ioprio_set", (1, 1, 0), errno.EPERM),
    ("ioprio_set", (3, 0, 0), errno.EPERM),
    ("sched_setparam", (1,), errno.EPERM),
    ("sched_setscheduler", (1, 3), errno.EPERM),
    ("sched_setattr", (1,), errno.EPERM),
    ("sched_setaffinity", (1, 8), errno.EPERM),
    ("prctl", (62, 1), errno.EPERM),
    ("migrate_pages", (1,), errno.EPERM),
    ("move_pages", (1,), errno.EPERM),
    ("prlimit64", (1, 7, 0x7000, 0), errno.EPERM),
    ("prlimit64", (1, 7, 1 << 40, 0), errno.EPERM),  # a pointer of which only the upper half is set
    ("io_uring_setup", (1,), errno.ENOSYS),
    ("io_uring_enter", (1,), errno.ENOSYS),
    ("io_uring_register", (1,), errno.ENOSYS),
    ("add_key", (), errno.EPERM),
    ("request_key", (), errno.EPERM),
    ("keyctl", (1,), errno.EPERM),
    ("bpf", (0,), errno.EPERM),
    ("perf_event_open", (), errno.EACCES),
    ("userfaultfd", (0,), errno.EPERM),
    ("clone", (0x10000000 | 17,), errno.EPERM),
    ("clone", (0x00020000 | 17,), errno.EPERM),
    ("clone", (0x40000000 | GARBAGE,), errno.EPERM),
    ("clone", (0x02000000,), errno.EPERM),
    ("unshare", (0x80,), errno.EPERM),
    ("unshare", (0x10000000,), errno.EPERM),
    ("unshare", (0x20000000,), errno.EPERM),
    ("clone3", (), errno.ENOSYS),
    ("setns", (3, 0), errno.EPERM),
    ("open_by_handle_at", (), errno.EPERM),
    ("mknodat", (-100, 0x7000, 0o020666, 0x103), errno.EPERM),
    ("mknodat", (-100, 0x7000, 0o060666, 0x103), errno.EPERM),
    ("shmget", (0, 4096, 0o600), errno.EPERM),
    ("shmget", (7, 4096, 0o1600), errno.EPERM),
    ("shmat", (1, 0, 0), errno.EPERM),
    ("shmctl", (1, 0), errno.EPERM),
    ("shmctl", (1, 1), errno.EPERM),
    ("shmctl", (1, 11), errno.EPERM),
    ("semget", (0, 1, 0o600), errno.EPERM),
    ("semget", (7, 1, 0o1600), errno.EPERM),
    ("semctl", (1, 0, 16), errno.EPERM),
    ("semctl", (1, 0, 17), errno.EPERM),
    ("semctl", (1, 0, 0), errno.EPERM),
    ("semop", (), errno.EPERM),
    ("semtimedop", (), errno.EPERM),
    ("msgget", (0, 0o600), errno.EPERM),
    ("msgget", (7, 0o1600), errno.EPERM),
    ("msgctl", (1, 0), errno.EPERM),
    ("msgctl", (1, 1), errno.EPERM),
    ("msgsnd", (), errno.EPERM),
    ("msgrcv", (), errno.EPERM),
    ("mq_open", (0x7000, 1), errno.EPERM),
    ("mq_open", (0x7000, 2), errno.EPERM),
    ("mq_open", (0x7000, 0o100), errno.EPERM),
    ("mq_unlink", (), errno.EPERM),
    ("mq_timedsend", (), errno.EPERM),
    ("mq_timedreceive", (), errno.EPERM),
    ("mq_notify", (), errno.EPERM),
    ("syslog", (2,), errno.EPERM),
    ("syslog", (4,), errno.EPERM),
    ("syslog", (5,), errno.EPERM),
    ("syslog", (8,), errno.EPERM),
] + [
    (name, (), errno.EPERM)
    for name in (
        "mount",
        "umount2",
        "pivot_root",
        "chroot",
        "open_tree",
        "open_tree_attr",
        "move_mount",
        "fsopen",
        "fsconfig",
        "fsmount",
        "fspick",
        "mount_setattr",
    )
]
ALLOWED = [
    ("socket", (2, 1, 6)),
    ("socket", (10 | GARBAGE, 3, 58)),
    ("socket", (16, 3, 0)),
    ("socket", (16, 3, 4)),
    ("socket", (16, 3, 12)),
    ("socket", (16, 3, 16)),
    ("socket", (17, 3, 0x300)),
    ("socketpair", (1, 1, 0)),
    ("socketpair", (1, 5 | 0x80800, 0)),
    ("fcntl", (0, 4, 0)),
    ("fcntl", (0, 6, 0x7000)),
    ("fcntl", (0, 1030, 3)),
    ("ioctl", (0, 0x5401, 0x7000)),
    ("ioctl", (3, 0x8946, 0x7000)),
    ("ioctl", (3, 0x80005412, 0x7000)),
    ("setpriority", (0, 0, 5)),
    ("ioprio_set", (1, 0, 5)),
    ("sched_setaffinity", (0, 8, 0x7000)),
    ("prctl", (4, 0)),
    ("prlimit64", (0, 7, 0x7000, 0)),
    ("prlimit64", (1, 7, 0, 0x7000)),
    ("prlimit64", (0, 4, 0, 0x7000)),
    ("setrlimit", (7, 0x7000)),
    ("clone", (0x01200011,)),
    ("clone", (0x003D0F00,)),
    ("unshare", (0x400,)),
    ("mknodat", (-100, 0x7000, 0o010600, 0)),
    ("shmget", (7, 0, 0)),
    ("shmat", (1, 0, 0o10000)),
    ("shmctl", (1, 2)),
    ("semget", (7, 0, 0)),
    ("semctl", (1, 0, 12)),
    ("msgget", (7, 0)),
    ("msgctl", (1, 11)),
    ("mq_open", (0x7000, 0)),
    ("mq_open", (0x7000, 0o4000)),
    ("syslog", (3,)),
    ("syslog", (10,)),
]


def run(program: bytes, architecture: int, number: int, arguments: tuple = ()) -> int:
    """What the program returns for a call."""
    words = [argument & (1 << 64) - 1 for argument in arguments]
    data = struct.pack("<II Q 6Q", number, architecture, 0, *words, *[0] * (6 - len(words)))
    accumulator = at = 0
    while True:
        code, if_true, if_false, k = struct.unpack_from("<HBBI", program, 8 * at)
        at += 1
        if code == 0x20:  # BPF_LD | BPF_W | BPF_ABS
            accumulator = struct.unpack_from("<I", data, k)[0]
        elif code == 0x54:  # BPF_ALU | BPF_AND | BPF_K
            accumulator &= k
        elif code == 0x05:  # BPF_JMP | BPF_JA
            at += k
        elif code == 0x15:  # BPF_JMP | BPF_JEQ | BPF_K
            at += if_true if accumulator == k else if_false
        elif code == 0x45:  # BPF_JMP | BPF_JSET | BPF_K
            at += if_true if accumulator & k else if_false
        elif code == 0x06:  # BPF_RET | BPF_K
            return k
        else:
            raise AssertionError("unknown instruction %#x" % code)


@pytest.fixture(params=["x86_64", "aarch64"])
def machine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_numbers_are_the_machine_s(machine: str) -> None:
    assert call_numbers.numbers(machine) == NUMBERS[machine]


@pytest.mark.parametrize("name, arguments, code", REFUSED)
def test_what_changes_something_is_refused(machine: str, name: str, arguments: tuple, code: int) -> None:
    program = read_only_filter.program(machine)
    assert run(program, ARCHITECTURE[machine], NUMBERS[machine][name], arguments) == ERRNO | code


@pytest.mark.parametrize("name, arguments", ALLOWED)
def test_what_only_looks_is_allowed(machine: str, name: str, arguments: tuple) -> None:
    program = read_only_filter.program(machine)
    assert run(program, ARCHITECTURE[machine], NUMBERS[machine][name], arguments) == ALLOW


@pytest.mark.parametrize("name, arguments", [("prlimit64", (0, 4, 0x7000, 0)), ("setrlimit", (4, 0x7000))])
def test_a_limit_on_core_files_is_said_to_be_set_and_is_not(machine: str, name: str, arguments: tuple) -> None:
    assert run(read_only_filter.program(machine), ARCHITECTURE[machine], NUMBERS[machine][name], arguments) == ERRNO


def test_device_nodes_by_the_old_call_are_refused() -> None:
    program = read_only_filter.program("x86_64")
    assert run(program, AUDIT_ARCH_X86_64, NUMBERS["x86_64"]["mknod"], (0x7000, 0o060600, 0x103)) == ERRNO | errno.EPERM
    assert run(program, AUDIT_ARCH_X86_64, NUMBERS["x86_64"]["mknod"], (0x7000, 0o010600, 0)) == ALLOW


def test_every_rule_is_tried_here() -> None:
    tried = {name for name, dummy, dummy in REFUSED} | {"mknod", "setrlimit"}
    assert {name for name, dummy, dummy in read_only_filter._RULES} == tried


def test_every_other_number_is_allowed(machine: str) -> None:
    program = read_only_filter.program(machine)
    others = set(range(600)) - set(NUMBERS[machine].values())
    assert {run(program, ARCHITECTURE[machine], number, (1,) * 6) for number in others} == {ALLOW}


def test_another_architecture_is_the_end(machine: str) -> None:
    program = read_only_filter.program(machine)
    others = {AUDIT_ARCH_I386, AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64} - {ARCHITECTURE[machine]}
    assert {run(program, other, number) for other in others for number in range(500)} == {KILL}


def test_x32_calls_are_none() -> None:
    program = read_only_filter.program("x86_64")
    assert {run(program, AUDIT_ARCH_X86_64, 0x40000000 | number, (1,)) for number in range(600)} == {
        ERRNO | errno.ENOSYS
    }


def test_an_unknown_machine_is_a_lack_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KernelLacks, match="riscv64"):
        read_only_filter.program("riscv64")


def test_a_far_jump_arrives() -> None:
    # 300 instructions that must not be run lie between both jumps and their places.
    for jump in (0x15, 0x45):
        for number in (1, 2):
            filler = [(0x06, "", "", 99)] * 300
            code = [
                (0x20, "", "", 0),
                (jump, "yes", "no", 1),
                *filler,
                "no",
                (0x06, "", "", 20),
                *filler,
                "yes",
                (0x06, "", "", 10),
            ]
            program = seccomp.assemble(code)
            assert run(program, AUDIT_ARCH_X86_64, number) == (10 if number == 1 else 20)


@pytest.mark.parametrize("between", range(250, 260))
def test_a_jump_of_about_the_longest_distance_arrives(between: int) -> None:
    for number in (1, 2):
        filler = [(0x06, "", "", 99)] * between
        code = [(0x20, "", "", 0), (0x15, "", "far", 1), (0x06, "", "", 10), *filler, "far", (0x06, "", "", 20)]
        assert run(seccomp.assemble(code), AUDIT_ARCH_X86_64, number) == (10 if number == 1 else 20)


@pytest.mark.parametrize("between", range(250, 260))
def test_two_jumps_of_about_the_longest_distance_arrive(between: int) -> None:
    for number in (1, 2):
        filler = [(0x06, "", "", 99)] * between
        code = [
            (0x20, "", "", 0),
            (0x15, "near", "far", 1),
            *filler,
            "near",
            (0x06, "", "", 10),
            "far",
            (0x06, "", "", 20),
        ]
        assert run(seccomp.assemble(code), AUDIT_ARCH_X86_64, number) == (10 if number == 1 else 20)


def test_a_jump_to_nowhere_is_an_error() -> None:
    with pytest.raises(KeyError):
        seccomp.assemble(["behind", (0x15, "ahead", "", 1), (0x06, "", "", 0)])


def test_the_structure_says_where_its_pointer_goes() -> None:
    program = read_only_filter.program("x86_64")
    content, links = seccomp.sock_fprog(program)
    assert (len(content), struct.unpack_from("=H", content)[0], links) == (16, len(program) // 8, {8: program})


@pytest.mark.parametrize("length", [0, 7, 12, 8 * 4097])
def test_what_is_no_program_is_not_taken(length: int) -> None:
    with pytest.raises(ValueError, match="not a filter"):
        seccomp.sock_fprog(bytes(length))


def test_the_program_of_this_machine_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_only_filter.program() == read_only_filter.program(os.uname().machine)

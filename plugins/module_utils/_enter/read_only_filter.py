"""What a command that may only look is refused by seccomp: what capabilities, read-only mounts and Landlock let pass.

The command may be uid 0, as which others run too: what the kernel allows to the same uid is the hole most often.
Left to others: writing to files (mounts); devices, FIFOs, signals, other mount namespaces, /proc/PID of others
(Landlock); what needs a capability that is gone (clocks, host names, modules, quotas, swap, reboot). Left open: locks
on files, which end with the command, and talking to other hosts, which no kernel can judge.
"""
from __future__ import annotations

import errno
import os
from typing import List, Tuple

from .._kernel.call_numbers import numbers
from .._kernel.libc import KernelLacks
from .._kernel.seccomp import ARCHITECTURES, Match, Rule, refusing

_UNIX, _INET, _INET6, _NETLINK, _PACKET = 1, 2, 10, 16, 17
_STREAM, _SEQPACKET = 1, 5
# ROUTE, SOCK_DIAG, XFRM, FIB_LOOKUP, NETFILTER, KOBJECT_UEVENT, GENERIC: to change anything there needs CAP_NET_ADMIN.
_NETLINKS = (0, 4, 6, 10, 12, 15, 16)
# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET; NEWTIME is a part of clone(2)'s exit signal.
_NEW, _NEWTIME = 0x7E020000, 0x80
_RLIMIT_CORE = 4
_CREAT = 0o1000  # IPC_CREAT


def _not(argument: int, *values: int) -> Match:
    return Match(argument, values, one_of=False)


def _any_of(argument: int, flags: int) -> Match:
    return Match(argument, (0,), flags, one_of=False)


_Lines = List[Tuple[str, int, Tuple[Match, ...]]]

_RULES: _Lines = [
    # The engine's socket, the system bus, /dev/log: who listens there acts for who asks. A pair of datagram sockets
    # can be connected to any of them.
    ("socket", errno.EACCES, (Match(0, (_UNIX,)),)),
    ("socketpair", errno.EACCES, (Match(1, (_STREAM, _SEQPACKET), 0xF, one_of=False),)),
    ("socketpair", errno.EAFNOSUPPORT, (_not(0, _UNIX),)),
    # VSOCK reaches the hypervisor, CAN moves machines; for most, asking alone loads a module. What is not known here,
    # and what is still to come, is refused.
    ("socket", errno.EAFNOSUPPORT, (_not(0, _INET, _INET6, _NETLINK, _PACKET),)),
    # USERSOCK takes messages to other processes from everybody.
    ("socket", errno.EPROTONOSUPPORT, (Match(0, (_NETLINK,)), _not(2, *_NETLINKS))),
    # F_SETOWN, F_SETSIG, F_SETOWN_EX: the kernel sends any signal to any process of uid 0. F_SETLEASE: others'
    # open() waits. F_SET_RW_HINT, F_SET_FILE_RW_HINT: kept with the file.
    ("fcntl", errno.EPERM, (Match(1, (8, 10, 15, 1024, 1036, 1038)),)),
    # FIOSETOWN, SIOCSPGRP: the same as F_SETOWN. TIOCSTI, TIOCLINUX: type into the terminal.
    ("ioctl", errno.EPERM, (Match(1, (0x8901, 0x8902, 0x5412, 0x541C)),)),
    # Other processes of the same uid: memory, descriptors, and how they are scheduled.
    ("ptrace", errno.EPERM, ()),
    ("process_vm_writev", errno.EPERM, ()),
    ("process_madvise", errno.EPERM, ()),
    ("process_mrelease", errno.EPERM, ()),
    ("pidfd_getfd", errno.EPERM, ()),
    ("setpriority", errno.EPERM, (_not(0, 0),)),
    ("setpriority", errno.EPERM, (_not(1, 0),)),
    ("ioprio_set", errno.EPERM, (_not(0, 1),)),
    ("ioprio_set", errno.EPERM, (_not(1, 0),)),
    ("sched_setparam", errno.EPERM, (_not(0, 0),)),
    ("sched_setscheduler", errno.EPERM, (_not(0, 0),)),
    ("sched_setattr", errno.EPERM, (_not(0, 0),)),
    ("sched_setaffinity", errno.EPERM, (_not(0, 0),)),
    ("prctl", errno.EPERM, (Match(0, (62,)),)),  # PR_SCHED_CORE, to others too
    ("migrate_pages", errno.EPERM, (_not(0, 0),)),
    ("move_pages", errno.EPERM, (_not(0, 0),)),
    ("prlimit64", errno.EPERM, (_not(0, 0), Match(2, pointer=True))),
    # A crash is reported to the host's core_pattern program, but with a limit of 1 byte (core(5)), which is
    # therefore kept. It is said to be done: programs that hold secrets give up when it fails.
    ("prlimit64", 0, (Match(1, (_RLIMIT_CORE,)), Match(2, pointer=True))),
    ("setrlimit", 0, (Match(0, (_RLIMIT_CORE,)),)),
    # Opens, connects and sends where no filter sees it.
    ("io_uring_setup", errno.ENOSYS, ()),
    ("io_uring_enter", errno.ENOSYS, ()),
    ("io_uring_register", errno.ENOSYS, ()),
    # Keyrings belong to the uid, and a request starts a program on the host.
    ("add_key", errno.EPERM, ()),
    ("request_key", errno.EPERM, ()),
    ("keyctl", errno.EPERM, ()),
    # Pinned maps can be written through read-only mounts.
    ("bpf", errno.EPERM, ()),
    # Nothing of use without CAP_PERFMON, and where kernels have failed.
    ("perf_event_open", errno.EACCES, ()),
    ("userfaultfd", errno.EPERM, ()),
    # A new user namespace has all capabilities, others have mounts that can be written.
    ("clone", errno.EPERM, (_any_of(0, _NEW),)),
    ("unshare", errno.EPERM, (_any_of(0, _NEW | _NEWTIME),)),
    ("setns", errno.EPERM, ()),
    # Its flags lie in memory, where no filter sees them. C libraries then use clone(2).
    ("clone3", errno.ENOSYS, ()),
    # CAP_DAC_READ_SEARCH opens by number what no path leads to.
    ("open_by_handle_at", errno.EPERM, ()),
    ("mknod", errno.EPERM, (Match(1, (0o020000, 0o060000), 0o170000),)),
    ("mknodat", errno.EPERM, (Match(2, (0o020000, 0o060000), 0o170000),)),
    # System V: objects outlive the command, IPC_PRIVATE (key 0) ones too. Looking: IPC_STAT, IPC_INFO, *_STAT,
    # *_INFO, *_STAT_ANY, and GETPID to GETZCNT.
    ("shmget", errno.EPERM, (Match(0),)),
    ("shmget", errno.EPERM, (_any_of(2, _CREAT),)),
    ("shmat", errno.EPERM, (Match(2, (0,), 0o10000),)),  # not SHM_RDONLY
    ("shmctl", errno.EPERM, (_not(1, 2, 3, 13, 14, 15),)),
    ("semget", errno.EPERM, (Match(0),)),
    ("semget", errno.EPERM, (_any_of(2, _CREAT),)),
    ("semctl", errno.EPERM, (_not(2, 2, 3, 11, 12, 13, 14, 15, 18, 19, 20),)),
    ("semop", errno.EPERM, ()),
    ("semtimedop", errno.EPERM, ()),
    ("msgget", errno.EPERM, (Match(0),)),
    ("msgget", errno.EPERM, (_any_of(1, _CREAT),)),
    ("msgctl", errno.EPERM, (_not(1, 2, 3, 11, 12, 13),)),
    ("msgsnd", errno.EPERM, ()),
    ("msgrcv", errno.EPERM, ()),
    # POSIX: the kernel's own mount of them is not among those that were made read-only.
    ("mq_open", errno.EPERM, (_any_of(1, os.O_ACCMODE | os.O_CREAT),)),
    ("mq_unlink", errno.EPERM, ()),
    ("mq_timedsend", errno.EPERM, ()),
    ("mq_timedreceive", errno.EPERM, ()),
    ("mq_notify", errno.EPERM, ()),
    # CAP_SYSLOG: reading takes messages away from the log daemon, others clear them or the console's level. Left are
    # CLOSE, OPEN, READ_ALL, SIZE_UNREAD, SIZE_BUFFER.
    ("syslog", errno.EPERM, (_not(0, 0, 1, 3, 9, 10),)),
] + [
    (name, errno.EPERM, ())
    for name in (
        "mount", "umount2", "pivot_root", "chroot", "open_tree", "open_tree_attr", "move_mount", "fsopen", "fsconfig",
        "fsmount", "fspick", "mount_setattr",
    )
]


def program(machine: str = "") -> bytes:
    """The filter, for C(machine) (default: this one), as _kernel/seccomp.py's C(sock_fprog) takes it.

    KernelLacks: not known for this machine.
    """
    machine = machine or os.uname().machine
    if machine not in ARCHITECTURES:
        raise KernelLacks("seccomp program for %s" % machine)
    known = numbers(machine)
    return refusing([Rule(known[name], code, matches) for name, code, matches in _RULES if name in known], machine)

"""Giving the process that executes the command the rights of the command, and no others."""
from __future__ import annotations

import errno
import os
import struct
from typing import Sequence

from .._kernel.executor import Block, Executor, Step, step
from .._kernel.mounts import AT_FDCWD
from .._kernel.proc import Proc
from .._kernel.seccomp import SECCOMP_SET_MODE_FILTER, sock_fprog
from .._model.entry import Refused
from .privileges import Privileges

_PR_SET_DUMPABLE, _PR_SET_KEEPCAPS, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 4, 8, 24, 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 2, 4
_KEYCTL_JOIN_SESSION_KEYRING = 1
_CAPABILITY_VERSION = 0x20080522


def before_joining(executor: Executor, privileges: Privileges) -> None:
    """What needs the host's /proc: the security label that the execution will take. Raises Refused."""
    if privileges.label is None:
        return
    file, text = privileges.label
    try:
        opened = executor.call("openat", AT_FDCWD, os.fsencode("/proc/thread-self/" + file), os.O_WRONLY, 0)
        executor.calls(step("write", opened, text, len(text)), step("close", opened))
    except OSError as error:
        raise Refused("The security label %r of the container could not be taken (%s). Nothing has run." % (
            os.fsdecode(text), errno.errorcode.get(error.errno or 0))) from error


def confine(executor: Executor, privileges: Privileges, chdir: str | None, umask: int | None,
            scratch: Sequence[str] | None) -> tuple[list[str], list[Step]]:
    """The last of what is done before the execution. C(scratch): of a command that only looks, where it may write.

    Returns what could not be had, as sentences, and the very last steps, after which nothing can be mounted: for who
    executes the command. Raises OSError.
    """
    missing = _limits(executor, privileges)
    if privileges.new_keyring:
        # Without keys (ENOSYS) there is nothing to be kept from.
        executor.calls(step("keyctl", _KEYCTL_JOIN_SESSION_KEYRING, None, go_on=True))
    mask = privileges.umask if umask is None else umask
    if mask is not None:
        executor.call("umask", mask)
    status = Proc().status(executor.pid)
    permitted, bounding = int(status["CapPrm"], 16), int(status["CapBnd"], 16)
    _become(executor, privileges, bounding)
    executor.calls(
        _capset(privileges.effective & permitted, permitted, privileges.inheritable & permitted),
        *([step("chdir", os.fsencode(chdir))] if chdir is not None else []),
        # Once more all rights: filters take CAP_SYS_ADMIN.
        _capset(permitted, permitted, privileges.inheritable & permitted),
    )
    if privileges.no_new_privs:
        executor.call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    programs = [(kept.program, kept.flags) for kept in privileges.seccomp]
    steps: list[Step] = []
    if scratch is not None:
        from .read_only_filter import program
        from .read_only_parts import restrict_files

        # Before all filters: a container's may not know its calls.
        steps += restrict_files(executor, scratch)
        programs.append((program(), 0))
    steps += [step("seccomp", SECCOMP_SET_MODE_FILTER, flags, Block(*sock_fprog(code))) for code, flags in programs]
    kept = privileges.permitted & permitted
    steps.append(_capset(privileges.effective & kept, kept, privileges.inheritable & permitted))
    if privileges.ambient:
        steps.append(step("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
    for number in _bits(privileges.ambient & kept & privileges.inheritable):
        steps.append(step("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, number, 0, 0))
    return missing, steps


def _limits(executor: Executor, privileges: Privileges) -> list[str]:
    missing = []
    for resource, (soft, hard) in sorted(privileges.rlimits.items()):
        try:
            executor.call("prlimit64", 0, resource, Block(struct.pack("=QQ", soft, hard)), None)
        except OSError as error:
            missing.append("resource limit %d of the container could not be set (%s)" % (
                resource, errno.errorcode.get(error.errno or 0)))
    if privileges.oom_score_adj is not None:
        try:
            # Who is not root may not write it, not even what it is already.
            if int(Proc().read(executor.pid, "oom_score_adj")) != privileges.oom_score_adj:
                with open("/proc/%d/oom_score_adj" % executor.pid, "w", encoding="ascii") as file:
                    file.write("%d" % privileges.oom_score_adj)
        except OSError as error:
            missing.append("oom_score_adj of the container could not be set (%s)" % (
                errno.errorcode.get(error.errno or 0)))
    return missing


def _become(executor: Executor, privileges: Privileges, bounding: int) -> None:
    """User, groups and bounding set; what is permitted stays for now."""
    uid, gid = privileges.uid, privileges.gid
    steps = [
        step("prctl", _PR_CAPBSET_DROP, number, 0, 0, 0) for number in _bits(bounding & ~privileges.bounding)
    ]
    steps.append(step("prctl", _PR_SET_KEEPCAPS, 1, 0, 0, 0))
    executor.calls(*steps)
    if privileges.groups is not None:
        groups = struct.pack("=%dI" % len(privileges.groups), *privileges.groups)
        try:
            executor.call("setgroups", len(privileges.groups), Block(groups))
        except PermissionError:
            # user_namespaces(7): who is not privileged outside may not give up groups.
            pass
    executor.calls(
        step("setresgid", gid, gid, gid), step("setresuid", uid, uid, uid), step("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0),
        step("prctl", _PR_SET_KEEPCAPS, 0, 0, 0, 0),
    )


def _capset(effective: int, permitted: int, inheritable: int) -> Step:
    words = [word >> shift & 0xFFFFFFFF for shift in (0, 32) for word in (effective, permitted, inheritable)]
    return step("capset", Block(struct.pack("=Ii", _CAPABILITY_VERSION, 0)), Block(struct.pack("=6I", *words)))


def _bits(mask: int) -> list[int]:
    return [number for number in range(mask.bit_length()) if mask >> number & 1]

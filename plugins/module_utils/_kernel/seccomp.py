"""Programs for seccomp(2) in classic BPF: refuse these calls, perhaps only with such arguments, and allow the rest."""

from __future__ import annotations

import errno
import os
import struct
from typing import Dict, List, NamedTuple, Sequence, Tuple, Union

from .libc import KernelLacks, syscall

SECCOMP_SET_MODE_FILTER = 1
SECCOMP_GET_ACTION_AVAIL = 2
SECCOMP_FILTER_FLAG_LOG = 2

RET_ALLOW = 0x7FFF0000
RET_ERRNO = 0x00050000
RET_KILL_PROCESS = 0x80000000  # 4.14

# include/uapi/linux/audit.h
ARCHITECTURES: Dict[str, int] = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32_BIT = 0x40000000

_LOAD, _AND, _JUMP, _JEQ, _JSET, _RETURN = 0x20, 0x54, 0x05, 0x15, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data; both machines are little endian
_FAR = 255                                     # a conditional jump goes no farther

# Of a program under construction: (code, place if true, place if false, k), or a place's name. "" is what comes next.
Part = Union[str, Tuple[int, str, str, int]]


class Match(NamedTuple):
    """Whether C(argument & mask) is C(one of) the values, or none of them. C(pointer): whether it is not null.

    Only the low 32 bits are looked at, as the kernel cuts an int: what is above them would else hide a value.
    """

    argument: int
    values: Tuple[int, ...] = (0,)
    mask: int = 0xFFFFFFFF
    one_of: bool = True
    pointer: bool = False


class Rule(NamedTuple):
    """Call C(number) fails with errno C(code) if all C(matches) hold. A call may have several rules, taken in order."""

    number: int
    code: int
    matches: Tuple[Match, ...] = ()


def assemble(parts: Sequence[Part]) -> bytes:
    """An array of struct sock_filter. Jumps go forward only, and as far as they like. KeyError: to no place ahead."""
    # From the end: there it is known how far away a place is, by the instructions that follow it.
    code: List[bytes] = []
    places: Dict[str, int] = {}
    for part in reversed(parts):
        if isinstance(part, str):
            places[part] = len(code)
            continue
        kind, if_true, if_false, k = part
        targets = [places[place] if place else len(code) for place in (if_true, if_false)]
        if kind in (_JEQ, _JSET):
            for index, target in enumerate(targets):
                if len(code) + 2 - target > _FAR:
                    targets[index] = len(code) + 1
                    code.append(struct.pack("=HBBI", _JUMP, 0, 0, len(code) - target))
            code.append(struct.pack("=HBBI", kind, len(code) - targets[0], len(code) - targets[1], k))
        else:
            code.append(struct.pack("=HBBI", kind, 0, 0, k))
    return b"".join(reversed(code))


def refusing(rules: Sequence[Rule], machine: str = "") -> bytes:
    """A program that refuses what C(rules) say and allows all else, for C(machine) (default: this one).

    A call of another architecture (32-bit ones through int 0x80) ends the process with SIGSYS: its numbers mean
    something else, and with an error only, not even exit(2) would work. Those of x32 give ENOSYS.
    KernelLacks: a machine whose architecture is not known here.
    """
    machine = machine or os.uname().machine
    if machine not in ARCHITECTURES:
        raise KernelLacks("seccomp program for %s" % machine)
    parts: List[Part] = [
        (_LOAD, "", "", _ARCHITECTURE), (_JEQ, "native", "", ARCHITECTURES[machine]),
        (_RETURN, "", "", RET_KILL_PROCESS), "native", (_LOAD, "", "", _NUMBER),
    ]
    if machine == "x86_64":
        parts += [(_JSET, "", "no x32", X32_BIT), (_RETURN, "", "", RET_ERRNO | errno.ENOSYS), "no x32"]
    by_number: Dict[int, List[Rule]] = {}
    for rule in rules:
        by_number.setdefault(rule.number, []).append(rule)
    for number, several in by_number.items():
        other = "not %d" % number
        parts.append((_JEQ, "", other, number))
        for index, rule in enumerate(several):
            allowed = "%d.%d" % (number, index)
            for place, match in enumerate(rule.matches):
                parts += _match(match, allowed, "%s.%d" % (allowed, place))
            parts += [(_RETURN, "", "", RET_ERRNO | rule.code), allowed]
        # The number is no longer in the accumulator, and there is nothing more about it.
        parts += [(_RETURN, "", "", RET_ALLOW), other]
    return assemble(parts + [(_RETURN, "", "", RET_ALLOW)])


def _match(match: Match, otherwise: str, holds: str) -> List[Part]:
    low = _ARGUMENTS + 8 * match.argument
    if match.pointer:
        return [(_LOAD, "", "", low), (_JEQ, "", holds, 0), (_LOAD, "", "", low + 4), (_JEQ, otherwise, "", 0), holds]
    parts: List[Part] = [(_LOAD, "", "", low)]
    if match.mask != 0xFFFFFFFF:
        parts.append((_AND, "", "", match.mask))
    last = len(match.values) - 1
    for index, value in enumerate(match.values):
        if match.one_of:
            parts.append((_JEQ, holds, otherwise if index == last else "", value))
        else:
            parts.append((_JEQ, otherwise, "", value))
    return parts + [holds]


def sock_fprog(program: bytes) -> Tuple[bytes, Dict[int, bytes]]:
    """struct sock_fprog for seccomp(2) and prctl(2): its bytes, and what pointer has to be at which offset of them.

    ValueError: empty, or no whole number of instructions, or more than the kernel takes (4,096).
    """
    length, rest = divmod(len(program), 8)
    if rest or not 0 < length <= 4096:
        raise ValueError("not a filter: %d bytes" % len(program))
    return struct.pack("=H6xQ", length, 0), {8: program}


def install(program: bytes, flags: int = 0) -> None:
    """Put this thread under a filter for good; seccomp(2), 3.17.

    EACCES: needs no_new_privs or CAP_SYS_ADMIN. EINVAL: the kernel takes no such program. KernelLacks: no seccomp.
    """
    import ctypes

    held = ctypes.create_string_buffer(program, len(program))
    syscall("seccomp", SECCOMP_SET_MODE_FILTER, flags, struct.pack("=H6xQ", len(program) // 8, ctypes.addressof(held)))


def has_filters() -> bool:
    """Whether this kernel takes filters with all that ours return (KILL_PROCESS is the youngest, 4.14)."""
    try:
        syscall("seccomp", SECCOMP_GET_ACTION_AVAIL, 0, struct.pack("=I", RET_KILL_PROCESS))
    except OSError:
        return False
    return True

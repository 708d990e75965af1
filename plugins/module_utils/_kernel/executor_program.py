"""The program of an Executor, as an ELF file that lies nowhere.

Its sources are tests/unit/_kernel/executor_x86_64.s and executor_aarch64.s, which a test assembles and compares.
"""
from __future__ import annotations

import os
import struct
from typing import Dict, Tuple

from .libc import KernelLacks
from .memfd import (
    F_SEAL_GROW,
    F_SEAL_SHRINK,
    F_SEAL_WRITE,
    MFD_ALLOW_SEALING,
    MFD_CLOEXEC,
    MFD_EXEC,
    memfd_create,
    seal,
)

# By the machine's name: e_machine (elf(5)) and the code.
_PROGRAMS: Dict[str, Tuple[int, str]] = {
    "x86_64": (62, """
        bb00008000ba180000004889dee882000000488b13488d7318e8760000004c8d6318498b04244885c0784a498b7c2408498b742410498b54
        24184d8b5424204d8b4424284d8b4c24300f0549890424498b542438483d01f0ffff73144885c07509f6c20274044983c4404983c440ebb2
        f6c20175f5bf030000004889de488b5308b8010000000f05483b43080f8473ffffff0f0b4989d5bf0300000041ba000100004531c04531c9
        b82d0000000f054c39e875dec3"""),
    "aarch64": (183, """
        1310a0d2e10313aa020380d21e000094620240f9616200911b00009474620091880240f9e801f8b7808640a9828e41a9849642a9010000d4
        800200f9891e40f91ffc3fb1c2000054600000b5490008369402019194020191f2ffff17c9ff0737600080d2e10313aa620640f9080880d2
        010000d4620640f91f0002eb40fcff5400000000f50302aa600080d2032080d2e4031faae5031faae81980d2010000d41f0015ebe1feff54
        c0035fd6"""),
}
DATA = 0x800000   # address of what it is sent
ROOM = 4 << 20    # bytes of that: arguments and environment may have 2 MiB
_TEXT = 0x400000
_ALIGN = 0x10000  # the largest page of aarch64
_PLACES = ("/run", "/dev/shm", "/tmp", "/var/tmp")


def program(machine: str) -> bytes:
    """The ELF file for a machine as os.uname() names it. Raises KernelLacks for one that has none."""
    try:
        kind, code = _PROGRAMS[machine]
    except KeyError:
        raise KernelLacks("program to enter namespaces with for %s" % machine) from None
    text = bytes.fromhex("".join(code.split()))
    size = 64 + 3 * 56 + len(text)
    start = _TEXT + 64 + 3 * 56
    head = struct.pack("=16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, kind, 1, start, 64, 0, 0, 64, 56, 3, 0, 0, 0)
    # Code that cannot be written to, data and a stack that cannot be executed.
    segments = struct.pack("=IIQQQQQQ", 1, 5, 0, _TEXT, _TEXT, size, size, _ALIGN)
    segments += struct.pack("=IIQQQQQQ", 1, 6, 0, DATA, DATA, 16, ROOM, _ALIGN)
    segments += struct.pack("=IIQQQQQQ", 0x6474E551, 6, 0, 0, 0, 0, 0, 16)
    return head + segments + text


def image_file() -> int:
    """A descriptor of the program in a file that nobody else can find."""
    content = program(os.uname().machine)
    try:
        try:
            image = memfd_create("nsfleet", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC)
        except KernelLacks:
            image = memfd_create("nsfleet")
        os.write(image, content)
        seal(image, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)
        return image
    except PermissionError as error:
        # vm.memfd_noexec=2: memory files that can be executed are forbidden.
        refusal = error
    for place in _PLACES:
        try:
            written = os.open(place, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o500)
        except OSError:
            continue
        try:
            os.write(written, content)
            # Not executed while somebody has it open to write.
            image = os.open("/proc/self/fd/%d" % written, os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.close(written)
        if not os.fstatvfs(image).f_flag & os.ST_NOEXEC:
            return image
        os.close(image)
    raise refusal

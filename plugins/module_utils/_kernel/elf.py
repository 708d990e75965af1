"""A program of a few instructions as an ELF file (elf(5)) that lies nowhere: nobody else finds or changes it."""
from __future__ import annotations

import os
import struct
from typing import Mapping, Tuple

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

_MACHINES = {"x86_64": 62, "aarch64": 183}  # e_machine, by the name that os.uname() has for it
_TEXT = 0x400000
_ALIGN = 0x10000  # the largest page of aarch64
_PLACES = ("/run", "/dev/shm", "/tmp", "/var/tmp")


def elf_file(machine: str, codes: Mapping[str, str], purpose: str, data: Tuple[int, int] | None = None) -> bytes:
    """The file with a machine's code, of those in C(codes) (hexadecimal); C(data): address and size of its memory.

    Raises KernelLacks, which names the C(purpose), for a machine that has no code.
    """
    if machine not in codes:
        raise KernelLacks("program to %s for %s" % (purpose, machine))
    text = bytes.fromhex("".join(codes[machine].split()))
    count = 2 if data is None else 3
    before = 64 + count * 56
    size = before + len(text)
    head = struct.pack("=16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, _MACHINES[machine], 1, _TEXT + before, 64, 0, 0,
                       64, 56, count, 0, 0, 0)
    # Code that cannot be written to, data and a stack that cannot be executed.
    segments = struct.pack("=IIQQQQQQ", 1, 5, 0, _TEXT, _TEXT, size, size, _ALIGN)
    if data is not None:
        segments += struct.pack("=IIQQQQQQ", 1, 6, 0, data[0], data[0], 16, data[1], _ALIGN)
    segments += struct.pack("=IIQQQQQQ", 0x6474E551, 6, 0, 0, 0, 0, 0, 16)
    return head + segments + text


def image_file(content: bytes, name: str) -> int:
    """A close-on-exec descriptor of an ELF file that can be executed by it, and by nothing else."""
    try:
        try:
            image = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC)
        except KernelLacks:
            image = memfd_create(name)
        os.write(image, content)
        seal(image, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)
        return image
    except PermissionError as error:
        # vm.memfd_noexec=2: memory files that can be executed are forbidden.
        refusal = error
    for place in _PLACES:
        try:
            # Executed also by who has become another user, as a memory file is: nobody can name it.
            written = os.open(place, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o555)
        except OSError:
            continue
        try:
            os.fchmod(written, 0o555)  # whatever the umask
            os.write(written, content)
            # Not executed while somebody has it open to write.
            image = os.open("/proc/self/fd/%d" % written, os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.close(written)
        if not os.fstatvfs(image).f_flag & os.ST_NOEXEC:
            return image
        os.close(image)
    raise refusal

"""The program of an Executor, as an ELF file that lies nowhere.

Its sources are tests/unit/_kernel/executor_x86_64.s and executor_aarch64.s, which a test assembles and compares.
"""
from __future__ import annotations

import os

from . import elf

# By the machine's name.
_CODES = {
    "x86_64": """
        bb00008000ba180000004889dee882000000488b13488d7318e8760000004c8d6318498b04244885c0784a498b7c2408498b742410498b54
        24184d8b5424204d8b4424284d8b4c24300f0549890424498b542438483d01f0ffff73144885c07509f6c20274044983c4404983c440ebb2
        f6c20175f5bf030000004889de488b5308b8010000000f05483b43080f8473ffffff0f0b4989d5bf0300000041ba000100004531c04531c9
        b82d0000000f054c39e875dec3""",
    "aarch64": """
        1310a0d2e10313aa020380d21e000094620240f9616200911b00009474620091880240f9e801f8b7808640a9828e41a9849642a9010000d4
        800200f9891e40f91ffc3fb1c2000054600000b5490008369402019194020191f2ffff17c9ff0737600080d2e10313aa620640f9080880d2
        010000d4620640f91f0002eb40fcff5400000000f50302aa600080d2032080d2e4031faae5031faae81980d2010000d41f0015ebe1feff54
        c0035fd6""",
}
DATA = 0x800000   # address of what it is sent
ROOM = 4 << 20    # bytes of that: arguments and environment may have 2 MiB


def program(machine: str) -> bytes:
    """The ELF file for a machine as os.uname() names it. Raises KernelLacks for one that has none."""
    return elf.elf_file(machine, _CODES, "enter namespaces with", (DATA, ROOM))


def image_file() -> int:
    """A descriptor of the program in a file that nobody else can find."""
    return elf.image_file(program(os.uname().machine), "nsfleet")

"""Process 1 of a new pid namespace, as an ELF file that lies nowhere.

A command as process 1 would get no signal that it has no handler for, and would have to wait for other people's
children. So this is process 1, and the command is process 2: it gets the signals that process 1 is sent, and the
program ends with its status (128 and the signal where one ended it), whereupon the kernel ends everybody else in the
namespace. Orphans are waited for. Who executes it has blocked all signals, does not ignore SIGCHLD, and has made
process 2, which gets a SIGCONT when the program begins.

Its sources are tests/unit/_kernel/init_x86_64.s and init_aarch64.s, which a test assembles and compares.
"""
from __future__ import annotations

import os

from . import elf

# By the machine's name.
_CODES = {
    "x86_64": """
        6aff6a00be12000000bf02000000b83e0000000f05bfffffffff4889e6ba010000004531d2b83d0000000f0583f802743185c07fe0488d7c
        240831f631d241ba08000000b8800000000f0589c683f81174c385c07fb383f8fc74da83f8f574d50f0b8b3c2489f8c1ef0883e07f74068d
        b880000000b8e70000000f05""",
    "aarch64": """
        09008092ff27bfa9410280d2400080d2281080d2010000d400008092e1030091220080d2e3031faa882080d2010000d41f08007160020054
        1f000071ecfeff54e0230091e1031faae2031faa030180d2281180d2010000d4e10300aa1f440071c0fdff541f0000712cfdff541f100031
        80feff541f2c003140feff5400000000e90340b9203d0853291900724000005420010211c80b80d2010000d4""",
}


def program(machine: str) -> bytes:
    """The ELF file for a machine as os.uname() names it. Raises KernelLacks for one that has none."""
    return elf.elf_file(machine, _CODES, "be process 1")


def image_file() -> int:
    """A close-on-exec descriptor of the program, which execveat(2) takes."""
    return elf.image_file(program(os.uname().machine), "nsfleet-init")

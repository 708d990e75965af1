# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that is process 1: its bytes are what GNU as makes of its source. tests/kernel has what it does."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import init_program, memfd
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.libc import KernelLacks

HERE = Path(__file__).parent
PREFIXES = {"x86_64": "x86_64-linux-gnu-", "aarch64": "aarch64-linux-gnu-"}


@pytest.mark.parametrize("machine", PREFIXES)
def test_the_bytes_are_those_of_the_assembler(machine: str, tmp_path: Path) -> None:
    code = tmp_path / "code"
    subprocess.run([PREFIXES[machine] + "as", HERE / f"init_{machine}.s", "-o", tmp_path / "object"], check=True)
    subprocess.run(
        [PREFIXES[machine] + "objcopy", "-O", "binary", "-j", ".text", tmp_path / "object", code], check=True
    )
    # Behind the head and two program headers.
    assert init_program.program(machine)[64 + 2 * 56:] == code.read_bytes()


@pytest.mark.parametrize("machine", PREFIXES)
def test_readelf_finds_nothing_that_can_be_written_and_executed(machine: str, tmp_path: Path) -> None:
    file = tmp_path / "program"
    file.write_bytes(init_program.program(machine))
    told = subprocess.run(["readelf", "--wide", "--headers", file], check=True, capture_output=True, text=True)
    assert not told.stderr
    assert {"x86_64": "Advanced Micro Devices X86-64", "aarch64": "AArch64"}[machine] in told.stdout
    loads = [line.split() for line in told.stdout.split("\n") if line.split()[:1] in (["LOAD"], ["GNU_STACK"])]
    assert ["".join(load[6:-1]) for load in loads] == ["RE", "RW"]


def test_a_machine_without_a_program_is_told() -> None:
    with pytest.raises(KernelLacks, match="riscv64"):
        init_program.program("riscv64")


def test_its_file_is_closed_on_execution_and_cannot_be_changed() -> None:
    image = init_program.image_file()
    try:
        assert not os.get_inheritable(image)
        wanted = memfd.F_SEAL_WRITE | memfd.F_SEAL_GROW | memfd.F_SEAL_SHRINK
        assert memfd.seals_of(image) & wanted == wanted
        with pytest.raises(PermissionError):
            os.pwrite(image, b"x", 0)
        assert os.pread(image, 4096, 0) == init_program.program(os.uname().machine)
    finally:
        os.close(image)

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether asking could load a kernel module, told from recorded trees: true only where nothing can be loaded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.modules import Modules

RELEASE = "6.1.0-18-amd64"
LISTED = """tcp_diag 16384 0 - Live 0x0000000000000000
inet_diag 24576 1 tcp_diag, Live 0x0000000000000000
udp_diag 16384 0 - Unloading 0x0000000000000000
raw_diag 16384 0 - Loading 0x0000000000000000
x_tables 61440 5 xt_conntrack,xt_MASQUERADE,nft_compat, Live 0xffffffffc0a5e000 (OE)
"""
BUILTIN = "kernel/net/unix/unix_diag.ko\nkernel/net/packet/af-packet-diag.ko.xz\nkernel/net/8021q/8021q.ko\n"


class Host:
    """A recorded host: /proc, and the file system."""

    def __init__(self, where: Path) -> None:
        self.root = where / "proc"
        self.files = where / "files"
        self.write("sys/kernel/osrelease", RELEASE + "\n")
        self.write("sys/kernel/modprobe", "/sbin/modprobe\n")
        self.write("sys/kernel/modules_disabled", "0\n")
        self.write("modules", LISTED)
        self.folder = self.files / "lib" / "modules" / RELEASE
        self.folder.mkdir(parents=True)

    def write(self, path: str, text: str) -> None:
        """One entry of /proc."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def ready(self, name: str, **more: Any) -> bool:
        """What is answered about a module."""
        return Modules(str(self.root), str(self.files), **more).ready(name)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host with some modules, that may load more."""
    return Host(tmp_path)


@pytest.mark.parametrize("name", ["tcp_diag", "tcp-diag", "inet_diag", "x_tables"])
def test_a_loaded_module_is_ready(host: Host, name: str) -> None:
    assert host.ready(name)


@pytest.mark.parametrize("name", ["nf_tables", "tcp", "diag", "", "16384", "x_table", "xt_conntrack"])
def test_what_is_not_listed_is_not_ready(host: Host, name: str) -> None:
    assert not host.ready(name)


@pytest.mark.parametrize("name", ["udp_diag", "raw_diag"])
def test_a_module_that_comes_or_goes_is_not_ready(host: Host, name: str) -> None:
    assert not host.ready(name)


@pytest.mark.parametrize("name", ["unix_diag", "unix-diag", "af_packet_diag", "8021q"])
@pytest.mark.parametrize("folder", ["lib", "usr/lib"])
def test_what_is_built_in_is_ready(host: Host, name: str, folder: str) -> None:
    assert not host.ready(name)
    where = host.files / folder / "modules" / RELEASE
    where.mkdir(parents=True, exist_ok=True)
    (where / "modules.builtin").write_text(BUILTIN)
    assert host.ready(name)
    assert not host.ready("nf_tables")


def test_what_is_neither_listed_nor_built_in_is_absent_where_both_are_told(host: Host) -> None:
    def absent(name: str) -> bool:
        return Modules(str(host.root), str(host.files)).absent(name)

    assert not absent("nf_tables")  # it may be built in
    where = host.files / "lib" / "modules" / RELEASE
    where.mkdir(parents=True, exist_ok=True)
    (where / "modules.builtin").write_text(BUILTIN)
    assert absent("nf_tables") and not absent("unix_diag")
    host.write("sys/kernel/modules_disabled", "1\n")
    assert not absent("nf_tables")


def test_what_is_built_into_another_kernel_does_not_count(host: Host) -> None:
    other = host.files / "lib" / "modules" / "5.10.0"
    other.mkdir(parents=True)
    (other / "modules.builtin").write_text(BUILTIN)
    assert not host.ready("unix_diag")


def test_all_is_ready_when_loading_was_switched_off(host: Host) -> None:
    host.write("sys/kernel/modules_disabled", "1\n")
    assert host.ready("nf_tables")


def test_all_is_ready_when_loading_was_switched_off_and_the_program_is_hidden(host: Host) -> None:
    host.write("sys/kernel/modules_disabled", "1\n")
    (host.root / "sys" / "kernel" / "modprobe").unlink()
    assert host.ready("nf_tables")


def test_all_is_ready_when_the_kernel_has_no_program_to_run(host: Host) -> None:
    host.write("sys/kernel/modprobe", "\n")
    assert host.ready("nf_tables")


def test_all_is_ready_in_a_kernel_without_modules(host: Host) -> None:
    (host.root / "modules").unlink()
    (host.root / "sys" / "kernel" / "modprobe").unlink()
    assert host.ready("nf_tables")


@pytest.mark.parametrize("hidden", ["modules", "sys/kernel/modprobe"])
def test_one_hidden_entry_is_no_kernel_without_modules(host: Host, hidden: str) -> None:
    (host.root / hidden).unlink()
    assert not host.ready("nf_tables")


def test_a_program_that_cannot_be_read_is_a_program(host: Host) -> None:
    (host.root / "modules").unlink()
    (host.root / "sys" / "kernel" / "modprobe").unlink()
    (host.root / "sys" / "kernel" / "modprobe").mkdir()
    assert not host.ready("nf_tables")


def test_a_masked_list_is_no_kernel_without_modules(host: Host) -> None:
    host.write("modules", "")
    assert not host.ready("tcp_diag")


def test_nothing_is_ready_where_proc_shows_processes_only(tmp_path: Path) -> None:
    (tmp_path / "proc" / "1").mkdir(parents=True)
    assert not Modules(str(tmp_path / "proc"), str(tmp_path), in_host_mounts=True).ready("nf_tables")


def test_all_is_ready_on_a_host_without_files_of_modules(host: Host) -> None:
    host.folder.rmdir()
    assert host.ready("nf_tables", in_host_mounts=True)


def test_a_container_without_files_of_modules_says_nothing_of_the_host(host: Host) -> None:
    host.folder.rmdir()
    assert not host.ready("nf_tables")


def test_a_host_with_files_of_modules_can_load_them(host: Host) -> None:
    assert not host.ready("nf_tables", in_host_mounts=True)


def test_another_modprobe_may_look_elsewhere(host: Host) -> None:
    host.folder.rmdir()
    host.write("sys/kernel/modprobe", "/nix/store/abc-kmod/bin/modprobe\n")
    assert not host.ready("nf_tables", in_host_mounts=True)


def test_a_release_that_is_a_path_is_not_followed(host: Host) -> None:
    (host.files / "lib" / "modules" / "modules.builtin").write_text(BUILTIN)
    host.write("sys/kernel/osrelease", RELEASE + "/..\n")
    assert not host.ready("unix_diag")


def test_odd_bytes_and_lines_are_passed_over(host: Host) -> None:
    (host.root / "modules").write_bytes(b"\xff\n\n tcp\n" + LISTED.encode() + b"cut_off 1 0 -")
    assert host.ready("tcp_diag")
    assert not host.ready("cut_off")


def test_this_kernel_answers_as_its_proc_says() -> None:
    # Known without us: with CONFIG_MODULES there is /proc/modules.
    if os.path.exists("/proc/modules"):
        with open("/proc/modules", encoding="ascii") as listed:
            live = [line.split()[0] for line in listed if line.split()[4] == "Live"]
        assert all(Modules().ready(name) for name in live)
    else:
        assert Modules().ready("whatever")

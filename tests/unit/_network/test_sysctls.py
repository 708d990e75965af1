# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sysctls from recorded trees: names, values, what is missing, refused or too much."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nsfleet.linux.plugins.module_utils._network import sysctls
from ansible_collections.nsfleet.linux.plugins.module_utils._network.look import Look


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """A look at an empty tree."""
    (tmp_path / "sys" / "net").mkdir(parents=True)
    return Look(500, math.inf, str(tmp_path))


def write(look: Look, path: str, value: bytes) -> None:
    """One entry below /proc/sys/net."""
    file = Path(look.root) / "sys" / "net" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(value)


def test_what_a_kernel_lacks_is_left_out_and_no_problem(look: Look) -> None:
    write(look, "core/somaxconn", b"4096\n")
    assert sysctls.take(look) == {"net.core.somaxconn": 4096}
    assert look.problems.complete


def test_nothing_at_all_is_a_problem(look: Look) -> None:
    assert sysctls.take(look) == {}
    assert [entry["reason"] for entry in look.problems.as_list()] == ["unsupported"]


@pytest.mark.parametrize("raw, value", [
    (b"1\n", 1), (b"-1\n", -1), (b"4294967295\n", 4294967295), (b"\n", ""), (b"32768\t60999\n", "32768 60999"),
    (b"1\t0\n", "1 0"), (b"8080,9148\n", "8080,9148"), (b"a\xff\n", "a\ufffd"),
])
def test_a_plain_number_is_a_number_and_all_else_text(look: Look, raw: bytes, value: object) -> None:
    write(look, "ipv4/ip_forward", raw)
    assert sysctls.take(look) == {"net.ipv4.ip_forward": value}


def test_names_of_links_are_written_as_sysctl_writes_them(look: Look) -> None:
    look.names = {1: "lo", 7: "eth0.100"}
    for who in ("all", "default", "eth0.100"):
        write(look, "ipv4/conf/%s/forwarding" % who, b"1\n")
    assert sysctls.take(look)["net.ipv4.conf.eth0/100.forwarding"] == 1


def test_of_a_link_only_some_are_taken(look: Look) -> None:
    look.names = {1: "lo"}
    for who in ("all", "default", "lo"):
        for name in ("accept_local", "forwarding", "proxy_arp", "rp_filter"):
            write(look, "ipv4/conf/%s/%s" % (who, name), b"1\n")
    found = sysctls.take(look)
    assert {name for name in found if ".lo." in name} == {"net.ipv4.conf.lo.forwarding", "net.ipv4.conf.lo.rp_filter"}
    assert "net.ipv4.conf.all.proxy_arp" in found


def test_links_are_bounded_and_the_rest_counted(look: Look) -> None:
    look.most = 3
    look.names = {number: "e%d" % number for number in range(1, 11)}
    for who in ("all", "default", *look.names.values()):
        write(look, "ipv4/conf/%s/forwarding" % who, b"1\n")
    found = sysctls.take(look)
    assert [name for name in found if ".e" in name] == ["net.ipv4.conf.e%d.forwarding" % number for number in (1, 2, 3)]
    assert look.problems.as_list() == [{"what": "sysctls", "reason": "truncated", "count": 7}]


def test_a_link_of_a_made_up_name_leads_nowhere(look: Look) -> None:
    look.names = {1: "../../ipv6/conf/all"}
    for path in ("ipv4/conf/all/accept_local", "ipv4/conf/default/accept_local", "ipv6/conf/all/forwarding"):
        write(look, path, b"1\n")
    assert not [name for name in sysctls.take(look) if "/" in name]


def test_what_cannot_be_read_is_counted_once(look: Look) -> None:
    # A folder where the file should be: read(2) says EISDIR, to root too.
    for name in ("ip_forward", "tcp_syncookies", "tcp_tw_reuse"):
        (Path(look.root) / "sys" / "net" / "ipv4" / name).mkdir(parents=True)
    write(look, "ipv4/tcp_fin_timeout", b"60\n")
    assert sysctls.take(look) == {"net.ipv4.tcp_fin_timeout": 60}
    assert look.problems.as_list() == [{"what": "sysctls", "reason": "EISDIR", "count": 1}]


def test_a_missing_name_does_not_hide_the_next(look: Look) -> None:
    write(look, "ipv4/tcp_tw_reuse", b"2\n")
    assert sysctls.take(look) == {"net.ipv4.tcp_tw_reuse": 2}


def test_a_long_value_is_cut_and_said(look: Look) -> None:
    write(look, "ipv4/ip_forward", b"1,2," * 5000)
    assert len(str(sysctls.take(look)["net.ipv4.ip_forward"])) <= 4096
    assert look.problems.as_list() == [{"what": "sysctls", "reason": "truncated", "count": 1}]


def test_without_proc_sys_net_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sysctls.take(Look(500, math.inf, str(tmp_path)))


@given(st.binary(max_size=5000))
def test_any_bytes_are_a_value(raw: bytes) -> None:
    look = Look(500, math.inf)
    value = sysctls._Reading(look, -1)._value(raw)
    assert isinstance(value, int) or value == " ".join(value.split())

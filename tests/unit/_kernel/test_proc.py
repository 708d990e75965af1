# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Readers of /proc, fed with what the kernel writes and with what it never should."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.proc import (
    GONE,
    Cgroup,
    Mount,
    Proc,
    Stat,
    parse_cgroups,
    parse_mount,
    parse_stat,
    parse_status,
    unescape,
)

# 52 fields, as Linux 6.18 writes them; field 20 is the number of threads, field 22 the start time.
STAT_TAIL = b"S 1 4242 4242 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 3 0 158231 2412544 203 18446744073709551615" + 27 * b" 0"
MOUNTINFO = b"430 29 0:4 net:[4026532184] /run/netns/blue\\040one rw shared:241 - nsfs nsfs rw"
CGROUPS = b"13:freezer:/docker/3f0c\n1:name=systemd:/docker/3f0c\n0::/docker/3f0c\n"
STATUS = b"Name:\tsle\\nep\nUmask:\t0022\nPid:\t4242\nUid:\t0\t1000\t0\t0\nCapEff:\t00000000a80425fb\n"


def stat_of(comm: bytes) -> bytes:
    return b"4242 (" + comm + b") " + STAT_TAIL + b"\n"


def seq_path(path: bytes) -> bytes:
    """As the kernel escapes a path in mountinfo: fs/seq_file.c, mangle_path() with " \\t\\n\\\\"."""
    return b"".join(b"\\%03o" % byte if byte in b" \t\n\\" else bytes([byte]) for byte in path)


def is_utf_8(*values: str) -> bool:
    return all(value.encode("utf-8").decode("utf-8") == value for value in values)


def test_a_stat_line_is_taken_apart() -> None:
    assert parse_stat(stat_of(b"nginx")) == Stat("nginx", "S", 1, 4194560, 3, 158231)


@given(st.binary(max_size=64).filter(lambda comm: b"\0" not in comm))
@example(b") R 1 1 1 0 -1 0 ")
@example(b"")
@example(b")))")
@example(b"(a) (b) ")
@example(b"a\nb)\n")
@example(b"\xff\xfe")
def test_no_comm_changes_what_stands_behind_it(comm: bytes) -> None:
    found = parse_stat(stat_of(comm))
    assert found[1:] == ("S", 1, 4194560, 3, 158231)
    assert found.comm == comm.decode("utf-8", "replace")


@given(st.binary(max_size=16), st.data())
def test_a_stat_line_that_is_cut_off_is_refused_or_has_all_fields_that_are_used(comm: bytes, data: st.DataObject) -> None:
    whole = stat_of(comm)
    cut = whole[:data.draw(st.integers(0, len(whole)))]
    try:
        found = parse_stat(cut)
    except ValueError:
        return
    # Cut off within field 22 or later, or at a bracket of the comm behind which nothing usable stands.
    assert found[1:5] == ("S", 1, 4194560, 3)
    assert str(158231).startswith(str(found.start_time))


@given(st.binary(max_size=300))
@example(b"1 (a) S x" + 20 * b" 0")
@example(b"1 (a) " + 20 * b"\xc2\xb2 ")
def test_any_bytes_as_stat_are_a_stat_or_a_value_error(raw: bytes) -> None:
    try:
        found = parse_stat(raw)
    except ValueError:
        return
    assert is_utf_8(found.comm, found.state)


def test_cgroup_lines_are_taken_apart() -> None:
    assert parse_cgroups(CGROUPS) == [
        Cgroup(13, "freezer", "/docker/3f0c"),
        Cgroup(1, "name=systemd", "/docker/3f0c"),
        Cgroup(0, "", "/docker/3f0c"),
    ]


def test_a_colon_in_a_cgroup_s_name_belongs_to_its_path() -> None:
    assert parse_cgroups(b"0::/cri-containerd:3f0c:x\n") == [Cgroup(0, "", "/cri-containerd:3f0c:x")]


@given(st.binary(max_size=200))
@example(b"\xb2::/a\n")
@example("²::/a\n".encode())
@example(b"-1::/a\n 1::/b\n:::")
def test_strange_cgroup_lines_are_passed_over_and_the_others_kept(junk: bytes) -> None:
    found = parse_cgroups(junk + b"\n" + CGROUPS)
    assert found[-3:] == parse_cgroups(CGROUPS)
    assert all(is_utf_8(line.controllers, line.path) for line in found)


@given(st.integers(0, len(CGROUPS)))
def test_cgroups_that_are_cut_off_keep_their_whole_lines(size: int) -> None:
    whole = CGROUPS[:size].count(b"\n")
    assert parse_cgroups(CGROUPS[:size])[:whole] == parse_cgroups(CGROUPS)[:whole]


def test_a_mount_is_taken_apart() -> None:
    assert parse_mount(MOUNTINFO) == Mount("0:4", "net:[4026532184]", "/run/netns/blue one", "nsfs", "nsfs", "rw")


@pytest.mark.parametrize("optional", [b"", b"shared:1 ", b"shared:1 master:2 propagate_from:3 unbindable "])
def test_any_number_of_optional_fields_may_stand_before_the_hyphen(optional: bytes) -> None:
    found = parse_mount(b"430 29 0:4 / /mnt rw " + optional + b"- ext4 /dev/sda1 rw")
    assert found == Mount("0:4", "/", "/mnt", "ext4", "/dev/sda1", "rw")


def test_a_mount_point_called_hyphen_is_not_the_separator() -> None:
    found = parse_mount(b"430 29 0:4 - - rw - ext4 - rw")
    assert found == Mount("0:4", "-", "-", "ext4", "-", "rw")


@given(st.binary(min_size=1), st.binary(min_size=1))
@example(b"/a - nsfs nsfs", b"/\\040")
@example(b"/a\n430 29 0:4 net:[1] /x rw - nsfs nsfs rw", b"\\")
def test_no_path_changes_the_other_fields_of_a_mount(root: bytes, path: bytes) -> None:
    line = b"430 29 0:4 %s %s rw,relatime shared:1 - ext4 /dev/sda1 rw" % (seq_path(root), seq_path(path))
    assert b"\n" not in line
    found = parse_mount(line)
    assert found == Mount(
        "0:4", root.decode("utf-8", "replace"), path.decode("utf-8", "replace"), "ext4", "/dev/sda1", "rw,relatime"
    )


@given(st.binary())
def test_unescaping_gives_back_what_the_kernel_escaped(path: bytes) -> None:
    assert unescape(seq_path(path)) == path


@given(st.binary())
@example(b"\\")
@example(b"\\08")
@example(b"\\777\\0")
@example(b"\\12\\040")
def test_what_is_no_escape_is_left_alone(field: bytes) -> None:
    assert len(unescape(field)) <= len(field)
    if b"\\" not in field:
        assert unescape(field) == field


@pytest.mark.parametrize("field, plain", [(b"\\", b"\\"), (b"\\08", b"\\08"), (b"a\\04", b"a\\04"), (b"\\134", b"\\")])
def test_an_escape_is_three_octal_digits(field: bytes, plain: bytes) -> None:
    assert unescape(field) == plain


@given(st.integers(0, len(MOUNTINFO)))
def test_a_mount_that_is_cut_off_is_none_or_all_but_its_end(size: int) -> None:
    found = parse_mount(MOUNTINFO[:size])
    if found is not None:
        assert found[:3] == ("0:4", "net:[4026532184]", "/run/netns/blue one")


@given(st.binary(max_size=200))
def test_any_bytes_as_a_mount_are_a_mount_of_text_or_none(line: bytes) -> None:
    found = parse_mount(line)
    assert found is None or is_utf_8(*found)


def test_status_is_taken_apart() -> None:
    found = parse_status(STATUS)
    assert found["Uid"] == "0\t1000\t0\t0"
    assert found["Name"] == "sle\\nep"


@given(st.binary(max_size=200), st.integers(0, len(STATUS)))
def test_a_status_keeps_every_whole_line_whatever_surrounds_them(junk: bytes, size: int) -> None:
    whole = STATUS[:STATUS.rfind(b"\n", 0, size) + 1]
    found = parse_status(junk + b"\n" + STATUS[:size])
    assert all(is_utf_8(key, value) for key, value in found.items())
    assert parse_status(whole).items() <= found.items()


def recorded(folder: Path, pid: int = 7, **links: str) -> Proc:
    (folder / str(pid) / "ns").mkdir(parents=True)
    for name, target in links.items():
        (folder / str(pid) / "ns" / name).symlink_to(target)
    return Proc(str(folder))


def test_only_numbers_are_processes_and_they_come_in_numerical_order(tmp_path: Path) -> None:
    for name in ("self", "10", "9", "1a", "sys", "-1"):
        (tmp_path / name).mkdir()
    assert Proc(str(tmp_path)).pids() == [9, 10]


def test_a_stat_that_is_cut_off_counts_as_a_process_that_is_gone(tmp_path: Path) -> None:
    proc = recorded(tmp_path)
    (tmp_path / "7" / "stat").write_bytes(stat_of(b"sleep")[:40])
    with pytest.raises(ProcessLookupError) as caught:
        proc.stat(7)
    assert caught.value.errno in GONE


def test_a_type_that_the_kernel_has_not_is_none_and_no_refusal(tmp_path: Path) -> None:
    names, refusal = recorded(tmp_path, net="net:[1]", time="time:[2]").namespaces(7)
    assert names == [None, None, None, None, "net:[1]", None, None, "time:[2]", None, None]
    assert refusal is None


def test_the_first_refusal_of_a_link_is_told_and_the_other_links_kept(tmp_path: Path) -> None:
    proc = recorded(tmp_path, mnt="mnt:[1]", net="net:[2]")
    (tmp_path / "7" / "ns" / "ipc").write_text("no link")
    names, refusal = proc.namespaces(7)
    assert (names[0], names[2], names[4]) == ("mnt:[1]", None, "net:[2]")
    assert refusal is not None and refusal.errno == errno.EINVAL


def test_no_process_is_an_error_with_its_errno(tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught:
        Proc(str(tmp_path)).namespaces(7)
    assert caught.value.errno == errno.ENOENT


def test_no_more_than_the_limit_is_read(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cgroup").write_bytes(b"x" * 200000)
    proc = Proc(str(tmp_path))
    assert len(proc.read(7, "cgroup", limit=70000)) == 70000
    assert len(proc.cgroup_text(7)) == 65536


def test_a_fifo_in_a_recorded_tree_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    for name in ("stat", "cgroup", "mountinfo"):
        os.mkfifo(tmp_path / "7" / name)
    proc, start = Proc(str(tmp_path)), time.monotonic()
    assert proc.cgroup_text(7) == b""
    assert list(proc.mounts(7)) == []
    with pytest.raises(ProcessLookupError):
        proc.stat(7)
    assert time.monotonic() - start < 5


def test_mounts_across_the_pieces_that_are_read_stay_whole(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    lines = [b"1 1 0:4 / /" + b"%d" % number * 40 + b" rw - ext4 x rw" for number in range(2000)]
    (tmp_path / "7" / "mountinfo").write_bytes(b"\n".join(lines))
    assert list(Proc(str(tmp_path)).mount_lines(7, "mountinfo")) == lines


def test_an_endless_mountinfo_ends_with_efbig_after_what_was_read(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "mountinfo").write_bytes(b"line\n" * 100000)
    found = []
    with pytest.raises(OSError) as caught:
        for line in Proc(str(tmp_path)).mount_lines(7, "mountinfo", limit=65536):
            found.append(line)
    assert caught.value.errno == errno.EFBIG
    assert len(found) == 65536 // 5


def test_a_descriptor_that_is_closed_while_the_table_is_read_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "7" / "fd").mkdir(parents=True)
    for number in (0, 1):
        (tmp_path / "7" / "fd" / str(number)).symlink_to("net:[%d]" % number)
    real = os.readlink

    def closed(path: str) -> str:
        if path.endswith("/0"):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return real(path)

    monkeypatch.setattr(os, "readlink", closed)
    assert list(Proc(str(tmp_path)).descriptors(7)) == [(1, "net:[1]")]


def test_a_refused_table_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "7" / "fd").mkdir(parents=True)
    (tmp_path / "7" / "fd" / "0").write_text("no link")
    with pytest.raises(OSError) as caught:
        list(Proc(str(tmp_path)).descriptors(7))
    assert caught.value.errno == errno.EINVAL

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mountinfo as far as ns_persist reads it, names, and the record of a unit."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._create.folders import networks_fault
from ansible_collections.nsfleet.linux.plugins.module_utils._create.kept import Places, checked_name
from ansible_collections.nsfleet.linux.plugins.module_utils._create.mount_table import Row, rows, stacked
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.unit_record import FILE, Record, load, save
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.proc import Proc
from ansible_collections.nsfleet.linux.plugins.module_utils._model.entry import Refused

MOUNTINFO = r"""
30 1 0:25 / /run rw,relatime shared:5 - tmpfs tmpfs rw
31 30 0:25 /netns /run/netns rw,relatime shared:5 - tmpfs tmpfs rw
32 31 0:4 net:[4026532000] /run/netns/a\040b rw shared:9 master:3 - nsfs nsfs rw
33 32 0:4 net:[4026532001] /run/netns/a\040b rw - nsfs nsfs rw
cut off
34 30 0:4 net:[4026532000] /run/netns/a\040b rw - nsfs nsfs rw
"""


@pytest.fixture
def table(tmp_path: Path) -> list[Row]:
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "mountinfo").write_text(MOUNTINFO)
    return rows(Proc(str(tmp_path)))


def test_rows(table: list[Row]) -> None:
    assert table[2] == Row(32, 31, "0:4", "net:[4026532000]", "/run/netns/a b", 9, "nsfs")
    assert [row.number for row in table] == [30, 31, 32, 33, 34]


def test_only_what_is_mounted_on_one_another_is_stacked(table: list[Row]) -> None:
    assert stacked(table, 33) == 2 and stacked(table, 32) == 1
    assert stacked(table, 34) == 1  # below the mount of the folder
    assert stacked(table, None) == 0 and stacked(table, 99) == 0


def test_a_loop_ends() -> None:
    assert stacked([Row(1, 1, "0:1", "/", "/", None, "x")], 1) == 1


def test_no_mount_and_nothing_in_it_is_no_fault() -> None:
    assert networks_fault([]) is None


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/", "a\0", ".new-1", ".pins", "\u00fc" * 128, "\ud800"])
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(Refused, match="^name "):
        checked_name(name)


@pytest.mark.parametrize("name", ["a", "a b", "a\nb", "-", "\u00fc" * 127, 7])
def test_names_that_are_not(name: object) -> None:
    assert checked_name(name) == str(name)


def test_where_a_name_is_kept() -> None:
    places = Places("box")
    assert places.of("uts") == "/run/nsfleet/box/uts" and places.network == "/run/netns/box"
    assert places.hidden() != places.hidden("net") != places.of("net")


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = Record("boot", ["uts", "pid"], 4711, 99, "pid:[1]", "box-1")
    save(str(tmp_path), record)
    assert load(str(tmp_path)) == record and os.listdir(tmp_path) == [FILE]


@pytest.mark.parametrize("content", [
    "", "{", "[]", "null", '{"init": "1"}', '{"made": ["bad"]}', '{"made": null}', '{"made": [], "cgroup": "../../x"}',
    "[" * 60000, '{"made": 1}', *(json.dumps({**asdict(Record()), **changed}) for changed in (
        {"init": 1 << 80}, {"init": -1}, {"init": 0}, {"start_time": 1 << 80}, {"cgroup": ".."}, {"cgroup": "a\0b"}))])
def test_a_record_that_cannot_be_understood_is_none(content: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(content)
    assert load(str(tmp_path)) == Record()


def test_a_record_that_others_may_write_is_none(tmp_path: Path) -> None:
    save(str(tmp_path), Record("boot", ["uts"]))
    if os.geteuid() == 0:
        os.chown(tmp_path / FILE, 1, 1)
        assert load(str(tmp_path)) == Record()


def test_a_fifo_for_a_record_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / FILE)
    assert load(str(tmp_path)) == Record()


def test_a_process_of_another_boot_or_time_is_not_ours() -> None:
    proc = Proc()
    start = proc.stat(os.getpid()).start_time
    boot = proc.read("sys", "kernel", "random", "boot_id").decode().strip()
    assert Record(boot, [], os.getpid(), start).is_there()
    assert not Record(boot, [], os.getpid(), start + 1).is_there()
    assert not Record("other", [], os.getpid(), start).is_there()
    assert not Record(boot).is_there()


def test_a_process_that_is_none_of_ours_is_not_believed_to_be_one() -> None:
    proc = Proc()
    start, space = proc.stat(os.getpid()).start_time, os.readlink("/proc/self/ns/pid")
    boot = proc.read("sys", "kernel", "random", "boot_id").decode().strip()
    assert not Record(boot, [], os.getpid(), start, space).init_lives()

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process on its way out refuses who may not be root (EACCES): that is no refusal to be told of."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._discover.ancestors import open_namespace
from ansible_collections.nsfleet.linux.plugins.module_utils._discover.scan import Clock, Scan
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.proc import Proc
from ansible_collections.nsfleet.linux.plugins.module_utils._model.inventory import Problems

EXITING, LIVING = 0x4, 0x400000  # PF_EXITING; PF_RANDOMIZE, which nearly all have


def write_stat(folder: Path, flags: int, threads: int) -> None:
    folder.mkdir(parents=True)
    fields = ["S", "1"] + ["0"] * 48
    fields[6], fields[17] = str(flags), str(threads)
    (folder / "stat").write_text("7 (a) S 4 (b) %s\n" % " ".join(fields))


@pytest.mark.parametrize(
    "flags, threads, ending",
    [(EXITING | LIVING, 1, True), (LIVING, 1, False), (EXITING, 0, True), (EXITING, 2, False), (LIVING, 2, False)],
)
def test_a_process_ends_with_its_last_thread(flags: int, threads: int, ending: bool, tmp_path: Path) -> None:
    write_stat(tmp_path / "7", flags, threads)
    assert Proc(str(tmp_path)).is_ending(7) is ending


@pytest.mark.parametrize("flags, ending", [(EXITING, True), (LIVING, False)])
def test_a_thread_ends_alone(flags: int, ending: bool, tmp_path: Path) -> None:
    write_stat(tmp_path / "7", LIVING, 2)
    write_stat(tmp_path / "7" / "task" / "8", flags, 2)
    assert Proc(str(tmp_path)).is_ending(7, 8) is ending
    assert Proc(str(tmp_path)).is_ending(7) is False


def test_what_is_gone_has_ended(tmp_path: Path) -> None:
    assert Proc(str(tmp_path)).is_ending(7)
    assert Proc(str(tmp_path)).is_ending(7, 8)


@pytest.mark.parametrize("ending, told", [(True, errno.ENOENT), (False, errno.EACCES)])
def test_a_way_through_a_dying_process_is_gone_and_not_refused(
    ending: bool, told: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = Scan(Proc(), Problems(), Clock(10))
    scan.namespace("net:[4026533001]")
    scan.way("net:[4026533001]", 900, 900, "ns", "net")

    def refuse(path: str, *flags: int) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(Proc, "is_ending", lambda self, pid, tid=None: ending)
    with pytest.raises(OSError) as caught:
        open_namespace(scan, "net:[4026533001]")
    monkeypatch.undo()
    assert caught.value.errno == told

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the reports: written where they changed, whole, with the rights they should have."""

from __future__ import annotations

import os
import pathlib

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._report.folder import Folder


def test_only_what_changed_is_written(tmp_path: pathlib.Path) -> None:
    folder = Folder(str(tmp_path), False)
    folder.write("hosts/a.md", "one")
    folder.write("hosts/a.md", "one")
    folder.write("hosts/b.md", "two")
    assert folder.changed == ["hosts/a.md", "hosts/b.md"]
    assert (tmp_path / "hosts/a.md").read_text() == "one"


def test_nothing_is_written_in_check_mode(tmp_path: pathlib.Path) -> None:
    folder = Folder(str(tmp_path / "new"), True)
    folder.write("a.md", "one")
    assert folder.changed == ["a.md"]
    assert not (tmp_path / "new").exists()


def test_rights_are_those_that_the_umask_leaves_and_stay(tmp_path: pathlib.Path) -> None:
    folder = Folder(str(tmp_path), False)
    before = os.umask(0o027)
    try:
        folder.write("a.md", "one")
        folder.put("secret", b"one", 0o600)
        (tmp_path / "a.md").chmod(0o600)
        folder.write("a.md", "two")
        (tmp_path / "new").touch(0o666)
    finally:
        os.umask(before)
    assert (tmp_path / "a.md").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_a_link_in_its_place_is_replaced_and_not_followed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "a.md").symlink_to(tmp_path / "precious")
    Folder(str(tmp_path), False).write("a.md", "one")
    assert (tmp_path / "precious").read_text() == "precious"
    assert (tmp_path / "a.md").read_text() == "one"


def test_nothing_is_left_of_what_could_not_be_written(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.md").mkdir()
    folder = Folder(str(tmp_path), False)
    with pytest.raises(OSError):
        folder.write("a.md", "one")
    assert folder.changed == []
    assert [path.name for path in tmp_path.iterdir()] == ["a.md"]


def test_what_is_no_file_is_replaced_and_not_read(tmp_path: pathlib.Path) -> None:
    """Reading a pipe would wait for ever, and a device never end."""
    os.mkfifo(tmp_path / "a.md")
    (tmp_path / "b.md").symlink_to("/dev/zero")
    folder = Folder(str(tmp_path), False)
    for name in ("a.md", "b.md"):
        folder.write(name, "one")
        assert (tmp_path / name).is_file() and not (tmp_path / name).is_symlink()
        assert (tmp_path / name).read_text() == "one"


def test_what_a_killed_run_left_is_not_in_the_way(tmp_path: pathlib.Path) -> None:
    """In a container a run has the process ID of the one before."""
    (tmp_path / f".a.md.{os.getpid()}").write_text("half")
    Folder(str(tmp_path), False).write("a.md", "one")
    assert (tmp_path / "a.md").read_text() == "one"

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are read with one request: as good as read one by one, and each is given once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._enter import ahead_reader
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.ahead_reader import AheadReader


@pytest.fixture
def files(tmp_path: Path) -> Iterator[AheadReader]:
    with AheadReader(str(tmp_path), timeout=5.0) as opened:
        yield opened


def test_what_was_read_ahead_is_given_once_and_then_read_again(files: AheadReader, tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"1")
    (tmp_path / "empty").write_bytes(b"")
    files.read_ahead(["/one", "/missing", "/empty"], 100)
    (tmp_path / "one").write_bytes(b"2")
    assert [files.read("/one"), files.read("/one"), files.read("/empty")] == [b"1", b"2", b""]
    with pytest.raises(FileNotFoundError):
        files.read("/missing")


def test_what_is_too_long_to_be_read_ahead_is_read_by_itself(files: AheadReader, tmp_path: Path) -> None:
    (tmp_path / "long").write_bytes(b"x" * 101)
    files.read_ahead(["/long"], 100)
    assert files.read("/long") == b"x" * 101


def test_a_hang_while_reading_ahead_costs_only_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = ahead_reader.read_regular

    def stuck(path: str, limit: int, owner: int | None = None) -> bytes:
        if path.endswith("stuck"):
            signal.pause()
        return real(path, limit, owner)

    monkeypatch.setattr(ahead_reader, "read_regular", stuck)
    (tmp_path / "state").write_bytes(b"x")
    with AheadReader(str(tmp_path), timeout=0.4) as files:
        files.read_ahead(["/state", "/stuck"], 100)
        assert files.read("/state") == b"x"

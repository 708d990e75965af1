# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the disk, read by a child that may hang, die or meet anything."""

from __future__ import annotations

import errno
import os
import signal
import time
from pathlib import Path
from typing import Iterator

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import reader
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.reader import FileReader, read_regular


@pytest.fixture
def files(tmp_path: Path) -> Iterator[FileReader]:
    with FileReader(str(tmp_path), timeout=5.0) as opened:
        yield opened


def refusal(files: FileReader, path: str, **options: int) -> int:
    with pytest.raises(OSError) as caught:
        files.read(path, **options)
    return caught.value.errno or 0


def children() -> set[int]:
    # By their parent: this may run beside other tests' children.
    found = set()
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                with open("/proc/%s/stat" % name, "rb") as stream:
                    if int(stream.read().rpartition(b")")[2].split()[1]) == os.getpid():
                        found.add(int(name))
            except OSError:
                pass
    return found


def test_a_file_s_bytes_are_read_whole(files: FileReader, tmp_path: Path) -> None:
    content = os.urandom(300000)
    (tmp_path / "state").write_bytes(content)
    assert files.read("/state") == content


def test_an_empty_file_is_empty(files: FileReader, tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"")
    assert files.read("/state") == b""


def test_a_file_of_just_the_limit_is_read_and_a_larger_one_refused(files: FileReader, tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"x" * 100)
    assert len(files.read("/state", limit=100)) == 100
    assert refusal(files, "/state", limit=99) == errno.EFBIG


@pytest.mark.parametrize("kind", ["fifo", "folder", "device"])
def test_what_is_no_regular_file_is_refused_at_once(files: FileReader, tmp_path: Path, kind: str) -> None:
    if kind == "fifo":
        os.mkfifo(tmp_path / "state")
    elif kind == "folder":
        (tmp_path / "state").mkdir()
    else:
        (tmp_path / "state").symlink_to("/dev/zero")
    start = time.monotonic()
    assert refusal(files, "/state") == errno.EINVAL
    assert time.monotonic() - start < 4


def test_a_missing_file_and_a_ring_of_links_keep_their_errno(files: FileReader, tmp_path: Path) -> None:
    (tmp_path / "ring").symlink_to("ring")
    assert refusal(files, "/missing") == errno.ENOENT
    assert refusal(files, "/ring") == errno.ELOOP


def test_a_file_of_somebody_else_is_refused_where_the_owner_matters(files: FileReader, tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"x")
    assert files.read("/state", owner=os.getuid()) == b"x"
    assert refusal(files, "/state", owner=os.getuid() + 1) == errno.EPERM


def test_a_path_with_a_nul_byte_is_refused(files: FileReader) -> None:
    assert refusal(files, "/a\0b") == errno.EINVAL


def test_a_path_that_is_no_unicode_is_no_failure_of_later_requests(files: FileReader, tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff")).write_bytes(b"odd")
    (tmp_path / "state").write_bytes(b"x")
    assert files.read(os.fsdecode(b"/\xff")) == b"odd"
    assert files.read("/state") == b"x"


def test_a_folder_is_listed_in_order_up_to_a_limit(files: FileReader, tmp_path: Path) -> None:
    for name in ("c", "a", "b"):
        (tmp_path / name).mkdir()
    assert files.listdir("/") == ["a", "b", "c"]
    assert len(files.listdir("/", limit=2)) == 2
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        files.listdir("/file")


def test_a_child_that_hangs_costs_its_own_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = reader.read_regular

    def stuck(path: str, limit: int, owner: int | None = None) -> bytes:
        while path.endswith("/stuck"):
            signal.pause()
        return real(path, limit, owner)

    monkeypatch.setattr(reader, "read_regular", stuck)
    (tmp_path / "state").write_bytes(b"x")
    before, start = children(), time.monotonic()
    with FileReader(str(tmp_path), timeout=1.0) as files:
        assert files.read("/state") == b"x"
        assert refusal(files, "/stuck") == errno.ETIMEDOUT
        assert files.read("/state") == b"x"
        # The next hang is given half the time.
        assert refusal(files, "/stuck") == errno.ETIMEDOUT
        assert files.read("/state") == b"x"
    assert time.monotonic() - start < 6
    assert children() == before


def test_a_child_that_is_killed_is_replaced(files: FileReader, tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"x")
    before = children()
    files.read("/state")
    child = (children() - before).pop()
    os.kill(child, signal.SIGKILL)
    assert refusal(files, "/state") == errno.ETIMEDOUT
    assert files.read("/state") == b"x"


def test_whatever_goes_wrong_in_the_child_is_an_error_of_that_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: str, limit: int, owner: int | None = None) -> bytes:
        raise RuntimeError("\udcff" + "x" * 1000)

    monkeypatch.setattr(reader, "read_regular", broken)
    (tmp_path / "folder").mkdir()
    with FileReader(str(tmp_path)) as files:
        assert refusal(files, "/state") == errno.EIO
        assert files.listdir("/") == ["folder"]


def test_nothing_is_asked_when_the_time_is_up(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"x")
    before = children()
    with FileReader(str(tmp_path), until=time.monotonic() - 1) as files:
        assert refusal(files, "/state") == errno.ETIMEDOUT
        assert children() == before


def test_no_descriptor_and_no_child_is_left(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"x")
    before = (os.listdir("/proc/self/fd"), children())
    for dummy in range(5):
        with FileReader(str(tmp_path)) as files:
            files.read("/state")
            with pytest.raises(OSError):
                files.read("/missing")
    assert (os.listdir("/proc/self/fd"), children()) == before


def test_the_child_has_none_of_our_streams(tmp_path: Path) -> None:
    """Ansible waits until everybody has closed the module's output."""
    (tmp_path / "state").write_bytes(b"x")
    before = children()
    with FileReader(str(tmp_path)) as files:
        files.read("/state")
        child = (children() - before).pop()
        assert {os.readlink("/proc/%d/fd/%d" % (child, stream)) for stream in (0, 1, 2)} == {"/dev/null"}


def test_without_a_child_the_same_limits_hold(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"x" * 10)
    assert read_regular(str(tmp_path / "state"), 10) == b"x" * 10
    with pytest.raises(OSError) as caught:
        read_regular(str(tmp_path / "state"), 9)
    assert caught.value.errno == errno.EFBIG


def test_what_cannot_hang_is_read_without_a_child(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"x")
    before = children()
    with FileReader(str(tmp_path)) as files:
        assert files.read_here("/state") == b"x"
        assert children() == before
        with pytest.raises(FileNotFoundError):
            files.read_here("/missing")

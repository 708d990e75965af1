# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The readers of bbolt and SQLite files, beside what real engines and the real SQLite wrote."""

from __future__ import annotations

import sqlite3
import struct
import tempfile
import time
from pathlib import Path
from typing import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from recorded.databases import BOLT_STATE, META, unpacked

from ansible_collections.nsfleet.linux.plugins.module_utils._engines.databases import Bolt, Sqlite

BOLT = {"podman": unpacked(BOLT_STATE), "containerd": unpacked(META)}
ROWS = st.lists(st.tuples(st.text(max_size=80), st.none() | st.text(max_size=9000)), max_size=40)


def written(rows: list[tuple[str, str | None]], page_size: int = 4096) -> bytes:
    """A database with the table C(wanted) among others."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "db"
        database = sqlite3.connect(path)
        database.execute(f"PRAGMA page_size = {page_size}")
        database.execute("CREATE TABLE other(a TEXT, b TEXT)")
        database.execute("CREATE TABLE wanted(number INTEGER, a TEXT, b TEXT)")
        database.execute("CREATE INDEX by_a ON wanted(a)")
        database.execute("INSERT INTO other VALUES ('no', 'no')")
        database.executemany("INSERT INTO wanted VALUES (7, ?, ?)", rows)
        database.commit()
        database.close()
        return path.read_bytes()


SQLITE = written([(str(number), "x" * 50 * number) for number in range(200)])


def test_a_value_of_a_bucket_in_a_bucket() -> None:
    assert Bolt(BOLT["containerd"]).value("v1", "nsfleet", "containers", "from-image", "image") == b"example.org/team/web:1.2"


def test_the_values_of_a_bucket() -> None:
    found = Bolt(BOLT["containerd"]).values("v1", "nsfleet", "containers", "from-image", "labels")
    assert found[b"com.example.team"] == b"blue"


@pytest.mark.parametrize(
    "path",
    [("v1",), ("v1", "nothing"), ("nothing", "at", "all"), ("v1", "nsfleet", "containers", "from-image", "image", "more"), ()],
)
def test_what_is_not_there_or_a_bucket_is_no_value(path: tuple[str, ...]) -> None:
    assert Bolt(BOLT["containerd"]).value(*path) is None


def test_a_value_that_fills_pages() -> None:
    identity = "7455b1783154feb0ee8a1e2ddc86281394476f96e9cc76222f1cd20c24d3b6d6"
    found = Bolt(BOLT["podman"]).value("ctr", identity, "config")
    assert found is not None and len(found) > 4096 and found.startswith(b"{") and found.endswith(b"}")


@settings(max_examples=200, deadline=2000)
@given(st.sampled_from(sorted(BOLT)), st.integers(0, 131072))
def test_a_bolt_file_cut_anywhere(which: str, size: int) -> None:
    database = Bolt(BOLT[which][:size])
    database.value("v1", "nsfleet", "containers", "from-image", "image")
    database.values("ctr", "x")


@settings(max_examples=200, deadline=5000)
@given(st.sampled_from(sorted(BOLT)), st.lists(st.tuples(st.integers(0, 131071), st.integers(0, 255)), max_size=60))
def test_a_bolt_file_with_any_bytes_changed(which: str, changes: list[tuple[int, int]]) -> None:
    data = bytearray(BOLT[which])
    for place, byte in changes:
        # Where headers and elements are, rather than in the middle of nothing.
        data[place // 4096 * 4096 + place % 64] = byte
    for path in (("v1", "nsfleet", "containers", "from-image", "image"), ("ctr", "x", "config"), ("pod", "y")):
        Bolt(bytes(data)).value(*path)


@settings(max_examples=60, deadline=5000)
@given(ROWS, st.sampled_from([512, 1024, 4096, 65536]))
def test_rows_are_those_that_sqlite_wrote(rows: list[tuple[str, str | None]], page_size: int) -> None:
    found = sorted(Sqlite(written(rows, page_size)).rows("wanted"), key=repr)
    expected = [[None, a.encode(), None if b is None else b.encode()] for a, b in rows]
    assert found == sorted(expected, key=repr)


def test_a_table_of_many_levels() -> None:
    rows = [(str(number), "y" * 300) for number in range(3000)]
    assert len(list(Sqlite(written(rows, 512)).rows("wanted"))) == 3000


def test_a_table_that_is_not_there_has_no_rows() -> None:
    assert list(Sqlite(SQLITE).rows("nothing")) == []


@settings(max_examples=200, deadline=2000)
@given(st.integers(0, len(SQLITE)))
def test_a_sqlite_file_cut_anywhere(size: int) -> None:
    assert len(list(Sqlite(SQLITE[:size]).rows("wanted"))) <= 200


@settings(max_examples=200, deadline=5000)
@given(st.lists(st.tuples(st.integers(0, len(SQLITE) - 1), st.integers(0, 255)), max_size=60))
def test_a_sqlite_file_with_any_bytes_changed(changes: list[tuple[int, int]]) -> None:
    data = bytearray(SQLITE)
    for place, byte in changes:
        data[place // 4096 * 4096 + place % 120] = byte
    for dummy in Sqlite(bytes(data)).rows("wanted"):
        pass


def seconds_of(work: Callable[[], object]) -> float:
    before = time.monotonic()
    work()
    return time.monotonic() - before


def test_a_sqlite_file_made_to_take_long() -> None:
    # The table is a page of 65,535 cells that are nearly all the same one: 4 MB in a chain of 1,000 pages.
    cell = b"\x82\x80\x80\x00" + b"\x01" + b"\x02\x8f\xff\x71".ljust(517, b"\0") + struct.pack(">I", 4)
    page = struct.pack(">BHHHB", 13, 0, 65535, 0, 0) + struct.pack(">H", 3500) * 1746
    chain = [struct.pack(">I", number + 1).ljust(4096, b"x") for number in range(4, 1100)]
    data = SQLITE[:8192] + page.ljust(3500, b"\0") + cell.ljust(596, b"\0") + b"".join(chain)
    found: list[object] = []
    assert seconds_of(lambda: found.extend(Sqlite(data).rows("wanted"))) < 5
    assert found


@pytest.mark.parametrize("flags", [1, 2], ids=["branch", "leaf"])
def test_a_bolt_file_made_to_take_long(flags: int) -> None:
    element = struct.pack("<IIQ", 16, 8, 5) if flags == 1 else struct.pack("<IIII", 0, 16, 8, 1 << 20)
    data = BOLT["podman"][:8192] + (struct.pack("<QHHI", 0, flags, 65535, 0) + element * 255) * 4000
    database = Bolt(data)
    assert seconds_of(lambda: [database.value("ctr", str(number)) for number in range(200)]) < 5


@pytest.mark.parametrize("reader", [Bolt, Sqlite])
@settings(max_examples=100)
@given(data=st.binary(max_size=9000))
@example(data=bytes(8) + b"\x01\0\0\x01" + bytes(19) + b"\x01")
def test_no_database_at_all(reader: type, data: bytes) -> None:
    database = reader(data)
    if isinstance(database, Bolt):
        assert database.value("a", "b") is None
    else:
        assert list(database.rows("wanted")) == []

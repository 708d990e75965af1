# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Foreign text in a table: one line, no control characters, of the width that was promised."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nsfleet.linux.plugins.module_utils._report.table import Column, table
from ansible_collections.nsfleet.linux.plugins.module_utils._report.text import (
    cut,
    pad,
    printable,
    short_id,
    width,
    wrap,
)

ANY = st.text(st.characters(exclude_categories=[]), max_size=60)


@given(ANY)
def test_what_is_shown_is_printable_and_one_line(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable() or shown == ""
    shown.encode("utf-8")


def test_escapes_are_readable() -> None:
    assert printable("a\x1b[31m\r\n\u202e\ud800") == "a\\x1b[31m\\r\\n\\u202e\\ud800"


def test_plain_text_stays_as_it_is() -> None:
    assert printable("docker.io/library/nginx:1.25 ü 名") == "docker.io/library/nginx:1.25 ü 名"


def test_wide_and_combining_characters_are_counted() -> None:
    assert width("名前") == 4
    assert width("e\u0301") == 1


@given(ANY.map(printable), st.integers(0, 30), st.sampled_from(["start", "middle", "end"]))
def test_what_is_cut_fits_and_is_filled_up_exactly(text: str, columns: int, where: str) -> None:
    shorter = cut(text, columns, where)
    assert width(shorter) <= columns
    assert width(pad(shorter, columns)) == columns
    assert shorter == text or "\u2026" in shorter or columns == 0


def test_each_end_can_be_kept() -> None:
    assert cut("web-frontend-0042", 9, "middle") == "web-…0042"
    assert cut("registry/team/nginx:1.25", 11, "start") == "…nginx:1.25"
    assert cut("net: web-frontend", 8) == "net: we…"


@given(ANY.map(printable), st.integers(10, 40))
def test_no_wrapped_line_is_too_long(text: str, columns: int) -> None:
    assert max(map(width, wrap(text, columns, hanging="  "))) <= columns


@given(st.lists(st.tuples(ANY, ANY, ANY), max_size=8), st.integers(30, 80))
def test_no_row_of_a_table_is_too_long_and_columns_are_aligned(rows: list[tuple[str, ...]], room: int) -> None:
    columns = [Column("NAME", "middle"), Column("IMAGE", "start"), Column("SHARED", "end")]
    lines, left_out = table(columns, rows, room)
    assert len(lines) == len(rows) + 1
    assert left_out == []
    assert max(map(width, lines)) <= room


def test_numbers_stand_on_the_right() -> None:
    assert table([Column("PID", right=True), Column("X")], [["7", "a"], ["1234", "b"]], 40)[0] == [
        "   PID  X", "     7  a", "  1234  b",
    ]  # fmt: skip


def test_the_widest_column_gives_first() -> None:
    lines, dummy = table([Column("A", "end"), Column("B", "end")], [["x" * 40, "y" * 14]], 38)
    assert lines[1] == "  " + "x" * 19 + "…  " + "y" * 14


def test_columns_that_find_no_place_are_named() -> None:
    assert table([Column("NAME"), Column("PID")], [["x" * 20, "12345"]], 25)[1] == ["PID"]


def test_only_an_engine_s_long_id_is_shortened() -> None:
    assert short_id("3f0c" * 16) == "3f0c3f0c3f0c"
    assert short_id("unknown-4026532184-158231") == "unknown-4026532184-158231"

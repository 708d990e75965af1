# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever JSON goes into columns comes out unchanged; columns that nobody wrote are refused, and never grow."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.nsfleet.linux.plugins.module_utils._columns import from_columns, to_columns

IDS = st.sampled_from(["0" * 64, "f" * 32, "net:[4026531840]", "02:42:ac:11:00:02"])
TEXTS = st.text(max_size=20) | IDS | st.builds(lambda one, other: one + "/" + other, IDS, st.text(max_size=3))
SCALARS = st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=12) | st.dictionaries(TEXTS, inner, max_size=5), max_leaves=60,
)
ROWS = st.lists(st.fixed_dictionaries({"id": IDS, "pid": st.integers(0, 1 << 40), "list": st.lists(SCALARS, max_size=3)}))


def through_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


@given(VALUES | ROWS | st.dictionaries(TEXTS, ROWS))
@settings(deadline=None)
def test_what_goes_in_comes_out(value: Any) -> None:
    found = from_columns(through_json(to_columns(value)))
    assert found == value
    # Equal is not the same: 1 == 1.0 == True.
    assert json.dumps(found) == json.dumps(value)


@pytest.mark.parametrize("text", ["\U000f0000", "\U000ffffd", "a\U000f0001b"])
def test_characters_that_stand_for_ids_are_no_ids_in_the_data(text: str) -> None:
    value = [{"a": text, "id": "0" * 64}, {"a": text, "id": "0" * 64}]
    assert from_columns(through_json(to_columns(value))) == value


def test_rows_alike_take_less_room_than_as_json() -> None:
    rows = [{"name": "net:[%d]" % (4026532000 + at), "inode": 4026532000 + at, "pid": 100 + at, "id": "%064x" % at,
             "of": "%064x" % at} for at in range(500)]
    sizes = [len(zlib.compress(json.dumps(value).encode(), 9)) for value in (rows, to_columns(rows))]
    assert sizes[1] < 0.7 * sizes[0]


@given(VALUES, st.data())
@settings(deadline=None)
def test_columns_that_were_tampered_with_are_refused_or_harmless(value: Any, data: st.DataObject) -> None:
    packed = through_json(to_columns(value))
    places = list(_places(packed))
    where, key = data.draw(st.sampled_from(places))
    where[key] = data.draw(SCALARS | st.just([]) | st.just({}) | st.just([1, 2]))
    try:
        json.dumps(from_columns(packed))
    except ValueError:
        return


def _places(value: Any) -> Any:
    for key in (list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()):
        yield value, key
        yield from _places(value[key])


@pytest.mark.parametrize("column", [
    [float("nan")], [float("inf")], [1 << 64], {"+": [10 ** 4000]}, {"l": [2], "c": {"d": [[["a"], [[1]]]], "i": [0, -1]}},
    {"l": [10 ** 12], "c": []}, {"l": [-1], "c": []}, {"l": [True], "c": ["a"]}, {"d": [[["a"], [[1]]]], "i": 2},
    {"d": [[[], []]] * 5, "i": [0]}, {"+": ["a"]}, {"m": "dd", "p": {}}, {"k": [1], "n": [7], "c": [7]}, "text", None, 7,
], ids=repr)
def test_columns_that_do_not_fit_are_refused(column: Any) -> None:
    with pytest.raises(ValueError):
        from_columns({"ids": [], "column": column})


def test_small_columns_cannot_ask_for_much_memory() -> None:
    # Each level would hold ten times what the one above holds.
    column: Any = {"d": [[[], []]], "i": 10 ** 9}
    for at in range(8, -1, -1):
        column = {"l": [10] * 10 ** min(at, 2), "c": column}
    with pytest.raises(ValueError):
        from_columns({"ids": [], "column": column})
    with pytest.raises(ValueError, match="more than a host"):
        from_columns({"ids": ["0" * 64], "column": {"l": [6_000_000], "c": {"d": [[[], []]], "i": 6_000_000}}})
    with pytest.raises(ValueError, match="more than a host"):
        from_columns({"ids": ["0" * 64], "column": ["\U000f0000" * 4_000_000]})

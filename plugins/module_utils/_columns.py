"""JSON laid out by columns, so that zlib finds what rows have in common; and back.

A list of rows becomes one list for each key, as in column-oriented databases: equal values lie side by side, and keys
are written once. What occurs again, as IDs do, is numbered. Hosts are not trusted: what is taken back is checked, and
bounded.
"""
from __future__ import annotations

import collections
import itertools
import math
import re
from typing import Any, Dict, Iterator, List

# What occurs in many places: IDs, names of namespaces, hardware addresses.
_ID = re.compile(r"[0-9a-f]{32,64}|[a-z]+:\[[0-9]{6,10}\]|(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")
# One character of a private use plane stands for each. Where the data has such a one itself, nothing is numbered.
_FIRST, _LAST = 0xF0000, 0xFFFFD
_NUMBER = re.compile("[%c-%c]" % (_FIRST, _LAST))
MOST_VALUES = 5_000_000
_MOST_CHARACTERS = 20_000_000
_BIGGEST = 1 << 64
_LONGEST_ID = 64
_DEEPEST = 40

Column = Any


def to_columns(value: Any) -> dict[str, Any]:
    """The same value as C({"ids": [...], "column": ...}); only what JSON has may be in it."""
    ids: Dict[str, int] = {}
    seen: Dict[str, bool] = {}
    for text in _texts(value):
        if _NUMBER.search(text):
            return {"ids": [], "column": _shred([value], {})}
        for found in _ID.findall(text):
            if found in seen and len(ids) <= _LAST - _FIRST:
                ids.setdefault(found, len(ids))
            seen[found] = True
    return {"ids": list(ids), "column": _shred([value], ids)}


def from_columns(packed: Any) -> Any:
    """The value that C(to_columns) was given. Raises ValueError for anything that it cannot have written."""
    try:
        ids, column = packed["ids"], packed["column"]
        if not all(isinstance(one, str) and len(one) <= _LONGEST_ID for one in ids):
            raise ValueError("ids that are none")
        values = _Reader(ids).read(column, 1, 0)
    except (TypeError, KeyError, IndexError, AttributeError, RecursionError, StopIteration) as error:
        raise ValueError("no columns: %s" % error) from error
    return values[0]


def _texts(value: Any) -> Iterator[str]:
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            pending.extend(one)
            pending.extend(one.values())
        elif isinstance(one, list):
            pending.extend(one)


def _shred(values: List[Any], ids: Dict[str, int]) -> Column:
    """One column: a list of scalars, or by kind C(+) numbers, C(d) and C(k) dictionaries, C(l) lists, C(m) mixed."""
    kinds = {_kind(value) for value in values}
    if kinds <= {"s"}:
        steps = _steps(values)
        return steps or [_numbered(value, ids) if isinstance(value, str) and ids else value for value in values]
    if len(kinds) > 1:
        parts = {kind: _shred([value for value in values if _kind(value) == kind], ids) for kind in sorted(kinds)}
        return {"m": "".join(_kind(value) for value in values), "p": parts}
    if kinds == {"l"}:
        return {"l": [len(value) for value in values], "c": _shred([one for value in values for one in value], ids)}
    if all(_is_map(value) for value in values):
        keys = _shred([key for value in values for key in value], ids)
        return {"k": [len(value) for value in values], "n": keys,
                "c": _shred([one for value in values for one in value.values()], ids)}
    shapes: Dict[Any, List[Any]] = {}
    for value in values:
        shapes.setdefault(tuple(value), []).append(value)
    order = {shape: number for number, shape in enumerate(shapes)}
    return {
        "d": [[list(shape), [_shred([row[key] for row in rows], ids) for key in shape]]
              for shape, rows in shapes.items()],
        "i": [order[tuple(value)] for value in values] if len(shapes) > 1 else len(values),
    }


def _steps(values: List[Any]) -> Column:
    """Whole numbers by how much each is more than the one before, where that is shorter."""
    if len(values) < 8 or not all(_is_whole(value) for value in values):
        return None
    steps = [after - before for before, after in zip([0] + values, values)]
    return {"+": steps} if len(str(steps)) < len(str(values)) else None


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _kind(value: Any) -> str:
    return "d" if isinstance(value, dict) else "l" if isinstance(value, list) else "s"


def _is_map(value: Dict[str, Any]) -> bool:
    """Whether the keys are names of things, which are alike, rather than the fields of one thing."""
    return len(value) > 1 and all(isinstance(one, dict) for one in value.values())


def _numbered(text: str, ids: Dict[str, int]) -> str:
    # Nothing that is numbered is shorter.
    if len(text) < 12:
        return text
    return _ID.sub(lambda found: chr(_FIRST + ids[found.group()]) if found.group() in ids else found.group(), text)


class _Reader:
    """Reads columns back, no more than a controller can bear."""

    def __init__(self, ids: List[str]) -> None:
        self._ids = ids
        self._values = 0
        self._characters = 0

    def read(self, column: Column, count: int, depth: int) -> List[Any]:
        """The C(count) values of a column."""
        self._values += count
        if self._values > MOST_VALUES or depth > _DEEPEST:
            raise ValueError("more than a host can have to tell")
        if isinstance(column, list):
            _must(len(column) == count)
            return [self._text(value) if isinstance(value, str) else _scalar(value) for value in column]
        if "+" in column:
            _must(len(column["+"]) == count and all(_is_whole(step) for step in column["+"]))
            return [_scalar(value) for value in itertools.accumulate(column["+"])]
        if "m" in column:
            sizes = collections.Counter(column["m"])
            _must(len(column["m"]) == count and sizes.keys() == column["p"].keys())
            parts = {kind: iter(self.read(part, sizes[kind], depth + 1)) for kind, part in column["p"].items()}
            return [next(parts[kind]) for kind in column["m"]]
        if "l" in column:
            return self._lists(column["l"], column["c"], count, depth)
        if "k" in column:
            names = self._lists(column["k"], column["n"], count, depth)
            _must(all(isinstance(name, str) for row in names for name in row))
            rows = self._lists(column["k"], column["c"], count, depth)
            return [dict(zip(*row)) for row in zip(names, rows)]
        return self._rows(column, count, depth)

    def _lists(self, lengths: List[int], column: Column, count: int, depth: int) -> List[Any]:
        _must(len(lengths) == count and all(_is_whole(length) and length >= 0 for length in lengths))
        flat = iter(self.read(column, sum(lengths), depth + 1))
        return [[next(flat) for dummy in range(length)] for length in lengths]

    def _rows(self, column: Column, count: int, depth: int) -> List[Any]:
        shapes, which = column["d"], column["i"]
        if isinstance(which, int):
            _must(which == count and len(shapes) == 1)
            which = [0] * count
        _must(len(which) == count)
        sizes = collections.Counter(which)
        rows = []
        for number, (keys, columns) in enumerate(shapes):
            _must(len(keys) == len(columns) and all(isinstance(key, str) for key in keys))
            size = sizes[number]
            # Nothing is read for nothing: a shape costs as much as its values.
            _must(size > 0)
            parts = [self.read(part, size, depth + 1) for part in columns]
            rows.append(iter([dict(zip(keys, row)) for row in zip(*parts)] if keys else [{} for dummy in range(size)]))
        return [next(rows[number]) for number in which]

    def _text(self, text: str) -> str:
        if self._ids and not text.isascii():
            # Before they are put in: each may stand for many more characters.
            self._spend(_LONGEST_ID * (len(text) - len(_NUMBER.sub("", text))))
            text = _NUMBER.sub(lambda found: self._ids[ord(found.group()) - _FIRST], text)
        self._spend(len(text))
        return text

    def _spend(self, characters: int) -> None:
        self._characters += characters
        if self._characters > _MOST_CHARACTERS:
            raise ValueError("more than a host can have to tell")


def _scalar(value: Any) -> Any:
    # JSON has no word for NaN and Infinity, and no kernel such numbers.
    if isinstance(value, float):
        _must(math.isfinite(value))
    else:
        _must(value is None or (isinstance(value, int) and -_BIGGEST < value < _BIGGEST))
    return value


def _must(right: bool) -> None:
    if not right:
        raise ValueError("columns that do not fit together")

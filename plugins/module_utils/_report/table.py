"""A table for the terminal: columns are as wide as their content needs, and are cut when together they are too wide."""
from __future__ import annotations

from typing import NamedTuple, Sequence

from .text import cut, pad, printable, width

_GAP = "  "


class Column(NamedTuple):
    """A column. C(cut) says where too long text loses (end, start, middle); a column without it is never cut.

    When there is too little room, columns give down to C(fair) columns first, and then down to C(least).
    """

    title: str
    cut: str = ""
    right: bool = False
    fair: int = 12
    least: int = 8


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], room: int, indent: str = "  "
) -> tuple[list[str], list[str]]:
    """The lines, heading first, none wider than C(room); and the titles of columns that found no place at all."""
    cells = [[printable(cell) for cell in row] for row in rows]
    wanted = [
        max([width(column.title)] + [width(row[index]) for row in cells]) for index, column in enumerate(columns)
    ]
    chosen = list(range(len(columns)))
    room -= len(indent)
    left_out: list[str] = []
    while True:
        widths = _fit([columns[index] for index in chosen], [wanted[index] for index in chosen], room)
        if widths or len(chosen) == 1:
            break
        left_out.insert(0, columns[chosen.pop()].title)
    widths = widths or [room]
    lines = []
    for row in [[column.title for column in columns]] + cells:
        parts = [
            pad(cut(row[index], size, columns[index].cut or "end"), size, columns[index].right)
            for index, size in zip(chosen, widths)
        ]
        lines.append((indent + _GAP.join(parts)).rstrip())
    return lines, left_out


def fits(columns: Sequence[Column], cells: Sequence[Sequence[str]], room: int, indent: str = "  ") -> bool:
    """Whether nothing of it has to be cut; C(cells) by column."""
    wanted = [
        max([width(column.title)] + [width(printable(cell)) for cell in of]) for column, of in zip(columns, cells)
    ]
    return len(indent) + sum(wanted) + len(_GAP) * (len(wanted) - 1) <= room


def _fit(columns: Sequence[Column], wanted: Sequence[int], room: int) -> list[int]:
    """Widths that fit into the room; of what may be cut the widest gives first. Empty when there is no way."""
    widths = list(wanted)
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - room
    for limit in ("fair", "least"):
        lowest = [
            min(size, max(getattr(column, limit), len(column.title))) if column.cut else size
            for column, size in zip(columns, widths)
        ]
        while excess > 0 and widths != lowest:
            widest = max(range(len(widths)), key=lambda index: (widths[index] > lowest[index], widths[index]))
            widths[widest] -= 1
            excess -= 1
    return widths if excess <= 0 else []

"""Text of others (names, labels, messages) made fit for a terminal: one line, no control characters, of known width."""
from __future__ import annotations

import unicodedata
from typing import Any

ELLIPSIS = "\u2026"
_LONGEST = 4096


def printable(value: Any) -> str:
    """The value as one line. What is not printable (newline, escape, direction mark, ...) is shown as its escape."""
    text = str(value)[:_LONGEST]
    # The usual case is plain ASCII: one test instead of a loop.
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")


def width(text: str) -> int:
    """Columns that a terminal needs for it; East Asian wide characters need two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, columns: int, where: str = "end") -> str:
    """At most so many columns, with an ellipsis at the C(end), C(start) or C(middle) for what was left out."""
    if width(text) <= columns:
        return text
    if columns <= 0:
        return ""
    room = columns - 1
    if where == "start":
        return ELLIPSIS + _last(text, room)
    if where == "middle":
        tail = _last(text, room // 2)
        return _first(text, room - width(tail)) + ELLIPSIS + tail
    return _first(text, room).rstrip(" " + ELLIPSIS) + ELLIPSIS


def _first(text: str, columns: int) -> str:
    taken = 0
    for position, character in enumerate(text):
        taken += _columns(character)
        if taken > columns:
            return text[:position]
    return text


def _last(text: str, columns: int) -> str:
    taken = 0
    for position in range(len(text) - 1, -1, -1):
        taken += _columns(text[position])
        if taken > columns:
            return text[position + 1:]
    return text


def pad(text: str, columns: int, right: bool = False) -> str:
    """Filled up with blanks on the right, or on the left for numbers (C(right) aligned)."""
    blanks = " " * (columns - width(text))
    return blanks + text if right else text + blanks


def wrap(text: str, columns: int, indent: str = "", hanging: str = "") -> list[str]:
    """Lines of at most so many columns, broken at blanks; a word that is longer than a line is cut."""
    lines: list[str] = []
    line, empty = indent, True
    for word in text.split():
        if not empty and width(line) + 1 + width(word) > columns:
            lines.append(line)
            line, empty = hanging, True
        word = cut(word, columns - width(line), "middle") if empty else word
        line += word if empty else " " + word
        empty = False
    lines.append(line)
    return lines


def short_id(found: object) -> str:
    """The first 12 digits of an engine's ID of 64, any other whole."""
    name = str(found)
    return name[:12] if len(name) == 64 and not set(name) - set("0123456789abcdef") else name

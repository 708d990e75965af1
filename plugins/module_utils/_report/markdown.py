"""Text of others as GitHub's Markdown: a name is data, nothing in it becomes markup, link or mention."""
from __future__ import annotations

import re
from typing import Any, List, Sequence

from .text import printable

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}
_MARKED = {ord(character): "\\" + character for character in "\\`*[]#|~!$"}
_MARKED.update((ord(character), entity) for character, entity in _ENTITIES.items())


def escape(value: Any) -> str:
    """The value as text that Markdown shows as it is, also in a cell of a table."""
    text = printable(value)
    if text.isalnum():
        return text
    text = text.translate(_MARKED)
    # Underscores inside a word are no emphasis. Addresses become links by themselves.
    text = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text).replace("://", "&#58;//")
    return re.sub(r"(?i)(www)\.", r"\1&#46;", text)


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> List[str]:
    """A table of cells that are Markdown already."""
    lines = ["| {} |".format(" | ".join(titles)), "|%s" % (" --- |" * len(titles))]
    return lines + ["| {} |".format(" | ".join(row)) for row in rows]

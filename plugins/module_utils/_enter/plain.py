"""Names that a container gave, as one line of text."""
from __future__ import annotations


def plain(text: str) -> str:
    """The text without anything that moves a cursor, begins a line or is no Unicode: that is shown as C(\\x1b)."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _shown(ord(char)) for char in text)


def _shown(code: int) -> str:
    # os.fsdecode gives bytes that are no UTF-8 as U+DC80 to U+DCFF.
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    return "\\x%02x" % code if code < 0x100 else "\\u%04x" % code

"""State files: what is absent is no error, what cannot be read is remembered, what is read is data.

Users and containers write into them: each value is bounded, of the type we want, and printable.
"""
from __future__ import annotations

import errno
import json
import os
from typing import Any

from .._kernel.proc import text
from .view import View

NAME, IMAGE, LABEL = 255, 512, 1024
MAX_LABELS = 64
_ABSENT = (errno.ENOENT, errno.ENOTDIR)


class Lookup:
    """Reads files that must belong to C(owner) (None: whoever's) and keeps the first trouble in C(trouble)."""

    def __init__(self, view: View, owner: int | None = None) -> None:
        self._view = view
        self._owner = owner
        self.trouble: OSError | None = None

    def report(self, what: str) -> None:
        if self.trouble is not None:
            self._view.problems.error(what, self.trouble)

    def raw(self, path: str, limit: int = 0) -> bytes | None:
        """The content of a file of at most C(limit) bytes; None when it cannot be had."""
        # Users' files are read before some of root's.
        limit = limit or (4 << 20 if self._owner is None else 1 << 18)
        dead: list[str] = self._view.once("dead folders", list)
        # One stuck file system costs its deadline once, not once a container.
        if not path.startswith("/"):
            return None
        if any(path.startswith(folder) for folder in dead):
            self.trouble = self.trouble or TimeoutError(errno.ETIMEDOUT, "no answer from the file system", path)
            return None
        try:
            return self._view.files.read(path, limit, self._owner)
        except OSError as error:
            if isinstance(error, TimeoutError):
                dead.append(os.path.dirname(os.path.dirname(path)) + "/")
            if error.errno not in _ABSENT:
                self.trouble = self.trouble or error
            return None

    def parse(self, raw: Any, path: str) -> Any:
        """JSON as data; what is cut off is trouble."""
        try:
            return json.loads(raw, parse_int=_integer) if isinstance(raw, (bytes, str)) else None
        except (ValueError, RecursionError):
            self.trouble = self.trouble or OSError(errno.EBADMSG, "no valid JSON", path)
            return None

    def json(self, path: str) -> dict[str, Any]:
        """The object in a JSON file, an empty one where there is none."""
        return mapping(self.parse(self.raw(path), path))

    def text(self, path: str, limit: int = 1 << 20) -> str:
        return text(self.raw(path, limit) or b"")

    def listdir(self, path: str) -> list[str]:
        try:
            return self._view.files.listdir(path)
        except OSError as error:
            if error.errno not in _ABSENT:
                self.trouble = self.trouble or error
            return []


def _integer(digits: str) -> int:
    # int() takes time by the square of the digits, which Python bounds only since 3.8.14, 3.9.14, 3.10.7 and 3.11.
    if len(digits) > 20:
        raise ValueError("a number of %d digits" % len(digits))
    return int(digits)


def home_of(view: View, uid: int) -> str:
    """A user's home by the host's passwd(5)."""
    for entry in view.once("passwd", lambda: Lookup(view).text("/etc/passwd")).split("\n"):
        fields = entry.split(":")
        if len(fields) == 7 and fields[2] == str(uid) and fields[5].startswith("/"):
            return fields[5].rstrip("/")
    return "/nonexistent"


def toml_string(content: str, key: str, table: str = "") -> str | None:
    """A string of a TOML file, by lines: C(key = "value") only."""
    now = ""
    for entry in content.split("\n"):
        entry = entry.strip()
        now = entry.strip("[] ") if entry.startswith("[") else now
        name, equals, value = (piece.strip() for piece in entry.partition("="))
        if equals and now == table and name == key and value[:1] in ('"', "'"):
            return value[1:].partition(value[0])[0] or None
    return None


def absolute(value: Any) -> str | None:
    """An absolute path without a slash at its end, None for anything else."""
    return value.rstrip("/") if isinstance(value, str) and value.startswith("/") else None


def printable(value: str) -> str:
    """What does not print (control, bidirectional and lone surrogate characters) becomes U+FFFD."""
    if value.isprintable():
        return value
    return "".join(character if character.isprintable() else "\ufffd" for character in value)


def line(value: Any, limit: int = NAME) -> str | None:
    """At most C(limit) characters of a text, None for anything else."""
    return printable(value[:limit]) if isinstance(value, str) and value else None


def labels(value: Any) -> dict[str, str]:
    """The first 64 labels of an object whose values are text, 1 KiB each."""
    items = [item for item in mapping(value).items() if item[0] and isinstance(item[1], str)]
    return {printable(key[:NAME]): printable(told[:LABEL]) for key, told in items[:MAX_LABELS]}


def number(value: Any) -> int | None:
    """A number that can be a pid or a start time, also written as text; else None."""
    if isinstance(value, str):
        value = int(value) if value.strip().isdecimal() and len(value) < 20 else None
    return value if isinstance(value, int) and value is not True and 0 < value < 1 << 63 else None


def mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}

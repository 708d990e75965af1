"""The names of a UTS namespace: /proc/sys/kernel shows those of who reads it."""
from __future__ import annotations

from typing import Iterator, List, Tuple

from .state_look import Look, Subject, Unread

_FILES = ("hostname", "domainname")


def _read(look: Look) -> List[Tuple[str, bytes]]:
    found = [(name, look.text("sys/kernel/" + name)) for name in _FILES]
    if not all(value for dummy, value in found):
        raise Unread("there is none")
    return found


def _words(row: Tuple[str, bytes], dummy: Look) -> Iterator[str]:
    yield "%s %s" % (row[0], row[1].rstrip(b"\n").decode("utf-8", "replace"))


SUBJECTS = (Subject("names", _read, _words),)

"""A reader of files that reads several with one request, where a switch to its child and back counts."""
from __future__ import annotations

import json
import math
from typing import Dict, List, Tuple

from .._kernel.reader import FileReader, read_regular

_SEVERAL = b"S"


def _read_several(paths: List[str], limit: int) -> bytes:
    found: List[str | None] = []
    for path in paths:
        try:
            found.append(read_regular(path, limit).decode("latin-1"))
        except OSError:
            found.append(None)
    return json.dumps(found).encode("ascii")


class AheadReader(FileReader):
    """A FileReader whose child answers one question more."""

    def __init__(self, root: str = "/", timeout: float = 2.0, until: float = math.inf) -> None:
        super().__init__(root, timeout, until)
        self._ahead: Dict[str, bytes] = {}

    def __enter__(self) -> AheadReader:
        return self

    def read(self, path: str, limit: int = 4 << 20, owner: int | None = None) -> bytes:
        """As before, but what was read ahead is given at once, and once."""
        if path in self._ahead:
            return self._ahead.pop(path)
        return super().read(path, limit, owner)

    def read_ahead(self, paths: List[str], limit: int) -> None:
        """Read files of at most C(limit) bytes with one request, for the next C(read) of each: a process switch less.

        Only for what is not expected to hang: then none is read, which is no error yet.
        """
        body = json.dumps({"paths": [self._root + path for path in paths], "limit": limit}).encode("ascii")
        try:
            answer = self._child.ask(_SEVERAL, body)[0] if paths else b"[]"
        except OSError:
            return
        for path, content in zip(paths, json.loads(answer)):
            if content is not None:
                self._ahead[path] = content.encode("latin-1")

    @staticmethod
    def answer(what: bytes, body: bytes, descriptor: int | None) -> Tuple[bytes, int | None]:
        """In the child."""
        if what != _SEVERAL:
            return FileReader.answer(what, body, descriptor)
        request = json.loads(body)
        return _read_several(request["paths"], request["limit"]), None

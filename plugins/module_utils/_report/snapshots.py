"""A snapshot as ns_snapshot left it on the controller: JSON in zlib. A host made it, so it is not trusted."""
from __future__ import annotations

import json
import zlib
from typing import Any

MOST = 256 * 1024 * 1024  # bytes of JSON; what a host sends (600,000 bytes) could be a thousand times that


class Unreadable(Exception):
    """It is not what ns_snapshot writes; the message is a sentence."""


def facts_of(content: bytes, most: int = MOST) -> dict[str, Any]:
    """The facts in a snapshot. Raises Unreadable."""
    unpack = zlib.decompressobj()
    try:
        text = unpack.decompress(content, most)
    except zlib.error as error:
        raise Unreadable("its snapshot is damaged: %s" % error) from error
    if unpack.unconsumed_tail:
        raise Unreadable("its snapshot is refused: it has more than %d MB" % (most // (1024 * 1024)))
    if not unpack.eof:
        raise Unreadable("its snapshot is damaged: the end is missing")
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable("its snapshot is no JSON: %s" % error) from error
    if not isinstance(facts, dict) or not isinstance(facts.get("host"), dict):
        raise Unreadable("its snapshot has no facts of a host")
    return facts

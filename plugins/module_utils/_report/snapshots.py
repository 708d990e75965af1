"""A snapshot as ns_snapshot left it on the controller: JSON in zlib. A host made it, so it is not trusted."""
from __future__ import annotations

import contextlib
import json
import signal
import zlib
from typing import Any, Iterator

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


@contextlib.contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Raises Unreadable where what is done with a snapshot takes more CPU: a host can make it cost any time.

    Works in the main thread only, where Ansible runs action plugins.
    """
    def stop(*dummy: Any) -> None:
        raise Unreadable("its snapshot takes more than %g seconds to be judged" % seconds)

    try:
        before = signal.signal(signal.SIGVTALRM, stop)
    except ValueError:
        yield
        return
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)

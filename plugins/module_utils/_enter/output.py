"""What a command says: taken as fast as it comes, kept up to a limit, told as valid text.

The first bytes are kept, not the last: where a command went wrong is usually said first, and what is kept does not
depend on when somebody stopped it. What is beyond is counted and dropped, for a command that nobody reads would wait.
"""
from __future__ import annotations

import codecs
import os
import select
from typing import NamedTuple, Sequence

from .._kernel.pipes import widen

_PIPE = 1 << 20    # bytes
_PIECE = 1 << 16   # bytes, what a pipe holds that nobody has widened


class Said(NamedTuple):
    """A stream as text, and how many bytes of it were dropped."""

    text: str
    dropped: int


class _Stream:
    def __init__(self, descriptor: int, limit: int) -> None:
        self.descriptor = descriptor
        self.kept = bytearray()
        self.dropped = 0
        self._limit = limit
        self.wide = False
        os.set_blocking(descriptor, False)

    def take(self, buffer: bytearray) -> int | None:
        """How many bytes were read; 0 at the end, None if there is nothing now."""
        try:
            size = os.readv(self.descriptor, [buffer])
        except BlockingIOError:
            return None
        except OSError:
            return 0
        room = min(size, self._limit - len(self.kept))
        if room > 0:
            self.kept += memoryview(buffer)[:room]
        self.dropped += size - max(room, 0)
        if size >= _PIECE // 2 and not self.wide:
            widen(self.descriptor, _PIPE)
            self.wide = True
        return size


class Streams:
    """The worker's ends of a command's pipes, for its poll loop; they are closed when they are done.

    C(limit) bytes of each are kept. C(data) goes to C(stdin), a descriptor to write to.
    """

    def __init__(self, stdout: int, stderr: int, limit: int, stdin: int | None = None, data: bytes = b"") -> None:
        self._streams = [_Stream(stdout, limit), _Stream(stderr, limit)]
        self._open = {stream.descriptor: stream for stream in self._streams}
        # Grows with the pipes: most commands say little.
        self._buffer = bytearray(_PIECE)
        self._stdin = stdin
        self._data = memoryview(data)
        if stdin is not None:
            os.set_blocking(stdin, False)
            if not data:
                self._close_stdin()

    @property
    def done(self) -> bool:
        """Whether nobody can say anything any more."""
        return not self._open

    def descriptors(self) -> dict[int, int]:
        """What to wait for, as poll(2) has it."""
        waiting = dict.fromkeys(self._open, select.POLLIN)
        if self._stdin is not None:
            waiting[self._stdin] = select.POLLOUT
        return waiting

    def handle(self, descriptor: int, events: int) -> None:
        """Go on with a descriptor of which poll(2) said so. Others are no matter of ours."""
        if descriptor == self._stdin:
            self._feed(events)
        elif descriptor in self._open:
            stream = self._open[descriptor]
            if stream.wide and len(self._buffer) < _PIPE:
                self._buffer = bytearray(_PIPE)
            if stream.take(self._buffer) == 0:
                del self._open[descriptor]
                os.close(descriptor)

    def finish(self) -> None:
        """Take what is in the pipes now and close them: the command has ended, but others may still write."""
        for descriptor, stream in self._open.items():
            left = 2 * _PIPE
            while left > 0:
                size = stream.take(self._buffer)
                if not size:
                    break
                left -= size
            os.close(descriptor)
        self._open.clear()
        self._close_stdin()

    def said(self, strip: bool = True) -> tuple[Said, Said]:
        """Standard output and error up to now; C(strip): without empty lines at their ends."""
        first, second = (_text(bytes(stream.kept), stream.dropped, strip) for stream in self._streams)
        return first, second

    def _feed(self, events: int) -> None:
        if self._stdin is None:
            return
        try:
            self._data = self._data[os.write(self._stdin, self._data[:_PIPE]):]
        except BlockingIOError:
            return
        except OSError:
            # EPIPE: nobody reads it, which is the command's good right.
            self._data = self._data[:0]
        if not self._data:
            self._close_stdin()

    def _close_stdin(self) -> None:
        if self._stdin is not None:
            os.close(self._stdin)
            self._stdin = None


def _text(kept: bytes, dropped: int, strip: bool) -> Said:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(kept, not dropped)
    # A character that was cut in two is dropped whole.
    dropped += len(decoder.getstate()[0])
    return Said(text.rstrip("\r\n") if strip else text, dropped)


def cut(said: Said, limit: int) -> Said:
    """At most C(limit) bytes of UTF-8 of it; the rest is dropped too."""
    raw = said.text.encode("utf-8")
    if len(raw) <= limit:
        return said
    text = raw[:limit].decode("utf-8", "ignore")
    return Said(text, said.dropped + len(raw) - len(text.encode("utf-8")))


def shares(sizes: Sequence[int], total: int) -> int:
    """The limit to each of several texts of C(sizes) bytes that leaves C(total) of all: who says little says it all."""
    left, several = total, len(sizes)
    for size in sorted(sizes):
        if size * several > left:
            return left // several
        left -= size
        several -= 1
    return max(sizes, default=0)

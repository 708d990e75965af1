"""What a scan could not see, counted: the opposite of an exception."""
from __future__ import annotations

import errno
from typing import Any

REFUSED = "refused"
VANISHED = "vanished"
TIMED_OUT = "timed out"
TRUNCATED = "truncated"
UNSUPPORTED = "unsupported"
UNREACHABLE = "unreachable"


class Problems:
    """Counts of (what, reason). C(complete) is true while there are none."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], int] = {}

    def add(self, what: str, reason: str, count: int = 1) -> None:
        """Count one more thing that was not seen."""
        self._counts[(what, reason)] = self._counts.get((what, reason), 0) + count

    def error(self, what: str, error: OSError) -> None:
        """Count an error of the kernel under a reason that keeps its errno's name."""
        number = error.errno or 0
        if isinstance(error, TimeoutError):
            reason = TIMED_OUT
        elif number in (errno.ENOENT, errno.ESRCH):
            reason = VANISHED
        else:
            name = errno.errorcode.get(number, str(number))
            reason = "%s: %s" % (REFUSED, name) if number in (errno.EACCES, errno.EPERM) else name
        self.add(what, reason)

    @property
    def complete(self) -> bool:
        """Whether all was seen that was asked for."""
        return not self._counts

    def as_list(self) -> list[dict[str, Any]]:
        """The problems as the result gives them, the most frequent first."""
        ordered = sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        return [{"what": what, "reason": reason, "count": count} for (what, reason), count in ordered]

"""One look into one network namespace, from inside of it: what the subjects (links, routes, ...) share."""
from __future__ import annotations

from typing import List, Optional, TypeVar

from .._kernel.netlink_dump import NETLINK_ROUTE, Dump, Netlink
from .._model.inventory import TRUNCATED, Problems

Row = TypeVar("Row")
CHANGED = "changed while it was read"
_NESTED = 100  # entries of lists within rows, for each row that may be kept


class Look:
    """What is known of the network namespace that the caller is in now. Close it before going on to the next.

    C(most) entries of a list are kept, all must be read before C(until) (time.monotonic()). What was not seen is
    counted in C(problems); the namespace's name is added to it later. C(names) has the name of each link by index:
    links.take() fills it, and comes first. C(root) is where the host's /proc is.
    """

    def __init__(self, most: int, until: float, root: str = "/proc") -> None:
        self.most = most
        self.until = until
        self.root = root
        self.problems = Problems()
        self.names: dict[int, str] = {}
        self._room = _NESTED * most
        self._route: Optional[Netlink] = None

    @property
    def route(self) -> Netlink:
        """The rtnetlink(7) socket. Raises OSError."""
        if self._route is None:
            self._route = Netlink(NETLINK_ROUTE, self.until)
        return self._route

    def close(self) -> None:
        """Close the sockets."""
        if self._route is not None:
            self._route.close()
            self._route = None

    def rows(self, what: str, dump: Dump[Row]) -> List[Row]:
        """The rows of a dump; what of it is missing is counted as a problem of C(what)."""
        if dump.left_out:
            self.problems.add(what, TRUNCATED, dump.left_out)
        if dump.error is not None:
            self.problems.error(what, dump.error)
        elif dump.changed:
            self.problems.add(what, CHANGED)
        return dump.rows

    def nested(self, what: str, entries: List[Row]) -> List[Row]:
        """Of a list within a row what all such lists together may hold; what is missing is counted as the same."""
        kept = entries[:self._room]
        self._room -= len(kept)
        if len(kept) < len(entries):
            self.problems.add(what, TRUNCATED, len(entries) - len(kept))
        return kept

    def name(self, index: Optional[int]) -> Optional[str]:
        """The name of a link; its number where a link of that index came after the look at links."""
        return None if not index else self.names.get(index, "if%d" % index)

"""One look at the state of namespaces, from inside of them: what it is made of, in raw rows, and how two looks differ.

Rows are compared as they came; only those that differ are put into words, and the words decide: what is no state
(counters, lifetimes, ...) is not in them. So looking costs little, and what changed is told in full.
"""
from __future__ import annotations

import errno
import hashlib
import os
import time
from collections import Counter
from typing import Any, Callable, Dict, Hashable, Iterable, List, NamedTuple, Optional, Set, Tuple

from .._kernel.modules import Modules
from .._kernel.netlink import NLMSG_DONE
from .._kernel.netlink_dump import NETLINK_ROUTE, NLM_F_DUMP, NLM_F_DUMP_INTR, Netlink

ENTRIES = 50_000  # of all subjects together
_ATTEMPTS = 4     # at what changes while it is read


class Unread(Exception):
    """A subject was not read, or not all of it; the text says why."""


class Look:
    """What subjects share. C(until) is of time.monotonic(). C(names) and C(macs) are of links, by index.

    C(earlier) is the look that this one will be compared with. C(others) has the names of links that the other look of
    a comparison has: of links that are new or gone not every detail is a line.
    """

    def __init__(self, until: float, modules: Modules, root: str, earlier: Optional[Look] = None,
                 room: int = ENTRIES) -> None:
        self.until = until
        self.modules = modules
        self.root = root
        self.room = room
        self.earlier = earlier
        self.names: Dict[int, str] = {}
        self.macs: Dict[int, bytes] = {}
        self.rows: Dict[str, List[Any]] = {}
        self.unproven: List[str] = []
        self.kept: Dict[str, Any] = {}
        self.others: Set[str] = set()
        self._route: Optional[Netlink] = None

    def take(self, subjects: Iterable[Subject]) -> None:
        """Read each subject; what cannot be read is remembered as unproven."""
        for subject in subjects:
            try:
                rows = subject.read(self)
                if len(rows) > self.room:
                    raise Unread("more than %d entries" % ENTRIES)
            except (Unread, OSError) as error:
                self.unproven.append("%s: %s" % (subject.name, reason(error)))
                continue
            self.room -= len(rows)
            self.rows[subject.name] = rows

    def close(self) -> None:
        """Close the sockets."""
        if self._route is not None:
            self._route.close()
            self._route = None

    def dump(self, kind: int, payload: bytes, families: Iterable[int] = ()) -> List[bytes]:
        """The messages that rtnetlink(7) answers, those of some families only. Raises OSError, Unread."""
        if self._route is None:
            self._route = Netlink(NETLINK_ROUTE, self.until)
        return self.all_of(self._route, kind, payload, families)

    def all_of(self, netlink: Netlink, kind: int, payload: bytes, families: Iterable[int] = ()) -> List[bytes]:
        """The same over any socket. Nothing where the kernel does not know the request."""
        for dummy in range(_ATTEMPTS):
            found: List[bytes] = []
            changed = 0
            try:
                for message in netlink.stream(kind, payload, NLM_F_DUMP):
                    changed |= message.flags & NLM_F_DUMP_INTR
                    if message.kind != NLMSG_DONE:
                        found.append(message.body)
                        if len(found) > self.room:
                            raise Unread("more than %d entries" % ENTRIES)
            except OSError as error:
                if error.errno in (errno.EAFNOSUPPORT, errno.EOPNOTSUPP) and not found:
                    return []
                raise
            if not changed:
                # A kernel without a family may answer with all the others'.
                return [body for body in found if body[:1] and body[0] in families] if families else found
        raise Unread("changed while it was read")

    def link(self, index: Optional[int]) -> str:
        """The name of a link; its number where none is known."""
        return self.names.get(index or 0) or "if%d" % (index or 0)

    def text(self, path: str) -> bytes:
        """A file below /proc, whole; nothing where it is not there. Raises OSError, Unread."""
        try:
            descriptor = os.open("%s/%s" % (self.root, path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return b""
        try:
            chunks: List[bytes] = []
            while True:
                chunk = os.read(descriptor, 1 << 16)
                if not chunk:
                    return b"".join(chunks)
                chunks.append(chunk)
                if len(chunks) > 1024 or time.monotonic() > self.until:
                    raise Unread("too long to be read")
        finally:
            os.close(descriptor)


class Subject(NamedTuple):
    """C(read) gives rows (hashable), C(words) the lines of one. C(ordered): their order is state too."""

    name: str
    read: Callable[[Look], List[Any]]
    words: Callable[[Any, Look], Iterable[str]]
    ordered: bool = False


def compare(subject: Subject, before: Look, after: Look) -> Tuple[List[str], List[str]]:
    """The lines of a subject that are gone, and those that are new. Raises Unread when that takes too long."""
    old, new = before.rows.get(subject.name), after.rows.get(subject.name)
    if old is None or new is None or old is new or old == new:
        return [], []
    if subject.ordered:
        one, other = _lines(subject, old, before, after.until), _lines(subject, new, after, after.until)
    else:
        had, has = Counter(old), Counter(new)
        one = _lines(subject, (had - has).elements(), before, after.until)
        other = _lines(subject, (has - had).elements(), after, after.until)
    were, are = Counter(one), Counter(other)
    gone, come = list((were - are).elements()), list((are - were).elements())
    if subject.ordered and not gone and not come and one != other:
        return _moved(one, other)
    return gone, come


def _lines(subject: Subject, rows: Iterable[Hashable], look: Look, until: float) -> List[str]:
    found: List[str] = []
    for row in rows:
        found.extend(subject.words(row, look))
        if time.monotonic() > until:
            raise Unread("not compared in time")
    return found


def _moved(one: List[str], other: List[str]) -> Tuple[List[str], List[str]]:
    """The same lines in another order: what is between the first and the last that differ."""
    first = next(at for at, pair in enumerate(zip(one, other)) if pair[0] != pair[1])
    last = len(one) - next(at for at, pair in enumerate(zip(reversed(one), reversed(other))) if pair[0] != pair[1])
    return _placed(one)[first:last], _placed(other)[first:last]


def _placed(lines: List[str]) -> List[str]:
    """Each with its place in its chain, which is what comes before the first colon."""
    places: Dict[str, int] = {}
    found = []
    for line in lines:
        chain = line.partition(": ")[0]
        places[chain] = places.get(chain, 0) + 1
        found.append("%s (place %d)" % (line, places[chain]))
    return found


def reason(error: Exception) -> str:
    """Why something was not read, in a few words."""
    if isinstance(error, TimeoutError):
        return "not read in time"
    if isinstance(error, OSError):
        return "refused: %s" % errno.errorcode.get(error.errno or 0, str(error.errno))
    return str(error)


def digest(*parts: bytes) -> str:
    """What stands for bytes that there are no words for."""
    return hashlib.blake2b(b"\0".join(parts), digest_size=4).hexdigest()


def rest(found: Dict[int, bytes], known: Iterable[int]) -> str:
    """A digest of the attributes that are not known, with a blank before; nothing where there is none."""
    known = frozenset(known)
    more = sorted((kind, value) for kind, value in found.items() if kind not in known)
    if not more:
        return ""
    return " more %s" % digest(*(b"%d=%s" % entry for entry in more))

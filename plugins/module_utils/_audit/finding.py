"""What a check says: a verdict about one object, and the result that the reports are written from."""
from __future__ import annotations

import hashlib
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Tuple, TypedDict

CRITICAL, HIGH, MEDIUM, LOW, INFO = SEVERITIES = ("critical", "high", "medium", "low", "info")
PASS, FAIL, UNKNOWN, NOT_APPLICABLE, WAIVED = STATUSES = ("pass", "fail", "unknown", "not_applicable", "waived")


class Result(TypedDict):
    """One line of an audit. C(container) is the name that a network is told by (None: the host's, or nobody's).

    C(object) is what in there: a link, an address, a port; empty for the whole. C(containers) are the ids of all whom
    it concerns: they change with each restart, and the fingerprint does not depend on them.
    """

    check: str
    host: str
    container: Optional[str]
    object: str
    status: str
    severity: str
    reason: str
    remediation: str
    fingerprint: str
    containers: List[str]


class Verdict(NamedTuple):
    """What a check found. C(where) is the network it concerns (None: the one that was asked about), C(also) others.

    C(severity) is given where it is not the check's.
    """

    status: str
    object: str
    reason: str
    severity: Optional[str] = None
    where: Any = None
    also: Tuple[Any, ...] = ()


class Check(NamedTuple):
    """One entry of the catalogue.

    C(scope): which networks are asked about: "containers" (those that containers live in, but the host's),
    "inhabited" (these, and others that have addresses), "host", "all", or "once" (the function looks everywhere).
    C(needs): the subjects without which nothing can be told. C(function) yields what is not well: nothing is a pass.
    """

    id: str
    title: str
    severity: str
    scope: str
    needs: Tuple[str, ...]
    function: Callable[[Any, Any], Iterator[Verdict]]
    remediation: str

    @property
    def group(self) -> str:
        """What the id begins with: LNK, RT, ..."""
        return self.id.partition("-")[0]


def fail(name: str, reason: str, severity: str | None = None, where: Any = None,
         also: tuple[Any, ...] = ()) -> Verdict:
    """A fault of the object C(name)."""
    return Verdict(FAIL, name, reason, severity, where, also)


def unknown(name: str, reason: str, where: Any = None) -> Verdict:
    """It could not be told."""
    return Verdict(UNKNOWN, name, reason, None, where)


def not_applicable(reason: str, name: str = "") -> Verdict:
    """There is nothing here that could be judged."""
    return Verdict(NOT_APPLICABLE, name, reason)


def fingerprint(check: str, host: str, container: str | None, name: str) -> str:
    """The same for the same fault in every run: 16 hexadecimal digits."""
    text = "\0".join((check, host, container or "", name))
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:16]

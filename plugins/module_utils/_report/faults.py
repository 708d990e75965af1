"""Which results of an audit debug_containers shows: the faults that were picked, and what could not be judged."""
from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from .._audit.finding import FAIL, SEVERITIES, UNKNOWN
from .text import cut, printable

_LONGEST = 600  # characters of a reason


class Faults(NamedTuple):
    """C(found), the gravest first; C(unjudged): what could not be told, as {check, reason, count, containers}."""

    found: List[dict[str, Any]]
    unjudged: List[dict[str, Any]]


NONE = Faults([], [])


def picks(words: Sequence[str], checks: Sequence[str]) -> set[str]:
    """The checks and severities that the words mean: ids, groups (what an id begins with), severities, C(all).

    Raises ValueError with a sentence for a word that means none of C(checks).
    """
    groups: Dict[str, List[str]] = {}
    for check in checks:
        groups.setdefault(check.partition("-")[0], []).append(check)
    found: set[str] = set()
    for word in words:
        name = word.strip()
        if name.lower() == "all":
            found.update(checks)
        elif name.upper() in checks:
            found.add(name.upper())
        elif name.upper() in groups:
            found.update(groups[name.upper()])
        elif name.lower() in SEVERITIES:
            found.add(name.lower())
        else:
            raise ValueError("debug_faults has %s, and that is neither all nor a check (as %s), a group of checks (%s)"
                             " or a severity (%s)" % (printable(name), checks[0] if checks else "RT-001",
                                                      ", ".join(sorted(groups)), ", ".join(SEVERITIES)))
    return found


def select(results: Sequence[dict[str, Any]], picked: set[str], containers: Sequence[dict[str, Any]],
           everything: bool) -> Faults:
    """The faults among C(results) that were picked and concern one of C(containers), or the host.

    What concerns the host only is left out where not C(everything) was chosen and it names other containers.
    """
    ids = {str(one.get("id")) for one in containers}
    found: List[dict[str, Any]] = []
    unjudged: Dict[Tuple[str, str], dict[str, Any]] = {}
    for result in results:
        check, severity = str(result.get("check")), str(result.get("severity"))
        concerned = [str(one) for one in result.get("containers") or ()]
        if check not in picked and severity not in picked:
            continue
        if not everything and concerned and not ids.intersection(concerned):
            continue
        if result.get("status") == FAIL:
            found.append(dict(result))
        elif result.get("status") == UNKNOWN:
            reason = str(result.get("reason"))
            entry = unjudged.setdefault((check, reason), {"check": check, "reason": reason, "count": 0, "where": []})
            entry["count"] += 1
            if result.get("container") is not None:
                entry["where"].append(str(result["container"]))
    found.sort(key=lambda one: (
        rank(one), str(one.get("check")), str(one.get("container") or ""), str(one.get("object")),
    ))
    return Faults(found, [unjudged[key] for key in sorted(unjudged)])


def rank(fault: dict[str, Any]) -> int:
    """How grave it is; 0 is the gravest."""
    severity = fault.get("severity")
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def counts(faults: Sequence[dict[str, Any]]) -> dict[str, int]:
    """How many there are of each severity, the gravest first."""
    found: Dict[str, int] = {}
    for fault in sorted(faults, key=rank):
        found[str(fault.get("severity"))] = found.get(str(fault.get("severity")), 0) + 1
    return found


def sentence(fault: dict[str, Any]) -> str:
    """Who, and what is wrong."""
    container, reason = fault.get("container"), cut(printable(fault.get("reason")), _LONGEST)
    who = None if container is None else printable(container)
    return reason if who is None or who in reason else "%s: %s" % (cut(who, 60, "middle"), reason)


def in_words(found: dict[str, int]) -> str:
    """C(2 high, 1 low)."""
    return ", ".join("%d %s" % (count, printable(severity)) for severity, count in found.items())

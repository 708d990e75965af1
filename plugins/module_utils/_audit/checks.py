"""The catalogue of checks, and the verdicts of all of them over the facts of one host."""
from __future__ import annotations

import fnmatch
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from . import addresses, bridges, forwarding, leaks, limits, links, mtu, names, ports, routes
from .finding import (
    FAIL,
    NOT_APPLICABLE,
    PASS,
    SEVERITIES,
    Check,
    Result,
    Verdict,
    fingerprint,
    not_applicable,
    unknown,
)
from .network import Network
from .topology import Index

# From the wire up: what is a cause for others comes before them.
_GROUPS = (links, bridges, mtu, addresses, routes, forwarding, names, ports, limits, leaks)
CHECKS: List[Check] = sorted((check for group in _GROUPS for check in group.CHECKS), key=lambda check: check.id)
_LAYER = {check.id: layer for layer, group in enumerate(_GROUPS) for check in group.CHECKS}
_RANK = {severity: rank for rank, severity in enumerate(SEVERITIES)}


def chosen(only: Sequence[str] = ()) -> List[Check]:
    """The checks whose id one of C(only) is, or matches (C(LNK-*)); all where there is none."""
    return [check for check in CHECKS if not only or any(fnmatch.fnmatchcase(check.id, one) for one in only)]


def judge(facts: Any, host: str, only: Sequence[str] = (), without: Sequence[str] = ()) -> List[Result]:
    """All verdicts over what C(ns_facts) returned of a host, the most severe first; none of it raises.

    What is in order is one C(pass) a check and network. The order is that of severity, container, layer (causes before
    what they cause), check, object. Those of a status in C(without) are left out: most are passes.
    """
    index = Index(facts)
    results = [
        _result(check, verdict, network, host) for check in chosen(only)
        for network, verdict in _judged(index, check) if verdict.status not in without
    ]
    results.sort(key=lambda one: (_RANK[one["severity"]], one["container"] or "", _LAYER[one["check"]], one["check"],
                                  one["object"], one["reason"]))
    return results


def _judged(index: Index, check: Check) -> Iterator[Tuple[Network, Verdict]]:
    if check.scope == "containers" and not index.complete:
        yield index.host, unknown("", "the containers were not read")
    for network in _asked(index, check.scope):
        for verdict in _verdicts(index, check, network):
            yield network, verdict


def _asked(index: Index, scope: str) -> List[Network]:
    if scope == "containers":
        return index.lived_in()
    if scope == "inhabited":
        return index.inhabited()
    return list(index.networks.values()) if scope == "all" else [index.host]


def _verdicts(index: Index, check: Check, network: Network) -> List[Verdict]:
    if network.starting and not network.host:
        return [not_applicable("%s is starting" % network.title)]
    missing = network.missing(*check.needs)
    if missing is not None:
        return [unknown("", missing)]
    found = list(check.function(index, network))
    if all(verdict.status == NOT_APPLICABLE for verdict in found):
        # What was not read may hold a fault.
        cut = network.cut(*check.needs)
        if cut is not None:
            return [unknown("", cut)]
    return found or [Verdict(PASS, "", "%s: in order" % network.title)]


def _result(check: Check, verdict: Verdict, asked: Network, host: str) -> Result:
    network: Network = asked if verdict.where is None else verdict.where
    name = verdict.object
    if network.stable is None and not network.host:
        name = "%s: %s" % (network.place, name) if name else network.place
    container: Optional[str] = None if network.host else network.stable
    ids: Dict[str, None] = {}
    for one in (network, *verdict.also):
        # Whom a fault of the host's concerns, the verdict says.
        if not (one.host and verdict.also):
            ids.update(dict.fromkeys(container.id for container in one.containers))
    return {
        "check": check.id, "host": host, "container": container, "object": name, "status": verdict.status,
        "severity": verdict.severity or check.severity, "reason": verdict.reason,
        "remediation": check.remediation if verdict.status == FAIL else "",
        "fingerprint": fingerprint(check.id, host, container, name), "containers": list(ids),
    }

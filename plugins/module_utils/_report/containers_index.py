"""The index of debug_containers as data: one entry a host, small enough to be kept for a thousand of them."""
from __future__ import annotations

from typing import Any, Sequence

from .containers import LEFT_OUT, file_name, tally, verdicts
from .faults import counts

SUFFIXES = {"json": "json", "markdown": "md", "svg": "svg"}
_GRAVEST = 3    # faults of a host that the index tells itself
_LEFT_OVER = 20
_MORE = "more"  # of an entry: for the page of the index and for the terminal


def entry(report: dict[str, Any], formats: Sequence[str]) -> dict[str, Any]:
    """What the index has of a host."""
    found: dict[str, Any] = {"host": report["host"], "status": report["status"], "reason": report["reason"]}
    if "containers" not in report:
        return found
    name = file_name(report["host"])
    # There is nothing to draw where the networks were not asked for.
    forms = [form for form in formats if form != "svg" or "network" in report]
    found.update(
        containers=len(report["containers"]), engines=dict(tally(report["containers"], "engine")),
        kept=verdicts(report), faults=counts(report["faults"]), unjudged=len(report["unjudged"]),
        files={form: f"hosts/{name}.{SUFFIXES[form]}" for form in forms},
    )
    found[_MORE] = {
        "left_out": report[LEFT_OUT], "incomplete": bool(report["problems"]),
        "gravest": [
            {key: one.get(key) for key in ("check", "severity", "reason")} for one in report["faults"][:_GRAVEST]
        ],
        "left_over": [
            {"ref": one["ref"], "kept_by": one["kept_by"][:5]}
            for one in report["kept"] if one["verdict"] == "leftover"
        ][:_LEFT_OVER],
    }
    return found


def index(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What index.json holds; paths are relative to it."""
    hosts = [{key: value for key, value in one.items() if key != _MORE} for one in entries]
    totals: dict[str, Any] = {"hosts": len(hosts), "seen": 0, "containers": 0, "kept": {}, "faults": {}, "unjudged": 0}
    for one in hosts:
        totals["seen"] += "containers" in one
        for key in ("containers", "unjudged"):
            totals[key] += one.get(key, 0)
        for key in ("kept", "faults"):
            for word, count in one.get(key, {}).items():
                totals[key][word] = totals[key].get(word, 0) + count
    return {"schema_version": 2, "totals": totals, "hosts": hosts}

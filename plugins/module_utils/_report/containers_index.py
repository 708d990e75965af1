"""The index of debug_containers as data: one entry a host, and the totals."""
from __future__ import annotations

from typing import Any, Sequence

from .containers import file_name, tally, verdicts

_SUFFIXES = {"json": "json", "markdown": "md"}


def index(reports: Sequence[dict[str, Any]], formats: Sequence[str]) -> dict[str, Any]:
    """What index.json holds; paths are relative to it."""
    hosts: list[dict[str, Any]] = []
    for report in reports:
        entry: dict[str, Any] = {"host": report["host"], "status": report["status"], "reason": report["reason"]}
        if "containers" in report:
            name = file_name(report["host"])
            entry.update(
                containers=len(report["containers"]), engines=dict(tally(report["containers"], "engine")),
                kept=verdicts(report), files={form: f"hosts/{name}.{_SUFFIXES[form]}" for form in formats},
            )
        hosts.append(entry)
    totals: dict[str, Any] = {"hosts": len(hosts), "seen": 0, "containers": 0, "kept": {}}
    for entry in hosts:
        totals["seen"] += "containers" in entry
        totals["containers"] += entry.get("containers", 0)
        for verdict, count in entry.get("kept", {}).items():
            totals["kept"][verdict] = totals["kept"].get(verdict, 0) + count
    return {"schema_version": 1, "totals": totals, "hosts": hosts}

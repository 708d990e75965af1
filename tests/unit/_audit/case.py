# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a golden case is: the simple host, what happened to it, and what one check has to say then, in its own words."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

from built import Host, Row, simple

Change = Callable[[Host, Row], None]


class Case(NamedTuple):
    """C(results): all that fail or are unknown; C(quiet): what is said of networks where there is none of these."""

    check: str
    name: str
    change: Change
    results: tuple[Row, ...]
    quiet: dict[str, str]

    def facts(self) -> Row:
        host, web = simple()
        self.change(host, web)
        return host.facts

    def expected(self) -> Row:
        return {"check": self.check, "results": list(self.results), "quiet": self.quiet}


CASES: list[Case] = []


def fails(where: str | None, name: str, severity: str, reason: str) -> Row:
    return {"status": "fail", "container": where, "object": name, "severity": severity, "reason": reason}


def unknown(where: str | None, name: str, severity: str, reason: str) -> Row:
    return {**fails(where, name, severity, reason), "status": "unknown"}


def case(check: str, name: str, *results: Row, **quiet: str) -> Callable[[Change], Change]:
    """Make a case of a function that changes the simple host. C(host) and names of containers are quiet."""

    def keep(change: Change) -> Change:
        CASES.append(Case(check, name, change, results, quiet))
        return change

    return keep


def same(check: str, name: str, **quiet: str) -> None:
    """A case of the simple host as it is."""
    case(check, name, **quiet)(lambda host, web: None)


def find(rows: list[Row], name: str) -> Row:
    """The link of a name."""
    return next(row for row in rows if row["name"] == name)


def down(row: Row) -> None:
    row["flags"], row["state"] = ["BROADCAST", "MULTICAST"], "down"


def without_carrier(row: Row, state: str = "lowerlayerdown") -> None:
    row["flags"], row["state"] = ["BROADCAST", "MULTICAST", "UP"], state


def drop(rows: list[Row], **which: Any) -> None:
    """Remove the rows of which all that is named holds."""
    rows[:] = [row for row in rows if any(row.get(key) != value for key, value in which.items())]

"""debug_containers on the terminal: a heading and a table a host; at the end, where one looks first, what matters."""
from __future__ import annotations

import json
from typing import Any, Callable, Dict, Sequence

from .containers import (
    LEFT_OUT,
    TYPES,
    USUALLY_SHARED,
    display_name,
    mask,
    number_of,
    shares,
    shortened_image,
    tally,
    verdicts,
)
from .table import Column, fits, table
from .text import cut, printable, short_id, width, wrap

_KEPT_ROWS = 20  # a host
_HOLDERS = 3     # a namespace
_PARTNERS = 16   # columns, where there is no room for all
_NAMED = 5       # hosts or containers in a sentence
_LEGEND = (
    "NS: %s by first letter; the letter is an own one, = one shared with another container, - the host's, ? unreadable."
    " SHARED does not repeat %s of the host." % (" ".join(TYPES), ", ".join(USUALLY_SHARED))
)
_LEFT_OVER = (
    ("leftover", "left over from a container that is gone"),
    ("unproven", "probably left over (not every process could be read)"),
    ("unknown", "without a process and without a known holder"),
)
_KEPT = (Column("WITHOUT A PROCESS"), Column("VERDICT"), Column("KEPT BY", "end"))
_Cell = Callable[[Dict[str, Any], Dict[str, Any]], Any]
_COLUMNS: dict[str, tuple[Column, _Cell]] = {
    "name": (Column("CONTAINER", "middle", fair=15, least=12), lambda one, report: display_name(one)),
    "id": (Column("ID"), lambda one, report: short_id(one.get("id"))),
    "engine": (Column("ENGINE"), lambda one, report: one.get("engine")),
    "image": (Column("IMAGE", "start", fair=10), lambda one, report: shortened_image(one.get("image"))),
    "pod": (Column("POD", "middle"), lambda one, report: (one.get("pod") or {}).get("name")),
    "state": (Column("STATE"), lambda one, report: one.get("state")),
    "user": (Column("USER", "end", least=6), lambda one, report: one.get("user")),
    "unit": (Column("UNIT", "middle"), lambda one, report: one.get("unit")),
    "pid": (Column("PID", right=True), lambda one, report: one.get("pid")),
    "namespaces": (Column("NS"), lambda one, report: mask(one, report["host_namespaces"])),
    "shared": (
        Column("SHARED", "end", fair=_PARTNERS),
        lambda one, report: "; ".join(shares(one, report["names"], USUALLY_SHARED, 1)),
    ),
}
COLUMNS = tuple(_COLUMNS)


class Terminal:
    """Writes reports as lines of at most C(room) columns; C(rows) lines of containers for all hosts together.

    C(quoted) lines are going to be printed as JSON strings, where quotes and backslashes need one column more.
    """

    def __init__(
        self, room: int, columns: Sequence[str], rows: int, numbers: bool, last: str = "", quoted: bool = False
    ) -> None:
        self._room = room
        self._quoted = quoted
        self._columns = columns
        self._rows = rows
        self._numbers = numbers
        self._last = last
        self._legend = False
        self._cut_off = False

    def lines(self, reports: Sequence[dict[str, Any]]) -> list[str]:
        """All hosts, and the summary."""
        lines: list[str] = []
        for report in reports:
            if "containers" in report:
                lines += self._host(report) + [""]
        if self._legend:
            lines += wrap(_LEGEND, self._room) + [""]
        lines += self._summary(reports)
        return [self._within_quotes(line) for line in lines] if self._quoted else lines

    def _within_quotes(self, line: str) -> str:
        room = self._room
        while width(json.dumps(line, ensure_ascii=False)) - 2 > self._room:
            room -= 1
            line = cut(line, room)
        return line

    def _host(self, report: dict[str, Any]) -> list[str]:
        containers = report["containers"]
        lines = wrap("%s: %s" % (printable(report["host"]), _counted(report)), self._room, hanging="  ")
        stopped = [one for one in containers if one.get("state") != "running"]
        if stopped:
            named = ["%s %s" % (printable(one.get("state")), printable(display_name(one))) for one in stopped]
            lines += self._sentence("Not running: %s." % _some(named))
        if report["problems"]:
            lines += self._sentence("Not everything could be seen: %s." % printable(report["reason"]))
            if report["blind"]:
                lines += self._sentence("Root sees more than a plain user does (--become).")
        shown = containers[:self._rows]
        self._rows -= len(shown)
        if shown:
            lines += self._table(shown, report)
        return lines + self._more(len(containers) - len(shown)) + self._kept(report["kept"])

    def _sentence(self, text: str) -> list[str]:
        return wrap(text, self._room, "  ", "  ")

    def _more(self, count: int) -> list[str]:
        self._cut_off = self._cut_off or count > 0
        return ["  ... %d more" % count] if count > 0 else []

    def _table(self, containers: Sequence[dict[str, Any]], report: dict[str, Any]) -> list[str]:
        columns, cells = [], []
        for name in self._columns:
            column, cell = _COLUMNS[name]
            values = ["" if value is None else str(value) for value in (cell(one, report) for one in containers)]
            # What the heading says already (one engine for all), or nothing says, gets no column.
            idle = not any(values) or name == "engine" and len(set(values)) == 1
            if name == "name" or not idle:
                columns.append(column)
                cells.append(values)
        partners = next((index for index, column in enumerate(columns) if column.title == "SHARED"), None)
        if partners is not None and not fits(columns, cells, self._room):
            # The end of a partner's name tells it from others with the same beginning: of both something remains.
            cells[partners] = [
                "; ".join(shares(one, report["names"], USUALLY_SHARED, 1, _PARTNERS)) for one in containers
            ]
        lines, left_out = table(columns, list(zip(*cells)), self._room)
        self._legend = self._legend or "NS" in [column.title for column in columns] and "NS" not in left_out
        if self._numbers:
            lines = self._with_numbers(lines, containers, report["host_namespaces"])
        if left_out:
            lines += self._sentence("No room in %d columns for: %s." % (self._room, ", ".join(left_out)))
        return lines

    def _with_numbers(
        self, lines: Sequence[str], containers: Sequence[dict[str, Any]], host: dict[str, str]
    ) -> list[str]:
        """Below each container the numbers of its namespaces that are not the host's."""
        found = list(lines[:1])
        for line, container in zip(lines[1:], containers):
            found.append(line)
            spaces = container.get("namespaces") or {}
            numbers = [
                f"{kind} {number_of(spaces[kind])}"
                for kind in TYPES if spaces.get(kind) and spaces[kind] != host.get(kind)
            ]
            row = ""
            for number in numbers:
                if row and width(row) + 2 + width(number) > self._room:
                    found.append(row)
                    row = ""
                row = row + "  " + number if row else "    " + number
            found += [row] if row else []
        return found

    def _kept(self, entries: Sequence[dict[str, Any]]) -> list[str]:
        if not entries:
            return []
        rows = []
        for one in entries[:_KEPT_ROWS]:
            holders = one["kept_by"] or [one["reason"]]
            rows.append([one["name"], one["verdict"], holders[0]])
            rows += [["", "", holder] for holder in holders[1:_HOLDERS]]
            if len(holders) > _HOLDERS:
                rows[-1][2] = "%d more" % (len(holders) - _HOLDERS + 1)
        return [""] + table(_KEPT, rows, self._room)[0] + self._more(len(entries) - _KEPT_ROWS)

    def _summary(self, reports: Sequence[dict[str, Any]]) -> list[str]:
        seen = [report for report in reports if "containers" in report]
        containers = [one for report in seen for one in report["containers"]]
        text = "%s seen, %s" % (_number(len(seen), "host"), _number(len(containers), "container"))
        lines = wrap(text + _by_engine(containers) + ".", self._room, hanging="  ")
        for verdict, meaning in _LEFT_OVER:
            counts = [(report["host"], verdicts(report).get(verdict, 0)) for report in seen]
            where = ["%s (%d)" % (printable(host), count) for host, count in counts if count]
            if where:
                total = _number(sum(count for dummy, count in counts), "namespace")
                lines += wrap("%s %s: %s." % (total, meaning, _some(where)), self._room, hanging="  ")
        for report in reports:
            if "containers" not in report:
                host, reason = cut(printable(report["host"]), 40, "middle"), cut(printable(report["reason"]), 200)
                lines += wrap("NOT SEEN: %s, %s: %s" % (host, report["status"], reason), self._room, hanging="  ")
        partly = [printable(report["host"]) for report in seen if report["problems"]]
        if partly:
            lines += wrap("Seen in part only: %s." % _some(partly), self._room, hanging="  ")
        if self._cut_off:
            lines += wrap("What is not listed here is in the files.", self._room)
        return lines + (wrap(printable(self._last), self._room, hanging="  ") if self._last else [])


def _counted(report: dict[str, Any]) -> str:
    containers, left_out = report["containers"], report[LEFT_OUT]
    if not containers:
        return "none of its %s was chosen" % _number(left_out, "container") if left_out else "no containers"
    chosen = " chosen of %d" % (len(containers) + left_out) if left_out else ""
    return _number(len(containers), "container") + chosen + _by_engine(containers)


def _by_engine(containers: Sequence[dict[str, Any]]) -> str:
    counts = tally(containers, "engine")
    if len(counts) > 1:
        return " (%s)" % ", ".join("%s %d" % (printable(name), count) for name, count in counts)
    if not counts:
        return ""
    return " (engine unknown)" if counts[0][0] == "unknown" else " (%s)" % printable(counts[0][0])


def _some(names: Sequence[str]) -> str:
    """The first of the names, and how many more there are."""
    more = " and %d more" % (len(names) - _NAMED) if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _number(count: int, what: str) -> str:
    return "%d %s%s" % (count, what, "" if count == 1 else "s")

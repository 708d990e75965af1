"""debug_containers on the terminal: heading and tables a host; at the end, where one looks first, what matters."""
from __future__ import annotations

import json
from typing import Any, Callable, Dict, List, Sequence

from .commands import commands_terminal
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
)
from .faults import in_words, rank, sentence
from .network_terminal import LEGEND, network_lines
from .table import Column, fits, table
from .text import cut, printable, short_id, width, wrap

_KEPT_ROWS = 20  # a host
_HOLDERS = 3     # a namespace
_PARTNERS = 16   # columns, where there is no room for all
_NAMED = 5       # hosts or containers in a sentence
_FAULT_ROWS = 60
_ALIKE = 3       # faults of one check on one host that are told one by one
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

    def __init__(self, room: int, columns: Sequence[str], rows: int, numbers: bool, quoted: bool = False) -> None:
        self._room = room
        self._quoted = quoted
        self._columns = columns
        self._rows = rows
        self._numbers = numbers
        self._lines: List[str] = []
        self._faults: List[List[dict[str, Any]]] = []  # of one host and check
        self._legend = self._network_legend = False
        self._cut_off = False

    def add(self, report: dict[str, Any]) -> None:
        """One host more."""
        if "containers" not in report:
            return
        self._lines += [*self._host(report), ""]
        alike: Dict[str, List[dict[str, Any]]] = {}
        for fault in report["faults"]:
            alike.setdefault(str(fault.get("check")), []).append(dict(fault, host=report["host"]))
        self._faults += list(alike.values())
        # The gravest of all hosts; of a thousand hosts nobody reads more here.
        self._faults.sort(key=lambda some: (rank(some[0]), str(some[0].get("check")), str(some[0]["host"])))
        self._cut_off = self._cut_off or len(self._faults) > _FAULT_ROWS
        del self._faults[_FAULT_ROWS:]

    def lines(self, entries: Sequence[dict[str, Any]], last: str = "") -> list[str]:
        """All hosts that were added, and the summary over these entries of the index; C(last) ends it."""
        lines = self._lines
        if self._legend:
            lines += [*wrap(_LEGEND, self._room), ""]
        if self._network_legend:
            lines += [*wrap(LEGEND, self._room), ""]
        if self._faults:
            lines += [*self._told_faults(len(entries) > 1), ""]
        lines += self._summary(entries)
        lines += wrap(printable(last), self._room, hanging="  ") if last else []
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
        lines += self._more(len(containers) - len(shown))
        network, told = network_lines(report, shown, self._room)
        self._network_legend = self._network_legend or told
        said, cut_off = commands_terminal(report, self._room)
        self._cut_off = self._cut_off or cut_off
        return lines + (["", *network] if network else []) + said + self._kept(report["kept"])

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

    def _told_faults(self, with_host: bool) -> list[str]:
        lines = ["FAULTS"]
        for some in self._faults:
            told = some if len(some) <= _ALIKE else some[:_ALIKE - 1]
            for fault in told:
                lines += self._fault(fault, sentence(fault), with_host)
            if len(some) > len(told):
                names = [printable(one["container"]) for one in some[len(told):] if one.get("container") is not None]
                where = ": %s" % _some(list(dict.fromkeys(names))) if names else ""
                lines += self._fault(some[0], "%d more of the same%s" % (len(some) - len(told), where), with_host)
        return lines

    def _fault(self, fault: dict[str, Any], text: str, with_host: bool) -> list[str]:
        severity = cut(printable(fault.get("severity")).upper(), 8)
        where = "%s: " % cut(printable(fault["host"]), 40, "middle") if with_host else ""
        text = "%s%s (%s)" % (where, text, printable(fault.get("check")))
        return wrap(text, self._room, "  %-8s  " % severity, " " * 12)

    def _summary(self, entries: Sequence[dict[str, Any]]) -> list[str]:
        seen = [one for one in entries if "containers" in one]
        engines: Dict[str, int] = {}
        for one in seen:
            for name, count in one["engines"].items():
                engines[name] = engines.get(name, 0) + count
        text = "%s seen, %s" % (_number(len(seen), "host"), _number(sum(engines.values()), "container"))
        counts = sorted(engines.items(), key=lambda item: (-item[1], item[0]))
        lines = wrap(text + _by_engine(counts) + ".", self._room, hanging="  ")
        for verdict, meaning in _LEFT_OVER:
            counts = [(one["host"], one["kept"].get(verdict, 0)) for one in seen]
            where = ["%s (%d)" % (printable(host), count) for host, count in counts if count]
            if where:
                total = _number(sum(count for dummy, count in counts), "namespace")
                lines += wrap("%s %s: %s." % (total, meaning, _some(where)), self._room, hanging="  ")
        faulty = ["%s (%s)" % (printable(one["host"]), in_words(one["faults"])) for one in seen if one["faults"]]
        if faulty:
            total = _number(sum(sum(one["faults"].values()) for one in seen), "fault")
            lines += wrap("%s: %s." % (total, _some(faulty)), self._room, hanging="  ")
        unjudged = ["%s (%d)" % (printable(one["host"]), one["unjudged"]) for one in seen if one["unjudged"]]
        if unjudged:
            lines += wrap("Could not be judged: %s." % _some(unjudged), self._room, hanging="  ")
        for one in entries:
            if "containers" not in one:
                host, reason = cut(printable(one["host"]), 40, "middle"), cut(printable(one["reason"]), 200)
                lines += wrap("NOT SEEN: %s, %s: %s" % (host, one["status"], reason), self._room, hanging="  ")
        partly = [printable(one["host"]) for one in seen if one["more"]["incomplete"]]
        if partly:
            lines += wrap("Seen in part only: %s." % _some(partly), self._room, hanging="  ")
        if self._cut_off:
            lines += wrap("What is not listed here is in the files.", self._room)
        return lines


def _counted(report: dict[str, Any]) -> str:
    containers, left_out = report["containers"], report[LEFT_OUT]
    if not containers:
        return "none of its %s was chosen" % _number(left_out, "container") if left_out else "no containers"
    chosen = " chosen of %d" % (len(containers) + left_out) if left_out else ""
    return _number(len(containers), "container") + chosen + _by_engine(tally(containers, "engine"))


def _by_engine(counts: Sequence[tuple[str, int]]) -> str:
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

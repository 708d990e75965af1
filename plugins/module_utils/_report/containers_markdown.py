"""debug_containers as Markdown (GitHub's dialect). A name is data: nothing in it becomes markup, link or mention."""
from __future__ import annotations

import re
from typing import Any, Sequence

from .containers import TYPES, display_name, file_name, number_of, shares, verdicts
from .text import printable, short_id

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}
_MARKED = {ord(character): "\\" + character for character in "\\`*[]#|~!$"}
_MARKED.update((ord(character), entity) for character, entity in _ENTITIES.items())
_TITLES = (
    "Container", "ID", "Engine", "Image", "Pod", "State", "PID", "User", "Shared with the host",
    "Shared with containers",
)
_VERDICTS = (
    ("leftover", "made by an engine for a container that is gone: nobody should be holding it"),
    ("unproven", "the same, but not every process could be read, so one may be in it"),
    ("unknown", "nobody was found who keeps it"),
    ("held", "a living process holds it without being in it"),
    ("named", "mounted on purpose, as `ip netns add` does"),
    ("engine", "belongs to an engine's own networking"),
)


def escape(value: Any) -> str:
    """The value as text that Markdown shows as it is, also in a cell of a table."""
    text = printable(value).translate(_MARKED)
    # Underscores inside a word are no emphasis. Addresses become links by themselves.
    text = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text).replace("://", "&#58;//")
    return re.sub(r"(?i)(www)\.", r"\1&#46;", text)


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = ["| {} |".format(" | ".join(titles)), "|%s" % (" --- |" * len(titles))]
    return lines + ["| {} |".format(" | ".join(row)) for row in rows]


def host_markdown(report: dict[str, Any]) -> str:
    """The page of one host."""
    lines = ["# {}".format(escape(report["host"])), ""]
    if "containers" not in report:
        lines += ["Not seen, {}: {}".format(escape(report["status"]), escape(report["reason"])), ""]
        return "\n".join(lines)
    lines += ["Kernel {}, boot {}.".format(escape(report["kernel"]), escape(report["boot_id"])), ""]
    if report["problems"]:
        lines += ["Not everything could be seen:", ""]
        lines += ["- {}: {}".format(escape(one["what"]), escape(one["reason"])) for one in report["problems"]] + [""]
    lines += ["## Containers", ""] + _containers(report)
    if report["kept"]:
        lines += ["## Namespaces without a process", ""] + _kept(report["kept"])
    if "inventory" in report:
        lines += ["## All namespaces", ""] + _inventory(report["inventory"])
    return "\n".join(lines)


def _containers(report: dict[str, Any]) -> list[str]:
    chosen, containers = report["chosen"], report["containers"]
    lines = []
    for what, values in (("Only those named", chosen["containers"]), ("Only those of", chosen["engines"])):
        if values:
            lines += ["%s %s." % (what, ", ".join(map(escape, values))), ""]
    if not containers:
        return lines + ["No containers.", ""]
    lines += _table(_TITLES, [_row(one, report["names"]) for one in containers])
    lines += ["", "### Their namespaces", "", "A number in italics is the host's.", ""]
    return lines + _table(("Container",) + TYPES, [_numbers(one) for one in containers]) + [""]


def _row(one: dict[str, Any], names: dict[str, str]) -> list[str]:
    pod = one.get("pod") or {}
    with_host = one.get("shared_with_host") or ()
    partners = shares(dict(one, shared_with_host=[]), names)
    cells = [
        one.get("name"), short_id(one.get("id")), one.get("engine"), one.get("image"),
        "/".join(str(pod[key]) for key in ("namespace", "name") if pod.get(key)), one.get("state"), one.get("pid"),
        one.get("user"), " ".join(kind for kind in TYPES if kind in with_host),
    ]
    row = ["" if cell is None else escape(cell) for cell in cells]
    row[0] += " (infra)" if one.get("infra") else ""
    return row + ["<br>".join(map(escape, partners))]


def _numbers(one: dict[str, Any]) -> list[str]:
    row = [escape(display_name(one))]
    for kind in TYPES:
        number = escape(number_of((one.get("namespaces") or {}).get(kind)))
        row.append("*" + number + "*" if kind in (one.get("shared_with_host") or ()) else number)
    return row


def _kept(entries: Sequence[dict[str, Any]]) -> list[str]:
    present = {entry["verdict"] for entry in entries}
    lines = ["- **{}**: {}".format(*pair) for pair in _VERDICTS if pair[0] in present] + [""]
    rows = [[escape(one["ref"]), one["verdict"], escape(one["reason"]), _kept_by(one)] for one in entries]
    return lines + _table(("Namespace", "Verdict", "Why", "Kept by"), rows) + [""]


def _kept_by(entry: dict[str, Any]) -> str:
    return "<br>".join(map(escape, entry["kept_by"]))


def _inventory(entries: Sequence[dict[str, Any]]) -> list[str]:
    rows = []
    for entry in entries:
        leader = entry.get("leader") or {}
        pins: dict[str, int] = {}
        for pin in entry.get("pins") or []:
            pins[str(pin.get("kind"))] = pins.get(str(pin.get("kind")), 0) + int(pin.get("count") or 1)
        cells = [
            entry.get("ref") or entry.get("name"), "yes" if entry.get("initial") else "", entry.get("owner") or "",
            entry.get("processes"), "%s (%s)" % (leader.get("comm"), leader.get("pid")) if leader else "",
            ", ".join("%s %d" % pin for pin in sorted(pins.items())),
        ]
        rows.append([escape(cell) for cell in cells])
    return _table(("Namespace", "Initial", "Owner", "Processes", "Leader", "Pins"), rows) + [""]


def index_markdown(reports: Sequence[dict[str, Any]], formats: Sequence[str]) -> str:
    """The page that leads to all hosts, those that were not seen first."""
    lines = ["# Containers and their namespaces", ""]
    unseen = [report for report in reports if "containers" not in report]
    if unseen:
        lines += ["## Not seen", ""]
        lines += _table(("Host", "Status", "Reason"), [
            [escape(one["host"]), escape(one["status"]), escape(one["reason"])] for one in unseen]) + [""]
    lines += ["## Hosts", ""]
    rows = []
    for report in reports:
        if "containers" not in report:
            continue
        counts = verdicts(report)
        rows.append([
            _links(report["host"], formats), escape(report["status"]), str(len(report["containers"])),
            str(counts.get("leftover", 0)), str(counts.get("unproven", 0)), str(counts.get("unknown", 0)),
            str(counts.get("held", 0)), str(counts.get("named", 0)),
        ])
    lines += _table(("Host", "Status", "Containers", "Leftover", "Unproven", "Unknown", "Held", "Named"), rows) + [""]
    left_over = [
        [escape(report["host"]), escape(one["ref"]), _kept_by(one)]
        for report in reports for one in report.get("kept") or [] if one["verdict"] == "leftover"
    ]
    if left_over:
        lines += ["## Namespaces that nobody should be holding", ""]
        lines += _table(("Host", "Namespace", "Kept by"), left_over) + [""]
    return "\n".join(lines)


def _links(host: str, formats: Sequence[str]) -> str:
    # The name of the file has percent signs, which an address would take for its own escapes.
    target = "hosts/{}".format(file_name(host).replace("%", "%25"))
    if "markdown" not in formats:
        return f"[{escape(host)}]({target}.json)" if "json" in formats else escape(host)
    json_too = f" ([JSON]({target}.json))" if "json" in formats else ""
    return f"[{escape(host)}]({target}.md){json_too}"

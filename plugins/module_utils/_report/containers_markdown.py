"""debug_containers as Markdown: a page for each host, and the page that leads to them."""
from __future__ import annotations

from typing import Any, Sequence

from .commands import commands_markdown
from .containers import TYPES, display_name, file_name, number_of, shares
from .faults import in_words
from .markdown import escape, table
from .network_markdown import drawing_markdown, faults_markdown, network_markdown
from .text import short_id
from .wiring import Wiring
from .wiring_mermaid import mermaid

_TITLES = (
    "Container", "ID", "Engine", "Image", "Pod", "State", "PID", "User", "Shared with the host",
    "Shared with containers",
)
_COUNTED = ("leftover", "unproven", "unknown", "held", "named")
_VERDICTS = (
    ("leftover", "made by an engine for a container that is gone: nobody should be holding it"),
    ("unproven", "the same, but not every process could be read, so one may be in it"),
    ("unknown", "nobody was found who keeps it"),
    ("held", "a living process holds it without being in it"),
    ("named", "mounted on purpose, as `ip netns add` does"),
    ("engine", "belongs to an engine's own networking"),
)


def host_markdown(report: dict[str, Any], drawing: Wiring | None = None, picture: bool = False) -> str:
    """The page of one host, with its wiring; C(picture): an SVG of it lies beside the page."""
    lines = ["# {}".format(escape(report["host"])), ""]
    if "containers" not in report:
        lines += ["Not seen, {}: {}".format(escape(report["status"]), escape(report["reason"])), ""]
        return "\n".join(lines)
    lines += ["Kernel {}, boot {}.".format(escape(report["kernel"]), escape(report["boot_id"])), ""]
    if report["problems"]:
        lines += ["Not everything could be seen:", ""]
        lines += ["- {}: {}".format(escape(one["what"]), escape(one["reason"])) for one in report["problems"]] + [""]
    lines += faults_markdown(report)
    lines += ["## Containers", ""] + _containers(report)
    lines += network_markdown(report)
    lines += commands_markdown(report)
    if drawing is not None:
        flowchart, said = mermaid(drawing)
        name = file_name(report["host"]).replace("%", "%25") + ".svg"
        lines += drawing_markdown(flowchart, drawing.said + said, name if picture else None)
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
    lines += table(_TITLES, [_row(one, report["names"]) for one in containers])
    lines += ["", "### Their namespaces", "", "A number in italics is the host's.", ""]
    return lines + table(("Container",) + TYPES, [_numbers(one) for one in containers]) + [""]


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
    return lines + table(("Namespace", "Verdict", "Why", "Kept by"), rows) + [""]


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
    return table(("Namespace", "Initial", "Owner", "Processes", "Leader", "Pins"), rows) + [""]


def index_markdown(entries: Sequence[dict[str, Any]], formats: Sequence[str]) -> str:
    """The page that leads to all hosts (entries of the index), those that were not seen first."""
    lines = ["# Containers and their namespaces", ""]
    unseen = [entry for entry in entries if "containers" not in entry]
    if unseen:
        lines += ["## Not seen", ""]
        lines += table(("Host", "Status", "Reason"), [
            [escape(one["host"]), escape(one["status"]), escape(one["reason"])] for one in unseen]) + [""]
    lines += ["## Hosts", ""]
    rows = []
    for entry in entries:
        if "containers" in entry:
            kept = [str(entry["kept"].get(verdict, 0)) for verdict in _COUNTED]
            rows.append([_links(entry["host"], formats), escape(entry["status"]), str(entry["containers"]),
                         escape(in_words(entry["faults"]) or "0"), str(entry["unjudged"]), *kept])
    titles = ("Host", "Status", "Containers", "Faults", "Not judged", *(verdict.capitalize() for verdict in _COUNTED))
    lines += table(titles, rows) + [""]
    for title, key, heads in (
        ("Gravest faults", "gravest", ("Host", "Severity", "What", "Check")),
        ("Namespaces that nobody should be holding", "left_over", ("Host", "Namespace", "Kept by")),
    ):
        found = [[escape(entry["host"]), *row] for entry in entries for row in _rows(entry, key)]
        if found:
            lines += ["## " + title, ""] + table(heads, found) + [""]
    return "\n".join(lines)


def _rows(entry: dict[str, Any], key: str) -> list[list[str]]:
    more = entry.get("more", {}).get(key, ())
    if key == "gravest":
        return [[escape(one["severity"]), escape(one["reason"]), escape(one["check"])] for one in more]
    return [[escape(one["ref"]), _kept_by(one)] for one in more]


def _links(host: str, formats: Sequence[str]) -> str:
    # The name of the file has percent signs, which an address would take for its own escapes.
    target = "hosts/{}".format(file_name(host).replace("%", "%25"))
    if "markdown" not in formats:
        suffix = next((suffix for form, suffix in (("json", "json"), ("svg", "svg")) if form in formats), None)
        return f"[{escape(host)}]({target}.{suffix})" if suffix else escape(host)
    json_too = f" ([JSON]({target}.json))" if "json" in formats else ""
    return f"[{escape(host)}]({target}.md){json_too}"

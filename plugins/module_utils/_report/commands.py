"""What commands said that were run in the containers of a host: taken from the results of ns_exec, and told.

A container may print anything, also without end: what is kept of it is bounded, and the rest is counted.
"""
from __future__ import annotations

import re
import shlex
from typing import Any, Dict, List, Mapping, Sequence

from .containers import display_name
from .markdown import escape
from .text import cut, printable, wrap

OUTPUT = 8192      # bytes of each stream that a host is asked for
_LINES = 40        # of one command in one container
_ERRORS = 5        # of these, if there are so many, what was said as errors
_COLUMNS = 400     # of a line
_SENTENCE = 500
_MOST = 5000       # containers of a host
_SHOWN = 5         # lines on the terminal
_GROUPS = 12       # containers that say the same are one
_NAMED = 5

Told = Dict[str, Any]


def words(command: Any) -> str:
    """A command as it is shown. Raises ValueError where it is none."""
    if isinstance(command, str) and command.strip():
        shlex.split(command)
        return command.strip()
    if isinstance(command, (list, tuple)) and command and all(isinstance(one, (str, int, float)) for one in command):
        return " ".join(shlex.quote(str(one)) for one in command)
    raise ValueError("a command is a text, or a list of words")


def told(command: Any, result: Mapping[str, Any]) -> Told:
    """What is kept of the result of ns_exec, with many targets, for one command."""
    targets = result.get("targets")
    found: Told = {"command": words(command), "problem": "", "unproven": [], "targets": [], "left_out": []}
    if not isinstance(targets, list):
        found["problem"] = _sentence(result.get("msg")) or "it gave no result"
        return found
    unproven: Dict[str, None] = {}
    for target in targets[:_MOST]:
        if isinstance(target, Mapping):
            found["targets"].append(_target(target))
            if target.get("changed") or target.get("skipped"):
                unproven.update((_sentence(reason), None) for reason in _list(target.get("unproven"))[:20])
    found["unproven"] = list(unproven)[:20]
    found["left_out"] = [
        [str(one.get("container"))[:_COLUMNS], _sentence(one.get("reason"))]
        for one in _list(result.get("left_out"))[:_MOST] if isinstance(one, Mapping)
    ]
    return found


def _target(result: Mapping[str, Any]) -> Told:
    about = result.get("target")
    about = about if isinstance(about, Mapping) else {}
    output, errors = _lines(result.get("stdout")), _lines(result.get("stderr"))
    kept = output[:_LINES - min(len(errors), _ERRORS)]
    kept += errors[:_LINES - len(kept)]
    truncated = result.get("truncated")
    lost = [size for size in truncated.values() if isinstance(size, int)] if isinstance(truncated, Mapping) else []
    return {
        # One that names nothing here has no ID: another host may have it.
        "ids": [str(one) for one in [about.get("id"), *_list(about.get("also"))] if one],
        "problem": _problem(result), "lines": [cut(line, _COLUMNS) for line in kept],
        "more_lines": len(output) + len(errors) - len(kept), "more_bytes": sum(lost),
    }


def _problem(result: Mapping[str, Any]) -> str:
    rc = result.get("rc")
    if result.get("skipped") or not result.get("failed"):
        return _sentence(result.get("msg"))
    if isinstance(rc, int) and result.get("msg") == "non-zero return code":
        return "ended with %d" % rc if rc >= 0 else "ended by signal %d" % -rc
    about = result.get("target")
    name = str(about.get("container")) if isinstance(about, Mapping) else ""
    # ns_exec says where it looked; here many containers without it are one line.
    missing = re.match(r"(\S+|.{1,200}?) is not in %s \(ENOENT.*?\)(?:, but the host has (\S+): )?" % re.escape(name),
                       str(result.get("msg")))
    if missing:
        there = " (the host has %s)" % missing.group(2) if missing.group(2) else ""
        return _sentence("%s is not there%s" % (missing.group(1), there))
    return _sentence(result.get("msg")) or "failed"


def of_host(containers: Sequence[Mapping[str, Any]], asked: Sequence[Any], found: Sequence[Told] | None) -> list[Told]:
    """What the report has: for each command its results, those of containers that gave the same as one.

    C(found) is None where the host did not answer any more.
    """
    report = []
    for number, command in enumerate(asked):
        one: Told = {"command": words(command), "problem": "the host did not answer", "unproven": [], "targets": [],
                     "left_out": []}
        if found is not None and number < len(found):
            one = found[number]
        by_id = {name: target for target in one["targets"] for name in target["ids"]}
        groups: Dict[str, Told] = {}
        not_run: Dict[str, List[str]] = {}
        reasons = dict(one["left_out"])
        for container in containers:
            target, name = by_id.get(str(container.get("id"))), display_name(dict(container))
            if target is not None:
                content = {key: target[key] for key in ("problem", "lines", "more_lines", "more_bytes")}
                groups.setdefault(repr(content), dict(content, containers=[]))["containers"].append(name)
            elif not one["problem"]:
                reason = reasons.get(str(container.get("name"))) or _why_not(container)
                not_run.setdefault(reason, []).append(name)
        report.append({
            "command": one["command"], "problem": one["problem"], "unproven": one["unproven"],
            "results": list(groups.values()),
            "not_run": [{"reason": reason, "containers": names} for reason, names in sorted(not_run.items())],
        })
    return report


def _why_not(container: Mapping[str, Any]) -> str:
    if container.get("infra"):
        return "a pod's own container"
    if container.get("engine") == "unknown":
        return "of no known engine"
    if container.get("state") not in (None, "running"):
        return str(container["state"])
    return "it did not run at that time"


# --- as text --------------------------------------------------------------------------------------------------------


def commands_markdown(report: Mapping[str, Any]) -> list[str]:
    """The chapter on the page of a host."""
    if not report.get("commands"):
        return []
    lines = ["## Commands", "", "Run read-only in the containers. What they say differs from time to time.", ""]
    for one in report["commands"]:
        lines += ["### %s" % escape(one["command"]), ""]
        if one["problem"]:
            lines += ["Not run: %s" % escape(one["problem"]), ""]
        if one["unproven"]:
            lines += ["Not proved to have changed nothing: %s" % escape("; ".join(one["unproven"])), ""]
        for result in one["results"]:
            names = ", ".join("**%s**" % escape(name) for name in result["containers"])
            lines += [("%s: %s" % (names, escape(result["problem"] or _nothing(result)))).rstrip(), ""]
            # Indented by four it is code, in which nothing is markup, and out of which no line leads.
            lines += ["    " + _plain(line) for line in result["lines"]] + [""] * bool(result["lines"])
            rest = _rest(result, len(result["lines"]))
            lines += [rest, ""] if rest else []
        for some in one["not_run"]:
            lines += ["Not run in %s: %s" % (", ".join(map(escape, some["containers"])), escape(some["reason"])), ""]
    return lines


def commands_terminal(report: Mapping[str, Any], room: int) -> tuple[list[str], bool]:
    """The lines below the tables of a host, and whether something is in the files only."""
    lines: List[str] = []
    cut_off = False
    for one in report.get("commands") or ():
        lines += ["", cut("  $ " + printable(one["command"]), room)]
        if one["problem"]:
            lines += wrap("not run: " + printable(one["problem"]), room, "    ", "    ")
        if one["unproven"]:
            text = "not proved to have changed nothing: " + printable("; ".join(one["unproven"]))
            lines += wrap(text, room, "    ", "    ")
        for result in one["results"][:_GROUPS]:
            heading = "%s: %s" % (_some(result["containers"]), printable(result["problem"] or _nothing(result)))
            lines += wrap(heading, room, "    ", "    ")
            lines += [cut("      " + _plain(line), room) for line in result["lines"][:_SHOWN]]
            rest = _rest(result, _SHOWN)
            if rest:
                lines.append("      " + rest)
                cut_off = cut_off or len(result["lines"]) > _SHOWN
        if len(one["results"]) > _GROUPS:
            cut_off = True
            lines.append("    ... %d more answers" % (len(one["results"]) - _GROUPS))
        for some in one["not_run"]:
            text = "not run in %s: %s" % (_some(some["containers"]), printable(some["reason"]))
            lines += wrap(text, room, "    ", "    ")
    return lines, cut_off


def _plain(line: str) -> str:
    return printable(line.expandtabs(8))


def _nothing(result: Mapping[str, Any]) -> str:
    return "" if result["lines"] else "no output"


def _rest(result: Mapping[str, Any], shown: int) -> str:
    """How much there is beyond so many lines; empty when nothing is."""
    lines = max(0, len(result["lines"]) - shown) + result["more_lines"]
    parts = ["%d more line%s" % (lines, "" if lines == 1 else "s")] if lines else []
    if result["more_bytes"]:
        parts.append("%d %sbytes" % (result["more_bytes"], "" if lines else "more "))
    return "... " + " and ".join(parts) if parts else ""


def _some(names: Sequence[str]) -> str:
    more = " +%d" % (len(names) - _NAMED) if len(names) > _NAMED else ""
    return ", ".join(cut(printable(name), 40, "middle") for name in names[:_NAMED]) + more


def _lines(text: Any) -> list[str]:
    if not isinstance(text, str) or not text.strip("\n"):
        return []
    return [line.rstrip() for line in text.rstrip("\n").split("\n")]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _sentence(value: Any) -> str:
    return cut(" ".join(str(value or "").split()), _SENTENCE)

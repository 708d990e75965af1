# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the snapshots of hosts one by one, in the controller's process, and writes their reports.

What a host said never gets into a variable: only small words about each host are returned.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import tempfile
import typing as t
from pathlib import Path

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.text.converters import to_bytes
from ansible.plugins.action import ActionBase
from ansible.utils.path import unfrackpath

from ansible_collections.nsfleet.linux.plugins.module_utils._audit.checks import CHECKS, judge
from ansible_collections.nsfleet.linux.plugins.module_utils._audit.finding import NOT_APPLICABLE, PASS
from ansible_collections.nsfleet.linux.plugins.module_utils._report.commands import of_host, words
from ansible_collections.nsfleet.linux.plugins.module_utils._report.containers import (
    LEFT_OUT,
    Choice,
    chosen_of,
    containers_of,
    file_name,
    host_report,
    unseen,
    unseen_report,
)
from ansible_collections.nsfleet.linux.plugins.module_utils._report.containers_index import entry, index
from ansible_collections.nsfleet.linux.plugins.module_utils._report.containers_markdown import (
    host_markdown,
    index_markdown,
)
from ansible_collections.nsfleet.linux.plugins.module_utils._report.containers_terminal import COLUMNS, Terminal
from ansible_collections.nsfleet.linux.plugins.module_utils._report.faults import NONE, Faults, picks, select, sentence
from ansible_collections.nsfleet.linux.plugins.module_utils._report.folder import Folder
from ansible_collections.nsfleet.linux.plugins.module_utils._report.network import Networks
from ansible_collections.nsfleet.linux.plugins.module_utils._report.snapshots import Unreadable, bounded, facts_of
from ansible_collections.nsfleet.linux.plugins.module_utils._report.text import cut, printable
from ansible_collections.nsfleet.linux.plugins.module_utils._report.wiring import Wiring, wiring
from ansible_collections.nsfleet.linux.plugins.module_utils._report.wiring_svg import svg

_NARROWEST = 40
_SAID = 3  # faults of a host that its result names
_FORMATS = ("json", "markdown", "svg")
_WORDS = {"type": "list", "elements": "str"}
_PREFIX = "snapshots-"
# What facts that are not as ns_facts makes them may raise. A host can send anything.
_ODD = (ArithmeticError, AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError)
_SECONDS = 60  # of CPU for one host; one of 3,000 containers takes five

OPTIONS: dict[str, t.Any] = {
    "state": {"type": "str", "choices": ["prepared", "reported"], "default": "reported"},
    "hosts": dict(_WORDS, default=[]),
    "shown": _WORDS,
    "pending": dict(_WORDS, default=[]),
    "register": {"type": "str"},
    "containers": dict(_WORDS, default=[]),
    "engines": dict(_WORDS, default=[]),
    "infra": {"type": "bool", "default": True},
    "kept": {"type": "bool", "default": True},
    "inventory": {"type": "bool", "default": False},
    "commands": {"type": "list", "elements": "raw", "default": []},
    "faults": dict(_WORDS, default=["all"]),
    "directory": {"type": "str", "default": ""},
    "formats": dict(_WORDS, choices=list(_FORMATS), default=list(_FORMATS)),
    "snapshots": {"type": "bool", "default": False},
    "columns": dict(
        _WORDS, choices=list(COLUMNS), default=["name", "engine", "image", "pid", "namespaces", "shared"]
    ),
    "numbers": {"type": "bool", "default": False},
    "width": {"type": "int", "default": 80},
    "rows": {"type": "int", "default": 1000},
    "quoted": {"type": "bool", "default": False},
}


class ActionModule(ActionBase):
    """Makes a place for snapshots, and reports of them."""

    _supports_check_mode = True
    _supports_async = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        self._task.args = {
            name: _words(value, name) if OPTIONS.get(name, {}).get("type") == "list" else value
            for name, value in self._task.args.items()
        }
        dummy, options = self.validate_argument_spec(argument_spec=OPTIONS)
        if options["width"] < _NARROWEST:
            raise AnsibleActionFail(
                f"containers_report: width must leave at least {_NARROWEST} columns to the tables, and leaves"
                f" {options['width']}, because Ansible takes some for itself: add {_NARROWEST - options['width']} to it"
            )
        if options["rows"] < 1:
            raise AnsibleActionFail(f"containers_report: rows must be at least 1, not {options['rows']}")
        if not options["columns"]:
            raise AnsibleActionFail(f"containers_report: columns are some of {', '.join(COLUMNS)}, and none is given")
        try:
            picked = picks(options["faults"], [check.id for check in CHECKS])
        except ValueError as error:
            raise AnsibleActionFail(f"containers_report: {error}") from None
        for command in options["commands"]:
            try:
                words(command)
            except ValueError as error:
                raise AnsibleActionFail(f"containers_report: {command!r} cannot be run: {error}") from None
        if options["state"] == "prepared":
            place = tempfile.mkdtemp(prefix=_PREFIX, dir=_temporary())
            return dict(result, changed=False, path=place)
        reporting = _Reporting(options, picked, (task_vars or {}).get("hostvars"), self._task.check_mode)
        result.update(reporting.run())
        return result


class _Reporting:
    """One run over all hosts."""

    def __init__(self, options: dict[str, t.Any], picked: set[str], variables: t.Any, pretend: bool) -> None:
        self._options = options
        self._picked = picked
        self._variables = variables
        self._pretend = pretend
        self._choice = Choice(
            options["containers"], options["engines"], options["infra"], options["kept"], options["inventory"]
        )
        self._formats = [form for form in _FORMATS if form in options["formats"]]
        path = _folder_of(options["directory"])
        self._folder = Folder(path, pretend) if path and (self._formats or options["snapshots"]) else None
        self._terminal = Terminal(
            options["width"], options["columns"], options["rows"], options["numbers"], options["quoted"]
        )
        self._shown = set(options["hosts"] if options["shown"] is None else options["shown"])
        self._not_written = ""

    def run(self) -> dict[str, t.Any]:
        """The result of the task. What cannot be written is a failure, but the table is made all the same."""
        entries = []
        hosts: dict[str, t.Any] = {}
        # This process ends with the task, and what is made of a snapshot has no cycles.
        gc.disable()
        for host in self._options["hosts"]:
            found, said = self._host(host)
            entries.append(found)
            count = sum(found.get("faults", {}).values())
            hosts[host] = {
                "status": found["status"], "reason": printable(found["reason"] or ""), "faults": count,
                "faulty": _faulty(count, said),
            }  # fmt: skip
        index_name = self._write_index(entries)
        lines = self._terminal.lines([one for one in entries if one["host"] in self._shown], self._last(index_name))
        result = {
            "changed": bool(self._folder and self._folder.changed), "lines": lines, "hosts": hosts,
            "written": self._folder.changed if self._folder else [],
        }  # fmt: skip
        # No failure here: that would print all of this. The role fails when the table was shown.
        return dict(result, not_written=self._not_written)

    def _host(self, host: str) -> tuple[dict[str, t.Any], list[str]]:
        """The entry of a host in the index, and its gravest faults in words; its files are written on the way."""
        result = _result(self._variables, host, str(self._options["register"]))
        path = _place(result, host)
        if path is None:
            status, reason = unseen(result, host in self._options["pending"])
            return entry(unseen_report(host, status, reason), self._formats), []
        try:
            with bounded(_SECONDS):
                return self._told(host, path)
        except OSError as error:
            reason = f"its snapshot cannot be read: {error.strerror}"
        except Unreadable as error:
            reason = str(error)
        except _ODD as error:
            reason = f"its snapshot cannot be understood: {type(error).__name__}: {cut(printable(error), 200)}"
        return entry(unseen_report(host, "failed", reason), self._formats), []

    def _told(self, host: str, path: Path) -> tuple[dict[str, t.Any], list[str]]:
        told = path.with_name(path.name + ".told")
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            if not told.exists():
                raise
            earlier = json.loads(told.read_text())
            return earlier["entry"], earlier["gravest"]
        report, drawing = self._report(host, facts_of(content))
        if self._options["commands"]:
            said = path.with_name(path.name + ".said")
            found = json.loads(said.read_text()) if said.exists() else None
            report["commands"] = of_host(report["containers"], self._options["commands"], found)
            said.unlink(missing_ok=True)
        listed = entry(report, self._formats)
        gravest = [cut(f"{sentence(one)} ({printable(one['check'])})", 300) for one in report["faults"][:_SAID]]
        self._write_host(host, report, drawing, content)
        if host in self._shown:
            self._terminal.add(report)
        # Of a host that was reported the index of a later batch (serial) needs no more than this. It takes the place of
        # the snapshot in one step, because with the strategy "free" several of us are at work.
        scratch = path.with_name(f"{path.name}.{os.getpid()}")
        scratch.write_text(json.dumps({"entry": listed, "gravest": gravest}))
        os.replace(scratch, told)
        path.unlink(missing_ok=True)
        return listed, gravest

    def _report(self, host: str, facts: dict[str, t.Any]) -> tuple[dict[str, t.Any], Wiring | None]:
        chosen = chosen_of(containers_of(facts), self._choice)
        networks = Networks(facts)
        faults = NONE
        if self._picked:
            faults = self._faults(host, facts, chosen, networks.asked)
        report = host_report(host, facts, self._choice, faults)
        if not networks.asked or not {"markdown", "svg"}.intersection(self._formats):
            return report, None
        inventory = [one for one in facts.get("inventory") or [] if isinstance(one, dict)]
        return report, wiring(host, networks, chosen, faults.found, inventory, self._choice.everything)

    def _faults(self, host: str, facts: dict[str, t.Any], chosen: list[t.Any], with_networks: bool) -> Faults:
        # Who did not want to know of networks is not told, for each check, that they were not read.
        possible = [check for check in CHECKS if with_networks or (check.group == "LEAK" and not check.needs)]
        if all(word in {check.id for check in CHECKS} for word in self._picked):
            possible = [check for check in possible if check.id in self._picked]
        if not possible:
            return NONE
        results = judge(facts, host, [check.id for check in possible], without=(PASS, NOT_APPLICABLE))
        return select(t.cast("list[dict[str, t.Any]]", results), self._picked, chosen, self._choice.everything)

    def _write_host(self, host: str, report: dict[str, t.Any], drawing: Wiring | None, content: bytes) -> None:
        name, report = file_name(host), {key: value for key, value in report.items() if key != LEFT_OUT}
        if "json" in self._formats:
            self._write(f"hosts/{name}.json", lambda: _json(report))
        if "markdown" in self._formats:
            picture = drawing is not None and "svg" in self._formats
            self._write(f"hosts/{name}.md", lambda: host_markdown(report, drawing, picture))
        if "svg" in self._formats and drawing is not None:
            self._write(f"hosts/{name}.svg", lambda: svg(drawing))
        if self._options["snapshots"] and self._folder and not self._not_written:
            try:
                self._folder.put(f"snapshots/{name}.json.zlib", content, 0o600)
            except OSError as error:
                self._cannot_write(error)

    def _write_index(self, entries: list[dict[str, t.Any]]) -> str:
        """Its name, that of the form for people if there are several; empty where there is none."""
        names = ""
        if "json" in self._formats:
            names = "index.json"
            self._write(names, lambda: _json(index(entries)))
        if "markdown" in self._formats:
            names = "index.md"
            self._write(names, lambda: index_markdown(entries, self._formats))
        return names if self._folder else ""

    def _write(self, name: str, text: t.Callable[[], str]) -> None:
        if self._folder is None or self._not_written:
            return
        try:
            self._folder.write(name, text())
        except OSError as error:
            self._cannot_write(error)

    def _cannot_write(self, error: OSError) -> None:
        self._not_written = "containers_report: the reports cannot be written: {}: {}".format(
            error.filename or self._options["directory"], error.strerror
        )

    def _last(self, index_name: str) -> str:
        """The sentence that ends the table."""
        if self._not_written:
            return "The reports could not be written."
        if not index_name:
            return ""
        would = "would begin" if self._pretend else "begin"
        return f"The reports {would} with {self._options['directory']}/{index_name}"


def _faulty(count: int, gravest: list[str]) -> str:
    """The faults of a host as the message with which it fails; empty when there are none."""
    if not count:
        return ""
    more = f"; and {count - len(gravest)} more" if count > len(gravest) else ""
    return f"{count} {'fault' if count == 1 else 'faults'}: {'; '.join(gravest)}{more}"


def _temporary() -> str:
    """Ansible's own folder, which nobody else may read, and which it removes when it ends, however it ends."""
    return str(getattr(constants, "DEFAULT_LOCAL_TMP"))  # noqa: B009  # set at run time


def _folder_of(directory: str) -> str:
    """Relative to where ansible-playbook was started; Ansible itself would take the folder of the playbook."""
    if not directory:
        return ""
    return str(unfrackpath(directory, follow=False, basedir=os.environ.get("PWD") or None))


def _words(value: t.Any, name: str) -> t.Any:
    """A list, also of what was written as one text with commas and blanks; one text is one command, though."""
    if not isinstance(value, str):
        return value
    return [value] if name == "commands" and value else [word.strip() for word in value.split(",") if word.strip()]


def _place(result: t.Mapping[str, t.Any], host: str) -> Path | None:
    """Where the snapshot of a host is. Only where we told it to be: a host has its word in every result."""
    path = Path(str(result.get("dest") or ""))
    name = hashlib.sha256(to_bytes(host, errors="surrogate_or_strict")).hexdigest()
    ours = path.parent.parent == Path(_temporary()) and path.parent.name.startswith(_PREFIX)
    return path if ours and path.name == name and not result.get("failed") and not result.get("unreachable") else None


def _result(variables: t.Any, host: str, register: str) -> dict[str, t.Any]:
    # Not hostvars[host]: before ansible-core 2.19 that takes the message of an unreachable host, which may be in the
    # words of that host, for a template, and a template can run programs on the controller.
    raw_get = getattr(variables, "raw_get", None)
    of_host = raw_get(host) if raw_get else {}
    result = of_host.get(register) if isinstance(of_host, t.Mapping) else None
    return {str(key): value for key, value in result.items()} if isinstance(result, t.Mapping) else {}


def _json(value: dict[str, t.Any]) -> str:
    # ASCII: what a name has of direction marks or lone surrogates can neither mislead nor break a reader.
    # A line a key, and a line an entry of a list: short enough for a diff, and five times as fast as an indent.
    lines = []
    for key in sorted(value):
        if isinstance(value[key], list) and value[key]:
            text = "[\n    " + ",\n    ".join(json.dumps(one, sort_keys=True) for one in value[key]) + "\n  ]"
        else:
            text = json.dumps(value[key], sort_keys=True)
        lines.append(f"  {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"

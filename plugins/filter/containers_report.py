# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: containers_report
short_description: Write what nsfleet.linux.ns_facts found on hosts for a person or a program
version_added: 0.1.0
author:
  - The nsfleet.linux authors (@nsfleet)
description:
  - Turns results of M(nsfleet.linux.ns_facts) into a table for the terminal, or into JSON or Markdown for a file.
  - The role P(nsfleet.linux.debug_containers#role) prints and writes its reports with it.
  - Names of containers, images and hosts are data.
    What could be taken for markup or for a command of the terminal is shown, not obeyed.
positional: form
options:
  _input:
    description: The variables of all hosts (C(hostvars)), or a dictionary like it.
    type: dict
    required: true
  form:
    description:
      - What to write.
      - V(terminal) returns a list of lines.
      - V(host.json) and V(host.md) return the report of the (first) host.
      - V(index.json) and V(index.md) return the report of all hosts.
      - V(path) returns the path of the files of the (first) host, relative to the index and without extension.
      - V(status) returns whether the (first) host was seen (V(complete), V(incomplete)) or not
        (V(unreachable), V(failed), V(missing), V(pending)), and V(reason) why.
    type: str
    choices: [terminal, host.json, host.md, index.json, index.md, path, status, reason]
    required: true
  hosts:
    description: The hosts to report, in this order. A host without a result was not looked at.
    type: list
    elements: str
    required: true
  register:
    description: Name of the variable in which each host has its result of M(nsfleet.linux.ns_facts).
    type: str
    required: true
  pending:
    description: Names of the hosts that are still to be looked at.
    type: list
    elements: str
    default: []
  containers:
    description: Shell patterns of the containers to report. An empty list means all.
    type: list
    elements: str
    default: []
  engines:
    description: Engines whose containers are reported. An empty list means all.
    type: list
    elements: str
    default: []
  infra:
    description: Whether the infrastructure containers of pods are reported.
    type: bool
    default: true
  kept:
    description: Whether namespaces without a process are reported.
    type: bool
    default: true
  inventory:
    description: Whether V(host.json) and V(host.md) list every namespace of the host.
    type: bool
    default: false
  formats:
    description: Which files there are of each host, for the links of V(index.json) and V(index.md).
    type: list
    elements: str
    choices: [json, markdown]
    default: [json, markdown]
  columns:
    description: Columns of V(terminal).
    type: list
    elements: str
    choices: [name, id, engine, image, pod, state, user, unit, pid, namespaces, shared]
    default: [name, engine, image, pid, namespaces, shared]
  numbers:
    description: Whether V(terminal) has the numbers of the namespaces below each container.
    type: bool
    default: false
  width:
    description: Most columns that a line of V(terminal) has.
    type: int
    default: 80
  rows:
    description: Most containers that V(terminal) lists, all hosts together.
    type: int
    default: 1000
  quoted:
    description: Whether the lines of V(terminal) are going to be printed as JSON strings. Quotes are longer there.
    type: bool
    default: false
  last:
    description: A sentence that ends V(terminal), as where the files are.
    type: str
    default: ""
"""

EXAMPLES = r"""
---
- name: Look
  nsfleet.linux.ns_facts:
  register: looked

- name: Show
  ansible.builtin.debug:
    msg: "{{ hostvars | nsfleet.linux.containers_report('terminal', hosts=ansible_play_hosts, register='looked') }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The text, or for O(form=terminal) the lines.
  type: raw
"""

import json
import typing as t

from ansible import template
from ansible.errors import AnsibleFilterError

from ansible_collections.nsfleet.linux.plugins.module_utils._report.containers import (
    LEFT_OUT,
    Choice,
    file_name,
    host_report,
)
from ansible_collections.nsfleet.linux.plugins.module_utils._report.containers_index import index
from ansible_collections.nsfleet.linux.plugins.module_utils._report.containers_markdown import (
    host_markdown,
    index_markdown,
)
from ansible_collections.nsfleet.linux.plugins.module_utils._report.containers_terminal import COLUMNS, Terminal
from ansible_collections.nsfleet.linux.plugins.module_utils._report.text import printable

if hasattr(template, "trust_as_template"):
    _text: type[str] = str
else:
    # Before ansible-core 2.19 every string may be taken for a template unless it is marked, and (NativeJinja) one that
    # looks like JSON for data.
    from ansible.utils.unsafe_proxy import NativeJinjaUnsafeText

    _text = NativeJinjaUnsafeText

_FORMS = ("terminal", "host.json", "host.md", "index.json", "index.md", "path", "status", "reason")
_NARROWEST = 40
_DEFAULT_COLUMNS = ("name", "engine", "image", "pid", "namespaces", "shared")


def containers_report(
    variables: t.Any,
    form: str,
    *,
    hosts: t.Sequence[str],
    register: str,
    pending: t.Sequence[str] = (),
    containers: t.Sequence[str] = (),
    engines: t.Sequence[str] = (),
    infra: bool = True,
    kept: bool = True,
    inventory: bool = False,
    formats: t.Sequence[str] = ("json", "markdown"),
    columns: t.Sequence[str] = _DEFAULT_COLUMNS,
    numbers: bool = False,
    width: int = 80,
    rows: int = 1000,
    last: str = "",
    quoted: bool = False,
) -> t.Any:
    if form not in _FORMS:
        raise AnsibleFilterError(f"containers_report: form is one of {', '.join(_FORMS)}, not {form}")
    columns = _words(columns)
    unknown = [column for column in columns if column not in COLUMNS]
    if unknown:
        raise AnsibleFilterError(f"containers_report: columns are {', '.join(COLUMNS)}, not {unknown[0]}")
    if not columns:
        raise AnsibleFilterError(f"containers_report: columns are some of {', '.join(COLUMNS)}, and none is given")
    if form == "terminal" and width < _NARROWEST:
        raise AnsibleFilterError(f"containers_report: width must be at least {_NARROWEST}, not {width}")
    if rows < 1:
        raise AnsibleFilterError(f"containers_report: rows must be at least 1, not {rows}")
    if form == "path":
        return _text("hosts/" + file_name(str(hosts[0])))
    choice = Choice(_words(containers), _words(engines), infra, kept, inventory)
    reports = [host_report(str(host), _result(variables, host, register), choice, host in pending) for host in hosts]
    if form == "terminal":
        return [_text(line) for line in Terminal(width, columns, rows, numbers, last, quoted).lines(reports)]
    if form in ("status", "reason"):
        return _text(printable(reports[0][form] or ""))
    if form == "host.json":
        reports[0].pop(LEFT_OUT, None)
        return _text(_json(reports[0]))
    if form == "host.md":
        return _text(host_markdown(reports[0]))
    if form == "index.json":
        return _text(_json(index(reports, _words(formats))))
    return _text(index_markdown(reports, _words(formats)))


def _words(value: t.Any) -> list[str]:
    """A list, also of what was written as one text with commas, as lists of modules may be (C(-e name=a,b))."""
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else list(value)


def _result(variables: t.Any, host: str, register: str) -> dict[str, t.Any]:
    # Not hostvars[host]: before ansible-core 2.19 that takes the message of an unreachable host, which may be in the
    # words of that host, for a template, and a template can run programs on the controller.
    raw_get = getattr(variables, "raw_get", None)
    of_host = raw_get(host) if raw_get else variables.get(host)
    result = of_host.get(register) if isinstance(of_host, t.Mapping) else None
    return _plain(result) if isinstance(result, t.Mapping) else {}


def _plain(value: t.Any) -> t.Any:
    """The value without what Ansible adds to it (lazy, tagged, unsafe types)."""
    if isinstance(value, t.Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, str) else value


def _json(value: t.Any) -> str:
    # ASCII: what a name has of direction marks or lone surrogates can neither mislead nor break a reader.
    return json.dumps(value, indent=2, sort_keys=True) + "\n"


class FilterModule:
    """Filters of the collection for reports."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"containers_report": containers_report}

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts as ns_facts returns them, of hosts that do not exist."""

from __future__ import annotations

from typing import Any

TYPES = ("mnt", "uts", "ipc", "pid", "net", "user", "cgroup", "time")
HOST = {kind: f"{kind}:[{4026531834 + number}]" for number, kind in enumerate(TYPES)}
OWN = ("mnt", "uts", "ipc", "pid", "net", "cgroup")

#: Names that a container's maker may choose freely: markup, terminal commands, templates, data.
HOSTILE = (
    "\x1b[31mred\x1b[0m\r\nok: [fake]",
    "a|b`c`<script>alert(1)</script>",
    "{{ 7*7 }}{{ lookup('pipe', 'touch $OWNED') }}",
    "{{ 6*7 }}",
    "x" * 255,
    "\u202egnp.exe",
    "名前のコンテナ" * 6,
    "e\u0301\u0301\u0301",
    "[link](http://evil.example)\n# heading",
    "'quote' \"dq\" \\b",
    '{"a": 1}',
    "[1, 2]",
    "",
    "@all www.evil.example _em_ *b*",
    "\ud800lone",
)


def namespace(kind: str, number: int, processes: int = 0, pins: list[Any] | None = None, **more: Any) -> dict[str, Any]:
    """An entry of the inventory."""
    name = f"{kind}:[{number}]"
    entry = {
        "name": name, "ref": f"{name}#{number}", "type": kind, "inode": number, "device": 4, "ns_id": number,
        "initial": False, "owner": HOST["user"], "parent": None, "owner_uid": None, "processes": processes,
        "leader": None, "pins": pins or [], "containers": [], "nsid": None,
    }  # fmt: skip
    entry.update(more)
    return entry


def initial() -> list[dict[str, Any]]:
    """The namespaces that every host has."""
    leader = {"pid": 1, "start_time": 1, "comm": "init", "uid": 0}
    return [
        namespace(kind, int(name[len(kind) + 2 : -1]), 100, initial=True, owner=None, leader=leader)
        for kind, name in HOST.items()
    ]


def container(number: int, name: str, **more: Any) -> dict[str, Any]:
    """A container with six namespaces of its own."""
    spaces = dict(HOST)
    spaces.update({kind: f"{kind}:[{4026540000 + number * 8 + index}]" for index, kind in enumerate(OWN)})
    found = {
        "id": f"{number * 7919 + 1:064x}", "name": name, "engine": "docker", "infra": False,
        "image": f"registry.example.com/team/application:1.{number}", "state": "running", "pid": 1000 + number,
        "start_time": 5, "user": "0:0", "unit": None, "pod": None, "cgroup": "/docker/x", "capabilities": {},
        "seccomp": "filter", "no_new_privs": False, "lsm": None, "namespaces": spaces,
        "shared_with_host": ["user", "time"], "shared_with": {},
    }  # fmt: skip
    found.update(more)
    return found


def mount(path: str, place: str = HOST["mnt"]) -> dict[str, Any]:
    """A pin."""
    return {"kind": "mount", "count": 1, "path": path, "mount_namespace": place, "pid": 1}


def facts(containers: list[dict[str, Any]], kept: tuple[dict[str, Any], ...] = (), **more: Any) -> dict[str, Any]:
    """What is below ansible_facts.namespaces."""
    inventory = initial() + [
        namespace(kind, int(one["namespaces"][kind].split("[")[1][:-1]), 3)
        for one in containers for kind in OWN if one["namespaces"][kind] != HOST[kind]
    ]  # fmt: skip
    found = {
        "schema_version": 1, "boot_id": "6a1c3fbb-5d0e-4b7e-9d41-0c2f0c9f4c55", "gathered_at": "2026-11-21T23:50:02Z",
        "kernel": {"release": "6.18.44", "features": {}}, "counts": {}, "own": HOST, "host": HOST, "complete": True,
        "problems": [], "inventory": [*inventory, *kept], "containers": containers,
    }  # fmt: skip
    found.update(more)
    return found


def crowd(count: int, names: tuple[str, ...] = ()) -> dict[str, Any]:
    """A busy host: two engines, a pod, the host's network here and there, pairs that share; and what is left over."""
    found: list[dict[str, Any]] = []
    for number in range(count):
        name = names[number] if number < len(names) else f"web-frontend-{number:04d}"
        one = container(number, name, engine="podman" if number % 3 else "docker")
        if number % 10 == 5:
            one["pod"] = {"name": "shop", "namespace": None, "uid": None}
        if number % 10 == 1:
            one["namespaces"]["net"], one["shared_with_host"] = HOST["net"], ["net", "user", "time"]
        if number % 10 == 2:
            other = found[-2]
            one["namespaces"]["net"] = other["namespaces"]["net"]
            one["shared_with"], other["shared_with"] = {"net": [other["id"]]}, {"net": [one["id"]]}
        found.append(one)
    kept = (
        namespace("net", 4026539001, pins=[mount("/run/docker/netns/1a2b3c4d5e6f")]),
        namespace("net", 4026539002, pins=[mount("/run/netns/blue")]),
    )
    return facts(found, kept)

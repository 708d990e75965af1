"""Namespaces that are alive without a process: who keeps each of them, and whether somebody should.

A pure function over the facts of C(ns_facts). The verdicts:
  leftover  an engine made its name for a container, and no process is in it any more
  held      a living process holds it (descriptor, socket, thread, ...), without being in it
  named     bind-mounted on purpose, as C(ip netns add) does
  engine    belongs to an engine's own networking, not to a container
  unproven  would be a leftover, but not every process could be read
  unknown   nobody was found who keeps it
"""
from __future__ import annotations

import re
from typing import Any

VERDICTS = ("leftover", "unproven", "unknown", "held", "named", "engine")

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
# Where engines mount the namespaces of their containers, by their sources.
_OF_CONTAINERS = (
    # moby, daemon/libnetwork/osl: EXEC-ROOT/netns/ and the first 12 digits of the sandbox
    ("docker", re.compile(r"/netns/[0-9a-f]{12}$")),
    # containers/common, libnetwork/netns
    ("podman", re.compile(rf"/netns/netns-{_UUID}$")),
    # containernetworking/plugins, containerd and older podman
    ("CNI", re.compile(rf"/netns/cni-{_UUID}$")),
    # cri-o's pinns: /run/netns, /run/utsns, /run/ipcns, /run/userns
    ("cri-o", re.compile(rf"/(?:net|uts|ipc|user|pid)ns/{_UUID}$")),
)
# Swarm's ingress network and overlays; podman's rootless network.
_OF_ENGINES = re.compile(
    r"/netns/(?:default|ingress_sbox|lb_[0-9a-z]+|[0-9]+-[0-9a-z]{10})$|/rootless-netns(?:-[0-9a-f]+)?$"
)
_LIVE = ("process", "thread")


def kept(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """The namespaces without a process, the worst first: name, ref, type, owner, verdict, reason, kept_by, pins."""
    inventory = [entry for entry in facts.get("inventory") or [] if entry.get("name")]
    used = _used(inventory)
    host = facts.get("host") or {}
    unsure = blind(facts)
    relatives = _children(inventory)
    found = []
    for entry in inventory:
        name = entry["name"]
        if name in used or entry.get("initial") or name in host.values():
            continue
        pins = [pin for pin in entry.get("pins") or [] if pin.get("kind") != "child"]
        verdict, reason = _judge(pins, host.get("mnt"), unsure)
        children = relatives.get(name, [])
        if not pins and children:
            verdict, reason = "held", f"what it is {children[0][0]} of is kept"
        found.append({
            "name": name, "ref": entry.get("ref") or name, "type": entry.get("type"), "owner": entry.get("owner"),
            "verdict": verdict, "reason": reason,
            "kept_by": [_holder(pin, host.get("mnt")) for pin in pins] + ["%s of %s" % child for child in children],
            "pins": entry.get("pins") or [],
        })
    found.sort(key=lambda one: (VERDICTS.index(one["verdict"]), str(one["type"]), one["name"]))
    return found


def _used(inventory: list[dict[str, Any]]) -> set[str]:
    """Namespaces with a process or thread in them, and the parents and owners of these."""
    entries = {entry["name"]: entry for entry in inventory}
    used: set[str] = set()
    pending = [
        name for name, entry in entries.items()
        if entry.get("processes") or any(pin.get("kind") in _LIVE for pin in entry.get("pins") or [])
    ]
    while pending:
        name = pending.pop()
        if name in used:
            continue
        used.add(name)
        entry = entries.get(name, {})
        pending.extend(relative for relative in (entry.get("parent"), entry.get("owner")) if relative)
    return used


def blind(facts: dict[str, Any]) -> bool:
    """Whether a process may be in a namespace without our having seen it."""
    unseen = 0
    for problem in facts.get("problems") or []:
        if problem.get("what") == "processes" and problem.get("reason") != "vanished":
            if "hidepid" in str(problem.get("reason")):
                return True
            unseen += problem.get("count") or 1
    # Process 1 may have capabilities that root in a sandbox lacks, and is unreadable then; it is in no container.
    first = any((entry.get("leader") or {}).get("pid") == 1 for entry in facts.get("inventory") or [])
    return unseen > (0 if first else 1)


def _judge(pins: list[dict[str, Any]], host_mnt: str | None, unsure: bool) -> tuple[str, str]:
    mounts = [pin for pin in pins if pin.get("kind") == "mount"]
    for pin in mounts:
        engine = engine_of(str(pin.get("path")))
        if engine and unsure:
            return "unproven", f"made by {engine} for a container; not every process could be read"
        if engine:
            return "leftover", f"made by {engine} for a container that is gone"
    if any(_OF_ENGINES.search(str(pin.get("path"))) for pin in mounts):
        return "engine", "an engine's own network"
    if len(mounts) < len(pins):
        return "held", "a process holds it without being in it"
    if not mounts:
        return "unknown", "nobody was found who keeps it"
    if host_mnt and not any(pin.get("mount_namespace") in (host_mnt, None) for pin in mounts):
        return "held", "mounted only where the host does not see it"
    return "named", "mounted on purpose"


def engine_of(path: str) -> str | None:
    """The engine that mounts namespaces of its containers at such a path; None when it is none of theirs."""
    for engine, pattern in _OF_CONTAINERS:
        if pattern.search(path):
            return engine
    return None


def _children(inventory: list[dict[str, Any]]) -> dict[str, list[tuple[str, str]]]:
    """By name: what it is parent or owner of, as ("parent", name)."""
    found: dict[str, set[tuple[str, str]]] = {}
    for entry in inventory:
        for kind in ("parent", "owner"):
            if entry.get(kind):
                found.setdefault(entry[kind], set()).add((kind, entry["name"]))
    return {name: sorted(several) for name, several in found.items()}


def _holder(pin: dict[str, Any], host_mnt: str | None) -> str:
    """One pin in words."""
    kind = str(pin.get("kind"))
    who = "{} (pid {})".format(pin.get("comm") or "?", pin.get("pid"))
    if kind == "mount":
        text = "mount {}".format(pin.get("path"))
        place = pin.get("mount_namespace")
        if place and host_mnt and place != host_mnt:
            text += f" in {place}"
            if pin.get("pid"):
                text += " (pid {})".format(pin["pid"])
        return text
    if kind in ("descriptor", "socket"):
        number = pin.get("descriptor", pin.get("fd"))
        return "{} {} of {}".format(kind, "?" if number is None else number, who)
    if kind == "thread":
        return "thread {} of {}".format(pin.get("tid"), who)
    if kind.endswith("_for_children"):
        return f"{who}, for its next children"
    return f"{kind} of {who}"

"""Network namespaces and veths that are left of containers that are gone."""
from __future__ import annotations

from typing import Any, Dict, Iterator, List, Optional

from .finding import MEDIUM, Check, Verdict, fail, not_applicable, unknown
from .kept import blind, kept
from .network import Network
from .rows import dicts, number, table, word
from .topology import Index

# Engines' proxies: what they hold without being in it, they forgot (moby 32090, 41136).
_PROXIES = frozenset(("docker-proxy", "rootlessport"))
# Its inode is fixed (include/linux/nsfs.h).
_INITIAL_PIDS = "pid:[4026531836]"


def mounted(index: Index, host: Network) -> Iterator[Verdict]:
    yield from _leaks(index, False)


def held(index: Index, host: Network) -> Iterator[Verdict]:
    yield from _leaks(index, True)


def _leaks(index: Index, by_process: bool) -> Iterator[Verdict]:
    if index.inventory is None:
        yield unknown("", "the namespaces were not read")
        return
    facts = _sound(index)
    if any(entry["processes"] is None for entry in facts["inventory"]):
        yield unknown("", "which namespaces have processes was not told of all of them")
    for one in kept({**facts, "inventory": [entry for entry in facts["inventory"] if entry["processes"] is not None]}):
        pins = [pin for pin in one["pins"] if pin["kind"] not in ("mount", "child")]
        verdict = _verdict(one, pins)
        if verdict is None or bool(pins) is not by_process:
            continue
        name = next((pin["path"] for pin in one["pins"] if pin["kind"] == "mount"), None) or one["name"]
        if verdict == "leaked":
            yield fail(name, "%s, %s, has no process any more and is kept by %s" % (
                one["name"], one["reason"], ", ".join(one["kept_by"][:3])))
        else:
            yield unknown(name, "%s has no process that was seen: %s" % (one["name"], one["reason"]))


def _verdict(one: Dict[str, Any], pins: List[Dict[str, Any]]) -> Optional[str]:
    """leaked, unsure, or None where it is in order."""
    if one["verdict"] == "leftover":
        return "leaked"
    if one["verdict"] == "held" and pins and all(pin.get("comm") in _PROXIES for pin in pins):
        one["reason"] = "held by an engine's proxy that is not in it"
        return "leaked"
    return "unsure" if one["verdict"] in ("unproven", "unknown") else None


def _sound(index: Index) -> Dict[str, Any]:
    """What kept() reads, with everything of the type that it expects; made once, for three checks ask."""
    if index.sound is None:
        index.sound = _read(index)
    return index.sound


def _read(index: Index) -> Dict[str, Any]:
    inventory = []
    for row in index.inventory or []:
        name = word(row.get("name"))
        kind = word(row.get("type")) or (name or "").partition(":")[0]
        # Those of other types neither keep a network namespace nor belong to one.
        if name is None or kind != "net":
            continue
        found = dicts(row.get("pins"))
        pins = [
            {"kind": word(pin.get("kind")) or "?", "path": word(pin.get("path")), "pid": number(pin.get("pid")),
             "comm": word(pin.get("comm")), "mount_namespace": word(pin.get("mount_namespace")),
             "descriptor": number(pin.get("descriptor")), "tid": number(pin.get("tid"))}
            for pin in found or []
        ]
        leader = row.get("leader")
        inventory.append({
            "name": name, "type": kind, "pins": pins,
            "processes": number(row.get("processes")) if found is not None else None,
            "initial": row.get("initial") is True, "owner": word(row.get("owner")), "parent": word(row.get("parent")),
            "leader": {"pid": number(leader.get("pid"))} if isinstance(leader, dict) else None,
        })
    problems = [
        {"what": word(row.get("what")), "reason": word(row.get("reason")), "count": number(row.get("count"))}
        for row in dicts(index.facts.get("problems")) or []
    ]
    host = {kind: name for kind, name in table(index.facts.get("host")).items() if isinstance(name, str)}
    return {"inventory": inventory, "problems": problems, "host": host}


def orphans(index: Index, host: Network) -> Iterator[Verdict]:
    links = [link for link in host.links or [] if link.kind == "veth"]
    if not links:
        yield not_applicable("%s has no veth" % host.title)
        return
    facts = _sound(index)
    entries = {entry["name"]: entry for entry in facts["inventory"]}
    leaked = {one["name"] for one in kept(facts)
              if one["verdict"] == "leftover" or _verdict(one, [
                  pin for pin in one["pins"] if pin["kind"] not in ("mount", "child")]) == "leaked"}
    unsure = _unsure(index, host, facts, entries)
    for link in links:
        name = str(link.name)
        there = link.peer.network if link.peer is not None else None
        if there is not None and (there == host.name or (there in entries and there not in leaked)):
            continue
        if there in leaked:
            yield fail(name, "%s on the host leads to %s, whose container is gone" % (name, there))
        elif unsure is not None:
            yield unknown(name, "where %s on the host leads to was not seen: %s" % (name, unsure))
        elif link.free:
            # A veth of ours with addresses may be how we ourselves are joined to others.
            continue
        else:
            yield fail(name, "%s on the host, in %s, leads to a network namespace that nobody was found in" % (
                name, link.master))


def _unsure(index: Index, host: Network, facts: Dict[str, Any], entries: Dict[str, Any]) -> Optional[str]:
    """Why an end that was not seen may be in order nevertheless."""
    if index.inventory is None or not facts["inventory"]:
        return "the namespaces were not read"
    if not entries.get(host.name or "", {}).get("initial"):
        return "the host itself may be a container"
    own = index.facts.get("own")
    if not isinstance(own, dict) or own.get("pid") != _INITIAL_PIDS:
        return "processes outside of our own pid namespace are not seen"
    if blind(facts):
        return "not every process could be read"
    if any(problem["reason"] == "timed out" or problem["what"] == "networks" for problem in facts["problems"]):
        return "not every network namespace could be read"
    return None


CHECKS = [
    Check("LEAK-001", "Network namespace is left, kept by a mount", MEDIUM, "once", (), mounted,
          "Unmount and remove the file (umount PATH, rm PATH) once the engine no longer lists the container."),
    Check("LEAK-002", "Network namespace is left, kept by a process", MEDIUM, "once", (), held,
          "Restart or end the process that holds it."),
    Check("LEAK-003", "Veth on the host leads to nobody", MEDIUM, "host", ("links",), orphans,
          "Remove it (ip link delete dev VETH) once the engine lists no container that is starting."),
]

"""What ns_facts returns: the inventory, the containers, and (a subset of its own) their networks."""
from __future__ import annotations

import fnmatch
import os
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Callable, Dict, Optional, Sequence

from ._discover import inventory
from ._discover.scan import SOURCES, Clock, Scan, host_names, mark_initial, own_names
from ._engines.attribute import containers as find_containers
from ._engines.view import View
from ._kernel.proc import GONE, Proc
from ._kernel.reader import FileReader
from ._model.inventory import TRUNCATED, TYPES, Container, Namespace, Problems

SCHEMA_VERSION = 1


@dataclass
class Request:
    """The options of ns_facts."""

    gather_subset: Sequence[str] = ("namespaces", "containers")
    types: Sequence[str] = TYPES
    containers: Sequence[str] = ()
    scan: Sequence[str] = SOURCES
    cmdline: bool = False
    labels: bool = False
    processes: bool = False
    max_entries: int = 500
    timeout: float = 30.0


@dataclass
class Facts:
    """One host at one moment."""

    scan: Scan
    own: dict[str, str]
    host: dict[str, str]
    containers: list[Container] = field(default_factory=list)
    networks: Optional[Dict[str, Any]] = None


def facts_for(params: dict[str, Any], look: Callable[[Request], dict[str, Any]] | None = None) -> dict[str, Any]:
    """The facts that a module's parameters ask for. Raises ValueError with a sentence for the user."""
    known = {name: value for name, value in params.items() if name in Request.__dataclass_fields__}
    for option in ("max_entries", "timeout"):
        if not known[option] > 0:  # also refuses NaN
            raise ValueError("%s must be greater than 0, not %s." % (option, known[option]))
    if look is None and "network" in known["gather_subset"]:
        raise ValueError("The subset network needs an action plugin, which was passed by: name the module"
                         " nsfleet.linux.ns_facts_network instead of ns_facts.")
    if look is None or "network" not in known["gather_subset"]:
        look = gather
    try:
        return look(Request(**known))
    except OSError as error:
        raise ValueError("The host's /proc must be readable to find namespaces, and it is not: %s. Mount it."
                         % error) from error


def gather(request: Request, proc_root: str = "/proc", file_root: str = "/",
           survey: Callable[[Facts, int], dict[str, Any]] | None = None) -> dict[str, Any]:
    """The facts as the module returns them; never raises for what it meets on the way, see RV(problems).

    C(survey) looks at the networks (at most so many entries a list). Its code travels only where they are asked for.
    """
    problems = Problems()
    clock = Clock(request.timeout)
    proc = Proc(proc_root)
    scan = Scan(proc, problems, clock, request.max_entries, live=proc_root == "/proc")
    own = own_names(proc)
    if survey is not None:
        scan.kept = {}
    want_containers = survey is not None or "containers" in request.gather_subset
    inventory.take(scan, request.scan, own.get("mnt", ""), want_containers, request.processes)
    facts = Facts(scan, own, host_names(scan, own))
    mark_initial(scan, own)
    # A margin is kept for what comes after a file system that does not answer.
    with FileReader(file_root, until=clock.until) as files:
        if want_containers:
            _add_containers(facts, files)
        _add_leaders(facts, files, request.cmdline)
    if survey is not None:
        facts.networks = survey(facts, request.max_entries)
    return _result(facts, request)


def _add_containers(facts: Facts, files: FileReader) -> None:
    scan = facts.scan
    parents = {
        name: space.parent for name, space in scan.namespaces.items() if space.type == "pid" and space.parent
    }
    host = tuple(facts.host.get(kind) for kind in TYPES)
    view = View(scan.processes, scan.proc, files, host, parents, scan.problems, scan.clock.until)
    facts.containers = find_containers(view)
    holders: dict[str, list[str]] = {}
    for container in facts.containers:
        names = {name for pid in container.members for name in scan.names_of(pid)} - {None}
        for name in names:
            holders.setdefault(str(name), []).append(container.id)
    for name, ids in holders.items():
        scan.namespace(name).containers = sorted(ids)
    by_name: dict[str, list[str]] = {}
    for container in facts.containers:
        for name in container.namespaces.values():
            by_name.setdefault(name, []).append(container.id)
    for container in facts.containers:
        for kind, name in container.namespaces.items():
            others = [other for other in by_name[name] if other != container.id]
            if others and kind not in container.shared_with_host:
                container.shared_with[kind] = sorted(others)


def _add_leaders(facts: Facts, files: FileReader, cmdline: bool) -> None:
    """Who leads a namespace: its uid, and its command line when asked."""
    scan = facts.scan
    known: dict[int, Any] = {}
    for space in scan.namespaces.values():
        leader = space.leader
        if leader is None:
            continue
        if leader.pid not in known:
            known[leader.pid] = _leader_details(scan, files, leader.pid, cmdline)
        leader.uid, leader.cmdline = known[leader.pid]


def _leader_details(scan: Scan, files: FileReader, pid: int, cmdline: bool) -> Any:
    uid = arguments = None
    try:
        uid = int(scan.proc.read(pid, "status", limit=4096).partition(b"\nUid:")[2].split(None, 2)[1])
        if cmdline:
            # Read by the child with a deadline: a process stuck with its memory locked makes the reader wait.
            raw = files.read(scan.proc.path(pid, "cmdline"), 1 << 20)
            arguments = [part.decode("utf-8", "replace") for part in raw.rstrip(b"\0").split(b"\0")] if raw else []
    except OSError as error:
        if error.errno not in GONE:
            scan.problems.error("leaders", error)
    except (KeyError, IndexError, ValueError):
        scan.problems.add("leaders", "unreadable status")
    return uid, arguments


def _result(facts: Facts, request: Request) -> dict[str, Any]:
    scan = facts.scan
    spaces = [space for space in scan.namespaces.values() if space.type in request.types]
    spaces.sort(key=lambda space: (TYPES.index(space.type), not space.initial, space.inode))
    shown = facts.containers
    if request.containers:
        shown = [container for container in shown if _wanted(container, request.containers)]
    result: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "boot_id": _boot_id(scan),
        "gathered_at": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "kernel": {"release": os.uname().release, "features": scan.features},
        "counts": {kind: sum(1 for space in spaces if space.type == kind) for kind in TYPES if kind in request.types},
        "own": facts.own,
        "host": facts.host,
    }
    if "namespaces" in request.gather_subset:
        result["inventory"] = [_namespace(space, request, scan) for space in spaces]
    if "containers" in request.gather_subset:
        result["containers"] = [container.as_dict(request.labels) for container in sorted(shown, key=_by_name)]
    if facts.networks is not None:
        wanted = {facts.host.get("net")}.union(container.namespaces.get("net") for container in shown)
        result["networks"] = {
            name: network for name, network in facts.networks.items() if not request.containers or name in wanted
        }
    result["complete"] = scan.problems.complete
    result["problems"] = scan.problems.as_list()
    return result


def _namespace(space: Namespace, request: Request, scan: Scan) -> dict[str, Any]:
    leader = None
    if space.leader is not None:
        leader = {"pid": space.leader.pid, "start_time": space.leader.start_time, "comm": space.leader.comm,
                  "uid": space.leader.uid}
        if request.cmdline:
            leader["cmdline"] = space.leader.cmdline
    found: dict[str, Any] = {
        "name": space.name, "ref": space.ref, "type": space.type, "inode": space.inode, "device": space.device,
        "ns_id": space.ns_id, "initial": space.initial, "owner": space.owner, "parent": space.parent,
        "owner_uid": space.owner_uid, "processes": space.processes, "leader": leader,
        "pins": [pin.as_dict() for pin in space.pins],
        "containers": _cut(space.containers, request, scan, "containers of %s" % space.name), "nsid": space.nsid,
    }
    if request.processes:
        pids = sorted(scan.members.get(space.name, ()))
        found["pids"] = _cut(pids, request, scan, "pids of %s" % space.name)
    return found


def _cut(entries: list[Any], request: Request, scan: Scan, what: str) -> list[Any]:
    left_out = len(entries) - request.max_entries
    if left_out > 0:
        scan.problems.add(what, TRUNCATED, left_out)
    return entries[:request.max_entries]


def _wanted(container: Container, patterns: Sequence[str]) -> bool:
    names = (container.name, container.id, "%s:%s" % (container.engine, container.name))
    return any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in patterns)


def _by_name(container: Container) -> Any:
    return (container.engine, container.name, container.id)


def _boot_id(scan: Scan) -> Any:
    try:
        return scan.proc.read("sys", "kernel", "random", "boot_id", limit=64).decode("ascii", "replace").strip()
    except OSError:
        return None

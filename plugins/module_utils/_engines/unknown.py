"""Container-like trees that no engine claims: an own pid namespace, or own net and mnt with another root.

No systemd service is one (PrivateTmp, PrivateNetwork and the like give it own namespaces, and a root of its own).
"""
from __future__ import annotations

from typing import Container, Iterator

from .._model.inventory import MNT, NET, PID, Process
from .claim import Claim, Engine, State, cgroups_of
from .confinement import unit_of
from .view import View


def groups(view: View, taken: Container[int]) -> Iterator[tuple[Claim, list[Process]]]:
    """The trees among the processes that are in no container yet, the oldest process of each first."""
    found: dict[tuple[str | None, ...], list[Process]] = {}
    left = [process for process in view.processes.values() if process.pid not in taken and not process.kernel]
    left.sort(key=lambda process: process.age)
    for process in left:
        if PID in view.differs(process):
            found.setdefault((_outermost(view, process),), []).append(process)
    # Who is in the mounts of such a tree only joined it, or made it.
    mounts = {process.namespaces[MNT] for members in found.values() for process in members}
    for process in left:
        names, differs = process.namespaces, view.differs(process)
        if PID not in differs and NET in differs and names[MNT] not in mounts and view.other_root(process):
            found.setdefault((names[MNT], names[NET]), []).append(process)
    for members in found.values():
        leader = members[0]
        unit = unit_of(cgroups_of(view, leader).path)
        if unit is None or not unit.endswith(".service"):
            yield Claim("unknown", _id(view, leader), 0, {}), members


def look(claimed: Claim, view: View) -> State:
    return State(known=True)


def _id(view: View, leader: Process) -> str:
    name = leader.namespaces[PID if PID in view.differs(leader) else MNT] or ""
    return "unknown-%s-%d" % (name.rpartition("[")[2].rstrip("]"), leader.start_time)


def _outermost(view: View, process: Process) -> str:
    # Two ways up: the kernel's word on parents of pid namespaces, and the process tree where we lack that word.
    name, seen = process.namespaces[PID] or "", set()
    while name not in seen and view.pid_parents.get(name, view.host[PID]) != view.host[PID]:
        seen.add(name)
        name = view.pid_parents[name]
    if name in view.pid_parents:
        return name
    for ancestor in view.ancestors(process):
        if PID in view.differs(ancestor):
            name = ancestor.namespaces[PID] or name
    return name


ENGINE = Engine(look)

"""systemd-nspawn and what else is registered with machined: C(machine-NAME.scope), C(systemd-nspawn@NAME.service)."""
from __future__ import annotations

import re
from typing import Iterator, Sequence

from .._model.inventory import Process
from .claim import Claim, Engine, State
from .lookup import Lookup, line, number
from .supervisors import Supervisor, believed, supervisors
from .view import View

_UNIT = re.compile(r"(?:machine-(.+)\.scope|systemd-nspawn@(.+)\.service)")


def claim(parts: Sequence[str]) -> Claim | None:
    """The C(supervisor) cgroup beside the C(payload) is systemd-nspawn itself."""
    for depth, part in enumerate(parts):
        unit = _UNIT.fullmatch(part)
        if unit is not None:
            name = _unescape(unit[1] or unit[2])
            return Claim("nspawn", name, depth) if parts[depth + 1:depth + 2] != ["supervisor"] else None
    return None


def inits(view: View) -> Iterator[tuple[Claim, Process]]:
    for supervisor in supervisors(view, "systemd-nspawn"):
        name = _name(supervisor)
        for child in view.loose(supervisor.process.pid) if name else ():
            yield Claim("nspawn", name, owner=supervisor.owner), child


def look(claimed: Claim, view: View) -> State | None:
    """A virtual machine is none of ours."""
    state = State()
    state.name = line(claimed.id)
    lookup = Lookup(view)
    text = lookup.text("/run/systemd/machines/" + claimed.id) if "/" not in claimed.id else ""
    machine = dict(entry.partition("=")[::2] for entry in text.split("\n") if "=" in entry)
    state.trouble = lookup.trouble
    if machine.get("CLASS") == "vm":
        return None
    state.known = bool(machine)
    state.pid = number(machine.get("LEADER"))
    for supervisor in believed(claimed, supervisors(view, "systemd-nspawn")) if not machine else ():
        if _name(supervisor) == claimed.id:
            state.known = True
            inside = [child for child in view.children(supervisor.process.pid) if view.differs(child)]
            state.pid = inside[0].pid if inside else None
    return state


def _name(supervisor: Supervisor) -> str:
    where = supervisor.option("--directory", "-D") or supervisor.option("--image", "-i")
    name = where.rstrip("/").rpartition("/")[2]
    return supervisor.option("--machine", "-M") or (name[:-4] if name.endswith(".raw") else name)


def _unescape(name: str) -> str:
    """Undo systemd's escaping of unit names, systemd.unit(5): C(\\x2d) is a byte."""
    raw = re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), name.encode("utf-8", "replace"))
    return raw.decode("utf-8", "replace")


ENGINE = Engine(look, claim, None, inits)

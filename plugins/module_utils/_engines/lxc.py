"""LXC, LXD and Incus: C(lxc.payload.NAME), C(lxc.payload/NAME), C(lxc/NAME); the monitor's title says path and name."""
from __future__ import annotations

from typing import Iterator, NamedTuple, Sequence

from .._model.inventory import Process
from .claim import Claim, Engine, State, cgroups_of
from .lookup import Lookup, line
from .supervisors import Supervisor, believed, supervisors
from .view import View

_MONITORS = ("lxc-start", "lxc-execute", "lxc-autostart", "lxd", "incusd")
_TITLE = "[lxc monitor] "
_FOLDERS = (
    "/var/lib/lxc", "/var/snap/lxd/common/lxd/containers", "/var/lib/lxd/containers", "/var/lib/incus/containers",
)


class Monitored(NamedTuple):

    id: str
    pid: int
    monitor: Supervisor
    owner: int | None


def claim(parts: Sequence[str]) -> Claim | None:
    """Monitors (C(lxc.monitor.NAME)) are on the host."""
    for depth, part in enumerate(parts):
        name = part[12:] if part.startswith("lxc.payload.") else part
        if name and (name != part or (depth and parts[depth - 1] in ("lxc", "lxc.payload"))):
            return Claim("lxc", name, depth)
    return None


def inits(view: View) -> Iterator[tuple[Claim, Process]]:
    for monitor in supervisors(view, *_MONITORS):
        name = _told(monitor)[1]
        for child in view.loose(monitor.process.pid) if name else ():
            yield Claim("lxc", name, owner=monitor.owner), child


def look(claimed: Claim, view: View) -> State:
    """LXC keeps no state file: the monitor's title tells, and the configuration."""
    state = State()
    # Two containers of one name get cgroups NAME and NAME-1: the monitor whose child it is knows the true name.
    every = view.once("lxc", lambda: list(_monitored(view)))
    found = next(iter(believed(claimed, [found for found in every if found.id == claimed.id])), None)
    folder, name = ("", claimed.id) if found is None else _told(found.monitor)
    state.known = found is not None
    state.pid = found.pid if found is not None else None
    state.name = line(name)
    lookup = Lookup(view, claimed.owner if found is None else found.owner)
    for place in (folder,) if folder else _FOLDERS:
        config = lookup.text("%s/%s/config" % (place, name)) if "/" not in name else ""
        if config:
            state.known = True
            entries = [entry.partition("=") for entry in config.split("\n") if not entry.lstrip().startswith("#")]
            told = {key.strip(): value.strip() for key, equals, value in entries}
            uid, gid = told.get("lxc.init.uid", ""), told.get("lxc.init.gid", "0")
            state.user = line("%s:%s" % (uid, gid)) if uid.isdecimal() and gid.isdecimal() else None
            break
    state.trouble = lookup.trouble
    return state


def _monitored(view: View) -> Iterator[Monitored]:
    for monitor in supervisors(view, *_MONITORS):
        name = _told(monitor)[1]
        for child in view.children(monitor.process.pid) if name else ():
            if view.differs(child):
                claimed = cgroups_of(view, child).claim
                yield Monitored(claimed.id if claimed is not None else name, child.pid, monitor, monitor.owner)


def _told(monitor: Supervisor) -> tuple[str, str]:
    """Folder and name of the container that a monitor watches, empty where it is none."""
    title = monitor.arguments[0]
    if title.startswith(_TITLE):
        folder, blank, name = title[len(_TITLE):].rpartition(" ")
        return folder, name
    if monitor.process.comm not in ("lxc-start", "lxc-execute"):
        return "", ""
    # In the foreground there is no title.
    return monitor.option("-P", "--lxcpath") or _FOLDERS[0], monitor.option("-n", "--name")


ENGINE = Engine(look, claim, None, inits)

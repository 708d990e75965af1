"""What is kept under a name now: its folder of units, and the name that it has for C(ip netns)."""
from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import Any, Dict, List

from .._enter.plain import plain
from .._enter.single import NETNS, UNITS, writable
from .._enter.target import why
from .._enter.unit_record import FILE, Record, load
from .._kernel.proc import Proc
from .._kernel.rtnetlink_set import nsid
from .._model.entry import Refused
from .._model.inventory import TYPES
from . import bare, mount_table, pins
from .folders import NETWORKS, PINS, networks_fault
from .id_maps import IdRange
from .inhabitants import has_ended
from .inside import look_inside, maps_of, offsets_of
from .pins import Pin

_LONGEST = 255  # bytes, NAME_MAX
_MOST_NAMED = 3


@dataclass(frozen=True)
class Places:
    """Where a name is kept. C(units): the folder of units; C(custom): the task has named it."""

    name: str
    units: str = UNITS
    custom: bool = False

    @property
    def folder(self) -> str:
        """Of this unit."""
        return "%s/%s" % (self.units, self.name)

    @property
    def network(self) -> str:
        """The name as C(ip netns) has it."""
        return "%s/%s" % (NETNS, self.name)

    def of(self, kind: str) -> str:
        """The name of one type in the unit."""
        return "%s/%s" % (self.folder, kind)

    def hidden(self, kind: str = "") -> str:
        """Where a namespace is until its name leads to it: that for C(ip netns), or of one type in the unit."""
        return "%s/%s/%s/%s" % (self.units, PINS, kind or NETWORKS, self.name)


@dataclass
class Kept:
    """C(pins): of the unit's folder, by type, those where anything is; C(network): that of C(ip netns).

    C(folder): whether there is one, C(foreign): what is in it and not ours. C(names), C(uid_map), ...: what those
    namespaces are like. C(fault): of /run/netns. Close it when done.
    """

    places: Places
    folder: bool = False
    pins: Dict[str, Pin] = field(default_factory=dict)
    network: Pin = field(default_factory=lambda: Pin("", "net", "missing"))
    record: Record = field(default_factory=Record)
    foreign: List[str] = field(default_factory=list)
    fault: str | None = None
    hostname: str | None = None
    domainname: str | None = None
    loopback: bool | None = None
    nsid: int | None = None
    uid_map: List[IdRange] = field(default_factory=list)
    gid_map: List[IdRange] = field(default_factory=list)
    setgroups: str | None = None
    offsets: Dict[str, int] = field(default_factory=dict)

    def living(self) -> Dict[str, Pin]:
        """What can be entered, in the order of TYPES; the unit's own network before that of C(ip netns)."""
        found = {kind: pin for kind, pin in self.pins.items() if pin.lives}
        if "net" not in found and self.network.lives:
            found["net"] = self.network
        return {kind: found[kind] for kind in TYPES if kind in found}

    def close(self) -> None:
        """Let go of all."""
        for pin in [*self.pins.values(), self.network]:
            pin.close()


def checked_name(name: Any) -> str:
    """One component of a path that is not one of our own. Raises Refused."""
    text = str(name)
    writable("name", text)
    if not text or text in (".", "..") or "/" in text or "\0" in text:
        raise Refused("name must be one component of a path, not %r." % text[:_LONGEST])
    if text.startswith("."):
        raise Refused("name must not begin with a dot, as %r does: such names are those of what is being made."
                      % text[:_LONGEST])
    if len(os.fsencode(text)) > _LONGEST:
        raise Refused("name has %d bytes, and a file's name at most %d." % (len(os.fsencode(text)), _LONGEST))
    return text


def look(places: Places) -> Kept:
    """What there is. Raises Refused."""
    kept = Kept(places)
    try:
        table = mount_table.rows(Proc())
        kept.fault = networks_fault(table)
        kept.network = pins.look(places.network, "net", table)
        try:
            found = os.lstat(places.folder)
        except (FileNotFoundError, NotADirectoryError):
            return kept
        if not stat.S_ISDIR(found.st_mode):
            raise Refused("%s is in the way: it is no folder of ns_persist; remove it." % places.folder)
        kept.folder = True
        kept.foreign = _foreign(places.folder)
        kept.record = load(places.folder)
        for kind in TYPES:
            pin = pins.look(places.of(kind), kind, table)
            if pin.state != "missing":
                kept.pins[kind] = pin
        pid = kept.pins.get("pid")
        if pid is not None and pid.descriptor is not None and has_ended(pid.descriptor, pid.ref, kept.record):
            pid.dead, pid.fault = True, "a pid namespace whose process 1 has ended"
        return kept
    except OSError as error:
        kept.close()
        raise Refused("What is kept as %s cannot be told (%s)." % (places.name, why(error))) from error
    except BaseException:
        kept.close()
        raise


def refuse_foreign(kept: Kept) -> None:
    """Before a folder goes: who has put something in there, or has named a folder that is none of ours, keeps it."""
    if kept.foreign:
        more = len(kept.foreign) - _MOST_NAMED
        raise Refused("%s cannot go: there is something in it that is not ours, %s%s. Nothing was changed;"
                      " remove it, or choose another name or directory." % (
                          kept.places.folder, ", ".join(map(plain, kept.foreign[:_MOST_NAMED])),
                          " and %d more" % more if more > 0 else ""))


def look_closer(kept: Kept) -> None:
    """What its namespaces are like. Raises Refused."""
    living = kept.living()
    descriptors = {kind: pin.descriptor for kind, pin in living.items() if pin.descriptor is not None}
    found = look_inside({kind: descriptors[kind] for kind in ("uts", "net") if kind in descriptors})
    kept.hostname, kept.domainname = found.get("hostname"), found.get("domainname")
    kept.loopback = found.get("loopback")
    if "user" in descriptors:
        kept.uid_map, kept.gid_map, kept.setgroups = maps_of(descriptors["user"])
    if "time" in descriptors:
        kept.offsets = offsets_of(descriptors["time"])
    if "net" in descriptors:
        try:
            kept.nsid = nsid(descriptors["net"])
        except OSError:
            kept.nsid = None  # the module's own network may know none (EPERM in a user namespace)


def _foreign(folder: str) -> List[str]:
    ours = {*TYPES, *own_files()}
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False) or (
            entry.name not in ours and not entry.name.startswith(bare.PASSING)))


def own_files() -> List[str]:
    """What may be in a unit's folder besides TYPES."""
    return [FILE, FILE + ".new"]

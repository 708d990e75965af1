"""From what is kept and what is wanted to what is to be done, and how the difference reads: nothing is touched here."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping

from .._model.entry import Refused
from .._model.inventory import TYPES
from . import id_maps
from .kept import Kept, refuse_foreign
from .pins import Pin
from .wanted import NewNamespaces

NEW = "new"  # what a namespace is called that is not made yet


@dataclass
class Want:
    """C(types): in the order of TYPES. C(source): names of those that exist and are to be kept, by type; empty where
    they are made as C(new) says. C(maps), C(setgroups): whether the task says something of them.

    C(unit): whether it is a folder, and not just a name of C(ip netns). C(host): names of the host's, by type.
    """

    types: List[str]
    new: NewNamespaces
    unit: bool
    source: Dict[str, str] = field(default_factory=dict)
    maps: bool = False
    setgroups: bool = False
    nsid: int | None = None
    force: bool = False
    host: Mapping[str, str] = field(default_factory=dict)

    def settings(self) -> Dict[str, Any]:
        """What is kept on every run."""
        new = self.new
        given = {"hostname": new.hostname, "domainname": new.domainname, "loopback": new.loopback or None}
        return {name: value for name, value in given.items() if value is not None}


@dataclass
class Plan:
    """What is to be done. C(build): the unit's folder, or the name of a network alone, as a whole; else parts of it.

    C(make): types that are made, or taken from the source; C(publish): those that are there and whose name is put
    right; C(clear): those whose stale name goes; C(network): whether the name for C(ip netns) is put right; C(old):
    whether what was there before goes; C(settings), C(nsid): what is set. C(anew): nothing that is there stays.
    """

    unit: bool
    build: bool = False
    anew: bool = False
    make: List[str] = field(default_factory=list)
    publish: List[str] = field(default_factory=list)
    clear: List[str] = field(default_factory=list)
    network: bool = False
    old: bool = False
    settings: Dict[str, Any] = field(default_factory=dict)
    nsid: int | None = None
    repaired: List[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.build or self.make or self.publish or self.clear or self.network or self.old or self.settings
                    or self.nsid is not None or self.repaired)


def plan(kept: Kept, want: Want) -> Plan:
    """What is to be done. Raises Refused: something that lives is different, and C(force) is not given."""
    name = kept.places.name
    for pin in [kept.network, *kept.pins.values()]:
        if pin.state == "taken" and (pin is not kept.network or "net" in want.types):
            raise Refused("%s is in the way: it is no file; remove it." % pin.path)
    found = Plan(want.unit or _lives(kept.pins.get("net")))
    differences = different(kept, want)
    if differences and not want.force:
        raise Refused("%s is there and different: %s. Nothing was changed; force: true makes it anew."
                      % (name, "; ".join(differences)))
    living = {} if differences else {kind: pin for kind, pin in kept.living().items() if kind in want.types}
    if differences:
        found.unit = want.unit
    found.anew = bool(differences)
    found.make = [kind for kind in want.types if kind not in living]
    found.build = not living or found.unit and not kept.folder
    found.old = kept.folder and (found.build or not found.unit)
    if found.old:
        refuse_foreign(kept)
    if not found.build and found.unit:
        found.publish = [kind for kind, pin in living.items() if pin is kept.network or not pin.right]
        found.clear = [kind for kind, pin in kept.pins.items() if kind not in want.types and not pin.lives]
    if "net" in want.types:
        net = living.get("net")
        found.network = net is None or not kept.network.right or kept.network.ref != net.ref
    found.repaired = _repaired(kept, want, found)
    _settings(kept, want, found, living)
    return found


def different(kept: Kept, want: Want) -> List[str]:
    """What lives and is not as it is wanted, as clauses."""
    living = kept.living()
    # A link that leads there, or what ip netns attach has mounted: what is set would be set for the host.
    found = ["%s is the host's own, %s" % (kind, pin.ref) for kind, pin in living.items()
             if kind in want.types and pin.ref == want.host.get(kind)]
    own, shown = kept.pins.get("net"), kept.network
    if "net" in want.types and _lives(own) and shown.lives and own is not None and own.ref != shown.ref:
        found.append("%s is another network, %s, than %s, %s" % (shown.path, shown.ref, own.path, own.ref))
    extra = [kind for kind, pin in kept.pins.items() if kind not in want.types and pin.lives]
    if extra:
        found.append("it has %s too, which %s not among namespaces" % (
            ", ".join(extra), "is" if len(extra) == 1 else "are"))
    known = [kind for kind in living if kind in want.types]
    if "user" in want.types and "user" not in living and known and not want.source:
        found.append("it has no user namespace, and a new one would not own the others (%s)" % ", ".join(known))
    for kind, ref in want.source.items():
        if kind in living and living[kind].ref != ref:
            found.append("%s is %s and not %s" % (kind, living[kind].ref, ref))
    found += _different_ids(kept, want) if "user" in living else []
    for clock, seconds in sorted(want.new.offsets.items()) if "time" in living else ():
        if kept.offsets.get(clock, 0) != seconds:
            found.append("%s_offset is %d and not %d" % (clock, kept.offsets.get(clock, 0), seconds))
    if want.nsid is not None and "net" in living and kept.nsid not in (None, want.nsid):
        found.append("its nsid is %d and not %d, and the kernel does not change it" % (kept.nsid or 0, want.nsid))
    return found


def _different_ids(kept: Kept, want: Want) -> List[str]:
    found = []
    maps = (("map_users", kept.uid_map, want.new.uid_map), ("map_groups", kept.gid_map, want.new.gid_map))
    for option, has, wanted in maps if want.maps else ():
        if not id_maps.same(has, wanted):
            found.append("%s is %s and not %s" % (
                option, ", ".join(map(str, has)) or "empty", ", ".join(map(str, wanted)) or "empty"))
    if want.setgroups and want.new.setgroups != kept.setgroups:
        found.append("setgroups is %s and not %s" % (kept.setgroups, want.new.setgroups))
    return found


def _repaired(kept: Kept, want: Want, found: Plan) -> List[str]:
    """Sentences without a full stop, for RV(repaired)."""
    faults = [] if kept.fault is None or "net" not in want.types else [kept.fault]
    for pin in [*kept.pins.values(), *([kept.network] if "net" in want.types else [])]:
        if pin.fault:
            faults.append("%s was %s" % (pin.path, pin.fault))
    if found.old and not kept.pins and not found.anew:
        faults.append("%s was a folder with nothing in it" % kept.places.folder)
    return faults


def _settings(kept: Kept, want: Want, found: Plan, living: Mapping[str, Pin]) -> None:
    """What is set in namespaces that stay; those that are made are made so."""
    has = {"hostname": kept.hostname, "domainname": kept.domainname, "loopback": kept.loopback}
    for name, value in want.settings().items():
        if ("net" if name == "loopback" else "uts") in living and has[name] != value:
            found.settings[name] = value
    if want.nsid is not None and ("net" not in living or kept.nsid != want.nsid):
        found.nsid = want.nsid


def difference(kept: Kept, want: Want, found: Plan, refs: Mapping[str, str]) -> Dict[str, str]:
    """Lines before and after that differ. C(refs): what the namespaces of the unit are called afterwards, by type."""
    before, after = _before(kept, want), _after(kept, want, found, refs)
    return {
        "before": "".join(line + "\n" for line in before if line not in after),
        "after": "".join(line + "\n" for line in after if line not in before),
    }


def _before(kept: Kept, want: Want) -> List[str]:
    lines = [] if kept.fault is None or "net" not in want.types else [kept.fault.replace(" was ", " is ", 1)]
    shown = [kept.pins[kind] for kind in TYPES if kind in kept.pins]
    if "net" in want.types and kept.network.state != "missing":
        shown.append(kept.network)
    lines += [seen(pin) for pin in shown]
    living = kept.living()
    for name in want.settings():
        value = getattr(kept, name)
        if value is not None:
            lines.append(setting(name, value))
    if "user" in living and "user" in want.types:
        lines += ids(kept.uid_map, kept.gid_map, kept.setgroups if want.setgroups else None)
    if "time" in living and "time" in want.types:
        lines += clocks(kept.offsets)
    if want.nsid is not None and kept.nsid is not None:
        lines.append("nsid %d" % kept.nsid)
    return lines


def _after(kept: Kept, want: Want, found: Plan, refs: Mapping[str, str]) -> List[str]:
    lines = []
    for kind in want.types:
        ref = refs.get(kind, "%s:[%s]" % (kind, NEW))
        if found.unit:
            lines.append("%s: %s at %s" % (kind, ref, kept.places.of(kind)))
        if kind == "net":
            lines.append("%s: %s at %s" % (kind, ref, kept.places.network))
    lines += [setting(name, value) for name, value in want.settings().items()]
    if "user" in want.types and "user" in found.make and not want.source:
        lines += ids(want.new.uid_map, want.new.gid_map, want.new.setgroups if want.setgroups else None)
    elif "user" in want.types:
        lines += ids(kept.uid_map, kept.gid_map, kept.setgroups if want.setgroups else None)
    if "time" in want.types:
        lines += clocks(want.new.offsets if "time" in found.make else kept.offsets)
    if want.nsid is not None:
        lines.append("nsid %d" % want.nsid)
    return lines


def seen(pin: Pin) -> str:
    """A line for what is at a name."""
    if pin.ref:
        return "%s: %s at %s%s" % (pin.kind, pin.ref, pin.path, ", " + pin.fault if pin.fault else "")
    return "%s: %s at %s" % (pin.kind, pin.fault or pin.state, pin.path)


def setting(name: str, value: Any) -> str:
    """A line for hostname, domainname or loopback."""
    if name == "loopback":
        return "loopback %s" % ("up" if value else "down")
    return "%s %s" % (name, value)


def ids(uid_map: List[id_maps.IdRange], gid_map: List[id_maps.IdRange], setgroups: str | None) -> List[str]:
    """Lines for the maps of a user namespace."""
    lines = ["uid_map %d %d %d" % each for each in uid_map] + ["gid_map %d %d %d" % each for each in gid_map]
    return lines + (["setgroups %s" % setgroups] if setgroups else [])


def clocks(offsets: Mapping[str, int]) -> List[str]:
    """Lines for the clocks of a time namespace that are set off."""
    return ["%s_offset %d" % each for each in sorted(offsets.items()) if each[1]]


def _lives(pin: Pin | None) -> bool:
    return pin is not None and pin.lives

"""Carrying out a plan: the names first lead to something when that can be entered, and at once."""
from __future__ import annotations

import errno
import os
import secrets
import time
from typing import Dict, List, Mapping

from .._enter import unit_record
from .._enter.target import why
from .._enter.unit_record import Record, boot_id
from .._kernel.files import AT_FDCWD
from .._kernel.libc import KernelLacks, syscall
from .._kernel.rtnetlink_set import nsid, set_nsid
from .._model.entry import Refused
from .._model.inventory import TYPES
from . import bare, folders, pins
from .inhabitants import end_init
from .inside import set_inside
from .kept import Kept, Places
from .leftovers import discard
from .outside import remove as remove_cgroup
from .plan import Plan, Want
from .workshop import Workshop

_RENAME_EXCHANGE = 2


class Keeper:
    """One run that makes what is wanted. C(source): descriptors of what is pinned instead, by type.

    C(refs): what the namespaces are called then, C(warnings): sentences; C(touched): whether anything that others see
    has been changed, also where it failed.
    """

    def __init__(self, kept: Kept, want: Want, plan: Plan, source: Mapping[str, int]) -> None:
        self.warnings: List[str] = []
        self.refs: Dict[str, str] = {}
        self.touched = False
        self._kept = kept
        self._want = want
        self._plan = plan
        self._source = source
        self._places = kept.places
        self._workshop: Workshop | None = None
        living = {} if plan.anew else kept.living()
        self._living = {
            kind: pin.descriptor for kind, pin in living.items()
            if kind in want.types and kind not in plan.make and pin.descriptor is not None
        }

    def run(self) -> None:
        """All of it. Raises Refused."""
        plan = self._plan
        try:
            if "net" in self._want.types and (plan.network or self._kept.fault):
                self.touched = self._kept.fault is not None
                folders.make_networks_ready()
            if plan.make and not self._source:
                self._workshop = Workshop(self._places.name, plan.make, self._want.new, self._living)
                self.warnings += self._workshop.warnings
            late = self._take_nsid()
            if plan.build and plan.unit:
                self._build()
            else:
                self._mend()
            self._show_network()
            if plan.old and not plan.unit:
                retire(self._places)
            self._set(late)
        finally:
            for kind, descriptor in self._all().items():
                self.refs[kind] = "%s:[%d]" % (kind, os.fstat(descriptor).st_ino)
            if self._workshop is not None:
                self._workshop.close()

    def _all(self) -> Dict[str, int]:
        """Descriptors of all that the unit has, by type."""
        made = self._workshop.descriptors if self._workshop is not None else self._source
        found = {**self._living, **{kind: made[kind] for kind in self._plan.make if kind in made}}
        return {kind: found[kind] for kind in TYPES if kind in found}

    def _build(self) -> None:
        """The unit's folder as a whole, out of sight, and then its name."""
        places = self._places
        folder = "%s/%s%s" % (places.units, folders.NEW, secrets.token_hex(4))
        try:
            os.mkdir(folder, 0o755)
            self._fill({kind: "%s/%s" % (folder, kind) for kind in self._want.types}, folder)
            self.touched = True
            if self._kept.folder:
                _exchange(folder, places)
            else:
                os.rename(folder, places.folder)
        except BaseException as error:
            if os.path.isdir(folder):
                discard(folder)
            if isinstance(error, OSError):
                raise Refused("%s could not be made (%s)." % (places.folder, why(error))) from error
            raise
        if self._kept.folder:
            discard(folder)

    def _mend(self) -> None:
        """Parts of a unit that stays, each out of sight and then by its name; or a network alone."""
        places, plan = self._places, self._plan
        if not plan.unit:
            if "net" in plan.make or plan.network:
                self._hide("net", places.hidden())
            return
        kinds = [*plan.make, *plan.publish]
        if kinds:
            try:
                self._fill({kind: places.hidden(kind) for kind in kinds}, places.folder)
                self.touched = True
                for kind in kinds:
                    pin = self._kept.pins.get(kind) or pins.Pin(places.of(kind), kind, "missing")
                    pins.publish(pin, self._all()[kind], places.hidden(kind))
            finally:
                for kind in kinds:
                    pins.drop_unless_needed(places.hidden(kind), places.of(kind))
        for kind in plan.clear:
            self.touched = True
            bare.remove(places.of(kind))

    def _fill(self, where: Mapping[str, str], folder: str) -> None:
        """Mount all that is to be there out of sight, with the record in C(folder), and let process 1 go."""
        workshop = self._workshop
        before = self._kept.record if not self._plan.anew else Record()
        record = workshop.record if workshop is not None else Record(boot_id())
        birth = workshop is not None and "pid" in self._plan.make
        for kind, path in where.items():
            if kind != "pid" or not birth:
                self._hide(kind, path)
        kinds = self._all()
        if workshop is not None and birth:
            # That of a namespace that has ended, or of a run that was killed before it had pinned it.
            end_init(before, self._places.name)
            if before.cgroup:
                remove_cgroup(before.cgroup)
            workshop.give_birth("mnt" in kinds)
            self._hide("pid", where["pid"])
        elif workshop is not None and "mnt" in self._plan.make and "pid" in kinds:
            workshop.visit()
        if not birth and before.init is not None and "pid" in self._living:
            record = Record(record.boot_id, record.made, before.init, before.start_time, before.pid_namespace,
                            before.cgroup)
        stays = [kind for kind in before.made if kind in self._living]
        record.made = [kind for kind in TYPES if kind in {*record.made, *stays}]
        unit_record.save(folder, record)
        if workshop is not None and birth:
            workshop.settle()

    def _hide(self, kind: str, path: str) -> None:
        if self._workshop is not None and kind in self._plan.make:
            self._workshop.hide(kind, path)
            return
        try:
            pins.hide(path, self._all()[kind])
        except OSError as error:
            hint = ""
            if kind == "mnt" and error.errno == errno.EINVAL:
                hint = ": the kernel keeps a mount namespace only in one that is older"
            raise Refused("%s of %s could not be kept at %s (%s)%s." % (
                kind, self._places.name, path, why(error), hint)) from error

    def _show_network(self) -> None:
        """The name for C(ip netns)."""
        if not self._plan.network:
            return
        places = self._places
        hidden = places.of("net") if self._plan.unit else places.hidden()
        self.touched = True
        try:
            pins.publish(self._kept.network, self._all()["net"], hidden)
        finally:
            if not self._plan.unit:
                pins.drop_unless_needed(hidden, places.network)

    def _take_nsid(self) -> bool:
        """Set the nsid of what nobody sees yet. True: that has to wait until what has it now is gone."""
        if self._plan.nsid is None:
            return False
        try:
            set_nsid(self._all()["net"], self._plan.nsid)
        except OSError as error:
            if error.errno == errno.EEXIST and self._plan.anew and self._kept.nsid == self._plan.nsid:
                return True
            # What exists may be known by another one already, whatever force says.
            known = self._kept.nsid if self._source and not self._plan.build else None
            raise _nsid_refused(self._plan.nsid, error, known) from error
        return False

    def _set(self, late: bool) -> None:
        if self._plan.settings:
            self.touched = True
            set_inside(self._living, self._plan.settings)
        if late and self._plan.nsid is not None:
            _set_nsid_late(self._all()["net"], self._plan.nsid, self._kept)


def _set_nsid_late(descriptor: int, number: int, kept: Kept) -> None:
    """As soon as the kernel has taken the old network away, which nobody may hold any more."""
    kept.close()
    until = time.monotonic() + 10
    while True:
        try:
            set_nsid(descriptor, number)
            return
        except OSError as error:
            if error.errno != errno.EEXIST or nsid(descriptor) is not None or time.monotonic() > until:
                raise _nsid_refused(number, error) from error
        time.sleep(0.02)


def _nsid_refused(number: int, error: OSError, known: int | None = None) -> Refused:
    hint = {
        errno.EEXIST: "another network is known by it: choose another one",
        errno.EPERM: "it takes CAP_NET_ADMIN over the module's own network",
    }.get(error.errno or 0, os.strerror(error.errno or 0))
    if known is not None:
        hint = "the network is known by %d, and the kernel does not change it" % known
    return Refused("nsid %d could not be set (%s): %s." % (number, why(error), hint))


def _exchange(folder: str, places: Places) -> None:
    """Have the new folder at the name, and the old one at the new one's. Raises OSError."""
    try:
        syscall("renameat2", AT_FDCWD, os.fsencode(folder), AT_FDCWD, os.fsencode(places.folder), _RENAME_EXCHANGE)
        return
    except KernelLacks:
        pass
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that cannot
            raise
    old = "%s/%s%s" % (places.units, folders.OLD, secrets.token_hex(4))
    # Between the two there is no such unit; a run that is killed there leaves what the next one removes.
    os.rename(places.folder, old)
    os.rename(folder, places.folder)
    os.rename(old, folder)


def retire(places: Places) -> None:
    """Take a unit's folder away, and then what it was. Raises Refused."""
    old = "%s/%s%s" % (places.units, folders.OLD, secrets.token_hex(4))
    try:
        os.rename(places.folder, old)
    except FileNotFoundError:
        return
    except OSError as error:
        raise Refused("%s could not be removed (%s)." % (places.folder, why(error))) from error
    discard(old)

"""What killed runs have left in a folder of units: it is finished or removed by the next one, whatever that is for."""
from __future__ import annotations

import os
import re
from typing import List, Set

from .._enter import unit_record
from .._enter.single import NETNS
from .._kernel import nsfs
from .._model.entry import Refused
from .._model.inventory import TYPES
from . import bare, pins
from .folders import NETWORKS, NEW, OLD, PINS, tidy
from .inhabitants import end_init
from .kept import own_files
from .outside import remove as remove_cgroup

_PATIENCE = 1.0  # seconds
# All of a name: a folder of the user's own may have others that begin so.
_LEFT = re.compile("(%s|%s)[0-9a-f]{8}" % (re.escape(NEW), re.escape(OLD)))


def sweep(units: str) -> Set[str]:
    """Everything of this kind; the folder is locked. Returns the names that were finished. Raises Refused."""
    finished = set()
    for name in _listed(units):
        if _LEFT.fullmatch(name):
            discard("%s/%s" % (units, name))
    hidden = "%s/%s" % (units, PINS)
    for kind in _listed(hidden):
        try:
            if kind.startswith(bare.PASSING):
                os.unlink("%s/%s" % (hidden, kind))
            for name in _listed("%s/%s" % (hidden, kind)):
                place = "%s/%s" % (NETNS, name) if kind == NETWORKS else "%s/%s/%s" % (units, name, kind)
                if _finish(place, "%s/%s/%s" % (hidden, kind, name)):
                    finished.add(place)
        except OSError as error:
            raise Refused("What a killed run has left in %s could not be removed (%s)." % (hidden, error)) from error
    tidy(units)
    return finished


def sweep_networks() -> None:
    """The temporary names in /run/netns, which is locked."""
    for name in _listed(NETNS):
        if name.startswith(bare.PASSING):
            bare.remove("%s/%s" % (NETNS, name))


def discard(folder: str) -> None:
    """Remove what was a unit: end its process 1, then its names, its folder and its cgroup. Raises Refused."""
    record = unit_record.load(folder)
    end_init(record, folder)
    bare.remove_folder(folder, [*TYPES, *own_files(), *(n for n in _listed(folder) if n.startswith(bare.PASSING))])
    if record.cgroup:
        remove_cgroup(record.cgroup, _PATIENCE)


def _finish(place: str, path: str) -> bool:
    """A name that still is a link to the hidden place gets the namespace itself; whether it was. Raises OSError."""
    done = False
    try:
        if os.readlink(place) == path:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                nsfs.ns_type(descriptor)
                try:
                    pins.finish(place, descriptor)
                except OSError:
                    return False  # it can be entered as it is, and could not be without what it leads to
                done = True
            finally:
                os.close(descriptor)
    except OSError:
        pass  # nothing is mounted there: the next look finds a link that leads nowhere
    pins.drop(path)
    return done


def _listed(folder: str) -> List[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []

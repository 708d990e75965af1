# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection
"""conmon, which watches each container of podman and CRI-O: its command line names id, bundle, runtime and roots."""
from __future__ import annotations

from typing import Iterator, List, Optional, Tuple

from .._model.process import Process
from .claim import Claim, is_id
from .lookup import Lookup, absolute, number
from .oci import Init, runtime_state
from .supervisors import Supervisor, believed, supervisors
from .view import View


class Watched:
    """A container by its conmon. C(bundle) holds config.json; C(owner) is whom the files must belong to."""

    def __init__(self, conmon: Supervisor) -> None:
        self.id = conmon.option("-c", "--cid")
        self.pid = conmon.process.pid
        self.owner = conmon.owner
        # Only podman has conmon clean up with a command of its own.
        self.engine = "podman" if conmon.option("--exit-command") else "crio"
        self.name = conmon.option("-n", "--name")
        self.bundle = absolute(conmon.option("-b", "--bundle"))
        self.pidfile = absolute(conmon.option("-p", "--container-pidfile"))
        self.runtime = conmon.option("-r", "--runtime").rpartition("/")[2]
        self.runtime_root = _value(conmon.options("--runtime-arg"), "--root")
        self.run_root = _value(conmon.options("--exit-command-arg"), "--runroot")


def watched(view: View, claim: Claim) -> Optional[Watched]:
    """What watches a container; what is said by root comes first."""
    return next((found for found in _every(view) if found.id == claim.id and believed(claim, found.owner)), None)


def inits(engine: str, view: View) -> Iterator[Tuple[Claim, Process]]:
    """The first processes of an engine's containers that no cgroup tells (rootless, --cgroups=disabled)."""
    for found in _every(view):
        for child in view.loose(found.pid) if found.engine == engine else ():
            yield Claim(engine, found.id, owner=found.owner), child


def init_of(found: Optional[Watched], name: str, owner: Optional[int], lookup: Lookup) -> Optional[Init]:
    """The init as runc, crun or conmon recorded it (conmon without start time)."""
    base = "/run" if owner is None else "/run/user/%d" % owner
    roots = ["%s/%s" % (base, runtime) for runtime in ("crun", "runc")]
    if found is not None:
        roots.insert(0, found.runtime_root or "%s/%s" % (base, found.runtime or "crun"))
    for root in dict.fromkeys(roots):
        init = runtime_state(lookup, "%s/%s" % (root, name))
        if init is not None:
            return init
    pid = number(lookup.text(found.pidfile, 64)) if found is not None and found.pidfile is not None else None
    return None if pid is None else Init(pid)


def _every(view: View) -> List[Watched]:
    return view.once("conmon", lambda: [
        found for found in map(Watched, supervisors(view, "conmon")) if is_id(found.id)
    ])


def _value(arguments: List[str], name: str) -> Optional[str]:
    for at, argument in enumerate(arguments):
        if argument == name:
            return absolute("".join(arguments[at + 1:at + 2]))
        if argument.startswith(name + "="):
            return absolute(argument[len(name) + 1:])
    return None

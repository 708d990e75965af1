"""What a task of ns_persist wants, and its result."""
from __future__ import annotations

import os
import time
from typing import Any, Dict, List, Mapping, Set

from .._enter import many
from .._enter.admission import wanted_types
from .._enter.containers import Look, glance
from .._enter.containers import look as look_for_containers
from .._enter.single import NETNS, UNITS, writable
from .._enter.target import close as close_target
from .._enter.target import open_target
from .._kernel.privileges import capget
from .._kernel.proc import Proc
from .._model.entry import Refused, Target
from . import folders
from .forget import Forgetter, refuse_inhabitants
from .inside import pid_namespace_has_ended
from .keep import Keeper
from .kept import Kept, Places, checked_name, look, look_closer
from .leftovers import sweep, sweep_networks
from .mount_table import rows
from .options import EXISTING, new_options
from .outside import sweep as sweep_cgroups
from .pins import LEFT
from .plan import Want, difference, plan
from .standing import stand
from .wanted import NewNamespaces

Result = Dict[str, Any]
_LOOK = 30.0      # seconds to find containers
_TURN = 60.0      # seconds until others have done their work
_SECONDS = 240.0  # for all of it
_MOST = 4 << 20   # bytes of a result
_CAP_SYS_ADMIN = 21


def run_persist(params: Mapping[str, Any], check: bool) -> Result:
    """The result of the module's parameters, with C(failed)."""
    (result,) = many.run([many.Job(lambda: _work(params, check), _SECONDS, _MOST)], 1)
    # Of a process that ended without a word.
    result.pop("unproven", None)
    return {**_nothing(params), **result}


def _nothing(params: Mapping[str, Any]) -> Result:
    """A result that says nothing yet."""
    return {
        "name": params.get("name"), "state": params.get("state"), "changed": False, "paths": {}, "namespaces": {},
        "repaired": [], "diff": {"before": "", "after": ""},
    }


def _work(params: Mapping[str, Any], check: bool) -> Result:
    """In a process of its own, which may join the mounts of process 1."""
    result = _nothing(params)
    warnings: List[str] = []
    run = None
    try:
        run = _Run(params, check, warnings)
        run.do(result)
    except Refused as refusal:
        result.update(failed=True, msg=str(refusal).rstrip(".") + ".", paths={}, namespaces={})
        if not result["changed"]:
            result.update(repaired=[], diff={"before": "", "after": ""})
    finally:
        if run is not None:
            run.close()
    if warnings:
        result["warnings"] = warnings
    return result


class _Run:
    """One run, from its options to what it did. C(warnings) is added to. Raises Refused. Close it."""

    def __init__(self, params: Mapping[str, Any], check: bool, warnings: List[str]) -> None:
        self._check = check
        self._force = bool(params.get("force"))
        self._absent = params.get("state") == "absent"
        directory = params.get("directory")
        self._places = Places(checked_name(params.get("name")), _folder(directory), directory is not None)
        self._locks = folders.Locks()
        self._target: Target | None = None
        self._warnings = warnings
        if not self._absent:
            self._want = _want(params)
        if not capget().effective >> _CAP_SYS_ADMIN & 1:
            raise Refused("ns_persist mounts namespaces, which takes CAP_SYS_ADMIN: run the task as root (become).")
        seen = _look(params.get("container") is not None and not self._absent)
        try:
            if not self._absent:
                self._want.host = seen.host
            if not self._absent and any(params.get(name) is not None for name in EXISTING):
                # Before the mounts may become others: paths are as the module sees them.
                self._target = _open(params, seen, self._want)
            warnings += stand(seen)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of all."""
        self._locks.close()
        if self._target is not None:
            close_target(self._target)

    def do(self, result: Result) -> None:
        """Fill in the result. Raises Refused."""
        if not self._check and not self._absent and not self._is_ready():
            # What is as it is wanted needs no folder of ours.
            self._check = True
            self._look_and_do(result)
            if not result["changed"]:
                return
            self._locks.close()
            self._check = False
            result["changed"] = False
        self._look_and_do(result)

    def _is_ready(self) -> bool:
        return folders.units_are_ready(rows(Proc()), self._places.units)

    def _look_and_do(self, result: Result) -> None:
        finished = self._prepare()
        kept = look(self._places)
        try:
            for pin in (kept.network, *kept.pins.values()):
                if pin.path in finished and not pin.fault:
                    pin.finished, pin.fault = True, LEFT
            if self._absent:
                self._forget(kept, result)
            else:
                self._keep(kept, result)
        finally:
            kept.close()
            if not self._check:
                folders.tidy(self._places.units)

    def _prepare(self) -> Set[str]:
        """Have the folders to ourselves, and ready; the names that were finished then. Check mode makes none."""
        until = time.monotonic() + _TURN
        units = self._places.units
        make = not self._check and not self._absent
        if make:
            folders.make_folder(units)
        if os.path.isdir(units):
            folders.refuse_others(units)
            self._locks.take(units, until)
            if make:
                folders.make_units_ready(units)
        if make and "net" in self._want.types:
            folders.make_folder(NETNS)
        # Also for others: what killed runs have left may have to do with it.
        if os.path.isdir(NETNS):
            self._locks.take(NETNS, until)
        if not self._check:
            sweep_networks()
            if os.path.isdir(units):
                return sweep(units)
        return set()

    def _forget(self, kept: Kept, result: Result) -> None:
        forgetter = Forgetter(kept, self._force)
        result.update(changed=forgetter.changed, diff=forgetter.difference())
        if not self._check and forgetter.changed:
            result["changed"] = False
            try:
                forgetter.run()
                result["changed"] = True
            except Refused:
                result["changed"] = forgetter.touched
                raise
        if not self._check:
            sweep_cgroups()

    def _keep(self, kept: Kept, result: Result) -> None:
        want, places = self._want, self._places
        look_closer(kept)
        found = plan(kept, want)
        if (found.old or found.anew or "pid" in found.make) and not self._force:
            refuse_inhabitants(kept)
        refs = {kind: pin.ref for kind, pin in kept.living().items() if kind in want.types and kind not in found.make}
        refs.update({kind: ref for kind, ref in want.source.items() if kind in found.make})
        result["paths"] = {kind: places.of(kind) if found.unit else places.network for kind in want.types}
        result.update(changed=found.changed, repaired=found.repaired)
        if found.changed and not self._check:
            keeper = Keeper(kept, want, found, self._target.descriptors if self._target is not None else {})
            result["changed"] = False
            try:
                keeper.run()
            finally:
                self._warnings += keeper.warnings
                result["changed"] = keeper.touched
            result["changed"] = True
            refs = keeper.refs
        result["namespaces"] = {kind: refs[kind] for kind in want.types if kind in refs}
        result["diff"] = difference(kept, want, found, refs)


def _folder(directory: Any) -> str:
    if directory is None:
        return UNITS
    writable("directory", str(directory))
    path = os.path.normpath(str(directory))
    if path.startswith("/") and "\0" not in path:
        path = os.path.realpath(path)
        networks = os.path.realpath(NETNS)
        others = _is_in(path, networks) or _is_in(networks, path) or path != UNITS and _is_in(path, UNITS)
        if not others:
            return path
    raise Refused("directory must be the absolute path of a folder for units, neither around nor in %s, and not in %s,"
                  " which is not so for %r." % (NETNS, UNITS, str(directory)[:255]))


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _want(params: Mapping[str, Any]) -> Want:
    types = wanted_types(params.get("namespaces") or []) or ()
    selector = next((name for name in EXISTING if params.get(name) is not None), None)
    if selector is not None:
        for option in new_options():
            if params.get(option) is not None and params[option] is not False:
                raise Refused("%s is for namespaces that are made, and %s names some that exist: leave one of them out."
                              % (option, selector))
    nsid = params.get("nsid")
    if nsid is not None and "net" not in types:
        raise Refused("nsid is of net namespaces, and net is not among namespaces: list it, or leave out nsid.")
    if nsid is not None and not 0 <= nsid < 1 << 31:
        raise Refused("nsid must be between 0 and %d, and not %d." % ((1 << 31) - 1, nsid))
    new = NewNamespaces.from_params(params, types, "slave")
    maps = any(params.get(option) for option in ("map_users", "map_groups"))
    unit = list(types) != ["net"] or params.get("directory") is not None
    return Want(list(types), new, unit, {}, maps, params.get("setgroups") is not None, nsid, bool(params.get("force")))


def _look(containers: bool) -> Look:
    try:
        return look_for_containers(time.monotonic() + _LOOK) if containers else glance()
    except OSError as error:
        raise Refused("The host's /proc must be readable to find namespaces, and it is not: %s." % error) from error


def _open(params: Mapping[str, Any], seen: Look, want: Want) -> Target:
    """What exists and is to be kept; its names are those that are wanted. Raises Refused."""
    selectors = {name: params.get(name) for name in (*EXISTING, "start_time")}
    try:
        target = open_target(selectors, seen, tuple(want.types))
    except Refused as refusal:
        # There is no such option here: what is the host's own needs no name.
        raise Refused(str(refusal).replace(", or list it in allow_host", "")) from refusal
    try:
        if "pid" in want.types and pid_namespace_has_ended(target.descriptors["pid"]):
            raise Refused("pid of %s has no process 1 any more: nobody can enter it, so that it cannot be kept."
                          % target.name)
    except BaseException:
        close_target(target)
        raise
    want.source = {kind: target.namespaces[kind] for kind in want.types}
    return target

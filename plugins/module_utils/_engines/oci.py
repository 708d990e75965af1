"""What OCI runtimes leave on disk (a bundle's config.json, runc's state.json, crun's status), and what conmon tells.

conmon watches each container of podman and CRI-O: its command line names id, bundle, runtime and roots.
"""
from __future__ import annotations

import re
from typing import Any, Iterator, NamedTuple

from .._model.inventory import Process
from .claim import Claim, is_id
from .lookup import Lookup, absolute, mapping, number
from .supervisors import Supervisor, believed, supervisors
from .view import View

# The head of runc's state.json: 1 % of a file whose other 99 % (the configuration) would be parsed for nothing.
_RUNC_HEAD = re.compile(
    rb'\A\{"id":"[^"\\]{0,1024}","init_process_pid":(\d{1,10}),"init_process_start":(\d{1,19}),"created":'
)


class Init(NamedTuple):
    """The first process of a container as its runtime recorded it; C(start_time) in clock ticks since boot."""

    pid: int
    start_time: int | None = None
    bundle: str | None = None


def runtime_state(lookup: Lookup, folder: str) -> Init | None:
    """The init by runc's C(folder)/state.json or crun's C(folder)/status; None where there is neither."""
    raw = lookup.raw(folder + "/state.json")
    if raw is None:
        status = lookup.json(folder + "/status")
        return _init(status.get("pid"), status.get("process-start-time"), status.get("bundle"))
    head = _RUNC_HEAD.match(raw)
    # runc keeps the bundle among the labels, libcontainer/utils.Annotations.
    bundle = re.search(rb'"bundle=([^"\\]{1,4096})"', raw)
    where = bundle[1].decode("utf-8", "replace") if bundle is not None else None
    if head is not None and raw.endswith(b"}"):
        return _init(int(head[1]), int(head[2]), where)
    state = mapping(lookup.parse(raw, folder))
    return _init(state.get("init_process_pid"), state.get("init_process_start"), where)


def process_user(config: dict[str, Any]) -> str | None:
    """C(UID:GID) inside the container from a bundle's config.json."""
    user = mapping(mapping(config.get("process")).get("user"))
    uid, gid = user.get("uid", 0), user.get("gid", 0)
    return "%d:%d" % (uid, gid) if user and isinstance(uid, int) and isinstance(gid, int) else None


def mount_source(config: dict[str, Any], destination: str) -> str:
    mounts = config.get("mounts")
    for mount in mounts if isinstance(mounts, list) else []:
        if mapping(mount).get("destination") == destination:
            return absolute(mount.get("source")) or ""
    return ""


def _init(pid: Any, start_time: Any, bundle: Any) -> Init | None:
    found = number(pid)
    return None if found is None else Init(found, number(start_time), absolute(bundle))


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


def watched(view: View, claim: Claim) -> Watched | None:
    return next(iter(believed(claim, _every(view).get(claim.id, ()))), None)


def inits(engine: str, view: View) -> Iterator[tuple[Claim, Process]]:
    """Rootless, --cgroups=disabled."""
    for found in [found for same in _every(view).values() for found in same]:
        for child in view.loose(found.pid) if found.engine == engine else ():
            yield Claim(engine, found.id, owner=found.owner), child


def init_of(found: Watched | None, name: str, owner: int | None, lookup: Lookup) -> Init | None:
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


def _every(view: View) -> dict[str, list[Watched]]:
    every: dict[str, list[Watched]] = view.once("conmon", dict)
    for conmon in supervisors(view, "conmon") if not every else ():
        found = Watched(conmon)
        if is_id(found.id):
            every.setdefault(found.id, []).append(found)
    return every


def _value(arguments: list[str], name: str) -> str | None:
    for at, argument in enumerate(arguments):
        if argument == name:
            return absolute("".join(arguments[at + 1:at + 2]))
        if argument.startswith(name + "="):
            return absolute(argument[len(name) + 1:])
    return None

"""Plain runc and crun: ROOT/ID/state.json and ROOT/ID/status.

ROOT is /run/runc or /run/crun, below /run/user/UID for a user's, or what a C(runc run) in the foreground was told.
"""
from __future__ import annotations

from functools import partial
from typing import Dict, Iterator, Optional, Sequence, Tuple

from .._model.inventory import TRUNCATED, USER, Process
from .claim import Claim, Engine, State, owner_of
from .confinement import inside
from .lookup import Lookup, labels, line
from .oci import Init, process_user, runtime_state
from .supervisors import supervisors
from .view import View

_MOST_OF_A_USER = 128
Known = Dict[Tuple[str, Optional[int]], Init]


def settle(runtime: str, view: View, parts: Sequence[str]) -> Claim | None:
    """C(ID), C(runtime-ID.scope) or C(slice:runtime:ID)."""
    known = _known(runtime, view)
    for depth, part in enumerate(parts) if known else ():
        for name in (part, part.partition("-")[2].rpartition(".scope")[0], part.rpartition(":")[2]):
            claim = Claim(runtime, name, depth, owner=owner_of(parts[:depth]))
            if _find(known, claim) is not None:
                return claim
    return None


def inits(runtime: str, view: View) -> Iterator[tuple[Claim, Process]]:
    for (name, owner), init in _known(runtime, view).items():
        process = view.processes.get(init.pid)
        # A user may write any pid into his state: his containers have a user namespace that maps himself.
        if process is not None and process.start_time == init.start_time and (
            owner is None or (USER in view.differs(process) and inside(view, process.pid, "uid_map", owner) is not None)
        ):
            yield Claim(runtime, name, owner=owner), process


def look(runtime: str, claimed: Claim, view: View) -> State:
    state = State()
    found = _find(_known(runtime, view), claimed)
    if found is not None:
        init, owner = found
        lookup = Lookup(view, owner)
        config = lookup.json(init.bundle + "/config.json") if init.bundle is not None else {}
        state.known = True
        state.name = line(claimed.id)
        state.pid, state.start_time = init.pid, init.start_time
        state.user = process_user(config)
        state.labels = labels(config.get("annotations"))
        state.trouble = lookup.trouble
    return state


def _find(known: Known, claim: Claim) -> tuple[Init, int | None] | None:
    for owner in (claim.owner, None):
        if (claim.id, owner) in known:
            return known[(claim.id, owner)], owner
    return None


def _known(runtime: str, view: View) -> Known:
    # Those of podman and CRI-O included: they use the same roots.
    return view.once(runtime + " containers", lambda: _read(runtime, view))


def _read(runtime: str, view: View) -> Known:
    found: Known = {}
    for root, owner in _roots(runtime, view):
        lookup = Lookup(view, owner)
        names = lookup.listdir(root)
        if owner is not None and len(names) > _MOST_OF_A_USER:
            view.problems.add("state of %s of uid %d" % (runtime, owner), TRUNCATED, len(names) - _MOST_OF_A_USER)
            del names[_MOST_OF_A_USER:]
        for name in names:
            init = runtime_state(lookup, "%s/%s" % (root, name))
            if init is not None:
                found.setdefault((name, owner), init)
        lookup.report("state of " + runtime)
    return found


def _roots(runtime: str, view: View) -> Iterator[tuple[str, int | None]]:
    yield "/run/" + runtime, None
    for process in supervisors(view, runtime):
        root = process.path("--root", "-root")
        if root is not None:
            yield root, process.owner
    for user in Lookup(view).listdir("/run/user"):
        if user.isdecimal():
            yield "/run/user/%s/%s" % (user, runtime), int(user)


ENGINE = Engine(partial(look, "runc"), None, partial(settle, "runc"), partial(inits, "runc"))
CRUN = Engine(partial(look, "crun"), None, partial(settle, "crun"), partial(inits, "crun"))

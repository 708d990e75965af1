"""CRI-O: C(crio-ID.scope) or C(crio-ID) in a pod's cgroup; the bundle's annotations."""
from __future__ import annotations

from functools import partial
from typing import Sequence

from .._model.container import Pod
from .claim import Claim, Engine, State, pod_uid, scope_id
from .lookup import IMAGE, Lookup, labels, line, mapping
from .oci import init_of, inits, process_user, watched
from .view import View

_PREFIX = "io.kubernetes.cri-o."
_STORAGES = ("/run/containers/storage", "/var/lib/containers/storage")


def claim(parts: Sequence[str]) -> Claim | None:
    """conmon's own cgroups (C(crio-conmon-ID.scope)) are on the host."""
    for depth, part in enumerate(parts):
        found = scope_id(part, "crio")
        if found is not None:
            return Claim("crio", found, depth, {"pod": pod_uid(parts[:depth]) or ""})
    return None


def look(claimed: Claim, view: View) -> State:
    """The pod's own container is C(infra) and named POD."""
    state = State()
    found = watched(view, claimed)
    lookup = Lookup(view, found.owner if found is not None else None)
    bundles = ["%s/overlay-containers/%s/userdata" % (storage, claimed.id) for storage in _STORAGES]
    if found is not None and found.bundle is not None:
        bundles.insert(0, found.bundle)
    config = next((config for config in (lookup.json(bundle + "/config.json") for bundle in bundles) if config), {})
    init = init_of(found, claimed.id, None, lookup)
    state.known = bool(config or found is not None or init is not None)
    if init is not None:
        state.pid, state.start_time = init.pid, init.start_time
    told = mapping(config.get("annotations"))
    state.infra = told.get(_PREFIX + "ContainerType") == "sandbox"
    name = told.get("io.kubernetes.container.name") or (found.name if found is not None else None)
    state.name = "POD" if state.infra else line(name)
    state.image = line(told.get(_PREFIX + "ImageName") or told.get(_PREFIX + "Image"), IMAGE)
    state.labels = labels(lookup.parse(told.get(_PREFIX + "Labels"), claimed.id))
    state.user = process_user(config)
    pod = [line(told.get("io.kubernetes.pod." + key)) for key in ("name", "namespace", "uid")]
    state.pod = Pod(pod[0], pod[1], pod[2] or claimed.hints.get("pod") or None)
    state.trouble = lookup.trouble
    return state


ENGINE = Engine(look, claim, None, partial(inits, "crio"))

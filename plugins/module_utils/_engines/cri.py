"""Kubernetes, told by the annotations of the bundle: through containerd in C(cri-containerd-ID.scope) or
C(/kubepods/.../podUID/ID), through CRI-O in C(crio-ID.scope) or C(crio-ID).
"""
from __future__ import annotations

from functools import partial
from typing import Sequence

from .._model.inventory import Pod
from .claim import Claim, Engine, State, is_id, pod_uid, scope_id
from .containerd import Task, task_of
from .lookup import IMAGE, Lookup, labels, line, mapping
from .oci import init_of, inits, process_user, watched
from .view import View

_PREFIX = "io.kubernetes.cri."
_CRIO_PREFIX = "io.kubernetes.cri-o."
_CRIO_STORAGES = ("/run/containers/storage", "/var/lib/containers/storage")
_BUNDLE = "/run/containerd/io.containerd.runtime.v2.task/k8s.io/"


def claim(parts: Sequence[str]) -> Claim | None:
    for depth, part in enumerate(parts):
        found = scope_id(part, "cri-containerd")
        if found is not None:
            return _claim(found, depth, pod_uid(parts[:depth + 1]))
    return None


def settle(view: View, parts: Sequence[str]) -> Claim | None:
    for depth, part in enumerate(parts):
        uid = pod_uid(parts[:depth]) if is_id(part) else None
        if uid is not None:
            docker = task_of(view, Claim("docker", part, hints={"namespace": "moby"}))
            return _claim(part, depth, uid) if docker is None else None
    return None


def _claim(found: str, depth: int, pod: str | None) -> Claim:
    return Claim("cri", found, depth, {"namespace": "k8s.io", "pod": pod or ""})


def look(claimed: Claim, view: View) -> State:
    """The pod's own container (its pause process) is C(infra) and named POD."""
    state = State()
    # Without a shim in sight the default folder may still be readable.
    task = task_of(view, claimed) or Task("k8s.io", claimed.id, _BUNDLE + claimed.id, None)
    state.labels = task.read(state, view)
    told = {key[len(_PREFIX):]: value for key, value in state.labels.items() if key.startswith(_PREFIX)}
    state.infra = told.get("container-type") == "sandbox"
    state.name = "POD" if state.infra else line(told.get("container-name"))
    state.image = line(told.get("image-name"), IMAGE)
    uid = told.get("sandbox-uid") or claimed.hints.get("pod")
    state.pod = Pod(told.get("sandbox-name"), told.get("sandbox-namespace"), uid or None)
    return state


ENGINE = Engine(look, claim, settle)


def claim_crio(parts: Sequence[str]) -> Claim | None:
    """conmon's own cgroups (C(crio-conmon-ID.scope)) are on the host."""
    for depth, part in enumerate(parts):
        found = scope_id(part, "crio")
        if found is not None:
            return Claim("crio", found, depth, {"pod": pod_uid(parts[:depth]) or ""})
    return None


def look_crio(claimed: Claim, view: View) -> State:
    """The pod's own container is C(infra) and named POD."""
    state = State()
    found = watched(view, claimed)
    lookup = Lookup(view, found.owner if found is not None else None)
    bundles = ["%s/overlay-containers/%s/userdata" % (storage, claimed.id) for storage in _CRIO_STORAGES]
    if found is not None and found.bundle is not None:
        bundles.insert(0, found.bundle)
    config = next((config for config in (lookup.json(bundle + "/config.json") for bundle in bundles) if config), {})
    init = init_of(found, claimed.id, None, lookup)
    state.known = bool(config or found is not None or init is not None)
    if init is not None:
        state.pid, state.start_time = init.pid, init.start_time
    told = mapping(config.get("annotations"))
    state.infra = told.get(_CRIO_PREFIX + "ContainerType") == "sandbox"
    name = told.get("io.kubernetes.container.name") or (found.name if found is not None else None)
    state.name = "POD" if state.infra else line(name)
    state.image = line(told.get(_CRIO_PREFIX + "ImageName") or told.get(_CRIO_PREFIX + "Image"), IMAGE)
    state.labels = labels(lookup.parse(told.get(_CRIO_PREFIX + "Labels"), claimed.id))
    state.user = process_user(config)
    pod = [line(told.get("io.kubernetes.pod." + key)) for key in ("name", "namespace", "uid")]
    state.pod = Pod(pod[0], pod[1], pod[2] or claimed.hints.get("pod") or None)
    state.trouble = lookup.trouble
    return state


CRIO = Engine(look_crio, claim_crio, None, partial(inits, "crio"))

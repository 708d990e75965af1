"""Kubernetes through containerd: C(cri-containerd-ID.scope), C(/kubepods/.../podUID/ID); the bundle's annotations."""
from __future__ import annotations

from typing import Sequence

from .._model.container import Pod
from .claim import Claim, Engine, State, is_id, pod_uid, scope_id
from .containerd import Task, task_of
from .lookup import IMAGE, line
from .view import View

_PREFIX = "io.kubernetes.cri."
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

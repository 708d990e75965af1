"""Docker: C(docker-ID.scope) or C(.../docker/ID); DATA/containers/ID/config.v2.json; runc's state below EXEC."""
from __future__ import annotations

from typing import Any, Iterator, NamedTuple, Sequence

from .._model.inventory import Pod
from .claim import Claim, Engine, State, is_id, owner_of, scope_id
from .containerd import Task, task_of
from .lookup import IMAGE, Lookup, absolute, home_of, labels, line, mapping, number
from .oci import mount_source, runtime_state
from .supervisors import believed, supervisors
from .view import View


class Root(NamedTuple):
    """Where one daemon keeps its containers (C(data)) and their runtime's state (C(execution))."""

    data: str
    execution: str
    owner: int | None = None


def claim(parts: Sequence[str]) -> Claim | None:
    for depth, part in enumerate(parts):
        found = part if is_id(part) and depth and parts[depth - 1] == "docker" else scope_id(part, "docker")
        if found is not None:
            return Claim("docker", found, depth)
    return None


def settle(view: View, parts: Sequence[str]) -> Claim | None:
    # --cgroup-parent leaves nothing of Docker in the path but the id.
    for depth, part in enumerate(parts):
        if is_id(part):
            claim = Claim("docker", part, depth, owner=owner_of(parts[:depth]))
            task = task_of(view, claim)
            if task.engine == "docker" if task is not None else part in view.once("docker ids", lambda: _ids(view)):
                return claim
    return None


def look(claimed: Claim, view: View) -> State:
    state = State()
    task = task_of(view, claimed)
    init = None
    for root in _candidates(claimed, task, view):
        lookup = Lookup(view, root.owner)
        config = lookup.json("%s/containers/%s/config.v2.json" % (root.data, claimed.id))
        if config:
            _describe(config, state)
            init = runtime_state(lookup, "%s/runtime-runc/moby/%s" % (root.execution, claimed.id))
        state.trouble = state.trouble or lookup.trouble
        if config:
            break
    if init is None and task is not None:
        init = task.init(view)
        # The daemon's own plugins are containers that no user made, and their files say nothing of use.
        state.infra = task.namespace != "moby"
    if init is not None:
        state.known = state.known or state.infra
        state.running = True
        state.pid, state.start_time = init.pid, init.start_time
    return state


def _describe(config: dict[str, Any], state: State) -> None:
    settings, now, name = mapping(config.get("Config")), mapping(config.get("State")), config.get("Name")
    state.known = True
    state.name = line(name.lstrip("/") if isinstance(name, str) else None)
    state.image = line(settings.get("Image"), IMAGE)
    state.user = line(settings.get("User"))
    state.labels = labels(settings.get("Labels"))
    state.pid = number(now.get("Pid"))
    state.running = state.pid is not None
    state.status = "paused" if now.get("Paused") is True else None
    state.ports = mapping(config.get("NetworkSettings")).get("Ports")
    told = {key[len("io.kubernetes."):]: value for key, value in state.labels.items() if "io.kubernetes." in key[:14]}
    if "pod.name" in told:
        state.pod = Pod(told["pod.name"], told.get("pod.namespace"), told.get("pod.uid"))
        state.infra = told.get("docker.type") == "podsandbox"
        state.name = told.get("container.name") or state.name


def _ids(view: View) -> set[str]:
    found: set[str] = set()
    for root in _roots(view):
        lookup = Lookup(view, root.owner)
        found.update(lookup.listdir(root.data + "/containers"))
        lookup.report("containers of docker")
    return found


def _roots(view: View) -> list[Root]:
    return view.once("docker roots", lambda: list(dict.fromkeys(_find_roots(view))))


def _find_roots(view: View) -> Iterator[Root]:
    data, execution, config = "/var/lib/docker", "/var/run/docker", "/etc/docker/daemon.json"
    for daemon in supervisors(view, "dockerd"):
        usual = Root(data, execution)
        path = config
        if daemon.owner is not None:
            home = home_of(view, daemon.owner)
            usual = Root(home + "/.local/share/docker", "/run/user/%d/docker" % daemon.owner, daemon.owner)
            path = home + "/.config/docker/daemon.json"
        settings = Lookup(view, daemon.owner).json(daemon.path("--config-file") or path)
        yield Root(
            daemon.path("--data-root", "-g", "--graph") or absolute(settings.get("data-root")) or usual.data,
            daemon.path("--exec-root") or absolute(settings.get("exec-root")) or usual.execution, daemon.owner,
        )
    # The daemon may be away while its containers live on (live-restore).
    settings = Lookup(view).json(config)
    yield Root(absolute(settings.get("data-root")) or data, absolute(settings.get("exec-root")) or execution)


def _candidates(claimed: Claim, task: Task | None, view: View) -> Iterator[Root]:
    bundle = task.bundle if task is not None and task.bundle is not None else ""
    # The shim's bundle names the right one of several daemons: no other has to be asked first.
    roots = believed(claimed, _roots(view))
    yield from sorted(roots, key=lambda root: (root.owner is None, not bundle.startswith(root.execution + "/")))
    if task is not None:
        # Else what the bundle mounts over /etc/hostname: a daemon that is gone, --userns-remap (a folder UID.GID).
        data, slash, rest = mount_source(task.config(view), "/etc/hostname").rpartition("/containers/%s/" % claimed.id)
        if slash:
            yield Root(data, bundle.partition("/containerd/daemon/")[0], task.owner)


ENGINE = Engine(look, claim, settle)

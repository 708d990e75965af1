"""containerd without Kubernetes (ctr, nerdctl): C(/NAMESPACE/ID); a shim a container, whose cwd is the bundle."""
from __future__ import annotations

from functools import partial
from typing import Any, Iterator, Sequence

from .._model.inventory import Process
from .claim import Claim, Engine, State, is_id, owner_of
from .databases import Bolt
from .lookup import IMAGE, Lookup, absolute, home_of, labels, line, number, toml_string
from .oci import Init, process_user, runtime_state
from .supervisors import believed, supervisors
from .view import View

_STATE = "/run/containerd"


class Task:
    """A container that containerd runs. C(bundle): its folder, None where we may not see it."""

    def __init__(self, namespace: str, name: str, bundle: str | None, owner: int | None) -> None:
        self.namespace = namespace
        self.id = name
        self.bundle = bundle
        self.owner = owner
        self.shims: set[int] = set()
        self.trouble: OSError | None = None
        self._config: dict[str, Any] | None = None

    @property
    def engine(self) -> str:
        return {"k8s.io": "cri", "moby": "docker", "plugins.moby": "docker"}.get(self.namespace, "containerd")

    def config(self, view: View) -> dict[str, Any]:
        if self._config is None:
            lookup = Lookup(view, self.owner)
            self._config = lookup.json(self.bundle + "/config.json") if self.bundle is not None else {}
            self.trouble = self.trouble or lookup.trouble
        return self._config

    def init(self, view: View) -> Init | None:
        """As the runtime recorded it; without start time where only the shim did."""
        lookup = Lookup(view, self.owner)
        # All tasks of a folder have the same runtime root as a rule: the options of one are read.
        usual = view.once("root of %s" % (self.bundle or "").rpartition("/")[0], lambda: self._root(lookup))
        found = runtime_state(lookup, "%s/%s/%s" % (usual, self.namespace, self.id))
        if found is None and self.bundle is not None:
            found = runtime_state(lookup, "%s/%s/%s" % (self._root(lookup), self.namespace, self.id))
            pid = number(lookup.text(self.bundle + "/init.pid", 64))
            found = Init(pid) if found is None and pid is not None else found
        self.trouble = self.trouble or lookup.trouble
        return found

    def read(self, state: State, view: View) -> dict[str, Any]:
        """Fill in what every task has; return the bundle's annotations."""
        init, config = self.init(view), self.config(view)
        # A living shim vouches for a task, whatever can be read.
        state.known = bool(self.shims or config)
        if init is not None:
            state.pid, state.start_time = init.pid, init.start_time
        state.user = process_user(config)
        state.trouble = self.trouble
        return labels(config.get("annotations"))

    def _root(self, lookup: Lookup) -> str:
        options = lookup.json(self.bundle + "/options.json") if self.bundle is not None else {}
        return absolute(options.get("root") or options.get("Root")) or _on_host(_STATE + "/runc", self.owner)


def task_of(view: View, claim: Claim) -> Task | None:
    namespace = claim.hints.get("namespace")
    found = believed(claim, tasks(view).get(claim.id, ()))
    return next((task for task in found if namespace is None or task.namespace == namespace), None)


def tasks(view: View) -> dict[str, list[Task]]:
    """The running tasks by id, from the shims' command lines and folders."""
    return view.once("containerd tasks", lambda: _tasks(view))


def settle(view: View, parts: Sequence[str]) -> Claim | None:
    known = tasks(view)
    for depth, part in enumerate(parts) if known else ():
        # ctr: /NAMESPACE/ID. nerdctl: nerdctl-ID.scope. CRI with the cgroupfs driver: /kubepods/.../ID.
        name = part[:-6] if part.endswith(".scope") else part
        name = name[-64:] if is_id(name[-64:]) else part
        for task in known.get(name, []):
            claim = Claim(task.engine, task.id, depth, {"namespace": task.namespace}, owner_of(parts[:depth]))
            in_place = is_id(name) or parts[max(depth - 1, 0)] == task.namespace
            if task.engine != "docker" and in_place and believed(claim, [task]):
                return claim
    return None


def inits(view: View) -> Iterator[tuple[Claim, Process]]:
    for task in [task for same in tasks(view).values() for task in same]:
        if task.bundle is not None and any(view.loose(pid) for pid in task.shims):
            recorded = number(Lookup(view, task.owner).text(task.bundle + "/init.pid", 64))
            init = view.processes.get(recorded or 0)
            if init is not None and init.ppid in task.shims:
                hints = {} if task.engine == "docker" else {"namespace": task.namespace}
                yield Claim(task.engine, task.id, 0, hints, task.owner), init


def look(claimed: Claim, view: View) -> State:
    state = State()
    task = task_of(view, claimed)
    if task is not None:
        annotations = task.read(state, view)
        image, stored = _stored(task, view)
        state.labels = stored or annotations
        state.image = line(image, IMAGE)
        state.name = line(state.labels.get("nerdctl/name") or claimed.id)
    return state


def _tasks(view: View) -> dict[str, list[Task]]:
    found: dict[tuple[str, str, int | None], Task] = {}
    folders: dict[tuple[str, str, int | None], set[int]] = {}

    def add(namespace: str, name: str, bundle: str | None, owner: int | None, shims: set[int]) -> None:
        found.setdefault((namespace, name, owner), Task(namespace, name, bundle, owner)).shims.update(shims)

    for shim in supervisors(view, "containerd-shim"):
        namespace, name, pid = shim.option("-namespace"), shim.option("-id"), {shim.process.pid}
        if namespace and name:
            cwd = _on_host(shim.cwd or "", shim.owner)
            folder = cwd[:-len(name) - 1] if cwd.endswith("/%s/%s" % (namespace, name)) else ""
            add(namespace, name, cwd if folder else None, shim.owner, pid)
            if folder:
                folders.setdefault((folder, namespace, shim.owner), set()).update(pid)
    # One shim serves all containers of a pod: the others are its bundle's neighbours.
    for (folder, namespace, owner), shims in folders.items():
        lookup = Lookup(view, owner)
        for name in lookup.listdir(folder):
            if not name.startswith("."):
                add(namespace, name, "%s/%s" % (folder, name), owner, shims)
        lookup.report("tasks of containerd")
    by_name: dict[str, list[Task]] = {}
    for task in found.values():
        by_name.setdefault(task.id, []).append(task)
    return by_name


def _on_host(path: str, owner: int | None) -> str:
    # Where the host sees what containerd-rootless.sh calls /run/containerd.
    if owner is not None and path.startswith(_STATE + "/"):
        return "/run/user/%d/containerd%s" % (owner, path[len(_STATE):])
    return path


def _stored(task: Task, view: View) -> tuple[str | None, dict[str, str]]:
    roots = view.once("containerd roots", lambda: list(dict.fromkeys(_roots(view))))
    for root, owner in [(root, owner) for root, owner in roots if owner == task.owner]:
        path = root + "/io.containerd.metadata.v1.bolt/meta.db"
        database = view.once("database " + path, partial(_database, view, path, owner))
        where = ("v1", task.namespace, "containers", task.id)
        if database.value(*where, "createdat") is not None:
            image, told = database.value(*where, "image"), database.values(*where, "labels")
            return (image or b"").decode("utf-8", "replace"), labels(
                {key.decode("utf-8", "replace"): value.decode("utf-8", "replace") for key, value in told.items()}
            )
    return None, {}


def _database(view: View, path: str, owner: int | None) -> Bolt:
    lookup = Lookup(view, owner)
    database = Bolt(lookup.raw(path, 16 << 20) or b"")
    lookup.report("database of containerd")
    return database


def _roots(view: View) -> Iterator[tuple[str, int | None]]:
    for daemon in supervisors(view, "containerd"):
        usual, config = "/var/lib/containerd", "/etc/containerd/config.toml"
        if daemon.owner is not None:
            home = home_of(view, daemon.owner)
            usual, config = home + "/.local/share/containerd", home + "/.config/containerd/config.toml"
        settings = Lookup(view, daemon.owner).text(daemon.path("--config", "-c") or config)
        yield daemon.path("--root") or absolute(toml_string(settings, "root")) or usual, daemon.owner
    yield "/var/lib/containerd", None


ENGINE = Engine(look, None, settle, inits)

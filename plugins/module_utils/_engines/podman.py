"""Podman: C(libpod-ID.scope), C(libpod-ID), C(libpod-payload-ID); containers/storage's files and libpod's database."""
from __future__ import annotations

from functools import partial
from typing import Any, Sequence

from .._model.inventory import Pod
from .claim import Claim, Engine, State, is_id, scope_id
from .databases import Bolt, Sqlite
from .lookup import IMAGE, Lookup, home_of, labels, line, mapping, toml_string
from .oci import Watched, init_of, inits, process_user, watched
from .view import View

_LIMIT = 32 << 20


class Libpod:
    """libpod's database, which alone knows labels, users and pods: db.sql (4.4 on), bolt_state.db (before)."""

    def __init__(self, lookup: Lookup, graph: str, run_root: str | None) -> None:
        self._lookup = lookup
        self._rows: dict[str, dict[str, bytes | None]] = {"ctr": {}, "pod": {}}
        self._bolt: Bolt | None = None
        # In the run root with transient storage.
        for folder in (graph, graph + "/libpod", run_root or graph):
            raw = lookup.raw(folder + "/db.sql", _LIMIT)
            if raw is not None:
                database = Sqlite(raw)
                for kind, table, column in (("ctr", "ContainerConfig", 3), ("pod", "PodConfig", 2)):
                    rows = [row for row in database.rows(table) if len(row) > column]
                    self._rows[kind] = {(row[0] or b"").decode("ascii", "replace"): row[column] for row in rows}
                return
        self._bolt = Bolt(lookup.raw(graph + "/libpod/bolt_state.db", _LIMIT) or b"")

    def config(self, kind: str, name: str) -> dict[str, Any]:
        raw = self._rows[kind].get(name) if self._bolt is None else self._bolt.value(kind, name, "config")
        return mapping(self._lookup.parse(raw, name))


def claim(parts: Sequence[str]) -> Claim | None:
    """conmon's own cgroups (C(libpod-conmon-ID)) are on the host."""
    for depth, part in enumerate(parts):
        # libpod-payload-ID: --cgroups=split, as quadlets have it.
        found = scope_id(part, "libpod") or scope_id(part, "libpod-payload")
        if found is not None:
            hints: dict[str, str] = {}
            above = parts[depth - 1] if depth else ""
            # systemd: machine-libpod_pod_ID.slice (root) or user-libpod_pod_ID.slice; cgroupfs: .../PODID/libpod-ID.
            pod = above[:-6].rpartition("libpod_pod_")[2] if above.endswith(".slice") else above
            if is_id(pod):
                hints["pod"] = pod
            return Claim("podman", found, depth, hints)
    return None


def look(claimed: Claim, view: View) -> State:
    state = State()
    found = watched(view, claimed)
    owner = found.owner if found is not None else claimed.owner
    lookup = Lookup(view, owner)
    folder = _folder(found, claimed.id, owner, view)
    graph = folder.rpartition("/")[0]
    entry = view.once("storage " + folder, lambda: _stored(folder, owner, view)).get(claimed.id, {})
    told = mapping(lookup.parse(entry.get("metadata"), folder))
    libpod = view.once("libpod " + graph, lambda: Libpod(lookup, graph, found.run_root if found is not None else None))
    config = libpod.config("ctr", claimed.id)
    init = init_of(found, claimed.id, owner, lookup)
    state.known = bool(entry or config or found is not None)
    if init is not None:
        state.pid, state.start_time = init.pid, init.start_time
    state.name = line(told.get("name") or config.get("name") or (found.name if found is not None else None))
    state.image = line(told.get("image-name") or told.get("image-id"), IMAGE)
    state.labels = labels(config.get("labels"))
    state.ports = config.get("newPortMappings") or config.get("portMappings")
    state.user = line(config.get("user"))
    if state.user is None:
        bundle = found.bundle if found is not None and found.bundle is not None else None
        state.user = process_user(lookup.json((bundle or "%s/%s/userdata" % (folder, claimed.id)) + "/config.json"))
    pod = line(config.get("pod")) or claimed.hints.get("pod")
    if pod is not None:
        state.pod = Pod(line(libpod.config("pod", pod).get("name")) or pod[:12])
        state.infra = config.get("pause") is True or state.name == pod[:12] + "-infra"
    state.trouble = lookup.trouble
    return state


def _folder(found: Watched | None, name: str, owner: int | None, view: View) -> str:
    """GRAPHROOT/DRIVER-containers by conmon's bundle, storage.conf or default."""
    suffix = "/%s/userdata" % name
    if found is not None and found.bundle is not None and found.bundle.endswith(suffix):
        return found.bundle[:-len(suffix)]
    graph, driver = "/var/lib/containers/storage", "overlay"
    if owner is None:
        settings = view.once("storage.conf", lambda: Lookup(view).text("/etc/containers/storage.conf"))
        graph = toml_string(settings, "graphroot", "storage") or graph
        driver = toml_string(settings, "driver", "storage") or driver
    else:
        graph = home_of(view, owner) + "/.local/share/containers/storage"
    return "%s/%s-containers" % (graph, driver)


def _stored(folder: str, owner: int | None, view: View) -> dict[str, dict[str, Any]]:
    """containers/storage's lists; containers that need not survive a crash (--rm) have one of their own."""
    lookup = Lookup(view, owner)
    found: dict[str, dict[str, Any]] = {}
    for name in ("containers.json", "volatile-containers.json"):
        entries = lookup.parse(lookup.raw("%s/%s" % (folder, name), _LIMIT), folder)
        for entry in map(mapping, entries if isinstance(entries, list) else ()):
            found[str(entry.get("id"))] = entry
    lookup.report("storage of podman")
    return found


ENGINE = Engine(look, claim, None, partial(inits, "podman"))

"""Processes to containers: who belongs to which, and what is known of each."""
from __future__ import annotations

import re
from functools import partial
from typing import Iterable, Iterator

from .._kernel.proc import GONE
from .._model.inventory import MNT, PID, TYPES, Container, Process
from .claim import ENTRIES, Cgroups, Claim, Engine, State, cgroups_of, is_id, load
from .confinement import Confinement, confinement, frozen, unit_of
from .lookup import NAME, line, printable
from .supervisors import NAMES
from .view import View

# What the first process is called while the runtime still prepares the container.
_RUNTIMES = ("runc:[", "crun", "libcrun", "youki:[")


class Tree:
    """One container. C(state): what its engine says; C(init): the process that proves it."""

    def __init__(self, claim: Claim, members: Iterable[Process] = ()) -> None:
        self.claim = claim
        self.members = list(members)
        self.state = State(known=True)
        self.init: Process | None = None

    @property
    def what(self) -> str:
        name = self.claim.id
        return "state of %s %s" % (self.claim.engine, name[:12] if is_id(name) else printable(name[:64]))

    def leader(self, view: View) -> Process:
        """The init, else the oldest process in own namespaces, else the oldest."""
        own = [process for process in self.members if view.differs(process)]
        return self.init or min(own or self.members, key=lambda process: process.age)


def containers(view: View) -> list[Container]:
    """Every container of a scan, by engine and name; what could not be seen is in the problems."""
    texts = b"\n".join({process.cgroup for process in view.processes.values()})
    comms = {process.comm for process in view.processes.values()}
    engines = {
        entry.name: load(entry.name)
        for entry in ENTRIES
        if comms.intersection(entry.comms) or (re.search(entry.mark, texts) if entry.mark else view.suspects)
    }
    taken: dict[int, Tree] = {}
    trees = list(_by_cgroup(view, engines, taken)) if engines else []
    if view.suspects:
        trees += _by_init(view, engines, taken)
        _adopt(view, taken)
        trees += _unknown(view, taken)
        trees = _outermost(view, trees, taken)
    found = [container for container in map(partial(_describe, view), trees) if container is not None]
    return sorted(found, key=lambda container: (container.engine, container.name, container.id))


def _by_cgroup(view: View, engines: dict[str, Engine], taken: dict[int, Tree]) -> Iterator[Tree]:
    texts: dict[bytes, list[Process]] = {}
    for process in view.processes.values():
        if process.cgroup and not process.kernel:
            texts.setdefault(process.cgroup, []).append(process)
    claimants = [engine.claim for engine in engines.values() if engine.claim is not None]
    settlers = [partial(engine.settle, view) for engine in engines.values() if engine.settle is not None]
    # First what tells by itself: no process in there is believed to be an engine, which the second step asks.
    for step in (claimants, settlers):
        for members in texts.values():
            cgroups = cgroups_of(view, members[0])
            cgroups.read(step)
            if cgroups.claim is not None:
                view.inside.update(process.pid for process in members)
    trees: dict[tuple[object, ...], Tree] = {}
    for members in texts.values():
        claim = cgroups_of(view, members[0]).claim
        if claim is not None:
            tree = trees.setdefault(claim.key, Tree(claim))
            # conmon and the like may sit in the container's cgroup; they are on the host all the same.
            tree.members += [process for process in members if process.comm not in NAMES or view.differs(process)]
    seen = set()
    for tree in sorted(trees.values(), key=lambda tree: tree.claim.owner is not None):
        every = {process.pid for process in tree.members}
        _look(view, engines, tree)
        name = tree.claim[:2]
        # A user's cgroup that bears the name of another container proves nothing.
        tree.members = _genuine(view, tree) if tree.state.known or name not in seen else []
        seen.add(name)
        view.inside -= every
        view.inside.update(process.pid for process in tree.members)
        taken.update((process.pid, tree) for process in tree.members)
        if tree.members:
            yield tree


def _look(view: View, engines: dict[str, Engine], tree: Tree) -> None:
    """Ask the engine, and find the process that proves its word: same pid and, where told, same start time."""
    state = engines[tree.claim.engine].look(tree.claim, view)
    if state is None:
        tree.members = []
        return
    process = view.processes.get(state.pid or 0)
    proved = process is not None and any(process is member for member in tree.members)
    if process is not None and state.start_time is not None:
        # The start time alone is proof: a container need not have a cgroup of its own.
        proved = process.start_time == state.start_time and (proved or process.pid not in view.inside)
        if proved and process not in tree.members:
            tree.members.append(process)
    if proved:
        tree.init = process
    elif state.known and (state.pid is not None or not state.running):
        view.problems.add(tree.what, "stale")
        state = State()
        state.trouble = OSError(0, "stale")
    tree.state = state


def _genuine(view: View, tree: Tree) -> list[Process]:
    """The members that do not only call themselves so: who may make cgroups may name them as engines do."""
    if tree.init is not None:
        prefix = cgroups_of(view, tree.init).prefix
        names = {tree.init.namespaces[at] for at in view.differs(tree.init)}
        return [
            process for process in tree.members
            if cgroups_of(view, process).prefix == prefix or names.intersection(process.namespaces)
        ]
    unseen = tree.state.trouble is not None and bool(tree.state.trouble.errno)
    if tree.state.known or unseen or any(view.differs(process) for process in tree.members):
        return tree.members
    return []


def _by_init(view: View, engines: dict[str, Engine], taken: dict[int, Tree]) -> list[Tree]:
    """Trees that no cgroup tells: a first process, and its descendants in own namespaces."""
    trees: list[Tree] = []
    known = {tree.claim.key: tree for tree in taken.values()}
    for engine in engines.values():
        for claim, init in engine.inits(view) if engine.inits is not None else ():
            if init.pid in taken or not view.differs(init):
                continue
            tree = known.get(claim.key)
            if tree is None:
                tree = known[claim.key] = Tree(claim)
                trees.append(tree)
            for process in [init, *view.descendants(init.pid)]:
                if process.pid not in taken and view.differs(process):
                    tree.members.append(process)
                    taken[process.pid] = tree
                    view.inside.add(process.pid)
    for tree in trees:
        _look(view, engines, tree)
    return [tree for tree in trees if tree.members]


def _adopt(view: View, taken: dict[int, Tree]) -> None:
    """Processes in own namespaces whose ancestor or namespace is a container's belong to it."""
    owners = _owners(view, taken)
    for process in sorted(view.processes.values(), key=lambda process: process.age):
        if process.pid not in taken and not process.kernel and view.differs(process):
            tree = _around(view, process, taken, owners)
            if tree is not None:
                tree.members.append(process)
                taken[process.pid] = tree


def _unknown(view: View, taken: dict[int, Tree]) -> list[Tree]:
    from . import unknown

    trees = [Tree(claim, members) for claim, members in unknown.groups(view, taken)]
    for tree in trees:
        tree.init = tree.members[0]
    taken.update((process.pid, tree) for tree in trees for process in tree.members)
    if trees:
        _adopt(view, taken)
    return trees


def _outermost(view: View, trees: list[Tree], taken: dict[int, Tree]) -> list[Tree]:
    """One tree, one entry: what lives in another container is part of it."""
    owners = _owners(view, taken)
    into: dict[int, Tree] = {}

    def outermost(tree: Tree) -> Tree:
        while id(tree) in into:
            tree = into[id(tree)]
        return tree

    for tree in trees:
        outer = _around(view, tree.leader(view), taken, owners, tree)
        # A scan of a busy host can show each in the other.
        if outer is not None and outermost(outer) is not tree:
            into[id(tree)] = outer
    for tree in trees:
        if id(tree) in into:
            outermost(tree).members += tree.members
    return [tree for tree in trees if id(tree) not in into]


def _owners(view: View, taken: dict[int, Tree]) -> dict[str | None, Tree]:
    """Whose a pid or mount namespace is: the oldest's, where containers share one."""
    owners: dict[str | None, Tree] = {}
    for process in sorted((view.processes[pid] for pid in taken), key=lambda process: process.age):
        for at in (PID, MNT):
            if at in view.differs(process):
                owners.setdefault(process.namespaces[at], taken[process.pid])
    return owners


def _around(view: View, process: Process, taken: dict[int, Tree], owners: dict[str | None, Tree],
            inner: Tree | None = None) -> Tree | None:
    """The container that a process (or the container C(inner) that it leads) lives in."""
    for above in view.ancestors(process):
        if taken.get(above.pid, inner) is not inner:
            return taken[above.pid]
    name = process.namespaces[PID] if PID in view.differs(process) else None
    seen = {view.host[PID]}
    own = inner is not None
    while name is not None and name not in seen:
        # Containers may share a namespace side by side: only one further out makes the other the outer one.
        if not own and owners.get(name, inner) is not inner:
            return owners[name]
        own = False
        seen.add(name)
        name = view.pid_parents.get(name)
    found = owners.get(process.namespaces[MNT]) if inner is None else None
    # Not who made the container: unshare(1) and the like live in its mounts, too.
    return found if found is None or process not in view.ancestors(found.leader(view)) else None


def _describe(view: View, tree: Tree) -> Container | None:
    leader, state, claim = tree.leader(view), tree.state, tree.claim
    told = Confinement()
    try:
        if view.confined:
            told = confinement(view, leader)
        else:
            view.proc.stat(leader.pid)
    except OSError as error:
        if error.errno not in GONE:
            view.problems.error("confinement of containers", error)
        elif not any(_lives(view, process) for process in tree.members):
            return None
    if state.trouble is not None and state.trouble.errno:
        view.problems.error(tree.what, state.trouble)
    elif not state.known and state.trouble is None:
        view.problems.add(tree.what, "not found")
    cgroups = cgroups_of(view, leader)
    name = leader.comm if claim.engine == "unknown" else state.name
    return Container(
        id=printable(claim.id[:NAME]), engine=claim.engine,
        name=line(name) or printable(claim.id[:12 if is_id(claim.id) else NAME]),
        pid=leader.pid, start_time=leader.start_time, infra=state.infra, image=state.image,
        state=_status(view, leader, state, cgroups), user=state.user or told.user, unit=unit_of(cgroups.path),
        pod=state.pod, labels=state.labels, cgroup=line(cgroups.path, 4096), capabilities=told.capabilities,
        seccomp=told.seccomp, no_new_privs=told.no_new_privs, lsm=told.lsm,
        namespaces={kind: ref for kind, ref in zip(TYPES, leader.namespaces) if ref is not None},
        shared_with_host=[kind for kind, ref, host in zip(TYPES, leader.namespaces, view.host) if ref and ref == host],
        members=sorted({process.pid for process in tree.members}), ports=state.ports,
    )


def _status(view: View, leader: Process, state: State, cgroups: Cgroups) -> str:
    if leader.comm.startswith(_RUNTIMES):
        return "starting"
    return state.status or ("paused" if frozen(view, cgroups) else "running")


def _lives(view: View, process: Process) -> bool:
    try:
        return view.proc.stat(process.pid).start_time == process.start_time
    except OSError:
        return False

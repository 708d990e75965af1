"""What tells that processes are a container: components of a cgroup path, and what an engine adds."""
from __future__ import annotations

from typing import Any, Callable, Iterable, NamedTuple, Sequence

from .._kernel.proc import Cgroup, parse_cgroups
from .._model.inventory import Pod, Process
from .view import View

HEX = frozenset("0123456789abcdef")


class Claim(NamedTuple):
    """Says: this is container C(id) of C(engine).

    C(depth): the component of the path that says so; the smaller one is the outer container. C(hints): pod, namespace
    of containerd. C(owner): the user below whose cgroup it is, or who runs its engine; None for root.
    """

    engine: str
    id: str
    depth: int = 0
    hints: dict[str, str] = {}
    owner: int | None = None

    @property
    def key(self) -> tuple[str, str, str, int | None]:
        """Users, and namespaces of containerd, may each have a container of the same id."""
        return self.engine, self.id, self.hints.get("namespace", ""), self.owner


class State:
    """What the state files tell. C(known): something vouches for the id. C(pid), C(start_time) (ticks): the init.

    C(running) False: nothing runs by the engine's own word. C(trouble): what kept us from a file that may be there.
    """

    def __init__(self, known: bool = False) -> None:
        self.known = known
        self.running = True
        self.pid: int | None = None
        self.start_time: int | None = None
        self.name: str | None = None
        self.image: str | None = None
        self.user: str | None = None
        self.labels: dict[str, str] = {}
        self.pod: Pod | None = None
        self.infra = False
        self.status: str | None = None
        self.ports: Any = None
        self.trouble: OSError | None = None


class Engine(NamedTuple):
    """What an engine's file offers. C(look): what the state files say; None: it is no container after all.

    C(claim): the outermost container in the components of a path that tell by themselves; C(settle): in those that
    only the running engine can explain. C(inits): first processes of containers that no cgroup tells.
    """

    look: Callable[[Claim, View], State | None]
    claim: Callable[[Sequence[str]], Claim | None] | None = None
    settle: Callable[[View, Sequence[str]], Claim | None] | None = None
    inits: Callable[[View], Iterable[tuple[Claim, Process]]] | None = None


class Cgroups:
    """One text of /proc/PID/cgroup: version 2 first, then systemd's own hierarchy, then the controllers.

    C(path): the one that tells of C(claim), up to C(prefix); else the first that is not the root.
    """

    def __init__(self, raw: bytes) -> None:
        self.paths: list[Cgroup] = sorted(parse_cgroups(raw), key=_order)
        self.claim: Claim | None = None
        self.prefix = ""
        self.path = next((cgroup.path for cgroup in self.paths if cgroup.path != "/"), "/" if self.paths else "")

    def read(self, claimants: Iterable[Callable[[Sequence[str]], Claim | None]]) -> None:
        """Take the outermost claim of the first path that has one; a claim already made wins a tie."""
        for path in dict.fromkeys(cgroup.path for cgroup in self.paths):
            parts = path.strip("/").split("/")
            claims = [found for found in (claimant(parts) for claimant in claimants) if found is not None]
            if claims:
                found = min(claims, key=lambda claim: claim.depth)
                if self.claim is None or found.depth < self.claim.depth:
                    self.claim, self.path = found._replace(owner=owner_of(parts[:found.depth])), path
                    self.prefix = "/".join(parts[:found.depth + 1])
                return


def cgroups_of(view: View, process: Process) -> Cgroups:
    known: dict[bytes, Cgroups] = view.once("cgroups", dict)
    if process.cgroup not in known:
        known[process.cgroup] = Cgroups(process.cgroup)
    return known[process.cgroup]


def is_id(name: str) -> bool:
    """Whether it is an id as docker, podman and the CRI make them."""
    return len(name) == 64 and HEX.issuperset(name)


def owner_of(parts: Sequence[str]) -> int | None:
    """The user below whose slice or manager a path is; None for root's."""
    for part in parts:
        prefix, at, number = part.rpartition(".")[0].rpartition("@" if part.startswith("user@") else "-")
        if prefix == "user" and number.isdecimal():
            return int(number[:10]) or None
    return None


def scope_id(part: str, prefix: str) -> str | None:
    """The id in C(prefix-ID.scope) (systemd driver), C(prefix-ID) (cgroupfs), C(slice:prefix:ID) (both mixed up)."""
    part = part[:-6] if part.endswith(".scope") else part
    before, found = part[:-64], part[-64:]
    return found if is_id(found) and (before == prefix + "-" or before.endswith(":%s:" % prefix)) else None


def pod_uid(parts: Sequence[str]) -> str | None:
    """The Kubernetes pod a path lies in: C(pod<uid>), C(kubepods-burstable-pod<uid>.slice)."""
    for part in parts:
        before, found, uid = part.partition(".slice")[0].rpartition("pod")
        uid = uid.replace("_", "-")
        # 36 characters for a uuid, 32 for the hash that names a static pod.
        if found and len(uid) in (32, 36) and HEX.issuperset(uid.replace("-", "")):
            return uid
    return None


def _order(cgroup: Cgroup) -> int:
    if cgroup.hierarchy == 0 and not cgroup.controllers:
        return 0
    return 1 if cgroup.controllers == "name=systemd" else 2


class Entry(NamedTuple):
    """An engine, loaded only on a host that shows a mark of it: most hosts have one engine or none.

    C(mark): an expression for /proc/PID/cgroup (none: wherever there are own namespaces); C(comms): its processes.
    """

    name: str
    mark: bytes | None
    comms: tuple[str, ...] = ()


# Of two claims on the same component the earlier engine wins: podman's containers are also runc's or crun's.
ENTRIES: tuple[Entry, ...] = (
    Entry("docker", rb"docker|(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])", ("containerd-shim",)),
    Entry("podman", rb"libpod-", ("conmon",)),
    Entry("cri", rb"cri-containerd|pod", ("containerd-shim",)),
    Entry("crio", rb"crio-", ("conmon",)),
    Entry("containerd", rb"nerdctl", ("containerd-shim",)),
    Entry("lxc", rb"[/.]lxc[./]", ("lxc-start", "lxc-execute", "lxc-autostart", "lxd", "incusd")),
    Entry("nspawn", rb"machine-|systemd-nspawn@", ("systemd-nspawn",)),
    Entry("runc", None),
    Entry("crun", None),
)


def load(name: str) -> Engine:
    """The engine of that name; Ansible ships what it sees imported by name."""
    if name == "docker":
        from .docker import ENGINE
    elif name == "podman":
        from .podman import ENGINE
    elif name == "cri":
        from .cri import ENGINE
    elif name == "crio":
        from .cri import CRIO as ENGINE
    elif name == "containerd":
        from .containerd import ENGINE
    elif name == "lxc":
        from .lxc import ENGINE
    elif name == "nspawn":
        from .nspawn import ENGINE
    elif name == "runc":
        from .runc import ENGINE
    elif name == "crun":
        from .runc import CRUN as ENGINE
    else:
        from .unknown import ENGINE
    return ENGINE

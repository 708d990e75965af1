"""Whether a target may be entered, and in which types: never silently on the host."""
from __future__ import annotations

from typing import Collection, Mapping, Optional, Sequence, Tuple

from .._model.entry import Refused
from .._model.inventory import TYPES, Container

ALL = "all"
# None: every type in which the target differs from us.
Wanted = Optional[Tuple[str, ...]]

_THAW = {
    "docker": "docker unpause %(name)s", "podman": "podman unpause %(name)s", "lxc": "lxc-unfreeze %(name)s",
    "containerd": "ctr tasks resume %(id)s", "runc": "runc resume %(id)s", "crun": "crun resume %(id)s",
}


def wanted_types(option: Sequence[str]) -> Wanted:
    """The option C(namespaces) in the order of TYPES, each once. Raises Refused."""
    if list(option) == [ALL]:
        return None
    if not option:
        raise Refused("namespaces is empty: name at least one type, or all.")
    for kind in option:
        if kind == ALL:
            raise Refused("namespaces has all beside single types: give either.")
        if kind not in TYPES:
            raise Refused("namespaces has %s, which is none of %s." % (kind, ", ".join(TYPES)))
    return tuple(kind for kind in TYPES if kind in option)


def check_state(container: Container) -> None:
    """Raises Refused where a container cannot be entered as it is."""
    if container.state == "paused":
        how = _THAW.get(container.engine, "thaw its cgroup %(cgroup)s") % vars(container)
        raise Refused("%s is paused, so that nothing would run in it: resume it first (%s)." % (container.name, how))
    if container.state == "starting":
        raise Refused("%s is still being started by %s: try again." % (container.name, container.engine))


def types_to_join(name: str, theirs: Mapping[str, str], wanted: Wanted, own: Mapping[str, str],
                  host: Mapping[str, str], allow_host: Collection[str]) -> list[str]:
    """The types to join, in the order of TYPES. C(theirs), C(own), C(host): names of namespaces by type.

    Raises Refused where a command would be on the host, or where we are, without that being written out.
    """
    if not own:
        raise Refused("%s cannot be entered: our own namespaces cannot be told, is /proc mounted?" % name)
    joined = []
    for kind in TYPES if wanted is None else wanted:
        if kind not in own:
            if wanted is not None:
                raise Refused("%s of %s cannot be joined: this kernel has no %s namespaces." % (kind, name, kind))
        elif kind not in theirs:
            if wanted is not None:
                raise Refused("%s of %s cannot be joined: it cannot be told which it is." % (kind, name))
        elif theirs[kind] == own[kind]:
            if wanted is not None and kind not in allow_host:
                whose = "the host's own" if own[kind] == host.get(kind) else "our own"
                raise Refused("%s of %s is %s: leave it out of namespaces, or list it in allow_host."
                              % (kind, name, whose))
        elif theirs[kind] == host.get(kind) and kind not in allow_host:
            raise Refused("%s of %s is the host's own, in which we are not ourselves: leave it out of namespaces, or"
                          " list it in allow_host." % (kind, name))
        else:
            joined.append(kind)
    if not joined and wanted is None:
        raise Refused("%s is in no other namespace than we are ourselves: a command for it would run on the host."
                      % name)
    return joined

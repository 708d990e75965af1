"""What is entered, and what came of it."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import List, NamedTuple

from .inventory import Container


class Refused(ValueError):
    """Nothing has run. The text is one sentence for the user: what was wanted, what is wrong, what to do."""


class NotKnown(Refused):
    """Whether anything has run is not known."""


class Changes(NamedTuple):
    """How a state differs: lines that are gone and lines that are new, and why there may be more than was seen."""

    before: List[str] = []
    after: List[str] = []
    unproven: List[str] = []


@dataclass
class Target:
    """What is entered, opened and pinned, so that nothing of it can become something else meanwhile.

    C(name): what results call it: a container's name, C(pid 4711), C(netns blue), a path, a ref.
    C(pid), C(start_time), C(pidfd), C(root): the process whose namespaces these are, and an O_PATH descriptor of its
    root directory; None where there is no process. C(namespaces): what it is in, by type, as C(net:[4026532184]).
    C(types): those to join, in the order of TYPES; C(descriptors): one open nsfs descriptor for each of them.
    C(netns): its name under /run/netns where that was the selector. C(chroot): the path of C(root), where it is to be
    the root directory without any mounts being joined. C(made): of a unit of ns_persist the types that were made for
    it; then C(pid) is the process 1 that it was given.
    """

    name: str
    container: Container | None = None
    pid: int | None = None
    start_time: int | None = None
    pidfd: int | None = None
    root: int | None = None
    namespaces: dict[str, str] = field(default_factory=dict)
    types: list[str] = field(default_factory=list)
    descriptors: dict[str, int] = field(default_factory=dict)
    netns: str | None = None
    chroot: str | None = None
    made: List[str] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)

"""A namespace, and why it is alive."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Leader:
    """The oldest process of a namespace; C(start_time) in clock ticks since boot, C(uid) as we see it."""

    pid: int
    start_time: int
    comm: str
    uid: int | None = None
    cmdline: list[str] | None = None


@dataclass
class Pin:
    """One reason why a namespace is alive.

    C(kind) is one of process, thread, descriptor, socket, mount, child, pid_for_children, time_for_children;
    C(details) says who and where, C(count) how many of the same holder are meant.
    """

    kind: str
    details: dict[str, Any]
    count: int = 1

    def as_dict(self) -> dict[str, Any]:
        """The pin as the result gives it."""
        found = {"kind": self.kind, "count": self.count}
        found.update(self.details)
        return found


@dataclass
class Namespace:
    """A namespace, named as the kernel's links name it: C(net:[4026532184])."""

    name: str
    type: str
    inode: int
    device: int | None = None
    ns_id: int | None = None
    initial: bool | None = None
    owner: str | None = None
    parent: str | None = None
    owner_uid: int | None = None
    processes: int = 0
    pids: list[int] = field(default_factory=list)
    leader: Leader | None = None
    pins: list[Pin] = field(default_factory=list)
    containers: list[str] = field(default_factory=list)
    nsid: int | None = None

    @property
    def ref(self) -> str:
        """The name with the kernel's own id behind it where there is one: safe against reuse of the inode."""
        return self.name if self.ns_id is None else "%s#%d" % (self.name, self.ns_id)

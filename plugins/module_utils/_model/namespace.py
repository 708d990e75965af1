"""A namespace, and why it is alive."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional


@dataclass
class Leader:
    """The oldest process of a namespace; C(start_time) in clock ticks since boot, C(uid) as we see it."""

    pid: int
    start_time: int
    comm: str
    uid: Optional[int] = None
    cmdline: Optional[List[str]] = None


@dataclass
class Pin:
    """One reason why a namespace is alive.

    C(kind) is one of process, thread, descriptor, socket, mount, child, pid_for_children, time_for_children;
    C(details) says who and where, C(count) how many of the same holder are meant.
    """

    kind: str
    details: Dict[str, Any]
    count: int = 1

    def as_dict(self) -> Dict[str, Any]:
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
    device: Optional[int] = None
    ns_id: Optional[int] = None
    initial: Optional[bool] = None
    owner: Optional[str] = None
    parent: Optional[str] = None
    owner_uid: Optional[int] = None
    processes: int = 0
    pids: List[int] = field(default_factory=list)
    leader: Optional[Leader] = None
    pins: List[Pin] = field(default_factory=list)
    containers: List[str] = field(default_factory=list)
    nsid: Optional[int] = None

    @property
    def ref(self) -> str:
        """The name with the kernel's own id behind it where there is one: safe against reuse of the inode."""
        return self.name if self.ns_id is None else "%s#%d" % (self.name, self.ns_id)

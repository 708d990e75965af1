"""A container: a process tree that an engine started."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional


@dataclass
class Pod:
    """The pod of a container; C(namespace) and C(uid) only where Kubernetes made it."""

    name: Optional[str] = None
    namespace: Optional[str] = None
    uid: Optional[str] = None


@dataclass
class Container:
    """What is known of one container. C(members) are the pids of its tree, C(pid) its init's as we see it."""

    id: str
    engine: str
    name: str
    pid: int
    start_time: int
    infra: bool = False
    image: Optional[str] = None
    state: str = "running"
    user: Optional[str] = None
    unit: Optional[str] = None
    pod: Optional[Pod] = None
    labels: Dict[str, str] = field(default_factory=dict)
    cgroup: Optional[str] = None
    capabilities: Dict[str, List[str]] = field(default_factory=dict)
    seccomp: Optional[str] = None
    no_new_privs: Optional[bool] = None
    lsm: Optional[str] = None
    namespaces: Dict[str, str] = field(default_factory=dict)
    shared_with_host: List[str] = field(default_factory=list)
    shared_with: Dict[str, List[str]] = field(default_factory=dict)
    members: List[int] = field(default_factory=list)

    def as_dict(self, labels: bool) -> Dict[str, Any]:
        """The container as the result gives it."""
        found: Dict[str, Any] = {
            "id": self.id, "name": self.name, "engine": self.engine, "infra": self.infra, "image": self.image,
            "state": self.state, "pid": self.pid, "start_time": self.start_time, "user": self.user,
            "unit": self.unit, "pod": None if self.pod is None else vars(self.pod).copy(), "cgroup": self.cgroup,
            "capabilities": self.capabilities, "seccomp": self.seccomp, "no_new_privs": self.no_new_privs,
            "lsm": self.lsm, "namespaces": self.namespaces, "shared_with_host": self.shared_with_host,
            "shared_with": self.shared_with,
        }
        if labels:
            found["labels"] = self.labels
        return found

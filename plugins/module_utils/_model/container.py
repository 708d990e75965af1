"""A container: a process tree that an engine started."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Pod:
    """The pod of a container; C(namespace) and C(uid) only where Kubernetes made it."""

    name: str | None = None
    namespace: str | None = None
    uid: str | None = None


@dataclass
class Container:
    """What is known of one container. C(members) are the pids of its tree, C(pid) its init's as we see it."""

    id: str
    engine: str
    name: str
    pid: int
    start_time: int
    infra: bool = False
    image: str | None = None
    state: str = "running"
    user: str | None = None
    unit: str | None = None
    pod: Pod | None = None
    labels: dict[str, str] = field(default_factory=dict)
    cgroup: str | None = None
    capabilities: dict[str, list[str]] = field(default_factory=dict)
    seccomp: str | None = None
    no_new_privs: bool | None = None
    lsm: str | None = None
    namespaces: dict[str, str] = field(default_factory=dict)
    shared_with_host: list[str] = field(default_factory=list)
    shared_with: dict[str, list[str]] = field(default_factory=dict)
    members: list[int] = field(default_factory=list)

    def as_dict(self, labels: bool) -> dict[str, Any]:
        """The container as the result gives it."""
        found: dict[str, Any] = {
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

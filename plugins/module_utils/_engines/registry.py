"""The engines. Each is loaded only on a host that shows a mark of it: most hosts have one engine or none."""
from __future__ import annotations

from typing import NamedTuple

from .claim import Engine


class Entry(NamedTuple):
    """C(mark): a regular expression on /proc/PID/cgroup; without one it is asked wherever there are own namespaces.

    C(comms): the names of the engine's processes.
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

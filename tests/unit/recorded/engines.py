# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers of each engine on a recorded host, laid out as the engine does it.

From running ones: dockerd 20.10, containerd 1.6, podman 4.3, runc 1.1, LXC 5.0, systemd-nspawn 252. From their
sources, as they could not be run where this was recorded: Kubernetes through containerd 1.6 and CRI-O 1.24, crun 1.8.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from .host import DOCKER_CAPABILITIES, Host, hybrid, unified

OWN = ("mnt", "uts", "ipc", "pid", "net")
POD = "11111111-2222-3333-4444-555555555555"
CRIO_CGROUP = unified(
    f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{POD.replace('-', '_')}.slice/crio-%s.scope"
)
SHIM = "/usr/bin/containerd-shim-runc-v2"


def identity(seed: str) -> str:
    """A container's id as engines make them."""
    return hashlib.sha256(seed.encode()).hexdigest()


def runc_state(
    host: Host, folder: str, name: str, pid: int, start: int | None = None, bundle: str = "/bundle"
) -> None:
    """runc's state.json: the order of its first keys is that of runc's Go structs."""
    host.file(
        f"{folder}/{name}/state.json",
        {
            "id": name,
            "init_process_pid": pid,
            "init_process_start": pid * 10 if start is None else start,
            "created": "2026-11-21T23:33:39.681553442Z",
            "config": {"no_pivot_root": False, "rootfs": "/rootfs", "labels": [f"bundle={bundle}"]},
            "rootless": False,
            "cgroup_paths": {"": f"/sys/fs/cgroup/unified/docker/{name}"},
            "namespace_paths": {"NEWPID": f"/proc/{pid}/ns/pid"},
        },
    )


def docker_config(name: str, seed: str, pid: int, **settings: Any) -> dict[str, Any]:
    """config.v2.json."""
    state = {"Running": pid > 0, "Paused": False, "Restarting": False, "Dead": False, "Pid": pid, "ExitCode": 0}
    return {
        "StreamConfig": {},
        "State": state,
        "ID": identity(seed),
        "Created": "2026-11-21T23:33:39.348331187Z",
        "Managed": False,
        "Path": "/bin/sleep",
        "Args": ["36000"],
        "Config": {"Hostname": identity(seed)[:12], "User": "", "Image": "shop/web:1.2", "Labels": {}, **settings},
        "Image": "sha256:5c54d3890ce5fe2c8b69eda75b1768dd8cf424e662ee0888444d4f6c8f0373f1",
        "Name": f"/{name}",
        "Driver": "overlay2",
    }


def shim(host: Host, pid: int, namespace: str, name: str, state: str, uid: int = 0) -> str:
    """A shim and its bundle; returns the bundle."""
    bundle = f"{state}/io.containerd.runtime.v2.task/{namespace}/{name}"
    arguments = [SHIM, "-namespace", namespace, "-id", name, "-address", f"{state}/containerd.sock"]
    host.process(pid, 1, "containerd-shim", arguments=arguments, cwd=bundle, uid=uid)
    return bundle


def docker(
    host: Host,
    name: str = "web",
    pid: int = 500,
    cgroup: str | None = None,
    *,
    data: str = "/var/lib/docker",
    execution: str = "/run/docker",
    own: dict[str, int] | None = None,
    uid: int = 0,
    **settings: Any,
) -> str:
    """A container of Docker with its shim (pid - 1); returns the id."""
    found = identity(name)
    # /var/run is a link to /run on a real host; here the default is looked for under its own name.
    where = "/var/run/docker" if execution == "/run/docker" else execution
    bundle = shim(host, pid - 1, "moby", found, "/run/containerd" if data == "/var/lib/docker" else
                  f"{execution}/containerd/daemon", uid)
    host.file(f"{bundle}/init.pid", str(pid))
    host.file(f"{bundle}/options.json", {"binary_name": "runc", "root": f"{where}/runtime-runc"})
    host.file(f"{bundle}/config.json", {
        "ociVersion": "1.0.2-dev",
        "process": {"user": {"uid": 0, "gid": 0}, "args": ["/bin/sleep"]},
        "mounts": [{"destination": "/etc/hostname", "type": "bind", "source": f"{data}/containers/{found}/hostname"}],
    })
    host.file(f"{data}/containers/{found}/config.v2.json", docker_config(name, name, pid, **settings))
    runc_state(host, f"{where}/runtime-runc/moby", found, pid)
    host.process(pid, pid - 1, cgroup=hybrid(f"/docker/{found}") if cgroup is None else cgroup.replace("%s", found),
                 own=host.namespaces(*OWN) if own is None else own, seccomp=2, capabilities=DOCKER_CAPABILITIES)
    return found


def dockerd(host: Host, *arguments: str, pid: int = 90, uid: int = 0) -> None:
    """The daemon."""
    host.process(pid, 1, "dockerd", hybrid("/system.slice/docker.service"), arguments=["/usr/sbin/dockerd", *arguments],
                 uid=uid)


def containerd_task(
    host: Host, namespace: str, name: str, pid: int, cgroup: str, annotations: dict[str, str] | None = None,
    own: dict[str, int] | None = None, state: str = "/run/containerd", with_shim: bool = True,
) -> None:
    """A container of containerd; its shim is pid - 1."""
    bundle = f"{state}/io.containerd.runtime.v2.task/{namespace}/{name}"
    if with_shim:
        shim(host, pid - 1, namespace, name, state)
    config: dict[str, Any] = {"ociVersion": "1.0.2-dev", "process": {"user": {"uid": 101, "gid": 102}}}
    if annotations:
        config["annotations"] = annotations
    host.file(f"{bundle}/config.json", config)
    host.file(f"{bundle}/options.json", {})
    host.file(f"{bundle}/init.pid", str(pid))
    runc_state(host, f"/run/containerd/runc/{namespace}", name, pid, bundle=bundle)
    host.process(pid, pid - 1, cgroup=cgroup, own=host.namespaces(*OWN) if own is None else own)


def cri_annotations(kind: str, name: str = "web", uid: str = "11111111-2222-3333-4444-555555555555") -> dict[str, str]:
    """What containerd's CRI plugin writes into a bundle."""
    told = {
        "io.kubernetes.cri.container-type": kind,
        "io.kubernetes.cri.sandbox-id": identity("sandbox"),
        "io.kubernetes.cri.sandbox-name": "web-7d4b9",
        "io.kubernetes.cri.sandbox-namespace": "shop",
        "io.kubernetes.cri.sandbox-uid": uid,
    }
    if kind == "container":
        told["io.kubernetes.cri.container-name"] = name
        told["io.kubernetes.cri.image-name"] = "registry.example/shop/web:1.2"
    return told


def conmon(
    host: Host, pid: int, name: str, container: str, *, graph: str = "/var/lib/containers/storage",
    run: str = "/run/containers/storage", runtime: str = "/usr/bin/crun", uid: int = 0, podman: bool = True,
    own: dict[str, int] | None = None, cgroup: str = "0::/\n",
) -> str:
    """conmon as podman or CRI-O starts it; returns the bundle."""
    bundle = f"{graph if podman else run}/overlay-containers/{container}/userdata"
    arguments = [
        "/usr/bin/conmon", "--api-version", "1", "-c", container, "-u", container, "-r", runtime, "-b", bundle,
        "-p", f"{run}/overlay-containers/{container}/userdata/pidfile", "-n", name, "--exit-dir", "/run/libpod/exits",
        "--full-attach", "--runtime-arg", "--log-format=json", "--runtime-arg", "--log",
    ]
    if podman:
        for word in ("--root", graph, "--runroot", run, "--log-level", "warning", "container", "cleanup", container):
            arguments += ["--exit-command-arg", word]
        arguments += ["--exit-command", "/usr/bin/podman"]
    else:
        arguments += ["--runtime-arg", "--root=/run/runc"]
    host.process(pid, 1, "conmon", cgroup, own, arguments=arguments, uid=uid)
    return bundle


def podman_storage(host: Host, graph: str, entries: dict[str, str], image: str = "localhost/shop:latest") -> None:
    """containers/storage's list; ``entries``: id to name."""
    host.file(f"{graph}/overlay-containers/containers.json", [
        {
            "id": found,
            "names": [name],
            "image": identity("image"),
            "layer": identity("layer"),
            "metadata": '{"image-name":"%s","image-id":"%s","name":"%s","created-at":1795304068}'
            % (image, identity("image"), name),
            "created": "2026-11-21T23:34:28.414213414Z",
            "flags": {"MountLabel": "", "ProcessLabel": ""},
        }
        for found, name in entries.items()
    ])


def crun_status(host: Host, folder: str, name: str, pid: int, bundle: str = "/bundle", start: int | None = None) -> None:
    """crun's status file."""
    host.file(f"{folder}/{name}/status", {
        "pid": pid,
        "process-start-time": pid * 10 if start is None else start,
        "cgroup-path": f"/{name}",
        "scope": "",
        "rootfs": "rootfs",
        "systemd-cgroup": False,
        "bundle": bundle,
        "created": "2026-08-29T14:34:52.000293421Z",
        "owner": "root",
        "detached": True,
    })


def podman(
    host: Host, name: str = "web", pid: int = 600, cgroup: str | None = None, *, uid: int = 0,
    graph: str = "/var/lib/containers/storage", run: str = "/run/containers/storage", stored: bool = True,
    own: dict[str, int] | None = None,
) -> str:
    """A container of podman with its conmon (pid - 1), run by crun; returns the id."""
    found = identity(name)
    base = "/run" if uid == 0 else f"/run/user/{uid}"
    rootless = None if uid == 0 else host.namespaces("user", "mnt")
    bundle = conmon(host, pid - 1, name, found, graph=graph, run=run, uid=uid, own=rootless,
                    cgroup=hybrid("/machine.slice/libpod-conmon-%s.scope" % found))
    if rootless is not None:
        # The user's engine has the host's root in its own mounts.
        (host.root / f"proc/{pid - 1}/mountinfo").write_text("27 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n")
    host.file(f"{bundle}/config.json", {"ociVersion": "1.0.2-dev", "process": {"user": {"uid": 7, "gid": 8}}})
    host.file(f"{run}/overlay-containers/{found}/userdata/pidfile", str(pid))
    if stored:
        podman_storage(host, graph, {found: name})
    crun_status(host, f"{base}/crun", found, pid, bundle)
    kinds = OWN if uid == 0 else (*OWN, "user")
    host.process(pid, pid - 1, cgroup=hybrid(f"/machine.slice/libpod-{found}.scope/container") if cgroup is None
                 else cgroup.replace("%s", found), own=host.namespaces(*kinds) if own is None else own, uid=uid)
    return found


def crio_annotations(kind: str) -> dict[str, str]:
    """As the kubelet and CRI-O write them, for a C(sandbox) or a C(container)."""
    name = "POD" if kind == "sandbox" else "web"
    return {
        "io.container.manager": "cri-o",
        "io.kubernetes.container.name": name,
        "io.kubernetes.pod.name": "web-7d4b9",
        "io.kubernetes.pod.namespace": "shop",
        "io.kubernetes.pod.uid": POD,
        "io.kubernetes.cri-o.ContainerType": kind,
        "io.kubernetes.cri-o.Image": "sha256:0123",
        "io.kubernetes.cri-o.ImageName": "registry.example/shop/web:1.2",
        "io.kubernetes.cri-o.Labels": json.dumps({"app": "web", "io.kubernetes.container.name": name}),
        "io.kubernetes.cri-o.Annotations": json.dumps({"kubernetes.io/config.source": "api"}),
    }


def crio(host: Host, kind: str, pid: int, cgroup: str = CRIO_CGROUP, bundle: str | None = None) -> str:
    """A container of CRI-O with its conmon (pid - 1); returns the id."""
    found = identity(kind)
    told = conmon(host, pid - 1, f"k8s_{kind}_web-7d4b9_shop_{POD}_0", found, podman=False)
    host.file(f"{bundle or told}/config.json", {
        "ociVersion": "1.0.2-dev", "process": {"user": {"uid": 11, "gid": 12}}, "annotations": crio_annotations(kind)})
    runc_state(host, "/run/runc", found, pid)
    host.process(pid, pid - 1, cgroup=cgroup.replace("%s", found), own=host.namespaces(*OWN))
    return found

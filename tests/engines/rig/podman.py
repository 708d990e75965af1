# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Podman with folders of its own, as root or as nobody."""

from __future__ import annotations

import json
import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

from rig import sweep
from rig.programs import environment, program
from rig.supervisor import Completed, Supervisor
from rig.waiting import until

NOBODY = 65534
# Limits low enough for a host that may not raise them.
SETTINGS = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]

[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "{runc}"
"""


class Podman:
    """Podman whose storage and state are in a folder; runc's state is where Podman puts it."""

    def __init__(self, supervisor: Supervisor, folder: Path, archive: Path, uid: int = 0) -> None:
        self._supervisor = supervisor
        self._folder = folder
        self._archive = archive
        self._uid = uid
        self.image = "localhost/nsft-image:1.0"

    def start(self) -> None:
        self._folder.mkdir()
        (self._folder / "xdg").mkdir(mode=0o700)
        (self._folder / "containers.conf").write_text(SETTINGS.format(runc=program("runc", "runc")))
        for made in (self._folder, self._folder / "xdg"):
            os.chown(made, self._uid, self._uid)
        self("import", str(self._archive), self.image)

    def stop(self) -> None:
        pods = self("pod", "ps", "--quiet", "--no-trunc").stdout.split()
        for identity in self("ps", "--quiet", "--filter", "status=paused").stdout.split():
            self("unpause", identity)
        if pods:
            self("pod", "rm", "--force", "--time", "0", *pods)
        # The youngest first: others may have joined an older one's namespaces.
        for identity in self("ps", "--all", "--quiet", "--sort", "created").stdout.split()[::-1]:
            # Podman's own clean-up after the kill may be in the way for a moment.
            until(partial(self._removed, identity), f"podman does not remove {identity}")
        # Podman leaves a pod's behind under cgroup version 1.
        for pod in pods:
            for mount in set(sweep.hierarchies().values()):
                sweep.remove_cgroup(mount / "libpod_parent" / pod)
        # Holds the user namespace of a podman that is not root's.
        if self._uid:
            os.kill(int((self._folder / "tmp/pause.pid").read_text()), signal.SIGTERM)

    def __call__(self, *arguments: str, check: bool = True) -> Completed:
        """A command of podman."""
        folder = self._folder
        env = environment(
            HOME=str(folder), XDG_RUNTIME_DIR=str(folder / "xdg"), CONTAINERS_CONF=str(folder / "containers.conf")
        )
        who: list[str] = []
        if self._uid:
            who = [program("setpriv", "util-linux"), f"--reuid={self._uid}", f"--regid={self._uid}", "--clear-groups"]
        return self._supervisor.run(
            *who,
            program("podman", "podman"),
            "--root",
            str(folder / "root"),
            "--runroot",
            str(folder / "run"),
            "--tmpdir",
            str(folder / "tmp"),
            *arguments,
            check=check,
            env=env,
            cwd=folder,
        )

    def run(self, name: str, *options: str) -> str:
        """Start a container that sleeps; returns its full id."""
        network = [] if any(option in ("--network", "--pod") for option in options) else ["--network", "none"]
        return self(
            "run", "--detach", "--name", name, *network, *options, self.image, "/bin/sleep", "600"
        ).stdout.strip()

    def pod(self, name: str) -> str:
        """Make a pod with an infra container; returns the pod's id."""
        return self(
            "pod",
            "create",
            "--name",
            name,
            "--network",
            "none",
            "--infra-image",
            self.image,
            "--infra-command",
            "/bin/sleep 600",
        ).stdout.strip()

    def inspect(self, *identities: str) -> list[dict[str, Any]]:
        """What `podman inspect` says of containers."""
        found: list[dict[str, Any]] = json.loads(self("container", "inspect", *identities).stdout)
        return found

    def inspect_pod(self, name: str) -> dict[str, Any]:
        """What `podman pod inspect` says."""
        found: dict[str, Any] = json.loads(self("pod", "inspect", name).stdout)
        return found

    def _removed(self, identity: str) -> bool:
        return self("rm", "--force", "--ignore", "--time", "0", identity, check=False).status == 0

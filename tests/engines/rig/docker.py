# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Docker of our own: data root, exec root, socket, containerd and bridge, beside the machine's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rig.bridge import Bridge
from rig.containerd import Containerd
from rig.programs import environment, program
from rig.supervisor import CommandFailed, Completed, Supervisor
from rig.waiting import until


class Docker:
    """dockerd in a folder, which it is told on its command line or in its configuration file."""

    def __init__(
        self,
        supervisor: Supervisor,
        folder: Path,
        archive: Path,
        bridge: Bridge | None,
        by_file: bool = False,
        network: Sequence[str] = ("--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"),
    ) -> None:
        self._supervisor = supervisor
        self._folder = folder
        self._archive = archive
        self._bridge = bridge
        self._by_file = by_file
        self._network = network
        self._pid = 0
        # Not the one at /run/containerd, which dockerd would take without being asked.
        self._containerd = Containerd(supervisor, folder / "containerd")
        self.image = "nsft-image:1.0"

    def start(self) -> None:
        self._folder.mkdir()
        self._containerd.start()
        folders = self._folders()
        # Always a file of ours, or that of the machine's own daemon would be read.
        (self._folder / "daemon.json").write_text(json.dumps(folders if self._by_file else {}))
        self.serve()
        self("import", str(self._archive), self.image)

    @property
    def pid(self) -> int:
        """What the supervisor was told to start."""
        return self._pid

    def serve(self) -> None:
        """Start the daemon, also again."""
        folders = self._folders()
        where = [] if self._by_file else [part for key, value in folders.items() for part in (f"--{key}", value)]
        self._pid = self._supervisor.start(
            program("dockerd", "docker.io"),
            "--config-file",
            str(self._folder / "daemon.json"),
            *where,
            "--host",
            f"unix://{self._folder}/docker.sock",
            "--pidfile",
            str(self._folder / "pid"),
            "--containerd",
            str(self._containerd.socket),
            # Without a bridge of its own it would give the machine's docker0 another address.
            "--bridge",
            self._bridge.name if self._bridge else "none",
            # The same cgroups with and without systemd.
            "--exec-opt",
            "native.cgroupdriver=cgroupfs",
            # In the machine's network it leaves everything as it is.
            *self._network,
            log=self._folder / "log",
            env=environment(),
        )
        until(self._answers, f"dockerd does not answer, see {self._folder}/log")

    def stop(self) -> None:
        for identity in self.identities("--all"):
            self("unpause", identity, check=False)
            self("rm", "--force", identity)
        self._supervisor.stop(self._pid)
        self._containerd.stop()
        # dockerd leaves the network it was in, and those of containers that were killed.
        for kept in sorted((self._folder / "exec" / "netns").glob("*")):
            self._supervisor.run("umount", "--lazy", str(kept), check=False)

    def __call__(self, *arguments: str, check: bool = True) -> Completed:
        """A command of docker's client."""
        return self._supervisor.run(program("docker", "docker.io"), *arguments, check=check, env=self._environment())

    @contextmanager
    def coming_and_going(self, name: str) -> Iterator[Path]:
        """Start and kill a container again and again meanwhile; the file has a line for each one."""
        counted, enough = self._folder / "counted", self._folder / "enough"
        command = f"docker run --rm --detach --name {name} {self.image} /bin/sleep 60 && docker kill {name} && echo"
        # Killing is done before removing is.
        script = f"while [ ! -e {enough} ]; do {command} >>{counted} || sleep .05; done"
        pid = self._supervisor.start(
            "/bin/sh", "-c", script, log=self._folder / "log-of-churn", env=self._environment()
        )
        try:
            yield counted
        finally:
            enough.touch()
            until(lambda: not self._supervisor.running(pid), "docker does not end what comes and goes")

    def run(self, name: str, *options: str) -> str:
        """Start a container that sleeps; returns its full id."""
        return self("run", "--detach", "--name", name, *options, self.image, "/bin/sleep", "600").stdout.strip()

    def inspect(self, *identities: str) -> list[dict[str, Any]]:
        """What `docker inspect` says of containers."""
        found: list[dict[str, Any]] = json.loads(self("inspect", *identities).stdout)
        return found

    def identities(self, *options: str) -> list[str]:
        """The containers, as `docker ps` lists them."""
        return self("ps", "--quiet", "--no-trunc", *options).stdout.split()

    def _folders(self) -> dict[str, str]:
        return {"data-root": str(self._folder / "data"), "exec-root": str(self._folder / "exec")}

    def _environment(self) -> dict[str, str]:
        env = environment(DOCKER_HOST=f"unix://{self._folder}/docker.sock", DOCKER_CONFIG=str(self._folder / "client"))
        env["PATH"] += f":{Path(program('docker', 'docker.io')).parent}"
        return env

    def _answers(self) -> bool:
        if not self._supervisor.running(self._pid):
            raise CommandFailed(f"dockerd ended at once:\n{(self._folder / 'log').read_text()[-2000:]}")
        return self("version", check=False).status == 0

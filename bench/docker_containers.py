# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many containers of a Docker of our own, which is the harness of tests/engines; all of it ends with this process."""
from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

from page import CHECKOUT

sys.path.insert(0, os.path.join(CHECKOUT, "tests", "engines"))
from rig import image
from rig.docker import Docker
from rig.programs import environment, program
from rig.supervisor import Supervisor

_AT_ONCE = "xargs -P 4 -I NAME {docker} run --detach --name NAME --network none {options} {image} /bin/sleep 86400"


class Containers:
    """C(with Containers(32) as made:): so many busyboxes, with no network but their own loopback. Needs root.

    C(folder) is for files, and goes with the containers; C(label) is what those of one C(with) have.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        # As in tests/engines: sockets have short paths, and containerd allows no underscore.
        self._root = Path("/var/tmp/nsft-" + secrets.token_hex(4))
        self.label = ("nsfleet.bench", self._root.name)
        self.names = [f"box{at:03d}" for at in range(count)]
        self.pids: list[int] = []
        self.folder = str(self._root / "bench")

    def __enter__(self) -> Containers:
        self._root.mkdir(mode=0o755)
        self._supervisor = Supervisor(self._root)
        try:
            archive = image.packed(image.unpacked(self._root / "rootfs"), self._root / "image.tar")
            self._docker = Docker(self._supervisor, self._root / "docker", archive, None)
            self._docker.start()
            os.mkdir(self.folder)
            self._run()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *unused: object) -> None:
        self._supervisor.close()

    @property
    def docker(self) -> str:
        """The path of docker's client."""
        return program("docker", "docker.io")

    @property
    def address(self) -> str:
        """For DOCKER_HOST."""
        return f"unix://{self._root}/docker/docker.sock"

    def _run(self) -> None:
        """Some at a time: the daemon takes a quarter of a second for each."""
        options = "--label " + "=".join(self.label)
        script = _AT_ONCE.format(docker=self.docker, options=options, image=self._docker.image)
        names = self._root / "names"
        names.write_text("".join(name + "\n" for name in self.names))
        self._supervisor.run("/bin/sh", "-c", script, stdin=names, seconds=10.0 + 2 * self._count,
                             env=environment(DOCKER_HOST=self.address, DOCKER_CONFIG=str(self._root / "client")))
        said = self._docker.inspect(*self.names)
        self.pids = [one["State"]["Pid"] for one in said]
        if not all(self.pids):
            raise RuntimeError("not all containers run")

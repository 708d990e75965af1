# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""LXC with a folder of its own."""

from __future__ import annotations

from pathlib import Path

from rig.programs import environment, program
from rig.supervisor import Completed, Supervisor
from rig.waiting import until

SETTINGS = """\
lxc.uts.name = {name}
lxc.rootfs.path = dir:{rootfs}
{network}
lxc.mount.auto = proc:mixed sys:ro
lxc.init.cmd = /bin/sleep 600
"""


class Lxc:
    """Containers below one lxcpath."""

    def __init__(
        self, supervisor: Supervisor, folder: Path, rootfs: Path, network: str = "lxc.net.0.type = empty"
    ) -> None:
        self._supervisor = supervisor
        self._folder = folder
        self._rootfs = rootfs
        self._network = network
        self._names: list[str] = []

    def __call__(self, command: str, name: str, *arguments: str, check: bool = True) -> Completed:
        """A command of LXC's on one of our containers."""
        return self._supervisor.run(
            program(command, "lxc"), "-P", str(self._folder), "-n", name, *arguments, check=check, env=environment()
        )

    def run(self, name: str) -> int:
        """Start a container that sleeps; returns its init."""
        self._prepare(name)
        self("lxc-start", name, "--daemon", "--logfile", str(self._folder / name / "log"))
        return self.pid(name)

    def execute(self, name: str) -> int:
        """Start one by lxc-execute, which stays as its monitor; returns its init."""
        self._prepare(name)
        self._supervisor.start(
            program("lxc-execute", "lxc"),
            "-P",
            str(self._folder),
            "-n",
            name,
            "--",
            "/bin/sleep",
            "600",
            log=self._folder / name / "log",
            env=environment(),
        )
        until(lambda: self.said(name).get("State") == "RUNNING", f"{name} does not run, see {self._folder}/{name}/log")
        return self.pid(name)

    def said(self, name: str) -> dict[str, str]:
        """What lxc-info says."""
        lines = self("lxc-info", name, check=False).stdout.splitlines()
        return {key.strip(): value.strip() for key, dummy_colon, value in (line.partition(":") for line in lines)}

    def pid(self, name: str) -> int:
        """The init."""
        return int(self.said(name)["PID"])

    def stop(self) -> None:
        for name in self._names:
            self("lxc-unfreeze", name, check=False)
            self("lxc-stop", name, "--kill")

    def _prepare(self, name: str) -> None:
        (self._folder / name).mkdir(parents=True)
        settings = SETTINGS.format(name=name, rootfs=self._rootfs, network=self._network)
        (self._folder / name / "config").write_text(settings)
        self._names.append(name)

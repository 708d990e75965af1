# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A containerd of our own, and its containers through ctr."""

from __future__ import annotations

from pathlib import Path

from rig.programs import environment, program
from rig.supervisor import CommandFailed, Completed, Supervisor
from rig.waiting import until

# The plugin that would want the machine's CNI settings stays off.
SETTINGS = """\
version = 2
root = "{folder}/root"
state = "{folder}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]

[grpc]
  address = "{socket}"
"""


class Containerd:
    """containerd with its own root, state and socket in a folder."""

    def __init__(self, supervisor: Supervisor, folder: Path) -> None:
        self._supervisor = supervisor
        self._folder = folder
        self._pid = 0
        self.socket = folder / "containerd.sock"

    def start(self) -> None:
        self._folder.mkdir()
        settings = self._folder / "config.toml"
        settings.write_text(SETTINGS.format(folder=self._folder, socket=self.socket))
        self._pid = self._supervisor.start(
            program("containerd", "containerd"), "--config", str(settings), log=self._folder / "log", env=environment()
        )
        until(self._answers, f"containerd does not answer, see {self._folder}/log")

    def stop(self) -> None:
        self._supervisor.stop(self._pid)

    def ctr(self, namespace: str, *arguments: str, check: bool = True) -> Completed:
        """A command of ctr in a namespace of containerd's."""
        return self._supervisor.run(
            program("ctr", "containerd"),
            "-a",
            str(self.socket),
            "-n",
            namespace,
            *arguments,
            check=check,
            env=environment(),
        )

    def table(self, namespace: str, *arguments: str) -> list[list[str]]:
        """The rows of what ctr lists."""
        return [line.split() for line in self.ctr(namespace, *arguments).stdout.splitlines()[1:]]

    def pid(self, namespace: str, identity: str) -> int:
        """The init of a running container, as `ctr task ls` says."""
        return next(int(row[1]) for row in self.table(namespace, "task", "ls") if row[0] == identity)

    def remove(self, namespace: str, identity: str) -> None:
        """Kill and delete a container, whatever its state."""
        self.ctr(namespace, "task", "resume", identity, check=False)
        self.ctr(namespace, "task", "kill", "-s", "9", identity, check=False)
        until(
            lambda: (
                not [row for row in self.table(namespace, "task", "ls") if row[0] == identity and row[2] != "STOPPED"]
            ),
            f"{identity} does not stop",
        )
        self.ctr(namespace, "task", "rm", identity, check=False)
        self.ctr(namespace, "container", "rm", identity)

    def _answers(self) -> bool:
        if not self._supervisor.running(self._pid):
            raise CommandFailed(f"containerd ended at once:\n{(self._folder / 'log').read_text()[-2000:]}")
        return self.ctr("default", "version", check=False).status == 0

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Engines in a network namespace of their own: there they may write rules as they like."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rig.programs import program
from rig.supervisor import Completed, Supervisor
from rig.waiting import until


class Within(Supervisor):
    """A supervisor whose programs run in a new network namespace, which lives until ``close_network``."""

    def __init__(self, supervisor: Supervisor, log: Path) -> None:
        # Not Supervisor's: there is one already, and it does the work.
        self._outer = supervisor
        self.root = supervisor.root
        self._holder = supervisor.start(program("unshare", "util-linux"), "--net", "/bin/sleep", "3600", log=log)
        own = os.readlink("/proc/self/ns/net")
        self.name = until(lambda: self._link() if self._link() != own else "", "no network namespace of its own")
        self.run(program("ip", "iproute2"), "link", "set", "lo", "up")

    @property
    def token(self) -> str:
        return self._outer.token

    def run(self, *arguments: str, **how: Any) -> Completed:
        return self._outer.run(*self._enter(), *arguments, **how)

    def start(self, *arguments: str, **how: Any) -> int:
        return self._outer.start(*self._enter(), *arguments, **how)

    def running(self, pid: int) -> bool:
        return self._outer.running(pid)

    def stop(self, pid: int) -> None:
        self._outer.stop(pid)

    def at_the_end(self, *arguments: str) -> None:
        """Nothing: what is in the namespace goes with it."""

    def close_network(self) -> None:
        self._outer.stop(self._holder)

    def _enter(self) -> tuple[str, ...]:
        return (program("nsenter", "util-linux"), f"--net=/proc/{self._holder}/ns/net", "--")

    def _link(self) -> str:
        return os.readlink(f"/proc/{self._holder}/ns/net")

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host of our own for engines: processes, mounts and network that nobody else is in, with a way out to a router.

What looks from inside takes it for the whole host, because process 1 is in there: rules, forwarding and links can be
broken as on a host, and neither the real one nor other people's containers are in the picture.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from rig import kernel
from rig.programs import environment, program
from rig.supervisor import Completed, Supervisor
from rig.waiting import until

# RFC 5737: the cable between the host and its router.
ADDRESS, ROUTER = "192.0.2.2", "192.0.2.1"
# A shell reaps what engines leave to process 1.
# The files about links in /sys are those of the network that it was mounted in; cgroups stay.
SYS = """
set -e
mount --rbind /sys/fs/cgroup {0}
mount -t sysfs sysfs /sys
mount --rbind {0} /sys/fs/cgroup
umount -l {0}
"""
INIT = "while :; do sleep 3600; done"


class Machine(Supervisor):
    """A supervisor whose programs run in there. All pids that engines tell are those of its own pid namespace."""

    def __init__(self, supervisor: Supervisor, log: Path) -> None:
        # Not Supervisor's: there is one already, and it does the work.
        self._outer = supervisor
        self.root = supervisor.root
        self._started: list[int] = []
        unshare = program("unshare", "util-linux")
        self._holder = supervisor.start(
            unshare, "--net", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc", "/bin/sh", "-c", INIT,
            log=log,
        )
        # Its /proc is there when it has become the shell.
        self._init = until(lambda: next(filter(_is_shell, kernel.children(self._holder)), 0), f"no machine, see {log}")
        aside = supervisor.root / f"{log.name}.sys"
        aside.mkdir()
        self.run("/bin/sh", "-c", SYS.format(aside))
        self.ip("link", "set", "lo", "up")
        self.router = self._cable(log)

    @property
    def token(self) -> str:
        return self._outer.token

    def run(self, *arguments: str, **how: Any) -> Completed:
        return self._outer.run(*self._enter(), *arguments, **how)

    def start(self, *arguments: str, **how: Any) -> int:
        self._started.append(self._outer.start(*self._enter(), *arguments, **how))
        return self._started[-1]

    def running(self, pid: int) -> bool:
        return self._outer.running(pid)

    def stop(self, pid: int) -> None:
        """End a command that was started; what has its pid is nsenter, which hands no signal on."""
        for number, seconds in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)):
            if not self.running(pid):
                return
            for child in kernel.children(pid):
                os.kill(child, number)
            try:
                until(lambda: not self.running(pid), "not ended", seconds)
            except TimeoutError:
                continue

    def at_the_end(self, *arguments: str) -> None:
        """Nothing: what is in there goes with it."""

    def close_machine(self) -> None:
        """End all that is in there."""
        os.kill(self._init, signal.SIGKILL)
        self._outer.stop(self._holder)
        # What waits for something in there ends a moment later.
        until(lambda: not any(map(self.running, self._started)), "not ended")

    def ip(self, *arguments: str, inside: int = 0) -> str:
        """A command of ip's, in the network of a process (pid in there) or in the host's."""
        return self.inside(inside, program("ip", "iproute2"), *arguments).stdout

    def rows(self, *arguments: str, inside: int = 0) -> list[dict[str, Any]]:
        """What ip says, as JSON."""
        found: list[dict[str, Any]] = json.loads(self.ip("-json", "-details", *arguments, inside=inside) or "[]")
        return found

    def inside(self, pid: int, *arguments: str, check: bool = True) -> Completed:
        """A command in the network of a process."""
        where = (program("nsenter", "util-linux"), f"--net=/proc/{pid}/ns/net", "--") if pid else ()
        return self.run(*where, *arguments, check=check, env=environment())

    def settle(self, *pids: int) -> None:
        """Wait until the networks of these processes have tested their IPv6 addresses, and the routes that follow."""
        def tentative() -> bool:
            return any(row for pid in pids for row in self.rows("-6", "address", "show", "tentative", inside=pid))

        until(lambda: not tentative(), "IPv6 addresses are tentative still")

    def process(self, *arguments: str) -> subprocess.Popen[str]:
        """A program of the tests that is talked to by pipes. It ends with its input, or with the machine."""
        checkout = Path(__file__).resolve().parents[3]
        path = os.pathsep.join((str(checkout / ".collections"), str(checkout / "tests/engines")))
        return subprocess.Popen(
            [*self._enter(), sys.executable, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": path},
        )

    def _cable(self, log: Path) -> int:
        """A router at the other end of the uplink; returns its pid in there."""
        # Told by its own shell, which is then what sleeps.
        told = self.root / f"{log.name}.pid"
        self.start(program("unshare", "util-linux"), "--net", "/bin/sh", "-c", f"echo $$ >{told}; exec sleep 3600",
                   log=log)
        router = int(until(lambda: told.is_file() and told.read_text().strip(), "no router"))
        self.ip("link", "add", "uplink", "type", "veth", "peer", "name", "cable", "netns", str(router))
        for where, link, address in ((0, "uplink", ADDRESS), (router, "cable", ROUTER)):
            self.ip("address", "add", f"{address}/24", "dev", link, inside=where)
            self.ip("link", "set", link, "up", inside=where)
        self.ip("link", "set", "lo", "up", inside=router)
        self.ip("route", "add", "default", "via", ROUTER)
        return router

    def _enter(self) -> tuple[str, ...]:
        return (program("nsenter", "util-linux"), f"--target={self._init}", "--net", "--pid", "--mount", "--")


def _is_shell(pid: int) -> bool:
    return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"/bin/sh\0")

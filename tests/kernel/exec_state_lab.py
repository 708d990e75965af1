# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a StateWatch says of commands run between its two looks. To be called in a child in namespaces of its own."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from pathlib import Path
from typing import Callable

from ansible_collections.nsfleet.linux.plugins.module_utils._enter.states import StateWatch
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import namespaces
from ansible_collections.nsfleet.linux.plugins.module_utils._model.entry import Changes
from ansible_collections.nsfleet.linux.tests.unit.recorded.modules import Loaded

SECONDS = 20
NEW = namespaces.CLONE_NEWNET | namespaces.CLONE_NEWUTS | namespaces.CLONE_NEWIPC
ALL = ("net", "uts", "ipc")
# Two links that are one another's other end, as a container's and the host's are.
NETWORK = """
sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 net.ipv4.ip_forward=0
ip link set lo up
ip link add eth0 type veth peer name peer0
ip address add 10.0.0.2/24 dev eth0
ip link set eth0 up
ip link set peer0 up
ip route add default via 10.0.0.1
"""


def run(lines: str) -> None:
    """Run commands, one a line."""
    # That of the machine is root's; this one can be locked as well, and is no new file anywhere.
    lock = dict(os.environ, XTABLES_LOCKFILE="/dev/null")
    for line in lines.strip().splitlines():
        done = subprocess.run(shlex.split(line), timeout=SECONDS, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              encoding="utf-8", env=lock, check=False)
        assert done.returncode == 0, "%s: %s" % (line, done.stdout)


def changes(command: str | Callable[[], object], types: tuple[str, ...] = ALL, seconds: float = SECONDS) -> Changes:
    """What changed in our own namespaces while the command ran."""
    watch = StateWatch({}, types, Loaded, time.monotonic() + seconds)
    try:
        watch.before()
        if callable(command):
            command()
        else:
            run(command)
        return watch.after()
    finally:
        watch.close()


def network() -> None:
    """A small network, in a folder where files may be made."""
    os.chdir(os.environ["STATE_LAB"])
    run(NETWORK)


def nothing() -> Changes:
    return Changes([], [], [])


def folder(path: Path) -> None:
    """Where files may be made."""
    os.environ["STATE_LAB"] = str(path)

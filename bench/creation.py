# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""New namespaces, names that stay: tasks of ns_unshare and ns_persist beside commands with unshare(1) and ip-netns(8).

    python3 bench/creation.py

All of it in a mount namespace with another /run: names of this machine are neither seen nor touched.
"""
from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from typing import Any

import page
from ansible_here import shipped
from page import median, milliseconds, ratios
from task import through_ansible

COMMAND = "ansible.builtin.command"
NS_UNSHARE, NS_PERSIST = "nsfleet.linux.ns_unshare", "nsfleet.linux.ns_persist"
ALL = ["mnt", "uts", "ipc", "pid", "net", "user", "cgroup", "time"]
_FLAGS = ["--mount", "--uts", "--ipc", "--pid", "--net", "--map-root-user", "--cgroup", "--time", "--fork"]
_BOX = {"name": "box", "namespaces": ALL}


def pairs() -> dict[str, tuple[dict[str, Any], dict[str, Any], str, str]]:
    """By its name: our task, theirs, and how both are called in the table."""
    true = ["/bin/true"]
    return {
        "net": (
            {NS_UNSHARE: {"namespaces": ["net"], "argv": true}}, {COMMAND: {"argv": ["unshare", "--net", *true]}},
            "`ns_unshare`, a network", "`command: unshare`"),
        "all": (
            {NS_UNSHARE: {"namespaces": ALL, "argv": true}}, {COMMAND: {"argv": ["unshare", *_FLAGS, *true]}},
            "`ns_unshare`, all types", "`command: unshare`"),
        "there": (
            {NS_PERSIST: {"name": "there"}},
            {COMMAND: {"argv": ["ip", "netns", "add", "there"], "creates": "/run/netns/there"}},
            "`ns_persist`, a network that is there", "`command: ip netns add`, `creates`"),
        "new": (
            {NS_PERSIST: {"name": "{{ ['ours', 999999 | random] | join }}"}},
            {COMMAND: {"argv": ["ip", "netns", "add", "{{ ['theirs', 999999 | random] | join }}"]}},
            "`ns_persist`, a new network", "`command: ip netns add`"),
        "unit": (
            {NS_PERSIST: _BOX}, {COMMAND: {"argv": true}},
            "`ns_persist`, a unit of all types that is there", "`command: true`, as there is no other"),
    }


def measure(quick: bool) -> str:
    """The tables, made in a mount namespace of their own with an empty /run."""
    place = "mount --make-rprivate / && mount -t tmpfs none /run && exec \"$@\""
    program = "import creation; print(creation.tables(%r))" % quick
    argv = ["unshare", "--mount", "sh", "-c", place, "-", sys.executable, "-c", program]
    here = os.path.dirname(os.path.abspath(__file__))
    return subprocess.run(argv, cwd=here, stdout=subprocess.PIPE, text=True, check=True).stdout.rstrip()


def tables(quick: bool) -> str:
    """The same, made where we are."""
    rounds = 3 if quick else 25
    every = pairs()
    turn: dict[str, dict[str, Any]] = {}
    for name, (ours, theirs, dummy, dummy2) in every.items():
        turn.update({name: ours, name + " beside": theirs})
    with tempfile.TemporaryDirectory() as folder:
        found = through_ansible(rounds, folder, turn)
    rows = []
    for name, (dummy3, dummy4, what, beside) in every.items():
        ours_, theirs_ = found[name][1:], found[name + " beside"][1:]
        rows.append([what, milliseconds(ours_), beside, milliseconds(theirs_), "%.2f" % median(ratios(ours_, theirs_))])
    sizes = "Shipped: `ns_unshare` %.0f KB, `ns_persist` %.0f KB." % (size(NS_UNSHARE), size(NS_PERSIST))
    return page.table(["median of %d, the task" % rounds, "ours", "beside", "theirs", "times"], rows) + "\n\n" + sizes


def size(module: str) -> float:
    """KB of what travels."""
    with tempfile.TemporaryDirectory() as folder:
        given = {"name": "x"} if module == NS_PERSIST else {"namespaces": ["net"], "argv": ["true"]}
        return os.path.getsize(shipped(module, folder, given)) / 1000


if __name__ == "__main__":
    page.command_line("New namespaces and names that stay.", "creation", measure)

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's memory and time when many hosts are collected: ns_snapshot beside ns_facts with the same facts.

    python3 bench/fleet.py

All hosts are this machine, wired with some networks, so the hosts' work is on the same processors: what differs is the
controller's.
"""
from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time

import page
from ansible_here import CHECKOUT
from wired import Wired

NETWORKS = 30
_FORKS = 4
_FACTS = {"gather_subset": ["namespaces", "containers", "network"]}
_PRIVATE = {"cmdline": True, "labels": True, "processes": True}
CONTAINER = ("mnt", "uts", "ipc", "pid", "net", "cgroup")
_PACK = """
import sys
sys.path.insert(0, %r)
from ansible_collections.nsfleet.linux.plugins.module_utils._facts import Request
from ansible_collections.nsfleet.linux.plugins.module_utils._facts_network import gather_networks
from ansible_collections.nsfleet.linux.plugins.module_utils._snapshot import pack
facts = gather_networks(Request(("namespaces", "containers", "network"), cmdline=True, labels=True, processes=True))
print(len(facts["containers"]), len(pack(facts)))
"""
# The controller's own peak, not that of its children: they are forked from it, and end.
_RUN = """
import os, sys
from ansible.cli.playbook import main
sys.argv[0] = "ansible-playbook"
try:
    main()
except SystemExit as end:
    status = end.code
with open("/proc/self/status") as file:
    peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM:"))
with open(os.environ["NSFLEET_PEAK"], "w") as file:
    file.write(str(peak))
os._exit(status or 0)
"""


def collect(hosts: int, task: dict[str, object], folder: str) -> tuple[float, int]:
    """Seconds, and the controller's peak in KiB."""
    paths = {name: os.path.join(folder, name) for name in ("hosts.ini", "play.json", "peak", "home", "remote")}
    with open(paths["hosts.ini"], "w", encoding="utf-8") as file:
        python = sys.executable
        file.writelines(
            f"h{at} ansible_connection=local ansible_python_interpreter={python}\n" for at in range(hosts)
        )
    with open(paths["play.json"], "w", encoding="utf-8") as file:
        json.dump([{"hosts": "all", "gather_facts": False, "tasks": [task]}], file)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
    kept.update({
        "LC_ALL": "C.UTF-8", "ANSIBLE_CONFIG": os.path.join(CHECKOUT, "ansible.cfg"), "NSFLEET_PEAK": paths["peak"],
        "ANSIBLE_COLLECTIONS_PATH": os.path.join(CHECKOUT, ".collections"), "ANSIBLE_HOME": paths["home"],
        "ANSIBLE_REMOTE_TMP": paths["remote"], "ANSIBLE_INVENTORY": paths["hosts.ini"],
    })
    before = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", _RUN, "-f", str(_FORKS), paths["play.json"]], capture_output=True,
                          env=kept, cwd=folder, check=False)
    seconds = time.perf_counter() - before
    if done.returncode:
        raise SystemExit(f"{done.stdout.decode()[-3000:]}{done.stderr.decode()[-3000:]}")
    with open(paths["peak"], encoding="ascii") as file:
        return seconds, int(file.read())


def measure(quick: bool) -> str:
    """The table."""
    hosts = 10 if quick else 100
    rows = []
    with tempfile.TemporaryDirectory() as folder, Wired(NETWORKS):
        tasks = {
            "`ping`": {"ansible.builtin.ping": {}},
            "`ns_snapshot`": {"nsfleet.linux.ns_snapshot": {"dest": folder + "/snapshots/"}},
            "`ns_facts`, the same facts": {"nsfleet.linux.ns_facts": {**_FACTS, **_PRIVATE}},
        }
        for what, task in tasks.items():
            seconds, peak = collect(hosts, task, folder)
            rows.append([what, "%.1f s" % seconds, "%.0f MB" % (peak / 1024)])
        sizes = [os.path.getsize(entry.path) for entry in os.scandir(folder + "/snapshots")]
        if len(sizes) != hosts:
            raise SystemExit(f"{len(sizes)} snapshots of {hosts} hosts")
    told = f"{hosts} local hosts with {NETWORKS} networks, {_FORKS} forks; a file has {max(sizes) / 1000:.1f} KB."
    with Wired(100, CONTAINER):
        told += " A host with 100 containers sends %.1f KB." % (sent() / 1000)
    return told + "\n\n" + page.table(["one task", "time", "controller's peak memory"], rows)


def sent() -> int:
    """Bytes of this machine's snapshot on the wire."""
    done = subprocess.run([sys.executable, "-c", _PACK % os.path.join(CHECKOUT, ".collections")], check=True,
                          stdout=subprocess.PIPE)
    containers, size = map(int, done.stdout.split())
    if containers < 100:
        raise SystemExit(f"{containers} containers were seen instead of 100")
    return size


if __name__ == "__main__":
    page.command_line("The controller when many hosts are collected.", "fleet", measure)

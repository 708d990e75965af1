# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reports of many hosts from their snapshots: a real snapshot of 100 containers, as often as there are hosts.

    python3 bench/report.py
"""
from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import page
from ansible_here import CHECKOUT
from fleet import CONTAINER
from wired import Wired

HOSTS = (100, 1000)
_PATHS = "import sys; sys.path.insert(0, %r)\n" % os.path.join(CHECKOUT, ".collections")
_SNAPSHOT = _PATHS + """
import json, zlib
from ansible_collections.nsfleet.linux.plugins.module_utils._facts import Request
from ansible_collections.nsfleet.linux.plugins.module_utils._facts_network import gather_networks
facts = gather_networks(Request(("namespaces", "containers", "network")))
sys.stdout.buffer.write(zlib.compress(json.dumps(facts).encode()))
"""
# In a process of its own, whose peak is that of the task.
_REPORT = _PATHS + """
import hashlib, os, shutil, tempfile, time
folder, count = sys.argv[1], int(sys.argv[2])
from ansible import constants
constants.DEFAULT_LOCAL_TMP = folder
from ansible_collections.nsfleet.linux.plugins.action import containers_report as action
place = tempfile.mkdtemp(prefix="snapshots-", dir=folder)

class Variables:
    def raw_get(self, host):
        return {"looked": {"dest": os.path.join(place, hashlib.sha256(host.encode()).hexdigest())}}

hosts = ["host%04d" % at for at in range(count)]
for host in hosts:
    shutil.copy(os.path.join(folder, "snapshot"), Variables().raw_get(host)["looked"]["dest"])
options = {name: option.get("default") for name, option in action.OPTIONS.items()}
options.update(hosts=hosts, pending=[], register="looked", width=72)
options["directory"] = os.path.join(folder, "reports%d" % count)
before = time.perf_counter()
picked = action.picks(["all"], [check.id for check in action.CHECKS])
told = action._Reporting(options, picked, Variables(), False).run()
seconds = time.perf_counter() - before
if len(told["hosts"]) != count:
    raise SystemExit("only %d hosts were reported" % len(told["hosts"]))
with open("/proc/self/status") as status:
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
print(seconds, peak)
"""


def measure(quick: bool) -> str:
    """The table."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        with Wired(100, CONTAINER):
            content = subprocess.run([sys.executable, "-c", _SNAPSHOT], stdout=subprocess.PIPE, check=True).stdout
        with open(os.path.join(folder, "snapshot"), "wb") as file:
            file.write(content)
        for count in HOSTS[:1] if quick else HOSTS:
            command = [sys.executable, "-c", _REPORT, folder, str(count)]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
            seconds, peak = map(float, done.stdout.split())
            rows.append([str(count), "%.1f s" % seconds, "%.0f MB" % (peak / 1024)])
    return page.table(["hosts with 100 containers each", "reports and index", "peak memory"], rows)


if __name__ == "__main__":
    page.command_line("The reports of many hosts.", "report", measure)

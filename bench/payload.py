# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible ships to a managed host: our modules beside ansible.builtin.ping.

    python3 bench/payload.py
"""
from __future__ import annotations

import base64
import io
import os
import re
import sys
import tempfile
import zipfile

import ansible.release
import page
from ansible_here import shipped

PING = "ansible.builtin.ping"
NS_FACTS = "nsfleet.linux.ns_facts"
# Chosen by action plugins, so they are asked for what has them sent.
OTHERS = {
    "nsfleet.linux.ns_facts, network": ("nsfleet.linux.ns_facts_network", None),
    "nsfleet.linux.ns_snapshot": ("nsfleet.linux.ns_snapshot", {"dest": "snapshot"}),
}


def added() -> int:
    """Bytes that ns_facts adds to what ping costs."""
    with tempfile.TemporaryDirectory() as folder:
        return os.path.getsize(shipped(NS_FACTS, folder)) - os.path.getsize(shipped(PING, folder))


def parts(path: str) -> dict[str, int]:
    """What each file in the zip costs in the end: deflated, with its two headers, in base64."""
    with open(path, encoding="ascii") as file:
        packed = max(re.findall(r"[A-Za-z0-9+/=\n]{1000,}", file.read()), key=len)
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(packed))) as archive:
        entries = archive.infolist()
    return {entry.filename: (entry.compress_size + 76 + 2 * len(entry.filename)) * 4 // 3 for entry in entries}


def measure(quick: bool) -> str:
    """The table; the files that ns_facts adds go to standard error, the largest first."""
    with tempfile.TemporaryDirectory() as folder:
        files = {module: shipped(module, folder) for module in (PING, NS_FACTS)}
        for what, (module, given) in OTHERS.items():
            placed = {name: os.path.join(folder, value) for name, value in (given or {}).items()}
            files[what] = shipped(module, folder, placed or None)
        sizes = {module: os.path.getsize(path) for module, path in files.items()}
        cost, known = parts(files[NS_FACTS]), parts(files[PING])
    for name in sorted(cost.keys() - known.keys(), key=lambda name: -cost[name]):
        print("%6d  %s" % (cost[name], name.replace("ansible_collections/nsfleet/linux/", "")), file=sys.stderr)
    rows = [[f"`{module}`", f"{size / 1000:.1f} KB", f"{(size - sizes[PING]) / 1000:.1f} KB"]
            for module, size in sizes.items()]
    return page.table([f"shipped by ansible-core {ansible.release.__version__}", "size", "added"], rows)


if __name__ == "__main__":
    page.command_line("What Ansible ships to a managed host.", "payload", measure)

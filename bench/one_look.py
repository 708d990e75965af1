# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look of ns_facts in an interpreter of its own: JSON of options in, JSON of what it cost and found out.

C(inside) is the time from the call to the finished JSON text, as lsns ends with its text too; C(imports) comes on top.
"""
from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), ".collections"))


def look(options: dict[str, Any]) -> dict[str, Any]:
    """Seconds, peak memory in KiB, and counts."""
    before = time.perf_counter()
    from ansible_collections.nsfleet.linux.plugins.module_utils._facts import Request, gather

    ask = gather
    if "network" in options.get("gather_subset", ()):
        from ansible_collections.nsfleet.linux.plugins.module_utils._facts_network import gather_networks

        ask = gather_networks

    imported, used = time.perf_counter(), processor_time()
    facts = ask(Request(**options))
    text = json.dumps(facts)
    done = time.perf_counter()
    return {
        "inside": done - imported, "imports": imported - before, "cpu": processor_time() - used, "peak": peak(),
        "size": len(text), "namespaces": sum(facts["counts"].values()), "networks": len(facts.get("networks", ())),
        "problems": facts["problems"],
    }


def processor_time() -> float:
    """Seconds of CPU of this process and of the children that it has ended."""
    return sum(os.times()[:4])


def peak() -> int:
    """The most memory this process ever had, KiB. Not ru_maxrss: that counts what the parent had before exec."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:"))


if __name__ == "__main__":
    print(json.dumps(look(json.loads(sys.argv[1]))))

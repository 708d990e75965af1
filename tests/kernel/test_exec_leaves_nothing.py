# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run after run: no descriptor, process, mount or cgroup stays behind, here or there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nsfleet.linux.tests.kernel.exec_lab import calm, debris, links, ns_exec, place, until

RUNS = 30
EVERY: list[dict[str, Any]] = [
    {"namespaces": ["net"], "cmd": "true"},
    {"cmd": "true"},
    {"cmd": "false"},
    {"cmd": "true", "read_only": True},
    {"namespaces": ["net", "pid"], "cmd": "true", "trusted": True},
    {"namespaces": ["net"], "cmd": "nosuchprogram"},
    {"cmd": "sh -c 'sleep 9 & sleep 9'", "timeout": 0.05, "timeout_grace": 0.05},
    {"namespaces": ["net"], "unless": "true", "cmd": "false"},
]


def inside(pid: int) -> set[int]:
    """Who is in its network."""
    found = set()
    for folder in os.listdir("/proc"):
        try:
            if folder.isdigit() and os.readlink("/proc/%s/ns/net" % folder) == links(pid)["net"]:
                found.add(int(folder))
        except OSError:
            continue
    return found


def mounts(pid: object) -> set[str]:
    """Those that it sees."""
    return set(Path(f"/proc/{pid}/mountinfo").read_text().splitlines())


@pytest.mark.parametrize("given", EVERY, ids=[str(number) for number in range(len(EVERY))])
def test_many_runs_leave_nothing(given: dict[str, Any]) -> None:
    runs = 8 if "timeout" in given else RUNS
    with place(["mnt", "uts", "ipc", "pid", "net", "cgroup"], "--mount-proc") as pid:
        ns_exec(pid=pid, **given)
        before, there = calm(), inside(pid)
        mounted, opened = mounts(pid), os.listdir(f"/proc/{pid}/fd")
        own = {mount for mount in mounts("self") if " /sys" in mount}
        for dummy in range(runs):
            ns_exec(pid=pid, **given)
        until(lambda: debris() == before)
        until(lambda: inside(pid) == there)
        # Others on this machine may unmount what is theirs, here and there.
        assert mounts(pid) <= mounted
        assert os.listdir(f"/proc/{pid}/fd") == opened
        assert {mount for mount in mounts("self") if " /sys" in mount} <= own

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pid that somebody else has by the time it is entered: really given a second time, by the kernel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

# In a pid namespace of its own, where the next number can be chosen (ns_last_pid, proc(5)). Prints what came of it.
RECYCLED = """
import json, os, signal, sys, time
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.task import run_task

def holder():
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        import ctypes
        ctypes.CDLL(None).unshare(0x40000000 | 0x04000000)  # net, uts
        os.write(writing, b"x")
        while True:
            signal.pause()
    os.read(reading, 1)
    with open("/proc/%d/stat" % pid) as file:
        return pid, int(file.read().rpartition(")")[2].split()[19])

def end(pid):
    os.kill(pid, 9)
    os.waitpid(pid, 0)

first, began = holder()
end(first)
time.sleep(0.05)  # more than a clock tick, in which start times are told
with open("/proc/sys/kernel/ns_last_pid", "w") as file:
    file.write(str(first - 1))
second, later = holder()
options = {"pid": second, "namespaces": ["uts"], "argv": ["true"], "timeout": 10, "track": ["none"]}
refused = run_task({**options, "start_time": began}, False)
entered = run_task({**options, "start_time": later}, False)
naive = run_task(options, False)
end(second)
print(json.dumps({"pids": [first, second], "refused": refused, "entered": entered, "naive": naive}))
"""


@pytest.fixture(scope="module")
def outcome() -> dict[str, Any]:
    done = subprocess.run(
        ["unshare", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc", sys.executable, "-c", RECYCLED],
        capture_output=True, text=True, timeout=60, check=False, env=dict(os.environ),
    )
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["pids"][0] == found["pids"][1]
    return found


def test_a_pid_that_was_recycled_is_refused_by_its_start_time(outcome: dict[str, Any]) -> None:
    refused = outcome["refused"]
    assert refused["failed"] and refused["rc"] is None and "another process by now" in refused["msg"]


def test_a_pid_with_the_start_time_of_its_process_is_entered(outcome: dict[str, Any]) -> None:
    assert outcome["entered"]["rc"] == 0, outcome["entered"]


def test_a_pid_without_a_start_time_is_whoever_has_it_now(outcome: dict[str, Any]) -> None:
    # The attack: what facts told of is not what is entered.
    assert outcome["naive"]["rc"] == 0, outcome["naive"]

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A task of ns_facts beside one of ansible.builtin.ping, in turns, on this machine as it is.

    python3 bench/task.py

Through Ansible: from the start of the task on the controller to its result there, local connection. The module alone:
what was shipped, run by an interpreter; that is the part which the managed host does.
"""
from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any, Mapping

import page
from ansible_here import ansible, shipped
from page import median, milliseconds, ratios

PING = "ansible.builtin.ping"
NS_FACTS = "nsfleet.linux.ns_facts"
CASES = (PING, NS_FACTS)


Tasks = Mapping[str, Mapping[str, Any]]


def through_ansible(rounds: int, folder: str, tasks_of_turn: Tasks | None = None) -> dict[str, list[float]]:
    """Seconds of each task of one play, by its name; Ansible puts the payload together at the first of each."""
    play = os.path.join(folder, "turns.yml")
    times = os.path.join(folder, "times.json")
    turn = tasks_of_turn or {module: {module: {}} for module in CASES}
    tasks = [{"name": name, **task} for dummy in range(rounds + 1) for name, task in turn.items()]
    with open(play, "w", encoding="utf-8") as file:
        json.dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], file)
    ansible("playbook", [play], folder, {
        "NSFLEET_TASK_TIMES": times, "ANSIBLE_CALLBACKS_ENABLED": "task_times",
        "ANSIBLE_CALLBACK_PLUGINS": os.path.join(os.path.dirname(os.path.abspath(__file__)), "callbacks"),
    })
    found: dict[str, list[float]] = {name: [] for name in turn}
    with open(times, encoding="utf-8") as file:
        for name, seconds in json.load(file):
            found[name].append(seconds)
    return found


def alone(rounds: int, folder: str) -> dict[str, list[float]]:
    """Seconds of the shipped file."""
    files = {module: shipped(module, folder) for module in CASES}
    found: dict[str, list[float]] = {module: [] for module in CASES}
    for _round in range(rounds):
        for module, path in files.items():
            before = time.perf_counter()
            subprocess.run([sys.executable, path], stdout=subprocess.DEVNULL, check=True)
            found[module].append(time.perf_counter() - before)
    return found


def measure(quick: bool) -> str:
    """The table."""
    rounds = 3 if quick else 25
    with tempfile.TemporaryDirectory() as folder:
        task = through_ansible(rounds, folder)
        module = alone(rounds, folder)
    first = {name: times.pop(0) for name, times in task.items()}
    rows = []
    for what, times in (("the task", task), ("the module alone", module)):
        ratio = median(ratios(times[NS_FACTS], times[PING]))
        rows.append([what, milliseconds(times[PING]), milliseconds(times[NS_FACTS]), f"{ratio:.2f}"])
    rows.append(["the first task of a play", milliseconds([first[PING]]), milliseconds([first[NS_FACTS]]),
                 "%.2f" % (first[NS_FACTS] / first[PING])])
    return page.table(["median of %d" % rounds, "`ping`", "`ns_facts`", "times"], rows)


if __name__ == "__main__":
    page.command_line("A task of ns_facts beside one of ping.", "task", measure)

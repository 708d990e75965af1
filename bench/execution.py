# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One command in many containers: a task of ns_exec beside loops over docker_container_exec, nsenter and docker exec.

    python3 bench/execution.py

The containers are those of a Docker of our own. All tasks are run by the same Ansible, that of PyPI's C(ansible)
package, which the first run puts into ~/.cache/nsfleet-bench.
"""
from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from typing import Any

import page
from ansible_here import ansible, shipped
from docker_containers import Containers
from memory_of_tree import peak
from page import median, milliseconds, ratios
from peer_ansible import community_docker, python
from task import through_ansible

COUNT, MANY = 32, 300
NS_EXEC = "nsfleet.linux.ns_exec"
COMMAND = "ansible.builtin.command"
COMMANDS = {"true": ["/bin/true"], "hostname": ["/bin/busybox", "hostname"]}
_NSENTER = ["nsenter", "--all", "--root", "--wd", "--target"]


def tasks(made: Containers, argv: list[str]) -> dict[str, dict[str, Any]]:
    """The same thing three ways, and nothing at all."""
    label = dict([made.label])
    exec_options = {"container": "{{ item }}", "argv": argv, "docker_host": made.address}
    return {
        "nothing": {"ansible.builtin.debug": {"msg": ""}},
        "ns_exec": {NS_EXEC: {"containers": ["all"], "labels": label, "argv": argv}},
        "docker_container_exec": {"community.docker.docker_container_exec": exec_options, "loop": made.names},
        "nsenter": {COMMAND: {"argv": [*_NSENTER, "{{ item }}", *argv]}, "loop": made.pids},
    }


def playbook(task: dict[str, Any], folder: str) -> float:
    """Seconds that a playbook of one task takes, everything included."""
    path = os.path.join(folder, "play.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}], file)
    before = time.perf_counter()
    ansible("playbook", [path], folder, python=python())
    return time.perf_counter() - before


def through_playbooks(made: Containers, rounds: int) -> list[list[str]]:
    """A row for each command. What a playbook takes that does nothing is taken off."""
    rows = []
    for name, argv in COMMANDS.items():
        ways = tasks(made, argv)
        for way in ("nothing", "ns_exec"):
            playbook(ways[way], made.folder)  # what is written at first use
        found: dict[str, list[float]] = {way: [] for way in ways}
        for _round in range(rounds):
            took = {way: playbook(task, made.folder) for way, task in ways.items()}
            for way, seconds in took.items():
                found[way].append(seconds - took["nothing"] if way != "nothing" else seconds)
        ours = found["ns_exec"]
        row = [f"`{name}`, the task", "%.2f s" % median(ours)]
        for way in ("docker_container_exec", "nsenter"):
            row += ["%.2f s" % median(found[way]), "%.0fx" % median(ratios(found[way], ours))]
        rows.append(row)
    return rows


def alone(made: Containers, rounds: int) -> tuple[list[float], list[float], list[float]]:
    """Seconds of the shipped file, its seconds of CPU, and seconds of a shell that calls C(docker exec)."""
    argv = COMMANDS["hostname"]
    options = {"containers": ["all"], "labels": dict([made.label]), "argv": argv}
    path = shipped(NS_EXEC, os.path.join(made.folder, "alone"), options)
    loop = "for name in %s; do %s exec $name %s || exit 1; done" % (
        " ".join(made.names), made.docker, shlex.join(argv))
    environment = {**os.environ, "DOCKER_HOST": made.address}
    found: tuple[list[float], list[float], list[float]] = ([], [], [])
    for _round in range(rounds):
        before, used = time.perf_counter(), os.times()
        said = subprocess.run([sys.executable, path], stdout=subprocess.PIPE, check=True).stdout
        found[0].append(time.perf_counter() - before)
        after = os.times()
        found[1].append(after[2] + after[3] - used[2] - used[3])
        before = time.perf_counter()
        theirs = subprocess.run(["/bin/sh", "-c", loop], stdout=subprocess.PIPE, check=True, env=environment).stdout
        found[2].append(time.perf_counter() - before)
        if sorted(target["stdout"] for target in json.loads(said)["targets"]) != sorted(theirs.decode().split()):
            raise SystemExit("the two did not say the same")
    return found


def one_target(made: Containers, rounds: int) -> list[list[str]]:
    """A row for each way to enter a single container, beside the same program without entering it."""
    link, name = ["ip", "link"], COMMANDS["hostname"]
    first = {"container": made.names[0]}
    turn: dict[str, dict[str, Any]] = {
        "command": {COMMAND: {"argv": link}},
        "net": {NS_EXEC: {**first, "namespaces": ["net"], "argv": link}},
        "all": {NS_EXEC: {**first, "argv": name}},
    }
    found = through_ansible(rounds, made.folder, turn)
    times = {way: seconds[1:] for way, seconds in found.items()}
    rows = [["`command: ip link`", milliseconds(times["command"]), ""]]
    for way, what in (("net", "`ns_exec`, `namespaces: [net]`, the host's `ip link`"),
                      ("all", "`ns_exec`, all namespaces, the container's `hostname`")):
        more = [one - other for one, other in zip(times[way], times["command"])]
        rows.append([what, milliseconds(times[way]), milliseconds(more)])
    return rows


def memory(made: Containers) -> tuple[float, float]:
    """MB of the module, and of it with all that it has forked."""
    options = {"containers": ["all"], "labels": dict([made.label]), "argv": COMMANDS["hostname"]}
    path = shipped(NS_EXEC, os.path.join(made.folder, "memory"), options)
    alone_, together = peak([sys.executable, path])
    return alone_ / 1024, together / 1024


def measure(quick: bool) -> str:
    """The tables."""
    with Containers(COUNT) as made:
        through = through_playbooks(made, 1 if quick else 5)
        ours, used, theirs = alone(made, 2 if quick else 15)
        one = one_target(made, 3 if quick else 25)
        peaks = {COUNT: memory(made)}
        sizes = [os.path.getsize(shipped(module, os.path.join(made.folder, "size"), {"argv": ["true"]})) / 1000
                 for module in (NS_EXEC, COMMAND)]
    if not quick:
        with Containers(MANY) as made:
            peaks[MANY] = memory(made)
    head = [f"{COUNT} containers, one command", "`ns_exec`", "loop over `docker_container_exec`", "faster",
            "loop over `nsenter`", "faster"]
    parts = [page.table(head, through)]
    head = [f"the module alone, {COUNT} containers", "`ns_exec`", "CPU", "shell loop over `docker exec`", "faster"]
    parts.append(page.table(head, [["`hostname`", "%.2f s" % median(ours), "%.2f s" % median(used),
                                    "%.2f s" % median(theirs), "%.1fx" % median(ratios(theirs, ours))]]))
    parts.append(page.table(["one target, the task", "time", "more"], one))
    head = ["peak memory", "the module", "with all its processes"]
    parts.append(page.table(head, [[f"{count} containers", *["%.0f MB" % value for value in both]]
                                   for count, both in peaks.items()]))
    parts.append("`docker_container_exec` is that of community.docker %s. `ns_exec` ships %.0f KB, `command` %.0f KB."
                 % (community_docker(), *sizes))
    return "\n\n".join(parts)


if __name__ == "__main__":
    page.command_line("One command in many containers.", "execution", measure)

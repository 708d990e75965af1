# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What thousands of runs of ns_exec leave behind: 10,000 by one process, and 500 of the shipped module.

    python3 bench/endurance.py

Each run enters all namespaces of a process (mnt, uts, ipc, pid, net), is tracked, and executes C(true). All is done
in a cgroup and in pid and mount namespaces of its own, where nothing of anybody else is counted. About ten minutes.
"""
from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from typing import Any, Callable, NamedTuple

import page
from ansible_here import shipped

RUNS, PROCESSES = 10_000, 500
_AT_ONCE = 100
TARGET = ["unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--kill-child", "sleep", "86400"]
_INSIDE = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--propagation", "private", "--mount-proc"]

sys.path.insert(0, os.path.join(page.CHECKOUT, ".collections"))


class Seen(NamedTuple):
    """What there is at one moment."""

    descriptors: int
    processes: int
    mounts: int
    namespaces: int
    cgroups: int
    memory: int  # KiB of the process itself

    @classmethod
    def now(cls) -> Seen:
        """Who has just ended is waited for a moment."""
        time.sleep(2.0)
        pids = [name for name in os.listdir("/proc") if name.isdigit()]
        namespaces = set()
        for pid in pids:
            for kind in ("mnt", "uts", "ipc", "pid", "net", "user", "cgroup", "time"):
                try:
                    namespaces.add(os.readlink(f"/proc/{pid}/ns/{kind}"))
                except FileNotFoundError:  # a process that nobody has waited for; it is counted
                    continue
        with open("/proc/self/mountinfo", encoding="utf-8") as file:
            mounts = len(file.readlines())
        with open("/proc/self/status", encoding="ascii") as file:
            memory = next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))
        cgroups = sum(len(names) for dummy, names, dummy2 in os.walk(own_cgroup()))
        return cls(len(os.listdir("/proc/self/fd")), len(pids), mounts, len(namespaces), cgroups, memory)


def own_cgroup() -> str:
    """The folder of the cgroup that we are in (version 2, also of hybrid hosts)."""
    from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import cgroups, proc

    mounted = cgroups.hierarchies(proc.Proc())
    for cgroup in proc.parse_cgroups(proc.Proc().cgroup_text("self")):
        folder = None if cgroup.hierarchy or cgroup.controllers else cgroups.folder_of(cgroup, mounted)
        if folder is not None:
            return folder
    raise SystemExit("there is no cgroup of version 2 here")


def by_one_process(pid: int, runs: int) -> None:
    """All that the module does with a target, eight at a time."""
    from ansible_collections.nsfleet.linux.plugins.module_utils._enter import many, task
    from ansible_collections.nsfleet.linux.plugins.module_utils._enter.admission import Wanted, wanted_types
    from ansible_collections.nsfleet.linux.plugins.module_utils._enter.command import Command
    from ansible_collections.nsfleet.linux.plugins.module_utils._enter.containers import glance
    from ansible_collections.nsfleet.linux.plugins.module_utils._enter.target import open_target
    from ansible_collections.nsfleet.linux.plugins.module_utils._model.entry import Target

    here = glance()

    def open_(wanted: Wanted) -> Target:
        return open_target({"pid": pid}, here, wanted)

    job = task._job(open_, wanted_types(["all"]), Command.from_params({"argv": ["true"]}, True), False)
    for begun in range(0, runs, _AT_ONCE):
        for result in many.run([job] * min(_AT_ONCE, runs - begun), 8):
            check(result)
        reap()


def reap() -> None:
    """A worker gives its answer before it ends, which the module does not wait for: that is left to process 1."""
    while os.waitpid(-1, os.WNOHANG)[0]:
        continue


def by_processes(pid: int, runs: int, folder: str) -> None:
    """The file that Ansible sends to a managed host."""
    path = shipped("nsfleet.linux.ns_exec", folder, {"pid": pid, "argv": ["true"]})
    for dummy in range(runs):
        subprocess.run([sys.executable, path], stdout=subprocess.DEVNULL, check=True)


def check(result: dict[str, Any]) -> None:
    # Not whether it is changed: on a busy machine a look may take longer than it has.
    if result.get("failed") or result["rc"] or result["left"]:
        raise SystemExit(f"a run went wrong: {result}")


def measured(what: str, runs: int, run: Callable[[], None]) -> list[list[str]]:
    """The rows of one way."""
    before = Seen.now()
    began = time.monotonic()
    run()
    took = time.monotonic() - began
    time.sleep(1.0)
    reap()
    after = Seen.now()
    rows = []
    for name, one, other in (("before", before, None), ("after", after, took)):
        cells = ["%d" % value for value in one[:-1]]
        rows.append([f"{what}, {name} {runs:,}", *cells, "%.1f MB" % (one.memory / 1024),
                     "" if other is None else "%.0f s" % other])
    return rows


def inside(runs: int, processes: int) -> None:
    """Writes the table, in the namespaces that are for this only."""
    with subprocess.Popen(TARGET) as target, tempfile.TemporaryDirectory() as folder:
        try:
            time.sleep(1.0)
            with open(f"/proc/{target.pid}/task/{target.pid}/children", encoding="ascii") as file:
                pid = int(file.read())
            # What is imported and written at first use is there before.
            by_one_process(pid, 20)
            time.sleep(1.0)
            reap()
            rows = measured("one process", runs, lambda: by_one_process(pid, runs))
            by_processes(pid, 1, os.path.join(folder, "first"))
            rows += measured("the shipped module", processes,
                             lambda: by_processes(pid, processes, os.path.join(folder, "all")))
        finally:
            target.kill()
    head = ["runs", "descriptors", "processes", "mounts", "namespaces", "cgroups", "memory", "time"]
    print(page.table(head, rows))


def reaped(arguments: list[str]) -> int:
    """Process 1 of a pid namespace: it has C(arguments) executed, and reaps what the others leave, as on any host."""
    child = os.fork()
    if not child:
        os.execv(sys.executable, [sys.executable, os.path.abspath(__file__), *arguments])
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def measure(quick: bool) -> str:
    """The table."""
    counts = [str(count // 100 if quick else count) for count in (RUNS, PROCESSES)]
    cgroup = "%s/endurance-%d" % (own_cgroup(), os.getpid())
    os.mkdir(cgroup)
    try:
        script = 'echo 0 > "$0/cgroup.procs"; exec "$@"'
        done = subprocess.run(["sh", "-c", script, cgroup, *_INSIDE, sys.executable, os.path.abspath(__file__),
                               "--first", *counts], stdout=subprocess.PIPE, check=True)
    finally:
        time.sleep(1.0)
        os.rmdir(cgroup)
    return done.stdout.decode().strip()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--first", nargs=2, type=int)
    parser.add_argument("--inside", nargs=2, type=int)
    asked, others = parser.parse_known_args()
    if asked.first:
        sys.exit(reaped(["--inside", *map(str, asked.first)]))
    elif asked.inside:
        inside(*asked.inside)
    else:
        page.command_line("What thousands of runs leave behind.", "endurance", measure)

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes in namespaces, as many as asked for, which only wait; gone with whoever asked, also when that is killed.

    python3 bench/population.py --processes 5000 --namespaces 600     # until Enter or end of input

They are spread evenly over the host and over "containers": an init in a new pid namespace that has, as container
engines make them, mnt, uts, ipc and net of its own, every second one cgroup too, every fourth user, every eighth time.
A process has 8 descriptors (three standard ones, two devices, a pipe, a Unix socket of its own), every tenth has three
threads more.
"""
from __future__ import annotations

import _thread
import argparse
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
from typing import Any, Iterator, NoReturn, Sequence

TYPES = {
    "mnt": 0x20000, "uts": 0x4000000, "ipc": 0x8000000, "pid": 0x20000000, "net": 0x40000000, "user": 0x10000000,
    "cgroup": 0x2000000, "time": 0x80,
}
# These hold for children only, so the one who forks has to ask for them.
OF_CHILDREN = ("pid", "time")
THREADS = 3  # more than one, in every tenth process
_PR_SET_PDEATHSIG = 1
_SECONDS = 120.0

_libc = ctypes.CDLL(None, use_errno=True)


class Population:
    """C(with Population(5000, 600):), or C(types) to have every container make just these. Needs root."""

    def __init__(self, processes: int, namespaces: int, types: Sequence[str] = ()) -> None:
        self._command = [sys.executable, "-I", "-S", __file__]
        self._command += ["--processes", str(processes), "--namespaces", str(namespaces)]
        self._command += ["--types", ",".join(types)] if types else []
        self._keeper: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> dict[str, int]:
        """How many C(processes), C(threads), C(containers) and C(namespaces) there are now."""
        self._keeper = keeper = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        line = keeper.stdout.readline() if keeper.stdout else b""
        if not line:
            self.__exit__()
            raise RuntimeError("the population could not be made; what is above says why")
        made: dict[str, int] = json.loads(line)
        return made

    def __exit__(self, *unused: object) -> None:
        keeper = self._keeper
        if keeper is not None and keeper.stdin and keeper.stdout:
            keeper.stdin.close()
            try:
                keeper.wait(_SECONDS)
            except subprocess.TimeoutExpired:
                keeper.kill()
                keeper.wait()
            keeper.stdout.close()


def containers(count: int, types: Sequence[str] = ()) -> Iterator[tuple[str, ...]]:
    """The types of namespaces each container makes, C(count) namespaces in all."""
    number = 0
    while count > 0:
        number += 1
        made = list(types) or ["mnt", "uts", "ipc", "pid", "net"]
        if not types:
            made += [kind for kind, every in (("cgroup", 2), ("user", 4), ("time", 8)) if number % every == 0]
        yield tuple(made[:count])
        count -= len(made)


def keep(processes: int, namespaces: int, types: Sequence[str]) -> None:
    """Make the population, say so in one line of JSON, and end it at the end of standard input."""
    die_with_parent(os.getppid())
    homes = list(containers(namespaces, types))
    share, rest = divmod(processes - 1, len(homes) + 1)
    if share < 1:
        raise SystemExit("%d containers need more than %d processes" % (len(homes), processes))
    ready, started = os.pipe()
    own = {kind: os.open("/proc/self/ns/" + kind, os.O_RDONLY) for kind in OF_CHILDREN}
    children: list[int] = []
    number = 0
    for position, home in enumerate([()] + homes):
        size = share + (1 if position < rest else 0)
        if home:
            children.append(start_container(home, own, size, number, started))
        else:
            children += [start(wait, number + member, started) for member in range(size)]
        number += size
    os.close(started)
    counted, threads = 0, 0
    while counted < processes - 1:
        answers = os.read(ready, 65536)
        if not answers:
            raise SystemExit("%d of %d processes did not start" % (processes - 1 - counted, processes - 1))
        counted += len(answers)
        threads += answers.count(b"T") * THREADS
    made = {"processes": processes, "threads": processes + threads}
    print(json.dumps({**made, "containers": len(homes), "namespaces": sum(map(len, homes))}), flush=True)
    sys.stdin.read()
    for child in children:
        os.kill(child, signal.SIGKILL)
    for child in children:
        os.waitpid(child, 0)


def start(function: Any, *arguments: Any) -> int:
    """A child that runs a function and never comes back."""
    parent = os.getpid()
    child = os.fork()
    if child:
        return child
    try:
        function(parent, *arguments)
    except OSError as error:
        sys.stderr.write(f"population: {error}\n")
    finally:
        os._exit(1)


def start_container(home: tuple[str, ...], own: dict[str, int], size: int, number: int, started: int) -> int:
    """The init of a container; with pid among its types its end is the end of all that are in there."""
    asked = [kind for kind in OF_CHILDREN if kind in home]
    if asked:
        check(_libc.unshare(sum(TYPES[kind] for kind in asked)), "unshare")
    init = start(run_container, home, size, number, started)
    for kind in asked:
        check(_libc.setns(own[kind], TYPES[kind]), "setns")
    return init


def run_container(parent: int, home: tuple[str, ...], size: int, number: int, started: int) -> NoReturn:
    """Make the namespaces, start the other processes, and be one of them."""
    if "user" in home:
        # Apart, so that a failure to map does not look like one of the others.
        check(_libc.unshare(TYPES["user"]), "unshare user")
        for name, content in (("setgroups", "deny"), ("uid_map", "0 0 1"), ("gid_map", "0 0 1")):
            with open("/proc/self/" + name, "w", encoding="ascii") as file:
                file.write(content)
    check(_libc.unshare(sum(TYPES[kind] for kind in home if kind not in OF_CHILDREN + ("user",))), "unshare")
    for member in range(1, size):
        start(wait, number + member, started)
    wait(parent, number, started)


def wait(parent: int, number: int, started: int) -> NoReturn:
    """A process that has what processes usually have, and does nothing."""
    # Only now: a change of credentials (a new user namespace) forgets it.
    die_with_parent(parent)
    os.dup2(started, 3)
    os.closerange(4, 64)
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(null, descriptor)
    os.open("/dev/zero", os.O_RDONLY)
    os.pipe()
    kept = socket.socket(socket.AF_UNIX)
    threads = THREADS if number % 10 == 0 else 0
    for _thread_number in range(threads):
        _thread.start_new_thread(signal.pause, ())
    os.write(3, b"T" if threads else b"P")
    os.close(3)
    while True:
        signal.pause()
        kept.fileno()


def die_with_parent(parent: int) -> None:
    """Be killed when the parent ends, however it ends, even before this was said."""
    check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
    # In a new pid namespace the parent has no number.
    if os.getppid() not in (parent, 0):
        os._exit(1)


def check(result: int, what: str) -> None:
    """Raise what a call of libc left in errno."""
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--processes", type=int, default=1000)
    parser.add_argument("--namespaces", type=int, default=100)
    parser.add_argument("--types", type=lambda value: value.split(","), default=[], help="of each container: net,mnt")
    asked = parser.parse_args()
    keep(asked.processes, asked.namespaces, asked.types)


if __name__ == "__main__":
    main()

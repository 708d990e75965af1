# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ns_exec as its module calls it, places to run it in, and what it may not leave behind."""

from __future__ import annotations

import importlib
import os
import pkgutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable

from ansible_collections.nsfleet.linux.plugins.module_utils import _create, _enter
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.options import (
    command_options,
    many_options,
    target_options,
)
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.task import run_task
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import prctl, privileges
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.libc import syscall
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.proc import Proc, parse_cgroups
from ansible_collections.nsfleet.linux.plugins.module_utils._model.inventory import TYPES

SPEC = {**target_options(), **many_options(), **command_options()}
FLAGS = {
    "mnt": "--mount", "uts": "--uts", "ipc": "--ipc", "pid": "--pid", "net": "--net", "user": "--user",
    "cgroup": "--cgroup", "time": "--time",
}


def parameters(**given: Any) -> dict[str, Any]:
    """A module's parameters, all that there are."""
    assert set(given) <= set(SPEC)
    return {**{name: option.get("default") for name, option in SPEC.items()}, **given}


def ns_exec(check: bool = False, **given: Any) -> dict[str, Any]:
    """The module's result."""
    return run_task(parameters(**given), check)


def succeeded(**given: Any) -> dict[str, Any]:
    """The result of a command that must not fail."""
    result = ns_exec(**given)
    assert not result.get("failed") and result["rc"] == 0, result
    return result


def refused(**given: Any) -> str:
    """The sentence of what nothing came of; a command that leaves a mark must not have run."""
    result = ns_exec(**given)
    assert result["failed"] and result.get("rc") is None and not result["changed"], result
    sentence = str(result["msg"])
    assert sentence.endswith(".") and sentence.isprintable(), sentence
    return sentence


@contextmanager
def ends_with_us(argv: Sequence[str], **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process that does not outlive us."""
    process = subprocess.Popen(argv, preexec_fn=lambda: prctl.set_pdeathsig(signal.SIGKILL), **more)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def place(types: Sequence[str], *more: str, program: Sequence[str] = ("sleep", "300")) -> Iterator[int]:
    """The pid of a process that unshare(1) has put into new namespaces of these types."""
    forks = bool({"pid", "time"} & set(types))
    flags = [FLAGS[kind] for kind in types] + (["--map-root-user"] if "user" in types else [])
    flags += ["--fork", "--kill-child"] if forks else []
    with ends_with_us(["unshare", *flags, *more, *program], stdout=subprocess.PIPE) as process:
        yield settled(only_child(process.pid) if forks else process.pid, program[0])


def settled(pid: int, comm: str) -> int:
    """The pid, when the process has executed that program."""
    until(lambda: Proc().stat(pid).comm == os.path.basename(comm)[:15])
    return pid


def only_child(pid: int) -> int:
    """The one child of a process, as soon as it has one."""
    children: list[str] = []

    def found() -> bool:
        children[:] = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return bool(children)

    until(found)
    return int(children[0])


def until(done: Any, seconds: float = 10) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "that did not happen"
        time.sleep(0.005)


def links(pid: object) -> dict[str, str]:
    """The namespaces of a process, by type."""
    return {kind: os.readlink(f"/proc/{pid}/ns/{kind}") for kind in TYPES}


def elsewhere(pid: int) -> list[str]:
    """The types in which a process is not where we are."""
    own = links("self")
    return [kind for kind, name in links(pid).items() if name != own[kind]]


def start_time(pid: int) -> int:
    """In clock ticks since boot."""
    return Proc().stat(pid).start_time


def has_cgroups() -> bool:
    """Whether we may make a cgroup below our own (version 2)."""
    from ansible_collections.nsfleet.linux.plugins.module_utils._enter.started import Started

    started = Started()
    try:
        return started.folder is not None
    finally:
        started.close()


def debris() -> dict[str, Any]:
    """What a run may not add to: our descriptors, living children, and the cgroups of runs.

    A worker is not waited for: what has ended is reaped with us, and here.
    """
    living = []
    for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        if Proc().stat(int(pid)).state in "ZX":
            os.waitpid(int(pid), 0)
        else:
            living.append(int(pid))
    return {"descriptors": sorted(_open()), "children": sorted(living), "cgroups": cgroups()}


def calm() -> dict[str, Any]:
    """The same, when the workers of earlier runs have ended."""
    found = debris()
    while True:
        time.sleep(0.2)
        again = debris()
        if again == found:
            return found
        found = again


def own_cgroup() -> str | None:
    """The folder of our own cgroup, of version 2."""
    from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import cgroups as kernel

    for cgroup in parse_cgroups(Proc().cgroup_text("self")):
        if not cgroup.hierarchy and not cgroup.controllers:
            return kernel.folder_of(cgroup, kernel.hierarchies(Proc()))
    return None


def cgroups() -> list[str]:
    """The cgroups of runs of ours below our own."""
    folder = own_cgroup()
    return sorted(
        name for name in (os.listdir(folder) if folder else ()) if name.startswith("nsfleet-") and _is_ours(name))


def _is_ours(name: str) -> bool:
    """Not that of another run on this machine, which is still at work."""
    try:
        maker = int(name.split("-")[1])
        return maker == os.getpid() or Proc().stat(maker).ppid == os.getpid()
    except ValueError:  # a test's
        return False
    except OSError:
        return True


def _open() -> list[str]:
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            found.append(f"{number} {os.readlink('/proc/self/fd/' + number)}")
        except FileNotFoundError:
            continue
    return found


def unprivileged(function: Callable[[], Any], host_root: bool) -> Callable[[], Any]:
    """As nobody, or, where there is nobody else to become, as a user without any capability."""

    def run() -> Any:
        if host_root:
            # What is imported late: nobody cannot read a clone below /root.
            for package in (_create, _enter):
                for found in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
                    importlib.import_module(found.name)
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
        else:
            syscall("prctl", 28, 1, 0, 0, 0)  # PR_SET_SECUREBITS, SECBIT_NOROOT: none come back by an execution
            privileges.capset(privileges.CapabilitySets(0, 0, 0))
        return function()

    return run

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ns_persist as its module calls it, on a machine of its own: mounts, processes, and a /run that nobody else sees."""

from __future__ import annotations

import functools
import json
import os
import pickle
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._create import mount_table, pins
from ansible_collections.nsfleet.linux.plugins.module_utils._create.options import persist_options
from ansible_collections.nsfleet.linux.plugins.module_utils._create.persist import run_persist
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import mounts, namespaces, nsfs, prctl
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.proc import Proc

NETNS, UNITS = "/run/netns", "/run/nsfleet"
EIGHT = ["mnt", "uts", "ipc", "pid", "net", "user", "cgroup", "time"]
SECONDS = 180
# Each has a stock of numbers for mount namespaces, and only one with a higher number can be kept in one with a lower.
PROCESSOR = min(os.sched_getaffinity(0))


def alone(test: Callable[..., Any]) -> Callable[..., Any]:
    """Run a test as process 2 of a pid namespace, in which process 1 reaps and whose end ends all; /run is empty."""

    @functools.wraps(test)
    def in_there(*args: Any, **kwargs: Any) -> None:
        run_alone(lambda: test(*args, **kwargs))

    return in_there


def run_alone(work: Callable[[], Any]) -> Any:
    """The same for a function; returns what it returns."""
    reader, writer = os.pipe()
    first = os.fork()
    if first == 0:
        try:
            prctl.set_pdeathsig(signal.SIGKILL)
            allowed = os.sched_getaffinity(0)
            os.sched_setaffinity(0, {PROCESSOR})
            namespaces.unshare(namespaces.CLONE_NEWPID | namespaces.CLONE_NEWNS | namespaces.CLONE_NEWNET)
            os.sched_setaffinity(0, allowed)
            if os.fork() == 0:
                prctl.set_pdeathsig(signal.SIGKILL)
                _as_first(work, writer)
            os.wait()
        finally:
            os._exit(0)
    os.close(writer)
    try:
        with os.fdopen(reader, "rb") as stream:
            said = _read(stream, time.monotonic() + SECONDS)
    finally:
        os.kill(first, signal.SIGKILL)
        os.waitpid(first, 0)
    assert said, "it died without a word, or took too long"
    kind, value = pickle.loads(said)
    if kind == "skipped":
        pytest.skip(value)
    if kind == "failed":
        pytest.fail(value, pytrace=False)
    return value


def _read(stream: Any, until: float) -> bytes:
    import select

    said = b""
    while select.select([stream], [], [], max(0.0, until - time.monotonic()))[0]:
        piece = os.read(stream.fileno(), 65536)
        if not piece:
            return said
        said += piece
        if said.endswith(b"\nEND"):
            return said[:-4]
    return b""


def _as_first(work: Callable[[], Any], writer: int) -> None:
    """Process 1: mounts, then a child that does the work, and reaping whoever is orphaned."""
    mounts.mount(None, "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
    mounts.mount("proc", "/proc", "proc")
    mounts.mount("tmpfs", "/run", "tmpfs", 0, "mode=755")
    mounts.mount(None, "/run", None, mounts.MS_SHARED)
    child = os.fork()
    if child == 0:
        try:
            try:
                answer: Any = ("done", work())
            except pytest.skip.Exception as skipped:
                answer = ("skipped", str(skipped))
            except BaseException:
                answer = ("failed", traceback.format_exc())
            os.write(writer, pickle.dumps(answer) + b"\nEND")
        finally:
            os._exit(0)
    while True:
        try:
            if os.wait()[0] == child:
                os._exit(0)
        except ChildProcessError:
            os._exit(0)


def parameters(**given: Any) -> dict[str, Any]:
    """A module's parameters, all that there are."""
    spec = persist_options()
    assert set(given) <= set(spec)
    return {**{name: option.get("default") for name, option in spec.items()}, **given}


def persist(check: bool = False, **given: Any) -> dict[str, Any]:
    """The module's result, which is of its documented form."""
    result = run_persist(parameters(**given), check)
    keys = {"name", "state", "paths", "namespaces", "repaired", "changed", "diff", "failed", "msg", "warnings"}
    assert set(result) <= keys, result
    return result


def kept(**given: Any) -> dict[str, Any]:
    """The result of a run that must succeed; check mode has predicted it, and a second run changes nothing."""
    before = picture()
    predicted = persist(check=True, **given)
    assert picture() == before, "check mode has changed something"
    result = persist(**given)
    assert not result.get("failed"), result
    assert {key: predicted[key] for key in ("changed", "repaired", "paths")} == {
        key: result[key] for key in ("changed", "repaired", "paths")}
    assert shape(predicted["diff"]) == shape(result["diff"])
    after = picture()
    again = persist(**{**given, "force": False})
    assert not again.get("failed") and not again["changed"] and not again["repaired"], again
    assert again["diff"] == {"before": "", "after": ""} and again["namespaces"] == result["namespaces"]
    assert picture() == after
    for kind, path in result["paths"].items() if result["state"] == "present" else ():
        assert name_at(path) == result["namespaces"][kind]
    consistent()
    return result


def refused(**given: Any) -> str:
    """The sentence of a run that changed nothing."""
    before = picture()
    result = persist(**given)
    assert result.get("failed") and not result["changed"], result
    sentence = str(result["msg"])
    assert sentence.endswith(".") and sentence.isprintable(), sentence
    assert picture() == before
    return sentence


def shape(diff: dict[str, str]) -> dict[str, str]:
    """A diff without the numbers of namespaces."""
    import re

    return {key: re.sub(r"\[\d+\]|\[new\]", "[]", text) for key, text in diff.items()}


def picture() -> Any:
    """All that is mounted, and all names in our folders."""
    found = []
    for folder in (NETNS, UNITS):
        for root, folders, files in os.walk(folder):
            found += [os.path.join(root, name) for name in folders + files]
    # Elsewhere others on this machine may take away what is mounted, by removing its folder.
    lines = [line.split(b" ", 2)[2] for line in Proc().mount_lines("self", "mountinfo")]
    return sorted(found), [line for line in lines if line.split(b" ")[2].startswith(b"/run")]


def name_at(path: str) -> str:
    """The namespace that one enters there."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return f"{nsfs.ns_type(descriptor)}:[{os.fstat(descriptor).st_ino}]"
    finally:
        os.close(descriptor)


def enter(path: str, kind: str, *program: str) -> str:
    """What a program says that nsenter(1) starts in there."""
    flags = [f"--{ {'mnt': 'mount'}.get(kind, kind) }={path}", *(["--preserve-credentials"] if kind == "user" else [])]
    done = subprocess.run(["nsenter", *flags, *(program or ("true",))], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (path, done.stderr)
    return done.stdout


def newer() -> None:
    """For preexec_fn of what makes a mount namespace that is to be kept."""
    os.sched_setaffinity(0, {PROCESSOR})


def ip(*arguments: str, check: bool = True) -> str:
    """What ip(8) says."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, (arguments, done.stderr)
    return done.stdout


def listed() -> list[str]:
    """The names that C(ip netns) lists."""
    return sorted(line.split()[0] for line in ip("netns", "list").splitlines())


def units() -> list[str]:
    """The names of units."""
    return sorted(name for name in os.listdir(UNITS) if not name.startswith(".")) if os.path.isdir(UNITS) else []


def all_names() -> dict[str, str]:
    """Each name that there is, and its type."""
    found = {f"{NETNS}/{name}": "net" for name in os.listdir(NETNS)} if os.path.isdir(NETNS) else {}
    found |= {f"{UNITS}/{name}/{kind}": kind for name in units() for kind in EIGHT}
    return {path: kind for path, kind in found.items() if os.path.lexists(path)}


def can_be_entered(path: str, kind: str) -> bool:
    """Whether a namespace of that type is there, and is alive."""
    try:
        found = name_at(path).startswith(kind + ":")
    except OSError:
        return False
    return found and (kind != "pid" or not subprocess.run(["nsenter", f"--pid={path}", "true"], check=False,
                                                          stderr=subprocess.DEVNULL).returncode)


def consistent(hidden: bool = False, stale: Sequence[str] = ()) -> None:
    """Every name that is listed can be entered, and nothing is stacked.

    C(hidden): a killed run may have left others. C(stale): those that could not be entered before.
    """
    for path, kind in all_names().items():
        assert path in stale or can_be_entered(path, kind), path
    if hidden:
        return
    assert not os.path.isdir(UNITS) or [name for name in os.listdir(UNITS) if name.startswith(".")] == []
    table = mount_table.rows(Proc())
    for point in {row.point for row in table if row.point.startswith((NETNS + "/", UNITS + "/"))}:
        row = mount_table.top(table, point)
        assert row is None or mount_table.stacked(table, row.number) == 1, point


def gone(name: str) -> None:
    """Nothing of it is left: no mount, file, process of ours, or cgroup."""
    assert not os.path.lexists(f"{NETNS}/{name}") and not os.path.lexists(f"{UNITS}/{name}")
    text = b"\n".join(Proc().mount_lines("self", "mountinfo"))
    assert f"/{name}".encode() not in text and b".new-" not in text and b".old-" not in text
    consistent()


def inits() -> list[int]:
    """The processes 1 of units."""
    found = []
    for pid in Proc().pids():
        try:
            stat = Proc().stat(pid)
        except OSError:
            continue
        if stat.comm == "nsfleet-init" and stat.state not in "ZX":
            found.append(pid)
    return found


def until(done: Callable[[], Any], seconds: float = 10) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "that did not happen"
        time.sleep(0.005)


class Other:
    """A run in a process of its own, of which this is the parent."""

    def __init__(self, **given: Any) -> None:
        self._reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.write(writer, pickle.dumps(run_persist(parameters(**given), False)))
            finally:
                os._exit(0)
        os.close(writer)

    def result(self) -> dict[str, Any]:
        """Its result, as soon as it has ended."""
        with os.fdopen(self._reader, "rb") as stream:
            said = stream.read()
        os.waitpid(self.pid, 0)
        found: dict[str, Any] = pickle.loads(said)
        return found


def traced(strace: Sequence[str], **given: Any) -> dict[str, Any] | None:
    """A run under strace(1) with these arguments; None where it was killed."""
    program = "from ansible_collections.nsfleet.linux.tests.kernel.persist_lab import main; main()"
    # A grandchild traces (-D). As long as it does, no fault of its own ends the process 1 of a pid namespace.
    with open("/run/said", "wb") as said:
        subprocess.run(
            ["strace", "-f", "-D", "--seccomp-bpf", *strace, sys.executable, "-c", program], check=False, stdout=said,
            stderr=subprocess.DEVNULL, input=json.dumps(given).encode(), timeout=SECONDS)
    for pid in Proc().pids():
        with suppress(OSError):
            if Proc().stat(pid).comm == "strace":
                os.kill(pid, signal.SIGKILL)
    try:
        found: dict[str, Any] = json.loads(Path("/run/said").read_bytes())
    except ValueError:
        return None
    return found


def main() -> None:
    """What that runs."""
    no_file_is_young()
    print(json.dumps(run_persist(parameters(**json.load(sys.stdin)), False)))


def no_file_is_young() -> None:
    """Where ip-netns(8) is not at work nobody need wait for it."""
    pins._YOUNG = 0.0


def exists(path: str) -> bool:
    """Whether there is anything."""
    return Path(path).exists() or Path(path).is_symlink()

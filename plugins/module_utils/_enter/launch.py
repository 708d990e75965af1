"""From a command to a process that runs it, inside: nothing of it runs unless all of it is as it was meant."""
from __future__ import annotations

import errno
import os
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Sequence

from .._kernel.executor import Executor, Unknown, step
from .._kernel.mounts import AT_FDCWD, MS_PRIVATE, MS_SLAVE
from .._kernel.privileges import capget
from .._kernel.proc import Proc, parse_cgroups
from .._model.entry import NotKnown, Refused, Target
from . import confine, join, surroundings
from .changed_mounts import MountChanges
from .output import Streams
from .privileges import Privileges
from .read_only import read_only
from .run import Waiter
from .started import Started
from .watch import Watch

_SECONDS = 20.0  # to join
_PROMPT = 5.0    # seconds for each answer once it is in the container's cgroup
_CAP_SYS_ADMIN = 21


@dataclass
class Plan:
    """What is executed. C(looking): as read_only has it; C(files): contents to have at paths of the host.

    C(root): the path of a directory to have as root directory, where no mounts are joined.
    """

    path: str
    argv: list[bytes]
    environment: Mapping[bytes, bytes]
    privileges: Privileges
    chdir: str | None = None
    umask: int | None = None
    stdin: bytes | None = None
    max_output: int = 1 << 20
    looking: bool = False
    files: Mapping[str, bytes] = field(default_factory=dict)
    root: str | None = None


@dataclass
class Running:
    """A command that was executed. C(missing): what it does not have and should, as sentences.

    C(lost): the mounts of a mount namespace that is its own, and of nobody else; C(streams): its Streams.
    """

    pid: int
    waiter: Waiter
    lost: OwnMounts | None
    missing: list[str]
    streams: Any = None

    def close(self) -> None:
        """Let go of what belongs to it."""
        self.waiter.close()
        if self.lost is not None:
            self.lost.close()


class OwnMounts:
    """The mounts of a process's own mount namespace, which ends with it. Close it when done."""

    def __init__(self, pid: int) -> None:
        root = os.open("/proc/%d/root" % pid, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._changes = MountChanges(Target("", pid=pid, root=root), time.monotonic() + _PROMPT)
        finally:
            os.close(root)

    def made(self) -> list[str]:
        """What was mounted since, a line each."""
        # But for the first, which is made for the command (surroundings.of_processes), and for what was mounted on the
        # host meanwhile and appeared here too.
        hosts = {"mount %s:" % mount.path for mount in Proc().mounts("self")} | {"mount /proc: proc proc"}
        return [line for line in self._changes.after().after if not line.startswith(tuple(hosts))]

    def close(self) -> None:
        """Let go of it."""
        self._changes.close()


def launch(target: Target, plan: Plan, started: Started, watch: Watch) -> Running:
    """Execute it, in C(started) (what tells later what it has started) and under C(watch). Raises Refused."""
    return with_executor(target.name, plan, join.descriptors(target),
                         lambda executor: _start(executor, target, plan, started, watch))


def with_executor(name: str, plan: Plan, descriptors: Sequence[int], start: Callable[[Executor], Running]) -> Running:
    """The same by C(start), given an Executor with these descriptors. C(name): where, for messages. Raises Refused."""
    theirs: list[int] = []
    ours: list[int] = []
    executor = None
    running = None
    try:
        for dummy in range(2):
            reader, writer = os.pipe()
            ours.append(reader)
            theirs.append(writer)
        if plan.stdin is None:
            source = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        else:
            source, writer = os.pipe()
            ours.append(writer)
        theirs.insert(0, source)
        executor = Executor((theirs[0], theirs[1], theirs[2]), time.monotonic() + _SECONDS, descriptors)
        running = start(executor)
        running.streams = Streams(ours[0], ours[1], plan.max_output, ours[2] if ours[2:] else None, plan.stdin or b"")
        return running
    except OSError as error:
        raise not_executed(name, plan, error) from error
    finally:
        for descriptor in theirs if running is not None else theirs + ours:
            os.close(descriptor)
        if executor is not None and running is None:
            executor.close()


def _start(executor: Executor, target: Target, plan: Plan, started: Started, watch: Watch) -> Running:
    fork = "pid" in target.types
    kept = "mnt" not in target.types
    missing: list[str] = []
    scratch = lost = None
    # A cgroup of our own has no limits that could come in the way of joining; that of a container is entered last.
    entered = started.ours is not None and executor.start_again_in(started.ours)
    confine.before_joining(executor, plan.privileges)
    tasks = _opened(executor, started.tasks())
    join.join(executor, target)
    if plan.looking and not target.types and not capget().effective >> _CAP_SYS_ADMIN & 1:
        surroundings.alone(executor)
    if plan.looking or kept and {"net", "pid"} & set(target.types):
        surroundings.private(executor, MS_PRIVATE if plan.looking else MS_SLAVE)
    if kept and "net" in target.types:
        missing += surroundings.of_network(executor, target.netns, plan.files)
    if plan.root is not None:
        # Opened in here, where it will be read-only: one from outside would lead to mounts that can be written to. And
        # before a place of its own covers it, for it may lie in /tmp.
        root = executor.call(
            "openat", AT_FDCWD, os.fsencode(plan.root), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, 0)
    if plan.looking:
        scratch = read_only(executor)
    if plan.root is not None:
        executor.calls(step("fchdir", root), step("chroot", b"."), step("chdir", b"/"))
    # Last: from now on it gets only what the container may have of time and memory.
    try:
        executor.calls(*(step("write", file, b"0", 1) for file in tasks))
    except OSError as error:
        raise Refused("The command could not be moved to the container's cgroups (%s). Nothing has run." % (
            errno.errorcode.get(error.errno or 0))) from error
    if not entered:
        started.enter(executor.pid, True)
    watch.follow(executor.pid, _cgroup(executor.pid) if started.folder is not None else "")
    executor.until = time.monotonic() + _PROMPT
    executor.close_descriptors()
    unmet, last = confine.confine(executor, plan.privileges, plan.chdir, plan.umask, scratch)
    missing += unmet
    if kept and not plan.looking and {"net", "pid"} & set(target.types):
        lost = executor.seen(lambda: OwnMounts(executor.pid))
    before = [step("setsid")] if fork else []
    if fork and kept:
        before += surroundings.of_processes(plan.looking)
    # What appears in the container's pid namespace has no more rights than the command any more. With the host's
    # mounts it has to mount /proc first, as only who is in there can; who could make use of that is refused before.
    first, before = ([], [*before, *last]) if fork and kept else (last, before)
    environment = [name + b"=" + value for name, value in plan.environment.items()]
    watch.ready()
    executor.until = time.monotonic() + _PROMPT
    pid = executor.execute(os.fsencode(plan.path), plan.argv, environment, fork, before, first)
    return Running(pid, Waiter(pid), lost, missing)


def _opened(executor: Executor, paths: list[str]) -> list[int]:
    try:
        return executor.calls(
            *(step("openat", AT_FDCWD, os.fsencode(path), os.O_WRONLY | os.O_CLOEXEC, 0) for path in paths))
    except OSError as error:
        raise Refused("The container's cgroups could not be opened (%s). Nothing has run." % (
            errno.errorcode.get(error.errno or 0))) from error


def _cgroup(pid: int) -> str:
    """The path in the hierarchy of version 2."""
    for cgroup in parse_cgroups(Proc().cgroup_text(pid)):
        if not cgroup.hierarchy and not cgroup.controllers:
            return cgroup.path
    return ""


def not_executed(name: str, plan: Plan, error: OSError) -> Refused:
    """What the kernel did not do, in one sentence. C(name): where."""
    if isinstance(error, Unknown):
        return NotKnown(
            "%s: the process that was to execute %s ended, or gave no answer (%s): whether it has run is not known." % (
                name, plan.path, errno.errorcode.get(error.errno or 0)))
    return Refused(_failed(name, plan, error))


def _failed(name: str, plan: Plan, error: OSError) -> str:
    code = errno.errorcode.get(error.errno or 0, str(error.errno))
    call = str(error.strerror or error).partition(":")[0]
    if isinstance(error, TimeoutError):
        return ("%s: the process that enters gave no answer: the container may have been paused, or used up its time."
                " Nothing has run." % name)
    if isinstance(error, ConnectionError):
        return ("%s: the process that enters was ended from outside: the container was stopped, or used up its memory."
                " Nothing has run." % name)
    if call == "execve":
        hint = {
            "EACCES": "it, or the interpreter in its first line, may not be executed",
            "ENOENT": "the interpreter in its first line, or the loader that it needs, is not there",
            "ENOEXEC": "it is no program for this machine, or a script without a first line",
            "E2BIG": "its arguments and environment are too large",
        }.get(code, os.strerror(error.errno or 0))
        return "%s could not be executed in %s (%s): %s." % (plan.path, name, code, hint)
    if call == "clone":
        hint = {
            "EAGAIN": "it may have no more processes (pids limit)", "ENOMEM": "its process 1 has ended",
        }.get(code, os.strerror(error.errno or 0))
        return "No process could be started in %s (%s): %s. Nothing has run." % (name, code, hint)
    return "%s could not be entered as it must be (%s: %s). Nothing has run." % (name, call, code)

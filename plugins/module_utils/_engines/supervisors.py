"""The engines' own processes: command lines tell where the state is, children are containers."""
from __future__ import annotations

import os
from typing import Any, Iterable, Iterator, TypeVar

from .._kernel.proc import GONE, text
from .._model.inventory import PID, Process
from .claim import Claim
from .view import View

W = TypeVar("W")

# comm holds 15 characters: containerd-shim-runc-v2 shows as containerd-shim.
NAMES = frozenset((
    "dockerd", "containerd", "containerd-shim", "conmon", "systemd-nspawn", "runc", "crun",
    "lxc-start", "lxc-execute", "lxc-autostart", "lxd", "incusd",
))


class Supervisor:
    """A process of an engine. C(owner): the user it runs as, whose the files it names must be; None for root."""

    __slots__ = ("process", "arguments", "owner", "_view")

    def __init__(self, process: Process, arguments: list[str], uid: int, view: View) -> None:
        self.process = process
        self.arguments = arguments
        self.owner = uid or None
        self._view = view

    @property
    def cwd(self) -> str | None:
        try:
            return os.readlink(self._view.proc.path(self.process.pid, "cwd"))
        except OSError as error:
            if error.errno not in GONE:
                self._view.problems.error("working directories of engines", error)
            return None

    def options(self, *names: str) -> list[str]:
        """Every value of an option before C(--): C(--name value), C(--name=value), C(-n value)."""
        found, arguments = [], self.arguments[1:]
        if "--" in arguments:
            arguments = arguments[:arguments.index("--")]
        for at, argument in enumerate(arguments):
            name, equals, value = argument.partition("=")
            if argument in names and at + 1 < len(arguments):
                found.append(arguments[at + 1])
            elif equals and name in names:
                found.append(value)
        return found

    def option(self, *names: str) -> str:
        return (self.options(*names) or [""])[0]

    def path(self, *names: str) -> str | None:
        """The first value of an option, made absolute."""
        value = self.option(*names)
        return os.path.normpath(os.path.join(self.cwd or "/", value)) if value else None


def supervisors(view: View, *names: str) -> list[Supervisor]:
    """The engines' processes of these names outside of all containers, root's first."""
    return [found for found in view.once("supervisors", lambda: list(_find(view))) if found.process.comm in names]


def believed(claim: Claim, words: Iterable[W]) -> list[W]:
    """Whose word counts for a container: its own user's first, then root's, nobody else's."""
    said: list[Any] = list(words)
    return [word for owner in dict.fromkeys((claim.owner, None)) for word in said if word.owner == owner]


def _find(view: View) -> Iterator[Supervisor]:
    stuck: set[int] = set()
    every = []
    for process in view.processes.values():
        # Engines may have mounts of their own (rootless); with another root it is a container.
        if process.comm in NAMES and process.pid not in view.inside and PID not in view.differs(process) and (
                not view.other_root(process)):
            uid = view.uid(process.pid)
            if uid is not None:
                every.append((process, uid))
    if view.ahead:
        # Root's are many (a shim a container) and do not hang.
        view.ahead(["/proc/%d/cmdline" % process.pid for process, uid in every if not uid], 1 << 14)
    for process, uid in sorted(every, key=lambda found: (bool(found[1]), found[0].age)):
        if uid in stuck:
            continue
        try:
            arguments = text(_command_line(view, process.pid)).rstrip("\0").split("\0")
        except OSError as error:
            if error.errno not in GONE:
                view.problems.error("command lines of engines", error)
            if uid and isinstance(error, TimeoutError):
                stuck.add(uid)
            continue
        if arguments[0]:
            yield Supervisor(process, arguments, uid, view)


def _command_line(view: View, pid: int) -> bytes:
    # It is the process's memory, which its owner can make us wait for (userfaultfd, FUSE): the child with the
    # deadline reads it.
    if view.proc.root == "/proc":
        return view.files.read("/proc/%d/cmdline" % pid, 1 << 20)
    return view.proc.read(pid, "cmdline")

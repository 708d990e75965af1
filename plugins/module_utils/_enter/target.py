"""Open and pin what is entered: by the time anything runs, none of it can become something else."""
from __future__ import annotations

import errno
import os
import time
from typing import Any, Collection, Mapping, Optional

from .._kernel import nsfs, pidfd_ioctls
from .._kernel.libc import KernelLacks
from .._kernel.pidfd import pidfd_open
from .._kernel.proc import Stat, parse_stat
from .._model.entry import Refused, Target
from .._model.inventory import TYPES, Container
from .admission import Wanted, check_state, types_to_join
from .containers import Look

_PF_KTHREAD = 0x00200000  # include/linux/sched.h
SECONDS = 30.0


def open_target(selectors: Mapping[str, Any], look: Look, types: Wanted = None, allow_host: Collection[str] = (),
                until: Optional[float] = None) -> Target:
    """What the target options (container, pid and start_time, netns, path, ref, name) mean, opened and pinned.

    C(look) must have the containers where one is meant. C(until) (of time.monotonic()) bounds the search for a ref.
    Raises Refused, and then nothing is left open.
    """
    target = Target("")
    try:
        if selectors.get("container") is not None:
            from .match import find

            container = find(selectors["container"], look.containers, look.problems)
            _fill_container(target, container, look, types, allow_host)
        elif selectors.get("pid") is not None:
            pid = selectors["pid"]
            target.name = "pid %d" % pid
            _fill_process(target, pid, selectors.get("start_time"), look, types, allow_host)
        else:
            from . import single

            if until is None:
                until = time.monotonic() + SECONDS
            single.fill(target, selectors, look, types, allow_host, until)
    except BaseException:
        close(target)
        raise
    return target


def open_container(container: Container, look: Look, types: Wanted = None,
                   allow_host: Collection[str] = ()) -> Target:
    """The same for a container that is known already."""
    target = Target("")
    try:
        _fill_container(target, container, look, types, allow_host)
    except BaseException:
        close(target)
        raise
    return target


def close(target: Target) -> None:
    """Let go of everything; a second time does nothing."""
    held = [target.pidfd, target.root, *target.descriptors.values()]
    target.pidfd = target.root = None
    target.descriptors = {}
    for descriptor in held:
        if descriptor is not None:
            os.close(descriptor)


def why(error: OSError) -> str:
    """The kernel's answer for a sentence: its errno's name, or what it lacks."""
    if isinstance(error, KernelLacks):
        return str(error)
    return errno.errorcode.get(error.errno or 0, str(error))


def verify(name: str, kind: str, descriptor: int, expected: str) -> None:
    """Raises Refused where a descriptor is not the namespace C(expected) of type C(kind), as C(net:[4026532184])."""
    try:
        found = "%s:[%d]" % (nsfs.ns_type(descriptor), os.fstat(descriptor).st_ino)
    except OSError as error:
        raise Refused("%s of %s cannot be joined: what was opened is no namespace (%s)."
                      % (kind, name, why(error))) from error
    if found != expected:
        raise Refused("%s of %s cannot be joined: %s became %s meanwhile." % (kind, name, expected, found))


def _fill_container(target: Target, container: Container, look: Look, types: Wanted,
                    allow_host: Collection[str]) -> None:
    target.name, target.container = container.name, container
    check_state(container)
    _fill_process(target, container.pid, container.start_time, look, types, allow_host, container.namespaces)


def _fill_process(target: Target, pid: int, start_time: int | None, look: Look, types: Wanted,
                  allow_host: Collection[str], chosen: Mapping[str, str] | None = None) -> None:
    if pid < 1:
        raise Refused("pid %d is no process: process ids begin with 1." % pid)
    try:
        # Whoever gets the number later: this folder stays the process's own, and is empty (ESRCH) when it has ended.
        folder = os.open("/proc/%d" % pid, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Refused(_gone(target, pid, error)) from error
    try:
        process = _Process(folder, target, pid)
        before = process.stat(start_time)
        try:
            target.pidfd = pidfd_open(pid)
        except KernelLacks:
            # Before 5.3 the folder alone pins it until everything is open.
            target.pidfd = None
        except OSError as error:
            raise Refused(_gone(target, pid, error)) from error
        target.pid, target.start_time = pid, before.start_time
        target.namespaces = process.namespaces()
        for kind, name in target.namespaces.items():
            if chosen is not None and chosen.get(kind, name) != name:
                raise Refused("%s of %s is %s and was %s when the target was chosen: try again."
                              % (kind, target.name, name, chosen[kind]))
        target.types = types_to_join(target.name, target.namespaces, types, look.own, look.host, allow_host)
        for kind in target.types:
            target.descriptors[kind] = process.open_namespace(kind)
            verify(target.name, kind, target.descriptors[kind], target.namespaces[kind])
        if "mnt" in target.types:
            target.root = process.open_root()
        # What was opened by way of the number is the process's own only if it still had the number by now.
        process.stat(before.start_time)
        now = process.namespaces()
        for kind in target.types:
            if now.get(kind) != target.namespaces[kind]:
                raise Refused("%s of %s cannot be joined: %s became %s meanwhile."
                              % (kind, target.name, target.namespaces[kind], now.get(kind)))
    finally:
        os.close(folder)


class _Process:
    """A process by its folder of /proc."""

    def __init__(self, folder: int, target: Target, pid: int) -> None:
        self._folder = folder
        self._target = target
        self._pid = pid

    def stat(self, start_time: int | None) -> Stat:
        """Its stat. Raises Refused: it is not what was meant, it has ended, it cannot be entered."""
        who = self._who
        try:
            found = parse_stat(self._read("stat"))
            leader = int(self._read("status").partition(b"\nTgid:")[2].split(None, 1)[0])
        except OSError as error:
            raise Refused(_gone(self._target, self._pid, error)) from error
        except (ValueError, IndexError) as error:
            raise Refused("%s is gone: its stat is cut off (ESRCH)." % who) from error
        if start_time is not None and found.start_time != start_time:
            raise Refused("%s is another process by now: it started %d clock ticks after boot, not %d."
                          % (who, found.start_time, start_time))
        if found.state in "ZX":
            raise Refused("%s has ended, and only its parent has not noticed: there is nothing to join (ESRCH)." % who)
        if leader != self._pid:
            raise Refused("%s is a thread of process %d: name that one." % (who, leader))
        if found.flags & _PF_KTHREAD:
            raise Refused("%s is a thread of the kernel: it has no root directory to enter." % who)
        return found

    def namespaces(self) -> dict[str, str]:
        """By type, those that are told. Raises Refused."""
        found = {}
        refusal: OSError | None = None
        for kind in TYPES:
            try:
                found[kind] = os.readlink("ns/" + kind, dir_fd=self._folder)
            except OSError as error:
                if error.errno != errno.ENOENT:  # a type that this kernel does not have
                    refusal = error
        if refusal is not None and not found:
            if refusal.errno == errno.ESRCH:
                raise Refused(_gone(self._target, self._pid, refusal)) from refusal
            raise Refused("The namespaces of %s cannot be read (%s): run the task as root (become), or as its user."
                          % (self._who, why(refusal))) from refusal
        return found

    def open_namespace(self, kind: str) -> int:
        """Its namespace of that type. Raises Refused."""
        try:
            if self._target.pidfd is not None:
                try:
                    return pidfd_ioctls.namespace_fd(self._target.pidfd, kind)
                except KernelLacks:
                    pass
            return os.open("ns/" + kind, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._folder)
        except OSError as error:
            raise Refused("%s of %s cannot be opened (%s)." % (kind, self._who, why(error))) from error

    def open_root(self) -> int:
        """An O_PATH descriptor of its root directory. Raises Refused."""
        try:
            return os.open("root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._folder)
        except OSError as error:
            raise Refused("mnt of %s cannot be joined: its root directory cannot be opened (%s)."
                          % (self._who, why(error))) from error

    @property
    def _who(self) -> str:
        name, pid = self._target.name, "pid %d" % self._pid
        return pid if name == pid else "%s (%s)" % (name, pid)

    def _read(self, name: str) -> bytes:
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._folder)
        try:
            return os.read(descriptor, 4096)
        finally:
            os.close(descriptor)


def _gone(target: Target, pid: int, error: OSError) -> str:
    who = target.name if target.name == "pid %d" % pid else "%s (pid %d)" % (target.name, pid)
    if error.errno in (errno.ENOENT, errno.ESRCH):
        return "%s is gone: there is no such process (%s)." % (who, why(error))
    return "%s cannot be entered (%s)." % (who, why(error))

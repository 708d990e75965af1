"""Joining: all namespaces of a target or none, and a look back whether it was those."""
from __future__ import annotations

import errno
import functools
import os
from typing import Sequence

from .._kernel.executor import FIRST, Executor, step
from .._kernel.namespaces import CLONE_NEWUSER, TYPES, takes_pidfd
from .._model.entry import Refused, Target

# The order of runc's nsexec.c. Not the user namespace: what it owns can be joined after it, what is owned further out
# (the time namespace, as a rule) only before it.
_ORDER = ("cgroup", "ipc", "uts", "net", "pid", "mnt", "time")


def descriptors(target: Target) -> list[int]:
    """What an Executor must have to join: the pidfd where there is one, namespaces, the root directory."""
    found = [] if target.pidfd is None else [target.pidfd]
    found += [target.descriptors[kind] for kind in target.types]
    if "mnt" in target.types and target.root is not None:
        found.append(target.root)
    return found


def join(executor: Executor, target: Target) -> None:
    """Put the process into the target's namespaces and root directory. Raises Refused: then it is of no more use."""
    at = FIRST + (target.pidfd is not None)
    places = {kind: at + position for position, kind in enumerate(target.types)}
    if not _at_once(executor, target):
        _one_by_one(executor, target, places)
    if "user" in target.types:
        # As runc does: the ids of who came from outside may have no meaning in there. Some have no root to become.
        executor.calls(step("setresgid", 0, 0, 0, go_on=True), step("setresuid", 0, 0, 0, go_on=True))
    verify(executor, target)
    if "mnt" in target.types and target.root is not None:
        # setns(2) leads to the root of the namespace; the process may have another (chroot(2)).
        try:
            executor.calls(step("fchdir", at + len(target.types)), step("chroot", b"."), step("chdir", b"/"))
        except OSError as error:
            raise _refused(target, "mnt", error, "its root directory could not be entered") from error


def verify(executor: Executor, target: Target) -> None:
    """Compare what the process is in with what it was to join, from outside. Raises Refused."""
    for kind in target.types:
        # The pid namespace is that of children; the others are those of the process itself.
        link = "/proc/%d/ns/%s" % (executor.pid, "pid_for_children" if kind == "pid" else kind)
        try:
            found = executor.seen(functools.partial(os.readlink, link))
        except OSError as error:
            raise _refused(target, kind, error, "what was joined cannot be read") from error
        if found != target.namespaces[kind]:
            raise Refused("%s: to join %s, which is %s, led to %s instead. Nothing has run; try again." % (
                target.name, kind, target.namespaces[kind], found))


def _at_once(executor: Executor, target: Target) -> bool:
    """By the pidfd, where target and kernel (5.8) have it; all or nothing. False: another way must be tried."""
    if target.pidfd is None or not takes_pidfd():
        return False
    mask = 0
    for kind in target.types:
        mask |= TYPES[kind]
    try:
        executor.call("setns", FIRST, mask)
    except ProcessLookupError as error:
        raise Refused("%s: its process has ended (ESRCH). Nothing has run." % target.name) from error
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EINVAL):
            return False
        raise _refused(target, ", ".join(target.types), error) from error
    return True


def _one_by_one(executor: Executor, target: Target, places: dict[str, int]) -> None:
    """runc's three phases: what may be joined as we are, the user namespace, and what may be joined then."""
    later = _phase(executor, target, places, [kind for kind in _ORDER if kind in places], "user" in places)
    if "user" in places:
        try:
            executor.call("setns", places["user"], CLONE_NEWUSER)
        except OSError as error:
            raise _refused(target, "user", error) from error
        _phase(executor, target, places, later, False)


def _phase(executor: Executor, target: Target, places: dict[str, int], kinds: Sequence[str], more: bool) -> list[str]:
    """Join these; C(more): there is another phase for those that are not permitted now."""
    later = []
    for kind in kinds:
        try:
            executor.call("setns", places[kind], TYPES[kind])
        except OSError as error:
            if not more or error.errno != errno.EPERM:
                raise _refused(target, kind, error) from error
            later.append(kind)
    return later


def _refused(target: Target, kind: str, error: OSError, what: str = "the kernel refused to join it") -> Refused:
    name = errno.errorcode.get(error.errno or 0, str(error.errno))
    hint = {
        "EPERM": "That needs CAP_SYS_ADMIN in its user namespace (and CAP_SYS_CHROOT for mnt): run the task as root"
                 " (become), or as the user who owns the container",
        "ETIMEDOUT": "The process that joins gave no answer in time",
    }.get(name, str(error.strerror or error))
    return Refused("%s of %s: %s (%s). %s. Nothing has run." % (kind, target.name, what, name, hint.rstrip(".")))

"""Who in a pid namespace could trace a command that keeps the host's mounts: they get at the host's root directory.

/proc/PID/root leads there for who has CAP_SYS_PTRACE, and also for who is the same user and has all the capabilities
that the command has (ptrace(2), "access mode checking"): as to any other user's, a container's root may change to it.
"""
from __future__ import annotations

import os

from .._kernel import nsfs
from .._kernel.proc import Proc
from .._model.entry import Refused, Target
from .._model.inventory import PID, USER

_SYS_PTRACE = 1 << 19


def refuse_tracers(target: Target, permitted: int) -> None:
    """C(permitted): the capabilities that the command will have. Raises Refused, naming the process."""
    proc = Proc()
    name = target.namespaces["pid"]
    own = proc.namespaces("self")[0]
    below: dict[str | None, bool] = {name: True, own[PID]: False}
    for pid in proc.pids():
        if target.made and pid == target.pid:
            continue  # process 1 of a unit of ns_persist, which only sleeps
        try:
            names = proc.namespaces(pid)[0]
            space = names[PID]
            if space not in below:
                below[space] = _is_below(proc.path(pid, "ns", "pid"), name)
            # In a user namespace below the command's it has no power over it.
            if not below[space] or "user" not in target.types and names[USER] not in (own[USER], None):
                continue
            held = _held(proc, pid)
        except OSError:
            continue
        for mask in held:
            if mask & _SYS_PTRACE or mask & permitted == permitted:
                raise Refused(
                    "pid of %s without mnt is refused: process %d in there %s, and could take the host's root directory"
                    " from the command. Join mnt too, or write trusted: true." % (
                        target.name, pid, "may trace others (CAP_SYS_PTRACE)" if mask & _SYS_PTRACE
                        else "may become the command's user and has its capabilities"))


def _held(proc: Proc, pid: int) -> list[int]:
    """What each living thread has, or can get by an execution: capabilities are a thread's own."""
    found = []
    for tid in proc.tids(pid):
        fields: dict[bytes, bytes] = {}
        for line in proc.read(pid, "task", tid, "status", limit=1 << 16).split(b"\n"):
            key, dummy, value = line.partition(b":")
            fields[key] = value.strip()
        if fields.get(b"State", b"")[:1] in (b"Z", b"X"):
            continue
        held = int(fields.get(b"CapPrm", b"0"), 16)
        if fields.get(b"NoNewPrivs") != b"1":
            held |= int(fields.get(b"CapBnd", b"0"), 16)
        found.append(held)
    return found


def _is_below(path: str, name: str) -> bool:
    """Whether a pid namespace lies in that one: who has an older /proc there sees the command, too."""
    try:
        current = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        while True:
            above = nsfs.parent(current)
            os.close(current)
            current = above
            if "pid:[%d]" % os.fstat(current).st_ino == name:
                return True
    except OSError:  # EPERM: that was the outermost one that we may see
        return False
    finally:
        os.close(current)

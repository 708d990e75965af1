"""The objects of an IPC namespace: of System V as /proc/sysvipc lists them, of POSIX as an mqueue file system does."""
from __future__ import annotations

import errno
from typing import Iterator, List, Tuple

from .._kernel import mqueue
from .state_look import Look, Subject, Unread

# Which columns say what an object is, not how it is used (proc_sysvipc(5)).
_COLUMNS = {
    "shm": (("mode", 2), ("size", 3), ("owner", 7), ("group", 8), ("creator", 9), ("cgroup", 10)),
    "sem": (("mode", 2), ("nsems", 3), ("owner", 4), ("group", 5), ("creator", 6), ("cgroup", 7)),
    "msg": (("mode", 2), ("owner", 7), ("group", 8), ("creator", 9), ("cgroup", 10)),
}
_NAMES = {"shm": "shm", "sem": "semaphores", "msg": "queue"}
_LIMITS = (
    "kernel/shmmax", "kernel/shmall", "kernel/shmmni", "kernel/shm_rmid_forced", "kernel/sem", "kernel/msgmax",
    "kernel/msgmnb", "kernel/msgmni", "kernel/auto_msgmni", "fs/mqueue/queues_max", "fs/mqueue/msg_max",
    "fs/mqueue/msgsize_max", "fs/mqueue/msg_default", "fs/mqueue/msgsize_default",
)


def _objects(look: Look) -> List[Tuple[str, bytes]]:
    found = []
    for kind in _COLUMNS:
        # A kernel without System V's has no such file.
        for line in look.text("sysvipc/" + kind).split(b"\n")[1:]:
            if line:
                found.append((kind, line))
    return found


def _object_words(row: Tuple[str, bytes], dummy: Look) -> Iterator[str]:
    kind, line = row
    fields = line.decode("ascii", "replace").split()
    values = {name: fields[at] for name, at in _COLUMNS[kind] if at < len(fields)}
    # SHM_DEST: it goes when nobody has it any more. SHM_LOCKED: it is not swapped.
    mode = int(values.get("mode", "0"), 8)
    states = "".join(" " + word for bit, word in ((0o1000, "dest"), (0o2000, "locked")) if mode & bit)
    yield "%s 0x%x id %s owner %s group %s mode %03o%s%s creator %s:%s" % (
        _NAMES[kind], int(fields[0]) & 0xFFFFFFFF, fields[1], values.get("owner"),
        values.get("group"), mode & 0o777, states,
        "".join(" %s %s" % (name, values[name]) for name in ("size", "nsems") if name in values),
        values.get("creator"), values.get("cgroup"))


def _queues(look: Look) -> List[Tuple[bytes, int, int, int, int, int]]:
    try:
        return mqueue.queues(look.room)
    except OSError as error:
        if error.errno == errno.EOVERFLOW:
            raise Unread("too many to be read") from error
        if error.errno == errno.ENODEV:  # a kernel without them
            return []
        raise


def _queue_words(row: Tuple[bytes, int, int, int, int, int], dummy: Look) -> Iterator[str]:
    name, mode, owner, group, most, size = row
    yield "mqueue /%s owner %d group %d mode %03o maxmsg %d msgsize %d" % (
        name.decode("utf-8", "replace"), owner, group, mode, most, size)


def _limits(look: Look) -> List[Tuple[str, bytes]]:
    found = [(path, look.text("sys/" + path)) for path in _LIMITS]
    return [row for row in found if row[1]]


def _limit_words(row: Tuple[str, bytes], dummy: Look) -> Iterator[str]:
    yield "sysctl %s = %s" % (row[0].replace("/", "."), " ".join(row[1].decode("ascii", "replace").split()))


SUBJECTS = (
    Subject("System V objects", _objects, _object_words),
    Subject("message queues", _queues, _queue_words),
    Subject("ipc sysctls", _limits, _limit_words),
)

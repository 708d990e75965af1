"""What is written down beside the namespaces of a unit of ns_persist: which of them we made, and their process 1."""
from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import asdict, dataclass, field
from typing import List, Optional

from .._kernel.proc import GONE, Proc
from .._kernel.reader import read_regular
from .._model.inventory import TYPES

FILE = "unit.json"
_MOST = 1 << 16     # bytes
_MOST_PID = 1 << 22  # PID_MAX_LIMIT, include/linux/threads.h
_CGROUP = re.compile(r"[\w-][\w.-]*|")


@dataclass
class Record:
    """C(made): the types that were made for the unit and not taken from somebody else.

    C(init), C(start_time): the process 1 that we started for its pid namespace (C(pid_namespace)), None without one;
    C(cgroup): the name of the cgroup outside of the login in which it is.
    """

    boot_id: str = ""
    made: List[str] = field(default_factory=list)
    init: Optional[int] = None
    start_time: Optional[int] = None
    pid_namespace: str = ""
    cgroup: str = ""

    def init_lives(self, proc: Optional[Proc] = None) -> bool:
        """Whether the process 1 that we started is still there, and is that one."""
        proc = proc or Proc()
        return self.is_there(proc) and self._is_ours(proc)

    def is_there(self, proc: Optional[Proc] = None) -> bool:
        """Whether the process that is written down has not ended yet."""
        proc = proc or Proc()
        if self.init is None or self.boot_id != boot_id(proc):
            return False
        try:
            found = proc.stat(self.init)
        except OSError as error:
            if error.errno in GONE:
                return False
            raise
        return found.start_time == self.start_time and found.state not in "ZX"

    def _is_ours(self, proc: Proc) -> bool:
        """Whether it is what we start: process 1 of that pid namespace, and an Executor.

        The word of the record is not enough: the root of a container that has the folder is who may write it, and
        would have us end any process.
        """
        try:
            space = os.readlink(proc.path(self.init, "ns", "pid"))
            number = proc.status(int(self.init or 0)).get("NSpid", "1").split()[-1]
            image = os.stat(proc.path(self.init, "exe"))
        except PermissionError:
            return True  # who may not look has nothing but the record
        except OSError:
            return False
        # The file of an Executor has no name, and no mode from the moment on when it was executed.
        return (space, number) == (self.pid_namespace, "1") and not image.st_nlink and not stat.S_IMODE(image.st_mode)


def boot_id(proc: Optional[Proc] = None) -> str:
    """Of this boot: pids of an earlier one mean nothing."""
    try:
        return (proc or Proc()).read("sys", "kernel", "random", "boot_id").decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def load(folder: str) -> Record:
    """The record of a unit's folder; an empty one where there is none that can be understood, or only root's may be.

    Whoever else could write it could have root end any process.
    """
    try:
        found = json.loads(read_regular(os.path.join(folder, FILE), _MOST, os.geteuid()))
        record = Record(**{key: found.get(key) for key in asdict(Record())})
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        return Record()
    whole = isinstance(record.made, list) and all(kind in TYPES for kind in record.made)
    numbers = _is_number(record.init, _MOST_PID) and _is_number(record.start_time, 1 << 64)
    texts = all(isinstance(each, str) for each in (record.boot_id, record.pid_namespace, record.cgroup))
    return record if whole and numbers and texts and _CGROUP.fullmatch(record.cgroup) else Record()


def _is_number(value: object, below: int) -> bool:
    return value is None or isinstance(value, int) and 0 < value < below


def save(folder: str, record: Record) -> None:
    """Write it, all or nothing. Raises OSError."""
    path = os.path.join(folder, FILE)
    descriptor = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, json.dumps(asdict(record)).encode("ascii"))
    finally:
        os.close(descriptor)
    os.rename(path + ".new", path)

"""What is written down beside the namespaces of a unit of ns_persist: which of them we made, and their process 1."""
from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from typing import List, Optional

from .._kernel.proc import GONE, Proc
from .._kernel.reader import read_regular
from .._model.inventory import TYPES

FILE = "unit.json"
_MOST = 1 << 16  # bytes


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
        if self.init is None or self.boot_id != boot_id(proc):
            return False
        try:
            found = proc.stat(self.init)
        except OSError as error:
            if error.errno in GONE:
                return False
            raise
        return found.start_time == self.start_time and found.state not in "ZX"


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
    except (OSError, ValueError, AttributeError, TypeError):
        return Record()
    whole = all(kind in TYPES for kind in record.made or ()) and isinstance(record.made, list)
    numbers = all(each is None or isinstance(each, int) for each in (record.init, record.start_time))
    texts = all(isinstance(each, str) for each in (record.boot_id, record.pid_namespace, record.cgroup))
    return record if whole and numbers and texts and "/" not in record.cgroup else Record()


def save(folder: str, record: Record) -> None:
    """Write it, all or nothing. Raises OSError."""
    path = os.path.join(folder, FILE)
    descriptor = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, json.dumps(asdict(record)).encode("ascii"))
    finally:
        os.close(descriptor)
    os.rename(path + ".new", path)

"""newuidmap(1) and newgidmap(1): who is not root has delegated ids mapped by them, which are set-user-ID programs."""
from __future__ import annotations

import os
import select
import shutil
import signal
import time
from typing import Sequence

from .._model.entry import Refused
from .id_maps import IdRange

_SECONDS = 10.0
_MOST_SAID = 4096
_HELPERS = {"uid_map": "newuidmap", "gid_map": "newgidmap"}


def run_helper(file: str, pid: int, ranges: Sequence[IdRange]) -> None:
    """Have the map C(file) of a process written. Raises Refused."""
    name = _HELPERS[file]
    path = shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/bin:/bin")
    if path is None:
        raise Refused("%s is needed to map ids that are delegated, and it is not installed: install it (Debian's"
                      " package uidmap, Fedora's shadow-utils), or run the task as root." % name)
    arguments = [str(number) for each in ranges for number in each]
    said, rc = _run([path, str(pid), *arguments])
    if rc:
        raise Refused("%s %s ended with %d: %s. Nothing has run." % (
            name, " ".join(arguments), rc, " ".join(said.decode("utf-8", "replace").split())[:300] or "no word"))


def _run(argv: Sequence[str]) -> tuple[bytes, int]:
    """What a program said, and its status; ended after some seconds."""
    reader, writer = os.pipe()
    try:
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        try:
            pid = os.posix_spawn(argv[0], list(argv), {"PATH": os.defpath, "LC_ALL": "C"}, file_actions=[
                (os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, writer, 1), (os.POSIX_SPAWN_DUP2, writer, 2)])
        finally:
            os.close(null)
            os.close(writer)
        said = _read(reader, time.monotonic() + _SECONDS)
        if said is None:
            os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
    finally:
        os.close(reader)
    return said or b"it took too long", -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _read(reader: int, until: float) -> bytes | None:
    """All that is said, None where it does not end in time."""
    waiting = select.poll()
    waiting.register(reader, select.POLLIN)
    said = b""
    while True:
        left = until - time.monotonic()
        if left <= 0 or not waiting.poll(left * 1000):
            return None
        piece = os.read(reader, _MOST_SAID)
        if not piece:
            return said
        said = (said + piece)[:_MOST_SAID]

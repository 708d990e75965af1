"""The environment that a command will have, and what its arguments say when they are expanded from it.

Names and values are bytes: what a process has in its environment reaches execve(2) as it is.
"""
from __future__ import annotations

import os
import re
from typing import Callable, Mapping, Optional

from .._kernel.reader import FileReader
from .._model.entry import Refused, Target

# A user's name -> its home directory, None for who is unknown.
Homes = Callable[[str], Optional[str]]

_MOST = 256 << 10  # bytes of a process's environment
_PATH = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # as engines have it where an image has none
_VARIABLE = re.compile(r"\$(\w+|\{[^}]*\})", re.ASCII)  # posixpath.expandvars


def encoded(text: str) -> bytes:
    """As Ansible encodes what it was given, whatever the locale; ValueError for lone surrogates of no byte."""
    return text.encode("utf-8", "surrogateescape")


def of_host() -> dict[bytes, bytes]:
    """The module's own, without where Ansible keeps its modules (as ansible.builtin.command has it)."""
    found = dict(os.environb)
    python = found.pop(b"PYTHONPATH", b"").split(b":")
    python = [path for path in python if path and not path.endswith((b"/ansible_modlib.zip", b"/debug_dir"))]
    if python:
        found[b"PYTHONPATH"] = b":".join(python)
    return found


def of_target(target: Target, until: float, read: Callable[[int], bytes] | None = None) -> dict[bytes, bytes]:
    """What the target's process was started with. Raises Refused.

    A process decides itself what is there, and whoever keeps its memory locked makes the reader wait: a child reads,
    that of C(read) where there is one already.
    """
    if target.pid is None:
        raise Refused(
            "the environment of %s was asked for, but no process is in it: set environment_from to host or none"
            % target.name
        )
    try:
        if read is not None:
            found = parse(read(_MOST))
        else:
            with FileReader("/proc/%d" % target.pid, until=until) as reader:
                found = parse(reader.read("/environ", _MOST))
    except OSError as error:
        raise Refused(
            "the environment of %s could not be read (/proc/%d/environ: %s): set environment_from to host or none"
            % (target.name, target.pid, "larger than %d KiB" % (_MOST >> 10) if _too_large(error) else error.strerror)
        ) from error
    if target.pidfd is not None and _has_ended(target.pidfd):
        # Its number may have been somebody else's by then.
        raise Refused("the environment of %s could not be read: its process %d has ended" % (target.name, target.pid))
    return found


def parse(content: bytes) -> dict[bytes, bytes]:
    """/proc/PID/environ: what has no name is dropped, of several values the first counts, as for getenv(3)."""
    found: dict[bytes, bytes] = {}
    for entry in content.split(b"\0"):
        name, equals, value = entry.partition(b"=")
        if name and equals:
            found.setdefault(name, value)
    return found


def inherited(source: str, target: Target, until: float,
              read: Callable[[int], bytes] | None = None) -> dict[bytes, bytes]:
    """The environment of the C(host), the C(target), or C(none). Raises Refused."""
    if source == "none":
        return {}
    return of_host() if source == "host" else of_target(target, until, read)


def completed(found: Mapping[bytes, bytes], home: str | None, extra: Mapping[str, str]) -> dict[bytes, bytes]:
    """With the C(home) of who runs the command (None: HOME stays as it is), a PATH if there is none, and C(extra)."""
    environment = dict(found)
    if home is not None:
        environment[b"HOME"] = encoded(home)
    environment.setdefault(b"PATH", _PATH)
    for name, value in extra.items():
        environment[encoded(name)] = encoded(value)
    return environment


def expand(text: str, environment: Mapping[bytes, bytes], homes: Homes) -> str:
    """Variables, then a leading C(~) or C(~name), as os.path.expandvars and os.path.expanduser; unknown ones stay."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        known = environment.get(encoded(name[1:-1] if name.startswith("{") else name))
        return match.group() if known is None else known.decode("utf-8", "surrogateescape")

    text = _VARIABLE.sub(value, text)
    if not text.startswith("~"):
        return text
    name, slash, rest = text[1:].partition("/")
    if name or b"HOME" not in environment:
        home = homes(name)
    else:
        home = environment[b"HOME"].decode("utf-8", "surrogateescape")
    return text if home is None else (home.rstrip("/") + slash + rest) or "/"


def _too_large(error: OSError) -> bool:
    import errno

    return error.errno == errno.EFBIG


def _has_ended(pidfd: int) -> bool:
    import select

    waiting = select.poll()
    waiting.register(pidfd, select.POLLIN)
    return bool(waiting.poll(0))

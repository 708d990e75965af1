"""What those who live in a network believe: resolv.conf(5), hosts(5), hostname(5), read from their own root directory.

Whoever rules there decides what is in its place: a link that leads elsewhere, a FIFO, a file without end, a file system
that never answers. So a child reads, within the root, regular files only, a bounded part.
"""
from __future__ import annotations

import errno
import json
import os
import stat

from .._kernel.child import Child
from .._kernel.in_root import is_stored, open_in_root
from .._model.inventory import TRUNCATED, Problems
from .._model.network import Dns, Hosts

_READ = b"R"
_MOST = 1 << 17  # bytes of a file
_LONGEST = 255   # characters of a name, as in RFC 1035


class Believed:
    """Reads what processes have in /etc, each file within two seconds and all before C(until). Close it when done."""

    def __init__(self, until: float, most: int) -> None:
        self._child = Child(lambda: _answer, until)
        self._most = most

    def read(self, root: str, problems: Problems, where: str, trusted: bool = False) -> Dns | None:
        """What is there below C(root), a path like /proc/PID/root; what of it was refused goes to C(problems).

        None when nothing could be looked at. C(trusted): the root is our own, files of the kernel's may be in it.
        """
        texts: dict[str, str] = {}
        hung: OSError | None = None
        for name in ("resolv.conf", "hosts", "hostname"):
            try:
                if hung is not None:
                    # Each that hangs costs time that others need, and a child that may not end for long.
                    raise hung
                raw = self._child.ask(_READ, json.dumps([root, "etc/" + name, trusted]).encode("ascii"))[0]
            except OSError as error:
                hung = error if isinstance(error, TimeoutError) else None
                # Without such a file the defaults of the C library hold; EINVAL is no regular file.
                if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                    texts[name] = ""
                else:
                    problems.error("%s of %s" % (name, where), error)
                continue
            if len(raw) > _MOST:
                problems.add("%s of %s" % (name, where), TRUNCATED)
                raw = raw[:_MOST].rpartition(b"\n")[0]
            texts[name] = raw.decode("utf-8", "replace")
        if not texts:
            return None
        found = parse_resolv_conf(texts.get("resolv.conf", ""), self._most)
        found["hosts"] = parse_hosts(texts.get("hosts", ""))
        if len(found["hosts"]) > self._most:
            problems.add("hosts of %s" % where, TRUNCATED, len(found["hosts"]) - self._most)
            del found["hosts"][self._most:]
        found["hostname"] = parse_hostname(texts.get("hostname", ""))
        return found

    def close(self) -> None:
        """End the child."""
        self._child.close()


def parse_resolv_conf(text: str, most: int) -> Dns:
    """resolv.conf(5) as glibc reads it: keywords begin a line, the last C(search) or C(domain) counts."""
    found: Dns = {"nameservers": [], "search": [], "options": [], "hosts": [], "hostname": None}
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2 or line[0] in " \t#;":
            continue
        values = [word[:_LONGEST] for word in words[1:most + 1]]
        if words[0] == "nameserver":
            if len(found["nameservers"]) < most:
                found["nameservers"].append(values[0])
        elif words[0] in ("search", "domain"):
            found["search"] = values if words[0] == "search" else values[:1]
        elif words[0] == "options":
            found["options"].extend(values[:max(0, most - len(found["options"]))])
    return found


def parse_hosts(text: str) -> list[Hosts]:
    """hosts(5): an address and its names a line, comments left out."""
    found: list[Hosts] = []
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) > 1:
            found.append({"address": words[0][:_LONGEST], "names": [word[:_LONGEST] for word in words[1:33]]})
    return found


def parse_hostname(text: str) -> str | None:
    """hostname(5): the first line that is no comment."""
    for line in text.splitlines():
        name = line.strip()
        if name and not name.startswith("#"):
            return name[:_LONGEST]
    return None


def _answer(dummy: bytes, body: bytes, dummy2: int | None) -> tuple[bytes, int | None]:
    root, path, trusted = json.loads(body)
    try:
        folder = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH), root) from None
    try:
        handle = open_in_root(folder, path)
    finally:
        os.close(folder)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode) or not (trusted or is_stored(handle)):
            raise OSError(errno.EINVAL, "not a regular file", path)
        descriptor = os.open("/proc/self/fd/%d" % handle, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    finally:
        os.close(handle)
    try:
        chunks, size = [], 0
        while size <= _MOST:
            chunk = os.read(descriptor, _MOST + 1 - size)
            if not chunk:
                break
            chunks.append(chunk)
            size += len(chunk)
        return b"".join(chunks), None
    finally:
        os.close(descriptor)

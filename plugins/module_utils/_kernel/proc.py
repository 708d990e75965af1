"""Readers of /proc (proc(5)): one class, rooted anywhere, so that a recorded tree can be fed to it.

Every reader raises C(OSError) with errno kept. What a death means (GONE) is for callers to say.
"""
from __future__ import annotations

import errno
import math
import os
import time
from typing import Iterator, NamedTuple, Sequence

# ESRCH: the task was reaped after we had opened the file; ENOENT: before.
GONE = (errno.ENOENT, errno.ESRCH)

# In the order of the vocabulary.
NAMESPACE_TYPES = ("mnt", "uts", "ipc", "pid", "net", "user", "cgroup", "time")
# Links to what the next child will be in, and the position of the type's own link.
CHILDREN_LINKS = (("pid_for_children", 3), ("time_for_children", 7))
ALL_LINKS = NAMESPACE_TYPES + tuple(link for link, dummy in CHILDREN_LINKS)

_CHUNK = 65536
_PF_EXITING = 0x00000004  # include/linux/sched.h
_LONGEST_MOUNTINFO = 1.0  # seconds
_O_PATH_DIR = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


class Stat(NamedTuple):
    """The fields of /proc/PID/stat that we use; C(start_time) in clock ticks since boot."""

    comm: str
    state: str
    ppid: int
    flags: int
    threads: int
    start_time: int


class Cgroup(NamedTuple):
    """A line of /proc/PID/cgroup, see cgroups(7): hierarchy 0 and no controllers is version 2."""

    hierarchy: int
    controllers: str
    path: str


class Mount(NamedTuple):
    """What we use of a line of /proc/PID/mountinfo: C(root) is the mount's root inside its file system."""

    device: str
    root: str
    path: str
    fstype: str
    source: str
    options: str


def text(raw: bytes) -> str:
    """Bytes of unknown origin as valid UTF-8 text: what is not UTF-8 becomes U+FFFD."""
    return raw.decode("utf-8", "replace")


def parse_stat(raw: bytes) -> Stat:
    """Parse /proc/PID/stat. The comm may hold spaces, brackets and newlines: the last ')' ends it.

    Raises ValueError when the line is cut off.
    """
    line = text(raw)
    start, end = line.find("("), line.rfind(")")
    fields = line[end + 2:].split(" ", 20)  # of 50: this is done for every process
    if start < 0 or end < start or len(fields) < 20:
        raise ValueError("cut off: %d bytes" % len(raw))
    return Stat(line[start + 1:end], fields[0], int(fields[1]), int(fields[6]), int(fields[17]), int(fields[19]))


def parse_cgroups(raw: bytes) -> list[Cgroup]:
    """Parse /proc/PID/cgroup; lines that are not of its form are passed over."""
    found = []
    for line in raw.split(b"\n"):
        parts = line.split(b":", 2)
        if len(parts) == 3 and parts[0].isdigit():
            found.append(Cgroup(int(parts[0]), text(parts[1]), text(parts[2])))
    return found


def unescape(field: bytes) -> bytes:
    """A path as the kernel has it: it writes space, tab, newline and backslash as three octal digits (seq_path)."""
    if b"\\" not in field:
        return field
    pieces = field.split(b"\\")
    out = [pieces[0]]
    for piece in pieces[1:]:
        digits = piece[:3]
        if len(digits) == 3 and all(48 <= digit <= 55 for digit in digits):
            out.append(bytes([int(digits, 8) & 0xFF]) + piece[3:])
        else:
            out.append(b"\\" + piece)
    return b"".join(out)


def parse_mount(line: bytes) -> Mount | None:
    """Parse one line of mountinfo; None when it is not of that form (cut off, say)."""
    fields = line.split(b" ")
    try:
        separator = fields.index(b"-", 6)
        return Mount(
            text(fields[2]), text(unescape(fields[3])), text(unescape(fields[4])),
            text(fields[separator + 1]), text(unescape(fields[separator + 2])), text(fields[5]),
        )
    except (IndexError, ValueError):
        return None


def parse_status(raw: bytes) -> dict[str, str]:
    """Parse /proc/PID/status into its fields. The Name field is escaped by the kernel and cannot forge a line."""
    found = {}
    for line in raw.split(b"\n"):
        key, colon, value = line.partition(b":")
        if colon:
            found[text(key)] = text(value.strip())
    return found


class Proc:
    """A mounted proc file system, or a recorded copy of one, at C(root)."""

    def __init__(self, root: str = "/proc") -> None:
        self.root = root

    def path(self, *parts: object) -> str:
        """The path of an entry below the root."""
        return "/".join([self.root, *map(str, parts)])

    def pids(self) -> list[int]:
        """Every process listed, in numerical order."""
        return sorted(int(name) for name in os.listdir(self.root) if name.isdecimal())

    def tids(self, pid: int) -> list[int]:
        """The threads of a process, its main thread included."""
        return sorted(int(name) for name in os.listdir(self.path(pid, "task")) if name.isdecimal())

    def read(self, *parts: object, limit: int = 1 << 20) -> bytes:
        """Up to C(limit) bytes of an entry."""
        # O_NONBLOCK for recorded trees: a FIFO in there must not stop us.
        descriptor = os.open(self.path(*parts), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            chunks: list[bytes] = []
            size = 0
            while size < limit:
                chunk = os.read(descriptor, min(limit - size, _CHUNK))
                if not chunk:
                    break
                chunks.append(chunk)
                size += len(chunk)
            return b"".join(chunks)
        finally:
            os.close(descriptor)

    def stat(self, pid: int) -> Stat:
        """The parsed stat of a process. A cut-off file counts as a process that is gone."""
        descriptor = os.open("%s/%d/stat" % (self.root, pid), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            raw = os.read(descriptor, 4096)
        finally:
            os.close(descriptor)
        try:
            return parse_stat(raw)
        except ValueError:
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH), "%s/%d/stat" % (self.root, pid)) from None

    def is_ending(self, pid: int, tid: int | None = None) -> bool:
        """Whether a process or thread has ended or is about to: then its entries may say EACCES, whoever asks."""
        try:
            found = parse_stat(self.read(pid, "stat") if tid is None else self.read(pid, "task", tid, "stat"))
        except (OSError, ValueError):
            return True
        return bool(found.flags & _PF_EXITING) and (tid is not None or found.threads <= 1)

    def namespaces(
        self, pid: object, tid: int | None = None, links: Sequence[str] = ALL_LINKS
    ) -> tuple[list[str | None], OSError | None]:
        """The namespaces of a process or thread by their C(links): texts such as C(net:[4026531840]).

        None stands for a type that could not be told; the second value is the first refusal that is not just a
        missing type or an unfinished fork (ENOENT on one link while others are there).
        Raises OSError when the directory itself cannot be opened.
        """
        where = "%s/%s/ns" % (self.root, pid) if tid is None else "%s/%s/task/%d/ns" % (self.root, pid, tid)
        directory = os.open(where, _O_PATH_DIR)
        readlink = os.readlink
        try:
            try:
                # The whole of it in one go: at 5,000 processes this loop is what the scan costs.
                return [readlink(name, dir_fd=directory) for name in links], None
            except OSError:
                found: list[str | None] = []
                refusal: OSError | None = None
                for name in links:
                    try:
                        found.append(readlink(name, dir_fd=directory))
                    except OSError as error:
                        found.append(None)
                        if error.errno != errno.ENOENT and refusal is None:
                            refusal = error
                return found, refusal
        finally:
            os.close(directory)

    def descriptors(self, pid: int, tid: int | None = None) -> Iterator[tuple[int, str]]:
        """Number and target of each open descriptor. Only links are read: a stat() could hang on a dead NFS."""
        where = "%s/%d/fd" % (self.root, pid) if tid is None else "%s/%d/task/%d/fd" % (self.root, pid, tid)
        prefix = where + "/"
        # Not listdir: a process may have a million descriptors, and the caller may not want to see them all.
        with os.scandir(where) as entries:
            for entry in entries:
                name = entry.name
                try:
                    yield int(name), os.readlink(prefix + name)
                except OSError as error:
                    # A descriptor that was closed meanwhile; a process that died meanwhile ends the same way.
                    if error.errno not in GONE:
                        raise

    def root_of(self, pid: int) -> str:
        """The root directory of a process; one that did not chroot(2) has C(/), also in another mount namespace."""
        return os.readlink("%s/%d/root" % (self.root, pid))

    def cgroup_text(self, *place: object) -> bytes:
        """The raw /proc/PID/cgroup: thousands of processes share a few texts, so callers parse each only once."""
        return self.read(*place, "cgroup", limit=_CHUNK)

    def status(self, pid: int) -> dict[str, str]:
        """The fields of /proc/PID/status."""
        return parse_status(self.read(pid, "status", limit=_CHUNK))

    def mount_lines(self, *parts: object, limit: int = 32 << 20, until: float = math.inf) -> Iterator[bytes]:
        """The lines of a mountinfo file, read piece by piece; after C(limit) bytes of it OSError EFBIG.

        TimeoutError when it takes longer than C(until) (of time.monotonic()): the kernel's work for mounts that are
        stacked on each other grows with the square of their number.
        """
        # Less for each namespace than for all: whoever makes such mounts loses what is seen of his own.
        until = min(until, time.monotonic() + _LONGEST_MOUNTINFO)
        descriptor = os.open(self.path(*parts), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            rest, size = b"", 0
            while True:
                chunk = os.read(descriptor, _CHUNK)
                if not chunk:
                    break
                if size >= limit:
                    raise OSError(errno.EFBIG, "larger than %d bytes" % limit, self.path(*parts))
                size += len(chunk)
                if time.monotonic() > until:
                    raise TimeoutError(errno.ETIMEDOUT, "too many mounts to read in time", self.path(*parts))
                lines = (rest + chunk).split(b"\n")
                rest = lines.pop()
                yield from lines
            if rest:
                yield rest
        finally:
            os.close(descriptor)

    def mounts(self, pid: object, until: float = math.inf) -> Iterator[Mount]:
        """The mounts that a process sees; raises as mount_lines does."""
        for line in self.mount_lines(pid, "mountinfo", until=until):
            mount = parse_mount(line)
            if mount is not None:
                yield mount

"""A child that has joined a target's mounts, and looks up there what a command will need: users, programs, paths.

It never enters the pid namespace, executes nothing, and loads nothing from where it is: all that it needs was imported
before, the message catalogues of the C library are switched off (strerror(3) would open those of the container), and
users are read from files, not through NSS. It has no descriptor of the host's but its line to us and its own
/proc/self/fd.
"""
from __future__ import annotations

import errno
import json
import os
from typing import Any, Sequence

from .._kernel.child import Answer, Child
from .._kernel.files import read_up_to
from .._kernel.prctl import set_dumpable
from .._model.entry import Refused, Target
from . import accounts
from .lookup import MOST_ENTRIES, Lookup
from .scout_child import become, close_others, environment_of, hide, join, keep, load

_READ, _FOLDER, _PROGRAM, _EXISTS, _BECOME, _ENVIRONMENT = b"R", b"F", b"P", b"E", b"B", b"V"
_MOST = 1 << 20     # bytes of passwd(5) and group(5)
_CHANGERS = 1 << 6 | 1 << 7 | 1 << 8  # CAP_SETGID, CAP_SETUID, CAP_SETPCAP: to become somebody else later
_TIMEOUT = 5.0      # seconds for one request


class Scout:
    """Looks things up where the command will run, each within some seconds and all before C(until). Close it when done.

    C(capabilities): the mask that the command will have at most; None for what the kernel gives. C(become) first
    whom the command runs as, which C(account) tells, before asking for paths. With the host's mounts and user
    everything is looked up right here, below the target's root directory if it has one.
    """

    def __init__(self, target: Target, until: float, capabilities: int | None = None) -> None:
        self._target = target
        self._capabilities = capabilities
        self._joins = [name for name in ("mnt", "user") if name in target.types]
        self._mounts = "mnt" in self._joins or target.root is not None
        self._who: tuple[int, int, list[int]] | None = None
        self._child = Child(self._prepare, until, _TIMEOUT)
        self._here: Lookup | None = None
        self._own: int | None = None

    def account(self, user: str | None, group: str | None = None) -> accounts.Account:
        """Of C(NAME), C(UID), either with C(:GROUP), root for None. Raises Refused, OSError."""
        if not self._mounts:
            return accounts.on_host(user, group)
        name, primary = accounts.split(user, group)
        passwd = self._file(accounts.PASSWD, accounts.number(name) is None)
        content = self._file(accounts.GROUP, bool(primary) and accounts.number(primary) is None)
        return accounts.in_files(passwd, content, user, group, self._target.name)

    def home(self, name: str) -> str | None:
        """The home directory of a user's name (of whom the command runs as for ""), None if there is none."""
        uid = str(self._who[0] if self._who else os.geteuid()) if not name else None
        try:
            found = self.account(uid or name)
        except (Refused, OSError):
            return None
        return found.home if found.name else None

    def become(self, uid: int, gid: int, groups: Sequence[int]) -> None:
        """From now on look as the command's user, groups and capabilities. Raises OSError, Refused."""
        who = (uid, gid, list(groups))
        same = (uid, gid) == (os.geteuid(), os.getegid()) and set(groups) <= {gid, *os.getgroups()}
        if not self._joins and same and self._capabilities is None:
            return
        if self._who is not None:
            self._child.close()
        elif self._joins:
            self._ask(_BECOME, who)
        self._who = who

    def program(self, name: str, search: str, folder: str = "/") -> str:
        """The absolute path of the program that execvpe(3) would execute with C(search) as PATH. Raises Refused."""
        try:
            return os.fsdecode(self._ask(_PROGRAM, (name, search, folder)))
        except OSError as error:
            raise Refused(self._no_program(name, search, error)) from error

    def exists(self, pattern: str, folder: str = "/") -> bool:
        """Whether a pattern as C(creates) of ansible.builtin.command has a match. Raises Refused if nobody can tell."""
        try:
            return bool(self._ask(_EXISTS, (pattern, folder)))
        except OSError as error:
            why = "more than %d names" % MOST_ENTRIES if error.errno == errno.E2BIG else _code(error)
            if error.errno == errno.ELOOP:
                why += ", its links have no end or lead through /proc"
            raise Refused(
                "whether %s exists %s could not be told (%s): give a path that can be looked at"
                % (pattern, self._in(), why)
            ) from error

    def folder(self, path: str) -> None:
        """Check that a command may begin in this folder. Raises Refused."""
        try:
            self._ask(_FOLDER, (path,))
        except OSError as error:
            raise Refused(
                "chdir to %s %s is not possible (%s): give a folder that its user may enter"
                % (path, self._in(), _code(error))
            ) from error

    def read(self, path: str, limit: int) -> bytes:
        """A regular file of at most C(limit) bytes. OSError: EINVAL for any other, EFBIG for a larger one."""
        content = self._ask(_READ, (path, limit + 1))
        if len(content) > limit:
            raise OSError(errno.EFBIG, "larger than %d bytes" % limit, path)
        return content

    def environment(self, limit: int) -> bytes:
        """What the target's process was started with. OSError: EFBIG for more than C(limit) bytes."""
        content = self._ask(_ENVIRONMENT, (limit + 1,))
        if len(content) > limit:
            raise OSError(errno.EFBIG, "larger than %d bytes" % limit)
        return content

    def close(self) -> None:
        """End the child."""
        self._child.close()
        if self._own is not None:
            os.close(self._own)
            self._own = self._here = None

    def _file(self, path: str, needed: bool) -> bytes:
        try:
            content = self._ask(_READ, (path, _MOST + 1))
        except OSError as error:
            if needed and error.errno != errno.ENOENT:
                raise Refused(
                    "%s of %s could not be read (%s): give numbers for user and group"
                    % (path, self._where(), "no regular file" if error.errno == errno.EINVAL else _code(error))
                ) from error
            return b""
        return content if len(content) <= _MOST else content[:_MOST].rpartition(b"\n")[0]

    def _ask(self, what: bytes, details: Any) -> bytes:
        if any("\0" in detail for detail in details if isinstance(detail, str)):
            raise OSError(errno.EINVAL, "a NUL byte in a path")
        if self._joins or self._who is not None:
            return self._child.ask(what, json.dumps(details).encode("ascii"))[0]
        if self._here is None:
            self._own = os.open("/proc/self/fd", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            self._here = Lookup(self._target.root, self._own)
        return _look(self._here, what, details)

    def _where(self) -> str:
        return self._target.name if self._mounts else "the host"

    def _in(self) -> str:
        return "%s %s" % ("in" if self._mounts else "on", self._where())

    def _no_program(self, name: str, search: str, error: OSError) -> str:
        where = self._in()
        if error.errno == errno.EACCES:
            return "%s may not be executed %s by the command's user (EACCES): mind its mode and its mount" % (
                name, where)
        if error.errno != errno.ENOENT:
            return "%s could not be looked up %s (%s): give the path of a program" % (name, where, _code(error))
        told = "" if "/" in name else ", PATH is %s" % search
        if not self._mounts:
            # A small host has neither ip nor ps: who gave a bare name has no other path to give.
            install = "" if "/" in name else "install it, or "
            inside = ", or join mnt too for one of %s" % self._target.name if self._target.container is not None else ""
            return "%s is not on the host (ENOENT%s): %sgive the path of a program that is there%s" % (
                name, told, install, inside)
        import shutil

        missing = "%s is not in %s (ENOENT%s)" % (name, self._target.name, told)
        found = shutil.which(name, path="%s:/usr/sbin:/sbin" % os.environ.get("PATH", os.defpath))
        if found and os.path.isabs(found):
            if not self._joins:
                return "%s, but the host has %s: leave out root to use that one" % (missing, found)
            return "%s, but the host has %s: join without mnt to use that one, for example namespaces: [net]" % (
                missing, found)
        return missing + ": give the path of a program that is there"

    def _prepare(self) -> Answer:
        """In the child. Its order: what needs our files, then the joins, then giving up what joining needed."""
        load()
        set_dumpable(False)
        own = os.open("/proc/self/fd", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        target = self._target
        needed = [target.descriptors[name] for name in self._joins]
        if self._mounts and target.root is not None:
            needed.append(target.root)
        # Opened while we may, and while /proc is ours.
        environment = environment_of(target)
        kept = [environment] if isinstance(environment, int) else []
        close_others([0, 1, 2, self._child.line(), own, *needed, *kept])
        join(target, self._joins)
        root = None if self._joins else target.root
        for descriptor in needed:
            if descriptor != root:
                os.close(descriptor)
        if "mnt" in self._joins:
            root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        lookup = Lookup(root, own)
        mask = self._capabilities
        if self._who is not None:
            become(self._who, mask)
        elif mask is not None:
            keep(mask | _CHANGERS)
        hide()

        def answer(what: bytes, body: bytes, dummy: int | None) -> tuple[bytes, int | None]:
            nonlocal environment
            details = json.loads(body)
            if what == _BECOME:
                if isinstance(environment, int):
                    os.close(environment)
                    environment = OSError(errno.EBADF, os.strerror(errno.EBADF))
                become(details, mask)
                hide()
                return b"", None
            if what == _ENVIRONMENT:
                if isinstance(environment, OSError):
                    raise environment
                return read_up_to(environment, details[0]), None
            return _look(lookup, what, details), None

        return answer


def _look(lookup: Lookup, what: bytes, details: Any) -> bytes:
    if what == _READ:
        return lookup.read(*details)
    if what == _PROGRAM:
        return os.fsencode(lookup.program(*details))
    if what == _EXISTS:
        return b"1" if lookup.exists(*details) else b""
    lookup.folder(*details)
    return b""


def _code(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, str(error.strerror))

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
import signal
from typing import Any, Callable, Sequence

from .._kernel.child import Answer, Child
from .._kernel.files import close_range
from .._kernel.libc import libc
from .._kernel.namespaces import TYPES, setns
from .._kernel.prctl import set_dumpable, set_pdeathsig
from .._kernel.privileges import CapabilitySets, capget, capset, set_keepcaps
from .._model.entry import Refused, Target
from . import accounts
from .lookup import MOST_ENTRIES, Lookup

_READ, _FOLDER, _PROGRAM, _EXISTS, _BECOME = b"R", b"F", b"P", b"E", b"B"
_MOST = 1 << 20     # bytes of passwd(5) and group(5)
_CHANGERS = 1 << 6 | 1 << 7 | 1 << 8  # CAP_SETGID, CAP_SETUID, CAP_SETPCAP: to become somebody else later
_TIMEOUT = 5.0      # seconds for one request


class Scout:
    """Looks things up where the command will run, each within some seconds and all before C(until). Close it when done.

    C(capabilities): the mask that the command will have at most; None for what the kernel gives. C(become) first
    whom the command runs as, which C(account) tells, before asking for paths. With the host's mounts and user
    everything is looked up right here.
    """

    def __init__(self, target: Target, until: float, capabilities: int | None = None) -> None:
        self._target = target
        self._capabilities = capabilities
        self._joins = [name for name in ("mnt", "user") if name in target.types]
        self._mounts = "mnt" in self._joins
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
                "whether %s exists in %s could not be told (%s): give a path that can be looked at"
                % (pattern, self._where(), why)
            ) from error

    def folder(self, path: str) -> None:
        """Check that a command may begin in this folder. Raises Refused."""
        try:
            self._ask(_FOLDER, (path,))
        except OSError as error:
            raise Refused(
                "chdir to %s in %s is not possible (%s): give a folder that its user may enter"
                % (path, self._where(), _code(error))
            ) from error

    def read(self, path: str, limit: int) -> bytes:
        """A regular file of at most C(limit) bytes. OSError: EINVAL for any other, EFBIG for a larger one."""
        content = self._ask(_READ, (path, limit + 1))
        if len(content) > limit:
            raise OSError(errno.EFBIG, "larger than %d bytes" % limit, path)
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
            self._here = Lookup(None, self._own)
        return _look(self._here, what, details)

    def _where(self) -> str:
        return self._target.name if self._mounts else "the host"

    def _no_program(self, name: str, search: str, error: OSError) -> str:
        where = self._where()
        if error.errno == errno.EACCES:
            return "%s may not be executed in %s by the command's user (EACCES): mind its mode and its mount" % (
                name, where)
        if error.errno != errno.ENOENT:
            return "%s could not be looked up in %s (%s): give the path of a program" % (name, where, _code(error))
        missing = "%s is not in %s (ENOENT%s)" % (name, where, "" if "/" in name else ", PATH is %s" % search)
        if self._mounts:
            import shutil

            found = shutil.which(name, path="%s:/usr/sbin:/sbin" % os.environ.get("PATH", os.defpath))
            if found and os.path.isabs(found):
                return "%s, but the host has %s: join without mnt to use that one, for example namespaces: [net]" % (
                    missing, found)
        return missing + ": give the path of a program that is there"

    def _prepare(self) -> Answer:
        """In the child. Its order: what needs our files, then the joins, then giving up what joining needed."""
        _load()
        set_dumpable(False)
        own = os.open("/proc/self/fd", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        target = self._target
        needed = [target.descriptors[name] for name in self._joins]
        if self._mounts and target.root is not None:
            needed.append(target.root)
        _close_others([0, 1, 2, self._child.line(), own, *needed])
        _join(target, self._joins)
        for descriptor in needed:
            os.close(descriptor)
        root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) if self._mounts else None
        lookup = Lookup(root, own)
        mask = self._capabilities
        if self._who is not None:
            _become(self._who, mask)
        elif mask is not None:
            _keep(mask | _CHANGERS)
        _hide()

        def answer(what: bytes, body: bytes, dummy: int | None) -> tuple[bytes, int | None]:
            details = json.loads(body)
            if what == _BECOME:
                _become(details, mask)
                _hide()
                return b"", None
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


def _load() -> None:
    """What Python and the C library would look for in files when it is first used."""
    import _locale

    # With another language strerror(3) reads /usr/share/locale, from whatever root it finds itself in.
    _locale.setlocale(_locale.LC_ALL, "C")
    libc()
    os.fsdecode(os.fsencode("\udcff"))
    json.dumps(json.loads('["\\ud800"]'))


def _close_others(keep: Sequence[int]) -> None:
    first = 0
    for descriptor in sorted(set(keep)):
        if descriptor > first:
            close_range(first, descriptor - 1)
        first = descriptor + 1
    close_range(first)


def _join(target: Target, joins: Sequence[str]) -> None:
    late = False
    if "mnt" in joins:
        try:
            setns(target.descriptors["mnt"], TYPES["mnt"])
        except PermissionError:
            # Who has rights only in the target's user namespace gets them there first.
            if "user" not in joins:
                raise
            late = True
    if "user" in joins:
        setns(target.descriptors["user"], TYPES["user"])
        _try(lambda: os.setresgid(0, 0, 0))
        _try(lambda: os.setresuid(0, 0, 0))
    if late:
        setns(target.descriptors["mnt"], TYPES["mnt"])
    if "mnt" in joins and target.root is not None:
        os.fchdir(target.root)
        os.chroot(".")


def _try(change: Callable[[], None]) -> None:
    try:
        change()
    except OSError as error:
        # EINVAL: that namespace has no root. EPERM: nor rights to become it.
        if error.errno not in (errno.EINVAL, errno.EPERM):
            raise


def _become(who: Sequence[Any], mask: int | None) -> None:
    uid, gid, groups = who
    if mask is not None:
        set_keepcaps(True)
    try:
        os.setgroups(groups)
    except PermissionError:
        # user_namespaces(7): "deny" in setgroups. The command keeps the caller's groups as well.
        pass
    if os.getresgid() != (gid, gid, gid):
        os.setresgid(gid, gid, gid)
    if os.getresuid() != (uid, uid, uid):
        os.setresuid(uid, uid, uid)
    if mask is not None:
        _keep(mask)
        set_keepcaps(False)


def _keep(mask: int) -> None:
    mask &= capget().permitted
    capset(CapabilitySets(mask, mask, 0))


def _hide() -> None:
    # A change of credentials has undone both.
    set_dumpable(False)
    set_pdeathsig(signal.SIGKILL)


def _code(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, str(error.strerror))

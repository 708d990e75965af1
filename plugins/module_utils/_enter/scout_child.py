"""What a Scout's child does to be where the command will be, and to be no more than that."""
from __future__ import annotations

import errno
import json
import os
import signal
from typing import Any, Callable, Sequence

from .._kernel.files import close_range
from .._kernel.libc import libc
from .._kernel.namespaces import TYPES, setns
from .._kernel.prctl import set_dumpable, set_pdeathsig
from .._kernel.privileges import CapabilitySets, capget, capset, set_keepcaps
from .._model.entry import Target


def environment_of(target: Target) -> int | OSError:
    """A descriptor of what its process was started with, or why there is none."""
    try:
        return os.open("/proc/%d/environ" % (target.pid or 0), os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        return error


def load() -> None:
    """What Python and the C library would look for in files when it is first used."""
    import _locale

    # With another language strerror(3) reads /usr/share/locale, from whatever root it finds itself in.
    _locale.setlocale(_locale.LC_ALL, "C")
    libc()
    os.fsdecode(os.fsencode("\udcff"))
    json.dumps(json.loads('["\\ud800"]'))


def close_others(keep: Sequence[int]) -> None:
    first = 0
    for descriptor in sorted(set(keep)):
        if descriptor > first:
            close_range(first, descriptor - 1)
        first = descriptor + 1
    close_range(first)


def join(target: Target, joins: Sequence[str]) -> None:
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


def become(who: Sequence[Any], mask: int | None) -> None:
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
        keep(mask)
        set_keepcaps(False)


def keep(mask: int) -> None:
    mask &= capget().permitted
    capset(CapabilitySets(mask, mask, 0))


def hide() -> None:
    # A change of credentials has undone both.
    set_dumpable(False)
    set_pdeathsig(signal.SIGKILL)

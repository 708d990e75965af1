"""Making namespaces by a process that does what it is told (an Executor), and making them what is wanted."""
from __future__ import annotations

import errno
import functools
import os
import struct
from typing import Collection, Dict, List, Sequence

from .._enter.surroundings import of_processes
from .._kernel.executor import Block, Executor, Step, step
from .._kernel.mounts import MS_PRIVATE, MS_REC, MS_SHARED, MS_SLAVE
from .._kernel.namespaces import TYPES
from .._kernel.whole_file import write_whole
from .._model.entry import Refused
from . import id_maps
from .causes import no_map, no_namespace, no_offset
from .id_helpers import run_helper
from .id_maps import IdRange
from .wanted import NewNamespaces

# The user namespace first, so that it owns the others; time last, as nothing else depends on it.
_ORDER = ("user", "cgroup", "ipc", "uts", "net", "mnt", "pid", "time")
_PROPAGATION = {"private": MS_PRIVATE, "slave": MS_SLAVE, "shared": MS_SHARED}
# Where children of the process will be, and so what is new.
_LINKS = {"pid": "pid_for_children", "time": "time_for_children"}
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1  # netdevice(7)


def make(executor: Executor, wanted: NewNamespaces, leave: Collection[str] = ()) -> Dict[str, str]:
    """Put the process into new namespaces and make them as wanted, but for the types C(leave), which come later.

    Returns their names by type; pid has none yet. The process is then as the caller, with all capabilities over what
    is new where there is a user namespace. Raises Refused, and the process is of no more use.
    """
    made = [kind for kind in _ORDER if kind in wanted.types and kind not in leave]
    for kind in made:
        try:
            executor.call("unshare", TYPES[kind])
        except OSError as error:
            raise no_namespace(kind, error, wanted.types) from error
        if kind == "user":
            _map(executor, wanted)
    _furnish(executor, wanted, made)
    return {kind: name(executor, kind) for kind in made if kind != "pid"}


def name(executor: Executor, kind: str) -> str:
    """What the process (for pid and time: its children) is in, as C(net:[4026532184]). Raises Refused."""
    link = "/proc/%d/ns/%s" % (executor.pid, _LINKS.get(kind, kind))
    try:
        return str(executor.seen(functools.partial(os.readlink, link)))
    except OSError as error:
        raise Refused("The new %s namespace cannot be named (%s): is /proc mounted? Nothing has run."
                      % (kind, _code(error))) from error


def loopback_up(executor: Executor) -> None:
    """Bring lo of the process's network up. Raises OSError."""
    asking = executor.call("socket", 2, 2 | os.O_CLOEXEC, 0)  # AF_INET, SOCK_DGRAM
    try:
        executor.call("ioctl", asking, _SIOCSIFFLAGS, Block(struct.pack("=16sh22x", b"lo", _IFF_UP)))
    finally:
        executor.call("close", asking)


def fresh_proc(wanted: NewNamespaces) -> List[Step]:
    """For who is in the new pid namespace: mount its /proc over the one that is there, in the new mounts alone."""
    steps = of_processes(False)
    if wanted.propagation in ("shared", "unchanged"):
        # As unshare(1): or the host would get it, too, a /proc without the host's processes.
        steps.insert(0, step("mount", None, b"/proc", None, MS_REC | MS_PRIVATE, None))
    return steps


def set_names(executor: Executor, hostname: str | None, domainname: str | None) -> None:
    """Name the process's UTS namespace. Raises OSError."""
    for call, given in (("sethostname", hostname), ("setdomainname", domainname)):
        if given is not None:
            raw = given.encode("utf-8", "surrogateescape")
            executor.call(call, raw, len(raw))


def _furnish(executor: Executor, wanted: NewNamespaces, made: Sequence[str]) -> None:
    doing = ""
    try:
        if "mnt" in made and wanted.propagation in _PROPAGATION:
            doing = "the propagation of its mounts could not be made %s" % wanted.propagation
            executor.call("mount", None, b"/", None, MS_REC | _PROPAGATION[wanted.propagation], None)
        doing = "it could not be named"
        if "uts" in made:
            set_names(executor, wanted.hostname, wanted.domainname)
        doing = "its loopback could not be brought up"
        if "net" in made and wanted.loopback:
            loopback_up(executor)
    except OSError as error:
        hint = ""
        if error.errno == errno.EINVAL and doing.startswith("the prop"):
            # The kernel looks for a mount at /, which a directory that was entered by chroot(2) need not be.
            hint = ": the root directory of the module is no mount (chroot); bind it on itself first"
        raise Refused("The namespaces were made, but %s (%s)%s. Nothing has run."
                      % (doing, _code(error), hint)) from error
    if "time" in made and wanted.offsets:
        _offset(executor, wanted.offsets)


def _map(executor: Executor, wanted: NewNamespaces) -> None:
    """The maps of the process's new user namespace, and who it is there."""
    if wanted.setgroups is not None:
        _write(executor, "setgroups", wanted.setgroups.encode("ascii"))
    # Groups first: newgidmap(1) looks whether the process is still the caller's.
    for file, ranges in (("gid_map", wanted.gid_map), ("uid_map", wanted.uid_map)):
        if not ranges:
            continue
        if wanted.helped and not _own(file, ranges):
            executor.seen(functools.partial(run_helper, file, executor.pid, ranges))
        else:
            _write(executor, file, id_maps.text(ranges))


def _own(file: str, ranges: Sequence[IdRange]) -> bool:
    own = os.getegid() if file == "gid_map" else os.geteuid()
    return len(ranges) == 1 and ranges[0][1:] == (own, 1)


def _write(executor: Executor, file: str, content: bytes) -> None:
    try:
        executor.seen(lambda: write_whole("/proc/%d/%s" % (executor.pid, file), content))
    except OSError as error:
        raise no_map(file, content, error) from error


def _offset(executor: Executor, offsets: Dict[str, int]) -> None:
    content = "".join("%s %d 0\n" % (clock, seconds) for clock, seconds in sorted(offsets.items()))
    try:
        executor.seen(lambda: write_whole("/proc/%d/timens_offsets" % executor.pid, content.encode("ascii")))
    except OSError as error:
        raise no_offset(offsets, error) from error


def _code(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, str(error))

"""What a kept namespace is like, and setting what can be set: asked by a process that joins it and nothing else."""
from __future__ import annotations

import errno
import os
import socket
import time
from typing import Any, Dict, List, Mapping

from .._enter.target import why
from .._kernel.executor import FIRST, Executor
from .._kernel.libc import syscall
from .._kernel.namespaces import TYPES, setns
from .._kernel.rtnetlink_set import loopback_is_up, set_loopback_up
from .._model.entry import Refused
from . import id_maps
from .aside import aside
from .id_maps import IdRange

_SECONDS = 10.0
_DOMAINNAME = "/proc/sys/kernel/domainname"  # of whoever reads it


def look_inside(descriptors: Mapping[str, int]) -> Dict[str, Any]:
    """hostname and domainname where there is uts, loopback (whether it is up) where there is net. Raises Refused."""

    def work() -> Dict[str, Any]:
        found: Dict[str, Any] = {}
        if "uts" in descriptors:
            setns(descriptors["uts"], TYPES["uts"])
            found["hostname"] = os.fsencode(os.uname().nodename).decode("utf-8", "replace")
            with open(_DOMAINNAME, "rb") as file:
                found["domainname"] = file.read(256).rstrip(b"\n").decode("utf-8", "replace")
        if "net" in descriptors:
            setns(descriptors["net"], TYPES["net"])
            found["loopback"] = loopback_is_up()
        return found

    return dict(_done(work, "looked into"))


def set_inside(descriptors: Mapping[str, int], wanted: Mapping[str, Any]) -> None:
    """The same, set. Raises Refused."""

    def work() -> None:
        if "uts" in descriptors and {"hostname", "domainname"} & set(wanted):
            setns(descriptors["uts"], TYPES["uts"])
            if "hostname" in wanted:
                # As the bytes that it had when it was made, whatever the locale.
                socket.sethostname(wanted["hostname"].encode("utf-8"))
            if "domainname" in wanted:
                raw = wanted["domainname"].encode("utf-8")
                syscall("setdomainname", raw, len(raw))
        if "net" in descriptors and wanted.get("loopback"):
            setns(descriptors["net"], TYPES["net"])
            set_loopback_up()

    _done(work, "set right")


def maps_of(descriptor: int) -> tuple[List[IdRange], List[IdRange], str]:
    """uid_map, gid_map, and C(allow) or C(deny) for setgroups(2), of a user namespace. Raises Refused."""
    uids, gids, setgroups = _read(descriptor, "user", ("uid_map", "gid_map", "setgroups"))
    return id_maps.parse(uids), id_maps.parse(gids), setgroups.decode("ascii", "replace").strip()


def offsets_of(descriptor: int) -> Dict[str, int]:
    """Seconds by clock (C(monotonic), C(boottime)) of a time namespace. Raises Refused."""
    found = {}
    for line in _read(descriptor, "time", ("timens_offsets",))[0].splitlines():
        clock, seconds, dummy = line.split()
        found[clock.decode("ascii")] = int(seconds)
    return found


def pid_namespace_has_ended(descriptor: int) -> bool:
    """Whether process 1 of a pid namespace has ended, so that there can be no other in there. Raises Refused."""
    try:
        with_it = _joined(descriptor, "pid")
    except Refused as refusal:
        cause = refusal.__cause__
        if isinstance(cause, OSError) and cause.errno == errno.EINVAL:
            return False  # it is not below our own: who is in there cannot be seen from here
        raise
    try:
        # What appears in there is the Executor's program, which has nothing in it, and it ends at once.
        with_it.fork()
    except OSError as error:
        if error.errno == errno.ENOMEM:
            return True
        raise Refused("Whether a pid namespace has a process 1 cannot be told (%s)." % why(error)) from error
    finally:
        with_it.close()
    return False


def _read(descriptor: int, kind: str, files: tuple[str, ...]) -> List[bytes]:
    """Files of /proc/PID of a process that is in there: those of who reads them would be our own."""
    process = _joined(descriptor, kind)
    try:
        found = []
        for name in files:
            with open("/proc/%d/%s" % (process.pid, name), "rb") as file:
                found.append(file.read(1 << 16))
        return found
    except OSError as error:
        raise Refused("The %s namespace could not be looked into (%s)." % (kind, why(error))) from error
    finally:
        process.close()


def _joined(descriptor: int, kind: str) -> Executor:
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        process = Executor((null, null, null), time.monotonic() + _SECONDS, [descriptor])
    finally:
        os.close(null)
    try:
        process.call("setns", FIRST, TYPES[kind])
    except OSError as error:
        process.close()
        raise Refused("The %s namespace could not be joined to look into it (%s)." % (kind, why(error))) from error
    return process


def _done(work: Any, what: str) -> Any:
    try:
        return aside(work, _SECONDS)
    except OSError as error:
        raise Refused("What is kept could not be %s (%s)." % (what, why(error))) from error

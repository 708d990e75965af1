"""Targets that are no process: a name under /run/netns, an nsfs file, a ref, a unit of ns_persist."""
from __future__ import annotations

import errno
import os
import re
import stat
from typing import Any, Callable, Collection, Mapping

from .._kernel import nsfs
from .._kernel.libc import KernelLacks
from .._model.entry import Refused, Target
from .._model.inventory import TYPES
from . import unit_record
from .admission import Wanted, types_to_join
from .containers import Look
from .plain import plain
from .target import why

NETNS = "/run/netns"
UNITS = "/run/nsfleet"
_MOST_NAMED = 10
_REF = re.compile(r"(%s):\[([0-9]{1,10})\](?:#([0-9]{1,20}))?" % "|".join(TYPES))


def fill(target: Target, selectors: Mapping[str, Any], look: Look, types: Wanted, allow_host: Collection[str],
         until: float) -> None:
    """Open what C(netns), C(path), C(ref) or C(name) names into C(target). Raises Refused; the caller closes it."""
    if selectors.get("netns") is not None:
        target.netns = selectors["netns"]
        target.name = "netns %s" % target.netns
        _only("net", types, target)
        path = _pin(NETNS, _component("netns", selectors["netns"]), look)
        _keep(target, _open_file(path, target.name, "net"))
    elif selectors.get("path") is not None:
        target.name = selectors["path"]
        _keep(target, _open_file(target.name, target.name, None))
        _only(next(iter(target.namespaces)), types, target)
    elif selectors.get("ref") is not None:
        _by_ref(target, selectors["ref"], look, types, until)
    elif selectors.get("name") is not None:
        _unit(target, _component("name", selectors["name"]), look)
    else:
        raise Refused("No target is given: name it by container, pid, netns, path, ref or name.")
    target.types = types_to_join(target.name, target.namespaces, types, look.own, look.host, allow_host)
    for kind in set(target.descriptors).difference(target.types):
        os.close(target.descriptors.pop(kind))


def _only(kind: str, types: Wanted, target: Target) -> None:
    if types is not None and types != (kind,):
        raise Refused("%s is one namespace of type %s: namespaces can only be %s, not %s."
                      % (target.name, kind, kind, ", ".join(types)))


def _component(option: str, name: str) -> str:
    writable(option, name)
    if not name or name in (".", "..") or "/" in name or "\0" in name:
        raise Refused("%s must be one component of a path, not %r." % (option, name[:255]))
    return name


def writable(option: str, text: str) -> None:
    """Raises Refused for what can be no path."""
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        raise Refused("%s holds a surrogate, which is no character: write it otherwise." % option) from None


def _keep(target: Target, descriptor: int) -> None:
    """Make an open namespace the target's."""
    try:
        kind = nsfs.ns_type(descriptor)
        if kind in target.descriptors:
            raise Refused("%s has two namespaces of type %s." % (target.name, kind))
        target.namespaces[kind] = "%s:[%d]" % (kind, os.fstat(descriptor).st_ino)
        target.descriptors[kind] = descriptor
    except BaseException:
        os.close(descriptor)
        raise


def _open_file(path: str, name: str, kind: str | None) -> int:
    """A descriptor of the namespace that is mounted at (or linked from) C(path). Raises Refused."""
    writable("path", path)
    if "\0" in path:
        raise Refused("%s is no path: it has a NUL byte." % path.replace("\0", "\\0"))
    try:
        device = os.stat("/proc/self/ns/mnt").st_dev
        # Nothing is opened yet: a FIFO is not waited for, a device not started.
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        mistyped = error.errno == errno.ENOENT and os.path.dirname(path) == NETNS
        raise Refused("%s cannot be entered: %s cannot be opened (%s)%s." % (
            name, path, why(error), ": " + _names(NETNS) if mistyped else "")) from error
    try:
        found = os.fstat(handle)
        if found.st_dev != device:
            what = "a plain file"
            if path.startswith((NETNS + "/", UNITS + "/")):
                what += ", left behind when the namespace was unmounted: have it made anew by who made it"
            raise Refused("%s cannot be entered: %s is no namespace but %s."
                          % (name, path, what if stat.S_ISREG(found.st_mode) else _kind_of(found.st_mode)))
        descriptor = os.open("/proc/self/fd/%d" % handle, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise Refused("%s cannot be entered: %s cannot be opened (%s)." % (name, path, why(error))) from error
    finally:
        os.close(handle)
    try:
        is_kind = nsfs.ns_type(descriptor)
        if kind is not None and is_kind != kind:
            raise Refused("%s cannot be entered: %s is a namespace of type %s, not %s." % (name, path, is_kind, kind))
    except OSError as error:
        os.close(descriptor)
        raise Refused("%s cannot be entered: %s is no namespace (%s)." % (name, path, why(error))) from error
    except Refused:
        os.close(descriptor)
        raise
    return descriptor


def _kind_of(mode: int) -> str:
    kinds = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a FIFO"), (stat.S_ISSOCK, "a socket"))
    return next((name for test, name in kinds if test(mode)), "a device")


def _is_pinned(path: str) -> bool:
    try:
        return os.stat(path).st_dev == os.stat("/proc/self/ns/mnt").st_dev
    except OSError:
        return False


def _pin(folder: str, name: str, look: Look, is_there: Callable[[str], bool] = _is_pinned) -> str:
    """The path of a pin: where process 1 sees it, if we are in another mount namespace and do not see it."""
    path = "%s/%s" % (folder, name)
    if look.own.get("mnt") != look.host.get("mnt"):
        elsewhere = "/proc/1/root" + path
        if not is_there(path) and is_there(elsewhere):
            return elsewhere
    return path


def _unit(target: Target, name: str, look: Look) -> None:
    """All that ns_persist keeps under one name: UNITS/NAME/TYPE, or a network namespace alone under NETNS."""
    target.name = name
    folder = "%s/%s" % (UNITS, name)
    for kind in TYPES:
        path = _pin(folder, kind, look)
        if os.path.lexists(path):
            _keep(target, _open_file(path, name, kind))
    path = _pin(NETNS, name, look)
    if "net" not in target.descriptors and os.path.lexists(path):
        _keep(target, _open_file(path, name, "net"))
    _recorded(target, os.path.dirname(_pin(folder, unit_record.FILE, look, os.path.exists)))
    if not target.descriptors:
        raise Refused("%s cannot be entered: neither %s/TYPE nor %s is there (ENOENT): %s; %s." % (
            name, folder, path, _names(UNITS), _names(NETNS)))


def _names(folder: str) -> str:
    """What there is instead, for who has mistyped."""
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError:
        names = []
    more = len(names) - _MOST_NAMED
    shown = ", ".join(plain(name) for name in names[:_MOST_NAMED]) + (" and %d more" % more if more > 0 else "")
    return "%s has %s" % (folder, shown or "no names")


def _recorded(target: Target, folder: str) -> None:
    """What ns_persist has written down about a unit."""
    record = unit_record.load(folder)
    target.made = record.made
    if record.pid_namespace == target.namespaces.get("pid", "") and record.init_lives():
        # Not by a pidfd: types that were added later are not its own.
        target.pid, target.start_time = record.init, record.start_time


def _by_ref(target: Target, ref: str, look: Look, types: Wanted, until: float) -> None:
    target.name = ref
    parts = _REF.fullmatch(ref)
    if parts is None:
        raise Refused("ref must be as ns_facts names a namespace, net:[4026532184] or net:[4026532184]#4711, not %r."
                      % ref[:255])
    kind, inode, ns_id = parts[1], int(parts[2]), None if parts[3] is None else int(parts[3])
    _only(kind, types, target)
    if inode >= 1 << 32 or (ns_id or 0) >= 1 << 64:
        raise Refused("%s is no namespace: a number in it is too large." % ref)
    descriptor = None if ns_id is None else _by_handle(kind, inode, ns_id)
    if descriptor is None:
        from .search import search

        descriptor = search("%s:[%d]" % (kind, inode), look, until)
    _keep(target, descriptor)
    if target.namespaces != {kind: "%s:[%d]" % (kind, inode)}:
        raise Refused("%s was not found: %s is there instead." % (ref, "".join(target.namespaces.values())))
    if ns_id is None:
        target.unproven.append("inode only")
        return
    try:
        found = _id_of(kind, descriptor)
    except OSError as error:
        raise Refused("%s cannot be entered: whether it is the same namespace cannot be told (%s)."
                      % (ref, why(error))) from error
    if found != ns_id:
        raise Refused("%s is gone: its inode belongs to another namespace by now, %s:[%d]#%d."
                      % (ref, kind, inode, found))


def _id_of(kind: str, descriptor: int) -> int:
    try:
        return nsfs.ns_id(descriptor)
    except KernelLacks:
        if kind != "mnt":
            raise
        # Mount namespaces had an id of the same series before the other types (Linux 6.11).
        return nsfs.mntns_id(descriptor)


def _by_handle(kind: str, inode: int, ns_id: int) -> int | None:
    """A descriptor straight from the kernel (6.18); None where a search has to tell."""
    from .._kernel.namespaces import TYPES as FLAGS

    try:
        return nsfs.open_handle(nsfs.Handle(ns_id, FLAGS[kind], inode))
    except OSError:
        # ESTALE says both that it is gone and that we may not have it this way.
        return None

"""What the kernel tells of a namespace through its descriptor: id, owner, parent; and through them namespaces
that nothing else names: a user or pid namespace lives as long as its children do, a user namespace as long as what
it owns, without any process in it.
"""
from __future__ import annotations

import errno
import os
from typing import Callable

from .._kernel import nsfs
from .._kernel.libc import KernelLacks
from .._kernel.proc import GONE
from .._model.inventory import UNREACHABLE, UNSUPPORTED, Namespace
from .scan import Scan

_NESTED = ("pid", "user")


def find(scan: Scan, add: bool) -> None:
    """Describe every namespace that was found; with C(add) owners and parents that are new are found as well."""
    names = [name for name in scan.namespaces if name not in scan.described]
    for position, name in enumerate(names):
        if not position & 31 and scan.late("ancestors", len(names) - position):
            break
        try:
            descriptor = open_namespace(scan, name)
        except OSError as error:
            if scan.ways.get(name):
                scan.problems.error("namespaces", error)
            else:
                # Its mount is covered by another one, or the source "mounts" was refused its way there.
                scan.problems.add("namespaces", UNREACHABLE)
            continue
        try:
            describe(scan, name, descriptor, add)
        finally:
            os.close(descriptor)
    if add:
        _pin_by_children(scan)


def open_namespace(scan: Scan, name: str) -> int:
    """A descriptor of a namespace through the first way that still leads to it.

    Raises OSError: the last refusal; ENOENT when there was none, but no way leads there (any more).
    """
    refusal: OSError = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    for way in scan.ways.get(name, ()):
        try:
            # O_PATH opens nothing yet. A process that moved on leads elsewhere, a hostile one even to a device or to a
            # file that never answers, put in place of the descriptor we saw. The link tells without asking the file.
            handle = os.open(way.path, os.O_PATH | os.O_CLOEXEC)
            try:
                link = "/proc/self/fd/%d" % handle
                if os.readlink(link) == name:
                    return os.open(link, os.O_RDONLY | os.O_CLOEXEC)
            finally:
                os.close(handle)
        except OSError as error:
            # On its way out a process refuses everybody (EACCES), before it is gone.
            if error.errno not in GONE and not scan.proc.is_ending(way.pid):
                refusal = error
    raise refusal


def describe(scan: Scan, name: str, descriptor: int, add: bool = True) -> None:
    """Read the kernel's record of a namespace, then that of its owner and parents, up to the first known one."""
    pending = [(name, os.dup(descriptor))]
    try:
        while pending:
            name, current = pending.pop()
            try:
                if name not in scan.described:
                    scan.described[name] = True
                    _read_record(scan, scan.namespace(name), current)
                    pending.extend(_relatives(scan, name, current, add))
            finally:
                os.close(current)
    finally:
        for dummy, left in pending:
            os.close(left)


def _read_record(scan: Scan, namespace: Namespace, descriptor: int) -> None:
    namespace.device = os.fstat(descriptor).st_dev
    if scan.features.get("namespace_ids", True):
        try:
            namespace.ns_id = nsfs.ns_id(descriptor)
            scan.features["namespace_ids"] = True
        except KernelLacks:
            scan.features["namespace_ids"] = False
        except OSError as error:
            scan.problems.error("namespace ids", error)
    if namespace.ns_id is None and namespace.type == "mnt":
        try:
            # Mount namespaces had an id of the same series before the other types (Linux 6.11).
            namespace.ns_id = nsfs.mntns_id(descriptor)
        except OSError:
            namespace.ns_id = None
    if namespace.type == "user":
        try:
            namespace.owner_uid = nsfs.owner_uid(descriptor)
        except OSError as error:
            scan.problems.error("owners of namespaces", error)
    scan.keep(namespace.name, descriptor)
    if namespace.type == "net" and scan.route is not None:
        try:
            namespace.nsid = scan.route.nsid(descriptor)
        except OSError as error:
            scan.problems.error("nsids", error)


def _relatives(scan: Scan, name: str, descriptor: int, add: bool) -> list[tuple[str, int]]:
    """Owner and parent by name; the descriptors of those that are still to be described."""
    namespace = scan.namespaces[name]
    found = []
    asks: list[tuple[str, str, Callable[[int], int]]] = [("owner", "user", nsfs.owner)]
    if namespace.type in _NESTED:
        asks.append(("parent", namespace.type, nsfs.parent))
    for relation, kind, ask in asks:
        try:
            relative = ask(descriptor)
        except OSError as error:
            # EPERM: there is none (the initial one), or it lies above our own user or pid namespace: no loss.
            if error.errno != errno.EPERM:
                scan.problems.error("%ss of namespaces" % relation, error)
            continue
        known = "%s:[%d]" % (kind, os.fstat(relative).st_ino)
        setattr(namespace, relation, known)
        if known in scan.described or (not add and known not in scan.namespaces):
            os.close(relative)
        else:
            found.append((known, relative))
    return found


def _pin_by_children(scan: Scan) -> None:
    """A parent is kept by each child, an owner by all it owns; one pin for each relation and type."""
    for name in list(scan.namespaces):
        namespace = scan.namespaces[name]
        if namespace.parent is not None:
            scan.pin(namespace.parent, "child", ("parent", namespace.type), relation="parent", name=name)
        if namespace.owner is not None and namespace.owner != namespace.parent:
            scan.pin(namespace.owner, "child", ("owner", namespace.type), relation="owner", name=name)


def find_listed(scan: Scan) -> None:
    """Ask listns(2), Linux 6.19, for namespaces that no other source names (held by a descriptor in flight, say)."""
    known = {namespace.ns_id for namespace in scan.namespaces.values()}
    try:
        ids = nsfs.listns()
        scan.features["listns"] = True
    except KernelLacks:
        scan.features["listns"] = False
        return
    except OSError as error:
        scan.problems.error("listns", error)
        return
    for position, ns_id in enumerate(ids):
        if not position & 31 and scan.late("listns", len(ids) - position):
            return
        if ns_id in known:
            continue
        try:
            descriptor = nsfs.open_handle(nsfs.Handle(ns_id, 0, 0))
        except nsfs.NamespaceGone:
            continue
        except KernelLacks as lack:
            scan.problems.add("listns", "%s: %s" % (UNSUPPORTED, lack.call))
            return
        except OSError as error:
            scan.problems.error("listns", error)
            continue
        try:
            name = "%s:[%d]" % (nsfs.ns_type(descriptor), os.fstat(descriptor).st_ino)
            describe(scan, name, descriptor)
        except OSError as error:
            scan.problems.error("listns", error)
        finally:
            os.close(descriptor)

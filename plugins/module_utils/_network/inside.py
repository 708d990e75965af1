"""A child that goes from network namespace to network namespace and looks at each over netlink and /proc/sys.

It executes nothing. Whoever joins in a child never has to find back, and what is slow in there (a lock of the kernel's
that others hold, a table without end) costs that namespace's answer only.
"""
from __future__ import annotations

import errno
import marshal
import os
import struct
import time
from typing import Any, Callable, Dict, List, Tuple

from .._kernel.child import Answer, Child
from .._kernel.modules import Modules
from .._kernel.namespaces import TYPES, setns
from .._kernel.netlink import Route
from .._kernel.prctl import set_dumpable
from .._model.inventory import Problems
from . import addresses, firewall, links, neighbours, routes, rules, sockets, sysctls
from .look import Look

_JOIN, _LOOK, _NSID, _USER = b"J", b"L", b"I", b"U"
_TIMEOUT = 10.0  # seconds for one namespace

Found = Tuple[Dict[str, Any], List[Dict[str, Any]]]


class Inside:
    """Looks at network namespaces, each within some seconds and all before C(until). Close it when done.

    C(most) entries of each list are kept. C(modules) tells what can be asked without loading a kernel module.
    """

    def __init__(self, most: int, modules: Modules, until: float) -> None:
        self._child = Child(lambda: _prepare(most, modules), until, _TIMEOUT)

    def join_user(self, descriptor: int) -> None:
        """Enter a user namespace, to have the rights in it that its owner has. There is no way back."""
        self._child.ask(_USER, b"", descriptor)

    def join(self, descriptor: int) -> None:
        """Enter a network namespace. Raises OSError: EPERM without CAP_SYS_ADMIN in it and in our own."""
        self._child.ask(_JOIN, b"", descriptor)

    def look(self, name: str, patience: float = _TIMEOUT) -> Tuple[Dict[str, Any], List[Dict[str, Any]], int]:
        """What there is in the network that was joined last, what of it was not seen, and how many bytes that took.

        C(name) is that network's: a child that died was replaced by one that is still in our own. What is not there
        after C(patience) seconds is left out. Raises OSError, TimeoutError.
        """
        # What is slow in there must be told while there is somebody to tell it.
        seconds = struct.pack("=d", 0.8 * min(patience, self._child.patience()))
        answer = self._child.ask(_LOOK, seconds)[0]
        place, network, problems = marshal.loads(answer)
        _must_be(name, place)
        return network, problems, len(answer)

    def nsid(self, name: str, descriptor: int) -> int | None:
        """The id by which the network that was joined last (C(name)) knows another one; None when it has none."""
        place, value = marshal.loads(self._child.ask(_NSID, b"", descriptor)[0])
        _must_be(name, place)
        return None if value is None else int(value)

    def close(self) -> None:
        """End the child."""
        self._child.close()


def _must_be(wanted: str, found: str) -> None:
    if wanted != found:
        raise TimeoutError(errno.ETIMEDOUT, "the child was lost")


def _prepare(most: int, modules: Modules) -> Answer:
    set_dumpable(False)

    def answer(what: bytes, body: bytes, descriptor: int | None) -> tuple[bytes, int | None]:
        place = os.readlink("/proc/thread-self/ns/net")
        if what == _LOOK:
            found, problems = _look(Look(most, time.monotonic() + struct.unpack("=d", body)[0]), modules)
            return marshal.dumps((place, found, problems)), None
        if descriptor is None:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        if what == _NSID:
            route = Route()
            try:
                return marshal.dumps((place, route.nsid(descriptor))), None
            finally:
                route.close()
        setns(descriptor, TYPES["user" if what == _USER else "net"])
        return b"", None

    return answer


def _look(look: Look, modules: Modules) -> Found:
    found: dict[str, Any] = {}

    def subject(name: str, take: Callable[[], Any], without: Any) -> Any:
        try:
            return take()
        except OSError as error:
            look.problems.error(name, error)
            return without

    try:
        # First of all links: the others name them.
        found["links"] = subject("links", lambda: links.take(look), [])
        found["addresses"] = subject("addresses", lambda: addresses.take(look), [])
        found["routes"] = subject("routes", lambda: routes.take(look), [])
        found["rules"] = subject("rules", lambda: rules.take(look), [])
        found["neighbours"] = subject("neighbours", lambda: neighbours.take(look), [])
        found["listening"], found["sockets"] = subject("sockets", lambda: sockets.take(look, modules), ([], {}))
        found["dns"] = None
        found["sysctls"] = subject("sysctls", lambda: sysctls.take(look), {})
        found["firewall"] = subject("firewall", lambda: firewall.take(look, modules), None)
        found["published"] = []
    finally:
        look.close()
    return found, look.problems.as_list()


def add(problems: Problems, where: str, found: list[dict[str, Any]]) -> None:
    """Count what was not seen of the network C(where) among all problems."""
    for problem in found:
        problems.add("%s of %s" % (problem["what"], where), problem["reason"], problem["count"])

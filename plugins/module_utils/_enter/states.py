"""What changed in network, UTS and IPC namespaces between two looks at them.

A forked child joins them and looks, once before and once after; it keeps what it saw, so only the difference travels.
It stays in the host's mount namespace: /proc is ours, and what of it is a namespace's is that of who reads it.
"""
from __future__ import annotations

import errno
import gc
import marshal
import os
import stat
import struct
import time
from typing import Dict, List, Sequence, Tuple

from .._kernel.child import Answer, Child
from .._kernel.modules import Modules
from .._kernel.namespaces import TYPES, setns
from .._kernel.prctl import set_dumpable
from .._model.entry import Changes
from .state_look import Look, Subject, Unread, compare, reason

_BEFORE, _AFTER = b"B", b"A"
_SECONDS = 2.0  # for both looks
_LINES = 200    # of what is gone, and as many of what is new
_WATCHED = ("net", "uts", "ipc")


class StateWatch:
    """Looks at those of C(types) that are net, uts or ipc; others are not its subject. Close it when done.

    C(descriptors): open nsfs descriptors of the namespaces, by type; a type without one is the caller's own.
    That of C(user) is only joined where the caller has no rights over the others. Make it, and look, before there are
    pipes whose end somebody waits for: the child has a copy of what is a socket, and of nothing else.
    """

    def __init__(self, descriptors: Dict[str, int], types: Sequence[str], modules: Modules, until: float,
                 root: str = "/proc") -> None:
        self._types = [kind for kind in _WATCHED if kind in types]
        # Imported here, once for all children.
        self._subjects = {kind: _subjects(kind) for kind in self._types}
        self._descriptors = {kind: descriptors[kind] for kind in (*self._types, "user") if kind in descriptors}
        self._modules = modules
        self._root = root
        self._left = min(_SECONDS, until - time.monotonic())
        self._lost: List[str] = []
        self._asked: Tuple[float, float] | None = None  # when, and until when there is an answer
        # Each look has its seconds; the command between them may take any time.
        self._child = Child(self._prepare, float("inf"), _SECONDS)

    def begin(self) -> None:
        """The first look: the child takes it while we go on, and has taken it when C(ready) returns."""
        if self._types:
            try:
                self._asked = (time.monotonic(), self._request(_BEFORE))
            except OSError as error:
                self._lose(error)

    def ready(self) -> None:
        """Wait for the first look; nothing to be seen as a difference may be done before. What failed is remembered."""
        if self._asked is not None:
            (began, deadline), self._asked = self._asked, None
            try:
                self._answer(began, deadline)
            except OSError as error:
                self._lose(error)

    def before(self) -> None:
        """Both."""
        self.begin()
        self.ready()

    def after(self) -> Changes:
        """The second look, and how it differs from the first."""
        if not self._types or self._lost:
            return Changes([], [], sorted(self._lost))
        try:
            gone, come, unproven = self._ask(_AFTER)
        except OSError as error:
            return Changes([], [], ["%s: %s" % (", ".join(self._types), reason(error))])
        return Changes(gone, come, unproven)

    def close(self) -> None:
        """End the child."""
        self._child.close()

    def _lose(self, error: OSError) -> None:
        self._lost = ["%s: %s" % (", ".join(self._types), reason(error))]

    def _ask(self, what: bytes) -> Tuple[List[str], List[str], List[str]]:
        return self._answer(time.monotonic(), self._request(what))

    def _request(self, what: bytes) -> float:
        # What is slow in there must be told while there is somebody to tell it.
        seconds = 0.9 * min(self._left, self._child.patience())
        return self._child.request(what, struct.pack("=d", seconds))

    def _answer(self, began: float, deadline: float) -> Tuple[List[str], List[str], List[str]]:
        answer = marshal.loads(self._child.answer(deadline)[0])
        self._left = max(0.2, self._left - (time.monotonic() - began))
        gone, come, unproven = answer
        return gone, come, unproven

    def _prepare(self) -> Answer:
        """In the child."""
        set_dumpable(False)
        # It does not live long enough to need that, and every page it walks over would be copied.
        gc.disable()
        _let_go(set(self._descriptors.values()))
        watching = _Watching(self._descriptors, self._subjects, self._modules, self._root)

        def answer(what: bytes, body: bytes, dummy: int | None) -> tuple[bytes, int | None]:
            until = time.monotonic() + struct.unpack("=d", body)[0]
            if what == _BEFORE:
                watching.first(until)
                return marshal.dumps(([], [], [])), None
            return marshal.dumps(watching.second(until)), None

        return answer


def _let_go(keep: set[int]) -> None:
    """Close copies of what the parent has open, but for sockets: one of them is the line to it."""
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        try:
            if descriptor > 2 and descriptor not in keep and not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.close(descriptor)
        except OSError:
            continue  # the folder itself


class _Watching:
    """In the child: what was seen first."""

    def __init__(self, descriptors: Dict[str, int], subjects: Dict[str, Tuple[Subject, ...]], modules: Modules,
                 root: str) -> None:
        self._descriptors = descriptors
        self._of_types = subjects
        self._modules = modules
        self._root = root
        self._before: Look | None = None
        self._subjects: List[Subject] = []
        self._unproven: List[str] = []

    def first(self, until: float) -> None:
        for kind, subjects in self._of_types.items():
            try:
                self._join(kind)
            except OSError as error:
                self._unproven.append("%s: %s" % (kind, reason(error)))
                continue
            self._subjects += subjects
        self._before = Look(until, self._modules, self._root)
        self._before.take(self._subjects)
        self._before.close()

    def second(self, until: float) -> Tuple[List[str], List[str], List[str]]:
        before = self._before
        if before is None:
            # A child that came in place of one that died; it has seen nothing, and is nowhere.
            raise OSError(errno.ECHILD, os.strerror(errno.ECHILD))
        after = Look(until, self._modules, self._root, before)
        after.take(self._subjects)
        after.close()
        before.others, after.others = set(after.names.values()), set(before.names.values())
        gone: List[str] = []
        come: List[str] = []
        unproven = {*self._unproven, *before.unproven, *after.unproven}
        for subject in self._subjects:
            try:
                were, are = compare(subject, before, after)
            except Unread as error:
                unproven.add("%s: %s" % (subject.name, error))
                continue
            except Exception as error:  # a message of another shape than is known: it did differ
                unproven.add("%s: not understood (%s)" % (subject.name, type(error).__name__))
                continue
            gone += were
            come += are
        return _bounded(gone), _bounded(come), sorted(unproven)

    def _join(self, kind: str) -> None:
        descriptor = self._descriptors.get(kind)
        if descriptor is None:
            return
        try:
            setns(descriptor, TYPES[kind])
        except PermissionError:
            user = self._descriptors.pop("user", None)
            if user is None:
                raise
            setns(user, TYPES["user"])
            # That changed our credentials.
            set_dumpable(False)
            setns(descriptor, TYPES[kind])


def load(types: Sequence[str]) -> None:
    """Import what looks at C(types), for all processes that are going to be forked."""
    for kind in types:
        if kind in _WATCHED:
            _subjects(kind)


def _subjects(kind: str) -> Tuple[Subject, ...]:
    if kind == "net":
        from .state_net import SUBJECTS

        return SUBJECTS
    if kind == "uts":
        from .state_uts import SUBJECTS as NAMES

        return NAMES
    from .state_ipc import SUBJECTS as OBJECTS

    return OBJECTS


def _bounded(lines: List[str]) -> List[str]:
    if len(lines) <= _LINES:
        return lines
    return [*lines[:_LINES], "and %d more" % (len(lines) - _LINES)]

"""Absent: what is to go, who is in the way, and having it go."""
from __future__ import annotations

import os
from typing import Dict, List

from .._model.entry import Refused
from .._model.inventory import TYPES
from . import bare
from .inhabitants import inhabitants, named
from .keep import retire
from .kept import Kept, refuse_foreign
from .plan import seen


class Forgetter:
    """What C(absent) does with what is kept. C(network), C(folder): which of the names go; C(touched): whether any has
    gone. Raises Refused: something lives that C(force) alone may end.
    """

    def __init__(self, kept: Kept, force: bool) -> None:
        self._kept = kept
        places, own, shown = kept.places, kept.pins.get("net"), kept.network
        self.folder = kept.folder
        self.network = shown.state != "missing"
        self.touched = False
        if shown.state == "taken":
            if not self.folder:
                raise Refused("%s is in the way: it is no file; remove it." % shown.path)
            self.network = False  # a unit can live beside it
        refuse_foreign(kept)
        if places.custom and shown.lives and (own is None or own.ref != shown.ref):
            self.network = False  # somebody else's
        elif own is not None and own.lives and shown.lives and own.ref != shown.ref and not force:
            raise Refused("%s is another network, %s, than that of the unit, %s. Nothing was changed; force: true"
                          " removes both." % (shown.path, shown.ref, own.ref))
        if not force:
            refuse_inhabitants(kept)

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        return self.folder or self.network

    def difference(self) -> Dict[str, str]:
        """Lines before and after."""
        lines: List[str] = []
        if self.folder:
            lines += [seen(self._kept.pins[kind]) for kind in TYPES if kind in self._kept.pins]
            if not lines:
                lines.append("%s: a folder with nothing in it" % self._kept.places.folder)
        if self.network:
            lines.append(seen(self._kept.network))
        return {"before": "".join(line + "\n" for line in lines), "after": ""}

    def run(self) -> None:
        """The name for C(ip netns) first: it may lead to the other one. Raises Refused."""
        if self.network:
            bare.remove(self._kept.places.network)
            self.touched = True
        if self.folder:
            try:
                retire(self._kept.places)
            finally:
                self.touched = self.touched or not os.path.isdir(self._kept.places.folder)


def refuse_inhabitants(kept: Kept) -> None:
    """Raises Refused where to end the process 1 that we started would end others."""
    record = kept.record
    if not record.init_lives():
        return
    others = inhabitants(record.pid_namespace, record.init)
    if others:
        raise Refused("%s has other processes in its pid namespace: %s. Nothing was changed; end them, or force: true"
                      " ends them." % (kept.places.name, named(others)))

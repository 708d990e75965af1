"""A namespace by its name, wherever it is kept alive: what ns_facts finds, opened."""
from __future__ import annotations

import os
import time

from .._discover import ancestors, inventory, processes
from .._discover.scan import SOURCES, Clock, Scan
from .._kernel.proc import Proc
from .._model.entry import Refused
from .._model.inventory import Problems
from .containers import Look


def search(name: str, look: Look, until: float) -> int:
    """A descriptor of the namespace C(name), as C(net:[4026532184]).

    First among processes, then in every other source. Raises Refused where none has it.
    """
    proc = Proc()
    problems = Problems()
    scan = Scan(proc, problems, Clock(until - time.monotonic()))
    try:
        processes.find(scan, False, False)
        if name in scan.namespaces:
            return ancestors.open_namespace(scan, name)
    except OSError as error:
        # What was seen there may be gone again; the others may hold it.
        problems.error("processes", error)
    problems = Problems()
    scan = Scan(proc, problems, Clock(until - time.monotonic()))
    scan.kept, scan.sought = {}, name
    try:
        inventory.take(scan, SOURCES, look.own.get("mnt", ""), False, False)
        if name in scan.kept:
            return scan.kept.pop(name)
        return ancestors.open_namespace(scan, name)
    except OSError as error:
        seen = "it was seen and cannot be opened" if name in scan.namespaces else "no process, thread, descriptor," \
            " socket, mount or other namespace of this host has it"
        told = ["%s: %s" % (problem["what"], problem["reason"]) for problem in problems.as_list()[:3]]
        unseen = "; not all could be seen (%s)" % ", ".join(told) if told else ""
        raise Refused("%s is not there: %s (%s)%s." % (name, seen, _code(error), unseen)) from error
    finally:
        for descriptor in scan.kept.values():
            os.close(descriptor)


def _code(error: OSError) -> str:
    import errno

    return errno.errorcode.get(error.errno or 0, str(error))

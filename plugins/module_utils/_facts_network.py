"""What ns_facts returns when the networks are asked for too. Apart, because it doubles what travels to the host."""
from __future__ import annotations

import resource
from typing import Any

from ._facts import Facts, Request, gather
from ._network.networks import Survey


def gather_networks(request: Request) -> dict[str, Any]:
    """The facts with RV(networks)."""
    _allow_descriptors()
    return gather(request, survey=_survey)


def _survey(facts: Facts, most: int) -> dict[str, Any]:
    return dict(Survey(facts.scan, facts.containers, facts.own, facts.host, most).take())


def _allow_descriptors() -> None:
    """Each network namespace that only a mount or a socket keeps costs a descriptor until it has been looked at."""
    dummy, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        return  # what there is must do; what does not fit is opened by its handle, or told of as not seen

"""Which container a text means."""
from __future__ import annotations

import os
import re
from typing import Callable, Sequence, Tuple

from .._engines.lookup import printable
from .._model.entry import Refused
from .._model.inventory import Container, Problems

# (the container, what was asked for) -> whether it is meant
_Way = Callable[[Container, str], bool]
_MOST_NAMED = 10
_PREFIX = re.compile("[0-9a-f]{4,}")
_TOO_SHORT = re.compile("[0-9a-f]{1,3}")
_HEXADECIMAL = re.compile("[0-9a-f]{12,}")


def pod_names(container: Container) -> Tuple[str, ...]:
    """C(pod/container) and, where Kubernetes made it, C(namespace/pod/container)."""
    pod = container.pod
    if pod is None or not pod.name:
        return ()
    short = "%s/%s" % (pod.name, container.name)
    return (short, "%s/%s" % (pod.namespace, short)) if pod.namespace else (short,)


def all_names(container: Container) -> Tuple[str, ...]:
    """Everything that names it in full."""
    return (container.name, container.id, "%s:%s" % (container.engine, container.name)) + pod_names(container)


_WAYS: Sequence[_Way] = (
    lambda container, text: container.name == text,
    lambda container, text: container.id == text,
    lambda container, text: bool(
        container.id.startswith(text) and _PREFIX.fullmatch(text) and _HEXADECIMAL.fullmatch(container.id)
    ),
    lambda container, text: "%s:%s" % (container.engine, container.name) == text,
    lambda container, text: text in pod_names(container)[:1],
    lambda container, text: text in pod_names(container)[1:],
)


def named(text: str, containers: Sequence[Container]) -> list[Container]:
    """All that the first of the ways names that names any: name, id, its beginning, engine, pod, namespace and pod."""
    for way in _WAYS:
        found = [container for container in containers if way(container, text)]
        if found:
            return found
    return []


def find(text: str, containers: Sequence[Container], problems: Problems) -> Container:
    """The one container that C(text) names. Raises Refused: there is none, or there are several."""
    found = named(text, containers)
    if len(found) == 1:
        return found[0]
    raise Refused(_several(text, found) if found else _none(text, containers, problems))


def label(container: Container, also: Sequence[Container] = ()) -> str:
    """A container for a person, so that it can be told from C(also): C(web (docker, 0123456789ab))."""
    names = pod_names(container)
    told = [container.engine, _short(container)]
    if any(other is not container and _short(other) == told[1] for other in also):
        told.append("pid %d" % container.pid)
    return "%s (%s)" % (names[-1] if names else container.name, ", ".join(told))


def _short(container: Container) -> str:
    # Only of hexadecimal digits the beginning is accepted: what else is shown has to be good for typing.
    return container.id[:12] if _HEXADECIMAL.fullmatch(container.id) else printable(container.id[:64])


def _several(text: str, found: Sequence[Container]) -> str:
    ordered = sorted(found, key=lambda container: (container.engine, container.id, container.pid))
    listed = [label(container, ordered) for container in ordered[:_MOST_NAMED]]
    return "%s means %d containers, %s%s: give the id, engine:NAME, or the pid of the one that is meant." % (
        printable(text[:255]), len(found), ", ".join(listed), _more(found))


def _none(text: str, containers: Sequence[Container], problems: Problems) -> str:
    names = sorted({(pod_names(container) or (container.name,))[-1] for container in containers if not container.infra})
    if len(names) > _MOST_NAMED:
        names.sort(key=lambda name: _unlike(text.casefold(), name.casefold()))
    sentence = "There is no running container %s here" % printable(text[:255])
    if containers:
        sentence = "There is no container %s among the %d that run here" % (printable(text[:255]), len(containers))
        sentence += " (%s%s)" % (", ".join(names[:_MOST_NAMED]), _more(names)) if names else ""
    if not problems.complete:
        unseen = problems.as_list()
        told = ["%s: %s" % (problem["what"], problem["reason"]) for problem in unseen[:3]]
        sentence += "; not all could be seen (%s%s)" % (", ".join(told), ", ..." if len(unseen) > 3 else "")
        if os.geteuid() != 0 and any(str(problem["reason"]).startswith("refused") for problem in unseen):
            # The names are in files of the engines: to who may not read them no name is right.
            return sentence + ": run the task as root (become)."
    return sentence + _advice(text, containers) + "."


def _unlike(text: str, name: str) -> Tuple[bool, int]:
    """Smaller for a name that is more like the text: the right one should be among the few that are listed."""
    return text not in name and name not in text, -len(os.path.commonprefix((text, name)))


def _advice(text: str, containers: Sequence[Container]) -> str:
    """What to write instead, where that can be guessed."""
    if any(mark in text for mark in "*?[,"):
        return ": container is a single name, patterns and several names go to containers"
    if _TOO_SHORT.fullmatch(text) and any(container.id.startswith(text) for container in containers):
        return ": to name a container by the beginning of its id takes four digits or more"
    return ""


def _more(entries: Sequence[object]) -> str:
    left = len(entries) - _MOST_NAMED
    return " and %d more" % left if left > 0 else ""

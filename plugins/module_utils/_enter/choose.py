"""Many at once: which containers are in, which of them are one target, and which are left out."""
from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field
from typing import Any, Collection, NamedTuple, Optional, Sequence

from .._model.entry import Refused
from .._model.inventory import Container
from .admission import Wanted, check_state, types_to_join
from .containers import Look
from .match import all_names, find

ALL = "all"
UNKNOWN = "unknown"


class Chosen(NamedTuple):
    """One target. C(also): ids of others in the same joined namespaces. C(refusal): why there is no container."""

    name: str
    container: Optional[Container] = None
    also: Sequence[str] = ()
    refusal: Optional[str] = None


@dataclass
class Choice:
    """C(targets) in name order; C(left_out): container and reason of what would run on the host, or nowhere."""

    targets: list[Chosen] = field(default_factory=list)
    left_out: list[dict[str, str]] = field(default_factory=list)


def wanted_labels(option: Any) -> dict[str, str | None]:
    """The option C(labels): a dict, or a list of C(key=value) and C(key). None: any value. Raises Refused."""
    found: dict[str, str | None] = {}
    if isinstance(option, str):
        option = [part.strip() for part in option.split(",") if part.strip()]
    if isinstance(option, dict):
        for key, value in option.items():
            if isinstance(value, (dict, list)):
                raise Refused("labels: the value of %s is no text." % key)
            # YAML reads true as a boolean; labels are written in lower case.
            found[str(key)] = None if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    else:
        if not isinstance(option, (list, type(None))):
            raise Refused("labels is %r: give a dictionary, or a list of key=value and key." % option)
        for entry in option or ():
            if isinstance(entry, (dict, list)):
                raise Refused("labels: %r is no label: write key=value or key, or all of them as a dictionary." % entry)
            key, equals, value = str(entry).partition("=")
            found[key] = value if equals else None
    if "" in found:
        raise Refused("labels: a label has no name.")
    return found


def choose(look: Look, containers: Sequence[str], engines: Collection[str], labels: dict[str, str | None],
           types: Wanted, allow_host: Collection[str], each: bool) -> Choice:
    """The targets that the options mean. C(containers) empty is C(all)."""
    choice = Choice()
    eligible = [container for container in look.containers if _narrowed(container, engines, labels)]
    asked: dict[int, Container] = {}
    literal: dict[int, str] = {}
    refused: dict[str, Chosen] = {}
    for text in containers or (ALL,):
        if text != ALL and not is_pattern(text):
            try:
                one = find(text, eligible, look.problems)
            except Refused as refusal:
                refused[text] = Chosen(text, refusal=str(refusal))
            else:
                asked[id(one)] = one
                literal[id(one)] = text
            continue
        for one in eligible:
            if not one.infra and (one.engine != UNKNOWN or UNKNOWN in engines) and _fits(one, text):
                asked[id(one)] = one
    choice.targets.extend(refused.values())
    groups: dict[object, list[Container]] = {}
    for one in sorted(asked.values(), key=_order):
        try:
            check_state(one)
        except Refused as refusal:
            if id(one) in literal:
                choice.targets.append(Chosen(one.name, refusal=str(refusal)))
            else:
                choice.left_out.append({"container": one.name, "reason": str(refusal)})
            continue
        if not one.namespaces:
            choice.targets.append(Chosen(one.name, refusal=(
                "The namespaces of %s (pid %d) cannot be read: run the task as root (become), or as its user."
                % (one.name, one.pid))))
            continue
        try:
            joined = types_to_join(one.name, one.namespaces, types, look.own, look.host, allow_host)
        except Refused as refusal:
            choice.left_out.append({"container": one.name, "reason": str(refusal)})
            continue
        key = id(one) if each else tuple((kind, one.namespaces[kind]) for kind in joined)
        groups.setdefault(key, []).append(one)
    for first, *others in groups.values():
        choice.targets.append(Chosen(first.name, first, [other.id for other in others]))
    choice.targets.sort(key=lambda chosen: (chosen.name, _order(chosen.container) if chosen.container else ()))
    return choice


def is_pattern(text: str) -> bool:
    """Whether a text is a glob, and so may match nothing."""
    return any(mark in text for mark in "*?[")


def _fits(container: Container, pattern: str) -> bool:
    try:
        return pattern == ALL or any(fnmatch.fnmatchcase(name, pattern) for name in all_names(container))
    except re.error:  # [b-a], in older versions of Python
        return False


def _narrowed(container: Container, engines: Collection[str], labels: dict[str, str | None]) -> bool:
    if engines and container.engine not in engines:
        return False
    told = container.labels
    return all(key in told and (value is None or told[key] == value) for key, value in labels.items())


def _order(container: Container) -> tuple[str, str, str, int]:
    return container.name, container.engine, container.id, container.pid

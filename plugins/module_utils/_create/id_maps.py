"""Maps of user and group ids: as options have them, as the kernel takes them, and whose ids they are (subuid(5))."""
from __future__ import annotations

import re
from typing import Callable, Iterable, List, NamedTuple, Sequence

from .._model.entry import Refused

AUTO = "auto"
UIDS, GIDS = "/etc/subuid", "/etc/subgid"
_MOST = 340            # ranges, user_namespaces(7), 4.15
_MOST_BYTES = 4095     # of the text: less than a page
_HIGHEST = 0xFFFFFFFF  # (uid_t) -1 is no id
_RANGE = re.compile(r"([0-9]{1,10}):([0-9]{1,10}):([0-9]{1,10})")


class IdRange(NamedTuple):
    """C(size) ids from C(inner) on are, outside of the user namespace, those from C(outer) on."""

    inner: int
    outer: int
    size: int

    def __str__(self) -> str:
        return "%d:%d:%d" % self


class Ids(NamedTuple):
    """What ranges of one kind depend on. C(what): C(user) or C(group); C(own): the caller's; C(file): subuid(5).

    C(content): of that file; C(names): how it names the caller.
    """

    what: str
    own: int
    file: str
    content: bytes
    names: Sequence[str]


def subordinate(ids: Ids) -> List[IdRange]:
    """The ids that are delegated to the caller, with C(inner) 0. Lines that are none are passed over."""
    found = []
    for line in ids.content.decode("utf-8", "replace").splitlines():
        name, first, rest = (line.strip().split(":", 2) + ["", ""])[:3]
        if name in ids.names and first.isdigit() and rest.isdigit() and int(rest) > 0:
            found.append(IdRange(0, int(first), int(rest)))
    return found


def chosen(option: str, given: Sequence[str], single: int | None, ids: Callable[[], Ids]) -> List[IdRange]:
    """The ranges of an option, C(inner:outer:count) or C(auto). C(single): where the caller's own id is to be, inside.

    A single id takes its place in a range, whose ids move up by one. Raises Refused.
    """
    found: List[IdRange] = []
    for text in given:
        if text == AUTO:
            known = ids()
            delegated = subordinate(known)
            if not delegated:
                raise Refused("%s is auto, but %s delegates no ids to %s: add a line %s:100000:65536 there, or write"
                              " the ranges out." % (option, known.file, known.names[0], known.names[0]))
            found.append(delegated[0])
            continue
        match = _RANGE.fullmatch(text)
        if match is None:
            raise Refused("%s has %r, which is no range: write inner:outer:count, such as 0:100000:65536, or auto."
                          % (option, text[:100]))
        found.append(_checked(option, IdRange(*map(int, match.groups()))))
    if single is not None:
        found = [IdRange(single, ids().own, 1), *_around(found, single)]
    _apart(option, found)
    return found


def text(ranges: Iterable[IdRange]) -> bytes:
    """As uid_map takes it, all in one write."""
    return b"".join(b"%d %d %d\n" % each for each in ranges)


def parse(raw: bytes) -> List[IdRange]:
    """What uid_map shows. ValueError for what it never shows."""
    return [IdRange(*map(int, line.split())) for line in raw.splitlines()]


def same(first: Iterable[IdRange], second: Iterable[IdRange]) -> bool:
    """Whether two maps say the same, however they are parted."""
    return _joined(first) == _joined(second)


def inside(ranges: Iterable[IdRange], outer: int) -> int | None:
    """What an id is called inside; None: it is not mapped."""
    for each in ranges:
        if each.outer <= outer < each.outer + each.size:
            return each.inner + outer - each.outer
    return None


def maps(ranges: Iterable[IdRange], inner: int) -> bool:
    """Whether there is such an id inside."""
    return any(each.inner <= inner < each.inner + each.size for each in ranges)


def refuse_foreign(option: str, ranges: Iterable[IdRange], ids: Ids) -> None:
    """For who is not privileged: raises Refused for ids that are neither the caller's nor delegated to them."""
    delegated = subordinate(ids)
    for each in ranges:
        if each.size == 1 and each.outer == ids.own:
            continue
        if not any(one.outer <= each.outer and each.outer + each.size <= one.outer + one.size for one in delegated):
            which = "id %d is" % each.outer if each.size == 1 else "ids %d to %d are" % (
                each.outer, each.outer + each.size - 1)
            raise Refused("%s has %s, but the %s %s not delegated to %s in %s: map what is (auto), or run the task as"
                          " root (become)." % (
                              option, each, ids.what, which, ids.names[0], ids.file))


def _checked(option: str, given: IdRange) -> IdRange:
    if not given.size:
        raise Refused("%s has %s, whose count is 0: map at least one id." % (option, given))
    if max(given.inner, given.outer) + given.size > _HIGHEST:
        raise Refused("%s has %s, which ends beyond the highest id, %d." % (option, given, _HIGHEST - 1))
    return given


def _around(ranges: Iterable[IdRange], single: int) -> List[IdRange]:
    # As unshare(1) and podman: nothing that is delegated is left out in the middle, but the last one.
    found = []
    for each in ranges:
        before = single - each.inner
        if not 0 <= before < each.size:
            found.append(each)
            continue
        if before:
            found.append(IdRange(each.inner, each.outer, before))
        if each.size - before > 1:
            found.append(IdRange(single + 1, each.outer + before, each.size - before - 1))
    return found


def _apart(option: str, ranges: List[IdRange]) -> None:
    """user_namespaces(7): at most 340, and none may overlap another."""
    if len(ranges) > _MOST or len(text(ranges)) > _MOST_BYTES:
        raise Refused("%s has %d ranges, which is more than the kernel takes: %d, of %d bytes as text."
                      % (option, len(ranges), _MOST, _MOST_BYTES))
    for side in ("inner", "outer"):
        ordered = sorted(ranges, key=lambda each: int(getattr(each, side)))
        for one, other in zip(ordered, ordered[1:]):
            if getattr(one, side) + one.size > getattr(other, side):
                raise Refused("%s has %s and %s, whose %s ids overlap." % (option, one, other, side))


def _joined(ranges: Iterable[IdRange]) -> List[IdRange]:
    found: List[IdRange] = []
    for each in sorted(ranges):
        last = found[-1] if found else None
        if last and (last.inner + last.size, last.outer + last.size) == (each.inner, each.outer):
            found[-1] = last._replace(size=last.size + each.size)
        else:
            found.append(each)
    return found

"""Sets and maps in a rule of nf_tables: what their elements say of a packet, and what becomes of it then."""
from __future__ import annotations

from typing import Dict, List, Optional

from .._kernel import nfnetlink as nft
from .nft_ways import Action, Match, Place, Way, condition_of, slot_of, verdict_actions


def look_up(data: Dict[int, bytes], way: Way, place: Place, found: List[Action]) -> Optional[List[Way]]:
    """Narrow a way to a set, or split it at a map: into one way for each value, or an action for each verdict.

    None: the way itself goes on. Of a map of verdicts that is for what is not in it.
    """
    name = data.get(nft.NFTA_LOOKUP_SET, b"")
    elements = place.elements(name)
    destination = data.get(nft.NFTA_LOOKUP_DREG)
    negated = bool(nft.big(data.get(nft.NFTA_LOOKUP_FLAGS)) & 1)
    if elements is None:
        way.match["sets"] = way.match.get("sets", []) + [nft.name_of(name)]
        if negated:
            way.match["sets_negated"] = True
        way.complete &= destination is None
        return None
    slot = slot_of(nft.big(data.get(nft.NFTA_LOOKUP_SREG)))
    conditions: List[Match] = []
    for element in elements:
        condition = _key(element, slot, way, place)
        if condition is None:
            way.complete = False
        conditions.append(condition or {})
    if destination is None:
        if all(conditions):
            way.narrow(conditions, negated)
        return None
    split: List[Way] = []
    for condition, element in zip(conditions, elements):
        branch = way.copy()
        branch.match.update(condition)
        if element.verdict is not None:
            found.extend(verdict_actions(element.verdict, branch))
        elif element.data is not None:
            branch.put(nft.big(destination), element.data)
            split.append(branch)
    return split if nft.big(destination) else None


def _key(element: nft.Element, slot: int, way: Way, place: Place) -> Optional[Match]:
    """What an element says of the packet: its key has the fields of the registers from C(slot) on, each padded."""
    found: Match = {}
    at = 0
    while at < len(element.key):
        loaded = way.loaded.get(slot + at // 4)
        if loaded is None or not loaded.pieces or loaded.mask is not None:
            return None
        width = sum(piece.width for piece in loaded.pieces) or 4
        found.update(condition_of(loaded, element.key[at:at + width], element.end[at:at + width], place))
        at += width + -width % 4
    return found

"""One way through a rule of nf_tables: what is in its registers, and what must have been true to come so far."""
from __future__ import annotations

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from .._kernel import nfnetlink as nft
from .nft_fields import Piece, told

Match = Dict[str, Any]
# The elements of a set by its name as the kernel gave it; None: not to be had, or too many.
Elements = Callable[[bytes], Optional[Sequence[nft.Element]]]


class Place(NamedTuple):
    """Where a rule is: nfgenmsg's family; C(link) tells a link's name by its index, C(elements) those of a set."""

    family: int
    link: Callable[[int], Optional[str]]
    elements: Elements


class Action(NamedTuple):
    """What a rule does to what it matches. C(name): dnat, drop, ..., jump; C(to): where to, for jump a chain."""

    name: str
    match: Match
    to: Any
    complete: bool


class Loaded:
    """What a register holds of the packet."""

    __slots__ = ("pieces", "mask", "swapped")

    def __init__(self, pieces: Sequence[Piece], mask: Optional[bytes] = None, swapped: bool = False) -> None:
        self.pieces = pieces
        self.mask = mask
        self.swapped = swapped


class Way:
    """One way through a rule: maps split it. Registers are 32 bits each; those of 128 are four of them."""

    __slots__ = ("match", "complete", "loaded", "constants", "bounds", "family")

    def __init__(self, family: Optional[int]) -> None:
        self.match: Match = {}
        self.complete = True
        self.loaded: Dict[int, Loaded] = {}
        self.constants: Dict[int, bytes] = {}
        self.bounds: Dict[str, Tuple[bytes, bytes]] = {}
        # Of the network header: told by the table, or by a comparison before.
        self.family = family

    def copy(self) -> Way:
        """Another way from here on."""
        other = Way(self.family)
        other.match = dict(self.match)
        other.complete = self.complete
        other.loaded = dict(self.loaded)
        other.constants = dict(self.constants)
        other.bounds = dict(self.bounds)
        return other

    def narrow(self, one_of: Sequence[Match], negated: bool = False) -> None:
        """One of these must hold; or none of them."""
        if negated and len(one_of) == 1 and len(one_of[0]) == 1 and not self.match.keys() & one_of[0].keys():
            self.match.update(one_of[0])
            self.match["%s_negated" % next(iter(one_of[0]))] = True
        elif negated:
            self.match["none"] = self.match.get("none", []) + list(one_of)
        elif len(one_of) == 1 and all(self.match.get(key, value) == value for key, value in one_of[0].items()):
            self.match.update(one_of[0])
        else:
            self.match["any"] = self.match.get("any", []) + [list(one_of)]

    def load(self, register: int, found: Loaded) -> None:
        """Fill a register from the packet."""
        slot = slot_of(register)
        self.loaded[slot] = found
        self.constants.pop(slot, None)

    def put(self, register: int, value: bytes) -> None:
        """Fill a register, and those behind it, with a value."""
        slot = slot_of(register)
        for at in range(0, len(value), 4):
            self.constants[slot + at // 4] = value[at:at + 4]
            self.loaded.pop(slot + at // 4, None)

    def value(self, raw: Optional[bytes], length: int) -> Optional[bytes]:
        """The value in the register that an attribute names; None where it is not known."""
        if raw is None:
            return None
        slot = slot_of(nft.big(raw))
        found = b"".join(self.constants.get(slot + at, b"") for at in range((length + 3) // 4))
        return found[:length] if len(found) >= length else None


def slot_of(register: int) -> int:
    """The first of a register's 32-bit slots."""
    # NFT_REG_1 to 4, and NFT_REG32_00 to 15, which are their quarters.
    return register - 8 if register >= 8 else 4 * register - 4


def verdict_actions(verdict: Tuple[int, str], way: Way) -> List[Action]:
    """What a verdict (code, chain) does: one action, or none for accept, return and the like."""
    code, chain = verdict
    if code in (nft.NFT_JUMP, nft.NFT_GOTO):
        return [Action("jump", way.match, chain, way.complete)]
    # Above the verdict's byte are an errno, the number of a queue.
    name = {nft.NF_DROP: "drop", nft.NF_QUEUE: "queue"}.get(code & 0xFF) if code >= 0 else None
    return [] if name is None else [Action(name, way.match, None, way.complete)]


def condition_of(loaded: Loaded, low: bytes, high: bytes, place: Place) -> Match:
    """What is said of the fields in one register when it is between two values. Raises ValueError."""
    found: Match = {}
    at = 0
    for piece in loaded.pieces:
        width = piece.width if len(loaded.pieces) > 1 else len(low)
        part, last = low[at:at + width], high[at:at + width]
        if piece.kind == "free":
            continue
        if not part or len(part) > piece.full or (len(part) < piece.full and piece.kind not in ("address", "name")):
            raise ValueError(piece.name)
        found.update(told(piece, part, last, loaded.swapped, place.link))
        at += width
    return found

"""What a rule of nf_tables means: its expressions are followed, and what they compare and do is kept.

Rules come as small programs over registers (nft(8), C(nft --debug=netlink)). Nothing in them makes us fail: what is
cut off, unknown, or too much is left out of the match, and the rule is said to be not C(complete).
"""
from __future__ import annotations

import struct
from typing import Any, Callable, Dict, List, Optional, Tuple

from .._kernel import nfnetlink as nft
from .._kernel.netlink import attributes
from . import nft_xtables
from .nft_fields import CT, META, Field, Piece, address, is_ordered, masked, number, payload, told
from .nft_sets import look_up
from .nft_ways import Action, Loaded, Place, Way, condition_of, slot_of, verdict_actions

_BRANCHES = 1024  # ways through the maps of one rule that are followed

# Statements: they narrow nothing.
_HARMLESS = frozenset(("counter", "log", "notrack", "last", "dynset", "dup", "flow_offload", "secmark"))
# They load what has no name here; the attribute that names the register.
_NAMELESS = {"exthdr": 1, "rt": 1, "socket": 2, "osf": 1, "xfrm": 1, "tunnel": 2}
_FREE_PIECE = Piece("", "free", 0, 0)


def decode(expressions: bytes, place: Place) -> List[Action]:
    """What a rule (NFTA_RULE_EXPRESSIONS) does, for each way through its maps; accept and return are not told."""
    program = [_named(raw) for raw in nft.nested(expressions)]
    waiting = [(0, Way(place.family if place.family in (nft.NFPROTO_IPV4, nft.NFPROTO_IPV6) else None))]
    found: List[Action] = []
    while waiting:
        start, way = waiting.pop()
        for at in range(start, len(program)):
            name, data = program[at]
            try:
                if name != "lookup":
                    ended = _step(name, data, way, place, found)
                else:
                    branches = look_up(data, way, place, found)
                    ended = branches is not None
                    room = max(0, _BRANCHES - len(waiting) - len(found))
                    for branch in reversed((branches or [])[:room]):
                        branch.complete &= len(branches or []) <= room
                        waiting.append((at + 1, branch))
            except (struct.error, IndexError, ValueError, OverflowError):
                # A value of another size than its field has.
                way.complete = ended = False
            if ended:
                break
    return found


def _step(name: str, data: Dict[int, bytes], way: Way, place: Place, found: List[Action]) -> bool:
    """Follow one expression. True: the rule ends with it."""
    if name in _LOADS:
        _LOADS[name](data, way)
    elif name in _MATCHES:
        _MATCHES[name](data, way, place)
    elif name in _ACTIONS:
        action, target = _ACTIONS[name](data, way, place)
        found.append(Action(action, way.match, target, way.complete))
        return True
    elif name == "immediate":
        verdict = nft.verdict_of(data.get(nft.NFTA_IMMEDIATE_DATA))
        if verdict is not None:
            found.extend(verdict_actions(verdict, way))
            return True
        way.put(nft.big(data.get(nft.NFTA_IMMEDIATE_DREG)), nft.value_of(data.get(nft.NFTA_IMMEDIATE_DATA)))
    elif name == "match":
        way.complete &= nft_xtables.match(_xtables(data), way.match, way.narrow)
    elif name == "target":
        done = nft_xtables.target(_xtables(data), place.family)
        if done is not None:
            found.append(Action(done.name, way.match, done.to, way.complete and done.complete))
        return done is not None
    elif name not in _HARMLESS:
        way.complete = False
        if name in _NAMELESS:
            way.load(nft.big(data.get(_NAMELESS[name])), Loaded(()))
    return False


def _named(raw: bytes) -> Tuple[str, Dict[int, bytes]]:
    found = attributes(raw)
    return nft.name_of(found.get(nft.NFTA_EXPR_NAME)), attributes(found.get(nft.NFTA_EXPR_DATA, b""))


# Loads


def _load_payload(data: Dict[int, bytes], way: Way) -> None:
    if nft.NFTA_PAYLOAD_DREG not in data:
        return  # it writes into the packet
    base, offset, length = (nft.big(data.get(kind)) for kind in (
        nft.NFTA_PAYLOAD_BASE, nft.NFTA_PAYLOAD_OFFSET, nft.NFTA_PAYLOAD_LEN))
    pieces = payload(base, offset, length, way.family, way.match.get("protocol"))
    way.load(nft.big(data[nft.NFTA_PAYLOAD_DREG]), Loaded(pieces))


def _load_meta(data: Dict[int, bytes], way: Way) -> None:
    if nft.NFTA_META_DREG in data:
        _load_field(data[nft.NFTA_META_DREG], META.get(nft.big(data.get(nft.NFTA_META_KEY))), way)


def _load_ct(data: Dict[int, bytes], way: Way) -> None:
    if nft.NFTA_CT_DREG in data:
        directed = nft.NFTA_CT_DIRECTION in data
        field = None if directed else CT.get(nft.big(data.get(nft.NFTA_CT_KEY)))
        _load_field(data[nft.NFTA_CT_DREG], field, way)


def _load_fib(data: Dict[int, bytes], way: Way) -> None:
    field: Optional[Field] = None
    if nft.big(data.get(nft.NFTA_FIB_RESULT)) == nft.NFT_FIB_RESULT_ADDRTYPE:
        source = nft.big(data.get(nft.NFTA_FIB_FLAGS)) & nft.NFTA_FIB_F_SADDR
        field = ("source_addrtype" if source else "addrtype", "addrtype", 4)
    _load_field(data.get(nft.NFTA_FIB_DREG, b""), field, way)


def _load_field(register: bytes, field: Optional[Field], way: Way) -> None:
    way.load(nft.big(register), Loaded(() if field is None else (Piece(field[0], field[1], field[2], field[2]),)))


def _load_free(data: Dict[int, bytes], way: Way) -> None:
    # NFTA_NG_DREG is the first; the hash's is the second.
    way.load(nft.big(data.get(1)), Loaded((_FREE_PIECE,)))


def _load_hash(data: Dict[int, bytes], way: Way) -> None:
    way.load(nft.big(data.get(2)), Loaded((_FREE_PIECE,)))


def _bitwise(data: Dict[int, bytes], way: Way) -> None:
    source = way.loaded.get(slot_of(nft.big(data.get(nft.NFTA_BITWISE_SREG))))
    mask = nft.value_of(data.get(nft.NFTA_BITWISE_MASK))
    plain = source is not None and len(source.pieces) == 1 and source.mask is None and not source.swapped
    if source is None or not plain or nft.big(data.get(nft.NFTA_BITWISE_OP)) or not mask or any(
            nft.value_of(data.get(nft.NFTA_BITWISE_XOR))):
        way.load(nft.big(data.get(nft.NFTA_BITWISE_DREG)), Loaded(()))
    else:
        way.load(nft.big(data.get(nft.NFTA_BITWISE_DREG)), Loaded(source.pieces, mask))


def _byteorder(data: Dict[int, bytes], way: Way) -> None:
    source = way.loaded.get(slot_of(nft.big(data.get(nft.NFTA_BYTEORDER_SREG))), Loaded(()))
    plain = source.mask is None and not source.swapped
    way.load(nft.big(data.get(nft.NFTA_BYTEORDER_DREG)), Loaded(source.pieces if plain else (), None, True))


# Comparisons


def _compare(data: Dict[int, bytes], way: Way, place: Place) -> None:
    loaded = way.loaded.get(slot_of(nft.big(data.get(nft.NFTA_CMP_SREG))))
    value = nft.value_of(data.get(nft.NFTA_CMP_DATA))
    how = nft.big(data.get(nft.NFTA_CMP_OP))
    if loaded is None or not loaded.pieces or not value:
        way.complete = False
    elif loaded.mask is not None:
        _compare_bits(loaded, how, value, way)
    elif how in (nft.NFT_CMP_EQ, nft.NFT_CMP_NEQ):
        condition = condition_of(loaded, value, value, place)
        way.narrow([condition], how == nft.NFT_CMP_NEQ)
        if how == nft.NFT_CMP_EQ and condition.get("family") in ("ip", "ip6"):
            way.family = nft.NFPROTO_IPV4 if condition["family"] == "ip" else nft.NFPROTO_IPV6
    else:
        _order(loaded, how, value, way, place)


def _compare_bits(loaded: Loaded, how: int, value: bytes, way: Way) -> None:
    piece, mask = loaded.pieces[0], loaded.mask or b""
    if piece.kind in ("states", "statuses") and not any(value):
        # "Some of these bits" is written as: what is left of them is not 0.
        way.narrow([told(piece, mask, mask, False, str)], how == nft.NFT_CMP_EQ)
    elif len(value) != len(mask) or how not in (nft.NFT_CMP_EQ, nft.NFT_CMP_NEQ):
        way.complete = False
    else:
        way.narrow([masked(piece, value, mask)], how == nft.NFT_CMP_NEQ)


def _order(loaded: Loaded, how: int, value: bytes, way: Way, place: Place) -> None:
    """At least, at most: two of them make a range."""
    piece = loaded.pieces[0]
    if len(loaded.pieces) != 1 or not is_ordered(piece.kind) or len(value) != piece.full:
        way.complete = False
        return
    step = {nft.NFT_CMP_GT: 1, nft.NFT_CMP_LT: -1}.get(how, 0)
    edge = (int.from_bytes(value, "big") + step).to_bytes(len(value), "big")
    low, high = way.bounds.get(piece.name, (b"\0" * len(value), b"\xff" * len(value)))
    low, high = (edge, high) if how in (nft.NFT_CMP_GT, nft.NFT_CMP_GTE) else (low, edge)
    way.bounds[piece.name] = low, high
    way.match.pop(piece.name + "_max", None)
    # The kernel compares bytes: what is ordered was brought into network byte order before.
    way.match.update(told(piece, low, high, True, place.link))


def _range(data: Dict[int, bytes], way: Way, place: Place) -> None:
    loaded = way.loaded.get(slot_of(nft.big(data.get(nft.NFTA_RANGE_SREG))))
    low, high = (nft.value_of(data.get(kind)) for kind in (nft.NFTA_RANGE_FROM_DATA, nft.NFTA_RANGE_TO_DATA))
    if loaded is None or len(loaded.pieces) != 1 or loaded.mask is not None or len(low) != len(high) or not low:
        way.complete = False
        return
    condition = told(loaded.pieces[0], low, high, True, place.link)
    if not nft.big(data.get(nft.NFTA_RANGE_OP)):
        way.match.update(condition)
    elif loaded.pieces[0].name in way.match:
        way.narrow([condition], True)
    else:
        way.match.update(condition)
        way.match[loaded.pieces[0].name + "_negated"] = True


def _limit(dummy: Dict[int, bytes], way: Way, dummy2: Place) -> None:
    way.match["limit"] = True


def _object(data: Dict[int, bytes], way: Way, dummy: Place) -> None:
    # NFTA_OBJREF_IMM_TYPE: a quota, limit or connlimit by name; else a counter and the like.
    if nft.big(data.get(1)) in (2, 4, 5):
        way.match["limit"] = True


# Actions


def _nat(data: Dict[int, bytes], way: Way, dummy: Place) -> Tuple[str, Any]:
    length = 16 if nft.big(data.get(nft.NFTA_NAT_FAMILY)) == nft.NFPROTO_IPV6 else 4
    target = _target(
        way, length, data.get(nft.NFTA_NAT_REG_ADDR_MIN), data.get(nft.NFTA_NAT_REG_ADDR_MAX),
        data.get(nft.NFTA_NAT_REG_PROTO_MIN), data.get(nft.NFTA_NAT_REG_PROTO_MAX),
    )
    return "snat" if nft.big(data.get(nft.NFTA_NAT_TYPE)) == nft.NFT_NAT_SNAT else "dnat", target


def _masquerade(data: Dict[int, bytes], way: Way, dummy: Place) -> Tuple[str, Any]:
    ports = data.get(nft.NFTA_MASQ_REG_PROTO_MIN), data.get(nft.NFTA_MASQ_REG_PROTO_MAX)
    return "masquerade", _target(way, 4, None, None, *ports)


def _redirect(data: Dict[int, bytes], way: Way, dummy: Place) -> Tuple[str, Any]:
    ports = data.get(nft.NFTA_REDIR_REG_PROTO_MIN), data.get(nft.NFTA_REDIR_REG_PROTO_MAX)
    return "redirect", _target(way, 4, None, None, *ports)


def _tproxy(data: Dict[int, bytes], way: Way, dummy: Place) -> Tuple[str, Any]:
    length = 16 if nft.big(data.get(nft.NFTA_TPROXY_FAMILY)) == nft.NFPROTO_IPV6 else 4
    return "tproxy", _target(way, length, data.get(nft.NFTA_TPROXY_REG_ADDR), None,
                             data.get(nft.NFTA_TPROXY_REG_PORT), None)


def _target(way: Way, length: int, *registers: Optional[bytes]) -> Optional[Dict[str, Any]]:
    """Address, its last, port, its last; what comes from the packet itself is not known. None: none of them."""
    values = [way.value(raw, 2 if at > 1 else length) for at, raw in enumerate(registers)]
    way.complete &= not any(raw is not None and value is None for raw, value in zip(registers, values))
    first, last, port, port_max = values
    return None if first is None and port is None else {
        "address": None if first is None else address(first),
        "address_max": None if last is None or last == first else address(last),
        "port": None if port is None else number("number", port),
        "port_max": None if port_max is None or port_max == port else number("number", port_max),
    }


def _xtables(data: Dict[int, bytes]) -> nft_xtables.Entry:
    return nft_xtables.Entry(
        nft.name_of(data.get(nft.NFTA_MATCH_NAME)), nft.big(data.get(nft.NFTA_MATCH_REV)),
        data.get(nft.NFTA_MATCH_INFO, b""),
    )


_LOADS: Dict[str, Callable[[Dict[int, bytes], Way], None]] = {
    "payload": _load_payload, "meta": _load_meta, "ct": _load_ct, "fib": _load_fib, "numgen": _load_free,
    "hash": _load_hash, "bitwise": _bitwise, "byteorder": _byteorder,
}
_MATCHES: Dict[str, Callable[[Dict[int, bytes], Way, Place], None]] = {
    "cmp": _compare, "range": _range, "limit": _limit, "quota": _limit, "connlimit": _limit, "objref": _object,
}
_ACTIONS: Dict[str, Callable[[Dict[int, bytes], Way, Place], Tuple[str, Any]]] = {
    "nat": _nat, "masq": _masquerade, "redir": _redirect, "tproxy": _tproxy,
    "reject": lambda data, way, place: ("reject", None), "queue": lambda data, way, place: ("queue", None),
}

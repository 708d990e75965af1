"""A rule of nf_tables in nft(8)'s words.

What there are no words for is its expression's name and a digest of its bytes, so that any difference shows.
"""
from __future__ import annotations

import struct
from typing import Callable, Dict

from .._kernel import nfnetlink as nft
from .._kernel.netlink import attributes
from .._network.nft_fields import CT, META, Piece, masked, payload, told
from .nft_elements import element_words, word_of
from .nft_rule import Link, Loaded, Own, Rule, constant, slot, verdict_words
from .nft_statements import NO_STATE, STATEMENTS, number
from .state_look import digest

_META = {0: "length", 1: "protocol", 2: "priority", 3: "mark", 4: "iif", 5: "oif", 6: "iifname", 7: "oifname",
         10: "skuid", 11: "skgid", 12: "nftrace", 15: "nfproto", 16: "l4proto", 17: "ibrname", 18: "obrname",
         19: "pkttype", 20: "cpu", 23: "cgroup"}
_CT = {0: "state", 1: "direction", 2: "status", 3: "mark", 6: "helper", 17: "zone"}
_OPS = ("", "!= ", "< ", "<= ", "> ", ">= ")


def rule_words(family: int, expressions: bytes, link: Link, own: Own) -> str:
    """All that a rule does; its comment is not in the expressions."""
    rule = Rule(family, link, own)
    for raw in nft.nested(expressions):
        found = attributes(raw)
        name, body = nft.name_of(found.get(nft.NFTA_EXPR_NAME)), found.get(nft.NFTA_EXPR_DATA, b"")
        data = attributes(body)
        write = _WRITERS.get(name)
        try:
            known = write is not None and write(rule, data)
        except (struct.error, IndexError, ValueError, OverflowError):
            known = False
        if not known:
            _unknown(rule, name, data)
    return " ".join(rule.words)


def _unknown(rule: Rule, name: str, data: Dict[int, bytes]) -> None:
    kept = sorted((number, value) for number, value in data.items() if number not in NO_STATE.get(name, ()))
    rule.words.append("%s#%s" % (name, digest(*(b"%d=%s" % entry for entry in kept))))


def _payload(rule: Rule, data: Dict[int, bytes]) -> bool:
    if nft.NFTA_PAYLOAD_DREG not in data:
        return False
    base, offset, length = (nft.big(data.get(kind)) for kind in (2, 3, 4))
    pieces = payload(base, offset, length, rule.network, rule.protocol)
    name = "@%s,%d,%d" % (("ll", "nh", "th", "ih")[base] if base < 4 else base, 8 * offset, 8 * length)
    piece = pieces[0] if len(pieces) == 1 and pieces[0].name else None
    if piece is not None:
        name = "%s %s" % (_header(rule, base), {
            "source": "saddr", "destination": "daddr", "source_port": "sport", "port": "dport", "family": "type",
            "tcp_flags": "flags", "icmp_type": "type", "icmp_code": "code",
            "protocol": "nexthdr" if rule.network == nft.NFPROTO_IPV6 else "protocol",
        }.get(piece.name, piece.name))
    elif base == 0 and length == 6 and offset in (0, 6):
        name = "ether %s" % ("saddr" if offset else "daddr")
    rule.load(data[1], Loaded(name, piece))
    return True


def _header(rule: Rule, base: int) -> str:
    if base == nft.NFT_PAYLOAD_NETWORK_HEADER:
        return "ip6" if rule.network == nft.NFPROTO_IPV6 else "ip"
    return "ether" if base == 0 else rule.protocol if rule.protocol and " " not in rule.protocol else "th"


def _meta(rule: Rule, data: Dict[int, bytes]) -> bool:
    key = nft.big(data.get(2))
    name = "meta %s" % _META.get(key, key)
    if 3 in data:
        rule.words.append("%s set %s" % (name, number(rule.of(data[3]))))
        return True
    field = META.get(key)
    piece = Piece(field[0], field[1], field[2], field[2]) if field else None
    # nft says these without "meta".
    rule.load(data.get(1), Loaded(name[5:] if key in (4, 5, 6, 7) else name, piece))
    return 1 in data


def _ct(rule: Rule, data: Dict[int, bytes]) -> bool:
    key = nft.big(data.get(2))
    direction = {b"\0": "original ", b"\x01": "reply "}.get(data.get(3, b"-"), "")
    name = "ct %s%s" % (direction, _CT.get(key, key))
    if 4 in data:
        rule.words.append("%s set %s" % (name, number(rule.of(data[4]))))
        return True
    field = None if direction else CT.get(key)
    rule.load(data.get(1), Loaded(name, Piece(field[0], field[1], field[2], field[2]) if field else None))
    return 1 in data


def _fib(rule: Rule, data: Dict[int, bytes]) -> bool:
    result, flags = nft.big(data.get(2)), nft.big(data.get(3))
    names = [word for bit, word in ((1, "saddr"), (2, "daddr"), (4, "mark"), (8, "iif"), (16, "oif"), (32, "present"))
             if flags & bit]
    name = "fib %s %s" % (" . ".join(names), ("", "oif", "oifname", "type")[result] if result < 4 else result)
    rule.load(data.get(1), Loaded(name, Piece("addrtype", "addrtype", 4, 4) if result == 3 else None))
    return True


def _loads(name: str, register: int) -> Callable[[Rule, Dict[int, bytes]], bool]:
    """An expression that loads what has no words here."""
    def load(rule: Rule, data: Dict[int, bytes]) -> bool:
        if register not in data:
            return False
        source = ""
        if name == "hash" and 1 in data:
            source = " of %s" % constant(rule.of(data[1]))
        kept = sorted(entry for entry in data.items() if entry[0] != register)
        rule.load(data[register], Loaded("%s#%s%s" % (
            name, digest(*(b"%d=%s" % entry for entry in kept)), source)))
        return True
    return load


def _bitwise(rule: Rule, data: Dict[int, bytes]) -> bool:
    source = rule.of(data.get(1))
    mask, xor = nft.value_of(data.get(4)), nft.value_of(data.get(5))
    if isinstance(source, Loaded) and not source.mask and not source.swapped and mask and not any(xor) and (
            not nft.big(data.get(6))):
        rule.load(data.get(2), Loaded(source.name, source.piece, mask))
    else:
        kept = sorted(entry for entry in data.items() if entry[0] not in (1, 2))
        rule.load(data.get(2), Loaded("%s & #%s" % (
            constant(source), digest(*(b"%d=%s" % entry for entry in kept)))))
    return True


def _byteorder(rule: Rule, data: Dict[int, bytes]) -> bool:
    source = rule.of(data.get(1))
    if isinstance(source, Loaded) and not source.mask:
        rule.load(data.get(2), Loaded(source.name, source.piece, b"", True))
    else:
        rule.load(data.get(2), Loaded("%s swapped" % constant(source)))
    return True


def _cmp(rule: Rule, data: Dict[int, bytes]) -> bool:
    loaded = rule.of(data.get(1))
    how, value = nft.big(data.get(2)), nft.value_of(data.get(3))
    if not isinstance(loaded, Loaded) or how >= len(_OPS):
        return False
    rule.compared(loaded, _compared(loaded, how, value, rule.link))
    return True


def _compared(loaded: Loaded, how: int, value: bytes, link: Link) -> str:
    piece = loaded.piece
    if loaded.mask:
        if piece is not None and piece.kind in ("states", "statuses") and not any(value):
            names = word_of(told(piece, loaded.mask, loaded.mask, False, link))
            return ("! " if how == 0 else "") + names
        if piece is not None and piece.kind == "address" and how < 2:
            return _OPS[how] + word_of(masked(piece, value, loaded.mask))
        return "& 0x%s %s 0x%s" % (loaded.mask.hex(), _OPS[how].strip() or "==", value.hex())
    return _OPS[how] + _between(loaded, value, value, link)


def _between(loaded: Loaded, low: bytes, high: bytes, link: Link) -> str:
    if loaded.piece is not None and (loaded.piece.width == len(low) or loaded.piece.kind == "name"):
        return word_of(told(loaded.piece, low, high, loaded.swapped or low != high, link))
    if loaded.name.startswith("ether ") and len(low) == 6 and low == high:
        return low.hex(":")
    return "0x%s" % low.hex() + ("" if low == high else "-0x%s" % high.hex())


def _range(rule: Rule, data: Dict[int, bytes]) -> bool:
    loaded = rule.of(data.get(1))
    if not isinstance(loaded, Loaded) or loaded.mask:
        return False
    rule.compared(loaded, ("!= " if nft.big(data.get(2)) else "") + _between(
        loaded, nft.value_of(data.get(3)), nft.value_of(data.get(4)), rule.link))
    return True


def _lookup(rule: Rule, data: Dict[int, bytes]) -> bool:
    name = data.get(nft.NFTA_LOOKUP_SET, b"")
    own = rule.own(name)
    keys = [rule.of(data.get(nft.NFTA_LOOKUP_SREG))]
    if own is not None:
        said = "{ %s }" % ", ".join(element_words(own[0], element, rule.link) for element in own[1])
        count, kind = 0, own[0][0]
        while kind:
            count, kind = count + 1, kind >> 6
        at = slot(nft.big(data.get(nft.NFTA_LOOKUP_SREG)))
        # The fields of a key follow each other in whole registers.
        others = sorted(other for other in rule.registers if other > at)
        keys += [rule.registers[other] for other in others[:max(0, count - 1)]]
    else:
        said = "@%s" % nft.name_of(name)
    text = " . ".join(constant(key) for key in keys)
    if nft.NFTA_LOOKUP_DREG in data:
        if nft.big(data[nft.NFTA_LOOKUP_DREG]) == 0:  # NFT_REG_VERDICT
            rule.compared(Loaded(text), "vmap %s" % said)
        else:
            rule.load(data[nft.NFTA_LOOKUP_DREG], Loaded("%s map %s" % (text, said)))
        return True
    rule.compared(Loaded(text), ("!= " if nft.big(data.get(nft.NFTA_LOOKUP_FLAGS)) & 1 else "") + said)
    return True


def _immediate(rule: Rule, data: Dict[int, bytes]) -> bool:
    verdict = nft.verdict_of(data.get(2))
    if verdict is not None:
        rule.words.append(verdict_words(verdict))
    else:
        rule.load(data.get(1), nft.value_of(data.get(2)))
    return True


_WRITERS: Dict[str, Callable[[Rule, Dict[int, bytes]], bool]] = {
    "payload": _payload, "meta": _meta, "ct": _ct, "fib": _fib, "bitwise": _bitwise, "byteorder": _byteorder,
    "cmp": _cmp, "range": _range, "lookup": _lookup, "immediate": _immediate,
    **STATEMENTS,
    "exthdr": _loads("exthdr", 1), "rt": _loads("rt", 1), "socket": _loads("socket", 2), "osf": _loads("osf", 1),
    "xfrm": _loads("xfrm", 1), "tunnel": _loads("tunnel", 2), "numgen": _loads("numgen", 1),
    "hash": _loads("hash", 2),
}

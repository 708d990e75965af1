"""A rule of nf_tables in nft(8)'s words.

What there are no words for is its expression's name and a digest of its bytes, so that any difference shows.
"""
from __future__ import annotations

import struct
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from .._kernel import nfnetlink as nft
from .._kernel.netlink import attribute, attributes
from .._network.nft_fields import CT, META, Piece, address, masked, payload, told
from . import xt_words
from .state_look import digest

Link = Callable[[int], str]
# Types and elements of a set that a rule has of its own, by its name; None for those that have a line of their own.
Own = Callable[[bytes], Optional[Tuple[Tuple[int, int], Sequence[Any]]]]

_TYPES = {5: "integer", 7: "ipv4_addr", 8: "ipv6_addr", 9: "ether_addr", 10: "ether_type", 12: "inet_proto",
          13: "inet_service", 14: "icmp_type", 15: "tcp_flag", 19: "mark", 20: "iface_index", 24: "uid", 25: "gid",
          26: "ct_state", 41: "ifname"}
_KINDS = {7: ("address", 4), 8: ("address", 16), 10: ("ethertype", 2), 12: ("protocol", 1), 13: ("number", 2),
          14: ("number", 1), 15: ("hex", 1), 19: ("mark", 4), 20: ("index", 4), 24: ("host", 4), 25: ("host", 4),
          26: ("states", 4), 41: ("name", 16)}
_META = {0: "length", 1: "protocol", 2: "priority", 3: "mark", 4: "iif", 5: "oif", 6: "iifname", 7: "oifname",
         10: "skuid", 11: "skgid", 12: "nftrace", 15: "nfproto", 16: "l4proto", 17: "ibrname", 18: "obrname",
         19: "pkttype", 20: "cpu", 23: "cgroup"}
_CT = {0: "state", 1: "direction", 2: "status", 3: "mark", 6: "helper", 17: "zone"}
_OPS = ("", "!= ", "< ", "<= ", "> ", ">= ")
_VERDICTS = {0: "drop", 1: "accept", 3: "queue", -1: "continue", -2: "break", -5: "return"}
_UNITS = {1: "second", 60: "minute", 3600: "hour", 86400: "day", 604800: "week"}
_LEVELS = ("emerg", "alert", "crit", "err", "warn", "notice", "info", "debug", "audit")
_ICMPX = ("no-route", "port-unreachable", "host-unreachable", "admin-prohibited")
_REJECTS = {(2, 3): "icmp port-unreachable", (2, 1): "icmp host-unreachable", (2, 13): "icmp admin-prohibited",
            (10, 4): "icmpv6 port-unreachable", (10, 1): "icmpv6 admin-prohibited"}
# What an expression has used up or only names for this transaction: numbers of its attributes.
_NO_STATE = {"last": (1, 2), "lookup": (4,), "dynset": (2,), "objref": (5,)}


class _Loaded:
    """What a register holds: how it is called, and as what its bytes are read."""

    def __init__(self, name: str, piece: Optional[Piece] = None, mask: bytes = b"", swapped: bool = False) -> None:
        self.name, self.piece, self.mask, self.swapped = name, piece, mask, swapped


class _Rule:
    """The words so far, and the registers: 32 bits each, those of 128 are four of them."""

    def __init__(self, family: int, link: Link, own: Own) -> None:
        self.family, self.link, self.own = family, link, own
        self.words: List[str] = []
        self.registers: Dict[int, Any] = {}
        self.network = family if family in (nft.NFPROTO_IPV4, nft.NFPROTO_IPV6) else None
        self.protocol: Optional[str] = None

    def load(self, register: Optional[bytes], value: Any) -> None:
        self.registers[_slot(nft.big(register))] = value

    def of(self, register: Optional[bytes]) -> Any:
        return self.registers.get(_slot(nft.big(register))) or _Loaded("register %d" % nft.big(register))

    def value(self, register: Optional[bytes]) -> Any:
        """The constant in a register, or what was loaded."""
        return None if register is None else self.of(register)

    def compared(self, loaded: _Loaded, said: str) -> None:
        """A comparison: what an earlier one says and this one implies is left out, as nft does."""
        self.words = [word for word in self.words if not loaded.name.startswith(_IMPLIED.get(word, "\0"))]
        self.words.append("%s %s" % (loaded.name, said))
        if loaded.name in ("meta l4proto", "ip protocol", "ip6 nexthdr"):
            self.protocol = said
        elif loaded.name in ("meta nfproto", "meta protocol", "ether type"):
            self.network = {"ip": nft.NFPROTO_IPV4, "ipv4": nft.NFPROTO_IPV4, "ip6": nft.NFPROTO_IPV6,
                            "ipv6": nft.NFPROTO_IPV6}.get(said, self.network)


_IMPLIED = {"meta l4proto tcp": "tcp ", "meta l4proto udp": "udp ", "meta l4proto icmp": "icmp ",
            "meta l4proto icmpv6": "icmpv6 ", "meta nfproto ipv4": "ip ", "meta nfproto ip": "ip ",
            "meta nfproto ip6": "ip6 ", "ip protocol tcp": "tcp ", "ip protocol udp": "udp ",
            "ip protocol icmp": "icmp "}


def rule_words(family: int, expressions: bytes, link: Link, own: Own) -> str:
    """All that a rule does; its comment is not in the expressions."""
    rule = _Rule(family, link, own)
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


def _unknown(rule: _Rule, name: str, data: Dict[int, bytes]) -> None:
    kept = sorted((number, value) for number, value in data.items() if number not in _NO_STATE.get(name, ()))
    rule.words.append("%s#%s" % (name, digest(*(b"%d=%s" % entry for entry in kept))))


def _payload(rule: _Rule, data: Dict[int, bytes]) -> bool:
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
    rule.load(data[1], _Loaded(name, piece))
    return True


def _header(rule: _Rule, base: int) -> str:
    if base == nft.NFT_PAYLOAD_NETWORK_HEADER:
        return "ip6" if rule.network == nft.NFPROTO_IPV6 else "ip"
    return "ether" if base == 0 else rule.protocol if rule.protocol and " " not in rule.protocol else "th"


def _meta(rule: _Rule, data: Dict[int, bytes]) -> bool:
    key = nft.big(data.get(2))
    name = "meta %s" % _META.get(key, key)
    if 3 in data:
        rule.words.append("%s set %s" % (name, _number(rule.of(data[3]))))
        return True
    field = META.get(key)
    piece = Piece(field[0], field[1], field[2], field[2]) if field else None
    # nft says these without "meta".
    rule.load(data.get(1), _Loaded(name[5:] if key in (4, 5, 6, 7) else name, piece))
    return 1 in data


def _ct(rule: _Rule, data: Dict[int, bytes]) -> bool:
    key = nft.big(data.get(2))
    direction = {b"\0": "original ", b"\x01": "reply "}.get(data.get(3, b"-"), "")
    name = "ct %s%s" % (direction, _CT.get(key, key))
    if 4 in data:
        rule.words.append("%s set %s" % (name, _number(rule.of(data[4]))))
        return True
    field = None if direction else CT.get(key)
    rule.load(data.get(1), _Loaded(name, Piece(field[0], field[1], field[2], field[2]) if field else None))
    return 1 in data


def _fib(rule: _Rule, data: Dict[int, bytes]) -> bool:
    result, flags = nft.big(data.get(2)), nft.big(data.get(3))
    names = [word for bit, word in ((1, "saddr"), (2, "daddr"), (4, "mark"), (8, "iif"), (16, "oif"), (32, "present"))
             if flags & bit]
    name = "fib %s %s" % (" . ".join(names), ("", "oif", "oifname", "type")[result] if result < 4 else result)
    rule.load(data.get(1), _Loaded(name, Piece("addrtype", "addrtype", 4, 4) if result == 3 else None))
    return True


def _loads(name: str, register: int) -> Callable[[_Rule, Dict[int, bytes]], bool]:
    """An expression that loads what has no words here."""
    def load(rule: _Rule, data: Dict[int, bytes]) -> bool:
        if register not in data:
            return False
        source = ""
        if name == "hash" and 1 in data:
            source = " of %s" % _constant(rule.of(data[1]))
        kept = sorted(entry for entry in data.items() if entry[0] != register)
        rule.load(data[register], _Loaded("%s#%s%s" % (
            name, digest(*(b"%d=%s" % entry for entry in kept)), source)))
        return True
    return load


def _bitwise(rule: _Rule, data: Dict[int, bytes]) -> bool:
    source = rule.of(data.get(1))
    mask, xor = nft.value_of(data.get(4)), nft.value_of(data.get(5))
    if isinstance(source, _Loaded) and not source.mask and not source.swapped and mask and not any(xor) and (
            not nft.big(data.get(6))):
        rule.load(data.get(2), _Loaded(source.name, source.piece, mask))
    else:
        kept = sorted(entry for entry in data.items() if entry[0] not in (1, 2))
        rule.load(data.get(2), _Loaded("%s & #%s" % (
            _constant(source), digest(*(b"%d=%s" % entry for entry in kept)))))
    return True


def _byteorder(rule: _Rule, data: Dict[int, bytes]) -> bool:
    source = rule.of(data.get(1))
    if isinstance(source, _Loaded) and not source.mask:
        rule.load(data.get(2), _Loaded(source.name, source.piece, b"", True))
    else:
        rule.load(data.get(2), _Loaded("%s swapped" % _constant(source)))
    return True


def _cmp(rule: _Rule, data: Dict[int, bytes]) -> bool:
    loaded = rule.of(data.get(1))
    how, value = nft.big(data.get(2)), nft.value_of(data.get(3))
    if not isinstance(loaded, _Loaded) or how >= len(_OPS):
        return False
    rule.compared(loaded, _compared(loaded, how, value, rule.link))
    return True


def _compared(loaded: _Loaded, how: int, value: bytes, link: Link) -> str:
    piece = loaded.piece
    if loaded.mask:
        if piece is not None and piece.kind in ("states", "statuses") and not any(value):
            names = _word(told(piece, loaded.mask, loaded.mask, False, link))
            return ("! " if how == 0 else "") + names
        if piece is not None and piece.kind == "address" and how < 2:
            return _OPS[how] + _word(masked(piece, value, loaded.mask))
        return "& 0x%s %s 0x%s" % (loaded.mask.hex(), _OPS[how].strip() or "==", value.hex())
    return _OPS[how] + _between(loaded, value, value, link)


def _between(loaded: _Loaded, low: bytes, high: bytes, link: Link) -> str:
    if loaded.piece is not None and (loaded.piece.width == len(low) or loaded.piece.kind == "name"):
        return _word(told(loaded.piece, low, high, loaded.swapped or low != high, link))
    if loaded.name.startswith("ether ") and len(low) == 6 and low == high:
        return low.hex(":")
    return "0x%s" % low.hex() + ("" if low == high else "-0x%s" % high.hex())


def _word(said: Dict[str, Any]) -> str:
    values = ["%s" % (",".join(value) if isinstance(value, list) else value) for value in said.values()]
    return "-".join(values)


def _range(rule: _Rule, data: Dict[int, bytes]) -> bool:
    loaded = rule.of(data.get(1))
    if not isinstance(loaded, _Loaded) or loaded.mask:
        return False
    rule.compared(loaded, ("!= " if nft.big(data.get(2)) else "") + _between(
        loaded, nft.value_of(data.get(3)), nft.value_of(data.get(4)), rule.link))
    return True


def _lookup(rule: _Rule, data: Dict[int, bytes]) -> bool:
    name = data.get(nft.NFTA_LOOKUP_SET, b"")
    own = rule.own(name)
    keys = [rule.of(data.get(nft.NFTA_LOOKUP_SREG))]
    if own is not None:
        said = "{ %s }" % ", ".join(element_words(own[0], element, rule.link) for element in own[1])
        count, kind = 0, own[0][0]
        while kind:
            count, kind = count + 1, kind >> 6
        at = _slot(nft.big(data.get(nft.NFTA_LOOKUP_SREG)))
        # The fields of a key follow each other in whole registers.
        others = sorted(slot for slot in rule.registers if slot > at)
        keys += [rule.registers[slot] for slot in others[:max(0, count - 1)]]
    else:
        said = "@%s" % nft.name_of(name)
    text = " . ".join(_constant(key) for key in keys)
    if nft.NFTA_LOOKUP_DREG in data:
        if nft.big(data[nft.NFTA_LOOKUP_DREG]) == 0:  # NFT_REG_VERDICT
            rule.compared(_Loaded(text), "vmap %s" % said)
        else:
            rule.load(data[nft.NFTA_LOOKUP_DREG], _Loaded("%s map %s" % (text, said)))
        return True
    rule.compared(_Loaded(text), ("!= " if nft.big(data.get(nft.NFTA_LOOKUP_FLAGS)) & 1 else "") + said)
    return True


def _immediate(rule: _Rule, data: Dict[int, bytes]) -> bool:
    verdict = nft.verdict_of(data.get(2))
    if verdict is not None:
        rule.words.append(_verdict(verdict))
    else:
        rule.load(data.get(1), nft.value_of(data.get(2)))
    return True


def _verdict(verdict: Tuple[int, str]) -> str:
    chain = "__chain" if verdict[1].startswith("__chain") else verdict[1]
    if verdict[0] in (nft.NFT_JUMP, nft.NFT_GOTO):
        return "%s %s" % ("jump" if verdict[0] == nft.NFT_JUMP else "goto", chain)
    return _VERDICTS.get(verdict[0], "verdict %d" % verdict[0])


def _constant(value: Any) -> str:
    """A constant, or the name of what was loaded."""
    if isinstance(value, bytes):
        return address(value) if len(value) == 16 else "0x%s" % value.hex()
    return value.name + (" & 0x%s" % value.mask.hex() if value.mask else "")


def _number(value: Any) -> str:
    """A constant in the machine's byte order."""
    return "0x%x" % int.from_bytes(value, "little") if isinstance(value, bytes) else _constant(value)


def _target(rule: _Rule, family: int, *registers: Optional[bytes]) -> str:
    first, last, low, high = (rule.value(raw) for raw in registers)
    size = 16 if family == nft.NFPROTO_IPV6 else 4
    said = ""
    if first is not None:
        said += address(first[:size]) if isinstance(first, bytes) else _constant(first)
        if last is not None and last != first:
            said += "-%s" % (address(last[:size]) if isinstance(last, bytes) else _constant(last))
    if low is not None:
        said += ":%s" % (int.from_bytes(low[:2], "big") if isinstance(low, bytes) else _constant(low))
        if high is not None and high != low:
            said += "-%s" % (int.from_bytes(high[:2], "big") if isinstance(high, bytes) else _constant(high))
    return " to %s" % said if said else ""


def _nat(rule: _Rule, data: Dict[int, bytes]) -> bool:
    family = nft.big(data.get(2))
    rule.words.append("%s%s%s%s" % (
        "dnat" if nft.big(data.get(1)) else "snat", "" if family == rule.family else " ip6" if family == 10 else " ip",
        _target(rule, family, data.get(3), data.get(4), data.get(5), data.get(6)), _flags(data.get(7))))
    return True


def _masq(rule: _Rule, data: Dict[int, bytes]) -> bool:
    rule.words.append("masquerade%s%s" % (_target(rule, 2, None, None, data.get(2), data.get(3)), _flags(data.get(1))))
    return True


def _redir(rule: _Rule, data: Dict[int, bytes]) -> bool:
    rule.words.append("redirect%s%s" % (_target(rule, 2, None, None, data.get(1), data.get(2)), _flags(data.get(3))))
    return True


def _flags(raw: Optional[bytes]) -> str:
    # Addresses and ports are given (1, 2): that is seen.
    value = nft.big(raw) & ~3
    names = [word for bit, word in ((4, "random"), (8, "persistent"), (16, "fully-random")) if value & bit]
    return (" " + ",".join(names) if names else "") + (" flags 0x%x" % (value & ~28) if value & ~28 else "")


def _log(rule: _Rule, data: Dict[int, bytes]) -> bool:
    said = ["log"]
    if 2 in data:
        said.append('prefix "%s"' % nft.name_of(data[2]))
    for number, word in ((1, "group"), (3, "snaplen"), (4, "queue-threshold"), (6, "flags")):
        if number in data:
            said.append("%s %d" % (word, nft.big(data[number])))
    level = nft.big(data.get(5, b"\x04"))
    if level != 4:
        said.append("level %s" % (_LEVELS[level] if level < len(_LEVELS) else level))
    rule.words.append(" ".join(said))
    return True


def _limit(rule: _Rule, data: Dict[int, bytes]) -> bool:
    unit = nft.big(data.get(2))
    rule.words.append("limit rate %s%d%s/%s burst %d %s" % (
        "over " if nft.big(data.get(5)) & 1 else "", nft.big(data.get(1)), " bytes" if nft.big(data.get(4)) else "",
        _UNITS.get(unit, "%ds" % unit), nft.big(data.get(3)), "bytes" if nft.big(data.get(4)) else "packets"))
    return True


def _reject(rule: _Rule, data: Dict[int, bytes]) -> bool:
    kind, code = nft.big(data.get(1)), nft.big(data.get(2))
    if kind == 1:
        said = "tcp reset"
    elif kind == 2:
        said = "icmpx %s" % (_ICMPX[code] if code < len(_ICMPX) else code)
    else:
        said = _REJECTS.get((rule.network or 0, code), "code %d" % code)
    rule.words.append("reject with %s" % said)
    return True


def _match(rule: _Rule, data: Dict[int, bytes]) -> bool:
    rule.words.append(xt_words.match(_extension(data)))
    return True


def _xt_target(rule: _Rule, data: Dict[int, bytes]) -> bool:
    rule.words.append("-j %s" % xt_words.target(_extension(data), rule.family))
    return True


def _extension(data: Dict[int, bytes]) -> xt_words.Extension:
    return nft.name_of(data.get(1)), nft.big(data.get(2)), data.get(3, b"")


def _quota(rule: _Rule, data: Dict[int, bytes]) -> bool:
    rule.words.append("quota %s%d bytes" % ("over " if nft.big(data.get(2)) & 1 else "", nft.big(data.get(1))))
    return True


def _dynset(rule: _Rule, data: Dict[int, bytes]) -> bool:
    operation = nft.big(data.get(3))
    kept = sorted(entry for entry in data.items() if entry[0] in (9, 11))
    expressions = [(number, _stateless(value, number == 11)) for number, value in
                   sorted(data.items()) if number in (7, 10)]
    rule.words.append("%s @%s { %s%s%s%s }" % (
        ("add", "update", "delete")[operation] if operation < 3 else operation, nft.name_of(data.get(1)),
        _constant(rule.of(data.get(4))), " timeout %gs" % (nft.big(data[6]) / 1000) if 6 in data else "",
        " : %s" % _constant(rule.of(data[5])) if 5 in data else "",
        " #%s" % digest(*(b"%d=%s" % entry for entry in kept + expressions)) if kept or expressions else ""))
    return True


def _stateless(expression: bytes, dummy: bool) -> bytes:
    """The bytes of expressions without what they have used up; of a list (10) each."""
    found = attributes(expression)
    if list(found) == [1] and len(found[1]) > 4 and attributes(found[1]).get(1):
        return b"".join(_stateless(one, True) for one in nft.nested(expression))
    name = nft.name_of(found.get(1))
    return name.encode() + b"".join(attribute(number, value) for number, value in sorted(
        attributes(found.get(2, b"")).items()) if number not in _NO_STATE.get(name, ()))


def _objref(rule: _Rule, data: Dict[int, bytes]) -> bool:
    if 2 not in data:
        rule.words.append("object %s map @%s" % (_constant(rule.of(data.get(3))), nft.name_of(data.get(4))))
        return True
    kind = nft.big(data.get(1))
    names = ("", "counter", "quota", "ct helper set", "limit", "connlimit", "tunnel", "ct timeout set", "secmark")
    rule.words.append('%s name "%s"' % (names[kind] if kind < len(names) else kind, nft.name_of(data[2])))
    return True


def _counter(rule: _Rule, dummy: Dict[int, bytes]) -> bool:
    rule.words.append("counter")
    return True


def _notrack(rule: _Rule, dummy: Dict[int, bytes]) -> bool:
    rule.words.append("notrack")
    return True


def type_words(number: int) -> str:
    """Names of the types of a key: six bits each."""
    names = [_TYPES.get(one, "type%d" % one) for one in _types(number)]
    return " . ".join(names)


def _types(number: int) -> List[int]:
    found: List[int] = []
    while number:
        found.insert(0, number & 63)
        number >>= 6
    return found or [0]


def element_words(types: Tuple[int, int], element: Sequence[Any], link: Link) -> str:
    """An element of a set or map: key, last key, data, verdict, and (name of an object, comment)."""
    key, end, data, verdict, (reference, userdata) = element
    said = "*" if not key else " . ".join(_fields(types[0], key, end, link))
    if verdict:
        said += " : %s" % _verdict(verdict)
    elif data:
        said += " : %s" % " . ".join(_fields(types[1], data, data, link))
    if reference:
        said += ' : "%s"' % nft.name_of(reference)
    if userdata[:1] == b"\0" and len(userdata) > 2:
        said += ' comment "%s"' % nft.name_of(userdata[2:2 + userdata[1]])
    return said


def _fields(types: int, low: bytes, high: bytes, link: Link) -> Iterator[str]:
    kinds = _types(types)
    at = 0
    for kind in kinds:
        form, size = _KINDS.get(kind, ("", len(low) - at if len(kinds) == 1 else 0))
        if size == 0 or at + size > len(low):
            # Of another size than is known: the rest as it is.
            yield "0x%s" % low[at:].hex() + ("" if low == high else "-0x%s" % high[at:].hex())
            return
        first, last = low[at:at + size], high[at:at + size]
        if form:
            # Intervals are kept in network byte order.
            yield _word(told(Piece("x", form, size, size), first, last, first != last, link))
        else:
            yield "0x%s" % first.hex() + ("" if first == last else "-0x%s" % last.hex())
        at += size + (-size % 4 if len(kinds) > 1 else 0)


def _slot(register: int) -> int:
    return register - 8 if register >= 8 else 4 * (register - 1)


_WRITERS: Dict[str, Callable[[_Rule, Dict[int, bytes]], bool]] = {
    "payload": _payload, "meta": _meta, "ct": _ct, "fib": _fib, "bitwise": _bitwise, "byteorder": _byteorder,
    "cmp": _cmp, "range": _range, "lookup": _lookup, "immediate": _immediate, "nat": _nat, "masq": _masq,
    "redir": _redir, "log": _log, "limit": _limit, "reject": _reject, "match": _match, "target": _xt_target,
    "quota": _quota, "dynset": _dynset, "objref": _objref, "counter": _counter, "notrack": _notrack,
    "exthdr": _loads("exthdr", 1), "rt": _loads("rt", 1), "socket": _loads("socket", 2), "osf": _loads("osf", 1),
    "xfrm": _loads("xfrm", 1), "tunnel": _loads("tunnel", 2), "numgen": _loads("numgen", 1),
    "hash": _loads("hash", 2),
}

"""What a rule of nf_tables does, in nft(8)'s words: verdicts of their own, translations, logs, limits, sets."""
from __future__ import annotations

from typing import Any, Callable, Dict, Optional

from .._kernel import nfnetlink as nft
from .._kernel.netlink import attribute, attributes
from .._network.nft_fields import address
from . import xt_words
from .nft_rule import Rule, constant
from .state_look import digest

_UNITS = {1: "second", 60: "minute", 3600: "hour", 86400: "day", 604800: "week"}
_LEVELS = ("emerg", "alert", "crit", "err", "warn", "notice", "info", "debug", "audit")
_ICMPX = ("no-route", "port-unreachable", "host-unreachable", "admin-prohibited")
_REJECTS = {(2, 3): "icmp port-unreachable", (2, 1): "icmp host-unreachable", (2, 13): "icmp admin-prohibited",
            (10, 4): "icmpv6 port-unreachable", (10, 1): "icmpv6 admin-prohibited"}
# What an expression has used up or only names for this transaction: numbers of its attributes.
NO_STATE = {"last": (1, 2), "lookup": (4,), "dynset": (2,), "objref": (5,)}


def number(value: Any) -> str:
    """A constant in the machine's byte order."""
    return "0x%x" % int.from_bytes(value, "little") if isinstance(value, bytes) else constant(value)


def _target(rule: Rule, family: int, *registers: Optional[bytes]) -> str:
    first, last, low, high = (rule.value(raw) for raw in registers)
    size = 16 if family == nft.NFPROTO_IPV6 else 4
    said = ""
    if first is not None:
        said += address(first[:size]) if isinstance(first, bytes) else constant(first)
        if last is not None and last != first:
            said += "-%s" % (address(last[:size]) if isinstance(last, bytes) else constant(last))
    if low is not None:
        said += ":%s" % (int.from_bytes(low[:2], "big") if isinstance(low, bytes) else constant(low))
        if high is not None and high != low:
            said += "-%s" % (int.from_bytes(high[:2], "big") if isinstance(high, bytes) else constant(high))
    return " to %s" % said if said else ""


def _nat(rule: Rule, data: Dict[int, bytes]) -> bool:
    family = nft.big(data.get(2))
    rule.words.append("%s%s%s%s" % (
        "dnat" if nft.big(data.get(1)) else "snat", "" if family == rule.family else " ip6" if family == 10 else " ip",
        _target(rule, family, data.get(3), data.get(4), data.get(5), data.get(6)), _flags(data.get(7))))
    return True


def _masq(rule: Rule, data: Dict[int, bytes]) -> bool:
    rule.words.append("masquerade%s%s" % (_target(rule, 2, None, None, data.get(2), data.get(3)), _flags(data.get(1))))
    return True


def _redir(rule: Rule, data: Dict[int, bytes]) -> bool:
    rule.words.append("redirect%s%s" % (_target(rule, 2, None, None, data.get(1), data.get(2)), _flags(data.get(3))))
    return True


def _flags(raw: Optional[bytes]) -> str:
    # Addresses and ports are given (1, 2): that is seen.
    value = nft.big(raw) & ~3
    names = [word for bit, word in ((4, "random"), (8, "persistent"), (16, "fully-random")) if value & bit]
    return (" " + ",".join(names) if names else "") + (" flags 0x%x" % (value & ~28) if value & ~28 else "")


def _log(rule: Rule, data: Dict[int, bytes]) -> bool:
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


def _limit(rule: Rule, data: Dict[int, bytes]) -> bool:
    unit = nft.big(data.get(2))
    rule.words.append("limit rate %s%d%s/%s burst %d %s" % (
        "over " if nft.big(data.get(5)) & 1 else "", nft.big(data.get(1)), " bytes" if nft.big(data.get(4)) else "",
        _UNITS.get(unit, "%ds" % unit), nft.big(data.get(3)), "bytes" if nft.big(data.get(4)) else "packets"))
    return True


def _reject(rule: Rule, data: Dict[int, bytes]) -> bool:
    kind, code = nft.big(data.get(1)), nft.big(data.get(2))
    if kind == 1:
        said = "tcp reset"
    elif kind == 2:
        said = "icmpx %s" % (_ICMPX[code] if code < len(_ICMPX) else code)
    else:
        said = _REJECTS.get((rule.network or 0, code), "code %d" % code)
    rule.words.append("reject with %s" % said)
    return True


def _match(rule: Rule, data: Dict[int, bytes]) -> bool:
    rule.words.append(xt_words.match(_extension(data)))
    return True


def _xt_target(rule: Rule, data: Dict[int, bytes]) -> bool:
    rule.words.append("-j %s" % xt_words.target(_extension(data), rule.family))
    return True


def _extension(data: Dict[int, bytes]) -> xt_words.Extension:
    return nft.name_of(data.get(1)), nft.big(data.get(2)), data.get(3, b"")


def _quota(rule: Rule, data: Dict[int, bytes]) -> bool:
    rule.words.append("quota %s%d bytes" % ("over " if nft.big(data.get(2)) & 1 else "", nft.big(data.get(1))))
    return True


def _dynset(rule: Rule, data: Dict[int, bytes]) -> bool:
    operation = nft.big(data.get(3))
    kept = sorted(entry for entry in data.items() if entry[0] in (9, 11))
    expressions = [(number, _stateless(value, number == 11)) for number, value in
                   sorted(data.items()) if number in (7, 10)]
    rule.words.append("%s @%s { %s%s%s%s }" % (
        ("add", "update", "delete")[operation] if operation < 3 else operation, nft.name_of(data.get(1)),
        constant(rule.of(data.get(4))), " timeout %gs" % (nft.big(data[6]) / 1000) if 6 in data else "",
        " : %s" % constant(rule.of(data[5])) if 5 in data else "",
        " #%s" % digest(*(b"%d=%s" % entry for entry in kept + expressions)) if kept or expressions else ""))
    return True


def _stateless(expression: bytes, dummy: bool) -> bytes:
    """The bytes of expressions without what they have used up; of a list (10) each."""
    found = attributes(expression)
    if list(found) == [1] and len(found[1]) > 4 and attributes(found[1]).get(1):
        return b"".join(_stateless(one, True) for one in nft.nested(expression))
    name = nft.name_of(found.get(1))
    return name.encode() + b"".join(attribute(number, value) for number, value in sorted(
        attributes(found.get(2, b"")).items()) if number not in NO_STATE.get(name, ()))


def _objref(rule: Rule, data: Dict[int, bytes]) -> bool:
    if 2 not in data:
        rule.words.append("object %s map @%s" % (constant(rule.of(data.get(3))), nft.name_of(data.get(4))))
        return True
    kind = nft.big(data.get(1))
    names = ("", "counter", "quota", "ct helper set", "limit", "connlimit", "tunnel", "ct timeout set", "secmark")
    rule.words.append('%s name "%s"' % (names[kind] if kind < len(names) else kind, nft.name_of(data[2])))
    return True


def _counter(rule: Rule, dummy: Dict[int, bytes]) -> bool:
    rule.words.append("counter")
    return True


def _notrack(rule: Rule, dummy: Dict[int, bytes]) -> bool:
    rule.words.append("notrack")
    return True


# By the expression's name.
STATEMENTS: Dict[str, Callable[[Rule, Dict[int, bytes]], bool]] = {
    "nat": _nat, "masq": _masq, "redir": _redir, "log": _log, "limit": _limit, "reject": _reject, "match": _match,
    "target": _xt_target, "quota": _quota, "dynset": _dynset, "objref": _objref, "counter": _counter,
    "notrack": _notrack,
}

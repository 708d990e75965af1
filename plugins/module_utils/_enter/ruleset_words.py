"""The rows of a ruleset of nf_tables as lines, in nft(8)'s words."""
from __future__ import annotations

from typing import Iterator, Tuple

from .._kernel import nfnetlink as nft
from .._kernel.netlink import attributes
from .._network.nft_fields import FAMILIES
from .nft_elements import element_words, type_words
from .nft_words import rule_words
from .state_look import Look, digest
from .state_nft import Row

_HOOKS = ("prerouting", "input", "forward", "output", "postrouting", "ingress")
_HOOKS_OF = {nft.NFPROTO_ARP: ("input", "output", "forward"), nft.NFPROTO_NETDEV: ("ingress", "egress")}
_TABLE_FLAGS = ("dormant", "owner", "persist")
_SET_FLAGS = ((2, "constant"), (4, "interval"), (16, "timeout"), (32, "dynamic"))
_OBJECTS = ("", "counter", "quota", "ct helper", "limit", "connlimit", "tunnel", "ct timeout", "secmark",
            "ct expectation", "synproxy")


def words(row: Row, look: Look) -> Iterator[str]:
    """The line of a row; none for what is told in that of a rule."""
    what, family, table = row[:3]
    if what == "own element":
        return
    name = nft.name_of(table)
    where = "%s %s" % (FAMILIES.get(family, str(family)), name)
    if what == "table":
        names = [word for at, word in enumerate(_TABLE_FLAGS) if row[3] >> at & 1]
        yield "nft table %s%s%s" % (where, " flags %s" % ",".join(names) if names else "", _comment(row[4]))
    elif what == "chain":
        yield "nft chain %s %s" % (where, " ".join(_chain(row)))
    elif what == "set":
        yield "nft %s %s %s %s" % ("map" if row[4] & 8 or row[4] & 64 else "set", where, nft.name_of(row[3]), " ".join(
            _declared(row)))
    elif what == "element":
        yield "nft element %s %s: %s" % (where, nft.name_of(row[3]), element_words(row[4], row[5:], look.link))
    elif what == "object":
        kind = _OBJECTS[row[4]] if row[4] < len(_OBJECTS) else str(row[4])
        yield "nft %s %s %s%s" % (kind, where, nft.name_of(row[3]), " %s" % digest(
            *(b"%d=%s" % entry for entry in row[5])) if row[5] else "")
    elif what == "flowtable":
        hook = attributes(row[4])
        yield "nft flowtable %s %s priority %d devices %s flags %d" % (
            where, nft.name_of(row[3]), int.from_bytes(hook.get(2, b""), "big", signed=True),
            ",".join(sorted(map(nft.name_of, nft.nested(hook.get(3, b""))))), row[5])
    else:
        yield "nft rule %s %s: %s" % (where, _chain_name(nft.name_of(row[3])), rule_words(
            family, row[4], look.link, lambda of: look.kept["sets"].get((family, table, of))) + _comment(row[5]))


def _chain_name(name: str) -> str:
    """That of a chain which a rule has of its own is numbered anew each time."""
    return "__chain" if name.startswith("__chain") else name


def _chain(row: Row) -> Iterator[str]:
    family, name, raw, kind, policy, flags, userdata = row[1], *row[3:]
    yield _chain_name(nft.name_of(name))
    hook = attributes(raw)
    if hook:
        number = nft.big(hook.get(nft.NFTA_HOOK_HOOKNUM))
        names = _HOOKS_OF.get(family, _HOOKS)
        yield "type %s hook %s priority %d policy %s" % (
            nft.name_of(kind), names[number] if number < len(names) else number,
            int.from_bytes(hook.get(nft.NFTA_HOOK_PRIORITY, b""), "big", signed=True),
            {0: "drop", 1: "accept"}.get(nft.big(policy or b"\x01"), "?"))
        devices = list(nft.nested(hook.get(nft.NFTA_HOOK_DEVS, b"")))
        if not devices and nft.NFTA_HOOK_DEV in hook:
            devices = [hook[nft.NFTA_HOOK_DEV]]
        if devices:
            yield "devices %s" % ",".join(sorted(map(nft.name_of, devices)))
    if flags & 2:
        yield "flags offload"
    if userdata:
        yield _comment(userdata).strip()


def _declared(row: Row) -> Iterator[str]:
    flags, (key, data), timeout, kind, userdata, more = row[4:]
    yield "type %s" % type_words(key)
    if flags & 64:
        yield ": %s" % (_OBJECTS[kind] if kind < len(_OBJECTS) else kind)
    elif flags & 8:
        yield ": %s" % ("verdict" if data == 0xFFFFFF00 else type_words(data))
    names = [word for bit, word in _SET_FLAGS if flags & bit]
    if names:
        yield "flags %s" % ",".join(names)
    if timeout:
        yield "timeout %gs" % (nft.big(timeout) / 1000)
    said = dict(_userdata(userdata))
    if any(said.get(2, b"")):
        yield "auto-merge"
    if 7 in said:
        yield 'comment "%s"' % nft.name_of(said[7])
    size = attributes(more[1]).get(1)
    if size:
        yield "size %d" % nft.big(size)
    if more[0] or more[4] or more[3]:
        yield "more %s" % digest(*more)


def _comment(userdata: bytes) -> str:
    """0 is a comment. What else there is says how nft prints a rule."""
    said = dict(_userdata(userdata))
    return ' comment "%s"' % nft.name_of(said[0]) if 0 in said else ""


def _userdata(raw: bytes) -> Iterator[Tuple[int, bytes]]:
    """Type, length, value (libnftnl's udata)."""
    at = 0
    while at + 2 <= len(raw):
        yield raw[at], raw[at + 2:at + 2 + raw[at + 1]]
        at += 2 + raw[at + 1]

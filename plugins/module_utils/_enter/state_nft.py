"""The ruleset of nf_tables: without handles, counters and what a limit has used up.

Sets that rules have of their own are told within these, so that the same rules loaded again are the same lines. What
packets put into sets (flag C(dynamic)) is a cache.
"""
from __future__ import annotations

import errno
from typing import Any, Dict, List, Tuple

from .._kernel import nfnetlink as nft
from .._kernel import nft_objects as kernel
from .._kernel.netlink import attributes
from .state_look import ENTRIES, Look, Unread

_ATTEMPTS = 4
_STATELESS_PARTS = {kernel.NFT_OBJECT_COUNTER: frozenset((1, 2)), kernel.NFT_OBJECT_QUOTA: frozenset((4,))}

Row = Tuple[Any, ...]


def read(look: Look) -> List[Row]:
    """All of it; what an earlier look has, where nobody has changed any rule since. Raises OSError, Unread."""
    modules = look.modules
    # Asking would load them; and where they are not, there are no rules.
    if not (modules.ready("nfnetlink") and modules.ready("nf_tables")):
        if modules.absent("nfnetlink") or modules.absent("nf_tables"):
            return []
        raise Unread("nobody can tell whether nf_tables is loaded")
    try:
        ruleset = kernel.Ruleset(look.until)
        with ruleset:
            return _read(ruleset, look)
    except OSError as error:
        if error.errno in (errno.EPROTONOSUPPORT, errno.EINVAL):  # a kernel without nfnetlink, or nothing behind it
            return []
        raise


def _read(ruleset: kernel.Ruleset, look: Look) -> List[Row]:
    generation = ruleset.generation()
    if look.earlier is not None and look.earlier.kept.get("generation") == generation:
        look.kept.update(look.earlier.kept)
        return look.earlier.rows.get("nftables", [])
    for dummy in range(_ATTEMPTS):
        try:
            rows = _all(ruleset, look)
        except OSError as error:
            # ENOENT: a set that is gone meanwhile.
            if error.errno != errno.ENOENT:
                raise
            rows = []
        now = ruleset.generation()
        if now == generation:
            look.kept["generation"] = generation
            return rows
        generation = now
    raise Unread("changed while it was read")


def _all(ruleset: kernel.Ruleset, look: Look) -> List[Row]:
    found: List[Row] = []
    sets: Dict[Tuple[int, bytes, bytes], Any] = {}
    look.kept["sets"] = sets

    def add(row: Row) -> None:
        found.append(row)
        if len(found) > look.room:
            raise Unread("more than %d entries" % ENTRIES)

    for family, raw in ruleset.tables():
        add(("table", family, raw.get(nft.NFTA_TABLE_NAME, b""), nft.big(raw.get(nft.NFTA_TABLE_FLAGS)),
             raw.get(kernel.NFTA_TABLE_USERDATA, b"")))
    if not found:
        return found
    for family, raw in ruleset.chains():
        add(("chain", family, raw.get(nft.NFTA_CHAIN_TABLE, b""), raw.get(nft.NFTA_CHAIN_NAME, b""),
             raw.get(nft.NFTA_CHAIN_HOOK, b""), raw.get(nft.NFTA_CHAIN_TYPE, b""), raw.get(nft.NFTA_CHAIN_POLICY, b""),
             nft.big(raw.get(kernel.NFTA_CHAIN_FLAGS)), raw.get(kernel.NFTA_CHAIN_USERDATA, b"")))
    for family, raw in list(ruleset.sets()):
        _set(ruleset, family, raw, sets, add)
    for family, raw in ruleset.objects():
        kind = nft.big(raw.get(kernel.NFTA_OBJ_TYPE))
        data = attributes(raw.get(kernel.NFTA_OBJ_DATA, b""))
        add(("object", family, raw.get(kernel.NFTA_OBJ_TABLE, b""), raw.get(kernel.NFTA_OBJ_NAME, b""), kind,
             tuple(sorted(entry for entry in data.items() if entry[0] not in _STATELESS_PARTS.get(kind, ())))))
    for family, raw in ruleset.flowtables():
        add(("flowtable", family, raw.get(kernel.NFTA_FLOWTABLE_TABLE, b""), raw.get(kernel.NFTA_FLOWTABLE_NAME, b""),
             raw.get(kernel.NFTA_FLOWTABLE_HOOK, b""), nft.big(raw.get(kernel.NFTA_FLOWTABLE_FLAGS))))
    # The order in which they were made is none; that of the rules of a chain is.
    found.sort()
    rules: List[Row] = []
    for family, raw in ruleset.rules():
        rules.append(("rule", family, raw.get(nft.NFTA_RULE_TABLE, b""), raw.get(nft.NFTA_RULE_CHAIN, b""),
                      raw.get(nft.NFTA_RULE_EXPRESSIONS, b""), raw.get(kernel.NFTA_RULE_USERDATA, b"")))
        if len(found) + len(rules) > look.room:
            raise Unread("more than %d entries" % ENTRIES)
    rules.sort(key=lambda row: row[1:4])
    return found + rules


def _set(ruleset: kernel.Ruleset, family: int, raw: Dict[int, bytes], sets: Dict[Any, Any], add: Any) -> None:
    table, name = raw.get(nft.NFTA_SET_TABLE, b""), raw.get(nft.NFTA_SET_NAME, b"")
    flags = nft.big(raw.get(nft.NFTA_SET_FLAGS))
    types = nft.big(raw.get(kernel.NFTA_SET_KEY_TYPE)), nft.big(raw.get(kernel.NFTA_SET_DATA_TYPE))
    anonymous = flags & kernel.NFT_SET_ANONYMOUS
    if not anonymous:
        add(("set", family, table, name, flags, types, raw.get(kernel.NFTA_SET_TIMEOUT, b""),
             nft.big(raw.get(kernel.NFTA_SET_OBJ_TYPE)), raw.get(kernel.NFTA_SET_USERDATA, b""),
             tuple(raw.get(number, b"") for number in kernel.NFTA_SET_MORE)))
    if flags & kernel.NFT_SET_EVAL:
        return
    answers = []
    for element in ruleset.set_elements(family, table, name):
        answers.append(element)
        if len(answers) > 2 * ENTRIES + 1:
            raise Unread("more than %d entries" % ENTRIES)
    more = {nft.value_of(element.get(nft.NFTA_SET_ELEM_KEY)): (
        element.get(kernel.NFTA_SET_ELEM_OBJREF, b""), element.get(kernel.NFTA_SET_ELEM_USERDATA, b""))
        for element in answers if not nft.big(element.get(nft.NFTA_SET_ELEM_FLAGS)) & nft.NFT_SET_ELEM_INTERVAL_END}
    told = [(element.key, element.end, element.data or b"", element.verdict or (), more.get(element.key, (b"", b"")))
            for element in kernel.spans(flags, answers)]
    told.sort()
    if anonymous:
        sets[family, table, name] = types, told
    for row in told:
        add(("own element" if anonymous else "element", family, table, name, types, *row))

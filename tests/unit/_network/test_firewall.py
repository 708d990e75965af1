# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of nf_tables that nft(8) would not bring about; tests/kernel has those that it does."""

from __future__ import annotations

import errno
import struct
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded.modules import Loaded, Unloaded

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import nfnetlink
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.netlink import attribute
from ansible_collections.nsfleet.linux.plugins.module_utils._network import firewall
from ansible_collections.nsfleet.linux.plugins.module_utils._network.look import Look

NESTED = 0x8000
IP = 2
T, C = b"t\0", b"c\0"


def expression(name: str, data: bytes) -> bytes:
    return attribute(1 | NESTED, attribute(1, name.encode() + b"\0") + attribute(2 | NESTED, data))


def u32(value: int) -> bytes:
    return struct.pack(">I", value & 0xFFFFFFFF)


def verdict(code: int) -> bytes:
    data = attribute(1, u32(0)) + attribute(2 | NESTED, attribute(2 | NESTED, attribute(1, u32(code))))
    return expression("immediate", data)


ACCEPT, DROP = verdict(1), verdict(0)
PORT = expression("payload", attribute(1, u32(1)) + attribute(2, u32(2)) + attribute(3, u32(2)) + attribute(4, u32(2)))
LOOKUP = expression("lookup", attribute(1, b"m\0") + attribute(2, u32(1)) + attribute(3, u32(0)))


class Answers:
    """In place of nf_tables."""

    def __init__(self, *rules: dict[int, bytes], tables: Any = None, chains: Any = None, elements: Any = ()) -> None:
        self._rules = rules
        self._tables = [(IP, {1: T})] if tables is None else tables
        self._chains = [(IP, {1: T, 3: C})] if chains is None else chains
        self._elements = elements

    def __call__(self, _until: float) -> Answers:
        return self

    def __enter__(self) -> Answers:
        return self

    def __exit__(self, *_exception: object) -> None:
        pass

    def generation(self) -> int:
        return 7

    def tables(self) -> Any:
        return iter(self._tables)

    def chains(self) -> Any:
        return iter(self._chains)

    def rules(self) -> Any:
        return ((IP, rule) for rule in self._rules)

    def elements(self, *_where: Any, most: int) -> Any:
        if isinstance(self._elements, OSError):
            raise self._elements
        return self._elements


def rule(*expressions: bytes) -> dict[int, bytes]:
    return {1: T, 2: C, 3: struct.pack(">Q", 9), 4: b"".join(expressions)}


def take(answers: Answers, root: Path, most: int = 500) -> tuple[Any, list[dict[str, Any]]]:
    look = Look(most, time.monotonic() + 20, str(root))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(firewall.nft, "Nftables", answers)
        return firewall.take(look, Loaded()), look.problems.as_list()


def test_a_map_before_accept_is_read(tmp_path: Path) -> None:
    elements = [nfnetlink.Element(b"\0\x17", b"\0\x17", None, (0, ""))]
    found, problems = take(Answers(rule(PORT, LOOKUP, ACCEPT), elements=elements), tmp_path)
    assert [(row["action"], row["match"]) for row in found["decoded"]] == [("drop", {"port": 23})]
    assert problems == []


def test_what_looks_like_accept_in_a_comparison_does_not_hide_a_rule(tmp_path: Path) -> None:
    # A comparison with the very bytes that a rule ends with when it accepts.
    compared = expression("cmp", attribute(1, u32(1)) + attribute(2, u32(0)) + attribute(
        3 | NESTED, attribute(1, ACCEPT[-12:])))
    found, _problems = take(Answers(rule(compared, DROP)), tmp_path)
    assert [(row["action"], row["complete"]) for row in found["decoded"]] == [("drop", False)]
    assert take(Answers(rule(ACCEPT)), tmp_path)[0]["decoded"] == []


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EOVERFLOW])
def test_a_set_that_went_away_is_named(tmp_path: Path, number: int) -> None:
    found, _problems = take(Answers(rule(PORT, LOOKUP, DROP), elements=OSError(number, "gone")), tmp_path)
    assert [(row["match"], row["complete"]) for row in found["decoded"]] == [({"sets": ["m"]}, False)]


def test_any_other_error_is_the_caller_s(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no"):
        take(Answers(rule(PORT, LOOKUP, DROP), elements=OSError(errno.EPERM, "no")), tmp_path)


def test_large_rules_are_kept_up_to_a_size(tmp_path: Path) -> None:
    large = rule(expression("log", b"x" * 60_000), DROP)
    found, problems = take(Answers(*[large] * 200), tmp_path)
    assert found["rules"] == 200
    assert len(found["decoded"]) == (8 << 20) // len(large[4]) + 1
    assert problems[0]["what"] == "firewall rules"


def test_names_that_are_no_text_are_told(tmp_path: Path) -> None:
    tables, chains = [(IP, {1: b"\xff\n\0"})], [(IP, {1: b"\xff\n\0", 3: b"\xfe\0"})]
    found, _problems = take(Answers(tables=tables, chains=chains), tmp_path)
    assert (found["tables"][0]["name"], found["tables"][0]["chains"][0]["name"]) == ("\ufffd\n", "\ufffd")


def test_an_unknown_family_and_hook_are_numbers(tmp_path: Path) -> None:
    hook = attribute(1, u32(77)) + attribute(2, u32(-5))
    found, _problems = take(Answers(tables=[(99, {1: T})], chains=[(99, {1: T, 3: C, 4: hook})]), tmp_path)
    (table,) = found["tables"]
    assert (table["family"], table["chains"][0]["hook"], table["chains"][0]["priority"]) == ("99", "77", -5)


def test_legacy_tables_and_conntrack_are_read_below_the_root(tmp_path: Path) -> None:
    for name, content in (("thread-self/net/ip_tables_names", "nat\nfilter\n"), (
            "sys/net/netfilter/nf_conntrack_count", "12\n"), ("sys/net/netfilter/nf_conntrack_max", "34\n")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "thread-self/net/ip6_tables_names").write_text("")
    found, problems = take(Answers(), tmp_path)
    assert (found["legacy"], found["conntrack"], problems) == ({"ip": ["nat", "filter"]}, {"count": 12, "max": 34}, [])


ATTRIBUTES = st.dictionaries(st.integers(0, 9), st.binary(max_size=40), max_size=6)


@settings(max_examples=300, deadline=None)
@given(st.lists(ATTRIBUTES, max_size=3), st.lists(ATTRIBUTES, max_size=3), st.lists(ATTRIBUTES, max_size=3))
def test_any_answers_raise_nothing(tables: Any, chains: Any, rules: Any) -> None:
    answers = Answers(*rules, tables=[(IP, raw) for raw in tables], chains=[(IP, raw) for raw in chains])
    found, _problems = take(answers, Path("/nonexistent"))
    assert found["rules"] == (len(rules) if tables else 0)


@pytest.mark.parametrize("known, problems", [
    (True, []),
    (False, [{"what": "firewall", "reason": "unsupported: nobody can tell whether nf_tables is loaded", "count": 1}]),
])
def test_an_empty_firewall_is_told_as_such_only_where_that_is_known(
    tmp_path: Path, known: bool, problems: list[dict[str, Any]],
) -> None:
    look = Look(500, time.monotonic() + 5, str(tmp_path))
    assert firewall.take(look, Unloaded(known=known))["tables"] == []
    assert look.problems.as_list() == problems

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps of ids: what is written is what was meant, and what cannot be is said before the kernel is asked."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nsfleet.linux.plugins.module_utils._create import id_maps
from ansible_collections.nsfleet.linux.plugins.module_utils._create.id_maps import IdRange, Ids
from ansible_collections.nsfleet.linux.plugins.module_utils._model.entry import Refused

SUBUID = b"# comment\nalice:100000:65536\n1000:300000:10\nbob:200000:65536\nalice:bad:1\nalice:400000:0\n\xff:1:1\n"


def alice(own: int = 1000) -> Ids:
    """Who is delegated two ranges, by name and by number."""
    return Ids("user", own, "/etc/subuid", SUBUID, ["alice", "1000"])


def chosen(*given: str, single: int | None = None) -> list[tuple[int, ...]]:
    """The ranges of map_users."""
    return [tuple(each) for each in id_maps.chosen("map_users", given, single, alice)]


@pytest.mark.parametrize(("given", "single", "expected"), [
    (["0:100000:65536"], None, [(0, 100000, 65536)]),
    (["0:1000:1", "1:100000:10"], None, [(0, 1000, 1), (1, 100000, 10)]),
    (["auto"], None, [(0, 100000, 65536)]),
    ([], 0, [(0, 1000, 1)]),
    # As podman and unshare(1) have it: what is delegated moves up by one, and its last is left over.
    (["auto"], 0, [(0, 1000, 1), (1, 100000, 65535)]),
    (["auto"], 1000, [(1000, 1000, 1), (0, 100000, 1000), (1001, 101000, 64535)]),
    (["0:5000:3"], 2, [(2, 1000, 1), (0, 5000, 2)]),
    (["7:5000:1"], 7, [(7, 1000, 1)]),
    (["10:5000:3"], 2, [(2, 1000, 1), (10, 5000, 3)]),
])
def test_ranges(given: list[str], single: int | None, expected: list[tuple[int, ...]]) -> None:
    assert chosen(*given, single=single) == expected


@pytest.mark.parametrize(("given", "sentence"), [
    (["0:1"], "map_users has '0:1', which is no range: write inner:outer:count, such as 0:100000:65536, or auto."),
    (["a:b:c"], "map_users has 'a:b:c', which is no range"),
    (["0:0:-1"], "which is no range"),
    (["0:0:0"], "map_users has 0:0:0, whose count is 0: map at least one id."),
    (["0:4294967295:1"], "which ends beyond the highest id, 4294967294."),
    (["1:0:4294967295"], "which ends beyond the highest id"),
    (["0:0:10", "9:100:1"], "map_users has 0:0:10 and 9:100:1, whose inner ids overlap."),
    (["0:0:10", "100:9:1"], "map_users has 0:0:10 and 100:9:1, whose outer ids overlap."),
    (["%d:%d:1" % (2 * number, 2 * number) for number in range(341)], "has 341 ranges, which is more than the kernel"),
])
def test_what_is_no_map_is_refused(given: list[str], sentence: str) -> None:
    with pytest.raises(Refused) as refusal:
        chosen(*given)
    assert sentence in str(refusal.value)


def test_auto_without_delegation_says_what_to_write_where() -> None:
    nobody = Ids("group", 65534, "/etc/subgid", SUBUID, ["nobody", "65534"])
    with pytest.raises(Refused) as refusal:
        id_maps.chosen("map_groups", ["auto"], None, lambda: nobody)
    assert str(refusal.value) == (
        "map_groups is auto, but /etc/subgid delegates no ids to nobody: add a line nobody:100000:65536 there, or write"
        " the ranges out.")


@pytest.mark.parametrize("ranges", [
    [IdRange(0, 1000, 1)], [IdRange(0, 100000, 65536)], [IdRange(5, 165535, 1)], [IdRange(0, 300000, 10)],
])
def test_what_is_delegated_is_taken(ranges: list[IdRange]) -> None:
    id_maps.refuse_foreign("map_users", ranges, alice())


@pytest.mark.parametrize("ranges", [
    [IdRange(0, 0, 1)], [IdRange(0, 1000, 2)], [IdRange(0, 99999, 2)], [IdRange(0, 165535, 2)],
    [IdRange(0, 200000, 1)], [IdRange(0, 1000, 1), IdRange(1, 300000, 11)],
])
def test_what_is_not_is_refused(ranges: list[IdRange]) -> None:
    with pytest.raises(Refused, match="(id [0-9]+ is|ids .* are) not delegated to alice in /etc/subuid: map what is"):
        id_maps.refuse_foreign("map_users", ranges, alice())


RANGES = st.lists(
    st.builds(IdRange, st.integers(0, 5000), st.integers(10000, 20000), st.integers(1, 300)), max_size=5
)


def whole(ranges: Any) -> dict[int, int]:
    """Every id, inside and outside."""
    return {each.inner + at: each.outer + at for each in ranges for at in range(each.size)}


@given(RANGES, st.integers(0, 5300))
def test_a_single_id_takes_its_place_and_nothing_is_lost_in_the_middle(ranges: list[IdRange], single: int) -> None:
    given = [str(each) for each in ranges]
    try:
        before = id_maps.chosen("map_users", given, None, alice)
        after = id_maps.chosen("map_users", given, single, alice)
    except Refused:
        return
    assert whole(after)[single] == 1000
    assert set(whole(after)) == set(whole(before)) | {single}
    # Who is at the end of the range around it is left over.
    lost = set(whole(before).values()) - set(whole(after).values())
    assert len(lost) == (single in whole(before))


@given(RANGES)
def test_the_kernel_s_text_is_read_back(ranges: list[IdRange]) -> None:
    assert id_maps.parse(id_maps.text(ranges)) == ranges
    assert id_maps.parse(b"         0       1000          1\n") == [IdRange(0, 1000, 1)]


@given(RANGES, st.data())
def test_however_they_are_parted_maps_are_the_same(ranges: list[IdRange], data: st.DataObject) -> None:
    try:
        ranges = id_maps.chosen("map_users", [str(each) for each in ranges], None, alice)
    except Refused:
        return
    parted = []
    for each in ranges:
        cut = data.draw(st.integers(0, each.size))
        parted += [piece for piece in (
            IdRange(each.inner, each.outer, cut), IdRange(each.inner + cut, each.outer + cut, each.size - cut),
        ) if piece.size]
    assert id_maps.same(ranges, data.draw(st.permutations(parted)))
    assert not id_maps.same(ranges, [*parted, IdRange(9000, 30000, 1)])


@given(RANGES)
def test_inside_and_outside(ranges: list[IdRange]) -> None:
    try:
        ranges = id_maps.chosen("map_users", [str(each) for each in ranges], None, alice)
    except Refused:
        return
    for inner, outer in whole(ranges).items():
        assert id_maps.inside(ranges, outer) == inner and id_maps.maps(ranges, inner)
    assert id_maps.inside(ranges, 9999) is None and not id_maps.maps(ranges, 9999)

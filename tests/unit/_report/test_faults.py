# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which faults are picked by debug_faults."""

from __future__ import annotations

import pytest
from canned_network import crowded, fault
from reporting import IDS

from ansible_collections.nsfleet.linux.plugins.module_utils._report.faults import (
    counts,
    in_words,
    picks,
    select,
    sentence,
)

RESULTS = [
    fault("RT-001", "high", "a"), fault("RT-003", "low", "b"), fault("LNK-007", "medium", "c"),
    fault("RT-001", "high", "d", status="unknown"), fault("RT-001", "high", "e", status="pass"),
    fault("RT-001", "high", "f", status="not_applicable"), fault("RT-001", "high", "g", status="waived"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "reasons"),
    [
        (["all"], "acb"), (["RT-001"], "a"), (["rt-001"], "a"), (["RT"], "ab"), (["high"], "a"), (["LOW", "LNK"], "cb"),
        (["RT-001", "all"], "acb"), (["SOC"], ""),
    ],
)  # fmt: skip
def test_a_fault_is_picked_by_id_group_or_severity(words: list[str], reasons: str) -> None:
    found = select(RESULTS, picks(words, IDS), [], True).found
    assert "".join(one["reason"] for one in found) == reasons


def test_a_word_that_means_nothing_is_refused_with_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"debug_faults has RT-01, and .*\(.*RT, .*critical, high, medium, low, info"):
        picks(["all", "RT-01"], IDS)


def test_what_could_not_be_told_is_counted_and_is_no_fault() -> None:
    found = select(RESULTS, picks(["all"], IDS), [], True)
    assert found.unjudged == [{"check": "RT-001", "reason": "d", "count": 1, "where": []}]


def test_a_fault_of_the_host_is_told_whatever_containers_were_chosen() -> None:
    one, other = crowded(2).containers
    results = [fault("CT-001", "high", "host"), fault("RT-001", "high", "mine", one), fault("RT-001", "high", "no", other)]
    assert [fault["reason"] for fault in select(results, picks(["all"], IDS), [one], False).found] == ["host", "mine"]


def test_counts_are_in_order_of_severity() -> None:
    assert in_words(counts(RESULTS[:3])) == "1 high, 1 medium, 1 low"


def test_a_sentence_names_the_container_once() -> None:
    one = crowded(1).containers[0]
    assert sentence(fault("RT-001", "high", "no way out", one)) == "web-frontend-0000: no way out"
    assert sentence(fault("RT-001", "high", "eth0 of web-frontend-0000 is down", one)) == "eth0 of web-frontend-0000 is down"

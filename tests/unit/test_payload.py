# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible ships to every managed host at every task, in bytes: import of one more file is one more file shipped."""

from __future__ import annotations

import pathlib

import pytest

BENCH = pathlib.Path(__file__).parents[2] / "bench"
MOST_ADDED = 120_000


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> int:
    """Bytes that ns_facts adds to what ansible.builtin.ping costs, measured as the benchmark does it."""
    monkeypatch.syspath_prepend(str(BENCH))
    import payload

    return payload.added()


def test_ns_facts_adds_less_than_120_kb_to_what_ping_ships(added: int) -> None:
    assert 20_000 < added < MOST_ADDED, "%d bytes; what is large: python3 bench/payload.py" % added

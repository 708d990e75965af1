# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot comes from a host: it may be damaged, or made to hurt."""

from __future__ import annotations

import json
import signal
import threading
import time
import zlib

import pytest
from canned import facts
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nsfleet.linux.plugins.module_utils._report.snapshots import Unreadable, bounded, facts_of


def packed(value: object) -> bytes:
    return zlib.compress(json.dumps(value).encode())


def test_facts_come_out_as_they_went_in() -> None:
    assert facts_of(packed(facts([]))) == facts([])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the end is missing"), (b"not zlib", "damaged"), (packed(facts([]))[:-9], "the end is missing"),
        (zlib.compress(b"{"), "no JSON"), (zlib.compress(b"[" * 100_000), "no JSON"), (packed([1]), "no facts"),
        (packed({"host": []}), "no facts"), (zlib.compress(b"\xff\xfe\xfa"), "no JSON"),
    ],
)  # fmt: skip
def test_what_is_none_is_refused_in_a_sentence(content: bytes, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        facts_of(content)


def test_a_bomb_is_not_unpacked() -> None:
    with pytest.raises(Unreadable, match="more than 4 MB"):
        facts_of(zlib.compress(b" " * 64 * 1024 * 1024), most=4 * 1024 * 1024)


@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_else(content: bytes) -> None:
    with pytest.raises(Unreadable):
        facts_of(zlib.compress(content) if content[:1] > b"\x80" else content)


def test_what_takes_too_long_ends_in_a_sentence() -> None:
    before = signal.getsignal(signal.SIGVTALRM)
    with pytest.raises(Unreadable, match=r"more than 0\.1 seconds"), bounded(0.1):
        begun = time.process_time()
        while time.process_time() - begun < 5:
            pass
    assert signal.getsignal(signal.SIGVTALRM) == before


def test_what_is_done_in_time_is_not_disturbed_later() -> None:
    with bounded(0.1):
        pass
    begun = time.process_time()
    while time.process_time() - begun < 0.3:
        pass


def test_outside_of_the_main_thread_there_is_no_bound() -> None:
    done: list[bool] = []

    def work() -> None:
        with bounded(1):
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]

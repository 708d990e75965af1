# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handles and ids of namespaces, as far as they need no kernel."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import namespaces, nsfs


def test_types_are_in_the_collection_s_order() -> None:
    assert list(namespaces.TYPES) == ["mnt", "uts", "ipc", "pid", "net", "user", "cgroup", "time"]


def test_a_handle_is_the_kernel_s_sixteen_bytes() -> None:
    recorded = bytes.fromhex("030000000000000000000040f9ffffef")  # the initial net namespace of a 6.18
    handle = nsfs.Handle(3, namespaces.CLONE_NEWNET, 0xEFFFFFF9)
    assert handle.pack() == recorded
    assert nsfs.Handle.unpack(recorded) == handle


@pytest.mark.parametrize("length", [0, 15, 17])
def test_a_handle_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="not %d" % length):
        nsfs.Handle.unpack(bytes(length))


class Kernel:
    """listns(2) over a list of ids, as Linux 6.19 documents it."""

    def __init__(self, ids: list[int]) -> None:
        self.ids = ids
        self.requests: list[tuple] = []

    def syscall(self, name: str, request: bytes, buffer: Any, room: int, flags: int) -> int:
        fields = struct.unpack("=IIQIIQ", request)
        self.requests.append(fields)
        page = [one for one in self.ids if one > fields[2]][:room]
        buffer[: len(page)] = page
        return len(page)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 8, 9])
def test_listns_gets_every_page(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel([2**40 + 3 * index for index in range(count)])
    monkeypatch.setattr(nsfs, "syscall", kernel.syscall)
    assert nsfs.listns(batch=4) == kernel.ids


def test_listns_asks_for_what_it_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel([5, 6, 7])
    monkeypatch.setattr(nsfs, "syscall", kernel.syscall)
    found = nsfs.listns(namespaces.CLONE_NEWNET, nsfs.LISTNS_CURRENT_USER, after=5)
    assert found == [6, 7]
    assert kernel.requests == [(32, 0, 5, namespaces.CLONE_NEWNET, 0, 2**64 - 1)]


def test_listns_ends_when_the_kernel_does_not_advance(monkeypatch: pytest.MonkeyPatch) -> None:
    def stuck(name: str, request: bytes, buffer: Any, room: int, flags: int) -> int:
        buffer[0] = 9
        return 1

    monkeypatch.setattr(nsfs, "syscall", stuck)
    assert nsfs.listns(batch=1) == [9, 9]

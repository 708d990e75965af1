# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A scan where the kernel lacks what newer ones have: another way, or a line in problems; never less than is said.

The calls are taken away from this kernel, each as an older one answers.
"""

from __future__ import annotations

import os
import threading
from typing import Any, Callable

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._discover import descriptors
from ansible_collections.nsfleet.linux.plugins.module_utils._discover.scan import Scan
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import libc, namespaces, netlink, nsfs, pidfd
from ansible_collections.nsfleet.linux.tests.kernel.holders import (
    details,
    in_thread,
    kinds,
    look,
    name_of,
    new_namespace,
    own,
    socket_of_new_network,
)

Lacking = Callable[..., None]


@pytest.fixture
def lacking(monkeypatch: pytest.MonkeyPatch) -> Lacking:
    """Take a call away: from a module, by name, always or where the last argument says so."""

    def take_away(module: Any, name: str, when: Callable[..., bool] = lambda *args, **kwargs: True) -> None:
        real = getattr(module, name)

        def missing(*args: Any, **kwargs: Any) -> Any:
            if when(*args, **kwargs):
                raise libc.KernelLacks(name)
            return real(*args, **kwargs)

        monkeypatch.setattr(module, name, missing)

    return take_away


def reasons(scan: Scan, what: str) -> list[str]:
    """Why something of that kind was not seen."""
    return [problem["reason"] for problem in scan.problems.as_list() if problem["what"] == what]


def held_socket() -> str:
    netns = nsfs.socket_netns(socket_of_new_network())
    name = name_of(netns)
    os.close(netns)
    return name


def held_by_a_thread() -> tuple[str, str, int]:
    """A descriptor and a socket in a table that only one thread has."""

    def own_table() -> tuple[str, str, int]:
        namespaces.unshare(namespaces.CLONE_FILES)
        return name_of(new_namespace("uts")), held_socket(), threading.get_native_id()

    return in_thread(own_table)


def test_without_ids_a_namespace_is_named_by_its_inode(held: Callable[..., Any], lacking: Lacking) -> None:
    """Before Linux 6.18."""
    lacking(nsfs, "ns_id")
    child = held(own, namespaces.CLONE_NEWNET)
    scan = look()
    space = scan.namespaces[child.said]
    assert scan.features["namespace_ids"] is False
    assert space.ns_id is None
    assert space.ref == child.said
    assert space.owner == own("user")


def test_without_pidfds_sockets_are_not_looked_at_and_that_is_told(held: Callable[..., Any], lacking: Lacking) -> None:
    """Before Linux 5.3."""
    lacking(pidfd, "pidfd_open")
    child = held(held_socket)
    scan = look()
    assert reasons(scan, "sockets") == ["unsupported: pidfd_open"]
    assert child.said not in scan.namespaces
    assert own() in scan.namespaces


def test_without_pidfd_getfd_it_is_the_same(held: Callable[..., Any], lacking: Lacking) -> None:
    """Before Linux 5.6."""
    lacking(pidfd, "pidfd_getfd")
    child = held(held_socket)
    scan = look()
    assert reasons(scan, "sockets") == ["unsupported: pidfd_getfd"]
    assert child.said not in scan.namespaces


def test_without_pidfds_of_threads_only_their_sockets_are_lost(held: Callable[..., Any], lacking: Lacking) -> None:
    """Before Linux 6.9."""
    lacking(pidfd, "pidfd_open", lambda pid, thread=False: thread)
    child, other = held(held_by_a_thread), held(held_socket)
    scan = look()
    assert reasons(scan, "sockets of threads") == ["unsupported: pidfd_open"]
    assert child.said[1] not in scan.namespaces
    assert details(scan.namespaces[child.said[0]], "descriptor")["tid"] == child.said[2]
    assert details(scan.namespaces[other.said], "socket")["pid"] == other.pid


def test_with_all_of_it_nothing_is_lost(held: Callable[..., Any]) -> None:
    """The control of the tests above, where the kernel has it all."""
    child, other = held(held_by_a_thread), held(held_socket)
    scan = look()
    assert kinds(scan.namespaces[child.said[1]]) == kinds(scan.namespaces[other.said]) == ["socket"]
    assert not [reason for problem in ("sockets", "sockets of threads") for reason in reasons(scan, problem)
                if reason.startswith("unsupported")]


def test_without_kcmp_every_thread_s_table_is_read(held: Callable[..., Any], lacking: Lacking) -> None:
    """Built without CONFIG_KCMP."""
    lacking(descriptors, "compare_files")
    child = held(held_by_a_thread)
    scan = look()
    assert details(scan.namespaces[child.said[0]], "descriptor")["tid"] == child.said[2]


def test_without_routing_sockets_there_are_no_nsids(held: Callable[..., Any], lacking: Lacking) -> None:
    """Built without CONFIG_NET, or refused by a filter."""
    lacking(netlink.socket, "socket")
    child = held(own, namespaces.CLONE_NEWNET)
    scan = look()
    assert scan.namespaces[child.said].nsid is None
    assert reasons(scan, "nsids") == ["ENOSYS"]
    assert scan.namespaces[child.said].owner == own("user")


def test_without_time_namespaces_the_other_types_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before Linux 5.6."""
    real = os.readlink

    def old(path: Any, *, dir_fd: int | None = None) -> str:
        if str(path).startswith("time"):
            raise FileNotFoundError(2, "No such file or directory")
        return real(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "readlink", old)
    assert {space.type for space in look().namespaces.values()} == set(namespaces.TYPES) - {"time"}

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ns_unshare: new are the types that were asked for, and no others; both ways to make them."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import clone, namespaces
from ansible_collections.nsfleet.linux.plugins.module_utils._model.inventory import TYPES
from ansible_collections.nsfleet.linux.tests.kernel.exec_lab import FLAGS, has_cgroups, links, unprivileged
from ansible_collections.nsfleet.linux.tests.kernel.unshare_lab import refused, said, succeeded, unshare

LOOK = ["sh", "-c", "for kind in %s; do readlink /proc/self/ns/$kind; done" % " ".join(TYPES)]
WAYS = pytest.mark.parametrize("at_once", [True, False], ids=["clone3", "unshare"])


def way(monkeypatch: pytest.MonkeyPatch, at_once: bool) -> None:
    """A kernel with or without clone3(2) into a cgroup."""
    if not at_once:
        monkeypatch.setattr(clone, "takes_cgroup", lambda: False)


def new(types: list[str], **more: Any) -> list[str]:
    """The types in which the command was elsewhere; the result must say the same."""
    result = succeeded(namespaces=types, argv=LOOK, **more)
    found = dict(zip(TYPES, result["stdout"].split("\n")))
    own = links("self")
    assert {kind: found[kind] for kind in types} == result["namespaces"]
    return [kind for kind in TYPES if found[kind] != own[kind]]


@WAYS
@pytest.mark.parametrize("kind", TYPES)
def test_each_type_alone(kind: str, at_once: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    way(monkeypatch, at_once)
    assert new([kind]) == [kind]


@WAYS
def test_all_types_at_once(at_once: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    way(monkeypatch, at_once)
    assert new(list(TYPES), mount_proc=True) == list(TYPES)


@settings(max_examples=25, deadline=None)
@given(st.sets(st.sampled_from(TYPES), min_size=1), st.randoms(use_true_random=False))
def test_any_types_in_any_order(types: set[str], random: Any) -> None:
    order = sorted(types)
    random.shuffle(order)
    assert new(order) == [kind for kind in TYPES if kind in types]


@pytest.mark.parametrize("types", list(itertools.combinations(["mnt", "pid", "net", "user"], 2)))
def test_it_is_where_unshare_would_have_put_it(types: tuple[str, ...]) -> None:
    """As many namespaces differ, and the command is process 1 in the same cases."""
    look = "echo $$; " + LOOK[2]
    flags = [FLAGS[kind] for kind in types] + (["--fork"] if "pid" in types else [])
    theirs = unshare(*flags, *(["--map-root-user"] if "user" in types else []), "sh", "-c", look).split("\n")
    ours = said(namespaces=list(types), argv=["sh", "-c", look]).split("\n")
    own = list(links("self").values())
    assert (ours[0] == "1") == (theirs[0] == "1") == ("pid" in types)
    assert [one == mine for one, mine in zip(ours[1:], own)] == [one == mine for one, mine in zip(theirs[1:], own)]


def test_a_user_namespace_owns_the_others() -> None:
    """ioctl_nsfs(2), asked by somebody who is in there."""
    look = ("import fcntl, os\n"
            "user = os.stat('/proc/self/ns/user').st_ino\n"
            "for kind in %r:\n"
            "    print(os.fstat(fcntl.ioctl(os.open('/proc/self/ns/' + kind, 0), 0xb701)).st_ino == user)"
            % [kind for kind in TYPES if kind != "user"])
    told = said(namespaces=list(TYPES), argv=["python3", "-c", look]).split("\n")
    assert told == ["True"] * 7


def test_by_clone3_it_begins_in_its_cgroup(host_root: bool) -> None:
    if not has_cgroups():
        assert not host_root, "root can make cgroups wherever version 2 is mounted"
        return
    shown = said(namespaces=["pid"], cmd="cat /proc/self/cgroup")
    assert any("/nsfleet-" in line for line in shown.split("\n") if line.startswith("0::"))


def test_a_cgroup_namespace_shows_its_own_cgroup_as_the_root(host_root: bool) -> None:
    if not has_cgroups():
        assert not host_root, "root can make cgroups wherever version 2 is mounted"
        return
    shown = said(namespaces=["cgroup", "pid"], cmd="cat /proc/self/cgroup")
    assert "0::/" in shown.split("\n")


@pytest.mark.usefixtures("other_users")
@pytest.mark.parametrize("types", [["user"], ["user", "net"], ["user", "mnt", "pid", "time"], list(TYPES)])
def test_who_is_not_root_needs_a_user_namespace_and_nothing_else(
    types: list[str], host_root: bool, in_child: Callable[..., Any]
) -> None:
    assert in_child(unprivileged(lambda: new(types), host_root)) == [kind for kind in TYPES if kind in types]


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind != "user"])
def test_without_one_the_missing_right_is_named(
    kind: str, host_root: bool, in_child: Callable[..., Any], tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    tmp_path.chmod(0o777)
    sentence = in_child(unprivileged(lambda: refused(namespaces=[kind], argv=["touch", str(mark)]), host_root))
    assert sentence == (
        "No new %s namespace could be made (EPERM): it takes CAP_SYS_ADMIN: run the task as root (become), or list user"
        " in namespaces as well. Nothing has run." % kind)
    assert not mark.exists()


def limited(kind: str, value: int) -> None:
    """In a user namespace of its own, whose limits root of it may lower; user_namespaces(7)."""
    Path(f"/proc/sys/user/max_{kind}_namespaces").write_text(str(value))


@pytest.mark.parametrize("kind", TYPES)
def test_a_limit_of_0_is_named(kind: str, in_child: Callable[..., Any]) -> None:
    def run() -> str:
        limited(kind, 0)
        return refused(namespaces=[kind], cmd="true")

    sentence = in_child(run, namespaces.CLONE_NEWUSER)
    assert sentence == (
        f"No new {kind} namespace could be made (ENOSPC): /proc/sys/user/max_{kind}_namespaces is 0, which forbids"
        f" them: raise it (sysctl user.max_{kind}_namespaces). Nothing has run.")


def test_a_limit_that_is_reached_is_named(in_child: Callable[..., Any]) -> None:
    def run() -> str:
        limited("net", 1)
        namespaces.unshare(namespaces.CLONE_NEWNET)
        return refused(namespaces=["net"], cmd="true")

    sentence = in_child(run, namespaces.CLONE_NEWUSER)
    assert "there are as many as /proc/sys/user/max_net_namespaces allows (1)" in sentence

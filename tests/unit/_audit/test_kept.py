# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Namespaces without a process: who keeps them, and whether somebody should."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._audit.kept import engine_of, kept

HOST_MNT = "mnt:[4026531832]"
UUID = "0b7e9d41-5d0e-4b7e-9d41-0c2f0c9f4c55"


def entry(name: str, pins: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    found = {"name": name, "ref": name, "type": name.split(":")[0], "processes": 0, "initial": False, "owner": None}
    return {**found, "parent": None, "leader": None, "pins": pins, **more}


def mount(path: str, place: str = HOST_MNT) -> dict[str, Any]:
    return {"kind": "mount", "count": 1, "path": path, "mount_namespace": place, "pid": 1}


def verdicts(*entries: dict[str, Any], problems: list[dict[str, Any]] | None = None) -> dict[str, str]:
    first = entry(HOST_MNT, [], processes=9, initial=True, leader={"pid": 1})
    facts = {"inventory": [first, *entries], "host": {"mnt": HOST_MNT}, "problems": problems or []}
    return {one["name"]: one["verdict"] for one in kept(facts)}


@pytest.mark.parametrize(
    ("path", "engine"),
    [
        ("/run/docker/netns/1a2b3c4d5e6f", "docker"),
        ("/var/run/docker/netns/1a2b3c4d5e6f", "docker"),
        ("/srv/exec/netns/1a2b3c4d5e6f", "docker"),
        (f"/run/netns/cni-{UUID}", "CNI"),
        (f"/run/netns/netns-{UUID}", "podman"),
        (f"/run/user/1000/netns/netns-{UUID}", "podman"),
        (f"/run/netns/{UUID}", "cri-o"),
        (f"/run/utsns/{UUID}", "cri-o"),
        ("/run/netns/blue", None),
        ("/run/netns/1a2b3c4d5e6f-mine", None),
        ("/run/docker/netns/default", None),
        ("/run/docker/netns/ingress_sbox", None),
    ],
)
def test_an_engine_is_known_by_where_it_mounts(path: str, engine: str | None) -> None:
    assert engine_of(path) == engine


@pytest.mark.parametrize(
    ("pins", "verdict"),
    [
        ([mount("/run/docker/netns/1a2b3c4d5e6f")], "leftover"),
        ([mount("/run/docker/netns/1a2b3c4d5e6f"), {"kind": "socket", "pid": 8, "comm": "dockerd"}], "leftover"),
        ([mount("/run/netns/blue")], "named"),
        ([mount("/run/netns/blue"), {"kind": "descriptor", "pid": 8, "comm": "x"}], "held"),
        ([{"kind": "descriptor", "pid": 8, "descriptor": 9, "comm": "tcpdump"}], "held"),
        ([{"kind": "pid_for_children", "pid": 8, "comm": "unshare"}], "held"),
        ([mount("/run/netns/blue", "mnt:[4026539999]")], "held"),
        ([mount("/run/docker/netns/ingress_sbox")], "engine"),
        ([mount("/run/docker/netns/1-abcdefghij")], "engine"),
        ([], "unknown"),
    ],
)
def test_the_verdict_follows_from_the_pins(pins: list[dict[str, Any]], verdict: str) -> None:
    assert verdicts(entry("net:[1]", pins)) == {"net:[1]": verdict}


def test_one_with_processes_or_a_thread_is_in_use() -> None:
    assert verdicts(entry("net:[1]", [], processes=1), entry("net:[2]", [{"kind": "thread", "pid": 1, "tid": 2}])) == {}


def test_the_owner_and_the_parents_of_one_in_use_are_in_use() -> None:
    owner = entry("user:[1]", [{"kind": "child", "relation": "owner", "name": "net:[3]"}], parent="user:[2]")
    assert verdicts(owner, entry("user:[2]", []), entry("net:[3]", [], processes=1, owner="user:[1]")) == {}


def test_the_owner_of_one_that_is_kept_is_kept_by_it() -> None:
    owner = entry("user:[1]", [{"kind": "child", "relation": "owner", "name": "net:[3]"}])
    net = entry("net:[3]", [mount("/run/netns/blue")], owner="user:[1]")
    assert verdicts(owner, net) == {"user:[1]": "held", "net:[3]": "named"}


def test_nobody_is_accused_when_processes_were_not_seen() -> None:
    left = entry("net:[1]", [mount("/run/docker/netns/1a2b3c4d5e6f")])
    refused = {"what": "processes", "reason": "refused: EACCES", "count": 1}
    assert verdicts(left, problems=[refused]) == {"net:[1]": "unproven"}
    assert verdicts(left, problems=[{**refused, "reason": "vanished"}]) == {"net:[1]": "leftover"}
    assert verdicts(left, problems=[{**refused, "what": "sockets"}]) == {"net:[1]": "leftover"}


def test_process_1_alone_being_unreadable_does_not_count() -> None:
    left = entry("net:[1]", [mount("/run/docker/netns/1a2b3c4d5e6f")])
    facts = {"inventory": [left], "host": {}, "problems": [{"what": "processes", "reason": "refused", "count": 1}]}
    assert [one["verdict"] for one in kept(facts)] == ["leftover"]
    facts["problems"] = [{"what": "processes", "reason": "refused", "count": 2}]
    assert [one["verdict"] for one in kept(facts)] == ["unproven"]


def test_every_holder_is_named() -> None:
    pins = [
        mount("/run/netns/x", "mnt:[7]"), {"kind": "descriptor", "pid": 8, "descriptor": 0, "comm": "tcpdump"},
        {"kind": "time_for_children", "pid": 9, "comm": "sh"}, {"kind": "socket", "pid": 3, "comm": "dockerd"},
    ]  # fmt: skip
    facts = {"inventory": [entry("net:[1]", pins)], "host": {"mnt": HOST_MNT}, "problems": []}
    assert kept(facts)[0]["kept_by"] == [
        "mount /run/netns/x in mnt:[7] (pid 1)", "descriptor 0 of tcpdump (pid 8)",
        "sh (pid 9), for its next children", "socket ? of dockerd (pid 3)",
    ]  # fmt: skip


def test_the_worst_comes_first() -> None:
    found = verdicts(
        entry("net:[1]", [mount("/run/netns/blue")]), entry("net:[2]", [mount("/run/docker/netns/1a2b3c4d5e6f")])
    )
    assert list(found) == ["net:[2]", "net:[1]"]

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wanted of new namespaces: nothing is implied, and what does not go together is said at once."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._create import wanted
from ansible_collections.nsfleet.linux.plugins.module_utils._create.id_maps import IdRange
from ansible_collections.nsfleet.linux.plugins.module_utils._create.wanted import TYPE_OF, NewNamespaces
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.privileges import CapabilitySets
from ansible_collections.nsfleet.linux.plugins.module_utils._model.entry import Refused
from ansible_collections.nsfleet.linux.plugins.module_utils._model.inventory import TYPES

GIVEN: dict[str, Any] = {
    "map_root_user": True, "map_current_user": True, "map_users": ["0:0:1"], "map_groups": ["0:0:1"],
    "setgroups": "deny", "hostname": "web", "domainname": "example", "propagation": "slave", "mount_proc": True,
    "loopback": True, "monotonic_offset": 0, "boottime_offset": 1, "init": True,
}


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may map all ids."""
    caller(monkeypatch, 0, (1 << 41) - 1)


def caller(monkeypatch: pytest.MonkeyPatch, uid: int, capabilities: int) -> None:
    """Somebody with a user id, a group id that is one more, and capabilities."""
    monkeypatch.setattr(wanted.os, "geteuid", lambda: uid)
    monkeypatch.setattr(wanted.os, "getegid", lambda: uid + bool(uid))
    monkeypatch.setattr(wanted, "capget", lambda: CapabilitySets(capabilities, capabilities, 0))
    monkeypatch.setattr(wanted, "_content", lambda path: b"%d:100000:65536\n" % uid)


def refusal(types: list[str], **params: Any) -> str:
    """Why these are no new namespaces."""
    with pytest.raises(Refused) as refused:
        NewNamespaces.from_params(params, types)
    return str(refused.value)


@pytest.mark.parametrize("option", TYPE_OF)
def test_an_option_whose_type_is_not_listed_is_refused_and_names_it(option: str) -> None:
    kind = TYPE_OF[option]
    others = [each for each in TYPES if each != kind]
    assert refusal(others, **{option: GIVEN[option]}) == (
        "%s is of %s namespaces, and %s is not among namespaces: list it, or leave out %s." % (
            option, kind, kind, option))


@pytest.mark.parametrize("option", TYPE_OF)
def test_with_its_type_it_is_taken(option: str) -> None:
    NewNamespaces.from_params({option: GIVEN[option]}, [TYPE_OF[option]])


def test_types_are_in_order_and_once() -> None:
    assert NewNamespaces.from_params({}, ["time", "mnt", "time", "net"]).types == ["mnt", "net", "time"]


def test_user_alone_maps_root_to_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    caller(monkeypatch, 1000, 0)
    found = NewNamespaces.from_params({}, ["user"])
    assert (found.uid_map, found.gid_map) == ([IdRange(0, 1000, 1)], [IdRange(0, 1001, 1)])
    assert found.setgroups == "deny" and not found.helped


@pytest.mark.parametrize(("given", "uid_map", "gid_map"), [
    ({"map_users": ["0:500:10"]}, [IdRange(0, 500, 10)], [IdRange(0, 0, 1)]),
    ({"map_groups": ["5:500:10"]}, [IdRange(0, 0, 1)], [IdRange(5, 500, 10)]),
])
def test_what_has_no_map_is_root(given: dict[str, Any], uid_map: list[IdRange], gid_map: list[IdRange]) -> None:
    found = NewNamespaces.from_params(given, ["user"])
    assert (found.uid_map, found.gid_map) == (uid_map, gid_map)


def test_the_current_user_keeps_its_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    caller(monkeypatch, 1000, 0)
    found = NewNamespaces.from_params({"map_current_user": True}, ["user"])
    assert (found.uid_map, found.gid_map) == ([IdRange(1000, 1000, 1)], [IdRange(1001, 1001, 1)])


def test_root_writes_its_maps_itself() -> None:
    found = NewNamespaces.from_params({"map_users": ["0:500:10"], "map_groups": ["0:500:10"]}, ["user"])
    assert not found.helped and found.setgroups is None


def test_who_is_not_root_has_delegated_ids_mapped_by_a_helper(monkeypatch: pytest.MonkeyPatch) -> None:
    caller(monkeypatch, 1000, 0)
    found = NewNamespaces.from_params(
        {"map_root_user": True, "map_users": ["auto"], "map_groups": ["auto"]}, ["user"])
    assert found.helped and found.setgroups is None
    assert found.uid_map == [IdRange(0, 1000, 1), IdRange(1, 100000, 65535)]


@pytest.mark.parametrize(("types", "params", "sentence"), [
    (["user"], {"map_root_user": True, "map_current_user": True},
     "map_root_user and map_current_user both say what the caller is inside: give one."),
    (["uts"], {"hostname": ""}, "hostname is '', which is no name: 1 to 64 printable bytes are."),
    (["uts"], {"hostname": "ä" * 33}, "1 to 64 printable bytes are."),
    (["uts"], {"domainname": "a\nb"}, "domainname is 'a\\nb', which is no name"),
    (["uts"], {"hostname": "a\0b"}, "which is no name"),
    (["uts"], {"hostname": "\ud800"}, "hostname is '\\ud800', which is no name"),
])
def test_what_does_not_go_together(types: list[str], params: dict[str, Any], sentence: str) -> None:
    assert sentence in refusal(types, **params)


@pytest.mark.parametrize("option", ["map_users", "map_groups"])
def test_who_is_not_root_maps_nobody_else(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    caller(monkeypatch, 1000, 0)
    what, file = {"map_users": ("user", "/etc/subuid"), "map_groups": ("group", "/etc/subgid")}[option]
    sentence = refusal(["user"], **{option: ["0:0:2"]})
    assert sentence.startswith("%s has 0:0:2, but the %s ids 0 to 1 are not delegated to " % (option, what))
    assert sentence.endswith(" in %s: map what is (auto), or run the task as root (become)." % file)
    single = refusal(["user"], **{option: ["0:0:1"]})
    assert single.startswith("%s has 0:0:1, but the %s id 0 is not delegated to " % (option, what))


def test_setgroups_cannot_be_allowed_to_who_may_give_up_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    caller(monkeypatch, 1000, 0)
    assert "without CAP_SETGID" in refusal(["user"], setgroups="allow")
    found = NewNamespaces.from_params({"map_groups": ["auto"], "setgroups": "allow"}, ["user"])
    assert found.setgroups == "allow"


def test_offsets_and_names() -> None:
    found = NewNamespaces.from_params(
        {"monotonic_offset": -5, "boottime_offset": 0, "hostname": "web", "domainname": "example.org"}, ["time", "uts"])
    assert found.offsets == {"monotonic": -5, "boottime": 0}
    assert (found.hostname, found.domainname) == ("web", "example.org")

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is kept and what is wanted to what is to be done: without a kernel."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._create.id_maps import IdRange
from ansible_collections.nsfleet.linux.plugins.module_utils._create.kept import Kept, Places
from ansible_collections.nsfleet.linux.plugins.module_utils._create.pins import Pin
from ansible_collections.nsfleet.linux.plugins.module_utils._create.plan import Want, difference, plan
from ansible_collections.nsfleet.linux.plugins.module_utils._create.wanted import NewNamespaces
from ansible_collections.nsfleet.linux.plugins.module_utils._model.entry import Refused

PLACES = Places("box")


def pin(kind: str, state: str = "namespace", number: int = 1, fault: str = "", path: str = "") -> Pin:
    alive = state in ("namespace", "linked", "elsewhere")
    return Pin(path or PLACES.of(kind), kind, state, fault, f"{kind}:[{number}]" if alive else "",
               1000 if alive else None)


def network(state: str = "namespace", number: int = 1, fault: str = "") -> Pin:
    return pin("net", state, number, fault, PLACES.network)


def kept(*pins: Pin, net: Pin | None = None, **more: Any) -> Kept:
    return Kept(PLACES, bool(pins), {each.kind: each for each in pins}, net or network("missing"), **more)


def want(*types: str, force: bool = False, **more: Any) -> Want:
    source = more.pop("source", {})
    maps, nsid = more.pop("maps", False), more.pop("nsid", None)
    return Want(list(types), NewNamespaces(list(types), **more), list(types) != ["net"], source, maps, False, nsid, force)


def test_nothing_is_there() -> None:
    found = plan(kept(), want("uts", "net"))
    assert (found.build, found.unit, found.network, found.make) == (True, True, True, ["uts", "net"])
    assert not found.anew and not found.old and found.repaired == []
    assert difference(kept(), want("uts", "net"), found, {"uts": "uts:[5]", "net": "net:[6]"}) == {
        "before": "",
        "after": "uts: uts:[5] at /run/nsfleet/box/uts\nnet: net:[6] at /run/nsfleet/box/net\n"
                 "net: net:[6] at /run/netns/box\n",
    }


def test_all_is_right() -> None:
    for state, wanted in ((kept(net=network()), want("net")), (kept(pin("uts"), pin("net"), net=network()),
                                                               want("uts", "net")), (kept(pin("pid")), want("pid"))):
        found = plan(state, wanted)
        assert not found.changed
        refs = {kind: each.ref for kind, each in state.living().items()}
        assert difference(state, wanted, found, refs) == {"before": "", "after": ""}


def test_a_network_alone_needs_no_folder() -> None:
    found = plan(kept(), want("net"))
    assert (found.build, found.unit, found.network, found.make) == (True, False, True, ["net"])


def test_what_is_missing_is_made_and_the_rest_stays() -> None:
    found = plan(kept(pin("uts")), want("uts", "ipc"))
    assert (found.build, found.make, found.publish, found.anew) == (False, ["ipc"], [], False)


def test_a_network_of_ip_netns_becomes_part_of_a_unit() -> None:
    found = plan(kept(net=network()), want("uts", "net"))
    assert (found.build, found.make, found.network) == (True, ["uts"], False)


@pytest.mark.parametrize("state", ["linked", "elsewhere"])
def test_what_lives_and_is_not_as_it_should_be_is_put_right(state: str) -> None:
    found = plan(kept(pin("uts", state, fault="so"), pin("ipc")), want("uts", "ipc"))
    assert (found.make, found.publish, found.repaired) == ([], ["uts"], ["/run/nsfleet/box/uts was so"])
    found = plan(kept(net=network(state, fault="so")), want("net"))
    assert found.network and not found.make and found.repaired == ["/run/netns/box was so"]


def test_what_is_stale_is_made_again() -> None:
    state = kept(pin("uts", "stale", fault="a plain file"), pin("ipc"))
    found = plan(state, want("uts", "ipc"))
    assert (found.make, found.repaired) == (["uts"], ["/run/nsfleet/box/uts was a plain file"])
    assert difference(state, want("uts", "ipc"), found, {"ipc": "ipc:[1]"}) == {
        "before": "uts: a plain file at /run/nsfleet/box/uts\n",
        "after": "uts: uts:[new] at /run/nsfleet/box/uts\n",
    }


def test_a_stale_part_that_nobody_wants_goes() -> None:
    assert plan(kept(pin("uts"), pin("ipc", "stale", fault="so")), want("uts")).clear == ["ipc"]


def test_all_stale_is_built_anew_in_place_of_the_old_folder() -> None:
    found = plan(kept(pin("uts", "stale", fault="so")), want("uts"))
    assert found.build and found.old and not found.anew


def test_a_dead_pid_namespace_is_none() -> None:
    dead = pin("pid", fault="dead")
    dead.dead = True
    found = plan(kept(dead, pin("uts")), want("uts", "pid"))
    assert (found.make, found.build) == (["pid"], False)


@pytest.mark.parametrize("state, wanted, said", [
    (kept(pin("uts"), pin("ipc")), want("uts"), "it has ipc too, which is not among namespaces"),
    (kept(pin("uts")), want("net"), "it has uts too"),
    (kept(pin("uts")), want("uts", "user"), "it has no user namespace"),
    (kept(pin("net"), net=network(number=2)), want("net", "uts"), "/run/netns/box is another network"),
    (kept(net=network()), want("net", source={"net": "net:[2]"}), "net is net:[1] and not net:[2]"),
    (kept(pin("time"), offsets={"boottime": 1}), want("time", offsets={"boottime": 2}),
     "boottime_offset is 1 and not 2"),
    (kept(pin("user"), uid_map=[IdRange(0, 0, 1)]), want("user", maps=True, uid_map=[IdRange(0, 5, 1)]),
     "map_users is 0:0:1 and not 0:5:1"),
    (kept(net=network(), nsid=7), want("net", nsid=8), "its nsid is 7 and not 8"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_what_lives_and_is_different_needs_force(state: Kept, wanted: Want, said: str) -> None:
    with pytest.raises(Refused) as refusal:
        plan(state, wanted)
    assert said in str(refusal.value) and "force: true" in str(refusal.value)
    wanted.force = True
    found = plan(state, wanted)
    assert found.anew and found.build and found.make == wanted.types
    assert found.old == state.folder


def test_maps_are_compared_by_what_they_say() -> None:
    state = kept(pin("user"), uid_map=[IdRange(0, 5, 2), IdRange(2, 7, 1)])
    assert not plan(state, want("user", maps=True, uid_map=[IdRange(0, 5, 3)])).changed


def test_what_may_be_set_is_set_and_nothing_else() -> None:
    state = kept(pin("uts"), pin("net"), net=network(), hostname="a", domainname="d", loopback=False)
    wanted = want("uts", "net", hostname="b", domainname="d", loopback=True, nsid=3)
    found = plan(state, wanted)
    assert found.settings == {"hostname": "b", "loopback": True} and found.nsid == 3 and not found.make
    refs = {kind: each.ref for kind, each in state.living().items()}
    assert difference(state, wanted, found, refs) == {
        "before": "hostname a\nloopback down\n", "after": "hostname b\nloopback up\nnsid 3\n"}


def test_what_is_no_file_is_in_the_way_also_of_force() -> None:
    with pytest.raises(Refused, match="is in the way"):
        plan(kept(net=network("taken")), want("net", force=True))


def test_the_folder_of_networks_is_put_right() -> None:
    state = kept(net=network(), fault="/run/netns was not shared")
    found = plan(state, want("net"))
    assert found.changed and found.repaired == ["/run/netns was not shared"] and not found.make
    assert not plan(kept(pin("uts"), fault="/run/netns was not shared"), want("uts")).changed

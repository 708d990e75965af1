# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many at once: who is in, who runs once with others, who is left out, and which types are joined."""

from __future__ import annotations

import fnmatch
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nsfleet.linux.plugins.module_utils._enter.admission import (
    check_state,
    types_to_join,
    wanted_types,
)
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.choose import Choice, choose, wanted_labels
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.containers import Look
from ansible_collections.nsfleet.linux.plugins.module_utils._model.entry import Refused
from ansible_collections.nsfleet.linux.plugins.module_utils._model.inventory import TYPES, Container, Pod, Problems

HOST = {kind: "%s:[%d]" % (kind, number) for number, kind in enumerate(TYPES, 1)}
NET = ("net",)


def container(name: str, number: int, engine: str = "docker", shared: tuple[str, ...] = ("user", "time"),
              joined: dict[str, int] | None = None, **more: Any) -> Container:
    """A container in namespaces of its own, but those C(shared) with the host and C(joined) with another number."""
    namespaces = {
        kind: HOST[kind] if kind in shared else "%s:[%d]" % (kind, 1000 + (joined or {}).get(kind, number))
        for kind in TYPES
    }
    return Container(id="%064x" % number, engine=engine, name=name, pid=number, start_time=number,
                     namespaces=namespaces, **more)


FLEET = [
    container("web", 1, labels={"tier": "front", "empty": ""}),
    container("sidecar", 2, joined={"net": 1}),
    container("db", 3, "podman", labels={"tier": "back"}),
    container("at-host", 4, shared=("net", "user", "time")),
    container("stopped", 5, state="paused"),
    container("POD", 6, "cri", infra=True, pod=Pod("shop", "prod")),
    container("app", 7, "cri", joined={"net": 6}, pod=Pod("shop", "prod")),
    container("bash", 8, "unknown"),
]


def chosen(containers: list[str] | None = None, engines: Any = (), labels: Any = None, types: Any = None,
           allow_host: Any = (), each: bool = False, fleet: list[Container] | None = None) -> Choice:
    """The choice, of a fleet on a host that the module is on itself."""
    look = Look(FLEET if fleet is None else fleet, HOST, HOST, Problems())
    return choose(look, containers or [], engines, wanted_labels(labels), types, allow_host, each)


def names(choice: Choice) -> list[str]:
    """The targets that can be entered."""
    return [target.name for target in choice.targets if target.refusal is None]


def refusals(choice: Choice) -> dict[str, str]:
    """The targets that have failed already."""
    return {target.name: target.refusal for target in choice.targets if target.refusal is not None}


def left_out(choice: Choice) -> dict[str, str]:
    return {one["container"]: one["reason"] for one in choice.left_out}


def test_all_is_every_running_container_of_a_known_engine_and_no_infra_one() -> None:
    assert names(chosen(["all"])) == ["app", "at-host", "db", "sidecar", "web"]


def test_nothing_named_is_all() -> None:
    assert chosen([]) == chosen(["all"])


def test_unknown_is_in_only_where_it_is_named_as_an_engine() -> None:
    assert names(chosen(["all"], ["unknown"])) == ["bash"]
    assert names(chosen(["all"], ["unknown", "podman"])) == ["bash", "db"]


def test_the_engine_narrows_all() -> None:
    assert names(chosen(engines=["docker"])) == ["at-host", "sidecar", "web"]


def test_a_label_with_a_value_narrows_all() -> None:
    assert names(chosen(labels={"tier": "front"})) == names(chosen(labels=["tier=front"])) == ["web"]


def test_a_label_without_a_value_is_any_value() -> None:
    assert names(chosen(labels=["tier"])) == names(chosen(labels={"tier": None})) == ["db", "web"]


def test_a_label_with_an_empty_value_is_the_empty_value() -> None:
    assert names(chosen(labels=["empty="])) == ["web"]
    assert names(chosen(labels=["tier="])) == []


def test_all_labels_have_to_be_there() -> None:
    assert names(chosen(labels=["tier=front", "empty"])) == ["web"]
    assert names(chosen(labels=["tier=back", "empty"])) == []


def test_engine_and_labels_narrow_patterns_and_names() -> None:
    choice = chosen(["web", "d*"], engines=["podman"])
    assert names(choice) == ["db"]
    assert "no container web among the 1 that run here (db)" in refusals(choice)["web"]


def test_an_engine_resolves_a_name_that_two_have() -> None:
    fleet = [container("web", 1), container("web", 2, "podman")]
    assert refusals(chosen(["web"], fleet=fleet))["web"].startswith("web means 2 containers")
    assert names(chosen(["web"], engines=["podman"], fleet=fleet)) == ["web"]


@pytest.mark.parametrize(("option", "found"), [
    ({"a": True, "b": 1, "c": None}, {"a": "true", "b": "1", "c": None}),
    (["a=b=c", "d"], {"a": "b=c", "d": None}),
    ("a=b, c", {"a": "b", "c": None}),
    (None, {}),
])
def test_labels_are_a_dict_or_a_list(option: Any, found: dict[str, str | None]) -> None:
    assert wanted_labels(option) == found


@pytest.mark.parametrize("option", [["=x"], {"a": ["b"]}, {"a": {}}, 5, True, [{"a": "b"}], [["a"]]])
def test_labels_that_make_no_sense_are_refused(option: Any) -> None:
    with pytest.raises(Refused):
        wanted_labels(option)


@pytest.mark.parametrize("pattern", ["d?", "[d]b", "podman:*", "*0003", "podman:d*"])
def test_a_pattern_is_compared_with_all_names(pattern: str) -> None:
    assert names(chosen([pattern])) == ["db"]


@pytest.mark.parametrize("pattern", ["prod/*/app", "shop/a*", "prod/shop/*"])
def test_a_pattern_is_compared_with_pods_too(pattern: str) -> None:
    assert names(chosen([pattern])) == ["app"]


def test_a_pattern_without_a_match_gives_no_target() -> None:
    assert chosen(["nothing*"]) == Choice()


def test_a_pattern_that_is_none_gives_no_target(monkeypatch: pytest.MonkeyPatch) -> None:
    def older(name: str, pattern: str) -> bool:
        return re.match(pattern, name) is not None

    assert chosen(["[z-a]*"]) == Choice()
    # Older versions of Python make an invalid regular expression of it.
    monkeypatch.setattr(fnmatch, "fnmatchcase", older)
    assert chosen(["[z-a]*"]) == Choice()


def test_a_pattern_names_what_all_would_and_no_more() -> None:
    assert names(chosen(["*"])) == names(chosen(["all"]))


def test_a_literal_name_without_a_match_is_a_failed_target() -> None:
    choice = chosen(["web", "nothing"])
    assert names(choice) == ["web"]
    assert refusals(choice)["nothing"].startswith("There is no container nothing among the 8 that run here")


@pytest.mark.parametrize("text", ["POD", "shop/POD", "bash"])
def test_infra_and_unknown_ones_can_be_named(text: str) -> None:
    assert names(chosen([text])) == [text.rpartition("/")[2]]


def test_named_twice_is_one_target() -> None:
    assert [target.name for target in chosen(["web", "we*", "docker:web", "web", "all"], each=True).targets
            ].count("web") == 1


def test_targets_are_in_name_order_the_failed_ones_too() -> None:
    choice = chosen(["zebra", "web", "db", "ape", "stopped"])
    assert [target.name for target in choice.targets] == ["ape", "db", "stopped", "web", "zebra"]


def test_one_run_for_all_in_the_same_namespaces() -> None:
    choice = chosen(["web", "sidecar", "db"], types=NET)
    assert [(target.name, target.also) for target in choice.targets] == [("db", []), ("sidecar", [FLEET[0].id])]


def test_what_is_not_joined_makes_no_difference() -> None:
    assert [target.also for target in chosen(["web", "sidecar"], types=("net", "uts")).targets] == [[], []]


def test_each_runs_in_every_one() -> None:
    choice = chosen(["web", "sidecar"], types=NET, each=True)
    assert [(target.name, target.also) for target in choice.targets] == [("sidecar", []), ("web", [])]


def test_what_would_run_on_the_host_is_left_out_with_the_reason() -> None:
    choice = chosen(["all"], types=NET)
    assert left_out(choice)["at-host"].startswith("net of at-host is the host's own")
    assert "at-host" not in names(choice)


def test_what_was_named_and_would_run_on_the_host_is_left_out_too() -> None:
    assert list(left_out(chosen(["at-host"], types=NET))) == ["at-host"]


def test_what_differs_in_nothing_is_left_out() -> None:
    fleet = [container("nowhere", 1, shared=TYPES)]
    choice = chosen(["all"], fleet=fleet)
    assert (choice.targets, list(left_out(choice))) == ([], ["nowhere"])


def test_allow_host_lets_in_what_would_run_on_the_host() -> None:
    choice = chosen(["at-host"], types=("mnt", "net"), allow_host=["net"])
    assert (names(choice), choice.left_out) == (["at-host"], [])


def test_a_paused_one_that_was_named_is_a_failed_target_that_says_how_to_resume_it() -> None:
    assert "docker unpause stopped" in refusals(chosen(["stopped"]))["stopped"]


@pytest.mark.parametrize("text", ["all", "stop*"])
def test_a_paused_one_that_was_not_named_is_left_out(text: str) -> None:
    choice = chosen([text])
    assert left_out(choice)["stopped"].startswith("stopped is paused")
    assert not refusals(choice)


def test_one_that_is_still_being_started_is_refused() -> None:
    with pytest.raises(Refused, match="still being started"):
        check_state(container("young", 1, state="starting"))


def test_how_to_resume_names_the_cgroup_where_no_engine_can() -> None:
    with pytest.raises(Refused, match="thaw its cgroup /machine"):
        check_state(container("x", 1, "nspawn", state="paused", cgroup="/machine"))


# --- which types are joined ---------------------------------------------------------------------------------------

INSIDE = {**HOST, "net": "net:[50]", "mnt": "mnt:[51]"}  # where a module in a container of its own is


def joined(theirs: dict[str, str], wanted: list[str] | None = None, own: dict[str, str] | None = None,
           allow: tuple[str, ...] = ()) -> list[str]:
    return types_to_join("web", theirs, wanted_types(wanted or ["all"]), own or HOST, HOST, allow)


def test_all_are_the_types_that_differ_in_order() -> None:
    assert joined({**HOST, "net": "net:[9]", "mnt": "mnt:[9]", "user": "user:[9]"}) == ["mnt", "net", "user"]


def test_what_differs_in_nothing_is_refused() -> None:
    with pytest.raises(Refused, match="in no other namespace than we are"):
        joined(dict(HOST))


def test_what_differs_in_nothing_is_refused_whatever_is_allowed() -> None:
    with pytest.raises(Refused):
        joined(dict(HOST), allow=TYPES)


def test_a_named_type_that_is_the_host_s_is_refused() -> None:
    with pytest.raises(Refused, match="^net of web is the host's own: "):
        joined({**HOST, "mnt": "mnt:[9]"}, ["mnt", "net"])


def test_a_named_type_that_is_the_host_s_is_not_joined_where_it_is_allowed() -> None:
    assert joined({**HOST, "mnt": "mnt:[9]"}, ["mnt", "net"], allow=("net",)) == ["mnt"]


def test_a_named_type_that_is_our_own_and_not_the_host_s_is_refused() -> None:
    with pytest.raises(Refused, match="^net of web is our own: "):
        joined({**HOST, "net": INSIDE["net"]}, ["net"], own=INSIDE)


@pytest.mark.parametrize("wanted", [["net"], ["all"]])
def test_the_host_s_is_refused_where_we_are_elsewhere(wanted: list[str]) -> None:
    with pytest.raises(Refused, match="^net of web is the host's own, in which we are not"):
        joined({**INSIDE, "net": HOST["net"]}, wanted, own=INSIDE)


@pytest.mark.parametrize("wanted", [["net"], ["all"]])
def test_the_host_s_is_joined_where_we_are_elsewhere_and_it_is_allowed(wanted: list[str]) -> None:
    assert joined({**INSIDE, "net": HOST["net"]}, wanted, own=INSIDE, allow=("net",)) == ["net"]


def test_a_type_that_the_kernel_has_not_is_left_out_of_all() -> None:
    own = {kind: name for kind, name in HOST.items() if kind != "time"}
    assert joined({**own, "net": "net:[9]"}, own=own) == ["net"]


def test_a_named_type_that_the_kernel_has_not_is_refused() -> None:
    own = {kind: name for kind, name in HOST.items() if kind != "time"}
    with pytest.raises(Refused, match="this kernel has no time namespaces"):
        joined({**own, "net": "net:[9]"}, ["time", "net"], own=own)


def test_a_named_type_that_cannot_be_told_is_refused() -> None:
    with pytest.raises(Refused, match="net of web cannot be joined"):
        joined({"mnt": "mnt:[9]"}, ["net"])


def test_without_our_own_namespaces_nothing_is_joined() -> None:
    with pytest.raises(Refused, match="is /proc mounted"):
        types_to_join("web", {"net": "net:[9]"}, None, {}, {}, ())


@pytest.mark.parametrize("option", [[], ["all", "net"], ["nte"], ["all", "all"]])
def test_types_that_make_no_sense_are_refused(option: list[str]) -> None:
    with pytest.raises(Refused):
        wanted_types(option)


def test_types_are_put_in_order_each_once() -> None:
    assert wanted_types(["net", "mnt", "net"]) == ("mnt", "net")


# --- whatever is asked ----------------------------------------------------------------------------------------------

NAMES = st.text(st.sampled_from("ab0:/*[]?-!é\ud800\n"), max_size=5)
FLEETS = st.lists(
    st.builds(
        container,
        NAMES,
        st.integers(1, 5),
        st.sampled_from(["docker", "podman", "unknown"]),
        st.lists(st.sampled_from(TYPES), max_size=8).map(tuple),
        joined=st.dictionaries(st.sampled_from(TYPES), st.integers(1, 3), max_size=3),
        infra=st.booleans(),
        state=st.sampled_from(["running", "running", "paused", "starting"]),
        labels=st.dictionaries(NAMES, NAMES, max_size=2),
        pod=st.none() | st.builds(Pod, st.none() | NAMES, st.none() | NAMES),
    ),
    max_size=6,
)
OPTIONS = st.fixed_dictionaries({
    "containers": st.lists(NAMES | st.just("all"), max_size=4),
    "engines": st.lists(st.sampled_from(["docker", "podman", "unknown"]), max_size=2),
    "types": st.none() | st.lists(st.sampled_from(TYPES), min_size=1).map(wanted_types),
    "allow_host": st.lists(st.sampled_from(TYPES), max_size=3),
    "each": st.booleans(),
})


@given(FLEETS, OPTIONS)
def test_every_container_is_at_most_once_in_and_never_on_the_host(fleet: list[Container], options: Any) -> None:
    choice = chosen(fleet=fleet, **options)
    assert chosen(fleet=fleet, **options) == choice
    targets = [target.container for target in choice.targets if target.container is not None]
    assert len(targets) == len({id(one) for one in targets})
    entered = len(targets) + sum(len(target.also) for target in choice.targets)
    assert entered + len(choice.left_out) <= len(fleet)
    assert [target.name for target in choice.targets] == sorted(target.name for target in choice.targets)
    for target in choice.targets:
        assert (target.container is None) == (target.refusal is not None)
    for one in targets:
        assert one.state == "running"
        for kind in options["types"] or ():
            assert one.namespaces[kind] != HOST[kind] or kind in options["allow_host"]
        if options["types"] is None:
            assert one.namespaces != HOST
    if options["each"]:
        assert not any(target.also for target in choice.targets)
    assert all(re.search(r"[.)]$", one["reason"]) for one in choice.left_out)


@given(FLEETS, OPTIONS)
def test_the_order_in_which_containers_were_found_makes_no_difference(fleet: list[Container], options: Any) -> None:
    # Where two are the same in everything that orders them, nothing can.
    unique = {(one.name, one.engine, one.id): one for one in fleet}
    one_way, other_way = list(unique.values()), list(unique.values())[::-1]
    assert chosen(fleet=one_way, **options) == chosen(fleet=other_way, **options)


def test_one_whose_namespaces_cannot_be_read_is_a_failed_target_and_not_left_out() -> None:
    unread = container("hidden", 9)
    unread.namespaces = {}
    choice = chosen(["all"], fleet=[*FLEET, unread])
    assert refusals(choice) == {
        "hidden": "The namespaces of hidden (pid 9) cannot be read: run the task as root (become), or as its user."}
    assert "hidden" not in left_out(choice)

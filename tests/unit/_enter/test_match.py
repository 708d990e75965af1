# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which container a text names: every way, their order, and what is said when it is none or several."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nsfleet.linux.plugins.module_utils._enter.match import find, named
from ansible_collections.nsfleet.linux.plugins.module_utils._model.entry import Refused
from ansible_collections.nsfleet.linux.plugins.module_utils._model.inventory import Container, Pod, Problems

WEB, DB, POD = "ab12" + "0" * 60, "ab13" + "0" * 60, "cd" * 32


def container(name: str, identity: str = WEB, engine: str = "docker", pid: int = 100, **more: Any) -> Container:
    """A container, as a look at a host would find it."""
    return Container(id=identity, engine=engine, name=name, pid=pid, start_time=1000 + pid, **more)


FLEET = [
    container("web", WEB, pid=100),
    container("db", DB, "podman", 101),
    container("app", POD, "cri", 102, pod=Pod("shop-0", "prod", "u1")),
    container("POD", "ef" * 32, "cri", 103, pod=Pod("shop-0", "prod", "u1"), infra=True),
    container("task", "my-task", "containerd", 104),
]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("web", "web"),
        (WEB, "web"),
        (WEB[:12], "web"),
        ("ab12", "web"),
        ("docker:web", "web"),
        ("shop-0/app", "app"),
        ("prod/shop-0/app", "app"),
        ("cri:POD", "POD"),
        ("shop-0/POD", "POD"),
        ("my-task", "task"),
    ],
)
def test_every_way_of_naming_leads_to_the_container(text: str, name: str) -> None:
    assert find(text, FLEET, Problems()).name == name


@pytest.mark.parametrize(
    "text",
    ["ab1", "AB12", "we", "WEB", "podman:web", "prod/app", "shop-0", "prod/shop-0", "/app", "test/shop-0/app", "w*",
     "", "web ", "my-t", "docker:" + WEB, "\0", "ab12/"],
)
def test_what_is_less_or_something_else_names_none(text: str) -> None:
    with pytest.raises(Refused, match="There is no container"):
        find(text, FLEET, Problems())


def test_a_name_comes_before_an_id() -> None:
    fleet = [container("other", "cafe" + "0" * 60), container(WEB, DB), container("x", WEB)]
    assert [one.id for one in named(WEB, fleet)] == [DB]


def test_a_name_comes_before_the_beginning_of_an_id() -> None:
    fleet = [container("web", "cafe" + "0" * 60), container("cafe", DB)]
    assert [one.id for one in named("cafe", fleet)] == [DB]


def test_a_full_id_comes_before_the_beginning_of_another() -> None:
    fleet = [container("a", "cafecafecafe" + "0" * 52), container("b", "cafecafecafe", "containerd")]
    assert [one.name for one in named("cafecafecafe", fleet)] == ["b"]


def test_a_name_with_a_colon_comes_before_the_engine_s() -> None:
    fleet = [container("web"), container("docker:web", DB, "lxc")]
    assert [one.engine for one in named("docker:web", fleet)] == ["lxc"]


def test_a_name_with_a_slash_comes_before_the_pod_s() -> None:
    fleet = [container("app", POD, "cri", pod=Pod("shop", "prod")), container("shop/app", DB, "runc")]
    assert [one.engine for one in named("shop/app", fleet)] == ["runc"]


def test_a_pod_comes_before_a_namespace() -> None:
    # A pod's name has no slash; what an annotation says may.
    fleet = [
        container("c", WEB, "cri", pod=Pod("b", "a")),
        container("c", DB, "cri", pod=Pod("a/b", None)),
    ]
    assert [one.id for one in named("a/b/c", fleet)] == [DB]


def test_the_same_name_at_two_engines_lists_both() -> None:
    fleet = [container("web", WEB), container("web", DB, "podman", 101)]
    with pytest.raises(Refused) as refused:
        find("web", fleet, Problems())
    assert str(refused.value) == (
        "web means 2 containers, web (docker, ab1200000000), web (podman, ab1300000000): give the id, engine:NAME, or"
        " the pid of the one that is meant."
    )


def test_a_beginning_that_two_ids_have_lists_both() -> None:
    fleet = [container("a", "abcd1" + "0" * 59), container("b", "abcd2" + "0" * 59)]
    with pytest.raises(Refused, match=r"abcd means 2 containers, a \(docker, abcd1000.*\), b \(docker, abcd2000"):
        find("abcd", fleet, Problems())


def test_the_same_id_in_two_namespaces_of_containerd_is_told_by_pid() -> None:
    fleet = [container("web", WEB, "containerd", 7), container("web", WEB, "containerd", 8)]
    with pytest.raises(Refused, match=r"web \(containerd, ab1200000000, pid 7\), web \(containerd, .*, pid 8\)"):
        find(WEB, fleet, Problems())


def test_containers_of_pods_are_listed_with_their_pods() -> None:
    fleet = [container("app", WEB, "cri", pod=Pod("a", "x")), container("app", DB, "cri", pod=Pod("b", "x"))]
    with pytest.raises(Refused, match=r"x/a/app \(cri, ab1200000000\), x/b/app \(cri, ab1300000000\)"):
        find("app", fleet, Problems())


def test_many_that_are_meant_are_cut_off_and_counted() -> None:
    fleet = [container("web", "%064x" % number, pid=number) for number in range(1, 15)]
    with pytest.raises(Refused, match="web means 14 containers, .* and 4 more: give"):
        find("web", fleet, Problems())


def test_not_found_says_what_was_looked_at() -> None:
    with pytest.raises(Refused) as refused:
        find("wbe", FLEET, Problems())
    assert str(refused.value) == (
        "There is no container wbe among the 5 that run here (db, prod/shop-0/app, task, web)."
    )


def test_not_found_says_what_was_not_seen() -> None:
    problems = Problems()
    problems.add("state of docker ab12", "refused: EACCES")
    with pytest.raises(Refused, match=r"not all could be seen \(state of docker ab12: refused: EACCES\)"):
        find("wbe", FLEET, problems)


@pytest.mark.parametrize("user, advice", [(1000, ": run the task as root (become)."), (0, ".")])
def test_who_may_not_read_the_names_is_told_to_be_root(
    user: int, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    problems = Problems()
    problems.add("state of docker ab12", "refused: EACCES")
    with pytest.raises(Refused) as refused:
        find("wbe", FLEET, problems)
    assert str(refused.value).endswith("refused: EACCES)" + advice)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("we*", ": container is a single name, patterns and several names go to containers."),
        ("web,db", ": container is a single name, patterns and several names go to containers."),
        ("ab1", ": to name a container by the beginning of its id takes four digits or more."),
        ("abe", "task, web)."),
    ],
)
def test_not_found_says_what_was_probably_meant(text: str, advice: str) -> None:
    with pytest.raises(Refused) as refused:
        find(text, FLEET, Problems())
    assert str(refused.value).endswith(advice)


@pytest.mark.parametrize("text", ["shop-ap", "Shop-App", "app", "shop-app2", "shop-pap"])
def test_among_many_the_most_alike_is_listed(text: str) -> None:
    fleet = [container("a%02d" % number) for number in range(20)] + [container("shop-app"), container("zz")]
    with pytest.raises(Refused, match=r"among the 22 that run here \(shop-app, .* and 12 more\)"):
        find(text, fleet, Problems())


def test_ids_that_are_no_digits_are_listed_in_full() -> None:
    """Their beginning names nothing, and may be the same for all of them."""
    fleet = [container("sleep", "unknown-402653%d" % number, "unknown", number) for number in (2001, 2002)]
    with pytest.raises(Refused, match=r"sleep \(unknown, unknown-4026532001\), sleep \(unknown, unknown-4026532002\)"):
        find("sleep", fleet, Problems())


def test_not_found_on_an_empty_host_says_so() -> None:
    with pytest.raises(Refused) as refused:
        find("web", [], Problems())
    assert str(refused.value) == "There is no running container web here."


def test_what_does_not_print_is_not_repeated() -> None:
    with pytest.raises(Refused) as refused:
        find("\x1b[2J\u202e", FLEET, Problems())
    assert str(refused.value).isprintable()


NAMES = st.text(st.sampled_from("ab0:/*[]?é\ud800\n"), max_size=6)
CONTAINERS = st.lists(
    st.builds(
        container,
        NAMES,
        st.sampled_from([WEB, DB, POD, "a", "abab", "abababababab"]),
        st.sampled_from(["docker", "podman", "a"]),
        st.integers(1, 9),
        pod=st.none() | st.builds(Pod, st.none() | NAMES, st.none() | NAMES),
        infra=st.booleans(),
    ),
    max_size=6,
)


@given(NAMES, CONTAINERS)
def test_any_text_names_one_or_is_refused_in_one_printable_sentence(text: str, fleet: list[Container]) -> None:
    try:
        found = find(text, fleet, Problems())
    except Refused as refusal:
        assert len(named(text, fleet)) != 1
        assert str(refusal).endswith(".")
    else:
        assert any(found is one for one in fleet)
        assert find(text, fleet[::-1], Problems()) is found


@given(CONTAINERS)
def test_whatever_runs_here_can_be_meant_by_its_name(fleet: list[Container]) -> None:
    for one in fleet:
        assert any(found is one for found in named(one.name, fleet))

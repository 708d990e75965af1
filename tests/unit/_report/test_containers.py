# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a host: what is chosen, what is shared, and what names turn into in Markdown and file names."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nsfleet.linux.plugins.module_utils._report.containers import (
    Choice,
    display_name,
    file_name,
    host_report,
    mask,
    shares,
    shortened_image,
    unseen,
)
from ansible_collections.nsfleet.linux.plugins.module_utils._report.containers_index import entry, index
from ansible_collections.nsfleet.linux.plugins.module_utils._report.containers_markdown import (
    host_markdown,
    index_markdown,
)
from ansible_collections.nsfleet.linux.plugins.module_utils._report.containers_terminal import COLUMNS, Terminal
from ansible_collections.nsfleet.linux.plugins.module_utils._report.markdown import escape
from ansible_collections.nsfleet.linux.plugins.module_utils._report.text import width

TYPES = ("mnt", "uts", "ipc", "pid", "net", "user", "cgroup", "time")
HOST = {kind: f"{kind}:[{number}]" for number, kind in enumerate(TYPES)}
ANY = st.text(st.characters(exclude_categories=[]), max_size=40)


def container(name: str, **more: Any) -> dict[str, Any]:
    spaces = {kind: f"{kind}:[{hash(name) % 10**9}]" for kind in TYPES}
    found = {"id": f"id-of-{name}", "name": name, "engine": "docker", "state": "running", "namespaces": spaces}
    return {**found, "shared_with_host": [], "shared_with": {}, **more}


def facts(*containers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"host": HOST, "containers": list(containers), "inventory": [], **more}


def chosen(choice: Choice, *containers: dict[str, Any]) -> list[str]:
    return [one["name"] for one in host_report("h", facts(*containers), choice)["containers"]]


@pytest.mark.parametrize("pattern", ["w?b", "docker:web", "id-of-w*", "shop/web", "prod/shop/web", "*"])
def test_a_pattern_is_compared_with_all_names_of_a_container(pattern: str) -> None:
    web = container("web", pod={"name": "shop", "namespace": "prod", "uid": None})
    assert chosen(Choice([pattern]), web) == ["web"]


@pytest.mark.parametrize("pattern", ["we", "podman:web", "WEB", "shop"])
def test_a_pattern_must_match_a_whole_name(pattern: str) -> None:
    assert chosen(Choice([pattern]), container("web", pod={"name": "shop", "namespace": None, "uid": None})) == []


def test_infra_containers_can_be_left_out() -> None:
    assert chosen(Choice(infra=False), container("pause", infra=True), container("web")) == ["web"]


@pytest.mark.parametrize(
    ("returned", "pending", "status"),
    [
        ({}, True, "pending"),
        ({}, False, "missing"),
        ({"unreachable": True, "msg": "Task failed: no route"}, False, "unreachable"),
        ({"failed": True, "msg": "no Python"}, False, "failed"),
    ],
)
def test_the_status_says_what_became_of_a_host(returned: dict[str, Any], pending: bool, status: str) -> None:
    assert unseen(returned, pending)[0] == status


@pytest.mark.parametrize(
    ("problem", "status"), [("vanished", "complete"), ("timed out", "incomplete"), ("refused: EPERM", "incomplete")]
)
def test_a_host_of_which_something_was_not_seen_is_incomplete(problem: str, status: str) -> None:
    found = facts(problems=[{"what": "sockets", "reason": problem, "count": 1}])
    assert host_report("h", found, Choice())["status"] == status


def test_the_mask_has_one_character_a_type() -> None:
    one = container("web", shared_with_host=["user", "time"], shared_with={"net": ["x"]})
    del one["namespaces"]["cgroup"]
    assert mask(one, HOST) == "muip=-?-"


def test_a_type_that_the_kernel_has_not_is_the_host_s() -> None:
    one = container("web")
    del one["namespaces"]["time"]
    assert mask(one, {kind: name for kind, name in HOST.items() if kind != "time"})[-1] == "-"


def test_partners_of_the_same_types_stand_together() -> None:
    one = container("web", shared_with_host=["uts"], shared_with={"net": ["b", "a"], "ipc": ["a", "b"], "pid": ["a"]})
    names = {"a": "first", "b": "second", "c": "third"}
    assert shares(one, names) == ["uts: host", "pid: first", "ipc net: first, second"]
    assert shares(one, names, most=1) == ["uts: host", "pid: first", "ipc net: first +1"]


def test_inside_a_pod_its_name_is_not_repeated() -> None:
    one = container("web", pod={"name": "shop"}, shared_with={"net": ["a"]})
    assert shares(one, {"a": "shop/db"}) == ["net: db"]
    assert display_name(one) == "shop/web"


def test_an_image_known_by_its_digest_only_is_shortened() -> None:
    assert shortened_image("sha256:" + "0123456789abcdef" * 4) == "0123456789ab"
    assert shortened_image("nginx@sha256:" + "0" * 64).startswith("nginx@")


@given(ANY, ANY)
def test_a_file_name_is_one_safe_component_and_of_one_host_only(one: str, other: str) -> None:
    name = file_name(one)
    assert re.fullmatch(r"[A-Za-z0-9_%-][A-Za-z0-9._%-]*", name)
    assert len(name) <= 160
    assert (file_name(other) == name) == (one == other)


def test_long_names_stay_different() -> None:
    assert file_name("a" * 300 + "1") != file_name("a" * 300 + "2")


@given(ANY)
def test_escaped_text_stays_in_its_cell_and_is_no_markup(text: str) -> None:
    escaped = escape(text)
    assert "\n" not in escaped
    for character in "|`<>[]*@":
        assert not re.search(r"(?<!\\)(?:\\\\)*" + re.escape(character), escaped.replace("\\" + character, ""))


@given(st.lists(st.tuples(ANY, ANY), max_size=5), st.booleans())
def test_every_form_can_be_written_of_whatever_names_there_are(names: list[tuple[str, str]], quoted: bool) -> None:
    containers = [container(name, image=image, unit=image, user=name, id=name or "x") for name, image in names]
    reports = [host_report(name or "h", facts(*containers), Choice(inventory=True)) for name, dummy in names]
    terminal = Terminal(72, COLUMNS, 100, True, quoted=quoted)
    for report in reports:
        terminal.add(report)
        assert host_markdown(report).count("\n# ") == 0
    entries = [entry(report, ["json", "markdown"]) for report in reports]
    assert max(map(width, terminal.lines(entries))) <= 72
    index_markdown(entries, ["json", "markdown"])
    assert index(entries)["totals"]["containers"] == len(names) ** 2


def test_rows_are_limited_over_all_hosts() -> None:
    reports = [host_report(name, facts(*map(container, "abc")), Choice()) for name in ("x", "y")]
    terminal = Terminal(72, COLUMNS, 4, False)
    for report in reports:
        terminal.add(report)
    lines = terminal.lines([entry(report, []) for report in reports])
    assert "  ... 2 more" in lines
    assert "What is not listed here is in the files." in lines

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What commands said in containers: whatever they print, the report is bounded, and nothing in it is obeyed."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nsfleet.linux.plugins.module_utils._report.commands import (
    commands_markdown,
    commands_terminal,
    of_host,
    told,
    words,
)
from ansible_collections.nsfleet.linux.plugins.module_utils._report.text import width

CHECKOUT = pathlib.Path(__file__).resolve().parents[3]
ANY = st.text(st.characters(exclude_categories=[]), max_size=200)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | ANY, lambda some: st.lists(some) | st.dictionaries(ANY, some)
)
KEYS = st.sampled_from(["targets", "left_out", "msg", "changed", "skipped", "failed"])
OF_TARGET = st.sampled_from(["target", "stdout", "stderr", "rc", "msg", "failed", "skipped", "truncated", "unproven"])


def container(name: str, **more: Any) -> dict[str, Any]:
    return {"id": f"id-of-{name}", "name": name, "engine": "docker", "state": "running", **more}


def target(name: str, stdout: Any, **more: Any) -> dict[str, Any]:
    return {"target": {"id": f"id-of-{name}", "container": name, "also": []}, "stdout": stdout, **more}


def report(*targets: dict[str, Any], containers: Any = None) -> dict[str, Any]:
    found = told("cat", {"targets": list(targets)})
    # As the file has it that is between the two.
    return {"commands": of_host(containers or [container("web")], ["cat"], json.loads(json.dumps([found])))}


@pytest.mark.parametrize(("command", "shown"), [
    ("ss -ntl", "ss -ntl"), ([" ss", "-n tl"], "' ss' '-n tl'"), (["sleep", 1], "sleep 1"), ("  x ", "x"),
])  # fmt: skip
def test_a_command_is_shown_as_a_shell_would_take_it(command: Any, shown: str) -> None:
    assert words(command) == shown


@pytest.mark.parametrize("wrong", ["", "  ", [], {}, None, 5, [["x"]], "cat 'x", [None]], ids=str)
def test_what_is_no_command_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError):
        words(wrong)


@given(ANY, ANY, ANY)
def test_whatever_is_said_stays_in_its_lines(output: str, name: str, message: str) -> None:
    found = report(
        {**target("web", output, msg=message, failed=True, rc=1), "stderr": output},
        containers=[{**container("web"), "name": name}],
    )
    lines, dummy = commands_terminal(found, 60)
    assert max(map(width, lines)) <= 60
    assert all(line.isprintable() for line in lines)
    page = commands_markdown(found)
    assert all(line.isprintable() for line in page)
    # What was said is in the block: each line of it is indented, and nothing else is.
    (result,) = found["commands"][0]["results"]
    assert [line for line in page if line.startswith("    ")] == page[8:8 + len(result["lines"])]


@given(st.dictionaries(KEYS, JSON | st.lists(st.dictionaries(OF_TARGET, JSON))))
def test_no_answer_of_a_host_breaks_the_report(answer: dict[str, Any]) -> None:
    kept = json.loads(json.dumps([told("cat", answer)]))
    found = {"commands": of_host([container("web")], ["cat"], kept)}
    commands_terminal(found, 60)
    commands_markdown(found)


def test_a_long_output_is_cut_and_counted_not_kept() -> None:
    (result,) = report(target("web", "x" * 10_000 + "\n" + "line\n" * 99))["commands"][0]["results"]
    assert len(result["lines"]) == 40
    assert max(map(len, result["lines"])) == 400
    assert result["more_lines"] == 60


def test_many_different_answers_are_counted_on_the_terminal() -> None:
    names = [f"c{number}" for number in range(30)]
    found = report(*(target(name, name) for name in names), containers=[container(name) for name in names])
    lines, cut_off = commands_terminal(found, 60)
    assert "    ... 18 more answers" in lines
    assert cut_off
    assert sum(line.endswith(":") for line in lines) == 12


def test_those_that_share_all_have_the_one_answer() -> None:
    shared = {**target("web", "same"), "target": {"id": "id-of-web", "container": "web", "also": ["id-of-db"]}}
    (command,) = report(shared, containers=[container("web"), container("db")])["commands"]
    assert [result["containers"] for result in command["results"]] == [["web", "db"]]
    assert command["not_run"] == []


def test_one_named_on_another_host_is_not_told_here() -> None:
    (command,) = report({**target("x", ""), "target": {"id": None, "container": "x"}, "failed": True})["commands"]
    assert command["results"] == []


def test_a_host_without_an_answer_is_told_for_each_command() -> None:
    found = of_host([container("web")], ["a", "b"], None)
    assert [(one["command"], one["problem"], one["not_run"]) for one in found] == [
        ("a", "the host did not answer", []), ("b", "the host did not answer", []),
    ]  # fmt: skip


def test_a_missing_program_may_have_a_space_in_its_name() -> None:
    """As of a command that was quoted once too often."""
    failed = {**target("web", ""), "rc": None, "failed": True, "msg": "id,ss -ntl is not in web (ENOENT, PATH is /bin): give"}
    (command,) = report(failed)["commands"]
    assert [one["problem"] for one in command["results"]] == ["id,ss -ntl is not there"]


def test_a_missing_program_is_known_by_the_words_of_ns_exec() -> None:
    scout = (CHECKOUT / "plugins/module_utils/_enter/scout.py").read_text()
    assert '"%s is not in %s (ENOENT%s)"' in scout
    assert "but the host has %s: join without mnt" in scout

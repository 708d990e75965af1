# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's debug_commands: what is asked of ns_exec, and what the reports make of its answers."""

from __future__ import annotations

import json
import pathlib
import re
import sys
from typing import Any

import pytest
from canned import HOSTILE, container, facts
from canned_commands import many, missing, said
from playing import Play, Played
from width import columns_of

WEB, DB = container(1, "web"), container(2, "db")
HERE = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}


class Playing:
    """Plays with canned answers of ns_exec, by the command."""

    def __init__(self, play: Play, folder: pathlib.Path) -> None:
        self._play = play
        self._said = folder / "said.json"

    def __call__(
        self, answers: dict[str, Any], *arguments: str, commands: Any = None, hosts: dict[str, Any] | None = None,
        here: dict[str, Any] | None = None, **variables: Any,
    ) -> Played:
        hosts = {"a": facts([WEB, DB])} if hosts is None else hosts
        self._said.write_text(json.dumps(answers))
        inventory = {"all": {"vars": here or HERE, "hosts": dict.fromkeys(hosts, {})}}
        asked = list(answers) if commands is None else commands
        return self._play(hosts, *arguments, inventory=inventory, debug_commands=asked, **variables)

    @property
    def asked(self) -> list[dict[str, Any]]:
        """What ns_exec was asked, one after the other."""
        path = self._said.with_name("said.json.asked")
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def playing(play: Play, tmp_path: pathlib.Path) -> Playing:
    return Playing(play, tmp_path)


def below(table: list[str], command: str) -> list[str]:
    """The lines of a command on the terminal."""
    start = table.index("  $ " + command) + 1
    return table[start:table.index("", start)]


def test_they_run_read_only_in_all_containers_with_little_output(playing: Playing) -> None:
    played = playing({"id": many(said(WEB, "uid=0"))})
    assert played.status == 0, played.output
    (asked,) = playing.asked
    assert asked == {
        "cmd": "id", "containers": ["all"], "read_only": True, "timeout": 10, "max_output": 8192, "check": False,
    }  # fmt: skip


def test_without_commands_nothing_is_run(playing: Playing) -> None:
    played = playing({}, commands=[])
    assert played.status == 0
    assert playing.asked == []
    assert "commands" not in played.json("hosts/a.json")
    assert "## Commands" not in played.markdown("hosts/a.md")


def test_they_run_in_the_containers_that_are_chosen(playing: Playing) -> None:
    played = playing(
        {"id": many(said(WEB, "uid=0"), said(DB, "uid=7"))}, debug_containers_containers="web",
        debug_containers_engines="docker,unknown", debug_commands_timeout=3,
    )  # fmt: skip
    assert [(one["containers"], one["engine"], one["timeout"]) for one in playing.asked] == [
        (["web"], ["docker", "unknown"], 3)
    ]
    # What is said of others does not get into the report.
    (command,) = played.json("hosts/a.json")["commands"]
    assert [one["containers"] for one in command["results"]] == [["web"]]


def test_containers_that_say_the_same_stand_together_in_every_form(playing: Playing) -> None:
    played = playing({"cat /etc/resolv.conf": many(said(WEB, "nameserver 1\n"), said(DB, "nameserver 1\n"))})
    assert below(played.table, "cat /etc/resolv.conf") == ["    db, web:", "      nameserver 1"]
    (command,) = played.json("hosts/a.json")["commands"]
    assert command["results"] == [
        {"containers": ["db", "web"], "lines": ["nameserver 1"], "more_lines": 0, "more_bytes": 0, "problem": ""}
    ]
    page = played.markdown("hosts/a.md").split("## Commands")[1]
    assert "### cat /etc/resolv.conf\n\n**db**, **web**:\n\n    nameserver 1\n" in page


def test_the_order_is_that_of_the_commands(playing: Playing) -> None:
    played = playing({"z": many(said(WEB)), "a": many(said(WEB)), "m": many(said(WEB))})
    assert [line for line in played.table if line.startswith("  $ ")] == ["  $ z", "  $ a", "  $ m"]
    assert [one["cmd"] for one in playing.asked] == ["z", "a", "m"]


def test_a_program_that_is_missing_is_one_line_and_no_failure(playing: Playing) -> None:
    played = playing({"ss -ntl": many(missing(WEB, "ss"), missing(DB, "ss"))})
    assert played.status == 0, played.output
    assert below(played.table, "ss -ntl") == ["    db, web: ss is not there (the host has /usr/bin/ss)"]


def test_one_that_fails_is_told_with_its_status_and_its_errors(playing: Playing) -> None:
    played = playing({"x": many(
        said(WEB, "some", rc=3, stderr="no such thing\n"),
        said(DB, rc=-9, failed=True, msg="ended after its timeout of 10 s"),
    )})  # fmt: skip
    assert played.status == 0, played.output
    assert below(played.table, "x") == [
        "    db: ended after its timeout of 10 s", "    web: ended with 3", "      some", "      no such thing",
    ]  # fmt: skip


def test_containers_without_a_result_are_named_with_the_reason(playing: Playing) -> None:
    pause, stray, slow = (
        container(3, "pause", infra=True), container(4, "stray", engine="unknown"), container(5, "slow", state="paused")
    )  # fmt: skip
    late = container(6, "late")
    shares = {"container": "db", "reason": "all of it is the host's"}
    played = playing(
        {"id": many(said(WEB, "uid=0"), left_out=[shares])},
        hosts={"a": facts([WEB, DB, pause, stray, slow, late])},
    )
    assert below(played.table, "id") == [
        "    web:", "      uid=0", "    not run in pause: a pod's own container",
        "    not run in db: all of it is the host's", "    not run in late: it did not run at that time",
        "    not run in stray: of no known engine",
        "    not run in slow: paused",
    ]  # fmt: skip


def test_output_without_end_is_bounded_and_the_rest_counted(playing: Playing) -> None:
    lines = "".join(f"line {number}\n" for number in range(700))
    played = playing({"yes": many(said(WEB, lines, truncated={"stdout": 4096, "stderr": 4}))})
    (command,) = played.json("hosts/a.json")["commands"]
    assert len(command["results"][0]["lines"]) == 40
    assert "... 660 more lines and 4100 bytes" in played.markdown("hosts/a.md")
    assert below(played.table, "yes")[-2] == "      ... 695 more lines and 4100 bytes"
    assert "What is not listed here is in the files." in played.table


def test_errors_are_not_lost_behind_a_long_output(playing: Playing) -> None:
    played = playing({"x": many(said(WEB, "out\n" * 90, rc=1, stderr="the reason\n"))})
    assert played.json("hosts/a.json")["commands"][0]["results"][0]["lines"][-1] == "the reason"


def test_hostile_output_is_shown_and_not_obeyed(playing: Playing) -> None:
    # The module's own result is valid UTF-8.
    output = "\n".join(name for name in HOSTILE if "\ud800" not in name)
    output += "\n```\n# heading\n</pre><script>alert(1)</script>\n\ttab\x1b]0;title\x07"
    played = playing({"cat": many(said(WEB, output), said(DB, rc=None, failed=True, msg="{{ 7*7 }} <b> \x1b[2J"))})
    assert played.status == 0, played.output
    assert not played.owned
    assert not {"\x1b", "\x07", "\u202e"} & set(played.output)
    assert max(columns_of(line) for line in played.table) <= 72
    page = played.markdown("hosts/a.md").split("## Commands")[1]
    assert not {"\x1b", "\x07", "\u202e"} & set(page)
    # All of it is in the block, and nothing of what a message says is markup.
    assert [line for line in page.splitlines() if "script" in line or "# heading" in line or "```" in line] == [
        line for line in page.splitlines() if re.match(" {4}.*(script|# heading|```)", line)
    ]
    assert "&lt;b&gt;" in page


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_long_lines_fit_on_the_terminal(playing: Playing, form: str) -> None:
    played = playing({"cat '" + "x" * 300 + "'": many(said(WEB, 'w"' * 200), missing(DB, "y" * 99))}, form=form)
    printed = played.output.split("they share]")[1].split("\n\nTASK [")[0].split("\n")[2:]
    assert [line for line in printed if columns_of(line) > 80] == []
    assert any('w"w' in line or 'w\\"w' in line for line in printed)


def test_check_mode_is_left_to_the_command_and_what_did_not_run_is_said(playing: Playing) -> None:
    lacks = said(WEB, msg="not run in check mode", rc=None, skipped=True, unproven=["read_only without Landlock"])
    played = playing({"id": many(lacks, said(DB, "uid=0"))}, "--check")
    assert played.status == 0, played.output
    assert [one["check"] for one in playing.asked] == [True]
    assert below(played.table, "id") == [
        "    not proved to have changed nothing: read_only without Landlock", "    db:", "      uid=0",
        "    web: not run in check mode",
    ]  # fmt: skip
    assert not played.reports.exists()


def test_a_change_is_told_with_why_it_was_possible(playing: Playing) -> None:
    reason = "read_only without X"
    played = playing({"id": many(said(WEB, "uid=0", changed=True, unproven=[reason]))}, debug_containers_directory="")
    assert played.changed == 1
    assert below(played.table, "id")[0] == "    not proved to have changed nothing: read_only without X"


def test_commands_that_only_look_change_nothing(playing: Playing) -> None:
    assert playing({"id": many(said(WEB, "uid=0"))}, debug_containers_directory="").changed == 0


def test_a_host_that_cannot_run_them_is_said_and_has_its_report(playing: Playing) -> None:
    refusal = {"failed": True, "msg": "setns(2) is refused (EPERM): become root."}
    played = playing({"id": refusal})
    assert played.status == 0, played.output
    assert below(played.table, "id") == ["    not run: setns(2) is refused (EPERM): become root."]
    assert "Not run: setns(2) is refused (EPERM): become root." in played.markdown("hosts/a.md")
    assert played.json("index.json")["hosts"][0]["status"] == "complete"


def test_a_host_that_is_lost_meanwhile_is_said_and_has_its_report(playing: Playing) -> None:
    gone = dict(HERE, ansible_connection="ssh", ansible_host="127.0.0.1", ansible_port=1, ansible_ssh_retries=0)
    played = playing({"id": many(said(WEB))}, here=gone)
    assert "    not run: the host did not answer" in played.table
    assert played.json("index.json")["hosts"][0]["status"] == "complete"


@pytest.mark.parametrize("told", ["no Python", "unreachable: {{ lookup('pipe', 'touch $OWNED') }}"])
def test_a_host_that_was_not_seen_is_not_asked_again(playing: Playing, told: str) -> None:
    played = playing({"id": many(said(WEB, "uid=0"))}, hosts={"bad": told, "good": facts([WEB])})
    assert played.status == 2
    assert len(playing.asked) == 1
    assert [one["status"] for one in played.json("index.json")["hosts"]][1] == "complete"
    # Before ansible-core 2.19 to look at its result in a template would run what it says.
    assert not played.owned


def test_a_command_may_be_a_list_or_one_text_with_commas(playing: Playing) -> None:
    played = playing({"cat a b": many(said(WEB, "x"))}, commands=[["cat", "a b"]])
    assert playing.asked[-1]["argv"] == ["cat", "a b"]
    assert "  $ cat 'a b'" in played.table
    played = playing({"grep -E a,b c": many(said(WEB, "x"))}, commands="grep -E a,b c")
    assert playing.asked[-1]["cmd"] == "grep -E a,b c"
    assert "  $ grep -E a,b c" in played.table


@pytest.mark.parametrize("wrong", [[""], [[]], [{"cmd": "id"}], ["cat 'a"]], ids=str)
def test_what_is_no_command_is_refused_before_anybody_is_looked_at(playing: Playing, wrong: Any) -> None:
    played = playing({}, commands=wrong)
    assert played.status == 2
    assert "cannot be run" in " ".join(played.output.split())
    assert "Look at namespaces" not in played.output


def test_what_containers_say_stays_out_of_ansible_s_output_and_variables(playing: Playing) -> None:
    played = playing({"id": many(said(WEB, "canary-4711"))}, "-vvv", debug_containers_terminal=False)
    assert played.status == 0
    assert "canary-4711" not in played.output.split("PLAY RECAP")[0].split("Judge, and write")[0]
    assert "canary-4711" in played.markdown("hosts/a.md")


@pytest.mark.parametrize("odd", [
    {"targets": "x", "msg": "?"}, {"targets": [1, None, {"target": 5, "stdout": 7, "truncated": []}]},
    {"targets": [], "left_out": [1, {"container": {}, "reason": []}]}, {"targets": None},
], ids=str)  # fmt: skip
def test_answers_that_are_none_of_ns_exec_harm_nobody(playing: Playing, odd: dict[str, Any]) -> None:
    assert playing({"id": odd}).status == 0

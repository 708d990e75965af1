# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say what is to run, beside what ansible.builtin.command makes of the same."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nsfleet.linux.plugins.module_utils._enter.command import Command, path
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.environment import completed, of_host
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.options import command_options
from ansible_collections.nsfleet.linux.plugins.module_utils._model.entry import Refused

ECHO = "import json,os,sys; print(json.dumps([sys.argv[1:], sys.stdin.read()]))"
TELL = [sys.executable, "-c", ECHO]


def defaults() -> dict[str, Any]:
    """What a module's parameters are when nothing was given."""
    return {name: option.get("default") for name, option in command_options().items()}


def command(**params: Any) -> Command:
    return Command.from_params({**defaults(), **params})


def real(folder: Path, **params: Any) -> dict[str, Any]:
    """What ansible.builtin.command answers."""
    given = json.dumps({"ANSIBLE_MODULE_ARGS": {**params, "_ansible_remote_tmp": str(folder)}})
    answer = subprocess.run(
        [sys.executable, "-m", "ansible.modules.command", given],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=60, check=False,
    )
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def nobody_at_home(dummy: str) -> None:
    return None


def known(name: str) -> str | None:
    """Homes as this machine's passwd has them."""
    import pwd

    try:
        return (pwd.getpwnam(name) if name else pwd.getpwuid(os.getuid())).pw_dir
    except KeyError:
        return None


LINES = (
    "a b  c", "'a b' c", 'a "b c" d\\ e', "a#b # c", "$HOME ${HOME} $NOSUCH ${NOSUCH} $", "~ ~/x ~root ~root/y ~nosuch/z",
    "'$HOME' \"$HOME\" \\$HOME", "a'b'c \"\" ''", "ä ö€ \U0001f600", "${HOME}x$HOME-y ${ } ${HOME", "~$NSFLEET_NAME/bin",
    "$NSFLEET_TILDE/x $NSFLEET_DOLLAR", "'a\nb' c",
)


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("expanding", [True, False])
def test_a_line_is_taken_apart_and_expanded_as_command_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, expanding: bool
) -> None:
    monkeypatch.setenv("NSFLEET_NAME", "root")
    monkeypatch.setenv("NSFLEET_TILDE", "~")
    monkeypatch.setenv("NSFLEET_DOLLAR", "$HOME")
    cmd = "%s -c '%s' %s" % (sys.executable, ECHO, line)
    theirs = real(tmp_path, cmd=cmd, expand_argument_vars=expanding)
    ours = command(cmd=cmd, expand_argument_vars=expanding)
    words = ours.run.arguments(of_host(), known, ours.expand_argument_vars)
    assert [word.decode() for word in words[3:]] == json.loads(theirs["stdout"])[0]
    assert ours.run.shown == theirs["cmd"]


@pytest.mark.parametrize("text", ["text", "text\n", "", "ä", None])
@pytest.mark.parametrize("newline", [True, False])
def test_stdin_is_what_command_sends(tmp_path: Path, text: str | None, newline: bool) -> None:
    theirs = real(tmp_path, argv=TELL, stdin=text, stdin_add_newline=newline)
    ours = command(argv=TELL, stdin=text, stdin_add_newline=newline)
    assert (ours.stdin or b"").decode() == json.loads(theirs["stdout"])[1]


def test_words_of_argv_are_taken_as_they_are(tmp_path: Path) -> None:
    words = [*TELL, "a b", "'", "$HOME", ""]
    theirs = json.loads(real(tmp_path, argv=words)["stdout"])[0]
    assert [word.decode() for word in command(argv=words).run.arguments(of_host(), known, True)[3:]] == theirs


def test_paths_are_expanded_as_command_expands_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NSFLEET_PLACE", str(tmp_path))
    (tmp_path / "there").touch()
    assert "exists" in real(tmp_path, cmd="true", creates="${NSFLEET_PLACE}/there")["msg"]
    assert path("${NSFLEET_PLACE}/there", of_host(), known) == str(tmp_path / "there")
    assert path("~root/x", of_host(), known) == os.path.expanduser("~root/x")


def test_variables_are_those_that_the_command_will_have() -> None:
    environment = completed({b"A": b"old", b"RAW": b"\xff"}, "/home/app", {"A": "new"})
    words = command(cmd="x $A $HOME ~ $RAW $USERX").run.arguments(environment, nobody_at_home, True)
    assert words == [b"x", b"new", b"/home/app", b"/home/app", b"\xff", b"$USERX"]


def test_a_shell_gets_its_line_as_it_is() -> None:
    ours = command(cmd="echo $HOME | cat 'x", shell=True)
    assert ours.run.arguments({b"HOME": b"/h"}, nobody_at_home, True) == [b"/bin/sh", b"-c", b"echo $HOME | cat 'x"]
    assert ours.run.shown == "echo $HOME | cat 'x"
    assert command(cmd="x", shell=True, executable="/bin/bash").run.words == ["/bin/bash", "-c", "x"]


def test_guards_are_taken_apart_as_cmd_is() -> None:
    ours = command(cmd="a", unless="iptables -C 'IN PUT'", onlyif=["test", "a b"])
    assert ours.unless and ours.unless.words == ["iptables", "-C", "IN PUT"]
    assert ours.onlyif and ours.onlyif.words == ["test", "a b"]
    assert command(cmd="a", shell=True, unless="b | c").unless == (["/bin/sh", "-c", "b | c"], "b | c")


@pytest.mark.parametrize("given, mask", [
    ("0022", 0o22), ("22", 0o22), ("077", 0o77), (0o22, 0o22), (0, 0), ("0", 0), ("0o27", 0o27), (None, None),
])
def test_umask(given: Any, mask: int | None) -> None:
    assert command(cmd="a", umask=given).umask == mask


def test_the_timeout_is_a_minute_for_many_only() -> None:
    assert command(cmd="a").timeout == 0
    assert Command.from_params({"cmd": "a"}, many=True).timeout == 60
    assert Command.from_params({"cmd": "a", "timeout": 0}, many=True).timeout == 0
    assert command(cmd="a", timeout=0.5).timeout == 0.5


@pytest.mark.parametrize("given, types", [
    (["auto"], None), (["none"], []), (["net", "mnt"], ["net", "mnt"]), ("none", []), (None, None),
])
def test_track(given: Any, types: list[str] | None) -> None:
    assert command(cmd="a", track=given).track == types


def test_the_environment_is_the_targets_when_its_mounts_are_joined() -> None:
    assert command(cmd="a").environment_source(["mnt", "net"]) == "target"
    assert command(cmd="a").environment_source(["net"]) == "host"
    assert command(cmd="a", environment_from="none").environment_source(["mnt"]) == "none"


def test_numbers_of_env_are_texts() -> None:
    assert command(cmd="a", env={"A": 1, "B": "x=y", "C": ""}).env == {"A": "1", "B": "x=y", "C": ""}


@pytest.mark.parametrize("wrong, words", [
    ({}, "one of cmd and argv"), ({"cmd": "a", "argv": ["a"]}, "both"), ({"cmd": ""}, "cmd is empty"),
    ({"cmd": "  "}, "cmd is empty"), ({"cmd": "'' a"}, "cmd is empty"), ({"argv": []}, "argv is empty"),
    ({"argv": [""]}, "argv is empty"), ({"cmd": " ", "shell": True}, "cmd is empty"), ({"cmd": "a 'b"}, "quotes"),
    ({"argv": ["a"], "shell": True}, "argv"), ({"cmd": "a", "executable": "/bin/bash"}, "shell: true"),
    ({"argv": ["a", "b\0c"]}, "NUL"), ({"cmd": "a\0"}, "NUL"), ({"cmd": "a", "chdir": "/\0"}, "chdir.*NUL"),
    ({"cmd": "a", "env": {"A": "\0"}}, "NUL"), ({"cmd": "a", "env": {"A=B": "c"}}, "A=B"),
    ({"cmd": "a", "env": {"": "c"}}, "''"), ({"cmd": "a", "env": {"A": True}}, "bool.*quote"),
    ({"cmd": "a", "env": {"A": None}}, "quote"), ({"cmd": "a", "env": {"A": 1.5}}, "quote"),
    ({"argv": ["a", "x" * 131072]}, "131072 bytes.*131071"), ({"cmd": "x" * 131072, "shell": True}, "131071"),
    ({"cmd": "a", "env": {"A": "x" * 131070}}, "131072"), ({"argv": ["a", "\ud800"]}, "surrogate"),
    ({"cmd": "a", "timeout": -1}, "timeout"), ({"cmd": "a", "timeout": math.nan}, "timeout"),
    ({"cmd": "a", "timeout": math.inf}, "timeout"), ({"cmd": "a", "timeout_grace": -1}, "timeout_grace"),
    ({"cmd": "a", "umask": "999"}, "umask"), ({"cmd": "a", "umask": "01000"}, "umask"),
    ({"cmd": "a", "umask": -1}, "umask"), ({"cmd": "a", "umask": True}, "umask"),
    ({"cmd": "a", "stdin": "x" * (16 << 20)}, "stdin"), ({"cmd": "a", "max_output": -1}, "max_output"),
    ({"cmd": "a", "forks": 0}, "forks"), ({"cmd": "a", "track": ["auto", "net"]}, "track"),
    ({"cmd": "a", "unless": ""}, "unless is empty"), ({"cmd": "a", "onlyif": []}, "onlyif is empty"),
    ({"cmd": "a", "unless": "x '"}, "unless"), ({"cmd": "a", "user": "a:b", "group": "c"}, "once"),
])
def test_what_cannot_be_meant_is_refused_in_one_sentence(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words) as refused:
        command(**wrong)
    text = str(refused.value)
    assert "\n" not in text and len(text) < 300


def test_the_longest_argument_that_the_kernel_takes_is_taken() -> None:
    assert command(argv=["a", "x" * 131071]).run.words[1]
    subprocess.run(["true", "x" * 131071], check=True, timeout=10)


def test_an_argument_that_grows_too_long_by_its_variables_is_refused() -> None:
    with pytest.raises(Refused, match="131071"):
        command(cmd="a $A$A").run.arguments({b"A": b"x" * 70000}, nobody_at_home, True)


@given(st.text(alphabet="$~{}ABü/ _1-", max_size=20))
def test_expansion_agrees_with_pythons_on_every_text(text: str) -> None:
    from ansible_collections.nsfleet.linux.plugins.module_utils._enter.environment import expand

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", {"A": "$B", "B": "~", "A1": "x", "HOME": "/home/me/"})
        theirs = os.path.expanduser(os.path.expandvars(text))
    environment = {b"A": b"$B", b"B": b"~", b"A1": b"x", b"HOME": b"/home/me/"}
    assert expand(text, environment, known) == theirs

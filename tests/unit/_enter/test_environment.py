# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment that a command begins with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nsfleet.linux.plugins.module_utils._enter.environment import (
    completed,
    inherited,
    of_host,
    parse,
)
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.pidfd import pidfd_open
from ansible_collections.nsfleet.linux.plugins.module_utils._model.entry import Refused, Target

Start = Callable[..., Target]


@pytest.fixture
def start() -> Iterator[Start]:
    """A process that was started with that environment."""
    started: list[tuple[subprocess.Popen[bytes], int]] = []

    def begin(environment: dict[bytes, bytes]) -> Target:
        process = subprocess.Popen(["/bin/sleep", "60"], env=environment)
        pidfd = pidfd_open(process.pid)
        started.append((process, pidfd))
        return Target("web", pid=process.pid, pidfd=pidfd)

    yield begin
    for process, pidfd in started:
        os.close(pidfd)
        process.kill()
        process.wait()


def soon() -> float:
    return time.monotonic() + 20


def test_the_targets_is_what_it_was_started_with(start: Start) -> None:
    environment = {b"A": b"1", b"RAW": b"\xff\n=x", b"EMPTY": b""}
    assert inherited("target", start(environment), soon()) == environment


def test_none_is_empty_and_the_hosts_is_the_modules(start: Start) -> None:
    target = start({b"A": b"1"})
    assert inherited("none", target, soon()) == {}
    assert inherited("host", target, soon()) == dict(os.environb)


def test_ansibles_own_python_path_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/tmp/x/ansible_modlib.zip:/opt/mine")
    assert of_host()[b"PYTHONPATH"] == b"/opt/mine"
    monkeypatch.setenv("PYTHONPATH", "/tmp/x/ansible_modlib.zip")
    assert b"PYTHONPATH" not in of_host()


def test_a_target_without_a_process_has_none() -> None:
    with pytest.raises(Refused, match="blue.*environment_from"):
        inherited("target", Target("netns blue"), soon())


def test_one_that_is_too_large_is_refused(start: Start) -> None:
    target = start({b"A%d" % index: b"x" * 100000 for index in range(3)})
    with pytest.raises(Refused, match="larger than 256 KiB.*environment_from"):
        inherited("target", target, soon())


def test_that_of_a_process_that_has_ended_is_refused(start: Start) -> None:
    target = start({b"A": b"1"})
    os.kill(target.pid or 0, signal.SIGKILL)
    with pytest.raises(Refused, match="web"):
        inherited("target", target, soon())


def test_the_number_may_be_anothers_by_now(start: Start) -> None:
    """Its pidfd says that ours has ended, though the number has a process."""
    ended, alive = start({b"A": b"1"}), start({b"SECRET": b"of another"})
    os.kill(ended.pid or 0, signal.SIGKILL)
    with pytest.raises(Refused, match="has ended"):
        inherited("target", Target("web", pid=alive.pid, pidfd=ended.pidfd), soon())


def test_of_several_values_the_first_counts_as_for_getenv() -> None:
    assert parse(b"A=1\0A=2\0B\0=C\0\0D==x\0") == {b"A": b"1", b"D": b"=x"}


def test_what_is_added() -> None:
    path = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert completed({}, "/home/app", {}) == {b"HOME": b"/home/app", b"PATH": path}
    assert completed({b"HOME": b"/old", b"PATH": b"/p"}, "/new", {}) == {b"HOME": b"/new", b"PATH": b"/p"}
    assert completed({b"HOME": b"/old", b"PATH": b"/p"}, None, {}) == {b"HOME": b"/old", b"PATH": b"/p"}
    assert completed({b"PATH": b"/p"}, "/h", {"HOME": "/mine", "PATH": ""}) == {b"HOME": b"/mine", b"PATH": b""}
    assert completed({}, None, {"A": "ä\udcff"})[b"A"] == "ä".encode() + b"\xff"


@given(st.binary(max_size=300))
def test_no_content_breaks_the_parser(content: bytes) -> None:
    for name, value in parse(content).items():
        assert name and b"=" not in name and b"\0" not in name + value


NAMES, VALUES = st.binary(min_size=1).filter(lambda x: not {0, 61} & {*x}), st.binary().filter(lambda x: 0 not in x)


@given(st.dictionaries(NAMES, VALUES))
def test_what_was_given_is_what_is_read(environment: dict[bytes, bytes]) -> None:
    assert parse(b"".join(b"%s=%s\0" % item for item in environment.items())) == environment


def test_the_hosts_is_what_command_gives_its_commands(tmp_path: Path) -> None:
    given = json.dumps({"ANSIBLE_MODULE_ARGS": {"cmd": "env -0", "_ansible_remote_tmp": str(tmp_path)}})
    answer = subprocess.run(
        [sys.executable, "-m", "ansible.modules.command", given],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=60, check=True, env=os.environ,
    )
    theirs, ours = parse(json.loads(answer.stdout)["stdout"].encode("utf-8", "surrogateescape")), of_host()
    assert {name: (theirs.get(name), ours.get(name)) for name in {**theirs, **ours} if theirs.get(name) != ours.get(name)} == {}

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running: as ansible.builtin.command where it has the option, and an end for all that was started."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._enter import read_only_parts, started
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import landlock
from ansible_collections.nsfleet.linux.tests.kernel.exec_lab import (
    cgroups,
    ends_with_us,
    has_cgroups,
    ns_exec,
    own_cgroup,
    parameters,
    place,
    refused,
    start_time,
    succeeded,
    until,
)


@pytest.fixture(scope="module")
def network() -> Iterator[int]:
    """A process in another network, with the files that we have."""
    with place(["net"]) as pid:
        yield pid


@pytest.fixture(scope="module")
def container() -> Iterator[int]:
    """A process with everything of its own but the user."""
    with place(["mnt", "uts", "ipc", "pid", "net", "cgroup"], "--mount-proc") as pid:
        yield pid


def command(**given: Any) -> dict[str, Any]:
    """The result of ansible.builtin.command."""
    if "cmd" in given:
        given["_raw_params"] = given.pop("cmd")
    if given.pop("shell", False):
        given["_uses_shell"] = True
    done = subprocess.run(
        [sys.executable, "-m", "ansible.modules.command"], input=json.dumps({"ANSIBLE_MODULE_ARGS": given}),
        stdout=subprocess.PIPE, encoding="utf-8", timeout=20, check=False,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


# --- what ansible.builtin.command has, too ---------------------------------------------------------------------------

SAME: list[dict[str, Any]] = [
    {"cmd": "echo one two"},
    {"cmd": "echo 'one  two' three\\ four \"$HOME\""},
    {"argv": ["printf", "%s|", "a b", "", "$HOME", "c"]},
    {"cmd": "sh -c 'echo out; echo err >&2; exit 7'"},
    {"cmd": "false"},
    {"cmd": "sh -c 'kill -9 $$'"},
    {"cmd": "sh -c 'kill -TERM $$'"},
    {"cmd": "printf 'a\\n\\n\\n'"},
    {"cmd": "printf '\\n\\na\\n\\r\\n'"},
    {"cmd": "printf 'a\\n\\n\\n'", "strip_empty_ends": False},
    {"cmd": "cat", "stdin": "one"},
    {"cmd": "od -c", "stdin": "one", "stdin_add_newline": False},
    {"cmd": "od -c", "stdin": "one"},
    {"cmd": "od -c", "stdin": "ä€"},
    {"cmd": "sh -c 'cat; echo $?'"},
    {"cmd": "pwd", "chdir": "/usr/lib"},
    {"cmd": "pwd", "chdir": "$HOME"},
    {"cmd": "echo $HOME ~ $nosuchvariable ${PATH}", "expand_argument_vars": True},
    {"cmd": "echo $HOME ~ ${PATH}", "expand_argument_vars": False},
    {"cmd": "echo a; echo $((1 + 1)) | tr 2 3 >&2", "shell": True},
    {"cmd": "echo $0", "shell": True, "executable": "/bin/bash"},
    {"cmd": "echo a", "creates": "/etc/passwd"},
    {"cmd": "echo a", "creates": "/etc/pass*"},
    {"cmd": "echo a", "creates": "/etc/nosuchfile*"},
    {"cmd": "echo a", "creates": "passwd", "chdir": "/etc"},
    {"cmd": "echo a", "removes": "/etc/passwd"},
    {"cmd": "echo a", "removes": "/etc/nosuch[a-z]"},
    {"cmd": "echo a", "removes": "hos?s", "chdir": "/etc"},
]


@pytest.mark.parametrize("options", SAME, ids=[str(number) for number in range(len(SAME))])
def test_it_is_as_with_ansible_builtin_command(options: dict[str, Any], network: int) -> None:
    theirs, ours = command(**options), ns_exec(pid=network, namespaces=["net"], **options)
    keys = ["rc", "stdout", "stderr", "cmd", "msg"]
    skipped = "skipped, since" in theirs["stdout"]
    if skipped:
        assert not ours["changed"] and not theirs["changed"]
    assert {key: ours[key] for key in keys} == {key: theirs[key] for key in keys}
    assert bool(ours.get("failed")) == bool(theirs.get("failed"))
    assert (ours.get("start") is None) == skipped


def test_times_are_told_in_the_same_form(network: int) -> None:
    theirs, ours = command(cmd="sleep 0.2"), succeeded(pid=network, namespaces=["net"], cmd="sleep 0.2")
    for key in ("start", "end", "delta"):
        assert [len(part) for part in ours[key].split(":")] == [len(part) for part in theirs[key].split(":")]
    assert ours["start"] < ours["end"]
    assert ours["delta"].startswith("0:00:00.")


# --- what cannot be executed ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("content", "code"), [
    ("#!/nonexistent/interpreter\n", "ENOENT"),
    ("just text\n", "ENOEXEC"),
    ("#!/etc/passwd\n", "EACCES"),
    ("\x7fELF", "ENOEXEC"),
])
@pytest.mark.parametrize("types", [["net"], ["net", "pid"]])
def test_what_cannot_be_executed_is_refused_by_errno(content: str, code: str, types: list[str], container: int,
                                                     tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(content)
    program.chmod(0o755)
    sentence = refused(pid=container, namespaces=types, argv=[str(program)], trusted=True)
    assert sentence.startswith("%s could not be executed in pid %d (%s): " % (program, container, code))


def test_arguments_that_are_too_many_are_refused(network: int) -> None:
    sentence = refused(pid=network, namespaces=["net"], argv=["true", *["x" * 100000] * 40])
    assert "E2BIG" in sentence and "arguments and environment are too large" in sentence


def test_as_many_arguments_as_fit_arrive(network: int) -> None:
    result = succeeded(pid=network, namespaces=["net"], argv=["sh", "-c", "echo $#", *["x" * 10000] * 100])
    assert result["stdout"] == "99"


@pytest.mark.parametrize(("given", "part"), [
    ({"cmd": "nosuchprogram", "env": {"PATH": "/usr/bin:/bin"}}, "nosuchprogram is not on the host (ENOENT"),
    ({"cmd": "/etc/passwd"}, "/etc/passwd may not be executed"),
    ({"cmd": "/etc"}, "/etc may not be executed"),
    ({"cmd": "true", "chdir": "/nonexistent"}, "chdir to /nonexistent on the host is not possible (ENOENT)"),
    ({"cmd": "true", "chdir": "/etc/passwd"}, "(ENOTDIR)"),
    ({"cmd": "true", "user": "nosuchuser"}, "nosuchuser"),
])
def test_what_is_not_there_is_refused(given: dict[str, Any], part: str, network: int) -> None:
    assert part in refused(pid=network, namespaces=["net"], **given)


# --- output ---------------------------------------------------------------------------------------------------------


def test_output_is_bounded_and_what_is_beyond_is_counted(network: int) -> None:
    result = succeeded(pid=network, namespaces=["net"], cmd="sh -c 'head -c 30000000 /dev/zero | tr \\\\0 x'",
                       max_output=1000)
    assert result["stdout"] == "x" * 1000
    assert result["truncated"] == {"stdout": 30000000 - 1000, "stderr": 0}


def test_output_is_valid_text_whatever_it_is(network: int) -> None:
    result = succeeded(pid=network, namespaces=["net"], cmd="printf '\\377\\303\\244\\033[31m\\000\\355\\240\\200'")
    assert result["stdout"].startswith("\ufffdä\x1b[31m\0")
    result["stdout"].encode("utf-8")


def test_both_streams_are_taken_while_the_other_is_full(network: int) -> None:
    line = "sh -c 'head -c 3000000 /dev/zero >&2; head -c 3000000 /dev/zero; echo done'"
    result = succeeded(pid=network, namespaces=["net"], cmd=line)
    assert [result["truncated"][name] for name in ("stdout", "stderr")] == [3000005 - (1 << 20), 3000000 - (1 << 20)]


def test_input_that_nobody_reads_harms_nobody(network: int) -> None:
    assert succeeded(pid=network, namespaces=["net"], cmd="echo done", stdin="x" * 5000000)["stdout"] == "done"


def test_input_goes_in_while_output_comes_out(network: int) -> None:
    result = succeeded(pid=network, namespaces=["net"], cmd="cat", stdin="y" * 5000000, max_output=6000000)
    assert result["stdout"] == "y" * 5000000


# --- time -----------------------------------------------------------------------------------------------------------

NUMBERS = itertools.count()
KINDS = pytest.mark.parametrize("types", [["net"], ["net", "pid"], ["mnt", "net", "pid"]])
# The shell that is asked ends; what it has put into a session of its own, by two forks, does not.
FORKS = "setsid sh -c \"sleep %s & exec sleep %s\" & sleep 0.1; exec sleep %s"


def marked() -> str:
    """Seconds to sleep that nobody else sleeps."""
    return "200.%d%03d" % (os.getpid(), next(NUMBERS))


def sleeping(mark: str) -> list[int]:
    """Who sleeps these seconds."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[:2] == [b"sleep", mark.encode()]:
            found.append(int(path.parent.name))
    return found


def end(pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


@KINDS
def test_a_timeout_ends_all_that_was_started(types: list[str], container: int) -> None:
    mark = marked()
    started = time.monotonic()
    result = ns_exec(pid=container, namespaces=types, argv=["sh", "-c", FORKS % (mark, mark, mark)], timeout=0.5,
                     trusted=True)
    took = time.monotonic() - started
    left = sleeping(mark)
    end(left)
    assert result["failed"] and result["msg"] == "Ended after its timeout of 0.5 s" and result["rc"] == -15
    assert took < 5
    if "pid" in types and not has_cgroups():
        # Orphans go to that namespace's process 1: nobody here can tell whose they were, which is said.
        assert any("cgroup" in reason for reason in result["unproven"])
    else:
        assert (left, result["left"]) == ([], [])


@pytest.mark.parametrize("ends", ["exit 0", "exit 1", "exit 2", "kill -9 $$", "sleep 9"])
@pytest.mark.parametrize("option", ["unless", "onlyif"])
def test_what_a_guard_has_changed_is_told_however_it_ends(option: str, ends: str) -> None:
    given: dict[str, Any] = {option: ["sh", "-c", "ip link set lo mtu 1400; " + ends]}
    with place(["net"]) as pid:
        result = ns_exec(pid=pid, namespaces=["net"], cmd="echo it ran", timeout=0.5, **given)
    assert result["failed"] and result["changed"] and (result["rc"], result["stdout"]) == (None, "")
    assert "has changed something" in result["msg"]
    assert "link lo mtu 1400" in result["diff"]["after"]


# As systemd-run(1), a login, and everybody do who may write there. Where there is no such cgroup nobody has to.
LEAVING = "echo $$ >%s/cgroup.procs || true; " % (own_cgroup() or "/nowhere")


def test_a_timeout_also_ends_what_has_left_its_cgroup(network: int) -> None:
    mark = marked()
    started = time.monotonic()
    result = ns_exec(pid=network, namespaces=["net"], argv=["sh", "-c", LEAVING + FORKS % (mark, mark, mark)],
                     timeout=0.5)
    left = sleeping(mark)
    end(left)
    assert time.monotonic() - started < 5
    assert (left, result["left"], result["rc"]) == ([], [], -15)


def test_what_has_left_its_cgroup_is_told(network: int) -> None:
    mark = marked()
    line = "setsid sh -c 'exec sleep %s' >/dev/null 2>&1 & until grep -qx sleep /proc/$!/comm; do sleep 0.05; done"
    result = succeeded(pid=network, namespaces=["net"], argv=["sh", "-c", LEAVING + line % mark])
    pids = sleeping(mark)
    end(pids)
    assert [one["pid"] for one in result["left"]] == pids and len(pids) == 1


def test_who_has_ended_does_not_stay_until_the_command_ends(network: int) -> None:
    # Orphans are its worker's, and there may be many in the course of days.
    line = ("for i in $(seq 20); do (setsid true &); done; sleep 2.5; "
            "grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | while read -r file; do "
            "grep -qsx \"PPid:.$PPID\" $file && echo $file; done; true")
    assert succeeded(pid=network, namespaces=["net"], argv=["sh", "-c", line])["stdout"] == ""


def test_what_ignores_the_first_signal_gets_the_second(network: int) -> None:
    mark = marked()
    line = "trap '' TERM; sleep %s & while :; do sleep 0.05; done" % mark
    started = time.monotonic()
    result = ns_exec(pid=network, namespaces=["net"], argv=["sh", "-c", line], timeout=0.3, timeout_grace=0.5)
    assert result["rc"] == -9 and 0.8 <= time.monotonic() - started < 5
    assert sleeping(mark) == []


def test_what_ends_itself_in_time_keeps_its_status(network: int) -> None:
    line = "trap 'echo bye; exit 3' TERM; while :; do sleep 0.05; done"
    result = ns_exec(pid=network, namespaces=["net"], argv=["sh", "-c", line], timeout=0.3, timeout_ok=True)
    assert (result["rc"], result["stdout"], bool(result.get("failed"))) == (3, "bye", False)


def test_a_timeout_that_is_not_reached_is_none(network: int) -> None:
    assert succeeded(pid=network, namespaces=["net"], cmd="sleep 0.1", timeout=30)["msg"] == ""


def test_what_forks_without_end_is_ended(network: int) -> None:
    """Each of what it forks has a session of its own."""
    mark = marked()
    line = "n=0; while [ $n -lt 300 ]; do (setsid sleep %s &) ; n=$((n+1)); done; sleep 100" % mark
    result = ns_exec(pid=network, namespaces=["net"], argv=["sh", "-c", line], timeout=0.4, timeout_grace=0.1)
    assert result["failed"]
    left = sleeping(mark)
    end(left)
    assert left == []


@KINDS
def test_what_goes_on_is_told_and_lives_on(types: list[str], container: int) -> None:
    mark = marked()
    # It ends when the other is what it will be, however busy the machine is.
    line = ("setsid sleep %s >/dev/null 2>&1 </dev/null & "
            "until [ \"$(cat /proc/$!/comm)\" = sleep ]; do sleep 0.05; done; echo started" % mark)
    result = succeeded(pid=container, namespaces=types, argv=["sh", "-c", line], trusted=True)
    pids = sleeping(mark)
    try:
        assert result["stdout"] == "started" and len(pids) == 1
        if "pid" in types and not has_cgroups():
            assert any("cgroup" in reason for reason in result["unproven"])
        else:
            assert result["left"] == [{"pid": pids[0], "start_time": start_time(pids[0]), "comm": "sleep"}]
        if "pid" in types:
            assert result["changed"]
        time.sleep(0.2)
        assert sleeping(mark) == pids
    finally:
        end(pids)


@KINDS
def test_a_daemon_that_keeps_the_streams_holds_nothing_up(types: list[str], container: int) -> None:
    mark = marked()
    started = time.monotonic()
    result = succeeded(pid=container, namespaces=types, argv=["sh", "-c", "sleep %s & echo started" % mark],
                       trusted=True)
    took = time.monotonic() - started
    end(sleeping(mark))
    assert result["stdout"] == "started" and took < 3


def test_one_that_goes_on_talking_holds_nothing_up(network: int) -> None:
    started = time.monotonic()
    result = succeeded(pid=network, namespaces=["net"], argv=["sh", "-c", "yes & echo started; sleep 0.1"])
    took = time.monotonic() - started
    end([process["pid"] for process in result["left"] if process["comm"] == "yes"])
    assert took < 5 and len(result["stdout"]) <= 1 << 20
    assert "y\ny\n" in result["stdout"]


# --- a module that is killed ----------------------------------------------------------------------------------------

MODULE = """
import json, sys
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.task import run_task
json.dump(run_task(json.loads(sys.argv[1]), False), sys.stdout)
"""


@KINDS
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_module_that_is_killed_leaves_nothing(number: int, types: list[str], container: int) -> None:
    mark = marked()
    line = "setsid sleep %s & sleep %s" % (mark, mark)
    given = json.dumps(parameters(pid=container, namespaces=types, argv=["sh", "-c", line], trusted=True))
    mounted = set(Path(f"/proc/{container}/mountinfo").read_text().splitlines())
    with ends_with_us([sys.executable, "-c", MODULE, given], stdout=subprocess.PIPE) as module:
        until(lambda: len(sleeping(mark)) == 2)
        module.send_signal(number)
        try:
            until(lambda: module.poll() is not None)
            # Without a cgroup, what has gone to process 1 of another pid namespace is out of reach: see above.
            if "pid" not in types or has_cgroups():
                until(lambda: sleeping(mark) == [])
        finally:
            end(sleeping(mark))
    until(lambda: cgroups() == [])
    assert set(Path(f"/proc/{container}/mountinfo").read_text().splitlines()) <= mounted


def test_a_worker_that_is_killed_takes_the_command_with_it(network: int) -> None:
    mark = marked()
    given = json.dumps(parameters(pid=network, namespaces=["net"], cmd="sleep %s" % mark))
    with ends_with_us([sys.executable, "-c", MODULE, given], stdout=subprocess.PIPE) as module:
        until(lambda: len(sleeping(mark)) == 1)
        worker = int(Path(f"/proc/{module.pid}/task/{module.pid}/children").read_text().split()[0])
        os.kill(worker, signal.SIGKILL)
        told = json.loads(module.communicate(timeout=10)[0])
    assert told["failed"] and told["changed"] and "was killed" in told["msg"]
    until(lambda: sleeping(mark) == [])
    # Its cgroup is empty then, and the next run takes it away.
    succeeded(pid=network, namespaces=["net"], cmd="true")
    assert cgroups() == []


# --- guards on a kernel that cannot hold them -----------------------------------------------------------------------


@pytest.fixture
def victim() -> Iterator[subprocess.Popen[bytes]]:
    """A process that a guard may end where nothing keeps it from that."""
    with ends_with_us(["sleep", "300"]) as process:
        yield process


@pytest.fixture
def no_landlock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "abi", lambda: 0)


def killing(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    return {"namespaces": ["net"], "onlyif": "kill -9 %d" % process.pid, "cmd": "echo it ran"}


@pytest.mark.usefixtures("no_landlock")
def test_a_guard_that_cannot_be_held_does_not_run_in_check_mode(network: int, victim: subprocess.Popen[bytes]) -> None:
    result = ns_exec(check=True, pid=network, **killing(victim))
    assert (result["msg"], result["changed"], result["rc"]) == ("Not run in check mode, nor its guard", False, None)
    assert result["skipped"] and any("Landlock" in reason for reason in result["unproven"])
    time.sleep(0.1)
    assert victim.poll() is None


@pytest.mark.usefixtures("no_landlock")
def test_a_guard_that_cannot_be_held_runs_else_and_what_is_missing_is_named(
        network: int, victim: subprocess.Popen[bytes]) -> None:
    """The control: it can end a process."""
    result = succeeded(pid=network, **killing(victim))
    assert result["stdout"] == "it ran" and victim.wait(10) == -signal.SIGKILL
    assert [reason for reason in result["unproven"] if reason.startswith("read_only without Landlock (Linux 5.13)")]


@pytest.mark.parametrize("check", [False, True])
def test_a_guard_that_is_held_ends_nobody(check: bool, network: int, victim: subprocess.Popen[bytes]) -> None:
    if read_only_parts.missing():
        pytest.skip("this kernel lacks " + "; ".join(read_only_parts.missing()))
    result = ns_exec(check=check, pid=network, **killing(victim))
    assert result["rc"] == 0 and "onlyif says" in result["msg"] and not result["changed"]
    time.sleep(0.1)
    assert victim.poll() is None


@pytest.mark.usefixtures("no_landlock")
def test_a_guard_that_cannot_be_held_and_says_no_names_what_is_missing(network: int) -> None:
    result = ns_exec(pid=network, namespaces=["net"], onlyif="false", cmd="echo it ran")
    assert result["rc"] == 0 and result["stdout"] == ""
    assert any("Landlock" in reason for reason in result["unproven"])


# --- nothing that could be compared ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["cgroup", "time"])
def test_where_nothing_can_be_compared_it_is_not_called_unchanged(kind: str) -> None:
    with place([kind]) as pid:
        result = succeeded(pid=pid, namespaces=[kind], cmd="readlink /proc/self/ns/" + kind)
        assert result["stdout"] == os.readlink(f"/proc/{pid}/ns/{kind}")
    assert result["changed"] and result["unproven"] == ["nothing was tracked"]


def test_where_nothing_can_be_compared_who_may_only_look_has_changed_nothing() -> None:
    with place(["cgroup"]) as pid:
        result = succeeded(pid=pid, namespaces=["cgroup"], cmd="true", read_only=True)
    assert result["changed"] == bool(read_only_parts.missing())
    assert "nothing was tracked" not in result["unproven"] or result["changed"]


@pytest.mark.parametrize(("types", "track"), [(["cgroup"], ["net"]), (["net"], ["net", "mnt"])])
def test_what_is_not_joined_cannot_be_tracked(types: list[str], track: list[str], container: int) -> None:
    sentence = refused(pid=container, namespaces=types, cmd="true", track=track)
    assert "track has %s, which is not joined" % track[-1] in sentence
    assert "pid %d joins %s" % (container, types[0]) in sentence


# --- names that a process gives itself ------------------------------------------------------------------------------

NAMED = """
import os, sys, time
os.setsid()
with open("/proc/self/comm", "wb") as stream:
    stream.write(b"a\\x1b[31mb\\tc")
sys.stdout.write("named")
sys.stdout.flush()
for descriptor in range(3):
    os.close(descriptor)
time.sleep(60)
"""


@pytest.mark.parametrize("cgroup", [True, False])
def test_a_process_that_is_left_is_told_by_plain_text(cgroup: bool, network: int,
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    if not cgroup:
        monkeypatch.setattr(started.cgroups, "hierarchies", lambda proc: [])
    line = "%s -c '%s' & sleep 0.5" % (sys.executable, NAMED)
    result = succeeded(pid=network, namespaces=["net"], argv=["sh", "-c", line])
    end([process["pid"] for process in result["left"]])
    assert result["stdout"] == "named"
    assert [process["comm"] for process in result["left"]] == [r"a\x1b[31mb\x09c"]

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ns_unshare: the command, its root directory, its guards, its process 1, and its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import mounts, namespaces
from ansible_collections.nsfleet.linux.tests.kernel.exec_lab import calm, debris, links, unprivileged, until
from ansible_collections.nsfleet.linux.tests.kernel.unshare_lab import (
    SPEC,
    ns_unshare,
    refused,
    said,
    succeeded,
)

MODULE = """
import json, sys
from ansible_collections.nsfleet.linux.plugins.module_utils._create.unshare import run_task
json.dump(run_task(json.loads(sys.argv[1]), False), sys.stdout)
"""


def sleeping(mark: str) -> list[int]:
    """The processes whose command line has that."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and mark.encode() in (folder / "cmdline").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


# --- what it is like ------------------------------------------------------------------------------------------------


def test_the_result_has_the_keys_of_ns_exec() -> None:
    result = succeeded(namespaces=["net"], argv=["sh", "-c", "echo out; echo err >&2"])
    assert (result["stdout"], result["stderr"], result["cmd"]) == ("out", "err", ["sh", "-c", "echo out; echo err >&2"])
    assert set(result) == {
        "changed", "cmd", "rc", "stdout", "stderr", "msg", "target", "namespaces", "unproven", "diff", "left",
        "truncated", "start", "end", "delta", "pid", "start_time",
    }
    assert set(result["target"].values()) == {None} and result["pid"] is None and result["unproven"] == []


def test_a_command_that_fails_fails_the_task_and_was_a_change() -> None:
    result = ns_unshare(namespaces=["net"], cmd="false")
    assert result["failed"] and result["changed"] and (result["rc"], result["msg"]) == (1, "non-zero return code")


@pytest.mark.parametrize(("how", "changed"), [("state", True), ("always", True), ("never", False)])
def test_report_change(how: str, changed: bool) -> None:
    assert ns_unshare(namespaces=["net"], cmd="true", report_change=how)["changed"] is changed


def test_input_environment_umask_and_folder() -> None:
    look = "cat; echo $MARK; umask; pwd"
    shown = said(namespaces=["mnt"], argv=["sh", "-c", look], stdin="in", env={"MARK": "5"}, umask="077", chdir="/usr",
                 environment_from="none")
    assert shown == "in\n5\n0077\n/usr"


def test_what_cannot_be_executed_is_refused_by_errno(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert "(EACCES)" in refused(namespaces=["pid", "net"], cmd="/etc/passwd")
    bare = refused(namespaces=["net"], cmd="nosuchprogram")
    assert "nosuchprogram is not on the host (ENOENT, PATH is /usr/bin:/bin): install it, or give the path" in bare
    path = refused(namespaces=["net"], cmd="/nosuch/program")
    assert "/nosuch/program is not on the host (ENOENT): give the path of a program that is there" in path


@pytest.mark.parametrize(("params", "sentence"), [
    ({"namespaces": []}, "Namespaces is empty: name at least one type."),
    ({"namespaces": ["net"], "hostname": "a"}, "hostname is of uts namespaces, and uts is not among namespaces"),
    ({"namespaces": ["net"], "log": "/tmp/x"}, "log is for detach"),
    ({"namespaces": ["net"], "detach": True, "timeout": 5.0}, "detach and timeout do not go together"),
    ({"namespaces": ["net"], "detach": True, "stdin": "x"}, "detach and stdin do not go together"),
    ({"namespaces": ["net"], "root": "srv"}, "root is srv, which is no absolute path."),
    ({"namespaces": ["net"], "root": "/nonexistent"}, "root is /nonexistent, which is no folder that can be entered"),
    ({"namespaces": ["net"], "root": "/etc/passwd"}, "root is /etc/passwd, which is no folder"),
    ({"namespaces": ["net"], "root": "/srv\0"}, "root holds a NUL byte"),
    ({"namespaces": ["net"], "root": "/\ud800"}, "root holds a surrogate"),
    ({"namespaces": ["net"], "detach": True, "log": "/tmp/\0"}, "log holds a NUL byte"),
    ({"namespaces": ["net"], "detach": True, "log": "/tmp/\ud800"}, "log holds a surrogate"),
    ({"namespaces": ["net"], "umask": "bad"}, "umask is 'bad'"),
    ({"namespaces": ["mnt"], "init": True}, "init is of pid namespaces"),
])
def test_what_does_not_go_together(params: dict[str, Any], sentence: str) -> None:
    assert sentence.lower() in refused(**{"cmd": "true", **params}).lower()


# --- process 1 ------------------------------------------------------------------------------------------------------


def test_the_command_is_process_1_or_a_child_of_one_that_reaps() -> None:
    look = ["sh", "-c", "echo $$ $PPID"]
    assert said(namespaces=["pid"], argv=look) == "1 0"
    assert said(namespaces=["pid"], argv=look, init=True) == "2 1"


def test_init_reaps_orphans() -> None:
    # Each of the 50 is orphaned before it ends.
    line = "for i in $(seq 50); do (sh -c 'sleep 0.05 &' ); done; sleep 0.5; ps -eo stat= | grep -c Z"
    result = ns_unshare(namespaces=["pid", "mnt"], mount_proc=True, init=True, argv=["sh", "-c", line])
    assert result["stdout"] == "0"


@pytest.mark.parametrize(("line", "rc"), [("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137)])
def test_init_passes_the_end_on(line: str, rc: int) -> None:
    assert ns_unshare(namespaces=["pid"], init=True, argv=["sh", "-c", line])["rc"] == rc


def test_all_in_it_end_with_process_1() -> None:
    mark = "%d.25" % (1000 + os.getpid())
    result = succeeded(namespaces=["pid"], init=True, argv=["sh", "-c", "setsid sleep %s & sleep 0.2" % mark])
    assert result["left"] == []
    until(lambda: not sleeping(mark))


# --- another root directory -----------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A root directory with one static program."""
    for name in ("bin", "proc", "etc"):
        (tmp_path / name).mkdir()
    program = tmp_path / "bin" / "sh"
    program.write_bytes(Path("/bin/busybox").read_bytes())
    program.chmod(0o755)
    (tmp_path / "etc" / "passwd").write_text("svc:x:0:0::/srv:/bin/sh\n")
    (tmp_path / "etc" / "flag").write_text("")
    (tmp_path / "etc" / "out").symlink_to("/etc/passwd")
    return tmp_path


@pytest.mark.parametrize("types", [["mnt"], ["net"], ["mnt", "pid", "user"]])
def test_everything_is_looked_up_below_root(types: list[str], tree: Path) -> None:
    proc = {"mount_proc": True} if "pid" in types else {}
    look = ["/bin/sh", "-c", "pwd; echo /*; echo $HOME"]
    shown = said(namespaces=types, root=str(tree), argv=look, user="svc", **proc)
    assert shown.split("\n") == ["/", "/bin /etc /proc", "/srv"]


def test_a_path_that_is_relative_begins_at_root(tree: Path) -> None:
    given: dict[str, Any] = {"namespaces": ["net"], "root": str(tree), "argv": ["bin/sh", "-c", "pwd"]}
    assert said(**given) == "/" and not ns_unshare(creates="etc/flag", **given)["changed"]
    assert said(**{**given, "argv": ["../bin/sh", "-c", "pwd"]}, chdir="etc") == "/etc"


def test_groups_that_are_not_mapped_are_left_out(tree: Path, host_root: bool) -> None:
    (tree / "etc" / "group").write_text("one:x:5:svc\nfar:x:4000:svc\n")
    ranges = {"map_users": ["0:0:10"], "map_groups": ["0:0:10"]} if host_root else {}
    shown = said(namespaces=["user"], root=str(tree), user="svc", argv=["/bin/sh", "-c", "id -G"], **ranges)
    assert shown == ("0 5" if host_root else "0")


def test_creates_and_removes_are_looked_up_below_root(tree: Path) -> None:
    given: dict[str, Any] = {"namespaces": ["mnt"], "root": str(tree), "argv": ["/bin/sh", "-c", "true"]}
    assert not ns_unshare(creates="/etc/flag", **given)["changed"]
    assert not ns_unshare(removes="/etc/hostname", **given)["changed"]
    assert ns_unshare(creates="/etc/hostname", **given)["changed"]


def test_a_guard_looks_below_root_and_can_write_nothing(tree: Path) -> None:
    given: dict[str, Any] = {"namespaces": ["mnt"], "root": str(tree), "argv": ["/bin/sh", "-c", "true"]}
    assert not ns_unshare(unless=["/bin/sh", "-c", "[ -e /etc/flag ]"], **given)["changed"]
    assert ns_unshare(onlyif=["/bin/sh", "-c", "[ -e /etc/flag ]"], **given)["changed"]
    result = ns_unshare(unless=["/bin/sh", "-c", "echo x >/etc/made"], **given)
    assert result["changed"] and not (tree / "etc" / "made").exists()


def test_a_program_that_only_the_host_has_is_said(tree: Path) -> None:
    sentence = refused(namespaces=["mnt"], root=str(tree), cmd="python3 -V")
    assert "python3 is not in %s (ENOENT" % tree in sentence and "leave out root" in sentence


# --- guards and check mode ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("given", "changed"), [
    ({"unless": "true"}, False), ({"unless": "false"}, True), ({"onlyif": "true"}, True), ({"onlyif": "false"}, False),
    ({"creates": "/etc/passwd"}, False), ({"removes": "/etc/passwd"}, True),
])
@pytest.mark.parametrize("check", [True, False])
def test_guards(given: dict[str, Any], changed: bool, check: bool, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    result = ns_unshare(check, namespaces=["net"], argv=["touch", str(mark)], **given)
    assert result["changed"] is changed and not result.get("failed")
    assert mark.exists() == (changed and not check)


def test_a_guard_that_could_not_look_fails() -> None:
    result = ns_unshare(namespaces=["net"], cmd="true", unless="sh -c 'exit 3'")
    assert result["failed"] and not result["changed"] and "neither yes (0) nor no (1)" in result["msg"]


@pytest.mark.parametrize("guard", ["unless", "onlyif"])
def test_a_guard_whose_program_is_missing_is_named(guard: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    told = refused(namespaces=["net"], cmd="true", **{guard: "nosuchprogram"})
    assert told.startswith(guard + ": nosuchprogram is not on the host (ENOENT")


@pytest.mark.usefixtures("other_users")
@pytest.mark.parametrize("guard", ["unless", "onlyif"])
def test_a_guard_of_who_is_not_root_can_write_nothing(
    guard: str, host_root: bool, in_child: Callable[..., Any], tmp_path: Path
) -> None:
    tmp_path.chmod(0o777)
    mark = tmp_path / "mark"
    result = in_child(unprivileged(
        lambda: ns_unshare(namespaces=["user"], cmd="true", **{guard: ["touch", str(mark)]}), host_root))
    assert not mark.exists() and not result.get("failed")
    assert result["changed"] == (guard == "unless")


def test_check_mode_runs_nothing(tmp_path: Path) -> None:
    result = ns_unshare(True, namespaces=["net"], argv=["touch", str(tmp_path / "mark")])
    assert (result["changed"], result["skipped"], result["msg"]) == (False, True, "not run in check mode")
    assert not list(tmp_path.iterdir())


# --- its end --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("types", [["net"], ["pid", "net"], ["user", "pid"]])
def test_a_timeout_ends_all_of_it(types: list[str]) -> None:
    mark = "%d.5" % (2000 + os.getpid())
    began = time.monotonic()
    result = ns_unshare(namespaces=types, timeout=0.3, timeout_grace=0.2,
                        argv=["sh", "-c", "setsid sleep %s & trap '' TERM; sleep %s; sleep %s" % (mark, mark, mark)])
    assert result["failed"] and "timeout" in result["msg"] and time.monotonic() - began < 5
    until(lambda: not sleeping(mark))


@pytest.mark.parametrize("types", [["net"], ["pid", "mnt"]])
def test_it_dies_with_the_module(types: list[str]) -> None:
    mark = "%d.75" % (3000 + os.getpid())
    given = {**{name: option.get("default") for name, option in SPEC.items()}, "namespaces": types,
             "argv": ["sleep", mark]}
    module = subprocess.Popen([sys.executable, "-c", MODULE, json.dumps(given)], stdout=subprocess.DEVNULL)
    until(lambda: sleeping(mark))
    module.send_signal(signal.SIGKILL)
    module.wait()
    until(lambda: not sleeping(mark))


def mounted_now() -> set[str]:
    """The mounts that we see."""
    return set(Path("/proc/self/mountinfo").read_text().splitlines())


@pytest.mark.parametrize("given", [
    {"namespaces": ["net", "uts"], "cmd": "true"}, {"namespaces": ["pid", "mnt"], "cmd": "true", "mount_proc": True},
    {"namespaces": ["pid"], "cmd": "true", "init": True}, {"namespaces": ["user", "time"], "cmd": "false"},
    {"namespaces": ["pid"], "cmd": "nosuchprogram"}, {"namespaces": ["pid"], "cmd": "/etc/passwd", "init": True},
    {"namespaces": ["time"], "cmd": "true", "boottime_offset": -10**9},
])
def test_run_after_run_nothing_stays(given: dict[str, Any], in_child: Callable[..., Any]) -> None:
    def run() -> None:
        # What others on this machine mount meanwhile is not to be seen.
        mounts.mount(None, "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
        ns_unshare(**given)
        before, mounted, own = calm(), mounted_now(), links("self")
        for dummy in range(10):
            ns_unshare(**given)
        until(lambda: debris() == before)
        # Somebody's mount goes, here too, when they remove the folder that it is on.
        assert mounted_now() <= mounted and links("self") == own

    in_child(run, namespaces.CLONE_NEWNS)

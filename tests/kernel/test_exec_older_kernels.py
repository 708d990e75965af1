# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ns_exec on older kernels: the same in another way, or said, or refused; never weaker in silence.

The calls are taken away from this kernel: they get numbers that no kernel knows, also for the process that enters.
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._enter import join, read_only_parts, started
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import (
    cgroups,
    elf,
    landlock,
    libc,
    seccomp,
)
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.executor import Executor
from ansible_collections.nsfleet.linux.tests.kernel.exec_lab import (
    calm,
    debris,
    has_cgroups,
    links,
    ns_exec,
    parameters,
    place,
    succeeded,
    until,
)

TYPES = ["mnt", "uts", "ipc", "pid", "net"]
# Each as the first Linux without it: what was added since is not there either.
SINCE: dict[str, list[str]] = {}
for _name, _numbers in libc.CALLS.items():
    if _numbers[0] >= 424:
        SINCE.setdefault(_numbers[2], []).append(_name)


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Take calls away."""
    real, gone = libc.libc_has, set()
    monkeypatch.setattr(libc, "libc_has", lambda name: name not in gone and real(name))
    libc.bind.cache_clear()

    def remove(*names: str) -> None:
        gone.update(names)
        for name in names:
            monkeypatch.setitem(libc.CALLS, name, (999, 999, libc.CALLS[name][2]))
            if name == "pidfd_open" and hasattr(os, "pidfd_open"):
                monkeypatch.delattr(os, "pidfd_open")
            if name == "pidfd_open":
                monkeypatch.setattr(join, "takes_pidfd", lambda: False)
            if name.startswith("landlock"):
                monkeypatch.setattr(landlock, "abi", lambda: 0)

    yield remove
    libc.bind.cache_clear()


@pytest.fixture(scope="module")
def container() -> Iterator[int]:
    with place(TYPES, "--mount-proc") as pid:
        yield pid


def where(result: dict[str, Any]) -> list[str]:
    return str(result["stdout"]).split()


LOOK = ["readlink", *("/proc/self/ns/" + kind for kind in TYPES)]


def joined(pid: int) -> None:
    """A command in all types, and one in a network only."""
    before = calm()
    result = succeeded(pid=pid, namespaces=TYPES, argv=LOOK)
    assert where(result) == [links(pid)[kind] for kind in TYPES]
    alone = succeeded(pid=pid, namespaces=["net"], argv=["sh", "-c", "readlink /proc/self/ns/net; ls /sys/class/net"])
    assert where(alone)[:2] == [links(pid)["net"], "lo"]
    until(lambda: debris() == before)


@pytest.mark.parametrize("name", [
    "pidfd_open", "pidfd_send_signal", "close_range", "openat2", "open_tree", "mount_setattr", "memfd_create",
    "perf_event_open", "fanotify_init", "seccomp", "statmount", "listmount", "kcmp", "landlock_create_ruleset",
])
def test_without_one_call_a_command_runs_where_it_was_meant_to(name: str, older: Callable[..., None],
                                                               container: int) -> None:
    if name == "memfd_create":
        older(name)
        refusal = ns_exec(pid=container, namespaces=TYPES, argv=LOOK)
        # It is older (3.17) than the oldest kernel supported: without it nothing enters.
        assert refusal["rc"] is None and "memfd_create" in refusal["msg"]
        return
    older(name)
    joined(container)


@pytest.mark.parametrize("since", ["5.1", "5.2", "5.3", "5.6", "5.9", "5.12", "5.13", "6.8"])
def test_on_the_linux_before_it_is_the_same(since: str, older: Callable[..., None], container: int) -> None:
    """All calls that came with that one or later are gone."""
    release = tuple(map(int, since.split(".")))
    older(*(name for version, names in SINCE.items() if tuple(map(int, version.split("."))) >= release
            for name in names))
    joined(container)


def test_where_memory_files_may_not_be_executed_another_file_is(container: int,
                                                                monkeypatch: pytest.MonkeyPatch) -> None:
    """vm.memfd_noexec=2."""

    def forbidden(*dummy: Any) -> int:
        raise PermissionError(errno.EACCES, "memfd_create: Permission denied")

    monkeypatch.setattr(elf, "memfd_create", forbidden)
    joined(container)


def test_where_no_file_may_be_executed_it_is_refused(container: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*dummy: Any) -> int:
        raise PermissionError(errno.EACCES, "memfd_create: Permission denied")

    monkeypatch.setattr(elf, "memfd_create", forbidden)
    monkeypatch.setattr(elf, "_PLACES", ("/proc",))
    refusal = ns_exec(pid=container, namespaces=["net"], cmd="true")
    assert refusal["failed"] and refusal["rc"] is None and "EACCES" in refusal["msg"]


# --- what it started ------------------------------------------------------------------------------------------------


def forks(mark: str) -> list[str]:
    """All of them ignore the first signal."""
    return ["sh", "-c", "trap '' TERM; setsid sh -c 'sleep %s & sleep %s' & sleep %s" % (mark, mark, mark)]


def sleeping(mark: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().split(b"\0")[:2] == [b"sleep", mark.encode()]:
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def ends_all(pid: int, types: list[str], mark: str) -> dict[str, Any]:
    result = ns_exec(pid=pid, namespaces=types, argv=forks(mark), timeout=0.4, timeout_grace=0.3)
    left = sleeping(mark)
    for each in left:
        os.kill(each, 9)
    assert result["failed"] and "timeout" in result["msg"]
    assert left == []
    return result


def missing_file(name: str) -> Callable[..., None]:
    real = cgroups.write_whole

    def write(path: str, content: bytes) -> None:
        if os.path.basename(path) in name.split():
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        real(path, content)

    return write


@pytest.mark.parametrize("files", ["cgroup.kill", "cgroup.kill cgroup.freeze"])
def test_before_cgroup_kill_a_timeout_still_ends_all(files: str, container: int,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    """5.14, 5.2."""
    monkeypatch.setattr(cgroups, "write_whole", missing_file(files))
    types = TYPES if has_cgroups() else ["net"]
    ends_all(container, types, "201.%d" % os.getpid())


def no_cgroups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(started.cgroups, "hierarchies", lambda proc: [])


def test_without_cgroups_2_orphans_come_to_us(container: int, monkeypatch: pytest.MonkeyPatch) -> None:
    no_cgroups(monkeypatch)
    ends_all(container, ["net"], "202.%d" % os.getpid())


def test_without_cgroups_2_and_pidfds_it_is_the_same(container: int, monkeypatch: pytest.MonkeyPatch,
                                                     older: Callable[..., None]) -> None:
    no_cgroups(monkeypatch)
    older("pidfd_open", "pidfd_send_signal")
    ends_all(container, ["net"], "203.%d" % os.getpid())


def test_without_cgroups_2_what_goes_on_is_told(container: int, monkeypatch: pytest.MonkeyPatch) -> None:
    no_cgroups(monkeypatch)
    mark = "204.%d" % os.getpid()
    line = "setsid sleep %s >/dev/null 2>&1 & sleep 0.2" % mark
    result = succeeded(pid=container, namespaces=["net"], argv=["sh", "-c", line])
    pids = sleeping(mark)
    for pid in pids:
        os.kill(pid, 9)
    assert [process["pid"] for process in result["left"]] == pids


def test_without_cgroups_2_and_with_pid_joined_it_is_unproven(container: int, monkeypatch: pytest.MonkeyPatch) -> None:
    no_cgroups(monkeypatch)
    result = succeeded(pid=container, namespaces=["net", "pid"], cmd="true", trusted=True)
    assert result["changed"] and any("cgroup" in reason for reason in result["unproven"])


# --- read_only ------------------------------------------------------------------------------------------------------


def test_with_all_of_it_it_is_proved_and_check_mode_runs_it(container: int) -> None:
    """The control of what follows, on a kernel that has it all."""
    result = succeeded(pid=container, cmd="echo yes", read_only=True, check=True)
    # Who may not make cgroups cannot tell what is left in another pid namespace.
    assert [reason for reason in result["unproven"] if "cgroup" not in reason] == read_only_parts.missing()
    if not result["unproven"]:
        assert (result["changed"], result["stdout"]) == (False, "yes")


@pytest.mark.parametrize(("version", "part"), [
    (0, "Landlock (Linux 5.13)"), (1, "Landlock's rights to device control (Linux 6.10)"),
    (4, "Landlock's rights to device control (Linux 6.10)"), (5, "Landlock's scope of signals (Linux 6.12)"),
])
@pytest.mark.parametrize("types", [["net"], TYPES])
def test_without_landlock_that_is_named_and_check_mode_does_not_run_it(version: int, part: str, types: list[str],
                                                                       container: int, tmp_path: Path,
                                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "abi", lambda: version)
    given: dict[str, Any] = {"pid": container, "namespaces": types, "read_only": True}
    result = succeeded(cmd="echo yes", **given)
    assert result["stdout"] == "yes"
    assert [reason for reason in result["unproven"] if reason.startswith("read_only without " + part)]
    checked = ns_exec(check=True, cmd="echo yes", **given)
    assert checked["stdout"] == "" and checked["rc"] is None and not checked["changed"]
    assert any(part in reason for reason in checked["unproven"])


def test_without_seccomp_that_is_named(container: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp, "has_filters", lambda: False)
    checked = ns_exec(check=True, pid=container, cmd="echo yes", read_only=True)
    assert checked["rc"] is None and any("seccomp filters" in reason for reason in checked["unproven"])


@pytest.mark.parametrize("types", [["net"], TYPES])
def test_without_mount_setattr_each_mount_is_read_only_all_the_same(types: list[str], container: int,
                                                                    older: Callable[..., None]) -> None:
    """Before Linux 5.12."""
    older("mount_setattr")
    result = ns_exec(pid=container, namespaces=types, read_only=True,
                     argv=["sh", "-c", "touch /etc/nsfleet-mark /nsfleet-mark /usr/nsfleet-mark"])
    assert not Path("/etc/nsfleet-mark").exists() and not Path("/nsfleet-mark").exists()
    if result["rc"] is None:
        assert "Nothing has run" in result["msg"]
        return
    assert result["stderr"].count("Read-only file system") == 3
    argv = ["awk", "$6 !~ /(^|,)ro(,|$)/ {print $5}", "/proc/self/mountinfo"]
    written = where(succeeded(pid=container, namespaces=types, read_only=True, argv=argv))
    # Private places, and what they cover.
    places = ("/tmp", "/var/tmp", "/dev", "/run", "/sys", "/proc")
    assert [path for path in written if not path.startswith(places)] == []


def test_where_a_mount_cannot_be_made_read_only_nothing_runs(container: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Executor.call

    def call(self: Executor, name: str, *arguments: Any) -> int:
        if name == "mount_setattr":
            raise OSError(errno.EPERM, "mount_setattr: Operation not permitted")
        return real(self, name, *arguments)

    monkeypatch.setattr(Executor, "call", call)
    result = ns_exec(pid=container, cmd="echo yes", read_only=True)
    assert result["failed"] and result["rc"] is None and "EPERM" in result["msg"] and "Nothing has run" in result["msg"]


# --- what changed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [["fanotify_init"], ["perf_event_open"], ["fanotify_init", "perf_event_open"]])
def test_a_file_that_is_written_is_a_change_whatever_the_kernel_lacks(names: list[str], container: int, tmp_path: Path,
                                                                      older: Callable[..., None]) -> None:
    older(*names)
    result = succeeded(pid=container, namespaces=TYPES, argv=["touch", str(tmp_path / "mark")])
    assert result["changed"]
    assert "mark" in result["diff"]["after"] or result["unproven"]


def test_without_anything_that_tells_of_files_a_look_is_not_called_unchanged_unless_it_is_known(
        container: int, older: Callable[..., None]) -> None:
    older("fanotify_init", "perf_event_open")
    result = succeeded(pid=container, namespaces=TYPES, cmd="true")
    assert result["changed"] == bool(result["unproven"] or result["diff"]["after"] or result["diff"]["before"])


# --- Python ---------------------------------------------------------------------------------------------------------

PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[2])
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.task import run_task
json.dump(run_task(json.loads(sys.argv[1]), False), sys.stdout)
"""


def test_everything_that_is_needed_is_in_python_itself(container: int) -> None:
    """Nothing of what is installed beside it: python -I -S."""
    given = json.dumps(parameters(pid=container, namespaces=TYPES, argv=LOOK))
    path = os.environ["PYTHONPATH"].split(":")[0]
    done = subprocess.run([sys.executable, "-I", "-S", "-c", PROGRAM, given, path], stdout=subprocess.PIPE, timeout=30,
                          check=False)
    assert json.loads(done.stdout)["rc"] == 0, done.stdout

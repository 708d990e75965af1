# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's mounts for a command in another network, or among other processes: its /sys, /proc and /etc."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import mounts, namespaces
from ansible_collections.nsfleet.linux.tests.kernel.exec_lab import (
    has_cgroups,
    links,
    ns_exec,
    place,
    refused,
    succeeded,
    until,
)
from ansible_collections.nsfleet.linux.tests.kernel.holders import bind, new_namespace

LINKS = ["ip", "-o", "link"]


def names(text: str) -> set[str]:
    """Of links, as ip(8) prints them."""
    return {line.split(":")[1].strip().partition("@")[0] for line in text.splitlines()}


@pytest.fixture
def network() -> Iterator[int]:
    """A process in a network with a bridge of its own."""
    with place(["net"]) as pid:
        nsenter(pid, "--net", "ip", "link", "add", "nsfleet-br", "type", "bridge")
        yield pid


def nsenter(pid: int, *words: str) -> str:
    return subprocess.run(["nsenter", "--target", str(pid), *words], stdout=subprocess.PIPE, encoding="utf-8",
                          check=True, timeout=20).stdout


def below_sys() -> list[str]:
    """What is mounted below /sys for us."""
    said = subprocess.run(["findmnt", "--raw", "--noheadings", "-o", "TARGET"], stdout=subprocess.PIPE,
                          encoding="utf-8", check=True).stdout
    return sorted(set(path for path in said.splitlines() if path.startswith("/sys/")))


# --- /sys -----------------------------------------------------------------------------------------------------------


def test_sys_is_that_network_s(network: int) -> None:
    said = succeeded(pid=network, namespaces=["net"], cmd="ls /sys/class/net")["stdout"].split()
    assert set(said) - {"bonding_masters"} == names(nsenter(network, "--net", *LINKS)) == {"lo", "nsfleet-br"}
    assert "nsfleet-br" not in os.listdir("/sys/class/net")


def test_what_is_mounted_below_sys_is_still_there(network: int) -> None:
    said = succeeded(pid=network, namespaces=["net"],
                     cmd="findmnt --raw --noheadings -o TARGET")["stdout"].splitlines()
    assert sorted({path for path in said if path.startswith("/sys/")}) == below_sys()
    assert "/sys" in said


def test_sys_that_is_read_only_stays_read_only(in_child: Callable[..., Any]) -> None:
    def run() -> Any:
        mounts.mount("none", "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
        flags = mounts.MS_REMOUNT | mounts.MS_BIND | mounts.MS_RDONLY
        mounts.mount("none", "/sys", None, flags | mounts.MS_NOSUID | mounts.MS_NODEV | mounts.MS_NOEXEC)
        with place(["net"]) as pid:
            return [succeeded(pid=pid, namespaces=["net"], cmd="findmnt --raw --noheadings -o OPTIONS /sys"),
                    ns_exec(pid=pid, namespaces=["net"], argv=["sh", "-c", "echo 1 >/sys/class/net/lo/ifalias"])]

    found, written = in_child(run, namespaces.CLONE_NEWNS)
    assert "ro" in found["stdout"].splitlines()[-1].split(",")
    assert written["rc"] != 0 and "Read-only" in written["stderr"]


def test_sys_that_can_be_written_to_can_be(network: int) -> None:
    """The control of the one above."""
    line = "echo nsfleet >/sys/class/net/nsfleet-br/ifalias && cat /sys/class/net/nsfleet-br/ifalias"
    result = succeeded(pid=network, namespaces=["net"], argv=["sh", "-c", line])
    assert result["stdout"] == "nsfleet"
    assert "alias nsfleet" in nsenter(network, "--net", "ip", "link", "show", "nsfleet-br")
    assert result["changed"]


def test_our_own_mounts_are_as_they_were(network: int) -> None:
    before = Path("/proc/self/mountinfo").read_text()
    succeeded(pid=network, namespaces=["net"], cmd="true")
    succeeded(pid=network, namespaces=["net"], cmd="true", read_only=True)
    ours = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if " /sys" in line]
    assert ours == [line for line in before.splitlines() if " /sys" in line]


def test_with_the_container_s_mounts_its_sys_is_its_own_matter() -> None:
    with place(["net", "mnt"]) as pid:
        said = succeeded(pid=pid, namespaces=["net", "mnt"], cmd="cat /proc/self/mountinfo", track=["none"])
        assert len(said["stdout"].splitlines()) == len(Path(f"/proc/{pid}/mountinfo").read_text().splitlines())


# --- mounts that are made -------------------------------------------------------------------------------------------


def test_mounts_that_are_made_are_lost_and_told(network: int, tmp_path: Path) -> None:
    line = "mount -t tmpfs nsfleet-lost %s && touch %s/inside && ls %s" % (tmp_path, tmp_path, tmp_path)
    result = succeeded(pid=network, namespaces=["net"], argv=["sh", "-c", line])
    assert result["stdout"] == "inside"
    assert [told for told in result["warnings"] if "lost with the command" in told and str(tmp_path) in told]
    assert os.listdir(tmp_path) == []
    assert "nsfleet-lost" not in Path("/proc/self/mountinfo").read_text()


def test_without_mounts_there_is_nothing_to_tell(network: int) -> None:
    assert "warnings" not in succeeded(pid=network, namespaces=["net"], cmd="true")


def test_what_is_mounted_outside_meanwhile_appears_inside(network: int, tmp_path: Path,
                                                          in_child: Callable[..., Any]) -> None:
    """A slave, not a private copy."""
    (tmp_path / "place").mkdir()

    def run() -> Any:
        mounts.mount("none", "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
        mounts.mount(str(tmp_path), str(tmp_path), None, mounts.MS_BIND)
        mounts.mount("none", str(tmp_path), None, mounts.MS_SHARED)
        if os.fork() == 0:
            while not (tmp_path / "begun").exists():
                pass
            mounts.mount("nsfleet-test", str(tmp_path / "place"), "tmpfs", 0, "")
            (tmp_path / "done").touch()
            os._exit(0)
        line = "touch %s/begun; while [ ! -e %s/done ]; do :; done; findmnt %s/place" % ((tmp_path,) * 3)
        return ns_exec(pid=network, namespaces=["net"], argv=["sh", "-c", line], timeout=10)

    result = in_child(run, namespaces.CLONE_NEWNS)
    assert result["rc"] == 0 and "nsfleet-test" in result["stdout"]
    assert "warnings" not in result, "it is the host's, and not lost"


# --- /etc/netns -----------------------------------------------------------------------------------------------------


def with_name(function: Callable[[], Any]) -> Callable[[], Any]:
    """A network called blue, with a file for it in /etc/netns; in a mount namespace of its own."""

    def run() -> Any:
        mounts.mount("none", "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
        mounts.mount("nsfleet-test", "/run", "tmpfs", 0, "size=16m,mode=755")
        os.makedirs("/run/etc/netns/blue")
        for name in ("resolv.conf", "hosts", "nsfleet-not-there"):
            Path("/run/etc/netns/blue/" + name).write_text("of blue: %s\n" % name)
        # All else of /etc, and folders where there is a place for one.
        mounts.mount("overlay", "/etc", "overlay", 0, "lowerdir=/run/etc:/etc")
        os.mkdir("/run/netns")
        namespace = new_namespace("net")
        bind(namespace, "/run/netns/blue")
        os.close(namespace)
        return function()

    return run


def test_files_for_a_name_are_over_those_of_etc(in_child: Callable[..., Any]) -> None:
    def run() -> Any:
        cmd = "cat /etc/resolv.conf /etc/hosts"
        theirs = subprocess.run(["ip", "netns", "exec", "blue", *cmd.split()], stdout=subprocess.PIPE,
                                encoding="utf-8", check=True).stdout
        return succeeded(netns="blue", cmd=cmd), theirs, Path("/etc/hosts").read_text()

    result, theirs, ours = in_child(with_name(run), namespaces.CLONE_NEWNS)
    assert result["stdout"] == "of blue: resolv.conf\nof blue: hosts" == theirs.rstrip("\n")
    assert "blue" not in ours
    assert any("nsfleet-not-there is not over /etc/nsfleet-not-there (ENOENT)" in warning
               for warning in result["warnings"])


def test_a_path_has_no_files_in_etc_netns(in_child: Callable[..., Any]) -> None:
    def run() -> Any:
        return succeeded(path="/run/netns/blue", cmd="cat /etc/hosts"), Path("/etc/hosts").read_text()

    result, ours = in_child(with_name(run), namespaces.CLONE_NEWNS)
    assert result["stdout"] == ours.rstrip("\n")


# --- names of a container -------------------------------------------------------------------------------------------


def container_with_names(held: Callable[..., Any], tmp_path: Path, prepare: Callable[[], None] | None = None) -> int:
    (tmp_path / "resolv.conf").write_text("nameserver 192.0.2.7\n")
    (tmp_path / "hosts").write_text("192.0.2.8 inside\n")

    def inside() -> None:
        mounts.mount("none", "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
        for name in ("resolv.conf", "hosts"):
            mounts.mount(str(tmp_path / name), os.path.realpath("/etc/" + name), None, mounts.MS_BIND)

    return int(held(prepare or inside, namespaces.CLONE_NEWNS | namespaces.CLONE_NEWNET).pid)


def test_a_command_sees_the_container_s_names_where_that_is_wanted(held: Callable[..., Any], tmp_path: Path) -> None:
    pid = container_with_names(held, tmp_path)
    found = succeeded(pid=pid, namespaces=["net"], cmd="cat /etc/resolv.conf /etc/hosts", container_dns=True)
    assert found["stdout"] == "nameserver 192.0.2.7\n192.0.2.8 inside"
    plain = succeeded(pid=pid, namespaces=["net"], cmd="cat /etc/resolv.conf /etc/hosts")
    assert "192.0.2" not in plain["stdout"]
    assert "192.0.2" not in Path("/etc/hosts").read_text()


def test_names_are_for_who_keeps_the_host_s_mounts(held: Callable[..., Any], tmp_path: Path) -> None:
    pid = container_with_names(held, tmp_path)
    sentence = refused(pid=pid, namespaces=["net", "mnt"], cmd="true", container_dns=True)
    assert "container_dns is for" in sentence and "this one joins mnt, net of pid %d: leave it out" % pid in sentence


def test_names_of_who_has_no_mounts_are_refused(network: int) -> None:
    assert "no mounts of its own" in refused(pid=network, namespaces=["net"], cmd="true", container_dns=True)


# --- /proc ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def processes() -> Iterator[int]:
    """Process 1 of a pid namespace, with our mounts."""
    with place(["pid"]) as pid:
        yield pid


def test_proc_is_that_pid_namespace_s(processes: int) -> None:
    result = succeeded(pid=processes, namespaces=["pid"], cmd="ps -e -o pid=,comm=", trusted=True, track=["none"])
    seen = dict(line.split() for line in result["stdout"].splitlines())
    assert seen.pop("1") == "sleep"
    assert list(seen.values()) == ["ps"]


def test_proc_agrees_with_a_proc_mounted_by_nsenter_and_unshare(processes: int) -> None:
    ps = ["ps", "-e", "-o", "comm="]
    line = "mount -t proc proc /proc && exec ps -e -o comm="
    theirs = nsenter(processes, "--pid", "unshare", "--mount", "sh", "-c", line)
    ours = succeeded(pid=processes, namespaces=["pid"], argv=ps, trusted=True, track=["none"])["stdout"]
    assert sorted(ours.split()) == sorted(theirs.split())


def test_our_proc_stays_ours(processes: int) -> None:
    before = os.stat("/proc").st_dev
    succeeded(pid=processes, namespaces=["pid"], cmd="true", trusted=True)
    assert os.stat("/proc").st_dev == before
    assert os.path.exists(f"/proc/{os.getpid()}")


def test_the_proc_that_is_made_is_not_told_as_lost(processes: int) -> None:
    assert "warnings" not in succeeded(pid=processes, namespaces=["pid"], cmd="true", trusted=True)


def test_with_network_and_processes_there_are_both() -> None:
    with place(["net", "pid"]) as pid:
        result = succeeded(pid=pid, namespaces=["net", "pid"], trusted=True,
                           argv=["sh", "-c", "ls /sys/class/net; cat /proc/1/comm"])
        assert result["stdout"].split()[-1] == "sleep"
        assert set(result["stdout"].split()) <= {"lo", "sleep", "bonding_masters"}


def test_who_may_trace_there_is_refused_without_trust(processes: int) -> None:
    sentence = refused(pid=processes, namespaces=["pid"], cmd="true")
    assert "CAP_SYS_PTRACE" in sentence and "trusted: true" in sentence


def test_who_may_not_trace_there_is_no_danger() -> None:
    drop = ("setpriv", "--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace")
    with ns_without_tracers(drop) as pid:
        assert succeeded(pid=pid, namespaces=["pid"], cmd="cat /proc/1/comm")["stdout"] == "sleep"


def ns_without_tracers(drop: tuple[str, ...]) -> Any:
    from contextlib import contextmanager

    from ansible_collections.nsfleet.linux.tests.kernel.exec_lab import ends_with_us, only_child, settled

    @contextmanager
    def made() -> Iterator[int]:
        with ends_with_us(["unshare", "--pid", "--fork", "--kill-child", *drop, "sleep", "300"]) as process:
            yield settled(only_child(process.pid), "sleep")

    return made()


# --- what the command is, besides -----------------------------------------------------------------------------------


def test_it_has_no_controlling_terminal_and_nothing_open_but_its_streams(network: int) -> None:
    result = succeeded(pid=network, namespaces=["net"], argv=["sh", "-c", "ls /proc/self/fd; ps -o tty= -p $$"])
    # ls has the folder open.
    assert result["stdout"].split() == ["0", "1", "2", "3", "?"]


def test_its_own_namespaces_are_ours_but_for_those_joined(network: int) -> None:
    said = succeeded(pid=network, namespaces=["net"], cmd="readlink /proc/self/ns/uts /proc/self/ns/pid")["stdout"]
    own = links("self")
    assert said.split() == [own["uts"], own["pid"]]


def test_where_no_cgroup_can_be_made_that_is_said_of_processes(processes: int) -> None:
    result = succeeded(pid=processes, namespaces=["pid"], cmd="true", trusted=True)
    told = [reason for reason in result["unproven"] if "cgroup" in reason]
    assert (not told) == has_cgroups()
    assert result["changed"] == (not has_cgroups())


# --- mounts that are made outside while a command only looks --------------------------------------------------------


def while_it_sleeps(pid: int, place_of: str, **more: Any) -> Callable[[], Any]:
    """Something is mounted where it would be seen, once the command runs; what the command then has in its list."""

    def run() -> Any:
        mounts.mount("none", "/", None, mounts.MS_REC | mounts.MS_PRIVATE)
        mounts.mount("nsfleet-test", "/mnt", "tmpfs", 0, "size=1m,mode=755")
        mounts.mount("none", "/", None, mounts.MS_REC | mounts.MS_SHARED)
        mark = "1.%d" % os.getpid()
        reading, writing = os.pipe()
        if os.fork() == 0:
            try:
                until(lambda: runs("sleep", mark))
                os.mkdir("/mnt/place")
                mounts.mount("nsfleet-late", "/mnt/place", "tmpfs", 0, "")
                # In time: not after the list was taken.
                os.write(writing, b"in time" if runs("sleep", mark) else b"late")
            finally:
                os._exit(0)
        line = "sleep %s; cat /proc/self/mountinfo" % mark
        result = ns_exec(pid=pid, namespaces=[place_of], argv=["sh", "-c", line], timeout=10, **more)
        assert os.read(reading, 10) == b"in time"
        return result

    return run


def runs(*argv: str) -> bool:
    """Whether there is a process of these words."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_text().split("\0")[:-1] == list(argv):
                return True
        except OSError:
            continue
    return False


def test_what_is_mounted_outside_meanwhile_does_not_appear_where_nothing_may_be_written(
        network: int, in_child: Callable[..., Any]) -> None:
    """It would be writable."""
    result = in_child(while_it_sleeps(network, "net", read_only=True), namespaces.CLONE_NEWNS)
    assert result["rc"] == 0 and " /mnt " in result["stdout"]
    assert "nsfleet-late" not in result["stdout"]


def test_what_is_mounted_outside_meanwhile_appears_in_the_same_list_else(network: int,
                                                                         in_child: Callable[..., Any]) -> None:
    """The control of the one above."""
    result = in_child(while_it_sleeps(network, "net"), namespaces.CLONE_NEWNS)
    assert result["rc"] == 0 and "nsfleet-late" in result["stdout"]


@pytest.mark.parametrize("types", [["net"], ["net", "mnt"]])
def test_mounts_that_may_not_be_written_to_are_nobody_s_peers_or_slaves(types: list[str],
                                                                        in_child: Callable[..., Any]) -> None:
    def run() -> Any:
        mounts.mount("none", "/", None, mounts.MS_REC | mounts.MS_SHARED)
        with place(["net", "mnt"], "--propagation", "shared") as pid:
            shared = Path(f"/proc/{pid}/mountinfo").read_text()
            return shared, succeeded(pid=pid, namespaces=types, cmd="cat /proc/self/mountinfo", read_only=True)

    shared, result = in_child(run, namespaces.CLONE_NEWNS)
    assert " shared:" in shared
    assert " / / " in result["stdout"]
    assert [line for line in result["stdout"].splitlines() if " shared:" in line or " master:" in line] == []

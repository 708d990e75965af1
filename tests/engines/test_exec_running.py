# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a command runs in a real container: its time, its input, its user, its surroundings."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Iterator, NamedTuple

import pytest
from rig import exec as ns_exec
from rig.docker import Docker
from rig.programs import program
from rig.supervisor import Supervisor
from rig.waiting import until

NET = ["net"]
# A process that leaves its parent, its session and its process group.
ORPHAN = "busybox setsid sh -c 'sh -c \"exec sleep {n}\" >/dev/null 2>&1 & exit 0'"


class Container(NamedTuple):
    """C(root): its root directory, held: by the number alone it may become the host's when the container has ended."""

    name: str
    id: str
    pid: int
    root: Path

    def exec(self, cmd: str, **options: Any) -> dict[str, Any]:
        return ns_exec.run(container=self.name, cmd=cmd, **options)

    def said(self, cmd: str, **options: Any) -> str:
        """What it prints where it must not fail."""
        result = self.exec(cmd, **options)
        assert not result["failed"], result["msg"] + result["stderr"]
        return str(result["stdout"])


@pytest.fixture(scope="module")
def docker(supervisor: Supervisor, archive: Path) -> Iterator[Docker]:
    engine = Docker(supervisor, supervisor.root / "docker-running", archive, None)
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture(scope="module")
def web(docker: Docker, supervisor: Supervisor) -> Iterator[Container]:
    name = supervisor.token + "-running"
    identity = docker.run(name, "--network", "none", "--env", "OF_IMAGE=yes", "--env", "HOME=/data", "--volume",
                          "/data", "--dns", "192.0.2.53", "--add-host", "database:192.0.2.9")
    pid = docker.inspect(identity)[0]["State"]["Pid"]
    link = program("ip", "iproute2"), "link", "add", "nsftb1", "type", "bridge"
    supervisor.run(program("nsenter", "util-linux"), f"--net=/proc/{pid}/ns/net", *link)
    held = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY)
    yield Container(name, identity, pid, Path(f"/proc/{os.getpid()}/fd/{held}"))
    os.close(held)


def sleeping(number: int) -> list[int]:
    """The processes that sleep so long."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\0%d\0" % number:
                found.append(int(pid))
        except OSError:
            continue
    return found


# --- time ---------------------------------------------------------------------------------------------------------


def test_a_timeout_asks_to_end_first(web: Container) -> None:
    result = web.exec("trap 'echo asked; exit 7' TERM; while :; do sleep 0.1; done", shell=True, timeout=1)
    assert (result["stdout"], result["rc"], result["failed"]) == ("asked", 7, True)
    assert "timeout of 1 s" in result["msg"]


def test_who_does_not_end_when_asked_is_killed_after_the_grace(web: Container) -> None:
    start = time.monotonic()
    result = web.exec("trap '' TERM; echo begun; while :; do sleep 0.1; done", shell=True, timeout=1, timeout_grace=1)
    assert (result["stdout"], result["rc"], result["failed"]) == ("begun", -9, True)
    assert 2 <= time.monotonic() - start < 5


@pytest.mark.parametrize("types, number", [(["all"], 40001), (NET, 40002), (["pid"], 40003), (["mnt", "pid"], 40004)])
def test_a_timeout_ends_orphans_that_left_their_session(web: Container, types: list[str], number: int) -> None:
    line = ORPHAN.format(n=number) + "; sleep 50"
    result = web.exec(line, shell=True, timeout=1.5, namespaces=types, trusted=True)
    assert result["failed"] and result["rc"] == -15 and result["left"] == [], result
    assert not sleeping(number)


@pytest.mark.parametrize("types, number", [(["all"], 40011), (NET, 40012), (["pid"], 40013)])
def test_what_is_left_running_is_told(web: Container, types: list[str], number: int) -> None:
    result = web.exec(ORPHAN.format(n=number), shell=True, namespaces=types, trusted=True)
    pids = until(lambda: sleeping(number), "it does not run")
    try:
        assert [one["pid"] for one in result["left"]] == pids and not result["failed"], result
        assert result["changed"] is ("net" not in types)
        assert "nsfleet-" not in unified_cgroup(pids[0])
    finally:
        for pid in pids:
            os.kill(pid, 9)


def unified_cgroup(pid: int) -> str:
    """Its cgroup of version 2: not that of the run, which is gone."""
    return next(line for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines() if line.startswith("0::"))


def test_a_timeout_can_be_no_failure(web: Container) -> None:
    result = web.exec("echo captured; sleep 50", shell=True, timeout=1, timeout_ok=True)
    assert (result["failed"], result["stdout"]) == (False, "captured") and result["rc"] != 0
    shown = ns_exec.run_with_ansible(container=web.name, cmd="sleep 50", timeout=1, timeout_ok=True)
    assert not shown.get("failed") and shown["rc"] == -15


def test_without_a_timeout_a_command_is_waited_for(web: Container) -> None:
    assert web.said("sleep 2; echo done", shell=True) == "done"


# --- input, output ------------------------------------------------------------------------------------------------


def test_stdin_is_read_with_a_newline_or_without(web: Container) -> None:
    assert web.said("busybox wc -c", stdin="four") == "5"
    assert web.said("busybox wc -c", stdin="four", stdin_add_newline=False) == "4"
    assert web.said("busybox wc -c") == "0"


def test_more_input_than_a_pipe_holds(web: Container) -> None:
    assert web.said("busybox wc -c", stdin="x" * 300_000, stdin_add_newline=False) == "300000"
    assert web.exec("true", stdin="x" * 300_000)["rc"] == 0


def test_empty_lines_at_the_end_are_taken_away_or_not(web: Container) -> None:
    assert web.said(r"busybox printf 'a\n\n\n'") == "a"
    assert web.said(r"busybox printf 'a\n\n\n'", strip_empty_ends=False) == "a\n\n\n"


def test_output_is_bounded_and_drained(web: Container) -> None:
    line = "busybox head -c 5000000 /dev/zero | busybox tr '\\0' x; echo end >&2"
    result = web.exec(line, shell=True, max_output=1000)
    assert (len(result["stdout"]), result["truncated"]) == (1000, {"stdout": 4999000, "stderr": 0})
    assert (result["rc"], result["stderr"]) == (0, "end")


def test_output_without_end_is_ended_by_the_timeout(web: Container) -> None:
    result = web.exec("busybox yes", timeout=1, timeout_ok=True, max_output=100)
    assert len(result["stdout"]) <= 100 and result["truncated"]["stdout"] > 1_000_000


def test_bytes_that_are_no_utf_8_are_replaced(web: Container) -> None:
    assert web.said(r"busybox printf 'a\377b'") == "a\ufffdb"


def test_what_takes_its_streams_along_is_not_waited_for(web: Container) -> None:
    start = time.monotonic()
    result = web.exec("sleep 40021 & echo gone", shell=True)
    assert time.monotonic() - start < 10 and result["stdout"] == "gone" and result["left"]
    for pid in sleeping(40021):
        os.kill(pid, 9)


# --- who and where ------------------------------------------------------------------------------------------------


def test_the_environment_is_the_container_s_with_mnt_and_the_host_s_without(web: Container) -> None:
    assert "OF_IMAGE=yes" in web.said("busybox env")
    host = web.said("env", namespaces=NET)
    assert "OF_IMAGE" not in host and f"PATH={ns_exec.environment()['PATH']}" in host
    refused = web.exec("env", namespaces=NET, environment_from="target")
    assert refused["failed"] and "trusted: true" in refused["msg"], "its LD_PRELOAD would be the host's program's"
    assert "OF_IMAGE=yes" in web.said("env", namespaces=NET, environment_from="target", trusted=True)
    none = web.said("busybox env", environment_from="none", env={"ONLY": "this"})
    assert "ONLY=this" in none and "OF_IMAGE" not in none


def test_variables_are_added_and_expanded(web: Container) -> None:
    assert web.said("busybox echo $OF_IMAGE $MORE", env={"MORE": "two"}) == "yes two"
    assert web.said("busybox echo $OF_IMAGE ~", expand_argument_vars=False) == "$OF_IMAGE ~"
    assert web.said("busybox echo ~") == "/data"
    assert web.said("busybox echo $NOT_THERE") == "$NOT_THERE"


def test_users_and_groups_are_the_container_s(web: Container) -> None:
    assert web.said("id -u -n", user="alice") == "alice"
    assert web.said("id", user="alice").startswith("uid=1000(alice) gid=1000(alice)")
    assert web.said("id -g", user="0", group="alice") == "1000"
    result = web.exec("id", user="nobody-there")
    assert result["failed"] and "nobody-there" in result["msg"] and result["rc"] is None


def test_without_mnt_users_are_the_host_s(web: Container) -> None:
    result = web.exec("id", user="alice", namespaces=NET)
    assert result["failed"] and result["rc"] is None
    assert web.said("id -un", user="nobody", namespaces=NET) == "nobody"


def test_the_umask_is_what_was_written(web: Container) -> None:
    assert web.said("umask", shell=True, umask="0077") == "0077"
    assert web.said("umask", shell=True) == "0022"


def test_chdir_is_a_folder_of_the_container_s(web: Container) -> None:
    assert web.said("busybox pwd", chdir="/data") == "/data"
    assert web.said("busybox pwd") == "/"
    result = web.exec("busybox pwd", chdir="/nowhere")
    assert result["failed"] and "/nowhere" in result["msg"]


def test_creates_and_removes_are_looked_up_inside(web: Container) -> None:
    (web.root / "data/there").touch()
    done = web.exec("id", creates="/data/there")
    assert not done["changed"] and "start" not in done and "/data/there" in done["msg"]
    assert "start" in web.exec("id", creates="/usr/bin/python3"), "that is on the host only"
    assert "start" not in web.exec("id", removes="/data/not*")
    assert "start" in web.exec("id", removes="th*", chdir="/data")
    assert "start" not in web.exec("id", creates="/usr/bin/env", namespaces=NET), "that is on the host"


def test_a_symbolic_link_of_the_container_s_does_not_lead_to_the_host(web: Container) -> None:
    os.symlink("/usr/share", web.root / "data/link")
    assert Path("/usr/share/doc").is_dir()
    assert "start" in web.exec("id", creates="/data/link/doc")
    # As with ansible.builtin.command, the link itself exists.
    assert "start" not in web.exec("id", creates="/data/link")


def test_a_shell_and_another_shell(web: Container) -> None:
    assert web.said("echo $0 $((1 + 1))", shell=True) == "/bin/sh 2"
    other = web.root / "data/other-sh"
    shutil.copy(web.root / "bin/busybox", other)
    os.chmod(other, 0o755)
    os.rename(other, web.root / "data/sh")
    assert web.said("echo $0", shell=True, executable="/data/sh") == "/data/sh"


def test_a_program_that_only_the_host_has_is_told_with_what_to_do(web: Container) -> None:
    result = web.exec("nft list ruleset")
    assert result["failed"] and "namespaces: [net]" in result["msg"], result


# --- the host's mounts, another network, other processes --------------------------------------------------------------


def test_sys_is_that_of_the_network(web: Container) -> None:
    assert web.said("ls /sys/class/net", namespaces=NET).split() == sorted(
        line.split(":")[0].strip() for line in Path(f"/proc/{web.pid}/net/dev").read_text().splitlines()[2:])
    assert "nsftb1" in web.said("ls /sys/class/net", namespaces=NET)
    assert not Path("/sys/class/net/nsftb1").exists()


def test_cgroups_stay_where_they_are(web: Container) -> None:
    assert web.said("ls /sys/fs/cgroup", namespaces=NET).split() == sorted(os.listdir("/sys/fs/cgroup"))


def test_container_dns_is_the_container_s(web: Container) -> None:
    assert "192.0.2.53" not in web.said("cat /etc/resolv.conf", namespaces=NET)
    both = web.said("cat /etc/resolv.conf /etc/hosts", namespaces=NET, container_dns=True)
    for path in ("resolv.conf", "hosts"):
        assert (web.root / "etc" / path).read_text().strip() in both.replace("\n\n", "\n")
    assert "192.0.2.53" in both and "database" in both
    assert "192.0.2.53" not in Path("/etc/resolv.conf").read_text()
    assert "database" in web.said("getent hosts 192.0.2.9", namespaces=NET, container_dns=True)


def test_a_mount_that_is_lost_is_said_to_be(web: Container) -> None:
    result = web.exec("mount -t tmpfs none /mnt", namespaces=NET)
    assert result["rc"] == 0 and any("/mnt" in str(one) and "lost" in str(one) for one in result["warnings"]), result
    assert " /mnt " not in Path("/proc/self/mounts").read_text()
    assert not web.exec("ip -o link", namespaces=NET).get("warnings")


def test_the_host_s_ps_sees_the_container_s_processes(web: Container) -> None:
    result = web.exec("ps -e -o pid=,args=", namespaces=["pid"])
    # Its process 1 reaps nobody.
    rows = [line.split(None, 1) for line in result["stdout"].splitlines() if not line.endswith("<defunct>")]
    assert rows[0] == ["1", "/bin/sleep 600"] and len(rows) == 2, rows
    assert not result["changed"] and not result.get("warnings"), result


@pytest.fixture
def named(supervisor: Supervisor) -> Iterator[str]:
    """A network namespace with a name and files of its own for /etc."""
    name, ip = supervisor.token + "-net", program("ip", "iproute2")
    subprocess.run([ip, "netns", "add", name], check=True)
    folder = Path("/etc/netns", name)
    folder.mkdir(parents=True)
    (folder / "resolv.conf").write_text("nameserver 192.0.2.77\n")
    yield name
    shutil.rmtree(folder)
    if not os.listdir("/etc/netns"):
        os.rmdir("/etc/netns")
    subprocess.run([ip, "netns", "delete", name], check=True)


def test_a_name_has_its_files_over_etc(named: str) -> None:
    result = ns_exec.run(netns=named, cmd="cat /etc/resolv.conf")
    said = subprocess.run(["ip", "netns", "exec", named, "cat", "/etc/resolv.conf"], capture_output=True, text=True,
                          check=True)
    assert result["stdout"] == said.stdout.strip() == "nameserver 192.0.2.77"
    links = subprocess.run(["ip", "netns", "exec", named, "ls", "/sys/class/net"], capture_output=True, text=True,
                           check=True)
    assert ns_exec.run(netns=named, cmd="ls /sys/class/net")["stdout"] == links.stdout.strip()
    assert "192.0.2.77" not in Path("/etc/resolv.conf").read_text()

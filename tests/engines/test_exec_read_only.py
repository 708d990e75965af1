# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""read_only in real containers: looks work, and every hole known is tried, with a control that gets through it.

An attack has succeeded when it ends with 0.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Iterator, NamedTuple

import pytest
from rig import exec as ns_exec
from rig.docker import Docker
from rig.supervisor import Supervisor
from rig.waiting import until

from ansible_collections.nsfleet.linux.plugins.module_utils._enter.options import (
    command_options,
    many_options,
    target_options,
)
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.task import run_task
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel import landlock

# Sleeps in a mount namespace of its own, with a file open.
VICTIM = (
    "import ctypes, sys, time; ctypes.CDLL(None).prctl(1, 9, 0, 0, 0); "
    "assert ctypes.CDLL(None).unshare(0x20000) == 0; "
    "file = open(sys.argv[1], 'w'); print(file.fileno(), flush=True); time.sleep(600)"
)
CALL = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(*arguments):
    found = libc.syscall(*arguments)
    if found < 0:
        sys.exit(os.strerror(ctypes.get_errno()))
    return found
"""
# With the host's programs and rights in the container's network. {at}: a folder of the host's; {pid} and {fd}: the
# victim and its open file; the numbers of the system calls up to 424 are x86_64's, from there on everybody's.
FROM_HOST = {
    "write to a file": "echo x >{at}/hit",
    "change a mode": "chmod 600 {at}/there",
    "change a time": "touch -d 2001-01-01 {at}/there",
    "set an attribute": "python3 -c 'import os; os.setxattr(\"{at}/there\", \"user.x\", b\"x\")'",
    "remount": "mount -o remount,bind,rw / && echo x >{at}/hit",
    "mount over": "mount -t tmpfs none {at} && echo x >{at}/hit",
    "root of a process": "echo x >/proc/{pid}/root{at}/hit",
    "cwd of a process": "echo x >/proc/{pid}/cwd/{at}/hit",
    "descriptor of a process": "echo x >/proc/{pid}/fd/{fd}",
    "memory of a process": "python3 -c 'open(\"/proc/{pid}/mem\", \"r+b\")'",
    "settings of a process": "echo 1 >/proc/{pid}/oom_score_adj",
    "environment of a process": "test -n \"$(cat /proc/{pid}/environ | tr -d '\\0')\"",
    "join its mount namespace": "nsenter --target {pid} --mount touch {at}/hit",
    "a new user namespace": "unshare --user --map-root-user true",
    "a new mount namespace": "unshare --mount true",
    "kill": "kill -CONT {pid}",
    "a socket": "python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"{at}/socket\")'",
    "a datagram to a socket": "python3 -c 'import socket; "
                              "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].connect(\"{at}/socket\")' "
                              "2>&1 | grep -q 'wrong type'",
    "a FIFO": "echo x >{at}/fifo",
    "a device": "echo nsfleet >/dev/kmsg",
    "a device node": "mknod {at}/node c 1 3 || mknod /tmp/node c 1 3",
    "a host setting": "cat /proc/sys/vm/swappiness >/dev/shm/{token}; cat /dev/shm/{token} >/proc/sys/vm/swappiness",
    "a setting of the network": "sysctl -w net.ipv4.ip_default_ttl=60",
    "a link": "ip link set lo mtu 1300",
    "a firewall": "nft add table inet hit",
    "the host's name": "hostname $(hostname)",
    "shared memory": "ipcmk -M 4098",
    "a queue of the kernel's": "ipcmk -Q",
    "a POSIX queue": "python3 -c '" + CALL + "call(240, b\"{token}\", 0o102, 0o600, None)'",
    "keys": "python3 -c '" + CALL + "call(248, b\"user\", b\"nsfleet\", b\"x\", 1, -2)'",
    "keyctl": "python3 -c '" + CALL + "call(250, 1, None)'",
    "io_uring": "python3 -c '" + CALL + "call(425, 4, ctypes.create_string_buffer(240))'",
    "pidfd_getfd": "python3 -c '" + CALL + "os.write(call(438, os.pidfd_open({pid}), {fd}, 0), b\"x\")'",
    "pidfd_send_signal": "python3 -c '" + CALL + "call(424, os.pidfd_open({pid}), 18, None, 0)'",
    "ptrace": "python3 -c '" + CALL + "call(101, 16, {pid}, 0, 0)'",
    "another's limits": "prlimit --pid {pid} --nofile=512:512",
    "another's priority": "renice -n 1 -p {pid}",
    "bpf": "python3 -c '" + CALL + "call(321, 0, (ctypes.c_uint * 18)(2, 4, 4, 1), 72)'",
}
# With the container's busybox and its capabilities.
INSIDE = {
    "write to a file": "echo x >/root/hit",
    "write to a volume": "echo x >/data/hit",
    "remount": "mount -o remount,rw / && echo x >/root/hit",
    "mount": "mount -t tmpfs none /root",
    "root of process 1": "echo x >/proc/1/root/root/hit",
    "join its mount namespace": "busybox nsenter -t 1 -m busybox touch /root/hit",
    "a new mount namespace": "busybox unshare -m true",
    "kill": "kill -CONT 1",
    "settings of process 1": "echo 5 >/proc/1/oom_score_adj",
    "a device node": "busybox mknod /tmp/node c 1 3",
    "a name": "busybox hostname hit",
    "a link": "busybox ip link set lo mtu 1300",
    "a FIFO": "echo x >/data/fifo",
    "a queue": ": >/dev/mqueue/hit",
    "chroot": "busybox chroot / /bin/true",
    "priority": "busybox renice -n 1 -p 1",
}
LOOKS_FROM_HOST = {
    "ss -ntl": "State", "ip -d address": "127.0.0.1", "cat /proc/net/dev": "lo:", "ls /sys/class/net": "lo",
    "ip route show table all": "local", "tc qdisc show dev lo": "noqueue", "uname -a": "Linux", "id": "uid=0",
    "cat /etc/passwd": "root:", "busybox ping -c 1 127.0.0.1": "1 packets received", "sysctl net.ipv4.ip_forward": "=",
    "find /etc -maxdepth 1": "/etc/passwd", "python3 -c 'import tempfile; print(tempfile.TemporaryFile())'": "name=",
    "ip netns": "", "ip neighbour": "", "dmesg --kernel": "",
}
LOOKS_INSIDE = {
    "cat /etc/passwd": "root:", "ls /": "bin", "busybox ps": "sleep", "busybox ip address": "127.0.0.1",
    "busybox netstat -ant": "Proto", "busybox ping -c 1 127.0.0.1": "1 packets received", "busybox df /": "/",
    "id": "uid=0",
    "busybox top -b -n 1": "sleep", "mount": "proc", "busybox stat /etc/passwd": "File:",
}
CAPTURE = """
import socket, subprocess
capture = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0300)
capture.bind(("lo", 0)); capture.settimeout(10)
subprocess.run(["busybox", "ping", "-c", "1", "127.0.0.1"], stdout=subprocess.DEVNULL)
print(capture.recv(2000)[12:14].hex())
"""


class Lab(NamedTuple):
    """A container, and on the host a folder and a process."""

    token: str
    container: str
    pid: int
    at: Path
    victim: int
    fd: int

    def line(self, text: str) -> str:
        for name in ("token", "at", "fd"):
            text = text.replace("{%s}" % name, str(getattr(self, name)))
        return text.replace("{pid}", str(self.victim))

    def exec(self, line: str, **options: Any) -> dict[str, Any]:
        return ns_exec.run(container=self.container, cmd=self.line(line), shell=True, timeout=20, **options)


@pytest.fixture(scope="module")
def docker(supervisor: Supervisor, archive: Path) -> Iterator[Docker]:
    engine = Docker(supervisor, supervisor.root / "docker-read-only", archive, None)
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture(scope="module")
def container(docker: Docker, supervisor: Supervisor) -> tuple[str, int]:
    """Its name and process; what controls do to it stays."""
    name = supervisor.token + "-looked-at"
    capabilities = [f"--cap-add={one}" for one in ("NET_ADMIN", "SYS_ADMIN", "SYS_PTRACE", "SYS_NICE")]
    docker("run", "--detach", "--name", name, "--network", "none", "--volume", "/data", "--security-opt",
           "seccomp=unconfined", *capabilities, docker.image, "/bin/sleep", "600")
    pid: int = docker.inspect(name)[0]["State"]["Pid"]
    os.mkfifo(f"/proc/{pid}/root/data/fifo")
    return name, pid


@pytest.fixture
def lab(container: tuple[str, int], supervisor: Supervisor) -> Iterator[Lab]:
    name, pid = container
    # Not in /tmp or /var/tmp: those are private to a command that only looks.
    at = Path(tempfile.mkdtemp(prefix=supervisor.token, dir="/root"))
    (at / "there").touch(mode=0o644)
    os.utime(at / "there", (2_000_000_000, 2_000_000_000))
    os.mkfifo(at / "fifo")
    # Open at both ends: who writes is not held up.
    held = [os.open(fifo, os.O_RDWR) for fifo in (at / "fifo", f"/proc/{pid}/root/data/fifo")]
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(at / "socket"))
    listening.listen(50)
    victim = subprocess.Popen(
        [sys.executable, "-c", VICTIM, str(at / "open")], stdout=subprocess.PIPE, text=True, cwd="/",
        env={"SECRET": "x"},
    )
    if victim.stdout is None:
        raise ValueError("not connected")
    yield Lab(supervisor.token, f"docker:{name}", pid, at, victim.pid, int(victim.stdout.readline()))
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    victim.stdout.close()
    listening.close()
    for fd in held:
        os.close(fd)
    shutil.rmtree(at)


def state(folder: Path) -> dict[str, tuple[int, ...]]:
    return {path.name: (path.stat().st_mode, path.stat().st_mtime_ns, path.stat().st_size, len(os.listxattr(path)))
            for path in folder.iterdir()}


@pytest.mark.parametrize("attack", FROM_HOST)
def test_with_the_host_s_programs_it_gets_nowhere_and_without_read_only_it_does(lab: Lab, attack: str) -> None:
    line, joined = FROM_HOST[attack], ["net", "ipc"]
    before = state(lab.at)
    result = lab.exec(line, namespaces=joined, read_only=True)
    assert result["rc"] not in (0, None), result
    assert (result["changed"], result["unproven"], result["left"]) == (False, [], [])
    assert state(lab.at) == before
    control = lab.exec(line, namespaces=joined)
    assert control["rc"] == 0, f"the attack does not work at all: {control}"


@pytest.mark.parametrize("attack", INSIDE)
def test_with_the_container_s_programs_it_gets_nowhere_and_without_read_only_it_does(lab: Lab, attack: str) -> None:
    line = INSIDE[attack]
    roots = [Path(f"/proc/{lab.pid}/root/{name}") for name in ("root", "data", "tmp")]
    before = [state(root) for root in roots]
    result = lab.exec(line, read_only=True)
    assert result["rc"] not in (0, None), result
    assert (result["changed"], result["unproven"], result["left"]) == (False, [], [])
    assert [state(root) for root in roots] == before
    control = lab.exec(line)
    assert control["rc"] == 0, f"the attack does not work at all: {control}"


def test_a_process_of_a_container_s_survives(lab: Lab) -> None:
    assert lab.exec("sleep 500 >/dev/null 2>&1 &")["left"]
    (pid,) = (one["pid"] for one in lab.exec("sleep 501 >/dev/null 2>&1 &")["left"])
    result = lab.exec("busybox killall -9 sleep", read_only=True)
    assert result["rc"] != 0
    os.kill(pid, 0)
    lab.exec("busybox killall -9 sleep")
    # Its process 1 reaps nobody.
    until(lambda: "(sleep) Z" in Path(f"/proc/{pid}/stat").read_text(), "the control kills nothing")


def test_what_hides_the_host_s_temporary_files_cannot_be_taken_away(lab: Lab) -> None:
    assert lab.exec("umount /tmp", namespaces=["net"], read_only=True)["rc"] not in (0, None)


def test_nothing_is_left_running(lab: Lab) -> None:
    line = "busybox setsid busybox sleep 77 >/dev/null 2>&1 & echo started"
    result = lab.exec(line, read_only=True)
    assert (result["stdout"], result["left"], result["changed"]) == ("started", [], False)
    assert "sleep 77" not in lab.exec("busybox ps | busybox grep -v grep", read_only=True)["stdout"]
    assert lab.exec(line)["left"], "the control leaves nothing either"


@pytest.mark.parametrize("line", LOOKS_FROM_HOST)
def test_looking_with_the_host_s_programs_works(lab: Lab, line: str) -> None:
    result = ns_exec.run(container=lab.container, namespaces=["net"], cmd=line, read_only=True)
    assert result["rc"] == 0 and LOOKS_FROM_HOST[line] in result["stdout"], result
    assert (result["changed"], result["unproven"]) == (False, [])


@pytest.mark.parametrize("line", LOOKS_INSIDE)
def test_looking_with_the_container_s_programs_works(lab: Lab, line: str) -> None:
    result = ns_exec.run(container=lab.container, cmd=line, read_only=True)
    assert result["rc"] == 0 and LOOKS_INSIDE[line] in result["stdout"], result
    assert (result["changed"], result["unproven"]) == (False, [])


def test_packets_can_be_captured(lab: Lab) -> None:
    result = ns_exec.run(container=lab.container, namespaces=["net"], argv=["python3", "-c", CAPTURE], read_only=True)
    assert (result["rc"], result["stdout"]) == (0, "0800"), result


@pytest.mark.parametrize("folder", ["/tmp", "/var/tmp", "/dev/shm"])
def test_temporary_files_are_private(lab: Lab, folder: str) -> None:
    line = f"echo x >{folder}/{{token}}-private && cat {folder}/{{token}}-private"
    result = lab.exec(line, namespaces=["net"], read_only=True)
    assert (result["rc"], result["stdout"]) == (0, "x"), result
    assert not Path(folder, f"{lab.token}-private").exists()


def test_processes_can_be_listed_with_the_host_s_ps(lab: Lab) -> None:
    result = lab.exec("ps -e -o args", namespaces=["pid"], read_only=True, trusted=True)
    assert "sleep 600" in result["stdout"] and result["rc"] == 0, result
    assert not result["changed"] and not result["unproven"]


def test_the_proc_of_its_processes_is_read_only_too(lab: Lab) -> None:
    line = "echo 1 >/proc/1/oom_score_adj || echo 1 >/proc/self/oom_score_adj"
    assert lab.exec(line, namespaces=["pid"], read_only=True, trusted=True)["rc"] not in (0, None)
    assert lab.exec(line, namespaces=["pid"], trusted=True)["rc"] == 0


# --- kernels that lack a part -----------------------------------------------------------------------------------------


def lacking(lab: Lab, check: bool, **options: Any) -> dict[str, Any]:
    """The module's work in a child of this process, in which the kernel has been made to lack something."""
    given = {"container": lab.container, "cmd": "cat /etc/passwd", "read_only": True, **options}
    spec = {**target_options(), **many_options(), **command_options()}
    defaults = {name: one.get("default") for name, one in spec.items()}
    return run_task({**defaults, **given}, check)


@pytest.mark.parametrize("version, named", [
    (0, "Landlock (Linux 5.13)"), (3, "device control"), (5, "scope of signals"),
])
def test_a_part_that_the_kernel_lacks_is_named_and_nothing_is_proved(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, version: int, named: str
) -> None:
    monkeypatch.setattr(landlock, "abi", lambda: version)
    result = lacking(lab, False)
    assert result["rc"] == 0 and result["stdout"].startswith("root:"), result
    assert any(named in reason for reason in result["unproven"]), result
    assert lacking(lab, False, cmd="sh -c 'echo x >/root/hit'")["rc"] != 0, "its mounts are read-only all the same"


def test_check_mode_does_not_run_what_is_not_proved(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lacking(lab, True)["rc"] == 0
    monkeypatch.setattr(landlock, "abi", lambda: 5)
    result = lacking(lab, True)
    assert result["rc"] is None and "ot run in check mode" in result["msg"], result
    assert any("scope of signals" in reason for reason in result["unproven"])


def test_a_look_that_is_not_proved_is_compared_as_any_command_is(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landlock, "abi", lambda: 0)
    line = f"echo x >{lab.at}/fifo"
    assert lacking(lab, False, cmd=line, shell=True, namespaces=["net"])["unproven"]
    assert lacking(lab, False, cmd="busybox mknod /data/p p")["rc"] != 0

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers whose root is the attacker, and the naive ways in, which fall to what they do."""

from __future__ import annotations

import json
import os
import select
import shutil
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, NamedTuple

from rig import exec as ns_exec
from rig import kernel
from rig.docker import Docker
from rig.podman import Podman
from rig.programs import environment, program
from rig.supervisor import Supervisor
from rig.waiting import until

PYTHON = os.path.realpath(sys.executable)
# An attacker who has a Python, and the libraries that the host's own programs are linked with: as in a container of the
# same distribution. Nothing else of the host.
LIBRARIES = [path for path in ("/usr", "/lib", "/lib64", sys.base_prefix) if os.path.isdir(path)]
WITH_PYTHON = [part for path in dict.fromkeys(LIBRARIES) for part in ("-v", f"{path}:{path}:ro")]
WITH_PTRACE = ["--cap-add", "SYS_PTRACE"]
BUSYBOX = "/bin/busybox"
SECONDS = 60.0
# Executes the lines that it reads. Not by the engine's exec: what watches over that may outlive the tests.
ORDERS = "/tmp/orders"
INIT = ["/bin/sh", "-c", f"""{BUSYBOX} mkfifo {ORDERS}
while :; do while read -r line; do /bin/sh -c "$line" & done <{ORDERS}; done"""]

# What every tool did before CVE-2019-5736: Python that joins, forks and executes. Its arguments hold a secret.
NAIVE = """
import ctypes, json, os, sys
pid, argv = sys.argv[1], json.loads(sys.argv[2])
libc = ctypes.CDLL(None, use_errno=True)
held = os.open("/", os.O_PATH)
opened = [os.open("/proc/%s/ns/%s" % (pid, kind), os.O_RDONLY) for kind in ("uts", "ipc", "net", "pid", "mnt")]
for descriptor in opened:
    if libc.setns(descriptor, 0):
        sys.exit("setns: %s" % os.strerror(ctypes.get_errno()))
child = os.fork()
if child == 0:
    mask = int(os.environ.get("NAIVE_CAPABILITIES", "0"), 16)
    if mask:
        # As careful as a runtime before CVE-2016-9962: only the container's capabilities, but not hidden.
        for number in range(64):
            if not mask >> number & 1:
                libc.prctl(24, number, 0, 0, 0)
        sets = (ctypes.c_uint32 * 6)(*[mask & 0xffffffff] * 2, 0, *[mask >> 32] * 2, 0)
        if libc.capset((ctypes.c_uint32 * 2)(0x20080522, 0), sets):
            sys.exit("capset")
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        print("errno %d" % error.errno, file=sys.stderr, flush=True)
        os._exit(127)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) % 256)
"""

# The same mistake without an execution: what Python imports, and the C library looks up, after joining.
LOOKUP = """
import ctypes, os, sys
opened = os.open("/proc/%s/ns/mnt" % sys.argv[1], os.O_RDONLY)
if ctypes.CDLL(None).setns(opened, 0):
    sys.exit("setns")
import pwd
pwd.getpwnam(sys.argv[2])
import wave
"""


class Done(NamedTuple):
    """What came of a naive way in. C(status): -9 if it had to be killed."""

    status: int
    stdout: str
    stderr: str


class Cell:
    """A running container."""

    def __init__(self, engine: Docker | Podman, name: str, *options: str) -> None:
        self.engine = engine
        self.name = name
        said_id = engine("run", "--detach", "--name", name, "--network", "none", *options, engine.image, *INIT).stdout
        self.id = said_id.strip()
        self._held: list[int] = []
        self.pin()

    def pin(self) -> None:
        """Take hold of its first process and root directory: to be called again when it was started again.

        A test that goes by the number alone writes over the host's own files as soon as the container has ended and
        another process has its number.
        """
        (said,) = self.engine.inspect(self.id)
        self.pid = int(said["State"]["Pid"])
        for descriptor in self._held:
            os.close(descriptor)
        self._pidfd = os.pidfd_open(self.pid)
        self._root = os.open(f"/proc/{self.pid}/root", os.O_PATH | os.O_DIRECTORY)
        self._held = [self._pidfd, self._root]
        self.alive()
        (again,) = self.engine.inspect(self.id)
        if again["State"]["Pid"] != self.pid or os.path.samestat(os.fstat(self._root), os.stat("/")):
            raise RuntimeError(f"{self.name} has ended as soon as it was started")

    def alive(self) -> None:
        """Raise an error where its first process has ended."""
        waiting = select.poll()
        waiting.register(self._pidfd, select.POLLIN)
        if waiting.poll(0):
            raise RuntimeError(f"{self.name} has ended: its number may be another process's by now")

    def path(self, inside: str) -> Path:
        """Of what is in there, for the test: only ever the last component may be the attacker's link."""
        return Path(f"/proc/{os.getpid()}/fd/{self._root}{inside}")

    def put(self, inside: str, content: str | bytes, mode: int = 0o755) -> None:
        """A file in there, in place of what was there."""
        target = self.path(inside)
        target.parent.mkdir(parents=True, exist_ok=True)
        self.remove(inside)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        target.chmod(mode)

    def link(self, inside: str, to: str) -> None:
        """A symbolic link in there, in place of what was there."""
        self.remove(inside)
        self.path(inside).symlink_to(to)

    def remove(self, inside: str) -> None:
        """Whatever is there, it is gone."""
        target = self.path(inside)
        try:
            mode = target.lstat().st_mode
        except FileNotFoundError:
            return
        if stat.S_ISDIR(mode):
            shutil.rmtree(target)
        else:
            target.unlink()

    def order(self, line: str) -> None:
        """Have a line of shell executed in there, with all that the container's root may do. Does not wait for it."""
        def told() -> bool:
            try:
                orders = os.open(self.path(ORDERS), os.O_WRONLY | os.O_NONBLOCK)
            except OSError:  # its shell is not there yet
                return False
            os.write(orders, line.encode() + b"\n")
            os.close(orders)
            return True

        until(told, "the container takes no orders")

    def ns_exec(self, *argv: str, **options: object) -> dict[str, object]:
        """Our way in."""
        return ns_exec.run(container=self.id, argv=list(argv), **{"timeout": 20, **options})

    def nsenter(self, *argv: str, seconds: float = SECONDS) -> Done:
        """The naive way of util-linux."""
        self.alive()
        kinds = ("--mount", "--uts", "--ipc", "--net", "--pid")
        return _done([program("nsenter", "util-linux"), f"--target={self.pid}", *kinds, "--", *argv], seconds)

    def naive(self, *argv: str, seconds: float = SECONDS, **env: str) -> Done:
        """The naive way of a program in Python, with C(env) in its environment."""
        self.alive()
        return _done([PYTHON, "-c", NAIVE, str(self.pid), json.dumps(argv)], seconds, **env)

    def naive_lookup(self, user: str) -> Done:
        """A program in Python that joins, and only then looks up a user, and imports."""
        self.alive()
        return _done([PYTHON, "-c", LOOKUP, str(self.pid), user], SECONDS)

    def naive_script(self, script: str, seconds: float = SECONDS) -> tuple[int, str]:
        """Any program in Python, which joins by itself: its status, -9 if it had to be killed, and what it printed."""
        self.alive()
        done = _done([PYTHON, "-c", script], seconds)
        return done.status, done.stdout

    @contextmanager
    def attacking(self, script: str, *arguments: str) -> Iterator[None]:
        """Meanwhile a Python runs in there, with all that the container's root may do. It says when it is ready."""
        self.put("/tmp/attack.py", "import os\nREADY = lambda: open('/tmp/ready', 'w').close()\n" + script)
        self.remove("/tmp/ready")
        self.remove("/tmp/enough")
        command = (PYTHON, "-I", "-S", "-u", "/tmp/attack.py", *arguments)
        self.order(f"exec {' '.join(command)} >/tmp/said 2>&1")
        until(self.path("/tmp/ready").exists, "the attacker did not begin")
        (attacker,) = [pid for pid in _pids() if _command(pid)[:5] == list(command[:5]) and self.holds(pid)]
        try:
            yield
        finally:
            self.path("/tmp/enough").touch()
            try:
                until(lambda: not kernel_runs(attacker, command[4]), "the attacker did not end", 10)
            finally:
                if kernel_runs(attacker, command[4]):
                    os.kill(attacker, 9)

    def said(self) -> str:
        """What the attacker has printed."""
        return self.path("/tmp/said").read_text(errors="replace")

    def holds(self, pid: int) -> bool:
        """Whether a process is in this container's pid namespace."""
        try:
            return os.readlink(f"/proc/{pid}/ns/pid") == os.readlink(f"/proc/{self.pid}/ns/pid")
        except OSError:
            return False


def kernel_runs(pid: int, word: str) -> bool:
    """Whether a process still has this word in its command line."""
    return word in _command(pid)


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _command(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def _done(arguments: list[str], seconds: float, **env: str) -> Done:
    process = subprocess.Popen(
        arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(**env),
        start_new_session=True,
    )
    below: list[int] = []
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        below = kernel.children(process.pid)
        process.kill()
        for child in below:
            os.kill(child, 9)
        out, err = process.communicate(timeout=10)
    return Done(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))


@contextmanager
def engines(supervisor: Supervisor, archive: Path, subject: str) -> Iterator[dict[str, Docker | Podman]]:
    """Both engines, for one file of tests."""
    started: dict[str, Docker | Podman] = {
        "docker": Docker(supervisor, supervisor.root / f"docker-{subject}", archive, None),
        "podman": Podman(supervisor, supervisor.root / f"podman-{subject}", archive),
    }
    running: list[Docker | Podman] = []
    try:
        for engine in started.values():
            engine.start()
            running.append(engine)
        yield started
    finally:
        # Podman's monitors end a moment after their containers: while Docker is stopped.
        for engine in reversed(running):
            engine.stop()

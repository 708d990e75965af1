# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process under which all engines run, so that nothing of them outlives the tests.

Engines daemonise, and their shims and monitors leave the daemon on purpose. This process is a child subreaper
(prctl(2)): whatever leaves its parent becomes its child instead of process 1's. When the tests end, or die, it ends its
descendants, and them only.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple, Sequence

from rig import sweep

PR_SET_CHILD_SUBREAPER = 36
SECONDS = 60.0


class CommandFailed(Exception):
    """A command of an engine did not do what the test needs."""


class Completed(NamedTuple):
    """What a command answered."""

    status: int
    stdout: str
    stderr: str


class Supervisor:
    """The tests' end of it. ``root`` is the folder that holds all that the engines keep; it is removed with them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        ours, theirs = socket.socketpair()
        self._connection = ours
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "rig.supervisor", str(theirs.fileno()), str(root)],
                pass_fds=[theirs.fileno()],
                cwd=Path(__file__).resolve().parents[1],
                env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
                start_new_session=True,
            )
        self._lines = ours.makefile("r", encoding="utf-8")

    @property
    def token(self) -> str:
        """What is in every name that these tests give to things outside of their folder."""
        return self.root.name

    def run(
        self,
        *arguments: str,
        check: bool = True,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
        stdin: Path | None = None,
        seconds: float = SECONDS,
    ) -> Completed:
        """Run a command to its end. What it leaves behind on purpose stays."""
        answer = self._ask(
            "run", arguments=arguments, env=env, cwd=cwd and str(cwd), stdin=stdin and str(stdin), seconds=seconds
        )
        done = Completed(**answer)
        if check and done.status:
            raise CommandFailed(f"{' '.join(arguments)}: status {done.status}\n{done.stdout}{done.stderr}")
        return done

    def start(self, *arguments: str, log: Path, env: dict[str, str] | None = None, cwd: Path | None = None) -> int:
        """Start a command that stays, in a session of its own, and return its pid."""
        return int(self._ask("start", arguments=arguments, log=str(log), env=env, cwd=cwd and str(cwd))["pid"])

    def running(self, pid: int) -> bool:
        """Whether a command that was started is still there."""
        return bool(self._ask("running", pid=pid)["running"])

    def stop(self, pid: int) -> None:
        """End a command that was started: SIGTERM, after ten seconds SIGKILL."""
        self._ask("stop", pid=pid)

    def at_the_end(self, *arguments: str) -> None:
        """Have a command run when the engines are gone, the last one named first; it may fail."""
        self._ask("at_the_end", arguments=arguments)

    def close(self) -> list[str]:
        """End everything; return the command names of what was still there."""
        left: list[str] = self._ask("close")["left"]
        self._connection.close()
        self._process.wait(SECONDS)
        return left

    def _ask(self, request: str, **parameters: Any) -> dict[str, Any]:
        self._connection.sendall(json.dumps({"request": request, **parameters}).encode() + b"\n")
        line = self._lines.readline()
        if not line:
            raise CommandFailed("the supervisor of the engines died")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise CommandFailed(answer["error"])
        return answer


class _Gone(Exception):
    """The tests are."""


class _Server:
    def __init__(self, connection: socket.socket, root: Path) -> None:
        self._connection = connection
        self._root = root
        self._parent = os.getppid()
        self._statuses: dict[int, int] = {}
        # Kept: a Popen that is collected has its process reaped by the next one, and the status is lost.
        self._staying: list[subprocess.Popen[bytes]] = []
        self._undo: list[Sequence[str]] = []
        self._woken, waking = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(waking)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))

    def serve(self) -> None:
        try:
            lines = self._connection.makefile("r", encoding="utf-8")
            while True:
                self._wait(time.monotonic() + 3600, until_asked=True)
                line = lines.readline()
                if not line:
                    return
                request = json.loads(line)
                try:
                    answer = getattr(self, "_" + request.pop("request"))(**request)
                except (OSError, TimeoutError) as error:
                    answer = {"error": str(error)}
                self._connection.sendall(json.dumps(answer).encode() + b"\n")
                if "left" in answer:
                    return
        except (_Gone, BrokenPipeError, ConnectionResetError):
            pass
        finally:
            self._close()

    def _wait(self, deadline: float, until_asked: bool = False) -> None:
        """Until a child ended, the time is over, or the tests ask for something; raises when the tests are gone."""
        while time.monotonic() < deadline:
            # A request is never sent before the last one was answered: readable in between means closed.
            watched: list[Any] = [self._connection, self._woken]
            ready = select.select(watched, [], [], min(1.0, deadline - time.monotonic()))[0]
            if os.getppid() != self._parent:
                raise _Gone
            if self._connection in ready:
                if until_asked:
                    return
                raise _Gone
            if ready:
                os.read(self._woken, 4096)
                self._reap()
                if not until_asked:
                    return

    def _reap(self) -> None:
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                self._statuses[pid] = os.waitstatus_to_exitcode(status)
        except ChildProcessError:
            return

    def _status(self, pid: int, seconds: float) -> int | None:
        deadline = time.monotonic() + seconds
        while pid not in self._statuses and time.monotonic() < deadline:
            self._wait(deadline)
        return self._statuses.get(pid)

    def _run(
        self, arguments: Sequence[str], env: dict[str, str] | None, cwd: str | None, stdin: str | None, seconds: float
    ) -> dict[str, Any]:
        # Files, not pipes: what stays behind holds its streams open, and nobody has to wait for that.
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, open(
            stdin or os.devnull, "rb"
        ) as source:
            process = subprocess.Popen(arguments, stdin=source, stdout=out, stderr=err, env=env, cwd=cwd)
            self._forget(process.pid)
            status = self._status(process.pid, seconds)
            if status is None:
                os.kill(process.pid, signal.SIGKILL)
                raise TimeoutError(f"{' '.join(arguments)}: not done within {seconds:.0f} s")
            out.seek(0)
            err.seek(0)
            return {
                "status": status,
                "stdout": out.read().decode(errors="replace"),
                "stderr": err.read().decode(errors="replace"),
            }

    def _start(self, arguments: Sequence[str], log: str, env: dict[str, str] | None, cwd: str | None) -> dict[str, Any]:
        with open(log, "ab") as output:
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )
        self._forget(process.pid)
        self._staying.append(process)
        return {"pid": process.pid}

    def _forget(self, pid: int) -> None:
        """Whoever had this number before: an orphan that ended here, in a session of many thousand processes."""
        self._statuses.pop(pid, None)

    def _running(self, pid: int) -> dict[str, Any]:
        self._reap()
        return {"running": pid not in self._statuses}

    def _stop(self, pid: int) -> dict[str, Any]:
        self._reap()
        for number, seconds in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)):
            if pid in self._statuses:
                break
            os.kill(pid, number)
            self._status(pid, seconds)
        return {}

    def _at_the_end(self, arguments: Sequence[str]) -> dict[str, Any]:
        self._undo.append(arguments)
        return {}

    def _close(self) -> dict[str, Any]:
        left = sweep.end_descendants()
        for arguments in reversed(self._undo):
            subprocess.run(
                arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
            )
        self._undo = []
        sweep.remove_files(self._root)
        return {"left": left}


def main() -> None:
    """Serve the socket that is given as a descriptor until the tests are gone."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
    _Server(socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2])).serve()


if __name__ == "__main__":
    main()

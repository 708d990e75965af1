# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor of the engines: nothing outlives the tests, however they end, and nothing else is touched."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from rig import sweep
from rig.supervisor import CommandFailed, Supervisor
from rig.waiting import until

# What a test run does that is killed in the middle: a daemon that left its parent, a container of runc's in its default
# root, frozen, a cgroup, a mount and a link.
KILLED = """\
import json, os, signal, sys
from pathlib import Path
from rig import image
from rig.bridge import Bridge
from rig.runc import Runc
from rig.supervisor import Supervisor

root = Path(sys.argv[1])
supervisor = Supervisor(root)
runc = Runc(supervisor, root / "bundles", image.unpacked(root / "rootfs"))
container = runc.run(f"{root.name}-frozen")
runc("pause", f"{root.name}-frozen")
supervisor.run("setsid", "sh", "-c", f"sleep 631 & echo $! >{root}/daemon")
supervisor.run("mount", "--bind", str(root / "rootfs"), str(root / "rootfs/var"))
link = Bridge(supervisor, "k").make().name
daemon = int((root / "daemon").read_text())
print(json.dumps({"container": container, "daemon": daemon, "link": link}), flush=True)
if sys.argv[2] == "busy":
    supervisor.start("sh", "-c", "sleep 1; kill -KILL $1", "sh", str(os.getpid()), log=root / "log")
    supervisor.run("sleep", "632")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def root() -> Path:
    return Path(tempfile.mkdtemp(prefix="nsft-", dir="/var/tmp"))


@pytest.mark.parametrize("when", ["idle", "busy"])
def test_tests_that_are_killed_leave_nothing_behind(root: Path, when: str) -> None:
    folder = Path(__file__).resolve().parent
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(root), when], cwd=folder, stdout=subprocess.PIPE, timeout=60, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    made = json.loads(killed.stdout)
    until(lambda: not root.exists(), f"{root} stays")
    left = [Path(f"/proc/{made['container']}"), Path(f"/proc/{made['daemon']}"), Path(f"/sys/class/net/{made['link']}")]
    left += [Path(f"/run/runc/{root.name}-frozen")]
    left += [mount / f"{root.name}-frozen" for mount in sweep.hierarchies().values()]
    assert [path for path in left if path.exists()] == []
    assert str(root) not in Path("/proc/self/mountinfo").read_text()


def test_what_left_its_parent_is_ended_and_named(root: Path) -> None:
    supervisor = Supervisor(root)
    # The shell's child is called sh until it has executed sleep.
    supervisor.run("setsid", "sh", "-c", "sleep 633 & until grep -q sleep /proc/$!/comm; do :; done")
    assert supervisor.close() == ["sleep"]


def test_what_others_started_lives_on(root: Path) -> None:
    with subprocess.Popen(["sleep", "634"]) as other:
        try:
            Supervisor(root).close()
            assert other.poll() is None
        finally:
            other.kill()


def test_a_command_that_does_not_end_is_killed(root: Path) -> None:
    supervisor = Supervisor(root)
    try:
        with pytest.raises(CommandFailed, match=r"sleep 635: not done within 1 s"):
            supervisor.run("sleep", "635", seconds=1)
    finally:
        assert supervisor.close() == []


def test_a_command_that_fails_says_what_it_said(root: Path) -> None:
    supervisor = Supervisor(root)
    try:
        with pytest.raises(CommandFailed, match=r"status 3\noh no"):
            supervisor.run("sh", "-c", "echo oh no >&2; exit 3")
    finally:
        supervisor.close()

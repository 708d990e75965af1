# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/demo_containers.py on the real kernel, and debug-containers.yml with the real ns_facts on what it makes."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator

import pytest
from playing import CHECKOUT

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.namespaces import setns

DEMO = [sys.executable, str(CHECKOUT / "scripts/demo_containers.py")]
NAMES = {"demo-web", "demo-db", "demo-sidecar"}
PLAYBOOK = str(CHECKOUT / "debug-containers.yml")


def processes(below: int | None = None) -> dict[str, int]:
    """Living processes of the containers by name; those of others who run the demo now are not ours."""
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            pid, dummy, rest = path.read_text().partition(" (")
            comm, dummy, fields = rest.rpartition(") ")
            if comm in NAMES and fields[0] != "Z" and (below is None or below in ancestors(int(pid))):
                found[comm] = int(pid)
    return found


def ancestors(pid: int) -> Iterator[int]:
    while pid:
        yield pid
        pid = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])


@contextlib.contextmanager
def running() -> Iterator[tuple[int, dict[str, int]]]:
    """The demo with a command that waits: its pid and the containers' processes."""
    with subprocess.Popen([*DEMO, "run", "--", "sh", "-c", "echo made; exec cat"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as demo:  # fmt: skip
        try:
            assert demo.stdout is not None
            assert demo.stdout.readline() == "made\n"
            yield demo.pid, processes(below=demo.pid)
        finally:
            demo.kill()


def gone(pids: dict[str, int], within: float = 5.0) -> bool:
    """Whether these processes end soon."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        if not set(pids.values()) & set(processes().values()):
            return True
        time.sleep(0.02)
    return False


def links() -> list[str]:
    return sorted(os.listdir("/sys/class/net"))


def test_each_container_has_namespaces_of_its_own_but_the_sidecar_s_network() -> None:
    with running() as (dummy, pids):
        assert set(pids) == NAMES
        for kind in ("mnt", "uts", "ipc", "pid", "net", "cgroup"):
            names = {name: os.readlink(f"/proc/{pid}/ns/{kind}") for name, pid in pids.items()}
            assert os.readlink(f"/proc/self/ns/{kind}") not in names.values()
            assert len(set(names.values())) == (2 if kind == "net" else 3)
        assert os.readlink(f"/proc/{pids['demo-web']}/ns/net") == os.readlink(f"/proc/{pids['demo-sidecar']}/ns/net")


def test_their_web_servers_answer_each_other_over_the_bridge() -> None:
    with running() as (dummy, pids):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                where = f"/proc/{pids['demo-db']}/ns/"
                network = os.open(where + "net", os.O_RDONLY)
                if os.geteuid() != 0:
                    # Theirs are in a user namespace that we own; only in there may their network be joined.
                    setns(os.open(where + "user", os.O_RDONLY))
                setns(network)
                for address, port in (("192.0.2.2", 80), ("192.0.2.2", 9090), ("192.0.2.3", 5432)):
                    connection = http.client.HTTPConnection(address, port, timeout=5)
                    connection.request("GET", "/")
                    os.write(writer, connection.getresponse().read())
            finally:
                os._exit(0)
        os.close(writer)
        with open(reader) as answers:
            assert answers.read() == "This is demo-web.\nThis is demo-sidecar.\nThis is demo-db.\n"
        os.waitpid(child, 0)


def test_nothing_is_left_and_no_link_of_the_machine_is_touched() -> None:
    before = links()
    command = "ls /sys/class/net; exit 7"
    answer = subprocess.run(
        [*DEMO, "run", "--", "sh", "-c", command], capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 7
    assert sorted(answer.stdout.split()) == before
    assert links() == before
    assert answer.stderr == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: only root may change its root directory")
def test_in_a_chroot_they_are_made_and_their_mounts_stay_theirs(tmp_path: pathlib.Path) -> None:
    """Its root directory is no mount, and what it lies on is shared with others, as systemd does it."""
    script = (
        'mount -t tmpfs none "$1"; mkdir "$1/root"; cd "$1/root"\n'
        "for path in /*; do\n"
        '  if [ -L "$path" ]; then cp -P "$path" .; elif [ -d "$path" ]; then mkdir ".$path"; '
        'mount --rbind "$path" ".$path"; fi\n'
        "done\n"
        'mount --make-rshared "$1"; shift; chroot . "$@"'
    )
    command = [*DEMO, "run", "--", "cat", "/proc/self/mountinfo"]
    answer = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-ec", script, "-", str(tmp_path), *command],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout and " tmpfs demo " not in answer.stdout


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_left_when_it_is_killed(number: signal.Signals) -> None:
    with running() as (pid, pids):
        assert set(pids) == NAMES
        os.kill(pid, number)
        assert gone(pids)


def test_nothing_is_left_when_the_process_that_holds_the_bridge_is_killed() -> None:
    with running() as (pid, pids):
        child = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]
        os.kill(int(child), signal.SIGKILL)
        assert gone(pids)


def test_a_command_that_does_not_exist_is_status_127() -> None:
    answer = subprocess.run(
        [*DEMO, "run", "--", "/no/such"], capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 127
    assert answer.stderr == "demo_containers: /no/such: No such file or directory\n"


def test_a_command_that_a_signal_ends_is_128_and_the_signal() -> None:
    assert subprocess.run([*DEMO, "run", "--", "sh", "-c", "kill -9 $$"], timeout=60, check=False).returncode == 137


def test_a_start_that_fails_is_one_sentence_and_status_1() -> None:
    limited = "import os, sys; sys.argv = ['x', 'run', '--', 'true']; sys.path.insert(0, 'scripts')\n"
    limited += "import demo_containers as demo\n"
    limited += "demo.make_bridge = lambda: (_ for _ in ()).throw(OSError(1, os.strerror(1)))\n"
    limited += "sys.exit(demo.main(sys.argv[1:]))"
    answer = subprocess.run(
        [sys.executable, "-c", limited], cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 1
    assert answer.stderr == "demo_containers: no container could be made: Operation not permitted\n"


def test_with_a_container_there_is_none_needed() -> None:
    answer = subprocess.run([*DEMO, "run", "--", *DEMO, "needed"], timeout=120, check=False)
    assert answer.returncode == 1


def playing(user: str | None, folder: pathlib.Path) -> list[str]:
    """The command that makes the containers and looks at them, as root or as somebody else."""
    variables = {
        "debug_containers_containers": ["demo-*"], "debug_containers_directory": str(folder / "reports"),
        "debug_containers_kept": False, "debug_containers_engines": ["unknown"],
        "debug_commands": ["cat /proc/sys/kernel/hostname", "no-such-program"],
    }  # fmt: skip
    arguments = ["ansible", "playbook", "debug-containers.yml", "-e", json.dumps(variables)]
    if user is None:
        return [*DEMO, "run", "--", sys.executable, "-m", *arguments]
    # What the tests run in may lie where others may not look (/root): its libraries are shown in another place, and run
    # by an interpreter of the same version that everybody may use.
    version = "python%d.%d" % sys.version_info[:2]
    python = next(path for path in (f"/usr/bin/{version}", f"/usr/local/bin/{version}") if os.path.exists(path))
    shown = folder / "checkout"
    shown.mkdir()
    libraries = shown / os.path.relpath(sysconfig.get_path("purelib"), CHECKOUT)
    script = (
        'mount --bind "$1" "$2"; cd "$2"; shift 2; exec setpriv --reuid=nobody --regid=nogroup --clear-groups'
        f" env HOME={folder} ANSIBLE_REMOTE_TMP={folder} PYTHONPATH={libraries} PYTHONDONTWRITEBYTECODE=1"
        ' "$@"'
    )
    command = [python, "scripts/demo_containers.py", "run", "--", python, "-m", *arguments]
    private = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", script, "-", str(CHECKOUT), str(shown)]
    return [*private, *command]


@pytest.mark.parametrize("user", [None, "nobody"] if os.geteuid() == 0 else [None])
def test_the_playbook_shows_them(user: str | None) -> None:
    folder = pathlib.Path(tempfile.mkdtemp(prefix="nsft-", dir="/var/tmp"))
    folder.chmod(0o755)
    if user:
        shutil.chown(folder, user)
    try:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
        environment["LC_ALL"] = "C.UTF-8"
        answer = subprocess.run(
            playing(user, folder), cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=180,
            check=False,
        )  # fmt: skip
        assert answer.returncode == 0, answer.stdout + answer.stderr
        report = json.loads((folder / "reports/hosts/localhost.json").read_text())
        # Others may be running the demo now: the newest three are ours.
        ours = {one["name"]: one for one in sorted(report["containers"], key=lambda one: one["start_time"])}
        assert set(ours) == NAMES
        assert {one["engine"] for one in ours.values()} == {"unknown"}
        assert ours["demo-sidecar"]["id"] in ours["demo-web"]["shared_with"]["net"]
        assert ours["demo-db"]["shared_with"].keys() <= {"user"}
        assert "demo-sidecar" in answer.stdout
        # What is shown as an example is without a fault of its own, whatever the machine's settings are.
        assert not [one for one in report["faults"] if "demo-" in json.dumps(one)]
        names, missing = report["commands"]
        said = {(name, *one["lines"]) for one in names["results"] for name in one["containers"]}
        assert {(name, name) for name in NAMES} <= said
        assert {one["problem"] for one in missing["results"]} == {"no-such-program is not there"}
        if user:
            # Root's processes cannot be read, and that is said.
            assert report["status"] == "incomplete"
            assert "Root sees more than a plain user does" in answer.stdout
    finally:
        shutil.rmtree(folder)

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role persistent_namespaces on this machine, with a /run, processes and folders of its own, and no systemd.

With systemd it runs in the scenario molecule/persistent_namespaces; here it is only said to be there, for the files.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
BLUE, WEB = {"name": "blue", "loopback": True}, {"name": "web-1", "namespaces": ["uts", "ipc"], "hostname": "web"}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


class Played(NamedTuple):
    """A finished run: its status and what it printed."""

    status: int
    output: str

    @property
    def changed(self) -> int:
        """How many tasks changed something."""
        found = re.search(r" changed=(\d+) ", self.output)
        assert found, self.output
        return int(found[1])


class Host:
    """Process 1 that reaps, a /proc that suits, and an empty /run; C(folder) is where the role writes."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self._holder = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--propagation", "private", "--mount-proc",
             "sh", "-c", "mount -t tmpfs none /run && echo ready && while :; do sleep 600 & wait; done"],
            stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self._holder.stdout and self._holder.stdout.readline() == b"ready\n"
        children = pathlib.Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text()
        self._enter = ["nsenter", f"--target={children.split()[0]}", "--pid", "--mount"]

    def close(self) -> None:
        self._holder.send_signal(signal.SIGKILL)
        self._holder.wait()

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self._enter, *command], capture_output=True, text=True, check=False, timeout=60)

    def play(self, namespaces: Any, *arguments: str, **variables: Any) -> Played:
        """Run the role."""
        given = {
            "persistent_configuration_directory": str(self.folder / "etc"),
            "persistent_program_directory": str(self.folder / "lib"),
            "persistent_unit_directory": str(self.folder / "units"),
            "ansible_python_interpreter": sys.executable,
            **({} if namespaces is None else {"persistent_namespaces": namespaces}),
            **variables,
        }
        playbook = self.folder / "playbook.json"
        playbook.write_text(json.dumps([{
            "hosts": "all", "gather_facts": False, "roles": ["nsfleet.linux.persistent_namespaces"],
        }]))  # fmt: skip
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
        kept.update(
            ANSIBLE_CONFIG=str(CHECKOUT / "ansible.cfg"), ANSIBLE_HOME=str(self.folder / "home"),
            ANSIBLE_COLLECTIONS_PATH=str(CHECKOUT / ".collections"), ANSIBLE_NOCOLOR="1",
            ANSIBLE_CALLBACK_RESULT_FORMAT="json", ANSIBLE_PIPELINING="1",
        )  # fmt: skip
        program = str(pathlib.Path(sys.executable).with_name("ansible-playbook"))
        done = subprocess.run(
            [*self._enter, program, "-i", "web1,", "-c", "local", "-e", json.dumps(given), str(playbook), *arguments],
            env=kept, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            encoding="utf-8", timeout=180, check=False,
        )  # fmt: skip
        return Played(done.returncode, done.stdout)

    def played(self, namespaces: Any, *arguments: str, **variables: Any) -> Played:
        """The same, and it succeeds."""
        found = self.play(namespaces, *arguments, **variables)
        assert found.status == 0, found.output
        return found

    @property
    def names(self) -> list[str]:
        """What is kept."""
        return self.run("find", "/run/netns", "/run/nsfleet", "-mindepth", "1", "-printf", "%p\n").stdout.split()

    @property
    def files(self) -> list[str]:
        """What the role has written."""
        found = [path for name in ("etc", "lib", "units") for path in (self.folder / name).rglob("*")]
        return sorted(str(path.relative_to(self.folder)) for path in found if path.is_symlink() or not path.is_dir())

    def pretend_systemd(self) -> None:
        """As sd_booted(3) tells it."""
        self.run("mkdir", "-p", "/run/systemd/system")


@pytest.fixture
def host(tmp_path: pathlib.Path) -> Iterator[Host]:
    found = Host(tmp_path)
    try:
        yield found
    finally:
        found.close()


def test_without_systemd_they_are_kept_and_what_will_not_survive_is_said(host: Host) -> None:
    first = host.played([BLUE, WEB])
    assert first.changed == 2
    assert {"/run/netns/blue", "/run/nsfleet/web-1/uts"} <= set(host.names)
    assert host.files == ["etc/blue.json", "etc/web-1.json", "lib/ns_persist.pyz"]
    assert "does not run systemd: blue, web-1 will be gone after a reboot" in first.output
    second = host.played([BLUE, WEB])
    assert second.changed == 0 and "will be gone after a reboot" in second.output


def test_the_command_that_is_named_keeps_them(host: Host) -> None:
    told = host.played([BLUE, WEB])
    found = re.search(r"runs this at boot: (.*\.json)", told.output)
    assert found
    command = ["sh", "-c", found[1].replace("present", "absent")]
    assert host.run(*command).stdout == "blue: removed\nweb-1: removed\n"
    assert "/run/netns/blue" not in host.names
    assert host.run("sh", "-c", found[1]).returncode == 0
    assert host.played([BLUE, WEB]).changed == 0


def test_check_mode_tells_all_and_does_nothing(host: Host) -> None:
    told = host.played([BLUE, WEB], "--check", "--diff")
    assert told.changed == 2 and host.files == [] and host.names == []
    assert "+net: net:[new] at /run/netns/blue" in told.output and '+  "hostname": "web",' in told.output
    host.played([BLUE, WEB])
    less = host.played([WEB], "--check", "--diff")
    assert less.changed == 2 and "/run/netns/blue" in host.names and "etc/blue.json" in host.files
    assert '-  "name": "blue",' in less.output
    assert host.played([BLUE, WEB], "--check").changed == 0


def test_who_is_no_longer_listed_goes(host: Host) -> None:
    host.played([BLUE, WEB])
    host.run("ip", "netns", "add", "mine")
    assert host.played([WEB]).changed == 2
    assert "/run/netns/blue" not in host.names and "/run/netns/mine" in host.names
    assert host.files == ["etc/web-1.json", "lib/ns_persist.pyz"]


def test_who_is_no_longer_listed_may_stay_until_the_next_boot(host: Host) -> None:
    host.played([BLUE, WEB])
    assert host.played([WEB], persistent_remove_unlisted=False).changed == 1
    assert "/run/netns/blue" in host.names and "etc/blue.json" not in host.files


@pytest.mark.parametrize("given", [{"namespaces": []}, {"namespaces": None, "persistent_state": "absent"}], ids=str)
def test_an_empty_list_or_absent_removes_all(host: Host, given: dict[str, Any]) -> None:
    host.played([BLUE, WEB])
    assert host.played(**given).changed == 2
    assert host.files == [] and not {"/run/netns/blue", "/run/nsfleet/web-1"} & set(host.names)
    assert host.played(**given).changed == 0


def test_without_a_list_nothing_is_removed(host: Host) -> None:
    host.played([BLUE])
    assert host.play(None).status != 0
    assert "/run/netns/blue" in host.names


def test_another_directory_is_a_move(host: Host) -> None:
    host.played([WEB])
    moved = dict(WEB, directory=str(host.folder / "kept"))
    assert host.played([moved]).changed == 3
    assert "/run/nsfleet/web-1" not in host.names
    assert host.run("ls", str(host.folder / "kept/web-1")).stdout.split() == ["ipc", "unit.json", "uts"]
    assert host.played([moved]).changed == 0


def test_who_lives_in_there_keeps_all_as_it_is_and_is_named(host: Host) -> None:
    host.played([{"name": "box", "namespaces": ["pid"]}])
    with subprocess.Popen([*host._enter, "nsenter", "--pid=/run/nsfleet/box/pid", "sleep", "300"]) as process:
        try:
            until = time.monotonic() + 20
            while "sleep" not in (refused := host.play([])).output and time.monotonic() < until:
                pass
        finally:
            process.kill()
    assert refused.status != 0 and "(sleep)" in refused.output
    assert host.files == ["etc/box.json", "lib/ns_persist.pyz"]


@pytest.mark.parametrize(
    "entry, sentence",
    [
        ({"name": "a b"}, "entry 1 has the name 'a b'"),
        ({"name": "blue", "container": "web"}, "blue has container, which names something that exists now"),
        ({"name": "blue", "hostname": "a"}, "hostname is of uts namespaces"),
    ],
)
def test_what_cannot_be_kept_is_refused_before_anything_is_written(
    host: Host, entry: dict[str, Any], sentence: str
) -> None:
    refused = host.play([entry])
    assert refused.status != 0 and host.files == []
    assert sentence in refused.output


def task(host: Host, namespaces: list[Any], *arguments: str) -> str:
    """What persistent_units alone prints."""
    given = {
        "namespaces": namespaces, "configuration": str(host.folder / "etc"), "programs": str(host.folder / "lib"),
        "units": str(host.folder / "units"),
    }  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
    kept.update(
        ANSIBLE_CONFIG=str(CHECKOUT / "ansible.cfg"), ANSIBLE_HOME=str(host.folder / "home"), ANSIBLE_NOCOLOR="1",
        ANSIBLE_COLLECTIONS_PATH=str(CHECKOUT / ".collections"), ANSIBLE_LOAD_CALLBACK_PLUGINS="1",
        ANSIBLE_STDOUT_CALLBACK="ansible.builtin.minimal", ANSIBLE_CALLBACK_RESULT_FORMAT="json",
    )  # fmt: skip
    command = [
        sys.executable, "-m", "ansible", "adhoc", "all", "-i", "web1,", "-c", "local",
        "-e", json.dumps({"ansible_python_interpreter": sys.executable}), "-m", "nsfleet.linux.persistent_units",
        "-a", json.dumps(given), *arguments,
    ]  # fmt: skip
    return subprocess.run(
        [*host._enter, *command], capture_output=True, text=True, check=False, timeout=60, cwd=host.folder, env=kept
    ).stdout


def result(host: Host, namespaces: list[Any], *arguments: str) -> dict[str, Any]:
    """Its result."""
    text = task(host, namespaces, *arguments)
    found: dict[str, Any] = json.loads(text[text.index("=> {") + 3 : text.rindex("}") + 1])
    return found


def test_what_is_refused_is_said_once(host: Host) -> None:
    # ansible-core 2.19 adds the words of an exception's cause.
    assert result(host, [{"name": "a b"}])["msg"].count("entry 1 has the name 'a b'") == 1


def differs(host: Host, namespaces: list[Any]) -> set[str]:
    """The files that it would change, below the host's folder."""
    found = re.findall(r"^--- before: (.*)$", task(host, namespaces, "--check", "--diff"), re.MULTILINE)
    return {os.path.relpath(path, host.folder) for path in found}


def test_units_are_written_enabled_kept_and_removed(host: Host) -> None:
    host.pretend_systemd()
    assert result(host, [BLUE, WEB], "--check")["changed"] and host.files == []
    first = result(host, [BLUE, WEB])
    assert first["changed"] and first["reload"] and first["systemd"]
    names = ["nsfleet-blue.service", r"nsfleet-web\x2d1.service"]
    assert host.files == [
        "etc/blue.json", "etc/web-1.json", "lib/ns_persist.pyz",
        *(f"units/multi-user.target.wants/{name}" for name in names), *(f"units/{name}" for name in names),
    ]  # fmt: skip
    links = [host.folder / "units/multi-user.target.wants" / name for name in names]
    assert [link.read_text() for link in links] == [(host.folder / "units" / name).read_text() for name in names]
    assert (host.folder / "etc/blue.json").stat().st_mode & 0o777 == 0o600
    again = result(host, [BLUE, WEB])
    assert not again["changed"] and not again["reload"]

    links[0].unlink()
    (host.folder / "etc/web-1.json").chmod(0o644)
    (host.folder / "units" / names[1]).write_text((host.folder / "units" / names[1]).read_text() + "# mine\n")
    assert differs(host, [BLUE, WEB]) == {
        "etc/web-1.json", f"units/{names[1]}", f"units/multi-user.target.wants/{names[0]}"
    }  # fmt: skip
    assert result(host, [BLUE, WEB])["changed"] and not result(host, [BLUE, WEB])["changed"]

    assert result(host, [])["reload"] and host.files == []


def test_a_program_of_an_older_collection_is_replaced(host: Host) -> None:
    result(host, [BLUE])
    program = host.folder / "lib/ns_persist.pyz"
    program.write_bytes(program.read_bytes()[:-1])
    assert differs(host, [BLUE]) == {"lib/ns_persist.pyz"}
    assert result(host, [BLUE])["changed"] and not result(host, [BLUE])["changed"]


def test_a_unit_of_somebody_else_is_not_touched(host: Host) -> None:
    host.pretend_systemd()
    (host.folder / "units").mkdir()
    theirs, other = host.folder / "units/nsfleet-blue.service", host.folder / "units/nsfleet-exporter.service"
    for path in (theirs, other):
        path.write_text("[Unit]\n")
    assert "was written by somebody else" in result(host, [BLUE])["msg"]
    assert host.files == ["units/nsfleet-blue.service", "units/nsfleet-exporter.service"]
    assert not result(host, [])["changed"] and theirs.exists() and other.exists()

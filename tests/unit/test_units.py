# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role persistent_namespaces writes: names, options and units."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from ansible_collections.nsfleet.linux.plugins.plugin_utils import _units
from ansible_collections.nsfleet.linux.plugins.plugin_utils._units import Places

PLACES = Places("/etc/nsfleet/namespaces", "/usr/local/lib/nsfleet", "/etc/systemd/system")
NAMES = ["blue", "web-1", "a.b", "_", "0", "x:y_z", "A" * 100, "-".join("abc") + "--d"]


@pytest.mark.parametrize("name", NAMES)
def test_units_are_called_as_systemd_escape_would(name: str) -> None:
    unit = _units.unit_name(name)
    assert _units.name_of(unit) == name
    if shutil.which("systemd-escape"):
        told = subprocess.run(["systemd-escape", name], capture_output=True, text=True, check=True, timeout=10)
        assert unit == f"nsfleet-{told.stdout.strip()}.service"


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".a", "-a", ":a", "a/b", "a b", "a%i", "a$b", 'a"', "ä", "a\n", "A" * 101, 7]
)
def test_a_name_that_a_unit_cannot_have_is_refused(name: Any) -> None:
    with pytest.raises(ValueError, match="entry 1 has the name"):
        _units.checked([{"name": name}])


@pytest.mark.parametrize("option", ["container", "pid", "netns", "path", "ref", "start_time"])
def test_what_is_another_one_after_a_reboot_is_refused(option: str) -> None:
    with pytest.raises(ValueError, match=f"blue has {option}, which names something that exists now"):
        _units.checked([{"name": "blue", option: "1"}])


@pytest.mark.parametrize(
    "entries, sentence",
    [
        (["blue"], "entry 1 is 'blue', and must be a dict"),
        ([{}], "entry 1 has the name None"),
        ([{"name": "blue"}, {"name": "blue"}], "blue is listed more than once"),
        ([{"name": "blue", "state": "absent"}], "take it out of the list"),
        ([{"name": "blue", "namespaces": ["nett"]}], "blue: .*nett"),
        ([{"name": "blue", "nsid": "many"}], "blue: .*nsid"),
        ([{"name": "blue", "colour": "blue"}], "blue: .*colour"),
    ],
)
def test_an_entry_that_is_wrong_is_named(entries: list[Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        _units.checked(entries)


def test_options_get_their_types_and_those_that_say_nothing_are_left_out() -> None:
    given = {"name": "blue", "types": "uts,net", "loopback": "yes", "nsid": "7", "hostname": None, "force": False}
    assert _units.checked([given]) == [{"name": "blue", "namespaces": ["uts", "net"], "loopback": True, "nsid": 7}]


def test_what_is_written_is_read_again() -> None:
    (entry,) = _units.checked([{"name": "blue", "namespaces": ["uts"], "hostname": "blau"}])
    text = _units.options_text(entry)
    assert json.loads(text) == entry == _units.recorded(text, "blue")
    assert text == _units.options_text(dict(reversed(entry.items())))


@pytest.mark.parametrize("text", [None, "", "{", "[]", '"blue"'])
def test_of_what_cannot_be_read_the_name_is_known(text: str | None) -> None:
    assert _units.recorded(text, "blue") == {"name": "blue"}


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith(("#", "["))]


def test_a_unit_runs_before_networks_and_only_once() -> None:
    text = _units.unit_text({"name": "web-1"}, PLACES, "/usr/bin/python3")
    assert text.startswith(_units.MARKER + "\n")
    told = lines(text)
    command = "/usr/bin/python3 -I /usr/local/lib/nsfleet/ns_persist.pyz"
    assert f"ExecStart={command} present /etc/nsfleet/namespaces/web-1.json" in told
    assert f"ExecStop={command} absent /etc/nsfleet/namespaces/web-1.json" in told
    for line in (
        "Type=oneshot", "RemainAfterExit=yes", "DefaultDependencies=no", "Before=network-pre.target",
        "Wants=network-pre.target", "WantedBy=multi-user.target", "After=local-fs.target systemd-sysctl.service",
    ):  # fmt: skip
        assert line in told


@pytest.mark.parametrize(
    "types, stops", [(["net"], False), (["pid"], False), (["user"], False), (["user", "net", "pid"], True)], ids=str
)
def test_only_what_a_shutdown_would_wait_for_is_stopped_before(types: list[str], stops: bool) -> None:
    told = lines(_units.unit_text({"name": "blue", "namespaces": types}, PLACES, "/usr/bin/python3"))
    assert ("Conflicts=shutdown.target" in told, "Before=shutdown.target" in told) == (stops, stops)


def test_a_unit_waits_for_the_file_systems_of_its_files_and_not_for_what_it_mounts() -> None:
    entry = {"name": "blue", "directory": "/srv/kept"}
    assert (
        "RequiresMountsFor=/usr/local/lib/nsfleet/ns_persist.pyz /etc/nsfleet/namespaces/blue.json /srv"
        in lines(_units.unit_text(entry, PLACES, "/usr/bin/python3"))
    )  # fmt: skip


@pytest.mark.parametrize("path", ["", "/", "etc", "/a b", "/100%", "/$HOME", '/"', "/a\\b", "/a\n", "/ä"])
def test_a_path_that_is_not_one_word_for_systemd_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="python is .*must be an absolute path"):
        _units.checked_path("python", path)
    with pytest.raises(ValueError, match="directory of blue is"):
        _units.checked([{"name": "blue", "directory": path}])


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze")
def test_systemd_understands_a_unit(tmp_path: Any) -> None:
    path = tmp_path / _units.unit_name("web-1")
    path.write_text(_units.unit_text({"name": "web-1"}, PLACES, "/bin/sh"))
    done = subprocess.run(
        ["systemd-analyze", "--man=no", "verify", str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert path.name not in done.stderr

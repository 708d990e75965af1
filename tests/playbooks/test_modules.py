# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ns_facts with its subset network, and ns_snapshot, as tasks: what travels where, and what a task gets back."""

from __future__ import annotations

import json
import os
import pathlib
import stat
import subprocess
import sys
import zlib
from typing import Any, Callable

import pytest

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
OWN = os.readlink("/proc/self/ns/net")
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tmp_path: pathlib.Path) -> Run:
    """Run one task on this machine as a user does, with the result as JSON."""

    def task(module: str, arguments: dict[str, Any], *options: str, host: str = "web1") -> dict[str, Any]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
        kept.update({
            "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "ANSIBLE_HOME": str(tmp_path / "home"),
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".collections"), "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal",
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_LIBRARY": str(CHECKOUT / "plugins" / "modules"),
            "ANSIBLE_ACTION_PLUGINS": str(CHECKOUT / "plugins" / "action"),
            "PWD": str(tmp_path), "ANSIBLE_NOCOLOR": "1",
        })
        command = [
            sys.executable, "-m", "ansible", "adhoc", "all", "-i", host + ",", "-c", "local",
            "-e", json.dumps({"ansible_python_interpreter": sys.executable}),
            "-m", module, *(["-a", json.dumps(arguments)] if arguments else []), *options,
        ]
        done = subprocess.run(command, capture_output=True, env=kept, cwd=tmp_path, timeout=60, check=False)
        text = done.stdout.decode()
        result: dict[str, Any] = json.loads(text[text.index("=> {") + 3:text.rindex("}") + 1])
        return result

    return task


def content(path: pathlib.Path) -> dict[str, Any]:
    """What a snapshot holds."""
    found: dict[str, Any] = json.loads(zlib.decompress(path.read_bytes()))
    return found


@pytest.mark.parametrize("module", ["ns_facts", "nsfleet.linux.ns_facts"])
@pytest.mark.parametrize("subset", [["network"], "namespaces,network", "network"], ids=str)
def test_the_subset_network_is_gathered_under_every_name_of_the_module(run: Run, module: str, subset: Any) -> None:
    facts = run(module, {"gather_subset": subset})["ansible_facts"]["namespaces"]
    assert {link["name"] for link in facts["networks"][OWN]["links"]} >= {"lo"}
    assert ("inventory" in facts) == ("namespaces" in subset)


def test_without_it_there_are_no_networks(run: Run) -> None:
    facts = run("nsfleet.linux.ns_facts", {})["ansible_facts"]["namespaces"]
    assert "networks" not in facts and facts["inventory"]


def test_a_subset_that_does_not_exist_is_refused_in_a_sentence(run: Run) -> None:
    result = run("nsfleet.linux.ns_facts", {"gather_subset": "netwerk"})
    assert result["msg"].startswith("value of gather_subset must be one or more of: namespaces, containers, network.")


def test_the_network_s_module_has_networks_without_being_told(run: Run) -> None:
    assert OWN in run("nsfleet.linux.ns_facts_network", {})["ansible_facts"]["namespaces"]["networks"]


def test_ns_facts_runs_in_the_background_too(run: Run) -> None:
    result = run("nsfleet.linux.ns_facts", {"gather_subset": "network"}, "-B", "30", "-P", "1")
    assert OWN in result["ansible_facts"]["namespaces"]["networks"]


def test_a_snapshot_holds_everything_and_the_result_numbers_only(run: Run, tmp_path: pathlib.Path) -> None:
    result = run("nsfleet.linux.ns_snapshot", {"dest": "kept/one.json.zlib"})
    path = tmp_path / "kept" / "one.json.zlib"
    facts = content(path)
    assert OWN in facts["networks"]
    assert any(space["leader"] and "cmdline" in space["leader"] and space["pids"] for space in facts["inventory"])
    assert result["dest"] == str(path) and result["size"] == path.stat().st_size and result["changed"] is True
    assert result["counts"]["networks"] == len(facts["networks"])
    assert result["complete"] == facts["complete"]
    assert len(json.dumps(result)) < 1500


def test_a_snapshot_is_for_nobody_else_s_eyes(run: Run, tmp_path: pathlib.Path) -> None:
    run("nsfleet.linux.ns_snapshot", {"dest": "one"})
    assert stat.S_IMODE((tmp_path / "one").stat().st_mode) == 0o600


@pytest.mark.parametrize("dest", ["folder/", "there"])
def test_in_a_folder_it_is_called_like_the_host(run: Run, tmp_path: pathlib.Path, dest: str) -> None:
    (tmp_path / "there").mkdir()
    assert run("nsfleet.linux.ns_snapshot", {"dest": dest})["dest"] == str(tmp_path / dest / "web1.json.zlib")


def test_a_host_s_name_leads_nowhere_else(run: Run, tmp_path: pathlib.Path) -> None:
    result = run("nsfleet.linux.ns_snapshot", {"dest": "kept/"}, host="../../up")
    assert list(tmp_path.glob("*up*")) == [] and result["dest"].startswith(str(tmp_path / "kept") + "/")


def test_a_snapshot_without_networks_has_none(run: Run, tmp_path: pathlib.Path) -> None:
    run("nsfleet.linux.ns_snapshot", {"dest": "one", "gather_subset": "containers"})
    assert "networks" not in content(tmp_path / "one")


def test_secrets_are_left_out_when_told(run: Run, tmp_path: pathlib.Path) -> None:
    run("nsfleet.linux.ns_snapshot", {"dest": "one", "cmdline": False, "labels": False, "processes": False})
    facts = content(tmp_path / "one")
    assert all("pids" not in space and "cmdline" not in (space["leader"] or {}) for space in facts["inventory"])


def test_check_mode_looks_and_writes_nothing(run: Run, tmp_path: pathlib.Path) -> None:
    result = run("nsfleet.linux.ns_snapshot", {"dest": "one"}, "--check")
    assert result["changed"] is True and result["counts"]["networks"]
    assert not (tmp_path / "one").exists()


def test_a_new_snapshot_replaces_the_old_one_whole(run: Run, tmp_path: pathlib.Path) -> None:
    (tmp_path / "one").write_text("x" * 1_000_000)
    run("nsfleet.linux.ns_snapshot", {"dest": "one"})
    assert content(tmp_path / "one")["schema_version"] == 1
    assert sorted(entry.name for entry in tmp_path.iterdir() if "snapshot" in entry.name) == []


def test_a_place_that_cannot_be_written_is_named(run: Run, tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("nsfleet.linux.ns_snapshot", {"dest": "file/one"})
    assert "file/one must be writable on the controller: " in result["msg"]


def test_what_is_no_file_is_not_replaced(run: Run, tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "dest must be a file, and " in run("nsfleet.linux.ns_snapshot", {"dest": "pipe"})["msg"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@pytest.mark.parametrize("arguments", [{}, {"dest": ""}])
def test_dest_is_needed(run: Run, arguments: dict[str, Any]) -> None:
    message = run("nsfleet.linux.ns_snapshot", arguments)["msg"]
    assert "dest must be a path on the controller, and is missing." in message

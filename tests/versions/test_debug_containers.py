# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""debug-containers.yml under every promised ansible-core: before 2.19 Ansible takes more for a template than now."""

from __future__ import annotations

import json
import pathlib
import sys

import pytest
import pythons
from test_versions import CHECKOUT, core

sys.path.insert(0, str(CHECKOUT / "tests/playbooks"))
from canned import HOSTILE, container, crowd, facts
from canned_commands import many, said
from canned_network import crowded
from playing import player

RELEASES = [release for release in pythons.CORES if pythons.controller(release)]


@pytest.mark.parametrize("release", RELEASES)
def test_what_hosts_and_containers_say_is_shown_and_not_evaluated(tmp_path: pathlib.Path, release: str) -> None:
    words = "unreachable: {{ lookup('pipe', 'touch $OWNED') }}"
    played = player(tmp_path, core(release))({"gone": words, "web1": crowd(20, HOSTILE)})
    assert played.json("index.json")["hosts"][0]["reason"] == words
    assert {one["name"] for one in played.json("hosts/web1.json")["containers"]} >= set(HOSTILE)
    assert any(line.startswith("  {{ 6*7 }} ") for line in played.table)
    assert not played.owned


@pytest.mark.parametrize("release", RELEASES)
def test_a_second_run_changes_nothing(tmp_path: pathlib.Path, release: str) -> None:
    play = player(tmp_path, core(release))
    assert play({"web1": crowd(20, HOSTILE)}).changed == 1
    assert play({"web1": crowd(20, HOSTILE)}).changed == 0


@pytest.mark.parametrize("release", RELEASES)
def test_a_host_fails_with_its_faults_in_words_that_are_not_evaluated(tmp_path: pathlib.Path, release: str) -> None:
    host = crowded(2)
    host.containers[1]["name"] = "{{ lookup('pipe', 'touch $OWNED') }}"
    lost = host.of(host.containers[1])
    lost["routes"] = [route for route in lost["routes"] if route["destination"] != "default"]
    host.wire(host.add("other"), "br-shop", "172.18.0.9/16", gateway="172.18.0.1")
    played = player(tmp_path, core(release))({"bad": host.facts()}, debug_fail_on_fault=True, debug_faults="RT-001")
    assert played.status == 2
    words = " ".join(played.output.replace("''", "'").split())  # a quote in quotes, in older YAML
    assert "1 fault: {{ lookup('pipe', 'touch $OWNED') }} has no default route" in words
    assert (played.reports / "hosts/bad.svg").exists()
    assert not played.owned


@pytest.mark.parametrize("release", RELEASES)
def test_what_commands_say_is_shown_and_not_evaluated(tmp_path: pathlib.Path, release: str) -> None:
    words = "{{ lookup('pipe', 'touch $OWNED') }}"
    web = container(1, "web")
    (tmp_path / "said.json").write_text(json.dumps({"id": many(said(web, words), msg=words)}))
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    hosts = {"gone": "unreachable: " + words, "web1": facts([web])}
    inventory = {"all": {"vars": here, "hosts": dict.fromkeys(hosts, {})}}
    played = player(tmp_path, core(release))(hosts, inventory=inventory, debug_commands=["id"])
    assert "      " + words in played.table
    assert played.json("hosts/web1.json")["commands"][0]["results"][0]["lines"] == [words]
    assert not played.owned

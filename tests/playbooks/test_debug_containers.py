# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""debug-containers.yml: what it prints, what it writes, and what it does with hosts and names that are not kind."""

from __future__ import annotations

import base64
import json
import os
import pathlib
import re
import zlib
from typing import Any

import pytest
from canned import HOST, HOSTILE, container, crowd, facts, mount, namespace
from canned_network import crowded, docker_host
from playing import Play, Played, Shown
from width import columns_of


def lines_of_the_role(output: str, form: str) -> list[str]:
    """What the table's task printed, as it stands on the terminal."""
    printed = output.split("they share]")[1].split("\n\nTASK [")[0].split("\n")[2:]
    return printed if form == "yaml" else [line for line in printed if line.startswith("        ")]


def test_a_hundred_containers_with_hostile_names_fit_into_eighty_columns(hostile: Played) -> None:
    lines = lines_of_the_role(hostile.output, "yaml")
    assert len(lines) > 100
    assert [line for line in lines if columns_of(line) > 80] == []


def test_they_do_where_results_are_printed_as_json(play: Play) -> None:
    played = play({"web1": crowd(100, HOSTILE)}, form="json", debug_containers_directory="")
    lines = lines_of_the_role(played.output, "json")
    assert len(lines) > 100
    assert [line for line in lines if columns_of(line) > 80] == []


def test_a_row_says_name_engine_image_pid_namespaces_and_partner(shown: Shown) -> None:
    web = container(1, "web", image="nginx:1.25")
    side = container(2, "side", engine="podman", image="envoy:1.28", pid=77)
    side["namespaces"]["net"], web["shared_with"], side["shared_with"] = (
        web["namespaces"]["net"], {"net": [side["id"]]}, {"net": [web["id"]]},
    )  # fmt: skip
    table = shown({"node": facts([web, side])})
    assert "  CONTAINER  ENGINE  IMAGE        PID  NS        SHARED" in table
    assert "  side       podman  envoy:1.28    77  muip=-c-  net: web" in table
    assert "  web        docker  nginx:1.25  1001  muip=-c-  net: side" in table


def test_the_host_s_network_is_said_in_words(shown: Shown) -> None:
    one = container(1, "web", shared_with_host=["net", "user", "time"])
    one["namespaces"]["net"] = HOST["net"]
    assert any(line.endswith("muip--c-  net: host") for line in shown({"node": facts([one])}))


def test_every_host_has_a_heading(shown: Shown) -> None:
    table = shown({"node1": crowd(3), "node2": facts([])})
    assert "node1: 3 containers (podman 2, docker 1)" in table
    assert "node2: no containers" in table


def test_a_network_namespace_whose_container_is_gone_is_left_over(play: Play) -> None:
    pins = [mount("/run/docker/netns/1a2b3c4d5e6f"), {"kind": "socket", "pid": 8, "descriptor": 14, "comm": "dockerd"}]
    played = play({"node": facts([], (namespace("net", 4026539001, pins=pins),))})
    assert "  net:[4026539001]   leftover  mount /run/docker/netns/1a2b3c4d5e6f" in played.table
    assert "                               socket 14 of dockerd (pid 8)" in played.table
    assert "1 namespace left over from a container that is gone: node (1)." in played.table
    assert "net:\\[4026539001\\]\\#4026539001" in played.markdown("index.md")
    (kept,) = played.json("hosts/node.json")["kept"]
    assert kept["verdict"] == "leftover"


def test_a_namespace_with_a_name_is_not_accused(play: Play) -> None:
    played = play({"node": facts([], (namespace("net", 4026539002, pins=[mount("/run/netns/blue")]),))})
    assert "  net:[4026539002]   named    mount /run/netns/blue" in played.table
    assert "left over" not in played.output


def test_no_hostile_name_reaches_the_terminal_or_is_evaluated(hostile: Played) -> None:
    assert "\x1b" not in hostile.output
    assert "\u202e" not in hostile.output
    assert "ok: [fake]" not in hostile.output.splitlines()
    assert "  {{ 6*7 }} " in hostile.output
    assert not hostile.owned


def test_hostile_names_are_no_markup_in_markdown(hostile: Played) -> None:
    page = hostile.markdown("hosts/web1.md")
    assert "<script>" not in page
    assert "\n# heading" not in page
    assert not re.search(r"(?<!\\)\]\(", page)
    for line in page.split("## Containers")[1].split("### Their")[0].splitlines():
        if line.startswith("| "):
            assert line.replace("\\|", "").count("|") == 11, line


def test_json_keeps_the_names_as_they_are(hostile: Played) -> None:
    names = {one["name"] for one in hostile.json("hosts/web1.json")["containers"]}
    assert set(HOSTILE) <= names


def test_an_unreachable_host_costs_nobody_else_s_report(play: Play) -> None:
    played = play({"gone": "unreachable: no route", "bad": "no Python", "good": crowd(2)})
    assert played.status == 2
    assert {host["host"]: host["status"] for host in played.json("index.json")["hosts"]} == {
        "gone": "unreachable", "bad": "failed", "good": "complete",
    }  # fmt: skip
    assert "NOT SEEN: gone, unreachable: unreachable: no route" in played.table
    assert "NOT SEEN: bad, failed: no Python" in played.table
    assert "| bad | failed | no Python |" in played.markdown("index.md")
    assert sorted(os.listdir(played.reports / "hosts")) == ["good.json", "good.md"]


def test_when_no_host_can_be_reached_the_index_says_so(play: Play) -> None:
    played = play({"gone": "unreachable: no route"})
    assert played.status == 2
    assert played.json("index.json")["totals"]["seen"] == 0


def test_the_words_of_an_unreachable_host_are_not_evaluated(play: Play) -> None:
    played = play({"gone": "unreachable: {{ lookup('pipe', 'touch $OWNED') }}", "good": crowd(1)})
    assert "lookup('pipe'" in played.json("index.json")["hosts"][0]["reason"]
    assert not played.owned


def test_no_inventory_name_writes_elsewhere(play: Play, tmp_path: pathlib.Path) -> None:
    names = ["../evil", ".hidden", "a/b", "a%2Fb", "ü" * 100, "index"]
    played = play({name: facts([]) for name in names})
    assert played.status == 0, played.output
    entries = played.json("index.json")["hosts"]
    paths = {(played.reports / entry["files"]["json"]).resolve() for entry in entries}
    assert {path.parent for path in paths} == {(played.reports / "hosts").resolve()}
    assert {json.loads(path.read_text())["host"] for path in paths} == set(names)
    assert {path.name for path in tmp_path.iterdir()} == {
        "ansible.cfg", "collections", "debug-containers", "facts.json", "inventory.json",
    }  # fmt: skip


def test_a_second_run_changes_nothing_but_what_changed(play: Play) -> None:
    hosts = {"a": docker_host().facts(), "b": crowd(2)}
    first = play(hosts)
    assert first.changed == 1
    before = first.written
    assert sorted(before) == [
        "hosts/a.json", "hosts/a.md", "hosts/a.svg", "hosts/b.json", "hosts/b.md", "index.json", "index.md",
    ]  # fmt: skip
    hosts["a"]["gathered_at"] = "2026-11-22T00:00:00Z"
    hosts["a"]["problems"] = [{"what": "processes", "reason": "vanished", "count": 3}]
    hosts["a"]["networks"][HOST["net"]]["listening"][0].update(queue=3, inode=99)
    again = play(hosts)
    assert (again.changed, again.written) == (0, before)
    hosts["b"]["containers"][0]["pid"] = 4711
    other = play(hosts)
    assert other.changed == 1
    assert {name for name, when in other.written.items() if before[name] != when} == {"hosts/b.json", "hosts/b.md"}


def test_check_mode_writes_nothing_and_says_what_it_would(play: Play) -> None:
    played = play({"a": crowd(3)}, "--check")
    assert played.status == 0, played.output
    assert played.changed == 1
    assert not played.reports.exists()
    assert "The reports would begin with debug-containers/index.md" in played.table


def test_the_table_is_shown_when_the_reports_cannot_be_written(play: Play) -> None:
    played = play({"a": crowd(1), "b": crowd(2)}, debug_containers_directory="/proc/no/such")
    assert played.status == 2
    assert "2 hosts seen, 3 containers (docker 2, podman 1)." in played.table
    assert played.table[-1] == "The reports could not be written."
    assert "/proc/no" in played.output.split("[nsfleet.linux.debug_containers : Fail where")[1]


def test_without_a_folder_nothing_is_written(play: Play) -> None:
    played = play({"a": crowd(3)}, debug_containers_directory="")
    assert played.status == 0
    assert not played.reports.exists()
    assert "reports begin" not in played.output


def test_patterns_and_engines_choose_containers(play: Play) -> None:
    hosts = {"a": crowd(12)}
    played = play(hosts, debug_containers_containers=["*-0001", "shop/*"], debug_containers_engines=["podman"])
    assert [one["name"] for one in played.json("hosts/a.json")["containers"]] == [
        "web-frontend-0005", "web-frontend-0001",
    ]  # fmt: skip
    assert "a: 2 containers chosen of 12 (podman)" in played.table
    assert "a: none of its 12 containers was chosen" in play(hosts, debug_containers_containers=["no-such"]).table


def test_containers_of_others_do_not_change_the_report_of_chosen_ones(play: Play) -> None:
    chosen = {"debug_containers_containers": ["web-frontend-0003"], "debug_containers_kept": False}
    play({"a": crowd(4)}, **chosen)
    more = crowd(9)
    more["problems"] = [{"what": "state of podman f093bca8fc0e", "reason": "not found", "count": 1}]
    assert play({"a": more}, **chosen).changed == 0


def test_what_could_not_be_seen_is_said_with_the_reason(play: Play) -> None:
    refused = [{"what": "processes", "reason": "refused: EACCES", "count": 80}]
    left = namespace("net", 4026539001, pins=[mount("/run/docker/netns/1a2b3c4d5e6f")])
    played = play({"a": facts([container(1, "web")], (left,), problems=refused, complete=False)})
    assert "  Not everything could be seen: processes (refused: EACCES)." in played.table
    assert "Seen in part only: a." in played.table
    # A process that was not seen may be in it.
    assert "  net:[4026539001]   unproven  mount /run/docker/netns/1a2b3c4d5e6f" in played.table
    assert "- processes: refused: EACCES" in played.markdown("hosts/a.md")


def test_numbers_stand_below_each_container(shown: Shown) -> None:
    table = shown({"a": facts([container(1, "web")])}, debug_containers_numbers=True)
    row = next(index for index, line in enumerate(table) if line.startswith("  web"))
    assert table[row + 1] == "    mnt 4026540008  uts 4026540009  ipc 4026540010  pid 4026540011"


def test_columns_without_room_are_named(play: Play) -> None:
    every = ["name", "id", "engine", "image", "pod", "state", "user", "unit", "pid", "namespaces", "shared"]
    played = play({"a": crowd(10)}, debug_containers_columns=every, debug_containers_width=60)
    assert any("No room in 52 columns for: " in line for line in played.table)
    assert max(map(columns_of, lines_of_the_role(played.output, "yaml"))) <= 60


def test_a_wrong_value_is_refused(play: Play) -> None:
    assert play({"a": crowd(1)}, debug_containers_columns=["nmae"]).status == 2


@pytest.mark.parametrize("option, value, words", [
    ("width", 20, "at least 40 columns to the tables, and leaves 12, because Ansible takes some for itself: add 28"),
    ("rows", 0, "rows must be at least 1, not 0"),
])
def test_a_table_that_cannot_be_read_is_refused_in_words(play: Play, option: str, value: int, words: str) -> None:
    played = play({"a": crowd(1)}, **{"debug_containers_" + option: value})
    assert played.status == 2
    assert words in " ".join(played.output.split())


def test_patterns_may_be_one_text_as_on_a_command_line(play: Play) -> None:
    hosts = {"a": crowd(12)}
    assert "a: none of its 12 containers was chosen" in play(hosts, debug_containers_containers="no-such*").table
    assert "a: 2 containers chosen of 12 (podman)" in play(
        hosts, debug_containers_containers="*-0001,shop/*", debug_containers_engines="podman").table


def test_what_an_inventory_says_of_localhost_does_not_hinder_the_reports(play: Play) -> None:
    unkind = {
        "ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_become": True,
        "ansible_become_exe": "/no/sudo", "ansible_python_interpreter": "/no/python",
    }  # fmt: skip
    inventory = {"all": {"vars": unkind, "hosts": {"a": {}, "localhost": {}}}}
    played = play({"a": crowd(2), "localhost": crowd(1)}, inventory=inventory)
    assert played.status == 0, played.output
    assert played.json("hosts/a.json")["containers"]


def test_batches_end_in_one_index(play: Play, tmp_path: pathlib.Path) -> None:
    role = [{"hosts": "all", "gather_facts": False, "serial": 1, "roles": ["nsfleet.linux.debug_containers"]}]
    (tmp_path / "batches.yml").write_text(json.dumps(role))
    hosts = {"a": crowd(1), "b": "unreachable: no route", "c": crowd(2)}
    played = play(hosts, playbook="batches.yml")
    # A batch in which no host is left ends the play: "c" is then still to come.
    assert [host["status"] for host in played.json("index.json")["hosts"]][:2] == ["complete", "unreachable"]
    hosts["b"] = crowd(1)
    index = play(hosts, playbook="batches.yml").json("index.json")
    assert [host["status"] for host in index["hosts"]] == ["complete"] * 3


def test_a_format_may_be_one_text_as_on_a_command_line(play: Play) -> None:
    played = play({"a": crowd(1)}, debug_containers_formats="json")
    assert played.status == 0
    assert [path.name for path in sorted((played.reports / "hosts").iterdir())] == ["a.json"]


def test_each_host_has_a_page_with_its_network_and_a_drawing(play: Play) -> None:
    played = play({"a": docker_host().facts(), "b": crowd(1)})
    assert played.status == 0, played.output
    page = played.markdown("hosts/a.md")
    assert "![Wiring](a.svg)" in page
    assert "```mermaid\nflowchart LR\n" in page
    assert "| web | eth0 (veth, up, mtu 1500) to veth51ef0 on docker0 (bridge, mtu 1500) | eth0 172.17.0.2/16 " in page
    web = next(one for one in played.json("hosts/a.json")["containers"] if one["name"] == "web")
    assert web["network"]["default_routes"][0]["gateway"] == "172.17.0.1"
    assert (played.reports / "hosts/a.svg").read_text().startswith("<svg ")
    # Where networks were not seen there is nothing to draw.
    assert not (played.reports / "hosts/b.svg").exists()
    assert played.json("index.json")["hosts"][1]["files"].keys() == {"json", "markdown"}
    assert "    web               172.17.0.2/16  8080->80                 veth51ef0" in played.table


def test_without_svg_the_page_has_the_flowchart_only(play: Play) -> None:
    played = play({"a": docker_host().facts()}, debug_containers_formats="markdown")
    assert sorted(played.written) == ["hosts/a.md", "index.md"]
    assert "```mermaid" in played.markdown("hosts/a.md")
    assert "a.svg" not in played.markdown("hosts/a.md")


def faulty() -> dict[str, Any]:
    """A host on which one container of two lost its way out."""
    host = crowded(4)
    lost = host.of(host.containers[2])
    lost["routes"] = [route for route in lost["routes"] if route["destination"] != "default"]
    lost["dns"]["nameservers"] = ["172.17.0.1"]
    return host.facts()


def test_faults_are_told_in_words_on_the_terminal_and_in_the_files(play: Play) -> None:
    played = play({"a": faulty()})
    assert played.status == 0, played.output
    assert any(line.startswith("  HIGH      web-frontend-0002 has no default route") for line in played.table)
    assert "1 fault: a (1 high)." in played.table
    assert "| high | web-frontend-0002 | web-frontend-0002 has no default route" in played.markdown("hosts/a.md")
    assert "| [a](hosts/a.md) ([JSON](hosts/a.json)) | complete | 4 | 1 high | 0 |" in played.markdown("index.md")
    report = played.json("hosts/a.json")
    assert [one["check"] for one in report["faults"]] == ["RT-001"]
    assert [one["faults"][0]["check"] for one in report["containers"] if one["faults"]] == ["RT-001"]
    assert played.json("index.json")["totals"]["faults"] == {"high": 1}


def test_a_host_with_a_fault_fails_when_asked_and_all_reports_are_written(play: Play) -> None:
    played = play({"bad": faulty(), "good": crowded(2).facts()}, debug_fail_on_fault=True)
    assert played.status == 2
    assert "1 fault: web-frontend-0002 has no default route" in " ".join(played.output.split())
    assert re.search(r"^bad .*failed=1", played.output, re.MULTILINE)
    assert re.search(r"^good .*failed=0", played.output, re.MULTILINE)
    assert {"hosts/bad.md", "hosts/good.md", "index.md"} <= set(played.written)


@pytest.mark.parametrize("picked", [[], "DNS,SOC", ["medium", "low"]])
def test_a_fault_that_was_not_picked_is_neither_told_nor_fails(play: Play, picked: Any) -> None:
    played = play({"bad": faulty()}, debug_fail_on_fault=True, debug_faults=picked)
    assert played.status == 0, played.output
    assert "FAULTS" not in played.table


def test_an_unknown_fault_is_refused_with_what_there_is(play: Play) -> None:
    played = play({"bad": faulty()}, debug_faults=["RT-01"])
    assert played.status == 2
    assert "debug_faults has RT-01, and that is neither all nor a check" in " ".join(played.output.split())


def test_the_words_of_a_fault_are_not_evaluated(play: Play) -> None:
    host = crowded(2)
    host.containers[1]["name"] = "{{ lookup('pipe', 'touch $OWNED') }}"
    lost = host.of(host.containers[1])
    lost["routes"] = [route for route in lost["routes"] if route["destination"] != "default"]
    lost["dns"]["nameservers"] = ["172.18.0.1"]
    host.wire(host.add("other"), "br-shop", "172.18.0.9/16", gateway="172.18.0.1")
    played = play({"bad": host.facts()}, debug_fail_on_fault=True)
    assert played.status == 2
    assert "1 fault: {{ lookup('pipe', 'touch $OWNED') }} has no default route" in " ".join(played.output.split())
    assert not played.owned


@pytest.mark.parametrize(("canned", "reason"), [
    ({"raw": base64.b64encode(b"no zlib").decode()}, "its snapshot is damaged"),
    ({"raw": base64.b64encode(zlib.compress(b"{}")).decode()}, "its snapshot has no facts of a host"),
    ({"host": {}, "lost": True}, "its snapshot cannot be read: No such file or directory"),
    ({"host": {}, "containers": [{"id": 1, "namespaces": 5}]}, "its snapshot cannot be understood: AttributeError"),
    ({"result": {"skipped": True, "dest": "/etc/hostname"}}, "it returned no facts"),
    ({"result": {"dest": "/etc/hostname"}}, "it returned no facts"),
    ({"result": {}}, "it returned no facts"),
])  # fmt: skip
def test_what_is_no_snapshot_is_a_host_that_failed(play: Play, canned: dict[str, Any], reason: str) -> None:
    played = play({"bad": canned, "good": crowd(1)})
    assert played.status == 2
    bad, good = played.json("index.json")["hosts"]
    assert (bad["status"], good["status"]) == ("failed", "complete")
    assert bad["reason"].startswith(reason)


def test_snapshots_are_kept_when_asked_for_their_owner_only(play: Play) -> None:
    played = play({"a/b": crowd(1)}, debug_containers_snapshots=True)
    assert played.status == 0, played.output
    path = played.reports / "snapshots/a%2Fb.json.zlib"
    assert json.loads(zlib.decompress(path.read_bytes())) == crowd(1)
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_old_snapshot_does_not_make_a_host_seen(play: Play) -> None:
    play({"a": crowd(1)}, debug_containers_snapshots=True)
    played = play({"a": "unreachable: no route"}, debug_containers_snapshots=True)
    assert played.json("index.json")["hosts"][0]["status"] == "unreachable"


@pytest.mark.parametrize("facts_of_a", [crowd(1), "no Python", {"raw": "AAAA"}], ids=["seen", "failed", "damaged"])
def test_no_temporary_file_is_left(play: Play, tmp_path: pathlib.Path, facts_of_a: Any) -> None:
    temporary = tmp_path / "temporary"
    play({"a": facts_of_a}, environment={"ANSIBLE_LOCAL_TEMP": str(temporary)}, debug_containers_directory="")
    assert list(temporary.iterdir()) == []


def test_a_play_in_batches_reads_each_snapshot_once(play: Play, tmp_path: pathlib.Path) -> None:
    role = [{"hosts": "all", "gather_facts": False, "serial": 1, "roles": ["nsfleet.linux.debug_containers"]}]
    (tmp_path / "batches.yml").write_text(json.dumps(role))
    hosts = {"a": faulty(), "b": docker_host().facts(), "c": {**crowd(2), "alone": True}}
    played = play(hosts, playbook="batches.yml", debug_containers_snapshots=True)
    assert played.status == 0, played.output
    index = played.json("index.json")
    assert [host["containers"] for host in index["hosts"]] == [4, 8, 2]
    assert index["hosts"][0]["faults"] == {"high": 1}
    assert "| a | high | web-frontend-0002 has no default route" in played.markdown("index.md")
    # The table of a batch has its own hosts only.
    assert "1 host seen, 2 containers (docker 1, podman 1)." in played.table


def test_what_hosts_told_stays_out_of_ansible_s_output_and_variables(play: Play) -> None:
    played = play({"a": crowded(50).facts()}, "-vvv", debug_containers_terminal=False)
    assert "172.17.0.40" not in played.output.split("PLAY RECAP")[0].split("Judge, and write")[0]


def test_without_the_networks_only_leftovers_are_judged(play: Play) -> None:
    left = namespace("net", 4026539001, pins=[mount("/run/docker/netns/1a2b3c4d5e6f")])
    played = play({"a": facts([container(1, "web")], (left,))}, debug_containers_network=False)
    report = played.json("hosts/a.json")
    assert [one["check"] for one in report["faults"]] == ["LEAK-001"]
    assert report["unjudged"] == []
    assert "network" not in report


def test_without_the_role_the_same_is_three_tasks(play: Play, tmp_path: pathlib.Path) -> None:
    dest = "{{ place.path }}/{{ inventory_hostname | ansible.builtin.hash('sha256') }}"
    report = {"hosts": ["a", "b"], "shown": ["b"], "register": "looked"}
    tasks: list[dict[str, Any]] = [
        {"nsfleet.linux.containers_report": {"state": "prepared"}, "run_once": True, "register": "place"},
        {"nsfleet.linux.ns_snapshot": {"dest": dest}, "register": "looked"},
        {"nsfleet.linux.containers_report": report, "run_once": True, "register": "reported"},
        {"name": "they share", "ansible.builtin.debug": {"msg": "{{ reported.lines | join('\n') }}"}, "run_once": True},
    ]
    (tmp_path / "own.yml").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    played = play({"a": crowded(3).facts(), "b": crowded(2).facts()}, playbook="own.yml")
    assert played.status == 0, played.output
    assert "b: 2 containers (docker)" in played.table
    assert "a: 3 containers (docker)" not in played.table
    assert "1 host seen, 2 containers (docker)." in played.table
    assert not played.reports.exists()

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of ns_facts: exactly what its documentation says, and nothing that was not asked for."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any, Iterator

import pytest
import yaml
from recorded.engines import crio, docker, identity, podman
from recorded.host import HOST, HYBRID_MOUNTS, ROOT_MOUNT, Host

from ansible_collections.nsfleet.linux.plugins.module_utils._facts import Request, facts_for, gather
from ansible_collections.nsfleet.linux.plugins.module_utils._facts_network import gather_networks
from ansible_collections.nsfleet.linux.plugins.module_utils._model.inventory import TYPES
from ansible_collections.nsfleet.linux.plugins.module_utils._options import facts_options

MODULES = Path(__file__).resolve().parents[2] / "plugins" / "modules"
EVERYTHING: dict[str, Any] = {"cmdline": True, "labels": True, "processes": True}
FREE = {
    "counts", "own", "host", "features", "labels", "capabilities", "namespaces", "shared_with", "details", "metrics",
    "sockets", "sysctls", "legacy", "conntrack", "tables[]", "decoded[]",
}


def documentation(name: str, module: str = "ns_facts") -> Any:
    """A block of a module's, read without importing it."""
    for node in ast.parse((MODULES / (module + ".py")).read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return yaml.safe_load(ast.literal_eval(node.value))
    raise AssertionError(name)


RETURN = documentation("RETURN")["ansible_facts"]["contains"]["namespaces"]
NETWORKS = documentation("RETURN", "ns_facts_network")["ansible_facts"]["contains"]["namespaces"]["contains"]["networks"]


@pytest.fixture
def rich(tmp_path: Path) -> Host:
    """A host with three containers, one of them in a pod, and pins of every kind that a recorded tree can have."""
    host = Host(tmp_path)
    docker(host, "web", 500, Labels={"tier": "front"})
    podman(host, "db", 520)
    crio(host, "sandbox", 540)
    own = host.namespaces("net")
    folder = host.root / "proc" / str(host.process(900, 1, "holder", arguments=["holder", "--password", "x"]))
    (folder / "ns" / "pid_for_children").symlink_to("pid:[4026533001]")
    (folder / "fd").mkdir()
    (folder / "fd" / "3").symlink_to(f"net:[{own['net']}]")
    (folder / "stat").write_text("900 (holder) S 1 9 9 0 -1 0 0 0 0 0 0 0 0 0 20 0 2 0 9000 0 0\n")
    for tid, net in ((900, HOST["net"]), (901, 4026533002)):
        (folder / "task" / str(tid) / "ns").mkdir(parents=True)
        (folder / "task" / str(tid) / "ns" / "net").symlink_to(f"net:[{net}]")
    blue = "430 27 0:4 net:[4026533003] /run/netns/blue rw - nsfs nsfs rw\n"
    (host.root / "proc" / "1" / "mountinfo").write_text(ROOT_MOUNT + HYBRID_MOUNTS + blue)
    (host.root / "proc" / "self" / "ns").symlink_to("../1/ns")
    host.file("/proc/sys/kernel/random/boot_id", "6a1c3fbb-5d0e-4b7e-9d41-0c2f0c9f4c55\n")
    return host


def facts_of(host: Host, **options: Any) -> dict[str, Any]:
    return gather(Request(**options), str(host.root / "proc"), str(host.root))


def compare(where: str, documented: dict[str, Any], value: Any) -> Iterator[str]:
    """What does not agree between an entry of RETURN and a value."""
    if value is None:
        return
    if type(value).__name__ != documented["type"]:
        yield f"{where} is {type(value).__name__}, documented as {documented['type']}"
        return
    if isinstance(value, list):
        item = {**documented, "type": documented["elements"]}
        for entry in value:
            yield from compare(where + "[]", item, entry)
        return
    contains = documented.get("contains")
    if contains is None:
        if isinstance(value, dict) and where.rpartition(".")[2] not in FREE:
            yield f"{where} has keys that are not documented"
        return
    for key in value:
        if key not in contains:
            yield f"{where}.{key} is not documented"
        else:
            yield from compare(f"{where}.{key}", contains[key], value[key])
    for key, entry in contains.items():
        if entry["returned"] == "always" and key not in value:
            yield f"{where}.{key} is always returned, but is not there"


def paths(value: Any, where: str = "") -> set[str]:
    """Every documented place that a value reaches."""
    if isinstance(value, list):
        return set().union(*(paths(entry, where) for entry in value)) if value else set()
    if not isinstance(value, dict) or where.rpartition(".")[2] in FREE:
        return set()
    found = set()
    for key, entry in value.items():
        found |= {f"{where}.{key}"} | paths(entry, f"{where}.{key}")
    return found


def documented_paths(contains: dict[str, Any], where: str = "") -> set[str]:
    found = set()
    for key, entry in contains.items():
        found |= {f"{where}.{key}"} | documented_paths(entry.get("contains", {}), f"{where}.{key}")
    return found


@pytest.mark.parametrize("options", [{}, EVERYTHING, {"timeout": 1e-9}, {"max_entries": 1}], ids=str)
def test_the_result_is_as_documented(rich: Host, options: dict[str, Any]) -> None:
    assert list(compare("", RETURN, facts_of(rich, **options))) == []


@pytest.mark.parametrize("options", [{}, EVERYTHING], ids=str)
def test_this_machine_s_result_is_as_documented(options: dict[str, Any]) -> None:
    assert list(compare("", RETURN, gather(Request(**options)))) == []


def test_every_documented_key_is_there(rich: Host) -> None:
    found = paths(facts_of(rich, max_entries=1, **EVERYTHING)) | paths(facts_of(rich, **EVERYTHING))
    # Relatives of a namespace are told by the live kernel only.
    found |= paths(gather(Request(**EVERYTHING)))
    assert documented_paths(RETURN["contains"]) - found == {".networks"}  # of which its own module tells


def test_the_documentation_lists_the_options_with_their_defaults() -> None:
    for node in ast.walk(ast.parse((MODULES.parent / "doc_fragments" / "_facts.py").read_text())):
        if isinstance(node, ast.Assign):
            options = yaml.safe_load(ast.literal_eval(node.value))["options"]
    assert {name: option["default"] for name, option in options.items()} == {
        name: list(value) if isinstance(value, tuple) else value for name, value in vars(Request()).items()
    }
    assert {name: spec["choices"] for name, spec in facts_options().items() if "choices" in spec} == {
        name: option["choices"] for name, option in options.items() if "choices" in option
    }


def test_this_machine_s_networks_are_as_documented() -> None:
    networks = gather_networks(Request(gather_subset=["network"]))["networks"]
    assert networks
    contains = NETWORKS["contains"]["NAME"]
    for name, network in networks.items():
        assert list(compare(name, contains, network)) == []
        assert network.keys() == contains["contains"].keys()


def test_networks_belong_to_the_facts_only_when_asked(rich: Host) -> None:
    assert "networks" not in facts_of(rich)
    looked = gather(Request(), str(rich.root / "proc"), str(rich.root), lambda facts, most: {"net:[1]": {"most": most}})
    assert looked["networks"] == {"net:[1]": {"most": 500}}
    assert looked.keys() - facts_of(rich).keys() == {"networks"}
    assert looked.keys() - {"networks"} == facts_of(rich).keys()


def test_the_module_without_the_code_for_networks_says_which_has_it() -> None:
    params = {**vars(Request()), "gather_subset": ["network"]}
    with pytest.raises(ValueError, match="name the module nsfleet.linux.ns_facts_network"):
        facts_for(params)


def test_who_asks_for_no_networks_has_none_looked_at() -> None:
    def look(dummy: Request) -> dict[str, Any]:
        raise AssertionError("networks were looked at")

    assert "networks" not in facts_for({**vars(Request()), "gather_subset": ["containers"]}, look)


@pytest.mark.parametrize("option, value", [("max_entries", 0), ("timeout", -1.0), ("timeout", float("nan"))])
def test_limits_must_be_positive(option: str, value: float) -> None:
    with pytest.raises(ValueError, match="^%s must be greater than 0, not " % option):
        facts_for({**vars(Request()), option: value})


@pytest.mark.parametrize("options", [{}, EVERYTHING], ids=str)
def test_the_result_is_json_and_valid_utf_8(rich: Host, options: dict[str, Any]) -> None:
    hostile = rich.root / "proc" / str(rich.process(950, 1, "x"))
    (hostile / "stat").write_bytes(b"950 (\xff) \x1b[2J) S 1 9 9 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 9000 0 0\n")
    (hostile / "cmdline").write_bytes(b"\xff\xfe\0\xed\xa0\x80\0")
    (hostile / "ns" / "net").unlink()
    (hostile / "ns" / "net").symlink_to("net:[4026533009]")
    facts = facts_of(rich, **options)
    assert "\ufffd) \x1b[2J" in [space["leader"]["comm"] for space in facts["inventory"] if space["leader"]]
    text = json.dumps(facts, ensure_ascii=False, allow_nan=False)
    assert json.loads(text.encode("utf-8")) == facts


def test_by_default_nothing_long_or_secret_is_returned(rich: Host) -> None:
    facts = facts_of(rich)
    assert all("pids" not in space for space in facts["inventory"])
    assert all("cmdline" not in (space["leader"] or {}) for space in facts["inventory"])
    assert all("labels" not in container for container in facts["containers"])
    assert "--password" not in json.dumps(facts) and "front" not in json.dumps(facts)


def test_command_lines_are_returned_when_asked(rich: Host) -> None:
    rich.process(960, 1, "leader", own=rich.namespaces("ipc"), arguments=["leader", "a b", ""])
    # Command lines are read as files of the disk are, below the root of those.
    facts = gather(Request(gather_subset=["namespaces"], cmdline=True), str(rich.root / "proc"), "/")
    told = {space["leader"]["comm"]: space["leader"]["cmdline"] for space in facts["inventory"] if space["leader"]}
    assert told["leader"][:2] == ["leader", "a b"]
    assert all(isinstance(arguments, list) for arguments in told.values())


def test_labels_are_returned_when_asked(rich: Host) -> None:
    facts = facts_of(rich, labels=True)
    assert {c["name"]: c["labels"] for c in facts["containers"]}["web"] == {"tier": "front"}


def test_process_ids_are_returned_when_asked_and_are_as_many_as_counted(rich: Host) -> None:
    for space in facts_of(rich, processes=True)["inventory"]:
        assert len(space["pids"]) == space["processes"]
        assert space["pids"] == sorted(space["pids"])


def test_lists_are_cut_at_max_entries_and_the_rest_is_counted(rich: Host) -> None:
    facts = facts_of(rich, processes=True, max_entries=1)
    user = next(space for space in facts["inventory"] if space["type"] == "user" and space["processes"] > 1)
    assert len(user["pids"]) == 1
    assert {"what": f"pids of {user['name']}", "reason": "truncated", "count": user["processes"] - 1} in facts["problems"]
    assert facts["complete"] is False


@pytest.mark.parametrize("types", [["net"], ["user", "mnt"], list(TYPES)])
def test_types_narrow_the_inventory_and_the_counts_but_not_the_containers(rich: Host, types: list[str]) -> None:
    facts = facts_of(rich, types=types)
    assert {space["type"] for space in facts["inventory"]} == set(types)
    assert facts["counts"] == {
        kind: sum(space["type"] == kind for space in facts["inventory"]) for kind in TYPES if kind in types
    }
    assert len(facts["containers"]) == 3
    assert facts["containers"][0]["namespaces"].keys() == set(TYPES)


def test_the_inventory_is_ordered_by_type_then_initial_first(rich: Host) -> None:
    spaces = facts_of(rich)["inventory"]
    keys = [(TYPES.index(space["type"]), not space["initial"], space["inode"]) for space in spaces]
    assert keys == sorted(keys)


@pytest.mark.parametrize(
    "patterns, names",
    [
        ([], ["POD", "web", "db"]), (["w*"], ["web"]), (["docker:*"], ["web"]), (["podman:d?"], ["db"]),
        ([identity("web")], ["web"]), ([identity("web")[:8] + "*"], ["web"]), (["*"], ["POD", "web", "db"]),
        (["WEB"], []), (["nothing*"], []), (["web", "db"], ["web", "db"]), (["eb"], []),
    ],
    ids=str,
)
def test_patterns_choose_the_containers(rich: Host, patterns: list[str], names: list[str]) -> None:
    facts = facts_of(rich, containers=patterns)
    assert [container["name"] for container in facts["containers"]] == names
    assert len(facts["inventory"]) == len(facts_of(rich)["inventory"])


@pytest.mark.parametrize("subset, there, missing", [
    (["namespaces"], "inventory", "containers"), (["containers"], "containers", "inventory"),
])
def test_only_the_subset_that_is_asked_for_is_returned(
    rich: Host, subset: list[str], there: str, missing: str
) -> None:
    facts = facts_of(rich, gather_subset=subset)
    assert facts[there] and missing not in facts


def test_a_namespace_names_the_containers_in_it(rich: Host) -> None:
    facts = facts_of(rich)
    by_name = {space["name"]: space for space in facts["inventory"]}
    web = next(container for container in facts["containers"] if container["name"] == "web")
    assert by_name[web["namespaces"]["net"]]["containers"] == [web["id"]]


def test_what_two_containers_share_is_told_of_both(tmp_path: Path) -> None:
    host = Host(tmp_path)
    own = host.namespaces("mnt", "uts", "ipc", "pid", "net")
    docker(host, "web", 500, own=own)
    docker(host, "side", 520, own={**host.namespaces("mnt", "uts", "ipc", "pid"), "net": own["net"]})
    (host.root / "proc" / "self" / "ns").symlink_to("../1/ns")
    side, web = facts_of(host)["containers"]
    assert side["shared_with"] == {"net": [web["id"]]}
    assert web["shared_with"] == {"net": [side["id"]]}
    assert "net" not in side["shared_with_host"] and "user" in side["shared_with_host"]


def test_a_leader_that_died_keeps_its_name_and_has_no_uid(rich: Host) -> None:
    rich.process(960, 1, "leader", own=rich.namespaces("ipc"))
    (rich.root / "proc" / "960" / "status").unlink()
    facts = facts_of(rich)
    leader = next(space["leader"] for space in facts["inventory"] if (space["leader"] or {}).get("comm") == "leader")
    assert (leader["pid"], leader["uid"]) == (960, None)
    assert "leaders" not in {problem["what"] for problem in facts["problems"]}


def test_the_boot_is_null_where_it_cannot_be_told(tmp_path: Path) -> None:
    assert facts_of(Host(tmp_path))["boot_id"] is None

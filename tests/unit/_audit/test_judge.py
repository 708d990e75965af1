# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What judge() promises whatever it is given: an answer, in order, with fingerprints that stay, within its time."""

from __future__ import annotations

import copy
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from built import HOST_NET, Host, Row, address, dns, link, listening, published, simple
from healthy import HOSTS, facts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.nsfleet.linux.plugins.module_utils._audit.checks import CHECKS, judge
from ansible_collections.nsfleet.linux.plugins.module_utils._audit.finding import SEVERITIES, STATUSES

WHOLE = {name: facts(name) for name in HOSTS}
KEYS = {"check", "host", "container", "object", "status", "severity", "reason", "remediation", "fingerprint", "containers"}
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 3), st.sampled_from([10**30, -1, 2**64, 1 << 9000, 0.5, float("nan"), float("inf")]),
    st.text(st.characters(exclude_categories=[]), max_size=8),
    st.sampled_from(["", "\0", "\ud800", "a" * 5000, "eth0\n| **x**", "<img src=x>", "%s%d", "default", "::/0", "0.0.0.0/99", "1.2.3.4/",
                     "fe80::1%eth0", "net:[1]", HOST_NET, "docker0", "lo", "veth001", "127.0.0.1", "inet6", "bridge", "veth"]),
    st.just([]), st.just({}), st.just([[]]), st.just([None]), st.just({"x": [{}]}),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to all that is in a value."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in items:
        found += places(one, (*path, key))
    return found


PATHS = {name: places(whole) for name, whole in WHOLE.items()}


def sound(results: list[Any]) -> None:
    for one in results:
        assert set(one) == KEYS
        assert one["status"] in STATUSES and one["severity"] in SEVERITIES
        assert one["reason"].isprintable() and one["object"].isprintable() and len(one["reason"]) < 2000
        assert one["status"] in ("pass", "not_applicable", "unknown") or one["remediation"].endswith(".")
    json.dumps(results)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_it_answers_whatever_a_snapshot_lacks_or_has_instead(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(WHOLE)))
    broken: Any = copy.deepcopy(WHOLE[name])
    for dummy in range(data.draw(st.integers(1, 12))):
        *path, last = data.draw(st.sampled_from(PATHS[name]))
        place: Any = broken
        try:
            for key in path:
                place = place[key]
            if data.draw(st.booleans()):
                del place[last]
            else:
                place[last] = data.draw(ODD)
        except (KeyError, IndexError, TypeError):
            continue
    sound(judge(broken, "host"))


@settings(max_examples=200, deadline=None)
@given(st.recursive(ODD, lambda inner: st.one_of(
    st.lists(inner, max_size=3),
    st.dictionaries(st.sampled_from(["networks", "containers", "inventory", "host", "net", "links", "routes", HOST_NET, "name"]), inner, max_size=4),
), max_leaves=12))
def test_it_answers_anything_at_all(value: Any) -> None:
    sound(judge(value, "host"))


@pytest.mark.parametrize("subject", ["links", "addresses", "routes", "rules", "neighbours", "listening", "dns", "sysctls", "firewall", "published"])
@pytest.mark.parametrize("how", ["gone", "null", "refused"])
def test_what_was_not_read_never_passes(subject: str, how: str) -> None:
    """Each check that needs the subject says unknown; the others say what they said before."""
    whole = WHOLE["docker"]
    before = {(one["check"], one["container"], one["object"]): one["status"] for one in judge(whole, "h")}
    broken = copy.deepcopy(whole)
    for name, net in broken["networks"].items():
        if how == "gone":
            del net[subject]
        elif how == "null":
            net[subject] = None
        else:
            net[subject] = {} if isinstance(net[subject], dict) else []
            word = {"listening": "sockets", "dns": "resolv.conf", "published": "published ports"}.get(subject, subject)
            broken["problems"].append({"what": f"{word} of {name}", "reason": "refused: EPERM", "count": 1})
    results = judge(broken, "h")
    assert [one["reason"] for one in results if one["status"] == "fail" and one["severity"] != "info"] == []
    needs = {check.id for check in CHECKS if subject in check.needs}
    assert [(one["check"], one["container"]) for one in results if one["status"] == "pass" and one["check"] in needs] == []
    for one in results:
        if one["check"] not in needs and one["status"] == "pass":
            assert before.get((one["check"], one["container"], one["object"])) == "pass"


@pytest.mark.parametrize("nothing", [None, {}, {"networks": None}, {"networks": {}}, [], "x"])
def test_of_nothing_nothing_passes(nothing: Any) -> None:
    results = judge(nothing, "h")
    assert {one["status"] for one in results} == {"unknown"} and len({one["check"] for one in results}) >= 15


def test_an_error_in_one_network_leaves_the_others_judged() -> None:
    whole = copy.deepcopy(WHOLE["docker"])
    place = whole["containers"][0]["namespaces"]["net"]
    del whole["networks"][place]
    results = judge(whole, "h")
    assert {one["status"] for one in results if one["container"] == "web" and one["check"].startswith("LNK")} == {"unknown"}
    assert "pass" in {one["status"] for one in results if one["container"] == "app"}


def test_what_cannot_be_seen_from_a_pid_namespace_is_not_called_left() -> None:
    host, dummy = simple()
    host.net["links"].append(link("vethold", 90, "veth", master="docker0", peer={"network": None, "name": None, "container": None}))
    assert [one["status"] for one in judge(host.facts, "h", ["LEAK-003"])] == ["fail"]
    host.facts["own"]["pid"] = "pid:[4026532999]"
    ((status, reason),) = [(one["status"], one["reason"]) for one in judge(host.facts, "h", ["LEAK-003"])]
    assert (status, reason.rpartition(": ")[2]) == ("unknown", "processes outside of our own pid namespace are not seen")


def test_causes_are_told_before_what_they_cause() -> None:
    host, web = simple()
    host.of(web)["links"][1].update(state="down", flags=["BROADCAST", "MULTICAST"])
    host.of(web)["routes"].clear()
    found = [one["check"] for one in judge(host.facts, "h") if one["status"] == "fail" and one["severity"] == "high"]
    assert found[0] == "LNK-002" and set(found[1:]) >= {"RT-001", "DNS-003"}
    assert found.index("RT-001") < found.index("DNS-003")


def test_the_order_is_severity_container_layer() -> None:
    host, web = simple()
    host.of(web)["routes"].clear()
    host.of(web)["links"][1]["mtu"] = 9000
    host.net["sysctls"]["net.ipv4.ip_forward"] = 0
    results = judge(host.facts, "h")
    layers = ("LNK", "ADR", "RT", "SYS", "DNS", "SOC", "CT", "NB", "LEAK")
    layer = {name: number for number, name in enumerate(layers)} | {"NB": layers.index("CT")}
    keys = [(SEVERITIES.index(one["severity"]), one["container"] or "", layer[one["check"].partition("-")[0]])
            for one in results]
    assert keys == sorted(keys)
    shuffled = {**host.facts, "containers": host.facts["containers"][::-1],
                "networks": dict(reversed(host.facts["networks"].items()))}
    assert judge(shuffled, "h") == results


def fingerprints(host: Host) -> set[str]:
    return {one["fingerprint"] for one in judge(host.facts, "h") if one["status"] == "fail"}


def test_a_fingerprint_outlives_a_restart() -> None:
    """The container has another id, pid, namespace and host end then."""
    def broken(restarts: int) -> Host:
        host = Host()
        for dummy in range(restarts):
            host.namespace()
        host.bridge("docker0", "172.17.0.1/16")
        web = host.container("web", id=f"id{restarts}", start_time=100 * restarts)
        host.attach(web, "docker0", f"veth{restarts}", "172.17.0.2/16")
        host.of(web)["links"][1]["mtu"] = 9000
        return host

    assert fingerprints(broken(1)) == fingerprints(broken(5)) != set()


def test_a_fingerprint_tells_hosts_checks_containers_and_objects_apart() -> None:
    host, web = simple()
    db = host.container("db")
    host.attach(db, "docker0", "veth2", "172.17.0.3/16", via="172.17.0.1")
    for one in (web, db):
        host.of(one)["links"][1]["flags"] = []
        host.of(one)["links"][0]["flags"] = []
    found = [one["fingerprint"] for name in ("h1", "h2") for one in judge(host.facts, name) if one["status"] == "fail"]
    assert len(found) == len(set(found)) and all(len(one) == 16 and not set(one) - set("0123456789abcdef") for one in found)


@pytest.mark.parametrize(("only", "expected"), [
    (["LNK-002"], {"LNK-002"}), (["RT-*", "SYS-001"], {"RT-001", "RT-002", "RT-003", "RT-005", "SYS-001"}), (["XYZ"], set()),
])
def test_only_the_chosen_checks_are_made(only: list[str], expected: set[str]) -> None:
    assert {one["check"] for one in judge(simple()[0].facts, "h", only)} == expected


def test_passes_may_be_left_out() -> None:
    whole = WHOLE["docker"]
    rest = [one for one in judge(whole, "h") if one["status"] not in ("pass", "not_applicable")]
    assert judge(whole, "h", without=("pass", "not_applicable")) == rest
    whole = {**whole, "containers": None}
    rest = [one for one in judge(whole, "h") if one["status"] != "unknown"]
    assert judge(whole, "h", without=("unknown",)) == rest != []


def test_a_shared_network_is_judged_once_and_names_all_who_share_it() -> None:
    host, web = simple()
    host.container("sidecar", inside=web["namespaces"]["net"])
    host.of(web)["links"][0]["flags"] = []
    found = [one for one in judge(host.facts, "h") if one["status"] == "fail"]
    assert [(one["container"], one["reason"]) for one in found] == [
        ("web", "lo of web (shared with sidecar) is down: nothing in it reaches 127.0.0.1 or ::1")]
    assert found[0]["containers"] == [one["id"] for one in host.facts["containers"]]


def test_containers_of_one_name_are_told_apart_by_their_engines() -> None:
    host, web = simple()
    other = host.container("web", engine="podman")
    for one in (web, other):
        host.of(one)["links"][0]["flags"] = []
        host.attach(one, "docker0", f"vethx{one['engine']}", name="eth7")
    names = {one["container"] for one in judge(host.facts, "h", ["LNK-004"]) if one["status"] == "fail"}
    assert names == {"docker:web", "podman:web"}


def test_names_of_others_are_printed_not_obeyed() -> None:
    host, web = simple()
    web["name"] = "web\n\x1b[31m%s" + "x" * 500
    host.of(web)["links"][1].update(name="eth\x070", flags=[])
    found = [one for one in judge(host.facts, "h", ["LNK-002"]) if one["status"] == "fail"]
    assert found[0]["reason"].startswith("eth\\x070 of web\\n\\x1b[31m%sxxx") and len(found[0]["reason"]) < 300


def crowd(count: int) -> Row:
    """Containers on one bridge, each with a published port and a resolver."""
    host = Host()
    host.bridge("docker0", "172.16.0.1/12")
    host.net["sysctls"]["net.ipv4.neigh.default.gc_thresh3"] = 8192
    for number in range(count):
        one = host.container(f"c{number}")
        own = f"172.16.{number // 250 + 1}.{number % 250 + 1}"
        host.attach(one, "docker0", f"veth{number}", f"{own}/12", via="172.16.0.1")
        for end in (host.net["links"][-1], host.of(one)["links"][1]):
            end["mac"] = f"02:{end['mac'][3:5]}:00:00:{number >> 8:02x}:{number & 255:02x}"
        net = host.of(one)
        net["addresses"].append(address(f"fe80::{number + 1:x}/64", "eth0"))
        net["dns"] = dns("192.0.2.53")
        net["sysctls"].update({f"net.ipv4.conf.eth{key}.proxy_arp": 0 for key in range(50)})
        net["listening"].append(listening("tcp", "0.0.0.0", 80))
        for where in ("0.0.0.0", "::"):
            host.net["published"].append(published(where, 10000 + number, one, own, 80))
    return host.facts


def test_a_thousand_containers_take_less_than_two_seconds() -> None:
    whole = crowd(1000)
    begun = time.process_time()
    results = judge(whole, "h")
    took = time.process_time() - begun
    assert [one["reason"] for one in results if one["status"] in ("fail", "unknown")] == []
    assert len(results) > 20_000 and took < 2


def test_the_page_of_checks_has_each_of_them_as_the_catalogue_has_it() -> None:
    page = (Path(__file__).parents[3] / "docs" / "checks.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if re.match(r"\| [A-Z]+-\d+ ", line)]
    assert sorted((row[0].lstrip("| "), row[1], row[2], row[4].rstrip(" |")) for row in rows) == [
        (check.id, check.severity, check.title, check.remediation) for check in CHECKS
    ]

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network side and the faults on the terminal: what is said, what is said once, and that it fits."""

from __future__ import annotations

import re

import pytest
from canned import HOSTILE
from canned_network import Wired, crowded, docker_host, fault
from hypothesis import given, settings
from hypothesis import strategies as st
from reporting import terminal

from ansible_collections.nsfleet.linux.plugins.module_utils._report.containers import Choice
from ansible_collections.nsfleet.linux.plugins.module_utils._report.text import width

ANY = st.text(st.characters(exclude_categories=[]), max_size=60)

DOCKER_HOST = """\
  host: eth0 192.0.2.10/24: default via 192.0.2.1, mtu 1500; dns of all
    containers 192.0.2.53
    CONTAINER         ADDRESS        PORTS                    HOST LINK
  bridge br-5f1d2c3b4a59: default via 172.18.0.1 and fd00:18::1 dev
    eth0, mtu 1500
    shop-db-1         172.18.0.2/16  5432                     veth63ddf
                      fd00:18::2/64
  bridge br-5f1d2c3b4a59: default via 172.18.0.1 dev eth0, mtu 1500
    shop-front-1      172.18.0.3/16  53/udp 3000 3000->3001!  veth75cce
                      fd00:18::3/64
  bridge docker0: as eth1, not the way out, mtu 1500
    shop-front-1      172.17.0.3/16                           veth85cce
  bridge docker0: default via 172.17.0.1 dev eth0, mtu 1500
    web               172.17.0.2/16  8080->80                 veth51ef0
                                     127.0.0.1:8443->443
                                     127.0.0.1:9000
  bridge podman0: default via 10.88.0.1 dev eth0, mtu 1500
    pay/app           10.88.0.5/16   80->8000                 veth97bbd
    + pay/3f2a-infra
  macvlan on eth0: default via 192.0.2.1 dev eth0, mtu 1500
    lan-dns           192.0.2.70/24  53 53/udp
  only lo: batch
  host's network: node-exporter 9100
"""


def test_a_docker_host() -> None:
    lines = terminal(docker_host().facts())
    first = lines.index("  host: eth0 192.0.2.10/24: default via 192.0.2.1, mtu 1500; dns of all")
    assert "\n".join(lines[first:]).startswith(DOCKER_HOST)


@pytest.mark.parametrize("room", [32, 72, 112])
def test_a_hundred_containers_fit(room: int) -> None:
    lines = terminal(crowded(100, alike=False).facts(), room)
    assert max(map(width, lines)) <= room
    assert "\n".join(lines).count("cart-") >= 14


def test_what_a_bridge_s_containers_have_in_common_is_said_once() -> None:
    lines = terminal(crowded(100).facts())
    assert [line for line in lines if "default via" in line] == [
        "  host: eth0 192.0.2.10/24: default via 192.0.2.1, mtu 1500; dns of all",
        "  bridge br-shop: default via 172.18.0.1 dev eth0, mtu 1500",
        "  bridge docker0: default via 172.17.0.1 dev eth0, mtu 1500",
    ]
    assert sum(line.lstrip().startswith("CONTAINER") for line in lines) == 2


def test_name_servers_that_differ_are_said_with_the_network() -> None:
    host = crowded(2)
    host.of(host.containers[0])["dns"]["nameservers"] = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]
    lines = terminal(host.facts(), 112)
    assert "  bridge docker0: default via 172.17.0.1 dev eth0, mtu 1500, dns 10.0.0.1 10.0.0.2 10.0.0.3 +1" in lines
    assert "  bridge br-shop: default via 172.18.0.1 dev eth0, mtu 1500, dns 192.0.2.53" in lines


def test_another_mtu_at_the_other_end_is_said() -> None:
    host = Wired()
    host.uplink()
    host.bridge("docker0", "172.17.0.1/16", mtu=1400)
    host.wire(host.add("web"), "docker0", "172.17.0.2/16")
    assert "  bridge docker0: no default route, mtu 1500 (docker0: 1400), dns" in terminal(host.facts())


def test_a_link_that_is_down_is_said() -> None:
    host = Wired()
    host.bridge("docker0", "172.17.0.1/16")
    web = host.add("web")
    host.wire(web, "docker0", "172.17.0.2/16", state="lowerlayerdown")
    assert any(line.endswith("lowerlayerdown") for line in terminal(host.facts()))
    host.of(web)["links"][1].update(flags=["BROADCAST"], state="down")
    assert any(line.startswith("    web") and line.endswith(" down") for line in terminal(host.facts()))


def test_a_veth_that_the_host_routes_to_is_said() -> None:
    host = Wired()
    host.wire(host.add("calico"), None, "10.1.0.2/32", gateway="169.254.1.1")
    assert any(line.startswith("  veth without a bridge: default via 169.254.1.1 dev eth0") for line in terminal(host.facts()))


def test_many_ports_are_folded_and_the_rest_is_counted() -> None:
    host = Wired()
    host.bridge("docker0", "172.17.0.1/16")
    web = host.add("web")
    host.wire(web, "docker0", "172.17.0.2/16")
    host.listen(web, *(str(port) for port in range(20000, 20200)))
    lines = [line for line in terminal(host.facts()) if " 20" in line]
    assert len(lines) == 4
    told = sum(len(re.findall(r" 20\d\d\d\b", line)) for line in lines)
    assert lines[-1].endswith(f" +{200 - told}")


def test_containers_whose_network_was_not_seen_are_named() -> None:
    host = crowded(3)
    del host.networks[host.containers[0]["namespaces"]["net"]]
    assert "  network not seen: web-frontend-0000" in terminal(host.facts())


def test_without_the_networks_nothing_is_said_of_them() -> None:
    facts = docker_host().facts()
    del facts["networks"]
    lines = terminal(facts)
    assert not any("mtu" in line or "PORTS" in line for line in lines)


def test_the_host_s_own_network_that_was_not_seen_is_said() -> None:
    host = crowded(3)
    del host.networks[next(iter(host.networks))]
    assert "  The host's own network was not seen." in terminal(host.facts())


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(ANY, ANY), max_size=4), st.integers(32, 120))
def test_no_name_makes_a_line_too_long_or_unprintable(names: list[tuple[str, str]], room: int) -> None:
    host = Wired()
    host.bridge(names[0][1] if names else "docker0", "172.17.0.1/16")
    for name, link in names:
        one = host.add(name)
        host.wire(one, names[0][1], "172.17.0.2/16", gateway=link, name=link)
        host.listen(one, "80", comm=name)
        host.of(one)["dns"]["nameservers"] = [name, link]
    faults = [fault("RT-001", "high", f"{name} {link}", one) for one, (name, link) in zip(host.containers, names)]
    lines = terminal(host.facts(), room, faults)
    assert max(map(width, lines)) <= room
    assert all(line.isprintable() for line in lines)


def test_hostile_names_are_shown_and_not_obeyed() -> None:
    host = Wired()
    host.bridge("docker0", "172.17.0.1/16")
    for name in HOSTILE:
        host.wire(host.add(name), "docker0", "172.17.0.2/16")
    assert not any("\x1b" in line or "\u202e" in line for line in terminal(host.facts()))


def test_faults_come_at_the_end_the_gravest_first_and_in_words() -> None:
    host = crowded(5)
    web, other = host.containers[1], host.containers[2]
    lines = terminal(host.facts(), faults=[
        fault("LNK-007", "medium", "eth0 of web-frontend-0002 has MTU 1500, its bridge 1400", other),
        fault("RT-001", "high", "web-frontend-0001 has no default route", web),
        fault("SOC-008", "low", "the accept queue is full", web),
    ])  # fmt: skip
    start = lines.index("FAULTS")
    assert lines[start:] == [
        "FAULTS",
        "  HIGH      web-frontend-0001 has no default route (RT-001)",
        "  MEDIUM    eth0 of web-frontend-0002 has MTU 1500, its bridge 1400",
        "            (LNK-007)",
        "  LOW       web-frontend-0001: the accept queue is full (SOC-008)",
        "",
        "1 host seen, 5 containers (docker).",
        "3 faults: node (1 high, 1 medium, 1 low).",
    ]


def test_the_same_fault_of_many_containers_is_told_twice_and_the_others_are_named() -> None:
    host = crowded(40)
    lines = terminal(host.facts(), faults=[
        fault("RT-001", "high", f"{one['name']} has no default route", one) for one in host.containers
    ])  # fmt: skip
    assert lines[lines.index("FAULTS") + 1:-3] == [
        "  HIGH      web-frontend-0000 has no default route (RT-001)",
        "  HIGH      web-frontend-0001 has no default route (RT-001)",
        "  HIGH      38 more of the same: web-frontend-0002, web-frontend-0003,",
        "            web-frontend-0004, web-frontend-0005, web-frontend-0006 and",
        "            33 more (RT-001)",
    ]  # fmt: skip


def test_faults_of_containers_that_were_not_chosen_are_not_told() -> None:
    host = crowded(3)
    faults = [fault("RT-001", "high", "no default route", one) for one in host.containers]
    faults.append(fault("CT-001", "high", "the table is nearly full"))
    lines = terminal(host.facts(), faults=faults, choice=Choice(["web-frontend-0001"]))
    assert "  HIGH      web-frontend-0001: no default route (RT-001)" in lines
    assert "  HIGH      the table is nearly full (CT-001)" in lines
    assert not any("web-frontend-0000" in line for line in lines)


def test_what_could_not_be_judged_is_counted() -> None:
    host = crowded(1)
    lines = terminal(host.facts(), faults=[fault("RT-003", "high", "not read", host.containers[0], status="unknown")])
    assert "Could not be judged: node (1)." in lines
    assert "FAULTS" not in lines


@pytest.mark.parametrize("key", ["name", "kind", "state", "mtu", "master"])
@pytest.mark.parametrize("where", ["own", "host"])
def test_nothing_of_a_link_reaches_the_terminal_as_a_command(key: str, where: str) -> None:
    """A host may send text where a number is due."""
    host = docker_host()
    links = host.of(host.containers[0])["links"] if where == "own" else host.host["links"]
    for link in links:
        link[key] = "\x1b]0;owned\x07\n\u202e"
    assert [line for line in terminal(host.facts()) if not line.isprintable()] == []


def test_a_link_with_hundreds_of_addresses_does_not_fill_the_terminal() -> None:
    host = crowded(2)
    for at in range(500):
        host.address(host.of(host.containers[0]), "eth0", f"10.{at // 250}.{at % 250}.1/24")
    lines = terminal(host.facts())
    assert len(lines) < 40
    assert any("+496 more" in line for line in lines)

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of routes.py and forwarding.py."""

from __future__ import annotations

from built import Host, Row, address, link, neighbour, route, rule
from case import case, drop, fails, find, same, unknown

LOST = "web has no default route (its addresses: 172.17.0.2/16), "


def second_network(host: Host, masquerade: bool = True) -> Row:
    """A network of a user with one container that has no default route."""
    host.bridge("br-0a1b2c3d4e5f", "172.20.0.1/16", masquerade=masquerade)
    db = host.container("db")
    host.attach(db, "br-0a1b2c3d4e5f", "vethdb", "172.20.0.2/16")
    return db


# RT-001


@case("RT-001", "docker0", fails("web", "", "high", LOST + "though docker0 leads outside"))
def lost_on_docker0(host: Host, web: Row) -> None:
    drop(host.of(web)["routes"], destination="default")


@case(
    "RT-001",
    "translated",
    fails(
        "db",
        "",
        "high",
        "db has no default route (its addresses: 172.20.0.2/16), though the host translates what 172.20.0.0/16 sends",
    ),
    web="pass",
)
def lost_but_translated(host: Host, web: Row) -> None:
    second_network(host)


@case(
    "RT-001",
    "translated-by-a-jump",
    fails(
        "db",
        "",
        "high",
        "db has no default route (its addresses: 172.20.0.2/16), though the host translates what 172.20.0.2/32 sends",
    ),
)
def lost_but_jumped(host: Host, web: Row) -> None:
    """As the bridge plugin of CNI does."""
    second_network(host, masquerade=False)
    host.net["firewall"]["decoded"].append(
        rule("CNI-0a1b", "masquerade", destination="224.0.0.0/4", destination_negated=True)
    )
    jump = {"chain": "CNI-0a1b", "match": {"source": "172.20.0.2/32"}, "complete": True}
    host.net["firewall"]["tables"] = [
        {"family": "ip", "name": "nat", "flags": [], "chains": [{"name": "POSTROUTING", "jumps": [jump]}]}
    ]


@case(
    "RT-001",
    "sibling",
    fails(
        "db",
        "",
        "high",
        "db has no default route (its addresses: 172.20.0.2/16), though app on the same segment has one by 172.20.0.1",
    ),
    app="pass",
)
def lost_beside_others(host: Host, web: Row) -> None:
    second_network(host, masquerade=False)
    app = host.container("app")
    host.attach(app, "br-0a1b2c3d4e5f", "vethapp", "172.20.0.3/16", via="172.20.0.1")


@case(
    "RT-001",
    "ipv4-lost",
    fails("web", "inet", "medium", "web has 172.17.0.2/16 but no IPv4 default route, though docker0 leads outside"),
)
def lost_one_family(host: Host, web: Row) -> None:
    net = host.of(web)
    drop(net["routes"], destination="default")
    net["addresses"].append(address("2001:db8:1::2/64", "eth0"))
    net["routes"] += [route("2001:db8:1::/64", "eth0"), route("default", "eth0", "2001:db8:1::1")]


@case("RT-001", "internal-network", web="pass", db="not_applicable")
def internal(host: Host, web: Row) -> None:
    """As Docker makes it, on a host that translates everything that leaves it."""
    second_network(host, masquerade=False)
    subnet: Row = {"destination": "172.20.0.0/16", "destination_negated": True}
    host.net["firewall"]["decoded"] += [
        rule("DOCKER-INTERNAL", "drop", table="filter", iif="br-0a1b2c3d4e5f", **subnet),
        rule("POSTROUTING", "masquerade", oif="ens3"),
    ]


@case("RT-001", "not-translated", web="pass", db="not_applicable")
def untranslated(host: Host, web: Row) -> None:
    second_network(host, masquerade=False)


@case(
    "RT-001",
    "firewall-unread",
    fails(
        "db",
        "",
        "info",
        "db has no default route (its addresses: 172.20.0.2/16), which is right in an internal network only",
    ),
    web="pass",
)
def perhaps_internal(host: Host, web: Row) -> None:
    second_network(host, masquerade=False)
    host.net["firewall"] = None


@case("RT-001", "ipv6-only", six="pass", web="pass")
def only_ipv6(host: Host, web: Row) -> None:
    host.bridge("br-six", "fd00:6::1/64")
    six = host.container("six")
    host.attach(six, "br-six", "vethsix", "fd00:6::2/64", via="fd00:6::1")


@case("RT-001", "netns-without-container", web="pass")
def laboratory(host: Host, web: Row) -> None:
    name, net = host.namespace()
    host.veth(name, None, "lab0", "lab1")
    net["addresses"].append(address("10.9.0.2/24", "lab1"))
    net["routes"].append(route("10.9.0.0/24", "lab1"))


@case("RT-001", "point-to-point", pod="pass", web="pass")
def calico_route(host: Host, web: Row) -> None:
    pod = host.container("pod", engine="cri")
    host.veth(pod["namespaces"]["net"], None, "cali1")
    net = host.of(pod)
    net["addresses"].append(address("10.244.1.7/32", "eth0"))
    net["routes"] += [route("169.254.1.1/32", "eth0"), route("default", "eth0", "169.254.1.1")]


@case("RT-001", "tap", rootless="pass", web="pass")
def tap(host: Host, web: Row) -> None:
    rootless = host.container("rootless", engine="podman")
    net = host.of(rootless)
    net["links"].append(link("tap0", 2, "tun", state="unknown", mtu=65520))
    net["addresses"].append(address("10.0.2.100/24", "tap0"))
    net["routes"] += [route("default", "tap0", "10.0.2.2"), route("10.0.2.0/24", "tap0")]


@case("RT-001", "other-table", web="pass")
def other_table(host: Host, web: Row) -> None:
    host.of(web)["routes"][-1]["table"] = "100"
    host.of(web)["rules"].append({**host.of(web)["rules"][1], "priority": 100, "table": "100", "from": "172.17.0.2/32"})


same("RT-001", "healthy", web="pass")


@case("RT-001", "cut", unknown("web", "", "high", "not all routes of web were read"))
def routes_cut(host: Host, web: Row) -> None:
    drop(host.of(web)["routes"], destination="default")
    host.facts["problems"].append({"what": "routes of " + web["namespaces"]["net"], "reason": "truncated", "count": 70})


# RT-002


@case(
    "RT-002",
    "not-on-link",
    fails("web", "10.9.9.9", "high", "the default gateway 10.9.9.9 of web is not on link: eth0 has 172.17.0.2/16"),
)
def off_link(host: Host, web: Row) -> None:
    host.of(web)["routes"][-1]["gateway"] = "10.9.9.9"


@case(
    "RT-002",
    "nobodys",
    fails(
        "web",
        "172.17.0.9",
        "high",
        "the default gateway 172.17.0.9 of web is an address of nobody behind eth0: docker0 has 172.17.0.1/16",
    ),
)
def nobodys(host: Host, web: Row) -> None:
    host.of(web)["routes"][-1]["gateway"] = "172.17.0.9"


@case(
    "RT-002",
    "bridge-lost-its-address",
    fails(
        "web",
        "172.17.0.1",
        "high",
        "the default gateway 172.17.0.1 of web is an address of nobody behind eth0: docker0 has no address",
    ),
)
def bare_bridge(host: Host, web: Row) -> None:
    drop(host.net["addresses"], link="docker0")
    host.of(web)["neighbours"].clear()


@case("RT-002", "behind-the-uplink", web="pass")
def router_outside(host: Host, web: Row) -> None:
    nobodys(host, web)
    find(host.net["links"], "ens3")["master"] = "docker0"


@case("RT-002", "answers", web="pass")
def answers(host: Host, web: Row) -> None:
    nobodys(host, web)
    host.of(web)["neighbours"].append(neighbour("172.17.0.9", "eth0", "reachable"))


@case("RT-002", "calico", pod="pass", web="pass")
def calico_gateway(host: Host, web: Row) -> None:
    calico_route(host, web)


@case("RT-002", "cilium", pod="pass", web="pass")
def cilium_gateway(host: Host, web: Row) -> None:
    pod = host.container("pod", engine="cri")
    host.veth(pod["namespaces"]["net"], None, "lxc1")
    host.net["links"].append(link("cilium_host", 40, "veth"))
    host.net["addresses"].append(address("10.0.0.1/32", "cilium_host"))
    net = host.of(pod)
    net["addresses"].append(address("10.0.0.7/32", "eth0"))
    net["routes"] += [route("10.0.0.1/32", "eth0"), route("default", "eth0", "10.0.0.1")]


@case("RT-002", "onlink-host", host="pass")
def onlink_host(host: Host, web: Row) -> None:
    drop(host.net["routes"], destination="192.0.2.0/24")
    drop(host.net["addresses"], address="192.0.2.10")
    host.net["addresses"].append(address("198.51.100.7/32", "ens3"))
    host.net["routes"][0]["flags"] = ["onlink"]


@case("RT-002", "link-local-router", web="pass")
def link_local_router(host: Host, web: Row) -> None:
    net = host.of(web)
    net["addresses"].append(address("2001:db8:1::2/64", "eth0"))
    net["routes"].append(route("default", "eth0", "fe80::42:acff:fe11:1"))


same("RT-002", "healthy", web="pass", host="pass")


@case(
    "RT-002",
    "end-unseen",
    unknown(
        "web",
        "172.17.0.9",
        "high",
        "whose the gateway 172.17.0.9 of web is cannot be told: the other end of vethx of the host is not known",
    ),
)
def end_unseen(host: Host, web: Row) -> None:
    nobodys(host, web)
    host.net["links"].append(
        link("vethx", 30, "veth", master="docker0", peer={"network": None, "name": None, "container": None})
    )


# RT-003


@case(
    "RT-003",
    "failed",
    fails(
        "web",
        "172.17.0.1",
        "high",
        "the default gateway 172.17.0.1 of web does not answer: its neighbour entry on eth0 is failed",
    ),
)
def gateway_failed(host: Host, web: Row) -> None:
    host.of(web)["neighbours"][:] = [neighbour("172.17.0.1", "eth0", "failed")]


@case(
    "RT-003",
    "host",
    fails(
        None,
        "192.0.2.1",
        "high",
        "the default gateway 192.0.2.1 of the host does not answer: its neighbour entry on ens3 is incomplete",
    ),
    web="pass",
)
def router_silent(host: Host, web: Row) -> None:
    host.net["neighbours"][:] = [neighbour("192.0.2.1", "ens3", "incomplete")]


@case("RT-003", "another-failed", web="pass")
def another_failed(host: Host, web: Row) -> None:
    host.of(web)["neighbours"].append(neighbour("172.17.0.77", "eth0", "failed"))


@case("RT-003", "no-entry", web="pass")
def no_entry(host: Host, web: Row) -> None:
    host.of(web)["neighbours"].clear()


@case("RT-003", "one-of-two-routers", web="pass")
def one_router_silent(host: Host, web: Row) -> None:
    net = host.of(web)
    for number, state in ((1, "failed"), (2, "reachable")):
        net["routes"].append(route("default", "eth0", f"fe80::{number}", metric=1024))
        net["neighbours"].append(neighbour(f"fe80::{number}", "eth0", state))


same("RT-003", "healthy", web="pass", host="pass")


@case("RT-003", "unread", unknown("web", "", "high", "the neighbours of web were not read"))
def neighbours_unread(host: Host, web: Row) -> None:
    host.of(web)["neighbours"] = None


# RT-005


@case(
    "RT-005",
    "default",
    fails("web", "inet", "medium", "web rejects all IPv4 that leaves it: blackhole default in table main"),
)
def default_rejected(host: Host, web: Row) -> None:
    drop(host.of(web)["routes"], destination="default")
    host.of(web)["routes"].append(route("default", None, type="blackhole", family="inet"))


@case(
    "RT-005",
    "gateway",
    fails(
        "web",
        "172.17.0.1",
        "medium",
        "the default gateway 172.17.0.1 of web is covered by unreachable 172.17.0.1/32 in table main",
    ),
)
def gateway_rejected(host: Host, web: Row) -> None:
    host.of(web)["routes"].append(route("172.17.0.1/32", None, type="unreachable"))


@case(
    "RT-005",
    "host-to-container",
    fails(
        "web",
        "172.17.0.2",
        "medium",
        "172.17.0.2 of web cannot be reached from the host: prohibit 172.17.0.0/24 in table main covers it",
    ),
)
def container_rejected(host: Host, web: Row) -> None:
    host.net["routes"].append(route("172.17.0.0/24", None, type="prohibit"))


@case("RT-005", "blackhole-of-the-block", pod="pass", web="pass")
def calico_block(host: Host, web: Row) -> None:
    calico_route(host, web)
    host.net["routes"] += [
        route("10.244.1.0/26", None, type="blackhole", protocol="bird"),
        route("10.244.1.7/32", "cali1"),
    ]


@case("RT-005", "kill-switch", web="pass")
def kill_switch(host: Host, web: Row) -> None:
    host.of(web)["routes"].append(route("default", None, type="unreachable", family="inet", metric=4278198272))


@case("RT-005", "no-ipv6-of-old-kernels", web="pass")
def null_entry(host: Host, web: Row) -> None:
    host.of(web)["routes"].append(route("default", "lo", type="unreachable", family="inet6", metric=4294967295))


same("RT-005", "healthy", web="pass", host="pass")


@case("RT-005", "unread", unknown("web", "", "medium", "the routes of web were not read"))
def rejects_unread(host: Host, web: Row) -> None:
    host.of(web)["routes"] = None


# SYS-001


@case(
    "SYS-001",
    "ipv4",
    fails(
        None,
        "net.ipv4.ip_forward",
        "high",
        "net.ipv4.ip_forward of the host is 0, though the default route of web leads through it",
    ),
)
def forward4(host: Host, web: Row) -> None:
    host.net["sysctls"].update({"net.ipv4.ip_forward": 0, "net.ipv4.conf.docker0.forwarding": 0})


@case(
    "SYS-001",
    "ipv6",
    fails(
        None,
        "net.ipv6.conf.all.forwarding",
        "high",
        "net.ipv6.conf.all.forwarding of the host is 0, though the default route of six leads through it",
    ),
)
def forward6(host: Host, web: Row) -> None:
    host.bridge("br-six", "fd00:6::1/64")
    six = host.container("six")
    host.attach(six, "br-six", "vethsix", "fd00:6::2/64", via="fd00:6::1")
    host.net["sysctls"]["net.ipv6.conf.all.forwarding"] = 0


@case(
    "SYS-001",
    "one-link",
    fails(
        None,
        "net.ipv4.conf.docker0.forwarding",
        "high",
        "net.ipv4.conf.docker0.forwarding of the host is 0, though the default route of web leads through it",
    ),
)
def forward_link(host: Host, web: Row) -> None:
    host.net["sysctls"]["net.ipv4.conf.docker0.forwarding"] = 0


@case("SYS-001", "only-where-needed", host="pass")
def forward_where_needed(host: Host, web: Row) -> None:
    host.net["sysctls"].update({"net.ipv4.ip_forward": 0, "net.ipv4.conf.docker0.forwarding": 1})


@case("SYS-001", "ipv6-not-needed", host="pass")
def forward6_unneeded(host: Host, web: Row) -> None:
    host.net["sysctls"]["net.ipv6.conf.all.forwarding"] = 0


@case("SYS-001", "router-outside", host="not_applicable")
def router_is_elsewhere(host: Host, web: Row) -> None:
    drop(host.net["addresses"], link="docker0")
    host.net["sysctls"]["net.ipv4.ip_forward"] = 0


same("SYS-001", "healthy", host="pass", web="not_applicable")


@case("SYS-001", "untold", unknown(None, "net.ipv4.ip_forward", "high", "net.ipv4.ip_forward of the host was not told"))
def forward_untold(host: Host, web: Row) -> None:
    del host.net["sysctls"]["net.ipv4.ip_forward"]

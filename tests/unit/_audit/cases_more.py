# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases on the edges of the checks: what is nearly a fault, and what is nearly none."""

from __future__ import annotations

from built import HOST_NET, Host, Row, address, dns, firewall, link, listening, neighbour, published, route, rule
from case import case, down, drop, fails, find, unknown
from cases_links import alone, same_mac
from cases_ports import dangling, leftover, nobody_listens, serve, served_on_loopback, stub
from cases_routes import second_network

INTERNAL = "db has no default route (its addresses: 172.20.0.2/16), which is right in an internal network only"
NOWHERE = "the nameserver 127.0.0.53 of web is its own loopback, where nothing listens on port 53"

# Links


@case("LNK-001", "pod-of-podman", shop="not_applicable")
def alone_in_podman(host: Host, web: Row) -> None:
    alone(host, web)
    host.net["published"].clear()
    web.update(engine="podman", pod={"name": "shop", "namespace": None, "uid": None})


@case(
    "LNK-002",
    "address-on-any-kind",
    fails("web", "bond7", "high", "bond7 of web with 10.7.0.2/24 is administratively down"),
)
def bond_down(host: Host, web: Row) -> None:
    host.of(web)["links"] += [link("bond7", 7, "bond"), link("bond8", 8, "bond")]
    host.of(web)["addresses"].append(address("10.7.0.2/24", "bond7"))
    down(host.of(web)["links"][-1])
    down(host.of(web)["links"][-2])


@case("LNK-002", "pair-within", web="pass")
def pair_within(host: Host, web: Row) -> None:
    own = web["namespaces"]["net"]
    host.of(web)["links"] += [
        link("a", 7, "veth", peer={"network": own, "name": "b", "container": None}),
        link("b", 8, "veth", peer={"network": own, "name": "a", "container": None}),
    ]
    down(host.of(web)["links"][-1])


@case(
    "LNK-004",
    "sandbox-with-network",
    fails("box", "lo", "medium", "lo of box is down: nothing in it reaches 127.0.0.1 or ::1"),
)
def sandbox_with_network(host: Host, web: Row) -> None:
    box = host.container("box", engine="unknown")
    host.attach(box, "docker0", "vethbox", "172.17.0.9/16", via="172.17.0.1")
    down(host.of(box)["links"][0])


@case(
    "LNK-005",
    "packet-socket-elsewhere",
    fails(
        "web",
        "veth3f2a",
        "high",
        "veth3f2a on the host, the peer of eth0 of web, is in no bridge and no route leads to it",
    ),
)
def packet_elsewhere(host: Host, web: Row) -> None:
    find(host.net["links"], "veth3f2a")["master"] = None
    host.net["listening"] += [
        {**listening("packet", "", 0), "link": "ens3"},
        {**listening("udp", "0.0.0.0", 68), "link": "veth3f2a"},
    ]


@case("LNK-005", "host-end-down", web="pass")
def host_end_down(host: Host, web: Row) -> None:
    find(host.net["links"], "veth3f2a")["master"] = None
    down(find(host.net["links"], "veth3f2a"))


@case(
    "LNK-006",
    "blocking-with-stp",
    fails("web", "veth3f2a", "high", "veth3f2a, the port of docker0 to eth0 of web, is blocking instead of forwarding"),
)
def blocking_with_stp(host: Host, web: Row) -> None:
    find(host.net["links"], "veth3f2a")["details"]["port"]["state"] = "blocking"
    find(host.net["links"], "docker0")["details"]["stp_state"] = 1


@case("LNK-006", "bridge-untold", unknown(None, "docker0", "high", "whether docker0 on the host is up was not told"))
def bridge_untold(host: Host, web: Row) -> None:
    del find(host.net["links"], "docker0")["flags"]


@case("LNK-006", "vrf", host="not_applicable")
def port_of_vrf(host: Host, web: Row) -> None:
    find(host.net["links"], "docker0")["kind"] = "vrf"
    down(find(host.net["links"], "docker0"))


@case("LNK-007", "openvswitch", web="pass")
def openvswitch(host: Host, web: Row) -> None:
    find(host.net["links"], "docker0").update(kind="openvswitch", mtu=9000)


@case("LNK-008", "vxlan-external-or-down", host="not_applicable", web="pass")
def vxlan_quiet(host: Host, web: Row) -> None:
    lower = {"network": HOST_NET, "name": "ens3", "container": None}
    host.net["links"] += [
        link("vx0", 20, "vxlan", details={"external": True, "lower": lower}),
        link("vx1", 21, "vxlan", details={"lower": lower}),
    ]
    down(host.net["links"][-1])


@case(
    "LNK-008",
    "vxlan-over-ipv6",
    fails(
        None,
        "vx0",
        "high",
        "vx0 of the host has MTU 1450, but ens3, which carries it, 1500: with 70 bytes of headers packets over 1430 bytes are fragmented or lost",
    ),
)
def vxlan6(host: Host, web: Row) -> None:
    lower = {"network": HOST_NET, "name": "ens3", "container": None}
    host.net["links"].append(link("vx0", 20, "vxlan", mtu=1450, details={"remote": "2001:db8::9", "lower": lower}))


@case("LNK-008", "router-outside", web="not_applicable")
def bridged_out(host: Host, web: Row) -> None:
    drop(host.net["addresses"], link="docker0")
    find(host.net["links"], "ens3")["mtu"] = 1400


@case("LNK-008", "egress-untold", unknown("web", "eth0", "high", "the MTU of the way out of web was not told"))
def egress_untold(host: Host, web: Row) -> None:
    find(host.net["links"], "ens3")["mtu"] = None


@case("LNK-009", "one-down", host="pass")
def same_mac_down(host: Host, web: Row) -> None:
    same_mac(host, web)
    down(find(host.of(web)["links"], "eth0"))


@case("LNK-009", "passthru-and-zero", host="pass")
def passthru(host: Host, web: Row) -> None:
    lower = {"network": HOST_NET, "name": "ens3", "container": None}
    for number, details in enumerate(
        ({"mode": "passthru", "lower": lower}, {"mode": "bridge", "lower": lower}, {"mode": "bridge", "lower": lower})
    ):
        one = host.container(f"m{number}")
        mac = "02:00:00:00:00:02" if number == 0 else "00:00:00:00:00:00"
        host.of(one)["links"].append(link("eth0", 2, "macvtap", mac=mac, details=details))


# Addresses


@case("ADR-002", "not-in-use", host="pass")
def address_not_in_use(host: Host, web: Row) -> None:
    """Failed the test, of the link only, on a link that is down."""
    db = host.container("db")
    host.attach(db, "docker0", "vethdb", "172.17.0.3/16", via="172.17.0.1")
    for one in (web, db):
        host.of(one)["addresses"] += [address("fe80::7/64", "eth0"), address("169.254.7.7/16", "eth0")]
    host.of(web)["addresses"].append(address("fd00::7/64", "eth0", "dadfailed"))
    host.of(db)["addresses"].append(address("fd00::7/64", "eth0"))
    third = host.container("third")
    host.attach(third, "docker0", "vethx", "172.17.0.3/16", via="172.17.0.1")
    down(find(host.of(third)["links"], "eth0"))


@case("ADR-002", "own-twice", host="pass")
def own_twice(host: Host, web: Row) -> None:
    host.of(web)["addresses"].append(address("172.17.0.2/32", "eth0"))


# Routes


@case(
    "RT-001",
    "published",
    fails(
        "db",
        "",
        "high",
        "db has no default route (its addresses: 172.20.0.2/16), though port 5432 of the host is published to it",
    ),
)
def lost_but_published(host: Host, web: Row) -> None:
    db = second_network(host, masquerade=False)
    host.net["published"].append(published("0.0.0.0", 5432, db, "172.20.0.2", 5432))


@case(
    "RT-001",
    "pod",
    fails(
        "shop/web",
        "",
        "high",
        "pod shop/web (db) has no default route (its addresses: 172.20.0.2/16), though it is a pod of Kubernetes",
    ),
)
def lost_pod(host: Host, web: Row) -> None:
    second_network(host, masquerade=False).update(engine="cri", pod={"name": "web", "namespace": "shop", "uid": None})


@case("RT-001", "translates-everything", fails("db", "", "info", INTERNAL))
def translates_everything(host: Host, web: Row) -> None:
    second_network(host, masquerade=False)
    host.net["firewall"]["decoded"].append(rule("POSTROUTING", "masquerade", oif="ens3"))


@case("RT-001", "old-xtables", fails("db", "", "info", INTERNAL))
def old_xtables(host: Host, web: Row) -> None:
    second_network(host, masquerade=False)
    host.net["firewall"]["legacy"] = {"ip": ["filter", "nat"]}


@case("RT-001", "segment-open", fails("db", "", "info", INTERNAL))
def segment_open(host: Host, web: Row) -> None:
    second_network(host, masquerade=False)
    host.net["links"].append(link("tap7", 40, "tun", master="br-0a1b2c3d4e5f"))


@case("RT-001", "rules-for-others", db="not_applicable")
def rules_for_others(host: Host, web: Row) -> None:
    second_network(host, masquerade=False)
    host.net["firewall"]["decoded"] += [
        rule("KUBE-POSTROUTING", "masquerade", mark="0x4000/0x4000"),
        rule("POSTROUTING", "masquerade", source="172.20.0.2/32", destination="172.20.0.2/32", port=80),
        rule("POSTROUTING", "masquerade", source="172.20.0.0/16", source_negated=True),
        {**rule("POSTROUTING", "masquerade", source="172.20.0.0/16"), "family": "ip6"},
        rule("POSTROUTING", "accept", source="172.20.0.0/16"),
    ]


@case("RT-001", "ipv4-lost-on-internal", db="pass")
def one_family_internal(host: Host, web: Row) -> None:
    db = second_network(host, masquerade=False)
    host.of(db)["addresses"].append(address("2001:db8:1::2/64", "eth0"))
    host.of(db)["routes"] += [route("2001:db8:1::/64", "eth0"), route("default", "eth0", "2001:db8:1::1")]


@case("RT-001", "unique-local-ipv6", web="pass")
def unique_local(host: Host, web: Row) -> None:
    app = host.container("app")
    host.attach(app, "docker0", "vethapp", "172.17.0.3/16", "fd00::3/64", via="172.17.0.1")
    host.of(app)["routes"].append(route("default", "eth0", "fd00::1"))
    host.of(web)["addresses"].append(address("fd00::2/64", "eth0"))


@case(
    "RT-001",
    "ipv6-lost",
    fails(
        "web",
        "inet6",
        "medium",
        "web has 2001:db8:1::2/64 but no IPv6 default route, though app on the same segment has one by 2001:db8:1::1",
    ),
)
def lost_ipv6(host: Host, web: Row) -> None:
    app = host.container("app")
    host.attach(app, "docker0", "vethapp", "172.17.0.3/16", "2001:db8:1::3/64", via="172.17.0.1")
    host.of(app)["routes"].append(route("default", "eth0", "2001:db8:1::1"))
    host.of(web)["addresses"].append(address("2001:db8:1::2/64", "eth0"))


@case(
    "RT-002",
    "ipv6-off-link",
    fails(
        "web",
        "2001:db8:9::1",
        "high",
        "the default gateway 2001:db8:9::1 of web is not on link: eth0 has 172.17.0.2/16",
    ),
)
def off_link6(host: Host, web: Row) -> None:
    host.of(web)["routes"].append(route("default", "eth0", "2001:db8:9::1"))


@case(
    "RT-002",
    "no-address",
    fails("web", "172.17.0.1", "high", "the default gateway 172.17.0.1 of web is not on link: eth0 has no address"),
)
def no_address(host: Host, web: Row) -> None:
    drop(host.of(web)["addresses"], link="eth0")
    drop(host.of(web)["routes"], destination="172.17.0.0/16")


@case(
    "RT-002",
    "prefix-of-full-length",
    fails("web", "172.17.0.1", "high", "the default gateway 172.17.0.1 of web is not on link: eth0 has 172.17.0.1/32"),
)
def full_length(host: Host, web: Row) -> None:
    host.of(web)["addresses"][-1] = address("172.17.0.1/32", "eth0")
    drop(host.of(web)["routes"], destination="172.17.0.0/16")


@case("RT-002", "proxy-arp", web="pass")
def proxy_arp(host: Host, web: Row) -> None:
    host.of(web)["routes"][-1]["gateway"] = "172.17.0.9"
    host.net["sysctls"]["net.ipv4.conf.all.proxy_arp"] = 1


@case(
    "RT-002",
    "others-silent",
    fails(
        "web",
        "172.17.0.9",
        "high",
        "the default gateway 172.17.0.9 of web is an address of nobody behind eth0: docker0 has 172.17.0.1/16",
    ),
)
def silent_neighbours(host: Host, web: Row) -> None:
    host.of(web)["routes"][-1]["gateway"] = "172.17.0.9"
    host.net["sysctls"]["net.ipv4.conf.all.proxy_arp"] = 0
    host.net["sysctls"]["net.ipv4.conf.all.rp_filter"] = 1
    host.of(web)["neighbours"] += [
        neighbour("172.17.0.9", "eth0", "failed"),
        neighbour("172.17.0.9", "eth1", "reachable"),
    ]


@case(
    "RT-002",
    "bridge-unread",
    unknown(None, "", "high", "not all addresses of the host were read"),
    unknown("web", "172.17.0.9", "high", "not all addresses of the host were read"),
)
def bridge_unread(host: Host, web: Row) -> None:
    host.of(web)["routes"][-1]["gateway"] = "172.17.0.9"
    host.facts["problems"].append({"what": f"addresses of {HOST_NET}", "reason": "truncated", "count": 3})


@case(
    "RT-003",
    "all-routers-silent",
    fails(
        "web",
        "fe80::1",
        "high",
        "the default gateway fe80::1 of web does not answer: its neighbour entry on eth0 is failed",
    ),
    fails(
        "web",
        "fe80::2",
        "high",
        "the default gateway fe80::2 of web does not answer: its neighbour entry on eth0 is failed",
    ),
)
def routers_silent(host: Host, web: Row) -> None:
    net = host.of(web)
    for number in (1, 2):
        net["routes"].append(route("default", "eth0", f"fe80::{number}", metric=1024))
        net["neighbours"].append(neighbour(f"fe80::{number}", "eth0", "failed"))


@case(
    "RT-003",
    "ipv4-silent-beside-ipv6",
    fails(
        "web",
        "172.17.0.1",
        "high",
        "the default gateway 172.17.0.1 of web does not answer: its neighbour entry on eth0 is failed",
    ),
)
def one_family_silent(host: Host, web: Row) -> None:
    net = host.of(web)
    net["routes"].append(route("default", "eth0", "fe80::1", metric=1024))
    net["neighbours"][:] = [neighbour("fe80::1", "eth0"), neighbour("172.17.0.1", "eth0", "failed")]


@case("RT-003", "worse-metric", web="pass")
def worse_metric(host: Host, web: Row) -> None:
    host.of(web)["routes"].append(route("default", "eth0", "172.17.0.7", metric=500))
    host.of(web)["neighbours"].append(neighbour("172.17.0.7", "eth0", "failed"))


@case("SYS-001", "forced-for-the-link", six="not_applicable", host="pass")
def forced(host: Host, web: Row) -> None:
    host.bridge("br-six", "fd00:6::1/64")
    six = host.container("six")
    host.attach(six, "br-six", "vethsix", "fd00:6::2/64", via="fd00:6::1")
    host.net["sysctls"].update({"net.ipv6.conf.all.forwarding": 0, "net.ipv6.conf.br-six.force_forwarding": 1})


@case(
    "SYS-001",
    "senders-unread",
    unknown(None, "net.ipv6.conf.all.forwarding", "high", "who sends through the host was not read of ghost"),
)
def senders_unread(host: Host, web: Row) -> None:
    ghost = host.container("ghost")
    host.facts["networks"][ghost["namespaces"]["net"]] = None
    host.net["sysctls"]["net.ipv6.conf.all.forwarding"] = 0


# Names and ports


@case("DNS-002", "rules-unread", unknown("web", "127.0.0.53", "high", "not all rules of web were read"))
def rules_unread(host: Host, web: Row) -> None:
    stub(host, web)
    host.of(web)["firewall"]["legacy"] = {"ip": ["nat"]}


@case("DNS-002", "over-tcp", web="pass")
def over_tcp(host: Host, web: Row) -> None:
    stub(host, web)
    host.of(web)["dns"] = dns("127.0.0.53", options=("use-vc",))


@case("DNS-003", "one-is-local", web="pass")
def one_local(host: Host, web: Row) -> None:
    drop(host.of(web)["routes"], destination="default")
    host.of(web)["dns"] = dns("127.0.0.53", "192.0.2.53")


@case("DNS-003", "no-address", web="not_applicable")
def dns_no_address(host: Host, web: Row) -> None:
    alone(host, web)


@case("SOC-001", "sidecar", unknown("web", "80/tcp", "high", "rules inside web may lead 80/tcp on"))
def sidecar(host: Host, web: Row) -> None:
    served_on_loopback(host, web)
    host.of(web)["firewall"] = firewall(rule("PREROUTING", "redirect", {"address": None, "port": 15006}))


@case("SOC-002", "mptcp-and-any", web="pass")
def mptcp(host: Host, web: Row) -> None:
    serve(host, web, listening("mptcp", "0.0.0.0", 80), listening("tcp", "172.17.0.2", 81))
    host.net["published"] += [
        published("0.0.0.0", 81, web, "172.17.0.2", 81),
        published("0.0.0.0", 82, web, None, 81),
        {**published("0.0.0.0", 83, web, None, 0), "port": None},
    ]


@case(
    "SOC-002",
    "two-in-a-row",
    fails("web", "80/tcp", "high", "port 80/tcp of web is published as 0.0.0.0:8080 on the host, but nothing listens"),
    fails("web", "81/tcp", "high", "port 81/tcp of web is published as 0.0.0.0:8081 on the host, but nothing listens"),
)
def two_in_a_row(host: Host, web: Row) -> None:
    serve(host, web, listening("tcp", "0.0.0.0", 79), listening("tcp", "0.0.0.0", 82))
    host.net["published"] += [published("0.0.0.0", 8000 + port, web, "172.17.0.2", port) for port in (79, 81, 82)]


@case("SOC-002", "cut", unknown("web", "80/tcp", "high", "not all listening sockets of web were read"))
def sockets_cut(host: Host, web: Row) -> None:
    nobody_listens(host, web)
    host.facts["problems"].append(
        {"what": "sockets of " + web["namespaces"]["net"], "reason": "truncated", "count": 40}
    )


@case("CT-001", "full", fails(None, "", "high", "the host tracks 249037 connections of at most 262144 (95 %)"))
def conntrack_95(host: Host, web: Row) -> None:
    host.net["firewall"]["conntrack"]["count"] = 249037


# What there is nothing to say about


for _check in ("LNK-003", "LNK-005", "LNK-007", "LNK-008", "RT-001", "RT-002", "RT-003", "DNS-003"):
    case(_check, "without-network", web="not_applicable")(alone)


@case("LNK-002", "macvlan-without-address", fails("lan", "eth0", "high", "eth0 of lan is administratively down"))
def macvlan_down(host: Host, web: Row) -> None:
    lan = host.container("lan")
    host.of(lan)["links"].append(link("eth0", 2, "macvlan"))
    down(host.of(lan)["links"][-1])


@case(
    "LNK-004",
    "sandbox-that-is-published",
    fails("web", "lo", "medium", "lo of web is down: nothing in it reaches 127.0.0.1 or ::1"),
)
def published_sandbox(host: Host, web: Row) -> None:
    alone(host, web)
    web["engine"] = "lxc"
    down(host.of(web)["links"][0])


@case("LNK-009", "bridge-in-a-bridge", host="pass")
def ports_are_no_ends(host: Host, web: Row) -> None:
    find(host.net["links"], "veth3f2a")["mac"] = find(host.of(web)["links"], "eth0")["mac"]
    tunnel = {"mac": "02:00:00:00:00:aa:bb:cc", "kind": "dummy"}
    host.net["links"] += [link("t1", 40, master="docker0", **tunnel), link("t2", 41, master="docker0", **tunnel)]


@case("RT-001", "host-on-the-segment", fails("db", "", "info", INTERNAL))
def host_on_segment(host: Host, web: Row) -> None:
    """That the host itself leaves by it says nothing of its containers."""
    second_network(host, masquerade=False)
    find(host.net["links"], "ens3")["master"] = "br-0a1b2c3d4e5f"


@case("RT-002", "gateway-no-address", unknown("web", "nonsense", "high", "the gateway nonsense of web is no address"))
def gateway_nonsense(host: Host, web: Row) -> None:
    host.of(web)["routes"][-1]["gateway"] = "nonsense"


@case("RT-002", "routes-cut", unknown("web", "10.9.9.9", "high", "not all routes of web were read"))
def gateway_cut(host: Host, web: Row) -> None:
    host.of(web)["routes"][-1]["gateway"] = "10.9.9.9"
    host.facts["problems"].append({"what": "routes of " + web["namespaces"]["net"], "reason": "truncated", "count": 9})


@case(
    "RT-002",
    "another-prefix-route",
    fails("web", "172.17.0.1", "high", "the default gateway 172.17.0.1 of web is not on link: eth0 has 172.17.0.2/16"),
)
def no_prefix_route(host: Host, web: Row) -> None:
    host.of(web)["addresses"][-1]["flags"].append("noprefixroute")
    drop(host.of(web)["routes"], destination="172.17.0.0/16")


@case("SYS-001", "senders-unread-but-on", host="pass")
def senders_unread_but_on(host: Host, web: Row) -> None:
    ghost = host.container("ghost")
    host.facts["networks"][ghost["namespaces"]["net"]] = None


@case("SOC-002", "loopback-is-anothers", web="pass")
def loopback_is_anothers(host: Host, web: Row) -> None:
    served_on_loopback(host, web)


@case("NB-001", "learned-by-others", host="pass")
def neighbours_learned(host: Host, web: Row) -> None:
    host.net["sysctls"]["net.ipv4.neigh.default.gc_thresh3"] = 10
    host.net["neighbours"] += [
        {**neighbour(f"10.0.0.{number}", "ens3"), "flags": ["extern_learn"]} for number in range(20)
    ]


@case(
    "LEAK-001",
    "entry-untold",
    unknown(None, "", "medium", "which namespaces have processes was not told of all of them"),
)
def entry_untold(host: Host, web: Row) -> None:
    del host.facts["inventory"][-1]["processes"]


@case("LEAK-002", "proxy-beside-another", host="pass")
def proxy_beside_another(host: Host, web: Row) -> None:
    leftover(host)
    host.facts["inventory"][-1]["pins"] = [
        {"kind": "socket", "count": 1, "pid": 700 + number, "comm": comm, "descriptor": 7}
        for number, comm in enumerate(("docker-proxy", "tcpdump"))
    ]


@case(
    "LEAK-003",
    "held-by-a-proxy",
    fails(None, "vethold", "medium", "vethold on the host leads to net:[4026532002], whose container is gone"),
)
def veth_of_proxy(host: Host, web: Row) -> None:
    name = leftover(host)
    host.facts["inventory"][-1]["pins"] = [
        {"kind": "socket", "count": 1, "pid": 700, "comm": "docker-proxy", "descriptor": 7}
    ]
    host.veth(name, "docker0", "vethold")


for _name, _what, _reason, _because in (
    ("hidden-processes", "processes", "hidepid", "not every process could be read"),
    ("late", "sockets", "timed out", "not every network namespace could be read"),
    ("network-refused", "networks", "refused: EPERM", "not every network namespace could be read"),
):

    @case(
        "LEAK-003",
        _name,
        unknown(None, "vethold", "medium", f"where vethold on the host leads to was not seen: {_because}"),
    )
    def veth_unsure(host: Host, web: Row, what: str = _what, reason: str = _reason) -> None:
        dangling(host, "docker0")
        host.facts["problems"].append({"what": what, "reason": reason, "count": 1})


@case("LEAK-003", "no-veth", host="not_applicable")
def no_veth(host: Host, web: Row) -> None:
    drop(host.net["links"], kind="veth")


# Networks that are internal, and routers of others


@case("LNK-008", "internal", db="not_applicable")
def internal_but_routed(host: Host, web: Row) -> None:
    """Docker before 23.0 gave internal networks a default route too, and drops what takes it."""
    second_network(host, masquerade=False)
    host.of(next(one for one in host.facts["containers"] if one["name"] == "db"))["routes"].append(
        route("default", "eth0", "172.20.0.1")
    )
    host.net["firewall"]["decoded"].append(
        rule(
            "DOCKER-ISOLATION-STAGE-1",
            "drop",
            table="filter",
            iif="br-0a1b2c3d4e5f",
            destination="172.20.0.0/16",
            destination_negated=True,
        )
    )
    drop(host.net["routes"], destination="default")
    host.net["routes"].append(route("default", "ens3", "192.0.2.1", mtu=1400))
    host.of(web)["routes"][-1]["mtu"] = 1400


@case("SYS-001", "internal", host="not_applicable")
def forward_internal(host: Host, web: Row) -> None:
    internal_but_routed(host, web)
    drop(host.of(web)["routes"], destination="default")
    host.net["sysctls"].update({"net.ipv4.ip_forward": 0, "net.ipv4.conf.docker0.forwarding": 0})


@case("RT-001", "router-of-a-container", web="pass")
def router_of_a_container(host: Host, web: Row) -> None:
    """What is the gateway of others on its segment needs none there itself."""
    name, net = host.namespace()
    host.veth(name, "docker0", "vethrouter")
    net["addresses"].append(address("172.17.0.254/16", "eth0"))
    net["routes"].append(route("172.17.0.0/16", "eth0"))
    host.net["firewall"]["decoded"].clear()
    find(host.net["links"], "docker0")["name"] = "br-own"
    find(host.net["links"], "veth3f2a")["master"] = "br-own"
    find(host.net["links"], "vethrouter")["master"] = "br-own"
    drop(host.of(web)["routes"], destination="default")
    host.of(web)["routes"].append(route("default", "eth0", "172.17.0.254"))

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of links.py, bridges.py, mtu.py and addresses.py."""

from __future__ import annotations

from built import HOST_NET, Host, Row, address, dns, link, listening, lo, route
from case import case, down, fails, find, same, unknown, without_carrier

# LNK-001


def alone(host: Host, web: Row) -> None:
    host.of(web)["links"][:] = [lo()]
    host.of(web)["addresses"][:] = [address("127.0.0.1/8", "lo")]
    host.of(web)["routes"].clear()


@case(
    "LNK-001",
    "published",
    fails("web", "lo", "high", "web has no interface but lo, though port 8080 of the host is published to it"),
)
def only_lo_published(host: Host, web: Row) -> None:
    alone(host, web)


@case(
    "LNK-001",
    "docker-dns",
    fails(
        "web",
        "lo",
        "high",
        "web has no interface but lo, though its resolv.conf names "
        "127.0.0.11, which Docker has in networks of users only",
    ),
)
def only_lo_dns(host: Host, web: Row) -> None:
    alone(host, web)
    host.net["published"].clear()
    host.of(web)["dns"] = dns("127.0.0.11")


@case(
    "LNK-001",
    "pod",
    fails("shop/web", "lo", "high", "pod shop/web (nginx) has no interface but lo, though it is a pod of Kubernetes"),
)
def only_lo_pod(host: Host, web: Row) -> None:
    alone(host, web)
    host.net["published"].clear()
    web.update(name="nginx", engine="cri", pod={"name": "web", "namespace": "shop", "uid": None})


@case("LNK-001", "network-none", web="not_applicable")
def only_lo_on_purpose(host: Host, web: Row) -> None:
    alone(host, web)
    host.net["published"].clear()


same("LNK-001", "healthy", web="pass")


@case("LNK-001", "refused", unknown("web", "", "high", "the links of web were not read"))
def links_refused(host: Host, web: Row) -> None:
    host.of(web)["links"].clear()
    place = web["namespaces"]["net"]
    host.facts["problems"].append({"what": f"links of {place}", "reason": "refused: EPERM", "count": 1})


# LNK-002


@case("LNK-002", "down", fails("web", "eth0", "high", "eth0 of web with 172.17.0.2/16 is administratively down"))
def eth0_down(host: Host, web: Row) -> None:
    down(find(host.of(web)["links"], "eth0"))


@case(
    "LNK-002",
    "netns-without-container",
    fails(
        None,
        "the network namespace blue: veth-b",
        "high",
        "veth-b of the network namespace blue with 10.9.0.2/24 is administratively down",
    ),
    web="pass",
)
def named_netns_down(host: Host, web: Row) -> None:
    name, net = host.namespace()
    pins = [{"kind": "mount", "count": 1, "path": "/run/netns/blue", "mount_namespace": "mnt:[4026531841]"}]
    host.facts["inventory"][-1].update(processes=0, leader=None, pins=pins)
    there, here = host.veth(name, None, "veth-a", "veth-b")
    net["addresses"].append(address("10.9.0.2/24", "veth-b"))
    down(there)


@case("LNK-002", "fallback-devices", web="pass")
def fallback_devices(host: Host, web: Row) -> None:
    for index, (name, kind) in enumerate((("tunl0", "ipip"), ("sit0", "sit"), ("gretap0", "gretap")), 8):
        host.of(web)["links"].append(link(name, index, kind, state="down", flags=["NOARP"]))


same("LNK-002", "healthy", web="pass")


@case("LNK-002", "no-flags", unknown("web", "eth0", "high", "whether eth0 of web is up was not told"))
def flags_missing(host: Host, web: Row) -> None:
    del find(host.of(web)["links"], "eth0")["flags"]


# LNK-003


@case("LNK-003", "peer-down", fails("web", "eth0", "high", "veth3f2a on the host, the peer of eth0 of web, is down"))
def peer_down(host: Host, web: Row) -> None:
    down(find(host.net["links"], "veth3f2a"))
    without_carrier(find(host.of(web)["links"], "eth0"))


@case(
    "LNK-003", "no-carrier", fails("web", "eth0", "high", "eth0 of web is up but has no carrier (state lowerlayerdown)")
)
def no_carrier(host: Host, web: Row) -> None:
    without_carrier(find(host.of(web)["links"], "eth0"))
    find(host.of(web)["links"], "eth0")["peer"] = {"network": None, "name": None, "container": None}


@case(
    "LNK-003",
    "macvlan-lower-down",
    fails("lan", "eth0", "high", "ens3 on the host, which carries eth0 of lan, is down"),
    web="pass",
)
def lower_down(host: Host, web: Row) -> None:
    lan = host.container("lan")
    lower = {"network": HOST_NET, "name": "ens3", "container": None}
    host.of(lan)["links"].append(link("eth0", 2, "macvlan", details={"mode": "bridge", "lower": lower}))
    without_carrier(host.of(lan)["links"][-1])
    down(find(host.net["links"], "ens3"))


@case("LNK-003", "own-end-down", web="pass")
def own_end_down(host: Host, web: Row) -> None:
    down(find(host.of(web)["links"], "eth0"))
    without_carrier(find(host.net["links"], "veth3f2a"))


same("LNK-003", "healthy", web="pass")


@case("LNK-003", "tap-only", rootless="not_applicable", web="pass")
def slirp(host: Host, web: Row) -> None:
    rootless = host.container("rootless", engine="podman")
    host.of(rootless)["links"].append(link("tap0", 2, "tun", state="unknown", mtu=65520))


@case("LNK-003", "no-flags", unknown("web", "eth0", "high", "whether eth0 of web has a carrier was not told"))
def carrier_missing(host: Host, web: Row) -> None:
    find(host.of(web)["links"], "eth0")["flags"] = None


# LNK-004


@case("LNK-004", "down", fails("web", "lo", "medium", "lo of web is down: nothing in it reaches 127.0.0.1 or ::1"))
def lo_down(host: Host, web: Row) -> None:
    down(host.of(web)["links"][0])


@case(
    "LNK-004",
    "network-none-down",
    fails("web", "lo", "medium", "lo of web is down: nothing in it reaches 127.0.0.1 or ::1"),
)
def lo_down_without_network(host: Host, web: Row) -> None:
    alone(host, web)
    down(host.of(web)["links"][0])


@case("LNK-004", "sandbox", sandbox="not_applicable", web="pass")
def lo_down_in_sandbox(host: Host, web: Row) -> None:
    sandbox = host.container("sandbox", engine="unknown")
    down(host.of(sandbox)["links"][0])


same("LNK-004", "healthy", web="pass")


@case("LNK-004", "no-lo", unknown("web", "lo", "medium", "whether lo of web is up was not told"))
def lo_unseen(host: Host, web: Row) -> None:
    del host.of(web)["links"][0]


# LNK-005


@case(
    "LNK-005",
    "no-master",
    fails(
        "web",
        "veth3f2a",
        "high",
        "veth3f2a on the host, the peer of eth0 of web, is in no bridge and no route leads to it",
    ),
)
def no_master(host: Host, web: Row) -> None:
    find(host.net["links"], "veth3f2a")["master"] = None
    host.net["addresses"].append(address("fe80::1/64", "veth3f2a"))
    host.net["routes"].append(route("fe80::/64", "veth3f2a"))


@case("LNK-005", "calico", pod="pass", web="pass")
def calico(host: Host, web: Row) -> None:
    pod = host.container("pod", engine="cri")
    host.veth(pod["namespaces"]["net"], None, "cali0a1b2c3d4e5")
    host.net["routes"].append(route("10.244.1.7/32", "cali0a1b2c3d4e5"))


@case("LNK-005", "cilium", pod="pass", web="pass")
def cilium(host: Host, web: Row) -> None:
    pod = host.container("pod", engine="cri")
    host.veth(pod["namespaces"]["net"], None, "lxc0a1b2c3d4e5")
    host.net["links"].append(link("cilium_host", 40, "veth"))


@case("LNK-005", "packet-socket", pod="pass", web="pass")
def packet_socket(host: Host, web: Row) -> None:
    pod = host.container("pod", engine="cri")
    host.veth(pod["namespaces"]["net"], None, "vpp1")
    host.net["listening"].append({**listening("packet", "", 0), "link": "vpp1"})


same("LNK-005", "healthy", web="pass")


@case("LNK-005", "peer-unseen", unknown("web", "eth0", "high", "where the other end of eth0 of web is was not seen"))
def peer_unseen(host: Host, web: Row) -> None:
    find(host.of(web)["links"], "eth0")["peer"] = {"network": None, "name": None, "container": None}


@case("LNK-005", "routes-cut", unknown("web", "eth0", "high", "not all routes of the host were read"))
def routes_cut(host: Host, web: Row) -> None:
    find(host.net["links"], "veth3f2a")["master"] = None
    host.facts["problems"].append({"what": f"routes of {HOST_NET}", "reason": "truncated", "count": 4000})


# LNK-006


@case(
    "LNK-006",
    "bridge-down",
    fails(None, "docker0", "high", "docker0 on the host is down: web cannot be reached through it"),
)
def bridge_down(host: Host, web: Row) -> None:
    down(find(host.net["links"], "docker0"))


@case(
    "LNK-006",
    "port-blocking",
    fails("web", "veth3f2a", "high", "veth3f2a, the port of docker0 to eth0 of web, is blocking instead of forwarding"),
)
def port_blocking(host: Host, web: Row) -> None:
    find(host.net["links"], "veth3f2a")["details"]["port"]["state"] = "blocking"


@case(
    "LNK-006",
    "listening-without-stp",
    fails(
        "web", "veth3f2a", "high", "veth3f2a, the port of docker0 to eth0 of web, is listening instead of forwarding"
    ),
)
def port_listening(host: Host, web: Row) -> None:
    find(host.net["links"], "veth3f2a")["details"]["port"]["state"] = "listening"


@case("LNK-006", "learning-with-stp", host="pass")
def port_learning(host: Host, web: Row) -> None:
    find(host.net["links"], "veth3f2a")["details"]["port"]["state"] = "learning"
    find(host.net["links"], "docker0")["details"]["stp_state"] = 1


@case("LNK-006", "disabled-without-carrier", host="pass")
def port_disabled(host: Host, web: Row) -> None:
    port = find(host.net["links"], "veth3f2a")
    port["details"]["port"]["state"] = "disabled"
    without_carrier(port)


@case("LNK-006", "empty-bridge-down", host="pass")
def empty_bridge(host: Host, web: Row) -> None:
    down(host.bridge("br-0a1b2c3d4e5f", "172.18.0.1/16"))


same("LNK-006", "healthy", host="pass", web="not_applicable")


@case(
    "LNK-006", "state-untold", unknown("web", "veth3f2a", "high", "whether veth3f2a of docker0 forwards was not told")
)
def port_untold(host: Host, web: Row) -> None:
    del find(host.net["links"], "veth3f2a")["details"]["port"]


# LNK-007


@case(
    "LNK-007",
    "pair",
    fails(
        "web",
        "eth0",
        "medium",
        "eth0 of web has MTU 9000, its peer veth3f2a on docker0 1500: packets over 1500 bytes are lost",
    ),
)
def mtu_pair(host: Host, web: Row) -> None:
    find(host.of(web)["links"], "eth0")["mtu"] = 9000


@case(
    "LNK-007",
    "bridge",
    fails(
        "web",
        "eth0",
        "medium",
        "eth0 of web and its peer veth3f2a have MTU 1400, their bridge docker0 1500: packets over 1400 bytes are lost",
    ),
)
def mtu_bridge(host: Host, web: Row) -> None:
    find(host.of(web)["links"], "eth0")["mtu"] = find(host.net["links"], "veth3f2a")["mtu"] = 1400


@case("LNK-007", "all-smaller", web="pass")
def mtu_all(host: Host, web: Row) -> None:
    for row in (
        find(host.of(web)["links"], "eth0"),
        find(host.net["links"], "veth3f2a"),
        find(host.net["links"], "docker0"),
    ):
        row["mtu"] = 1400


same("LNK-007", "healthy", web="pass")


@case("LNK-007", "untold", unknown("web", "eth0", "medium", "the MTU at both ends of eth0 of web was not told"))
def mtu_untold(host: Host, web: Row) -> None:
    find(host.net["links"], "veth3f2a")["mtu"] = None


# LNK-008


@case(
    "LNK-008",
    "uplink-smaller",
    fails(
        "web",
        "eth0",
        "high",
        "eth0 of web has MTU 1500, but ens3, by which the host sends it on, 1450: packets over 1450 bytes are lost where ICMP is dropped",
    ),
)
def mtu_uplink(host: Host, web: Row) -> None:
    find(host.net["links"], "ens3")["mtu"] = 1450


@case(
    "LNK-008",
    "vxlan",
    fails(
        None,
        "flannel.1",
        "high",
        "flannel.1 of the host has MTU 1500, but ens3, which "
        "carries it, 1500: with 50 bytes of headers packets over 1450 bytes are fragmented or lost",
    ),
    web="pass",
)
def mtu_vxlan(host: Host, web: Row) -> None:
    details = {"id": 1, "local": "192.0.2.10", "lower": {"network": HOST_NET, "name": "ens3", "container": None}}
    host.net["links"].append(link("flannel.1", 20, "vxlan", details=details))


@case("LNK-008", "vxlan-fits", host="not_applicable", web="pass")
def mtu_vxlan_fits(host: Host, web: Row) -> None:
    mtu_vxlan(host, web)
    find(host.net["links"], "flannel.1")["mtu"] = 1450


@case("LNK-008", "route-mtu", web="pass")
def mtu_of_route(host: Host, web: Row) -> None:
    find(host.net["links"], "ens3")["mtu"] = 1450
    host.of(web)["routes"][-1]["mtu"] = 1450


@case("LNK-008", "vpn", web="pass")
def mtu_vpn(host: Host, web: Row) -> None:
    host.net["links"].append(link("tun0", 20, "tun", mtu=1400))
    host.net["routes"][0].update(link="tun0", gateway=None)


@case("LNK-008", "jumbo-uplink", web="pass")
def mtu_jumbo(host: Host, web: Row) -> None:
    find(host.net["links"], "ens3")["mtu"] = 9000


same("LNK-008", "healthy", web="pass")


@case(
    "LNK-008",
    "host-routes-unread",
    unknown(None, "", "high", "the routes of the host were not read"),
    unknown("web", "eth0", "high", "the routes of the host were not read"),
)
def mtu_unread(host: Host, web: Row) -> None:
    host.net["routes"] = None


# LNK-009


@case(
    "LNK-009",
    "same",
    fails(
        "db",
        "02:42:ac:02:03:01",
        "high",
        "eth0 of db and eth0 of web have the same hardware address 02:42:ac:02:03:01 on docker0",
    ),
)
def same_mac(host: Host, web: Row) -> None:
    db = host.container("db")
    host.attach(db, "docker0", "vethdb", "172.17.0.3/16", via="172.17.0.1")
    for one in (web, db):
        find(host.of(one)["links"], "eth0")["mac"] = "02:42:ac:02:03:01"


@case("LNK-009", "calico-host-ends", host="pass")
def same_mac_of_host_ends(host: Host, web: Row) -> None:
    for name in ("a", "b"):
        pod = host.container(name, engine="cri")
        dummy, here = host.veth(pod["namespaces"]["net"], None, f"cali{name}")
        here["mac"] = "ee:ee:ee:ee:ee:ee"


@case("LNK-009", "vrrp-and-ipvlan", host="pass")
def shared_mac(host: Host, web: Row) -> None:
    lower = {"network": HOST_NET, "name": "ens3", "container": None}
    for name, kind, mac in (
        ("a", "macvlan", "00:00:5e:00:01:33"),
        ("b", "macvlan", "00:00:5e:00:01:33"),
        ("c", "ipvlan", "02:00:00:00:00:02"),
        ("d", "ipvlan", "02:00:00:00:00:02"),
    ):
        one = host.container(name)
        host.of(one)["links"].append(link("eth0", 2, kind, mac=mac, details={"lower": lower}))


@case("LNK-009", "bridge-has-its-ports", host="pass")
def bridge_mac(host: Host, web: Row) -> None:
    find(host.net["links"], "docker0")["mac"] = find(host.net["links"], "veth3f2a")["mac"]


@case("LNK-009", "vlans-apart", host="pass")
def vlans_apart(host: Host, web: Row) -> None:
    same_mac(host, web)
    find(host.net["links"], "docker0")["details"]["vlan_filtering"] = 1


same("LNK-009", "healthy", host="pass")


@case("LNK-009", "unread", unknown(None, "", "high", "the links of ghost were not all read"))
def unread_network(host: Host, web: Row) -> None:
    ghost = host.container("ghost")
    del host.facts["networks"][ghost["namespaces"]["net"]]


# ADR-002


@case(
    "ADR-002",
    "same-bridge",
    fails("db", "172.17.0.2", "critical", "eth0 of db and eth0 of web have the same address 172.17.0.2 on docker0"),
)
def same_address(host: Host, web: Row) -> None:
    db = host.container("db")
    host.attach(db, "docker0", "vethdb", "172.17.0.2/16", via="172.17.0.1")


@case(
    "ADR-002",
    "leaked-namespace",
    fails(
        "web",
        "172.17.0.2",
        "critical",
        "eth0 of the network namespace 1a2b3c4d5e6f and eth0 of web have the same address 172.17.0.2 on docker0",
    ),
)
def leaked_address(host: Host, web: Row) -> None:
    name, net = host.namespace()
    pins = [
        {"kind": "mount", "count": 1, "path": "/run/docker/netns/1a2b3c4d5e6f", "mount_namespace": "mnt:[4026531841]"}
    ]
    host.facts["inventory"][-1].update(processes=0, leader=None, pins=pins)
    host.veth(name, "docker0", "vethold")
    net["addresses"].append(address("172.17.0.2/16", "eth0"))


@case(
    "ADR-002",
    "routed",
    fails(
        "a",
        "10.244.1.7",
        "critical",
        "eth0 of a and eth0 of b have the same address 10.244.1.7 behind the host's routes",
    ),
)
def routed_twice(host: Host, web: Row) -> None:
    for name in ("a", "b"):
        pod = host.container(name, engine="cri")
        host.veth(pod["namespaces"]["net"], None, f"cali{name}")
        host.of(pod)["addresses"].append(address("10.244.1.7/32", "eth0"))
        host.net["routes"].append(route("10.244.1.7/32", f"cali{name}"))


@case("ADR-002", "swarm-virtual-address", host="pass")
def virtual_address(host: Host, web: Row) -> None:
    db = host.container("db")
    host.attach(db, "docker0", "vethdb", "172.17.0.3/16", via="172.17.0.1")
    for one in (web, db):
        host.of(one)["addresses"].append(address("172.17.0.99/32", "eth0"))


@case("ADR-002", "nested-docker", host="pass")
def nested_docker(host: Host, web: Row) -> None:
    host.of(web)["links"].append(link("docker0", 5, "bridge"))
    host.of(web)["addresses"].append(address("172.17.0.1/16", "docker0"))


@case("ADR-002", "gateway-of-each-veth", host="pass")
def gateways_of_ptp(host: Host, web: Row) -> None:
    for name in ("a", "b"):
        pod = host.container(name, engine="containerd")
        host.veth(pod["namespaces"]["net"], None, f"veth{name}")
        host.net["addresses"].append(address("10.22.0.1/32", f"veth{name}"))


same("ADR-002", "healthy", host="pass")


@case("ADR-002", "unread", unknown(None, "", "critical", "the addresses of web were not all read"))
def addresses_unread(host: Host, web: Row) -> None:
    host.of(web)["addresses"] = None


# ADR-004


@case(
    "ADR-004",
    "failed",
    fails(
        "web",
        "fd00::2/64",
        "medium",
        "fd00::2/64 of web on eth0 is not in use, duplicate address detection failed: eth0 of db has it",
    ),
)
def dad_failed(host: Host, web: Row) -> None:
    db = host.container("db")
    host.attach(db, "docker0", "vethdb", "172.17.0.3/16", "fd00::2/64")
    host.of(web)["addresses"].append(address("fd00::2/64", "eth0", "dadfailed", "tentative"))


@case("ADR-004", "tentative", web="pass")
def dad_running(host: Host, web: Row) -> None:
    host.of(web)["addresses"].append(address("fd00::2/64", "eth0", "tentative"))


@case("ADR-004", "ipv4-only", web="not_applicable")
def no_ipv6(host: Host, web: Row) -> None:
    host.of(web)["addresses"][:] = [row for row in host.of(web)["addresses"] if row["family"] == "inet"]


same("ADR-004", "healthy", web="pass", host="pass")


@case("ADR-004", "unread", unknown("web", "", "medium", "the addresses of web were not read"))
def dad_unread(host: Host, web: Row) -> None:
    del host.of(web)["addresses"]

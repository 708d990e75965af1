# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of names.py, ports.py, limits.py and leaks.py."""

from __future__ import annotations

from built import HOST_MNT, HOST_NET, Host, Row, dns, firewall, link, listening, neighbour, published, route, rule
from case import case, drop, fails, same, unknown

# DNS-001


@case("DNS-001", "empty", fails("web", "resolv.conf", "high", "resolv.conf of web is missing or names no nameserver"))
def no_nameserver(host: Host, web: Row) -> None:
    host.of(web)["dns"] = dns()


@case("DNS-001", "without-network", none="not_applicable", web="pass")
def no_network(host: Host, web: Row) -> None:
    none = host.container("none")
    host.of(none)["dns"] = dns()


@case("DNS-001", "plain-containerd", plain="not_applicable", web="pass")
def plain_containerd(host: Host, web: Row) -> None:
    plain = host.container("plain", engine="containerd")
    host.attach(plain, "docker0", "vethp", "172.17.0.3/16", via="172.17.0.1")
    host.of(plain)["dns"] = dns()


same("DNS-001", "healthy", web="pass")


@case("DNS-001", "refused", unknown("web", "resolv.conf", "high", "the nameservers of web were not read"))
def dns_refused(host: Host, web: Row) -> None:
    host.of(web)["dns"] = dns()
    place = web["namespaces"]["net"]
    host.facts["problems"].append({"what": f"resolv.conf of {place}", "reason": "refused: EACCES", "count": 1})


@case("DNS-001", "unread", unknown("web", "", "high", "the lines of resolv.conf of web were not read"))
def dns_unread(host: Host, web: Row) -> None:
    host.of(web)["dns"] = None


# DNS-002


@case(
    "DNS-002",
    "stub-of-the-host",
    fails(
        "web",
        "127.0.0.53",
        "high",
        "the nameserver 127.0.0.53 of web is its own loopback, where nothing listens on port 53",
    ),
)
def stub(host: Host, web: Row) -> None:
    host.of(web)["dns"] = dns("127.0.0.53")
    host.of(web)["listening"] += [
        listening("udp", "0.0.0.0", 5353),
        listening("tcp", "127.0.0.53", 53),
        listening("udp", "127.0.0.53", 54),
        listening("udp", "172.17.0.2", 53),
        listening("udp", "::", 53, v6only=True),
    ]


@case(
    "DNS-002",
    "one-of-two",
    fails("web", "::1", "medium", "the nameserver ::1 of web is its own loopback, where nothing listens on port 53"),
)
def one_of_two(host: Host, web: Row) -> None:
    host.of(web)["dns"] = dns("::1", "192.0.2.53")
    host.of(web)["listening"].append(listening("tcp", "::", 53, "other"))


@case(
    "DNS-002",
    "docker-dns-gone",
    fails(
        "web",
        "127.0.0.11",
        "high",
        "the nameserver 127.0.0.11 of web is its own loopback, where nothing listens on port 53, and no rule leads on",
    ),
)
def docker_dns_gone(host: Host, web: Row) -> None:
    host.of(web)["dns"] = dns("127.0.0.11")
    host.of(web)["firewall"] = firewall(
        rule("OUTPUT", "dnat", {"address": "10.0.0.1", "port": 53}, destination="10.96.0.10"),
        rule("DOCKER_POSTROUTING", "snat", {"address": "127.0.0.11", "port": 53}, source="127.0.0.11"),
    )


@case("DNS-002", "docker-dns-by-socket", web="pass")
def docker_dns_socket(host: Host, web: Row) -> None:
    host.of(web)["dns"] = dns("127.0.0.11")
    host.of(web)["listening"].append(listening("udp", "127.0.0.11", 41539, "dockerd"))
    host.of(web)["firewall"]["legacy"] = {"ip": ["nat"]}


@case("DNS-002", "docker-dns-by-rule", web="pass")
def docker_dns_rule(host: Host, web: Row) -> None:
    host.of(web)["dns"] = dns("127.0.0.11")
    to = {"address": "127.0.0.11", "port": 41539, "address_max": None, "port_max": None}
    host.of(web)["firewall"] = firewall(
        rule("DOCKER_OUTPUT", "dnat", to, destination="127.0.0.11", protocol="udp", port=53)
    )


@case("DNS-002", "own-resolver", web="pass")
def own_resolver(host: Host, web: Row) -> None:
    host.of(web)["dns"] = dns("127.0.0.1")
    host.of(web)["listening"].append(listening("udp", "::", 53, "dnsmasq", v6only=False))


same("DNS-002", "healthy", web="not_applicable")


@case("DNS-002", "sockets-unread", unknown("web", "127.0.0.53", "high", "the listening sockets of web were not read"))
def sockets_unread(host: Host, web: Row) -> None:
    stub(host, web)
    host.of(web)["listening"] = None


# DNS-003


@case(
    "DNS-003",
    "unroutable",
    fails(
        "web",
        "192.0.2.53",
        "high",
        "no route of web leads to its nameserver 192.0.2.53 (neither a default route nor one to it)",
    ),
)
def nameserver_unroutable(host: Host, web: Row) -> None:
    drop(host.of(web)["routes"], destination="default")


@case(
    "DNS-003",
    "rejected",
    fails("web", "192.0.2.53", "high", "no route of web leads to its nameserver 192.0.2.53 (prohibit 192.0.2.0/24)"),
)
def nameserver_rejected(host: Host, web: Row) -> None:
    host.of(web)["routes"].append(route("192.0.2.0/24", None, type="prohibit"))


@case("DNS-003", "ipv6-of-the-host-too", web="pass")
def one_family_routable(host: Host, web: Row) -> None:
    host.of(web)["dns"] = dns("2001:db8::53", "192.0.2.53")


@case("DNS-003", "on-link", web="pass")
def nameserver_on_link(host: Host, web: Row) -> None:
    drop(host.of(web)["routes"], destination="default")
    host.of(web)["dns"] = dns("172.17.0.1")


@case("DNS-003", "vpn-rule", web="pass")
def nameserver_by_rule(host: Host, web: Row) -> None:
    net = host.of(web)
    net["routes"][-1]["table"] = "51820"
    net["rules"].append(
        {**net["rules"][1], "priority": 100, "table": "51820", "fwmark": "0xca6c", "details": {"not": True}}
    )


same("DNS-003", "healthy", web="pass")


@case("DNS-003", "cut", unknown("web", "", "high", "not all routes of web were read"))
def nameserver_cut(host: Host, web: Row) -> None:
    nameserver_unroutable(host, web)
    host.facts["problems"].append({"what": "routes of " + web["namespaces"]["net"], "reason": "truncated", "count": 9})


# SOC-001


def serve(host: Host, web: Row, *rows: Row) -> None:
    host.of(web)["listening"][:] = rows


@case(
    "SOC-001",
    "loopback",
    fails(
        "web",
        "80/tcp",
        "high",
        "port 80/tcp of web is published as 0.0.0.0:8080 and "
        "[::]:8080 on the host, but nginx listens on the loopback only (127.0.0.1:80/tcp)",
    ),
)
def served_on_loopback(host: Host, web: Row) -> None:
    host.net["published"].append(published("::", 8080, web, "172.17.0.2", 80))
    serve(host, web, listening("tcp", "127.0.0.1", 80, "nginx"))


@case("SOC-001", "both", web="pass")
def served_on_both(host: Host, web: Row) -> None:
    host.of(web)["listening"].append(listening("tcp", "127.0.0.1", 80, "nginx"))


@case("SOC-001", "nothing-published", web="not_applicable")
def nothing_published(host: Host, web: Row) -> None:
    host.net["published"].clear()
    serve(host, web, listening("tcp", "127.0.0.1", 80, "nginx"))


@case("SOC-001", "proxy-of-the-host", host="absent", web="pass")
def proxy_listens(host: Host, web: Row) -> None:
    host.net["listening"].append(listening("tcp", "127.0.0.1", 8080, "docker-proxy"))


same("SOC-001", "healthy", web="pass")


@case("SOC-001", "unread", unknown("web", "", "high", "the listening sockets of web were not read"))
def listeners_unread(host: Host, web: Row) -> None:
    del host.of(web)["listening"]


# SOC-002


@case(
    "SOC-002",
    "nothing",
    fails("web", "80/tcp", "high", "port 80/tcp of web is published as 0.0.0.0:8080 on the host, but nothing listens"),
)
def nobody_listens(host: Host, web: Row) -> None:
    serve(host, web, listening("udp", "0.0.0.0", 80), listening("tcp", "0.0.0.0", 81))


@case(
    "SOC-002",
    "ipv6-only",
    fails(
        "web",
        "80/tcp",
        "high",
        "port 80/tcp of web is published as 0.0.0.0:8080 on the host, but nothing listens for IPv4 (only [::]:80/tcp)",
    ),
)
def only_for_ipv6(host: Host, web: Row) -> None:
    serve(host, web, listening("tcp", "::", 80, v6only=True))


@case(
    "SOC-002",
    "other-address",
    fails(
        "web",
        "80/tcp",
        "high",
        "port 80/tcp of web is published as 0.0.0.0:8080 on the host, but nothing listens on 172.17.0.2 (only 172.30.0.2:80/tcp)",
    ),
)
def on_another_address(host: Host, web: Row) -> None:
    serve(host, web, listening("tcp", "172.30.0.2", 80))


@case(
    "SOC-002",
    "udp",
    fails(
        "web", "53/udp", "medium", "port 53/udp of web is published as 127.0.0.1:5353 on the host, but nothing listens"
    ),
)
def no_udp(host: Host, web: Row) -> None:
    host.net["published"].append(published("127.0.0.1", 5353, web, "172.17.0.2", 53, "udp"))


@case("SOC-002", "dual-stack", web="pass")
def dual_stack(host: Host, web: Row) -> None:
    serve(host, web, listening("tcp", "::", 80, v6only=False))


@case("SOC-002", "range-on-demand", web="pass")
def range_on_demand(host: Host, web: Row) -> None:
    host.net["published"] += [
        published("0.0.0.0", port, web, "172.17.0.2", port, "udp") for port in range(30000, 30004)
    ]


@case("SOC-002", "container-not-known", web="pass")
def owner_unknown(host: Host, web: Row) -> None:
    host.net["published"].append(published("0.0.0.0", 9090, None, "10.77.0.9", 90))


@case("SOC-002", "starting", web="not_applicable")
def starting(host: Host, web: Row) -> None:
    web["state"] = "starting"
    serve(host, web)


same("SOC-002", "healthy", web="pass")


@case(
    "SOC-002",
    "sctp",
    unknown("web", "3868/sctp", "high", "whether the kernel tells of sctp sockets in web is not known"),
)
def sctp(host: Host, web: Row) -> None:
    host.net["published"].append(published("0.0.0.0", 3868, web, "172.17.0.2", 3868, "sctp"))


@case("SOC-002", "service-mesh", unknown("web", "80/tcp", "high", "rules inside web may lead the port on"))
def service_mesh(host: Host, web: Row) -> None:
    serve(host, web)
    host.of(web)["firewall"] = firewall(rule("ISTIO_IN_REDIRECT", "redirect", {"address": None, "port": 15006}))


@case("SOC-002", "machine", unknown("web", "80/tcp", "high", "the sockets of web are inside a virtual machine"))
def virtual_machine(host: Host, web: Row) -> None:
    serve(host, web)
    host.of(web)["links"].append(link("tap0_kata", 3, "tun"))


@case(
    "SOC-002",
    "own-stack",
    unknown(
        "web",
        "80/tcp",
        "high",
        "172.17.0.2 is no address of the network namespace of web: its sockets may be elsewhere",
    ),
)
def own_stack(host: Host, web: Row) -> None:
    """gVisor takes the address away from the kernel."""
    serve(host, web)
    drop(host.of(web)["addresses"], link="eth0")


@case("SOC-002", "unread", unknown("web", "", "high", "the published ports of the host were not read"))
def published_unread(host: Host, web: Row) -> None:
    host.net["published"] = None


# SOC-003


@case(
    "SOC-003",
    "address-of-nobody",
    fails(
        None,
        "0.0.0.0:9000/tcp",
        "high",
        "port 0.0.0.0:9000/tcp of the host leads to 172.17.0.77 port 80, which nothing on docker0 has",
    ),
)
def published_to_nobody(host: Host, web: Row) -> None:
    host.net["published"].append(published("0.0.0.0", 9000, None, "172.17.0.77", 80))


same("SOC-003", "healthy", host="pass")


@case("SOC-003", "nothing-published", host="not_applicable")
def nobody_published(host: Host, web: Row) -> None:
    host.net["published"].clear()


@case("SOC-003", "beyond-the-host", host="pass")
def published_beyond(host: Host, web: Row) -> None:
    host.net["published"].append(published("0.0.0.0", 9000, None, "192.0.2.77", 80))


@case("SOC-003", "a-machine-answers", host="pass")
def published_to_a_machine(host: Host, web: Row) -> None:
    host.net["published"].append(published("0.0.0.0", 9000, None, "172.17.0.77", 80))
    host.net["neighbours"].append(neighbour("172.17.0.77", "docker0"))


@case("SOC-003", "a-virtual-machine", host="pass")
def published_to_a_virtual_machine(host: Host, web: Row) -> None:
    host.net["published"].append(published("0.0.0.0", 9000, None, "172.17.0.77", 80))
    host.net["links"].append(link("tap0", 40, "tun", master="docker0"))


@case(
    "SOC-003",
    "not-all-seen",
    unknown(
        None,
        "0.0.0.0:9000/tcp",
        "high",
        "not every network namespace could be read, and one may have 172.17.0.77",
    ),
)
def published_unseen(host: Host, web: Row) -> None:
    host.net["published"].append(published("0.0.0.0", 9000, None, "172.17.0.77", 80))
    host.facts["problems"].append({"what": "networks", "reason": "refused: EPERM", "count": 1})


@case("SOC-003", "not-read", unknown(None, "", "high", "the published ports of the host were not read"))
def published_not_read(host: Host, web: Row) -> None:
    del host.net["published"]


# SOC-008


@case(
    "SOC-008",
    "full",
    fails(
        "web",
        "0.0.0.0:80/tcp",
        "high",
        "the accept queue of 0.0.0.0:80/tcp in web is full: 129 wait, the limit is 128 (nginx)",
    ),
    host="pass",
)
def queue_full(host: Host, web: Row) -> None:
    serve(host, web, listening("tcp", "0.0.0.0", 80, "nginx", queue=129))


@case(
    "SOC-008",
    "host-network",
    fails(
        None,
        "0.0.0.0:9100/tcp",
        "high",
        "the accept queue of 0.0.0.0:9100/tcp in the host (shared with exporter) is full: 6 wait, the limit is 5 (exporter)",
    ),
    web="pass",
)
def queue_full_on_host(host: Host, web: Row) -> None:
    exporter = host.container("exporter", inside=HOST_NET)
    host.net["listening"].append(listening("tcp", "0.0.0.0", 9100, "exporter", 6, 5, exporter["id"]))


@case(
    "SOC-008",
    "unix",
    fails(
        "web",
        "unix /run/app.sock",
        "high",
        "the accept queue of unix /run/app.sock in web is full: 3 wait, the limit is 2 (server)",
    ),
)
def unix_full(host: Host, web: Row) -> None:
    row = {
        **listening("unix", "", 0, queue=3, type="stream"),
        "address": None,
        "port": None,
        "path": "/run/app.sock",
        "limit": 2,
    }
    host.of(web)["listening"].append(row)


@case("SOC-008", "at-the-limit", web="pass")
def queue_at_limit(host: Host, web: Row) -> None:
    serve(
        host,
        web,
        listening("tcp", "0.0.0.0", 80, "nginx", queue=1, limit=1),
        listening("tcp", "::", 81, queue=0, limit=0),
    )


@case("SOC-008", "udp", web="pass")
def udp_queue(host: Host, web: Row) -> None:
    serve(host, web, listening("udp", "0.0.0.0", 53, queue=212992))


@case("SOC-008", "paused", web="not_applicable")
def paused(host: Host, web: Row) -> None:
    queue_full(host, web)
    web["state"] = "paused"


same("SOC-008", "healthy", web="pass", host="pass")


@case("SOC-008", "untold", unknown("web", "", "high", "how many wait for 0.0.0.0:80/tcp in web was not told"))
def limit_untold(host: Host, web: Row) -> None:
    serve(host, web, listening("tcp", "0.0.0.0", 80, limit=None))


# CT-001


@case(
    "CT-001",
    "nearly-full",
    fails(None, "", "medium", "the host tracks 209716 connections of at most 262144 (80 %)"),
    web="not_applicable",
)
def conntrack_80(host: Host, web: Row) -> None:
    host.net["firewall"]["conntrack"]["count"] = 209716


@case(
    "CT-001",
    "full-in-container",
    fails("web", "", "high", "web tracks 262140 connections of at most 262144 (99 %)"),
    host="pass",
)
def conntrack_99(host: Host, web: Row) -> None:
    host.of(web)["firewall"]["conntrack"] = {"count": 262140}


@case("CT-001", "below", host="pass")
def conntrack_79(host: Host, web: Row) -> None:
    host.net["firewall"]["conntrack"]["count"] = 209700


@case("CT-001", "no-limit", host="not_applicable")
def conntrack_unlimited(host: Host, web: Row) -> None:
    host.net["firewall"]["conntrack"] = {"count": 500000, "max": 0}


same("CT-001", "healthy", host="pass", web="not_applicable")


@case("CT-001", "unread", unknown("web", "", "medium", "the firewall rules of web were not read"), host="pass")
def conntrack_unread(host: Host, web: Row) -> None:
    host.of(web)["firewall"] = None


# NB-001


@case(
    "NB-001",
    "ipv4",
    fails(
        None,
        "IPv4",
        "high",
        "all network namespaces together have 16 IPv4 neighbours of at "
        "most 20 (net.ipv4.neigh.default.gc_thresh3), most of them in web (9) and the host (7)",
    ),
)
def neighbours_full(host: Host, web: Row) -> None:
    host.net["sysctls"]["net.ipv4.neigh.default.gc_thresh3"] = 20
    host.net["neighbours"] += [neighbour(f"192.0.2.{number}", "ens3", "stale") for number in range(2, 5)]
    host.net["neighbours"] += [neighbour(f"192.0.2.{number}", "ens3", "failed") for number in range(5, 8)]
    host.of(web)["neighbours"] += [neighbour(f"172.17.0.{number}", "eth0", "stale") for number in range(3, 11)]


@case("NB-001", "permanent", host="pass")
def neighbours_permanent(host: Host, web: Row) -> None:
    host.net["sysctls"]["net.ipv4.neigh.default.gc_thresh3"] = 10
    host.net["neighbours"] += [neighbour(f"10.0.0.{number}", "ens3", "permanent") for number in range(20)]


@case(
    "NB-001",
    "ipv6",
    fails(
        None,
        "IPv6",
        "high",
        "all network namespaces together have 8 IPv6 neighbours of at "
        "most 10 (net.ipv6.neigh.default.gc_thresh3), most of them in the host (8)",
    ),
)
def neighbours6_full(host: Host, web: Row) -> None:
    host.net["sysctls"]["net.ipv6.neigh.default.gc_thresh3"] = 10
    host.net["neighbours"] += [neighbour(f"fe80::{number}", "ens3", "stale") for number in range(1, 9)]


same("NB-001", "healthy", host="pass")


@case(
    "NB-001",
    "cut",
    unknown(None, "IPv4", "high", "the neighbours of web were not all read"),
    unknown(None, "IPv6", "high", "the neighbours of web were not all read"),
)
def neighbours_cut(host: Host, web: Row) -> None:
    host.facts["problems"].append(
        {"what": "neighbours of " + web["namespaces"]["net"], "reason": "truncated", "count": 9}
    )


# LEAK-001, LEAK-002


def leftover(host: Host, *more: Row) -> str:
    name, dummy = host.namespace()
    path = {"kind": "mount", "count": 1, "path": "/run/docker/netns/1a2b3c4d5e6f", "mount_namespace": HOST_MNT}
    host.facts["inventory"][-1].update(processes=0, leader=None, pins=[path, *more])
    return name


@case(
    "LEAK-001",
    "docker",
    fails(
        None,
        "/run/docker/netns/1a2b3c4d5e6f",
        "medium",
        "net:[4026532002], made by docker for a container that is gone, has no process any more and is kept by mount /run/docker/netns/1a2b3c4d5e6f",
    ),
)
def leaked_mount(host: Host, web: Row) -> None:
    leftover(host)


@case("LEAK-001", "named", host="pass")
def named(host: Host, web: Row) -> None:
    leftover(host)
    host.facts["inventory"][-1]["pins"][0]["path"] = "/run/netns/blue"


@case("LEAK-001", "swarm", host="pass")
def swarm(host: Host, web: Row) -> None:
    leftover(host)
    host.facts["inventory"][-1]["pins"][0]["path"] = "/run/docker/netns/ingress_sbox"


same("LEAK-001", "healthy", host="pass")


@case(
    "LEAK-001",
    "processes-unread",
    unknown(
        None,
        "/run/docker/netns/1a2b3c4d5e6f",
        "medium",
        "net:[4026532002] has no process that was seen: made by docker for a container; not every process could be read",
    ),
)
def leak_unsure(host: Host, web: Row) -> None:
    leftover(host)
    host.facts["problems"].append({"what": "processes", "reason": "refused: EACCES", "count": 3})


@case(
    "LEAK-002",
    "socket-of-a-proxy",
    fails(
        None,
        "net:[4026532002]",
        "medium",
        "net:[4026532002], held by an engine's proxy that is not in it, has no process any more and is kept by socket 7 of docker-proxy (pid 700)",
    ),
)
def leaked_socket(host: Host, web: Row) -> None:
    leftover(host)
    host.facts["inventory"][-1]["pins"] = [
        {"kind": "socket", "count": 1, "pid": 700, "comm": "docker-proxy", "descriptor": 7}
    ]


@case(
    "LEAK-002",
    "mount-and-socket",
    fails(
        None,
        "/run/docker/netns/1a2b3c4d5e6f",
        "medium",
        "net:[4026532002], made by docker for a container that is gone, has no process any more and is kept by mount "
        "/run/docker/netns/1a2b3c4d5e6f, descriptor 9 of tcpdump (pid 700)",
    ),
)
def leaked_both(host: Host, web: Row) -> None:
    leftover(host, {"kind": "descriptor", "count": 1, "pid": 700, "comm": "tcpdump", "descriptor": 9})


@case("LEAK-002", "held-on-purpose", host="pass")
def held_on_purpose(host: Host, web: Row) -> None:
    leftover(host)
    host.facts["inventory"][-1]["pins"] = [
        {"kind": "descriptor", "count": 1, "pid": 1, "comm": "systemd", "descriptor": 9}
    ]


same("LEAK-002", "healthy", host="pass")


@case("LEAK-002", "inventory-unread", unknown(None, "", "medium", "the namespaces were not read"))
def inventory_unread(host: Host, web: Row) -> None:
    del host.facts["inventory"]


# LEAK-003


@case(
    "LEAK-003",
    "leftover",
    fails(None, "vethold", "medium", "vethold on the host leads to net:[4026532002], whose container is gone"),
)
def veth_of_leftover(host: Host, web: Row) -> None:
    host.veth(leftover(host), "docker0", "vethold")


def dangling(host: Host, master: str | None) -> None:
    host.net["links"].append(
        link("vethold", 30, "veth", master=master, peer={"network": None, "name": None, "container": None})
    )


@case(
    "LEAK-003",
    "nobody",
    fails(
        None,
        "vethold",
        "medium",
        "vethold on the host, in docker0, leads to a network namespace that nobody was found in",
    ),
)
def veth_to_nobody(host: Host, web: Row) -> None:
    dangling(host, "docker0")


@case("LEAK-003", "named-and-own", host="pass")
def veths_in_order(host: Host, web: Row) -> None:
    name = leftover(host)
    host.facts["inventory"][-1]["pins"][0]["path"] = "/run/netns/blue"
    host.veth(name, None, "lab0")
    host.net["links"] += [
        link("a", 31, "veth", peer={"network": HOST_NET, "name": "b", "container": None}),
        link("b", 32, "veth", peer={"network": HOST_NET, "name": "a", "container": None}),
    ]
    dangling(host, None)


same("LEAK-003", "healthy", host="pass")


@case(
    "LEAK-003",
    "host-in-a-container",
    unknown(
        None, "vethold", "medium", "where vethold on the host leads to was not seen: the host itself may be a container"
    ),
)
def nested_host(host: Host, web: Row) -> None:
    dangling(host, "docker0")
    next(row for row in host.facts["inventory"] if row["name"] == HOST_NET)["initial"] = False

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes of all tables beside what ip(8) and pyroute2 say of the same network namespace."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from typing import Any, Callable

import pytest
from pyroute2 import IPRoute

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.namespaces import CLONE_NEWNET
from ansible_collections.nsfleet.linux.plugins.module_utils._network import routes
from ansible_collections.nsfleet.linux.tests.kernel.routing_lab import ask, batch, link, look, run, sysctl, whole

Row = dict[str, Any]

ODD = """
ip route add default via 10.0.0.2
ip route add default via 10.0.0.3 metric 500 table 5000 protocol 77
ip route add 10.9.0.0/16 table 300 nexthop via 10.0.0.2 weight 3 nexthop via 10.0.0.3 weight 256
ip route add 10.8.0.0/16 nexthop via 10.1.1.1 dev near onlink nexthop via inet6 2001:db8::2 dev near
ip nexthop add id 7 via 10.0.0.4 dev near
ip nexthop add id 8 via 10.0.0.5 dev near
ip nexthop add id 9 group 7,3/8,250
ip nexthop add id 10 blackhole
ip nexthop add id 11 via 2001:db8::4 dev near
ip route add 10.10.0.0/16 nhid 9
ip route add 10.11.0.0/16 nhid 7
ip route add 10.12.0.0/16 nhid 10
ip route add 10.13.0.0/16 nhid 11
ip -6 route add 2001:db8:11::/48 nhid 11
ip route add 10.14.0.0/16 via inet6 2001:db8::2 dev near
ip route add 10.15.0.0/16 via 10.200.0.1 dev near onlink
ip route add 10.16.0.0/16 dev near src 10.0.0.1 scope link protocol dhcp
ip route add 10.16.0.0/16 dev near scope 77 metric 4000000000 protocol bird
ip route add blackhole 10.17.0.0/16
ip route add unreachable 10.18.0.0/16 metric 9
ip route add prohibit 10.19.0.0/16 table 100
ip route add throw 10.20.0.0/16 table 100
ip route add local 10.21.0.0/16 dev lo table local
ip route add 10.22.0.1 via 10.0.0.2 mtu lock 1300 rtt 100 rttvar 50 rto_min 40 quickack 1 advmss 1200 window 9000
ip route add 10.22.0.2 via 10.0.0.2 hoplimit 9 initcwnd 20 initrwnd 30 ssthresh 5 cwnd 6 reordering 4 congctl reno
ip -6 route add default via 2001:db8::2 metric 7 table 5000
ip -6 route add default via fe80::2 dev near expires 500 protocol ra
ip -6 route add 2001:db8:1::/48 from 2001:db8::/64 via 2001:db8::2
ip -6 route add 2001:db8:2::/48 nexthop via 2001:db8::2 nexthop via 2001:db8::3 weight 2
ip -6 route add 2001:db8:3::/48 via 2001:db8::2 src 2001:db8::1 mtu 1400 hoplimit 3
ip -6 route add blackhole 2001:db8:4::/48
ip -6 route add unreachable 2001:db8:5::/48
ip -6 route add prohibit 2001:db8:6::/48
ip -6 route add throw 2001:db8:7::/48 table 100
ip -6 route add 2001:db8:8::1 dev near metric 1
"""


def odd() -> None:
    """Routes of every kind that ip can make."""
    link("10.0.0.1/24", "2001:db8::1/64")
    run(ODD)


def hop_of(row: Row) -> str | None:
    """The gateway of a route or hop of ip's."""
    return row.get("gateway") or row.get("via", {}).get("host")


def expected(family: str, row: Row) -> Row:
    """ip's row in our words. It does not say what is locked, and calls features by name."""
    metrics = dict(row.get("metrics", [{}])[0])
    return {
        "family": family, "type": row["type"], "from": whole(row["from"]) if "from" in row else None,
        "destination": row["dst"] if row["dst"] == "default" else whole(row["dst"]),
        "gateway": hop_of(row), "link": row.get("dev"), "table": row["table"], "protocol": row["protocol"],
        "scope": row["scope"], "metric": row.get("metric"), "source": row.get("prefsrc"),
        "mtu": metrics.pop("mtu", None),
        "metrics": {name: value for name, value in metrics.items() if name not in ("ecn", "congestion")},
        "flags": row["flags"], "nexthop_id": row.get("nhid"), "expires": row.get("expires"),
        "nexthops": [
            {"gateway": hop_of(hop), "link": hop["dev"], "weight": hop["weight"], "flags": hop["flags"]}
            for hop in row.get("nexthops", ())
        ],
    }


def told() -> list[Row]:
    """All that ip says."""
    return [
        expected(family, row) for option, family in (("-4", "inet"), ("-6", "inet6"))
        for row in ask("ip -j -d %s route show table all" % option)
    ]


def ours(most: int = 10_000) -> list[Row]:
    """Our rows without what ip does not say."""
    found = [dict(row) for row in routes.take(look(most))]
    for row in found:
        row["metrics"] = {name: value for name, value in row["metrics"].items() if name not in ("lock", "features")}
    return found


def only(rows: list[Row], destination: str) -> Row:
    """The one route to it."""
    found = [row for row in rows if row["destination"] == destination]
    assert len(found) == 1, found
    return found[0]


@pytest.fixture
def seen(in_child: Callable[..., Any]) -> list[Row]:
    """What we say of the odd ones."""

    def take() -> Any:
        odd()
        return routes.take(look())

    rows: list[Row] = in_child(take, CLONE_NEWNET)
    return rows


def test_every_route_that_ip_can_make_is_as_ip_says_and_in_its_order(in_child: Callable[..., Any]) -> None:
    def compare() -> tuple[list[Row], list[Row], list[Row]]:
        odd()
        return told(), ours(), told()

    before, mine, after = in_child(compare, CLONE_NEWNET)
    for rows in before, mine, after:  # one second more or less
        only([row for row in rows if row["protocol"] == "ra"], "default")["expires"] //= 10
    assert len(mine) > 38
    assert mine in (before, after)


def test_the_routes_are_those_that_pyroute2_sees_in_the_same_order(in_child: Callable[..., Any]) -> None:
    def compare() -> tuple[list[Any], list[Any]]:
        odd()
        numbers = {"main": 254, "local": 255, "default": 253}
        theirs = []
        # It does not know RTA_NH_ID, nor RTA_VIA in a hop.
        with IPRoute() as route:
            for family in (2, 10):
                for row in route.get_routes(family=family):
                    size = row["dst_len"]
                    theirs.append((
                        "%s/%d" % (row.get_attr("RTA_DST"), size) if size else "default", row.get_attr("RTA_TABLE"),
                        row.get_attr("RTA_GATEWAY") or (row.get_attr("RTA_VIA") or {}).get("addr"),
                        row.get_attr("RTA_PRIORITY"),
                        [hop.get_attr("RTA_GATEWAY") for hop in row.get_attr("RTA_MULTIPATH") or ()
                         if hop.get_attr("RTA_GATEWAY")]))
        return [
            (row["destination"], numbers.get(row["table"]) or int(row["table"]), row["gateway"], row["metric"],
             [hop["gateway"] for hop in row["nexthops"]
              if row["family"] == "inet6" or ":" not in str(hop["gateway"])])
            for row in routes.take(look())
        ], theirs

    mine, theirs = in_child(compare, CLONE_NEWNET)
    assert len(mine) > 38
    assert mine == theirs


def test_hops_of_one_route_have_weights_and_gateways_of_either_family(seen: list[Row]) -> None:
    assert only(seen, "10.9.0.0/16")["nexthops"] == [
        {"gateway": "10.0.0.2", "link": "near", "weight": 3, "flags": []},
        {"gateway": "10.0.0.3", "link": "near", "weight": 256, "flags": []},
    ]
    assert only(seen, "10.8.0.0/16")["nexthops"] == [
        {"gateway": "10.1.1.1", "link": "near", "weight": 1, "flags": ["onlink"]},
        {"gateway": "2001:db8::2", "link": "near", "weight": 1, "flags": []},
    ]


def test_a_nexthop_object_is_named_and_resolved(seen: list[Row]) -> None:
    group = only(seen, "10.10.0.0/16")
    assert (group["nexthop_id"], [hop["weight"] for hop in group["nexthops"]]) == (9, [3, 250])
    single = only(seen, "10.11.0.0/16")
    assert (single["nexthop_id"], single["gateway"], single["link"]) == (7, "10.0.0.4", "near")


def test_an_ipv4_route_may_have_a_gateway_of_ipv6(seen: list[Row]) -> None:
    assert only(seen, "10.14.0.0/16")["gateway"] == "2001:db8::2"
    assert only(seen, "10.13.0.0/16")["gateway"] == "2001:db8::4"


def test_metrics_are_numbers_by_name_and_what_is_locked_is_said(seen: list[Row]) -> None:
    row = only(seen, "10.22.0.1/32")
    # ip hands "rtt 100" on as it is, and the kernel takes it for eighths; rto_min is locked by ip.
    assert (row["mtu"], row["metrics"]) == (1300, {
        "lock": 1 << 2 | 1 << 13, "window": 9000, "rtt": 12, "rttvar": 12, "advmss": 1200, "rto_min": 40, "quickack": 1,
    })


def test_an_encapsulating_route_has_its_gateway_like_any_other(in_child: Callable[..., Any]) -> None:
    def take() -> Any:
        link("10.0.0.1/24")
        run("ip route add 10.15.0.0/16 encap ip id 4 dst 1.2.3.4 via 10.0.0.2")
        return ours()

    row = only(in_child(take, CLONE_NEWNET), "10.15.0.0/16")
    assert (row["gateway"], row["link"]) == ("10.0.0.2", "near")


def test_a_route_over_a_link_that_lost_its_carrier_says_so(in_child: Callable[..., Any]) -> None:
    def take() -> tuple[list[Row], list[Row]]:
        link("10.0.0.1/24")
        run("ip route add 10.1.0.0/16 via 10.0.0.2\nip link set far down")
        return ours(), told()

    mine, theirs = in_child(take, CLONE_NEWNET)
    assert only(mine, "10.1.0.0/16")["flags"] == ["linkdown"]
    assert [row for row in mine if row["family"] == "inet"] == [row for row in theirs if row["family"] == "inet"]


def test_a_namespace_without_ipv6_has_routes_of_ipv4_only(in_child: Callable[..., Any]) -> None:
    def take() -> list[Row]:
        sysctl("ipv6/conf/all/disable_ipv6", 1)
        sysctl("ipv6/conf/default/disable_ipv6", 1)
        link("10.0.0.1/24")
        return ours()

    rows = in_child(take, CLONE_NEWNET)
    assert {row["family"] for row in rows} == {"inet"}
    assert {row["table"] for row in rows} == {"main", "local"}


def test_a_namespace_with_ipv6_only_has_its_routes(in_child: Callable[..., Any]) -> None:
    def take() -> tuple[list[Row], list[Row]]:
        link("2001:db8::1/64")
        run("ip address flush dev lo scope host\nip -6 route add default via 2001:db8::2")
        return ours(), told()

    mine, theirs = in_child(take, CLONE_NEWNET)
    assert {row["family"] for row in mine} == {"inet6"}
    assert only(mine, "default")["gateway"] == "2001:db8::2"
    assert mine == theirs


def test_5000_routes_are_those_of_ip(in_child: Callable[..., Any]) -> None:
    def compare() -> tuple[int, bool]:
        link("192.0.2.1/24", "2001:db8::1/64")
        batch(["route add 10.%d.%d.0/24 via 192.0.2.2" % (index >> 8, index & 255) for index in range(2500)])
        batch(["route add 2001:db8:%x::/64 via 2001:db8::2" % index for index in range(1, 2501)], "-6")
        mine = ours()
        return len(mine), mine == told()

    number, same = in_child(compare, CLONE_NEWNET)
    assert number > 5000
    assert same


@pytest.mark.parametrize(("option", "lines", "gateway", "local"), [
    ("-4", ["route add 10.%d.%d.%d/32 via 192.0.2.2 table 100" % (index >> 16, index >> 8 & 255, index & 255)
            for index in range(100_000)], "192.0.2.2", "192.0.2.0/24"),
    ("-6", ["route add 2001:db8:%x::%x/128 via 2001:db8:ffff::2 table 100" % (index >> 12, index & 4095)
            for index in range(100_000)], "2001:db8:ffff::2", "2001:db8:ffff::/64"),
])
def test_100000_routes_hide_no_default_route_and_cost_no_memory(
    in_child: Callable[..., Any], option: str, lines: list[str], gateway: str, local: str,
) -> None:
    def take() -> tuple[list[Row], int, list[Row], int]:
        link("192.0.2.1/24", "2001:db8:ffff::1/64")
        batch(lines + ["route add default via " + gateway, "route add default via %s table 5000" % gateway], option)
        counted = "ip %s -o route show table all" % option
        other = "ip %s -o route show table all" % {"-4": "-6", "-6": "-4"}[option]
        number = sum(subprocess.run(line.split(), stdout=subprocess.PIPE, check=True).stdout.count(b"\n")
                     for line in (counted, other))
        at = look(500)
        tracemalloc.start()
        rows = routes.take(at)
        return rows, number, at.problems.as_list(), tracemalloc.get_traced_memory()[1]

    rows, number, problems, peak = in_child(take, CLONE_NEWNET)
    assert number > 100_000
    assert len(rows) <= 500 + 8
    assert problems == [{"what": "routes", "reason": "truncated", "count": number - len(rows)}]
    assert sorted((row["table"], row["gateway"]) for row in rows if row["destination"] == "default") == [
        ("5000", gateway), ("main", gateway),
    ]
    assert only(rows, local)["protocol"] == "kernel"
    assert peak < 4 << 20


def test_neither_family_crowds_out_the_other(in_child: Callable[..., Any]) -> None:
    def take() -> Any:
        link("192.0.2.1/24", "2001:db8::1/64")
        batch(["route add 10.%d.%d.0/24 via 192.0.2.2" % (index >> 8, index & 255) for index in range(1000)])
        batch(["route add 2001:db8:%x::/64 via 2001:db8::2" % index for index in range(1, 1001)], "-6")
        return [row["family"] for row in routes.take(look(100)) if row["protocol"] == "boot"]

    families = in_child(take, CLONE_NEWNET)
    assert families.count("inet") >= 45
    assert families.count("inet6") >= 45


def test_a_flood_of_default_routes_is_bounded_too(in_child: Callable[..., Any]) -> None:
    def take() -> tuple[list[int], int]:
        link("192.0.2.1/24")
        batch(["route add default via 192.0.2.2 metric %d" % index for index in range(1, 2001)])
        at = look(100)
        metrics = [row["metric"] for row in routes.take(at) if row["destination"] == "default"]
        return metrics, at.problems.as_list()[0]["count"]

    metrics, left_out = in_child(take, CLONE_NEWNET)
    assert metrics == list(range(1, len(metrics) + 1))  # each once
    assert 90 <= len(metrics) <= 200
    assert 1790 <= left_out <= 2000 - len(metrics) + 10


ROUTER = """
ip link add near type veth peer name far netns {router}
ip link set lo up
ip link set near up
ip address add 10.0.1.2/24 dev near
ip address add 2001:db8:1::2/64 dev near nodad
ip route add default via 10.0.1.1
ip -6 route add default via 2001:db8:1::1
nsenter --net=/proc/{router}/ns/net ip link add onward type veth peer name end netns {end}
nsenter --net=/proc/{router}/ns/net ip address add 10.0.1.1/24 dev far
nsenter --net=/proc/{router}/ns/net ip address add 2001:db8:1::1/64 dev far nodad
nsenter --net=/proc/{router}/ns/net ip address add 10.0.2.1/24 dev onward
nsenter --net=/proc/{router}/ns/net ip address add 2001:db8:2::1/64 dev onward nodad
nsenter --net=/proc/{router}/ns/net ip link set onward mtu 1400
nsenter --net=/proc/{router}/ns/net ip link set far up
nsenter --net=/proc/{router}/ns/net ip link set onward up
nsenter --net=/proc/{router}/ns/net sh -c 'cd /proc/sys/net; echo 1 >ipv4/ip_forward; echo 1 >ipv6/conf/all/forwarding'
nsenter --net=/proc/{end}/ns/net ip link set end up mtu 1400
nsenter --net=/proc/{end}/ns/net ip address add 10.0.2.2/24 dev end
nsenter --net=/proc/{end}/ns/net ip address add 2001:db8:2::2/64 dev end nodad
"""
# IP_MTU_DISCOVER and IPV6_MTU_DISCOVER with PMTUDISC_DO: too much for the next hop is not cut into fragments.
TOO_MUCH = """
import socket, sys, time
for family, level, name, to in ((socket.AF_INET, 0, 10, "10.0.2.2"), (socket.AF_INET6, 41, 23, "2001:db8:2::2")):
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(level, name, 2)
        sender.connect((to, 9))
        for dummy in range(50):
            try:
                sender.send(b"x" * 1440)
            except OSError:
                break  # EMSGSIZE: now it knows
            time.sleep(0.1)
        else:
            sys.exit("no ICMP came back from " + to)
"""


def test_the_path_mtu_that_a_router_told_is_an_exception_of_ip_s(
    held: Callable[..., Any], in_child: Callable[..., Any],
) -> None:
    router, end = held(flags=CLONE_NEWNET).pid, held(flags=CLONE_NEWNET).pid

    def learn() -> tuple[list[Row], list[Row]]:
        run(ROUTER.format(router=router, end=end))
        subprocess.run([sys.executable, "-c", TOO_MUCH], check=True, timeout=15)
        mine = [row for row in ours() if "cache" in row["flags"]]
        theirs = []
        for option, family in (("-4", "inet"), ("-6", "inet6")):
            theirs += [{**row, "family": family} for row in ask("ip -j -d %s route show cache" % option)]
        return mine, theirs

    mine, theirs = in_child(learn, CLONE_NEWNET)
    assert [(row["family"], row["destination"], row["gateway"], row["link"], row["mtu"]) for row in mine] == [
        ("inet", "10.0.2.2/32", "10.0.1.1", "near", 1400),
        ("inet6", "2001:db8:2::2/128", "2001:db8:1::1", "near", 1400),
    ]
    for row, of_ip in zip(mine, theirs):
        assert (row["family"], row["destination"]) == (of_ip["family"], whole(of_ip["dst"]))
        assert row["mtu"] == of_ip["metrics"][0]["mtu"]
        assert 0 <= row["expires"] - of_ip["expires"] <= 1
        assert 500 < row["expires"] <= 600
    assert len(theirs) == 2


def test_exceptions_have_a_bound_of_their_own(held: Callable[..., Any], in_child: Callable[..., Any]) -> None:
    router, end = held(flags=CLONE_NEWNET).pid, held(flags=CLONE_NEWNET).pid

    def learn() -> tuple[list[str], list[Row]]:
        run(ROUTER.format(router=router, end=end))
        subprocess.run([sys.executable, "-c", TOO_MUCH], check=True, timeout=15)
        at = look(1)
        rows = [row["destination"] for row in routes.take(at) if "cache" in row["flags"]]
        return rows, [problem for problem in at.problems.as_list() if problem["what"] == "route exceptions"]

    problem = {"what": "route exceptions", "reason": "truncated", "count": 1}
    assert in_child(learn, CLONE_NEWNET) == (["2001:db8:2::2/128"], [problem])


def test_rows_are_json(seen: list[Row]) -> None:
    assert json.loads(json.dumps(seen)) == seen

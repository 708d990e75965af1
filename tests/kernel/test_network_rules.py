# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules beside what ip(8) and pyroute2 say of the same network namespace."""

from __future__ import annotations

from typing import Any, Callable

from pyroute2 import IPRoute

from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.namespaces import CLONE_NEWNET
from ansible_collections.nsfleet.linux.plugins.module_utils._network import rules
from ansible_collections.nsfleet.linux.tests.kernel.routing_lab import ask, batch, look, run, whole

Row = dict[str, Any]

ODD = """
ip link set lo up
ip rule add l3mdev pref 90
ip rule add uidrange 0-0 ipproto tcp sport 1-2 dport 3 lookup 5 pref 91
ip rule add from 10.0.0.0/8 to 10.1.0.0/16 tun_id 5 lookup 5 pref 92
ip rule add suppress_prefixlength 0 suppress_ifgroup 3 lookup main pref 93 protocol static
ip rule add tos 0x10 lookup 5 pref 94
ip rule add fwmark 0x1 lookup default pref 95
ip rule add not fwmark 1/0xff realms 3/4 lookup 5000 pref 96
ip rule add fwmark 0/0xff lookup 5 pref 96
ip rule add goto 99 pref 97
ip rule add goto 32000 pref 95
ip rule add nop pref 98
ip rule add prohibit iif absent pref 99
ip rule add blackhole oif lo pref 99
ip rule add unreachable from 1.2.3.4 ipproto icmp protocol 200 pref 99
ip -6 rule add from 2001:db8::/32 to 2001:db8:1::1 lookup 1000 pref 40000
ip -6 rule add prohibit ipproto ipv6-icmp iif lo pref 7
ip -6 rule add suppress_prefixlength 1 lookup main pref 8
"""


def without_nothing(row: Row) -> Row:
    """Only what a row says."""
    return {key: value for key, value in row.items() if value is not None}


def flat(row: Any) -> Row:
    """Our row, its details beside the rest."""
    return without_nothing({**{key: value for key, value in row.items() if key != "details"}, **row["details"]})


def prefix(row: Row, name: str) -> str | None:
    """A prefix, of which ip only says the length when it is no single address."""
    found = row.get(name, "all")
    return None if found == "all" else "%s/%d" % (found, row[name + "len"]) if name + "len" in row else whole(found)


def span(row: Row, name: str) -> str | None:
    """A range, of which ip says both ends when there are two."""
    if name + "_start" in row:
        return "%d-%d" % (row[name + "_start"], row[name + "_end"])
    return str(row[name]) if name in row else None


def expected(family: str, row: Row) -> Row:
    """ip's row in our words."""
    action = next((key for key in ("goto", "nop") if key in row), row.get("action", "lookup"))
    mark = row.get("fwmark")
    return without_nothing({
        "family": family, "priority": row["priority"], "action": action, "table": row.get("table"),
        "from": prefix(row, "src"), "to": prefix(row, "dst"),
        "iif": row.get("iif"), "oif": row.get("oif"), "iif_detached": True if "iif_detached" in row else None,
        # ip prints a mark of 0 as "0".
        "fwmark": mark and {"0": "0x0"}.get(mark, mark) + ("/" + row["fwmask"] if "fwmask" in row else ""),
        "not": True if "not" in row else None, "unresolved": True if "unresolved" in row else None,
        "l3mdev": True if "l3mdev" in row else None, "tos": row.get("tos"), "goto": row.get("goto"),
        "tun_id": row.get("tun_id"), "ipproto": row.get("ipproto"),
        "uidrange": span(row, "uid"),
        "sport": span(row, "sport"),
        "dport": span(row, "dport"),
        "suppress_prefixlength": row.get("suppress_prefixlen"),
        "suppress_ifgroup": int(row["suppress_ifgroup"]) if "suppress_ifgroup" in row else None,
        "realms": "%s/%s" % (row["flow_from"], row["flow_to"]) if "flow_from" in row else None,
        "protocol": row["protocol"] if row["protocol"] not in ("kernel", "unspec") else None,
    })


def test_every_rule_that_ip_can_make_is_as_ip_says(in_child: Callable[..., Any]) -> None:
    def compare() -> tuple[list[Row], list[Row]]:
        run(ODD)
        theirs = [expected("inet", row) for row in ask("ip -j -d -4 rule show")]
        theirs += [expected("inet6", row) for row in ask("ip -j -d -6 rule show")]
        return [flat(row) for row in rules.take(look())], theirs

    mine, theirs = in_child(compare, CLONE_NEWNET)
    assert len(mine) == 14 + 3 + 3 + 2
    assert mine == theirs


def test_the_rules_are_those_that_pyroute2_sees_in_the_same_order(in_child: Callable[..., Any]) -> None:
    def compare() -> tuple[list[Any], list[Any]]:
        run(ODD)
        seen = []
        with IPRoute() as route:
            for family, name in ((2, "inet"), (10, "inet6")):
                for row in route.get_rules(family=family):
                    seen.append((name, row.get_attr("FRA_PRIORITY") or 0, row.get_attr("FRA_IIFNAME"),
                                 str(row.get_attr("FRA_GOTO")), str(row.get_attr("FRA_TUN_ID"))))
        return [(row["family"], row["priority"], row["iif"], str(row["details"].get("goto")),
                 str(row["details"].get("tun_id"))) for row in rules.take(look())], seen

    mine, theirs = in_child(compare, CLONE_NEWNET)
    assert len(mine) == 22
    assert mine == theirs


def test_a_new_namespace_has_the_rules_that_the_kernel_makes(in_child: Callable[..., Any]) -> None:
    found = [(row["family"], row["priority"], row["action"], row["table"], row["details"])
             for row in in_child(lambda: rules.take(look()), CLONE_NEWNET)]
    assert found == [
        ("inet", 0, "lookup", "local", {}), ("inet", 32766, "lookup", "main", {}),
        ("inet", 32767, "lookup", "default", {}), ("inet6", 0, "lookup", "local", {}),
        ("inet6", 32766, "lookup", "main", {}),
    ]


def test_only_so_many_are_kept_and_the_rest_is_counted(in_child: Callable[..., Any]) -> None:
    def seen() -> tuple[int, list[Row]]:
        batch(["rule add from 10.0.%d.%d lookup 5 pref 9" % (index >> 8, index & 255) for index in range(1000)])
        at = look(100)
        return len(rules.take(at)), at.problems.as_list()

    assert in_child(seen, CLONE_NEWNET) == (100, [{"what": "rules", "reason": "truncated", "count": 905}])

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which route is taken. fixtures/fib.json: random routes and rules of a namespace on Linux 6.18, what `ip route get` said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._audit.fib import REJECTED, Fib
from ansible_collections.nsfleet.linux.plugins.module_utils._audit.rows import Address, Route, Rule, ip

TABLES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "fixtures" / "fib.json").read_text())


def answer(fib: Fib, text: str) -> Any:
    asked = ip(text)
    route = fib.lookup(asked) if asked else None
    if route is None or route.type == "local":
        return None if route is None else "local"
    return "reject" if route.type in REJECTED else [route.hops[0].gateway, route.hops[0].link]


@pytest.mark.parametrize("number", range(len(TABLES)))
def test_the_kernel_took_the_same_route(number: int) -> None:
    found = TABLES[number]
    fib = Fib([Route(row) for row in found["routes"]], [Rule(row) for row in found["rules"]], [])
    assert [(text, answer(fib, text)) for text, dummy in found["asked"]] == [tuple(one) for one in found["asked"]]


def routes(*rows: dict[str, Any]) -> list[Route]:
    return [Route({"family": "inet", "type": "unicast", "table": "main", **row}) for row in rows]


def test_without_rules_the_three_usual_tables_are_asked() -> None:
    rows = routes({"destination": "default", "link": "a", "table": "default"}, {"destination": "10.0.0.0/8", "link": "b"})
    fib = Fib(rows, None, [])
    assert [answer(fib, text) for text in ("10.1.1.1", "192.0.2.1")] == [[None, "b"], [None, "a"]]


def test_a_rule_for_a_source_counts_where_it_is_an_own_address() -> None:
    rule = Rule({"family": "inet", "priority": 5, "from": "10.0.0.2/32", "table": "7", "action": "lookup"})
    rows = routes({"destination": "default", "link": "a", "table": "7"})
    for own, expected in (("10.0.0.2", [None, "a"]), ("10.0.0.3", None)):
        assert answer(Fib(rows, [rule], [Address({"address": own, "prefix": 24})]), "192.0.2.1") == expected


@pytest.mark.parametrize("flags", [["dead"], ["cache"]])
def test_dead_routes_and_exceptions_lead_nowhere(flags: list[str]) -> None:
    assert answer(Fib(routes({"destination": "default", "link": "a", "flags": flags}), None, []), "192.0.2.1") is None


def test_two_halves_are_a_default_route() -> None:
    halves = routes({"destination": "0.0.0.0/1", "gateway": "10.8.0.1", "link": "tun0"},
                    {"destination": "128.0.0.0/1", "gateway": "10.8.0.1", "link": "tun0"})
    worse = routes({"destination": "default", "gateway": "192.0.2.1", "link": "ens3"})
    assert [one.hop.link for one in Fib(halves + worse, None, []).defaults("inet")] == ["tun0"]
    assert [one.hop.link for one in Fib(halves[:1] + worse, None, []).defaults("inet")] == ["ens3"]


def test_all_ways_of_the_best_default_route_are_told() -> None:
    hops = [{"gateway": "10.0.0.1", "link": "a"}, {"gateway": "10.0.1.1", "link": "b"}]
    fib = Fib(routes({"destination": "default", "nexthops": hops, "metric": 10},
                     {"destination": "default", "gateway": "10.0.2.1", "link": "c", "metric": 20}), None, [])
    assert [one.hop.link for one in fib.defaults("inet")] == ["a", "b"]

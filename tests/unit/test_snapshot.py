# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot holds the facts unchanged, or says what of them it left out to be small enough."""

from __future__ import annotations

import base64
import copy
import random
import zlib
from typing import Any

import pytest

from ansible_collections.nsfleet.linux.plugins.module_utils._snapshot import MOST, pack, summary, unpack


def text(length: int) -> str:
    """Text that does not compress."""
    return base64.b64encode(random.Random(length).randbytes(length)).decode("ascii")[:length]


def facts(rows: int = 3, bulk: int = 0) -> dict[str, Any]:
    route = {"destination": "10.0.0.0/8", "note": ""}
    routes = [{**route, "note": text(bulk)[at:at + 12]} for at in range(rows)] + [{"destination": "default"}]
    return {
        "counts": {"net": 2}, "complete": True, "problems": [],
        "inventory": [{
            "name": "net:[1]", "ref": "net:[1]#7", "ns_id": 7, "pins": [{"kind": "descriptor"}] * rows, "pids": list(range(rows)),
            "leader": {"pid": 1, "cmdline": [text(bulk)]},
        }],
        "containers": [{"id": "a", "name": "web", "labels": {"a": text(bulk)}}],
        "networks": {"net:[1]": {"routes": routes, "sysctls": {"x": 1}, "dns": {"hosts": [{"address": "::1"}] * rows}}},
    }


def test_what_is_small_enough_is_kept_as_it_is() -> None:
    given = facts()
    assert unpack(pack(copy.deepcopy(given))) == given


@pytest.mark.parametrize("most", [60_000, 20_000, 5_000, 1_500])
def test_no_snapshot_is_larger_than_allowed_and_what_was_cut_is_said(most: int) -> None:
    given = facts(1500, 40_000)
    snapshot = pack(given, most)
    found = unpack(snapshot)
    assert len(snapshot) <= most
    assert found["complete"] is False
    assert found["problems"]
    assert all(one["what"].startswith("snapshot: ") and one["count"] > 0 for one in found["problems"])


def test_default_routes_outlive_the_others() -> None:
    given = facts(1500, 40_000)
    found = unpack(pack(given, 20_000))
    assert len(found["networks"]["net:[1]"]["routes"]) < 1000
    assert {"destination": "default"} in found["networks"]["net:[1]"]["routes"]


def test_command_lines_go_before_anything_else() -> None:
    given = facts(3, 40_000)
    given["containers"][0]["labels"] = {}
    found = unpack(pack(given, 30_000))
    assert [one["what"] for one in found["problems"]] == ["snapshot: command lines"]
    assert len(found["networks"]["net:[1]"]["routes"]) == 4


def test_the_limit_is_below_what_runners_cut() -> None:
    assert MOST == 600_000


def test_the_summary_has_numbers_only() -> None:
    given = facts()
    given["problems"] = [{"what": "x", "reason": "y", "count": 3}, {"what": "z", "reason": "y", "count": 1}]
    assert summary(given) == {"counts": {"net": 2, "containers": 1, "networks": 1}, "complete": True, "problems": 4}


@pytest.mark.parametrize("ref", ["net:[1]", "net:[1]#7", "net:[1]#8"])
def test_a_ref_is_what_it_was(ref: str) -> None:
    given = facts()
    given["inventory"][0]["ref"] = ref
    assert unpack(pack(copy.deepcopy(given))) == given


LISTS = base64.b85encode(zlib.compress(b'{"ids":[],"column":[' + b"[]," * 33_000_000 + b"0]}", 9)).decode("ascii")


def test_what_would_be_millions_of_objects_is_refused_before_it_is_parsed() -> None:
    """As lists they would take two gigabytes."""
    with pytest.raises(ValueError, match="more than 5000000 values"):
        unpack(LISTS)


BOMB = base64.b85encode(zlib.compress(b"[" + b"0," * 80_000_000 + b"0]", 9)).decode("ascii")


@pytest.mark.parametrize("sent", [
    None, 7, "", "~", "no base85 \n", base64.b85encode(b"no zlib").decode("ascii"), BOMB, "x" * (MOST + 1),
    base64.b85encode(zlib.compress(b"{}")).decode("ascii"), base64.b85encode(zlib.compress(b"[" * 9000)).decode("ascii"),
    base64.b85encode(zlib.compress(b'{"ids":[],"column":[7]}')).decode("ascii"),
    base64.b85encode(zlib.compress(b'{"ids":[],"column":[7]}')[:-5]).decode("ascii"),
], ids=lambda sent: repr(sent)[:20])
def test_what_is_no_snapshot_is_refused(sent: Any) -> None:
    with pytest.raises(ValueError):
        unpack(sent)


def test_characters_that_are_no_text_survive() -> None:
    given = facts()
    given["containers"][0]["name"] = "\udcff\u202e<img>\0"
    assert unpack(pack(given))["containers"][0]["name"] == "\udcff\u202e<img>\0"

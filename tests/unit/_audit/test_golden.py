# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check on small hosts, one fault at a time: checks/ID/CASE/input.json and what is to be said in expected.json.

The files are what is judged; `python tests/unit/_audit/test_golden.py` writes them anew from cases_*.py.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
CHECKS = HERE / "checks"
FOLDERS = sorted(path.parent for path in CHECKS.glob("*/*/input.json"))


def cases() -> list[Any]:
    import cases_links
    import cases_more
    import cases_ports
    import cases_routes
    from case import CASES

    del cases_links, cases_more, cases_ports, cases_routes
    return CASES


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_check_says_what_is_expected(folder: Path) -> None:
    from ansible_collections.nsfleet.linux.plugins.module_utils._audit.checks import judge

    expected = json.loads((folder / "expected.json").read_text())
    results: list[Any] = list(judge(json.loads((folder / "input.json").read_text()), "host1", [expected["check"]]))
    loud = [one for one in results if one["status"] in ("fail", "unknown")]
    keys = ("status", "container", "object", "severity", "reason")
    assert [{key: one[key] for key in keys} for one in loud] == expected["results"]
    quiet = {str(one["container"] or "host"): one["status"] for one in results if not one["object"]}
    assert {name: quiet.get(name, "absent") for name in expected["quiet"]} == expected["quiet"]


def test_the_files_are_those_of_the_cases() -> None:
    from built import readable

    written = {f"{one.check}/{one.name}": (readable(one.facts()), readable(one.expected())) for one in cases()}
    there = {f"{folder.parent.name}/{folder.name}": tuple(
        (folder / name).read_text() for name in ("input.json", "expected.json")) for folder in FOLDERS}
    assert there == written


def test_each_check_has_a_case_that_fires_one_that_does_not_and_one_that_cannot_tell() -> None:
    from ansible_collections.nsfleet.linux.plugins.module_utils._audit.checks import CHECKS as CATALOGUE

    seen: dict[str, set[str]] = {}
    for folder in FOLDERS:
        expected = json.loads((folder / "expected.json").read_text())
        seen.setdefault(expected["check"], set()).update(row["status"] for row in expected["results"])
        if not expected["results"] and expected["quiet"]:
            seen[expected["check"]].add("quiet")
    assert seen == {check.id: {"fail", "unknown", "quiet"} for check in CATALOGUE}


def write() -> None:
    from built import readable

    shutil.rmtree(CHECKS, ignore_errors=True)
    for one in cases():
        folder = CHECKS / one.check / one.name
        folder.mkdir(parents=True)
        (folder / "input.json").write_text(readable(one.facts()))
        (folder / "expected.json").write_text(readable(one.expected()))


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    write()

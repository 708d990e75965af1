# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pages say about commands in containers is what the code has."""

from __future__ import annotations

import pathlib
import re
import shlex
from typing import Any

import pytest
import yaml

from ansible_collections.nsfleet.linux.plugins.module_utils._create.options import persist_options, unshare_options
from ansible_collections.nsfleet.linux.plugins.module_utils._enter import file_marks, read_only_parts, state_net, watch
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.options import (
    command_options,
    many_options,
    target_options,
)
from ansible_collections.nsfleet.linux.plugins.module_utils._enter.privileges import GUARD, READ_ONLY, mask
from ansible_collections.nsfleet.linux.plugins.module_utils._kernel.libc import CALLS
from ansible_collections.nsfleet.linux.plugins.module_utils._model.inventory import TYPES

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
PAGES = sorted([CHECKOUT / "README.md", *(CHECKOUT / "docs").glob("*.md")])
CHANGED = (CHECKOUT / "docs/what-changed-means.md").read_text()
SECURITY = (CHECKOUT / "docs/security.md").read_text()

# How the table of states calls what the code looks at. A new subject is told there, too.
SUBJECTS = {
    "links": "links and their settings", "addresses": "addresses", "routes": "routes", "rules": "policy rules",
    "neighbours": "neighbours and forwarding entries", "next hops": "next hops", "address labels": "address labels",
    "queueing": "queueing disciplines", "bridge vlans": "VLANs of bridges", "nftables": "nftables",
    "iptables": "legacy iptables", "ipvs": "IPVS services", "ipsets": "ipsets", "xfrm": "IPsec",
    "sysctls": "sysctls of the network", "neighbour sysctls": "sysctls of the network",
}  # fmt: skip


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its titles."""
    lines = page.split(f"\n## {heading}\n")[1].split("\n## ")[0].splitlines()
    found = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("|")]
    return found[2:]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.name))
def test_every_option_of_a_command_that_a_page_shows_exists(page: pathlib.Path) -> None:
    known = {**target_options(), **many_options(), **command_options()}
    names = {*known, *(alias for option in known.values() for alias in option.get("aliases", ()))}
    shown = re.findall(r'-m ns_exec -a "([^"]+)"', page.read_text())
    given = {word.partition("=")[0] for arguments in shown for word in shlex.split(arguments)}
    assert given - names == set()


@pytest.mark.parametrize(("module", "known"), [("ns_unshare", unshare_options()), ("ns_persist", persist_options())])
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.name))
def test_every_option_of_what_makes_namespaces_exists(page: pathlib.Path, module: str, known: dict[str, Any]) -> None:
    shown = re.findall(rf'-m {module} -a "([^"]+)"', page.read_text())
    given = {word.partition("=")[0] for arguments in shown for word in shlex.split(arguments)}
    assert given - set(known) == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.name))
def test_every_file_that_a_page_leads_to_exists(page: pathlib.Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_subject_of_a_network_is_told_as_state() -> None:
    told = next(row[1] for row in rows(CHANGED, "What is state") if row[0] == "net")
    assert {subject.name for subject in state_net.SUBJECTS} - set(SUBJECTS) == set()
    assert [words for words in SUBJECTS.values() if words not in told] == []


def test_types_of_which_nothing_is_compared_are_named() -> None:
    (others,) = [row[0] for row in rows(CHANGED, "What is state") if row[1:2] == ["nothing is compared"]]
    assert set(others.split(", ")) == set(TYPES) - set(watch.TRACKED)


def test_links_that_are_always_unproven_are_named() -> None:
    words = {"wireguard": "WireGuard", "openvswitch": "Open vSwitch", "batadv": "batman-adv", "ovpn": "OpenVPN"}
    assert [words[kind] for kind in state_net._CONFIGURED_ELSEWHERE if words[kind] not in CHANGED] == []
    assert {"nfs", "cifs", "9p", "fuse"} <= file_marks._REMOTE


def test_the_capabilities_of_read_only_are_those_that_are_told() -> None:
    line = re.search(r"all capabilities but (.*) gone", SECURITY)
    assert line
    assert mask(*line.group(1).split(", ")) == READ_ONLY
    assert READ_ONLY | mask("NET_ADMIN") == GUARD


def test_each_part_of_read_only_is_told_with_its_linux() -> None:
    versions = [found.group(1) for part in read_only_parts.parts() if (found := re.search(r"Linux ([\d.]+)", part))]
    assert versions
    rest = {row[2] for row in rows(SECURITY, "Which kernel holds what") if row[0].startswith("`read_only`")}
    assert set(versions) <= rest


def test_a_call_is_told_with_the_linux_that_has_it() -> None:
    told = {row[1]: row[2] for row in rows(SECURITY, "Which kernel holds what")}
    known = {call: CALLS[call][2] for call in told if call in CALLS}
    assert len(known) >= 5
    assert {call: told[call] for call in known} == known


def test_the_role_s_variables_are_told_with_their_defaults() -> None:
    role = CHECKOUT / "roles/debug_containers"
    defaults = yaml.safe_load((role / "defaults/main.yml").read_text())
    options = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    table = re.findall(r"^\| `(debug_\w+)` \| `(.*?)` \|", (role / "README.md").read_text(), re.MULTILINE)
    assert {name: yaml.safe_load(value) for name, value in table} == defaults
    assert {name: option["default"] for name, option in options.items()} == defaults

# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drawing as a Mermaid flowchart: within the renderers' limits, and nothing in a name is syntax or markup."""

from __future__ import annotations

import re

import pytest
from canned import HOSTILE
from canned_network import Wired, crowded, docker_host, fault
from hypothesis import given, settings
from hypothesis import strategies as st
from reporting import drawing
from test_wiring_svg import MARKUP, named

from ansible_collections.nsfleet.linux.plugins.module_utils._report.wiring import Edge, Node, Wiring
from ansible_collections.nsfleet.linux.plugins.module_utils._report.wiring_mermaid import label, mermaid

ANY = st.text(st.characters(exclude_categories=[]), max_size=200)
LABEL = r'"(?:[A-Za-z0-9 ,()./:+-]|#\d+;|<br>)*"'
LINES = (
    r"flowchart LR", rf"  n\d+(?:\({LABEL}\)|\[{LABEL}\]|\{{\{{{LABEL}\}}\}}|\(\[{LABEL}\]\))(?::::(?:host|empty|fault))?",
    r"  n\d+ (?:---|-\.-) n\d+", r"  linkStyle [\d,]+ stroke:#d1242f,stroke-width:3px",
    r"  classDef (?:host|empty|fault) [a-z0-9:#,\- ]+",
)  # fmt: skip
#: What renderers take when nobody tells them otherwise (mermaid 11, config.schema.yaml: maxTextSize, maxEdges).
MOST_CHARACTERS, MOST_EDGES = 50_000, 500


def checked(text: str) -> None:
    assert len(text) < MOST_CHARACTERS
    lines = text.split("\n")
    assert [line for line in lines if not any(re.fullmatch(known, line) for known in LINES)] == []
    assert sum(" --- " in line or " -.- " in line for line in lines) <= MOST_EDGES


def test_a_docker_host() -> None:
    text, said = mermaid(drawing(docker_host().facts()))
    checked(text)
    assert said == []
    assert re.search(r'^  n\d+\{\{"docker0 \(bridge\)<br>172.17.0.1/16"\}\}$', text, re.MULTILINE)
    assert "  n1 -.- n0" in text.split("\n")


@pytest.mark.parametrize("host", [crowded(1), crowded(5), crowded(100), crowded(100, alike=False), crowded(1000, alike=False)])
def test_it_stays_within_the_limits(host: Wired) -> None:
    text, said = mermaid(drawing(host.facts()))
    checked(text)
    assert said == []


def test_what_finds_no_room_is_counted() -> None:
    many = [Node(str(number), "network", ["名" * 30] * 4, "", None) for number in range(400)]
    edges = [Edge(str(one), str(one // 2)) for one in range(400)] + [Edge("0", "1")] * 600
    text, said = mermaid(Wiring("h", many, edges, []))
    checked(text)
    assert re.match(r"Not in this drawing for want of room: \d+ boxes and lines\.", said[0])


@settings(max_examples=40, deadline=None)
@given(st.lists(ANY | st.sampled_from([*MARKUP, *HOSTILE]), max_size=6))
def test_whatever_the_names_are(names: list[str]) -> None:
    checked(mermaid(drawing(named(*names).facts()))[0])


@pytest.mark.parametrize(("text", "shown"), [
    ("web-1", "web-1"), ('"]; click n0 href "javascript:x"', "#34;#93;#59; click n0 href #34;javascript:x#34;"),
    ("<b>", "#60;b#62;"), ("#quot;", "#35;quot#59;"), ("a\nb", "a#8726;nb"), ("http://x", "http:#47;#47;x"),
    ("www.x", "www#46;x"), ("`**b**`", "#96;#42;#42;b#42;#42;#96;"), ("%%{init", "#37;#37;#123;init"), ("a_b", "a#95;b"),
])  # fmt: skip
def test_what_could_be_syntax_is_a_numbered_entity(text: str, shown: str) -> None:
    assert label(text) == shown


def test_a_fault_has_a_look_of_its_own() -> None:
    host = docker_host()
    text, dummy = mermaid(drawing(host.facts(), [fault("LNK-003", "high", "down", host.containers[0], object="eth0")]))
    checked(text)
    assert text.count(":::fault") == 1
    (web,) = re.findall(r"  (n\d+)\[\"web<br>", text)
    wires = [line for line in text.split("\n") if " --- " in line or " -.- " in line]
    number = next(at for at, line in enumerate(wires) if line.endswith(web))
    assert f"  linkStyle {number} stroke" in text


@pytest.mark.parametrize("text", ["$$x$$", "$$$$$x", "fa:fa-car", "fab:fa-x", "a fa:fa-"])
def test_text_is_neither_a_formula_nor_an_icon(text: str) -> None:
    """Mermaid looks for these behind the entities."""
    shown = re.sub(r"#(\d+);", lambda match: chr(int(match.group(1))), label(text))
    assert len(shown) == len(text)
    assert "$$" not in shown and ":fa-" not in shown

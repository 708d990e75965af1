# Copyright (c) 2026, the nsfleet.linux authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drawing as SVG: well-formed, harmless, nothing on top of something else, no text outside its box."""

from __future__ import annotations

import itertools
from typing import Any
from xml.etree import ElementTree

import pytest
from canned import HOSTILE
from canned_network import Wired, crowded, docker_host, fault
from hypothesis import given, settings
from hypothesis import strategies as st
from reporting import drawing

from ansible_collections.nsfleet.linux.plugins.module_utils._report.wiring_svg import svg

ANY = st.text(st.characters(exclude_categories=[]), max_size=200)
SVG = "{http://www.w3.org/2000/svg}"
MARKUP = ("<img src=x onerror=alert(1)>", "]]>", "</text></svg><script>alert(1)</script>", "&lt;&#60;", '" onload="x', "--><!--")


def named(*names: str) -> Wired:
    host = Wired()
    host.uplink()
    host.bridge("docker0", "172.17.0.1/16")
    for name in names:
        host.wire(host.add(name), "docker0", "172.17.0.2/16", name=name or "eth0")
    return host


def checked(text: str) -> ElementTree.Element:
    """The document, which keeps the promises."""
    root = ElementTree.fromstring(text)
    wide, high = (float(root.get(key, "")) for key in ("width", "height"))
    assert {element.tag for element in root.iter()} <= {
        SVG + tag for tag in ("svg", "title", "style", "rect", "path", "g", "text")
    }  # fmt: skip
    for element in root.iter():
        assert not [key for key in element.attrib if key.startswith("on") or "href" in key]
    boxes = []
    for group in root.iter(SVG + "g"):
        (box,) = group.iter(SVG + "rect")
        x, y, width, height = (float(box.get(key, "")) for key in ("x", "y", "width", "height"))
        boxes.append((x, y, width, height))
        assert 0 <= x <= x + width <= wide
        assert 0 <= y <= y + height <= high
        baselines = []
        for line in group.iter(SVG + "text"):
            start, baseline = float(line.get("x", "")), float(line.get("y", ""))
            assert x < start <= start + float(line.get("textLength", 0)) < x + width
            assert y + 10 < baseline < y + height - 3
            baselines.append(baseline)
        assert all(below - above >= 16 for above, below in itertools.pairwise(baselines))
    for (x, y, width, height), (x2, y2, width2, height2) in itertools.combinations(boxes, 2):
        assert x + width < x2 or x2 + width2 < x or y + height < y2 or y2 + height2 < y
    return root


@pytest.mark.parametrize("host", [
    Wired(), named("web"), docker_host(), crowded(5), crowded(100), crowded(100, alike=False),
], ids=["none", "1", "docker", "5", "100 alike", "100 others"])  # fmt: skip
def test_nothing_overlaps_and_no_text_leaves_its_box(host: Wired) -> None:
    checked(svg(drawing(host.facts())))


@settings(max_examples=30, deadline=None)
@given(st.lists(ANY | st.sampled_from(MARKUP), max_size=6))
def test_whatever_the_names_are(names: list[str]) -> None:
    checked(svg(drawing(named(*names).facts(), [fault(name, "high", name) for name in names])))


def test_names_are_text() -> None:
    root = checked(svg(drawing(named(*MARKUP, *HOSTILE).facts())))
    texts = {text.text for text in root.iter(SVG + "text")}
    assert "<img src=x onerror=alert(1)>" in texts
    assert "\\u202egnp.exe" in texts


def test_it_needs_nothing_from_outside() -> None:
    text = svg(drawing(docker_host().facts()))
    assert text.count("http") == 1  # the name space
    assert "url(" not in text
    assert "@import" not in text


def test_it_has_colours_for_dark_screens() -> None:
    assert "prefers-color-scheme:dark" in svg(drawing(Wired().facts()))


def test_a_fault_is_red_and_told_by_the_pointer() -> None:
    host = docker_host()
    faults = [fault("RT-001", "high", "no <default> route", host.containers[0])]
    root = checked(svg(drawing(host.facts(), faults)))
    (group,) = [
        group for group in root.iter(SVG + "g")
        if any("fault" in str(box.get("class")) for box in group.findall(SVG + "rect"))
    ]
    assert str(group.findtext(SVG + "title")).endswith("RT-001: no <default> route")


def crossings(root: ElementTree.Element) -> list[Any]:
    """Boxes whose inside a straight part of a line goes through."""
    boxes = [[float(box.get(key, "")) for key in ("x", "y", "width", "height")]
             for group in root.iter(SVG + "g") for box in group.iter(SVG + "rect")]  # fmt: skip
    found = []
    for path in root.iter(SVG + "path"):
        parts = str(path.get("d")).replace("M", " ").replace("C", " ").split("H")
        for part, end in itertools.pairwise(parts):
            start, y = map(float, part.split()[-2:])
            found += [box for box in boxes
                      if box[1] < y < box[1] + box[3] and start < box[0] + box[2] and float(end.split()[0]) > box[0]]
    return found


def test_a_line_that_passes_a_column_passes_between_its_boxes() -> None:
    host = docker_host()
    for number in range(6):
        host.wire(host.add(f"calico{number}"), None, f"10.1.0.{number}/32")
    root = checked(svg(drawing(host.facts())))
    assert any("H" in str(path.get("d")) for path in root.iter(SVG + "path"))
    assert crossings(root) == []


def test_the_same_wiring_gives_the_same_text() -> None:
    assert svg(drawing(docker_host().facts())) == svg(drawing(docker_host().facts()))


def test_a_box_tells_the_first_of_very_many_faults() -> None:
    host = named("web")
    faults = [fault("RT-001", "high", "reason %d " % at + "x" * 500, host.containers[0]) for at in range(1000)]
    text = svg(drawing(host.facts(), faults))
    assert "and 980 more" in text and len(text) < 30_000

"""A drawing as a Mermaid flowchart, within the limits that renderers set (50,000 characters, 500 edges)."""
from __future__ import annotations

import re

from .text import cut, printable
from .wiring import Edge, Node, Wiring

_CHARACTERS = 48_000
_EDGES = 480
_WIDEST = 40  # columns of a line
_SHAPES = {
    "uplink": '("{}")', "host": '["{}"]', "bridge": '{{{{"{}"}}}}', "veth": '(["{}"])', "link": '("{}")',
    "network": '["{}"]', "empty": '["{}"]',
}
_LOOKS = (
    "classDef host stroke-width:2px",
    "classDef empty stroke-dasharray:4 3",
    "classDef fault stroke:#d1242f,stroke-width:3px",
)


def mermaid(drawing: Wiring) -> tuple[str, list[str]]:
    """The text of the flowchart, and sentences on what is not in it."""
    numbers = {node.key: "n%d" % number for number, node in enumerate(drawing.nodes)}
    lines, size, left_out = ["flowchart LR"], sum(map(len, _LOOKS)) + 100, 0
    drawn: set[str] = set()
    for node in drawing.nodes:
        line = "  %s%s" % (numbers[node.key], _SHAPES[node.kind].format("<br>".join(map(label, node.lines))))
        line += _class_of(node)
        # Half of the room is for the edges: each is short beside its box.
        if size + len(line) > _CHARACTERS * 3 // 4:
            left_out += 1
            continue
        drawn.add(node.key)
        lines.append(line)
        size += len(line) + 1
    faulty, count = [], 0
    for edge in drawing.edges:
        if edge.source not in drawn or edge.target not in drawn:
            continue
        line = "  %s %s %s" % (numbers[edge.source], _arrow(edge), numbers[edge.target])
        if size + len(line) > _CHARACTERS or count >= _EDGES:
            left_out += 1
            continue
        if edge.fault:
            faulty.append(str(count))
        lines.append(line)
        size += len(line) + 6
        count += 1
    if faulty:
        lines.append("  linkStyle %s stroke:#d1242f,stroke-width:3px" % ",".join(faulty))
    lines += ["  " + look for look in _LOOKS if ":::" + look.split()[1] in "\n".join(lines)]
    said = ["Not in this drawing for want of room: %d boxes and lines." % left_out] if left_out else []
    return "\n".join(lines), said


def _arrow(edge: Edge) -> str:
    return "-.-" if edge.routed else "---"


def _class_of(node: Node) -> str:
    if node.fault:
        return ":::fault"
    return ":::" + node.kind if node.kind in ("host", "empty") else ""


def label(text: str) -> str:
    """Text that is nothing but text to Mermaid, Markdown and HTML: all that could be more is a numbered entity."""
    # Mermaid breaks lines at a backslash and an n, however they are written: another character looks like one.
    shown = cut(printable(text), _WIDEST, "middle").replace("\\", "\u2216")
    # It sets formulas between dollars, and icons for fa:fa-NAME, once it has read the entities. The same way out.
    shown = re.sub(":(?=fa-)", "\u2236", shown.replace("$$", "$\uff04"))
    return re.sub(r"[^A-Za-z0-9 ,()./:+-]|//|(?<=w)\.", _entities, shown)


def _entities(match: re.Match[str]) -> str:
    return "".join("#%d;" % ord(character) for character in match.group())

"""A drawing as SVG: columns from uplinks on the left to containers on the right; no script, nothing from outside.

Text is set in a type of fixed width and told how wide it has to be, so that it stays in its box whatever font there is.
"""
from __future__ import annotations

from typing import Dict, List, NamedTuple, Sequence, Tuple
from xml.sax.saxutils import escape, quoteattr

from .text import cut, printable, width
from .wiring import Node, Wiring

_COLUMN = 7.25   # of a character of 12 px
_LINE = 16
_PAD = 8
_GAP = 10        # between boxes of a column
_BETWEEN = 56    # columns
_MARGIN = 16
_TOP = 48        # where the boxes begin
_WIDEST = 34     # characters in a box
_DEEPEST = 12     # columns before the last
_LEVELS = {"host": 1, "bridge": 2, "veth": 3}  # at least: what hangs on nothing stands beside others of its kind
_KEY = "Red: a fault. Dashed: forwarded by address, no wire. Hold the pointer over a box for more."
_STYLE = """
svg{--paper:#fff;--ink:#1f2328;--faint:#59636e;--line:#818b98;--box:#f6f8fa;
--host:#ddf4ff;--bridge:#dafbe1;--fault:#d1242f}
@media (prefers-color-scheme:dark){svg{--paper:#0d1117;--ink:#f0f6fc;--faint:#9198a1;--line:#656c76;--box:#151b23;
--host:#0c2d4d;--bridge:#0f2d1a;--fault:#f85149}}
text{font:12px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:var(--ink);white-space:pre;direction:ltr;
unicode-bidi:isolate}
.paper{fill:var(--paper)}.name{font-weight:600}.faint{fill:var(--faint)}
rect.box{fill:var(--box);stroke:var(--line)}rect.host{fill:var(--host);stroke-width:2}rect.bridge{fill:var(--bridge)}
rect.empty{stroke-dasharray:4 3}rect.fault{stroke:var(--fault);stroke-width:3}
path{fill:none;stroke:var(--line);stroke-width:1.5}path.routed{stroke-dasharray:5 4}
path.fault{stroke:var(--fault);stroke-width:3}
"""


class _Box(NamedTuple):
    """Where a node stands."""

    x: float
    y: float
    width: float
    height: float


class _Layout(NamedTuple):
    """Columns of keys, each box's size, and for each edge the keys it passes, its ends included."""

    columns: List[List[str]]
    sizes: Dict[str, Tuple[float, float]]
    ways: List[List[str]]


def svg(drawing: Wiring) -> str:
    """The whole document."""
    lines = {node.key: [cut(printable(line), _WIDEST, "middle") for line in node.lines] for node in drawing.nodes}
    layout = _layout(drawing, lines)
    boxes = _placed(layout)
    said = [line for sentence in [*drawing.said, _KEY] for line in _broken(sentence)]
    title = cut(printable(drawing.host), 60, "middle") + ": wiring"
    right = max([box.x + box.width for box in boxes.values()] + [_MARGIN + _room(line) for line in [title, *said]])
    bottom = max([box.y + box.height for box in boxes.values()] + [_TOP]) + _MARGIN
    wide, high = right + 2 * _MARGIN, bottom + _LINE * len(said) + _MARGIN
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label=%s>'
        % (wide, high, wide, high, quoteattr(title)),
        "<title>%s</title><style>%s</style>" % (escape(title), _STYLE.replace("\n", "")),
        '<rect class="paper" width="100%" height="100%"/>', _text(_MARGIN, 28, title, "name"),
    ]
    for edge, way in zip(drawing.edges, layout.ways):
        names = " ".join(name for name, wanted in (("routed", edge.routed), ("fault", edge.fault)) if wanted)
        mark = ' class="%s"' % names if names else ""
        parts.append('<path%s d="%s"/>' % (mark, _curve([boxes[key] for key in way])))
    parts += [_drawn(node, boxes[node.key], lines[node.key]) for node in drawing.nodes]
    parts += [_text(_MARGIN, bottom + _LINE * (row + 1), line, "faint") for row, line in enumerate(said)]
    return "\n".join(parts) + "\n</svg>\n"


def _broken(sentence: str) -> List[str]:
    words, found = sentence.split(" "), [""]
    for word in words:
        if found[-1] and width(found[-1]) + 1 + width(word) > 90:
            found.append("")
        found[-1] += (" " if found[-1] else "") + cut(printable(word), 80, "middle")
    return found


def _room(text: str) -> float:
    """How wide a text is."""
    return width(text) * _COLUMN


def _layout(drawing: Wiring, lines: Dict[str, List[str]]) -> _Layout:
    depth = _depths(drawing)
    levels = sorted(set(depth.values()))
    column = {key: levels.index(level) for key, level in depth.items()}
    columns: List[List[str]] = [[] for dummy in levels]
    for node in drawing.nodes:
        columns[column[node.key]].append(node.key)
    sizes = {
        key: (max(map(_room, texts), default=0.0) + 2 * _PAD, len(texts) * _LINE + 2.0 * _PAD - 4)
        for key, texts in lines.items()
    }
    ways = []
    for number, edge in enumerate(drawing.edges):
        way = [edge.source]
        # Where it passes a column it takes a place among the boxes there, so that it crosses none.
        for at in range(column[edge.source] + 1, column[edge.target]):
            key = "way %d %d" % (number, at)
            columns[at].append(key)
            sizes[key] = (0.0, 2.0)
            way.append(key)
        ways.append([*way, edge.target])
    return _Layout(columns, sizes, ways)


def _depths(drawing: Wiring) -> Dict[str, int]:
    """Right of all that leads to it; containers and the like are the last column, veths one of their own."""
    into: Dict[str, List[str]] = {}
    for edge in drawing.edges:
        into.setdefault(edge.target, []).append(edge.source)
    depth = {node.key: _LEVELS.get(node.kind, 0) for node in drawing.nodes}
    # Bounded: facts that go in a circle (they come from the host) must not.
    for dummy in range(_DEEPEST):
        for node in drawing.nodes:
            depth[node.key] = max([depth[node.key]] + [min(_DEEPEST, depth[one] + 1) for one in into.get(node.key, ())])
    deepest = max([depth[node.key] for node in drawing.nodes if node.kind == "veth"], default=0)
    depth.update({node.key: deepest for node in drawing.nodes if node.kind == "veth"})
    depth.update({node.key: _DEEPEST + 1 for node in drawing.nodes if node.kind in ("network", "empty")})
    return depth


def _placed(layout: _Layout) -> Dict[str, _Box]:
    """Places from the right to the left: the last column is stacked, each other box stands amid what it leads to."""
    out: Dict[str, List[str]] = {}
    for way in layout.ways:
        for source, target in zip(way, way[1:]):
            out.setdefault(source, []).append(target)
    starts, x = [], float(_MARGIN)
    for column in layout.columns:
        starts.append(x)
        x += max((layout.sizes[key][0] for key in column), default=0) + _BETWEEN
    boxes: Dict[str, _Box] = {}
    for column, start in reversed(list(zip(layout.columns, starts))):
        middles: List[Tuple[float, int, str]] = []
        for order, key in enumerate(column):
            ends = [boxes[end] for end in out.get(key, ()) if end in boxes]
            # Those that lead nowhere stand below the others, in their order.
            middle = sum(end.y + end.height / 2 for end in ends) / len(ends) if ends else float("inf")
            middles.append((middle, order, key))
        middles.sort()
        wide = max(layout.sizes[key][0] for key in column)
        tops = _stacked([(middle - layout.sizes[key][1] / 2, layout.sizes[key][1]) for middle, dummy, key in middles])
        for (dummy2, dummy3, key), y in zip(middles, tops):
            boxes[key] = _Box(start, y, wide, layout.sizes[key][1])
    return boxes


def _stacked(wishes: Sequence[Tuple[float, float]]) -> List[float]:
    """Tops without overlap, from wished tops (inf: none) and heights; as near to a wish as those above allow."""
    found: List[float] = []
    y = float(_TOP)
    for wish, height in wishes:
        y = y if wish == float("inf") else max(y, wish)
        found.append(y)
        y += height + _GAP
    # What was pushed down pushes those above it up again, half of the way, as far as there is room.
    excess = max((top - wish for top, (wish, dummy) in zip(found, wishes)), default=0.0) / 2
    if excess > 0 and found[0] > _TOP:
        shift = min(excess, found[0] - _TOP)
        found = [top - shift for top in found]
    return found


def _curve(boxes: Sequence[_Box]) -> str:
    """A path from the right side of the first box to the left side of the last one, straight through those between."""
    path = "M%.1f %.1f" % (boxes[0].x + boxes[0].width, boxes[0].y + boxes[0].height / 2)
    for source, target in zip(boxes, boxes[1:]):
        x1, y1 = source.x + source.width, source.y + source.height / 2
        x2, y2 = target.x, target.y + target.height / 2
        bend = (x1 + x2) / 2
        if x2 <= x1:
            # In one column, or back: around the right side.
            x2 = target.x + target.width
            bend = max(x1, x2) + _BETWEEN / 2
        path += "C%.1f %.1f %.1f %.1f %.1f %.1f" % (bend, y1, bend, y2, x2, y2)
        if target is not boxes[-1]:
            path += "H%.1f" % (target.x + target.width)
    return path


def _drawn(node: Node, box: _Box, lines: Sequence[str]) -> str:
    names = " ".join(["box", node.kind] + (["fault"] if node.fault else []))
    radius = 12 if node.kind in ("veth", "uplink", "link") else 4
    title = "\n".join(printable(line) for line in node.title.split("\n") if line)
    parts = ["<g><title>%s</title>" % escape(title)]
    parts.append('<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="%d"/>' % (names, *box, radius))
    for row, line in enumerate(lines):
        name = "name" if row == 0 else "faint"
        parts.append(_text(box.x + _PAD, box.y + _PAD + 10 + row * _LINE, line, name))
    return "".join(parts) + "</g>"


def _text(x: float, y: float, text: str, name: str) -> str:
    size = ' textLength="%.1f" lengthAdjust="spacingAndGlyphs"' % _room(text) if text else ""
    return '<text class="%s" x="%.1f" y="%.1f"%s>%s</text>' % (name, x, y, size, escape(text))

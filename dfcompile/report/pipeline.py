"""The pipeline as a graph: units as boxes, streams as lines with their width and FIFO."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from dfcompile.dataflow.design import Design
from dfcompile.ir.graph import Delay
from dfcompile.report import svg
from dfcompile.report.layout import Layout, Wire, arrange
from dfcompile.units.base import Stream

PER_ROW = 5
BOX_W, BOX_H = 148.0, 72.0
CELL, GAP = 54.0, 12.0  # a connection's label, and the room for its bends on both sides
PITCH = BOX_W + CELL + 2 * GAP
LANE_BOX, LANE_WIRE = BOX_H + 16, 30.0
GUTTER, SPACING = 20.0, 6.0  # beside the rows, for lines that go to the next row, and between such lines
WIDTH = PER_ROW * PITCH + 2 * GUTTER
_ENDS = {"in": "input", "out": "output", "back": "to the next step"}


@dataclass(frozen=True)
class Row:
    """A line of the drawing: height of its first lane's middle and of the others; `below` is free for lines to the next row."""

    middles: tuple[float, ...]
    below: float


def draw_pipeline(design: Design, rows: Mapping[str, Mapping[str, Any]], interval: float, slowest: Collection[str]) -> Markup:
    """`rows` are the units of report.json by name; `interval` in cycles; slowest: the units that it is from."""
    wires, ends = connections(design)
    layout = arrange(wires, [*ends, *(n.name for n in design.nodes)])
    lines, height = _rows(layout, set(ends))
    streams = design.streams()
    ports = _ports(wires)
    parts = [_wire(w, lanes, layout, lines, ports) for w, lanes in layout.wires]
    parts += _returns(layout, lines)
    for w, lanes in layout.wires:
        column = layout.vertices[w.source][0] + 1
        parts.append(_label(w.tensor, streams[w.tensor], design.fifo_depths.get(w.tensor, 0), column, lanes[0], lines))
    for name, (column, lane) in layout.vertices.items():
        x, y = _left(column), lines[column // (2 * PER_ROW)].middles[lane]
        if name in ends:
            parts.append(_end(ends[name], streams[ends[name]], x, y, _ENDS[name.partition(" ")[0]]))
        else:
            parts.append(_box(rows[name], _folding(design, rows[name]), x, y, interval, name in slowest))
    return svg.drawing(WIDTH, height, parts, f"Pipeline of {design.name}", "pipeline")


def connections(design: Design) -> tuple[list[Wire], dict[str, str]]:
    """Every stream as a wire, and the pipeline's own ends (names that no unit has) with their tensors.

    What a delay reads comes from further on: its wire has an end of its own.
    """
    graph = design.graph
    back = dict.fromkeys(t for n in design.nodes if isinstance(n.op, Delay) for t in n.inputs)
    made = {t: (n.name, k) for n in design.nodes for k, t in enumerate(n.outputs)}
    read = {t: (n.name, k) for n in design.nodes for k, t in enumerate(n.inputs) if t not in back}
    ends = {f"in {t}": t for t in graph.inputs} | {f"out {t}": t for t in graph.outputs} | {f"back {t}": t for t in back}
    wires = []
    for t in design.streams():
        source, target = made.get(t, (f"in {t}", 0)), read.get(t, (f"{'back' if t in back else 'out'} {t}", 0))
        wires.append(Wire(t, source[0], target[0], source[1], target[1]))
    return wires, ends


def _rows(layout: Layout, ends: set[str]) -> tuple[list[Row], float]:
    """Heights of all lanes, and of the picture."""
    content: dict[int, dict[int, float]] = {}
    for column, lane in layout.vertices.values():
        content.setdefault(column // (2 * PER_ROW), {})[lane] = LANE_BOX
    crossing: dict[int, int] = {}
    for w, lanes in layout.wires:
        first = layout.vertices[w.source][0] + 1
        for column, lane in enumerate(lanes, first):
            heights = content.setdefault(column // (2 * PER_ROW), {})
            heights.setdefault(lane, LANE_WIRE)
            crossing[column] = crossing.get(column, 0) + 1
    rows, y = [], 4.0
    for r in range(max(content, default=-1) + 1):
        middles = []
        for lane in range(max(content[r]) + 1):
            height = content[r].get(lane, LANE_WIRE)
            middles.append(y + height / 2)
            y += height
        returns = crossing.get(2 * PER_ROW * (r + 1) - 1, 0)
        rows.append(Row(tuple(middles), y + 6))
        y += 12 + SPACING * returns
    return rows, y


def _left(column: int) -> float:
    """Left edge of a column's boxes or labels."""
    return GUTTER + (column // 2 % PER_ROW) * PITCH + (BOX_W + GAP if column % 2 else 0)


def _right(column: int) -> float:
    return _left(column) + (CELL if column % 2 else BOX_W)


def _middle(column: int, lane: int, lines: list[Row]) -> float:
    return lines[column // (2 * PER_ROW)].middles[lane]


def _ports(wires: list[Wire]) -> dict[str, tuple[int, int]]:
    """Vertex -> (number of inputs, number of outputs)."""
    found: dict[str, tuple[int, int]] = {}
    for w in wires:
        i, o = found.get(w.source, (0, 0))
        found[w.source] = (i, o + 1)
        i, o = found.get(w.target, (0, 0))
        found[w.target] = (i + 1, o)
    return found


def _at_port(middle: float, port: int, of: int) -> float:
    return middle + (port - (of - 1) / 2) * min(16.0, (BOX_H - 16) / max(of - 1, 1))


def _wire(w: Wire, lanes: list[int], layout: Layout, lines: list[Row], ports: dict[str, tuple[int, int]]) -> Markup:
    """The line from box to box, interrupted where it goes on in the next row (`_returns` draws that)."""
    start, begin = layout.vertices[w.source]
    x, y = _right(start), _at_port(_middle(start, begin, lines), w.source_port, ports[w.source][1])
    points = f"M{svg.coordinate(x)} {svg.coordinate(y)}"
    for column, lane in enumerate(lanes, start + 1):
        points += _bend(x, y, column, _middle(column, lane, lines)) + f"H{svg.coordinate(_right(column))}"
        x, y = _right(column), _middle(column, lane, lines)
    last, end = layout.vertices[w.target]
    y = _at_port(_middle(last, end, lines), w.target_port, ports[w.target][0])
    points += _bend(x, lines[(last - 1) // (2 * PER_ROW)].middles[lanes[-1]], last, y)
    x = _left(last)
    arrow = svg.path(f"M{svg.coordinate(x - 7)} {svg.coordinate(y - 3.5)}l7 3.5l-7 3.5z", "arrow")
    return svg.group(svg.path(points, "wire"), arrow)


def _bend(x: float, y: float, column: int, to: float) -> str:
    """Across the gap before a column; the first column of a row begins anew."""
    left = _left(column)
    if column % (2 * PER_ROW) == 0:
        return f"M{svg.coordinate(left)} {svg.coordinate(to)}"
    if to == y:
        return f"H{svg.coordinate(left)}"
    half, end = svg.coordinate((x + left) / 2), svg.coordinate(to)
    return f"C{half} {svg.coordinate(y)} {half} {end} {svg.coordinate(left)} {end}"


def _returns(layout: Layout, lines: list[Row]) -> list[Markup]:
    """Lines from the end of a row to the beginning of the next: down at the right, along between the rows, down at the left."""
    found = []
    ports = _ports([w for w, _ in layout.wires])
    passing: list[list[tuple[Wire, list[int]]]] = [[] for _ in lines]
    for w, lanes in layout.wires:
        for r in range((layout.vertices[w.source][0] + 1) // (2 * PER_ROW), layout.vertices[w.target][0] // (2 * PER_ROW)):
            passing[r].append((w, lanes))
    for r in range(len(lines) - 1):
        column = 2 * PER_ROW * (r + 1)
        crossing = []
        for w, lanes in passing[r]:
            start = layout.vertices[w.source][0] + 1
            end = layout.vertices[w.target]
            if end[0] == column:
                to = _at_port(_middle(column, end[1], lines), w.target_port, ports[w.target][0])
            else:
                to = _middle(column, lanes[column - start], lines)
            crossing.append((lines[r].middles[lanes[column - 1 - start]], to))
        crossing.sort()
        for k, (y, to) in enumerate(crossing):
            found.append(_return(y, to, lines[r].below + SPACING * (len(crossing) - 1 - k), len(crossing) - 1 - k, k))
    return found


def _return(y: float, to: float, along: float, right: int, left: int) -> Markup:
    x0, x1 = _right(2 * PER_ROW - 1), _left(0)
    out, back = x0 + 8 + min(SPACING * right, GUTTER), x1 - 12 - min(SPACING * left, GUTTER - 13)
    c = svg.coordinate
    return svg.path(f"M{c(x0)} {c(y)}H{c(out)}V{c(along)}H{c(back)}V{c(to)}H{c(x1)}", "wire")


def _label(tensor: str, stream: Stream, depth: int, column: int, lane: int, lines: list[Row]) -> Markup:
    """Width above the line; the FIFO as a box of slots on it."""
    x, y = (_left(column) + _right(column)) / 2, _middle(column, lane, lines)
    size = f"{stream.lanes} x {stream.dtype}" if stream.lanes > 1 else str(stream.dtype)
    about = f"{tensor}: {size}, {svg.number(stream.beats)} beats a frame" + (f", FIFO of {depth}" if depth else "")
    parts = [svg.text(x, y - (11 if depth else 5), f"{stream.width} b", "width", "middle")]
    if depth:
        parts += [svg.rect(x - 22, y - 8, 44, 16, "fifo", rx=3), svg.text(x, y + 4, svg.number(depth), "depth", "middle")]
    return svg.group(*parts, title=about)


def _folding(design: Design, row: Mapping[str, Any]) -> str:
    """The folding, or what there is instead: how many lanes go in and come out."""
    if row["folding"]:
        return " · ".join(f"{k} {v}" for k, v in row["folding"].items())
    unit = design.unit(row["name"])
    given, made = unit.inputs[0].lanes, unit.outputs[0].lanes
    return f"lanes {given}" if given == made else f"lanes {given} → {made}"


def _box(row: Mapping[str, Any], folding: str, x: float, y: float, interval: float, slowest: bool) -> Markup:
    top, share = y - BOX_H / 2, min(1.0, row["cycles"] / max(interval, 1))
    about = f"{row['name']} ({row['kind']})" + (f" from {', '.join(row['source'])}" if row["source"] else "")
    load = f"{svg.number(row['cycles'])} cycles · {svg.percent(share)}"
    return svg.group(
        svg.rect(x, top, BOX_W, BOX_H, "box slowest" if slowest else "box", rx=5),
        svg.text(x + 9, top + 17, row["kind"].replace("_", " "), "kind"),
        svg.text(x + 9, top + 31, svg.shorten(row["name"], BOX_W - 18, 10), "name"),
        svg.text(x + 9, top + 45, svg.shorten(folding, BOX_W - 18, 11, svg.SANS), "detail"),
        svg.text(x + 9, top + 59, load, "detail strong"),
        svg.rect(x + 9, top + 64, BOX_W - 18, 3, "track", rx=1.5),
        svg.rect(x + 9, top + 64, max(1.5, (BOX_W - 18) * share), 3, "load slowest" if slowest else "load", rx=1.5),
        title=about,
    )


def _end(tensor: str, stream: Stream, x: float, y: float, what: str) -> Markup:
    shape = "x".join(map(str, stream.shape))
    return svg.group(
        svg.rect(x, y - 25, BOX_W, 50, "end", rx=25),
        svg.text(x + BOX_W / 2, y - 8, what, "kind", "middle"),
        svg.text(x + BOX_W / 2, y + 6, svg.shorten(tensor, BOX_W - 30, 10), "name", "middle"),
        svg.text(x + BOX_W / 2, y + 19, f"{shape} · {stream.dtype}", "detail", "middle"),
        title=f"{tensor}: {svg.number(stream.beats)} beats a frame",
    )

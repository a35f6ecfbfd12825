"""A roofline with any roofs and points: where dataflow and loopback stand on a board, and where the layers of a loopback run do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from dfcompile.report import svg
from dfcompile.report.roofline import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axes, axis_range, draw_grid, draw_slope

TEXT = 6.7  # mean width of a character, pixels
LINE = 16.0


@dataclass(frozen=True)
class Roof:
    """A bound: MAC/s where flat, bytes/s where it slopes; `kind` is its class in the style sheet."""

    name: str
    value: float
    kind: str


@dataclass(frozen=True)
class Point:
    """A place under the roofs: MAC per byte, MAC/s. Without a label it is a small dot with a tool tip."""

    about: str
    intensity: float
    rate: float
    kind: str
    labels: tuple[str, ...] = ()


class _Labels:
    """Puts labels where none lies already."""

    def __init__(self) -> None:
        self.taken: list[tuple[float, float, float, float]] = []

    def put(self, x: float, y: float, lines: Sequence[str]) -> list[Markup]:
        """Beside the point (x, y), at the place next to it that is free, or, where none is, at the first that is in the picture."""
        width, height = TEXT * max(map(len, lines)), LINE * len(lines)
        sides = (12.0, -12.0 - width)
        heights = (-8.0, 14.0, *(d for k in range(1, 20) for d in (14.0 + LINE * k, -8.0 - LINE * k)))
        inside = []
        for dy in heights:
            top = y + dy if dy > 0 else y + dy - height + LINE
            boxes = [(x + dx, top - LINE + 3, x + dx + width, top - LINE + 3 + height) for dx in sides]
            inside += [b for b in boxes if b[0] > LEFT and b[2] < WIDTH - 2 and b[1] > TOP - 8 and b[3] < HEIGHT - BOTTOM]
        box = next((b for b in inside if not self._meets(b)), inside[0])
        self.taken.append(box)
        return [svg.text(box[0], box[1] + LINE - 3 + LINE * k, said, "" if k else "strong") for k, said in enumerate(lines)]

    def block(self, x: float, y: float, reach: float) -> None:
        self.taken.append((x - reach, y - reach, x + reach, y + reach))

    def _meets(self, box: tuple[float, float, float, float]) -> bool:
        return any(box[0] < c and a < box[2] and box[1] < d and b < box[3] for a, b, c, d in self.taken)


def draw_roofs(flats: Sequence[Roof], slopes: Sequence[Roof], points: Sequence[Point], label: str) -> Markup:
    """Roofs as lines with their names, points with labels."""
    top = max(f.value for f in flats)
    knees = [f.value / s.value for f in flats for s in slopes]
    # Of the layers, those that move next to nothing, or are very slow, stand at the edge.
    reach = [p.intensity for p in points if p.labels or p.intensity < 30 * max(knees)]
    rates = [top, *(p.rate if p.labels else max(p.rate, top / 3000) for p in points)]
    axes = Axes(axis_range([*reach, *knees], 4, 4, 2), axis_range(rates, 2.5, 2.5, 1.5))
    placed = [(p, *axes.at(p.intensity, p.rate)) for p in points]
    labels = _Labels()
    lines, names = draw_grid(axes), []
    named = [(x, y) for p, x, y in placed if p.labels] or [axes.at(points[0].intensity, points[0].rate)]
    for k, slope in enumerate(sorted(slopes, key=lambda s: -s.value)):
        line, name = draw_slope(axes, top, slope.value, slope.name, slope.kind, named, -17.0 if k else 7.0)
        lines.append(line)
        names.append(name)
    best, walls = max(s.value for s in slopes), []
    for flat in sorted(flats, key=lambda f: -f.value):
        x, y = axes.at(flat.value / best, flat.value)
        lines.append(svg.line(x, y, WIDTH - RIGHT, y, flat.kind))
        names += _flat_name(flat, y, labels)
        walls.append((x, y - 3, WIDTH, y + 3))
    labels.taken += walls
    for p, x, y in placed:
        labels.block(x, y, 8.0 if p.labels else 3.0)
    small = [svg.tag("circle", svg.tag("title", p.about), cx=x, cy=y, r=3.5, class_=p.kind) for p, x, y in placed if not p.labels]
    big = []
    for p, x, y in placed:
        if p.labels:
            big += [svg.line(x, y, x, HEIGHT - BOTTOM, f"drop {p.kind}"), *labels.put(x, y, p.labels)]
            big.append(svg.tag("circle", svg.tag("title", p.about), cx=x, cy=y, r=6, class_=p.kind))
    return svg.drawing(WIDTH, HEIGHT, [*lines, *small, *names, *big], label, "roofline")


def _flat_name(flat: Roof, y: float, labels: _Labels) -> list[Markup]:
    """At the right end, above the line, or below where another name is."""
    said = f"{flat.name}: {svg.short_number(flat.value, ' ')}MAC/s"
    right, width = WIDTH - RIGHT - 4, TEXT * len(said)
    for below in (-9.0, 17.0):
        box = (right - width, y + below - 12, right, y + below + 3)
        if not labels._meets(box):
            break
    labels.taken.append(box)
    return [svg.text(right, y + below, said, "", "end")]


def draw_choice(report: Mapping[str, Any]) -> Markup:
    """Both modes of `mode_choice` under their roofs; nothing for a network without multiplications, which has no roof."""
    choice, macs, board = report["mode_choice"], report["model"]["macs"], report["budget"]
    if not macs:
        return Markup("")
    flats, slopes, points = [], [Roof(f"memory of {board['board']}", board["bandwidth"] * 1e9, "roof memory")], []
    for mode in ("dataflow", "loopback"):
        side = choice[mode]
        if not side["runs"]:
            continue
        flats.append(Roof(f"{mode}, {side['lanes']:,} multipliers", side["compute_fps"] * macs, f"roof {mode}"))
        rate = side["fps"] * macs
        said = f"{'' if side['exact'] else 'at most '}{svg.number(round(side['fps']) if side['fps'] >= 100 else side['fps'])} frames/s"
        about = f"{mode}: {said}, {svg.short_number(rate, ' ')}MAC/s, {svg.number(round(side['frame_bytes']))} bytes a frame"
        points.append(Point(about, macs / side["frame_bytes"], rate, f"at {mode}", (mode, said)))
        bus = side["bandwidth_fps"] * side["frame_bytes"]
        if abs(bus / slopes[0].value - 1) > 0.05:
            slopes.append(Roof("bus of the engine", bus, "roof ports"))
    return draw_roofs(flats, slopes, points, "Roofline of both modes")


def draw_layers(report: Mapping[str, Any]) -> Markup:
    """The layers of a loopback run and the run as a whole under the roofs of the engine."""
    clock, roof, batch = report["clock_mhz"] * 1e6, report["roofline"], report["engine"]["batch"]
    slopes = [Roof("bus of the engine", roof["bytes_per_cycle"] * clock, "roof memory")]
    memory = (report["budget"] or {}).get("bandwidth", 0) * 1e9
    if memory and abs(memory / slopes[0].value - 1) > 0.05:
        slopes.append(Roof("board memory", memory, "roof ports"))
    points = []
    for u in report["units"]:
        moved = u["constant_bytes"] + u["act_bytes"]
        if u["macs"] and u["cycles"]:
            rate = u["macs"] / u["cycles"] * clock
            about = f"{u['name']}: {svg.short_number(rate, ' ')}MAC/s, {svg.number(u['cycles'])} cycles, {svg.number(moved)} bytes"
            slowest = u["name"] == report["timing"]["bottleneck"]
            points.append(Point(about, u["macs"] / max(moved, 1), rate, "layer slowest" if slowest else "layer"))
    rate = roof["macs"] / report["timing"]["latency_cycles"] * clock
    whole = f"{svg.short_number(rate, ' ')}MAC/s"
    points.append(Point(f"the whole run: {whole}", roof["macs"] / max(roof["bytes"], 1), rate, "at loopback", ("the whole run", whole)))
    flats = [Roof(f"compute roof, {roof['macs_per_cycle']:,} multipliers", roof["macs_per_cycle"] * clock, "roof compute")]
    return draw_roofs(flats, slopes, points, f"Roofline of {batch} frame{'s' if batch > 1 else ''}")

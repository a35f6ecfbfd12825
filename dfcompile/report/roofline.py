"""The roofline: what the lanes and the external memory allow, and where the design stands."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from dfcompile.dataflow.design import Design
from dfcompile.report import svg
from dfcompile.units.base import Stream, unit_of

WIDTH, HEIGHT = 760.0, 420.0
LEFT, RIGHT, TOP, BOTTOM = 74.0, 24.0, 28.0, 52.0


@dataclass(frozen=True)
class Roofline:
    """Rates in multiply-accumulates (MAC) per second, traffic in bytes per frame.

    lanes:     MACs that all units together can do in a cycle
    compute:   the lanes at the clock
    achieved:  MACs of a frame times frames per second
    streamed:  bytes of a frame's inputs and outputs, beats padded to bytes
    stored:    bytes of the memories of the units that multiply: what would be read for each frame without on-chip memory
    ports:     bytes per second through the design's own streams when the busiest moves a beat in every cycle
    bandwidth: peak of the board's memory in bytes per second, 0 without a board
    macs:      of a frame
    """

    lanes: int
    compute: float
    achieved: float
    streamed: int
    stored: int
    ports: float
    bandwidth: float
    macs: int

    @property
    def intensity(self) -> float:
        """MACs per byte moved."""
        return self.macs / self.streamed

    @property
    def refetch(self) -> float:
        """MACs per byte moved if the weights came from external memory for each frame."""
        return self.macs / (self.streamed + self.stored)

    def attainable(self, intensity: float) -> float:
        """The lower roof at an intensity; the memory's when a board is known."""
        return min(self.compute, (self.bandwidth or self.ports) * intensity)


def roofline(design: Design, report: Mapping[str, Any]) -> Roofline | None:
    """The figures of a design; None when it multiplies nothing."""
    clock = report["clock_mhz"] * 1e6
    multiplying = [unit for unit in map(unit_of, design.nodes) if unit.macs]
    width = sum(unit.mac_rate for unit in multiplying)
    if not width or not report["model"]["macs"]:
        return None
    streams = design.streams()
    ends = [streams[t] for t in (*design.graph.inputs, *design.graph.outputs)]
    streamed = sum(map(_bytes, ends))
    return Roofline(
        lanes=width,
        compute=width * clock,
        achieved=report["model"]["macs"] * report["timing"]["fps"],
        streamed=streamed,
        stored=-(-sum(m.width * m.depth for op in multiplying for m in op.memories()) // 8),
        ports=streamed * clock / max(s.beats for s in ends),
        bandwidth=(report.get("budget") or {}).get("bandwidth", 0) * 1e9,
        macs=report["model"]["macs"],
    )


def _bytes(stream: Stream) -> int:
    return stream.beats * -(-stream.width // 8)


@dataclass(frozen=True)
class Axes:
    """Both axes logarithmic; the ranges are decimal logarithms."""

    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, intensity: float, rate: float) -> tuple[float, float]:
        """Place in the picture, at its edge for what lies outside."""
        return self._place(intensity, self.x, LEFT, WIDTH - RIGHT), self._place(rate, self.y, HEIGHT - BOTTOM, TOP)

    def _place(self, value: float, ends: tuple[float, float], start: float, stop: float) -> float:
        lo, hi = ends
        return start + (min(max(math.log10(value), lo), hi) - lo) / (hi - lo) * (stop - start)


def axis_range(values: list[float], below: float, above: float, least: float) -> tuple[float, float]:
    """Logarithms of the ends of an axis: all values with room around them, and at least so many decades."""
    lo, hi = math.log10(min(values) / below), math.log10(max(values) * above)
    return min(lo, hi - least), hi


def _log_ticks(ends: tuple[float, float]) -> list[float]:
    """Powers of ten, and 2 and 5 times them on a short axis."""
    factors = (1, 2, 5) if ends[1] - ends[0] < 2.5 else (1,)
    decades = range(math.floor(ends[0]), math.ceil(ends[1]) + 1)
    return [f * 10.0**k for k in decades for f in factors if ends[0] <= math.log10(f * 10.0**k) <= ends[1]]


def draw_roofline(r: Roofline) -> Markup:
    """Roofs as lines, the design as a dot, and a ring where it would stand if weights were read for each frame."""
    slopes = [(r.bandwidth, "board memory", "roof memory")] if r.bandwidth else []
    slopes.append((r.ports, "the design's own ports", "roof ports"))
    knees = [r.compute / b for b, _, _ in slopes]
    axes = Axes(
        axis_range([r.intensity, r.refetch, *knees], 4, 4, 2), axis_range([r.compute, r.achieved, r.attainable(r.refetch)], 5, 2.2, 1.5)
    )
    left, right = axes.at(min(knees), r.compute), WIDTH - RIGHT
    ring = axes.at(r.refetch, r.attainable(r.refetch))
    lines, labels = draw_grid(axes), []
    for bandwidth, name, kind in slopes:
        roof, label = draw_slope(axes, r.compute, bandwidth, name, kind, [ring])
        lines.append(roof)
        labels.append(label)
    lines.append(svg.line(left[0], left[1], right, left[1], "roof compute"))
    labels.append(svg.text(right - 4, left[1] - 9, f"compute roof: {svg.short_number(r.compute, ' ')}MAC/s", "strong", "end"))
    return svg.drawing(WIDTH, HEIGHT, [*lines, *_points(axes, r, ring), *labels], "Roofline", "roofline")


def draw_grid(axes: Axes, names: tuple[str, str] = ("MAC per byte of external traffic", "MAC per second")) -> list[Markup]:
    """Grid lines, figures and the names of the axes."""
    base, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = []
    for value in _log_ticks(axes.x):
        x, _ = axes.at(value, 1)
        parts += [svg.line(x, TOP, x, base, "grid"), svg.text(x, base + 16, svg.short_number(value), "tick", "middle")]
    for value in _log_ticks(axes.y):
        _, y = axes.at(1, value)
        parts += [svg.line(LEFT, y, right, y, "grid"), svg.text(LEFT - 8, y + 4, svg.short_number(value), "tick", "end")]
    parts += [svg.line(LEFT, base, right, base, "axis"), svg.line(LEFT, TOP, LEFT, base, "axis")]
    middle, turn = (TOP + base) / 2, f"rotate(-90 16 {(TOP + base) / 2:g})"
    parts.append(svg.text((LEFT + right) / 2, HEIGHT - 10, names[0], "caption", "middle"))
    parts.append(svg.tag("text", names[1], x=16, y=middle, class_="caption", text_anchor="middle", transform=turn))
    return parts


def draw_slope(
    axes: Axes, compute: float, bandwidth: float, name: str, kind: str, points: Sequence[tuple[float, float]], lift: float = 7.0
) -> tuple[Markup, Markup]:
    """A bandwidth roof: from the picture's edge up to the compute roof, and its name along it, away from points.

    lift: pixels from the line up to the name, negative for a name below
    """
    knee = compute / bandwidth
    lo = max(10.0 ** axes.x[0], 10.0 ** axes.y[0] / bandwidth)
    (x0, y0), (x1, y1) = axes.at(lo, lo * bandwidth), axes.at(knee, compute)
    said = f"{name}: {svg.short_number(bandwidth, ' ')}B/s"
    half = min(0.5, len(said) * 3.4 / math.dist((x0, y0), (x1, y1)))  # of the label, as a share of the line
    places = ((x0 + (x1 - x0) * f, y0 + (y1 - y0) * f) for f in (half, 0.5, 1 - half))
    x, y = max(places, key=lambda p: min(math.dist(p, q) for q in points))
    angle = math.degrees(math.atan2(y1 - y0, x1 - x0))
    turn = f"rotate({angle:.2f} {svg.coordinate(x)} {svg.coordinate(y)})"
    label = svg.tag("text", said, x=x, y=y - lift, text_anchor="middle", class_="along", transform=turn)
    return svg.line(x0, y0, x1, y1, kind), label


def _points(axes: Axes, r: Roofline, ring: tuple[float, float]) -> list[Markup]:
    (x, y), (u, v) = axes.at(r.intensity, r.achieved), ring
    anchor, shift = ("end", -12.0) if x > WIDTH - 160 else ("start", 12.0)
    lowered = 46.0 if u + 140 > x + min(shift * 9, 0) and abs(v - y) < 60 else 0.0
    rate = f"{svg.short_number(r.achieved, ' ')}MAC/s"
    return [
        svg.line(x, y, x, HEIGHT - BOTTOM, "drop"),
        svg.text(x + shift, y + 20, "this design", "strong", anchor),
        svg.text(x + shift, y + 36, rate, "", anchor),
        svg.text(u + 12, v + 20 + lowered, "if weights were", "", "start"),
        svg.text(u + 12, v + 35 + lowered, "read for each frame", "", "start"),
        svg.tag("circle", cx=u, cy=v, r=5, class_="refetch"),
        svg.tag("circle", cx=x, cy=y, r=6, class_="here"),
    ]

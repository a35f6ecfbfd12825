"""What happens when: the frame that passes through a running pipeline, and the fill of its FIFOs."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from markupsafe import Markup

from dfcompile.dataflow.design import Design
from dfcompile.report import svg
from dfcompile.report.svg import number
from dfcompile.timing.solve import Timing, solve

LEFT, PLOT, RIGHT = 232.0, 786.0, 152.0
PITCH, BAR = 19.0, 11.0
TOP = 50.0
PANEL_W, PANEL_H = 382.0, 136.0
PANEL_LEFT, PANEL_TOP, PANEL_BOTTOM = 44.0, 40.0, 24.0
PANELS = 12
BINS = 330
MOST_FRAMES, MOST_BEATS = 64, 20_000_000  # of a timing made for the pictures alone: a second at most


def look_longer(design: Design, timing: Timing) -> Timing:
    """The timing of enough frames to see a full pipeline with later frames behind; `timing` itself where that were too many."""
    frames = 2 * _overlap(timing) + 3
    beats = sum(s.beats for s in design.streams().values())
    if frames <= len(timing.frame_done) or frames > MOST_FRAMES or frames * beats > MOST_BEATS:
        return timing
    return solve(design, frames=frames, interval=Fraction(timing.interval_cycles))  # proved already


def _overlap(timing: Timing) -> int:
    """How many frames are under way at a time."""
    return math.ceil(timing.latency_cycles / timing.interval_cycles)


def steady_frame(timing: Timing) -> int:
    """A frame in the steady state, if the timing reaches it; with frames before and after it as far as they are known."""
    done = timing.frame_done
    middle = max(1, len(done) - 1 - _overlap(timing))
    for f in range(middle, len(done)):
        if done[f] - done[f - 1] == timing.interval_cycles:
            return f
    return len(done) - 1


def draw_schedule(timing: Timing, rows: list[Mapping[str, Any]], slowest: Collection[str]) -> Markup:
    """One frame from its first to its last step; a bar from start to stop for each unit, the frames around it fainter."""
    frame = steady_frame(timing)
    begin = min(int(t[frame, 0]) for t in timing.units.values())
    end = max(int(t[frame, 1]) for t in timing.units.values()) + 1
    scale = PLOT / (end - begin)
    bottom = TOP + PITCH * len(rows) + 4
    parts = svg.time_axis(LEFT, LEFT + PLOT, bottom, TOP, end - begin, 10, f"cycles since the first step of frame {frame}")
    for x, head in ((78, "start to stop"), (RIGHT, "busy")):
        parts.append(svg.text(LEFT + PLOT + x, TOP - 8, head, "head", "end"))
    parts += _interval(timing, (end - begin) * scale, scale)
    for k, row in enumerate(rows):
        parts += _bars(timing, row, frame, begin, end, TOP + PITCH * k, row["name"] in slowest)
    return svg.drawing(LEFT + PLOT + RIGHT, bottom + 40, parts, "Schedule of one frame", "schedule")


def _interval(timing: Timing, whole: float, scale: float) -> list[Markup]:
    """How long the interval is on this scale, as a dimension line."""
    width = min(whole, float(timing.interval_cycles) * scale)
    y = 22.0
    return [
        svg.line(LEFT, y, LEFT + width, y, "measure"),
        svg.line(LEFT, y - 5, LEFT, y + 5, "measure"),
        svg.line(LEFT + width, y - 5, LEFT + width, y + 5, "measure"),
        svg.text(LEFT, y - 9, f"interval: a frame every {number(float(timing.interval_cycles))} cycles", "head"),
    ]


def _bars(timing: Timing, row: Mapping[str, Any], frame: int, begin: int, end: int, y: float, slowest: bool) -> list[Markup]:
    name, times, scale = row["name"], timing.units[row["name"]], PLOT / (end - begin)
    parts = [svg.text(LEFT - 10, y + 12, svg.shorten(name, LEFT - 14, 11), "name", "end")]
    for f in range(len(times)):
        start, stop = max(begin, int(times[f, 0])), min(end, int(times[f, 1]) + 1)
        if stop <= start:
            continue
        kind = "bar other" if f != frame else "bar slowest" if slowest else "bar"
        about = f"{name}, frame {f}: cycle {number(int(times[f, 0]) - begin)} to {number(int(times[f, 1]) - begin)}"
        x, width = LEFT + (start - begin) * scale, max(1.0, (stop - start) * scale - (1 if f != frame else 0))
        parts.append(svg.rect(x, y + (PITCH - BAR) / 2, width, BAR, kind, about, rx=min(2.0, width / 2)))
    span = int(times[frame, 1] - times[frame, 0]) + 1
    busy = row["cycles"] / float(timing.interval_cycles)
    parts.append(svg.text(LEFT + PLOT + 78, y + 13, number(span), "figure", "end"))
    parts.append(svg.text(LEFT + PLOT + RIGHT, y + 13, svg.percent(busy), "figure", "end"))
    return sorted(parts, key=lambda p: 'class="bar other"' not in p)


def deepest(fifos: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those FIFOs of report.json that are drawn, deepest first."""
    return sorted(fifos, key=lambda f: (-f["depth"], -f["width"], f["edge"]))[:PANELS]


def draw_fifos(timing: Timing, fifos: list[Mapping[str, Any]]) -> Markup:
    """Fill over time from the empty pipeline on, one panel for each of the deepest FIFOs, all on the same time axis."""
    shown = deepest(fifos)
    end = window(timing)
    parts = [_panel(timing, f, end, 4 + (k % 3) * (PANEL_W + 8), (k // 3) * (PANEL_H + 14)) for k, f in enumerate(shown)]
    height = -(-len(shown) // 3) * (PANEL_H + 14)
    return svg.drawing(3 * PANEL_W + 20, height, parts, "Fill of the FIFOs over time", "fifos")


def window(timing: Timing) -> int:
    """Cycles that the panels show: until the pipeline is full and two intervals more, as long as every unit has frames to work on."""
    fed = min(int(t[-1, 1]) for t in timing.units.values()) + 1
    return int(min(fed, timing.latency_cycles + 2 * timing.interval_cycles))


def fill(timing: Timing, tensor: str, end: int) -> tuple[list[int], list[int]]:
    """Least and most beats held in each of `BINS` equal parts of the cycles 0 to `end`."""
    cycles, held = timing.occupancy(tensor)
    borders = np.linspace(0, end, BINS + 1)
    held = np.concatenate([[0], held])
    first, past = np.searchsorted(cycles, borders[:-1], side="right"), np.searchsorted(cycles, borders[1:], side="left")
    low, high = [], []
    for a, b in zip(first, past, strict=True):
        inside = held[a : max(a, b) + 1]  # what was held when the part began, then every change in it
        low.append(int(inside.min()))
        high.append(int(inside.max()))
    return low, high


def _panel(timing: Timing, fifo: Mapping[str, Any], end: int, x: float, y: float) -> Markup:
    low, high = fill(timing, fifo["edge"], end)
    x0, x1, top, base = x + PANEL_LEFT, x + PANEL_W - 10, y + PANEL_TOP, y + PANEL_H - PANEL_BOTTOM
    depth = fifo["depth"]
    scale = (base - top) / depth
    borders = [float(v) for v in np.linspace(x0, x1, BINS + 1)]
    parts = [
        svg.text(x0, y + 14, svg.shorten(fifo["edge"], PANEL_W - PANEL_LEFT - 10, 11), "name strong"),
        svg.text(x0, y + 29, f"depth {number(depth)} of {fifo['width']} bit, most held {number(fifo['max_occupancy'])}", "detail"),
        *svg.time_axis(x0, x1, base, top, end, 5, ""),
        *(svg.text(x0 - 6, base - v * scale + 4, number(v), "tick", "end") for v in (0, depth)),
        svg.line(x0, top, x1, top, "limit"),
    ]
    for values, kind in ((high, "range"), (low, "held")):
        outline = svg.steps(borders, [base - v * scale for v in values])
        parts.append(svg.path(f"{outline}V{svg.coordinate(float(base))}H{svg.coordinate(x0)}z", kind))
    parts.append(svg.path(svg.steps(borders, [base - v * scale for v in high]), "edge"))
    for done in timing.frame_done:
        if done < end:
            at = x0 + (x1 - x0) * int(done) / end
            parts.append(svg.line(at, top, at, base, "done"))
    return svg.group(*parts)

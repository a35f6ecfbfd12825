"""The sweep of loopback engines as a picture: array shapes and buffer sizes as grids, one panel for each quantity."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from markupsafe import Markup

from dfcompile.loopback.search.sweep import Point, Sweep
from dfcompile.report import svg
from dfcompile.report.chart import picture

CELL_W, CELL_H, LEFT, TOP, GAP, HEAD = 66, 32, 84, 62, 20, 58
PALEST, FULLEST = 0.08, 0.62
"""Opacity of the worst and of the best cell: text is read on both, by day and by night."""

# Title, value, whether less is better, whether it is a bound where the point is not replayed.
PANELS: tuple[tuple[str, Callable[[Point], float], bool, bool], ...] = (
    ("cycles", lambda p: float(p.cycles if p.cycles is not None else p.bound), True, True),
    ("bytes of external memory", lambda p: float(p.ext_bytes), True, True),
    ("utilisation of the array in its steps", lambda p: p.utilisation, False, False),
    ("energy, µJ (45 nm, without control)", lambda p: p.energy_uj, True, True),
)
Key = Callable[[Point], tuple[int, int]]


def heatmap(title: str, found: Sweep, buffers: Sequence[Point] = ()) -> str:
    """SVG text; stronger is better; cells with a tilde are lower bounds, not replays; the best engine has a frame."""
    best, array = found.best, f"pe {found.best.config.pe}, simd {found.best.config.simd}"
    grids = [(*p, found.points, _shape, ("pe", "simd"), "") for p in PANELS]
    grids += [(*p, tuple(buffers), _buffers, ("act", "weight"), f" by memory words, {array}") for p in PANELS[:2] if buffers]
    panels, sizes = [], []
    for name, value, less, bounded, points, key, axes, about in grids:
        shown = name.partition(" of ")[0] + about if about else name
        parts, width, height = _panel(shown, points, key, axes, value, less, bounded, key(best))
        panels.append(parts)
        sizes.append((width, height))
    columns = max(w for w, _ in sizes)
    rows = [max(h for _, h in sizes[i : i + 2]) for i in range(0, len(sizes), 2)]
    width, height = 2 * columns + GAP, HEAD + sum(rows) + GAP * len(rows)
    text = [
        svg.text(20, 28, svg.shorten(title, width - 40, 16, svg.SANS), "title"),
        svg.text(20, 48, f"stronger is better; ~ lower bound; framed: the best engine ({_proof(found)})"),
    ]
    for k, parts in enumerate(panels):
        x, y = k % 2 * (columns + GAP), HEAD + sum(rows[: k // 2]) + GAP * (k // 2)
        text.append(svg.tag("g", *parts, transform=f"translate({x} {y})"))
    return picture(width, height, title, text)


def _proof(found: Sweep) -> str:
    return "no other of the engines compared is faster" if found.gap == 0 else f"another may be up to {found.gap:.1%} faster"


def _shape(p: Point) -> tuple[int, int]:
    return p.config.pe, p.config.simd


def _buffers(p: Point) -> tuple[int, int]:
    return p.config.act_words, p.config.weight_words


def _panel(
    title: str, points: Sequence[Point], key: Key, axes: tuple[str, str], value: Callable[[Point], float], less: bool, bounded: bool,
    best: tuple[int, int],
) -> tuple[list[Markup], int, int]:  # fmt: skip
    """Elements of a grid, its width and its height."""
    found = [value(p) for p in points]
    scaled = [math.log(v) for v in found] if less and min(found) > 0 else found  # sizes span decades, shares do not
    low, high = min(scaled), max(scaled)
    tall, wide = (sorted({key(p)[axis] for p in points}) for axis in (0, 1))
    parts = [svg.text(LEFT, 18, title, "strong"), svg.text(LEFT - 8, TOP - 10, f"{axes[0]} \\ {axes[1]}", "tick", "end")]
    parts += [svg.text(LEFT + (i + 0.5) * CELL_W, TOP - 10, svg.number(n), "tick", "middle") for i, n in enumerate(wide)]
    parts += [svg.text(LEFT - 8, TOP + i * CELL_H + 21, svg.number(n), "tick", "end") for i, n in enumerate(tall)]
    for p, v, s in zip(points, found, scaled, strict=True):
        share = (s - low) / (high - low) if high > low else 0.5
        opacity = PALEST + (FULLEST - PALEST) * (1 - share if less else share)
        x, y = LEFT + wide.index(key(p)[1]) * CELL_W, TOP + tall.index(key(p)[0]) * CELL_H
        class_ = f"cell{' best' if key(p) == best else ''}"
        place = {"x": x + 2, "y": y + 2, "width": CELL_W - 4, "height": CELL_H - 4, "rx": 3}
        parts.append(svg.tag("rect", svg.tag("title", _about(p)), **place, class_=class_, fill_opacity=svg.coordinate(opacity)))
        said = f"{v:.0%}" if not less else f"{'~' if bounded and p.cycles is None else ''}{svg.short_number(v)}"
        parts.append(svg.text(x + CELL_W / 2, y + 21, said, "strong", "middle"))
    return parts, LEFT + CELL_W * len(wide), TOP + CELL_H * len(tall)


def _about(p: Point) -> str:
    """What the pointer shows: the engine and all its figures."""
    c = p.config
    engine = f"array {c.pe} x {c.simd}, {svg.number(c.act_words)} activation and {svg.number(c.weight_words)} weight words"
    cycles = f"{svg.number(p.cycles)} cycles" if p.cycles is not None else f"at least {svg.number(p.bound)} cycles"
    used = f"{svg.number(p.lut)} LUT, {svg.number(p.bram36)} block RAMs, {svg.number(p.dsp)} DSP slices"
    return (
        f"{engine}: {cycles}, {svg.number(p.ext_bytes)} bytes, {p.utilisation:.0%} of the array, {svg.short_number(p.energy_uj)} µJ, {used}"
    )

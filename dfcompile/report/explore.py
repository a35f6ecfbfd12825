"""The front of frame rate against what designs take, a panel for each resource, as a picture of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from dfcompile.report import svg
from dfcompile.report.chart import Axis, picture

TITLES = {
    "cost": "LUT equivalents",
    "lut": "LUT",
    "ff": "flip-flops",
    "bram36": "block RAMs (36 kbit)",
    "uram": "UltraRAMs",
    "dsp": "DSP slices",
}
WIDTH, PANEL_W, PANEL_H, GAP = 960.0, 460.0, 270.0, 10.0
LEFT, RIGHT, TOP, BASE = 66.0, 20.0, 34.0, 46.0
HEAD = 72.0
Row = Mapping[str, Any]


def draw_front(title: str, rows: Sequence[Row], budget: Mapping[str, float], loopback: Row | None = None) -> str:
    """Points of a front by rate, in a panel for each resource that any takes, with what the board has of it as a dashed line.

    loopback: an engine for the same network, drawn beside them
    """
    every = [*rows, *([loopback] if loopback else [])]
    shown = [r for r in TITLES if any(row.get(r) for row in every)]
    parts = [svg.text(20, 28, svg.shorten(title, WIDTH - 40, 16, svg.SANS), "title"), *_key(bool(loopback))]
    for i, r in enumerate(shown):
        x, y = 10 + i % 2 * (PANEL_W + GAP), HEAD + i // 2 * (PANEL_H + GAP)
        place = f"translate({svg.coordinate(x)} {svg.coordinate(y)})"
        parts.append(svg.tag("g", _panel(r, rows, loopback, budget.get(r, 0)), transform=place))
    return picture(WIDTH, HEAD + -(-len(shown) // 2) * (PANEL_H + GAP), title, parts)


def _key(engine: bool) -> list[Markup]:
    found = [svg.tag("circle", cx=26.0, cy=46.0, r=4.0, class_="dot"), svg.text(36, 50, "cheapest dataflow designs; dashed: the board")]
    if engine:
        found += [svg.tag("circle", cx=346.0, cy=46.0, r=4.0, class_="dot other"), svg.text(356, 50, "a loopback engine, replayed")]
    return found


def _panel(resource: str, rows: Sequence[Row], loopback: Row | None, limit: float) -> Markup:
    every = [*rows, *([loopback] if loopback and loopback.get(resource) is not None else [])]
    amounts = [float(row[resource]) for row in every]
    far = limit > 4 * max(amounts, default=0)  # a line that would press all points together stands in words
    across = Axis.of([float(row["fps"]) for row in every], LEFT, PANEL_W - RIGHT)
    up = Axis.of(amounts, PANEL_H - BASE, TOP, 0 if far else limit)
    parts = [svg.text(LEFT, 18, TITLES[resource] + (f" (the board has {svg.number(limit)})" if limit and far else ""), "strong")]
    for t in across.ticks:
        x = across.at(t)
        parts += [svg.line(x, TOP, x, PANEL_H - BASE, "grid"), svg.text(x, PANEL_H - BASE + 16, svg.short_number(t), "tick", "middle")]
    for t in up.ticks:
        y = up.at(t)
        parts += [svg.line(LEFT, y, PANEL_W - RIGHT, y, "grid"), svg.text(LEFT - 6, y + 4, svg.short_number(t), "tick", "end")]
    scale = " (logarithmic)" if across.log else ""
    parts += [
        svg.line(LEFT, PANEL_H - BASE, PANEL_W - RIGHT, PANEL_H - BASE, "axis"),
        svg.line(LEFT, TOP, LEFT, PANEL_H - BASE, "axis"),
        svg.text((LEFT + PANEL_W - RIGHT) / 2, PANEL_H - 10, f"frames per second{scale}", "", "middle"),
    ]
    if limit and not far:
        parts.append(svg.line(LEFT, up.at(limit), PANEL_W - RIGHT, up.at(limit), "limit"))
    places = [(across.at(float(row["fps"])), up.at(float(row[resource]))) for row in rows]
    parts.append(svg.path("M" + "L".join(f"{svg.coordinate(x)} {svg.coordinate(y)}" for x, y in places), "line"))
    parts += [_dot(row, across, up, resource, "dot") for row in rows]
    if len(every) > len(rows) and loopback:
        parts.append(_dot(loopback, across, up, resource, "dot other"))
    return svg.group(*parts)


def _dot(row: Row, across: Axis, up: Axis, resource: str, class_: str) -> Markup:
    said = [f"{svg.number(float(row['fps']))} frames/s"]
    said += [f"{svg.number(float(row[r]))} {TITLES[r]}" for r in TITLES if row.get(r) is not None]
    x, y = across.at(float(row["fps"])), up.at(float(row[resource]))
    return svg.tag("circle", svg.tag("title", ", ".join(said)), class_=class_, cx=x, cy=y, r=4.5)

"""The campaign as one HTML page: Pareto fronts of frame rate against area for each network and board, a line for each case, failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

import dfcompile
from dfcompile.campaigns.summary import cost, groups, label
from dfcompile.device.cost import RESOURCES
from dfcompile.report import svg
from dfcompile.report.page import TITLES, environment
from dfcompile.report.roofline import HEIGHT, WIDTH, Axes, axis_range, draw_grid

Case = Mapping[str, Any]


def render_campaign(name: str, found: Mapping[str, Any]) -> str:
    """The page of a campaign's summary; the same summary gives the same bytes."""
    cases = found["cases"]
    fronts = [(model, board, draw_front(made)) for (model, board), some in groups(cases).items() if (made := _made(some))]
    failures = [(label(c), step, p) for c in cases for step, s in c["steps"].items() for p in s["problems"]]
    states = [s["state"] for c in cases for s in c["steps"].values()]
    template = environment().get_template("campaign.html.j2")
    return template.render(
        version=dfcompile.__version__,
        name=name,
        cases=cases,
        steps=list(cases[0]["steps"]),
        fronts=fronts,
        failures=failures,
        tiles=[("Cases", len(cases)), ("Steps done", states.count("done")), ("Steps failed", states.count("failed"))],
        resources=RESOURCES,
        titles=TITLES,
        label=label,
    )


def _made(cases: Sequence[Case]) -> list[Case]:
    return [c for c in cases if c["figures"]]


def draw_front(cases: Sequence[Case]) -> Markup:
    """Frame rate and area of builds of one network for one board; a line through those that no other beats."""
    figures = [c["figures"] for c in cases]
    shares = all(f["used"] is not None for f in figures)
    axes = Axes(axis_range([f["fps"] for f in figures], 2, 2, 1), axis_range([_area(f) for f in figures], 2, 2, 1))
    names = ("frames per second", "% of the fullest resource" if shares else "LUT")
    best = sorted((f["fps"], _area(f)) for f, c in zip(figures, cases, strict=True) if c["front"])
    line = "M" + "L".join(f"{svg.coordinate(x)} {svg.coordinate(y)}" for x, y in (axes.at(*p) for p in best))
    parts = [*draw_grid(axes, names), svg.path(line, "front")]
    return svg.drawing(WIDTH, HEIGHT, [*parts, *(_dot(axes, c) for c in cases)], "Frame rate against area", "roofline")


def _area(figures: Mapping[str, Any]) -> float:
    """As on the axis: per cent of the fullest resource, or LUTs; above 0, as the axis is logarithmic."""
    return max(cost(figures) * (1 if figures["used"] is None else 100), 1e-3)


def _dot(axes: Axes, case: Case) -> Markup:
    f = case["figures"]
    x, y = axes.at(f["fps"], _area(f))
    areas = ", ".join(f"{svg.number(f['resources'][r])} {TITLES[r]}" for r in RESOURCES if f["resources"][r])
    about = f"{label(case)}: {f['mode']}, {svg.number(f['fps'])} frames/s, {areas}{' (synthesised)' if f['synthesised'] else ''}"
    kind = f"{'here' if case['front'] else 'beaten'} {f['mode']}"
    return svg.tag("circle", svg.tag("title", about), cx=x, cy=y, r=6 if case["front"] else 4, class_=kind)

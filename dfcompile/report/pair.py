"""Two builds side by side, from what their report.json files hold; they may be of other modes and networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dfcompile
from dfcompile.report import svg
from dfcompile.report.page import TITLES, environment

Report = Mapping[str, Any]


def render_pair(names: tuple[str, str], reports: tuple[Report, Report]) -> str:
    """The page; names: what the two builds are called."""
    rows = [_row(about, *values) for about, values in _figures(*reports)]
    return (
        environment()
        .get_template("pair.html.j2")
        .render(version=dfcompile.__version__, names=names, rows=rows, units=_units(*reports), titles=("cycles", *TITLES.values()))
    )


def _figures(a: Report, b: Report) -> list[tuple[str, tuple[Any, Any]]]:
    """(what, its value in each); None where a build has none."""
    found: list[tuple[str, tuple[Any, Any]]] = [("network", (a["model"]["name"], b["model"]["name"])), ("mode", (a["mode"], b["mode"]))]
    found.append(("board", ((a.get("budget") or {}).get("board", "none"), (b.get("budget") or {}).get("board", "none"))))
    for about, *path in (
        ("clock, MHz", "clock_mhz"), ("MACs a frame", "model", "macs"), ("frames per second", "timing", "fps"),
        ("interval, cycles", "timing", "interval_cycles"), ("latency, cycles", "timing", "latency_cycles"),
        *((title, "resources", r) for r, title in TITLES.items()), ("energy (model), µJ a frame", "energy", "frame_uj"),
        ("power (model), W", "energy", "watts"), ("bit operations a frame", "energy", "bit_operations"),
        ("clock of the slowest path, MHz", "implementation", "fmax_mhz"), ("LUT, placed and routed", "implementation", "lut"),
        ("flip-flops, placed and routed", "implementation", "ff"),
    ):  # fmt: skip
        values = (_at(a, path), _at(b, path))
        if values != (None, None):
            found.append((about, values))
    return found


def _at(report: Report, path: Sequence[str]) -> Any:
    value: Any = report
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _row(about: str, a: Any, b: Any) -> dict[str, str]:
    """Texts of a line; the change of the second against the first where both are numbers."""
    change = ""
    if a is not None and b is not None and not isinstance(a, str):
        change = "same" if a == b else f"{100 * (b / a - 1):+.1f} %" if a else "from 0"
    elif isinstance(a, str) and a == b:
        change = "same"
    return {"about": about, "a": _text(a), "b": _text(b), "change": change}


def _text(value: Any) -> str:
    return "-" if value is None else value if isinstance(value, str) else svg.number(value)


def _units(a: Report, b: Report) -> list[dict[str, Any]]:
    """Units, or layers, of either build by name, those of both first: cycles and resources of each."""
    sides = [{u["name"]: u for u in report["units"]} for report in (a, b)]
    names = [n for n in sides[0] if n in sides[1]] + [n for s, o in (sides, sides[::-1]) for n in s if n not in o]
    keys = ("cycles", *TITLES)
    return [{"name": n, "cells": [[_of(side.get(n), key) for side in sides] for key in keys]} for n in names]


def _of(unit: Mapping[str, Any] | None, key: str) -> str:
    value = None if unit is None else unit["cycles"] if key == "cycles" else unit["resources"].get(key)
    return _text(value)

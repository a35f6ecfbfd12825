"""The Pareto front of frame rate against resources: what a board can do, and what less costs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dfcompile.boards import Board, find_board
from dfcompile.build import STAGES, Build
from dfcompile.dataflow.cost import RESOURCES
from dfcompile.dataflow.fold import Folded, front
from dfcompile.errors import CompileError, Problem
from dfcompile.ir.graph import Graph
from dfcompile.loopback.heatmap import heatmap
from dfcompile.loopback.sweep import sweep

Progress = Callable[[str], None]
POINTS = 12


def explore(
    model: str | Path,
    *,
    board: str,
    mode: str = "auto",
    clock: float | None = None,
    input_type: str | tuple[str, ...] | None = None,
    out: Path | None = None,
    points: int = POINTS,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Cheapest designs from the fastest that the board holds to the slowest.

    clock: MHz, default the board's; out: folder for explore.json and explore.svg
    Returns {"mode", "board", "clock_mhz", "points": [{"fps", "interval", "lut", ..., "used", "cost", "gap"}], "foldings"}: `used` is
    the fullest resource's share of the board, `foldings` has one entry a point. CompileError when nothing fits.
    """
    if mode not in ("auto", "dataflow", "loopback"):
        raise CompileError(Problem("bad-option", f"there is nothing to explore in mode '{mode}'", help="modes: dataflow, loopback"))
    target = find_board(board)
    mhz = clock or target.clock
    if mode == "loopback":
        integer = _staged(Path(model), input_type, progress, 2).integer
        assert integer
        return explore_loopback([integer.graph], target, mhz, out, progress)
    units = _staged(Path(model), input_type, progress, 3).units
    assert units
    rows, foldings = [], []
    for found in front(units, target, points):
        rows.append(_row(found, target, mhz))
        foldings.append(found.choices)
        if progress:
            progress(f"explore: {len(rows)} designs")
    result = {"mode": "dataflow", "board": target.name, "clock_mhz": mhz, "points": rows, "foldings": foldings}
    if out:
        out.mkdir(parents=True, exist_ok=True)
        (out / "explore.json").write_text(json.dumps(result, indent=1) + "\n")
        (out / "explore.svg").write_text(picture(Path(model).stem, rows))
    return result


def _staged(model: Path, input_type: str | tuple[str, ...] | None, progress: Progress | None, stages: int) -> Build:
    """The first stages of a build: 2 for the integer graph, 3 for the unfolded units."""
    b = Build(model, {"input_type": input_type})
    for name, stage in STAGES[:stages]:
        if progress:
            progress(name)
        stage(b)
    return b


def _row(found: Folded, board: Board, mhz: float) -> dict[str, Any]:
    area = dict(zip(RESOURCES, found.solution.area.tolist(), strict=False))
    used = max(area[r] / board.budget[r] for r in RESOURCES if board.budget[r])
    return {
        "fps": round(mhz * 1e6 / found.interval, 1),
        "interval": found.interval,
        **{r: round(area[r], 1) for r in RESOURCES},
        "used": f"{used:.1%}",
        "cost": round(found.solution.cost),
        "gap": found.gap,
    }


def picture(title: str, rows: list[dict[str, Any]]) -> str:
    """An SVG of LUT equivalents over frames per second."""
    width, height, margin = 640, 400, 60
    costs = [r["cost"] for r in rows]
    rates = [r["fps"] for r in rows]
    top, right = max(costs) * 1.1, max(rates) * 1.05

    def place(row: dict[str, Any]) -> tuple[float, float]:
        x = margin + row["fps"] / right * (width - 2 * margin)
        return round(x, 1), round(height - margin - row["cost"] / top * (height - 2 * margin), 1)

    spots = [place(r) for r in rows]
    dots = "".join(
        f'<circle cx="{x}" cy="{y}" r="4"><title>{r["fps"]:,} frames/s, {r["lut"]:,.0f} LUT, {r["bram36"]:g} BRAM, '
        f"{r['dsp']:g} DSP</title></circle>"
        for (x, y), r in zip(spots, rows, strict=True)
    )
    line = " ".join(f"{x},{y}" for x, y in spots)
    base = height - margin
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">\n'
        f'<rect width="{width}" height="{height}" fill="white"/><text x="{margin}" y="30" font-size="15">{_escape(title)}</text>\n'
        f'<path d="M{margin} {margin}V{base}H{width - margin}" fill="none" stroke="#888"/>\n'
        f'<polyline points="{line}" fill="none" stroke="#4477aa"/><g fill="#4477aa">{dots}</g>\n'
        f'<text x="{width - margin}" y="{base + 35}" text-anchor="end">frames per second, up to {max(rates):,}</text>'
        f'<text x="{margin}" y="{margin - 10}">LUT equivalents, up to {max(costs):,}</text>\n</svg>\n'
    )


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def explore_loopback(
    graphs: Sequence[Graph], board: Board, clock: float, out: Path | None = None, progress: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """The sweep of array shapes for a set of networks: numbers, and explore.json and explore.svg (heat maps) in folder `out`."""
    found = sweep(graphs, board, clock, progress=progress)
    points = [p.row() for p in found.points]
    result = {
        "mode": "loopback", "board": board.name, "clock_mhz": clock, "networks": [g.name for g in graphs],
        "points": points, "best": found.best.row(), "gap": found.gap,
    }  # fmt: skip
    if out:
        out.mkdir(parents=True, exist_ok=True)
        (out / "explore.json").write_text(json.dumps(result, indent=1) + "\n")
        title = f"{', '.join(g.name for g in graphs)} on {board.name} at {clock:g} MHz, a frame of each"
        (out / "explore.svg").write_text(heatmap(title, found))
    return result

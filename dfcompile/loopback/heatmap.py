"""The sweep as a picture: array shapes as a grid, one panel for each quantity, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from dfcompile.loopback.sweep import Point, Sweep

CELL_W, CELL_H, LEFT, TOP, GAP = 76, 34, 70, 58, 46


def _value(p: Point, panel: str) -> float:
    return {
        "cycles": float(p.cycles if p.cycles is not None else p.bound),
        "bytes of external memory": float(p.ext_bytes),
        "utilisation": p.utilisation,
        "energy (uJ)": p.energy_uj,
    }[panel]


PANELS = ("cycles", "bytes of external memory", "utilisation", "energy (uJ)")


def _short(value: float) -> str:
    if value < 1:
        return f"{value:.0%}"
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}"


def _colour(share: float) -> str:
    """Good (0) is green, bad (1) is red."""
    red, green = int(60 + 180 * share), int(200 - 120 * share)
    return f"rgb({red},{green},90)"


def heatmap(title: str, found: Sweep) -> str:
    """SVG text; cells with a tilde are bounds, not replays; the best engine has a frame."""
    pes = sorted({p.config.pe for p in found.points})
    simds = sorted({p.config.simd for p in found.points})
    panel_w, panel_h = LEFT + CELL_W * len(simds), TOP + CELL_H * len(pes)
    width, height = 2 * panel_w + GAP, 2 * panel_h + GAP + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="10" y="20" font-size="15">{escape(title)}</text>',
    ]
    for k, panel in enumerate(PANELS):
        parts += _panel(panel, found, pes, simds, (k % 2) * (panel_w + GAP / 2), 30 + (k // 2) * (panel_h + GAP / 2))
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: str, found: Sweep, pes: Sequence[int], simds: Sequence[int], x0: float, y0: float) -> list[str]:
    values = [_value(p, panel) for p in found.points]
    low, high = min(values), max(values)
    parts = [f'<text x="{x0 + LEFT}" y="{y0 + 18}" font-weight="bold">{panel}</text>']
    parts += [f'<text x="{x0 + LEFT + i * CELL_W + 6}" y="{y0 + TOP - 8}">simd {s}</text>' for i, s in enumerate(simds)]
    parts += [f'<text x="{x0 + 12}" y="{y0 + TOP + i * CELL_H + 22}">pe {p}</text>' for i, p in enumerate(pes)]
    for p, value in zip(found.points, values, strict=True):
        share = (value - low) / (high - low) if high > low else 0.0
        share = 1 - share if panel == "utilisation" else share
        x, y = x0 + LEFT + simds.index(p.config.simd) * CELL_W, y0 + TOP + pes.index(p.config.pe) * CELL_H
        same = (p.config.pe, p.config.simd) == (found.best.config.pe, found.best.config.simd)
        frame = ' stroke="black" stroke-width="3"' if same else ""
        mark = "~" if panel == "cycles" and p.cycles is None else ""
        parts.append(f'<rect x="{x + 2}" y="{y + 2}" width="{CELL_W - 4}" height="{CELL_H - 4}" fill="{_colour(share)}"{frame}/>')
        parts.append(f'<text x="{x + CELL_W / 2}" y="{y + 22}" text-anchor="middle">{mark}{_short(value)}</text>')
    return parts

"""The sweep as a picture: array shapes and buffer sizes as grids, one panel for each quantity, as SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from dfcompile.loopback.search.sweep import Point, Sweep

CELL_W, CELL_H, LEFT, TOP, GAP = 74, 32, 92, 62, 26
LIGHT, DARK = (232, 240, 250), (24, 84, 166)

# Title, value, whether less is better, whether it is a bound where the point is not replayed.
PANELS: tuple[tuple[str, Callable[[Point], float], bool, bool], ...] = (
    ("cycles", lambda p: float(p.cycles if p.cycles is not None else p.bound), True, True),
    ("bytes of external memory", lambda p: float(p.ext_bytes), True, True),
    ("utilisation of the array in its steps", lambda p: p.utilisation, False, False),
    ("energy, uJ (45 nm, without control)", lambda p: p.energy_uj, True, True),
)
Key = Callable[[Point], tuple[int, int]]


def heatmap(title: str, found: Sweep, buffers: Sequence[Point] = ()) -> str:
    """SVG text; darker is better; cells with a tilde are lower bounds, not replays; the best engine has a frame."""
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
    width, height = 2 * columns + GAP, 44 + sum(rows) + GAP * len(rows)
    text = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="12" y="22" font-size="15">{escape(title)}</text>',
        f'<text x="12" y="40" fill="#666">darker is better; ~ lower bound; framed: the best engine ({_proof(found)})</text>',
    ]
    for k, parts in enumerate(panels):
        x, y = (k % 2) * (columns + GAP), 44 + sum(rows[: k // 2]) + GAP * (k // 2)
        text.append(f'<g transform="translate({x} {y})">{"".join(parts)}</g>')
    return "\n".join([*text, "</svg>", ""])


def _proof(found: Sweep) -> str:
    return "no other of the engines compared is faster" if found.gap == 0 else f"another may be up to {found.gap:.1%} faster"


def _shape(p: Point) -> tuple[int, int]:
    return p.config.pe, p.config.simd


def _buffers(p: Point) -> tuple[int, int]:
    return p.config.act_words, p.config.weight_words


def _short(value: float) -> str:
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}"


def _panel(
    title: str, points: Sequence[Point], key: Key, axes: tuple[str, str], value: Callable[[Point], float], less: bool, bounded: bool,
    best: tuple[int, int],
) -> tuple[list[str], int, int]:  # fmt: skip
    """Elements of a grid, its width and its height."""
    found = [value(p) for p in points]
    scaled = [math.log(v) for v in found] if less and min(found) > 0 else found  # sizes span decades, shares do not
    low, high = min(scaled), max(scaled)
    tall, wide = (sorted({key(p)[axis] for p in points}) for axis in (0, 1))
    parts = [f'<text x="{LEFT}" y="22" font-weight="bold">{escape(title)}</text>']
    heads = [(LEFT + (i + 0.5) * CELL_W, TOP - 10, "middle", axes[1], n) for i, n in enumerate(wide)]
    heads += [(LEFT - 8.0, TOP + i * CELL_H + 21, "end", axes[0], n) for i, n in enumerate(tall)]
    parts += [f'<text x="{x:g}" y="{y}" text-anchor="{anchor}">{axis} {n}</text>' for x, y, anchor, axis, n in heads]
    for p, v, s in zip(points, found, scaled, strict=True):
        share = (s - low) / (high - low) if high > low else 0.5
        share = 1 - share if less else share
        x, y = LEFT + wide.index(key(p)[1]) * CELL_W, TOP + tall.index(key(p)[0]) * CELL_H
        colour = ",".join(str(round(a + (b - a) * share)) for a, b in zip(LIGHT, DARK, strict=True))
        frame = ' stroke="#d0450f" stroke-width="3"' if key(p) == best else ""
        said = f"{v:.0%}" if not less else f"{'~' if bounded and p.cycles is None else ''}{_short(v)}"
        parts.append(f'<rect x="{x + 2}" y="{y + 2}" width="{CELL_W - 4}" height="{CELL_H - 4}" rx="3" fill="rgb({colour})"{frame}/>')
        ink = "white" if share > 0.5 else "#1a1c1e"
        parts.append(f'<text x="{x + CELL_W / 2:g}" y="{y + 21}" text-anchor="middle" fill="{ink}">{said}</text>')
    return parts, LEFT + CELL_W * len(wide), TOP + CELL_H * len(tall)

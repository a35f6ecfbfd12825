"""Pictures that are files of their own: frame, style for light and dark, axes with ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dfcompile.report import svg

STYLE = (
    "svg{--page:#fff;--ink:#1a1c1e;--soft:#5b6067;--faint:#6a7077;--grid:#e6e8ea;--main:#2467c4;--hot:#c8501a;--ok:#2f9468}"
    "@media(prefers-color-scheme:dark){svg{--page:#14161a;--ink:#eceef0;--soft:#a9afb7;--faint:#9097a0;--grid:#30353c;--main:#5b9bec;"
    "--hot:#f0884f;--ok:#4cb888}}"
    "text{fill:var(--soft);font-variant-numeric:tabular-nums}.page{fill:var(--page)}.title{font-size:16px;font-weight:600;fill:var(--ink)}"
    ".strong{fill:var(--ink);font-weight:600}.tick{fill:var(--faint);font-size:11px}.grid{stroke:var(--grid)}.axis{stroke:var(--faint)}"
    ".line{fill:none;stroke:var(--main);stroke-width:1.5}.dot,.bar{fill:var(--main)}.dot.other,.key.other{fill:var(--hot)}"
    ".line.other{stroke:var(--hot)}.track{fill:var(--grid)}.name{font-family:ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;"
    "font-size:11px;fill:var(--ink)}.tick.name{fill:var(--soft)}.good{fill:var(--ok)}"
    ".cell{fill:var(--main)}.cell.best{stroke:var(--hot);stroke-width:3}.cell:hover{stroke:var(--ink);stroke-width:2}"
    ".bad{fill:var(--hot);font-weight:600}.limit{stroke:var(--hot);stroke-dasharray:4 3}"
    ".dot:hover{stroke:var(--ink);stroke-width:2}"
)
MOST_DECADES = 1.0
"""Values that spread over more are drawn on a logarithmic axis."""


def picture(width: float, height: float, title: str, parts: Iterable[Markup]) -> str:
    """The text of an SVG file that scales with what shows it."""
    style = Markup(f"<style>{STYLE}</style>")
    size = f"0 0 {svg.coordinate(width)} {svg.coordinate(height)}"
    body = svg.join([style, svg.tag("title", title), svg.rect(0, 0, width, height, "page"), *parts])
    drawn = svg.tag(
        "svg", body, xmlns="http://www.w3.org/2000/svg", viewBox=size, width=width, role="img", font_family="system-ui, sans-serif",
        font_size="12", style="max-width:100%;height:auto",
    )  # fmt: skip
    return f"{drawn}\n"


@dataclass(frozen=True)
class Axis:
    """A scale from values to pixels. ends: lowest and highest value; place: their pixels; log: whether the scale is logarithmic"""

    ends: tuple[float, float]
    place: tuple[float, float]
    log: bool = False

    @staticmethod
    def of(values: Sequence[float], start: float, stop: float, limit: float = 0) -> Axis:
        """An axis with room for all values, and for a limit: from 0, or logarithmic where they spread over more than a decade."""
        above = [v for v in values if v > 0]
        most = max((*above, limit), default=0.0) or 1.0
        if above and len(above) == len(values) and math.log10(max(above) / min(above)) > MOST_DECADES:
            return Axis((min(above) / 1.3, most * 1.3), (start, stop), True)
        return Axis((0.0, most * 1.08), (start, stop))

    def at(self, value: float) -> float:
        """The pixel of a value."""
        (lo, hi), (start, stop) = self.ends, self.place
        share = math.log(value / lo) / math.log(hi / lo) if self.log else (value - lo) / (hi - lo)
        return start + share * (stop - start)

    @property
    def ticks(self) -> list[float]:
        """Round values along it."""
        lo, hi = self.ends
        if not self.log:
            step = _round_step(hi - lo)
            return [step * i for i in range(math.ceil(lo / step), math.floor(hi / step) + 1)]
        factors = (1, 2, 5) if math.log10(hi / lo) < 2.5 else (1,)
        decades = range(math.floor(math.log10(lo)), math.ceil(math.log10(hi)) + 1)
        return [f * 10.0**k for k in decades for f in factors if lo <= f * 10.0**k <= hi]


def _round_step(span: float, most: int = 6) -> float:
    power = 10.0 ** math.floor(math.log10(span / most))
    return next(power * m for m in (1, 2, 5, 10) if span / (power * m) <= most)

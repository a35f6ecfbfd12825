"""SVG by hand: elements, numbers, scales and axes. Text is escaped; sizes are pixels; colours are classes of the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

MONO = 0.61
"""Width of a character of the monospaced font, in ems."""
SANS = 0.56
"""Mean width of a character of the page's font, in ems."""


def tag(name: str, *children: object, **attributes: object) -> Markup:
    """One element; ``class_`` is written as class, other underscores as dashes; None leaves an attribute out."""
    given = "".join(f' {k.rstrip("_").replace("_", "-")}="{escape(coordinate(v))}"' for k, v in attributes.items() if v is not None)
    inner = "".join(escape(c) for c in children)
    return Markup(f"<{name}{given}>{inner}</{name}>")


def join(parts: Iterable[Markup]) -> Markup:
    """Elements one after another."""
    return Markup("\n").join(parts)


def coordinate(value: object) -> str:
    """A number with at most two decimals, anything else as it is."""
    if isinstance(value, float):
        short = f"{value:.2f}".rstrip("0").rstrip(".")
        return "0" if short == "-0" else short
    return str(value)


def text(x: float, y: float, content: object, class_: str = "", anchor: str | None = None) -> Markup:
    """Text with its baseline at y."""
    return tag("text", content, x=float(x), y=float(y), class_=class_ or None, text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return tag("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=class_)


def rect(x: float, y: float, width: float, height: float, class_: str, title: str = "", rx: float = 0) -> Markup:
    """A rectangle, with a tool tip where `title` is given."""
    inner = [tag("title", title)] if title else []
    size = {"x": float(x), "y": float(y), "width": float(width), "height": float(height), "rx": float(rx) if rx else None}
    return tag("rect", *inner, **size, class_=class_)


def path(points: str, class_: str) -> Markup:
    """A path of these commands."""
    return tag("path", d=points, class_=class_)


def group(*parts: Markup, class_: str = "", title: str = "") -> Markup:
    """Elements together, with a tool tip where `title` is given."""
    inner = [tag("title", title)] if title else []
    return tag("g", *inner, *parts, class_=class_ or None)


def drawing(width: float, height: float, parts: Iterable[Markup], label: str, class_: str = "") -> Markup:
    """A picture in its own size; `label` is read out by screen readers."""
    size = f"0 0 {coordinate(float(width))} {coordinate(float(height))}"
    return tag(
        "svg", join(parts), viewBox=size, width=float(width), height=float(height), role="img", aria_label=label, class_=class_ or None
    )


def shorten(name: str, width: float, size: float, em: float = MONO) -> str:
    """A name that fits `width` pixels at a font size; the middle goes, for both ends tell names apart."""
    room = max(3, int(width / (size * em)))
    if len(name) <= room:
        return name
    tail = (room - 1) * 3 // 5
    return f"{name[: room - 1 - tail]}…{name[len(name) - tail :]}"


def number(value: float) -> str:
    """Digits in groups of three; no more decimals than tell something."""
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.1f}" if abs(value) >= 10 else f"{value:.3g}"


def short_number(value: float, space: str = "") -> str:
    """As on an axis: 250, 10k, 1.5M; `space` goes before the prefix of a unit that follows, and is there without a prefix too."""
    for limit, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.4g}{space}{prefix}"
    return f"{value:.4g}{space}"


def percent(share: float) -> str:
    """A share as a percentage of two or three digits."""
    if 0 < share < 0.0005:
        return "<0.1 %"
    return f"{100 * share:.0f} %" if share >= 0.995 else f"{100 * share:.1f} %"


def ticks(lo: float, hi: float, most: int) -> list[float]:
    """Round values from `lo` to `hi`, at most `most` steps: 1, 2 or 5 times a power of ten, whole."""
    span = max(hi - lo, 1.0)
    power = 10.0 ** math.floor(math.log10(span / most))
    step = max(1.0, next(power * m for m in (1, 2, 5, 10) if span / (power * m) <= most))
    first = math.ceil(lo / step)
    return [step * i for i in range(first, math.floor(hi / step) + 1)]


def steps(xs: Sequence[float], ys: Sequence[float]) -> str:
    """Path commands of a staircase: at height ys[i] from xs[i] to xs[i + 1]; starts with a move."""
    found = [f"M{coordinate(float(xs[0]))} {coordinate(float(ys[0]))}"]
    for i, y in enumerate(ys):
        last = i + 1 == len(ys)
        if not last and ys[i + 1] == y:
            continue
        found.append(f"H{coordinate(float(xs[i + 1]))}")
        if not last:
            found.append(f"V{coordinate(float(ys[i + 1]))}")
    return "".join(found)


def time_axis(x0: float, x1: float, y: float, top: float, end: float, most: int, caption: str) -> list[Markup]:
    """Cycles 0 to `end` from x0 to x1: grid lines up to `top`, figures below y."""
    scale = (x1 - x0) / max(end, 1)
    found = [line(x0, y, x1, y, "axis")]
    for t in ticks(0, end, most):
        x = x0 + t * scale
        found += [line(x, top, x, y, "grid"), text(x, y + 15, short_number(t), "tick", "middle")]
    if caption:
        found.append(text((x0 + x1) / 2, y + 32, caption, "caption", "middle"))
    return found

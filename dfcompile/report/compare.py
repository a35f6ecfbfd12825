"""What quantization did to each layer, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dfcompile.report import svg
from dfcompile.report.chart import Axis, picture

WIDTH, TOP, PITCH = 900.0, 84.0, 40.0
LEFT, BAR, VERDICT = 20.0, 380.0, 680.0


@dataclass(frozen=True)
class LayerError:
    """A layer of a design against its model.

    elements:   of its tensor, over all frames
    rms, largest: of what quantization changed, against the float model; relative: the rms over that of the float model's numbers, None
        where these are 0; sqnr_db: the same as a ratio of signal to noise, None where either is 0
    differing:  elements that the compiler changed, by at most `farthest`; ties: where float64 cannot tell a step's side, not counted there
    """

    unit: str
    tensor: str
    source: tuple[str, ...]
    elements: int
    rms: float
    largest: float
    relative: float | None
    sqnr_db: float | None
    differing: int
    farthest: float
    ties: int


def draw_errors(title: str, about: str, layers: Sequence[LayerError]) -> str:
    """A bar for each layer, as long as its error is beside its signal, and the verdict on the compiler."""
    base = TOP + PITCH * len(layers)
    axis = Axis.of([x.relative or 0.0 for x in layers], BAR, VERDICT - 90)
    parts = [
        svg.text(LEFT, 28, svg.shorten(title, WIDTH - 2 * LEFT, 16, svg.SANS), "title"),
        svg.text(
            LEFT, 48, f"{about}; quantization: rms of quantized less float, over the rms of float; compiler: against the quantized model"
        ),
        svg.text(BAR, TOP - 12, "quantization", "strong"),
        svg.text(VERDICT, TOP - 12, "compiler", "strong"),
    ]
    for t in axis.ticks:
        parts += [
            svg.line(axis.at(t), TOP - 4, axis.at(t), base, "grid"),
            svg.text(axis.at(t), base + 16, f"{100 * t:.3g} %", "tick", "middle"),
        ]
    parts += [_row(x, TOP + PITCH * i, axis) for i, x in enumerate(layers)]
    return picture(WIDTH, base + 30, title, parts)


def _row(x: LayerError, y: float, axis: Axis) -> Markup:
    room = BAR - LEFT - 16
    names = [
        svg.text(LEFT, y + 14, svg.shorten(x.unit, room, 11), "name"),
        svg.text(LEFT, y + 29, svg.shorten(x.tensor, room, 11), "tick name"),
    ]
    said = "float numbers all 0" if x.relative is None else f"{100 * x.relative:.2f} %"
    length = 0.0 if not x.relative else max(1.0, axis.at(x.relative) - BAR)
    tip = f"{x.tensor}: rms {x.rms:.4g}, at most {x.largest:.4g}, {x.elements:,} numbers"
    bar = [svg.rect(BAR, y + 6, length, 18, "bar", tip, rx=2), svg.text(BAR + length + 6, y + 20, said)]
    verdict = f"{x.differing:,} of {x.elements:,} differ, by up to {x.farthest:.3g}" if x.differing else f"0 of {x.elements:,} differ"
    return svg.group(*names, *bar, svg.text(VERDICT, y + 20, verdict, "bad" if x.differing else "good"))

"""A design against its model, layer by layer: what quantization did to the numbers, and what the compiler did."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from math import log10
from typing import Any

import numpy as np

from dfcompile.errors import CompileError, Problem
from dfcompile.ir.graph import Array, Graph
from dfcompile.mode.float_model import without_quantizers
from dfcompile.mode.trace import Traced
from dfcompile.report.compare import LayerError, draw_errors
from dfcompile.streamline.check import stretches
from dfcompile.streamline.host import HostSide

FRAMES = 16
"""Frames at a time: all tensors of three graphs are alive at once."""
Progress = Callable[[str], None]


@dataclass(eq=False)
class _Sums:
    """Of a layer, over all frames so far."""

    unit: str
    source: tuple[str, ...]
    elements: int
    float_squares: float = 0.0
    squares: float = 0.0
    largest: float = 0.0
    differing: int = 0
    ties: int = 0
    farthest: float = 0.0


@dataclass(frozen=True)
class Comparison:
    """What `dfcompile.compare` gives: the layers in order, how many frames, and which engine ran the design.

    str() is a table, ``svg`` a picture, ``json`` the numbers; a notebook shows the picture.
    """

    name: str
    engine: str
    frames: int
    layers: tuple[LayerError, ...]

    @property
    def equal(self) -> bool:
        """Whether the compiler changed nothing."""
        return not any(layer.differing for layer in self.layers)

    @property
    def json(self) -> dict[str, Any]:
        """All of it as JSON holds it."""
        return {
            "model": self.name,
            "engine": self.engine,
            "frames": self.frames,
            "equal": self.equal,
            "layers": [asdict(x) for x in self.layers],
        }

    @property
    def svg(self) -> str:
        """The picture, a file of its own."""
        about = f"{self.engine} engine, {self.frames} frames"
        return draw_errors(f"{self.name}: what quantization did to each layer", about, self.layers)

    def _repr_html_(self) -> str:
        return self.svg

    def __str__(self) -> str:
        heads = ("unit", "tensor", "quantization: rms", "of the signal", "SQNR", "compiler: differing")
        rows = [heads, *(_cells(x) for x in self.layers)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
        return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def _cells(x: LayerError) -> tuple[str, ...]:
    share = "" if x.relative is None else f"{x.relative:.2%}"
    sqnr = "" if x.sqnr_db is None else f"{x.sqnr_db:.1f} dB"
    return x.unit, x.tensor, f"{x.rms:.4g}", share, sqnr, f"{x.differing:,} of {x.elements:,}"


def compare(
    name: str,
    host: HostSide,
    trace: Callable[[Mapping[str, Array]], Mapping[str, Traced]],
    quantized: Graph,
    x: Array | Mapping[str, Array],
    engine: str,
    progress: Progress,
) -> Comparison:
    """`dfcompile.compare` with what traces frames on an engine. quantized: the model, as imported."""
    feeds = host.checked(x)
    count, plain = len(next(iter(feeds.values()))), without_quantizers(quantized)
    sums: dict[str, _Sums] = {}
    for first in range(0, count, FRAMES):
        part = {k: v[first : first + FRAMES] for k, v in feeds.items()}
        progress(f"compare {first}/{count}")
        seen = {t.tensor: t for t in trace(part).values() if t.tensor in quantized.tensors}
        _add(sums, seen, quantized, plain, {k: np.asarray(v, np.float64) for k, v in part.items()})
    if not sums:
        what = "no unit of the design stands for a tensor of the model"
        raise CompileError(Problem("wrong-input", what, help="name the model that the design was built of"))
    layers = tuple(_layer(tensor, s) for tensor, s in sums.items())
    return Comparison(name, engine, count, layers)


def _add(sums: dict[str, _Sums], seen: Mapping[str, Traced], quantized: Graph, plain: Graph, feeds: Mapping[str, Array]) -> None:
    """Count what is different in some frames."""
    exact, real = quantized.execute(feeds, keep=seen), plain.execute(feeds, keep=seen)
    for tensor, t in seen.items():
        s = sums.setdefault(tensor, _Sums(t.name, t.source, 0))
        error = exact[tensor] - real[tensor]
        s.elements += error.size
        s.squares += float(np.sum(error**2))
        s.float_squares += float(np.sum(real[tensor] ** 2))
        s.largest = max(s.largest, float(np.max(np.abs(error))))
    for found in stretches(quantized, feeds, lambda name: _real(seen, name)):
        s = sums[found.name]
        s.differing += int(found.wrong.sum())
        s.ties += 0 if found.tie is None else int((np.broadcast_to(found.tie, found.real.shape) & (found.real != found.meant)).sum())
        s.farthest = max(s.farthest, float(np.max(np.abs(found.real - found.meant)[found.wrong], initial=0)))


def _real(seen: Mapping[str, Traced], name: str) -> Array | None:
    return seen[name].real if name in seen else None


def _layer(tensor: str, s: _Sums) -> LayerError:
    rms, signal = (float(np.sqrt(v / s.elements)) for v in (s.squares, s.float_squares))
    sqnr = 20 * log10(signal / rms) if rms and signal else None
    return LayerError(
        s.unit, tensor, s.source, s.elements, rms, s.largest, rms / signal if signal else None, sqnr, s.differing, s.farthest, s.ties
    )

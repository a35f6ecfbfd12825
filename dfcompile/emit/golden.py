"""Golden frames of a design: random codes over the proven range of its inputs, and what the Python engine makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dfcompile.dataflow.design import Design
from dfcompile.emit.sim import frame_cycles
from dfcompile.units.base import Array

SMALL_CYCLES = 10_000
FEW, MANY = 4, 8


@dataclass(frozen=True, eq=False)
class Golden:
    """Codes (n, h, w, c) of every port, in port order."""

    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]

    @property
    def frames(self) -> int:
        return len(self.inputs[0])


def default_frames(design: Design) -> int:
    """Enough frames to see the steady state, more where they are cheap."""
    return MANY if frame_cycles(design) < SMALL_CYCLES else FEW


def random_inputs(design: Design, frames: int, seed: int = 0) -> tuple[Array, ...]:
    """Random codes of each input port over its proven range; beyond two frames the last two hold the least and the largest codes."""
    rng = np.random.default_rng(seed)
    streams = design.streams()
    drawn = []
    for tensor in design.graph.inputs:
        stream, known = streams[tensor], design.graph.tensors.get(tensor)
        lo = stream.dtype.lo if known is None or known.lo is None else known.lo
        hi = stream.dtype.hi if known is None or known.hi is None else known.hi
        shape = (frames, *stream.shape)
        if stream.dtype.bipolar:
            codes = rng.integers(0, 1, shape, endpoint=True) * 2 - 1
        else:
            codes = rng.integers(np.asarray(lo, np.int64), np.asarray(hi, np.int64), shape, endpoint=True)
        if frames > 2:
            codes[-2], codes[-1] = lo, hi
        drawn.append(codes)
    return tuple(drawn)


def golden(design: Design, inputs: Sequence[Array]) -> Golden:
    """Run the Python engine on these frames."""
    streams = design.streams()
    frames: list[dict[str, Array]] = []
    for i in range(len(inputs[0])):  # one by one: the windows of a large picture take more room than its design
        frames.append(design.graph.execute({t: x[i : i + 1] for t, x in zip(design.graph.inputs, inputs, strict=True)}))
    outputs = tuple(np.concatenate([f[t] for f in frames]).reshape(-1, *streams[t].shape) for t in design.graph.outputs)
    return Golden(tuple(inputs), outputs)

"""Golden frames of a design: random codes over the proven range of its inputs, and what the Python engine makes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dfcompile.dataflow.design import Design
from dfcompile.emit.sim import frame_cycles
from dfcompile.ir.graph import Node, Tensor, counted
from dfcompile.ir.types import IntType
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

    def __add__(self, more: Golden) -> Golden:
        """These frames, then more of the same ports."""

        def joined(ours: Sequence[Array], theirs: Sequence[Array]) -> tuple[Array, ...]:
            return tuple(np.concatenate(pair) for pair in zip(ours, theirs, strict=True))

        return Golden(joined(self.inputs, more.inputs), joined(self.outputs, more.outputs))


def default_frames(design: Design) -> int:
    """Enough frames to see the steady state, more where they are cheap."""
    return MANY if frame_cycles(design) < SMALL_CYCLES else FEW


def random_frames(tensor: Tensor | None, dtype: IntType, shape: tuple[int, int, int], frames: int, rng: np.random.Generator) -> Array:
    """Random codes (frames, *shape) over a tensor's proven range; beyond two frames the last two hold the least and the largest codes."""
    lo = dtype.lo if tensor is None or tensor.lo is None else tensor.lo
    hi = dtype.hi if tensor is None or tensor.hi is None else tensor.hi
    if dtype.bipolar:
        codes = rng.integers(0, 1, (frames, *shape), endpoint=True) * 2 - 1
    else:
        codes = rng.integers(np.asarray(lo, np.int64), np.asarray(hi, np.int64), (frames, *shape), endpoint=True)
    if frames > 2:
        codes[-2], codes[-1] = lo, hi
    return codes


def random_inputs(design: Design, frames: int, seed: int = 0) -> tuple[Array, ...]:
    """`random_frames` of each input port."""
    rng = np.random.default_rng(seed)
    streams, tensors = design.streams(), design.graph.tensors
    made = {t: random_frames(tensors.get(t), streams[t].dtype, streams[t].shape, frames, rng) for t in design.graph.fed}
    return tuple(design.frames(made))


def golden(
    design: Design,
    inputs: Sequence[Array],
    progress: Callable[[str], None] = lambda text: None,
    see: Callable[[Sequence[str], Sequence[Array]], None] = lambda tensors, codes: None,
    states: dict[str, Array] | None = None,
) -> Golden:
    """Run the Python engine on these frames.

    progress: called at each unit of each frame; see: called there with the unit's streams and what it gave, (1, h, w, c) each
    states: what earlier frames left, as `Graph.execute` takes it
    """
    streams = design.streams()
    count = counted("write", len(inputs[0]) * len(design.nodes), progress)

    def watch(node: Node, results: Sequence[Array]) -> None:
        count(node, results)
        see(node.outputs, results)

    left = {} if states is None else states
    frames: list[dict[str, Array]] = []
    for i in range(len(inputs[0])):  # one by one: the windows of a large picture take more room than its design
        feeds = {t: x[i : i + 1] for t, x in zip(design.graph.inputs, inputs, strict=True)}
        frames.append(design.graph.execute(feeds, watch=watch, states=left))
    outputs = tuple(np.concatenate([f[t] for f in frames]).reshape(-1, *streams[t].shape) for t in design.graph.outputs)
    return Golden(tuple(inputs), outputs)

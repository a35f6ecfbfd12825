"""A matrix-vector unit that works on whole vectors by adders of its constant weights: no products, no weight memory.

Bipolar inputs before thresholds are added as bits b: x.w = 2 * sum(b * w) - sum(w), and the thresholds take the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dfcompile.device.area import shallow, stream_out, total
from dfcompile.device.delay import Path
from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Resources
from dfcompile.ir.types import IntType
from dfcompile.units.base import Array
from dfcompile.units.parts import mac_paths, stream_paths, threshold_area
from dfcompile.units.parts.adder_graph import NOTHING, AdderPipeline, Sums
from dfcompile.units.parts.adder_matrix import adder_graph
from dfcompile.units.parts.adder_pipeline import LEVELS, pipeline
from dfcompile.units.parts.schedule import Schedule, one_to_one
from dfcompile.units.parts.thresholding import Thresholding

_KEPT = 256  # graphs


@dataclass(frozen=True, eq=False)
class GraphForm:
    """What the hardware adds and compares.

    thresholding: thresholds on the sums, or None: then the sums are the outputs
    """

    sums: Sums
    out: IntType
    outputs: int
    thresholding: Thresholding | None

    @property
    def waiting(self) -> bool:
        """Whether beats wait as inputs, in front of adders that may stall, and not as results."""
        return self.thresholding is None and len(self.sums.pipeline.graph.lo) * self.sums.x.bits <= self.outputs * self.out.bits

    @property
    def latency(self) -> int:
        """Cycles from a beat to its valid result."""
        return self.sums.pipeline.stages + 1 + (self.thresholding.out.bits if self.thresholding else 0)

    @property
    def slots(self) -> int:
        """Beats in the output buffer, enough for one a cycle."""
        return self.latency + 1

    def schedule(self, beats: int) -> Schedule:
        """One beat a cycle."""
        return one_to_one(beats, self.latency, self.slots)

    def parameters(self, threshold_style: str) -> dict[str, int]:
        """But for the sizes of the frame and the vector."""
        none = {"ThreshBits": 0, "ThreshFactorBits": 0, "ThreshShift": 0, "ThreshShared": 0, "Flip": 0}
        return {
            "AccBits": self.sums.sum.bits,
            "AccSigned": int(self.sums.sum.signed),
            **(self.thresholding.parameters(threshold_style) if self.thresholding else none),
            "OutBits": self.out.bits,
            "OutSigned": int(self.out.signed and not self.out.bipolar),
            "Stages": self.sums.pipeline.stages,
        }

    def resources(self, threshold_style: str, family: str) -> Resources:
        """Estimated area."""
        pipe = self.sums.pipeline
        graph = pipe.graph
        width = self.outputs * self.out.bits if self.thresholding else int(graph.bits[graph.out[graph.out != NOTHING]].sum())
        if self.waiting:
            control = Resources(lut=10 + 3 * pipe.stages, ff=6)
            parts = [adders(pipe, family), shallow(2, int(graph.bits[: graph.inputs].sum()), family), control]
        else:
            parts = [adders(pipe, family), stream_out(width, self.slots, family), Resources(lut=8)]
        parts.append(Resources(ff=pipe.stages))
        if self.thresholding:
            parts.append(threshold_area.thresholds(self.thresholding.size, 1, self.outputs, threshold_style, family))
        return total(*parts)

    def paths(self, threshold_style: str, family: str) -> Iterator[Path]:
        """Logic between registers: as many adders as a stage may have, its enables, and what compares or gives the sums."""
        pipe = self.sums.pipeline
        graph = pipe.graph
        width, readers = int(graph.bits.max()), int(np.bincount(graph.reads[0]).max(initial=1))
        yield Path("adders of constant weights", carries=(width,) + (2,) * (LEVELS - 1), fanout=readers)
        if self.waiting:
            yield Path("the step of a stage", levels=2, stores=True, fanout=-(-pipe.register_bits // pipe.stages))
        else:
            yield from stream_paths.given(self.outputs * self.out.bits, self.slots, 2, family)
        if self.thresholding:
            yield from mac_paths.thresholds(self.thresholding.size, 1, self.outputs, threshold_style, family)


def adders(pipe: AdderPipeline, family: str) -> Resources:
    """Area of an adder graph with its registers."""
    return Resources(lut=FAMILIES[family].costs.graph * int(pipe.graph.adder_bits.sum()), ff=pipe.register_bits)


def graph_form(weights: Array, x: IntType, acc: IntType, out: IntType, counting: Thresholding | None) -> GraphForm:
    """The form for integer weights (outputs, inputs); `acc` holds every sum, `counting` is what becomes of it, `out` its type."""
    if x.bipolar and counting:
        rows = np.asarray(weights, np.int64)
        acc = IntType.holding(int(np.minimum(rows, 0).sum(axis=1).min()), int(np.maximum(rows, 0).sum(axis=1).max()))
        counting = counting.affine(2, -rows.sum(axis=1), acc)
        x = IntType(1)
    pipe = _pipeline(np.ascontiguousarray(weights, np.int64).tobytes(), weights.shape, x.lo, x.hi)
    return GraphForm(Sums(pipe, x, acc if counting else out), out, len(weights), counting)


@lru_cache(maxsize=_KEPT)
def _pipeline(weights: bytes, shape: tuple[int, int], lo: int, hi: int) -> AdderPipeline:
    """Kept, since many foldings and designs have the same matrix."""
    matrix = np.frombuffer(weights, np.int64).reshape(shape)
    graph = adder_graph(matrix, np.full(shape[1], lo), np.full(shape[1], hi))
    if not np.array_equal(graph.matrix, matrix):
        raise ArithmeticError(f"the adders of a matrix of {shape[0]} x {shape[1]} weights are not the matrix")
    return pipeline(graph)

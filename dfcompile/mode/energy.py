"""Energy of a frame and power: a model, from the bits that change on a design's streams and the energies of its primitives.

dynamic: logic switches as often as the bits of what its unit reads and gives change, in each cycle in which the unit works; flip-flops are
clocked in every cycle; block RAMs and DSP slices work when their unit does. static and board: watts times seconds of a frame. See
docs/energy.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dfcompile.dataflow.design import Design
from dfcompile.dataflow.share import unit_resources
from dfcompile.device.boards import Board
from dfcompile.device.energy import PJ_DRAM, Energies
from dfcompile.device.family import ENERGIES
from dfcompile.device.resources import Resources
from dfcompile.ir.graph import Array, Graph, Node
from dfcompile.ir.intop import IntConv
from dfcompile.ir.types import IntType
from dfcompile.loopback.program import Program
from dfcompile.loopback.storage import signed
from dfcompile.loopback.traffic import LayerTraffic
from dfcompile.units.base import Stream, Unit, unit_of
from dfcompile.units.parts.mac_unit import MacUnit

FRAMES = 2
"""Of random codes, that a build's activity is of."""
RANDOM = "random frames over the proven range of the inputs"


@dataclass(frozen=True)
class Part:
    """What switches: a unit, a FIFO or the engine. activity: toggles of a bit of its streams in a beat; cycles: those in which it works"""

    name: str
    area: Resources
    activity: float
    cycles: float

    def dynamic_uj(self, e: Energies, interval: float) -> float:
        """Of a frame."""
        working = self.area.lut * e.lut * self.activity + self.area.bram36 * e.bram36 + self.area.dsp * e.dsp
        return (working * self.cycles + self.area.ff * e.ff * interval) * 1e-6


def toggles(stream: Stream, codes: Array, before: Array | None = None) -> tuple[int, int, Array]:
    """Bits that change between words that follow one another on a stream, over all frames in a row, and how many could; the last word.

    before: the word in front of the first
    """
    words = stream.pack(codes.reshape(-1, *stream.shape).astype(np.int64))
    changed = int(np.bitwise_count(words[1:] ^ words[:-1]).sum(dtype=np.int64))
    if before is not None:
        changed += int(np.bitwise_count(words[:1] ^ before).sum(dtype=np.int64))
    return changed, (len(words) - (before is None)) * stream.width, words[-1:].copy()


class Activity:
    """Counts toggles on a design's streams while frames pass."""

    def __init__(self, streams: Mapping[str, Stream]) -> None:
        self.streams = streams
        self._counts: dict[str, tuple[int, int]] = {}
        self._last: dict[str, Array] = {}

    def see(self, tensors: Sequence[str], arrays: Sequence[Array]) -> None:
        """The next frames of some streams."""
        for t, codes in zip(tensors, arrays, strict=True):
            changed, most, self._last[t] = toggles(self.streams[t], codes, self._last.get(t))
            seen = self._counts.get(t, (0, 0))
            self._counts[t] = seen[0] + changed, seen[1] + most

    @property
    def rates(self) -> dict[str, float]:
        """Toggles of a bit in a beat, of each stream."""
        return {t: changed / most if most else 0.0 for t, (changed, most) in self._counts.items()}


def stream_activity(design: Design, inputs: Sequence[Array]) -> dict[str, float]:
    """Toggles of a bit in a beat, of each stream, for frames of codes at the inputs in order."""
    found = Activity(design.streams())
    found.see(design.graph.inputs, inputs)
    feeds = dict(zip(design.graph.inputs, inputs, strict=True))
    design.graph.execute(feeds, watch=lambda node, results: found.see(node.outputs, results))
    return found.rates


def dataflow_parts(design: Design, family: str, activity: Mapping[str, float]) -> list[Part]:
    """Units with the mean activity of their streams, by their bits, and FIFOs with that of theirs."""
    streams, areas = design.streams(), unit_resources(design, family)

    def mean(node: Node) -> float:
        ends = (*node.inputs, *node.outputs)
        return sum(activity[t] * streams[t].width for t in ends) / sum(streams[t].width for t in ends)

    units = [Part(n.name, areas[n.name], mean(n), unit_of(n).cycles) for n in design.nodes]
    return units + [Part(f"FIFO {t}", f.resources(family), activity[t], streams[t].beats) for t, f in design.fifos().items()]


def loopback_part(program: Program, graph: Graph, codes: Mapping[str, Array], area: Resources, layers: Sequence[LayerTraffic]) -> Part:
    """The engine, with the activity of the words of `simd` digits that its layers read, a step each."""
    read = {o.tensor for layer in program.layers for o in layer.operands} & set(graph.tensors)
    values, bits = graph.execute(codes, keep=read), program.config.act_bits
    counts = []
    for t in sorted(read):
        channels = values[t].shape[-1]
        padded = np.pad(values[t].astype(np.int64), ((0, 0),) * 3 + ((0, -channels % program.config.simd),))
        low = signed(padded, bits)  # wider codes lie in planes of a digit each: the lowest switches most
        counts.append(toggles(Stream(padded.shape[1:], IntType(bits), program.config.simd), low)[:2])
    changed, most = sum(c for c, _ in counts), sum(m for _, m in counts)
    return Part("engine", area, changed / most if most else 0.0, sum(x.steps for x in layers) / program.batch)


def energy_report(
    parts: Sequence[Part], family: str, board: Board | None, cycles: float, clock: float, moved: int, frames: str
) -> dict[str, Any]:
    """What report.json holds. cycles: between frames; clock: MHz; moved: bytes of external memory a frame; frames: that activity is of."""
    known, found = ENERGIES.get(family), {"frame_uj": None, "watts": None, "activity_of": frames}
    if known is None:
        return {**found, "model": f"none: no energies of the primitives of {family} are known", "source": ""}
    seconds, power = cycles / (clock * 1e6), board.power if board else None
    units = [{"name": p.name, "activity": round(p.activity, 4), "dynamic_uj": p.dynamic_uj(known, cycles)} for p in parts]
    shares = {
        "dynamic_uj": sum(p.dynamic_uj(known, cycles) for p in parts),
        "memory_uj": moved * 8 * PJ_DRAM * 1e-6,
        "static_uj": power.static * seconds * 1e6 if power else None,
        "board_uj": power.board * seconds * 1e6 if power and power.board else None,
    }
    frame = sum(v for v in shares.values() if v is not None)
    left = [name.removesuffix("_uj") for name, v in shares.items() if v is None]
    model = "a model, not a measurement" + (f"; without the {' and the '.join(left)} share, which is not known" if left else "")
    source = "; ".join([known.source, *([f"board: {power.source}"] if power else [])])
    return {**found, "frame_uj": frame, "watts": frame * 1e-6 / seconds, "model": model, **shares, "source": source, "units": units}


def frames_of(codes: Mapping[str, Array] | None) -> str:
    """What an activity is of."""
    return RANDOM if codes is None else f"{len(next(iter(codes.values())))} given frames"


def bit_operations(units: Iterable[Unit]) -> int:
    """Multiplications by constants of a frame, each as bits of the input times bits of the weight."""
    return sum(u.macs * u.inputs[0].dtype.bits * u.weight_dtype.bits for u in units if isinstance(u, MacUnit))


def integer_bit_operations(graph: Graph) -> int:
    """The same of an integer graph."""
    total = 0
    for n in graph.nodes:
        if isinstance(n.op, IntConv):
            weights, x = graph.constants[n.inputs[1]], graph.tensors[n.inputs[0]]
            signs = set(np.unique(weights).tolist()) <= {-1, 1}
            bits = 1 if signs else IntType.holding(int(weights.min()), int(weights.max())).bits
            total += weights.size * int(np.prod(graph.tensors[n.outputs[0]].shape[:2])) * x.codes.bits * bits
    return total

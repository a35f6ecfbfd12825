"""How much of the loopback array works, layer by layer, where channels do not divide it: `python -m benchmarks.loopback_utilisation`

Of convolutions of 3 x 3 on 28 x 28 pixels, 8 bits in and out, on arrays of powers of two and between: a cell is multiplications over
array slots, in the steps of a layer, and in the cycles from the end of the layer before to its own. Of first layers of 3 channels, in
cycles: what the array needs for their multiplications and the bus for the picture, a byte a number, of which the larger is the roof;
steps of the array, and what the bus brings as the picture is laid out; what the layer takes, of a run of one frame and of a further
frame of a run, each with its share of the roof (the first with the weights) and of the larger of steps and what is brought.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from itertools import product

from dfcompile.ir.graph import Graph
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import Compute
from dfcompile.loopback.group import cycles
from dfcompile.loopback.predict import predict
from dfcompile.loopback.traffic import layer_traffic
from tests.loopback.resnet import Maker

CHANNELS = (24, 40, 48, 96, 144)
ARRAYS = ((8, 8), (16, 16), (32, 32), (16, 8), (24, 8), (48, 8), (24, 24), (48, 16), (24, 48), (48, 48))


def stack(channels: int) -> Graph:
    """Two convolutions of as many channels."""
    m = Maker(28, channels)
    y = m.conv(m.conv("x", channels, 3), channels, 3)
    return Graph("stack", tuple(m.nodes), m.tensors, m.constants, ("x",), (y,))


def first(size: int, kernel: int, stride: int) -> Graph:
    """A first layer, and one that reads it."""
    m = Maker(size, 3)
    y = m.conv(m.conv("x", 32, kernel, stride), 32, 1)
    return Graph("first", tuple(m.nodes), m.tensors, m.constants, ("x",), (y,))


FIRST = {
    "3 x 3, 32 x 32 pixels": first(32, 3, 1),
    "5 x 5, 64 x 64 pixels": first(64, 5, 1),
    "7 x 7 in steps of 2, 96 x 96": first(96, 7, 2),
}


@dataclass(frozen=True)
class Cycles:
    """Of a first layer, in a run: multiplications over multipliers, steps; the bus for the picture, the weights, and all that it brings."""

    array: float
    steps: int
    picture: float
    weights: float
    brought: float
    taken: int

    @staticmethod
    def of(graph: Graph, config: EngineConfig, batch: int) -> Cycles:
        program = compile_program(graph, config, batch, proved=False)
        layer, bus = layer_traffic(program, predict(program))[0], config.bus_bytes
        picture = batch * math.prod(graph.tensors["x"].shape) / bus
        steps = sum(cycles(s.descriptor, config) for s in program.steps if s.layer == 0 and isinstance(s.descriptor, Compute))
        brought = (layer.act_bytes + layer.constant_bytes) / bus
        return Cycles(layer.macs / config.multipliers, steps, picture, layer.constant_bytes / bus, brought, layer.cycles)

    def further(self, more: Cycles, frames: int) -> Cycles:
        """A frame of those that a longer run has more."""
        return Cycles(*((b - a) / frames for a, b in zip(astuple(self), astuple(more), strict=True)))  # type: ignore[arg-type]

    @property
    def roof(self) -> float:
        return max(self.array, self.picture + self.weights)

    @property
    def laid_out(self) -> float:
        return max(self.steps, self.brought)

    @property
    def shares(self) -> str:
        return f"{self.taken:,.0f} | {self.roof / self.taken:.2f} / {self.laid_out / self.taken:.2f}"


def utilisation(graph: Graph, config: EngineConfig, layer: int) -> tuple[float, float]:
    """Of a layer: multiplications over slots of its steps, and of its cycles."""
    program = compile_program(graph, config, proved=False)
    macs, taken = program.layers[layer].macs, predict(program).layer_cycles()[layer]
    steps = sum(cycles(s.descriptor, config) for s in program.steps if s.layer == layer and isinstance(s.descriptor, Compute))
    return macs / (steps * config.multipliers), macs / (taken * config.multipliers)


def row(name: str, graphs: list[Graph], config: EngineConfig, layer: int) -> str:
    """A row of the table: an engine, and each network's two shares."""
    cells = [" / ".join(f"{x:.2f}" for x in utilisation(g, config, layer)) for g in graphs]
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Print the tables."""
    graphs = [stack(c) for c in CHANNELS]
    print(f"| array | {' | '.join(f'{c} channels' for c in CHANNELS)} |\n|{'---|' * (len(CHANNELS) + 1)}")
    for pe, simd in ARRAYS:
        config = EngineConfig(pe=pe, simd=simd, act_words=32768, weight_words=1024, tree_levels=4, bus_bits=64)
        print(row(f"{pe} x {simd}", graphs, config, 1), flush=True)
    heads = ["layer", "array, bus", "array", "picture", "steps", "brought", "taken", "of the roofs", "a further frame", "of the roofs"]
    print(f"\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for name, graph in FIRST.items():
        for (pe, simd), bus in product(((16, 16), (32, 16), (32, 32), (16, 48)), (64, 128)):
            config = EngineConfig(pe=pe, simd=simd, act_words=32768, weight_words=1024, tree_levels=4, bus_bits=bus)
            one, more = (Cycles.of(graph, config, batch) for batch in (1, 3))
            numbers = [f"{n:,.0f}" for n in (one.array, one.picture, one.steps, one.brought)]
            cells = [name, f"{pe} x {simd}, {bus} bits", *numbers, one.shares, one.further(more, 2).shares]
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()

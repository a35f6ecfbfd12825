"""How much of the loopback array works, layer by layer, where channels do not divide it: `python -m benchmarks.loopback_utilisation`

Of convolutions of 3 x 3 on 28 x 28 pixels, 8 bits in and out, and of first layers of 3 channels, on arrays of powers of two and between.
A cell is multiplications over array slots: in the steps of a layer, and in the cycles from the end of the layer before to its own.
"""

from __future__ import annotations

from dfcompile.ir.graph import Graph
from dfcompile.loopback.compile import compile_program
from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import Compute
from dfcompile.loopback.group import cycles
from dfcompile.loopback.predict import predict
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
    print(f"\n| array, bus | {' | '.join(FIRST)} |\n|{'---|' * (len(FIRST) + 1)}")
    for pe, simd in ((16, 16), (32, 16), (32, 32), (16, 48)):
        for bus in (64, 128):
            config = EngineConfig(pe=pe, simd=simd, act_words=32768, weight_words=1024, tree_levels=4, bus_bits=bus)
            print(row(f"{pe} x {simd}, {bus} bits", list(FIRST.values()), config, 0), flush=True)


if __name__ == "__main__":
    main()

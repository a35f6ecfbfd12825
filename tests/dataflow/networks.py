"""Designs of the shape and size of known networks, with the window generators' real schedules."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dfcompile.dataflow.design import Design
from dfcompile.ir.types import IntType
from dfcompile.units.parts.schedule import Give, Process, one_to_one
from dfcompile.units.sliding_window import SlidingWindow
from tests.dataflow.synthetic import Fake, design


def matrix(vectors: int, nf: int, sf: int) -> Fake:
    """A matrix-vector unit: takes sf beats a vector, gives nf, in nf * sf steps."""
    steps = np.arange(vectors * nf * sf, dtype=np.int64)
    takes, gives = steps[steps // sf % nf == 0], steps[sf - 1 :: sf]
    return Fake((len(takes),), (len(gives),), (Process(len(steps), {0: takes}, {0: Give(gives, 5, 6)}),))


def window(size: int, fold: int, kernel: int, stride: int) -> Fake:
    pad = kernel // 2
    unit = SlidingWindow((size, size, fold), (kernel, kernel), (stride, stride), (pad, pad, pad, pad), (1, 1), IntType(4))
    return Fake((unit.inputs[0].beats,), (unit.outputs[0].beats,), unit.schedule())


def convert(a: int, b: int) -> Fake:
    """A stream of a beats a frame to one of b: one divides the other."""
    n = max(a, b)
    steps = np.arange(n, dtype=np.int64)
    takes = {0: steps[:: n // a]}
    gives = {0: Give(steps[n // b - 1 :: n // b], 1, 2)}
    return Fake((a,), (b,), (Process(n, takes, gives),))


@dataclass
class Chain:
    """Builds a design unit by unit."""

    nodes: list[tuple[str, Fake, str, str]] = field(default_factory=list)

    def add(self, unit: Fake, *inputs: str) -> list[str]:
        i = len(self.nodes)
        outputs = [f"t{i}_{k}" for k in range(len(unit.outs))]
        self.nodes.append((f"u{i}", unit, " ".join(inputs), " ".join(outputs)))
        return outputs

    def convert(self, t: str, beats: int) -> str:
        have = next(u.outs[o.split().index(t)] for _, u, _, o in self.nodes if t in o.split())
        return t if have == beats else self.add(convert(have, beats), t)[0]


def one(beats: int, inputs: int = 1, outputs: int = 1) -> Fake:
    return Fake((beats,) * inputs, (beats,) * outputs, one_to_one(beats, 2, 3, inputs, outputs))


def _power(n: int) -> int:
    return 1 << (max(n, 1).bit_length() - 1)


def resnet(blocks: tuple[int, ...] = (3, 4, 6, 3), size: int = 56, interval: int = 100_352) -> Design:
    """A bottleneck residual network; every unit takes about `interval` cycles a frame or fewer."""
    c = Chain()
    [t] = c.add(one(size * size * 4), "in")
    for stage, count in enumerate(blocks):
        for block in range(count):
            stride = 2 if stage and not block else 1
            t = _bottleneck(c, t, size, stride, interval, bool(not block))
            size = -(-size // stride)
    return design(c.nodes, "in", t)


def _bottleneck(c: Chain, t: str, size: int, stride: int, interval: int, projects: bool) -> str:
    pixels, after = size * size, (-(-size // stride)) ** 2
    fold = _power(interval // (9 * pixels))
    wide = _power(interval // pixels) // 4  # words of a pixel on the wide streams
    t = c.convert(t, pixels * wide)
    left, right = c.add(one(pixels * wide, 1, 2), t)
    [x] = c.add(matrix(pixels, 4, wide), left)
    x = c.convert(x, pixels * fold)
    [x] = c.add(window(size, fold, 3, stride), x)
    [x] = c.add(matrix(after, min(4, interval // (after * 9 * fold)), 9 * fold), x)
    narrow = _power(interval // after) // 4
    x = c.convert(x, after * 4)
    [x] = c.add(matrix(after, narrow, 4), x)
    if projects:
        if stride > 1:
            [right] = c.add(window(size, wide, 1, stride), right)
        [right] = c.add(matrix(after, 4, wide), right)
        right = c.convert(right, after * narrow)
    [x] = c.add(one(after * narrow, 2, 1), x, right)
    [x] = c.add(one(after * narrow), x)
    return x

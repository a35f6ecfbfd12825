"""Random small integer networks of every kind of layer, and engines so small that tensors go outside in strips and weights in pieces."""

from __future__ import annotations

from dfcompile.ir.graph import Graph
from dfcompile.ir.intop import IntAdd, IntConcat, IntMul, IntPool, IntSlice, IntUpsample, Window
from dfcompile.loopback.config import EngineConfig
from tests.loopback.cases import Net

MOST_BITS = 14
"""Codes of more bits get a quantizer."""

ENGINES = {
    "64": EngineConfig(pe=8, simd=16, act_words=512, weight_words=64, acc_words=64, tree_levels=4, tree_banks=2, bus_bits=64),
    "32": EngineConfig(pe=4, simd=4, act_words=1024, weight_words=32, acc_words=32, tree_levels=3, tree_banks=4, bus_bits=32),
    "128": EngineConfig(pe=32, simd=16, act_words=128, weight_words=32, acc_words=256, tree_levels=5, bus_bits=128, scale_bits=24),
}
"""By the width of the board's port."""


def window(n: Net, size: tuple[int, int]) -> Window:
    """A window that fits into a picture of this size."""
    k = [int(n.rng.integers(1, min(4, s) + 1)) for s in size]
    stride = [int(n.rng.integers(1, 3)) for _ in size]
    pads = [int(n.rng.integers(0, k[i % 2])) for i in range(4)]
    return Window((k[0], k[1]), (stride[0], stride[1]), (pads[0], pads[1], pads[2], pads[3]))


def grown(n: Net, x: str, others: list[str]) -> str:
    """One more layer on tensor x; others: tensors of any shape that it may be joined with."""
    h, w, c = n.tensors[x].shape
    alike = [t for t in others if n.tensors[t].shape == (h, w, c)]
    beside = [t for t in others if n.tensors[t].shape[:2] == (h, w)]
    kind = int(n.rng.integers(9))
    if kind == 0:
        return n.conv(x, c, window(n, (h, w)), c)
    if kind == 1:
        return n.node(IntPool(str(n.rng.choice(["max", "min", "sum"])), window(n, (h, w))), x)
    if kind == 2 and alike:
        return n.node(IntAdd((1, int(n.rng.integers(-3, 4))), 2), x, str(n.rng.choice(alike)))
    if kind == 3 and beside:
        return n.node(IntConcat(), x, str(n.rng.choice(beside)))
    if kind == 4 and c > 2:
        return n.node(IntSlice(1, c - 1), x)
    if kind == 5 and h * w < 60:
        return n.node(IntUpsample((2, 1)), x)
    if kind == 6 and alike:
        return n.node(IntMul(), x, str(n.rng.choice(alike)))
    return n.conv(x, int(n.rng.integers(1, 60)), window(n, (h, w)))


def random_net(seed: int) -> tuple[Net, Graph]:
    """A network of one or two inputs and at most seven layers with their quantizers."""
    n = Net(seed, x=((7, 6, 5), -128, 127))
    shapes = [(int(n.rng.integers(3, 17)), int(n.rng.integers(1, 15)), int(n.rng.integers(1, 40))) for _ in range(2)]
    top = int(n.rng.choice([7, 127, 3000]))
    rng = n.rng
    n = Net(seed, **{name: (shape, -top, top) for name, shape in zip("xy"[: int(rng.integers(1, 3))], shapes, strict=False)})
    n.rng = rng
    made = list(n.inputs)
    for _ in range(int(rng.integers(2, 8))):
        t = grown(n, made[-1] if rng.random() < 0.7 else str(rng.choice(made)), made)
        bits = n.tensors[t].dtype.bits
        if bits > MOST_BITS or rng.random() < 0.4:
            t = n.steps(t, int(rng.integers(1, 4)), int(rng.integers(-8, 3)))
        made.append(t)
    return n, n.graph(*dict.fromkeys([made[-1], str(rng.choice(made[len(n.inputs) :]))]))

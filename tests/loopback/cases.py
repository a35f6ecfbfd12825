"""Small integer graphs that together use every kind of layer."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import ceil

import numpy as np

from dfcompile.ir.graph import Array, Graph, Node, Tensor
from dfcompile.ir.intop import (
    ArgMaxCode,
    IntAdd,
    IntBelowMax,
    IntConcat,
    IntConv,
    IntMatMul,
    IntMul,
    IntNormalize,
    IntOp,
    IntPad,
    IntPool,
    IntSlice,
    IntStandardize,
    IntUpsample,
    LookupCode,
    ThresholdCode,
    View,
    Window,
)
from dfcompile.ir.types import IntType


class Net:
    """A graph that is written down node by node, with ranges as the compiler proves them."""

    def __init__(self, seed: int, **inputs: tuple[tuple[int, int, int], int, int]) -> None:
        self.rng = np.random.default_rng(seed)
        self.tensors: dict[str, Tensor] = {}
        self.constants: dict[str, Array] = {}
        self.nodes: list[Node] = []
        self.ranges: dict[str, tuple[Array, Array]] = {}
        self.inputs = tuple(inputs)
        for name, (shape, lo, hi) in inputs.items():
            self._declare(name, shape, np.full(shape[2], lo), np.full(shape[2], hi))

    def _declare(self, name: str, shape: tuple[int, ...], lo: Array, hi: Array) -> None:
        lo, hi = lo.astype(np.int64), hi.astype(np.int64)
        self.tensors[name] = Tensor(shape, IntType.holding(int(lo.min()), int(hi.max())), lo, hi)
        self.ranges[name] = (lo, hi)

    def node(self, op: IntOp, *inputs: str, **constants: Array) -> str:
        name = f"n{len(self.nodes)}"
        for key, value in constants.items():
            self.constants[f"{name}.{key}"] = value
            self.tensors[f"{name}.{key}"] = Tensor(value.shape)
        made = Node(name, op, (*inputs, *(f"{name}.{k}" for k in constants)), (name,))
        shape = op.infer(*(self.tensors[t] for t in made.inputs))[0].shape
        self._declare(name, shape, *op.bounds(tuple(self.ranges[t] for t in inputs), tuple(constants.values())))
        self.nodes.append(made)
        return name

    def conv(self, x: str, oc: int, window: Window = Window(), groups: int = 1, pad: int = 0, top: int = 7) -> str:  # noqa: B008
        weights = self.rng.integers(-top, top + 1, (oc, *window.kernel, self.tensors[x].channels // groups))
        return self.node(IntConv(window, groups, pad), x, w=weights)

    def steps(self, x: str, bits: int, lowest: int = 0, step: int = 1) -> str:
        lo, hi = self.ranges[x]
        spread = np.maximum(1, (hi - lo) // 4)[:, None]
        t = np.sort(self.rng.integers(-spread, spread + 1, (len(lo), 2**bits - 1)), axis=1)
        return self.node(ThresholdCode(bits, lowest, step), x, t=t, f=self.rng.random(len(lo)) < 0.3)

    def rescaled(self, x: str, bits: int, lowest: int, reach: float = 0.9) -> str:
        """Codes that rise or fall on a line through all values, rounded half up; the codes of one channel take `reach` of its range."""
        lo, hi = self.ranges[x]
        codes = [Fraction(2 * k - 1, 2) for k in range(1, 2**bits)]
        rows = []
        for low, high in zip(lo.tolist(), hi.tolist(), strict=True):
            size = Fraction(float(max(1, high - low) * reach * self.rng.uniform(0.5, 1))) / 2**bits
            first = Fraction(float(self.rng.uniform(low, high))) - size * 2 ** (bits - 1)
            rows.append([ceil(first + size * k) for k in codes])
        return self.node(ThresholdCode(bits, lowest), x, t=np.array(rows), f=self.rng.random(len(lo)) < 0.3)

    def graph(self, *outputs: str) -> Graph:
        return Graph("case", tuple(self.nodes), self.tensors, self.constants, self.inputs, outputs)

    def codes(self, count: int) -> dict[str, Array]:
        made = {}
        for name in self.inputs:
            lo, hi = self.ranges[name]
            made[name] = self.rng.integers(int(lo.min()), int(hi.max()) + 1, (count, *self.tensors[name].shape))
        return made


def convolutions() -> Net:
    n = Net(1, x=((9, 7, 5), -128, 127))
    x = n.steps(n.conv("x", 20, Window((3, 2), (2, 1), (1, 0, 1, 1)), pad=-3), 4)
    x = n.steps(n.conv(x, 12, Window((3, 3), (1, 1), (2, 2, 2, 2), (2, 2)), groups=4), 2, -1)
    n.conv(x, 7)
    return n


def branches() -> Net:
    """Residual sums, concatenation with and without copies, a slice, wide codes."""
    n = Net(2, x=((6, 6, 10), 0, 255))
    a = n.steps(n.conv("x", 10, Window((3, 3), (1, 1), (1, 1, 1, 1))), 4)
    b = n.node(IntAdd((3, -2), 5), a, "x")
    c = n.steps(b, 3)
    d = n.node(IntConcat(), c, n.steps(b, 4))
    e = n.node(IntConcat(), "x", c)
    f = n.node(IntSlice(7, 18), d)
    n.node(IntAdd((1, 1)), n.conv(f, 6), n.conv(e, 6, groups=2))
    return n


def pools() -> Net:
    n = Net(3, x=((8, 8, 9), -40, 90))
    a = n.node(IntPool("max", Window((3, 3), (2, 2), (1, 1, 1, 1))), "x")
    b = n.node(IntPool("min", Window((2, 2), (2, 2))), "x")
    c = n.node(IntPool("sum", Window((2, 2), (1, 1), (0, 0, 1, 1)), -2), a)
    d = n.node(IntUpsample((2, 3)), b)
    e = n.conv(n.node(IntPool("sum", Window((4, 4))), c), 5)
    f = n.node(IntPad(Window((1, 1), (2, 2), (1, 0, 0, 1)), 4), d)
    n.outs = (e, f)  # type: ignore[attr-defined]
    return n


def flattened() -> Net:
    n = Net(4, x=((4, 3, 6), 0, 60))
    table = np.sort(n.rng.integers(0, 200, (6, 61)), axis=1)
    x = n.node(LookupCode(0), "x", table=table)
    x = n.node(View((1, 1, 72)), x)
    x = n.steps(n.conv(x, 33, top=1), 1, -1, 2)
    n.conv(x, 11)
    return n


def cut() -> Net:
    """Pixels taken apart into columns, into rows and columns, and where neither rows nor columns stay."""
    n = Net(12, x=((4, 3, 10), -128, 127), y=((1, 1, 60), 0, 300))
    a = n.conv(n.node(View((4, 6, 5)), "x"), 7, Window((2, 2)))
    b = n.conv(n.node(View((5, 4, 3)), "y"), 6, Window((3, 3), (1, 1), (1, 1, 1, 1)))
    c = n.conv(n.node(View((8, 3, 5)), "x"), 4, Window((3, 1)))
    d = n.node(IntPool("max", Window((2, 2))), n.node(View((6, 4, 5)), "x"))
    n.outs = (a, b, c, d)  # type: ignore[attr-defined]
    return n


def transposed() -> Net:
    n = Net(9, x=((3, 2, 6), -8, 7))
    x = n.steps(n.conv("x", 9, Window((4, 3), (1, 1), (2, 1, 2, 2), (1, 1), (2, 2))), 4)
    a = n.conv(x, 5, Window((2, 2), (1, 1), (1, 1, 0, 2), (1, 1), (3, 2)))
    b = n.steps(n.conv("x", 6, Window((3, 4), (3, 2), (2, 3, 3, 2), (1, 3), (2, 4)), pad=5), 3)
    c = n.conv("x", 4, Window((3, 2), (2, 2), (2, 1, 1, 1), (2, 2), (4, 2)), pad=-200)
    n.outs = (a, b, c)  # type: ignore[attr-defined]
    return n


def positions() -> Net:
    """The largest channel, of narrow and wide codes with ties, in whole words or not."""
    n = Net(10, x=((4, 3, 21), -2, 1), y=((4, 3, 21), 0, 200))
    a = n.node(ArgMaxCode(), "x")
    b = n.node(ArgMaxCode(True), n.node(IntAdd((100, 0)), "x", "y"))
    c = n.node(ArgMaxCode(), n.node(IntSlice(3, 16), "x"))
    d = n.node(ArgMaxCode(True), n.node(IntConcat(), "x", n.conv("y", 24)))
    e = n.steps(n.node(ArgMaxCode(), n.node(IntAdd((-120, 1)), "x", "y")), 2)
    n.outs = (a, b, c, d, e)  # type: ignore[attr-defined]
    return n


def products() -> Net:
    n = Net(11, x=((5, 4, 10), -300, 500), y=((5, 4, 10), 0, 255), z=((3, 2, 9), -30000, 32767))
    a = n.node(IntMul(), "x", "y")
    b = n.steps(n.node(IntMul(), "y", "y"), 3, -2)
    c = n.node(IntMul(), n.steps(n.conv("x", 10, Window((3, 3), (1, 1), (1, 1, 1, 1)), pad=7), 4), "y")
    d = n.conv(n.node(IntMul(), b, b), 5)
    n.outs = (a, c, d, n.node(IntMul(), "z", n.node(IntAdd((-1, 0)), "z", "z")))  # type: ignore[attr-defined]
    return n


def tables() -> Net:
    """Functions that neither rise nor fall, for each channel and for all; more values and more thresholds than one tree holds."""
    n = Net(12, x=((4, 3, 6), -128, 127))
    codes = np.arange(-128, 128)
    gelu = np.rint(codes / (1 + np.exp(-codes / 16))).astype(np.int64)
    a = n.node(LookupCode(-128), "x", table=gelu[None])
    b = n.node(LookupCode(-128), "x", table=np.abs(codes)[None] * np.arange(-2, 4)[:, None])
    lo, hi = n.node(IntPool("sum", Window((2, 2))), "x"), n.conv("x", 4, top=1)
    c = n.node(LookupCode(-512), lo, table=np.repeat(n.rng.integers(-9, 9, (6, 4)), 256, axis=1))
    low = int(n.ranges[hi][0].min())
    size = int(n.ranges[hi][1].max()) - low + 1
    d = n.node(LookupCode(low), hi, table=np.cumsum(n.rng.integers(0, 3, (1, size)), axis=1))
    e = n.node(ThresholdCode(9, -3), lo, t=np.sort(n.rng.integers(-500, 500, (6, 511)), axis=1), f=n.rng.random(6) < 0.5)
    f = n.node(LookupCode(-128), "x", table=np.multiply.outer([-128, -3, 0, 1, 5, 127], codes) + 7)
    n.outs = (a, b, c, n.conv(d, 3), e, f)  # type: ignore[attr-defined]
    return n


def wide() -> Net:
    """Codes of several bytes: padding, maxima and minima; weights of several bytes."""
    n = Net(13, x=((6, 5, 9), -20000, 3000), y=((6, 5, 9), 100, 140))
    window = Window((3, 2), (2, 1), (1, 1, 1, 0))
    a = n.node(IntPool("max", window), "x")
    b = n.node(IntPool("min", window), n.node(IntAdd((100, 1)), "x", "y"))
    c = n.conv("x", 5, Window((3, 3), (2, 1), (1, 2, 1, 0), (1, 2)), pad=-777, top=3)
    d = n.node(IntPool("max", window), n.node(IntSlice(3, 8), "y"))
    e = n.node(IntPad(Window((1, 1), (1, 1), (1, 2, -1, 0)), -5), "y")
    f = n.steps(n.conv("y", 6, Window((2, 2)), top=5000), 3)
    g = n.node(IntAdd((3000, -700), 11), "y", n.steps(n.conv("y", 9), 5))
    n.outs = (a, b, c, d, e, n.conv(f, 3, top=2_000_000), g)  # type: ignore[attr-defined]
    return n


def least_codes() -> Net:
    """Thresholds whose least code is never reached: its stored number lies below a byte. Beside wide codes, and of few channels."""
    n = Net(14, x=((4, 3, 9), 0, 255), y=((4, 3, 4), -3000, 3000))
    below, rises = np.tile(np.arange(-90, 165), (9, 1)), np.zeros(9, bool)
    a = n.node(ThresholdCode(8, 0), "x", t=below, f=rises)
    b = n.node(ThresholdCode(8, -100), "x", t=below, f=~rises)
    c = n.conv(n.node(IntConcat(), n.node(ThresholdCode(8, 1000), "x", t=below, f=rises), n.conv("y", 3)), 4, top=1)
    d = n.conv(n.node(LookupCode(0), "x", table=np.sort(n.rng.integers(500, 720, (9, 256)), axis=1)), 5)
    e = n.conv(a, 5, Window((3, 3), (1, 1), (1, 1, 1, 1)), pad=-700)
    n.outs = (a, b, c, d, e)  # type: ignore[attr-defined]
    return n


def requantized() -> Net:
    """Thresholds on lines: codes of 5 to 12 bits, fused with sums and alone, falling, of a constant, for one row of all channels."""
    n = Net(15, x=((6, 5, 9), -128, 127), y=((3, 2, 20), -40000, 30000))
    a = n.rescaled(n.conv("x", 20, Window((3, 3), (2, 1), (1, 1, 1, 1)), pad=-9, top=127), 8, -128)
    b = n.rescaled(n.node(IntAdd((3, -200), 77), "x", n.rescaled(n.conv("x", 9, top=90), 5, -7)), 9, 3)
    c = n.rescaled(n.node(IntMul(), "x", "x"), 6, 0)
    d = n.rescaled("y", 12, -2048)
    e = n.node(ThresholdCode(8, -128), "y", t=np.arange(-127, 128)[None] * 29 - 13, f=np.zeros(1, bool))
    f = n.rescaled(n.node(IntAdd((0, 0), 5), "x", "x"), 7, 0)
    n.outs = (n.conv(a, 4, Window((2, 2))), b, c, d, n.conv(e, 5), f)  # type: ignore[attr-defined]
    return n


def sixteen_bits() -> Net:
    """Convolutions between codes of 16 bits."""
    n = Net(16, x=((5, 4, 6), -32768, 32767))
    a = n.rescaled(n.conv("x", 10, Window((3, 3), (1, 1), (1, 1, 1, 1)), pad=1234, top=127), 16, -32768, 0.5)
    b = n.rescaled(n.conv(a, 7, Window((2, 2)), top=127), 16, 0)
    n.outs = (b, n.conv(b, 3))  # type: ignore[attr-defined]
    return n


def partial() -> Net:
    """More products of bytes than a descriptor walks, and wide codes beside more weights than the buffer holds."""
    n = Net(17, x=((4, 3, 7), -300, 300), y=((4, 3, 7), -30000, 32767), z=((2, 2, 130), -300, 500))
    a = n.conv("x", 5, Window((3, 2), (1, 1), (1, 1, 0, 1)), pad=-123, top=100_000)
    scaled = [n.node(IntConv(Window(), 7), t, w=n.rng.integers(-top, top, (7, 1, 1, 1))) for t, top in (("x", 150_000), ("y", 2_000))]
    b = n.steps(n.node(IntAdd((3, -2), 9), *scaled), 5)
    c = n.steps(n.conv("z", 9, top=127), 3)
    d = n.node(IntAdd((1, 1)), scaled[0], n.conv("y", 7, top=3))
    n.outs = (a, b, c, d, n.conv("z", 3, top=5000))  # type: ignore[attr-defined]
    return n


def very_wide() -> Net:
    """Weights of five bytes, one product for each power: the pass that only shifts a partial sum. Sums that are too wide to be stored."""
    n = Net(18, x=((3, 2, 9), -128, 127))
    a = n.steps(n.conv("x", 6, Window((2, 2)), top=1 << 37), 4)
    b = [n.node(IntConv(Window(), 9), "x", w=n.rng.integers(-(1 << 33), 1 << 33, (9, 1, 1, 1))) for _ in range(3)]
    c = n.node(IntConv(Window(), 9), n.node(IntAdd((1, -3), 77), b[0], b[1]), w=n.rng.integers(-2, 3, (9, 1, 1, 1)))
    n.outs = (a, n.steps(n.node(IntAdd((2, 1), -5), c, b[2]), 4))  # type: ignore[attr-defined]
    return n


def wide_stored() -> Net:
    """Codes of five and six bytes: outputs, read by several, padded, joined to others; a sum of six terms too wide to be stored."""
    n = Net(19, x=((4, 3, 9), -128, 127))
    a = n.conv("x", 6, Window((2, 2)), top=1 << 25)
    b = n.conv(a, 3, Window((2, 2), (1, 1), (1, 0, 1, 1)), pad=-(1 << 37), top=100)
    c = n.steps(n.node(IntConcat(), a, n.conv("x", 5, Window((2, 2)), top=3)), 4)
    scaled = [n.node(IntConv(Window(), 9), "x", w=n.rng.integers(-(1 << 30), 1 << 30, (9, 1, 1, 1))) for _ in range(6)]
    total = scaled[0]
    for k, term in enumerate(scaled[1:]):
        total = n.node(IntAdd((1, -3), k), total, term)
    n.outs = (a, b, c, n.steps(total, 3))  # type: ignore[attr-defined]
    return n


def matrices() -> Net:
    """Products of streams: columns or terms in rows, heads side by side or one after the other; bytes of every sign, wide codes, parts of a
    layer's channels, more terms than the weight buffer holds at once.
    """
    n = Net(20, x=((6, 2, 10), -8, 7), y=((6, 2, 10), 0, 200), z=((3, 2, 12), -300, 500), u=((2, 3, 5), -8, 7), v=((1, 70, 9), 0, 255))
    a = n.steps(n.node(IntMatMul((10, 6), 2, (1, 1), True), "x", "y"), 3)
    b = n.node(IntMatMul((12, 10), 1, (1, 4)), n.node(View((3, 2, 12)), "z"), "x")
    c = n.node(IntMatMul((12, 12), 1, (1, 1)), "z", n.node(IntConcat(), n.conv("y", 9), n.conv("y", 3)))
    d = n.node(IntSlice(3, 8), n.steps(n.conv("y", 11), 4))
    e = n.steps(n.node(IntMatMul((5, 3), 2, (2, 3), True), d, "u"), 4, -8)
    f = n.conv(n.node(IntMatMul((5, 2), 3, (4, 1), True), d, "u"), 4)
    g = n.node(IntMatMul((70, 9), 1), n.steps(n.conv("x", 70), 2), "v")
    n.outs = (a, b, c, e, f, g)  # type: ignore[attr-defined]
    return n


def shares() -> Net:
    """Distances from the largest of a row, in whole words or not, limited or not, of wide codes; shares of a sum of what a table makes of
    them, and of codes.
    """
    n = Net(21, x=((3, 2, 21), -8, 7), y=((2, 3, 16), -300, 300), z=((2, 2, 5), 0, 40))
    far = n.node(IntBelowMax(11), n.steps(n.conv("x", 12), 4))
    table = np.rint(4096 * np.exp(-np.arange(12) / 3)).astype(np.int64)[None]
    a = n.node(IntNormalize(1000, 67, 15, -8), n.node(LookupCode(0), far, table=table))
    b = n.node(
        IntNormalize(3, 1, 3, 0, "half_down"), n.node(LookupCode(0), n.node(IntBelowMax(15), "x"), table=4096 >> np.arange(16)[None])
    )
    c = n.node(IntNormalize(9, 2, 5, 1, "up"), "z")
    d = n.node(IntNormalize(9, 2, 5), n.conv(n.conv("z", 4, top=1), 1, top=0))
    n.outs = (n.conv(a, 5), b, c, d, n.node(IntBelowMax(450), "y"), n.node(IntNormalize(1, 1, 1, 0, "down"), "z"))  # type: ignore[attr-defined]
    return n


def norms() -> Net:
    """Rows over the root of their squares, with and without their mean, before thresholds that rise and fall, before a layer, at the
    end; of one channel, of codes of two bytes.
    """
    n = Net(22, x=((3, 2, 21), -8, 7), y=((2, 3, 9), 0, 200), z=((2, 2, 1), -3, 3))
    a = n.node(IntStandardize(True, 14, 6, 5, 3), "x")
    b = n.node(ThresholdCode(3, -4), a, t=np.sort(n.rng.integers(-300, 300, (21, 7)), axis=1), f=n.rng.random(21) < 0.5)
    c = n.node(IntStandardize(False, 13, 3), "y")
    d = n.node(IntStandardize(True, 12, 1, 7), n.node(IntAdd((1, -1)), "y", n.conv("y", 9, top=1)))
    n.outs = (a, n.conv(b, 5), n.steps(c, 4), n.conv(d, 3, top=1), n.node(IntStandardize(False, 9, 0), "z"))  # type: ignore[attr-defined]
    return n


def blocks(n: Net, weights: Array, share: float, pe: int = 8, simd: int = 8) -> Array:
    """Weights (oc, kh, kw, ic) with a share of their blocks of pe x simd zero."""
    oc, kh, kw, ic = weights.shape
    kept = n.rng.random((-(-oc // pe), kh, kw, -(-ic // simd))) >= share
    return weights * np.repeat(np.repeat(kept, pe, axis=0), simd, axis=3)[:oc, ..., :ic]


def zeros() -> Net:
    """Words of zeros in windows with pads, of codes and weights of several bytes, in part of the passes, and all of a tile's."""
    n = Net(15, x=((6, 5, 40), -8, 7))
    window = Window((3, 3), (1, 2), (1, 1, 1, 1), (1, 1))
    x = n.steps(n.node(IntConv(window, 1, -3), "x", w=blocks(n, n.rng.integers(-7, 8, (24, 3, 3, 40)), 0.6)), 4)
    w = blocks(n, n.rng.integers(-3, 4, (40, 1, 1, 24)), 0.5)
    w[:16] = 0
    x = n.node(IntConv(Window(), 1, 0), x, w=w * 40)
    w = blocks(n, n.rng.integers(-2, 3, (16, 2, 1, 40)), 0.7) * 256 + blocks(n, n.rng.integers(-100, 100, (16, 2, 1, 40)), 0.7)
    n.node(IntConv(Window((2, 1), (1, 1), (1, 0, 0, 0)), 1, 5), x, w=w)
    return n


def levels() -> Net:
    """Dense layers of few levels: two, four, eleven, with and without words of zeros, and one of too many."""
    n = Net(16, x=((1, 1, 240), -8, 7))
    x = "x"
    for k, values in enumerate(([-90, 3], [-77, -5, 0, 127], [-128, -100, -3, 0, 7, 9, 90, 91, 92, 100, 127], list(range(-60, 60)))):
        w = n.rng.choice(values, (80 if k else 240, 1, 1, n.tensors[x].channels))
        x = n.node(IntConv(Window(), 1, 0), x, w=w if k != 2 else blocks(n, w, 0.5))
        x = n.steps(x, 4, -8) if k < 3 else x
    return n


MAKERS = (
    convolutions, branches, pools, flattened, cut, transposed, positions, products, tables, wide, least_codes, requantized, partial,
    matrices, shares, norms, zeros, levels,
)  # fmt: skip
CASES: dict[str, Callable[[], Net]] = {f.__name__: f for f in MAKERS}


def outputs(n: Net) -> tuple[str, ...]:
    return getattr(n, "outs", (n.nodes[-1].name,))

"""How the matrix-vector units multiply: the form of the products, their latency and their area.

Bipolar operands never reach a multiplier when thresholds follow; the constants they leave go into the thresholds:

* both bipolar: x.w = 2 * popcount(xnor(x, w)) - K.
* bipolar weights, integer inputs: the product is x where w = +1 and ~x (all bits of the pattern) where w = -1.
  ~x is -x - 1 for signed x and 2**bits - 1 - x for unsigned x, so the sum is off by a constant for each -1 of the row.
* bipolar inputs b in {0, 1}, integer weights: x.w = 2 * sum(b * w) - sum(w).

Products of so few bits that counting ones is cheaper than adding products (`PLANE_LIMIT`) are summed bit plane by
bit plane: the popcount of all (bit i of x) & (bit j of w), weighted by 2**(i + j).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

from dfcompile.ir.types import IntType
from dfcompile.units.area import LUTS_PER_BRAM18, bram18_count
from dfcompile.units.base import Array, Resources
from dfcompile.units.thresholding import Thresholding

PLANE_LIMIT = 6
ARITHMETIC_CODES = {"auto": 0, "lut": 1, "dsp": 2}
_DSP_PRODUCT_BITS = 9  # synthesisers put products of this many bits and more into DSP slices


@dataclass(frozen=True, eq=False)
class MacForm:
    """What the multiply-accumulate array of a unit really does.

    x:            type of an input element as it is multiplied
    w:            type of a weight as it is stored
    xnor:         the product is the input pattern, complemented where the 1-bit weight is 0
    acc:          type of the accumulator
    thresholding: thresholds on that accumulator, or None
    double:       without thresholds and with both operands bipolar: the output is 2 * accumulator - K
    """

    x: IntType
    w: IntType
    xnor: bool
    acc: IntType
    thresholding: Thresholding | None
    double: bool

    @property
    def factors(self) -> tuple[int, int]:
        """Bits of input and weight at the multiplier (a bipolar one without thresholds becomes -1 or +1 in two bits)."""
        return (2 if self.x.bipolar else self.x.bits), self.w.bits

    @property
    def planar(self) -> bool:
        """Whether products are summed bit plane by bit plane."""
        x, w = self.factors
        return x * w <= PLANE_LIMIT

    @property
    def gated(self) -> bool:
        """Whether a product is an AND or XOR, which needs no register of its own."""
        x, w = self.factors
        return self.xnor or (x == 1 and not self.x.signed) or (w == 1 and not self.w.signed)

    def parameters(self, out: IntType) -> dict[str, int]:
        """The part of a unit's parameters that says how it multiplies, adds and compares; `out` is its output's type."""
        counting = self.thresholding
        return {
            "InBits": self.x.bits,
            "InSigned": int(self.x.signed),
            "InBipolar": int(self.x.bipolar),
            "WeightBits": self.w.bits,
            "WeightSigned": int(self.w.signed),
            "Xnor": int(self.xnor),
            "AccBits": self.acc.bits,
            "AccSigned": int(self.acc.signed),
            "ThreshBits": counting.dtype.bits if counting else 0,
            "ThreshShared": int(counting.shared) if counting else 0,
            "Flip": int(counting.flips) if counting else 0,
            "OutBits": out.bits,
            "OutSigned": int(out.signed and not out.bipolar),
            "Double": int(self.double),
        }

    def dot_latency(self, simd: int) -> int:
        """Cycles from operands to their sum in `dfc_dot`."""
        if self.planar:
            x, w = self.factors
            return popcount_latency(simd) + clog2(x * w)
        return max(1, clog2(simd)) if self.gated else 1 + clog2(simd)

    def latency(self, simd: int, steps: int) -> int:
        """Cycles from the last of `steps` steps of a sum to its valid output."""
        threshold = self.thresholding.out.bits if self.thresholding else 0
        return 2 + self.dot_latency(simd) + (steps > 1) + threshold


def mac_form(rows: Array, x: IntType, w: IntType, acc: IntType, out: IntType, thresholds: Array | None, flip: Array | None) -> MacForm:
    """The form for integer weight rows (channels, k); `acc` holds every sum, `out` is the type of the outputs."""
    if thresholds is None:
        if x.bipolar and w.bipolar:
            return MacForm(IntType(1), w, True, IntType.holding(0, rows.shape[1]), None, True)
        return MacForm(x, IntType(2, signed=True) if w.bipolar else w, False, acc, None, False)
    counting = Thresholding(acc, out, thresholds, flip)
    if w.bipolar:
        return _xnor_form(rows, x, acc, counting)
    if x.bipolar:
        total = rows.sum(axis=1)
        held = IntType.holding(int(np.minimum(rows, 0).sum(axis=1).min()), int(np.maximum(rows, 0).sum(axis=1).max()))
        return MacForm(IntType(1), w, False, held, counting.affine(2, -total, held), False)
    return MacForm(x, w, False, acc, counting, False)


def _xnor_form(rows: Array, x: IntType, acc: IntType, counting: Thresholding) -> MacForm:
    """Bipolar weights: sum of x or ~x."""
    k = rows.shape[1]
    if x.bipolar:
        held = IntType.holding(0, k)
        return MacForm(IntType(1), IntType(1), True, held, counting.affine(2, np.array([-k]), held), False)
    excess = (rows < 0).sum(axis=1) * (-1 if x.signed else x.hi)
    held = IntType.holding(acc.lo + int(excess.min()), acc.hi + int(excess.max()))
    return MacForm(x, IntType(1), True, held, counting.affine(1, -excess, held), False)


def clog2(n: int) -> int:
    """Smallest b with 2**b >= n."""
    return (n - 1).bit_length()


def popcount_latency(terms: int) -> int:
    """Cycles of `dfc_popcount`: threes of bits, threes of those, then pairs."""
    return 1 + (terms > 3) + clog2(ceil(terms / 9))


def exact_dtype(bound: int) -> np.dtype[Any]:
    """The fastest numpy dtype in which sums of integers are exact while every partial sum stays within +-bound."""
    if bound < 1 << 24:
        return np.dtype(np.float32)
    return np.dtype(np.float64 if bound < 1 << 53 else np.int64)


def sum_bound(rows: Array, x: IntType) -> int:
    """Largest magnitude of any partial sum of x times the rows' weights, and of x."""
    most = max(-x.lo, x.hi)
    return max(most, int(np.abs(rows).sum(axis=-1).max()) * most)


def rom_style(depth: int, width: int, style: str) -> str:
    """`style`, or for "auto" the cheaper of LUTs and block RAM."""
    if style != "auto":
        return style
    return "bram" if width * ceil(depth / 64) > LUTS_PER_BRAM18 * bram18_count(depth, width, "xc7") else "lut"


def rom(depth: int, width: int, style: str, family: str) -> Resources:
    """A read-only memory with a registered output; constants cost nothing."""
    if depth == 1:
        return Resources()
    if rom_style(depth, width, style) in ("lut", "lutram"):
        entries = 16 if family == "ecp5" else 64
        return Resources(lut=width * max(depth / entries, 0.5), ff=width)
    return Resources(bram36=bram18_count(depth, width, family) / 2)


def tree_area(terms: int, bits: int) -> Resources:
    """Registered binary adder tree."""
    area = Resources()
    while terms > 1:
        bits += 1
        area = area + Resources(lut=(terms // 2) * bits, ff=((terms + 1) // 2) * bits)
        terms = (terms + 1) // 2
    return area


def popcount_area(terms: int) -> Resources:
    """`dfc_popcount`, with the AND or XNOR of its bits."""
    threes = ceil(terms / 3)
    area = Resources(lut=2 * threes, ff=2 * threes)
    if terms <= 3:
        return area
    nines = ceil(terms / 9)
    return area + Resources(lut=4 * nines, ff=4 * nines) + tree_area(nines, 4)


def dot_area(form: MacForm, simd: int, arithmetic: str, family: str) -> Resources:
    """One lane's dot product of `simd` terms."""
    x, w = form.factors
    scale = 1.6 if family == "ecp5" else 1.0  # a function of six inputs takes several LUT4
    if form.planar:
        planes = [popcount_area(simd) for _ in range(x * w)]
        area = sum(planes, Resources()) + Resources(lut=(x * w - 1) * (x + w + clog2(simd + 1)), ff=(x * w - 1) * form.acc.bits)
    elif form.gated:
        area = Resources(lut=simd * max(x, w)) + tree_area(simd, max(x, w))
    elif arithmetic == "dsp" or (arithmetic == "auto" and x + w >= _DSP_PRODUCT_BITS):
        area = Resources(dsp=simd * ceil(x / 25) * ceil(w / 18)) + tree_area(simd, x + w)
    else:
        area = Resources(lut=simd * x * w * 1.1, ff=simd * (x + w)) + tree_area(simd, x + w)
    return Resources(area.lut * scale, area.ff, dsp=area.dsp)


def threshold_area(counting: Thresholding, folds: int, lanes: int, style: str, family: str) -> Resources:
    """`dfc_threshold_core`: for each lane and stage a comparator and a memory of folds * 2**stage thresholds."""
    bits, out = counting.dtype.bits, counting.out.bits
    folds = 1 if counting.shared else folds
    lane = Resources()
    for stage in range(out):
        depth = folds << stage
        memory = rom(depth, bits, ("bram" if depth >= 1024 else "lut") if style == "auto" else style, family)
        compare = Resources(lut=bits * (0.6 if family == "ecp5" else 0.5) + 1, ff=counting.acc.bits + stage + 1)
        lane = lane + memory + compare
    return Resources(*(lanes * v for v in (lane.lut, lane.ff, lane.bram36, lane.uram, lane.dsp)))

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

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import ceil

import numpy as np

from dfcompile.device.family import FAMILIES
from dfcompile.ir.types import IntType
from dfcompile.units.base import Array
from dfcompile.units.parts.carry import CARRY, carry_levels
from dfcompile.units.parts.packed import PACKED, Packing, most_packed
from dfcompile.units.parts.thresholding import PICKED, SCALED_BITS, START, Thresholding, ThresholdSize

PLANE_LIMIT = 6
NARROW_PRODUCT = 8
"""Bits of a product up to which its operands have no registers of their own, unless LUTs or a DSP slice are asked for."""
_GROUP = 4  # bits of a weight that products in LUTs add at a time
ARITHMETIC_CODES = {"auto": 0, "lut": 1, "dsp": 2, "carry4": 3, "carry8": 4, "packed25": 5, "packed27": 6}
"""What multiplies: chosen by the widths, LUTs, DSP slices, LUTs on carry chains, chains of DSP slices that have several products each."""
CHAINS = (*CARRY, *PACKED)
"""Arithmetic with an accumulator of its own."""
_DEEP_STAGE = 128  # entries of a threshold stage from which block RAM is worth a thought


@dataclass(frozen=True)
class Products:
    """What a lane multiplies and sums: all that the area of its products depends on.

    x:    type of an input element as it is multiplied
    w:    type of a weight as it is stored
    xnor: the product is the input pattern, complemented where the 1-bit weight is 0
    acc:  type of the accumulator
    """

    x: IntType
    w: IntType
    xnor: bool
    acc: IntType

    @cached_property
    def factors(self) -> tuple[int, int]:
        """Bits of input and weight at the multiplier (a bipolar one without thresholds becomes -1 or +1 in two bits)."""
        return (2 if self.x.bipolar else self.x.bits), self.w.bits

    @cached_property
    def planar(self) -> bool:
        """Whether products are summed bit plane by bit plane."""
        x, w = self.factors
        return x * w <= PLANE_LIMIT

    @cached_property
    def gated(self) -> bool:
        """Whether a product is an AND or XOR, which needs no register of its own."""
        x, w = self.factors
        return self.xnor or (x == 1 and not self.x.signed) or (w == 1 and not self.w.signed)

    def pack(self, arithmetic: str) -> int:
        """Products of one input that a slice has, their weights one operand; 1 where it has no more than one."""
        plain = self.planar or self.gated or self.x.bipolar
        return 1 if plain else most_packed(*self.factors, arithmetic)

    def packing(self, simd: int, arithmetic: str) -> Packing:
        """How slices hold `simd` products of a lane, where `pack` is more than 1."""
        return Packing.of((self.x.bits, self.x.signed), (self.w.bits, self.w.signed), simd, arithmetic)

    def registers(self, arithmetic: str) -> bool:
        """Whether operands wait a cycle in registers in front of the products, those of a DSP slice where there is one.

        A block RAM whose word comes late then has a cycle for itself, and so has a multiplier.
        """
        if self.planar:
            return not self.gated and arithmetic == "lut"
        wide = arithmetic == "auto" and sum(self.factors) > NARROW_PRODUCT
        return not self.gated and (wide or arithmetic in ("lut", "dsp"))

    def joins(self, arithmetic: str) -> bool:
        """Whether products in LUTs are joined of parts, which have registers: each of four bits of the weight."""
        return arithmetic == "lut" and not self.planar and self.registers(arithmetic) and self.w.bits > _GROUP

    def in_dsp(self, arithmetic: str, family: str) -> bool:
        """Whether products go into DSP slices: synthesis puts none of few bits there."""
        if self.planar or self.gated or arithmetic in ("lut", *CARRY):
            return False
        dsp = FAMILIES[family].dsp
        return dsp is not None and (arithmetic in PACKED or sum(self.factors) >= dsp.least)

    def dot_latency(self, simd: int, arithmetic: str) -> int:
        """Cycles from operands to their sum in `dfc_dot`, or to the accumulator of one of `CHAINS`."""
        if arithmetic in CARRY:
            return 1 + carry_levels(simd * self.w.bits)
        if arithmetic in PACKED:
            return self.packing(simd, arithmetic).latency
        if self.planar:
            x, w = self.factors
            return self.registers(arithmetic) + popcount_latency(simd) + clog2(x * w)
        return max(1, clog2(simd)) if self.gated else self.registers(arithmetic) + self.joins(arithmetic) + 1 + clog2(simd)


@dataclass(frozen=True, eq=False)
class MacForm:
    """What the multiply-accumulate array of a unit really does.

    thresholding: thresholds on the accumulator, or None
    double:       without thresholds and with both operands bipolar: the output is 2 * accumulator - K
    start:        bits of a sum that starts with minus its one rising threshold, so that its sign is the code; 0 where there is none
    """

    products: Products
    thresholding: Thresholding | None
    double: bool
    start: int = 0

    @property
    def size(self) -> tuple[Products, ThresholdSize | None, bool, int]:
        """What area and latency depend on."""
        return self.products, self.thresholding.size if self.thresholding else None, self.double, self.start

    def acc_bits(self, threshold_style: str) -> int:
        """Bits of a sum."""
        return self.start if threshold_style == START else self.products.acc.bits

    def starts(self, folds: int, steps: int, arithmetic: str) -> bool:
        """Whether sums of so many steps can start with their thresholds, of which a lane has one for each of `folds` results in turn."""
        picked = self.thresholding is not None and (self.thresholding.shared or folds <= PICKED)
        return self.start > 0 and picked and (arithmetic in CARRY or (steps > 1 and arithmetic not in PACKED))

    def parameters(self, out: IntType, threshold_style: str) -> dict[str, int]:
        """The part of a unit's parameters that says how it multiplies, adds and compares; `out` is its output's type."""
        p = self.products
        none = {"ThreshBits": 0, "ThreshFactorBits": 0, "ThreshShift": 0, "ThreshShared": 0, "Flip": 0}
        counting = self.thresholding.parameters(threshold_style) if self.thresholding else none
        return {
            "InBits": p.x.bits,
            "InSigned": int(p.x.signed),
            "InBipolar": int(p.x.bipolar),
            "WeightBits": p.w.bits,
            "WeightSigned": int(p.w.signed),
            "Xnor": int(p.xnor),
            "AccBits": self.acc_bits(threshold_style),
            "AccSigned": int(p.acc.signed),
            **counting,
            "OutBits": out.bits,
            "OutSigned": int(out.signed and not out.bipolar),
            "Double": int(self.double),
        }

    def latency(self, simd: int, steps: int, arithmetic: str, threshold_style: str) -> int:
        """Cycles from the last of `steps` steps of a sum to its valid output."""
        threshold = self.thresholding.out.bits if self.thresholding and threshold_style != START else 0
        return 2 + self.products.dot_latency(simd, arithmetic) + (steps > 1 or arithmetic in CHAINS) + threshold


def mac_form(rows: Array, x: IntType, w: IntType, acc: IntType, counting: Thresholding | None) -> MacForm:
    """The form for integer weight rows (channels, k); `acc` holds every sum, `counting` is what becomes of it."""
    if counting is None:
        if x.bipolar and w.bipolar:
            return MacForm(Products(IntType(1), w, True, IntType.holding(0, rows.shape[1])), None, True)
        return MacForm(Products(x, IntType(2, signed=True) if w.bipolar else w, False, acc), None, False)
    if w.bipolar:
        return _xnor_form(rows, x, acc, counting)
    least, most = np.minimum(rows, 0).sum(axis=1), np.maximum(rows, 0).sum(axis=1)
    if x.bipolar:
        held = IntType.holding(int(least.min()), int(most.max()))
        return _counted(Products(IntType(1), w, False, held), counting.affine(2, -rows.sum(axis=1), held), least, most)
    return _counted(Products(x, w, False, acc), counting, most * x.lo + least * x.hi, most * x.hi + least * x.lo)


def _xnor_form(rows: Array, x: IntType, acc: IntType, counting: Thresholding) -> MacForm:
    """Bipolar weights: sum of x or ~x."""
    k = rows.shape[1]
    if x.bipolar:
        held, ends = IntType.holding(0, k), (np.zeros(1, np.int64), np.full(1, k))
        return _counted(Products(IntType(1), IntType(1), True, held), counting.affine(2, np.array([-k]), held), *ends)
    excess = (rows < 0).sum(axis=1) * (-1 if x.signed else x.hi)
    held = IntType.holding(acc.lo + int(excess.min()), acc.hi + int(excess.max()))
    ends = np.full(1, k * x.lo), np.full(1, k * x.hi)  # of ~x as of x
    return _counted(Products(x, IntType(1), True, held), counting.affine(1, -excess, held), *ends)


def _counted(products: Products, counting: Thresholding, least: Array, most: Array) -> MacForm:
    """With thresholds on sums from `least` to `most`, of each channel or of all."""
    if counting.out.bits > 1 or counting.flips:
        return MacForm(products, counting, False)
    within = counting.within(least, most)
    ends = within.clipped[:, 0]
    return MacForm(products, within, False, IntType.holding(min(int((least - ends).min()), -1), int((most - ends).max())).bits)


def threshold_styles(counting: ThresholdSize, folds: int, family: str = "") -> tuple[str, ...]:
    """Styles worth comparing for a threshold core: its memories in LUTs ("auto": but for very deep stages), or a product instead.

    family: whose multipliers a product is made of; "" where that is left to the tool
    """
    deepest = (1 if counting.shared else folds) << (counting.out - 1)
    compared = ("auto", "bram") if deepest >= _DEEP_STAGE else ("auto",)
    if not counting.scaling or counting.out < SCALED_BITS:
        return compared
    dsp = FAMILIES[family].dsp if family else None
    return (*compared, f"multiply{dsp.columns}" if dsp else "multiply", "shift_add")


def mac_styles(form: MacForm, words: int, folds: int, family: str, chains: tuple[str, ...], together: int = 1) -> Iterator[dict[str, str]]:
    """Styles worth comparing: weights and thresholds in LUTs or block RAM, products in LUTs, in DSP slices or on carry chains.

    chains: arithmetic on carry chains that the unit has. Weights that are constants thin out plain logic, but no chain
    together: lanes of the same inputs
    """
    weights, kinds = mac_kinds(form, words, family, chains, together)
    thresholds = threshold_styles(form.thresholding.size, folds, family) if form.thresholding else ("auto",)
    for weight, threshold, arithmetic in product(weights, (*thresholds, *((START,) if form.start else ())), kinds):
        if threshold == START and not form.starts(folds, words // folds, arithmetic):
            continue
        yield {"weight_style": weight, "threshold_style": threshold, "arithmetic": arithmetic}
        if weight == "bram" and arithmetic == "auto" and form.products.registers("lut"):  # bit planes behind registers: the word comes late
            yield {"weight_style": weight, "threshold_style": threshold, "arithmetic": "lut"}


def mac_kinds(form: MacForm, words: int, family: str, chains: tuple[str, ...], together: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of `mac_styles` those of weights, and those of arithmetic but for plain logic behind registers."""
    return ("lut", "bram") if words > 1 else ("auto",), arithmetics(form.products, family, chains if words > 1 else (), together)


def arithmetics(products: Products, family: str, chains: tuple[str, ...], together: int) -> tuple[str, ...]:
    """Arithmetic worth comparing; chains: what a unit has of those on carry chains; together: lanes of the same inputs."""
    plain = ("lut", "dsp") if products.in_dsp("auto", family) else ("auto",)
    slices = FAMILIES[family].packed
    packed = (slices,) if slices and min(together, products.pack(slices)) > 1 else ()
    return (*plain, *packed, *(c for c in chains if c == FAMILIES[family].carry))


def style_fields(styles: Iterable[Mapping[str, str]]) -> Iterator[tuple[str, str, str]]:
    """Of each of `mac_styles` those of weights, thresholds and arithmetic."""
    return ((s["weight_style"], s["threshold_style"], s["arithmetic"]) for s in styles)


def mac_modules(arithmetic: str) -> tuple[str, ...]:
    """Files of the library that `dfc_sums` needs for an arithmetic alone."""
    if arithmetic in CARRY:
        return ("dfc_dot_carry.sv", "dfc_dot_plain.sv")
    return ("dfc_dots_packed.sv", "dfc_dot_plain.sv") if arithmetic in PACKED else ()


def hls_arithmetic(parameters: Mapping[str, int]) -> dict[str, int]:
    """Parameters of a C++ template: its compiler makes LUTs and slices of its own where the SystemVerilog has carry chains or packs."""
    plain = {ARITHMETIC_CODES[c]: ARITHMETIC_CODES["lut"] for c in CARRY} | {ARITHMETIC_CODES[p]: ARITHMETIC_CODES["dsp"] for p in PACKED}
    return {k: plain.get(v, v) if k == "Arithmetic" else v for k, v in parameters.items()}


def clog2(n: int) -> int:
    """Smallest b with 2**b >= n."""
    return (n - 1).bit_length()


def popcount_latency(terms: int) -> int:
    """Cycles of `dfc_popcount`: threes of bits, threes of those, then pairs."""
    return 1 + (terms > 3) + clog2(ceil(terms / 9))


GRAPH = "graph"
"""What does not: adders of constant weights."""


def sum_bound(rows: Array, x: IntType) -> int:
    """Largest magnitude of any partial sum of x times the rows' weights, and of x."""
    most = max(-x.lo, x.hi)
    return max(most, int(np.abs(rows).sum(axis=-1, dtype=np.float64).max()) * most)

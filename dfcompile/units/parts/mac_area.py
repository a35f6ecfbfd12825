"""Area of the multiply-accumulate arrays: the modules of `dfc_mac`, part by part as the SystemVerilog is written.

Trees are walked node by node with the widths that the modules give them; what a synthesiser makes of a small function is a
coefficient of the device family, fitted on the calibration sweep.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from math import ceil
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from dfcompile.device.area import (
    KEPT,
    counter,
    distinct,
    index_bits,
    lutram_luts,
    ram,
    registers,
    rom,
    rom_bit,
    rom_style,
    stream_out,
    total,
)
from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Areas, Resources
from dfcompile.ir.types import IntType
from dfcompile.units.parts import threshold_area
from dfcompile.units.parts.arithmetic import MacForm, Products, mac_kinds
from dfcompile.units.parts.carry import CARRY, carry_area, carry_reach
from dfcompile.units.parts.packed import PACKED
from dfcompile.units.parts.thresholding import START

T = TypeVar("T")
_JOINED_WORD = 2.6  # LUTs of a bit of a word without room beside others, by those of it alone: what is behind it is made again
_LATE = 64  # beats of a vector up to which it is read again out of distributed RAM with no register behind it


def clog2(n: int) -> int:
    """Smallest b with 2**b >= n."""
    return (n - 1).bit_length()


def adder_tree(terms: int, bits: int, limit: int, family: str) -> Resources:
    """`dfc_adder_tree`: numbers of `bits` bits, sums of at most `limit`; one that waits three levels is a shift register."""
    lut = ff = 0.0
    waiting: list[int] = []  # bits of the odd number out, level by level
    while terms > 1:
        grown = min(bits + 1, limit)
        lut += (terms // 2) * bits * FAMILIES[family].costs.adder
        ff += (terms // 2) * grown
        if terms % 2:
            waiting.append(bits)
        if not terms % 2 or terms == 3:
            shifted = len(waiting) >= 3 and FAMILIES[family].shifts
            lut += waiting[0] if shifted else 0
            ff += 0 if shifted else sum(waiting)
            waiting = []
        terms, bits = (terms + 1) // 2, grown
    return Resources(lut, ff)


def popcount(terms: int, family: str, fixed: bool = False, own: float = 1.0) -> Resources:
    """`dfc_popcount` with the AND or XNOR of its bits.

    fixed: one side of these is constant; own: share of its first counts that no other lane has too
    """
    cost = FAMILIES[family].costs
    if fixed:
        cost = replace(cost, three=2.0)
    threes, left = divmod(terms, 3)
    lut, ff = threes * cost.three * own, threes * 2.0 * own
    if left:
        lut, ff = lut + left * cost.three / 2, ff + left
    if terms <= 3:
        return Resources(lut, ff)
    nines, rest = divmod(terms, 9)
    lut, ff = lut + nines * cost.nine, ff + nines * 4
    if rest > 3:
        lut, ff = lut + (0.75 if rest <= 6 else 1) * cost.nine, ff + (3 if rest <= 6 else 4)
    elif rest:
        ff += 2
    return Resources(lut, ff) + adder_tree(ceil(terms / 9), 4, clog2(terms + 1), family)


def _planes(x: int, w: int, count: int, limit: int, family: str) -> Resources:
    """Tree that adds the counts of the x * w bit planes, each at its weight."""
    lut = ff = 0.0
    nodes = [(i + j, i + j + count) for i in range(x) for j in range(w)]  # lowest bit, one above the highest
    while len(nodes) > 1:
        merged = []
        for a, b in zip(nodes[::2], nodes[1::2], strict=False):
            low, high = min(a[0], b[0]), min(max(a[1], b[1]) + 1, limit)
            lut += max(high - max(a[0], b[0]) - 1, 0) * FAMILIES[family].costs.adder
            ff += high - low
            merged.append((low, high))
        if len(nodes) % 2:
            merged.append(nodes[-1])
            ff += nodes[-1][1] - nodes[-1][0]
        nodes = merged
    return Resources(lut, ff)


@lru_cache(maxsize=KEPT)
def dot(products: Products, simd: int, arithmetic: str, fixed: int, family: str) -> Resources:
    """One lane's `dfc_dot` of `simd` terms; fixed: lanes whose weights are constants, which thins them out, or 0."""
    x, w = products.factors
    limit, cost, dsp = products.acc.bits, FAMILIES[family].costs, FAMILIES[family].dsp
    if products.planar:
        ones = simd if products.xnor or not fixed else ceil(simd / 2)  # an AND with 0 leaves nothing to count
        own = distinct(fixed, 3) / fixed if fixed and products.xnor else 1.0
        waiting = Resources(ff=simd * w if products.registers(arithmetic) and not fixed else 0)
        return total(*[popcount(ones, family, fixed > 0, own)] * (x * w), _planes(x, w, clog2(simd + 1), limit, family), waiting)
    if products.gated:
        bits = max(x, w)
        if simd == 1:
            return Resources(lut=bits, ff=bits)
        return Resources(lut=simd * bits * cost.gate) + adder_tree(simd, bits, limit, family)
    tree = adder_tree(simd, x + w, limit, family)
    in_dsp = products.in_dsp(arithmetic, family)
    weights = Resources(ff=simd * w if products.registers(arithmetic) else 0)  # in front of the products
    if products.joins(arithmetic):
        weights = weights + Resources(ff=simd * (w * (x + 1) / 4 + w))  # parts: bits of the input, and four or fewer more
    if fixed:
        digits = 0.0 if in_dsp else 0.58 * x * max(0, w - 4)  # of a constant of more bits each second is an addition
        return tree + Resources(lut=simd * (1 + digits), ff=simd * min(x + w, limit) * 0.45, dsp=0.4 * simd if in_dsp else 0)
    if dsp and in_dsp:
        slices = simd * ceil(x / dsp.columns) * ceil(w / dsp.rows)
        if not dsp.registered:
            return tree + weights + Resources(ff=simd * min(x + w, limit), dsp=slices)
        first = simd // 2
        return tree + Resources(lut=-first * (x + w), ff=-first * min(x + w + 1, limit), dsp=slices)
    product = x + w if x + w <= 6 <= FAMILIES[family].lut_inputs else x * w * cost.product
    return Resources(lut=simd * product, ff=simd * min(x + w, limit)) + tree + weights


@lru_cache(maxsize=KEPT)
def packed(products: Products, lanes: int, simd: int, steps: int, arithmetic: str, family: str) -> Resources:
    """A lane's share of `dfc_dots_packed`: slices, operands that wait for them, the tree of its chains and the accumulator."""
    (x, w), acc, form = products.factors, products.acc.bits, products.packing(simd, arithmetic)
    waiting = form.late(simd) * (w + x / lanes) + form.term * (form.chain * form.chains - simd)
    slices = Resources(
        lut=acc * int(steps > 1) * FAMILIES[family].costs.adder, ff=acc + waiting, dsp=ceil(lanes / form.pack) * simd / lanes
    )
    return slices + adder_tree(form.chains, form.term, acc, family)


@lru_cache(maxsize=KEPT)
def product(a: int, b: int, family: str) -> Resources:
    """A registered product of numbers of so many bits."""
    dsp = FAMILIES[family].dsp
    if dsp and min(a, b) >= 2 and a + b >= dsp.least:
        return Resources(ff=0 if dsp.registered else a + b, dsp=math.ceil(a / dsp.rows) * math.ceil(b / dsp.rows))
    return Resources(lut=a * b * FAMILIES[family].units.multiply, ff=a + b)


def accumulator(acc: int, family: str) -> Resources:
    """The two registers and the adder of `acc` bits of a lane that sums over several steps."""
    return Resources(lut=acc * FAMILIES[family].costs.adder, ff=2 * acc)


def input_style(rows: int, columns: int, family: str) -> str:
    """Where vectors of so many beats are kept that so many folds of rows read: "lutram" where LUTs of 64 words are that."""
    return "lutram" if rows > 1 and 1 < columns <= _LATE and FAMILIES[family].lut_inputs >= 6 else "auto"


@lru_cache(maxsize=KEPT)
def inputs(width: int, rows: int, columns: int, family: str, style: str = "auto") -> Resources:
    """`dfc_mvtu_inputs` for beats of `width` bits."""
    counters = counter(columns, family) + counter(rows, family) + Resources(ff=(columns > 1) + 2 * (rows > 1))
    if rows == 1 or columns == 1:
        return counters + Resources(ff=width)
    if style == "lutram":
        kept = Resources(lut=lutram_luts(columns, width, family)) if FAMILIES[family].lutram else registers(columns, width)
        return total(counters, kept, Resources(ff=index_bits(columns)))
    return total(counters, ram(columns, width, "auto", family), Resources(lut=width, ff=width))


def mask(products: Products, simd: int, run: int, steps: int, family: str) -> Resources:
    """What `dfc_mvtu` keeps the padding of a run's last beat out of XNOR products with."""
    tail = run % simd
    if not products.xnor or not tail:
        return Resources()
    beats = -(-run // simd)
    return Resources(lut=(simd - tail) * products.x.bits, ff=1) + (counter(beats, family) if beats != steps else Resources())


@lru_cache(maxsize=KEPT)
def _places(of_part: tuple[T, ...]) -> tuple[tuple[T, ...], NDArray[np.int64]]:
    """The different ones, and which of them each is."""
    different = tuple(dict.fromkeys(of_part))
    return different, np.array([different.index(s) for s in of_part])


def style_of(unit: Any) -> dict[str, str]:
    """The one of `mac_styles` that a unit has."""
    return {"weight_style": unit.weight_style, "threshold_style": unit.threshold_style, "arithmetic": unit.arithmetic}


def arrays(
    form: MacForm,
    lanes: int,
    simd: int,
    steps: int,
    folds: int,
    slots: Callable[[str, str], int],
    output: int,
    styles: Iterable[tuple[str, str, str]],
    family: str,
    own: bool = False,
) -> Areas:
    """`dfc_mac` and the memory of its weights, a row for each of several styles: of weights, thresholds, arithmetic.

    steps: of a sum; folds: results of a lane in turn; slots: of the output buffer, by arithmetic and thresholds; output: bits of a result
    own: whether each lane has inputs of its own
    """
    words, width = folds * steps, lanes * simd * form.products.w.bits
    dsp, fixed = FAMILIES[family].dsp, lanes if words == 1 else 0
    kept, compared, multiplied = zip(*styles, strict=True)
    (memories, memory), (ends, end) = _places(kept), _places(compared)
    kinds, kind = _places(tuple((a, t == START) for a, t in zip(multiplied, compared, strict=True)))
    sums = [
        _sums(form, lanes, simd, steps, folds, slots(a, START if starts else ""), output, a, starts, family, fixed, own)
        for a, starts in kinds
    ]
    weights = [rom(words, width, rom_style(words, width, style), family) for style in memories]
    if dsp and dsp.registered and words > 1:  # the slices' own operand registers
        weights += [w._replace(ff=-simd * form.products.x.bits) for w in weights]
        memory = memory + len(memories) * np.array([form.products.in_dsp(a, family) for a, _ in kinds])[kind]
    areas: Areas = np.array(sums)[kind]
    areas += np.array([_end(form, lanes, folds, output, style, family) for style in ends])[end]
    areas += np.array(weights)[memory]
    areas += counter(words, family)
    return areas


def mac(
    form: MacForm,
    lanes: int,
    simd: int,
    steps: int,
    folds: int,
    slots: int,
    output: int,
    styles: tuple[str, str],
    family: str,
    fixed: int = 0,
    own: bool = False,
) -> Resources:
    """`dfc_mac`, as `arrays` has it; styles: of thresholds, arithmetic; fixed: lanes whose weights are constants, or 0."""
    threshold_style, arithmetic = styles
    sums = _sums(form, lanes, simd, steps, folds, slots, output, arithmetic, threshold_style == START, family, fixed, own)
    return total(sums, _end(form, lanes, folds, output, threshold_style, family))


def _sums(
    form: MacForm,
    lanes: int,
    simd: int,
    steps: int,
    folds: int,
    slots: int,
    output: int,
    arithmetic: str,
    starts: bool,
    family: str,
    fixed: int,
    own: bool,
) -> Resources:
    """Products, their sums and the output buffer; starts: sums start with their thresholds."""
    waiting = Resources(lut=4, ff=1 + 2 * form.products.dot_latency(simd, arithmetic))
    if form.products.registers(arithmetic):
        waiting = waiting + Resources(ff=simd * form.products.factors[0] * (lanes if own else 1))
    lane = _lane(form.products, lanes, simd, steps, arithmetic, fixed, family)
    if starts and form.thresholding:
        rows = 1 if form.thresholding.shared else folds
        lane = _started(form, simd, rows, arithmetic, fixed, family)
        waiting = waiting + counter(rows, family) + Resources(ff=2)  # the last fold, and the first step of a sum
    return total(lane * lanes, stream_out(lanes * output, slots, family), waiting)


def _lane(products: Products, lanes: int, simd: int, steps: int, arithmetic: str, fixed: int, family: str) -> Resources:
    """A lane's products and their sum."""
    if arithmetic in PACKED:
        return packed(products, lanes, simd, steps, arithmetic, family)
    if arithmetic in CARRY:
        return Resources(*carry_area(simd, *products.factors, products.acc.bits))
    lane = dot(products, simd, arithmetic, fixed, family)
    return lane + accumulator(products.acc.bits, family) if steps > 1 else lane


def _started(form: MacForm, simd: int, rows: int, arithmetic: str, fixed: int, family: str) -> Resources:
    """A lane's products and their sum that starts with one of `rows` words.

    A place takes a bit of the word by the number of its row; in LUTs of six inputs it finds room beside others. On carry chains the LUTs of
    the places that the products reach are full.
    """
    products, size, bits = form.products, FAMILIES[family].lut_inputs, form.start
    address = (rows - 1).bit_length()
    word = 0.0 if rows == 1 else rom_bit(rows, family)  # LUTs of a bit of the word
    if arithmetic in CARRY:
        lut, ff = carry_area(simd, *products.factors, bits)
        reach = min(bits, carry_reach(simd, *products.factors) + 1)
        low = 0.0 if rows == 1 else 1 + word * (address + 2 > size)
        return Resources(lut + reach * low + (bits - reach) * word * (address + 2 > size), ff + (reach == bits))
    reach = min(bits, _sum_bits(products, simd))
    sums = replace(products, acc=IntType(bits, products.acc.signed))
    own = [address + inputs <= size or rows == 1 for inputs in (3, 2)]  # whether a place's LUT has room for it, beside a product or not
    chosen = 0.0 if size >= 6 else bits  # LUTs that choose between the word and the sum
    extra = chosen + (word if own[1] else word * _JOINED_WORD) * (reach * (not own[0]) + (bits - reach) * (not own[1]))
    return dot(sums, simd, arithmetic, fixed, family) + Resources(bits * FAMILIES[family].costs.adder + extra, bits)


def _sum_bits(products: Products, simd: int) -> int:
    """Bits of the sum of a step's products, at least; all where it has a sign."""
    x, w = products.factors
    if products.x.signed or (products.w.signed and not products.xnor) or products.x.bipolar:
        return products.acc.bits
    most = ((1 << x) - 1) * (1 if products.xnor else (1 << w) - 1)
    return (simd * most).bit_length()


def least_cost(
    form: MacForm, lanes: int, simd: int, steps: int, words: int, chains: tuple[str, ...], together: int, family: str, prices: Areas
) -> float:
    """What `arrays` costs at least in any of `mac_styles`, by its lanes' lookup tables and slices and its weights' memory.

    chains, together: as `mac_styles` takes them; prices: of each of `cost.MEASURES`
    """
    fixed, lut, bram, dsp = lanes if words == 1 else 0, float(prices[0]), float(prices[2]), float(prices[4])
    memories, kinds = mac_kinds(form, words, family, chains, together)
    made = [_lane(form.products, lanes, simd, steps, a, fixed, family) for a in kinds]
    width = lanes * simd * form.products.w.bits
    kept = [rom(words, width, rom_style(words, width, m), family) for m in memories]
    return lanes * max(0.0, min(lut * m.lut + dsp * m.dsp for m in made)) + min(lut * m.lut + bram * m.bram36 for m in kept)


def _end(form: MacForm, lanes: int, folds: int, output: int, threshold_style: str, family: str) -> Resources:
    """What sums go through on their way out."""
    if form.thresholding and threshold_style == START:
        return Resources(lut=0.5 * lanes)
    if form.thresholding:
        return threshold_area.thresholds(form.thresholding.size, folds, lanes, threshold_style, family)
    return Resources(lut=0.3 * lanes * output) if form.double else Resources()

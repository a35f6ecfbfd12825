"""Paths of the multiply-accumulate arrays: the modules of `dfc_mac`, stage by stage as the SystemVerilog is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from dfcompile.device.delay import Path, lut_levels, rom_levels
from dfcompile.device.family import FAMILIES
from dfcompile.units.parts import digits
from dfcompile.units.parts.carry import CARRY
from dfcompile.units.parts.packed import PACKED, columns
from dfcompile.units.parts.thresholding import MULTIPLIERS, SCALED, START, ScaleStages, StageMemory, ThresholdSize

if TYPE_CHECKING:
    from dfcompile.units.parts.arithmetic import MacForm, Products

_THREE = 6  # inputs of a count of three products of bits


def sums(
    products: Products, simd: int, lanes: int, memory: bool, arithmetic: str, family: str, own: int = 1, start: tuple[int, int] = (0, 0)
) -> Iterator[Path]:
    """`dfc_sums`: from the weights to the accumulator; memory: whether weights come out of a block RAM; lanes: of the same inputs.

    own: groups of such lanes, each with inputs of its own; start: bits of sums that start with one of so many words, or 0
    """
    size, (x, w) = FAMILIES[family].lut_inputs, products.factors
    acc = products.acc.bits
    if arithmetic in CARRY:
        yield Path("weights through a carry chain", carries=(x + w,), memory=memory, fanout=lanes)
    elif products.planar:
        if products.registers(arithmetic):
            yield Path("weights to the registers of products", memory=memory, stores=True)
            memory = False
        levels = lut_levels(min(simd, 3) * 2, size)
        yield Path("weights to counts of ones", levels=levels, memory=memory, fanout=lanes * w)
        yield Path("counts of ones", levels=lut_levels(_THREE, size))
    elif products.gated:
        yield Path("weights to a sum of two inputs", levels=1, carries=(max(x, w),), memory=memory, fanout=lanes)
    else:
        slices = own * simd * -(-lanes // (products.pack(arithmetic) if arithmetic in PACKED else 1))
        yield from _products(products, lanes, slices, memory, arithmetic, family)
    bits, rows = start
    full = int(bits > 0 and (rows - 1).bit_length() + 3 > size)  # LUTs of words in front of those that add
    yield Path("the accumulator", levels=1 + full * rom_levels(rows, size), carries=(bits or acc,))


def inputs(products: Products, width: int, lanes: int, simd: int, arithmetic: str, family: str) -> Iterator[Path]:
    """`dfc_mvtu_inputs` that are read again out of distributed RAM, of `width` bits a beat: a LUT in front of what reads them."""
    behind = next(sums(products, simd, lanes, False, arithmetic, family))
    yield replace(behind, what="inputs that are read again", levels=behind.levels + 1, fanout=max(width, behind.fanout))


def _products(products: Products, lanes: int, slices: int, memory: bool, arithmetic: str, family: str) -> Iterator[Path]:
    x, w = products.factors
    if arithmetic in PACKED:  # a slice's first adder as a carry chain of its bits, which is slower: 1.7 ns in 7 series, 1.3 by Yosys' cells
        yield Path("weights to the first adders of slices", carries=(columns(arithmetic),), memory=memory, stores=True)
        memory = False
    if products.registers(arithmetic):
        yield Path("weights to the registers of products", memory=memory, stores=True)
        memory = False
    if products.in_dsp(arithmetic, family):
        yield Path("a product", products=1, memory=memory, fanout=lanes, slices=slices)
        return
    rows = min(w, 4) if arithmetic == "lut" else w
    yield Path("a product in LUTs", levels=1 + lut_levels(rows, 3), carries=(x + rows,), memory=memory, fanout=lanes)


def product(a: int, b: int, family: str) -> Iterator[Path]:
    """A registered product of numbers of so many bits."""
    dsp = FAMILIES[family].dsp
    if dsp and min(a, b) >= 2 and a + b >= dsp.least:
        parts = -(-max(a, b) // dsp.columns) * -(-min(a, b) // dsp.rows)
        yield Path("a product", products=1, carries=(a + b,) * (parts > 1))
    else:
        yield Path("a product in LUTs", levels=1 + lut_levels(min(a, b), 3), carries=(a + b,))


def thresholds(counting: ThresholdSize, folds: int, lanes: int, style: str, family: str) -> Iterator[Path]:
    """`dfc_threshold_core`; folds: results of a lane in turn."""
    size = FAMILIES[family].lut_inputs
    if counting.scaling and style in SCALED:
        yield from _scaled(counting, lanes, style, family)
        return
    rows = 1 if counting.shared else folds
    free = StageMemory.CONSTANT
    memories = [*(StageMemory.of(stage, rows, style) for stage in range(counting.out)), free, free]
    for stage, memory in enumerate(memories[: counting.out]):
        after, then = memories[stage + 1 : stage + 3]
        what = f"threshold stage {stage + 1} of {counting.out}"
        if memory == StageMemory.EARLY_WORD:
            yield Path(f"the threshold of stage {stage + 1} of {counting.out}", levels=1, memory=True)
        late = int(memory == StageMemory.LATE_WORD)
        behind = (
            rom_levels(1 << (rows - 1).bit_length() + stage + 1, size) if after == StageMemory.LUTS else after == StageMemory.EARLY_WORD
        )
        fanout = counting.bits if behind or late else 1
        bits = (rows - 1).bit_length() + stage  # of an address
        late += rom_levels(1 << bits, size) if memory == StageMemory.JOINED and bits >= size else 0
        block, compared = memory == StageMemory.BLOCK, (max(counting.acc, counting.bits),)
        yield Path(what, late + behind, compared, memory=block, stores=after == StageMemory.BLOCK, fanout=fanout)
        if then == StageMemory.EARLY_WORD:
            yield Path(what, late, compared, memory=block, stores=True, fanout=counting.bits if late else 1)


def _scaled(counting: ThresholdSize, lanes: int, style: str, family: str) -> Iterator[Path]:
    """`dfc_threshold_scale`."""
    scaling = counting.scaling
    assert scaling is not None, "asked for where there is a scaling"
    acc, factor, dsp = counting.acc + 1, scaling.factor_bits, FAMILIES[family].dsp
    stages = ScaleStages.of(style, acc, factor, counting.out)
    whole = acc + factor
    if style == "shift_add":
        yield from digits.paths(acc, factor, stages.product, family)
    else:
        joined = () if stages.parts else (whole,) * sum(n > 1 for n in stages.pieces)
        if dsp and stages.pieces == (1, 1) and max(acc, factor) > dsp.columns:
            joined = (whole,) * (1 + (min(acc, factor) > dsp.rows))  # what the tool joins of parts of its own
        if dsp and style in MULTIPLIERS:
            slices = lanes * stages.pieces[0] * stages.pieces[1]
            yield Path("the product of a requantization", products=1, carries=joined, slices=slices)
        if stages.parts:
            yield Path("pieces of a product that are joined", carries=(whole,) * (1 if stages.rows or 1 in stages.pieces else 2))
    yield Path("the sum of a requantization", carries=(max(whole, scaling.offset_bits),))
    above = max(1, whole - scaling.shift - counting.out)  # bits that are looked at for the clip
    yield Path("the clip of a requantization", levels=2 + lut_levels(above, FAMILIES[family].lut_inputs))


def mac(
    form: MacForm, lanes: int, simd: int, folds: int, memory: bool, styles: tuple[str, str], family: str, own: int = 1
) -> Iterator[Path]:
    """`dfc_mac`; styles: of thresholds, arithmetic; folds: results of a lane in turn; own: as `sums`."""
    threshold_style, arithmetic = styles
    starts = form.thresholding is not None and threshold_style == START
    rows = 1 if form.thresholding and form.thresholding.shared else folds
    yield from sums(form.products, simd, lanes, memory, arithmetic, family, own, (form.start, rows) if starts else (0, 0))
    if form.thresholding and not starts:
        yield from thresholds(form.thresholding.size, folds, own * lanes, threshold_style, family)


def step(width: int, words: int, family: str) -> Iterator[Path]:
    """A step that enables registers of `width` bits and a counter of words."""
    bits = max(1, (words - 1).bit_length())
    yield Path("the step", levels=1, stores=True, fanout=width + bits)
    yield Path("the count of words", levels=lut_levels(bits, FAMILIES[family].lut_inputs), carries=(bits,))


def next_word(words: int, lanes: int, family: str, chosen: bool = False) -> Iterator[Path]:
    """A word of a memory in LUTs whose address is found in the same cycle; of 4-input LUTs shorter than others wherever it was placed.

    chosen: whether it says of each weight which of some inputs it is of, which by netlists is four LUTs more
    """
    size, bits = FAMILIES[family].lut_inputs, (words - 1).bit_length()
    if bits and size > 4:
        yield Path("the next word of weights", levels=2 + 4 * chosen + rom_levels(words, size), carries=(bits,), fanout=lanes)

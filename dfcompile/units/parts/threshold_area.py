"""Area of thresholds: `dfc_threshold_core`, stage by stage as the SystemVerilog is written."""

from __future__ import annotations

from functools import lru_cache
from math import ceil

from dfcompile.device.area import KEPT, blocks, compare, counter, index_bits, rom, total
from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Resources
from dfcompile.units.parts import digits
from dfcompile.units.parts.thresholding import MULTIPLIERS, SCALED, ScaleStages, ScalingSize, StageMemory, ThresholdSize

_CONSTANT = 1.5  # LUTs of a bit of a constant's digit that is added


@lru_cache(maxsize=KEPT)
def thresholds(counting: ThresholdSize, folds: int, lanes: int, style: str, family: str) -> Resources:
    """`dfc_threshold_core`: for each lane and stage a comparator and a memory of folds * 2**stage thresholds."""
    bits, out, acc = counting.bits, counting.out, counting.acc
    if counting.scaling and style in SCALED:
        return scaled(counting.scaling, acc + 1, out, folds, lanes, style, family)
    rows = 1 if counting.shared else folds
    lane = Resources(ff=(out - 1) * acc + out * (out + 1) / 2)
    memories = []
    for stage in range(out):
        depth, stored = rows << stage, StageMemory.of(stage, rows, style)
        padded = 1 << (depth - 1).bit_length()
        lane = lane + compare(max(acc, bits), depth == 1, family)
        if stored == StageMemory.EARLY_WORD:
            lane = lane + Resources(bits, bits)
            memories.append(blocks(padded, bits, family, two_ports=True) * lanes)
        elif stored == StageMemory.BLOCK:
            memories.append(rom(padded, bits, "uram" if style == "uram" else "bram", family) * lanes)
        else:  # equal columns of all lanes are stored once
            chosen, joined = stored == StageMemory.LATE_WORD, stored == StageMemory.JOINED
            words = rom(depth, bits * lanes, "lutram" if style == "lutram" else "lut", family, late=stage > 0 and not chosen and not joined)
            if joined:  # few words find room in the LUTs that compare
                words = words._replace(ff=0, lut=0 if depth <= 8 and FAMILIES[family].lut_inputs >= 6 else words.lut)
            memories.append(words + Resources(bits * lanes, bits * lanes) * chosen)
    if counting.flips:
        memories.append(rom(rows, lanes, "lut", family) + Resources(lut=out * lanes))
    fold = counter(rows, family) + Resources(ff=index_bits(rows) * (out - 1) if rows > 1 else 0)
    return total(lane * lanes, *memories, fold, Resources(ff=out))


def scaled(scaling: ScalingSize, acc: int, out: int, folds: int, lanes: int, style: str, family: str) -> Resources:
    """`dfc_threshold_core` by a product of `acc` bits with the multiplier, an adder, and the clip, in each lane."""
    factor, offset, cost = scaling.factor_bits, scaling.offset_bits, FAMILIES[family].costs
    own, dsp = FAMILIES[family].units, FAMILIES[family].dsp
    stages = ScaleStages.of(style, acc, factor, out)
    rows = 1 if scaling.shared else folds
    product = acc + factor
    bits = max(product, offset) + 1
    memory = rom(rows, (factor + offset) * lanes, "bram" if rows >= 1024 else "lut", family)
    late = out - stages.product - 1  # stages of codes that wait
    waiting = min(late + 1, 2) * out if FAMILIES[family].shifts else late * out
    lane = Resources(lut=1.5 * out, ff=bits - scaling.shift + waiting)
    adder = Resources(lut=bits * cost.adder * (1.0 if rows > 1 else own.fixed))
    if style in MULTIPLIERS and dsp:
        lane = lane + _multiplied(stages, acc, factor, rows > 1, family)
        if lane.dsp == 1 and dsp.registered:  # the slice's registers are the input's, and it adds an offset that is no constant
            memory = memory if rows > 4 else memory._replace(lut=0.6 * memory.lut, ff=0)
            lane = lane + Resources(lut=adder.lut if rows == 1 else 0, ff=scaling.shift - bits - (acc - 1))
        else:
            lane = lane + adder + Resources(ff=product)
    elif style in MULTIPLIERS and rows > 1:
        lane = lane + adder + Resources(lut=acc * factor * own.multiply, ff=product + stages.operands * product)
    elif style in MULTIPLIERS:  # a constant: the tool adds its digits, of which a third are not 0 once they have signs
        size = ceil(factor / stages.product)
        share = ((1 + (acc + size) / product) / 2) ** 1.25  # of the product's bits a digit adds to its own and to those above
        terms = _CONSTANT * (scaling.digits * 8 / 9 - 1) * share
        kept = stages.product * min(acc + size, product) + (stages.product - 1) * acc
        lane = lane + adder + Resources(lut=product * terms * cost.adder, ff=kept)
    else:
        made = digits.area(acc, factor, stages.product, scaling.digits if rows == 1 else 0.0, scaling.falls, family)
        lane = lane + adder + made
    return total(lane * lanes, memory, counter(rows, family), Resources(ff=out))


def _multiplied(stages: ScaleStages, acc: int, factor: int, varies: bool, family: str) -> Resources:
    """The product of a lane of `scaled` in DSP slices: pieces, what joins them, and all registers but the last.

    varies: whether the factor is no constant
    """
    cost, dsp = FAMILIES[family].costs, FAMILIES[family].dsp
    assert dsp is not None, "there is no product in slices without them"
    (a, f), (wide, narrow) = stages.pieces, sorted(stages.wide, reverse=True)
    each = ceil(wide / dsp.columns) * ceil(narrow / dsp.rows)
    operands = 0 if dsp.registered else acc + factor * varies
    made = Resources(ff=operands * stages.operands, dsp=a * f * each)
    if a * f == 1:
        return made + Resources(lut=1.6 * (acc + factor) * cost.adder if each >= 4 else 0)  # what joins the partial products
    row = acc + stages.wide[1]
    joined = (a - 1) * f * row + (f - 1) * (acc + factor - stages.wide[1])
    kept = a * f * sum(stages.wide) * stages.parts + f * row * stages.rows
    return made + Resources(lut=joined * cost.adder, ff=kept)

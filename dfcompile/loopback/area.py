"""Estimated area of an engine, from the structure of the SystemVerilog.

The constants are set by one synthesis (`dfcompile synth` on xc7, pe=8, simd=8, weight_bits=4, act_words=4096, weight_words=512,
acc_words=512): 15,981 LUT, 8,366 FF, 16 BRAM36, 8 DSP. The same with weight_bits=8: 13,895 LUT, 6,959 FF, 20 BRAM36, 72 DSP; with
tree_levels=5 as well 10,333 LUT, 5,931 FF, and with scale_bits=25 beside these 12,995 LUT, 7,567 FF, 88 DSP. Other shapes are extrapolated,
and what lists of steps and levels of weights add is measured by itself (`python -m benchmarks.loopback_area`, docs/loopback.md).
"""

from __future__ import annotations

from math import ceil

from dfcompile.device.area import block_count, distributed, sum_of
from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Resources
from dfcompile.loopback.config import BYTE, EngineConfig
from dfcompile.units.parts.carry import carry_area, carry_levels

# Program reader, three queues, AXI masters, registers, address generator.
CONTROL_LUT, CONTROL_FF = 4550.0, 3170.0
QUEUE = 16
LEVEL_LUT = {1: -0.87, 2: 0.95, 4: 0.24}  # of a bit of 2, 4 or 16 levels, beside the choice of the kind of number
KIND_LUT, LIST_LUT = 1.65, 45.0
MULTIPLIER_LUT_PER_BIT = 1.25  # of the product of the two widths
DISTRIBUTED = 64  # partial sums of an output up to which they lie in distributed RAM
PIXEL_LUT_PER_BIT, PIXEL_FF_PER_BIT = 5.0, 5.0  # of a sum of each pixel but the first: no products, no positions, thresholds in turn
PIXEL_LUT = 360.0  # its address, and its turn
DIGIT_LUT_PER_BIT = 1.87  # the same where codes are digits narrower than a byte


def resources(config: EngineConfig, family: str) -> Resources:
    """LUT, flip-flops, block RAM and DSP of an engine; multipliers of 8-bit weights are DSPs, narrower ones LUTs.

    Each row has a DSP more, for products of two streams.
    """
    lanes, dots = config.lanes, products(config, family)
    sums = config.pe * config.acc_bits * 6.5  # with the best value, its place, and the choice of a result
    others = (config.pixels - 1) * (config.pe * config.acc_bits * PIXEL_LUT_PER_BIT + PIXEL_LUT)
    tree = sum_of(distributed(config.tree_banks << k, config.acc_bits, family) + Resources(lut=18) for k in range(config.tree_levels))
    expand = lanes * config.weight_bits * 0.75
    queues = distributed(QUEUE, 640 + 2 * 128, family)
    half, width, ultra = max(2, config.act_words // 2), config.act_bits * config.simd, FAMILIES[family].uram if config.act_uram else None
    writer = 8.0 * config.pe * 2 + width
    blocks = (
        (0 if ultra else 2 * config.pixels * block_count(half, width, family))
        + block_count(config.weight_words, lanes * config.weight_bits, family)
        + (0 if config.acc_words <= DISTRIBUTED else config.pixels * block_count(config.acc_words, config.pe * config.acc_bits, family))
    )
    ff = CONTROL_FF + lanes * 8 + config.pe * (config.acc_bits * (4 + config.tree_levels) + 14)
    ff += (config.pixels - 1) * config.pe * config.acc_bits * PIXEL_FF_PER_BIT
    lut = CONTROL_LUT + sums + others + expand + writer
    uram = 2 * config.pixels * ceil(half / ultra[0]) * ceil(width / ultra[1]) if ultra else 0
    whole = Resources(lut, ff, blocks * FAMILIES[family].block, uram, config.pe) + dots + tree * config.pe + queues
    if config.acc_words <= DISTRIBUTED:
        whole += distributed(config.acc_words, config.pe * config.acc_bits, family) * config.pixels
    if config.root_bits:  # a subtraction, an addition and a choice; the rest, the step and the number, with their descriptor's fields
        whole += Resources(lut=4.0 * config.root_bits, ff=3.0 * config.root_bits + 60)
    if config.repeat_bits:  # two products, counters, and where turns and the rest begin
        whole += Resources(lut=240 + 4.0 * config.repeat_bits, ff=140 + 3.0 * config.repeat_bits, dsp=2)
    whole += lists(config, family) + levels(config)
    return whole + scaling(config) if config.scale_bits else whole


def products(config: EngineConfig, family: str) -> Resources:
    """The dot products of all rows (`dfc_lb_dot`): on carry chains, in pairs in DSP slices, or by lanes."""
    a, w, simd = config.act_bits, config.weight_bits, config.simd
    levels, rows = config.adders, config.pe * config.pixels - config.dsp_rows
    paired = _pairs(config) if config.dsp_rows else Resources()
    block = config.rtl_parameters(FAMILIES[family].carry)["Block"]
    if block and not (a == w == BYTE) and 1 + carry_levels(simd * w) <= levels:
        row = Resources(*carry_area(simd, a, w, a + w + levels))
        waits = (levels - 1 - carry_levels(simd * w)) * (a + w + levels)
        return (row + Resources(ff=waits)) * rows + paired
    adders = Resources(lut=(simd - 1) * (a + w + 1), ff=(simd - 1) * (a + w + 1))
    if w == BYTE:  # a DSP slice has its own registers
        return (adders + Resources(dsp=simd)) * rows + paired
    lane = Resources(lut=a * w * (MULTIPLIER_LUT_PER_BIT if a == BYTE else DIGIT_LUT_PER_BIT), ff=a + w)
    return (adders + lane * simd) * rows + paired


def _pairs(config: EngineConfig) -> Resources:
    """Rows of two products and their sum in a slice; the operand of two codes, and what lower weights have too much, are for all rows."""
    a, w, half = config.act_bits, config.weight_bits, config.simd // 2
    field, levels = a + w + 1, config.adders
    sums = sum((half >> level) * (field + level) for level in range(1, levels)) + field + levels
    shared = half * (a + 1) + max(0, half - 1) * (a + 2) + field + levels
    row = Resources(lut=sums, ff=sums + half * (field + 1), dsp=half)
    return row * config.dsp_rows + Resources(lut=shared, ff=shared - half * (a + 1)) * ceil(config.dsp_rows / config.pe)


def lists(config: EngineConfig, family: str) -> Resources:
    """What lists of steps add: a memory; a step's address and position, chosen before those of the loops, and the step in a bus word."""
    if not config.list_words:
        return Resources()
    return Resources(
        lut=LIST_LUT + 32.0 * (config.bus_bits > 32),
        ff=2,
        bram36=block_count(config.list_words, config.bus_bits, family) * FAMILIES[family].block,
    )


def levels(config: EngineConfig) -> Resources:
    """What levels of weights add: for each bit that a bus word of numbers becomes a choice between the kinds of numbers, and of a level.

    Numbers that do not fill a bus word of the buffer's are not read. The choice of two levels goes into that of the kind.
    """
    kinds = [b for b in (1, 2, 4) if config.reads_numbers(b)]
    if not kinds:
        return Resources()
    bits = {b: config.bus_bits // b * config.weight_bits for b in kinds}
    lut = KIND_LUT * len(kinds) * bits[kinds[0]] + sum(LEVEL_LUT[b] * n for b, n in bits.items())
    return Resources(lut=lut, ff=min(128.0, (config.weight_bits << kinds[-1]) * 128 / config.bus_bits))


def scaling(config: EngineConfig) -> Resources:
    """What requantization adds: for each row the products of a multiplier and 17 bits of a sum in DSPs, two adders, a shift and a clip."""
    bits, sums = config.scaled_bits, config.scaled_bits - config.scale_bits
    dsp = ceil((sums - 1) / 17) * ceil((config.scale_bits - 1) / 24)
    return Resources(lut=6.0 * bits - 9, ff=3.0 * bits + config.acc_bits, dsp=dsp) * config.pe


def fits(config: EngineConfig, family: str, budget: dict[str, float]) -> bool:
    """Whether an engine is within a board's budget."""
    used = resources(config, family)
    return all(getattr(used, key) <= limit for key, limit in budget.items())

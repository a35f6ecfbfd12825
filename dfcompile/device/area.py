"""Area of the parts that units are made of, per device family.

A LUT is one of the family's own; a bram36 is 36 kbit, so an 18-kbit block counts a half. Formulas follow the structure of the
SystemVerilog; their few coefficients are the family's (`dfcompile.device.family`), fitted on the calibration sweep (docs/cost.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from math import ceil, expm1, log1p

from dfcompile.device.family import DEFAULT, FAMILIES
from dfcompile.device.resources import Resources

STYLES = ("auto", "lut", "lutram", "bram", "uram", "multiply", "shift_add", "multiply18", "multiply25", "multiply27", "start")
"""Where a memory lies: chosen by its size, or in LUTs, distributed RAM, block RAM, UltraRAM; for thresholds also how a product does it,
or that sums start with them."""
STYLE_CODES = {style: i for i, style in enumerate(STYLES)}
KEPT = 1 << 16
"""Areas of each kind of part that are kept: the foldings of a network ask for the same ones again and again."""
# LUTs that one would spend to save an 18-kbit block RAM: about the ratio of the two on a mid-range device.
LUTS_PER_BRAM18 = 180


def index_bits(count: int) -> int:
    """Bits of a counter or index over `count` values, at least 1."""
    return max(1, (count - 1).bit_length())


@lru_cache(maxsize=KEPT)
def block_count(depth: int, width: int, family: str) -> int:
    """Block RAMs of a memory with one write and one read port."""
    return min(ceil(depth / d) * ceil(width / w) for d, w in FAMILIES[family].blocks)


@lru_cache(maxsize=KEPT)
def bram(depth: int, width: int, family: str, two_ports: bool = False) -> tuple[float, int]:
    """Size of a memory in blocks of 36 kbit, and banks of blocks that follow one another in depth, whose outputs are chosen from.

    two_ports: two read ports of free addresses, those of two memories where a block has one
    """
    f = FAMILIES[family]
    copies = 2 if two_ports and not f.shared else 1
    shapes = f.shared if two_ports and f.shared else f.blocks
    blocks, banks = min((ceil(depth / d) * ceil(width / w), ceil(depth / d / f.halves)) for d, w in shapes)
    return copies * blocks * f.block, banks


def blocks(depth: int, width: int, family: str, two_ports: bool = False) -> Resources:
    """Block RAMs of a memory, and the choice between their outputs, as `bram` counts them."""
    size, banks = bram(depth, width, family, two_ports)
    return mux(width, banks, family) * (1 + two_ports) * (banks > 1) + Resources(bram36=size)


@lru_cache(maxsize=KEPT)
def lutram_luts(depth: int, width: int, family: str) -> float:
    """LUTs of a memory with one write and one read port in distributed RAM, of the shape that takes the fewest blocks."""
    f = FAMILIES[family]
    banks, blocks, luts = min(
        ((ceil(depth / d), ceil(depth / d) * ceil(width / b), luts) for d, b, luts in f.lutram), key=lambda s: (s[1], s[0])
    )
    return luts * blocks + width * (banks - 1) * f.rates.bank + (banks if banks > 1 else 0)


def ram_style(depth: int, width: int, style: str = "auto") -> str:
    """Style of a memory with one write and one read port: `style`, or the cheaper of LUTRAM and block RAM."""
    if style != "auto":
        return style
    blocks = block_count(depth, width, DEFAULT)
    return "lutram" if lutram_luts(depth, width, DEFAULT) <= LUTS_PER_BRAM18 * blocks else "bram"


def ram_styles(depth: int, family: str) -> tuple[str, ...]:
    """Styles worth comparing for a memory with one write and one read port."""
    if depth == 1:
        return ("auto",)
    f = FAMILIES[family]
    return ("lutram", "bram") + ("uram",) * (f.uram is not None and depth >= 1024)


def ram(depth: int, width: int, style: str, family: str) -> Resources:
    """`dfc_ram`, or another memory with one write and one synchronous read port."""
    style = ram_style(depth, width, style)
    if style == "lutram" and FAMILIES[family].lutram:
        return Resources(lut=lutram_luts(depth, width, family), ff=width)
    if style == "lut" or depth == 1 or (style == "lutram" and _in_registers(depth, width, family)):
        return registers(depth, width)
    uram = FAMILIES[family].uram
    if style == "uram" and uram:
        return Resources(uram=ceil(depth / uram[0]) * ceil(width / uram[1]))
    return blocks(depth, width, family)


def _in_registers(depth: int, width: int, family: str) -> bool:
    """Whether a memory is of flip-flops where no RAM is distributed and it was not asked to be in block RAM.

    Synthesis counts so many bits for a block, and some more for what is around them.
    """
    return depth * width <= 10 + FAMILIES[family].registers * block_count(depth, width, family)


def registers(depth: int, width: int) -> Resources:
    """A memory of flip-flops with an asynchronous read port."""
    return Resources(lut=width * ceil((depth - 1) / 3) + (depth if depth > 2 else 0), ff=depth * width)


def rom_style(depth: int, width: int, style: str) -> str:
    """`style`, or for "auto" the cheaper of LUTs and block RAM."""
    if style != "auto":
        return style
    return "bram" if width * ceil(depth / 64) > LUTS_PER_BRAM18 * block_count(depth, width, DEFAULT) else "lut"


def rom_bit(depth: int, family: str) -> float:
    """LUTs of one bit of a read-only memory of arbitrary contents.

    A LUT6 holds 64 entries and the slice's multiplexers join two or four of them; further groups of four are muxed by LUTs. A
    LUT4 holds 16, and eight are joined. Of few entries some are constant or another bit's.
    """
    entries, joined = 1 << FAMILIES[family].lut_inputs, FAMILIES[family].joined
    if depth <= entries // 4:
        return min(1.0, 0.25 * (depth - 1).bit_length())
    groups, rest = divmod(depth, entries * joined)
    leaves = groups * joined + (1 << (ceil(rest / entries) - 1).bit_length() if rest else 0)
    groups += bool(rest)
    return leaves + (0.73 * groups if groups > 1 else 0)


def distinct(columns: int, depth: int) -> float:
    """Expected number of different ones among random columns of `depth` bits: equal bits of a memory are stored once."""
    if depth >= 24:
        return columns
    kinds = 1 << depth
    return kinds * -expm1(columns * log1p(-1 / kinds))


@lru_cache(maxsize=KEPT)
def rom(depth: int, width: int, style: str, family: str, late: bool = False) -> Resources:
    """`dfc_rom`: a read-only memory with a registered output; constants cost nothing.

    late: its address comes through logic and not from a register
    """
    if depth == 1:
        return Resources()
    if rom_style(depth, width, style) in ("lut", "lutram"):
        columns = distinct(width, depth)
        return Resources(lut=columns * rom_bit(depth, family) * (FAMILIES[family].rates.late if late and depth > 16 else 1), ff=columns)
    return blocks(depth, width, family)


@lru_cache(maxsize=KEPT)
def stream_out(width: int, slots: int, family: str) -> Resources:
    """The output buffer `dfc_stream_out`."""
    bits = slots.bit_length()
    rate = FAMILIES[family].rates.control
    control = Resources(lut=(4 * bits + 2) * rate, ff=2 * bits + 2)
    if slots == 1:
        return control + Resources(ff=width)
    index = index_bits(slots)
    return control + shallow(slots, width, family) + Resources(lut=2 * index * rate, ff=2 * index)


def shallow(depth: int, width: int, family: str) -> Resources:
    """A memory with an asynchronous read port, of at most some hundred words: registers where that is smaller."""
    f = FAMILIES[family]
    return registers(depth, width) if f.lutram and depth * width <= f.registers else distributed(depth, width, family)


def distributed(depth: int, width: int, family: str) -> Resources:
    """A memory in distributed RAM that is read at a register's address; where there is none, flip-flops or block RAM with a bypass."""
    if FAMILIES[family].lutram:
        return Resources(lut=lutram_luts(depth, width, family))
    if _in_registers(depth, width, family):
        return registers(depth, width)
    return blocks(depth, width, family) + Resources(lut=width + index_bits(depth), ff=width + 1)


@lru_cache(maxsize=KEPT)
def counter(count: int, family: str = DEFAULT) -> Resources:
    """A counter over `count` values that wraps."""
    if count == 1:
        return Resources()
    bits = index_bits(count)
    return Resources(lut=FAMILIES[family].rates.counter * bits, ff=bits)


def compare(bits: int, constant: bool, family: str) -> Resources:
    """A comparator of `bits` bits, with a constant or another number: two bits a LUT and a carry chain."""
    rates = FAMILIES[family].rates
    return Resources(lut=bits * (rates.constant if constant else rates.compare) + rates.compare_base)


def adder(bits: int, family: str) -> Resources:
    """Adder, subtractor or comparator of `bits` bits, without a register."""
    return Resources(lut=bits * FAMILIES[family].rates.adder)


def mux(bits: int, ways: int, family: str) -> Resources:
    """Multiplexer of `ways` words of `bits` bits."""
    return Resources(lut=bits * (ways - 1 if FAMILIES[family].lut_inputs < 6 else ceil(ways / 4)))


def total(*parts: Resources) -> Resources:
    """Sum of areas."""
    return sum_of(parts)


def sum_of(parts: Iterable[Resources]) -> Resources:
    """Sum of any number of areas."""
    lut = ff = bram = uram = dsp = 0.0
    for p in parts:
        lut, ff, bram, uram, dsp = lut + p.lut, ff + p.ff, bram + p.bram36, uram + p.uram, dsp + p.dsp
    return Resources(lut, ff, bram, uram, dsp)

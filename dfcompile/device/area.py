"""Area of the parts that units are made of, per device family.

A LUT is a LUT6 on "xc7" and "xcup" and a LUT4 on "ecp5"; a bram36 is 36 kbit, so an 18-kbit block counts a half. Formulas
follow the structure of the SystemVerilog; their few coefficients are fitted on the calibration sweep (docs/cost.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, expm1, log1p

from dfcompile.device.resources import Resources

STYLES = ("auto", "lut", "lutram", "bram", "uram", "multiply", "shift_add")
"""Where a memory lies: chosen by its size, or in LUTs, distributed RAM, block RAM, UltraRAM; for thresholds also how a product does it."""
STYLE_CODES = {style: i for i, style in enumerate(STYLES)}
BRAM18_SHAPES = ((16384, 1), (8192, 2), (4096, 4), (2048, 9), (1024, 18), (512, 36))
URAM_SHAPE = (4096, 72)
KEPT = 1 << 16
"""Areas of each kind of part that are kept: the foldings of a network ask for the same ones again and again."""
# LUTs that one would spend to save an 18-kbit block RAM: about the ratio of the two on a mid-range device.
LUTS_PER_BRAM18 = 180


@dataclass(frozen=True)
class Rates:
    """LUTs of small parts.

    counter:  per bit of a counter that wraps
    control:  of the handshake logic of an output buffer, against a LUT6
    compare:  per bit of a comparator, and each one besides; `constant` per bit where one side is fixed
    adder:    per bit
    late:     of a read-only memory whose address comes through logic, against one read from a register
    bank:     per bit and further bank of a distributed RAM
    """

    counter: float
    control: float
    compare: float
    compare_base: float
    constant: float
    adder: float
    late: float
    bank: float


_LUT6 = Rates(counter=2.35, control=1.0, compare=0.58, compare_base=3.2, constant=0.3, adder=0.95, late=0.95, bank=0.87)
RATES = {
    "xc7": _LUT6,
    "xcup": _LUT6,
    "ecp5": Rates(counter=2.84, control=1.97, compare=1.95, compare_base=0.5, constant=1.04, adder=1.36, late=2.05, bank=0.95),
}


def index_bits(count: int) -> int:
    """Bits of a counter or index over `count` values, at least 1."""
    return max(1, (count - 1).bit_length())


@lru_cache(maxsize=KEPT)
def bram18_count(depth: int, width: int, family: str) -> int:
    """18-kbit block RAMs of a memory with one write and one read port."""
    return min(ceil(depth / d) * ceil(width / w) for d, w in BRAM18_SHAPES)


@lru_cache(maxsize=KEPT)
def bram(depth: int, width: int, family: str) -> Resources:
    """Block RAMs of a memory, and the choice between the outputs of those that follow each other in depth."""
    places = 1 if family == "ecp5" else 2  # the two halves of a 36-kbit block need no multiplexer
    blocks, banks = min((ceil(depth / d) * ceil(width / w), ceil(depth / d / places)) for d, w in BRAM18_SHAPES)
    return mux(width, banks, family) * (banks > 1) + Resources(bram36=blocks / 2)


def lutram_luts(depth: int, width: int, family: str) -> float:
    """LUTs of a memory with one write and one read port in distributed RAM."""
    if family == "ecp5":  # a 16 x 4 block takes 4 LUTs and 2 more for its write port; a LUT4 muxes two blocks
        banks = ceil(depth / 16)
        return ceil(width / 4) * banks * 6 + width * (banks - 1) * RATES[family].bank + (banks if banks > 1 else 0)
    # RAM32M: 6 bits in 4 LUTs, RAM64M: 3 bits; synthesis takes the fewer blocks and chooses between their outputs.
    banks, blocks = min(((ceil(depth / d), ceil(depth / d) * ceil(width / b)) for d, b in ((32, 6), (64, 3))), key=lambda s: (s[1], s[0]))
    return 4 * blocks + width * (banks - 1) * RATES[family].bank + (banks if banks > 1 else 0)


def ram_style(depth: int, width: int, style: str = "auto") -> str:
    """Style of a memory with one write and one read port: `style`, or the cheaper of LUTRAM and block RAM."""
    if style != "auto":
        return style
    blocks = bram18_count(depth, width, "xc7")
    return "lutram" if lutram_luts(depth, width, "xc7") <= LUTS_PER_BRAM18 * blocks else "bram"


def ram_styles(depth: int, family: str) -> tuple[str, ...]:
    """Styles worth comparing for a memory with one write and one read port."""
    if depth == 1:
        return ("auto",)
    return ("lutram", "bram", "uram") if family == "xcup" and depth >= 1024 else ("lutram", "bram")


def ram(depth: int, width: int, style: str, family: str) -> Resources:
    """`dfc_ram`, or another memory with one write and one synchronous read port."""
    style = ram_style(depth, width, style)
    if style == "lut" or depth == 1:
        return registers(depth, width)
    if style == "lutram":
        return Resources(lut=lutram_luts(depth, width, family), ff=width)
    if style == "uram" and family == "xcup":
        return Resources(uram=ceil(depth / URAM_SHAPE[0]) * ceil(width / URAM_SHAPE[1]))
    return bram(depth, width, family)


def registers(depth: int, width: int) -> Resources:
    """A memory of flip-flops with an asynchronous read port."""
    return Resources(lut=width * ceil((depth - 1) / 3) + (depth if depth > 2 else 0), ff=depth * width)


def rom_style(depth: int, width: int, style: str) -> str:
    """`style`, or for "auto" the cheaper of LUTs and block RAM."""
    if style != "auto":
        return style
    return "bram" if width * ceil(depth / 64) > LUTS_PER_BRAM18 * bram18_count(depth, width, "xc7") else "lut"


def rom_bit(depth: int, family: str) -> float:
    """LUTs of one bit of a read-only memory of arbitrary contents.

    A LUT6 holds 64 entries and the slice's multiplexers join two or four of them; further groups of four are muxed by LUTs. A
    LUT4 holds 16, and eight are joined. Of few entries some are constant or another bit's.
    """
    entries, joined = (16, 8) if family == "ecp5" else (64, 4)
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
        return Resources(lut=columns * rom_bit(depth, family) * (RATES[family].late if late and depth > 16 else 1), ff=columns)
    return bram(depth, width, family)


@lru_cache(maxsize=KEPT)
def stream_out(width: int, slots: int, family: str) -> Resources:
    """The output buffer `dfc_stream_out`."""
    bits = slots.bit_length()
    rate = RATES[family].control
    control = Resources(lut=(4 * bits + 2) * rate, ff=2 * bits + 2)
    if slots == 1:
        return control + Resources(ff=width)
    index = index_bits(slots)
    return control + shallow(slots, width, family) + Resources(lut=2 * index * rate, ff=2 * index)


def shallow(depth: int, width: int, family: str) -> Resources:
    """A memory with an asynchronous read port, of at most some hundred words: registers where that is smaller."""
    if depth * width <= (24 if family == "xc7" else 23):
        return registers(depth, width)
    return Resources(lut=lutram_luts(depth, width, family))


def counter(count: int, family: str = "xc7") -> Resources:
    """A counter over `count` values that wraps."""
    if count == 1:
        return Resources()
    bits = index_bits(count)
    return Resources(lut=RATES[family].counter * bits, ff=bits)


def compare(bits: int, constant: bool, family: str) -> Resources:
    """A comparator of `bits` bits, with a constant or another number: two bits a LUT and a carry chain."""
    rates = RATES[family]
    return Resources(lut=bits * (rates.constant if constant else rates.compare) + rates.compare_base)


def adder(bits: int, family: str) -> Resources:
    """Adder, subtractor or comparator of `bits` bits, without a register."""
    return Resources(lut=bits * RATES[family].adder)


def mux(bits: int, ways: int, family: str) -> Resources:
    """Multiplexer of `ways` words of `bits` bits."""
    return Resources(lut=bits * (ways - 1 if family == "ecp5" else ceil(ways / 4)))


def total(*parts: Resources) -> Resources:
    """Sum of areas."""
    return sum_of(parts)


def sum_of(parts: Iterable[Resources]) -> Resources:
    """Sum of any number of areas."""
    lut = ff = bram = uram = dsp = 0.0
    for p in parts:
        lut, ff, bram, uram, dsp = lut + p.lut, ff + p.ff, bram + p.bram36, uram + p.uram, dsp + p.dsp
    return Resources(lut, ff, bram, uram, dsp)

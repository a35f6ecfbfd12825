"""Area of the parts that units are made of, per device family.

A LUT is a LUT6 on "xc7" and "xcup" and a LUT4 on "ecp5"; a bram36 is 36 kbit, so an 18-kbit block counts a half.
"""

from __future__ import annotations

from math import ceil

from dfcompile.units.base import Resources

STYLE_CODES = {"auto": 0, "lut": 1, "lutram": 2, "bram": 3, "uram": 4}
BRAM18_SHAPES = ((16384, 1), (8192, 2), (4096, 4), (2048, 9), (1024, 18), (512, 36))
# LUTs that one would spend to save an 18-kbit block RAM: about the ratio of the two on a mid-range device.
LUTS_PER_BRAM18 = 180


def index_bits(count: int) -> int:
    """Bits of a counter or index over `count` values, at least 1."""
    return max(1, (count - 1).bit_length())


def bram18_count(depth: int, width: int, family: str) -> int:
    """18-kbit block RAMs of a memory with one write and one read port."""
    shapes = [(d, w) for d, w in BRAM18_SHAPES if family != "ecp5" or w <= 36]
    return min(ceil(depth / d) * ceil(width / w) for d, w in shapes)


def lutram_luts(depth: int, width: int, family: str) -> float:
    """LUTs of a memory with one write and one read port in distributed RAM."""
    if family == "ecp5":  # a 16 x 4 block takes 4 LUTs and 2 more for its write port; a LUT4 muxes two blocks
        banks = ceil(depth / 16)
        return ceil(width / 4) * banks * 6 + width * (banks - 1)
    if depth <= 32:  # RAM32M: 6 bits in 4 LUTs
        return ceil(width / 6) * 4
    banks = ceil(depth / 64)  # RAM64M: 3 bits in 4 LUTs
    return ceil(width / 3) * 4 * banks + width * ceil((banks - 1) / 3)


def ram_style(depth: int, width: int, style: str = "auto") -> str:
    """Style of a memory with one write and one read port: `style`, or the cheaper of LUTRAM and block RAM."""
    if style != "auto":
        return style
    blocks = bram18_count(depth, width, "xc7")
    return "lutram" if lutram_luts(depth, width, "xc7") <= LUTS_PER_BRAM18 * blocks else "bram"


def ram(depth: int, width: int, style: str, family: str) -> Resources:
    """A memory with one write and one synchronous read port."""
    style = ram_style(depth, width, style)
    if style == "lut" or depth == 1:
        return Resources(lut=depth * width * (0.5 if depth > 1 else 0), ff=depth * width)
    if style == "lutram":
        return Resources(lut=lutram_luts(depth, width, family), ff=width)
    if style == "uram" and family == "xcup":
        return Resources(uram=ceil(depth / 4096) * ceil(width / 72))
    return Resources(bram36=bram18_count(depth, width, family) / 2)


def stream_out(width: int, slots: int, family: str) -> Resources:
    """The output buffer `dfc_stream_out`."""
    bits = slots.bit_length()
    control = Resources(lut=4 * bits + 2, ff=2 * bits + 2)
    if slots == 1:
        return control + Resources(ff=width)
    return control + Resources(lut=lutram_luts(slots, width, family) + 2, ff=2 * index_bits(slots))


def counter(count: int) -> Resources:
    """A counter over `count` values that wraps."""
    bits = index_bits(count) if count > 1 else 0
    return Resources(lut=1.5 * bits, ff=bits)


def adder(bits: int, family: str) -> Resources:
    """Adder, subtractor or comparator of `bits` bits, without a register."""
    return Resources(lut=bits * (1.2 if family == "ecp5" else 1.0))


def mux(bits: int, ways: int, family: str) -> Resources:
    """Multiplexer of `ways` words of `bits` bits."""
    per = (ways - 1) / 3 if family != "ecp5" else (ways - 1)
    return Resources(lut=bits * per)


def total(*parts: Resources) -> Resources:
    """Sum of areas."""
    found = Resources()
    for part in parts:
        found = found + part
    return found

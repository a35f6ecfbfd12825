"""What one build of the loopback engine can do: the generate-time parameters, equal in Python, C++ and SystemVerilog."""

from __future__ import annotations

from dataclasses import dataclass, fields

from dfcompile.device.area import STYLE_CODES

BYTE = 8
ADDRESS_BITS = 24
"""Bits of an address in an on-chip memory; address arithmetic wraps around."""

LEAST_SIDE = 4
MOST_LEVELS = 8
MOST_SCALE_BITS = 48
MOST_REPEAT_BITS = 16
LEAST_ROOT_BITS, MOST_ROOT_BITS = 66, 128
SCALED_SUM_BITS = 35
"""Lowest bits of a sum that a requantization multiplies."""
LEAST_SCALE_LEVELS = 5
"""A requantization takes as many stages as so many levels of thresholds, and its words lie among their nodes."""


MADE_OF = ("dsp_rows", "act_uram")
"""Parameters that say what an engine is made of, not what it does."""
CARRY_PLACES = {"carry4": 4, "carry8": 8}
"""Places of a carry cell."""
BUS_BITS = (32, 64, 128)
"""Widths that the AXI4 masters come in."""


@dataclass(frozen=True)
class EngineConfig:
    """One engine.

    pe, simd:     rows and columns of the array, multiples of 4 of which one divides the other: pe output channels by simd input channels a
                  cycle
    act_words:    activation memory, words of `simd` digits of `act_bits`, in two banks
    weight_words: weight buffer, words of pe * simd weights of `weight_bits`; narrower weights lie denser
    acc_words:    partial-sum memory, words of `pe` sums of each pixel
    tree_levels:  most levels of thresholds: 2**tree_levels - 1 thresholds a channel
    tree_banks:   threshold tiles that fit at once
    weight_bits:  widest weight (2, 4 or 8)
    acc_bits:     width of a sum (32, or 64 where weights and codes are wide)
    scale_bits:   widest multiplier of a requantization, 0 without one: multiply, add, shift and clip in place of thresholds
    root_bits:    width in which inverse roots are found, 0 without them
    list_words:   bus words of lists of the steps that have weights, 0: every step of a tile is walked
    code_bits:    widest number of a level, of weights that are loaded as such (1, 2 or 4), 0 without
    act_bits:     digits of codes (2, 4 or 8), on chip, outside and in the multipliers; wider codes take several
    repeat_bits:  bits of the count of a loop's turns that are written once, 0: each turn is
    dsp_rows:     rows of all pixels whose products are made in DSP slices, two and their sum in one, in the same cycles; of the
                  SystemVerilog alone
    act_uram:     whether the activation memory is of UltraRAM; of the SystemVerilog alone
    pixels:       outputs of a row that are made at once (1, 2 or 4), each with an array and a copy of the activation memory of its own, all
                  of the same weights
    bus_bits:     data width of the AXI4 masters (32, 64 or 128)
    """

    pe: int = 16
    simd: int = 16
    act_words: int = 8192
    weight_words: int = 1024
    acc_words: int = 1024
    tree_levels: int = 8
    tree_banks: int = 2
    weight_bits: int = 8
    acc_bits: int = 32
    scale_bits: int = 0
    root_bits: int = 0
    list_words: int = 0
    code_bits: int = 0
    act_bits: int = 8
    repeat_bits: int = 0
    dsp_rows: int = 0
    act_uram: int = 0
    pixels: int = 1
    bus_bits: int = 64

    def __post_init__(self) -> None:
        reason = self._reason()
        if reason:
            raise ValueError(reason)

    def _reason(self) -> str:
        for name in ("act_words", "weight_words", "acc_words", "tree_banks"):
            value = getattr(self, name)
            if value < 1 or value & (value - 1):
                return f"{name}={value} must be a power of two"
        if min(self.pe, self.simd) < 1 or max(self.pe, self.simd) % min(self.pe, self.simd):
            return f"one of pe={self.pe} and simd={self.simd} must divide the other"
        if any(side & (side - 1) and side % LEAST_SIDE for side in (self.pe, self.simd)):
            return f"pe={self.pe} and simd={self.simd} must be powers of two or multiples of {LEAST_SIDE}"
        if self.tree_levels < 1:
            return "tree_levels is 1 at least"
        if self.weight_bits not in (2, 4, 8) or self.bus_bits not in BUS_BITS or self.acc_bits not in (32, 64):
            return "weight_bits is 2, 4 or 8, bus_bits 32, 64 or 128, and acc_bits 32 or 64"
        if self.act_bits not in (2, 4, 8):
            return f"act_bits={self.act_bits} must be 2, 4 or 8"
        if self.pixels not in (1, 2, 4):
            return f"pixels={self.pixels} must be 1, 2 or 4"
        if not 0 <= self.dsp_rows <= self.pe * self.pixels or (self.dsp_rows and (self.simd < 2 or self.act_bits + self.weight_bits > 12)):
            return f"dsp_rows={self.dsp_rows} must be from 0 to pe times pixels, and 0 where digits and weights have over 12 bits together"
        if not 0 <= self.repeat_bits <= MOST_REPEAT_BITS:
            return f"repeat_bits={self.repeat_bits} must be from 0 to {MOST_REPEAT_BITS}"
        if self.act_uram not in (0, 1):
            return f"act_uram={self.act_uram} must be 0 or 1"
        if not 0 <= self.scale_bits <= min(MOST_SCALE_BITS, self.acc_bits):
            return f"scale_bits={self.scale_bits} must be from 0 to {min(MOST_SCALE_BITS, self.acc_bits)}"
        if self.scale_bits and self.tree_levels < LEAST_SCALE_LEVELS:
            return f"a requantization takes tree_levels of {LEAST_SCALE_LEVELS} at least"
        if self.root_bits and not self.acc_bits + 2 <= self.root_bits <= MOST_ROOT_BITS:
            return f"root_bits={self.root_bits} must be 0, or from acc_bits + 2 to {MOST_ROOT_BITS}"
        if self.list_words < 0 or self.list_words & (self.list_words - 1) or self.list_words >= 1 << ADDRESS_BITS:
            return f"list_words={self.list_words} must be 0 or a power of two"
        if self.code_bits not in (0, 1, 2, 4) or (self.code_bits and self.code_bits >= self.weight_bits):
            return f"code_bits={self.code_bits} must be 0, 1, 2 or 4, and fewer than weight_bits"
        if self.acc_bits > self.bus_bits:
            return f"a sum of {self.acc_bits} bits must fit into a bus word of {self.bus_bits}"
        if self.bus_bits > min(self.act_bits * self.simd, self.acc_bits * self.pe, self.pe * self.simd * self.weight_bits):
            digits = f", act_bits={self.act_bits}" if self.act_bits < BYTE else ""
            return f"a bus word of {self.bus_bits} bits must fit into a word of every memory (simd={self.simd}, pe={self.pe}{digits})"
        if any(bits % self.bus_bits for bits in (self.act_bits * self.simd, self.acc_bits * self.pe, self.lanes * self.weight_bits)):
            return f"words of every memory must be whole bus words of {self.bus_bits} bits (simd={self.simd}, pe={self.pe})"
        if max(self.act_words, self.weight_words) >= 1 << (ADDRESS_BITS - 4) or self.tree_levels > MOST_LEVELS or self.tree_banks > 4:
            return "the memories or the thresholds are larger than descriptors can address"
        return ""

    def parameters(self) -> dict[str, int]:
        """Parameters of the C++ template and the SystemVerilog module, UpperCamelCase."""
        shared = [f.name for f in fields(self) if f.name not in MADE_OF]
        return {"".join(part.capitalize() for part in name.split("_")): getattr(self, name) for name in shared}

    def rtl_parameters(self, carry: str = "") -> dict[str, int]:
        """Parameters of the SystemVerilog. carry: of the family's own arithmetic on carry chains, `Family.carry`"""
        block = CARRY_PLACES.get(carry, 0) if self.act_bits < BYTE else 0
        return self.parameters() | {"DspRows": self.dsp_rows, "Block": block, "ActStyle": STYLE_CODES["uram" if self.act_uram else "auto"]}

    @property
    def adders(self) -> int:
        """Levels of adders that make a sum of `simd` products."""
        return (self.simd - 1).bit_length()

    def reads_numbers(self, bits: int) -> bool:
        """Whether weights may be loaded as numbers of levels of so many bits: a word of them is whole bus words."""
        return bits <= self.code_bits and bits * self.lanes % self.bus_bits == 0

    @property
    def bus_bytes(self) -> int:
        return self.bus_bits // 8

    @property
    def lanes(self) -> int:
        """Multipliers of a pixel, and weights of a word."""
        return self.pe * self.simd

    @property
    def multipliers(self) -> int:
        """Multipliers of all pixels."""
        return self.lanes * self.pixels

    @property
    def scaled_bits(self) -> int:
        """Width of what a requantization shifts: of the product."""
        return min(self.acc_bits, SCALED_SUM_BITS) + self.scale_bits

    @property
    def word_beats(self) -> int:
        """Bus words of an activation word."""
        return self.act_bits * self.simd // self.bus_bits

    @property
    def word_bytes(self) -> int:
        """Bytes of an activation word."""
        return self.act_bits * self.simd // 8

    @property
    def digit_bits(self) -> int:
        """Bits of a digit of weights that are wider than the engine's: whole digits of codes, so that both have the same powers."""
        return max(self.act_bits, self.weight_bits)

    @property
    def weight_beats(self) -> int:
        """Bus words of a word of the weight buffer."""
        return self.lanes * self.weight_bits // self.bus_bits

    @property
    def tree_beats(self) -> int:
        """Bus words of one threshold for every row."""
        return self.acc_bits * self.pe // self.bus_bits

    @property
    def word_writes(self) -> int:
        """Activation words that the rows of the array make."""
        return max(1, self.pe // self.simd)

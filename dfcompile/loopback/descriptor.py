"""Descriptors: the instructions of the engine. The dataclasses here are the one source of their layout.

A descriptor is `BITS` little-endian bits, field after field from bit 0 in the order of the class; the C++ and SystemVerilog
structures are generated from the same classes (`tools/descriptor_headers.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any, ClassVar, TypeVar

FACTOR_BITS = 18
"""Signed bits of a factor of AccOp.MUL: one DSP slice multiplies two."""


class Opcode(IntEnum):
    """Kinds of descriptors."""

    LOAD = 1
    COMPUTE = 2
    STORE = 3
    FINISH = 4
    REPEAT = 5


class Target(IntEnum):
    """Memory that a load fills."""

    ACT = 0
    WEIGHT = 1
    TREE = 2
    LIST = 3


class AccOp(IntEnum):
    """How the array joins the taps of a window.

    ADD sums all of them. Everything else first makes a value of each tap, the sum over its words and passes: MAX and MIN keep
    the largest or smallest value, ARGMAX and ARGMAX_LAST the x of the first or last largest, MUL multiplies the last two.
    """

    ADD = 0
    MAX = 1
    MIN = 2
    ARGMAX = 3
    ARGMAX_LAST = 4
    MUL = 5

    @property
    def picks(self) -> bool:
        """Whether the result is a position."""
        return self in (AccOp.ARGMAX, AccOp.ARGMAX_LAST)


class WeightReset(IntEnum):
    """When the weight address returns to its start: after an output, a pass, the words of a tap, a row of taps."""

    VECTOR = 0
    PASS = 1
    TAP = 2
    ROW = 3


class Unit(IntEnum):
    """Queues; also the bit of the queue in `waits` and `signals`."""

    LOAD = 0
    COMPUTE = 1
    STORE = 2


def bits(width: int, default: Any = 0) -> Any:
    """A field of so many bits."""
    return field(default=default, metadata={"bits": width})


@dataclass(frozen=True)
class Header:
    """Start of every descriptor.

    waits:   queues (bit mask) whose next token must arrive before this descriptor starts
    signals: queues that get a token when it is complete
    """

    opcode: int = bits(4)
    waits: int = bits(3)
    signals: int = bits(3)


@dataclass(frozen=True)
class Transfer(Header):
    """LOAD, STORE, FINISH and REPEAT: `beats` bus words between external memory and an on-chip memory, both contiguous.

    target:  memory that a load fills
    address: external byte address, aligned to the bus word
    inner:   word of the on-chip memory; of the thresholds: bank * 2**tree_levels + node; of lists: a bus word
             REPEAT: the next `beats` bus words of the program are read `inner` times; in turn k, from 0, src and dst of each tile that is
             one output wide are k * src_w and k * dst_w further
    coded:   0, or of weights: 16 bytes of levels come first, then numbers of levels, in 2**(coded - 1) bits each, of whole words of weights
             in their full width
    words:   of the on-chip memory, as many as the bus words are
    """

    BITS: ClassVar[int] = 128
    target: int = bits(2)
    inner: int = bits(24)
    beats: int = bits(24)
    address: int = bits(32)
    coded: int = bits(2)
    words: int = bits(24)


@dataclass(frozen=True)
class Compute(Header):
    """One tile of `pe` output channels over batch x height x width outputs.

    Word (n, i, j, p, ky, kx, g) of the input is at src + n*src_n + i*src_h + j*src_w + offset_p + ky*tap_h + kx*tap_w + g;
    it is pad_p in every lane where y = y_first + i*y_step + ky*y_tap is not in [0, y_size), x likewise. With AccOp.ADD the loops
    are n, i, j, p, ky, kx, g from the outermost; else n, i, j, ky, kx, p, g, a tap after the other. With ARGMAX x goes on from one
    row of taps to the next, y = y_first + ..., x = x_first + j*x_step + (ky*kernel_w + kx)*x_tap, and a tap outside is no candidate.

    drain:      start only when every result of earlier tiles is written
    op:         AccOp over the taps
    acc_load:   start from the partial sum of this output, not from zero
    acc_store:  keep the sum as partial sum, write nothing
    reset:      WeightReset
    width:      log2 of the bits of a weight; 0: one bit that means -1 or +1
    levels:     thresholds 2**levels - 1, 0: the sum itself plus the tile's bias is the result; bits of a scaled code, less one
    bank:       threshold bank of the tile
    twice:      code = least + 2 * count instead of least + count
    lookup:     the result is word 2**(tree_levels - 1) + count of the bank, plus the bias; 0 < levels < tree_levels
    planes:     bytes of a result, less one, fewer than a sum has: plane k is byte k, all but the last with its top bit inverted
    passes:     number of passes, less one
    shift_p:    multiply the sum by 256 before pass p; with MUL by 256 and add 128; a pass without it is a new factor
    pad, pad_p: what passes read outside the picture
    batch, height, width_out, kernel_h, kernel_w, words: loop bounds, outermost first (passes after width_out)
    weight:     first word of the weight buffer
    dst:        word of the first output; plane k of output (n, i, j) is dst_p * k + n*dst_n + i*dst_h + j*dst_w further
    writes:     words that one result plane fills (pe > simd)
    lane:       first lane of the word that is written (pe < simd)
    idle:       cycles to wait after each output, so that its words can be written
    start_1, start_2: what the factors of MUL start from; a factor is its lowest 18 bits, signed
    root:       row 0 gets floor(sqrt(2**(start_2 + 2 * start_1) / w)), of start_1 bits, w being its sum with the bias, other rows 0
    scale:      the result is clip((word 1 * sum + offset) >> scale_shift, 0, 2**(levels + 1) - 1) plus the bias, of the words of the
                bank: word 1 has `scale_bits` signed bits, the offset is word 2 and above it word 4; of the sum the lowest 35 bits
    listed:     with AccOp.ADD: in place of the loops p, ky, kx, g the steps of a list (`listing.py`): `words` of them, the first in word
                tap_h of the lists; a step adds `offset` to the address of the output's first word, y and x to its position, and
                is of pass p. The sum is multiplied where the pass changes, from 0 on, and shift_p says so
    """

    BITS: ClassVar[int] = 640
    drain: int = bits(1)
    op: int = bits(3)
    acc_load: int = bits(1)
    acc_store: int = bits(1)
    reset: int = bits(2)
    width: int = bits(2)
    levels: int = bits(4)
    bank: int = bits(2)
    twice: int = bits(1)
    lookup: int = bits(1)
    planes: int = bits(3)
    passes: int = bits(2)
    shift_1: int = bits(1)
    shift_2: int = bits(1)
    shift_3: int = bits(1)
    pad: int = bits(8)
    pad_1: int = bits(8)
    pad_2: int = bits(8)
    pad_3: int = bits(8)
    batch: int = bits(8, 1)
    height: int = bits(12, 1)
    width_out: int = bits(12, 1)
    kernel_h: int = bits(8, 1)
    kernel_w: int = bits(8, 1)
    words: int = bits(12, 1)
    src: int = bits(24)
    src_n: int = bits(24)
    src_h: int = bits(24)
    src_w: int = bits(24)
    offset_1: int = bits(24)
    offset_2: int = bits(24)
    offset_3: int = bits(24)
    tap_h: int = bits(24)
    tap_w: int = bits(24)
    y_first: int = bits(14)
    y_step: int = bits(8)
    y_tap: int = bits(8)
    y_size: int = bits(13)
    x_first: int = bits(14)
    x_step: int = bits(8)
    x_tap: int = bits(8)
    x_size: int = bits(13)
    weight: int = bits(20)
    dst: int = bits(24)
    dst_n: int = bits(24)
    dst_h: int = bits(24)
    dst_w: int = bits(24)
    dst_p: int = bits(24)
    writes: int = bits(6, 1)
    lane: int = bits(7)
    idle: int = bits(8)
    start_1: int = bits(FACTOR_BITS)
    start_2: int = bits(FACTOR_BITS)
    scale: int = bits(1)
    scale_shift: int = bits(6)
    root: int = bits(1)
    listed: int = bits(1)

    @property
    def taps(self) -> int:
        """Array steps for one output."""
        if self.listed:
            return self.words
        return (self.passes + 1) * self.kernel_h * self.kernel_w * self.words

    @property
    def late(self) -> int:
        """Cycles more that a result takes than others: one for each bit of a root."""
        return self.start_1 + 1 if self.root else 0

    @property
    def outputs(self) -> int:
        return self.batch * self.height * self.width_out


Descriptor = Transfer | Compute


D = TypeVar("D", bound=Header)


def changed(d: D, **fields: Any) -> D:
    """`dataclasses.replace`, which sets field after field of the ten thousands of descriptors: a third of the time that a program takes."""
    made = object.__new__(type(d))
    made.__dict__.update(d.__dict__)
    made.__dict__.update(fields)
    if len(made.__dict__) > len(d.__dict__):
        raise TypeError(f"{type(d).__name__} has no field among {', '.join(fields)}")
    return made


_layouts: dict[type[Header], list[tuple[str, int, int]]] = {}


def layout(kind: type[Header]) -> list[tuple[str, int, int]]:
    """(name, first bit, bits) of every field."""
    if kind not in _layouts:
        sizes = [int(f.metadata["bits"]) for f in fields(kind)]
        _layouts[kind] = [(f.name, sum(sizes[:i]), sizes[i]) for i, f in enumerate(fields(kind))]
    return _layouts[kind]


def pack(d: Descriptor) -> bytes:
    """Bits of a descriptor; negative values wrap. ValueError for a value that its field cannot hold."""
    word = 0
    for name, at, size in layout(type(d)):
        value = int(getattr(d, name))
        if not -(1 << (size - 1)) <= value < 1 << size:
            raise ValueError(f"{type(d).__name__}.{name} = {value} does not fit into {size} bits")
        word |= (value & ((1 << size) - 1)) << at
    return word.to_bytes(d.BITS // 8, "little")


def unpack(data: bytes | memoryview) -> Descriptor:
    """The descriptor at the start of `data`; signed fields stay wrapped. ValueError for an unknown opcode."""
    code = data[0] & 15
    if code not in set(Opcode):
        raise ValueError(f"there is no opcode {code}")
    kind: type[Transfer] | type[Compute] = Compute if code == Opcode.COMPUTE else Transfer
    if len(data) < kind.BITS // 8:
        raise ValueError("the program ends inside a descriptor")
    word = int.from_bytes(data[: kind.BITS // 8], "little")
    return kind(**{name: word >> at & ((1 << size) - 1) for name, at, size in layout(kind)})


def unpack_all(program: bytes) -> list[Descriptor]:
    """Every descriptor of a program."""
    result: list[Descriptor] = []
    at, data = 0, memoryview(program)
    while at < len(program):
        result.append(unpack(data[at:]))
        at += result[-1].BITS // 8
    return result

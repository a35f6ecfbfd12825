"""What every hardware unit says about itself.

A unit is one Python file here, one header in ``hls/`` and one module in ``rtl/``. No other file of the compiler knows a unit by name:
lowering makes units, everything after it asks these questions.

Shapes: a frame on a stream is (height, width, channels), sent channels-last in beats of `lanes` elements, lane 0 in the lowest bits.
A batch of frames is an array (n, height, width, channels) of integer values in any dtype that holds them exactly (float32 for BLAS).
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from dfcompile.device.area import STYLES
from dfcompile.device.delay import Path
from dfcompile.device.resources import Areas, Resources
from dfcompile.ir.graph import Node, Tensor
from dfcompile.ir.packing import pack, unpack
from dfcompile.ir.types import IntType
from dfcompile.units.parts.adder_graph import Sums
from dfcompile.units.parts.schedule import Schedule

Array = NDArray[Any]
Layout = tuple[int, int, int]
"""How a stream's elements lie in its beats: (lanes, run, taps) of a `Stream`."""


@dataclass(frozen=True)
class Stream:
    """Type of a stream: one frame of shape (h, w, c), `lanes` elements a beat.

    run:  elements after which the lanes start again: each run is sent in ceil(run / lanes) beats, and what the lanes of its last
          beat do not need is padding, which may hold anything. 0: no padding; lanes divides h*w*c
    taps: with padding, so many elements of each of a run's `run` channels: every group of `lanes` channels, also the last and
          narrower one, is sent for all taps before the next (what a depthwise unit reads); a run has run * taps elements
    """

    shape: tuple[int, int, int]
    dtype: IntType
    lanes: int
    run: int = 0
    taps: int = 1

    def __post_init__(self) -> None:
        if self.run and self.run % self.lanes == 0:  # the same beats as without runs
            object.__setattr__(self, "run", 0)
        if not self.run:
            object.__setattr__(self, "taps", 1)

    @property
    def elements(self) -> int:
        h, w, c = self.shape
        return h * w * c

    @property
    def layout(self) -> Layout:
        return self.lanes, self.run, self.taps

    @property
    def beats(self) -> int:
        """Beats per frame."""
        if not self.run:
            return self.elements // self.lanes
        return self.elements // self.run * -(-self.run // self.lanes)

    @property
    def width(self) -> int:
        """Bits per beat."""
        return self.lanes * self.dtype.bits

    @property
    def filled(self) -> NDArray[np.int64]:
        """Elements in each beat of a frame."""
        if not self.run:
            return np.full(self.beats, self.lanes)
        whole, left = divmod(self.run, self.lanes)
        one = np.repeat([self.lanes, left], [whole * self.taps, self.taps])
        return np.tile(one, self.elements // (self.run * self.taps))

    @property
    def unpadded(self) -> Stream:
        """The same elements without padding in no more beats."""
        if not self.run:
            return self
        most = -(-self.run // self.lanes)
        return Stream(self.shape, self.dtype, next(d for d in divisors(self.run) if self.run // d <= most))

    def outside(self, most_bits: int) -> Stream:
        """The same elements at a port: without padding in no more beats, or in as few as there are of at most `most_bits` (0: any)."""
        plain = self.unpadded
        if not most_bits or plain.width <= most_bits:
            return plain
        return Stream(self.shape, self.dtype, max(d for d in divisors(self.elements) if d == 1 or d * self.dtype.bits <= most_bits))

    def arrange(self, codes: Array, padding: int = 0) -> Array:
        """Codes of n frames as they lie in beats: (n, h, w, c) -> (n, beats, lanes)."""
        if not self.run:
            return codes.reshape(len(codes), self.beats, self.lanes)
        beats = np.full((len(codes), self.beats, self.lanes), padding, np.int64)
        beats[:, self._places] = codes.reshape(len(codes), -1)
        return beats

    def pack(self, codes: Array) -> NDArray[np.uint8]:
        """Codes of n frames to beats: (n, h, w, c) -> (n * beats, ceil(width / 8)) bytes, little-endian; padding is the type's maximum."""
        return pack_words(self.arrange(codes, self.dtype.hi).reshape(-1, self.lanes), self.dtype)

    def unpack(self, beats: NDArray[np.uint8]) -> NDArray[np.int64]:
        """The inverse of `pack`."""
        codes = np.asarray(unpack(beats, self.dtype.bits, self.lanes, self.dtype.signed, self.dtype.bipolar), np.int64)
        if self.run:
            codes = codes.reshape(-1, self.beats, self.lanes)[:, self._places]
        return codes.reshape(-1, *self.shape)

    @property
    def _places(self) -> NDArray[np.bool_]:
        """(beats, lanes): where elements are."""
        return np.arange(self.lanes) < self.filled[:, None]


def pack_words(values: Array, dtype: IntType) -> NDArray[np.uint8]:
    """Rows of values to words: (words, elements) -> (words, ceil(elements * bits / 8)) bytes, element 0 lowest."""
    return np.asarray(pack(values, dtype.bits, dtype.bipolar))


@dataclass(frozen=True, eq=False)
class Memory:
    """A read-only memory of a unit.

    name:  UpperCamelCase, the same in C++ and SystemVerilog (parameter ``<name>File`` there)
    width: bits of a word
    words: (depth, ceil(width / 8)) bytes, little-endian
    style: "auto", "lut", "lutram", "bram" or "uram"
    banks: words of each bank of a lane, which the lane reads in the same step; the words are lane after lane, bank after bank.
           (): one bank of one lane
    lanes: how many read at once; where the words are of one lane, all have the same
    """

    name: str
    width: int
    words: NDArray[np.uint8]
    style: str = "auto"
    banks: tuple[int, ...] = ()
    lanes: int = 1

    @property
    def depth(self) -> int:
        return len(self.words)

    def split(self) -> tuple[NDArray[np.uint8], ...]:
        """Each bank by itself: (lanes, words, ceil(width / 8)) bytes."""
        banks = self.banks or (self.depth,)
        by_lane = self.words.reshape(-1, sum(banks), self.words.shape[1])
        whole = np.broadcast_to(by_lane, (self.lanes, *by_lane.shape[1:]))
        return tuple(np.split(whole, np.cumsum(banks)[:-1], axis=1))


class Unit(ABC):
    """Base of all units; subclasses are frozen dataclasses (``@dataclass(frozen=True, eq=False)``).

    Folding fields (`pe`, `simd`, ...) are ordinary dataclass fields listed in `fold_fields`.
    """

    kind: ClassVar[str]
    fold_fields: ClassVar[tuple[str, ...]] = ()
    form_fields: ClassVar[tuple[str, ...]] = ()
    """What else foldings may set: how the unit works, and so its cycles."""
    signed_fields: ClassVar[tuple[str, ...]] = ()
    """Integers that are no sizes."""
    rtl_parameters: ClassVar[tuple[str, ...]] = ()
    """Parameters of the SystemVerilog module alone: of buffers that an HLS tool makes as it needs them."""

    @property
    @abstractmethod
    def inputs(self) -> tuple[Stream, ...]:
        """Types of the input streams under the present folding."""

    @property
    @abstractmethod
    def outputs(self) -> tuple[Stream, ...]:
        """Types of the output streams under the present folding."""

    @abstractmethod
    def compute(self, *codes: Array) -> tuple[Array, ...]:
        """Outputs for a batch of frames; exact. One array (n, h, w, c) for each input stream."""

    @abstractmethod
    def schedule(self) -> Schedule:
        """When beats are taken and given, exactly as the SystemVerilog module does it."""

    @property
    def alternates(self) -> bool:
        """Whether it gives all of a pixel, in C++ too, before it takes any of the next, in beats of one pixel: what a loop needs."""
        return not any(s.run for s in (*self.inputs, *self.outputs))

    def hls_schedule(self) -> Schedule:
        """When the C++ takes and gives beats: a single sequence of blocking reads and writes, where `schedule` may have several."""
        return self.schedule()

    @abstractmethod
    def parameters(self) -> dict[str, int]:
        """Parameters of the SystemVerilog module: UpperCamelCase -> 0 <= value < 2**31."""

    def hls_parameters(self) -> dict[str, int]:
        """Parameters of the C++ template, in their order there."""
        return {k: v for k, v in self.parameters().items() if k not in self.rtl_parameters}

    @abstractmethod
    def resources(self, family: str) -> Resources:
        """Estimated area on a device family, one of `device.family.FAMILIES`."""

    def paths(self, family: str) -> Iterable[Path]:
        """Logic between its registers that may be its slowest; nothing where that is not known."""
        return ()

    @property
    def library(self) -> str:
        """Its module is ``dfc_<library>.sv``, its header ``dfc_<library>.hpp``."""
        return self.kind

    @property
    def modules(self) -> tuple[str, ...]:
        """Files of the library that its module has parts in: its own, and those that only its present styles need."""
        return (f"dfc_{self.library}.sv",)

    @property
    def ported(self) -> str:
        """Name of the memory, if any, that the SystemVerilog module reads from outside: ``<name>_en_o``, ``_addr_o``, ``_data_i``."""
        return ""

    @property
    def adders(self) -> Sums | None:
        """Adders of constants that the library has no module for: they are generated, and stand beside the unit."""
        return None

    def memories(self) -> tuple[Memory, ...]:
        """Read-only memories, in the order of the C++ function's arguments after the streams."""
        return ()

    @cached_property
    def stored(self) -> tuple[Memory, ...]:
        """`memories`, packed once."""
        return self.memories()

    @property
    def dimensions(self) -> Mapping[str, Hashable]:
        """Of each field with stored numbers all that foldings, styles, cycles and areas depend on."""
        return {}

    @cached_property
    def signature(self) -> Hashable:
        """Equal ones: the same foldings, styles (own ones aside), cycles, layouts and areas. The unit where `dimensions` lacks numbers."""
        values = [self.dimensions.get(f.name, getattr(self, f.name)) for f in dataclasses.fields(self)]  # type: ignore[arg-type]
        return self if any(isinstance(v, np.ndarray) for v in values) else (type(self), *values)

    def foldings(self) -> Iterator[dict[str, Any]]:
        """Every legal choice of the folding fields, and of those that say how the unit works where these are not as they are."""
        yield {}

    def styles(self, family: str) -> Iterator[dict[str, str]]:
        """Choices of memory and arithmetic styles worth comparing on a device family, under the present folding."""
        yield {}

    def own_styles(self) -> Iterator[dict[str, str]]:
        """Further choices, whose area depends on each stored number, so that units with equal signatures differ in them."""
        yield from ()

    @property
    def folding(self) -> dict[str, Any]:
        """The present choice; of what says how the unit works only what is not as it is by itself."""
        plain = {f.name: f.default for f in dataclasses.fields(self) if f.name in self.form_fields}  # type: ignore[arg-type]
        return {f: getattr(self, f) for f in self.fold_fields} | {f: getattr(self, f) for f, v in plain.items() if getattr(self, f) != v}

    def folded(self, **choice: Any) -> Self:
        """The same unit with another choice; ValueError with a sentence when it is not legal."""
        made = object.__new__(type(self))  # tens of thousands are made: field by field, as `dataclasses.replace` does it, takes seconds
        made.__dict__.update({name: self.__dict__[name] for name in _field_names(type(self))} | choice)
        if len(made.__dict__) > len(_field_names(type(self))):
            raise TypeError(f"{self.kind} has no field among {', '.join(choice)}")
        check = getattr(made, "__post_init__", None)
        if check:
            check()
        return made

    def areas(self, styles: Iterable[Mapping[str, str]], family: str) -> Areas:
        """`resources` of the unit in each of several styles, under the present folding, a row each."""
        return np.array([(self.folded(**style) if style else self).resources(family) for style in styles], np.float64)

    def least_cost(self, family: str, prices: Areas) -> float:
        """What no one of `styles` costs less than, at so much for each of `cost.MEASURES`; 0 where their areas are as soon known."""
        return 0.0

    def ports(self, field: str) -> tuple[Stream, ...]:
        """Streams whose lanes a folding field sets."""
        return (*self.inputs, *self.outputs)

    @property
    def tied_field(self) -> str:
        """Folding field that must be the lanes of what reads the output, where these define its order; "" where they do not."""
        return ""

    @property
    def weight_count(self) -> int:
        """Constants that it multiplies by."""
        return 0

    @property
    def macs(self) -> int:
        """Multiply-accumulates with constants in a frame."""
        return 0

    @property
    def mac_lanes(self) -> int:
        """Multiply-accumulates in a cycle, under the present folding."""
        return 0

    @property
    def mac_rate(self) -> int:
        """Of `macs` in a cycle: the lanes, or more where zeros are skipped."""
        return self.mac_lanes

    @property
    def cycles(self) -> int:
        """Ideal cycles per frame: the longest process."""
        return max(p.steps for p in self.schedule())

    @classmethod
    def check_fields(cls, values: Mapping[str, Any]) -> None:
        """ValueError for values from outside that no unit of this kind is made of: sizes below 1 (0 where that is a default), styles."""
        defaults = {f.name: f.default for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
        for name, value in values.items():
            least = 0 if defaults[name] == 0 else 1
            if name not in cls.signed_fields and not all(least <= n < 2**31 for n in _integers(value)):
                raise ValueError(f"{cls.kind}: {name} = {value} is no size")
            if name.endswith("style") and value not in STYLES:
                raise ValueError(f"{cls.kind}: there is no {name} '{value}'")

    # The unit as an operator of a Graph.
    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        for tensor, stream in zip(inputs, self.inputs, strict=True):
            if math.prod(tensor.shape) != stream.elements or tensor.dtype != stream.dtype:
                raise ValueError(f"{self.kind} wants {stream.dtype}{list(stream.shape)}, is given {tensor}")
        return tuple(Tensor(s.shape, s.dtype) for s in self.outputs)

    def execute(self, *inputs: Array) -> tuple[Array, ...]:
        """`compute` on frames in any shape of as many elements: a stream is the same seen as (1, 1, h*w*c)."""
        return self.compute(*(x.reshape(len(x), *s.shape) for x, s in zip(inputs, self.inputs, strict=True)))

    def __str__(self) -> str:
        return f"{self.kind}<{', '.join(f'{k}={v}' for k, v in self.parameters().items())}>"


def unit_of(node: Node) -> Unit:
    """The unit that a node of a unit graph is; TypeError with its name where it is none."""
    if not isinstance(node.op, Unit):
        raise TypeError(f"{node.name}: '{node.op.kind}' is no hardware unit")
    return node.op


@cache
def _field_names(kind: type[Unit]) -> tuple[str, ...]:
    return tuple(f.name for f in dataclasses.fields(kind))  # type: ignore[arg-type]


def _integers(value: Any) -> list[int]:
    """The integers of a field: itself, or of tuples in it."""
    if isinstance(value, tuple):
        return [n for v in value for n in _integers(v)]
    return [value] if isinstance(value, int) and not isinstance(value, bool) else []


def check_codes(codes: Array, dtype: IntType, shape: tuple[int | None, ...], what: str) -> None:
    """ValueError unless an array holds codes of a type; shape: sizes of its axes, None where any will do."""
    if codes.ndim != len(shape) or any(w not in (n, None) for n, w in zip(codes.shape, shape, strict=True)):
        raise ValueError(f"{what} of shape {codes.shape}")
    if codes.size and (not np.array_equal(codes, np.rint(codes)) or codes.min() < dtype.lo or codes.max() > dtype.hi):
        raise ValueError(f"{what} that are not codes of {dtype}")
    if dtype.bipolar and np.any(codes == 0):
        raise ValueError(f"{what} with a 0, which {dtype} lacks")


def divisors(n: int) -> list[int]:
    """All divisors of n, rising."""
    small = [d for d in range(1, int(n**0.5) + 1) if n % d == 0]
    return sorted({*small, *(n // d for d in small)})


def quotients(n: int) -> list[int]:
    """For each number of folds ceil(n / lanes) the fewest lanes that do it, rising; all divisors are among them."""
    root = math.isqrt(n)  # with more folds than that there are fewer lanes, and each number of lanes is one of these
    few = {-(-n // folds) for folds in range(1, root + 1)}
    return sorted({*few, *range(1, -(-n // max(root, 1)) + 1)})

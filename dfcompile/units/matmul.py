"""Product of two streams as matrices, with thresholds: one is kept on chip, the rows of the other pass it."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from dfcompile.device import area
from dfcompile.device.area import STYLE_CODES
from dfcompile.device.delay import Path
from dfcompile.device.resources import Resources
from dfcompile.ir.graph import Tensor
from dfcompile.ir.intop import IntMatMul
from dfcompile.ir.requantization import Requantization
from dfcompile.ir.types import IntType
from dfcompile.units.base import Array, Memory, Stream, Unit, divisors, quotients
from dfcompile.units.parts import mac_area, mac_paths
from dfcompile.units.parts.arithmetic import ARITHMETIC_CODES, MacForm, Products, arithmetics, hls_arithmetic, mac_modules, threshold_styles
from dfcompile.units.parts.carry import CARRY
from dfcompile.units.parts.loop import Loop
from dfcompile.units.parts.schedule import After, Give, Process, Schedule, Steps
from dfcompile.units.parts.thresholding import Thresholding, check_steps

_FILLED = 2  # cycles from the last beat of a matrix to the first step that reads it


@dataclass(frozen=True, eq=False)
class Matmul(Unit):
    """Each row of the first stream times the matrix of its head, which the second stream brought before it; then thresholds.

    in_shape:     (h, w, k) of the first stream, whose positions are rows; matrix_shape: (h', w', k or n) of the second one
    shape, heads, runs, transposed: as of `IntMatMul`
    out_dtype:    type of the codes; without thresholds a type that holds every sum
    acc_dtype:    type that holds every sum
    thresholds, flip, scaling: as of `Mvtu`, by column
    pe, simd:     columns and terms at once, at most n and k
    in_dtype and matrix_dtype may be bipolar: elements are then multiplied as -1 or +1 in two bits
    matrix_style: "auto", "lut", "lutram", "bram" or "uram"

    At least two matrices of each head are kept: the next frame's comes in while the rows of this one pass.
    """

    kind: ClassVar[str] = "matmul"
    fold_fields: ClassVar[tuple[str, ...]] = ("pe", "simd")
    rtl_parameters: ClassVar[tuple[str, ...]] = ("Slots", "Pages")

    in_shape: tuple[int, int, int]
    matrix_shape: tuple[int, int, int]
    shape: tuple[int, int]
    heads: int
    runs: tuple[int, int]
    transposed: bool
    in_dtype: IntType
    matrix_dtype: IntType
    out_dtype: IntType
    acc_dtype: IntType
    thresholds: Array | None = None
    flip: Array | None = None
    pe: int = 1
    simd: int = 1
    matrix_style: str = "auto"
    threshold_style: str = "auto"
    arithmetic: str = "auto"
    scaling: Requantization | None = None

    def __post_init__(self) -> None:
        k, n = self.shape
        if not 1 <= self.pe <= n or not 1 <= self.simd <= k:
            raise ValueError(f"pe={self.pe} must be 1 to {n}, the columns, and simd={self.simd} 1 to {k}, the terms")

    def check_constants(self) -> None:
        """ValueError unless what is stored of the unit, and how its streams go together, is what its types and sizes say."""
        check_steps(self.thresholds, self.flip, self.scaling, self.out_dtype, self.shape[1])
        self.operator.infer(Tensor(self.in_shape), Tensor(self.matrix_shape))
        if self.arithmetic not in ARITHMETIC_CODES:
            raise ValueError(f"there is no arithmetic '{self.arithmetic}'")

    @cached_property
    def operator(self) -> IntMatMul:
        """The product without its thresholds."""
        return IntMatMul(self.shape, self.heads, self.runs, self.transposed)

    @property
    def _rows(self) -> int:
        return self.in_shape[0] * self.in_shape[1]

    @property
    def _folds(self) -> tuple[int, int]:
        """(column folds, term folds)."""
        k, n = self.shape
        return -(-n // self.pe), -(-k // self.simd)

    @property
    def _banks(self) -> tuple[int, int]:
        """(banks, elements of a word of one): a beat of the second stream is a word of one bank."""
        return (self.pe, self.simd) if self.transposed else (self.simd, self.pe)

    @property
    def words(self) -> int:
        """Words of a bank for one frame."""
        nf, kf = self._folds
        return self.heads * nf * kf

    @cached_property
    def _counting(self) -> Thresholding | None:
        if self.thresholds is None:
            return None
        return Thresholding(self.acc_dtype, self.out_dtype, self.thresholds, self.flip, self.scaling)

    @cached_property
    def form(self) -> MacForm:
        """How the hardware multiplies and what it compares with."""
        x, w = (IntType(2, signed=True) if t.bipolar else t for t in (self.in_dtype, self.matrix_dtype))
        return MacForm(Products(x, w, False, self.acc_dtype), self._counting, False)

    @property
    def inputs(self) -> tuple[Stream, ...]:
        k, n = self.shape
        lanes, run = (self.simd, k) if self.transposed else (self.pe, n)
        return Stream(self.in_shape, self.in_dtype, self.simd, k), Stream(self.matrix_shape, self.matrix_dtype, lanes, run)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        h, w, _ = self.in_shape
        return (Stream((h, w, self.shape[1]), self.out_dtype, self.pe, self.shape[1]),)

    def compute(self, *codes: Array) -> tuple[Array, ...]:
        (sums,) = self.operator.execute(*codes)
        if self._counting is None:
            return (sums,)
        return (self._counting.codes(sums.reshape(-1, self.shape[1])).reshape(sums.shape),)

    @property
    def _latency(self) -> int:
        return self.form.latency(self.simd, self._folds[1], self.arithmetic, self.threshold_style)

    @property
    def slots(self) -> int:
        """Beats in the output buffer: enough for one result every fold of terms."""
        return max(2, -(-(self._latency + 1) // self._folds[1]))

    @property
    def _steps(self) -> int:
        nf, kf = self._folds
        return self._rows * nf * kf

    @property
    def _pages(self) -> int:
        """A page is free again a cycle more after its first beat than its beats and steps take: two hide that but for equal ones."""
        return 3 if self.inputs[1].beats == self._steps else 2

    @property
    def _reader(self) -> tuple[dict[int, Steps], dict[int, Give]]:
        """What the steps of a frame take of the first stream, and give."""
        nf, kf = self._folds
        firsts = np.arange(0, self._steps, nf * kf, dtype=np.int64)
        takes = (firsts[:, None] + np.arange(kf)).ravel()
        return {0: takes}, {0: Give(np.arange(kf - 1, self._steps, kf, dtype=np.int64), self._latency, self.slots)}

    def schedule(self) -> Schedule:
        beats, steps = self.inputs[1].beats, self._steps
        free = After(1, np.full(beats, -(self._pages - 1) * steps, dtype=np.int64))
        filled = After(0, np.full(steps, beats, dtype=np.int64), _FILLED)
        return Process(beats, {1: np.arange(beats, dtype=np.int64)}, after=(free,)), Process(steps, *self._reader, after=(filled,))

    @cached_property
    def _loop(self) -> Loop:
        """All of a frame's matrices before its first step."""
        return Loop(np.zeros(self.inputs[1].beats, dtype=np.int64), self._steps, lag=1)

    def hls_schedule(self) -> Schedule:
        loop = self._loop
        before = After(1, loop.given_by(np.arange(loop.iterations, dtype=np.int64)))
        takes = Process(loop.iterations, {1: loop.takes}, after=(before,))
        return takes, Process(self._steps, *self._reader, after=(After(0, loop.gives + 1, delay=0),))

    @property
    def modules(self) -> tuple[str, ...]:
        return (*super().modules, *mac_modules(self.arithmetic))

    def hls_parameters(self) -> dict[str, int]:
        return {**hls_arithmetic(super().hls_parameters()), "Lead": self._loop.lead, "Distance": self._distance}

    @property
    def _distance(self) -> int:
        """Fewest iterations of the loop from the write of a word to its first read."""
        nf, kf = self._folds
        read = np.arange(self.heads)[:, None, None] * self.runs[0] * nf * kf + np.arange(nf * kf).reshape(nf, kf)
        beats = read if self.transposed else read.swapaxes(1, 2)  # (head, fold of the outer axis, of the inner one)
        banks, outer = self._banks[0], self.shape[1 if self.transposed else 0]
        by_outer = beats[:, np.arange(outer) // banks]  # (head, outer, inner fold)
        blocks = by_outer.reshape(self.heads, -1, self.runs[1], beats.shape[2]).swapaxes(0, 1)
        word, step, loop = np.arange(blocks.size), blocks.reshape(-1), self._loop
        return int(min((loop.gives[step] - loop.takes).min(), (loop.lead + step - word).min()))  # in a call's first frame words come first

    @property
    def macs(self) -> int:
        return self._rows * self.shape[0] * self.shape[1]

    @property
    def mac_lanes(self) -> int:
        return self.pe * self.simd

    def parameters(self) -> dict[str, int]:
        k, n = self.shape
        dims = {"Rows": self._rows, "Heads": self.heads, "RowsRun": self.runs[0], "MatrixRun": self.runs[1]}
        dims |= {"Transposed": int(self.transposed), "Columns": n, "Terms": k, "Pe": self.pe, "Simd": self.simd}
        styles = {"MatrixStyle": STYLE_CODES[self._matrix_style], "ThresholdsStyle": STYLE_CODES[self.threshold_style]}
        arithmetic = {"Arithmetic": ARITHMETIC_CODES[self.arithmetic]}
        return dims | self._form_parameters() | arithmetic | styles | {"Slots": self.slots, "Pages": self._pages}

    def _form_parameters(self) -> dict[str, int]:
        """With the types of the streams, and without what no product of two of them has."""
        given = self.form.parameters(self.out_dtype, self.threshold_style)
        types = dict[str, int]()
        for name, dtype in (("In", self.in_dtype), ("Weight", self.matrix_dtype)):
            types |= {f"{name}Bits": dtype.bits, f"{name}Signed": int(dtype.signed), f"{name}Bipolar": int(dtype.bipolar)}
        return types | {k: v for k, v in given.items() if k not in (*types, "Xnor", "Double")}

    @property
    def _matrix_style(self) -> str:
        return area.ram_style(self._pages * self.words, self._banks[1] * self.matrix_dtype.bits, self.matrix_style)

    def memories(self) -> tuple[Memory, ...]:
        counting = self._counting
        return (counting.memory(self.shape[1], self.pe, self.threshold_style),) if counting else ()

    def ports(self, field: str) -> tuple[Stream, ...]:
        rows, matrix = self.inputs
        shared = (matrix,) if self.transposed == (field == "simd") else ()
        return (rows, *shared) if field == "simd" else (*self.outputs, *shared)

    def foldings(self) -> Iterator[dict[str, int]]:
        k, n = self.shape
        columns, terms = divisors(n), divisors(k)
        for pe in quotients(n):
            for simd in quotients(k):
                if pe in columns or simd in terms:
                    yield {"pe": pe, "simd": simd}

    def styles(self, family: str) -> Iterator[dict[str, str]]:
        counted = threshold_styles(self._counting.size, self._folds[0], family) if self._counting else ("auto",)
        for arithmetic in arithmetics(self.form.products, family, CARRY, self.pe):
            for style in counted:
                yield {"threshold_style": style, "arithmetic": arithmetic}

    @property
    def dimensions(self) -> Mapping[str, Hashable]:
        return {"thresholds": self.form.size, "flip": None, "scaling": None}

    def paths(self, family: str) -> Iterator[Path]:
        memory, styles = self._matrix_style in ("bram", "uram"), (self.threshold_style, self.arithmetic)
        yield from mac_paths.step(self.simd * self.in_dtype.bits, self._steps, family)
        yield from mac_paths.mac(self.form, self.pe, self.simd, self._folds[0], memory, styles, family)

    def resources(self, family: str) -> Resources:
        nf, kf = self._folds
        banks, lanes = self._banks
        styles = (self.threshold_style, self.arithmetic)
        mac = mac_area.mac(self.form, self.pe, self.simd, kf, nf, self.slots, self.out_dtype.bits, styles, family)
        width = lanes * self.matrix_dtype.bits
        bank = area.ram(self._pages * self.words, width, self._matrix_style, family)
        counters = [area.counter(n, family) for n in (self._rows, self.heads, *self.runs, self.words, self.words, banks)]
        written = Resources(lut=banks, ff=width + banks + self.words.bit_length())
        return area.total(mac, *[bank] * banks, mac_area.inputs(self.simd * self.in_dtype.bits, nf, kf, family), *counters, written)

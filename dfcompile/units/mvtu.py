"""Matrix-vector-threshold unit: dense layers, and convolutions after a sliding window; one or more groups."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from dfcompile.device.area import STYLE_CODES, rom_style
from dfcompile.device.delay import Path
from dfcompile.device.resources import Areas, Resources
from dfcompile.ir.requantization import Requantization
from dfcompile.ir.types import BIPOLAR, IntType
from dfcompile.units.base import Array, Memory, Stream, check_codes, divisors, pack_words, quotients
from dfcompile.units.parts import mac_area, mac_paths
from dfcompile.units.parts.adder_graph import Sums
from dfcompile.units.parts.arithmetic import ARITHMETIC_CODES, GRAPH, MacForm, mac_form, mac_styles, style_fields, threshold_styles
from dfcompile.units.parts.carry import CARRY
from dfcompile.units.parts.graph_form import GraphForm, graph_form
from dfcompile.units.parts.mac_unit import MacUnit
from dfcompile.units.parts.packed import PACKED
from dfcompile.units.parts.products import Products
from dfcompile.units.parts.schedule import Give, Process, Schedule
from dfcompile.units.parts.sparse_form import CHOICES, KEEP, PATTERNS, SKIP, Busy, SparseForm, pattern_of, walked
from dfcompile.units.parts.thresholding import START, Thresholding, check_steps
from dfcompile.units.parts.words import words_of

GRAPH_WEIGHTS = 4096
"""Weights up to which the adders of a unit are an option of the optimiser: a fraction of a second to find them."""


@dataclass(frozen=True, eq=False)
class Mvtu(MacUnit):
    """For each position and group g: outputs g*mh .. g*mh + mh - 1 are weights[g] @ (the group's mw inputs), then thresholds.

    vectors:      positions per frame, H*W of in_shape (H, W, groups*mw)
    weights:      (groups, mh, mw) integers of weight_dtype
    out_dtype:    type of the codes; without thresholds a type that holds every sum
    acc_dtype:    type that holds every sum
    thresholds:   (groups*mh or 1, 2**out_dtype.bits - 1), rising; code = lo + #{k : sum >= T_k}; or None
    flip:         (groups*mh,): code = hi - #{k : sum >= T_k} where true; or None
    out_shape:    (H', W', groups*mh), as many positions
    pe, simd:     rows and columns at once, at most mh and mw. What the last fold of rows does not need are dummy rows, padding in the
                  output; columns that do not divide mw start again after each run, or after mw where simd is larger than a run
    zeros:        "keep": all words of weights are walked; "skip": those that are not all 0, of a single group; "2:4" and the like: those
                  too, and of each 4 inputs a row, which has no more weights than that, multiplies 2
    taps:         results of each channel, of a single group without thresholds: rows are (tap, channel), pe divides the channels, and
                  what is sent is in the order (group of pe channels, tap, lane), as a depthwise unit of as many lanes reads it
    run:          elements of a vector that belong together (a window's tap, a pixel), a divisor of mw; 0: mw
    weight_style, threshold_style: "auto", "lut", "lutram", "bram" or "uram"; thresholds with a scaling also those of `SCALED`, one of
                  rising functions also "start" (`MacForm.starts`)
    input_style:  "lutram": vectors that are read again come out of distributed RAM a cycle later than with "auto", past no register
    arithmetic:   of `ARITHMETIC_CODES`; "graph": adders of constants, one group, all rows and columns at once
    scaling:      the thresholds as a requantization, equal to them on every sum that occurs; or None
    """

    kind: ClassVar[str] = "mvtu"
    form_fields: ClassVar[tuple[str, ...]] = ("zeros",)
    rtl_parameters: ClassVar[tuple[str, ...]] = ("Slots", "Stages", "InputsStyle")

    vectors: int
    weights: Array
    in_dtype: IntType
    weight_dtype: IntType
    out_dtype: IntType
    acc_dtype: IntType
    thresholds: Array | None
    flip: Array | None
    in_shape: tuple[int, int, int]
    out_shape: tuple[int, int, int]
    pe: int = 1
    simd: int = 1
    weight_style: str = "auto"
    threshold_style: str = "auto"
    input_style: str = "auto"
    arithmetic: str = "auto"
    run: int = 0
    scaling: Requantization | None = None
    zeros: str = KEEP
    taps: int = 1

    def __post_init__(self) -> None:
        groups, mh, mw = self.weights.shape
        if not 1 <= self.pe <= mh or not 1 <= self.simd <= mw:
            raise ValueError(f"pe={self.pe} must be 1 to {mh}, the rows, and simd={self.simd} 1 to {mw}, the columns")
        if self.arithmetic == GRAPH and not self.is_whole:
            raise ValueError(f"arithmetic=graph adds whole vectors: it needs one group, pe={mh} and simd={mw}")
        if self.zeros not in CHOICES:
            raise ValueError(f"there is no way '{self.zeros}' with zeros")
        if self.zeros != KEEP and (self.arithmetic == GRAPH or self.weight_dtype.bipolar or groups > 1):
            raise ValueError("words of zeros are skipped of one group of weights, which have a 0, and are multiplied")
        if self.sparse and (self.arithmetic in PACKED or (self.arithmetic in CARRY and not self.sparse.steps)):
            need = "as many words of each sum" if self.arithmetic in CARRY else "every word"
            raise ValueError(f"arithmetic '{self.arithmetic}' needs {need}, which zeros='{self.zeros}' does not leave")
        if self.arithmetic in PACKED and self.form.products.pack(self.arithmetic) < 2:
            raise ValueError(f"two products of {self.in_dtype} and {self.weight_dtype} do not fit a slice, or are smaller without one")
        if self.threshold_style == START:
            self.check_start(*((0, 0) if self.sparse or self.arithmetic == GRAPH else (groups * self._folds[1], self._folds[2])))
        if self.taps > 1 and (mh % (self.taps * self.pe) or groups > 1 or self.thresholds is not None):
            raise ValueError(f"{self.taps} results a channel are of one group without thresholds, whose channels pe={self.pe} divides")
        if self.run and mw % self.run:
            raise ValueError(f"runs of {self.run} elements do not divide the {mw} columns")
        if self.zeros in PATTERNS:
            _ = self.sparse  # whether the weights have the pattern
        if self.in_shape[0] * self.in_shape[1] != self.vectors or self.in_shape[2] != groups * mw:
            raise ValueError(f"{self.vectors} vectors of {groups} x {mw} elements do not make a frame of {list(self.in_shape)}")
        if self.out_shape[0] * self.out_shape[1] != self.vectors or self.out_shape[2] != groups * mh:
            raise ValueError(f"{self.vectors} vectors of {groups} x {mh} results do not make a frame of {list(self.out_shape)}")

    def check_constants(self) -> None:
        """ValueError unless what is stored of the unit is what its types and sizes say."""
        check_codes(self.weights, self.weight_dtype, (None, None, None), "weights")
        check_steps(self.thresholds, self.flip, self.scaling, self.out_dtype, self.out_shape[2])
        if self.arithmetic not in (*ARITHMETIC_CODES, GRAPH):
            raise ValueError(f"there is no arithmetic '{self.arithmetic}'")

    @cached_property
    def _folds(self) -> tuple[int, int, int]:
        """(groups, row folds, column folds)."""
        groups, mh, mw = self.weights.shape
        return groups, -(-mh // self.pe), mw // self._col_run * -(-self._col_run // self.simd)

    @cached_property
    def _col_run(self) -> int:
        """Columns after which the lanes start again."""
        mw: int = self.weights.shape[2]
        return self.run if self.run > self.simd and mw % self.simd else mw

    @cached_property
    def form(self) -> MacForm:
        """How the hardware multiplies and what it compares with."""
        rows = self.weights.reshape(-1, self.weights.shape[2])
        return mac_form(rows, self.in_dtype, self.weight_dtype, self.acc_dtype, self._counting)

    @property
    def is_whole(self) -> bool:
        """Whether a step takes a whole vector and gives all results, so that each lane has constants for weights."""
        return self.weights.shape == (1, self.pe, self.simd)

    @cached_property
    def graph(self) -> GraphForm | None:
        """The adders instead of products, where they are asked for."""
        if self.arithmetic != GRAPH:
            return None
        return graph_form(self.weights[0], self.in_dtype, self.acc_dtype, self.out_dtype, self._counting)

    @cached_property
    def sparse(self) -> SparseForm | None:
        """What is walked, where not all words are."""
        if self.zeros == KEEP:
            return None
        return SparseForm(self._words(self._rows != 0)[0], self.vectors, PATTERNS.get(self.zeros, (1, 1)))

    @property
    def library(self) -> str:
        return "mvtu_graph" if self.graph else "mvtu_sparse" if self.sparse else self.kind

    @property
    def adders(self) -> Sums | None:
        return self.graph.sums if self.graph else None

    @property
    def ported(self) -> str:
        return "" if self.graph else super().ported

    @property
    def tied_field(self) -> str:
        return "pe" if self.taps > 1 else ""

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (Stream(self.in_shape, self.in_dtype, self.simd, self._col_run),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.out_shape, self.out_dtype, self.pe, self.weights.shape[1] // self.taps, self.taps),)

    @cached_property
    def _rows(self) -> Array:
        """Weights in the order of the results."""
        if self.taps == 1:
            return self.weights
        _, mh, mw = self.weights.shape
        return self.weights.reshape(self.taps, -1, self.pe, mw).transpose(1, 0, 2, 3).reshape(1, mh, mw)

    @cached_property
    def _products(self) -> Products:
        return Products(self._rows, self.in_dtype, self._counting)

    def compute(self, *codes: Array) -> tuple[Array, ...]:
        return (self._products.frames(codes[0]).reshape(len(codes[0]), *self.out_shape),)

    @cached_property
    def _counting(self) -> Thresholding | None:
        """Thresholds on the sums themselves."""
        if self.thresholds is None:
            return None
        return Thresholding(self.acc_dtype, self.out_dtype, self.thresholds, self.flip, self.scaling)

    @property
    def slots(self) -> int:
        """Beats in the output buffer: enough for one result every column fold."""
        if self.graph:
            return self.graph.slots
        if self.sparse:
            return self.sparse.slots(self._latency)
        return self._slots(self.arithmetic, self.threshold_style)

    def _slots(self, arithmetic: str, threshold_style: str) -> int:
        return max(2, -(-(self._latency_of(arithmetic, threshold_style) + 1) // self._folds[2]))

    @property
    def _latency(self) -> int:
        return self._latency_of(self.arithmetic, self.threshold_style)

    def _latency_of(self, arithmetic: str, threshold_style: str) -> int:
        return self.form.latency(self._lanes, 1 + (self._lanes < self.weights.shape[2]), arithmetic, threshold_style)

    @property
    def _lanes(self) -> int:
        """Products of a row at once."""
        return self.sparse.lanes if self.sparse else self.simd

    def schedule(self) -> Schedule:
        if self.graph:
            return self.graph.schedule(self.vectors)
        if self.sparse:
            return self.sparse.schedule(self._latency)
        _, nf, sf = self._folds
        firsts = np.arange(0, self.cycles, nf * sf, dtype=np.int64)
        takes = (firsts[:, None] + np.arange(sf)).ravel()
        gives = np.arange(sf - 1, self.cycles, sf, dtype=np.int64)
        return (Process(self.cycles, {0: takes}, {0: Give(gives, self._latency, self.slots)}),)

    @property
    def mac_lanes(self) -> int:
        return self.adders.pipeline.graph.adders if self.adders else self.pe * self._lanes

    @property
    def mac_rate(self) -> int:
        return -(-self.macs // self.cycles) if self.sparse or self.adders else self.mac_lanes

    @property
    def alternates(self) -> bool:
        return super().alternates and not self.sparse  # which takes the next vector ahead

    def hls_schedule(self) -> Schedule:
        return self.sparse.hls_schedule(self._latency) if self.sparse else self.schedule()

    @property
    def cycles(self) -> int:
        return self.vectors * self._depth

    @property
    def _depth(self) -> int:
        """Words of weights."""
        groups, nf, sf = self._folds
        return self.sparse.words if self.sparse else groups * nf * sf

    def parameters(self) -> dict[str, int]:
        groups, mh, mw = self.weights.shape
        dims = {"Vectors": self.vectors, "Groups": groups, "Mh": mh, "Mw": mw, "Pe": self.pe, "Simd": self.simd, "Run": self._col_run}
        if self.graph:
            dims = {"Vectors": self.vectors, "Mh": mh, "Mw": mw, "InBits": self.graph.sums.x.bits}
            style = {"ThresholdsStyle": STYLE_CODES[self.threshold_style], "Slots": self.slots}
            return dims | self.graph.parameters(self.threshold_style) | style
        arithmetic = {"Arithmetic": ARITHMETIC_CODES[self.arithmetic], "WeightsStyle": STYLE_CODES[self._weight_style]}
        form = self.form.parameters(self.out_dtype, self.threshold_style)
        if self.sparse:
            del dims["Groups"]
            form = {k: v for k, v in form.items() if k not in ("Xnor", "Double")}
            dims, arithmetic = dims | self.sparse.parameters(), arithmetic | self.sparse.style_parameters(self.in_dtype.bits)
        else:
            arithmetic["InputsStyle"] = STYLE_CODES[self.input_style]
        return dims | form | arithmetic | {"ThresholdsStyle": STYLE_CODES[self.threshold_style], "Slots": self.slots}

    def hls_parameters(self) -> dict[str, int]:
        return super().hls_parameters() | (self.sparse.hls_parameters() if self.sparse else {})

    @property
    def _weight_style(self) -> str:
        element = self.sparse.element_bits(self.form.products.w) if self.sparse else self.form.products.w.bits
        return rom_style(self._depth, self.pe * self._lanes * element, self.weight_style)

    def memories(self) -> tuple[Memory, ...]:
        if self.graph:
            steps = self.graph.thresholding
            return (steps.memory(self.pe, self.pe, self.threshold_style),) if steps else ()
        w, counting, groups = self.form.products.w, self.form.thresholding, len(self.weights)
        if self.sparse:
            stored: tuple[Memory, ...] = (self.sparse.stored(self._words(self._rows)[0], w, self._weight_style), self.sparse.walk())
        else:
            words = pack_words(self._words(self._rows).reshape(-1, self.pe * self.simd), BIPOLAR if self.form.products.xnor else w)
            stored = (Memory("Weights", self.pe * self.simd * w.bits, words, self._weight_style),)
        return (*stored, counting.memory(self.out_shape[2], self.pe, self.threshold_style, groups)) if counting else stored

    def _words(self, weights: Array) -> Array:
        """Of each weight something, as words: (groups, nf, sf, pe, simd)."""
        _, nf, sf = self._folds
        return words_of(weights, nf, sf, self.pe, self.simd, self._col_run, int(self.form.products.xnor))

    def folded(self, **choice: Any) -> Self:
        made = super().folded(**choice)
        made.__dict__["form"] = self.form  # does not depend on folding and styles, and is slow to find
        return made

    @property
    def _chains(self) -> tuple[tuple[str, ...], int]:
        """Arithmetic on carry chains that it has; lanes of the same inputs."""
        return CARRY if not self.sparse or self.sparse.steps else (), 1 if self.sparse or self._depth == 1 else self.pe

    def styles(self, family: str) -> Iterator[dict[str, str]]:
        groups, nf, sf = self._folds
        late = {"input_style": "auto" if self.sparse else mac_area.input_style(nf, sf, family)}
        for style in mac_styles(self.form, self._depth, groups * nf, family, *self._chains):
            if not (self.sparse and style["threshold_style"] == START):
                yield style | late

    def own_styles(self) -> Iterator[dict[str, str]]:
        if self.is_whole and self.zeros == KEEP and self.weights.size <= GRAPH_WEIGHTS:
            for style in threshold_styles(self._counting.size, 1) if self._counting else ("auto",):
                yield {"weight_style": "auto", "threshold_style": style, "arithmetic": GRAPH, "input_style": "auto"}

    @property
    def dimensions(self) -> Mapping[str, Hashable]:
        zeros = np.packbits(self.weights != 0).tobytes() if self._pattern else None
        return {"weights": (self.weights.shape, zeros), "thresholds": self.form.size, "flip": None, "scaling": None}

    @cached_property
    def _pattern(self) -> str:
        """The narrowest form that all zeros fit; "" where they are no matter."""
        if len(self.weights) > 1 or self.weight_dtype.bipolar or self.taps > 1:
            return ""
        return pattern_of(self.weights[0] != 0, self.run)

    def _sparse_foldings(self, pe: int, simd: int, busy: Busy) -> Iterator[dict[str, Any]]:
        """Those that leave out a tenth of the words, or have lanes for the weights alone that there are."""
        made = self.folded(pe=pe, simd=simd, zeros=KEEP)
        words = busy.words(pe, simd, made._col_run)
        if words is not None and words.mean() <= 0.9 and self.vectors * int(walked(words).sum()) <= 0.9 * made.cycles:
            yield {"pe": pe, "simd": simd, "zeros": SKIP}
        if self._pattern != SKIP and simd % PATTERNS[self._pattern][1] == 0:
            yield {"pe": pe, "simd": simd, "zeros": self._pattern}

    def foldings(self) -> Iterator[dict[str, Any]]:
        """Dividing rows and columns, and one of the two with the fewest lanes for each number of folds; each also with fewer words."""
        _, mh, mw = self.weights.shape
        run = self.run or mw
        rows, columns = divisors(mh), set(divisors(mw))
        simds = sorted({*columns, *quotients(run), *(s for s in quotients(mw) if s > run)})
        busy = Busy(self.weights[0] != 0) if self._pattern else None
        for pe in divisors(mh // self.taps) if self.taps > 1 else quotients(mh):
            for simd in simds:
                if pe in rows or simd in columns:
                    yield {"pe": pe, "simd": simd}
                    if busy is not None:
                        yield from self._sparse_foldings(pe, simd, busy)

    def resources(self, family: str) -> Resources:
        if self.graph:
            return self.graph.resources(self.threshold_style, family)
        if self.sparse:
            bits, styles = (self.out_dtype.bits, self.in_dtype.bits), (self.weight_style, self.threshold_style, self.arithmetic)
            return self.sparse.resources(self.form, self._folds[1], self._latency, *bits, styles, family)
        return Resources(*self.areas([mac_area.style_of(self)], family)[0].tolist())

    def paths(self, family: str) -> Iterator[Path]:
        if self.graph:
            yield from self.graph.paths(self.threshold_style, family)
            return
        memory = self._weight_style in ("bram", "uram")
        styles = (self.threshold_style, self.arithmetic)
        width = self._lanes * (self.in_dtype.bits + (0 if memory else self.pe * self.form.products.w.bits))
        groups, nf, sf = self._folds
        yield from mac_paths.step(width, self._depth, family)
        if self.input_style == "lutram" and min(nf, sf) > 1:
            bits = self.simd * self.in_dtype.bits
            yield from mac_paths.inputs(self.form.products, bits, self.pe, self.simd, self.arithmetic, family)
        if not memory:
            yield from mac_paths.next_word(self._depth, self.pe, family, self.zeros in PATTERNS)
        yield from mac_paths.mac(self.form, self.pe, self._lanes, groups * nf, memory, styles, family)

    def areas(self, styles: Iterable[Mapping[str, str]], family: str) -> Areas:
        chosen = list(styles)
        if self.sparse or any(style["arithmetic"] == GRAPH for style in chosen):
            return super().areas(chosen, family)
        groups, nf, sf = self._folds
        fields, out = style_fields(chosen), self.out_dtype.bits
        areas = mac_area.arrays(self.form, self.pe, self.simd, sf, groups * nf, self._slots, out, fields, family)
        areas += mac_area.inputs(self.simd * self.in_dtype.bits, nf, sf, family, chosen[0].get("input_style", self.input_style))
        areas += mac_area.mask(self.form.products, self.simd, self._col_run, sf, family)
        return areas

    def least_cost(self, family: str, prices: Areas) -> float:
        sizes = (self.pe, self.simd, self._folds[2], self._depth)
        return 0.0 if self.sparse else mac_area.least_cost(self.form, *sizes, *self._chains, family, prices)

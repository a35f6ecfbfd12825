"""Vector-vector-threshold unit: depthwise convolutions after a sliding window that sends channels outermost."""

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
from dfcompile.ir.types import BIPOLAR, IntType, exact_dtype
from dfcompile.units.base import Array, Memory, Stream, check_codes, pack_words, quotients
from dfcompile.units.parts import mac_area, mac_paths
from dfcompile.units.parts.arithmetic import ARITHMETIC_CODES, MacForm, mac_form, mac_styles, style_fields, sum_bound
from dfcompile.units.parts.carry import CARRY
from dfcompile.units.parts.mac_unit import MacUnit
from dfcompile.units.parts.schedule import Give, Process, Schedule
from dfcompile.units.parts.thresholding import START, Thresholding, check_steps


@dataclass(frozen=True, eq=False)
class Vvtu(MacUnit):
    """For each position and channel c: weights[c] . (the channel's k window elements), then thresholds.

    The input (OH, OW, k*C) is in the order (channel group of pe, k, lane), so its meaning depends on pe; the last group may be narrower.

    weights:      (channels, k) integers of weight_dtype
    out_dtype:    type of the codes; without thresholds a type that holds every sum
    acc_dtype:    type that holds every sum
    thresholds:   (channels or 1, 2**out_dtype.bits - 1), rising; code = lo + #{k : sum >= T_k}; or None
    flip:         (channels,): code = hi - #{k : sum >= T_k} where true; or None
    out_shape:    (OH, OW, channels)
    pe:           channels at once, at most all; simd is 1 (window elements come one after another)
    scaling:      the thresholds as a requantization, equal to them on every sum that occurs; or None
    """

    kind: ClassVar[str] = "vvtu"
    rtl_parameters: ClassVar[tuple[str, ...]] = ("Slots",)

    weights: Array
    in_dtype: IntType
    weight_dtype: IntType
    out_dtype: IntType
    acc_dtype: IntType
    thresholds: Array | None
    flip: Array | None
    out_shape: tuple[int, int, int]
    pe: int = 1
    simd: int = 1
    weight_style: str = "auto"
    threshold_style: str = "auto"
    arithmetic: str = "auto"
    scaling: Requantization | None = None

    def __post_init__(self) -> None:
        channels, _ = self.weights.shape
        if not 1 <= self.pe <= channels:
            raise ValueError(f"pe={self.pe} must be 1 to {channels}, the channels")
        if self.simd != 1:
            raise ValueError(f"simd={self.simd} must be 1: a depthwise window sends one element of each channel a beat")
        if self.out_shape[2] != channels:
            raise ValueError(f"weights of {channels} channels do not make a frame of {list(self.out_shape)}")
        if self.threshold_style == START:
            self.check_start(*self._folds)

    def check_constants(self) -> None:
        """ValueError unless what is stored of the unit is what its types and sizes say."""
        check_codes(self.weights, self.weight_dtype, (None, None), "weights")
        check_steps(self.thresholds, self.flip, self.scaling, self.out_dtype, self.out_shape[2])
        if self.arithmetic not in ARITHMETIC_CODES:
            raise ValueError(f"there is no arithmetic '{self.arithmetic}'")

    @property
    def _folds(self) -> tuple[int, int]:
        """(channel groups, elements of a channel's window)."""
        channels, k = self.weights.shape
        return -(-channels // self.pe), k

    @property
    def _positions(self) -> int:
        return self.out_shape[0] * self.out_shape[1]

    @cached_property
    def form(self) -> MacForm:
        """How the hardware multiplies and what it compares with."""
        return mac_form(self.weights, self.in_dtype, self.weight_dtype, self.acc_dtype, self._counting)

    @property
    def inputs(self) -> tuple[Stream, ...]:
        h, w, channels = self.out_shape
        taps = self.weights.shape[1]
        return (Stream((h, w, channels * taps), self.in_dtype, self.pe, channels, taps),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.out_shape, self.out_dtype, self.pe, self.out_shape[2]),)

    def compute(self, *codes: Array) -> tuple[Array, ...]:
        channels, k = self.weights.shape
        weights = self.weights.astype(exact_dtype(sum_bound(self.weights, self.in_dtype)))
        x = codes[0].reshape(-1, channels * k).astype(weights.dtype, copy=False)
        whole = channels // self.pe * self.pe
        acc = _sums(x[:, : whole * k].reshape(len(x), -1, k, self.pe), weights[:whole])
        if whole < channels:
            acc = np.concatenate([acc, _sums(x[:, None, whole * k :].reshape(len(x), 1, k, -1), weights[whole:])], axis=1)
        frames = acc.reshape(len(codes[0]), *self.out_shape)
        return (frames if self._counting is None else self._counting.codes(frames),)

    @cached_property
    def _counting(self) -> Thresholding | None:
        """Thresholds on the sums themselves."""
        if self.thresholds is None:
            return None
        return Thresholding(self.acc_dtype, self.out_dtype, self.thresholds, self.flip, self.scaling)

    @property
    def slots(self) -> int:
        """Beats in the output buffer: enough for one result every k steps."""
        return self._slots(self.arithmetic, self.threshold_style)

    def _slots(self, arithmetic: str, threshold_style: str) -> int:
        return max(2, -(-(self._latency_of(arithmetic, threshold_style) + 1) // self._folds[1]))

    @property
    def _latency(self) -> int:
        return self._latency_of(self.arithmetic, self.threshold_style)

    def _latency_of(self, arithmetic: str, threshold_style: str) -> int:
        return self.form.latency(1, self._folds[1], arithmetic, threshold_style)

    def schedule(self) -> Schedule:
        groups, k = self._folds
        steps = np.arange(self._positions * groups * k, dtype=np.int64)
        return (Process(len(steps), {0: steps}, {0: Give(steps[k - 1 :: k], self._latency, self.slots)}),)

    @property
    def cycles(self) -> int:
        groups, k = self._folds
        return self._positions * groups * k

    def parameters(self) -> dict[str, int]:
        channels, k = self.weights.shape
        dims = {"Vectors": self._positions, "Channels": channels, "Taps": k, "Pe": self.pe}
        styles = {"WeightsStyle": STYLE_CODES[self._weight_style], "ThresholdsStyle": STYLE_CODES[self.threshold_style]}
        arithmetic = {"Arithmetic": ARITHMETIC_CODES[self.arithmetic]}
        return dims | self.form.parameters(self.out_dtype, self.threshold_style) | arithmetic | styles | {"Slots": self.slots}

    @property
    def _weight_style(self) -> str:
        groups, k = self._folds
        return rom_style(groups * k, self.pe * self.form.products.w.bits, self.weight_style)

    def memories(self) -> tuple[Memory, ...]:
        groups, k = self._folds
        w = self.form.products.w
        padded = np.pad(self.weights, ((0, groups * self.pe - len(self.weights)), (0, 0)), constant_values=int(self.form.products.xnor))
        words = padded.reshape(groups, self.pe, k).transpose(0, 2, 1).reshape(-1, self.pe)
        weights = Memory("Weights", self.pe * w.bits, pack_words(words, BIPOLAR if self.form.products.xnor else w), self._weight_style)
        counting = self.form.thresholding
        return (weights, counting.memory(len(self.weights), self.pe, self.threshold_style)) if counting else (weights,)

    def folded(self, **choice: Any) -> Self:
        made = super().folded(**choice)
        made.__dict__["form"] = self.form  # does not depend on folding and styles, and is slow to find
        return made

    def styles(self, family: str) -> Iterator[dict[str, str]]:
        groups, k = self._folds
        return mac_styles(self.form, groups * k, groups, family, CARRY)

    @property
    def dimensions(self) -> Mapping[str, Hashable]:
        return {"weights": self.weights.shape, "thresholds": self.form.size, "flip": None, "scaling": None}

    def foldings(self) -> Iterator[dict[str, int]]:
        for pe in quotients(self.weights.shape[0]):
            yield {"pe": pe, "simd": 1}

    def resources(self, family: str) -> Resources:
        return Resources(*self.areas([mac_area.style_of(self)], family)[0].tolist())

    def paths(self, family: str) -> Iterator[Path]:
        memory = self._weight_style in ("bram", "uram")
        groups, k = self._folds
        width = self.pe * (self.in_dtype.bits + (0 if memory else self.form.products.w.bits))
        yield from mac_paths.step(width, groups * k, family)
        yield from mac_paths.mac(self.form, 1, 1, groups, memory, (self.threshold_style, self.arithmetic), family, self.pe)

    def areas(self, styles: Iterable[Mapping[str, str]], family: str) -> Areas:
        groups, k = self._folds
        fields, out = style_fields(styles), self.out_dtype.bits
        areas = mac_area.arrays(self.form, self.pe, 1, k, groups, self._slots, out, fields, family, own=True)
        areas += mac_area.inputs(self.pe * self.in_dtype.bits, 1, k, family)
        return areas

    def least_cost(self, family: str, prices: Areas) -> float:
        groups, k = self._folds
        return mac_area.least_cost(self.form, self.pe, 1, k, groups * k, CARRY, 1, family, prices)


def _sums(x: Array, weights: Array) -> Array:
    """(n, groups, k, lanes) inputs by (groups * lanes, k) weights -> (n, groups * lanes) sums over k, in the weights' dtype."""
    n, groups, k, lanes = x.shape
    taps = weights.reshape(groups, lanes, k).transpose(2, 0, 1)
    acc = np.zeros((n, groups, lanes), weights.dtype)
    for tap in range(k):
        acc += x[:, :, tap] * taps[tap]
    return acc.reshape(n, groups * lanes)

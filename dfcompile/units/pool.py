"""Maximum, minimum or sum over windows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

import numpy as np

from dfcompile.device import area
from dfcompile.device.delay import Path
from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Resources
from dfcompile.ir.types import IntType
from dfcompile.units.base import Array, Stream, Unit, quotients
from dfcompile.units.parts.carrier import widened
from dfcompile.units.parts.schedule import Give, Process, Schedule

_MODES = {"max": 0, "min": 1, "sum": 2}


@dataclass(frozen=True, eq=False)
class Pool(Unit):
    """(OH, OW, k*C) -> (OH, OW, C): reduces the k elements of each window and channel.

    mode:           "max", "min" or "sum"
    shape_out:      (OH, OW, C)
    channels_outer: the order of a window is (c // pe, k, c % pe), which needs pe accumulators; otherwise (k, c), C
                    accumulators: a global pool reads whole frames so, without a window generator
    pe:             channels at once; the last group of channels may be narrower
    """

    kind = "pool"
    fold_fields = ("pe",)

    mode: str
    shape_out: tuple[int, int, int]
    k: int
    dtype: IntType
    out_dtype: IntType
    pe: int = 1
    channels_outer: bool = True

    def __post_init__(self) -> None:
        if self.mode not in _MODES:
            raise ValueError(f"a pool is one of {', '.join(_MODES)}, not '{self.mode}'")
        if not 1 <= self.pe <= self.shape_out[2]:
            raise ValueError(f"pe {self.pe} must be 1 to {self.shape_out[2]}, the channels")
        factor = self.k if self.mode == "sum" else 1
        lo, hi, out = self.dtype.lo * factor, self.dtype.hi * factor, self.out_dtype
        if out.lo > lo or out.hi < hi or (out.bipolar and self.mode == "sum" and self.k > 1):
            raise ValueError(f"{out} does not hold the {self.mode} of {self.k} {self.dtype}")

    @property
    def folds(self) -> int:
        """Accumulators of pe lanes."""
        return 1 if self.channels_outer else self._groups

    @property
    def _groups(self) -> int:
        """Beats of a pixel."""
        return -(-self.shape_out[2] // self.pe)

    @property
    def positions(self) -> int:
        """Reductions of `folds` accumulators in a frame."""
        return self.shape_out[0] * self.shape_out[1] * self._groups // self.folds

    @property
    def inputs(self) -> tuple[Stream, ...]:
        h, w, c = self.shape_out
        return (Stream((h, w, self.k * c), self.dtype, self.pe, c, self.k if self.channels_outer else 1),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (Stream(self.shape_out, self.out_dtype, self.pe, self.shape_out[2]),)

    @property
    def slots(self) -> int:
        return 1 if self.folds == 1 and self.k > 1 else 2

    def compute(self, *codes: Array) -> tuple[Array, ...]:
        (x,) = codes
        h, w, c = self.shape_out
        whole = c // self.pe * self.pe if self.channels_outer else c
        parts = [self._reduce(x[..., : whole * self.k].reshape(len(x), h, w, -1, self.k, self.pe if self.channels_outer else c))]
        if whole < c:
            parts.append(self._reduce(x[..., whole * self.k :].reshape(len(x), h, w, 1, self.k, -1)))
        return (np.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0],)

    def _reduce(self, windows: Array) -> Array:
        """(n, OH, OW, groups, k, lanes) -> (n, OH, OW, groups * lanes)."""
        if self.mode == "sum":
            windows = widened(windows, self.out_dtype.lo, self.out_dtype.hi)
            found = np.asarray(windows.sum(axis=-2, dtype=windows.dtype))
        else:
            pick = np.maximum if self.mode == "max" else np.minimum
            # A few large elementwise operations are faster than a reduction over a short inner axis.
            found = reduce(pick, (windows[..., i, :] for i in range(self.k)))
        return found.reshape(*windows.shape[:3], -1)

    def schedule(self) -> Schedule:
        starts = np.arange(self.positions, dtype=np.int64)[:, None] * (self.k * self.folds)
        gives = (starts + (self.k - 1) * self.folds + np.arange(self.folds)).reshape(-1)
        takes = np.arange(self.inputs[0].beats, dtype=np.int64)
        return (Process(len(takes), {0: takes}, {0: Give(gives, latency=1, slots=self.slots)}),)

    @property
    def cycles(self) -> int:
        return self.inputs[0].beats

    def parameters(self) -> dict[str, int]:
        return {
            "Mode": _MODES[self.mode],
            "Positions": self.positions,
            "K": self.k,
            "Folds": self.folds,
            "Pe": self.pe,
            "InBits": self.dtype.bits,
            "InSigned": int(self.dtype.signed),
            "InBipolar": int(self.dtype.bipolar),
            "OutBits": self.out_dtype.bits,
            "OutBipolar": int(self.out_dtype.bipolar),
        }

    def foldings(self) -> Iterator[dict[str, int]]:
        for pe in quotients(self.shape_out[2]):
            yield {"pe": pe}

    def paths(self, family: str) -> Iterator[Path]:
        bits, width, kept = self.out_dtype.bits, self.outputs[0].width, int(self.folds > 1)  # those that wait are in a memory
        yield Path("a value of a window", levels=1 + kept, carries=(bits,), fanout=bits)
        yield Path("whether a window begins", levels=2, stores=kept > 0, fanout=width)
        yield Path("the step", levels=2, stores=True, fanout=width)

    def resources(self, family: str) -> Resources:
        width = self.outputs[0].width
        bits = self.out_dtype.bits
        if self.mode == "sum":
            lane = area.adder(bits, family) + Resources(lut=0.5 * bits if self.folds > 1 else 0)
        elif 2 * bits + 1 <= 6:  # a bit of the result is one function
            lane = Resources(lut=bits * FAMILIES[family].units.extreme)
        else:
            lane = area.compare(bits, False, family) + area.mux(bits, 2, family) * 1.4
        memory = Resources()
        if self.k > 1:
            memory = area.shallow(self.folds, width, family) if self.folds > 1 else Resources(ff=width)
        return area.total(
            *[lane] * self.pe,
            memory,
            area.counter(self.k, family),
            area.counter(self.folds, family),
            area.stream_out(width, self.slots, family),
            Resources(lut=3),
        )

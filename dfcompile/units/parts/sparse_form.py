"""A matrix-vector unit that walks those words of its weights alone that have others than 0.

A word is what a step multiplies: `pe` rows by `simd` columns. Of each fold of rows the words are walked that are not all 0, at least one,
and as many in all as a vector has beats. The vector is kept whole, so that any of its beats can be read, and the next one comes in.

Where a row has at most n weights for each m inputs, it needs n products for them: with each weight is stored which input it is of.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dfcompile.device import area
from dfcompile.device.area import STYLE_CODES, index_bits, ram_style, rom_style
from dfcompile.device.resources import Resources
from dfcompile.ir.types import IntType
from dfcompile.units.base import Array, Memory, pack_words
from dfcompile.units.parts import mac_area
from dfcompile.units.parts.arithmetic import MacForm
from dfcompile.units.parts.loop import Loop
from dfcompile.units.parts.schedule import After, Give, Process, Schedule

KEEP = "keep"
"""Words of zeros are walked as others are."""
SKIP = "skip"
"""They are not."""
PATTERNS = {"1:4": (1, 4), "1:2": (1, 2), "2:4": (2, 4)}
"""Nor are they, and of so many inputs a row multiplies so many."""
PAGES = 2
"""Vectors kept: a page is taken again as soon as its beats and words are over, and there are no more beats than words."""
CHOICES = (KEEP, SKIP, *PATTERNS)


class Busy:
    """Which words of any folding are not all 0: to form the words of each takes too long.

    used: which weights are not 0, (rows, columns)
    """

    def __init__(self, used: NDArray[np.bool_]) -> None:
        sums = used.cumsum(axis=0, dtype=np.int32).cumsum(axis=1, dtype=np.int32)
        self._before = np.pad(sums, ((1, 0), (1, 0)))  # used in the rows and columns before each
        self._counted = 0, self._before
        self._full: list[tuple[int, int, int]] = []

    def words(self, pe: int, simd: int, run: int) -> NDArray[np.bool_] | None:
        """(row folds, column folds); None where none is all 0. Columns fall into words anew after each `run`."""
        if any(pe % p == 0 and simd % s == 0 and run == r for p, s, r in self._full):
            return None  # each word is several of a folding that has none
        if self._counted[0] != pe:
            ends = np.minimum(np.arange(0, len(self._before) + pe - 1, pe), len(self._before) - 1)
            self._counted = pe, np.diff(self._before[ends], axis=0)
        before = self._counted[1]
        ends = np.minimum(np.arange(-(-run // simd) + 1) * simd, run)
        starts = np.arange(0, before.shape[1] - 1, run)[:, None]
        found: NDArray[np.bool_] = np.diff(before[:, starts + ends]).reshape(len(before), -1) > 0
        if found.all():
            self._full.append((pe, simd, run))
            return None
        return found


def walked(used: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which words are walked, (row folds, column folds), where `used` says which are not all 0."""
    if used.all():
        return used
    words = used.copy()
    words[~words.any(axis=1), 0] = True
    spare = np.flatnonzero(~words)[: max(0, words.shape[1] - int(words.sum()))]
    words.reshape(-1)[spare] = True
    return words


MOST_USED = 0.6
"""Share of weights that are not 0 up to which skipping is an option: of more, words are hardly ever 0."""


def pattern_of(used: Array, run: int) -> str:
    """The narrowest form that the zeros of (rows, columns) weights fit, in runs of columns (0: one); "" where they are no matter."""
    if used.mean() > MOST_USED:
        return ""
    run = run or used.shape[1]
    fits = (p for p, (n, m) in PATTERNS.items() if run % m == 0 and used.reshape(-1, m).sum(axis=1).max() <= n)
    return next(fits, SKIP)


@dataclass(frozen=True, eq=False)
class SparseForm:
    """What is walked for each of `vectors` vectors.

    used:    which weights are not 0, (row folds, column folds, pe, simd)
    pattern: (n, m), at most n weights of each m inputs; (1, 1) for any
    """

    used: NDArray[np.bool_]
    vectors: int
    pattern: tuple[int, int]

    def __post_init__(self) -> None:
        kept, of = self.pattern
        simd = self.used.shape[3]
        if simd % of:
            raise ValueError(f"simd={simd} has no whole groups of {of} inputs")
        if of > 1 and self._groups(self.used).sum(axis=-1).max() > kept:
            raise ValueError(f"a row has more than {kept} weights of {of} inputs")

    def _groups(self, words: Array) -> Array:
        return words.reshape(*words.shape[:-1], -1, self.pattern[1])

    @cached_property
    def _walked(self) -> NDArray[np.bool_]:
        """Which words, (row folds, column folds)."""
        return walked(np.any(self.used, axis=(2, 3)))

    @property
    def beats(self) -> int:
        """Of a vector."""
        return int(self.used.shape[1])

    @cached_property
    def words(self) -> int:
        """Of a vector."""
        return int(self._walked.sum())

    @cached_property
    def steps(self) -> int:
        """Words of each sum, where all have as many; else 0."""
        each = self._walked.sum(axis=1)
        return int(each[0]) if np.all(each == each[0]) else 0

    @property
    def lanes(self) -> int:
        """Products of a row."""
        kept, of = self.pattern
        return int(self.used.shape[3]) // of * kept

    @cached_property
    def _ends(self) -> NDArray[np.bool_]:
        """Which words are a fold of rows' last."""
        fold = np.nonzero(self._walked)[0]
        return np.append(fold[1:] != fold[:-1], True)

    @cached_property
    def _places(self) -> NDArray[np.int64]:
        """Which inputs of a group are multiplied: (words, pe, groups, n)."""
        order = np.argsort(~self._groups(self.used[self._walked]), axis=-1, kind="stable")
        return np.sort(order[..., : self.pattern[0]], axis=-1)

    def stored(self, weights: Array, w: IntType, style: str) -> Memory:
        """The words, each weight with its place above it; weights: as `used`."""
        groups = self._groups(weights[self._walked].astype(np.int64))
        kept, bits = np.take_along_axis(groups, self._places, axis=-1), self.element_bits(w)
        elements = (self._places << w.bits) + (kept & ((1 << w.bits) - 1))
        return Memory("Weights", elements[0].size * bits, pack_words(elements.reshape(self.words, -1), IntType(bits)), style)

    def element_bits(self, w: IntType) -> int:
        """Of a stored weight."""
        return w.bits + (self.pattern[1] - 1).bit_length()

    def walk(self) -> Memory:
        """Of each word the beat that it multiplies, and above it whether it is a fold of rows' last."""
        bits = index_bits(self.beats)
        entries = np.nonzero(self._walked)[1] + (self._ends.astype(np.int64) << bits)
        return Memory("Walk", bits + 1, pack_words(entries[:, None], IntType(bits + 1)), self._walk_style)

    @property
    def _walk_style(self) -> str:
        return rom_style(self.words, index_bits(self.beats) + 1, "auto")

    def parameters(self) -> dict[str, int]:
        """Those after the sizes of the unit."""
        return {"Words": self.words, "Kept": self.pattern[0], "Of": self.pattern[1]}

    def style_parameters(self, x: int) -> dict[str, int]:
        """Those after the style of weights; x: bits of an input."""
        vectors = ram_style(PAGES * self.beats, self.used.shape[3] * x)
        return {"VectorsStyle": STYLE_CODES[vectors], "WalkStyle": STYLE_CODES[self._walk_style]}

    def slots(self, latency: int) -> int:
        """Beats in the output buffer, so many that no step waits for one while all are taken at once."""
        ends = np.flatnonzero(self._ends)
        turns = -(-(latency + 1) // self.words) + 1
        later = (ends + np.arange(turns + 1)[:, None] * self.words).reshape(-1)
        return max(2, int((np.searchsorted(later, ends + latency, side="right") - np.arange(len(ends))).max()))

    def _walker(self, latency: int, slots: int) -> dict[int, Give]:
        firsts = np.arange(self.vectors, dtype=np.int64)[:, None] * self.words
        return {0: Give((firsts + np.flatnonzero(self._ends)).reshape(-1), latency, slots)}

    def schedule(self, latency: int) -> Schedule:
        """Beats are taken while a page is free, words walked once their vector is there."""
        beat = np.arange(self.vectors * self.beats, dtype=np.int64)
        free = After(1, (beat // self.beats - PAGES + 1) * self.words)
        there = After(0, (np.arange(self.vectors * self.words, dtype=np.int64) // self.words + 1) * self.beats)
        gives = self._walker(latency, self.slots(latency))
        return Process(len(beat), {0: beat}, after=(free,)), Process(self.vectors * self.words, gives=gives, after=(there,))

    @cached_property
    def loop(self) -> Loop:
        """The C++: a beat before the first word that multiplies it."""
        first = np.full(self.beats, self.words - 1, dtype=np.int64)
        columns = np.nonzero(self._walked)[1]
        first[columns[::-1]] = np.arange(self.words)[::-1]
        every = first + np.arange(self.vectors, dtype=np.int64)[:, None] * self.words
        return Loop(every.reshape(-1), self.vectors * self.words, lag=1)

    def hls_schedule(self, latency: int) -> Schedule:
        """As `Loop.schedule`, with a beat given by the last word of a fold of rows."""
        loop, slots = self.loop, self.slots(latency)
        before = After(1, loop.given_by(np.arange(loop.iterations, dtype=np.int64)))
        takes = Process(loop.iterations, {0: loop.takes}, after=(before,))
        return takes, Process(loop.steps, gives=self._walker(latency, slots), after=(After(0, loop.gives + 1, delay=0),))

    def hls_parameters(self) -> dict[str, int]:
        """Those of the loop: its lead, and the fewest iterations from the write of a beat to its first read."""
        loop, columns = self.loop, np.nonzero(self._walked)[1]
        first = loop.first[np.isin(np.arange(loop.words) % self.beats, columns)]
        word = np.flatnonzero(np.isin(np.arange(loop.words) % self.beats, columns))
        distance = min((loop.gives[first] - loop.takes[word]).min(), (loop.lead + first - word).min())  # a call's first takes come in a row
        return {"Lead": loop.lead, "Distance": int(distance)}

    def resources(
        self, form: MacForm, folds: int, latency: int, output: int, x: int, styles: tuple[str, str, str], family: str
    ) -> Resources:
        """Area of the whole unit.

        folds: of rows; output, x: bits of a result and of an input; styles: of weights, thresholds, arithmetic
        """
        weight_style, threshold_style, arithmetic = styles
        pe, of = self.used.shape[2], self.pattern[1]
        width = pe * self.lanes * self.element_bits(form.products.w)
        mac = mac_area.mac(form, pe, self.lanes, 2, folds, self.slots(latency), output, (threshold_style, arithmetic), family, own=of > 1)
        weights = area.rom(self.words, width, weight_style, family)
        chosen = area.mux(x, of, family) * (pe * self.lanes if of > 1 else 0)
        return area.total(mac, weights, area.counter(self.words, family), chosen, self._walk_area(x * self.used.shape[3], family))

    def _walk_area(self, width: int, family: str) -> Resources:
        """Area of `dfc_mvtu_walk` for beats of `width` bits."""
        places = PAGES * self.beats
        counters = [area.counter(n, family) for n in (self.beats, places, PAGES, PAGES + 1)]
        walk = area.rom(self.words, index_bits(self.beats) + 1, "auto", family)  # its address is late, but what rises in it takes less
        return area.total(
            walk, area.ram(places, width, "auto", family), *counters, area.adder(index_bits(places), family), Resources(lut=4)
        )

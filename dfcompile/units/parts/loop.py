"""One blocking loop that takes words and gives steps: the C++ of a unit whose two sides are processes of their own in SystemVerilog.

A frame is `words` taken and `steps` given. An iteration takes a word, gives a step, or both, by counters alone, so that whoever joins
such loops by bounded FIFOs either always deadlocks or never does. A frame takes max(words, steps) iterations, and the loop goes on over
all frames of a call:

* where there are at least as many steps as words, the first `lead` iterations of a call take a word each; after them each iteration
  gives a step, and takes are spread evenly: iteration p of a frame takes a word when (p + 1) * words // steps rises;
* else each iteration takes a word, a frame's first step comes `lead` iterations after its first word, and each later one as soon as its
  words are there.

A step may use what was taken at least `lag` iterations before. docs/timing.md says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dfcompile.units.parts.repeated import count_before
from dfcompile.units.parts.schedule import After, Give, Process, Schedule

Steps = NDArray[np.int64]
NEVER = 1 << 40


@dataclass(frozen=True, eq=False)
class Loop:
    """first: for each word of a frame the first step that waits for it, NEVER if none does; steps: of a frame."""

    first: Steps
    steps: int
    lag: int

    @property
    def words(self) -> int:
        return len(self.first)

    @property
    def iterations(self) -> int:
        """Of a frame."""
        return max(self.words, self.steps)

    @property
    def is_even(self) -> bool:
        """Whether takes are spread over steps."""
        return self.steps >= self.words

    @cached_property
    def lead(self) -> int:
        """Iterations before the first step of a frame, counted from where its words begin (in a call's first frame, where it is fewest)."""
        waited = np.flatnonzero(self.first < NEVER)
        first = self.first[waited]
        if not self.is_even:
            ready = waited + self.lag
            late = ready - first + self.steps - self.words  # what the frame before would still give
            return int(max(late.max(initial=0), ready[first == 0].max(initial=0)))
        at = first - self.lag + 1
        taken = np.where(at < 0, at, at * self.words // self.steps)  # after the lead, before a step may use them
        return max(1, int((waited + 1 - taken).max(initial=1)))

    @cached_property
    def takes(self) -> Steps:
        """Iteration of each word, counted from that of word 0."""
        index = np.arange(self.words, dtype=np.int64)
        if not self.is_even:
            return index
        return self._taken_at(index) - self._taken_at(0)

    @cached_property
    def gives(self) -> Steps:
        """Iteration of each step, counted from that of word 0; it may lie in a later frame's."""
        index = np.arange(self.steps, dtype=np.int64)
        if self.is_even:
            return index - self._taken_at(0)
        ready = np.full(self.steps, self.lead, dtype=np.int64)
        waited = np.flatnonzero(self.first < NEVER)
        np.maximum.at(ready, self.first[waited], waited + self.lag)
        found: Steps = np.maximum.accumulate(ready - index) + index
        return found

    def _taken_at(self, word: Steps | int) -> Steps:
        """Iteration of a word, counted from the frame's first step, where takes are even and other frames come before."""
        return np.asarray(-((self.lead - 1 - word) * self.steps // self.words) - 1)

    def given_by(self, iterations: Steps) -> Steps:
        """Steps given before each of rising iterations, counted as `gives`; below 0: of frames before."""
        return count_before(self.gives, self.iterations, iterations)

    def most_held(self, lows: Steps, run: int = 1) -> int:
        """Most words at once, of which each step, before it, needs none below `lows`; each of those holds for `run` steps.

        A word may take the place of one that its own iteration reads for the last time.
        """
        if self.is_even:
            last = np.arange(1, len(lows) + 1, dtype=np.int64) * run - 1
            return int((self.lead + last * self.words // self.steps - lows).max())
        word = np.arange(self.words, dtype=np.int64)
        step = self.given_by(word + 1)
        frame, within = np.divmod(step, self.steps)
        return int((word + 1 - lows[within // run] - frame * self.words).max())

    def schedule(self, latency: int) -> Schedule:
        """As the timing model has it: what the loop takes, and what it gives, which no later iteration overtakes.

        Frame 0 is as every other here. In a call's first frame the takes of the lead come one after the other, with no step in between,
        so that everything in it happens as early or earlier.
        """
        index = np.arange(self.iterations, dtype=np.int64)
        loop = Process(self.iterations, {0: self.takes}, after=(After(1, self.given_by(index)),))
        give = Give(np.arange(self.steps, dtype=np.int64), latency, slots=latency + 1)
        return loop, Process(self.steps, gives={0: give}, after=(After(0, self.gives + 1, delay=0),))

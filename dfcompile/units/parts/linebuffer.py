"""Timing of a circular buffer with one writer and one reader, as in `sliding_window` and `upsample`.

A frame is `words` words, written in order, one a cycle. The reader makes one step a cycle: step s reads word
`reads[s]` of its frame (-1: none) and before it every word below `lows[s]` (not falling) is dead. Words are
numbered through all frames. Word w may be written once word w - depth, whose place it takes, is dead; a word may be
read the cycle after it is written. A step that reads nothing waits for its frame's first word, so that no frame
starts before it arrives.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dfcompile.units.parts.repeated import count_before
from dfcompile.units.parts.schedule import After, Give, Process, Schedule

Steps = NDArray[np.int64]
NEVER = 1 << 40


def _low_at(step: Steps, lows: Steps, words: int, run: int = 1) -> Steps:
    """`lows`, each of which holds for `run` steps, at absolute steps, which may lie in other frames."""
    frame = step // (len(lows) * run)
    found: Steps = lows[step // run - frame * len(lows)] + frame * words
    return found


def first_waits(reads: Steps, words: int) -> Steps:
    """For each word the first step that waits for it."""
    first = np.full(words, NEVER, dtype=np.int64)
    first[np.maximum(reads, 0)[::-1]] = np.arange(len(reads))[::-1]  # the last assignment wins
    return first


def _latest_writes(first: Steps, steps: int) -> Steps:
    """When the words must be written at the latest, if step s is at cycle s and frames follow without a gap."""
    words = len(first)
    slack = first - 1 - np.arange(words)
    # A later word's deadline binds this one; the next frame's slack is that much larger or equal.
    both = np.concatenate([slack, slack + (steps - words)])
    latest: Steps = np.minimum.accumulate(both[::-1])[::-1][:words] + np.arange(words)
    return latest


def _steps_done(reads: Steps, words: int) -> Steps:
    """Steps done before cycle w, if word w is written at cycle w without a gap and the reader is eager."""
    steps = len(reads)
    own = np.maximum(reads, 0) + 1 - np.arange(steps)
    ahead = np.maximum.accumulate(np.concatenate([own - (words - steps), own]))[steps:]
    times = ahead + np.arange(steps)
    frames = np.arange(-3, 3)
    every = (times[None, :] + frames[:, None] * words).reshape(-1)
    done: Steps = np.searchsorted(every, np.arange(words) - 1, side="right") - 3 * steps
    return done


def minimal_depth(reads: Steps, lows: Steps, words: int) -> int:
    """Fewest places with which a frame takes max(words, steps) cycles when neither side is stalled from outside.

    The slower side moves in every cycle. If that is the reader, each word is best written as late as possible; if it
    is the writer, each step is best done as early as possible; then the most words ever alive are the answer.
    """
    if len(reads) >= words:
        return reader_depth(first_waits(reads, words), lows)
    return _most_alive(_steps_done(reads, words), lows, words)


def reader_depth(first: Steps, lows: Steps, run: int = 1) -> int:
    """`minimal_depth` where the reader makes at least as many steps as there are words.

    first: for each word the first step that waits for it, NEVER if none does
    lows:  each holds for `run` steps
    """
    return _most_alive(_latest_writes(first, len(lows) * run), lows, len(first), run)


def _most_alive(state: Steps, lows: Steps, words: int, run: int = 1) -> int:
    """Most words alive, if word w is written when `state[w]` steps are done."""
    return max(1, int((np.arange(words) - _low_at(state, lows, words, run)).max()) + 1)


def deadlock_depth(reads: Steps, lows: Steps) -> int:
    """Fewest places with which the reader ever gets all its words."""
    return max(1, int((np.maximum.accumulate(reads) - lows).max()) + 1)


def schedule(reads: Steps, lows: Steps, words: int, depth: int) -> Schedule:
    """Writer and reader; the reader's result is registered once, in the register that the memory's read port has."""
    steps = len(reads)
    index = np.arange(words, dtype=np.int64)
    freed = count_before(lows, words, index - depth + 1)
    give = Give(np.arange(steps, dtype=np.int64), latency=1, slots=1, credit_delay=0)
    writer = Process(words, takes={0: index}, after=(After(1, freed),))
    reader = Process(steps, gives={0: give}, after=(After(0, np.maximum(reads, 0) + 1),))
    return writer, reader

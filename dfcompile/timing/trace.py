"""Which links raised a time: from an event back along its causes to the loop that asks for more cycles than its frames bring."""

from __future__ import annotations

from dfcompile.timing.kernel import jit
from dfcompile.timing.net import BEATS, DELAY, DST_PORT, FIRST, LO, NEXT_LO, SHIFT_BEATS, SHIFT_FRAMES, SIZE, SRC, SRC_PORT, WRAP, Shorts
from dfcompile.timing.periodic import CHAIN, START, Bools, Causes, less


@jit
def _back(sequences: Shorts, links: Shorts, ports: Shorts, causes: Causes, place: Shorts, q: int, i: int) -> tuple[int, int, int]:
    """The event that raised event i of sequence q: (sequence, event, frames back)."""
    if causes[sequences[q, FIRST] + i] == CHAIN:
        return (q, i - 1, 0) if i > 0 else (q, sequences[q, SIZE] - 1, 1)
    k = place[causes[sequences[q, FIRST] + i]]
    b, back = less(ports, links[k, DST_PORT], links[k, BEATS], i) - links[k, SHIFT_BEATS], links[k, SHIFT_FRAMES]
    if b < 0:
        b, back = b + links[k, BEATS], back + 1
    return links[k, SRC], ports[links[k, SRC_PORT] + b], back


@jit
def _follow(
    sequences: Shorts, links: Shorts, ports: Shorts, causes: Causes, place: Shorts, q: int, i: int, seen: Shorts, since: int, stamp: int
) -> tuple[int, int, int]:
    """Follow causes back from event i of sequence q to an event on the loop that they close, -1 when they close none;
    (its sequence, the event, events seen)."""
    count = 0
    while seen[sequences[q, FIRST] + i] != stamp:
        event = sequences[q, FIRST] + i
        cause = causes[event]
        if cause == START or seen[event] >= since or (cause >= 0 and (cause >= len(place) or place[cause] < 0)):
            return -1, 0, count
        seen[event] = stamp
        count += 1
        q, i, _ = _back(sequences, links, ports, causes, place, q, i)
    return q, i, count


@jit
def trace(
    sequences: Shorts,
    links: Shorts,
    ports: Shorts,
    gaps: Shorts,
    causes: Causes,
    place: Shorts,
    start: int,
    seen: Shorts,
    since: int,
    stamp: int,
    used: Bools,
) -> tuple[int, int, int, int, int]:
    """A loop that causes close, met going back from a sequence that is not settled, in this frame's round or the next;
    (next start, stamp, cycles, frames, events seen).

    A loop of causes takes more cycles than its frames bring (each raised the next above what it was). Its links are
    flagged in `used`. No cycles: there is none from `start` on. `seen` holds the stamps of earlier traces; what those from
    `since` on have seen is not followed again. `place` is the row of each number of a link.
    """
    followed = 0
    for at in range(start, 2 * (len(sequences) - 1)):
        q = at // 2
        i = sequences[q, LO] if sequences[q, LO] < sequences[q, SIZE] else sequences[q, NEXT_LO]
        i -= at % 2
        if i < 0 or i >= sequences[q, SIZE] - at % 2:
            continue
        stamp += 1
        start_q, start_i, count = _follow(sequences, links, ports, causes, place, q, i, seen, since, stamp)
        followed += count
        if start_q < 0:
            continue
        q, i, cycles, frames = start_q, start_i, 0, 0
        while True:
            cause = causes[sequences[q, FIRST] + i]
            if cause == CHAIN:
                cycles += gaps[sequences[q, FIRST] + i] if i > 0 else sequences[q, WRAP]
            else:
                k = place[cause]
                cycles += ports[links[k, DELAY] + less(ports, links[k, DST_PORT], links[k, BEATS], i)]
                used[place[cause]] = True
            q, i, back = _back(sequences, links, ports, causes, place, q, i)
            frames += back
            if q == start_q and i == start_i:
                return at + 1, stamp, cycles, frames, followed
    return 2 * (len(sequences) - 1), stamp, 0, 0, followed

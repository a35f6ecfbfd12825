"""Which links raised a time: from an event back along its causes to the loop that asks for more cycles than its frames bring."""

from __future__ import annotations

from dfcompile.timing.kernel import jit
from dfcompile.timing.net import Records, Shorts
from dfcompile.timing.periodic import CHAIN, START, Bools, Causes, less


@jit
def _back(sequences: Records, links: Records, ports: Shorts, causes: Causes, place: Shorts, q: int, i: int) -> tuple[int, int, int]:
    """The event that raised event i of sequence q: (sequence, event, frames back)."""
    if causes[sequences[q].first + i] == CHAIN:
        return (q, i - 1, 0) if i > 0 else (q, sequences[q].events - 1, 1)
    link = links[place[causes[sequences[q].first + i]]]
    b, back = less(ports, link.dst_port, link.beats, i, 0) - link.shift_beats, link.shift_frames
    if b < 0:
        b, back = b + link.beats, back + 1
    return link.src, ports[link.src_port + b], back


@jit
def _follow(
    sequences: Records, links: Records, ports: Shorts, causes: Causes, place: Shorts, q: int, i: int, seen: Shorts, since: int, stamp: int
) -> tuple[int, int, int]:
    """Follow causes back from event i of sequence q to an event on the loop that they close, -1 when they close none;
    (its sequence, the event, events seen)."""
    count = 0
    while seen[sequences[q].first + i] != stamp:
        event = sequences[q].first + i
        cause = causes[event]
        if cause == START or seen[event] >= since or (cause >= 0 and (cause >= len(place) or place[cause] < 0)):
            return -1, 0, count
        seen[event] = stamp
        count += 1
        q, i, _ = _back(sequences, links, ports, causes, place, q, i)
    return q, i, count


@jit
def trace(
    sequences: Records,
    links: Records,
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
        i = sequences[q].lo if sequences[q].lo < sequences[q].events else sequences[q].next_lo
        i -= at % 2
        if i < 0 or i >= sequences[q].events - at % 2:
            continue
        stamp += 1
        start_q, start_i, count = _follow(sequences, links, ports, causes, place, q, i, seen, since, stamp)
        followed += count
        if start_q < 0:
            continue
        q, i, cycles, frames = start_q, start_i, 0, 0
        while True:
            cause = causes[sequences[q].first + i]
            if cause == CHAIN:
                cycles += gaps[sequences[q].first + i] if i > 0 else sequences[q].wrap
            else:
                link = links[place[cause]]
                cycles += ports[link.delays + less(ports, link.dst_port, link.beats, i, 0)]
                used[place[cause]] = True
            q, i, back = _back(sequences, links, ports, causes, place, q, i)
            frames += back
            if q == start_q and i == start_i:
                return at + 1, stamp, cycles, frames, followed
    return 2 * (len(sequences) - 1), stamp, 0, 0, followed

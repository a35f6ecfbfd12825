"""Whether a system can run at a given interval: longest paths modulo the interval.

An event at y in frame 0 happens at y + f * interval in frame f. Such times exist iff no loop of links asks for more
cycles than its frames bring: iff the interval is at least the largest (cycles / frames) of all loops. The rounds here,
driven by `timing_interval`, raise the times of one frame until every link holds (then the interval is proved possible)
or until the links that raised each other last close a loop (then it is proved impossible, and the loop says why).

Work goes frame by frame and in causal order within a frame, and only where something changed: a run after a small
change of the links costs what the change moves. `interval` and all delays are multiplied by `scale`, so that
rational intervals stay exact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dfcompile.dataflow.timing_jit import inline, jit
from dfcompile.dataflow.timing_net import (
    ACTIVE,
    BEATS,
    CURSOR,
    DELAY,
    DONE,
    DST,
    DST_PORT,
    EVENT,
    FIRST,
    HI,
    IN,
    LO,
    NEXT_HI,
    NEXT_LO,
    OUT,
    OUT_CURSOR,
    OUT_EVENT,
    SHIFT_BEATS,
    SHIFT_FRAMES,
    SIZE,
    SRC,
    SRC_PORT,
    TOUCHED,
    UNTIL,
    WAITS,
    WRAP,
    Ints,
    Net,
    Shorts,
)

Bools = NDArray[np.bool_]
Causes = NDArray[np.int32]
CHAIN = -1  # cause of a time: the event before it in its sequence
START = -2  # cause of a time: it has not been raised


def fresh(net: Net) -> Net:
    """A copy of the state for a new run, with nothing marked.

    Sequence columns: events below LO and above HI are settled for this round, NEXT_LO and NEXT_HI are the same for the
    next frame's round; WAITS and UNTIL say by which link and for which event it is stopped. A sequence that is not ACTIVE
    only collects marks.
    """
    sequences = net.sequences.copy()
    sequences[:, LO] = sequences[:, NEXT_LO] = sequences[:, SIZE]
    sequences[:, HI] = sequences[:, NEXT_HI] = sequences[:, WAITS] = -1
    return net._replace(sequences=sequences, links=net.links.copy())


@jit
def _less(ports: Shorts, offset: int, beats: int, event: int) -> int:
    """How many events of a port come before `event`."""
    lo, hi = 0, beats
    while lo < hi:
        mid = (lo + hi) // 2
        if ports[offset + mid] < event:
            lo = mid + 1
        else:
            hi = mid
    return lo


@jit
def _seek(sequences: Shorts, links: Shorts, ports: Shorts, out: Ints, q: int) -> None:
    """Set the cursors of q's links to its event LO."""
    i, n = sequences[q, LO], sequences[q, SIZE]
    for k in range(sequences[q, IN], sequences[q + 1, IN]):
        b = _less(ports, links[k, DST_PORT], links[k, BEATS], i)
        links[k, CURSOR] = b
        links[k, EVENT] = ports[links[k, DST_PORT] + b] if b < links[k, BEATS] else n
    for a in range(sequences[q, OUT], sequences[q + 1, OUT]):
        k = out[a]
        b = _less(ports, links[k, SRC_PORT], links[k, BEATS], i)
        links[k, OUT_CURSOR] = b
        links[k, OUT_EVENT] = ports[links[k, SRC_PORT] + b] if b < links[k, BEATS] else n


@inline
def _step(sequences: Shorts, links: Shorts, ports: Shorts, out: Ints, q: int, i: int) -> None:
    """Move the cursors of q's links past its event i."""
    n = sequences[q, SIZE]
    for k in range(sequences[q, IN], sequences[q + 1, IN]):
        if links[k, EVENT] == i:
            b = links[k, CURSOR] + 1
            links[k, CURSOR] = b
            links[k, EVENT] = ports[links[k, DST_PORT] + b] if b < links[k, BEATS] else n
    for a in range(sequences[q, OUT], sequences[q + 1, OUT]):
        k = out[a]
        if links[k, OUT_EVENT] == i:
            b = links[k, OUT_CURSOR] + 1
            links[k, OUT_CURSOR] = b
            links[k, OUT_EVENT] = ports[links[k, SRC_PORT] + b] if b < links[k, BEATS] else n


@inline
def _push(sequences: Shorts, queue: Ints, q: int) -> None:
    """Put q into the ring queue; queue[0] is its head, queue[1] its length."""
    if not sequences[q, DONE]:
        n = len(queue) - 2
        place = queue[0] + queue[1]
        queue[2 + (place if place < n else place - n)] = q
        queue[1] += 1
        sequences[q, DONE] = 1


@inline
def _spread(
    sequences: Shorts,
    links: Shorts,
    ports: Shorts,
    out: Ints,
    queue: Ints,
    y: Ints,
    q: int,
    i: int,
    interval: int,
    scale: int,
) -> None:
    """Event i of sequence q has risen: mark the events that it raises, in this round or the next."""
    t = y[sequences[q, FIRST] + i]
    if i == sequences[q, SIZE] - 1 and t + sequences[q, WRAP] * scale - interval > y[sequences[q, FIRST]]:
        sequences[q, NEXT_LO] = 0
        sequences[q, NEXT_HI] = max(sequences[q, NEXT_HI], 0)
    for a in range(sequences[q, OUT], sequences[q + 1, OUT]):
        k = out[a]
        if links[k, OUT_EVENT] != i:
            continue
        b, f = links[k, OUT_CURSOR] + links[k, SHIFT_BEATS], links[k, SHIFT_FRAMES]
        if b >= links[k, BEATS]:
            b, f = b - links[k, BEATS], f + 1
        d, e = links[k, DST], ports[links[k, DST_PORT] + b]
        if f == 0 and sequences[d, LO] <= e <= sequences[d, HI]:
            continue
        if t + links[k, DELAY] * scale - f * interval <= y[sequences[d, FIRST] + e]:
            continue
        if f or not sequences[d, ACTIVE]:
            sequences[d, NEXT_LO] = min(sequences[d, NEXT_LO], e)
            sequences[d, NEXT_HI] = max(sequences[d, NEXT_HI], e)
            continue
        if sequences[d, LO] > e:
            if sequences[d, LO] < sequences[d, SIZE]:
                sequences[d, HI] = max(sequences[d, HI], sequences[d, LO])
            sequences[d, LO] = e
            _seek(sequences, links, ports, out, d)
            _push(sequences, queue, d)
        sequences[d, HI] = max(sequences[d, HI], e)


@jit
def _advance(
    sequences: Shorts,
    links: Shorts,
    ports: Shorts,
    gaps: Shorts,
    out: Ints,
    queue: Ints,
    y: Ints,
    causes: Causes,
    q: int,
    interval: int,
    scale: int,
) -> int:
    """Compute the marked events of q, and those that rise with them, until one must wait or all are settled.

    Returns how many it computed.
    """
    base, n, wrap = sequences[q, FIRST], sequences[q, SIZE], sequences[q, WRAP]
    raised, computed = False, 0
    while sequences[q, LO] < n and (raised or sequences[q, LO] <= sequences[q, HI]):
        i = sequences[q, LO]
        t = y[base + i - 1] + gaps[base + i] * scale if i else y[base + n - 1] + wrap * scale - interval
        cause = CHAIN
        for k in range(sequences[q, IN], sequences[q + 1, IN]):
            if links[k, EVENT] != i:
                continue
            b, f = links[k, CURSOR] - links[k, SHIFT_BEATS], -links[k, SHIFT_FRAMES]
            if b < 0:
                b, f = b + links[k, BEATS], f - 1
            s, e = links[k, SRC], ports[links[k, SRC_PORT] + b]
            if f == 0 and sequences[s, LO] <= e:
                sequences[q, HI] = max(sequences[q, HI], i)
                sequences[q, WAITS], sequences[q, UNTIL] = k, e
                return computed
            c = y[sequences[s, FIRST] + e] + links[k, DELAY] * scale + f * interval
            if c > t:
                t, cause = c, k
        computed += 1
        raised = t > y[base + i]
        sequences[q, LO] = i + 1
        if raised:
            y[base + i], causes[base + i] = t, cause
            sequences[q, TOUCHED] = 1
            _spread(sequences, links, ports, out, queue, y, q, i, interval, scale)
        _step(sequences, links, ports, out, q, i)
    sequences[q, LO], sequences[q, HI], sequences[q, WAITS] = n, -1, -1
    return computed


@jit
def settle_round(
    sequences: Shorts, links: Shorts, ports: Shorts, gaps: Shorts, out: Ints, queue: Ints, y: Ints, causes: Causes, interval: int,
    scale: int, enough: int,
) -> int:
    """Go on with this frame until it is settled, or nothing can go on, or `enough` events were computed; how many were."""
    computed = 0
    while queue[1] > 0 and computed < enough:
        q = queue[2 + queue[0]]
        queue[0] = queue[0] + 1 if queue[0] + 3 < len(queue) else 0
        queue[1] -= 1
        sequences[q, DONE] = 0
        computed += _advance(sequences, links, ports, gaps, out, queue, y, causes, q, interval, scale)
        for a in range(sequences[q, OUT], sequences[q + 1, OUT]):
            k = out[a]
            d = links[k, DST]
            if sequences[d, WAITS] == k and sequences[q, LO] > sequences[d, UNTIL]:
                _push(sequences, queue, d)
    return computed


@jit
def next_round(sequences: Shorts, links: Shorts, ports: Shorts, out: Ints, queue: Ints) -> bool:
    """Begin the next frame's round; whether there is anything to do."""
    found = False
    for q in range(len(sequences) - 1):
        if sequences[q, ACTIVE] and sequences[q, NEXT_LO] < sequences[q, SIZE]:
            found = True
            sequences[q, LO], sequences[q, HI] = sequences[q, NEXT_LO], sequences[q, NEXT_HI]
            sequences[q, NEXT_LO], sequences[q, NEXT_HI] = sequences[q, SIZE], -1
            _seek(sequences, links, ports, out, q)
            _push(sequences, queue, q)
    return found


@jit
def _back(sequences: Shorts, links: Shorts, ports: Shorts, causes: Causes, q: int, i: int) -> tuple[int, int, int]:
    """The event that raised event i of sequence q: (sequence, event, frames back)."""
    k = causes[sequences[q, FIRST] + i]
    if k == CHAIN:
        return (q, i - 1, 0) if i > 0 else (q, sequences[q, SIZE] - 1, 1)
    b, back = _less(ports, links[k, DST_PORT], links[k, BEATS], i) - links[k, SHIFT_BEATS], links[k, SHIFT_FRAMES]
    if b < 0:
        b, back = b + links[k, BEATS], back + 1
    return links[k, SRC], ports[links[k, SRC_PORT] + b], back


@jit
def trace(
    sequences: Shorts,
    links: Shorts,
    ports: Shorts,
    gaps: Shorts,
    causes: Causes,
    q: int,
    i: int,
    seen: Ints,
    since: int,
    stamp: int,
    used: Bools,
) -> tuple[int, int]:
    """Follow causes back from event i of sequence q; (cycles, frames) of the loop they close, or (0, 0).

    A loop of causes takes more cycles than its frames bring (each raised the next above what it was). Its links are
    flagged in `used`. `seen` holds the stamps of earlier traces; what those from `since` on have seen is not followed again.
    """
    while seen[sequences[q, FIRST] + i] != stamp:
        event = sequences[q, FIRST] + i
        if causes[event] == START or seen[event] >= since:
            return 0, 0
        seen[event] = stamp
        q, i, _ = _back(sequences, links, ports, causes, q, i)
    start_q, start_i, cycles, frames = q, i, 0, 0
    used[:] = False
    while True:
        k = causes[sequences[q, FIRST] + i]
        if k == CHAIN:
            cycles += gaps[sequences[q, FIRST] + i] if i > 0 else sequences[q, WRAP]
        else:
            cycles += links[k, DELAY]
            used[k] = True
        q, i, back = _back(sequences, links, ports, causes, q, i)
        frames += back
        if q == start_q and i == start_i:
            return cycles, frames

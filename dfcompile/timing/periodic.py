"""Whether a system can run at a given interval: longest paths modulo the interval.

An event at y in frame 0 happens at y + f * interval in frame f. Such times exist iff no loop of links asks for more
cycles than its frames bring: iff the interval is at least the largest (cycles / frames) of all loops. The rounds here,
driven by `interval`, raise the times of one frame until every link holds (then the interval is proved possible)
or until the links that raised each other last close a loop (then it is proved impossible, and the loop says why).

Work goes frame by frame and in causal order within a frame, and only where something changed: a run after a small
change of the links costs what the change moves. `interval` and all delays are multiplied by `scale`, so that
rational intervals stay exact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dfcompile.timing.kernel import inline, jit
from dfcompile.timing.net import (
    ACTIVE,
    BEATS,
    CURSOR,
    DELAY,
    DST,
    DST_PORT,
    FIRST,
    HI,
    IN,
    LO,
    NEXT_HI,
    NEXT_LO,
    NUMBER,
    OUT,
    OUT_CURSOR,
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
SETTLED, STUCK, STOPPED = range(3)  # how `settle` ended
_NEVER = np.iinfo(np.int64).min // 2  # before any time
_MOST = 512  # events computed at a time
_AHEAD = 2  # beats computed on times of later sequences that may yet rise
_FEW = 8  # the same where only the last rise leads on


def fresh(net: Net) -> Net:
    """A copy of the state for a new run, with nothing marked.

    Sequence columns: events below LO and above HI are settled for this round, NEXT_LO and NEXT_HI are the same for the
    next frame's round; WAITS and UNTIL say by which link and for which event it is stopped. A sequence that is not ACTIVE
    only collects marks.
    """
    sequences = net.sequences.copy()
    sequences[:, LO] = sequences[:, NEXT_LO] = sequences[:, SIZE]
    sequences[:, HI] = sequences[:, NEXT_HI] = sequences[:, WAITS] = -1
    links = net.links.copy()
    links[:, CURSOR] = links[:, OUT_CURSOR] = links[:, BEATS]
    return net._replace(sequences=sequences, links=links)


@jit
def less(ports: Shorts, offset: int, beats: int, event: int) -> int:
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
def _seek(sequences: Shorts, links: Shorts, ports: Shorts, out: Ints, q: int, i: int) -> None:
    """Set the cursors of q's links to its event i."""
    for k in range(sequences[q, IN], sequences[q + 1, IN]):
        links[k, CURSOR] = less(ports, links[k, DST_PORT], links[k, BEATS], i)
    for a in range(sequences[q, OUT], sequences[q + 1, OUT]):
        k = out[a]
        links[k, OUT_CURSOR] = less(ports, links[k, SRC_PORT], links[k, BEATS], i)


@jit
def _push(sequences: Shorts, queue: Ints, q: int) -> None:
    """Put q into the queue: flags from place 2 on; queue[0] is the place to look at next, queue[1] how many are in it."""
    if not queue[2 + q]:
        queue[2 + q] = 1
        queue[1] += 1


@inline
def _seek_out(links: Shorts, ports: Shorts, out: Ints, first: int, end: int, i: int) -> None:
    """Move the cursors of links that wait (places `first` to `end` of `out`) on to event i."""
    for a in range(first, end):
        k = out[a]
        b, beats, source = links[k, OUT_CURSOR], links[k, BEATS], links[k, SRC_PORT]
        while b < beats and ports[source + b] < i:
            b += 1
        links[k, OUT_CURSOR] = b


@inline
def _open(sequences: Shorts, links: Shorts, ports: Shorts, q: int, end: int) -> int:
    """The first event of q before `end` that waits for an event of this frame without a time; WAITS and UNTIL say for which."""
    sequences[q, WAITS] = -1
    for k in range(sequences[q, IN], sequences[q + 1, IN]):
        ahead = _AHEAD if links[k, SRC] > q else 0
        settled, most = links[k, OUT_CURSOR] + links[k, SHIFT_BEATS] + ahead, links[k, BEATS]
        if links[k, SHIFT_FRAMES] == -1:
            settled, most = settled - most, links[k, SHIFT_BEATS]
        elif links[k, SHIFT_FRAMES] != 0:
            continue
        b = max(links[k, CURSOR], settled)
        if b < most and ports[links[k, DST_PORT] + b] < end:
            end = ports[links[k, DST_PORT] + b]
            beat = b - links[k, SHIFT_BEATS] - ahead
            sequences[q, WAITS] = k
            sequences[q, UNTIL] = ports[links[k, SRC_PORT] + (beat if links[k, SHIFT_FRAMES] == 0 else beat + links[k, BEATS])]
    return end


@inline
def _gather(
    sequences: Shorts, links: Shorts, ports: Shorts, y: Ints, late: Ints, why: Causes, q: int, i: int, j: int, interval: int, scale: int
) -> None:
    """The latest that links ask of q's events from i to before j, and which link."""
    late[: j - i] = _NEVER
    for k in range(sequences[q, IN], sequences[q + 1, IN]):
        b, beats, to, back = links[k, CURSOR], links[k, BEATS], links[k, DST_PORT], links[k, SHIFT_BEATS]
        source, origin = links[k, SRC_PORT] - back, sequences[links[k, SRC], FIRST]
        delay, before = links[k, DELAY], links[k, SHIFT_FRAMES] * interval
        while b < beats:
            e = ports[to + b]
            if e >= j:
                break
            c = y[origin + ports[source + b]] if b >= back else y[origin + ports[source + b + beats]] - interval
            c += ports[delay + b] * scale - before
            if c > late[e - i]:
                late[e - i], why[e - i] = c, links[k, NUMBER]
            b += 1
        links[k, CURSOR] = b


@inline
def _raise(
    sequences: Shorts, gaps: Shorts, y: Ints, causes: Causes, late: Ints, why: Causes, q: int, i: int, j: int, interval: int, scale: int
) -> int:
    """Raise q's events from i to before j, the risen ones keep their time in `late`; the last one that rose, or -1."""
    base, last = sequences[q, FIRST], -1
    before = y[base + i - 1] if i else y[base + sequences[q, SIZE] - 1] - interval
    for e in range(i, j):
        t = before + (gaps[base + e] if e else sequences[q, WRAP]) * scale
        cause = CHAIN
        if late[e - i] > t:
            t, cause = late[e - i], why[e - i]
        late[e - i] = _NEVER
        before = y[base + e]
        if t > before:
            y[base + e], causes[base + e], late[e - i] = t, cause, t
            before, last = t, e
    return last


@inline
def _spread(
    sequences: Shorts,
    links: Shorts,
    ports: Shorts,
    out: Ints,
    queue: Ints,
    y: Ints,
    late: Ints,
    q: int,
    i: int,
    j: int,
    interval: int,
    scale: int,
) -> None:
    """q's events from i to before j have risen where `late` has a time: mark what they raise, in this round or the next."""
    for a in range(sequences[q, OUT], sequences[q + 1, OUT]):
        k = out[a]
        d, beats, ahead, b = links[k, DST], links[k, BEATS], links[k, SHIFT_BEATS], links[k, OUT_CURSOR]
        origin, to, source = sequences[d, FIRST], links[k, DST_PORT] + ahead, links[k, SRC_PORT]
        delay, before = links[k, DELAY] + ahead, links[k, SHIFT_FRAMES] * interval
        now = links[k, SHIFT_FRAMES] if sequences[d, ACTIVE] else 1
        low, high = sequences[d, SIZE], -1
        while b < beats:
            event = ports[source + b]
            if event >= j:
                break
            t = late[event - i]
            if t != _NEVER:
                wraps = b + ahead >= beats
                back = beats if wraps else 0
                e = ports[to + b - back]
                if t + ports[delay + b - back] * scale - before - (interval if wraps else 0) > y[origin + e]:
                    if now + wraps:
                        sequences[d, NEXT_LO] = min(sequences[d, NEXT_LO], e)
                        sequences[d, NEXT_HI] = max(sequences[d, NEXT_HI], e)
                    else:
                        low, high = min(low, e), max(high, e)
            b += 1
        links[k, OUT_CURSOR] = b
        if high >= 0:
            if sequences[d, LO] > low:
                if sequences[d, LO] < sequences[d, SIZE]:
                    sequences[d, HI] = max(sequences[d, HI], sequences[d, LO])
                sequences[d, LO] = low
                _seek(sequences, links, ports, out, d, low)
                _push(sequences, queue, d)
            sequences[d, HI] = max(sequences[d, HI], high)


@inline
def _step(queue: Ints) -> int:
    """The sequence that the queue stands at; it goes on to the next, forth to the last and back to the first."""
    q = queue[0] if queue[0] >= 0 else ~queue[0]
    if q + 3 == len(queue) and queue[0] >= 0:
        queue[0] = ~q
    elif q == 0 and queue[0] < 0:
        queue[0] = 0
    else:
        queue[0] += 1
    return int(q)


@jit
def _settle_round(
    sequences: Shorts,
    links: Shorts,
    ports: Shorts,
    gaps: Shorts,
    out: Ints,
    queue: Ints,
    y: Ints,
    causes: Causes,
    interval: int,
    scale: int,
    enough: int,
) -> int:
    """Go on with this frame until it is settled, or nothing can go on, or `enough` events were computed; how many were.

    A sequence computes its marked events, and those that rise with them, as far as the events are settled that it waits for.
    """
    computed = 0
    late, why = np.empty(_MOST, dtype=np.int64), np.empty(_MOST, dtype=np.int32)
    while queue[1] > 0 and computed < enough:
        q = _step(queue)
        if not queue[2 + q]:
            continue
        queue[2 + q] = 0
        queue[1] -= 1
        n, last, beyond = sequences[q, SIZE], -1, _FEW
        while True:
            i = sequences[q, LO]
            if i == n or (last < i - 1 and i > sequences[q, HI]):
                _seek(sequences, links, ports, out, q, n)
                sequences[q, LO], sequences[q, HI], sequences[q, WAITS] = n, -1, -1
                break
            j = sequences[q, HI] + 1
            if j <= i:
                j, beyond = i + beyond, min(2 * beyond, _MOST)
            j = _open(sequences, links, ports, q, min(j, i + _MOST, n))
            if j == i:
                sequences[q, HI] = max(sequences[q, HI], i)
                break
            _gather(sequences, links, ports, y, late, why, q, i, j, interval, scale)
            last = _raise(sequences, gaps, y, causes, late, why, q, i, j, interval, scale)
            computed += j - i
            sequences[q, LO] = j
            if last < 0:
                _seek_out(links, ports, out, sequences[q, OUT], sequences[q + 1, OUT], j)
                continue
            sequences[q, TOUCHED] = 1
            if last == n - 1 and y[sequences[q, FIRST] + last] + sequences[q, WRAP] * scale - interval > y[sequences[q, FIRST]]:
                sequences[q, NEXT_LO], sequences[q, NEXT_HI] = 0, max(sequences[q, NEXT_HI], 0)
            _spread(sequences, links, ports, out, queue, y, late, q, i, j, interval, scale)
        for a in range(sequences[q, OUT], sequences[q + 1, OUT]):
            k = out[a]
            d = links[k, DST]
            if sequences[d, WAITS] == k and sequences[q, LO] > sequences[d, UNTIL]:
                _push(sequences, queue, d)
    return computed


@jit
def _next_round(sequences: Shorts, links: Shorts, ports: Shorts, out: Ints, queue: Ints) -> bool:
    """Begin the next frame's round; whether there is anything to do."""
    found = False
    for q in range(len(sequences) - 1):
        if sequences[q, ACTIVE] and sequences[q, NEXT_LO] < sequences[q, SIZE]:
            found = True
            sequences[q, LO], sequences[q, HI] = sequences[q, NEXT_LO], sequences[q, NEXT_HI]
            sequences[q, NEXT_LO], sequences[q, NEXT_HI] = sequences[q, SIZE], -1
            _seek(sequences, links, ports, out, q, sequences[q, LO])
            _push(sequences, queue, q)
    return found


@jit
def settle(
    sequences: Shorts,
    links: Shorts,
    ports: Shorts,
    gaps: Shorts,
    out: Ints,
    queue: Ints,
    y: Ints,
    causes: Causes,
    interval: int,
    scale: int,
    enough: int,
) -> tuple[int, int]:
    """Go on frame by frame until all is settled, or sequences wait for each other, or `enough` was computed; (computed, state).

    Computed are events, and for each round a sixteenth of the sequences, which it looks at.
    """
    computed = 0
    while True:
        if queue[1] == 0:
            for q in range(len(sequences) - 1):
                if sequences[q, LO] < sequences[q, SIZE]:
                    return computed, STUCK
            computed += len(sequences) // 16
            if not _next_round(sequences, links, ports, out, queue):
                return computed, SETTLED
        computed += _settle_round(sequences, links, ports, gaps, out, queue, y, causes, interval, scale, enough - computed)
        if computed >= enough:
            return computed, STOPPED

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
from dfcompile.timing.net import ARCS, SEQUENCE, Ints, Net, Records, Shorts, record, with_state

Bools = NDArray[np.bool_]
Causes = NDArray[np.int32]
CHAIN = -1  # cause of a time: the event before it in its sequence
START = -2  # cause of a time: it has not been raised
SETTLED, STUCK, STOPPED = range(3)  # how `settle` ended
# events below `lo` and above `hi` are settled for this round; next_lo, next_hi: the same for the next frame's round
# waits, until: the link by which and the event for which it is stopped
# touched: whether any time rose; active: else it only collects marks
_SEQUENCE = record("lo", "hi", "next_lo", "next_hi", "waits", "until", "touched", "active", of=SEQUENCE)
_ARCS = record("cursor", "out_cursor", of=ARCS)  # next beat to take, and to give
# a queue: for each sequence whether it is in it, end to end since most looks find none; then the one to look at next, whether it goes back
# from there, how many are in it
_AT, _BACK, _COUNT = -3, -2, -1
_NEVER = np.iinfo(np.int64).min // 2  # before any time
_MOST = 512  # events computed at a time
_AHEAD = 2  # beats computed on times of later sequences that may yet rise
_FEW = 8  # the same where only the last rise leads on


def fresh(net: Net) -> Net:
    """The net with the state for a new run, with nothing marked."""
    sequences, links = with_state(net.sequences, _SEQUENCE), with_state(net.links, _ARCS)
    sequences["lo"] = sequences["next_lo"] = sequences["events"]
    sequences["hi"] = sequences["next_hi"] = sequences["waits"] = -1
    links["cursor"] = links["out_cursor"] = links["beats"]
    return net._replace(sequences=sequences, links=links)


def empty_queue(sequences: int) -> Shorts:
    """A queue for so many sequences."""
    return np.zeros(sequences + 3, dtype=np.int32)


@inline
def less(ports: Shorts, offset: int, beats: int, event: int, near: int) -> int:
    """How many events of a port come before `event`; that is looked for from `near` on, at distances that double."""
    lo, hi, step = 0, beats, 1
    if near < beats and ports[offset + near] < event:
        lo = near + 1
        while lo + step < hi and ports[offset + lo + step] < event:
            lo, step = lo + step + 1, 2 * step
        hi = min(hi, lo + step)
    else:
        hi = near
        while hi - step > lo and ports[offset + hi - step] >= event:
            hi, step = hi - step, 2 * step
        lo = max(lo, hi - step)
    while lo < hi:
        mid = (lo + hi) // 2
        if ports[offset + mid] < event:
            lo = mid + 1
        else:
            hi = mid
    return lo


@inline
def _seek(sequences: Records, links: Records, ports: Shorts, out: Ints, q: int, i: int) -> None:
    """Set the cursors of q's links to its event i."""
    for k in range(sequences[q].ins, sequences[q + 1].ins):
        link = links[k]
        link.cursor = less(ports, link.dst_port, link.beats, i, link.cursor)
    for a in range(sequences[q].outs, sequences[q + 1].outs):
        link = links[out[a]]
        link.out_cursor = less(ports, link.src_port, link.beats, i, link.out_cursor)


@inline
def _push(queue: Shorts, q: int) -> None:
    """Put q into the queue."""
    if not queue[q]:
        queue[q] = 1
        queue[_COUNT] += 1


@inline
def _seek_out(links: Records, ports: Shorts, out: Ints, first: int, end: int, i: int) -> None:
    """Move the cursors of links that wait (places `first` to `end` of `out`) on to event i."""
    for a in range(first, end):
        link = links[out[a]]
        b, beats, source = link.out_cursor, link.beats, link.src_port
        while b < beats and ports[source + b] < i:
            b += 1
        link.out_cursor = b


@inline
def _open(sequences: Records, links: Records, ports: Shorts, q: int, end: int) -> int:
    """The first event of q before `end` that waits for an event of this frame without a time; `waits` and `until` say for which."""
    now = sequences[q]
    now.waits = -1
    for k in range(now.ins, sequences[q + 1].ins):
        link = links[k]
        ahead = _AHEAD if link.src > q else 0
        settled, most = link.out_cursor + link.shift_beats + ahead, link.beats
        if link.shift_frames == -1:
            settled, most = settled - most, link.shift_beats
        elif link.shift_frames != 0:
            continue
        b = max(link.cursor, settled)
        if b < most and ports[link.dst_port + b] < end:
            end = ports[link.dst_port + b]
            beat = b - link.shift_beats - ahead
            now.waits = k
            now.until = ports[link.src_port + (beat if link.shift_frames == 0 else beat + link.beats)]
    return end


@inline
def _gather(
    sequences: Records, links: Records, ports: Shorts, y: Ints, late: Ints, why: Causes, q: int, i: int, j: int, interval: int, scale: int
) -> None:
    """The latest that links ask of q's events from i to before j, and which link."""
    late[: j - i] = _NEVER
    for k in range(sequences[q].ins, sequences[q + 1].ins):
        link = links[k]
        b, beats, to, back = link.cursor, link.beats, link.dst_port, link.shift_beats
        source, origin = link.src_port - back, sequences[link.src].first
        delays, before = link.delays, link.shift_frames * interval
        while b < beats:
            e = ports[to + b]
            if e >= j:
                break
            c = y[origin + ports[source + b]] if b >= back else y[origin + ports[source + b + beats]] - interval
            c += ports[delays + b] * scale - before
            if c > late[e - i]:
                late[e - i], why[e - i] = c, link.number
            b += 1
        link.cursor = b


@inline
def _raise(
    sequences: Records, gaps: Shorts, y: Ints, causes: Causes, late: Ints, why: Causes, q: int, i: int, j: int, interval: int, scale: int
) -> int:
    """Raise q's events from i to before j, the risen ones keep their time in `late`; the last one that rose, or -1."""
    now, last = sequences[q], -1
    base, wrap = now.first, now.wrap
    before = y[base + i - 1] if i else y[base + now.events - 1] - interval
    for e in range(i, j):
        t = before + (gaps[base + e] if e else wrap) * scale
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
    sequences: Records,
    links: Records,
    ports: Shorts,
    out: Ints,
    queue: Shorts,
    y: Ints,
    late: Ints,
    q: int,
    i: int,
    j: int,
    interval: int,
    scale: int,
) -> None:
    """q's events from i to before j have risen where `late` has a time: mark what they raise, in this round or the next."""
    for a in range(sequences[q].outs, sequences[q + 1].outs):
        link = links[out[a]]
        raised = sequences[link.dst]
        beats, ahead, b = link.beats, link.shift_beats, link.out_cursor
        origin, to, source = raised.first, link.dst_port + ahead, link.src_port
        delays, before = link.delays + ahead, link.shift_frames * interval
        later = link.shift_frames if raised.active else 1
        low, high = raised.events, -1
        while b < beats:
            event = ports[source + b]
            if event >= j:
                break
            t = late[event - i]
            if t != _NEVER:
                wraps = b + ahead >= beats
                back = beats if wraps else 0
                e = ports[to + b - back]
                if t + ports[delays + b - back] * scale - before - (interval if wraps else 0) > y[origin + e]:
                    if later + wraps:
                        raised.next_lo, raised.next_hi = min(raised.next_lo, e), max(raised.next_hi, e)
                    else:
                        low, high = min(low, e), max(high, e)
            b += 1
        link.out_cursor = b
        if high >= 0:
            if raised.lo > low:
                if raised.lo < raised.events:
                    raised.hi = max(raised.hi, raised.lo)
                raised.lo = low
                _seek(sequences, links, ports, out, link.dst, low)
                _push(queue, link.dst)
            raised.hi = max(raised.hi, high)


@inline
def _pop(queue: Shorts, last: int) -> int:
    """Take the next sequence out of a queue that holds some; it goes forth to the last and back to the first."""
    at, back = queue[_AT], queue[_BACK]
    while True:
        q = at
        if q == (0 if back else last):
            back = 1 - back
        else:
            at += -1 if back else 1
        if queue[q]:
            break
    queue[_AT], queue[_BACK], queue[q] = at, back, 0
    queue[_COUNT] -= 1
    return int(q)


@jit
def _settle_round(
    sequences: Records,
    links: Records,
    ports: Shorts,
    gaps: Shorts,
    out: Ints,
    queue: Shorts,
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
    while queue[_COUNT] > 0 and computed < enough:
        q = _pop(queue, len(sequences) - 2)
        now = sequences[q]
        n, last, beyond = now.events, -1, _FEW
        while True:
            i = now.lo
            if i == n or (last < i - 1 and i > now.hi):
                for a in range(now.outs, sequences[q + 1].outs):  # others ask how far it is; its own links are sought when it goes on
                    links[out[a]].out_cursor = links[out[a]].beats
                now.lo, now.hi, now.waits = n, -1, -1
                break
            j = now.hi + 1
            if j <= i:
                j, beyond = i + beyond, min(2 * beyond, _MOST)
            j = _open(sequences, links, ports, q, min(j, i + _MOST, n))
            if j == i:
                now.hi = max(now.hi, i)
                break
            _gather(sequences, links, ports, y, late, why, q, i, j, interval, scale)
            last = _raise(sequences, gaps, y, causes, late, why, q, i, j, interval, scale)
            computed += j - i
            now.lo = j
            if last < 0:
                _seek_out(links, ports, out, now.outs, sequences[q + 1].outs, j)
                continue
            now.touched = 1
            if last == n - 1 and y[now.first + last] + now.wrap * scale - interval > y[now.first]:
                now.next_lo, now.next_hi = 0, max(now.next_hi, 0)
            _spread(sequences, links, ports, out, queue, y, late, q, i, j, interval, scale)
        for a in range(now.outs, sequences[q + 1].outs):
            d = links[out[a]].dst
            if sequences[d].waits == out[a] and now.lo > sequences[d].until:
                _push(queue, d)
    return computed


@jit
def _next_round(sequences: Records, links: Records, ports: Shorts, out: Ints, queue: Shorts) -> bool:
    """Begin the next frame's round; whether there is anything to do."""
    found = False
    for q in range(len(sequences) - 1):
        now = sequences[q]
        if now.active and now.next_lo < now.events:
            found = True
            now.lo, now.hi = now.next_lo, now.next_hi
            now.next_lo, now.next_hi = now.events, -1
            _seek(sequences, links, ports, out, q, now.lo)
            _push(queue, q)
    return found


@jit
def settle(
    sequences: Records,
    links: Records,
    ports: Shorts,
    gaps: Shorts,
    out: Ints,
    queue: Shorts,
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
        if queue[_COUNT] == 0:
            for q in range(len(sequences) - 1):
                if sequences[q].lo < sequences[q].events:
                    return computed, STUCK
            computed += len(sequences) // 16
            if not _next_round(sequences, links, ports, out, queue):
                return computed, SETTLED
        computed += _settle_round(sequences, links, ports, gaps, out, queue, y, causes, interval, scale, enough - computed)
        if computed >= enough:
            return computed, STOPPED

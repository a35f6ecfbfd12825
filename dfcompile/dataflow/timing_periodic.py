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

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dfcompile.dataflow.timing_jit import jit
from dfcompile.dataflow.timing_net import Ints, Net

Bools = NDArray[np.bool_]
Causes = NDArray[np.int32]
CHAIN = -1  # cause of a time: the event before it in its sequence
START = -2  # cause of a time: it has not been raised


class Work(NamedTuple):
    """State of a run. All events below lo[q] and above hi[q] of sequence q are settled for this round."""

    lo: Ints
    hi: Ints
    next_lo: Ints  # the same for the next frame's round
    next_hi: Ints
    waits: Ints  # sequence -> link that it is stopped by, -1 none
    until: Ints  # sequence -> the event at the other end of that link
    queue: Ints
    queued: Bools
    touched: Bools
    cur_in: Ints  # link -> its next beat at the sequence that waits
    cur_out: Ints  # link -> its next beat at the sequence waited for
    counts: Ints  # [0] events computed, [1] head of queue, [2] size of queue


def new_work(net: Net) -> Work:
    """Nothing marked yet."""
    n, m = len(net.first), len(net.src)
    full = net.size.copy()
    none = np.full(n, -1, dtype=np.int64)
    return Work(
        full, none, full.copy(), none.copy(), none.copy(), none.copy(), np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.bool_),
        np.zeros(n, dtype=np.bool_), np.zeros(m, dtype=np.int64), np.zeros(m, dtype=np.int64), np.zeros(3, dtype=np.int64),
    )


@jit
def _less(ports: Ints, offset: int, beats: int, event: int) -> int:
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
def _push(work: Work, q: int) -> None:
    if not work.queued[q]:
        work.queue[(work.counts[1] + work.counts[2]) % len(work.queue)] = q
        work.counts[2] += 1
        work.queued[q] = True


@jit
def _seek(net: Net, work: Work, q: int) -> None:
    """Set the cursors of q's links to its event lo."""
    i = work.lo[q]
    for a in range(net.in_first[q], net.in_first[q + 1]):
        k = net.in_link[a]
        work.cur_in[k] = _less(net.ports, net.dst_port[k], net.beats[k], i)
    for a in range(net.out_first[q], net.out_first[q + 1]):
        k = net.out_link[a]
        work.cur_out[k] = _less(net.ports, net.src_port[k], net.beats[k], i)


@jit
def _mark(net: Net, work: Work, q: int, i: int) -> None:
    """Event i of sequence q must be computed again in this round; q's cursors then follow."""
    if work.lo[q] > i:
        if work.lo[q] < net.size[q]:
            work.hi[q] = max(work.hi[q], work.lo[q])
        work.lo[q] = i
        _seek(net, work, q)
    work.hi[q] = max(work.hi[q], i)
    _push(work, q)


@jit
def _mark_next(work: Work, q: int, i: int) -> None:
    work.next_lo[q] = min(work.next_lo[q], i)
    work.next_hi[q] = max(work.next_hi[q], i)


@jit
def _needed(net: Net, work: Work, y: Ints, q: int, i: int, interval: int, scale: int) -> tuple[int, int, int]:
    """The least time of event i that its links allow, the cause of it, and -1; or the event
    it must wait for in this round, and twice the link that says so.
    """
    base, n = net.first[q], net.size[q]
    t = y[base + i - 1] + net.gap[base + i] * scale if i else y[base + n - 1] + net.wrap[q] * scale - interval
    cause = CHAIN
    for a in range(net.in_first[q], net.in_first[q + 1]):
        k = net.in_link[a]
        b = work.cur_in[k]
        if b < net.beats[k] and net.ports[net.dst_port[k] + b] == i:
            b -= net.shift[k]
            f = b // net.beats[k]
            s, e = net.src[k], net.ports[net.src_port[k] + b - f * net.beats[k]]
            if f == 0 and work.lo[s] <= e:
                return e, k, k
            c = y[net.first[s] + e] + net.delay[k] * scale + f * interval
            if c > t:
                t, cause = c, k
    return t, cause, -1


@jit
def _spread(net: Net, work: Work, y: Ints, q: int, i: int, interval: int, scale: int) -> None:
    """Event i of sequence q has risen: mark what it raises."""
    t = y[net.first[q] + i]
    if i == net.size[q] - 1 and t + net.wrap[q] * scale - interval > y[net.first[q]]:
        _mark_next(work, q, 0)
    for a in range(net.out_first[q], net.out_first[q + 1]):
        k = net.out_link[a]
        b = work.cur_out[k]
        if b < net.beats[k] and net.ports[net.src_port[k] + b] == i:
            b += net.shift[k]
            f = b // net.beats[k]
            d, e = net.dst[k], net.ports[net.dst_port[k] + b - f * net.beats[k]]
            if t + net.delay[k] * scale - f * interval > y[net.first[d] + e]:
                if f == 0:
                    _mark(net, work, d, e)
                else:
                    _mark_next(work, d, e)


@jit
def _advance(net: Net, work: Work, y: Ints, causes: Causes, q: int, interval: int, scale: int) -> None:
    """Compute the marked events of q, and those that rise with them, until one must wait or all are settled."""
    base, n = net.first[q], net.size[q]
    work.waits[q] = -1
    raised = False
    while work.lo[q] < n and (work.lo[q] <= work.hi[q] or raised):
        i = work.lo[q]
        t, cause, stop = _needed(net, work, y, q, i, interval, scale)
        if stop >= 0:
            work.waits[q], work.until[q] = stop, t
            work.hi[q] = max(work.hi[q], i)
            return
        work.counts[0] += 1
        raised = t > y[base + i]
        work.lo[q] = i + 1
        if raised:
            y[base + i], causes[base + i] = t, cause
            work.touched[q] = True
            _spread(net, work, y, q, i, interval, scale)
        if work.lo[q] != i + 1:  # it raised an earlier event of itself
            raised = False
            continue
        for a in range(net.in_first[q], net.in_first[q + 1]):
            k = net.in_link[a]
            b = work.cur_in[k]
            if b < net.beats[k] and net.ports[net.dst_port[k] + b] == i:
                work.cur_in[k] = b + 1
        for a in range(net.out_first[q], net.out_first[q + 1]):
            k = net.out_link[a]
            b = work.cur_out[k]
            if b < net.beats[k] and net.ports[net.src_port[k] + b] == i:
                work.cur_out[k] = b + 1
    work.lo[q], work.hi[q] = n, -1


@jit
def round_(net: Net, work: Work, y: Ints, causes: Causes, interval: int, scale: int) -> int:
    """Settle one frame; returns how many sequences are stuck (a deadlock when not 0)."""
    while work.counts[2] > 0:
        q = work.queue[work.counts[1]]
        work.counts[1] = (work.counts[1] + 1) % len(work.queue)
        work.counts[2] -= 1
        work.queued[q] = False
        _advance(net, work, y, causes, q, interval, scale)
        for a in range(net.out_first[q], net.out_first[q + 1]):
            d = net.dst[net.out_link[a]]
            if work.waits[d] >= 0 and net.src[work.waits[d]] == q and work.lo[q] > work.until[d]:
                _push(work, d)
    stuck = 0
    for q in range(len(net.first)):
        if work.lo[q] < net.size[q]:
            stuck += 1
    return stuck


@jit
def turn(net: Net, work: Work) -> int:
    """Begin the next frame's round; returns how many sequences have work in it."""
    found = 0
    for q in range(len(net.first)):
        if work.next_lo[q] < net.size[q]:
            found += 1
            work.lo[q], work.hi[q] = work.next_lo[q], work.next_hi[q]
            work.next_lo[q], work.next_hi[q] = net.size[q], -1
            _seek(net, work, q)
            _push(work, q)
    return found


@jit
def _back(net: Net, causes: Causes, q: int, i: int) -> tuple[int, int, int]:
    """The event that raised event i of sequence q: (sequence, event, frames back)."""
    k = causes[net.first[q] + i]
    if k == CHAIN:
        return (q, i - 1, 0) if i > 0 else (q, net.size[q] - 1, 1)
    b = _less(net.ports, net.dst_port[k], net.beats[k], i) - net.shift[k]
    f = b // net.beats[k]
    return net.src[k], net.ports[net.src_port[k] + b - f * net.beats[k]], -f


@jit
def trace(net: Net, causes: Causes, q: int, i: int, seen: Ints, stamp: int, used: Bools) -> tuple[int, int]:
    """Follow causes back from event i of sequence q; (cycles, frames) of the loop they close, or (0, 0).

    A loop of causes takes more cycles than its frames bring (each raised the next above what it was). Its links are
    flagged in `used`. `seen` holds the stamps of earlier traces.
    """
    while seen[net.first[q] + i] != stamp:
        event = net.first[q] + i
        if causes[event] == START:
            return 0, 0
        seen[event] = stamp
        q, i, _ = _back(net, causes, q, i)
    start_q, start_i, cycles, frames = q, i, 0, 0
    used[:] = False
    while True:
        k = causes[net.first[q] + i]
        if k == CHAIN:
            cycles += net.gap[net.first[q] + i] if i > 0 else net.wrap[q]
        else:
            cycles += net.delay[k]
            used[k] = True
        q, i, back = _back(net, causes, q, i)
        frames += back
        if q == start_q and i == start_i:
            return cycles, frames

"""Self-timed execution of a system: every event as early as its links allow, from an empty design.

Each sequence is a deterministic list of events, so the system is a Kahn network: a sequence advances while the
times it waits for are known, and every event is computed once, whatever the order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dfcompile.dataflow.timing_jit import jit
from dfcompile.dataflow.timing_net import Ints, Net

Bools = NDArray[np.bool_]


def run(net: Net, frames: int) -> tuple[Ints, Ints, Ints]:
    """Times of the events of the first frames.

    Returns (times, reached, waits): times is (frames, events), reached[q] the events sequence q got through, and
    waits[q] the link it is stopped by (-1 when it finished): a deadlock when any event is not reached.
    """
    times = np.zeros((frames, len(net.gap)), dtype=np.int64)
    frame = np.zeros(len(net.first), dtype=np.int64)
    step = np.zeros(len(net.first), dtype=np.int64)
    waits = np.full(len(net.first), -1, dtype=np.int64)
    _run(net, frames, times, frame, step, waits)
    return times, frame * net.size + step, waits


@jit
def _run(net: Net, frames: int, times: Ints, frame: Ints, step: Ints, waits: Ints) -> None:
    n, m = len(net.first), len(net.src)
    cur, beat, age = np.zeros(m, np.int64), np.empty(m, np.int64), np.empty(m, np.int64)
    for k in range(m):  # the beat that beat 0 of frame 0 waits for, and its frame
        age[k] = (-net.shift[k]) // net.beats[k]
        beat[k] = -net.shift[k] - age[k] * net.beats[k]
    queue, queued = np.arange(n), np.ones(n, np.bool_)
    head, size = 0, n
    while size > 0:
        q = queue[head]
        head = (head + 1) % n
        size -= 1
        queued[q] = False
        _advance(net, q, frames, times, frame, step, waits, cur, beat, age)
        for a in range(net.out_first[q], net.out_first[q + 1]):
            k = net.out_link[a]
            d = net.dst[k]
            if waits[d] == k and not queued[d] and _known(net, k, frame, step, beat, age):
                queue[(head + size) % n] = d
                size += 1
                queued[d] = True


@jit
def _known(net: Net, k: int, frame: Ints, step: Ints, beat: Ints, age: Ints) -> bool:
    """Whether the event that link k now waits for has its time."""
    s = net.src[k]
    if age[k] != frame[s]:
        return bool(age[k] < frame[s])
    return bool(net.ports[net.src_port[k] + beat[k]] < step[s])


@jit
def _advance(
    net: Net, q: int, frames: int, times: Ints, frame: Ints, step: Ints, waits: Ints, cur: Ints, beat: Ints, age: Ints,
) -> None:
    """Compute the events of sequence q until it must wait for an event that has no time yet."""
    f, i, n, base = frame[q], step[q], net.size[q], net.first[q]
    lo, hi = net.in_first[q], net.in_first[q + 1]
    waits[q] = -1
    while f < frames:
        if i > 0:
            t = times[f, base + i - 1] + net.gap[base + i]
        elif f > 0:
            t = times[f - 1, base + n - 1] + net.wrap[q]
        else:
            t = net.gap[base]
        for a in range(lo, hi):
            k = net.in_link[a]
            if net.ports[net.dst_port[k] + cur[k]] == i and age[k] >= 0:
                if not _known(net, k, frame, step, beat, age):
                    waits[q] = k
                    return
                s = net.ports[net.src_port[k] + beat[k]]
                t = max(t, times[age[k], net.first[net.src[k]] + s] + net.delay[k])
        times[f, base + i] = t
        for a in range(lo, hi):
            k = net.in_link[a]
            if net.ports[net.dst_port[k] + cur[k]] == i:
                _next_beat(net, k, cur, beat, age)
        i += 1
        if i == n:
            i, f = 0, f + 1
        frame[q], step[q] = f, i  # now: a sequence may wait for itself


@jit
def _next_beat(net: Net, k: int, cur: Ints, beat: Ints, age: Ints) -> None:
    cur[k] = (cur[k] + 1) % net.beats[k]
    beat[k] += 1
    if beat[k] == net.beats[k]:
        beat[k] = 0
        age[k] += 1

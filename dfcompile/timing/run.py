"""Self-timed execution of a system: every event as early as its links allow, from an empty design.

Each sequence is a deterministic list of events, so the system is a Kahn network: a sequence advances while the
times it waits for are known, and every event is computed once, whatever the order.
"""

from __future__ import annotations

import numpy as np

from dfcompile.timing.kernel import jit
from dfcompile.timing.net import (
    AGE,
    BEAT,
    BEATS,
    CURSOR,
    DELAY,
    DONE,
    DST,
    DST_PORT,
    EVENT,
    FIRST,
    FRAME,
    IN,
    OUT,
    SHIFT_BEATS,
    SHIFT_FRAMES,
    SIZE,
    SRC,
    SRC_PORT,
    STEP,
    WAITS,
    WRAP,
    Ints,
    Net,
    Shorts,
)

_LATEST = 1 << 30  # delays are shorter, so a time from here on is seen before 32 bits are too few


def run(net: Net, frames: int) -> tuple[Ints | Shorts, Ints, Ints]:
    """Times of the events of the first frames.

    Returns (times, reached, waits): times is (frames, events), of 32 bits where these hold them, reached[q] the events that sequence q
    got through, and waits[q] the link it is stopped by (-1 when it finished): a deadlock when any event is not reached.
    """
    times: Ints | Shorts = np.zeros((frames, len(net.gaps)), dtype=np.int32)
    done = _filled(net, times)
    if times.max(initial=0) >= _LATEST:
        times = np.zeros(times.shape, dtype=np.int64)
        done = _filled(net, times)
    return times, done[:, FRAME] * done[:, SIZE] + done[:, STEP], done[:, WAITS]


def _filled(net: Net, times: Ints | Shorts) -> Ints:
    """Fill in the times; the state of the sequences after that."""
    sequences, links = net.sequences.copy(), net.links.copy()
    links[:, EVENT] = net.ports[links[:, DST_PORT]] if len(links) else 0
    links[:, AGE], links[:, BEAT] = np.divmod(-links[:, SHIFT_FRAMES] * links[:, BEATS] - links[:, SHIFT_BEATS], links[:, BEATS])
    sequences[:, WAITS] = -1
    _run(sequences, links, net.ports, net.gaps, net.out, times)
    return sequences[:-1].astype(np.int64)


@jit
def _run(sequences: Shorts, links: Shorts, ports: Shorts, gaps: Shorts, out: Ints, times: Ints | Shorts) -> None:
    n = len(sequences) - 1
    queue = np.arange(n)
    sequences[:, DONE] = 0  # 1 while in the queue
    head, size = 0, n
    while size > 0:
        q = queue[head]
        head = head + 1 if head + 1 < n else 0
        size -= 1
        sequences[q, DONE] = 0
        _advance(sequences, links, ports, gaps, times, q)
        for a in range(sequences[q, OUT], sequences[q + 1, OUT]):
            k = out[a]
            d = links[k, DST]
            if sequences[d, WAITS] != k or sequences[d, DONE]:
                continue
            age, event = links[k, AGE], ports[links[k, SRC_PORT] + links[k, BEAT]]
            if age < sequences[q, FRAME] or (age == sequences[q, FRAME] and event < sequences[q, STEP]):
                queue[head + size if head + size < n else head + size - n] = d
                size += 1
                sequences[d, DONE] = 1


@jit
def _advance(sequences: Shorts, links: Shorts, ports: Shorts, gaps: Shorts, times: Ints | Shorts, q: int) -> None:
    """Compute the events of sequence q until it must wait for an event that has no time yet."""
    base, n, wrap = sequences[q, FIRST], sequences[q, SIZE], sequences[q, WRAP]
    first, last = sequences[q, IN], sequences[q + 1, IN]
    f, i = sequences[q, FRAME], sequences[q, STEP]
    while f < len(times):
        t = gaps[base]
        if i > 0:
            t = times[f, base + i - 1] + gaps[base + i]
        elif f > 0:
            t = times[f - 1, base + n - 1] + wrap
        for k in range(first, last):
            age = links[k, AGE]
            if links[k, EVENT] == i and age >= 0:
                s, event = links[k, SRC], ports[links[k, SRC_PORT] + links[k, BEAT]]
                if age > sequences[s, FRAME] or (age == sequences[s, FRAME] and event >= sequences[s, STEP]):
                    sequences[q, WAITS] = k
                    return
                t = max(t, times[age, sequences[s, FIRST] + event] + links[k, DELAY])
        times[f, base + i] = t
        for k in range(first, last):
            if links[k, EVENT] == i:
                links[k, BEAT] += 1
                if links[k, BEAT] == links[k, BEATS]:
                    links[k, BEAT] = 0
                    links[k, AGE] += 1
                links[k, CURSOR] += 1
                if links[k, CURSOR] == links[k, BEATS]:
                    links[k, CURSOR] = 0
                links[k, EVENT] = ports[links[k, DST_PORT] + links[k, CURSOR]]
        i += 1
        if i == n:
            i, f = 0, f + 1
        sequences[q, FRAME], sequences[q, STEP] = f, i
    sequences[q, WAITS] = -1

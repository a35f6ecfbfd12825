"""Self-timed execution of a system: every event as early as its links allow, from an empty design.

Each sequence is a deterministic list of events, so the system is a Kahn network: a sequence advances while the
times it waits for are known, and every event is computed once, whatever the order.
"""

from __future__ import annotations

import numpy as np

from dfcompile.timing.kernel import jit
from dfcompile.timing.net import LINK, SEQUENCE, Ints, Net, Records, Shorts, record, with_state

# waits: the link it is stopped by; queued: whether it is in the queue; frame, step: its next event
_SEQUENCE = record("waits", "queued", "frame", "step", of=SEQUENCE)
# event, cursor: the waiting event of the next beat, and its place in the port; age, beat: frame and beat that it waits for
_LINK = record("event", "cursor", "age", "beat", of=LINK)
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
    reached = done["frame"].astype(np.int64) * done["events"] + done["step"]
    return times, reached, done["waits"].astype(np.int64)


def _filled(net: Net, times: Ints | Shorts) -> Records:
    """Fill in the times; the state of the sequences after that."""
    sequences, links = with_state(net.sequences, _SEQUENCE), with_state(net.links, _LINK)
    links["event"] = net.ports[links["dst_port"]] if len(links) else 0
    links["age"], links["beat"] = np.divmod(-links["shift_frames"] * links["beats"] - links["shift_beats"], links["beats"])
    sequences["waits"], sequences["queued"] = -1, 1
    _run(sequences, links, net.ports, net.gaps, net.out, times)
    return sequences[:-1]


@jit
def _run(sequences: Records, links: Records, ports: Shorts, gaps: Shorts, out: Ints, times: Ints | Shorts) -> None:
    n = len(sequences) - 1
    queue = np.arange(n)
    head, size = 0, n
    while size > 0:
        q = queue[head]
        head = head + 1 if head + 1 < n else 0
        size -= 1
        now = sequences[q]
        now.queued = 0
        _advance(sequences, links, ports, gaps, times, q)
        for a in range(now.outs, sequences[q + 1].outs):
            link = links[out[a]]
            waiting = sequences[link.dst]
            if waiting.waits != out[a] or waiting.queued:
                continue
            event = ports[link.src_port + link.beat]
            if link.age < now.frame or (link.age == now.frame and event < now.step):
                queue[head + size if head + size < n else head + size - n] = link.dst
                size += 1
                waiting.queued = 1


@jit
def _advance(sequences: Records, links: Records, ports: Shorts, gaps: Shorts, times: Ints | Shorts, q: int) -> None:
    """Compute the events of sequence q until it must wait for an event that has no time yet."""
    now = sequences[q]
    base, n, first, last = now.first, now.events, now.ins, sequences[q + 1].ins
    f, i = now.frame, now.step
    while f < len(times):
        t = gaps[base]
        if i > 0:
            t = times[f, base + i - 1] + gaps[base + i]
        elif f > 0:
            t = times[f - 1, base + n - 1] + now.wrap
        for k in range(first, last):
            link = links[k]
            if link.event == i and link.age >= 0:
                other, event = sequences[link.src], ports[link.src_port + link.beat]
                if link.age > other.frame or (link.age == other.frame and event >= other.step):
                    now.waits = k
                    return
                t = max(t, times[link.age, other.first + event] + link.delay)
        times[f, base + i] = t
        for k in range(first, last):
            link = links[k]
            if link.event == i:
                link.beat += 1
                if link.beat == link.beats:
                    link.beat = 0
                    link.age += 1
                link.cursor += 1
                if link.cursor == link.beats:
                    link.cursor = 0
                link.event = ports[link.dst_port + link.cursor]
        i += 1
        if i == n:
            i, f = 0, f + 1
        now.frame, now.step = f, i
    now.waits = -1

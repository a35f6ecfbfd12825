"""How far the sequences of a system come, whatever the times: who waits for whom is a matter of counts alone.

A beat may be taken when as many were given, so each sequence goes on at once to the first event that must wait. What is reached in the end
does not depend on the order, and a system with more room reaches all that it did with less: a run goes on from where another stopped.
"""

from __future__ import annotations

import numpy as np

from dfcompile.timing.kernel import jit
from dfcompile.timing.net import Ints, Net, Records, Shorts
from dfcompile.timing.periodic import less
from dfcompile.timing.run import Share


def reach(net: Net, frames: int, reached: Ints, progress: Share = lambda done, of: None) -> Ints:
    """Let all sequences go on to the end of so many frames, as far as they can.

    reached:  events that each got through, of all frames; raised
    progress: is told how many frames are done, of how many

    Returns the link that each waits by, -1 where it does not.
    """
    waits = np.full(net.n, -1, dtype=np.int64)
    for frame in range(1, frames + 1):
        _reach(net.sequences, net.links, net.ports, net.out, frame, reached, waits)
        progress(frame, frames)
    return waits


@jit
def _reach(sequences: Records, links: Records, ports: Shorts, out: Ints, frames: int, reached: Ints, waits: Ints) -> None:
    n = len(reached)
    given = np.zeros(len(links), dtype=np.int64)  # beats, of all frames
    for q in range(n):
        _give(sequences, links, ports, out, reached, given, q)
    queue, queued = np.arange(n), np.ones(n, dtype=np.uint8)
    head, size = 0, n
    while size:
        q = queue[head]
        head = head + 1 if head + 1 < n else 0
        size -= 1
        queued[q] = 0
        end, by = _end(sequences, links, ports, frames, given, q)
        waits[q] = by
        if end <= reached[q]:
            continue
        reached[q] = end
        _give(sequences, links, ports, out, reached, given, q)
        for a in range(sequences[q].outs, sequences[q + 1].outs):
            dst = links[out[a]].dst
            if waits[dst] == out[a] and not queued[dst]:
                queue[head + size if head + size < n else head + size - n] = dst
                queued[dst] = 1
                size += 1


@jit
def _give(sequences: Records, links: Records, ports: Shorts, out: Ints, reached: Ints, given: Ints, q: int) -> None:
    """Count the beats that sequence q has given by each link."""
    frame, step = divmod(reached[q], sequences[q].events)
    for a in range(sequences[q].outs, sequences[q + 1].outs):
        k = out[a]
        link = links[k]
        before, near = divmod(given[k], link.beats)
        near = near if before == frame else 0
        given[k] = frame * link.beats + less(ports, link.src_port, link.beats, step, near)


@jit
def _end(sequences: Records, links: Records, ports: Shorts, frames: int, given: Ints, q: int) -> tuple[int, int]:
    """The first event of sequence q that must wait, and the link that it waits by; else the end of the frames."""
    events = sequences[q].events
    end, by = frames * events, -1
    for k in range(sequences[q].ins, sequences[q + 1].ins):
        link = links[k]
        frame, beat = divmod(max(0, given[k] + link.shift_beats + link.shift_frames * link.beats), link.beats)
        if frame * events < end:
            event = frame * events + ports[link.dst_port + beat]
            if event < end:
                end, by = event, k
    return end, by

"""Self-timed execution of a system: every event as early as its links allow, from an empty design.

Each sequence is a deterministic list of events, so the system is a Kahn network: a sequence advances while the
times it waits for are known, and every event is computed once, whatever the order.

Events are computed in blocks: what links ask of all events of a sequence that can be computed, then their times. A stream with room for
one beat would make blocks of one event, since its ends take turns: the two sequences there are *twins*, computed together.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dfcompile.timing.kernel import bare, inline
from dfcompile.timing.net import LINK, SEQUENCE, Ints, Net, Records, Shorts, record, with_state

# waits: the link it is stopped by; queued: whether it (of twins: the one that gives) is in the queue; frame, step: its next event
# even: whether all gaps but the first one are one cycle; every: whether all events are beats of the stream between twins
# till: what links ask of events up to this one is known; base: of the first event of that block
# twin: the other one, or -1; gives: whether it is the twin that gives; lock: the link from the other one
# port, beat, event: the stream between twins at its end, the next beat there and that beat's event
# held: of the twin that gives: whether its last beat was not taken yet; last: when its last beat was given or taken
_SEQUENCE = record(
    "waits",
    "queued",
    "frame",
    "step",
    "till",
    "base",
    "twin",
    "gives",
    "lock",
    "port",
    "beats",
    "beat",
    "event",
    "held",
    "even",
    "every",
    of=SEQUENCE,
)
# event: the waiting event of the next beat, beyond all where the frame has no more; cursor: that beat's place in the port
# age, beat: frame and beat that it waits for
_LINK = record("event", "cursor", "age", "beat", of=LINK)
_LATEST = 1 << 30  # delays are shorter, so a time from here on is seen before 32 bits are too few
_BLOCK = 256  # events at a time
_NEVER = -(1 << 29)  # before any time, also with a delay
_BEYOND = (1 << 31) - 1
_SLICE = 1 << 19  # blocks of events after which it is told how far the run is
Share = Callable[[int, int], None]  # is told how many events are done, of how many


def run(net: Net, frames: int, progress: Share = lambda done, of: None) -> tuple[Ints | Shorts, Ints, Ints]:
    """Times of the events of the first frames.

    Returns (times, reached, waits): times is (frames, events), of 32 bits where these hold them, reached[q] the events that sequence q
    got through, and waits[q] the link it is stopped by (-1 when it finished): a deadlock when any event is not reached.
    """
    times: Ints | Shorts = np.zeros((frames, len(net.gaps)), dtype=np.int32)
    done = _filled(net, times, progress)
    if times.max(initial=0) >= _LATEST:
        times = np.zeros(times.shape, dtype=np.int64)
        done = _filled(net, times, progress)
    return times, _reached(done), done["waits"].astype(np.int64)


def _reached(sequences: Records) -> Ints:
    """Events that each sequence got through."""
    found: Ints = sequences["frame"].astype(np.int64) * sequences["events"] + sequences["step"]
    return found


def _filled(net: Net, times: Ints | Shorts, progress: Share) -> Records:
    """Fill in the times; the state of the sequences after that."""
    sequences, links = with_state(net.sequences, _SEQUENCE), with_state(net.links, _LINK)
    links["event"] = net.ports[links["dst_port"]] if len(links) else 0
    links["age"], links["beat"] = np.divmod(-links["shift_frames"] * links["beats"] - links["shift_beats"], links["beats"])
    sequences["waits"], sequences["queued"] = -1, 1
    _pair(sequences, net)
    sequences["every"] = sequences["beats"] == sequences["events"]
    for q, (first, events) in enumerate(zip(net.first.tolist(), net.events.tolist(), strict=True)):
        sequences["even"][q] = not events or bool((net.gaps[first + 1 : first + events] == 1).all())
    late, last = np.empty((net.n, _BLOCK), dtype=times.dtype), np.full(net.n, _NEVER, dtype=times.dtype)
    queue, place = np.arange(net.n), np.array([0, net.n])
    while place[1]:
        _run(sequences, links, net.ports, net.gaps, net.out, times, late, last, queue, place, _SLICE)
        progress(int(_reached(sequences[:-1]).sum()), len(times) * int(net.events.sum(dtype=np.int64)))
    return sequences[:-1]


def _pair(sequences: Records, net: Net) -> None:
    """Make twins of the ends of streams with room for one beat, those of most beats first; nothing has two twins."""
    sequences["twin"] = sequences["lock"] = -1
    sequences["event"] = _BEYOND
    links = net.links
    shift = links["shift_frames"] * links["beats"] + links["shift_beats"]
    ends = list(zip(links["src"].tolist(), links["dst"].tolist(), links["src_port"].tolist(), links["dst_port"].tolist(), strict=True))
    back = {ends[k]: k for k in np.flatnonzero(shift == 1).tolist()}
    for k in sorted(np.flatnonzero(shift == 0).tolist(), key=lambda k: -links["beats"][k]):
        a, b, given, taken = ends[k]
        room = back.get((b, a, taken, given))
        if room is None or a == b or sequences["twin"][a] >= 0 or sequences["twin"][b] >= 0:
            continue
        for q, twin, lock, port in ((a, b, room, given), (b, a, k, taken)):
            now = sequences[q]
            now["twin"], now["lock"], now["port"], now["beats"], now["event"] = twin, lock, port, links["beats"][k], net.ports[port]
        sequences["gives"][a] = 1


@bare
def _run(
    sequences: Records,
    links: Records,
    ports: Shorts,
    gaps: Shorts,
    out: Ints,
    times: Ints | Shorts,
    late: Ints | Shorts,
    last: Ints | Shorts,
    queue: Ints,
    place: Ints,
    most: int,
) -> None:
    """Go on for at most so many blocks.

    late: what links ask of the events of each sequence's block; last: when a sequence last gave its twin a beat, or took one
    queue: who may go on, in a ring; place: where it begins, and how many are in it
    """
    n = len(queue)
    head, size = place[0], place[1]
    while size > 0 and most > 0:
        most -= 1
        q = queue[head]
        head = head + 1 if head + 1 < n else 0
        size -= 1
        sequences[q].queued = 0
        twin = sequences[q].twin
        if twin < 0:
            _advance(sequences, links, ports, gaps, times, late[q], q)
        elif sequences[q].gives:
            _advance_twins(sequences, links, ports, gaps, times, late, last, q, twin)
        else:
            _advance_twins(sequences, links, ports, gaps, times, late, last, twin, q)
        for who in (q, twin) if twin >= 0 else (q, q):
            now = sequences[who]
            for a in range(now.outs, sequences[who + 1].outs):
                link = links[out[a]]
                waiting = sequences[link.dst]
                if waiting.waits != out[a] or waiting.queued or link.dst == now.twin:
                    continue
                if _is_known(sequences, ports, link.src, link.src_port, link.age, link.beat):
                    queue[head + size if head + size < n else head + size - n] = link.dst
                    size += 1
                    waiting.queued = 1
    place[0], place[1] = head, size


@inline
def _is_known(sequences: Records, ports: Shorts, q: int, port: int, frame: int, beat: int) -> bool:
    """Whether a beat of a sequence's port has a time, or comes before the first frame."""
    now = sequences[q]
    known: bool = frame < now.frame or (frame == now.frame and ports[port + beat] < now.step)
    return known


@bare
def _look(sequences: Records, links: Records, ports: Shorts, times: Ints | Shorts, late: Ints | Shorts, q: int) -> None:
    """Make the next block of sequence q: events for which all that they wait for by links is known."""
    now = sequences[q]
    if now.waits >= 0 and now.waits != now.lock:
        link = links[now.waits]
        if not _is_known(sequences, ports, link.src, link.src_port, link.age, link.beat):
            return
    i, n = now.step, now.events
    j = min(i + _BLOCK, n)
    now.waits = -1
    for k in range(now.ins, sequences[q + 1].ins):
        if links[k].event < j and k != now.lock:
            until = _known_until(sequences, links, ports, k, j, n)
            if until < j:
                j = until
                now.waits = k
    now.base, now.till = i, j
    late[: j - i] = _NEVER
    for k in range(now.ins, sequences[q + 1].ins):
        if links[k].event < j and k != now.lock:
            _ask(sequences, links, ports, times, late, k, i, j, n)


@inline
def _known_until(sequences: Records, links: Records, ports: Shorts, k: int, j: int, events: int) -> int:
    """The first event before j that waits by link k for what has no time yet, or j."""
    link = links[k]
    frame, step = sequences[link.src].frame, sequences[link.src].step
    to, source, beats, cursor, age, beat = link.dst_port, link.src_port, link.beats, link.cursor, link.age, link.beat
    if beats == events:  # every event takes a beat, so they are counted
        while cursor < j:
            end = min(beats, beat + j - cursor)
            b = end if age < frame else beat
            if age == frame:
                b = _before_event(ports, source, beat, end, step)
            cursor += b - beat
            if b < end:
                j = cursor
            age, beat = age + 1, 0
    else:
        event = link.event
        while event < j:
            if age > frame or (age == frame and ports[source + beat] >= step):
                j = event
            cursor, beat = cursor + 1, beat + 1
            event = ports[to + cursor] if cursor < beats else _BEYOND
            if beat == beats:
                age, beat = age + 1, 0
    return j


@inline
def _before_event(ports: Shorts, port: int, beat: int, end: int, event: int) -> int:
    """The first beat from `beat` on that is not before an event, or `end`."""
    if ports[port + end - 1] < event:
        beat = end
    while beat < end and ports[port + beat] < event:
        beat += 1
    return beat


@inline
def _ask(
    sequences: Records, links: Records, ports: Shorts, times: Ints | Shorts, late: Ints | Shorts, k: int, i: int, j: int, events: int
) -> None:
    """Add to what links ask of the events from i to before j what link k does, and move it on behind them."""
    link = links[k]
    first, delay, to, source, beats = sequences[link.src].first, link.delay, link.dst_port, link.src_port, link.beats
    cursor, age, beat, every = link.cursor, link.age, link.beat, sequences[link.src].events
    if beats == events:
        while cursor < j:
            size = min(beats - beat, j - cursor)
            at = cursor - i
            if age >= 0 and beats == every:
                for x in range(size):
                    late[at + x] = max(late[at + x], times[age, first + beat + x] + delay)
            elif age >= 0:
                for x in range(size):
                    late[at + x] = max(late[at + x], times[age, first + ports[source + beat + x]] + delay)
            cursor, beat = cursor + size, beat + size
            if beat == beats:
                age, beat = age + 1, 0
        event = cursor if cursor < beats else _BEYOND
    else:
        event = link.event
        while event < j:
            if age >= 0:
                late[event - i] = max(late[event - i], times[age, first + ports[source + beat]] + delay)
            cursor, beat = cursor + 1, beat + 1
            event = ports[to + cursor] if cursor < beats else _BEYOND
            if beat == beats:
                age, beat = age + 1, 0
    link.cursor, link.age, link.beat, link.event = cursor, age, beat, event


@bare
def _advance(sequences: Records, links: Records, ports: Shorts, gaps: Shorts, times: Ints | Shorts, late: Ints | Shorts, q: int) -> None:
    """Compute the events of sequence q until it must wait for an event that has no time yet."""
    now = sequences[q]
    first = now.first
    while now.frame < len(times):
        _look(sequences, links, ports, times, late, q)
        start, end = now.step, now.till
        if start == end:
            return
        f, t = now.frame, _before(sequences, times, gaps, q)
        even = now.even
        for i in range(start, end):
            t = max(t + (1 if even and i else gaps[first + i]), late[i - start])
            times[f, first + i] = t
        _go_on(sequences, links, ports, q, end)


@inline
def _before(sequences: Records, times: Ints | Shorts, gaps: Shorts, q: int) -> int:
    """The time from which on the gap of the next event of sequence q counts."""
    now = sequences[q]
    t: int = 0
    if now.step:
        t = times[now.frame, now.first + now.step - 1]
    elif now.frame:
        t = times[now.frame - 1, now.first + now.events - 1] + now.wrap - gaps[now.first]
    return t


@bare
def _advance_twins(
    sequences: Records,
    links: Records,
    ports: Shorts,
    gaps: Shorts,
    times: Ints | Shorts,
    late: Ints | Shorts,
    last: Ints | Shorts,
    a: int,
    b: int,
) -> None:
    """The same for twins, of which `a` gives: they take turns at the beats between them. What is known of all events is not read."""
    give, take = sequences[a], sequences[b]
    room, latency, p, c = links[give.lock].delay, links[take.lock].delay, give.first, take.first
    even_a, even_b, every_a, every_b = give.even, take.even, give.every, take.every
    while True:
        if give.step == give.till and give.frame < len(times):
            _look(sequences, links, ports, times, late[a], a)
        if take.step == take.till and take.frame < len(times):
            _look(sequences, links, ports, times, late[b], b)
        i, i_end, j, j_end = give.step, give.till, take.step, take.till
        s, t = _before(sequences, times, gaps, a), _before(sequences, times, gaps, b)
        f, g, asked, asks, i_base, j_base = give.frame, take.frame, late[a], late[b], give.base, take.base
        held, given, taken, gives, takes = give.held, last[a], last[b], give.event, take.event
        gave, took, given_beats, taken_beats, give_port, take_port = give.beat, take.beat, give.beats, take.beats, give.port, take.port
        moves = True
        while moves:
            moves = False
            stop = min(i_end, gives)
            while i < stop:
                s = max(s + (1 if even_a and i else gaps[p + i]), asked[i - i_base])
                times[f, p + i] = s
                i += 1
            if i < i_end and not held:
                s = max(max(s + (1 if even_a and i else gaps[p + i]), asked[i - i_base]), taken + room)
                times[f, p + i] = s
                i += 1
                given, held, moves, gave = s, 1, True, gave + 1
                gives = _BEYOND if gave == given_beats else gave if every_a else ports[give_port + gave]
            stop = min(j_end, takes)
            while j < stop:
                t = max(t + (1 if even_b and j else gaps[c + j]), asks[j - j_base])
                times[g, c + j] = t
                j += 1
            if j < j_end and held:
                t = max(max(t + (1 if even_b and j else gaps[c + j]), asks[j - j_base]), given + latency)
                times[g, c + j] = t
                j += 1
                taken, held, moves, took = t, 0, True, took + 1
                takes = _BEYOND if took == taken_beats else took if every_b else ports[take_port + took]
        give.beat, take.beat = gave, took
        stopped = i == give.step and j == take.step
        give.held, last[a], last[b], give.event, take.event = held, given, taken, gives, takes
        if stopped:
            give.waits = give.lock if i < i_end else give.waits
            take.waits = take.lock if j < j_end else take.waits
            return
        _go_on(sequences, links, ports, a, i)
        _go_on(sequences, links, ports, b, j)


@inline
def _go_on(sequences: Records, links: Records, ports: Shorts, q: int, step: int) -> None:
    """Let this be the next event of sequence q, or the first one of the next frame."""
    now = sequences[q]
    now.step = step
    if step == now.events:
        now.frame, now.step, now.till, now.waits = now.frame + 1, 0, 0, -1
        for k in range(now.ins, sequences[q + 1].ins):
            links[k].cursor, links[k].event = 0, ports[links[k].dst_port]
        if now.twin >= 0:
            now.beat, now.event = 0, ports[now.port]

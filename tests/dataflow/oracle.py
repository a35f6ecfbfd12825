"""A cycle-by-cycle simulator of schedules: slow and plain, the judge of the timing model."""

from __future__ import annotations

from dataclasses import dataclass, field

from dfcompile.dataflow.design import Design
from dfcompile.units.parts.schedule import Process


@dataclass
class Wire:
    """A stream with its FIFO (none when depth is 0) between a producer's output buffer and a consumer."""

    tensor: str
    depth: int
    beats: int
    latency: int
    slots: int
    credit_delay: int
    issued: list[int] = field(default_factory=list)  # cycle of each beat's issue
    writes: list[int] = field(default_factory=list)  # cycle of each handshake at the producer
    reads: list[int] = field(default_factory=list)  # cycle of each handshake at the consumer

    def can_issue(self, now: int) -> bool:
        k = len(self.issued) - self.slots
        return k < 0 or (k < len(self.writes) and now >= self.writes[k] + self.credit_delay)

    def offered(self, now: int) -> bool:
        """The producer's valid."""
        k = len(self.writes)
        return k < len(self.issued) and now >= self.issued[k] + self.latency and (k == 0 or now > self.writes[k - 1])

    def valid(self, now: int) -> bool:
        """What the consumer sees."""
        if not self.depth:
            return self.offered(now)
        k = len(self.reads)
        return k < len(self.writes) and now > self.writes[k]

    def take(self, now: int) -> None:
        self.reads.append(now)
        if not self.depth:
            self.writes.append(now)

    def fill(self, now: int) -> bool:
        """The producer's handshake into the FIFO; whether it happened in this cycle."""
        if not self.depth or not self.offered(now):
            return False
        held = len(self.writes) - sum(r < now for r in self.reads)
        if held >= self.depth:
            return False
        self.writes.append(now)
        return True


@dataclass
class Engine:
    """One process: how many steps it has done, and when."""

    process: Process
    takes: dict[int, Wire]
    gives: dict[int, Wire]
    peers: list[Engine]
    done: list[int] = field(default_factory=list)

    def step(self, now: int) -> bool:
        """Do the next step in this cycle if it can be done."""
        if self.done and self.done[-1] == now:
            return False
        p = self.process
        f, s = divmod(len(self.done), p.steps)
        taken = [self.takes[i] for i, when in p.takes.items() if s in when]
        given = [self.gives[o] for o, g in p.gives.items() if s in g.steps]
        if not all(w.valid(now) for w in taken) or not all(w.can_issue(now) for w in given):
            return False
        for a in p.after:
            peer = self.peers[a.process]
            need = f * peer.process.steps + int(a.need[s])
            if need > 0 and (len(peer.done) < need or now < peer.done[need - 1] + a.delay):
                return False
        for w in taken:
            w.take(now)
        for w in given:
            w.issued.append(now)
        self.done.append(now)
        return True


@dataclass
class Outcome:
    wires: dict[str, Wire]
    engines: dict[str, list[Engine]]


def simulate(design: Design, frames: int, source_gap: int = 1, sink_gap: int = 1, patience: int = 200) -> Outcome | None:
    """Run until every sink has its frames; None when nothing happens for `patience` cycles."""
    wires: dict[str, Wire] = {}
    for t, stream in design.streams().items():
        wires[t] = Wire(t, design.fifo_depths.get(t, 0), stream.beats, 0, 1 << 30, 0)
    engines: dict[str, list[Engine]] = {}
    for n in design.nodes:
        peers: list[Engine] = []
        for p in design.unit(n.name).schedule():
            gives = {o: wires[n.outputs[o]] for o in p.gives}
            for o, g in p.gives.items():
                gives[o].latency, gives[o].slots, gives[o].credit_delay = g.latency, g.slots, g.credit_delay
            peers.append(Engine(p, {i: wires[n.inputs[i]] for i in p.takes}, gives, peers))
        engines[n.name] = peers
    outcome = Outcome(wires, engines)
    now, last = 0, 0
    while any(len(wires[t].reads) < frames * wires[t].beats for t in design.graph.outputs):
        if _cycle(design, outcome, now, source_gap, sink_gap):
            last = now
        elif now - last > patience:
            return None
        now += 1
    return outcome


def _cycle(design: Design, outcome: Outcome, now: int, source_gap: int, sink_gap: int) -> bool:
    wires = outcome.wires
    for t in design.graph.inputs:
        w = wires[t]
        offered = len(w.issued) > len(w.writes)
        if not offered and (not w.writes or now >= w.writes[-1] + source_gap):
            w.issued.append(now)
    happened = False
    again = True
    while again:
        again = any([e.step(now) for peers in outcome.engines.values() for e in peers])
        for t in design.graph.outputs:
            w = wires[t]
            if w.valid(now) and (not w.reads or now >= w.reads[-1] + sink_gap):
                w.take(now)
                again = True
        again = any([w.fill(now) for w in wires.values()]) or again
        happened = happened or again
    return happened

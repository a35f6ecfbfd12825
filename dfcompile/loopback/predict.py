"""When every descriptor of a program runs: the queues of the engine replayed with their token rules, in cycles from the start.

The replay goes through the program once, descriptor by descriptor, because every wait is for an earlier one. External memory answers
a request after a fixed latency and then gives one bus word a cycle.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.contention import Banks
from dfcompile.loopback.descriptor import Compute, Opcode, Target, Transfer, Unit
from dfcompile.loopback.program import Program, Step

BURST = 16
AHEAD = 64
QUEUE = 16
RECORDS = 4
HELD = 4


@dataclass(frozen=True)
class Run:
    """One descriptor: the cycle it was taken, the first and last cycle of its work, and the cycle it was complete."""

    unit: Unit
    layer: int
    take: int
    start: int
    end: int
    done: int


@dataclass(frozen=True, eq=False)
class Prediction:
    """Cycles of one run of the program, and when each descriptor ran."""

    cycles: int
    runs: tuple[Run, ...]

    def layer_cycles(self) -> dict[int, int]:
        """Cycles between the ends of successive layers' computation."""
        ends: dict[int, int] = {}
        for r in self.runs:
            if r.unit == Unit.COMPUTE:
                ends[r.layer] = max(ends.get(r.layer, 0), r.done)
        result, last = {}, 0
        for layer, end in sorted(ends.items(), key=lambda x: x[1]):
            result[layer], last = end - last, end
        return result


def bursts(address: int, beats: int, config: EngineConfig) -> list[int]:
    """Beats of the bursts of a block: at most 16, none across a 4-KiB border."""
    result = []
    page = 4096 // config.bus_bytes
    at = address // config.bus_bytes
    while beats:
        count = min(beats, BURST, page - at % page)
        result.append(count)
        at, beats = at + count, beats - count
    return result


class _Fetch:
    """The program reader: when each descriptor is complete, given when the ones before were accepted."""

    def __init__(self, program: Program, latency: int) -> None:
        self.sizes = deque(bursts(program.program_address, len(program.code) // program.config.bus_bytes, program.config))
        self.latency, self.bus = latency, program.config.bus_bits
        self.request, self.asked, self.popped = -1, 0, 0
        self.pops: deque[int] = deque()  # cycles of the last AHEAD pops
        self.arrivals: deque[int] = deque()
        self.arrived = -1
        self.free = 0  # first cycle in which a word may be taken

    def _ask(self) -> None:
        """Request bursts as far ahead as the buffer allows by now."""
        while self.sizes:
            missing = self.asked - (AHEAD - BURST)
            if missing > self.popped:
                return
            after = self.pops[missing - 1 - (self.popped - len(self.pops))] + 1 if missing > 0 else 0
            self.request = max(self.request + 1, after)
            size = self.sizes.popleft()
            self.asked += size
            for i in range(size):
                self.arrived = max(self.arrived + 1, self.request + self.latency + i)
                self.arrivals.append(self.arrived)

    def complete(self, bits: int) -> int:
        """Cycle in which the next descriptor is offered."""
        at = self.free
        for _ in range(bits // self.bus):
            self._ask()
            at = max(at, self.arrivals.popleft() + 1)
            self.pops.append(at)
            if len(self.pops) > 2 * AHEAD:
                self.pops.popleft()
            self.popped += 1
            at += 1
        return at

    def accepted(self, cycle: int) -> None:
        self.free = cycle + 1


class _Store:
    """A store that may start in cycle `earliest`; a word is read in a free cycle of its bank when at most three others are held."""

    def __init__(self, index: int, step: Step, earliest: int) -> None:
        assert isinstance(step.descriptor, Transfer), "the store queue holds nothing else"
        self.index, self.step, self.descriptor = index, step, step.descriptor
        self.earliest, self.take, self.word = earliest, -1, 0

    def begin(self, take: int) -> None:
        self.take = self.ask = take
        self.last = take + 1
        self.sent = deque([take] * HELD, maxlen=HELD)

    def advance(self, banks: Banks, beats: int, horizon: int | None) -> bool:
        """Read words in cycles before the horizon, up to which the array is known; whether it is complete."""
        while self.word < self.descriptor.beats // beats:
            bank = (self.descriptor.inner + self.word) // banks.half
            ask = banks.unread(max(self.ask + 1, self.sent[0] + 1), bank)
            if horizon is not None and ask >= horizon:
                return False
            self.ask = ask
            self.last = max(ask + 2, self.last + 1) + beats - 1
            self.sent.append(self.last)
            self.word += 1
        return True


@dataclass
class _Replay:
    program: Program
    latency: int
    done: list[int] = field(default_factory=list)
    runs: list[Run | None] = field(default_factory=list)
    takes: dict[Unit, list[int]] = field(default_factory=lambda: {u: [] for u in Unit})
    tokens: dict[tuple[Unit, Unit], deque[int]] = field(default_factory=dict)
    ready: dict[Unit, int] = field(default_factory=lambda: dict.fromkeys(Unit, 0))
    arrival: int = -1
    loads: list[int] = field(default_factory=list)
    written: int = -1
    stores: deque[_Store] = field(default_factory=deque)  # not yet complete

    def run(self) -> Prediction:
        fetch = _Fetch(self.program, self.latency)
        config = self.program.config
        self.latency_out = config.simd.bit_length() - 1 + config.tree_levels + 6
        self.banks = Banks(config, self.latency_out)
        end = 0
        for i, step in enumerate(self.program.steps):
            offered = fetch.complete(step.descriptor.BITS)
            if step.descriptor.opcode == Opcode.FINISH:
                end = offered + 1
                break
            accepted = max(offered, self._room(step.unit))
            fetch.accepted(accepted)
            self.runs.append(None)
            self._take(i, step, accepted + 1)
        self._complete(None)
        end = max([end, *(r.done + 1 for r in self.runs if r)])
        return Prediction(end + 1, tuple(r for r in self.runs if r))

    def _room(self, unit: Unit) -> int:
        """First cycle in which the queue takes another descriptor."""
        takes = self.takes[unit]
        count = len(takes)
        if unit == Unit.STORE:
            waiting = [s.index for s in self.stores if s.take < 0]
            count += len(waiting)
            if count >= QUEUE and count - QUEUE >= len(takes):
                self._complete(waiting[count - QUEUE - len(takes)])
        return 0 if count < QUEUE else takes[count - QUEUE] + 1

    def _take(self, index: int, step: Step, at: int) -> None:
        d, unit = step.descriptor, step.unit
        at = max(at, self.ready[unit])
        for other in Unit:
            if d.waits >> other & 1:
                source = self.tokens[other, unit].popleft()
                if self.runs[source] is None:
                    self._complete(source)
                run = self.runs[source]
                assert run is not None, "`_complete` made it"
                at = max(at, run.done + 1)
        if isinstance(d, Compute):
            self._compute(index, step, d, at)
        elif unit == Unit.LOAD:
            self._load(index, step, d, at)
        else:
            self.stores.append(_Store(index, step, at))
        for other in Unit:
            if d.signals >> other & 1:
                self.tokens.setdefault((unit, other), deque()).append(index)

    def _compute(self, index: int, step: Step, d: Compute, at: int) -> None:
        if d.drain:
            at = max(at, self.written + 1)
        last = at + d.cycles - d.idle
        words = 1 if d.acc_store else (d.planes + 1) * d.writes
        self.written = last + self.latency_out + words
        self.ready[Unit.COMPUTE] = at + d.cycles
        self.banks.add(at + 1, d)
        self._note(index, Run(Unit.COMPUTE, step.layer, at, at + 1, last, self.written))
        while self._progress(at + d.cycles + 1):
            pass

    def _load(self, index: int, step: Step, d: Transfer, at: int) -> None:
        if len(self.loads) >= RECORDS:
            at = max(at, self.loads[-RECORDS] + 1)
        sizes = bursts(d.address, d.beats, self.program.config)
        free = None
        if d.target == Target.ACT:
            free = self.banks.unwritten(max(self.arrival + 1, at + 1 + self.latency), d.inner // self.banks.half, d.beats + len(sizes))
        first = -1
        for i, size in enumerate(sizes):
            start = max(self.arrival + 1, at + 1 + i + self.latency)
            first = start if first < 0 else first
            self.arrival = start + size - 1 if free is None else free.after(start, size)
        self.ready[Unit.LOAD] = at + len(sizes) + 1
        self.loads.append(self.arrival)
        self._note(index, Run(Unit.LOAD, step.layer, at, first, self.arrival, self.arrival))

    def _progress(self, horizon: int | None) -> bool:
        """Move the oldest store on; whether it is complete now."""
        if not self.stores:
            return False
        s = self.stores[0]
        if s.take < 0:
            take = max(s.earliest, self.ready[Unit.STORE])
            if horizon is not None and take >= horizon:
                return False
            s.begin(take)
            self.takes[Unit.STORE].append(take)
        if not s.advance(self.banks, self.program.config.word_beats, horizon):
            return False
        done = s.last + self.latency + 1
        self.ready[Unit.STORE] = done + 1
        self.runs[s.index] = Run(Unit.STORE, s.step.layer, s.take, s.take + 3, s.last, done)
        self.stores.popleft()
        return True

    def _complete(self, index: int | None) -> None:
        """Complete stores up to one of them, or all, as if the array did nothing more."""
        while self.stores and (index is None or self.runs[index] is None):
            self._progress(None)

    def _note(self, index: int, run: Run) -> None:
        self.takes[run.unit].append(run.take)
        self.runs[index] = run


def predict(program: Program, latency: int = 20) -> Prediction:
    """Cycles of one run with an external memory of so many cycles latency and one bus word a cycle."""
    return _Replay(program, latency).run()


def load_bytes(program: Program, target: Target) -> int:
    """Bytes that a run loads into one memory."""
    size = program.config.bus_bytes
    return size * sum(
        s.descriptor.beats
        for s in program.steps
        if isinstance(s.descriptor, Transfer) and s.descriptor.opcode == Opcode.LOAD and s.descriptor.target == target
    )

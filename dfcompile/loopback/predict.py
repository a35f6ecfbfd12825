"""When every descriptor of a program runs: the queues of the engine replayed with their token rules, in cycles from the start.

The replay goes through the program once, descriptor by descriptor, because every wait is for an earlier one. External memory answers
a request after a fixed latency and then gives one bus word a cycle.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dfcompile.loopback.config import EngineConfig
from dfcompile.loopback.descriptor import Compute, Opcode, Target, Transfer, Unit
from dfcompile.loopback.engine import walk
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


@dataclass
class _Store:
    """A store under way: it reads words only in cycles in which the array does not read the same bank."""

    index: int
    step: Step
    take: int
    descriptor: Transfer


class _Busy:
    """In which cycles the array reads which bank of the activation memory, over the last descriptors."""

    def __init__(self, half: int) -> None:
        self.half = half
        self.recent: deque[tuple[int, Compute]] = deque(maxlen=2)
        self.known: list[tuple[int, NDArray[np.int8]]] = []

    def add(self, first: int, d: Compute, wanted: bool) -> None:
        """A descriptor whose first step is in cycle `first`; its walk is only followed while a store is under way."""
        self.recent.append((first, d))
        if wanted:
            self.known.append((first, self._banks(d)))

    def open(self) -> None:
        self.known = [(first, self._banks(d)) for first, d in self.recent]

    def _banks(self, d: Compute) -> NDArray[np.int8]:
        """Bank read in each cycle, -1 for none."""
        address, inside = walk(d)
        banks = np.where(inside, address // self.half, -1).astype(np.int8)
        return np.pad(banks, ((0, 0), (0, d.idle)), constant_values=-1).reshape(-1)

    def free(self, cycle: int, bank: int) -> int:
        """First cycle from `cycle` on in which the bank is not read."""
        for first, banks in self.known:
            if first <= cycle < first + len(banks):
                part = banks[cycle - first :] != bank
                at = int(part.argmax())
                if part[at]:
                    return cycle + at
                cycle = first + len(banks)
        return cycle


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
    store: _Store | None = None

    def run(self) -> Prediction:
        fetch = _Fetch(self.program, self.latency)
        self.busy = _Busy(self.program.config.act_words // 2)
        end = 0
        for i, step in enumerate(self.program.steps):
            offered = fetch.complete(step.descriptor.BITS)
            if step.descriptor.opcode == Opcode.FINISH:
                end = offered + 1
                break
            takes = self.takes[step.unit]
            accepted = offered if len(takes) < QUEUE else max(offered, takes[-QUEUE] + 1)
            fetch.accepted(accepted)
            self.runs.append(None)
            self._take(i, step, accepted + 1)
        self._settle()
        end = max([end, *(r.done + 1 for r in self.runs if r)])
        return Prediction(end + 1, tuple(r for r in self.runs if r))

    def _take(self, index: int, step: Step, at: int) -> None:
        d, unit = step.descriptor, step.unit
        at = max(at, self.ready[unit])
        for other in Unit:
            if d.waits >> other & 1:
                pending = self.tokens[other, unit]
                if other == Unit.STORE and self.store is not None and self.store.index == pending[0]:
                    self._settle()
                run = self.runs[pending.popleft()]
                assert run is not None
                at = max(at, run.done + 1)
        if isinstance(d, Compute):
            self._compute(index, step, d, at)
        elif unit == Unit.LOAD:
            self._load(index, step, d, at)
        else:
            self._open_store(index, step, d, at)
        for other in Unit:
            if d.signals >> other & 1:
                self.tokens.setdefault((unit, other), deque()).append(index)

    def _compute(self, index: int, step: Step, d: Compute, at: int) -> None:
        config = self.program.config
        if d.drain:
            at = max(at, self.written + 1)
        last = at + d.cycles - d.idle
        words = 1 if d.acc_store else (d.planes + 1) * d.writes
        fill = config.simd.bit_length() - 1 + config.tree_levels + 6 + words
        self.written = last + fill
        self.ready[Unit.COMPUTE] = at + d.cycles
        self.busy.add(at + 1, d, self.store is not None)
        self._note(index, Run(Unit.COMPUTE, step.layer, at, at + 1, last, self.written))

    def _load(self, index: int, step: Step, d: Transfer, at: int) -> None:
        if len(self.loads) >= RECORDS:
            at = max(at, self.loads[-RECORDS] + 1)
        sizes = bursts(d.address, d.beats, self.program.config)
        first = -1
        for i, size in enumerate(sizes):
            start = max(self.arrival + 1, at + 1 + i + self.latency)
            first = start if first < 0 else first
            self.arrival = start + size - 1
        self.ready[Unit.LOAD] = at + len(sizes) + 1
        self.loads.append(self.arrival)
        self._note(index, Run(Unit.LOAD, step.layer, at, first, self.arrival, self.arrival))

    def _open_store(self, index: int, step: Step, d: Transfer, at: int) -> None:
        self._settle()
        at = max(at, self.ready[Unit.STORE])
        self.store = _Store(index, step, at, d)
        self.busy.open()
        self.takes[Unit.STORE].append(at)

    def _settle(self) -> None:
        """Complete the store under way: a word is read in a free cycle of its bank when at most three others are held."""
        s = self.store
        if s is None:
            return
        beats = self.program.config.word_beats
        ask, last = s.take, s.take + 1
        sent: deque[int] = deque([s.take] * HELD, maxlen=HELD)
        for k in range(s.descriptor.beats // beats):
            bank = (s.descriptor.inner + k) // self.busy.half
            ask = self.busy.free(max(ask + 1, sent[0] + 1), bank)
            last = max(ask + 2, last + 1) + beats - 1
            sent.append(last)
        done = last + self.latency + 1
        self.ready[Unit.STORE] = done + 1
        self.runs[s.index] = Run(Unit.STORE, s.step.layer, s.take, s.take + 3, last, done)
        self.store = None

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

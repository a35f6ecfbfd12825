"""When every descriptor of a program runs: the queues of the engine replayed with their token rules, in cycles from the start.

The replay goes through the program once, descriptor by descriptor, because every wait is for an earlier one. Loads and stores give way
to the array in a bank of the activation memory, also to tiles behind them in the program: they are moved on only as far as the array
is known, and to their end where something waits for it. External memory answers a request after a fixed latency and then gives one bus
word a cycle.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from dfcompile.loopback.contention import Banks
from dfcompile.loopback.descriptor import Compute, Opcode, Target, Transfer, Unit
from dfcompile.loopback.group import cycles, last_words
from dfcompile.loopback.listing import Lists
from dfcompile.loopback.move import BURST, Load, Move, Store, bursts
from dfcompile.loopback.program import Program
from dfcompile.loopback.step import Step

AHEAD = 64
QUEUE = 16


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


class _Fetch:
    """The program reader: when each descriptor is complete, given when the ones before were accepted."""

    def __init__(self, program: Program, latency: int) -> None:
        self.config, self.address = program.config, program.program_address
        self.end = len(program.code) // program.config.bus_bytes
        self.sizes = deque(bursts(self.address, self.end, self.config))
        self.latency, self.bus = latency, program.config.bus_bits
        self.request, self.asked, self.popped = -1, 0, 0
        self.at, self.turning = 0, 0  # bus words of the program behind the last that was taken; those left of a loop's turns
        self.parts: deque[tuple[int, int]] = deque()  # first and last bus word, of which no burst has been asked for
        self.asks: deque[tuple[int, int]] = deque(maxlen=AHEAD)  # the cycle of a request, and of its last word
        self.pops: deque[int] = deque()  # cycles of the last AHEAD pops
        self.arrivals: deque[int] = deque()
        self.arrived = -1
        self.free = 0  # first cycle in which a word may be taken

    def _ask(self) -> None:
        """Request bursts as far ahead as the buffer allows by now."""
        while self.sizes or self.parts:
            missing = self.asked - (AHEAD - BURST)
            if missing > self.popped:
                return
            after = self.pops[missing - 1 - (self.popped - len(self.pops))] + 1 if missing > 0 else 0
            self.request = max(self.request + (1 if self.sizes else 2), after)
            if not self.sizes:
                first, end = self.parts.popleft()
                self.sizes.extend(bursts(self.address + first * self.config.bus_bytes, end - first, self.config))
            size = self.sizes.popleft()
            self.asked += size
            for i in range(size):
                self.arrived = max(self.arrived + 1, self.request + self.latency + i)
                self.arrivals.append(self.arrived)
            self.asks.append((self.request, self.arrived))

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
        self.at += bits // self.bus
        if self.turning:  # its addresses are moved on first
            self.turning -= bits // self.bus
            at += 1
        return at

    def repeat(self, beats: int, times: int) -> None:
        """Read a REPEAT: what was asked for behind it is dropped, then the turns and the rest are."""
        seen = self.complete(Transfer.BITS)
        self._ask()
        arrived = max((last for asked, last in self.asks if asked <= seen + 1), default=-1)
        is_asked = not self.sizes and not self.parts and self.request <= seen
        self.request = max(seen + (1 if is_asked else 2), arrived + 1) - 1
        self.sizes.clear()
        self.arrivals.clear()
        self.asked, self.turning = self.popped, times * beats
        self.parts = deque([*[(self.at, self.at + beats)] * times, (self.at + beats, self.end)])
        self.at -= (times - 1) * beats

    def accepted(self, cycle: int) -> None:
        self.free = cycle + 1


@dataclass
class _Replay:
    program: Program
    latency: int
    runs: list[Run | None] = field(default_factory=list)
    tokens: dict[tuple[Unit, Unit], deque[int]] = field(default_factory=dict)
    tiles: list[int] = field(default_factory=list)  # cycles in which they were taken
    free: int = 0  # first cycle in which the array takes another tile
    written: int = -1
    moves: dict[Unit, list[Move]] = field(default_factory=lambda: {Unit.LOAD: [], Unit.STORE: []})
    waiting: dict[Unit, deque[Move]] = field(default_factory=lambda: {Unit.LOAD: deque(), Unit.STORE: deque()})  # not yet complete
    of_index: dict[int, Move] = field(default_factory=dict)

    def run(self) -> Prediction:
        fetch = _Fetch(self.program, self.latency)
        config = self.program.config
        self.latency_out = config.adders + config.tree_levels + 6
        self.banks, self.lists = Banks(config, self.latency_out), Lists(config)
        end = 0
        turns = {r.first: r for r in self.program.repeats}
        for i, step in enumerate(self.program.steps):
            if i in turns:
                fetch.repeat(turns[i].beats(config), turns[i].times)
            offered = fetch.complete(step.descriptor.BITS)
            if step.descriptor.opcode == Opcode.FINISH:
                end = offered + 1
                break
            accepted = max(offered, self._room(step.unit))
            fetch.accepted(accepted)
            self.runs.append(None)
            self._take(i, step, accepted + 1)
        for queue in self.waiting.values():
            if queue:
                self._done(queue[-1].index)
        end = max([end, *(r.done + 1 for r in self.runs if r)])
        return Prediction(end + 1, tuple(r for r in self.runs if r))

    def _room(self, unit: Unit) -> int:
        """First cycle in which the queue takes another descriptor."""
        if unit == Unit.COMPUTE:
            return self.tiles[-QUEUE] + 1 if len(self.tiles) >= QUEUE else 0
        moves = self.moves[unit]
        return self._begin(moves[-QUEUE]) + 1 if len(moves) >= QUEUE else 0

    def _take(self, index: int, step: Step, at: int) -> None:
        d, unit = step.descriptor, step.unit
        after = [self.tokens[other, unit].popleft() for other in Unit if d.waits >> other & 1]
        if isinstance(d, Compute):
            self._compute(index, step, d, max([at, self.free, *(self._done(i) + 1 for i in after)]))
        else:
            if d.target == Target.LIST:
                self.lists.load(d, self.program.constants[d.address - self.program.constants_address :])
            self._queue(index, step, at, after)
        for other in Unit:
            if d.signals >> other & 1:
                self.tokens.setdefault((unit, other), deque()).append(index)

    def _compute(self, index: int, step: Step, d: Compute, at: int) -> None:
        if d.drain:
            at = max(at, self.written + 1)
        config = self.program.config
        last = at + cycles(d, config) - d.idle
        words = 1 if d.acc_store else last_words(d, config)
        self.written = last + self.latency_out + d.late + words
        self.free = at + cycles(d, config)
        self.tiles.append(at)
        self.banks.add(at + 1, d, self.lists.of(d))
        self.runs[index] = Run(Unit.COMPUTE, step.layer, at, at + 1, last, self.written)
        while any(self._progress(q, self.free + 1) for q in self.waiting.values()):
            pass

    def _queue(self, index: int, step: Step, at: int, after: list[int]) -> None:
        moves = self.moves[step.unit]
        kind: type[Load | Store] = Load if step.unit == Unit.LOAD else Store
        if len(moves) >= kind.OPEN:
            after.append(moves[-kind.OPEN].index)
        move = kind(index, step, at, after, moves[-1] if moves else None, self.program.config, self.latency)
        for kept in (moves, self.waiting[step.unit]):
            kept.append(move)
        self.of_index[index] = move

    def _begin(self, move: Move) -> int:
        """The cycle in which a transfer is taken."""
        if move.take < 0:
            room = self._begin(move.previous) + move.previous.requests + 1 if move.previous else 0
            move.begin(max([move.earliest, room, *(self._done(i) + 1 for i in move.after)]))
        return move.take

    def _done(self, index: int) -> int:
        """The cycle in which a descriptor is complete; the array begins no tile before that but those that are known."""
        run = self.runs[index]
        if run:
            return run.done
        move = self.of_index[index]
        if move.previous:
            self._done(move.previous.index)
        self._begin(move)
        move.advance(self.banks, None)
        return self._complete(move)

    def _progress(self, queue: deque[Move], horizon: int) -> bool:
        """Move the oldest transfer of a queue in cycles before the horizon, up to which the array is known; whether it is complete."""
        if not queue or any(self.runs[i] is None for i in queue[0].after):
            return False
        self._begin(queue[0])
        if not queue[0].advance(self.banks, horizon):
            return False
        self._complete(queue[0])
        return True

    def _complete(self, move: Move) -> int:
        unit = move.step.unit
        self.waiting[unit].popleft()
        self.runs[move.index] = Run(unit, move.step.layer, move.take, move.first, move.last, move.done)
        return move.done


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

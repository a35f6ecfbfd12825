"""The smallest FIFOs that keep a design's interval.

No depths can beat the interval of unbounded FIFOs. The search starts without any FIFO; a loop of links that loses that
interval names the streams of which at least one needs room, and one is opened without bound until no loop is left.
Then the room that the earliest or the latest periodic schedule really uses bounds each depth from above, and each is lowered,
widest first, by trials on the exact model until one slot less anywhere loses the interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from dfcompile.dataflow.design import Design
from dfcompile.dataflow.fifo_optimum import Conflict, StoppedError, improve
from dfcompile.dataflow.timing_interval import GAVE_UP, Loop, Periodic
from dfcompile.dataflow.timing_mirror import mirrored
from dfcompile.dataflow.timing_net import UNBOUNDED, System, build

_BUILD_WORK = 20_000_000  # events of the model that lowering may compute in a build: some seconds
_WORK = 2_000_000_000
_OPTIMUM_WORK = 10_000_000  # the same for looking for an optimum, a second or so
_ROUNDS = 300


@dataclass(frozen=True)
class FifoSizing:
    """Chosen depths and what is proved of them.

    depths: tensor -> slots, streams without a FIFO left out
    total_bits: sum of depth * stream width
    interval: cycles per frame with these depths, equal to that of unbounded FIFOs
    evaluations: trials of the exact model
    minimal: proved by trial that any one FIFO with one slot less, or left out, loses the interval
    optimal: proved that no other depths with fewer bits in all keep the interval
    """

    depths: Mapping[str, int]
    total_bits: int
    interval: Fraction
    evaluations: int
    minimal: bool
    optimal: bool


def size_fifos(design: Design) -> tuple[Design, FifoSizing]:
    """The design with the FIFOs that `find_depths` chooses in a few seconds, and what is proved of them."""
    found = find_depths(design, _BUILD_WORK)
    return replace(design, fifo_depths=found.depths), found


def find_depths(design: Design, work: int = _WORK) -> FifoSizing:
    """Choose depths; `work` bounds the search for smaller ones (in events of the model), 0 leaves it out.

    Beyond it the depths keep the interval but are not proved minimal.
    """
    system = build(design)
    search = _Search(system, Fraction(max(system.cycles)))
    search.open()
    if search.depths:
        search.bound()
        search.minimal = search.optimal = work > 0
        if search.minimal:
            search.lower(work)
        if search.minimal:
            search.improve(min(work, _OPTIMUM_WORK))
    depths = {e.tensor: search.depths[e.tensor] for e in system.edges if search.depths.get(e.tensor)}
    bits = sum(search.width[t] * d for t, d in depths.items())
    return FifoSizing(depths, bits, search.periodic.interval, search.trials, search.minimal, search.minimal and search.optimal)


def _conflict(loop: Loop, system: System, depths: Mapping[str, int]) -> Conflict:
    """What a loop proves: more room on one of the streams that it comes back by would break it, and so would the cycle saved
    where a FIFO that it passes is left out."""
    room, through = {}, set()
    for x in loop.links:
        if x.edge < 0:
            continue
        e = system.edges[x.edge]
        if x.src == e.consumer and not x.forward:
            room[e.tensor] = depths.get(e.tensor, 0)
        elif x.src == e.write and x.forward:
            through.add(e.tensor)
    return Conflict(room, frozenset(through))


class _Search:
    """The present depths and the times that prove them."""

    def __init__(self, system: System, interval: Fraction) -> None:
        self.system = system
        self.width = {e.tensor: e.width for e in system.edges}
        self.periodic = Periodic(system, {}, interval)
        self.trials = 0
        self.conflicts: list[Conflict] = []
        self.minimal = self.optimal = True
        self._work = 0

    @property
    def depths(self) -> dict[str, int]:
        return self.periodic.depths

    def open(self) -> None:
        """Give unbounded FIFOs to as few streams as needed, and slow down to what no FIFO can better."""
        self.trials += 1
        loops = self.periodic.settle()
        opened: dict[str, int] = {}
        while loops:
            self.trials += 1
            alone = [x for x in loops if not _conflict(x, self.system, opened).room]
            if alone:
                assert all(x.frames for x in alone), "a unit waits for itself"
                self.periodic.faster(max(Fraction(x.cycles, x.frames) for x in alone))
                loops = self.periodic.settle()
                continue
            for x in loops:
                room = _conflict(x, self.system, opened).room
                if not opened.keys() & room.keys():
                    opened[min(sorted(room), key=lambda t: self.width[t])] = UNBOUNDED
            loops = self.periodic.relax(opened)
        if opened:
            self.periodic.settle()

    def bound(self) -> None:
        """Give each open FIFO about the depth that the earliest or the latest times use, whichever takes fewer bits."""
        backwards = Periodic(mirrored(self.system), self.depths, self.periodic.interval)
        loops = backwards.settle()
        assert not loops, "a system and its mirror image have the same loops"
        self.periodic.computed += backwards.computed
        found = self.periodic.occupancy(), backwards.occupancy(backwards=True)
        depths = min(found, key=lambda d: sum(self.width[t] * d[t] for t in d))
        self.trials += 2
        while self.periodic.change(depths) is not None:
            self.trials += 1
            depths = {t: d + d // 16 + 2 for t, d in depths.items()}

    def lower(self, work: int) -> None:
        """Lower the depths, most bits first, until none can be lowered alone or so many more events were computed."""
        self._work = self.periodic.computed + work
        before: dict[str, int] = {}
        while self.depths != before:
            before = dict(self.depths)
            for t in sorted((t for t, d in before.items() if d), key=lambda t: (-self.width[t] * before[t], t)):
                if self.periodic.computed > self._work:
                    self.minimal = False
                    return
                self._lower_one(t)

    def improve(self, work: int) -> None:
        """Look for fewer bits on other streams."""
        self._work = self.periodic.computed + work
        best, self.optimal = improve({t: d for t, d in self.depths.items() if d}, self.width, self.conflicts, self._attempt, _ROUNDS)
        self.periodic.limit = None
        loop = self.periodic.change(best)
        assert loop is None, "these depths were proved to keep the interval"

    def _attempt(self, depths: Mapping[str, int]) -> Conflict | None:
        self.trials += 1
        self.periodic.limit = self._work
        loop = self.periodic.change(depths)
        if loop is GAVE_UP:
            raise StoppedError
        return None if loop is None else _conflict(loop, self.system, depths)

    def _lower_one(self, t: str) -> None:
        """The least depth of one FIFO: one slot less, none at all, then steps that double while they succeed, then bisection."""
        less = self.depths[t] > 1 and self._fits(t, self.depths[t] - 1)
        if self._fits(t, 0) or not less:
            return
        low, step = 0, 2  # low fails, the present depth fits
        while self.depths[t] - low > 1:
            high = self.depths[t]
            tried = max(high - step, low + 1) if step else (low + high) // 2
            if self._fits(t, tried):
                step *= 2
            else:
                low, step = tried, 0

    def _fits(self, t: str, depth: int) -> bool:
        """Try one FIFO at another depth; the change stays when the interval does."""
        tried = {**self.depths, t: depth}
        if any(c.forbids(tried) for c in self.conflicts):
            return False
        if self.periodic.computed > self._work:
            self.minimal = False
            return False
        self.trials += 1
        self.periodic.limit = self._work
        loop = self.periodic.change(tried)
        if loop is GAVE_UP:
            self.minimal = False
        elif loop is not None:
            self.conflicts.append(_conflict(loop, self.system, tried))
        return loop is None

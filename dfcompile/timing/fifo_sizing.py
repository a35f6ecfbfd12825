"""The smallest FIFOs that keep a design's interval.

No depths can beat the interval of unbounded FIFOs. The search starts without any FIFO; a loop of links that loses that
interval names the streams of which at least one needs room, and one is opened without bound until no loop is left.
Then the room that the earliest or the latest periodic schedule really uses bounds each depth from above, and each is lowered,
widest first, by trials on the exact model until one slot less anywhere loses the interval.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from dfcompile.dataflow.design import Design
from dfcompile.timing.fifo_optimum import Allowance, Conflict, StoppedError, improve
from dfcompile.timing.interval import GAVE_UP, Loop, Periodic
from dfcompile.timing.kernel import is_compiled
from dfcompile.timing.mirror import mirrored
from dfcompile.timing.net import UNBOUNDED, System
from dfcompile.timing.periodic import settle
from dfcompile.timing.system import build

Progress = Callable[[str], None]

_BUILD_WORK = 60_000_000  # events of the model that lowering may compute in a build, or other work as long: some seconds
_WORK = 4_000_000_000
_OPTIMUM_WORK = 30_000_000  # the same for looking for an optimum
_LARGE = 10_000_000  # events of a frame beyond which only the latest schedule is looked at
_PASSES = 2  # times that all events of a frame may be computed to open FIFOs, beside the other work


@dataclass(frozen=True)
class FifoSizing:
    """Chosen depths and what is proved of them.

    depths: tensor -> slots, streams without a FIFO left out
    total_bits: sum of depth * stream width
    interval: cycles per frame with these depths, equal to that of unbounded FIFOs
    evaluations: trials of the exact model
    work: what the search came to, in events of the model
    minimal: proved by trial that any one FIFO with one slot less, or left out, loses the interval
    optimal: proved that no other depths with fewer bits in all keep the interval
    """

    depths: Mapping[str, int]
    total_bits: int
    interval: Fraction
    evaluations: int
    work: int
    minimal: bool
    optimal: bool


def size_fifos(design: Design, progress: Progress = lambda text: None) -> tuple[Design, FifoSizing]:
    """The design with the FIFOs that `find_depths` chooses in a few seconds, and what is proved of them."""
    if not is_compiled(settle):
        progress("compile the timing model for this processor: first use takes some seconds, later ones find it on disk")
    found = find_depths(design, _BUILD_WORK, progress)
    return replace(design, fifo_depths=found.depths), found


def find_depths(design: Design, work: int = _WORK, progress: Progress = lambda text: None) -> FifoSizing:
    """Choose depths; `work` bounds the search for smaller ones (in events of the model), 0 leaves it out.

    Beyond it the depths keep the interval but are not proved minimal.
    """
    system = build(design)
    search = _Search(system, work)
    search.open(work)
    if search.depths:
        search.bound()
        search.minimal = search.lower(work, progress)
        search.optimal = search.minimal and search.improve(min(work, _OPTIMUM_WORK))
    depths = {e.tensor: search.depths[e.tensor] for e in system.edges if search.depths.get(e.tensor)}
    bits = sum(search.width[t] * d for t, d in depths.items())
    computed = search.periodic.computed
    return FifoSizing(depths, bits, search.periodic.interval, search.trials, computed, search.minimal, search.optimal)


def _conflict(loop: Loop, system: System, depths: Mapping[str, int], backwards: bool) -> Conflict:
    """What a loop proves: more room on one of the streams that it comes back by would break it, and so would the cycle saved
    where a FIFO that it passes is left out."""
    room, through = {}, set()
    for x in loop.links:
        if x.edge < 0:
            continue
        e = system.edges[x.edge]
        src = x.dst if backwards else x.src
        if src == e.consumer and not x.forward:
            room[e.tensor] = depths.get(e.tensor, 0)
        elif src == e.write and x.forward:
            through.add(e.tensor)
    return Conflict(room, frozenset(through))


class _Search:
    """The present depths and the times that prove them."""

    def __init__(self, system: System, work: int) -> None:
        """All streams are open from the start where a pass over all events takes more than `work`."""
        self.system = system
        self.width = {e.tensor: e.width for e in system.edges}
        self._every = dict.fromkeys(self.width, UNBOUNDED)
        events = sum(len(g) for g in system.gaps)
        self.backwards = events > _LARGE  # all is done on the mirrored system, which has the same loops
        begin = self._every if events > max(work, _LARGE) else {}
        self.periodic = Periodic(mirrored(system) if self.backwards else system, begin, max(system.cycles))
        self.trials = 0
        self.conflicts: list[Conflict] = []
        self.minimal = self.optimal = True
        self._about: dict[str, list[Conflict]] = {}  # stream -> conflicts that name it as short of room
        self._allowance = Allowance(0)

    @property
    def depths(self) -> dict[str, int]:
        return self.periodic.depths

    def _conflict(self, loop: Loop, depths: Mapping[str, int]) -> Conflict:
        return _conflict(loop, self.system, depths, self.backwards)

    def open(self, work: int) -> None:
        """Give unbounded FIFOs to as few streams as needed, and slow down to what no FIFO can better.

        To all streams when that takes more than `work` and some passes over all events.
        """
        most, opened = work + _PASSES * len(self.periodic.times), dict(self.depths)
        self.trials += 1
        loops = self.periodic.settle()
        while loops:
            self.trials += 1
            alone = [x for x in loops if not self._conflict(x, opened).room]
            if alone:
                assert all(x.frames for x in alone), "a unit waits for itself"
                self.periodic.faster(max(Fraction(x.cycles, x.frames) for x in alone))
                loops = self.periodic.settle()
                continue
            for x in loops:
                room = self._conflict(x, opened).room
                if not opened.keys() & room.keys():
                    opened[min(sorted(room), key=lambda t: self.width[t])] = UNBOUNDED
            if self.periodic.computed > most:
                opened = self._every
            loops = self.periodic.relax(opened)
        if opened:
            self.periodic.settle()

    def bound(self) -> None:
        """Give each open FIFO about the depth that the earliest or the latest times use, whichever takes fewer bits."""
        found = [self.periodic.occupancy(self.backwards)]
        if not self.backwards:
            latest = Periodic(mirrored(self.system), self.depths, self.periodic.interval)
            loops = latest.settle()
            assert not loops, "a system and its mirror image have the same loops"
            self.periodic.computed += latest.computed
            found.append(latest.occupancy(backwards=True))
        depths = min(found, key=lambda d: sum(self.width[t] * d[t] for t in d))
        self.trials += 2
        while self.periodic.change(depths) is not None:
            self.trials += 1
            depths = {t: d + d // 16 + 2 for t, d in depths.items()}

    def lower(self, work: int, progress: Progress) -> bool:
        """Lower the depths, most bits first; whether that went on until none can be lowered alone."""
        self._allowance = Allowance(work)
        before: dict[str, int] = {}
        try:
            while self.depths != before:
                before = dict(self.depths)
                deep = sorted((t for t, d in before.items() if d), key=lambda t: (-self.width[t] * before[t], t))
                for i, t in enumerate(deep):
                    progress(f"size FIFOs {i}/{len(deep)}")
                    self._lower_one(t)
        except StoppedError:
            return False
        return True

    def improve(self, work: int) -> bool:
        """Look for fewer bits on other streams; whether there are none."""
        self._allowance = Allowance(work)
        best, optimal = improve(self.depths, self.width, self.conflicts, self._attempt, self._allowance)
        self.periodic.limit = None
        loop = self.periodic.change(best)
        assert loop is None, "these depths were proved to keep the interval"
        return optimal

    def _attempt(self, depths: Mapping[str, int]) -> Conflict | None:
        """Why depths lose the interval, kept for later trials; where they keep it they are the present ones now."""
        self.trials += 1
        before = self.periodic.computed
        self.periodic.limit = before + max(0, self._allowance.left)
        loop = self.periodic.change(depths)
        self._allowance.spend(self.periodic.computed - before)
        if loop is GAVE_UP:
            raise StoppedError
        return None if loop is None else self._conflict(loop, depths)

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
        """Try one FIFO at less depth; the change stays when the interval does."""
        tried = {**self.depths, t: depth}
        if any(c.forbids(tried) for c in self._about.get(t, ())):
            return False
        conflict = self._attempt(tried)
        if conflict is not None:
            self.conflicts.append(conflict)
            for other in conflict.room:
                self._about.setdefault(other, []).append(conflict)
        return conflict is None

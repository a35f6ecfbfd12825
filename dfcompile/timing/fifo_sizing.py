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
from dfcompile.timing.full import Full
from dfcompile.timing.interval import GAVE_UP, Loop, Periodic
from dfcompile.timing.mirror import mirrored
from dfcompile.timing.net import UNBOUNDED, System
from dfcompile.timing.system import build

Progress = Callable[[str], None]

_BUILD_WORK = 20_000_000  # events of the model that lowering may compute in a build, or other work as long: some seconds
_WORK = 4_000_000_000
_OPTIMUM_WORK = 30_000_000  # the same for looking for an optimum
_LARGE = 10_000_000  # events of a frame beyond which only the latest schedule is looked at
_UNPROVED = 10_000_000  # work after which depths are proved on all events
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
    found = find_depths(design, _BUILD_WORK, progress)
    return replace(design, fifo_depths=found.depths), found


def find_depths(design: Design, work: int = _WORK, progress: Progress = lambda text: None) -> FifoSizing:
    """Choose depths; `work` bounds the search for smaller ones (in events of the model), 0 leaves it out.

    Beyond it the depths keep the interval but are not proved minimal.
    """
    system = build(design)
    search = _Search(system, progress=progress)
    search.find(work)
    search.optimal = search.minimal and search.improve(min(work, _OPTIMUM_WORK))
    depths = {e.tensor: search.depths[e.tensor] for e in system.edges if search.depths.get(e.tensor)}
    bits = sum(search.width[t] * d for t, d in depths.items())
    computed = search.periodic.computed
    return FifoSizing(depths, bits, search.periodic.interval, search.trials, computed, search.minimal, search.optimal)


def best_interval(design: Design) -> Fraction:
    """The interval that a design keeps with FIFOs where they help: one within a loop over time takes a cycle of each step."""
    search = _Search(build(design))
    search.open(_BUILD_WORK)
    return search.periodic.interval


def deepen(
    system: System, least: Mapping[str, int], interval: Fraction, work: int, progress: Progress = lambda text: None
) -> dict[str, int]:
    """Depths, nowhere less than `least`, with which a system keeps an interval; `least` itself where that does."""
    search = _Search(system, least, interval, progress)
    search.find(work)
    return {t: d for t, d in search.depths.items() if d}


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

    def __init__(
        self, system: System, least: Mapping[str, int] | None = None, interval: Fraction | int = 0, progress: Progress = lambda text: None
    ) -> None:
        """least: depths that streams have anyway; interval: to keep, or as little more as no FIFO can better."""
        self.system, self.progress = system, progress
        self.least = dict(least or {})
        self.width = {e.tensor: e.width for e in system.edges}
        self._every = dict.fromkeys(self.width, UNBOUNDED)
        self.backwards = sum(len(g) for g in system.gaps) > _LARGE  # all is done on the mirrored system, which has the same loops
        self.periodic = Periodic(mirrored(system) if self.backwards else system, {}, max(*system.cycles, interval))
        self.trials = 0
        self.conflicts: list[Conflict] = []
        self.minimal = self.optimal = True
        self._about: dict[str, list[Conflict]] = {}  # stream -> conflicts that name it as short of room
        self._allowance = Allowance(0)
        self._proved: Mapping[str, int] = {}  # depths that times of all events were last found for

    @property
    def depths(self) -> dict[str, int]:
        return self.periodic.depths

    def _conflict(self, loop: Loop, depths: Mapping[str, int]) -> Conflict:
        return _conflict(loop, self.system, depths, self.backwards)

    def find(self, work: int) -> None:
        """Depths that keep the interval, lowered by as much work."""
        full = self.open(work)
        if self.depths:
            self.bound(full)
            del full
            self.minimal = self.lower(work)

    def open(self, work: int) -> Full:
        """Give unbounded FIFOs to as few streams as needed, and slow down to what no FIFO can better.

        To all streams when that takes more than `work` and some passes over all events. The times that prove it.
        """
        events = len(self.periodic.times)
        most, opened = work + _PASSES * events, dict(self.least) if self.least or events < max(work, _LARGE) else self._every
        self.trials += 1
        loops, full = self.periodic.settle(opened), None
        while loops or full is None:
            self.progress(f"size FIFOs: open {sum(d == UNBOUNDED for d in opened.values())}/{len(self.width)}")
            if not loops:
                full = self.periodic.full()
                loops = self.periodic.settle() if full is None else loops
                continue
            self.trials += 1
            alone = [x for x in loops if not self._conflict(x, opened).room]
            if alone:
                assert all(x.frames > 0 for x in alone), "a unit waits for itself"
                self.periodic.faster(max(Fraction(x.cycles, x.frames) for x in alone))
                loops = self.periodic.settle()
                continue
            for x in loops:
                room = self._conflict(x, opened).room
                if all(opened.get(t) != UNBOUNDED for t in room):
                    opened[min(sorted(room), key=lambda t: self.width[t])] = UNBOUNDED
            if self.periodic.computed > most:
                opened = self._every
            loops = self.periodic.relax(opened) or self.periodic.settle()
        return full

    def bound(self, full: Full) -> None:
        """Give each open FIFO the depth that the earliest or the latest times use, whichever takes fewer bits."""
        self.progress("size FIFOs: prove")
        found = [self.periodic.occupancy(full)]
        if not self.backwards:
            latest = Periodic(mirrored(self.system), self.depths, self.periodic.interval)
            found.append(latest.occupancy(latest.proved()))
            self.periodic.computed += latest.computed
        found = [{t: max(n, self.least.get(t, 0)) for t, n in d.items()} for d in found]
        self._proved = min(found, key=lambda d: sum(self.width[t] * d[t] for t in d))
        self.trials += 2
        loop = self.periodic.change(self._proved)
        assert loop is None, "these times fit the depths that they use"

    def lower(self, work: int) -> bool:
        """Lower the depths, most bits first; whether that went on until none can be lowered alone."""
        self._allowance = Allowance(work)
        minimal = self._lower()
        while not self._prove():
            minimal = self._lower()
        return minimal

    def _prove(self, whole: bool = False) -> bool:
        """Whether the present depths keep the interval on all events. Else more events are kept, and depths that are too small (all where
        `whole`) are again what they were when that was last proved."""
        held = True
        while self.periodic.full() is None:
            loops = self.periodic.settle()
            while loops:
                held, depths = False, dict(self.depths)
                for x in loops:
                    conflict = self._conflict(x, depths)
                    self._learn(conflict)
                    back = self.width if whole else (*conflict.room, *conflict.through)
                    depths |= {t: self._proved.get(t, 0) for t in back}
                loops = self.periodic.settle(depths)
        self._proved = dict(self.depths)
        return held

    def _learn(self, conflict: Conflict) -> None:
        self.conflicts.append(conflict)
        for t in conflict.room:
            self._about.setdefault(t, []).append(conflict)

    def _lower(self) -> bool:
        before: dict[str, int] = {}
        proved_at = self.periodic.computed
        try:
            while self.depths != before:
                before = dict(self.depths)
                deep = sorted((t for t, d in before.items() if d > self.least.get(t, 0)), key=lambda t: (-self.width[t] * before[t], t))
                for i, t in enumerate(deep):
                    self.progress(f"size FIFOs: lower {i}/{len(deep)}")
                    self._lower_one(t)
                    if self.periodic.computed - proved_at > _UNPROVED:
                        before = before if self._prove() else {}
                        proved_at = self.periodic.computed
        except StoppedError:
            return False
        return True

    def improve(self, work: int) -> bool:
        """Look for fewer bits on other streams; whether there are none."""
        self._allowance = Allowance(work)
        optimal = False

        def attempt(depths: Mapping[str, int]) -> Conflict | None:
            self.progress(f"size FIFOs: fewer bits {100 - 100 * self._allowance.left // max(1, work)}/100")
            return self._attempt(depths)

        while True:
            best, optimal = improve(self.depths, self.width, self.conflicts, attempt, self._allowance)
            loop = self.periodic.change(best)
            assert loop is None, "these depths were found to keep the interval"
            if self._prove(whole=True):
                return optimal

    def _attempt(self, depths: Mapping[str, int]) -> Conflict | None:
        """Why depths lose the interval, kept for later trials; where they keep it they are the present ones now."""
        self.trials += 1
        before = self.periodic.computed
        self.periodic.limit = before + max(0, self._allowance.left)
        loop = self.periodic.change(depths)
        self.periodic.limit = None
        self._allowance.spend(self.periodic.computed - before)
        if loop is GAVE_UP:
            raise StoppedError
        return None if loop is None else self._conflict(loop, depths)

    def _lower_one(self, t: str) -> None:
        """The least depth of one FIFO: one slot less, none at all, then steps that double while they succeed, then bisection."""
        low, step = self.least.get(t, 0), 2
        less = self.depths[t] > low + 1 and self._fits(t, self.depths[t] - 1)
        if self._fits(t, low) or not less:
            return
        # low fails, the present depth fits
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
            self._learn(conflict)
        return conflict is None

"""Choosing how parallel each unit is, and where its memories and products live.

Three questions, each answered with a proof: the cheapest design for an interval (`cheapest`), the fastest one within a
board's budget (`fastest`), and all that lie between (`front`). FIFOs come later and are not counted. Searches are bounded in
work, not in seconds; where one ends early the answer says how far it may be from the best.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any

from dfcompile.dataflow.connect import Folding, apply_folding, tied
from dfcompile.device.boards import Board
from dfcompile.device.cost import RESOURCES, Vector, budget, rates
from dfcompile.device.family import DEFAULT, FAMILIES
from dfcompile.device.feed import brought_cycles
from dfcompile.errors import CompileError, Problem
from dfcompile.folding.bisect import first_true
from dfcompile.folding.option import Choice, Progress
from dfcompile.folding.problem import FoldProblem
from dfcompile.folding.search import Answer, Solution, economical, solve
from dfcompile.ir.graph import Graph
from dfcompile.ir.work import DEFAULT_LANES
from dfcompile.tasks.pool import Pool, inline
from dfcompile.tasks.task import Task, gather
from dfcompile.units.base import Unit, unit_of


@dataclass(frozen=True, eq=False)
class Folded:
    """A folding with its proof.

    interval:  cycles of the slowest unit
    objective: what was made least: "cost" (LUT equivalents at an asked interval) or "interval"
    value:     of the objective; bound: no folding has less; gap: (value - bound) / value, 0 when proven
    every:     whether that is said of all foldings, or without padded lanes that no unit needs
    slow:      options left out of it that are estimated to miss the clock, in place of which others are as fast in cycles
    looped:    whether units wait for each other in loops over time, of which the bound knows nothing
    """

    choices: dict[str, Choice]
    interval: int
    objective: str
    value: float
    bound: float
    solution: Solution
    every: bool = True
    slow: int = 0
    looped: bool = False

    @property
    def report(self) -> dict[str, Any]:
        """As report.json holds it."""
        return {
            "optimal": self.optimal,
            "all_foldings": self.every,
            "left_out_for_clock": self.slow,
            "looped": self.looped,
            "bound": self.bound,
            "gap": self.gap,
            "objective": self.objective,
            "value": self.value,
            "cost": self.solution.cost,
            "cost_gap": self.solution.gap,
        }

    @property
    def gap(self) -> float:
        return (self.value - self.bound) / self.value if self.objective == "interval" else self.solution.gap

    @property
    def optimal(self) -> bool:
        return self.gap == 0.0


def lanes(graph: Graph, choices: Mapping[str, Mapping[str, Any]]) -> int:
    """Multiply-accumulate lanes of all units."""
    return sum(unit_of(n).folded(**choices[n.name]).mac_lanes for n in graph.nodes)


def macs(graph: Graph) -> int:
    """Multiply-accumulates per frame of all units."""
    return sum(unit_of(n).macs for n in graph.nodes)


def cheapest(
    graph: Graph,
    interval: int | None = None,
    family: str = DEFAULT,
    board: Board | None = None,
    reserved: Vector | None = None,
    progress: Progress = lambda text: None,
    port_bits: int = 0,
    mhz: float = 0.0,
    caps: Mapping[str, float] | None = None,
) -> Folded:
    """The least LUT equivalents for an interval, within a board's budget when one is given; CompileError when there is none.

    interval: where it is None, of about `DEFAULT_LANES` lanes, as far as the units allow
    reserved: what FIFOs take of the board, in the order of cost.MEASURES
    port_bits: most bits of a beat at the design's ports; 0: any
    mhz: the clock for which options count that are estimated to reach it, where others have as many cycles; 0: all do
    caps: of each unit in a loop over time the most cycles that it may take, some folding of it having as few; inf: the interval's
    """
    family = board.family if board else family
    problem = FoldProblem(graph, family, progress, port_bits, mhz, caps, rates(family, board))
    if interval is None:
        interval = max(problem.fastest(), -(-macs(graph) // DEFAULT_LANES))
    slow = [_too_slow(n, u, problem.table.fastest(u), interval) for n, u in problem.units.items() if problem.table.fastest(u) > interval]
    slow += [_too_narrow(n, beats, port_bits, interval) for n, beats in problem.beats.items() if beats > interval]
    if slow:
        raise CompileError(slow)
    limit = budget(board, reserved) if board else None
    found, missing = _cheapest(problem, interval, limit)
    if found.best is None:
        assert board and limit is not None, "without a limit any folding will do"
        raise CompileError(_too_large(problem, interval, board, limit, found.complete))
    return _costing(problem, interval, found.best, missing)


def _costing(problem: FoldProblem, interval: int, found: Solution, slow: int) -> Folded:
    every = problem.table.few(problem.units, interval)
    return Folded(_untied(problem, found), found.cycles, "cost", found.cost, found.bound, found, every, slow)


def fastest(
    graph: Graph,
    board: Board,
    reserved: Vector | None = None,
    progress: Progress = lambda text: None,
    port_bits: int = 0,
    clock: float = 0,
    mhz: float = 0.0,
    caps: Mapping[str, float] | None = None,
) -> Folded:
    """The least interval within a board's budget, and there the least LUT equivalents; CompileError when none fits.

    reserved: what FIFOs take of the board, in the order of cost.MEASURES
    port_bits: most bits of a beat at the design's ports; 0: any
    clock: MHz, where a design is wanted that is no faster than the board brings frames at it; 0: the fastest whatever feeds it
    mhz: as of `cheapest`; what misses it is looked at for the least interval all the same
    caps: as of `cheapest`
    """
    problem, limit = FoldProblem(graph, board.family, progress, port_bits, mhz, caps, rates(board.family, board)), budget(board, reserved)
    if not clock:
        return _fastest(problem, board, limit)
    brought = brought_cycles(board, *problem.frame_bytes(), clock)
    least = max(1, int(brought))

    def taken(made: Folded) -> float:
        return max(made.interval, brought_cycles(board, *problem.frame_bytes(made.solution.chosen), clock))

    found = _fastest(problem, board, limit, least)
    if taken(found) <= max(found.interval, brought):
        return found
    made = [found, _fastest(problem, board, limit)]  # beats of few lanes are padded more, and the board moves the padding too
    with contextlib.suppress(CompileError):
        made.append(_fastest(problem.tightened(), board, limit, least))
    return min(made, key=lambda f: (taken(f), f.solution.cost))


def _fastest(problem: FoldProblem, board: Board, limit: Vector, least: int = 1) -> Folded:
    """least: cycles a frame below which all intervals are worth the same."""
    candidates = sorted({max(c, least) for c in problem.candidates()})
    answers = [Answer(None, False)] * len(candidates)

    def decide(at: int) -> bool | None:
        """Whether an interval is possible; None where the search came to no end. All foldings count, so what fits fits a longer one too."""
        options = problem.options(candidates[at], every=True)
        if not all(options.values()):
            return False
        answers[at] = solve(problem, options, problem.table.prices, limit, any_feasible=True)
        return True if answers[at].best else (False if answers[at].complete else None)

    first, at = first_true(decide, len(candidates))
    if at == len(candidates):
        raise CompileError(_too_large(problem, candidates[-1], board, limit, first == at))
    cheap, slow = _cheapest(problem, candidates[at], limit, every=True)
    final = cheap.best or answers[at].best
    assert final, "the interval was found to be possible"
    value = max(final.cycles, least)
    return Folded(_untied(problem, final), final.cycles, "interval", value, min(candidates[first], value), final, True, slow)


def front(graph: Graph, board: Board, points: int = 12, pool: Pool | None = None, port_bits: int = 0, mhz: float = 0.0) -> Iterator[Folded]:
    """Cheapest designs from the fastest within the budget to the slowest, at about `points` intervals.

    pool: where they are looked for, as many at a time as it takes; the designs are the same with any
    port_bits: most bits of a beat at the design's ports; 0: any
    mhz: as of `cheapest`
    """
    first = fastest(graph, board, port_bits=port_bits, mhz=mhz)
    yield first
    problem = FoldProblem(graph, board.family, port_bits=port_bits, clock=mhz, prices=rates(board.family, board))
    candidates = [c for c in problem.candidates() if c > first.interval]
    ratio = (candidates[-1] / first.interval) ** (1 / max(points - 1, 1)) if candidates else 1.0
    last, cost = first.interval, first.solution.cost
    pool, limit = pool or inline(), budget(board)
    answers: dict[int, tuple[Answer, int]] = {}
    for i, interval in enumerate(candidates):
        if interval < last * ratio and interval != candidates[-1]:
            continue
        if interval not in answers:
            ahead = list(islice(_spaced(candidates[i:], ratio), pool.size()))
            tasks = [Task(str(c), _cheapest, (problem, c, limit)) for c in ahead]
            answers |= dict(zip(ahead, gather(tasks, pool), strict=True))
        found, slow = answers[interval][0].best, answers[interval][1]
        if found and found.cost < cost and found.cycles > last:
            last, cost = found.cycles, found.cost
            yield _costing(problem, interval, found, slow)


def _spaced(intervals: Sequence[int], ratio: float) -> Iterator[int]:
    """The first interval, and those that are next where a design takes as many cycles as it may."""
    last = 0.0
    for interval in intervals:
        if interval >= last * ratio or interval == intervals[-1]:
            last = interval
            yield interval


def _cheapest(problem: FoldProblem, interval: int, limit: Vector | None, every: bool = False, closing: bool = True) -> tuple[Answer, int]:
    """Without regard to the budget first: mostly the cheapest design of all fits. None fits only when no folding at all does.

    The second result: options left out since they miss the clock; 0 where the cheapest misses it nowhere or nothing fits without them.
    """
    for within in (None, limit):
        late: set[str] = set()  # units of which a choice would miss the clock: what is best of more options and misses it nowhere is best
        while True:
            given = (interval, every, late if closing else ())
            options = economical(problem, *given) if within is None else problem.options(*given)
            found, slow = solve(problem, options, problem.table.prices, within), problem.slow
            more = problem.late(interval, every, found.best.chosen) if found.best and closing else set()
            if more <= late:
                break
            late |= more
        if limit is None or (found.best and found.best.fits(limit)):
            return found, slow
    if found.best:
        return found, slow
    if slow:
        return _cheapest(problem, interval, limit, every, closing=False)
    return (found, 0) if every else _cheapest(problem, interval, limit, every=True, closing=closing)


def _untied(problem: FoldProblem, found: Solution) -> dict[str, Choice]:
    """Choices of a solution in the order of the graph."""
    made = found.choices
    return {name: made[name] for name in problem.units}


def _too_slow(name: str, unit: Unit, best: int, interval: int) -> Problem:
    return Problem(
        "interval-too-short",
        f"{unit.kind} cannot make a frame in {interval} cycles",
        f"node {name}",
        f"fully parallel it needs {best}",
        f"ask for an interval of {best} cycles or more",
    )


def _too_narrow(name: str, beats: int, port_bits: int, interval: int) -> Problem:
    return Problem(
        "interval-too-short",
        f"a port of {port_bits} bits cannot pass a frame in {interval} cycles",
        f"tensor {name}",
        f"a frame is {beats} beats there",
        f"ask for an interval of {beats} cycles or more, or for a wider port with --max-port-bits",
    )


def _too_large(problem: FoldProblem, interval: int, board: Board, limit: Vector, proven: bool) -> Problem:
    found = solve(problem, problem.options(interval, every=problem.tight), problem.table.prices).best
    assert found, "without a limit any folding will do"
    over = [f"{found.area[i]:.0f} {r} of {limit[i]:.0f}" for i, r in enumerate(RESOURCES) if found.area[i] > limit[i]]
    return Problem(
        "does-not-fit",
        f"no folding with {interval} cycles a frame {'fits' if proven else 'was found that fits'} {board.name}",
        why=f"the cheapest takes {', '.join(over) or 'more than one of the budgets'} (a design may fill "
        + ", ".join(f"{share:.0%} of {r}" for r, share in board.shares.items() if board.budget[r])
        + ")"
        + ("" if proven else "; the search ended at its bound of work and proved neither that one fits nor that none does"),
        help="take a larger board" if interval >= problem.candidates()[-1] else "ask for a lower frame rate, or take a larger board",
    )


def read_folding(
    source: str | Path | Mapping[str, Any], graph: Graph, automatic: Mapping[str, Choice], family: str = DEFAULT
) -> dict[str, Choice]:
    """A folding from a JSON file or dict: unit name -> {pe, simd, ...}; CompileError names every wrong entry.

    automatic: what a unit keeps of which only styles are named; fields of a folding that is named in part are 1
    family: the device's; styles of memories may be another's, which mean nothing there, but not cells that it does not have
    """
    entries = load_folding(source)
    by_name = {n.name: n for n in graph.nodes}
    order = tied(graph)
    problems, result = [], {}
    for name, choice in entries.items():
        if name not in by_name:
            near = get_close_matches(name, by_name, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"units are {', '.join(by_name)}"
            problems.append(Problem("bad-folding", f"there is no unit '{name}'", help=hint))
            continue
        unit = unit_of(by_name[name])
        if name in order and unit.fold_fields == (unit.tied_field,):
            continue
        styles_only = isinstance(choice, Mapping) and not set(choice) & set(unit.fold_fields)
        base = automatic.get(name, unit.folding) if styles_only else unit.folding
        problem = _wrong_choice(name, unit, choice, base, family)
        if problem:
            problems.append(problem)
        else:
            result[name] = {**base, **choice}
    chosen = {**automatic, **result}
    for name, reader in order.items():
        lanes = unit_of(by_name[reader]).folded(**chosen.get(reader, {})).inputs[0].lanes
        problem = _out_of_order(name, unit_of(by_name[name]), reader, lanes)
        problems += [problem] if problem else []
    if problems:
        raise CompileError(problems)
    return result


def _out_of_order(name: str, unit: Unit, reader: str, lanes: int) -> Problem | None:
    """That a unit whose order its reader's lanes define cannot have so many; None where it can."""
    if _is_legal(unit, {**unit.folding, unit.tied_field: lanes}):
        return None
    legal = sorted({c[unit.tied_field] for c in unit.foldings()})
    what, why = f"'{reader}' cannot have {lanes} lanes", f"'{name}' in front of it has as many, and cannot have these"
    return Problem("bad-folding", what, f"node {reader}", why, f"legal numbers: {legal}")


def _wrong_choice(name: str, unit: Unit, choice: Any, base: Choice, family: str) -> Problem | None:
    """What is wrong with a given choice of folding and style fields on top of `base`, if anything is."""
    wanted = {**base, **choice} if isinstance(choice, Mapping) else {}
    folding = {k: v for k, v in wanted.items() if k in (*unit.fold_fields, *unit.form_fields)}
    values: dict[str, Any] = {}
    absent = {c for f in FAMILIES.values() for c in (f.carry, f.packed)} - {FAMILIES[family].carry, FAMILIES[family].packed}
    if isinstance(choice, Mapping) and _is_legal(unit, folding):
        styles = [s for f in FAMILIES for s in unit.folded(**folding).styles(f)]
        styles += unit.folded(**folding).own_styles()
        values = {f: sorted({s[f] for s in styles} - absent | {"auto"}) for f in (styles[0] if styles else {})}
        if all(v in values.get(k, ()) for k, v in wanted.items() if k not in folding):
            return None
    foreign = [v for v in wanted.values() if isinstance(v, str) and v in absent - {""}]
    why = f"'{foreign[0]}' is made of cells that {FAMILIES[family].title} does not have" if foreign else ""
    legal = "legal values: " + ", ".join(f"{f} in {v}" for f, v in (values or _legal_values(unit)).items())
    return Problem("bad-folding", f"{choice} is not a folding of {unit.kind} '{name}'", f"node {name}", why, legal)


def _is_legal(unit: Unit, folding: Mapping[str, Any]) -> bool:
    """Whether the unit takes these values of its folding fields."""
    try:
        return all(type(folding[f]) is int for f in unit.fold_fields) and bool(unit.folded(**folding))
    except ValueError:
        return False


def _legal_values(unit: Unit) -> dict[str, str]:
    """Each folding field's values, the others being as they are."""
    found = {}
    for field in unit.fold_fields:
        best = sorted({c[field] for c in unit.foldings()})
        every = all(_is_legal(unit, {**unit.folding, field: v}) for v in range(1, best[-1] + 1))
        found[field] = f"1 to {best[-1]}" if every and best[-1] > 1 else str(best)
    for field in unit.form_fields:
        found[field] = str(sorted({c.get(field, getattr(unit, field)) for c in unit.foldings()}))
    return found


_EXAMPLE = 'write {"unit": {"pe": 2, "simd": 4}}'


def load_folding(source: str | Path | Mapping[str, Any]) -> Mapping[str, Any]:
    """The entries of a folding file, or those given; CompileError when they cannot be read."""
    if isinstance(source, Mapping):
        return source
    path = Path(source)
    try:
        entries = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as e:
        raise CompileError(Problem("bad-folding", f"cannot read the folding file {path.name}", why=str(e), help=_EXAMPLE)) from e
    if not isinstance(entries, dict):
        raise CompileError(Problem("bad-folding", f"{path.name} is not a JSON object", help=_EXAMPLE))
    return entries


__all__ = [
    "Choice", "Folded", "Folding", "apply_folding", "cheapest", "fastest", "front", "lanes", "load_folding", "macs", "read_folding",
]  # fmt: skip

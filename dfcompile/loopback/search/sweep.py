"""Which engine suits a set of networks on a board: every array shape, bounds for all, the exact replay where the bounds leave a choice."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from dfcompile.device.boards import Board
from dfcompile.device.energy import PJ_DRAM
from dfcompile.errors import CompileError, Problem
from dfcompile.ir.graph import Graph
from dfcompile.loopback.area import DISTRIBUTED, fits, resources
from dfcompile.loopback.compile import NO_LAYER, compile_program
from dfcompile.loopback.config import BUS_BITS, BYTE, LEAST_SCALE_LEVELS, MOST_LEVELS, EngineConfig
from dfcompile.loopback.lower import lower
from dfcompile.loopback.predict import predict
from dfcompile.loopback.search.bound import Work, work
from dfcompile.loopback.traffic import layer_traffic
from dfcompile.loopback.width import code_bits, list_words, repeat_bits, root_bits, scale_bits, weight_bits, zero_words
from dfcompile.tasks.pool import Pool, inline
from dfcompile.tasks.task import Task, gather

PIXELS = (2, 4)
"""Outputs at once that are looked at beside one."""
SIDES = (4, 8, 12, 16, 24, 32, 48, 64)
WEIGHT_WORDS = (128, 256, 512, 1024, 2048, 4096)
ACT_WORDS = tuple(1 << k for k in range(9, 18))
EXACT = 24
"""Programs that a sweep compiles and replays at most."""
LONG = 250_000
"""Descriptors of the programs replayed after which no other is; twenty times as many where every engine is to be replayed."""

# pJ in 45 nm (Horowitz, ISSCC 2014): int8 multiply and add, 64 bits of a large SRAM.
PJ_MAC, PJ_SRAM = 0.23, 20.0


@dataclass(frozen=True)
class Point:
    """One engine for all networks together, a frame of each.

    bound:     cycles that no program on this array can beat (bound.py)
    cycles:    by the exact replay; None where the bound already ruled the point out
    ext_bytes, act_bytes, weight_bytes: external memory; reads of the activation memory and of the weight buffer
    macs:        multiplications of a frame of each network
    utilisation: multiplications over array slots, while it computes
    energy_uj: multiplications and memory accesses
    """

    config: EngineConfig
    bound: int
    cycles: int | None
    ext_bytes: int
    act_bytes: int
    weight_bytes: int
    macs: int
    utilisation: float
    energy_uj: float
    lut: float
    bram36: float
    dsp: float
    fits: bool

    def row(self) -> dict[str, object]:
        """Flat numbers for a table or JSON."""
        return dataclasses.asdict(self.config) | {k: v for k, v in dataclasses.asdict(self).items() if k != "config"}


@dataclass(frozen=True, eq=False)
class Sweep:
    """Every array shape with its largest memories; of these engines none is faster than `best` when the gap is 0.

    gap:   how far below best.cycles the lowest open bound lies, as a share
    every: all engines that fit, by what they are likely to take, least first
    """

    points: tuple[Point, ...]
    best: Point
    gap: float
    every: tuple[Point, ...] = ()


def bus_bits(board: Board, clock: float) -> int:
    """Widest bus that a port of the board's memory takes and the memory keeps busy at `clock` MHz."""
    within = [b for b in BUS_BITS if b <= (board.port_bits or b) and b / 8 * clock * 1e6 <= board.bandwidth * 1e9]
    return max(within or [32])


def widths(graphs: Sequence[Graph]) -> dict[str, int]:
    """Parameters of an engine that networks need: `weight_bits`, `scale_bits`, `acc_bits` of 32 or, where some layers or multipliers need
    more, 64, and `tree_levels`, the fewest beside requantizations that take no more layers than the most.
    """
    scale = scale_bits(graphs)
    found = {"weight_bits": weight_bits(graphs), "scale_bits": scale, "root_bits": root_bits(graphs), "acc_bits": 64 if scale > 32 else 32}
    found |= {"code_bits": code_bits(graphs, EngineConfig().pe), "repeat_bits": repeat_bits(graphs)}
    refused = [g for g in graphs if lower(g, EngineConfig(**found)).problems]
    if any(lower(g, EngineConfig(**found | {"acc_bits": 64})).problems != lower(g, EngineConfig(**found)).problems for g in refused):
        found["acc_bits"] = 64
    levels = range(LEAST_SCALE_LEVELS if scale else MOST_LEVELS, MOST_LEVELS + 1)
    lows = [[lower(g, EngineConfig(tree_levels=k, **found)) for g in graphs] for k in levels]
    sizes = [[(len(low.layers), len(low.problems)) for low in each] for each in lows]
    return found | {"tree_levels": levels[sizes.index(sizes[-1])]}


def narrower(graphs: Sequence[Graph], needed: Mapping[str, int]) -> tuple[dict[str, int], ...]:
    """Digits narrower than a byte that networks may be faster with: `act_bits` and `weight_bits` of engines that run all of them, and where
    on one array the steps are fewer than twice those of bytes. A lane of 4 bits takes more than half of what one of 8 does. Each with one
    output at a time, and with several where that takes fewer steps; `tree_levels`: as few as take no more layers.
    """
    if not graphs:
        return ()
    config = EngineConfig(**needed)
    code, weight = needed.get("code_bits", 0), min(4, needed["weight_bits"])
    found = {"act_bits": 4, "weight_bits": weight, "code_bits": code if code < weight else 0}
    digits = _config(dict(needed) | found)
    lows = [(lower(g, config), lower(g, digits)) for g in graphs] if digits else []
    if not digits or any(one.problems for pair in lows for one in pair):
        return ()
    steps = [work(low, config).steps for low, _ in lows], [work(low, digits).steps for _, low in lows]
    if sum(steps[1]) >= 2 * sum(steps[0]):
        return ()
    found["tree_levels"] = _levels(graphs, digits)
    several = [replace(digits, pixels=n) for n in PIXELS]
    fewer = [c.pixels for c in several if sum(work(low, c).steps for _, low in lows) < sum(steps[1])]
    return (found, *(found | {"pixels": n} for n in fewer))


def _levels(graphs: Sequence[Graph], config: EngineConfig) -> int:
    """The fewest levels of thresholds that take no more layers than those of an engine."""

    def layers(levels: int) -> list[tuple[int, int]]:
        lows = [lower(g, replace(config, tree_levels=levels)) for g in graphs]
        return [(len(low.layers), len(low.problems)) for low in lows]

    most = layers(config.tree_levels)
    least = LEAST_SCALE_LEVELS if config.scale_bits else 1
    return next((k for k in range(least, config.tree_levels) if layers(k) == most), config.tree_levels)


def candidates(
    board: Board, clock: float, needed: Mapping[str, int], graphs: Sequence[Graph] = (), digits: Sequence[Mapping[str, int]] = ()
) -> Iterator[EngineConfig]:
    """Engines within what a design may fill of the board: every shape and weight buffer, each with the largest activation memory left.

    needed: what `widths` gives
    digits: what `narrower` gives
    graphs: networks that run on it, see `list_words`
    """
    wanted = bus_bits(board, clock)
    for pe in SIDES:
        own = {"code_bits": code_bits(graphs, pe)} if graphs else {}
        for simd in SIDES:
            zeros = zero_words(graphs, pe, simd)
            for kind in ({**needed, **own}, *({**needed, **own, **d} for d in digits)):
                shapes = [kind | {"pe": pe, "simd": simd, "weight_words": words} for words in WEIGHT_WORDS]
                found = [c for c in (_largest(board, wanted, zeros, s) for s in shapes) if c]
                if kind.get("act_bits"):  # of buffers in as many blocks the largest
                    found = list({(c.act_words, resources(c, board.family)): c for c in found}.values())
                yield from found


def _largest(board: Board, wanted: int, zeros: float, sizes: Mapping[str, int]) -> EngineConfig | None:
    """The engine with the largest activation memory that fits the board. wanted: bits of the bus; zeros: see `list_words`.

    Engines of digits keep activations in UltraRAM where the board has it, have fewer partial sums where the block RAM is short, and make
    products in DSP slices where the LUTs are.
    """
    acc, act = sizes["acc_bits"], sizes.get("act_bits", BYTE)
    most = min(max(wanted, acc), act * sizes["simd"], acc * sizes["pe"], sizes["pe"] * sizes["simd"] * sizes["weight_bits"])
    bus = max([b for b in BUS_BITS if b <= most] or [32])
    plain = dict(sizes) | {"bus_bits": bus, "list_words": list_words(zeros, sizes["weight_words"], bus)}
    others = [plain] if act == BYTE else [plain | more for more in _made_of(board, plain)]
    for kind in others:
        trial = [_config(kind | {"act_words": words}) for words in ACT_WORDS]
        fitting = [c for c in trial if c is not None and fits(c, board.family, board.usable)]
        if fitting:
            return fitting[-1]
    return None


def _made_of(board: Board, sizes: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """What engines of digits may be made of, what takes least first."""
    slices, most = 2 * int(board.usable["dsp"] - sizes["pe"]) // sizes["simd"], sizes["pe"] * sizes.get("pixels", 1)
    for acc_words in (EngineConfig.acc_words, EngineConfig.acc_words // 2, DISTRIBUTED):
        for rows in (0, min(most, slices)):
            if rows >= 0:
                yield {"acc_words": acc_words, "dsp_rows": rows, "act_uram": int(board.usable["uram"] > 0)}


def _config(sizes: dict[str, int]) -> EngineConfig | None:
    try:
        return EngineConfig(**sizes)
    except ValueError:
        return None


def _works(graphs: Sequence[Graph], config: EngineConfig) -> list[Work]:
    """Work of each network. CompileError with every node that the engine cannot run."""
    lows = [lower(g, config) for g in graphs]
    problems = [p for low in lows for p in (low.problems or ([] if low.layers else [NO_LAYER]))]
    if problems:
        raise CompileError(problems)
    return [work(low, config) for low in lows]


def _shape(config: EngineConfig) -> tuple[int, ...]:
    """What of an engine the work of a network depends on."""
    return config.pe, config.simd, config.act_bits, config.pixels


@dataclass
class _Looks:
    """Points by their bounds, and what each engine was refused for."""

    graphs: Sequence[Graph]
    board: Board
    works: dict[tuple[int, ...], list[Work] | CompileError] = field(default_factory=dict)
    refused: list[tuple[EngineConfig, CompileError]] = field(default_factory=list)

    def point(self, config: EngineConfig) -> Point | None:
        """A point by its bounds; None where the engine cannot run a network."""
        shape = _shape(config)
        if shape not in self.works:
            try:
                self.works[shape] = _works(self.graphs, config)
            except CompileError as e:
                self.works[shape] = e.with_traceback(None)  # which would keep all that was lowered
        works = self.works[shape]
        if isinstance(works, CompileError):
            self.refused.append((config, works))
            return None
        return _bounded(works, config, self.board)

    def ordered(self, found: Sequence[Point]) -> list[Point]:
        """Points by the cycles that they are likely to take; each further memory of an array as if it took a sixteenth more."""

        def expected(config: EngineConfig) -> int:
            works = self.works[_shape(config)]
            return 0 if isinstance(works, CompileError) else sum(w.expected(config) for w in works)

        rest = [(expected(p.config), p.bound, -p.config.act_words * p.config.simd, p.config.weight_words, p.lut, p) for p in found]
        rest.sort(key=lambda r: r[:-1])
        before: Counter[tuple[int, ...]] = Counter()
        ranked = []
        for i, (cycles, *_, p) in enumerate(rest):
            ranked.append((cycles * (16 + before[_shape(p.config)]), i, p))
            before[_shape(p.config)] += 1
        return [p for *_, p in sorted(ranked, key=lambda r: r[:-1])]

    def nothing(self, engines: int) -> CompileError:
        """Why no engine is left of those that the board holds: what each was refused for, and the least of the problems."""
        if not engines:
            why = f"not even an array of {SIDES[0]} x {SIDES[0]} with the smallest memories is within its budget"
            help_ = "take a larger board"
            return CompileError(Problem("does-not-fit", f"no loopback engine fits {self.board.name}", why=why, help=help_))
        counts = Counter(p.why or p.what for _, e in self.refused for p in {p.what + p.why: p for p in e.problems}.values())
        config, fewest = min(self.refused, key=lambda r: (len(r[1].problems), -r[0].act_words * r[0].simd))
        texts = [f"{n} of {engines} engines: {text}" for text, n in counts.most_common(3)]
        nearest_ = f"the nearest has an array of {config.pe} x {config.simd} and {config.act_words:,} activation words"
        first = Problem(
            "does-not-fit", f"no loopback engine runs this on {self.board.name}", why="; ".join([*texts, nearest_]),
            help="mend what follows, take a larger board, or build with --mode dataflow",
        )  # fmt: skip
        return CompileError([first, *fewest.problems])


def _bounded(works: Sequence[Work], config: EngineConfig, board: Board) -> Point:
    """A point by its bounds."""
    bound = sum(w.cycles(config) for w in works)
    steps, macs = sum(w.steps for w in works), sum(w.macs for w in works)
    outside = sum(w.loads + w.stores for w in works)
    act, weight = steps * config.word_bytes * config.pixels, steps * config.lanes * config.weight_bits // 8
    energy = (macs * PJ_MAC + (act + weight) / 8 * PJ_SRAM + outside * 8 * PJ_DRAM) * 1e-6
    used = resources(config, board.family)
    shown = (used.lut, used.bram36, used.dsp)
    return Point(config, bound, None, outside, act, weight, macs, macs / (steps * config.multipliers), energy, *shown, True)


def points(graphs: Sequence[Graph], engines: Sequence[EngineConfig], board: Board) -> list[Point]:
    """Engines that run the networks, by their bounds."""
    looks = _Looks(graphs, board)
    return [p for c in engines if (p := looks.point(c)) is not None]


def exact(point: Point, graphs: Sequence[Graph]) -> Point | None:
    """The same point with the cycles of the replay; None where a network does not fit its memories."""
    try:
        return replayed(point, graphs)[0]
    except CompileError:
        return None


def replayed(point: Point, graphs: Sequence[Graph]) -> tuple[Point, int]:
    """The same point with the cycles of the replay, and the descriptors of it. CompileError where a network does not fit its memories."""
    cycles = outside = steps = 0
    for g in graphs:
        program = compile_program(g, point.config, proved=False)
        found = predict(program)
        cycles, steps = cycles + found.cycles, steps + len(program.steps)
        outside += sum(x.constant_bytes + x.act_bytes for x in layer_traffic(program, found))
    energy = point.energy_uj + (outside - point.ext_bytes) * 8 * PJ_DRAM * 1e-6
    return replace(point, cycles=cycles, ext_bytes=outside, energy_uj=energy), steps


def sweep(
    graphs: Sequence[Graph],
    board: Board,
    clock: float,
    most: int = EXACT,
    progress: Callable[[str], None] | None = None,
    pool: Pool | None = None,
) -> Sweep:
    """The best engine for a frame of each network. CompileError when none fits the board.

    pool: where engines are replayed, as many at a time as it takes; what is found is the same with any
    """
    looks = _Looks(graphs, board)
    needed = widths(graphs)
    engines = list(candidates(board, clock, needed, graphs, narrower(graphs, needed)))
    open_ = [p for c in engines if (p := looks.point(c)) is not None]
    open_ = looks.ordered(open_)
    best: Point | None = None
    seen: dict[EngineConfig, Point] = {}
    tried, steps, longest = 0, 0, LONG if most <= EXACT else 20 * LONG

    def may_be_best(p: Point) -> bool:
        return best is None or best.cycles is None or p.bound < best.cycles

    for p, result in _replays(filter(may_be_best, open_), graphs, pool or inline()):
        if not may_be_best(p):  # looked ahead
            continue
        if isinstance(result, CompileError):
            looks.refused.append((p.config, result))
            continue
        found, length = result
        tried, steps = tried + 1, steps + length
        if progress:
            progress(f"sweep: {tried} engines replayed")
        seen[p.config] = found
        if best is None or best.cycles is None or (found.cycles or 0) < best.cycles:
            best = found
        if tried == most or steps >= longest:
            break
    if best is None or best.cycles is None:
        raise looks.nothing(len(engines))
    left = [p.bound for p in open_ if p.config not in seen and p.bound < best.cycles]
    gap = (best.cycles - min(left)) / best.cycles if left and (tried == most or steps >= longest) else 0.0
    return Sweep(_heat(open_, seen), best, gap, tuple(open_))


def _replays(points: Iterable[Point], graphs: Sequence[Graph], pool: Pool) -> Iterator[tuple[Point, tuple[Point, int] | CompileError]]:
    """Each point and what its replay comes to, in order; looked ahead by as many as the pool takes."""
    rest = enumerate(points)
    while ahead := list(islice(rest, pool.size())):
        results = gather([Task(str(i), _replay, (p, graphs)) for i, p in ahead], pool)
        yield from zip((p for _, p in ahead), results, strict=True)


def _replay(point: Point, graphs: Sequence[Graph]) -> tuple[Point, int] | CompileError:
    try:
        return replayed(point, graphs)
    except CompileError as e:
        return e.with_traceback(None)  # which would keep the whole program


def nearest(graphs: Sequence[Graph], board: Board, clock: float, shapes: int = 3) -> Point:
    """A quick look without replay: the point with the least bound among the largest array shapes. CompileError when none fits."""
    looks = _Looks(graphs, board)
    found: list[Point] = []
    needed = widths(graphs)
    engines = sorted(candidates(board, clock, needed, graphs, narrower(graphs, needed)), key=lambda c: (-c.multipliers, c.pe, -c.act_words))
    looked = [c for c in engines if (c.pe, c.simd) in list(dict.fromkeys((c.pe, c.simd) for c in engines))[:shapes]]
    for c in looked:
        point = looks.point(c)
        found += [point] if point else []
    if not found:
        raise looks.nothing(len(looked))
    return min(found, key=lambda p: p.bound)


def _heat(points: Sequence[Point], seen: dict[EngineConfig, Point]) -> tuple[Point, ...]:
    """One point for each shape: the best that was replayed, else the first of the shape."""
    chosen: dict[tuple[int, int], Point] = {}
    for p in points:
        shape = (p.config.pe, p.config.simd)
        new = seen.get(p.config, p)
        old = chosen.get(shape)
        if old is None or (new.cycles is not None and (old.cycles is None or new.cycles < old.cycles)):
            chosen[shape] = new
    return tuple(chosen[s] for s in sorted(chosen))

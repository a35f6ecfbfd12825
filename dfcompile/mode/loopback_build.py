"""Building for the loopback engine: which engine, its report, and the proof that the program is the network."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from dfcompile.device.boards import Board
from dfcompile.device.copies import engines_cycles, held, share, wired_engines
from dfcompile.device.family import DEFAULT
from dfcompile.emit.ports import memory_ports
from dfcompile.errors import CompileError, Problem
from dfcompile.ir.graph import Array, Graph
from dfcompile.ir.intop import IntConv
from dfcompile.ir.work import macs
from dfcompile.loopback.area import fits, resources
from dfcompile.loopback.config import BUS_BITS, EngineConfig
from dfcompile.loopback.engine import run_program
from dfcompile.loopback.search.sweep import sweep, widths
from dfcompile.loopback.traffic import layer_traffic
from dfcompile.loopback.width import list_words, zero_words
from dfcompile.mode.figures import budget_of
from dfcompile.mode.loopback import MOST_BATCH, LoopbackAccelerator
from dfcompile.mode.roofline import Roofline, roofline
from dfcompile.options import Options
from dfcompile.streamline.host import HostSide
from dfcompile.streamline.lockstep import mismatch
from dfcompile.streamline.value import Meaning


def make_report(acc: LoopbackAccelerator, model: Graph, board: Board | None) -> dict[str, Any]:
    """What report.json holds of a loopback build; `units` are the layers of the program."""
    timing, layers = acc.timing, layer_traffic(acc.program, acc.prediction)
    clock, cycles = float(acc.options["clock"]), acc.frame_cycles(board)
    rows = [
        {
            "name": x.name, "kind": "loopback_layer", "source": list(x.source), "folding": {}, "cycles": x.cycles, "resources": {},
            "macs": x.macs, "steps": x.steps, "constant_bytes": x.constant_bytes, "act_bytes": x.act_bytes,
            "utilisation": round(x.utilisation, 4),
        }
        for x in layers
    ]  # fmt: skip
    params = sum(int(acc.graph.constants[n.inputs[1]].size) for n in acc.graph.nodes if isinstance(n.op, IntConv))
    return {
        "model": {"name": model.name, "macs": macs(acc.graph), "params": params},
        "mode": "loopback",
        "clock_mhz": clock,
        "timing": dataclasses.asdict(timing)
        | {"fps": clock * 1e6 / cycles, "limit": "memory" if cycles * acc.copies > float(timing.interval_cycles) else "design"},
        "units": rows,
        "fifos": [],
        "ports": memory_ports(acc.program, acc.codes),
        "engine": dataclasses.asdict(acc.config) | {"batch": acc.batch},
        "roofline": {
            "macs_per_cycle": acc.config.multipliers,
            "bytes_per_cycle": acc.config.bus_bytes,
            "macs": sum(x.macs for x in layers),
            "bytes": sum(x.constant_bytes + x.act_bytes for x in layers),
            "spilled": list(acc.program.spilled),
        },
        "resources": acc.resources._asdict(),
        **({"copies": _copies(acc, board)} if board and not board.wiring else {}),
        "budget": budget_of(board, clock),
        "folding": {"optimal": False, "bound": None, "gap": None},
        "verification": {"streamline": "exact", "simulator": "skipped"},
        "implementation": None,
        "energy": acc.energy_of(board),
        "seconds": {},
    }


def _copies(acc: LoopbackAccelerator, board: Board) -> dict[str, Any]:
    """count: engines; resources: of all of them; fit: how many the board's shares hold, or there are, and the rate of these."""
    area, clock = acc.resources._asdict(), float(acc.options["clock"])
    fit = max(min(wired_engines(board), held(area, board)), acc.copies)  # a given engine may fill the board
    cycles = engines_cycles(board, acc.frame_bytes, clock, float(acc.timing.interval_cycles), fit)
    all_of = {k: n * acc.copies for k, n in area.items()}
    return {"count": acc.copies, "resources": all_of, "fit": fit, "fit_fps": clock * 1e6 / cycles}


def check_program(acc: LoopbackAccelerator, codes: Mapping[str, Array]) -> None:
    """CompileError unless the Python engine gives what the integer graph gives on these codes."""
    wanted, found = acc.graph.execute(codes), run_program(acc.program, codes)
    wrong = [t for t in acc.graph.outputs if not np.array_equal(wanted[t], found[t])]
    if wrong:
        what, why = "the loopback program does not compute what the integer graph does", f"{len(wrong)} of {len(wanted)} outputs differ"
        raise CompileError(mismatch(what, f"output {', '.join(wrong)}", why))


def build_loopback(
    graph: Graph,
    host: HostSide,
    model: Graph,
    options: dict[str, Any],
    board: Board | None,
    most: int = 8,
    meanings: tuple[Meaning, ...] = (),
) -> LoopbackAccelerator:
    """The engine given in the options' folding, else that which suits the network best on the board, else the default one.

    Of several it is what suits its share of the board.
    most: engines that are replayed to find it, fewer of networks of many descriptors (`sweep.LONG`)
    CompileError when the engine cannot run the network, none fits the board, or so many cannot be wired there.
    """
    copies = int(options.get("copies") or 1)
    part = _wired(board, copies) if board else None
    family = board.family if board else DEFAULT
    widest = int(options.get("max_port_bits") or BUS_BITS[-1])
    if widest < BUS_BITS[0]:
        raise CompileError(_too_narrow(widest))
    config, batch = EngineConfig(**widths([graph])), 1
    config = dataclasses.replace(config, bus_bits=max(b for b in BUS_BITS if b <= min(widest, config.bus_bits)))
    lists = list_words(zero_words([graph], config.pe, config.simd), config.weight_words, config.bus_bits)
    config = dataclasses.replace(config, list_words=lists)
    if options.get("folding") is not None:
        config, batch = read_engine(options["folding"])
        if config.bus_bits > widest:
            raise CompileError(_over_port(config, widest))
        if board and 0 < board.port_bits < config.bus_bits:
            raise CompileError(_too_wide(config, board))
        if board and not fits(config, family, {k: n / copies for k, n in board.budget.items()}):
            raise CompileError(_too_large(config, board, copies))
    elif part:
        config = sweep([graph], part, float(options["clock"]), most).best.config
    given: dict[str, Any] = {"host": host, "options": options, "family": family, "meanings": meanings}
    acc = LoopbackAccelerator(network=graph, config=config, batch=batch, **given)
    acc.report.update(make_report(acc, model, board))
    return acc


def read_engine(folding: Mapping[str, Any]) -> tuple[EngineConfig, int]:
    """Engine and frames of a run from ``{"engine": {"pe": 8, ..., "batch": 2}}``, named as in report.json. CompileError when wrong."""
    known = [f.name for f in dataclasses.fields(EngineConfig)]
    shown = 'a loopback build takes {"engine": {"pe": 8, "simd": 8, "batch": 1}}, with any of ' + ", ".join([*known, "batch"])
    values = folding.get("engine")
    if set(folding) != {"engine"} or not isinstance(values, Mapping):
        raise CompileError(Problem("bad-folding", "the folding names units of a dataflow design, not the loopback engine", help=shown))
    wrong = [str(k) for k, v in values.items() if k not in (*known, "batch") or not isinstance(v, int) or isinstance(v, bool)]
    if wrong:
        raise CompileError(Problem("bad-folding", f"the engine has no such parameter or value: {', '.join(wrong)}", help=shown))
    batch = int(values.get("batch", 1))
    try:
        config = EngineConfig(**{k: v for k, v in values.items() if k != "batch"})
        if not 1 <= batch <= MOST_BATCH:
            raise ValueError(f"batch={batch} must be from 1 to {MOST_BATCH}")
    except ValueError as e:
        raise CompileError(Problem("bad-folding", "there is no such loopback engine", why=str(e), help=shown)) from e
    return config, batch


def too_slow(made: LoopbackAccelerator, options: Options, within: str = "") -> Problem | None:
    """That engines miss the wanted interval or rate, None where they do not. within: what else they keep to, as ' within 2 W'"""
    wanted, board, fps, n = options.wanted_interval, options.target, made.report["timing"]["fps"], made.copies
    if not wanted or (made.timing.interval_cycles <= wanted and fps >= (options.fps or 0)):
        return None
    best, where = made.frame_cycles(board), f"on {board.name}{within} " if board else ""
    what = "the loopback engine makes" if n == 1 else f"{n} loopback engines make"
    return Problem(
        "does-not-fit",
        f"{what} no frame in {wanted // n:,} cycles",
        why=f"the best {where}{'takes' if n == 1 else 'take'} {best:,.10g} cycles a frame, {fps:,.6g} frames/s",
        help="ask for a lower frame rate" + ("" if board else ", or name a --board, so that the engine is chosen for it"),
    )


def _wired(board: Board, copies: int) -> Board:
    """What an engine of so many has of a board. CompileError where they cannot be wired."""
    most = wired_engines(board)
    if copies <= most:
        return share(board, copies)
    card = board.vivado is not None and board.vivado.kind == "xrt"
    why = "an engine has 32-bit addresses, which do not reach the card's memory" if card else "a SmartConnect has ports for no more masters"
    help_ = "leave copies out, or take --mode dataflow" if most == 1 else f"ask for at most {most}, or take --mode dataflow"
    raise CompileError(Problem("does-not-fit", f"{copies} loopback engines cannot be on {board.name}", why=why, help=help_))


def _too_large(config: EngineConfig, board: Board, copies: int) -> Problem:
    used = resources(config, board.family)._asdict()
    over = [f"{copies * used[k]:,.0f} {k} of {limit:,.0f}" for k, limit in board.budget.items() if copies * used[k] > limit]
    what = "the given engine does" if copies == 1 else f"{copies} of the given engine do"
    why = f"{'it takes' if copies == 1 else 'they take'} {', '.join(over)}"
    return Problem("does-not-fit", f"{what} not fit {board.name}", why=why, help="make it smaller")


def _too_wide(config: EngineConfig, board: Board) -> Problem:
    why = f"its bus has {config.bus_bits} bits, and a beat of more than {board.port_bits} takes a memory port of the board several cycles"
    help_ = f'give it "bus_bits": {board.port_bits}'
    return Problem("does-not-fit", f"the given engine does not fit {board.name}", why=why, help=help_)


def _too_narrow(widest: int) -> Problem:
    what, why = f"ports of {widest} bits are too narrow for a loopback engine", f"its buses have {BUS_BITS[0]} bits or more"
    return Problem("bad-option", what, why=why, help=f"give --max-port-bits {BUS_BITS[0]} or more, or --mode dataflow")


def _over_port(config: EngineConfig, widest: int) -> Problem:
    what = f"the given engine has a wider bus than --max-port-bits {widest}"
    return Problem("bad-folding", what, why=f"its bus has {config.bus_bits} bits", help="give it a narrower bus, or the option more bits")


def loopback_roofline(acc: LoopbackAccelerator) -> Roofline:
    """Where the build sits under its roofs."""
    layers = layer_traffic(acc.program, acc.prediction)
    memory = acc.report["budget"].get("bandwidth", math.inf)
    clock, fps = float(acc.options["clock"]), acc.report["timing"]["fps"]
    return roofline(layers, acc.config, clock * 1e6 * acc.batch / fps, acc.batch, clock, memory * 1e9, acc.copies)

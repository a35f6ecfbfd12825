"""Hold the loopback engine in C++ and SystemVerilog equal to the Python engine on the same program."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from dfcompile.errors import CompileError
from dfcompile.ir.graph import Array
from dfcompile.loopback.engine import run_program
from dfcompile.mode.loopback import LATENCY, LoopbackAccelerator, random_codes
from dfcompile.mode.report_data import plain
from dfcompile.mode.serialize import part_of
from dfcompile.run.loopback import LoopbackRun, run_loopback

Progress = Callable[[str], None]
Codes = Mapping[str, Array]


def verify_loopback(
    acc: LoopbackAccelerator, engines: Iterable[str], frames: int | None, stalls: float, progress: Progress | None, folder: Path | None
) -> dict[str, Any]:
    """The `verify` result of a loopback build; one run takes the frames of a batch.

    stalls: chance of a pause on every channel of the external memory in the second RTL run; the first has none and gives the cycles
    folder: the saved build whose hls/ and rtl/ are used; None emits them again
    """
    count = frames or acc.batch
    codes = {t: random_codes(acc.graph, t, count) for t in acc.graph.inputs}
    wanted = run_program(acc.program, codes)
    results: dict[str, Any] = {}
    for engine in engines:
        if progress:
            progress(f"verify ({engine})")
        emitted = part_of(folder, engine) if folder else None
        try:
            run = run_loopback(acc.program, codes, engine, LATENCY, emitted=emitted)
            result = _compare(run.outputs, wanted)
            if engine == "rtl" and result["pass"]:
                result = _compare(run_loopback(acc.program, codes, engine, LATENCY, stalls, emitted=emitted).outputs, wanted)
        except CompileError as e:
            if e.problems[0].code in ("missing-tool", "tool-failed"):
                raise
            first = f"{e.problems[0].what}: {e.problems[0].where or e.problems[0].why}"
            results[engine] = {"pass": False, "frames": count, "mismatches": sum(x.size for x in wanted.values()), "first_mismatch": first}
            continue
        results[engine] = {"frames": count, **result} | (_cycles(acc, run) if engine == "rtl" else {})
    return {"engines": results}


def _compare(found: Codes, wanted: Codes) -> dict[str, Any]:
    """Elements that differ, and the first of them."""
    wrong = {t: np.argwhere(found[t] != wanted[t]) for t in wanted}
    first = None
    for t, at in wrong.items():
        if len(at) and first is None:
            place = tuple(int(i) for i in at[0])
            first = f"{t}, frame {place[0]}, element {list(place[1:])}: {found[t][place]:g}, wanted {wanted[t][place]:g}"
    return {"pass": first is None, "mismatches": sum(map(len, wrong.values())), "first_mismatch": first}


def _cycles(acc: LoopbackAccelerator, run: LoopbackRun) -> dict[str, Any]:
    """Measured and predicted cycles: of a run, and of a frame in it."""
    measured, predicted = run.cycles[0], acc.prediction.cycles
    return {
        "interval_cycles": plain(Fraction(measured, acc.batch)),
        "latency_cycles": measured,
        "predicted_interval_cycles": plain(Fraction(predicted, acc.batch)),
        "predicted_latency_cycles": predicted,
    }

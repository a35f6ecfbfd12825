"""Hold the loopback engine in C++ and SystemVerilog equal to the Python engine on the same program."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from dfcompile.backend.run_loopback import run_loopback
from dfcompile.errors import CompileError
from dfcompile.loopback.engine import run_program
from dfcompile.loopback_accelerator import LATENCY, LoopbackAccelerator, random_codes

Progress = Callable[[str], None]


def verify_loopback(
    acc: LoopbackAccelerator, engines: Iterable[str], frames: int | None, stalls: float, progress: Progress | None
) -> dict[str, Any]:
    """The `verify` result of a loopback build; one run takes the frames of a batch."""
    count = frames or acc.batch
    codes = {t: random_codes(acc.graph, t, count) for t in acc.graph.inputs}
    wanted = run_program(acc.program, codes)
    results: dict[str, Any] = {}
    for engine in engines:
        if progress:
            progress(f"verify ({engine})")
        try:
            run = run_loopback(acc.program, codes, engine, LATENCY, stalls)
        except CompileError as e:
            results[engine] = {"pass": False, "frames": count, "mismatches": 1, "first_mismatch": str(e)}
            continue
        wrong = {t: np.argwhere(run.outputs[t] != wanted[t]) for t in wanted}
        first = next((f"{t}, frame {at[0][0]}, element {at[0][1:].tolist()}" for t, at in wrong.items() if len(at)), None)
        results[engine] = {"pass": first is None, "frames": count, "mismatches": sum(map(len, wrong.values())), "first_mismatch": first}
        if engine == "rtl":
            results[engine] |= {
                f"{prefix}{figure}_cycles": cycles
                for prefix, cycles in (("", run.cycles[0]), ("predicted_", acc.prediction.cycles))
                for figure in ("interval", "latency")
            }
    return {"engines": results}

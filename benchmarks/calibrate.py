"""Area estimates against Yosys on a sweep of units.

    python -m benchmarks.calibrate run [--family xc7] [--kind mvtu]   synthesise what is missing, into calibration.json
    python -m benchmarks.calibrate report [--family xc7] [--rows]     errors of the present estimates
    python -m benchmarks.calibrate table                              the same as Markdown

`run` keeps its results as it goes and takes about ten minutes of processor time a family.
"""

from __future__ import annotations

import argparse
import contextlib
import json
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.calibration_sweep import of_family, sweep
from dfcompile.device.family import FAMILIES
from dfcompile.device.resources import Resources
from dfcompile.synthesis.part import WORKERS
from dfcompile.synthesis.unit import unit_synthesis
from dfcompile.tasks.pool import threads
from dfcompile.tasks.task import Outcome, Task, run_tasks
from dfcompile.units.base import Unit

TABLE = Path(__file__).with_name("calibration.json")
RESOURCES = ("lut", "ff", "bram36", "uram", "dsp")


def read_table() -> dict[str, dict[str, dict[str, float]]]:
    """family -> unit -> resources measured."""
    found: dict[str, dict[str, dict[str, float]]] = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    return found


def run(families: list[str], kind: str | None) -> None:
    """Synthesise each unit of the sweep that the table lacks or that has changed."""
    tasks = []
    for family in families:
        for name, unit in sweep().items():
            if kind in (None, unit.kind) and of_family(unit, family):
                module = unit_synthesis(unit, family)
                tasks.append(Task(f"{family} {name}", module.run, about=(family, name)))
    with contextlib.closing(threads(WORKERS)) as pool:
        run_tasks(tasks, pool, _keep)


def _keep(task: Task, outcome: Outcome) -> tuple[Task, ...]:
    """Put what a synthesis has come to into the table."""
    family, name = task.about
    if outcome.problems:
        print(f"{family} {name}: {outcome.problems[0]}")
        return ()
    real, table = outcome.value, read_table()
    table.setdefault(family, {})[name] = real._asdict()
    TABLE.write_text(json.dumps(table, indent=1, sort_keys=True) + "\n")
    print(f"{family} {name}: {real.lut:g} LUT, {real.ff:g} FF", flush=True)
    return ()


def error(real: float, estimate: float) -> float:
    """Relative error of an estimate; what is estimated where there is nothing counts as all of it."""
    return (estimate - real) / real if real else float(bool(estimate))


def describe(unit: Unit) -> str:
    """The parameters that set the area, short."""
    skipped = {"Vectors", "Height", "Width", "OutHeight", "OutWidth"}
    return " ".join(f"{k}={v}" for k, v in unit.parameters().items() if k not in skipped)


def report(families: list[str], rows: bool) -> dict[str, Any]:
    """Print median and worst error of each family and resource; with `rows` every unit."""
    table, units = read_table(), sweep()
    found: dict[str, Any] = {}
    for family in families:
        errors: dict[str, list[tuple[float, str]]] = {r: [] for r in RESOURCES}
        for name, real in table.get(family, {}).items():
            if name not in units:
                continue
            estimate: Resources = units[name].resources(family)
            made = estimate._asdict()
            for r in RESOURCES:
                if real[r] or made[r]:
                    errors[r].append((error(real[r], made[r]), name))
            if rows:
                used = [r for r in RESOURCES if real[r] or made[r]]
                cells = "  ".join(f"{r} {real[r]:g}/{made[r]:.0f} {error(real[r], made[r]):+.0%}" for r in used)
                print(f"{family} {name:20s} {cells}   {describe(units[name])}")
        for r, values in errors.items():
            if values:
                worst = max(values, key=lambda v: abs(v[0]))
                middle = median(abs(v) for v, _ in values)
                print(f"{family} {r}: {len(values)} units, median {middle:.1%}, worst {worst[0]:+.1%} ({worst[1]})")
                found[f"{family} {r}"] = (middle, worst)
    return found


def table(families: list[str]) -> None:
    """Print Markdown: the errors of each family, then every unit of the first."""
    measured, units = read_table(), sweep()
    print("| family | units | " + " | ".join(f"{r}: median, worst" for r in RESOURCES if r != "uram") + " |")
    print("|---|---:|" + "---:|" * 4)
    for family in families:
        cells = []
        for r in RESOURCES:
            made = [(real[r], getattr(units[n].resources(family), r)) for n, real in measured.get(family, {}).items() if n in units]
            errors = [abs(error(a, b)) for a, b in made if a or b]
            if r != "uram":
                cells.append(f"{median(errors):.1%}, {max(errors):.1%}" if errors else "")
        print(f"| {family} | {len(measured.get(family, {}))} | {' | '.join(cells)} |")
    print(f"\n| unit ({families[0]}) | LUT | estimate | FF | estimate | BRAM36 | estimate | DSP | estimate |")
    print("|---|" + "---:|" * 8)
    for name, unit in units.items():
        real = measured.get(families[0], {}).get(name)
        if real:
            made = unit.resources(families[0])._asdict()
            cells = [
                f"{side[r]:.4g}" if r in ("bram36", "dsp") else f"{side[r]:,.0f}" for r in RESOURCES if r != "uram" for side in (real, made)
            ]
            print(f"| {short(unit)} | {' | '.join(cells)} |")


SHORT = (
    "Mh", "Mw", "Channels", "Taps", "Pe", "Simd", "InBits", "WeightBits", "OutBits", "Xnor", "ThreshBits", "Arithmetic", "WeightsStyle",
    "KernelH", "StrideH", "PadTop", "Depth", "RamStyle", "InLanes", "OutLanes", "Width", "Style", "Lanes", "K", "Folds", "BeatBits",
)  # fmt: skip


def short(unit: Unit) -> str:
    """The parameters that tell units of the sweep apart."""
    return f"{unit.kind} " + " ".join(f"{k}={v}" for k, v in unit.parameters().items() if k in SHORT)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "report", "table"))
    parser.add_argument("--family", choices=FAMILIES, action="append")
    parser.add_argument("--kind")
    parser.add_argument("--rows", action="store_true")
    given = parser.parse_args()
    families = given.family or list(FAMILIES)
    if given.what == "run":
        run(families, given.kind)
    elif given.what == "report":
        report(families, given.rows)
    else:
        table(families)


if __name__ == "__main__":
    main()

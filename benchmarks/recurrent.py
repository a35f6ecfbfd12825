"""Recurrent networks of random weights as hardware for one time step, beside hardware for each.

    python -m benchmarks.recurrent lstm --steps 25 --hidden 32 --layers 2 --interval 20000

Prints what is estimated of the design, whether it is exact on random frames, and the cycles that Verilator counts beside those predicted.
`--repeated` folds the network with all its steps for the same interval and prints what its units take, without FIFOs.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import onnx

from dfcompile.folding.fold import cheapest
from dfcompile.front import UNITS, Job, repeated
from dfcompile.mode.dataflow import DataflowAccelerator
from dfcompile.options import Options
from dfcompile.pipeline import compile_model
from dfcompile.run.rtl import run_rtl
from tests.recurrent import CELLS, Network

FRAMES = 3


def rolled(network: Network, path: Path, options: Options) -> None:
    """Build it, run it, count."""
    made = compile_model(path, options)
    assert isinstance(made, DataflowAccelerator)
    predicted, area = made.timing, made.resources
    print(f"one step: {len(made.design.nodes)} units, {area.lut:,.0f} LUT, {area.dsp:,.0f} DSP, {area.bram36:,.1f} BRAM36")
    x = network.inputs(FRAMES)
    wanted = network.reference(x)["h"]
    print("exact" if np.array_equal(np.reshape(made.run(x), wanted.shape), wanted) else "NOT exact")
    codes = made.host.encode({"x": x})
    run = run_rtl(made.design, [codes[t] for t in made.graph.inputs])
    same = all(np.array_equal(a.ravel(), b.ravel()) for a, b in zip(run.outputs, made.graph.execute(codes).values(), strict=True))
    print(f"RTL {'equal' if same else 'NOT equal'}; frames done at {(run.frame_done - run.first_take).tolist()}, ", end="")
    print(f"predicted {predicted.frame_done[:FRAMES].tolist()}; interval {predicted.interval_cycles}, latency {predicted.latency_cycles}")


def steps_side_by_side(path: Path, options: Options) -> None:
    """Fold hardware for all steps."""
    job = Job(path, options)
    units = UNITS(job, repeated(job, path)).units
    found = cheapest(units, options.wanted_interval)
    print(f"each step: {len(units.nodes)} units, {found.solution.area[0]:,.0f} LUT at {found.interval} cycles")


def main() -> None:
    """Measure one network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cell", choices=CELLS)
    for name, default in {"features": 10, "hidden": 32, "steps": 25, "layers": 1, "interval": 20000}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--repeated", action="store_true")
    given = parser.parse_args()
    network = Network(given.cell, given.features, given.hidden, given.steps, given.layers, outputs=("h",))
    options = Options(mode="dataflow", board="kv260", interval=given.interval)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{given.cell}.onnx"
        onnx.save(network.proto(), path)
        if given.repeated:
            steps_side_by_side(path, options)
        else:
            rolled(network, path, options)


if __name__ == "__main__":
    main()

"""Recurrent networks of random weights as hardware for one time step, beside hardware for each, and on the loopback engine.

    python -m benchmarks.recurrent lstm --steps 25 --hidden 32 --layers 2 --interval 20000
    python -m benchmarks.recurrent lstm --steps 25 --hidden 32 --mode loopback --streaming

Prints what is estimated of the design, whether it is exact on random frames, and the cycles that Verilator counts beside those predicted.
`--repeated` folds the network with all its steps for the same interval and prints what its units take, without FIFOs. Without `--board` a
loopback engine is the default one.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx

from dfcompile.emit.engine import LATENCY
from dfcompile.folding.fold import cheapest
from dfcompile.front import UNITS, Job, repeated
from dfcompile.ir.graph import Array
from dfcompile.mode.accelerator import Accelerator
from dfcompile.mode.dataflow import DataflowAccelerator
from dfcompile.mode.loopback import LoopbackAccelerator
from dfcompile.options import Options
from dfcompile.pipeline import compile_model
from dfcompile.run.loopback import run_loopback
from dfcompile.run.rtl import run_rtl
from tests.recurrent import CELLS, Network

FRAMES = 3


def made_of(network: Network, path: Path, options: Options) -> None:
    """Build it, run it, count."""
    made = compile_model(path, options)
    x = network.inputs(FRAMES)
    wanted = reference(network, x, options.streaming)
    area = made.resources
    print(f"{size_of(made)}, {area.lut:,.0f} LUT, {area.dsp:,.0f} DSP, {area.bram36:,.1f} BRAM36")
    print("exact" if np.array_equal(np.reshape(made.run(x), wanted.shape), wanted) else "NOT exact")
    codes = made.host.encode({"x": x})
    found, cycles = counted(made, codes)
    same = all(np.array_equal(found[t].ravel(), y.ravel()) for t, y in made.graph.execute(codes).items())
    print(f"RTL {'equal' if same else 'NOT equal'}; {cycles}")


def reference(network: Network, x: Array, streaming: bool) -> Array:
    """The last state of each frame; streaming: of frames that are one sequence."""
    if not streaming:
        return network.reference(x)["h"]
    whole = replace(network, steps=len(x) * network.steps).reference(x.reshape(1, -1, network.features))["ys"]
    return whole[0, network.steps - 1 :: network.steps]


def size_of(made: Accelerator) -> str:
    """What the design is made of."""
    if isinstance(made, LoopbackAccelerator):
        return (
            f"engine {made.config.pe} x {made.config.simd}: {len(made.program.layers)} layers, program of {len(made.program.code):,} bytes"
        )
    return f"one step: {len(made.graph.nodes)} units"


def counted(made: Accelerator, codes: Mapping[str, Array]) -> tuple[dict[str, Array], str]:
    """Outputs of the RTL, and its cycles beside those predicted."""
    if isinstance(made, LoopbackAccelerator):
        done = run_loopback(made.program, codes, "rtl", LATENCY)
        return done.outputs, f"cycles of each run {list(done.cycles)}, predicted {made.timing.interval_cycles}"
    assert isinstance(made, DataflowAccelerator)
    run, predicted = run_rtl(made.design, [codes[t] for t in made.graph.inputs]), made.timing
    said = f"frames done at {(run.frame_done - run.first_take).tolist()}, predicted {predicted.frame_done[:FRAMES].tolist()}"
    outputs = dict(zip(made.host_outputs, run.outputs, strict=True))
    return outputs, f"{said}; interval {predicted.interval_cycles}, latency {predicted.latency_cycles}"


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
    for name in ("repeated", "streaming"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--mode", choices=["dataflow", "loopback"], default="dataflow")
    parser.add_argument("--board", help="default: kv260 for a dataflow design, none for an engine")
    given = parser.parse_args()
    network = Network(given.cell, given.features, given.hidden, given.steps, given.layers, outputs=("h",))
    options = Options(mode=given.mode, board=given.board, streaming=given.streaming)
    if given.mode == "dataflow":
        options = replace(options, board=given.board or "kv260", interval=given.interval)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{given.cell}.onnx"
        onnx.save(network.proto(), path)
        if given.repeated:
            steps_side_by_side(path, options)
        else:
            made_of(network, path, options)


if __name__ == "__main__":
    main()
